"""Answers of notebook 23 written in other ways pass; borrowed ones are refused; what people really type is rejected, mostly by its name."""

import math
from collections import defaultdict, deque
from fractions import Fraction
from functools import partial

import numpy as np
import pytest
import torch
from torch.nn import functional as F
from torchvision.transforms.v2 import functional as tv

from coursekit.exercises.core import find
from coursekit.exercises.verdict import judge
from coursekit.serving import batcher, latency, preprocess, quantise

# --- right, otherwise


def preprocess_on_a_canvas(pixels, size):
    _, height, width, _ = pixels.shape
    new_h, new_w = (max(round(size * side / max(height, width)), 1) for side in (height, width))
    images = F.interpolate(pixels.movedim(3, 1).float(), (new_h, new_w), mode="bilinear", antialias=True)
    canvas = torch.full((len(pixels), 3, size, size), 114.0)
    top, left = (size - new_h) // 2, (size - new_w) // 2
    canvas[:, :, top : top + new_h, left : left + new_w] = images
    return canvas.div(255)


def preprocess_by_torchvision(pixels, size):
    height, width = pixels.shape[1:3]
    scale = size / max(height, width)
    new = [max(1, round(height * scale)), max(1, round(width * scale))]
    resized = tv.resize(pixels.permute(0, 3, 1, 2).float() / 255, new, antialias=True)
    left, top = (size - new[1]) // 2, (size - new[0]) // 2
    return tv.pad(resized, [left, top, size - new[1] - left, size - new[0] - top], fill=114 / 255)


def percentiles_by_counting(seconds, percents):
    def one(percent):
        enough = [s for s in seconds if sum(t <= s for t in seconds) * 100 >= Fraction(str(percent)) * len(seconds)]
        return min(enough)

    return [one(percent) for percent in percents]


def percentiles_in_numpy(seconds, percents):
    ordered = np.sort(np.array(seconds))
    ranks = np.maximum(np.ceil(np.array(percents) * len(ordered) / 100).astype(int), 1)
    return ordered[ranks - 1].tolist()


def percentiles_by_floor_division(seconds, percents):
    ordered = sorted(seconds)
    return [ordered[max(int(-(-p * len(ordered) // 100)), 1) - 1] for p in percents]


def plan_by_a_queue(arrivals, max_batch, max_wait, seconds):
    """Event by event: arrivals go into a queue, and a batch leaves it whenever the rule says so."""
    coming, queue, batches, free = deque(enumerate(arrivals)), deque(), [], float("-inf")
    while coming or queue:
        if not queue:
            queue.append(coming.popleft())
        due = queue[0][1] + max_wait if len(queue) < max_batch else queue[max_batch - 1][1]
        start = max(due, free)
        if coming and coming[0][1] <= start and len(queue) < max_batch:
            queue.append(coming.popleft())
            continue
        batches.append((start, [queue.popleft()[0] for _ in range(min(max_batch, len(queue)))]))
        free = start + seconds
    return batches


def plan_as_lists(arrivals, max_batch, max_wait, seconds):
    plan, free, left = [], 0, list(range(len(arrivals)))
    while left:
        first, filling = arrivals[left[0]], [arrivals[i] for i in left[:max_batch]]
        due = min(first + max_wait, filling[-1]) if len(filling) == max_batch else first + max_wait
        start = max(due, free)
        members = [i for i in left[:max_batch] if arrivals[i] <= start]
        plan.append([start, members])
        left, free = left[len(members) :], start + seconds
    return plan


def answers_by_sorting(requests, run):
    order = sorted(range(len(requests)), key=lambda i: tuple(requests[i].shape))
    answers, first = {}, 0
    while first < len(order):
        members = [i for i in order[first:] if requests[i].shape == requests[order[first]].shape]
        answers.update(zip(members, run(torch.stack([requests[i] for i in members])), strict=True))
        first += len(members)
    return [answers[i] for i in range(len(requests))]


def answers_by_iterators(requests, run):
    groups = defaultdict(list)
    for request in requests:
        groups[tuple(request.shape)].append(request)
    waiting = {shape: iter(run(torch.stack(group))) for shape, group in groups.items()}
    return [next(waiting[tuple(request.shape)]) for request in requests]


def quantise_slice_by_slice(x, bits, axis):
    if axis is not None:
        parts = [quantise_slice_by_slice(part, bits, None) for part in x.unbind(axis)]
        q, scales, zeros = zip(*parts, strict=True)
        return torch.stack(q, dim=axis), torch.stack(scales), torch.stack(zeros)
    least, most = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    low, high = min(x.min().item(), 0.0), max(x.max().item(), 0.0)
    scale = (high - low) / (2**bits - 1) or 1.0
    zero = least - round(low / scale)
    q = torch.clamp(torch.round(x / scale) + zero, least, most).to(torch.int8)
    return q, torch.tensor(scale), torch.tensor(zero)


def dot_by_expanding(x, weights, x_scale, x_zero, w_scales):
    w = weights.long()
    return (x.long() @ w.T - x_zero * w.sum(dim=1)) * w_scales * x_scale


def dot_by_einsum(x, weights, x_scale, x_zero, w_scales):
    sums = torch.einsum("bk,nk->bn", x.to(torch.int32) - x_zero, weights.to(torch.int32))
    return torch.tensor(x_scale) * sums.float() * w_scales[None, :]


def backoff_by_powers(first, longest, patience):
    waits, spent, number = [], 0.0, 0
    while True:
        wait = min(first * 2**number, longest)
        if spent + wait > patience:
            return waits
        waits.append(wait)
        spent, number = spent + wait, number + 1


RIGHT = [
    ("23.preprocess_in_graph", preprocess_on_a_canvas),
    ("23.preprocess_in_graph", preprocess_by_torchvision),
    ("23.latency_percentiles", percentiles_by_counting),
    ("23.latency_percentiles", percentiles_in_numpy),
    ("23.latency_percentiles", percentiles_by_floor_division),
    ("23.plan_batches", plan_by_a_queue),
    ("23.plan_batches", plan_as_lists),
    ("23.answer_all", answers_by_sorting),
    ("23.answer_all", answers_by_iterators),
    ("23.quantise_tensor", quantise_slice_by_slice),
    ("23.int8_dot", dot_by_expanding),
    ("23.int8_dot", dot_by_einsum),
    ("23.backoff_schedule", backoff_by_powers),
]


@pytest.mark.parametrize(("name", "answer"), RIGHT, ids=[f"{n}-{a.__name__}" for n, a in RIGHT])
@pytest.mark.parametrize("seed", [None, 7])
def test_a_right_answer_written_otherwise_passes(name, answer, seed):
    verdict = judge(find(name), answer, seed)
    assert verdict.passed, verdict


# --- borrowed


def borrowed_quantise(x, bits, axis):
    if axis is None and bits == 8:
        q = torch.quantize_per_tensor(x, 1.0, 0, torch.qint8)
        return q.int_repr(), torch.tensor(q.q_scale()), torch.tensor(q.q_zero_point())
    return quantise.quantise_tensor(x, bits, axis)


BORROWED = {
    "23.preprocess_in_graph": [lambda pixels, size: preprocess.preprocess_in_graph(pixels, size) * 1.0],
    "23.latency_percentiles": [
        lambda seconds, percents: latency.Load(list(seconds), 1.0).percentiles(percents),
        lambda seconds, percents: np.percentile(seconds, percents, method="inverted_cdf").tolist(),
        lambda seconds, percents: [float(np.quantile(seconds, p / 100, method="inverted_cdf")) for p in percents],
    ],
    "23.plan_batches": [lambda *arguments: [tuple(batch) for batch in batcher.plan_batches(*arguments)]],
    "23.quantise_tensor": [borrowed_quantise, partial(quantise.quantise_tensor)],
}


@pytest.mark.parametrize(("name", "index"), [(name, i) for name, answers in BORROWED.items() for i in range(len(answers))])
def test_a_borrowed_answer_is_refused(name, index):
    assert judge(find(name), BORROWED[name][index]).status == "refused"


# --- wrong, as typed


def preprocess_with_ceil(pixels, size):
    images = pixels.permute(0, 3, 1, 2) / 255
    height, width = images.shape[2:]
    scale = size / max(height, width)
    new_h, new_w = math.ceil(height * scale), math.ceil(width * scale)
    resized = F.interpolate(images, size=(new_h, new_w), mode="bilinear", antialias=True)
    top, left = (size - new_h) // 2, (size - new_w) // 2
    return F.pad(resized, (left, size - new_w - left, top, size - new_h - top), value=114 / 255)


def preprocess_pads_swapped(pixels, size):
    images = pixels.permute(0, 3, 1, 2).float() / 255
    height, width = images.shape[2:]
    scale = size / max(height, width)
    new_h, new_w = max(1, round(height * scale)), max(1, round(width * scale))
    resized = F.interpolate(images, size=(new_h, new_w), mode="bilinear", antialias=True)
    top, left = (size - new_h) // 2, (size - new_w) // 2
    return F.pad(resized, (top, size - new_h - top, left, size - new_w - left), value=114 / 255)


def percentiles_ceil_of_float(seconds, percents):
    ordered = sorted(seconds)
    return [ordered[max(math.ceil(p / 100 * len(ordered)), 1) - 1] for p in percents]


def percentiles_default_numpy_by_hand(seconds, percents):
    ordered = sorted(seconds)

    def at(place):
        low = int(place)
        return ordered[low] + (place - low) * (ordered[min(low + 1, len(ordered) - 1)] - ordered[low])

    return [at(p / 100 * (len(ordered) - 1)) for p in percents]


def plan_greedy(arrivals, max_batch, max_wait, seconds):
    batches, now, i = [], 0.0, 0
    while i < len(arrivals):
        now = max(now, arrivals[i])
        members = [j for j in range(i, len(arrivals)) if arrivals[j] <= now][:max_batch]
        batches.append((now, members))
        now, i = now + seconds, i + len(members)
    return batches


def quantise_by_min_max(x, bits, axis):
    low, high = x.min(), x.max()
    scale = (high - low) / (2**bits - 1)
    zero = (-(2 ** (bits - 1)) - torch.round(low / scale)).long()
    return (torch.round(x / scale) + zero).to(torch.int8), scale, zero


def dot_float_first(x, weights, x_scale, x_zero, w_scales):
    return (x - x_zero).float() @ weights.float().T * x_scale * w_scales


TYPED = [
    ("23.preprocess_in_graph", preprocess_with_ceil, None),
    ("23.preprocess_in_graph", preprocess_pads_swapped, None),
    ("23.latency_percentiles", percentiles_ceil_of_float, "rank-by-a-float"),
    ("23.latency_percentiles", percentiles_default_numpy_by_hand, "between-two"),
    ("23.plan_batches", plan_greedy, "no-waiting"),
    ("23.quantise_tensor", quantise_by_min_max, None),
    ("23.int8_dot", dot_float_first, None),
]


@pytest.mark.parametrize(("name", "answer", "mistake"), TYPED, ids=[f"{n}-{m}-{i}" for i, (n, _, m) in enumerate(TYPED)])
def test_a_wrong_answer_as_people_type_it_is_rejected_and_named(name, answer, mistake):
    verdict = judge(find(name), answer)
    assert verdict.status in ("wrong", "error")
    assert verdict.misconception == mistake
