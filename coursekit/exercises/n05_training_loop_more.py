"""Exercises of notebook 05_training_loop: an activation with its derivative, and when to stop."""

import copy

import torch
from torch import nn

from coursekit.exercises.core import Close, Exercise, Misconception
from coursekit.models.mlp import leaky_relu
from coursekit.training.classifier import EarlyStopping

# --- leaky_relu


def leaky_relu_cases(generator):
    """(label, arguments) for leaky_relu: both sides and 0 itself, the slopes 0 and 1, no numbers, more than one axis."""
    yield "one number above 0, one below", (torch.tensor([2.0, -2.0]), 0.1)
    yield "0 itself", (torch.tensor([0.0]), 0.1)
    yield "slope 0: the plain ReLU", (torch.tensor([3.0, -3.0]), 0.0)
    yield "slope 1: a straight line", (torch.tensor([3.0, -3.0, 0.5]), 1.0)
    yield "a batch: two axes", (torch.tensor([[1.0, -4.0, 0.0], [-0.5, 8.0, -1.0]]), 0.25)
    yield "no numbers", (torch.zeros(0), 0.1)
    for _ in range(3):
        yield "random", (torch.randn(4, 3, generator=generator), 0.05 + 0.4 * torch.rand(1, generator=generator).item())


def leaky_dead_below(x, slope=0.01):
    return torch.where(x > 0, x, slope * x), (x > 0).to(x.dtype)


def leaky_slope_is_the_value(x, slope=0.01):
    values = torch.where(x > 0, x, slope * x)
    return values, values


def leaky_slope_times_x(x, slope=0.01):
    return torch.where(x > 0, x, slope * x), torch.where(x > 0, torch.ones_like(x), slope * x)


def leaky_one_at_zero(x, slope=0.01):
    return torch.where(x > 0, x, slope * x), torch.where(x >= 0, torch.ones_like(x), slope * torch.ones_like(x))


def leaky_constant_below(x, slope=0.01):
    return torch.where(x > 0, x, -slope * torch.ones_like(x)), torch.where(x > 0, torch.ones_like(x), torch.zeros_like(x))


def leaky_wrong_way_round(x, slope=0.01):
    return torch.where(x > 0, slope * x, x), torch.where(x > 0, slope * torch.ones_like(x), torch.ones_like(x))


leaky_relu_exercise = Exercise(
    name="05.leaky_relu",
    reference=leaky_relu,
    cases=leaky_relu_cases,
    compare=Close(rtol=1e-5, atol=1e-6),
    twins=(
        "torch.nn.functional.leaky_relu",
        "torch.nn.LeakyReLU",
        "torch.nn.functional.prelu",
        "torch.nn.functional.rrelu",
        "torch.ops.aten.leaky_relu_backward",
    ),
    misconceptions=[
        Misconception(
            "dead-below-zero",
            wrong=leaky_dead_below,
            hint="The values are right. The derivative below 0 is that of the plain ReLU, 0: through it no gradient comes back. "
            "How steep is the line slope * x?",
        ),
        Misconception(
            "derivative-is-the-value",
            wrong=leaky_slope_is_the_value,
            hint="The values came back twice. The second result says how steep the curve is at x, not how high.",
        ),
        Misconception(
            "slope-times-x",
            wrong=leaky_slope_times_x,
            hint="Above 0 all is right. Below, slope * x is the height of the line; its steepness is the same everywhere.",
        ),
        Misconception(
            "one-at-zero",
            wrong=leaky_one_at_zero,
            hint="Only x = 0 differs. The curve has a corner there and no derivative; torch and this exercise take that of the left side.",
        ),
        Misconception(
            "constant-below-zero",
            wrong=leaky_constant_below,
            hint="Below 0 your output is the same number for every x. It should fall slowly: slope times x.",
        ),
        Misconception(
            "sides-swapped",
            wrong=leaky_wrong_way_round,
            hint="The two sides changed places: above 0 the number passes as it is, below 0 it is made small.",
        ),
    ],
    hints=[
        "Two straight lines that meet at 0. A line a * x has the derivative a.",
        "`torch.where(x > 0, 1.0, slope)` is the derivative. What is the derivative times x?",
    ],
    points=2,
)

# --- early_stopping


def early_stopping_cases(generator):
    """(label, arguments) for EarlyStopping: (patience, min_delta, the value after each epoch)."""
    yield "better every epoch", (2, 0.0, [0.1, 0.2, 0.3, 0.4])
    yield "patience 1, the second epoch is worse", (1, 0.0, [0.5, 0.4, 0.9])
    yield "equal is not better", (2, 0.0, [0.5, 0.5, 0.5, 0.6])
    yield "two bad epochs, but not in a row", (2, 0.0, [0.5, 0.4, 0.6, 0.5, 0.7, 0.6, 0.6, 0.9])
    yield "climbing again, but below the best", (3, 0.0, [0.9, 0.1, 0.2, 0.3, 0.95])
    yield "min_delta 0.1: a little better is not enough", (2, 0.1, [0.5, 0.55, 0.58, 0.9])
    yield "min_delta 0.1: better step by step, measured from the best", (2, 0.1, [0.5, 0.55, 0.65, 0.7, 0.72, 0.9])
    yield "better by min_delta exactly", (1, 0.25, [0.5, 0.75, 1.0])
    yield "negative values, such as minus a loss", (2, 0.0, [-3.0, -2.0, -2.5, -2.25])
    yield "the value is NaN", (2, 0.0, [0.5, float("nan"), float("nan"), 0.6])
    for patience in (1, 2, 3):
        values = torch.randint(0, 65, (9,), generator=generator) / 64  # with 1/16 exact in binary: a tie is one however it is computed
        yield "random", (patience, 1 / 16, values.tolist())


def drive_early_stopping(answer, patience, min_delta, values):
    """Ask after each epoch, until it says stop; the model's weight is the epoch's number. Then put the best weights back."""
    model, stopping, said = nn.Linear(1, 1, bias=False), answer(patience, min_delta), []
    for epoch, value in enumerate(values):
        model.weight.data.fill_(float(epoch))
        said.append(stopping.step(value, model))
        if said[-1]:
            break
    model.weight.data.fill_(-1.0)
    model.load_state_dict(stopping.weights)
    return {
        "stop after each epoch": said,
        "best": stopping.best,
        "best_epoch": stopping.best_epoch,
        "weight put back": model.weight.detach().reshape(()),
    }


class _Stopping:
    """The right rule with one thing at a time to get wrong."""

    copies, late, resets, ties, lower, last, delta, nan = True, 0, True, False, False, False, True, False

    def __init__(self, patience, min_delta=0.0):
        self.patience, self.min_delta = patience, min_delta if self.delta else 0.0
        self.best, self.best_epoch, self.epoch, self.bad, self.before, self.weights = None, -1, -1, 0, None, None

    def better(self, value):
        compared = self.before if self.last else self.best
        if compared is None:
            return True
        if self.lower:
            return value < compared - self.min_delta
        if self.nan:
            return not value <= compared + self.min_delta
        return value >= compared + self.min_delta if self.ties else value > compared + self.min_delta

    def step(self, value, model):
        self.epoch += 1
        if self.better(value):
            self.best, self.best_epoch = value, self.epoch
            self.weights = copy.deepcopy(model.state_dict()) if self.copies else model.state_dict()
            self.bad = 0 if self.resets else self.bad
        else:
            self.bad += 1
        self.before = value
        return self.bad >= self.patience + self.late


class StoppingSharesWeights(_Stopping):
    copies = False


class StoppingLate(_Stopping):
    late = 1


class StoppingNeverForgives(_Stopping):
    resets = False


class StoppingTies(_Stopping):
    ties = True


class StoppingLower(_Stopping):
    lower = True


class StoppingComparesWithTheLast(_Stopping):
    last = True


class StoppingWithoutDelta(_Stopping):
    delta = False


class StoppingNan(_Stopping):
    nan = True


early_stopping_exercise = Exercise(
    name="05.early_stopping",
    reference=EarlyStopping,
    cases=early_stopping_cases,
    drive=drive_early_stopping,
    compare=Close(rtol=0, atol=1e-9),
    misconceptions=[
        Misconception(
            "not-a-copy",
            wrong=StoppingSharesWeights,
            hint="The weights put back are those of the last epoch, not of the best: `state_dict()` gives the tensors that training "
            "goes on changing. What makes it a photograph instead of a window?",
        ),
        Misconception(
            "one-epoch-late",
            wrong=StoppingLate,
            hint="It stops one epoch late. With patience 1 the first epoch that is not better is already the last.",
        ),
        Misconception(
            "never-forgives",
            wrong=StoppingNeverForgives,
            hint="You count all bad epochs. A new best wipes the slate: patience counts the epochs since the best one.",
        ),
        Misconception(
            "equal-is-better",
            wrong=StoppingTies,
            hint="A value equal to the best (plus min_delta) counted as better, so a flat curve never ends. Better means larger.",
        ),
        Misconception(
            "lower-is-better",
            wrong=StoppingLower,
            hint="You wait for the value to fall. It is an accuracy here: larger is better.",
        ),
        Misconception(
            "compares-with-the-epoch-before",
            wrong=StoppingComparesWithTheLast,
            hint="After a fall, climbing half of the way back counted as better. Compare with the best so far, not with the epoch before.",
        ),
        Misconception(
            "min-delta-ignored",
            wrong=StoppingWithoutDelta,
            hint="A gain smaller than min_delta counted as better. By how much must the best be beaten?",
        ),
        Misconception(
            "nan-is-better",
            wrong=StoppingNan,
            hint="NaN became the best value. Every comparison with NaN is False, so `not value <= best` is True. "
            "Ask the question the other way round: `value > ...`.",
        ),
    ],
    hints=[
        "Note the best value and its epoch, and count the epochs. How old may a best become?",
        "`if value > self.best + self.min_delta:` is a new best: its value, its epoch, a `copy.deepcopy(model.state_dict())`.",
        "Start with best = -infinity and epoch = -1; at the end `return self.epoch - self.best_epoch >= self.patience`.",
    ],
    points=4,
)
