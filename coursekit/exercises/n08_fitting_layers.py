"""Exercises of notebook 08_fitting on layers that behave differently in train and in eval: dropout and batch norm."""

import torch
from torch import nn

from coursekit.exercises.core import Close, Exercise, Misconception
from coursekit.models.normalisation import BatchNorm
from coursekit.models.regularisation import dropout

# --- dropout


def dropout_cases(generator):
    """(label, arguments) for dropout: p far from 1/2, where p and 1 - p give the same, and a draw that equals p."""

    def row(*values):
        return torch.tensor(values, dtype=torch.float32)

    yield "half of four", (row(2, 2, 2, 2), 0.5, row(0.1, 0.9, 0.4, 0.6), True)
    yield "a quarter is dropped", (row(3, -3, 6, 9), 0.25, row(0.2, 0.3, 0.9, 0.24), True)
    yield "in eval mode", (row(3, -3, 6, 9), 0.25, row(0.2, 0.3, 0.9, 0.24), False)
    yield "a draw that equals p", (row(4, 4), 0.5, row(0.5, 0.49), True)
    yield "p is 0", (row(1, 2, 3), 0.0, row(0.0, 0.5, 0.9), True)
    yield "no numbers", (row(), 0.5, row(), True)
    for p, training in ((0.2, True), (0.7, True), (0.7, False)):
        x, draws = torch.randn(3, 4, generator=generator), torch.rand(3, 4, generator=generator)
        yield "random, in train mode" if training else "random, in eval mode", (x, p, draws, training)


def dropout_not_scaled(x, p, draws, training):
    return torch.where(draws >= p, x, 0.0) if training else x


def dropout_scaled_by_p(x, p, draws, training):
    return torch.where(draws >= p, x / p, 0.0) if training else x


def dropout_keeps_the_dropped(x, p, draws, training):
    return torch.where(draws < p, x / (1 - p), 0.0) if training else x


def dropout_p_means_keep(x, p, draws, training):
    return torch.where(draws < p, x / p, 0.0) if training else x


def dropout_scaled_down(x, p, draws, training):
    return torch.where(draws >= p, x * (1 - p), 0.0) if training else x


def dropout_always_on(x, p, draws, training):
    return dropout(x, p, draws)


def dropout_scaled_in_eval(x, p, draws, training):
    return torch.where(draws >= p, x, 0.0) if training else x * (1 - p)


def dropout_only_in_eval(x, p, draws, training):
    return dropout(x, p, draws, not training)


def dropout_strictly_above(x, p, draws, training):
    return torch.where(draws > p, x / (1 - p), 0.0) if training else x


def dropout_own_dice(x, p, draws, training):
    return torch.where(torch.rand(x.shape) >= p, x / (1 - p), 0.0) if training else x


dropout_exercise = Exercise(
    name="08.dropout",
    reference=dropout,
    cases=dropout_cases,
    compare=Close(rtol=1e-5, atol=1e-6),
    twins=("torch.nn.functional.dropout", "torch.nn.Dropout"),
    misconceptions=[
        Misconception(
            "not-scaled",
            dropout_not_scaled,
            "The right ones are gone, and the rest is too small: with a quarter dropped, the next layer sees three quarters "
            "of what it will see in eval mode. What makes up for it?",
        ),
        Misconception("scaled-by-p", dropout_scaled_by_p, "You divided by p, the share that is *gone*. Which share is left?"),
        Misconception(
            "keeps-the-dropped",
            dropout_keeps_the_dropped,
            "You kept what should go and dropped what should stay. p is the probability of being *dropped*: "
            "is a draw below p rare or common where p is small?",
        ),
        Misconception(
            "p-means-keep",
            dropout_p_means_keep,
            "You took p for the share that stays. Older papers do; in torch, and here, p is the share that is dropped.",
        ),
        Misconception(
            "scaled-down",
            dropout_scaled_down,
            "You made what is left smaller still. To keep the mean it must grow: times or divided by 1 - p?",
        ),
        Misconception(
            "always-on",
            dropout_always_on,
            "Right while training. In eval mode nothing may be dropped, or the same image gets another answer each time. Use `training`.",
        ),
        Misconception(
            "scaled-in-eval",
            dropout_scaled_in_eval,
            "That is the first form of dropout: unscaled in training, shrunk in eval. Ours is inverted: "
            "scale while training, and eval gives x as it is.",
        ),
        Misconception(
            "only-in-eval", dropout_only_in_eval, "It drops in eval mode and not in training. Which of the two is `training` True for?"
        ),
        Misconception(
            "own-dice",
            dropout_own_dice,
            "You threw dice of your own. Use the `draws` that come in: the same dice must give the same answer.",
        ),
        Misconception(
            "strictly-above", dropout_strictly_above, "A draw that equals p stays: `>=`. With p = 0 and a draw of 0.0 you would drop one."
        ),
    ],
    hints=[
        "Eval first: what comes out when `training` is False?",
        "`draws >= p` is True for the share 1 - p: those stay.",
        "`torch.where(draws >= p, x / (1 - p), 0.0)`.",
    ],
    points=2,
)

# --- batch_norm


def batch_norm_cases(generator):
    """(label, arguments) for BatchNorm: two to three batches in train mode, then one in eval mode; scale and shift that are not 1 and 0."""

    def case(*shape, batches=2, momentum=0.1, spread=2.0):
        channels = shape[1]
        weight, bias = torch.rand(channels, generator=generator) + 0.5, torch.randn(channels, generator=generator)
        drawn = [torch.randn(shape, generator=generator) * spread + 1.5 * spread for _ in range(batches)]
        return momentum, weight, bias, drawn, torch.randn(shape, generator=generator) * spread - 0.5 * spread

    by_hand = torch.tensor([[1.0], [2.0], [3.0], [6.0]])
    yield "1, 2, 3, 6 in one channel", (0.5, torch.ones(1), torch.zeros(1), [by_hand], by_hand)
    yield "vectors: five samples, three channels", case(5, 3)
    yield "images: three samples, two channels, 2 x 4", case(3, 2, 2, 4)
    yield "as many channels as rows, columns and samples", case(3, 3, 3, 3)
    yield "a channel that hardly varies", case(4, 2, batches=1, spread=0.002)
    yield "three batches, momentum 0.3", case(4, 2, 1, 2, batches=3, momentum=0.3)
    yield "random", case(2, 5, 3, 2, batches=1)


def drive_batch_norm(answer, momentum, weight, bias, batches, later):
    """Train on the batches, then use it: what comes out, what it noted, and what reaches the layer before it."""
    layer = answer(len(weight), momentum=momentum)
    layer.weight.data, layer.bias.data = weight.clone(), bias.clone()
    layer.train()
    outputs = []
    for batch in batches:
        x = batch.clone().requires_grad_()
        outputs.append(layer(x))
    (outputs[-1] * torch.linspace(-0.02, 0.02, x.numel()).reshape(x.shape)).sum().backward()
    seen = {f"output of training batch {number}": out.detach() for number, out in enumerate(outputs, 1)}
    seen["running mean"], seen["running variance"] = layer.running_mean.detach().clone(), layer.running_var.detach().clone()
    seen["the running statistics carry a graph"] = bool(layer.running_mean.requires_grad or layer.running_var.requires_grad)
    layer.eval()
    seen["output in eval mode"] = layer(later).detach()
    seen["running mean after eval mode"] = layer.running_mean.detach().clone()
    return seen | {"gradient of the input": x.grad, "gradient of the weight": layer.weight.grad}


class _Norm(nn.Module):
    """The right layer with one thing at a time to get wrong."""

    noted_correction, own_correction, swapped, both_from_batch, axes = 1, 0, False, False, None
    scale, eps_outside, note_in_eval, detach, note_std, root = True, False, False, True, False, True
    cut = False

    def __init__(self, channels, momentum=0.1, eps=1e-5):
        super().__init__()
        self.momentum, self.eps = momentum, eps
        self.weight, self.bias = nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def note(self, x, axes):
        mean, variance = x.mean(dim=axes), x.var(dim=axes, correction=self.noted_correction)
        variance = variance.sqrt() if self.note_std else variance
        if self.detach:
            mean, variance = mean.detach(), variance.detach()
        new = 1 - self.momentum if self.swapped else self.momentum
        self.running_mean = (1 - new) * self.running_mean + new * mean
        self.running_var = (1 - new) * self.running_var + new * variance

    def forward(self, x):
        axes = [axis for axis in range(x.ndim) if axis != 1]
        shape = [1, -1] + [1] * (x.ndim - 2)
        if self.training or self.note_in_eval:
            self.note(x, axes)
        if self.training or self.both_from_batch:
            own = axes if self.axes is None else self.axes[x.ndim == 4]
            mean, variance = x.mean(dim=own, keepdim=True), x.var(dim=own, correction=self.own_correction, keepdim=True)
            if self.cut:
                mean, variance = mean.detach(), variance.detach()
        else:
            mean, variance = self.running_mean.reshape(shape), self.running_var.reshape(shape)
        std = variance + self.eps if not self.root else variance.sqrt() + self.eps if self.eps_outside else (variance + self.eps).sqrt()
        normal = (x - mean) / std
        return normal * self.weight.reshape(shape) + self.bias.reshape(shape) if self.scale else normal + 0 * self.weight.reshape(shape)


class NotesOverN(_Norm):
    noted_correction = 0


class NormalisesOverNMinusOne(_Norm):
    own_correction = 1


class MomentumSwapped(_Norm):
    swapped = True


class BatchInEval(_Norm):
    both_from_batch = True


class EachSampleAlone(_Norm):
    axes = ((1,), (1, 2, 3))  # of vectors, of images


class EachPlaceAlone(_Norm):
    axes = ((0,), (0,))


class NoScale(_Norm):
    scale = False


class EpsOutside(_Norm):
    eps_outside = True


class NotesInEval(_Norm):
    note_in_eval = True


class GraphKept(_Norm):
    detach = False


class StdNoted(_Norm):
    note_std = True


class VarianceForStd(_Norm):
    root = False


class GradientCut(_Norm):
    cut = True


batch_norm_exercise = Exercise(
    name="08.batch_norm",
    reference=BatchNorm,
    cases=batch_norm_cases,
    drive=drive_batch_norm,
    compare=Close(rtol=1e-4, atol=1e-5),
    twins=(
        "torch.nn.BatchNorm1d",
        "torch.nn.BatchNorm2d",
        *(f"torch.nn.functional.{kind}_norm" for kind in ("batch", "layer", "group", "instance")),
        "torch.ops.aten._native_batch_norm_legit",
        *(f"coursekit.models.normalisation.{kind}_norm" for kind in ("batch", "layer", "group")),
    ),
    misconceptions=[
        Misconception(
            "notes-over-n",
            NotesOverN,
            "All outputs in train mode are right. The variance that is *noted* stands for data not seen yet: divide by n - 1, "
            "`correction=1`, as torch does.",
        ),
        Misconception(
            "normalises-over-n-minus-1",
            NormalisesOverNMinusOne,
            "`var` divides by n - 1 unless told otherwise. The batch is normalised by its own variance, over n: `correction=0`.",
        ),
        Misconception(
            "momentum-swapped",
            MomentumSwapped,
            "Old and new changed places. In torch's convention, momentum is the share of the *new* batch: 0.9 old + 0.1 new.",
        ),
        Misconception(
            "batch-statistics-in-eval",
            BatchInEval,
            "In eval mode the answer still depends on who else is in the batch. There, use the running statistics.",
        ),
        Misconception(
            "each-sample-alone",
            EachSampleAlone,
            "You averaged over the channels of each sample: that is layer norm. Batch norm has one mean for each *channel*; which axes go?",
        ),
        Misconception(
            "each-place-alone",
            EachPlaceAlone,
            "You averaged over the batch alone, so each place of the image has its own mean. A channel has one, "
            "over batch, rows and columns.",
        ),
        Misconception("no-scale-and-shift", NoScale, "Normalised well. At the end come weight and bias, one of each for a channel."),
        Misconception(
            "eps-outside-the-root",
            EpsOutside,
            "Only a channel that hardly varies shows it: eps belongs to the variance, under the root.",
        ),
        Misconception(
            "notes-in-eval",
            NotesInEval,
            "The running statistics moved in eval mode. Whoever measures on validation data must not train on it.",
        ),
        Misconception(
            "graph-kept",
            GraphKept,
            "The running statistics hang on the graph of every batch so far, and memory fills up. Note them under `torch.no_grad()`.",
        ),
        Misconception("std-noted", StdNoted, "You noted the standard deviation where the variance belongs: eval takes the root once more."),
        Misconception("variance-for-std", VarianceForStd, "You divided by the variance. Divide by its root."),
        Misconception(
            "gradient-cut",
            GradientCut,
            "The outputs are right, and the gradient of the input is not: mean and variance depend on x too. "
            "Only the *notes* are without a graph.",
        ),
    ],
    hints=[
        "Train: mean and variance of x over `axes`. Eval: `self.running_mean` and `self.running_var`. Then both go the same way.",
        "`x.mean(dim=axes)` and `x.var(dim=axes, correction=0)` are (C,); `.reshape(shape)` makes them broadcast.",
        "The notes, in train mode alone, under `torch.no_grad()`: `self.running_mean.lerp_(mean, self.momentum)` moves it by that share; "
        "the variance likewise, with `correction=1`.",
    ],
    points=4,
)
