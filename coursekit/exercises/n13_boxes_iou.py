"""Exercises of notebook 13_boxes on overlap: IoU and GIoU."""

import torch
from torch import Tensor

from coursekit import boxes as blocks
from coursekit.exercises.core import Close, Exercise, Misconception

# --- overlap


def _pair(*rows):
    return tuple(torch.tensor(r, dtype=torch.float32).reshape(-1, 4) for r in rows)


def _random_pairs(generator, count):
    """Whole numbers first (edges meet), then fractions; always more boxes on one side than on the other."""
    for index in range(count):
        corners = torch.rand(5, 2, 2, generator=generator).sort(dim=1).values * 12
        boxes = (corners.round() if index % 2 == 0 else corners).flatten(1)
        yield ("random, whole numbers" if index % 2 == 0 else "random"), (boxes[:2], boxes[2:])


def overlap_cases(generator):
    """(label, arguments) for box_iou and giou: pointed cases first, each pulling one mistake apart from the rest, then random ones."""
    yield "half over each other", _pair([[0, 0, 4, 2]], [[2, 0, 6, 2]])  # IoU 1/3; without taking the intersection off 1/4
    yield "apart in x and in y", _pair([[0, 0, 1, 1]], [[3, 3, 5, 5]])  # unclamped: (-2) * (-2) = 4
    yield "apart in x only", _pair([[0, 0, 2, 2]], [[4, 0, 6, 2]])
    yield "only edges touch", _pair([[0, 0, 2, 2]], [[2, 0, 4, 2]])  # with +1 pixels: a sliver
    yield "one inside the other", _pair([[0, 0, 4, 4]], [[1, 1, 2, 3]])  # read as xywh: sticks out
    yield "the same box", _pair([[2, 1, 5, 6]], [[2, 1, 5, 6]])
    yield "wide against tall", _pair([[0, 0, 9, 1]], [[0, 0, 1, 9]])  # x and y swapped: the same area, another overlap
    yield "a corner over a corner", _pair([[0, 0, 2, 2]], [[1, 1, 3, 3]])
    yield "two boxes against three", _pair([[0, 0, 2, 2], [5, 5, 9, 9]], [[0, 0, 1, 2], [4, 4, 7, 7], [9, 0, 11, 3]])
    yield "smaller than a pixel", _pair([[0, 0, 0.5, 0.5]], [[0.25, 0.25, 0.75, 0.75]])  # areas far below 1 count as well
    yield "no boxes at all", _pair([], [[0, 0, 1, 1]])
    yield "two boxes without area", _pair([[1, 1, 1, 1]], [[1, 1, 1, 1]])  # 0 / 0
    yield from _random_pairs(generator, 8)


def _corners(boxes1, boxes2):
    """Left upper and right lower corner of what each pair shares, (N, M, 2) each."""
    return torch.maximum(boxes1[:, None, :2], boxes2[None, :, :2]), torch.minimum(boxes1[:, None, 2:], boxes2[None, :, 2:])


def _areas(boxes1, boxes2, extra=0.0):
    area1, area2 = ((b[:, 2:] - b[:, :2] + extra).prod(dim=1) for b in (boxes1, boxes2))
    return area1[:, None], area2[None, :]


def _divide(part: Tensor, whole: Tensor) -> Tensor:
    return torch.where(whole != 0, part / whole, torch.zeros_like(part))


def iou_without_clamp(boxes1, boxes2):
    start, end = _corners(boxes1, boxes2)
    shared = (end - start).prod(dim=2)
    area1, area2 = _areas(boxes1, boxes2)
    return _divide(shared, area1 + area2 - shared)


def iou_clamped_too_late(boxes1, boxes2):
    start, end = _corners(boxes1, boxes2)
    shared = (end - start).prod(dim=2).clamp(min=0)
    area1, area2 = _areas(boxes1, boxes2)
    return _divide(shared, area1 + area2 - shared)


def iou_counts_twice(boxes1, boxes2):
    start, end = _corners(boxes1, boxes2)
    area1, area2 = _areas(boxes1, boxes2)
    return _divide((end - start).clamp(min=0).prod(dim=2), area1 + area2)


def iou_over_the_smaller(boxes1, boxes2):
    start, end = _corners(boxes1, boxes2)
    return _divide((end - start).clamp(min=0).prod(dim=2), torch.minimum(*_areas(boxes1, boxes2)))


def iou_plus_one(boxes1, boxes2):
    start, end = _corners(boxes1, boxes2)
    shared = (end - start + 1).clamp(min=0).prod(dim=2)
    area1, area2 = _areas(boxes1, boxes2, extra=1.0)
    return _divide(shared, area1 + area2 - shared)


def iou_read_as_xywh(boxes1, boxes2):
    return blocks.box_iou(*(torch.cat((b[:, :2], b[:, :2] + b[:, 2:]), dim=1) for b in (boxes1, boxes2)))


def iou_of_equal_rows(boxes1, boxes2):
    count = min(len(boxes1), len(boxes2))
    return blocks.box_iou(boxes1[:count], boxes2[:count]).diagonal().clone()


def iou_with_nan(boxes1, boxes2):
    start, end = _corners(boxes1, boxes2)
    shared = (end - start).clamp(min=0).prod(dim=2)
    area1, area2 = _areas(boxes1, boxes2)
    return shared / (area1 + area2 - shared)


def overlap_picture(arguments, expected, got):
    """The first pair of a failing case that differs."""
    from coursekit.plots.boxes import pair_of_a_case

    return pair_of_a_case(*arguments, expected, got)


box_iou = Exercise(
    name="13.box_iou",
    reference=blocks.box_iou,
    cases=overlap_cases,
    compare=Close(rtol=1e-5, atol=1e-6),
    misconceptions=[
        Misconception(
            "no-clamp",
            wrong=iou_without_clamp,
            hint="Boxes that do not touch got an overlap: a negative width times a negative height is positive. How wide is an empty "
            "intersection?",
        ),
        Misconception(
            "clamped-too-late",
            wrong=iou_clamped_too_late,
            hint="You clamp the area, but two negative sides have multiplied to a positive area by then. Clamp width and height, "
            "before they meet.",
        ),
        Misconception(
            "counted-twice",
            wrong=iou_counts_twice,
            hint="The shared part lies in both areas, so your union counts it twice. How often should it count?",
        ),
        Misconception(
            "over-the-smaller",
            wrong=iou_over_the_smaller,
            hint="You divide by the smaller box, so a tiny box inside a huge one gets 1. Divide by all that the two cover together.",
        ),
        Misconception(
            "plus-one",
            wrong=iou_plus_one,
            hint="Boxes that only touch got an overlap: a box from 0 to 2 is 2 wide, not 3. The + 1 belongs to Pascal VOC's pixels "
            "(notebook 20).",
        ),
        Misconception(
            "read-as-xywh",
            wrong=iou_read_as_xywh,
            hint="You took the last two numbers for a width and a height. They are the right lower corner.",
        ),
        Misconception(
            "only-equal-rows",
            wrong=iou_of_equal_rows,
            hint="You compared the first with the first, the second with the second. Every box meets every box: the result is (N, M).",
        ),
        Misconception(
            "zero-by-zero",
            wrong=iou_with_nan,
            hint="Two boxes without area gave 0 / 0, which is NaN, and one NaN spoils every sum it meets. Say what it should be: "
            "`torch.where(union > 0, ..., 0.0)`.",
        ),
    ],
    hints=[
        (
            "Draw two boxes that overlap. The shared box starts at the larger of the two left edges and ends at the smaller of the "
            "two right edges; the same for y."
        ),
        (
            "For all pairs at once: `boxes1[:, None, :2]` is (N, 1, 2) and `boxes2[None, :, :2]` is (1, M, 2); `torch.maximum` of "
            "both is (N, M, 2)."
        ),
        "`(bottom_right - top_left).clamp(min=0).prod(dim=2)` is the shared area. Union: area1[:, None] + area2[None, :] - shared.",
    ],
    points=3,
    twins=(
        "torchvision.ops.box_iou",
        "torchvision.ops.complete_box_iou",
        "torchvision.ops.boxes._box_inter_union",
        "torchvision.ops.boxes._box_diou_iou",
        "torchvision.ops._utils._loss_inter_union",
        "torchvision.ops.diou_loss._diou_iou_loss",
        blocks._intersection_and_union,
        "coursekit.metrics.steps.iou_of_boxes",
        "coursekit.metrics.simple._iou",
        "coursekit.metrics.pairs.paired_iou",
        "coursekit.metrics.coco.iou_matrix",
        "coursekit.plots.two_boxes.overlap",
    ),
    picture=overlap_picture,
)


# --- GIoU


def giou_cases(generator):
    """(label, arguments) for giou: those of box_iou, and hulls without area."""
    yield from overlap_cases(generator)
    yield "two points, apart", _pair([[1, 1, 1, 1]], [[4, 5, 4, 5]])  # the hull has area, and neither covers any of it: -1
    yield "two points on one line", _pair([[1, 1, 1, 1]], [[4, 1, 4, 1]])  # no hull, no union


def _giou(boxes1, boxes2, penalty):
    """IoU minus what `penalty(shared, union, hull)` says."""
    shared, union = blocks._intersection_and_union(boxes1, boxes2)
    hull = torch.maximum(boxes1[:, None, 2:], boxes2[None, :, 2:]) - torch.minimum(boxes1[:, None, :2], boxes2[None, :, :2])
    return _divide(shared, union) - penalty(shared, union, hull.prod(dim=2))


def giou_hull_of_the_shared_box(boxes1, boxes2):
    start, end = _corners(boxes1, boxes2)
    hull = (end - start).prod(dim=2)
    return _giou(boxes1, boxes2, lambda shared, union, _: _divide(hull - union, hull))


def giou_share_of_the_union(boxes1, boxes2):
    return _giou(boxes1, boxes2, lambda shared, union, hull: _divide(hull - union, union))


def giou_takes_nothing_off(boxes1, boxes2):
    return _giou(boxes1, boxes2, lambda shared, union, hull: 0.0)


def giou_clamped(boxes1, boxes2):
    return blocks.generalized_box_iou(boxes1, boxes2).clamp(min=0)


def giou_takes_the_shared_part_off(boxes1, boxes2):
    return _giou(boxes1, boxes2, lambda shared, union, hull: _divide(hull - shared, hull))


def giou_takes_the_covered_share_off(boxes1, boxes2):
    return _giou(boxes1, boxes2, lambda shared, union, hull: _divide(union, hull))


def giou_with_nan(boxes1, boxes2):
    return _giou(boxes1, boxes2, lambda shared, union, hull: (hull - union) / hull)


def giou_with_nan_in_the_iou(boxes1, boxes2):
    shared, union = blocks._intersection_and_union(boxes1, boxes2)
    return shared / union + giou_with_nan(boxes1, boxes2) - _divide(shared, union)


giou = Exercise(
    name="13.giou",
    reference=blocks.generalized_box_iou,
    cases=giou_cases,
    compare=Close(rtol=1e-5, atol=1e-6),
    misconceptions=[
        Misconception(
            "hull-of-the-shared-box",
            wrong=giou_hull_of_the_shared_box,
            hint="Your hull is the shared box: it starts at the larger left edge. The hull is around both, so it starts at the "
            "*smaller* one.",
        ),
        Misconception(
            "share-of-the-union",
            wrong=giou_share_of_the_union,
            hint="The empty part is measured against the hull, not against the union. Far apart, yours falls below -1; GIoU never does.",
        ),
        Misconception(
            "nothing-taken-off",
            wrong=giou_takes_nothing_off,
            hint="This is plain IoU: boxes that are apart all get the same 0. What is it about the hull that tells near from far?",
        ),
        Misconception(
            "clamped-at-0",
            wrong=giou_clamped,
            hint="You cut off everything below 0, and that is what GIoU was made for: -0.2 is nearer than -0.8.",
        ),
        Misconception(
            "shared-not-union",
            wrong=giou_takes_the_shared_part_off,
            hint="Two boxes that fill their hull completely should lose nothing. The empty part is hull minus *union*.",
        ),
        Misconception(
            "covered-not-empty",
            wrong=giou_takes_the_covered_share_off,
            hint="The same box twice must get 1; yours gets 0. You took off the share of the hull that is covered. Take off the share "
            "that is empty.",
        ),
        Misconception(
            "zero-by-zero",
            wrong=giou_with_nan,
            hint="Two points on one line have a hull without area: 0 / 0 is NaN. Nothing is empty there, so nothing is taken off.",
        ),
        Misconception(
            "zero-by-zero-twice",
            wrong=giou_with_nan_in_the_iou,
            hint="Two divisions here can be 0 / 0: shared / union for two boxes without area, and "
            "(hull - union) / hull where the hull has none. Both count as 0. Your box_iou knows the first one already.",
        ),
    ],
    hints=[
        (
            "Three areas: shared, union, hull. You have the first two from IoU; the hull starts at the smaller left edge and ends at "
            "the larger right edge."
        ),
        (
            "Turn round what box_iou does: `torch.minimum` of the left upper corners and `torch.maximum` of the right lower ones. "
            "The hull needs no clamp."
        ),
        "GIoU = shared / union - (hull - union) / hull, and 0 for a division of 0 by 0.",
    ],
    points=2,
    twins=("torchvision.ops.generalized_box_iou", "torchvision.ops.generalized_box_iou_loss", "coursekit.plots.two_boxes.overlap"),
    picture=overlap_picture,
)
