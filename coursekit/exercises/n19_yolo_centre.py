"""Exercises of notebook 19_yolo: which cell answers for which object, by size and place alone."""

import torch
from torch import Tensor

from coursekit.exercises.core import Exact, Exercise, Misconception
from coursekit.yolo.assign import assign_by_centre, suiting_stride
from coursekit.yolo.decode import cell_centres

STRIDES = (8, 16, 32)


def centre_owners(centres: Tensor, strides: Tensor, truth_boxes: Tensor, radius: float = 1.5) -> Tensor:
    """(A,) int64: the object that each cell answers for, -1 for background."""
    nothing, labels = torch.zeros(len(centres), 1), torch.zeros(len(truth_boxes), dtype=torch.int64)
    return assign_by_centre(nothing, None, centres, truth_boxes, labels, strides, radius=radius).owner


def by_centre_cases(generator):
    """(label, arguments) for by_centre: an image of 256x192 pixels with three maps; every rule decides at least one case alone."""
    centres, strides = cell_centres((192, 256), STRIDES)

    def case(*rows, radius=1.5):
        return centres, strides, torch.tensor(rows, dtype=torch.float32).reshape(-1, 4), radius

    yield "no objects: all background", case()
    yield "one object, its middle on the centre of a cell", case([0, 4, 56, 52])
    yield "centres just 1.5 strides from the middle: not within", case([0, 0, 64, 64])
    yield "its edges run through centres: not inside", case([20, 4, 42, 52])
    yield "half a stride is near enough", case([0, 4, 56, 52], radius=0.5)
    yield "a large object: the middle map", case([24, 40, 124, 120])
    yield "a larger one: the coarse map", case([10, 6, 250, 186])
    yield "a thin pole, between two columns of centres", case([101, 10, 103, 60])
    yield "a thin pole on the middle map", case([78, 10, 82, 110])
    yield "smaller than a cell", case([38, 38, 42, 42])
    yield "a small object in the middle of a large one, both of one map", case([0, 0, 60, 60], [20, 20, 40, 40])
    yield "the same two, the other way round", case([20, 20, 40, 40], [0, 0, 60, 60])
    yield "the same middle, but of different maps", case([88, 56, 168, 136], [116, 84, 140, 108])
    for _ in range(3):
        corners = torch.rand(4, 2, generator=generator) * torch.tensor([120.0, 90.0])
        sizes = torch.rand(4, 2, generator=generator).square() * 100 + 6
        yield "random", case(*torch.cat([corners, corners + sizes], dim=1).tolist())


def _by_centre(centres, strides, truth_boxes, radius, maps=True, near=True, inside=True, widen=True, own=True, disc=False, wins="smaller"):
    """The right rule with one thing at a time to get wrong."""
    if len(truth_boxes) == 0:
        return torch.full((len(centres),), -1)
    size = truth_boxes[:, 2:] - truth_boxes[:, :2]
    stride = suiting_stride(truth_boxes, strides)[:, None]
    apart = (centres[None] - (truth_boxes[:, None, :2] + truth_boxes[:, None, 2:]) / 2).abs()  # (M, A, 2)
    half = (size / 2).maximum(stride) if widen else size / 2
    ok = (apart < half[:, None]).all(dim=2) if inside else torch.ones(apart.shape[:2], dtype=torch.bool)
    reach = radius * (stride if own else strides.min())
    if near:
        ok &= apart.square().sum(dim=2) < reach**2 if disc else (apart < torch.as_tensor(reach)[..., None]).all(dim=2)
    if maps:
        ok &= strides == stride
    rank = {"smaller": size.prod(dim=1), "larger": -size.prod(dim=1), "later": -torch.arange(float(len(size)))}[wins]
    best, owner = torch.where(ok, rank[:, None], torch.inf).min(dim=0)
    return torch.where(best < torch.inf, owner, -1)


def by_centre_on_every_map(centres, strides, truth_boxes, radius=1.5):
    return _by_centre(centres, strides, truth_boxes, radius, maps=False)


def by_centre_whole_box(centres, strides, truth_boxes, radius=1.5):
    return _by_centre(centres, strides, truth_boxes, radius, near=False)


def by_centre_outside_too(centres, strides, truth_boxes, radius=1.5):
    return _by_centre(centres, strides, truth_boxes, radius, inside=False)


def by_centre_thin_ones_lost(centres, strides, truth_boxes, radius=1.5):
    return _by_centre(centres, strides, truth_boxes, radius, widen=False)


def by_centre_fine_strides(centres, strides, truth_boxes, radius=1.5):
    return _by_centre(centres, strides, truth_boxes, radius, own=False)


def by_centre_in_a_disc(centres, strides, truth_boxes, radius=1.5):
    return _by_centre(centres, strides, truth_boxes, radius, disc=True)


def by_centre_larger_wins(centres, strides, truth_boxes, radius=1.5):
    return _by_centre(centres, strides, truth_boxes, radius, wins="larger")


def by_centre_later_wins(centres, strides, truth_boxes, radius=1.5):
    return _by_centre(centres, strides, truth_boxes, radius, wins="later")


by_centre_exercise = Exercise(
    name="19.by_centre",
    reference=centre_owners,
    cases=by_centre_cases,
    compare=Exact(),
    twins=(assign_by_centre,),
    allowed=(suiting_stride,),
    misconceptions=[
        Misconception(
            "every-map-answers",
            by_centre_on_every_map,
            "Cells of maps that do not suit the object answer too. Whose stride must equal `suiting_stride` of the object?",
        ),
        Misconception(
            "whole-box",
            by_centre_whole_box,
            "Every cell inside the object answers. Only those around its middle should: within `radius` strides, on both axes.",
        ),
        Misconception(
            "outside-too",
            by_centre_outside_too,
            "Near the middle is not enough: a narrow object ends before `radius` strides do. What else must hold of a centre?",
        ),
        Misconception(
            "thin-ones-lost",
            by_centre_thin_ones_lost,
            "An object narrower than the cells got no cell. Count it as at least 2 strides wide and high: one on each side of its middle.",
        ),
        Misconception(
            "strides-of-the-fine-map",
            by_centre_fine_strides,
            "On the fine map all is well; on the others too few cells answer. Which map's strides does `radius` count?",
        ),
        Misconception(
            "a-disc-not-a-square",
            by_centre_in_a_disc,
            "You measured the straight distance. The rule looks at each axis for itself, so the cells form a square.",
        ),
        Misconception(
            "larger-wins", by_centre_larger_wins, "A cell wanted by two went to the larger. What would be left for the smaller one?"
        ),
        Misconception(
            "later-wins",
            by_centre_later_wins,
            "A cell wanted by two went to the later one in the list. It should go to the smaller, wherever that stands.",
        ),
    ],
    hints=[
        "Work with tables of M objects and A cells. `suiting_stride(truth_boxes, strides)[:, None] == strides` is the first of them.",
        "How far may a centre be from the middle, on each axis? Half of the object, but at least 1 stride, and at most `radius` strides.",
        "`torch.where(near, area[:, None], torch.inf).min(dim=0)` gives for each cell the smallest object that wants it, or inf for none.",
    ],
    points=3,
)
