"""The planted bug of notebook 23_deployment: pictures of several sizes go through in batches, and whose answer is it then?"""

from collections import defaultdict
from itertools import groupby

import torch
from torch import Tensor

from coursekit.exercises.core import Exact, Exercise, Misconception


def answer_all(requests, run):
    """Pictures of any sizes -> an answer for each, in their order; those of one size go through run together.

    requests: list of tensors (H, W). run: tensor (B, H, W) -> list of B answers, for one size at a time.
    """
    groups = defaultdict(list)
    for number, request in enumerate(requests):
        groups[request.shape].append(number)
    answers = [None] * len(requests)
    for members in groups.values():
        for number, answer in zip(members, run(torch.stack([requests[i] for i in members])), strict=True):
            answers[number] = answer
    return answers


def use_answer_all(answer, requests: list[Tensor]):
    """The answers, where run adds up a picture's numbers; and the shapes of the batches that went through it."""
    batches = []

    def run(batch):
        batches.append(list(batch.shape))
        return batch.flatten(1).sum(dim=1).tolist()

    return {"answers": answer(list(requests), run), "batches": sorted(batches)}


def answer_cases(generator):
    """(label, arguments) for answer_all: sizes mixed in ways that order tells apart."""

    def pictures(*sizes):
        return [torch.randint(0, 100, size, generator=generator) for size in sizes]

    yield "all of one size", (pictures((2, 2), (2, 2), (2, 2)),)
    yield "large, small, large", (pictures((3, 3), (2, 2), (3, 3)),)
    yield "small, large, small, large", (pictures((1, 2), (4, 4), (1, 2), (4, 4)),)
    yield "tall and wide, as many pixels", (pictures((2, 3), (3, 2), (2, 3), (3, 2), (3, 2)),)
    yield "small ones last", (pictures((3, 1), (3, 1), (1, 1)),)
    yield "the same picture twice", ([torch.tensor([[5]]), torch.tensor([[1, 2]]), torch.tensor([[5]])],)
    yield "a single one", (pictures((2, 5)),)
    yield "nobody asks", ([],)
    for _ in range(2):
        sides = torch.randint(1, 3, (6, 2), generator=generator).tolist()
        yield "random", (pictures(*map(tuple, sides)),)


def _grouped(requests, key=lambda request: request.shape):
    groups = defaultdict(list)
    for request in requests:
        groups[key(request)].append(request)
    return groups


def answers_in_order_of_batches(requests, run):
    return [answer for group in _grouped(requests).values() for answer in run(torch.stack(group))]


def answers_sorted_by_size(requests, run):
    return [answer for _, group in sorted(_grouped(requests).items()) for answer in run(torch.stack(group))]


def answers_one_by_one(requests, run):
    return [run(request[None])[0] for request in requests]


def answers_of_neighbours(requests, run):
    return [answer for _, group in groupby(requests, key=lambda r: r.shape) for answer in run(torch.stack(list(group)))]


def answers_one_for_each_size(requests, run):
    found = {shape: run(torch.stack(group))[-1] for shape, group in _grouped(requests).items()}
    return [found[request.shape] for request in requests]


def answers_backwards_within_a_size(requests, run):
    left = {shape: list(run(torch.stack(group))) for shape, group in _grouped(requests).items()}
    return [left[request.shape].pop() for request in requests]


def answers_by_pixels(requests, run):
    left = {count: iter(run(torch.stack(group))) for count, group in _grouped(requests, key=lambda r: r.numel()).items()}
    return [next(left[request.numel()]) for request in requests]


answer_all_exercise = Exercise(
    name="23.answer_all",
    reference=answer_all,
    cases=answer_cases,
    compare=Exact(),
    drive=use_answer_all,
    misconceptions=[
        Misconception(
            "order-of-batches",
            answers_in_order_of_batches,
            "That is the planted bug: the answers stand in the order of the batches. In which order did people ask?",
        ),
        Misconception(
            "sorted-by-size",
            answers_sorted_by_size,
            "Sorted by size the answers have an order, but not that of the requests. What must travel with a request through its batch?",
        ),
        Misconception("one-by-one", answers_one_by_one, "Right answers, and no batches left: run was called for each picture by itself."),
        Misconception(
            "neighbours-only",
            answers_of_neighbours,
            "Right answers, but two pictures of one size only went together if nobody stood between them.",
        ),
        Misconception("one-answer-a-size", answers_one_for_each_size, "All pictures of one size got the same answer: the last one's."),
        Misconception(
            "last-one-first",
            answers_backwards_within_a_size,
            "Each got an answer of its own size, but within a size the last came first. `pop()` takes from the end.",
        ),
        Misconception(
            "by-number-of-pixels",
            answers_by_pixels,
            "2 x 3 and 3 x 2 have as many pixels and cannot be stacked. What must be equal?",
        ),
    ],
    hints=[
        "Send three pictures, large, small, large, and follow the second one by hand.",
        "Put *numbers* of requests into the groups instead of the requests, and write each answer to its number.",
    ],
    points=3,
)
