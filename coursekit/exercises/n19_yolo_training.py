"""Exercises of notebook 19_yolo: the averaged weights."""

import copy
import math

import torch
from torch import nn

from coursekit.exercises.core import Close, Exercise, Misconception
from coursekit.training.ema import EMA


def ema_cases(generator):
    """(label, arguments) for EMA: the weights after each step, and how slow the copy is."""
    for label, steps, decay, tau in (
        ("no step yet: an exact copy", 0, 0.9, 20.0),
        ("one step at full speed", 1, 0.9, 0.01),
        ("one step while it still follows at once", 1, 0.9, 20.0),
        ("many steps", 12, 0.9, 4.0),
    ):
        yield label, (torch.rand(steps + 1, 3, 2, generator=generator), decay, tau)


def drive_ema(answer, path, decay, tau):
    """Move a small model with batch normalisation along ``path``, update the copy after each step, and look at both."""
    model = nn.Sequential(nn.Linear(2, 3, bias=False), nn.BatchNorm1d(3))
    model[0].weight.data = path[0].clone()
    average = answer(model, decay=decay, tau=tau)
    for step, weight in enumerate(path[1:], start=1):
        model[0].weight.data = weight.clone()
        model[1].running_mean.fill_(float(step))
        model[1].num_batches_tracked.fill_(step)
        average.update(model, step)
    kept = average.model
    return {
        "averaged weight": kept[0].weight.detach(),
        "averaged running mean": kept[1].running_mean,
        "counter": kept[1].num_batches_tracked,
        "weight of the model itself": model[0].weight.detach(),
        "the copy can be trained": any(p.requires_grad for p in kept.parameters()),
        "the copy is in train mode": kept.training,
    }


class _EMA:
    """The right average with one thing at a time to get wrong."""

    share, ramp, swap, buffers, sleep = False, True, False, True, True

    def __init__(self, model, decay=0.999, tau=200.0):
        self.model = model if self.share else copy.deepcopy(model)
        if self.sleep:
            self.model.eval().requires_grad_(False)
        self.decay, self.tau = decay, tau

    @torch.no_grad()
    def update(self, model, step):
        keep = self.decay * (1 - math.exp(-step / self.tau)) if self.ramp else self.decay
        keep = 1 - keep if self.swap else keep
        names = {name for name, _ in model.named_parameters()}
        for (name, mine), new in zip(self.model.state_dict().items(), model.state_dict().values(), strict=True):
            if mine.is_floating_point() and (self.buffers or name in names):
                mine.mul_(keep).add_(new * (1 - keep))
            elif not mine.is_floating_point():
                mine.copy_(new)


class EMAWithoutRamp(_EMA):
    ramp = False


class EMASwapped(_EMA):
    swap = True


class EMAShared(_EMA):
    share = True


class EMAParametersOnly(_EMA):
    buffers = False


class EMAAwake(_EMA):
    sleep = False


ema_exercise = Exercise(
    name="19.ema",
    reference=EMA,
    cases=ema_cases,
    drive=drive_ema,
    compare=Close(rtol=1e-4, atol=1e-6),
    twins=("torch.optim.swa_utils.AveragedModel",),
    misconceptions=[
        Misconception(
            "no-ramp",
            EMAWithoutRamp,
            "The copy is slow from the first step on, so it remembers the random "
            "start. The decay begins near 0: decay * (1 - exp(-step / tau)).",
        ),
        Misconception(
            "decay-swapped", EMASwapped, "Old and new changed places: the copy keeps `d` of itself and takes `1 - d` of the new weights."
        ),
        Misconception(
            "not-a-copy",
            EMAShared,
            "The average and the model share their weights, so training is pulled "
            "about by its own average. `copy.deepcopy` makes two of them.",
        ),
        Misconception(
            "parameters-only",
            EMAParametersOnly,
            "The weights are averaged, the running statistics of batch "
            "normalisation are not. Go through `state_dict()`, not `parameters()`.",
        ),
        Misconception(
            "left-in-train-mode",
            EMAAwake,
            "The copy is only for looking: `.eval()` and `.requires_grad_(False)`, or its own statistics move whenever it is used.",
        ),
    ],
    hints=[
        "`copy.deepcopy(model).eval().requires_grad_(False)` in `__init__`; `@torch.no_grad()` on `update`.",
        "`zip(self.model.state_dict().values(), model.state_dict().values())` pairs every tensor, buffers "
        "too; `state_dict` gives the tensors themselves, so in-place operations on them count.",
        "Floating-point tensors: `mine.lerp_(new, 1 - d)`. The counter of batches is an integer: copy it.",
    ],
    points=3,
    equivalent={
        "for mine, new in zip(self.model.state_dict().values(), model.state_dict().values(), strict=False):": "a copy has as many tensors",
    },
)
