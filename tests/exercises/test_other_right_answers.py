"""People write the same thing in other ways, by loops, in NumPy, in float64, in another order: all of it must pass."""

import itertools
import math
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
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
