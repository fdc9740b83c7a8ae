"""An answer that another building block of ours, or a library, gives is refused however it is reached: twins that were once missing."""

import math
import statistics
import timeit
from pathlib import Path

import numpy as np
import pytest
import scipy.ndimage
import scipy.signal
import scipy.special
import sklearn.metrics
import torch
from sklearn.preprocessing import StandardScaler
from torch import nn
from torch.nn import functional as F

from coursekit import losses
from coursekit.boxes import box_convert
from coursekit.data import image_folder, splits
from coursekit.exercises import guard
from coursekit.exercises.core import find
from coursekit.exercises.verdict import judge
from coursekit.images import normalise
from coursekit.metrics import calibration, ranking
from coursekit.models import convolution, normalisation
from coursekit.training import classifier, fitting, optimisers

# --- the loss of notebook 02 is given; borrowed is its slope


def with_slope(slope):
    return lambda p, t: (((p - t) ** 2).mean(), slope(lambda q: ((q - t) ** 2).mean(), p))


def by_forward_mode(f, x):
    return torch.func.jacfwd(f)(x)


def by_trying(f, x):
    return losses.numerical_gradient(f, x, 0.5)


def two_layers_by_forward_mode(x, labels, *weights):
    slopes = torch.func.jacfwd(lambda *w: losses.cross_entropy(losses.two_layer_forward(x, *w)[2], labels), argnums=(0, 1, 2, 3))(*weights)
    return dict(zip(("w1", "b1", "w2", "b2"), slopes, strict=True))


def picked(table, labels):
    return -table[torch.arange(len(labels)), labels].mean()


def as_two_classes(z):
    return torch.stack([torch.zeros_like(z), z], dim=-1).reshape(-1, 2)  # a yes or no is a choice of two


def weighed(t):
    return torch.stack([1 - t, t], dim=-1).reshape(-1, 2)


# --- optimisers and splits


def rmsprop_by_adam(weights, gradient, average, lr, decay, eps):
    weights, (_, average, _) = optimisers.adam(weights, gradient, (0.0, average, 10**6), lr, (0.0, decay), eps)  # corrected by 1 - 0
    return weights, average


def momentum_by_torch(weights, gradient, velocity, lr, momentum):
    from torch.optim.sgd import sgd

    kept = [torch.zeros_like(weights) + velocity]
    sgd([weights.clone()], [gradient], kept, weight_decay=0, momentum=momentum, lr=1.0, dampening=0, nesterov=False, maximize=False)
    return weights - lr * kept[0], kept[0]


def stratified_by_groups(labels, share, order):
    held_out = torch.zeros(len(labels), dtype=torch.bool)
    for label in labels.unique():
        places = order[labels[order] == label]
        held_out[places[splits.group_split(torch.arange(len(places)), share, torch.arange(len(places)))[1]]] = True
    return (~held_out).nonzero().flatten(), held_out.nonzero().flatten()


def standardised_by_sklearn(train, other):
    def table(images):
        return images.permute(0, 2, 3, 1).reshape(-1, images.shape[1]).numpy() / 255

    scaler = StandardScaler().fit(table(train))
    return tuple(torch.from_numpy(scaler.transform(table(each))).reshape(each.permute(0, 2, 3, 1).shape) for each in (train, other))


class Wraps(torch.utils.data.Dataset):
    def __init__(self, root, transform=None):
        self.inner = image_folder.ImageFolder(root, transform)
        self.classes, self.samples = list(self.inner.classes), self.inner.samples

    def __len__(self):
        return len(self.samples)

    def __getitem__(self, index):
        return self.inner[index]


class Lists(Wraps):
    def __init__(self, root, transform=None):
        self.classes = sorted(path.name for path in Path(root).iterdir() if path.is_dir() and path.name[0] != ".")
        self.samples = [(p, label) for label, name in enumerate(self.classes) for p in image_folder._pictures(Path(root) / name)]


# --- measuring, windows, layers


def evaluated_at_once(model, batches, loss_of=F.cross_entropy):
    inputs, labels = (torch.cat(parts) for parts in zip(*batches, strict=True))
    logits = classifier.predict_all(model, inputs)
    return {"loss": loss_of(logits, labels).item(), "accuracy": (logits.argmax(1) == labels).float().mean().item()}


def curve_from_roc(roc_curve):
    def curve(truth, scores):
        wrong, recall, thresholds = roc_curve(truth, scores)
        hits, alarms = recall * truth.sum(), np.nan_to_num(wrong * (~truth).sum())
        return recall[1:], hits[1:] / (hits + alarms)[1:], thresholds[1:]

    return curve


def f1_of_all(batches, classes):
    truth, predicted = (np.concatenate(parts) for parts in zip(*batches, strict=True))
    return sklearn.metrics.f1_score(truth, predicted, labels=range(classes), average="macro", zero_division=0)


def slid(valid):
    """A convolution of whole images, without padding or stride, made into one with both."""
    return lambda image, kernel, stride, padding: torch.as_tensor(valid(F.pad(image, (padding,) * 4), kernel))[::stride, ::stride]


def filtered(image, kernel):
    (top, left), found = (side // 2 for side in kernel.shape), scipy.ndimage.correlate(image.numpy(), kernel.numpy(), mode="constant")
    return found[top : top + image.shape[0] - kernel.shape[0] + 1, left : left + image.shape[1] - kernel.shape[1] + 1]


def pooled_twice(images, kernel, stride):
    rows = F.max_pool1d(images.flatten(0, 1), kernel, stride).transpose(1, 2)
    return F.max_pool1d(rows, kernel, stride).transpose(1, 2).unflatten(0, images.shape[:2])


def clipped_by_torch(gradients, max_norm):
    parameters = [nn.Parameter(torch.zeros_like(g)) for g in gradients]
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.grad = gradient.clone()
    norm = nn.utils.get_total_norm(gradients)
    nn.utils.clip_grads_with_norm_(parameters, max_norm, norm)
    return [p.grad for p in parameters], norm


def normalised_by(rows_of):
    """A batch norm whose normalising is somebody else's, of channels laid out as rows."""

    class Layer(normalisation.BatchNorm):
        def __init__(self, channels, momentum=0.1, eps=1e-5):
            nn.Module.__init__(self)
            self.weight, self.bias = nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels))

        def forward(self, x):
            turned = x.transpose(0, 1)
            return rows_of(turned.flatten(1)).reshape(turned.shape).transpose(0, 1)

    return type("Layer", (nn.Module,), dict(vars(Layer)))


BORROWED = {
    "02.mse_with_gradient": [with_slope(by_forward_mode), with_slope(by_trying)],
    "02.softmax": [
        lambda z: losses.log_softmax(z).exp(),
        lambda z: torch.from_numpy(calibration.softmax(z.numpy())),
        lambda z: torch.from_numpy(scipy.special.softmax(z.numpy(), axis=1)),
        lambda z: torch.special.softmax(z, 1),
        lambda z: nn.Softmin(dim=1)(-z),
        lambda z: torch.ops.aten._softmax(z, 1, False),
        lambda z: (z - z.logsumexp(1, keepdim=True)).exp(),
    ],
    "02.cross_entropy": [
        lambda z, y: picked(losses.log_softmax(z), y),
        lambda z, y: torch.tensor(calibration.log_loss(z.numpy(), y.numpy())),
        lambda z, y: picked(torch.special.log_softmax(z, 1), y),
        lambda z, y: torch.ops.aten.cross_entropy_loss(z, y),
    ],
    "02.bce_with_logits": [
        lambda z, t: F.cross_entropy(as_two_classes(z), weighed(t)),
        lambda z, t: -(losses.log_softmax(as_two_classes(z)) * weighed(t)).sum(1).mean(),
    ],
    "02.two_layer_backward": [two_layers_by_forward_mode],
    "03.training_steps": [lambda n, b, epochs, drop: epochs * len(torch.utils.data.DataLoader(range(n), b, drop_last=drop))],
    "03.sgd_momentum": [momentum_by_torch],
    "03.rmsprop": [rmsprop_by_adam],
    "04.folder_dataset": [Wraps, Lists],
    "04.stratified_split": [stratified_by_groups],
    "04.standardise": [
        standardised_by_sklearn,
        lambda train, other: tuple(normalise(each, *splits.channel_statistics(train)) for each in (train, other)),
    ],
    "05.leaky_relu": [lambda x, slope=0.01: (F.prelu(x, torch.tensor(slope)), torch.where(x > 0, 1.0, slope))],
    "05.evaluate": [evaluated_at_once],
    "06.pr_curve": [curve_from_roc(ranking.roc_curve), curve_from_roc(lambda *a: sklearn.metrics.roc_curve(*a, drop_intermediate=False))],
    "06.evaluate_batches": [f1_of_all],
    "07.conv2d_loops": [
        slid(lambda x, k: scipy.signal.correlate(x, k, "valid")),
        slid(lambda x, k: scipy.signal.fftconvolve(x, k.flip(0, 1), "valid")),
        slid(filtered),
        slid(lambda x, k: F.conv3d(x[None, None, None], k[None, None, None])[0, 0, 0]),
        slid(lambda x, k: convolution.conv2d(x[None, None], k[None, None])[0, 0]),
    ],
    "07.conv2d": [convolution.conv2d_by_planes, lambda x, w, b, s, p: torch.convolution(x, w, b, [s, s], [p, p], [1, 1], False, [0, 0], 1)],
    "07.max_pool2d": [pooled_twice, lambda x, k, s: F.max_pool2d(x, k, s, return_indices=True)[0]],
    "08.he_init": [lambda draws: draws * fitting.he_std(draws.shape), lambda draws: draws * math.sqrt(2 / fitting.fans(draws.shape)[0])],
    "08.clip_by_norm": [clipped_by_torch],
    "08.batch_norm": [normalised_by(lambda rows: F.layer_norm(rows, rows.shape[1:])), normalised_by(normalisation.layer_norm)],
}


@pytest.mark.parametrize(("name", "answer"), [(name, answer) for name, answers in BORROWED.items() for answer in answers])
def test_it_is_refused(name, answer):
    verdict = judge(find(name), answer)
    assert verdict.status == "refused", verdict


# --- and what only looks borrowed passes


def timed_by_timeit(run, warmup, repeats, clock):
    for _ in range(warmup):
        run()
    return statistics.median(timeit.Timer(run, timer=clock).repeat(repeats, 1))


def yolo_by_box_convert(boxes, width, height):
    return box_convert((boxes - torch.tensor([1, 1, 0, 0])).float(), "xyxy", "cxcywh") / torch.tensor([width, height] * 2)


def conv2d_by_unfold(images, weight, bias, stride, padding):
    rows, columns = (
        convolution.output_size(side, taps, stride, padding) for side, taps in zip(images.shape[2:], weight.shape[2:], strict=True)
    )
    product = weight.flatten(1) @ F.unfold(images, weight.shape[2:], padding=padding, stride=stride) + bias[:, None]
    return product.reshape(len(images), len(weight), rows, columns)


HONEST = {
    "02.bce_with_logits": lambda z, t: (torch.logaddexp(z, torch.zeros_like(z)) - z * t).mean(),
    "04.voc_to_yolo": yolo_by_box_convert,
    "07.output_size": lambda size, kernel, stride, padding, dilation: len(range(0, size + 2 * padding - dilation * (kernel - 1), stride)),
    "07.conv2d": conv2d_by_unfold,
    "10.typical_seconds": timed_by_timeit,
}


@pytest.mark.parametrize("name", HONEST)
def test_a_primitive_inside_a_step_is_no_borrowing(name):
    verdict = judge(find(name), HONEST[name])
    assert verdict.passed, verdict


def test_one_operator_of_torch_is_not_taken_for_another():
    """They share the code of one class, so only their names may count."""
    assert guard.codes_of(torch.ops.aten.mse_loss_backward) == set()
    watch = guard.Watch(["torch.ops.aten.mse_loss_backward"])
    watch.run(lambda: torch.ops.aten.relu(torch.ones(2)))
    assert watch.seen == []
    watch.run(lambda: torch.ops.aten.mse_loss_backward(torch.tensor(1.0), torch.ones(2), torch.zeros(2), 1))
    assert watch.seen == ["torch.ops.aten.mse_loss_backward"]


def test_a_twin_that_is_a_sequential_forbids_no_sequential():
    from coursekit.models.xception import SeparableConv

    watch = guard.Watch([SeparableConv])
    watch.run(lambda: nn.Sequential(nn.Linear(2, 2))(torch.ones(1, 2)))
    assert watch.seen == []
