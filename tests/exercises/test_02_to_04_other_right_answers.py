"""People write the answers of notebooks 02 to 04 in other ways, by loops, in NumPy, in float64, in another order: all must pass."""

import itertools
import math
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional as F

from coursekit.exercises.core import find
from coursekit.exercises.verdict import judge

RIGHT = []


def right(name):
    """Keep an answer to that exercise."""

    def note(answer):
        RIGHT.append((name, answer))
        return answer

    return note


# --- 02_losses


@right("02.mse_with_gradient")
def mse_by_numpy(predicted, target):
    d = predicted.numpy().astype(np.float64) - target.numpy()
    return torch.tensor(np.mean(d * d)), torch.from_numpy(d * 2 / d.size)


@right("02.mse_with_gradient")
def mse_by_loops(predicted, target):
    gradient, total = torch.zeros_like(predicted), 0
    for place in itertools.product(*map(range, predicted.shape)):
        total = total + (predicted[place] - target[place]) ** 2
        gradient[place] = 2 * (predicted[place] - target[place]) / math.prod(predicted.shape)
    return total / math.prod(predicted.shape), gradient


@right("02.softmax")
def softmax_row_by_row(logits):
    result = torch.empty_like(logits)
    for i, row in enumerate(logits):
        powers = [math.exp(z - max(row.tolist())) for z in row.tolist()]
        result[i] = torch.tensor([p / sum(powers) for p in powers])
    return result


@right("02.softmax")
def softmax_by_numpy(logits):
    z = logits.double().numpy()
    e = np.exp(z - z.max(axis=1, keepdims=True, initial=-np.inf))
    return torch.from_numpy(e / e.sum(axis=1, keepdims=True)).to(logits.dtype)


@right("02.softmax")
def softmax_of_the_transposed(logits):
    z = (logits.T - logits.T.amax(0)).exp_()
    return (z / z.sum(0)).T


@right("02.softmax")
def softmax_by_differences(logits):
    return 1 / (logits[:, None, :] - logits[:, :, None]).exp().sum(dim=2)


@right("02.cross_entropy")
def cross_entropy_by_one_hot(logits, labels):
    shifted = logits - logits.max(dim=1, keepdim=True)[0]
    log_p = shifted - shifted.exp().sum(1, keepdim=True).log()
    return -(log_p * F.one_hot(labels, logits.shape[1])).sum() / len(labels)


@right("02.cross_entropy")
def cross_entropy_by_differences(logits, labels):
    d = logits - logits.gather(1, labels[:, None])  # the right logit becomes 0
    top = d.max(1, keepdim=True).values
    return (top[:, 0] + (d - top).exp().sum(1).log()).mean()


@right("02.cross_entropy")
def cross_entropy_by_loops(logits, labels):
    total = 0.0
    for row, label in zip(logits.tolist(), labels.tolist(), strict=True):
        total += max(row) + math.log(sum(math.exp(z - max(row)) for z in row)) - row[label]
    return torch.tensor(total / len(labels), dtype=logits.dtype)


@right("02.bce_with_logits")
def bce_in_numpy(logits, targets):
    z, t = logits.numpy().astype(float), targets.numpy()
    return torch.tensor(np.mean(np.maximum(z, 0) - z * t + np.log1p(np.exp(-np.abs(z)))))


@right("02.bce_with_logits")
def bce_by_halves(logits, targets):
    yes = (-logits).clamp(min=0) + (1 + (-logits.abs()).exp()).log()
    no = logits.clamp(min=0) + (1 + (-logits.abs()).exp()).log()
    return (targets * yes + (1 - targets) * no).mean()


@right("02.numerical_gradient")
def numerical_on_a_copy(f, x, h):
    x = x.clone()
    flat, slopes = x.view(-1), []
    for i in range(x.numel()):
        kept = flat[i].item()
        flat[i] = kept + h
        above = float(f(x))
        flat[i] = kept - h
        slopes.append((above - float(f(x))) / (2 * h))
        flat[i] = kept
    return torch.tensor(slopes, dtype=x.dtype).reshape(x.shape)


@right("02.numerical_gradient")
def numerical_by_indices(f, x, h):
    gradient = np.zeros(tuple(x.shape))
    for place in np.ndindex(*x.shape):
        up, down = x.clone(), x.clone()
        up[place] += h
        down[place] -= h
        gradient[place] = f(up) / (2 * h) - f(down) / (2 * h)
    return torch.tensor(gradient)


def two_layers(x, labels, w1, b1, w2, b2, wide=False):
    if wide:
        x, w1, b1, w2, b2 = (each.double() for each in (x, w1, b1, w2, b2))
    before = F.linear(x, w1, b1)
    hidden = before.clamp(min=0)
    z = hidden @ w2.T + b2
    p = (z - z.amax(1, keepdim=True)).exp()
    p = p / p.sum(1, keepdim=True)
    blame = (p - F.one_hot(labels, len(w2))) / len(x)
    below = torch.where(before > 0, blame @ w2, 0)
    return blame, hidden, below, x


@right("02.two_layer_backward")
def two_layers_by_einsum(*given):
    blame, hidden, below, x = two_layers(*given)
    return {
        "b2": torch.einsum("nk->k", blame),
        "w2": torch.einsum("nk,nh->kh", blame, hidden),
        "b1": torch.einsum("nh->h", below),
        "w1": torch.einsum("nh,nd->hd", below, x),
    }


@right("02.two_layer_backward")
def two_layers_in_float64(*given):
    blame, hidden, below, x = two_layers(*given, wide=True)
    return {"w1": below.T @ x, "b1": below.sum(0), "w2": blame.T @ hidden, "b2": blame.sum(0)}


@right("02.two_layer_backward")
def two_layers_sample_by_sample(*given):
    blame, hidden, below, x = two_layers(*given)
    found = defaultdict(int)
    for i in range(len(x)):
        found["w1"] += torch.outer(below[i], x[i])
        found["b1"] += below[i]
        found["w2"] += torch.outer(blame[i], hidden[i])
        found["b2"] += blame[i]
    return dict(found)


# --- 03_optimisers


@right("03.training_steps")
def steps_by_walking(samples, batch, epochs, drop_last=False):
    sizes = [min(batch, samples - begin) for begin in range(0, samples, batch)]
    return epochs * sum(1 for size in sizes if size == batch or not drop_last)


@right("03.training_steps")
def steps_by_ceil(samples, batch, epochs, drop_last=False):
    return (math.floor if drop_last else math.ceil)(samples / batch) * epochs


@right("03.sgd_momentum")
def momentum_in_float64(weights, gradient, velocity, lr, momentum=0.9):
    v = gradient.double().add(velocity * momentum)
    return [weights.double() - v * lr, v]


@right("03.sgd_momentum")
def momentum_by_lists(weights, gradient, velocity, lr, momentum=0.9):
    v = torch.as_tensor(velocity).expand_as(weights).mul(momentum).add_(gradient)
    w = weights.clone()
    w -= lr * v
    return w, v


@right("03.rmsprop")
def rmsprop_rearranged(weights, gradient, average, lr, decay=0.99, eps=1e-8):
    average = gradient.square() + decay * (average - gradient.square())
    return weights.sub(lr * gradient / average.pow(0.5).add(eps)), average


@right("03.rmsprop")
def rmsprop_by_numpy(weights, gradient, average, lr, decay=0.99, eps=1e-8):
    w, g = (t.numpy().astype(float) for t in (weights, gradient))
    a = decay * np.asarray(average, dtype=float) + (1 - decay) * g**2
    return torch.from_numpy(w - np.asarray(lr) * g / (np.sqrt(a) + eps)), torch.from_numpy(a)


@right("03.adam")
def adam_by_lerp(weights, gradient, state, lr, betas=(0.9, 0.999), eps=1e-8):
    first, second = (torch.lerp(torch.zeros_like(g) + s, g, 1 - b) for g, s, b in zip((gradient, gradient**2), state, betas, strict=False))
    count = state[2] + 1
    step = lr / (1 - betas[0] ** count) * first / (second.sqrt() / math.sqrt(1 - betas[1] ** count) + eps)
    return weights - step, [first, second, count]


@right("03.adam")
def adam_in_float64(weights, gradient, state, lr, betas=(0.9, 0.999), eps=1e-8):
    w, g, (m, v, t) = weights.double(), gradient.double(), state
    m, v, t = betas[0] * m + (1 - betas[0]) * g, betas[1] * v + (1 - betas[1]) * g * g, t + 1
    return w - lr * (m / (1 - betas[0] ** t)) / ((v / (1 - betas[1] ** t)) ** 0.5 + eps), (m, v, t)


@right("03.adamw")
def adamw_written_out(weights, gradient, state, lr, decay=0.01):
    m, v, t = 0.9 * state[0] + 0.1 * gradient, 0.999 * state[1] + 0.001 * gradient**2, state[2] + 1
    step = m / (1 - 0.9**t) / ((v / (1 - 0.999**t)).sqrt() + 1e-8)
    return weights - lr * (decay * weights + step), (m, v, t)


@right("03.warmup_cosine")
def cosine_by_sine(step, total, warmup, final=0.01):
    done = step + 1
    if done <= warmup:
        return done / warmup
    return np.float32(1 - (1 - final) * math.sin(math.pi / 2 * (done - warmup) / (total - warmup)) ** 2)


@right("03.warmup_cosine")
def cosine_by_torch(step, total, warmup, final=0.01):
    down = torch.cos(torch.tensor(math.pi * (step + 1 - warmup) / max(1, total - warmup), dtype=torch.float64))
    return torch.tensor((step + 1) / warmup) if step < warmup else (1 + final) / 2 + (1 - final) / 2 * down


# --- 04_data


@right("04.folder_dataset")
class FolderByGlob(torch.utils.data.Dataset):
    def __init__(self, root, transform=None):
        self.transform = transform or (lambda image: image)
        self.classes = tuple(sorted(p.name for p in Path(root).glob("[!.]*") if p.is_dir()))
        files = [p for p in Path(root).glob("[!.]*/[!.]*") if p.name.lower().endswith((".png", ".jpg", ".jpeg"))]
        self.samples = [[str(p), self.classes.index(p.parent.name)] for p in sorted(files, key=lambda p: (p.parent.name, p.name))]

    def __len__(self):
        return len(self.samples)

    def __getitem__(self, index):
        with Image.open(self.samples[index][0]) as picture:
            pixels = np.array(picture.convert("RGB"))
        return self.transform(torch.from_numpy(pixels).permute(2, 0, 1)), self.samples[index][1]


@right("04.stratified_split")
def stratified_by_walking(labels, share, order):
    wanted = {c: max(min(max(1, round(share * n)), n - 1), 0) for c, n in Counter(labels.tolist()).items()}
    held_out = []
    for place in order.tolist():
        if wanted[labels[place].item()] > 0:
            wanted[labels[place].item()] -= 1
            held_out.append(place)
    train = sorted(set(range(len(labels))) - set(held_out))
    return [torch.tensor(train, dtype=torch.int64), torch.tensor(sorted(held_out), dtype=torch.int32)]


@right("04.stratified_split")
def stratified_by_numpy(labels, share, order):
    y, o = labels.numpy(), order.numpy()
    held_out = np.zeros(len(y), dtype=bool)
    for c in np.unique(y):
        places = o[y[o] == c]
        held_out[places[: np.clip(np.round(share * len(places)), min(1, len(places) - 1), len(places) - 1).astype(int)]] = True
    return torch.from_numpy(np.flatnonzero(~held_out)), torch.from_numpy(np.flatnonzero(held_out))


@right("04.group_split")
def groups_by_sets(groups, share, order):
    count = min(max(round(share * len(order)), 1), len(order) - 1)
    chosen = set(order[:count].tolist())
    sides = [i for i, g in enumerate(groups.tolist()) if g not in chosen], [i for i, g in enumerate(groups.tolist()) if g in chosen]
    return tuple(torch.tensor(side, dtype=torch.long) for side in sides)


@right("04.standardise")
def standardise_channel_by_channel(train, other):
    train, other = train.double() / 255, other.double() / 255
    for c in range(train.shape[1]):
        mean, std = train[:, c].mean(), train[:, c].std(correction=0)
        std = std if std > 0 else 1.0
        train[:, c], other[:, c] = (train[:, c] - mean) / std, (other[:, c] - mean) / std
    return train, other


@right("04.class_weights")
def weights_by_counter(labels, num_classes):
    counts = Counter(labels.tolist())
    return torch.tensor([len(labels) / (len(counts) * counts[c]) if c in counts else 0.0 for c in range(num_classes)], dtype=torch.float64)


@right("04.class_weights")
def weights_by_one_hot(labels, num_classes):
    share = F.one_hot(labels, num_classes).float().mean(0)
    return (1 / share / (share > 0).sum()).nan_to_num(posinf=0.0)


@right("04.voc_to_yolo")
def yolo_by_matrix(boxes, width, height):
    size = boxes.new_tensor([width, height]).double()
    return torch.cat([(boxes[:, :2] + boxes[:, 2:] - 1) / (2 * size), (boxes[:, 2:] - boxes[:, :2] + 1) / size], dim=1)


@right("04.voc_to_yolo")
def yolo_row_by_row(boxes, width, height):
    rows = [((a - 1 + c) / 2 / width, (b - 1 + d) / 2 / height, (c - a + 1) / width, (d - b + 1) / height) for a, b, c, d in boxes.tolist()]
    return torch.tensor(rows).reshape(-1, 4)


@pytest.mark.parametrize(("name", "answer"), RIGHT, ids=lambda value: getattr(value, "__name__", value))
def test_it_passes(name, answer):
    verdict = judge(find(name), answer)
    assert verdict.passed, verdict
