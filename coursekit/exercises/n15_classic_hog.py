"""Exercises of notebook 15_classic: the histogram of a cell, the heart of HOG."""

import numpy as np
import torch

from coursekit.classic import hog
from coursekit.exercises.core import Close, Exercise, Misconception

WHOLE = ("skimage.feature.hog", hog.hog, hog.hog_cells, hog.hog_of_windows)


def hog_cell_cases(generator):
    """(label, arguments): one gradient at a time, then edges of bins, opposite directions, and random cells."""

    def cell(gx, gy, orientations=9):
        return np.array(gx, dtype=np.float64), np.array(gy, dtype=np.float64), orientations

    yield "four gradients: 5 at 53 degrees, 2 at 180, 6 at -90, and none", cell([[3, 0], [-2, 0]], [[4, 0], [0, -6]])
    yield "nothing: a flat cell", cell([[0, 0], [0, 0]], [[0, 0], [0, 0]])
    yield "one pixel, to the right", cell([[2]], [[0]])
    yield "one pixel, to the left: the same edge", cell([[-2]], [[0]])
    yield "one pixel, upwards: the same edge as downwards", cell([[0]], [[-3]])
    yield "150 degrees", cell([[-0.866025]], [[0.5]])
    yield "-30 degrees, the same edge as 150", cell([[0.866025]], [[-0.5]])
    yield "179.4 degrees: still the last bin", cell([[-1]], [[0.01]])
    yield "19.9 degrees: still the first bin", cell([[0.940288]], [[0.340380]])
    yield "an angle on the edge of two bins", cell([[1, -1]], [[1, 1]], 4)
    yield "90 degrees on the edge of two bins", cell([[0, 0]], [[4, -2]], 2)
    yield "one bin for all", cell([[3, -1], [0, 2]], [[4, 0], [1, -2]], 1)
    yield "wider than high", cell([[1, 2, 3, 4]], [[4, -3, 2, -1]], 6)
    for orientations in (9, 8, 12):
        gx, gy = torch.randn(2, 4, 5, generator=generator, dtype=torch.float64).numpy()
        yield f"random, {orientations} bins", (gx, gy, orientations)


def _cell(gx, gy, orientations=9, length=np.hypot, angle_of=None, share=True, around=180.0):
    angle = np.degrees(np.arctan2(gy, gx)) if angle_of is None else angle_of(gx, gy)
    bins = np.floor(angle % around / (around / orientations)).astype(np.int64) % orientations
    magnitude = length(gx, gy)
    return np.bincount(bins.ravel(), magnitude.ravel(), minlength=orientations) / (gx.size if share else 1)


def cell_summed(gx, gy, orientations=9):
    return _cell(gx, gy, orientations, share=False)


def cell_counted(gx, gy, orientations=9):
    return _cell(gx, gy, orientations, length=lambda a, b: ((a != 0) | (b != 0)).astype(np.float64))


def cell_by_squares(gx, gy, orientations=9):
    return _cell(gx, gy, orientations, length=lambda a, b: a**2 + b**2)


def cell_by_sides(gx, gy, orientations=9):
    return _cell(gx, gy, orientations, length=lambda a, b: np.abs(a) + np.abs(b))


def cell_with_signs(gx, gy, orientations=9):
    return _cell(gx, gy, orientations, around=360.0)


def cell_angle_from_y(gx, gy, orientations=9):
    return _cell(gx, gy, orientations, angle_of=lambda a, b: np.degrees(np.arctan2(a, b)))


def cell_mirrored(gx, gy, orientations=9):
    """|angle|: -30 becomes 30 where it should become 150."""
    return _cell(gx, gy, orientations, angle_of=lambda a, b: np.abs(np.degrees(np.arctan2(b, a))))


def cell_in_radians(gx, gy, orientations=9):
    return _cell(gx, gy, orientations, angle_of=lambda a, b: np.arctan2(b, a))


def cell_rounded(gx, gy, orientations=9):
    width = 180 / orientations
    return _cell(gx, gy, orientations, angle_of=lambda a, b: np.degrees(np.arctan2(b, a)) % 180 + width / 2)


def cell_as_shares(gx, gy, orientations=9):
    histogram = _cell(gx, gy, orientations)
    return histogram / max(histogram.sum(), 1e-12)


def cell_without_modulo(gx, gy, orientations=9):
    """What points upwards is in no bin."""
    bins = np.floor(np.degrees(np.arctan2(gy, gx)) / (180 / orientations))
    return np.array([np.hypot(gx, gy)[bins == k].sum() for k in range(orientations)]) / gx.size


def cell_with_bins_of_the_data(gx, gy, orientations=9):
    """np.histogram without a range: the bins go from the smallest angle that occurs to the largest."""
    return np.histogram(np.degrees(np.arctan2(gy, gx)) % 180, orientations, weights=np.hypot(gx, gy))[0] / gx.size


def cell_with_180_left_over(gx, gy, orientations=9):
    """180 is added to negative angles, and the angle 180 itself is in no bin."""
    angle = np.degrees(np.arctan2(gy, gx))
    bins = np.floor(np.where(angle < 0, angle + 180, angle) / (180 / orientations))
    return np.array([np.hypot(gx, gy)[bins == k].sum() for k in range(orientations)]) / gx.size


def cell_always_of_20_degrees(gx, gy, orientations=9):
    """The width of nine bins, whatever orientations says."""
    bins = np.floor(np.degrees(np.arctan2(gy, gx)) % 180 / 20)
    return np.array([np.hypot(gx, gy)[bins == k].sum() for k in range(orientations)]) / gx.size


def cell_mean_of_each_bin(gx, gy, orientations=9):
    counts = _cell(gx, gy, orientations, length=lambda a, b: np.ones_like(a), share=False)
    return _cell(gx, gy, orientations, share=False) / np.maximum(counts, 1)


hog_cell = Exercise(
    name="15.hog_cell",
    reference=hog.hog_cell,
    cases=hog_cell_cases,
    compare=Close(rtol=1e-5, atol=1e-6, dtype="any"),
    misconceptions=[
        Misconception(
            "summed", cell_summed, "Your histogram is h * w times too large: the sum is divided by the number of pixels of the cell."
        ),
        Misconception(
            "counted",
            cell_counted,
            "Every pixel has one vote in your histogram. A strong edge must count for more: each pixel votes with the length of its "
            "gradient.",
        ),
        Misconception("squares", cell_by_squares, "gx² + gy² is the squared length. Pixels vote with the length itself: take the root."),
        Misconception("sides-added", cell_by_sides, "|gx| + |gy| is not the length of the gradient: (3, 4) is 5 long, not 7."),
        Misconception(
            "signed",
            cell_with_signs,
            "Your bins go once around, 0 to 360 degrees. Light to dark and dark to light are the same edge here: the angle modulo 180.",
        ),
        Misconception(
            "bins-of-the-data",
            cell_with_bins_of_the_data,
            "Your bins begin at the smallest angle that occurs and end at the largest. They must be the same for every cell: "
            "`range=(0, 180)`.",
        ),
        Misconception(
            "mean-of-each-bin",
            cell_mean_of_each_bin,
            "You divided each bin by the pixels *in it*. All are divided by the pixels of the cell: how often a direction occurs must "
            "count.",
        ),
        Misconception(
            "no-modulo",
            cell_without_modulo,
            "Gradients that point upwards (gy below 0) or straight to the left are missing from your histogram: their angles are "
            "negative, or 180. "
            "Take the angle modulo 180 first.",
        ),
        Misconception(
            "180-left-over",
            cell_with_180_left_over,
            "You added 180 to the negative angles. What points to the left has 180 itself, which is in no bin: `% 180` makes it 0.",
        ),
        Misconception(
            "always-20-degrees",
            cell_always_of_20_degrees,
            "Your bins are 20 degrees wide whatever `orientations` is. Nine of them are; eight are 22.5 wide: 180 / orientations.",
        ),
        Misconception("angle-from-y", cell_angle_from_y, "The angle is measured from the wrong axis. `np.arctan2` takes y first, then x."),
        Misconception(
            "mirrored",
            cell_mirrored,
            "-30 degrees became 30. The opposite direction is 180 further on, at 150: use `% 180`, not `abs`.",
        ),
        Misconception("radians", cell_in_radians, "Nearly everything is in the first bin: `np.arctan2` gives radians, from -3.14 to 3.14."),
        Misconception(
            "nearest-bin",
            cell_rounded,
            "You rounded to the nearest bin. Bin 0 goes from 0 to 20 degrees, not from -10 to 10: round down.",
        ),
        Misconception(
            "shares",
            cell_as_shares,
            "Your histogram sums to 1. A cell keeps the strength of its edges; what light does to it is the business of the block.",
        ),
    ],
    hints=[
        "Three steps: how long is each gradient, which way does it point (0 to 180 degrees), and which bin is that?",
        "`np.hypot(gx, gy)`, `np.degrees(np.arctan2(gy, gx)) % 180`, and the angle divided by the width of a bin, rounded down.",
        "For each bin: the sum of `magnitude[bins == k]`, divided by the number of pixels, `gx.size`.",
    ],
    points=3,
    twins=(*WHOLE, hog.directions),
    equivalent={
        "length = np.hypot(gy, gx)": "the length of (gx, gy) is that of (gy, gx)",
        "bins = (angle / (180 / orientations)).astype(int) % orientations": "`astype(int)` rounds down what is not below 0",
    },
)
