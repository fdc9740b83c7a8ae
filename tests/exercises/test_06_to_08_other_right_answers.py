"""People write the answers of notebooks 06 to 08 in other ways, by loops, in NumPy, in float64, in another order: all must pass."""

import itertools
import math

import numpy as np
import pytest
import torch
from torch import nn
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


# --- 06_measuring


@right("06.mape")
def mape_by_loop(truth, predicted):
    total = 0.0
    for t, p in zip(truth.tolist(), predicted.tolist(), strict=True):
        total += abs(p - t) / abs(t) if t else (0.0 if p == 0 else math.inf)
    return total / len(truth)


@right("06.mape")
def mape_by_errstate(truth, predicted):
    with np.errstate(all="ignore"):
        share = np.abs((predicted - truth) / truth)
    share[predicted == truth] = 0
    return np.float32(share.mean())


@right("06.confusion_matrix")
def confusion_by_bincount(truth, predicted, classes):
    return np.bincount(truth * classes + predicted, minlength=classes**2).reshape(classes, classes)


@right("06.confusion_matrix")
def confusion_by_one_hot(truth, predicted, classes):
    eye = np.eye(classes, dtype=np.int32)
    return eye[truth].T @ eye[predicted]


@right("06.confusion_matrix")
def confusion_by_masks(truth, predicted, classes):
    return np.array([[((truth == t) & (predicted == p)).sum() for p in range(classes)] for t in range(classes)])


@right("06.precision_recall_f1")
def ratios_by_loops(matrix):
    rows = []
    for k in range(len(matrix)):
        p, r = (matrix[k, k] / s if s else 0.0 for s in (matrix[:, k].sum(), matrix[k].sum()))
        rows.append((p, r, 2 * p * r / (p + r) if p + r else 0.0))
    return tuple(np.array(column) for column in zip(*rows, strict=True))


@right("06.precision_recall_f1")
def ratios_by_divide(matrix):
    hits, said, there = matrix.diagonal().astype(float), matrix.sum(0), matrix.sum(1)
    pairs = (hits, said), (hits, there), (2 * hits, said + there)
    return [np.divide(a, b, out=np.zeros(len(matrix)), where=b > 0) for a, b in pairs]


@right("06.top_k_accuracy")
def top_k_by_ranks(truth, scores, k):
    own, places = scores[np.arange(len(truth)), truth][:, None], np.arange(scores.shape[1])
    ahead = (scores > own) | ((scores == own) & (places < truth[:, None]))
    return np.mean(ahead.sum(axis=1) < k)


@right("06.top_k_accuracy")
def top_k_by_sorted(truth, scores, k):
    return sum(int(t) in sorted(range(len(row)), key=lambda c: -row[c])[:k] for t, row in zip(truth, scores, strict=True)) / len(truth)


@right("06.pr_curve")
def curve_by_loop(truth, scores):
    thresholds = sorted(set(scores.tolist()), reverse=True)
    kept = [[bool(t) for t, s in zip(truth, scores, strict=True) if s >= level] for level in thresholds]
    return np.array([sum(k) / sum(truth) for k in kept]), np.array([sum(k) / len(k) for k in kept]), np.array(thresholds)


@right("06.pr_curve")
def curve_by_running_sums(truth, scores):
    order = np.argsort(-scores)
    last = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))
    hits = truth[order].cumsum()[last]
    return [hits / truth.sum(), hits / (last + 1), scores[order][last]]


@right("06.evaluate_batches")
def macro_by_counts(batches, classes):
    scores = []
    for k in range(classes):
        hits = sum(int(((t == k) & (p == k)).sum()) for t, p in batches)
        touched = sum(int((t == k).sum() + (p == k).sum()) for t, p in batches)
        scores.append(2 * hits / touched if touched else 0)
    return sum(scores) / classes


# --- 07_convolution


@right("07.output_size")
def size_by_sliding(size, kernel, stride=1, padding=0, dilation=1):
    places, begin = 0, -padding
    while begin + dilation * (kernel - 1) < size + padding:
        places, begin = places + 1, begin + stride
    return places


@right("07.output_size")
def size_by_floor(size, kernel, stride=1, padding=0, dilation=1):
    return np.int64(max(0, math.floor((size + 2 * padding - dilation * (kernel - 1) - 1) / stride + 1)))


@right("07.conv2d_loops")
def loops_over_the_taps(image, kernel, stride=1, padding=0):
    (h, w), padded = kernel.shape, F.pad(image.double(), (padding,) * 4)
    rows, columns = ((side - k) // stride + 1 for side, k in zip(padded.shape, kernel.shape, strict=True))
    result = torch.zeros(rows, columns, dtype=torch.float64)
    for y, x in itertools.product(range(h), range(w)):
        result += kernel[y, x] * padded[y : y + (rows - 1) * stride + 1 : stride, x : x + (columns - 1) * stride + 1 : stride]
    return result


@right("07.conv2d_loops")
def loops_in_numpy(image, kernel, stride=1, padding=0):
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(image.numpy(), padding), kernel.shape)[::stride, ::stride]
    return torch.from_numpy(np.tensordot(windows, kernel.numpy(), 2))


@right("07.conv2d")
def conv2d_by_einsum(images, weight, bias, stride=1, padding=0):
    seen = F.pad(images, (padding,) * 4).unfold(2, weight.shape[2], stride).unfold(3, weight.shape[3], stride)
    return torch.einsum("nchwij,ocij->nohw", seen, weight) + bias.reshape(-1, 1, 1)


@right("07.conv2d")
def conv2d_by_shifts(images, weight, bias, stride=1, padding=0):
    padded, total = F.pad(images.double(), (padding,) * 4), 0
    rows, columns = ((padded.shape[2 + a] - weight.shape[2 + a]) // stride + 1 for a in (0, 1))
    for y, x in itertools.product(range(weight.shape[2]), range(weight.shape[3])):
        part = padded[:, :, y : y + (rows - 1) * stride + 1 : stride, x : x + (columns - 1) * stride + 1 : stride]
        total = total + (weight[:, :, y, x].double() @ part.flatten(2)).unflatten(2, (rows, columns))
    return (total + bias[:, None, None]).float()


@right("07.max_pool2d")
def pool_by_shifts(images, kernel, stride):
    rows, columns = ((side - kernel) // stride + 1 for side in images.shape[2:])
    best = torch.full((*images.shape[:2], rows, columns), -math.inf)
    for y, x in itertools.product(range(kernel), repeat=2):
        best = best.maximum(images[:, :, y::stride, x::stride][:, :, :rows, :columns])
    return best


@right("07.max_pool2d")
def pool_row_by_row(images, kernel, stride):
    rows, columns = (range(0, side - kernel + 1, stride) for side in images.shape[2:])
    lines = [torch.stack([images[..., y : y + kernel, x : x + kernel].flatten(2).max(2).values for x in columns], -1) for y in rows]
    return torch.stack(lines, 2)


@right("07.receptive_field")
def field_from_the_end(layers):
    field = 1
    for kernel, stride in reversed(layers):
        field = (field - 1) * stride + kernel
    return field


@right("07.receptive_field")
def field_by_products(layers):
    return 1 + sum((kernel - 1) * math.prod(s for _, s in layers[:i]) for i, (kernel, _) in enumerate(layers))


@right("07.ported_network")
def ported_with_torchs_own(images, kernels, linear):
    x = images.double()
    for kernel, bias in kernels:
        x = F.max_pool2d(F.conv2d(x, kernel.permute(3, 2, 0, 1).double(), bias.double()).relu(), 2)
    x = x.movedim(1, -1).reshape(len(x), -1)
    for i, (weight, bias) in enumerate(linear):
        x = (x.relu() if i else x) @ weight.double() + bias
    return x


@right("07.ported_network")
def ported_with_the_weights_turned(images, kernels, linear):
    x = images
    for kernel, bias in kernels:
        x = F.max_pool2d(F.relu(F.conv2d(x, kernel.permute(3, 2, 0, 1), bias)), 2)
    first = linear[0][0].reshape(*x.shape[2:], x.shape[1], -1).permute(2, 0, 1, 3).reshape(linear[0][0].shape)
    x = x.flatten(1)
    for i, (weight, bias) in enumerate([(first, linear[0][1]), *linear[1:]]):
        x = F.linear(x.relu() if i else x, weight.T, bias)
    return x


# --- 08_fitting


@right("08.he_init")
def he_by_products(draws):
    return draws.double() / math.sqrt(math.prod(draws.shape[1:]) / 2)


@right("08.he_init")
def he_by_filters(draws):
    return torch.stack([row * (2 / row.numel()) ** 0.5 for row in draws])


@right("08.gradient_norms")
def norms_by_autograd(model, inputs, labels):
    weights = [w for w in model.parameters() if w.ndim >= 2]
    there = [w for w in weights if w.requires_grad]
    found = dict(zip(map(id, there), torch.autograd.grad(F.cross_entropy(model(inputs), labels), there), strict=True))
    return torch.stack([found[id(w)].pow(2).sum().sqrt() if id(w) in found else torch.tensor(0.0) for w in weights])


@right("08.gradient_norms")
def norms_in_float64(model, inputs, labels):
    for w in model.parameters():
        w.grad = None
    nn.CrossEntropyLoss()(model(inputs), labels).backward()
    found = [float(np.linalg.norm(w.grad.numpy())) if w.requires_grad else 0.0 for w in model.parameters() if len(w.shape) > 1]
    return torch.tensor(found, dtype=torch.float64)


@right("08.clip_by_norm")
def clip_by_stack(gradients, max_norm):
    norm = torch.stack([g.norm() for g in gradients]).norm() if gradients else torch.tensor(0.0)
    return tuple(g * (max_norm / (norm + 1e-6)).clamp(max=1) for g in gradients), norm


@right("08.clip_by_norm")
def clip_when_longer(gradients, max_norm):
    norm = math.sqrt(sum(v * v for g in gradients for v in g.flatten().tolist()))
    if norm + 1e-6 > max_norm:
        return [g.double() / (norm + 1e-6) * max_norm for g in gradients], norm
    return [g.clone() for g in gradients], norm


@right("08.clipped_step")
def clipped_by_hand(model, optimizer, inputs, labels, max_norm):
    model.zero_grad()
    loss = F.cross_entropy(model(inputs), labels)
    loss.backward()
    norm = torch.cat([p.grad.flatten() for p in model.parameters()]).norm()
    if norm > max_norm:
        for p in model.parameters():
            p.grad.mul_(max_norm / (norm + 1e-6))
    optimizer.step()
    return loss.detach()


@right("08.batch_norm")
class BatchNormByVarMean(nn.Module):
    def __init__(self, channels, momentum=0.1, eps=1e-5):
        super().__init__()
        self.momentum, self.eps = momentum, eps
        self.weight, self.bias = nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x):
        rows = x.movedim(1, -1).reshape(-1, x.shape[1])  # one row for each place of each sample
        mean, var = self.running_mean, self.running_var
        if self.training:
            mean, var = rows.mean(0), ((rows - rows.mean(0)) ** 2).mean(0)
            n, m = len(rows), self.momentum
            self.running_mean = self.running_mean * (1 - m) + m * mean.detach()
            self.running_var = self.running_var * (1 - m) + m * var.detach() * n / (n - 1)
        scale = self.weight * torch.rsqrt(var + self.eps)
        return (x.movedim(1, -1) * scale + (self.bias - mean * scale)).movedim(-1, 1)


@right("08.dropout")
def dropout_by_mask(x, p, draws, training):
    return x * (draws >= p).float() / (1 - p) if training else x.clone()


@right("08.dropout")
def dropout_by_masked_fill(x, p, draws, training):
    return (x.double() / (1 - p)).masked_fill(draws.lt(p), 0) if training else x


@pytest.mark.parametrize(("name", "answer"), RIGHT, ids=lambda value: getattr(value, "__name__", value))
def test_it_passes(name, answer):
    verdict = judge(find(name), answer)
    assert verdict.passed, verdict
