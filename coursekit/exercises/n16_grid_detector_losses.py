"""Exercises of notebook 16_grid_detector: the two losses."""

import torch
from torch.nn import functional as F

from coursekit.exercises.core import Close, Exercise, Misconception
from coursekit.grid import box_loss, coverage_loss


def _draw(generator, *shape):
    return torch.randn(*shape, generator=generator)


# --- is something here?


def coverage_cases(generator):
    """(label, arguments) for coverage_loss: none covered, one, several; answers that are very sure and very wrong."""

    def maps(logits, covered):
        return torch.tensor(logits).reshape(1, 1, 2, 2), torch.tensor(covered).reshape(1, 1, 2, 2)

    yield "all undecided, one cell covered", maps([0.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0])
    yield "two cells covered, one of them found", maps([3.0, -3.0, -3.0, -3.0], [1.0, 1.0, 0.0, 0.0])
    yield "a false alarm", maps([3.0, 3.0, -3.0, -3.0], [1.0, 0.0, 0.0, 0.0])
    yield "very sure and wrong", maps([200.0, -200.0, -9.0, -9.0], [0.0, 1.0, 0.0, 0.0])
    yield "no object in the batch", (_draw(generator, 2, 1, 2, 3), torch.zeros(2, 1, 2, 3))
    for count in (2, 3):
        coverage = (torch.rand(count, 2, 3, 4, generator=generator) > 0.7).float()
        yield "random", (_draw(generator, count, 2, 3, 4) * 2, coverage)


def _summed(logits, coverage):
    return F.binary_cross_entropy_with_logits(logits, coverage, reduction="sum")


def _covered(coverage):
    return coverage.sum().clamp(min=1)


def coverage_by_logarithms(logits, coverage):
    said = logits.sigmoid()
    return -(coverage * said.log() + (1 - coverage) * (1 - said).log()).sum() / _covered(coverage)


coverage_exercise = Exercise(
    name="16.coverage_loss",
    reference=coverage_loss,
    cases=coverage_cases,
    compare=Close(rtol=1e-4, atol=1e-5),
    misconceptions=[
        Misconception(
            "mean-over-all-cells",
            lambda logits, coverage: F.binary_cross_entropy_with_logits(logits, coverage),
            "You divided by the number of all cells, nearly all of which are empty. Divide by the covered ones.",
        ),
        Misconception(
            "divided-by-nothing",
            lambda logits, coverage: _summed(logits, coverage) / coverage.sum(),
            "A batch without an object was divided by 0. The divisor is at least 1: `.clamp(min=1)`.",
        ),
        Misconception(
            "sigmoid-twice",
            lambda logits, coverage: _summed(logits.sigmoid(), coverage) / _covered(coverage),
            "Your function took a sigmoid of a sigmoid, and nothing can get below 0.5. `..._with_logits` does that step itself.",
        ),
        Misconception(
            "logarithm-of-zero",
            coverage_by_logarithms,
            "Right for modest answers; for one that is very sure and wrong it is infinite: the sigmoid is rounded to 0, "
            "and log(0) has no end. "
            "Which function of notebook 02 took the logits themselves?",
        ),
        Misconception(
            "squared",
            lambda logits, coverage: (logits.sigmoid() - coverage).square().sum() / _covered(coverage),
            "That is the squared difference that DetectNet took. Here each cell is a yes or no: binary cross-entropy.",
        ),
        Misconception(
            "covered-cells-alone",
            lambda logits, coverage: (
                (F.binary_cross_entropy_with_logits(logits, coverage, reduction="none") * coverage).sum() / _covered(coverage)
            ),
            "Empty cells cost nothing in your loss, so saying 'yes' everywhere is perfect. They are *summed* with the "
            "others; only the divisor "
            "counts the covered cells.",
        ),
        Misconception(
            "per-image",
            lambda logits, coverage: _summed(logits, coverage) / len(logits),
            "You divided by the number of images. An image with five objects would teach five times as loudly: divide "
            "by the covered cells.",
        ),
    ],
    hints=[
        "`F.binary_cross_entropy_with_logits(..., reduction='sum')` adds up every cell of every class.",
        "How many cells are covered? `coverage.sum()`. A batch may have none: at least 1.",
    ],
    points=2,
)

# --- where does it end?


def box_cases(generator):
    """(label, arguments) for box_loss: cells that nobody asked, with wild numbers in them."""

    def covered(*cells):
        mask = torch.zeros(1, 2, 3, dtype=torch.bool)
        for row, column in cells:
            mask[0, row, column] = True
        return mask

    target = torch.arange(24.0).reshape(1, 4, 2, 3)
    yield "one covered cell, each corner off by one stride", (target + 1, target, covered((1, 2)))
    wild = target.clone()
    wild[0, :, 0, 0] += 50
    wild[0, :, 1, 1] += torch.tensor([1.0, -1, 2, 0])
    yield "wild numbers in a cell that nobody asked", (wild, target, covered((1, 1)))
    yield "two covered cells, one of them right", (wild, target, covered((1, 1), (0, 2)))
    yield "too small and too large", (target + torch.tensor([-1.0, 1, -3, 3])[None, :, None, None], target, covered((0, 1), (1, 0)))
    yield "no covered cell", (target + 1, target, covered())
    for count in (2, 3):
        mask = torch.rand(count, 3, 5, generator=generator) > 0.6
        yield "random", (_draw(generator, count, 4, 3, 5), _draw(generator, count, 4, 3, 5), mask)


def _off(corners, target):
    return (corners - target).abs().mean(dim=1)


box_exercise = Exercise(
    name="16.box_loss",
    reference=box_loss,
    cases=box_cases,
    compare=Close(rtol=1e-4, atol=1e-5),
    misconceptions=[
        Misconception(
            "divided-by-all-cells",
            lambda corners, target, covered: (_off(corners, target) * covered).mean(),
            "The sum is right, the divisor counts all cells. The more cells are empty, the less your loss weighs, and boxes hardly learn.",
        ),
        Misconception(
            "empty-cells-too",
            lambda corners, target, covered: _off(corners, target).mean(),
            "Cells where nothing is were asked for a box. What they say there is nobody's business: mask them.",
        ),
        Misconception(
            "nan-without-objects",
            lambda corners, target, covered: (_off(corners, target) * covered).sum() / covered.sum(),
            "A batch without an object gave 0 / 0. The divisor is at least 1.",
        ),
        Misconception(
            "squared",
            lambda corners, target, covered: ((corners - target).square().mean(dim=1) * covered).sum() / covered.sum().clamp(min=1),
            "You squared the differences: one wild box then outweighs all others. Absolute differences, as in MAE (notebook 02).",
        ),
        Misconception(
            "signed",
            lambda corners, target, covered: (((corners - target).mean(dim=1) * covered).sum() / covered.sum().clamp(min=1)).abs(),
            "Too far left and too far right cancelled out. Take the absolute value of each difference *before* anything is added.",
        ),
        Misconception(
            "summed-over-corners",
            lambda corners, target, covered: 4 * (_off(corners, target) * covered).sum() / covered.sum().clamp(min=1),
            "Four times too large: you added the four corner numbers. Take their mean.",
        ),
    ],
    hints=[
        "`(corners - target).abs()` is (B, 4, rows, columns). The mean over dimension 1 leaves one number a cell.",
        "Multiply by `covered` to silence the other cells, add up, and divide by how many are covered, at least 1.",
    ],
    points=2,
)
