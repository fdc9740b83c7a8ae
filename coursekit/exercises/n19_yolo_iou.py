"""Exercises of notebook 19_yolo: complete IoU and soft suppression."""

import math

import torch

from coursekit.boxes import box_iou
from coursekit.exercises.core import Close, Exercise, Misconception
from coursekit.yolo.decode import soft_nms
from coursekit.yolo.loss import complete_iou

# --- complete IoU


def ciou_cases(generator):
    """(label, arguments) for complete_iou: one term at a time is 0, then all together."""

    def pair(*rows):
        return tuple(torch.tensor(r, dtype=torch.float32).reshape(-1, 4) for r in rows)

    yield "no boxes at all", pair([], [])
    yield "the same box", pair([[2, 1, 6, 5]], [[2, 1, 6, 5]])
    yield "same shape, beside each other", pair([[0, 0, 2, 2]], [[6, 0, 8, 2]])  # only the distance counts
    yield "same centre, other shape", pair([[0, 2, 8, 4]], [[3, 0, 5, 6]])  # only IoU and shape count
    yield "same centre, same shape, half the size", pair([[0, 0, 8, 4]], [[2, 1, 6, 3]])  # only IoU counts
    yield "apart on both axes", pair([[0, 0, 1, 3]], [[5, 6, 9, 8]])  # unclamped widths would multiply to a positive overlap
    yield "a box without height, and the other way round", pair([[1, 2, 5, 2], [0, 0, 4, 4]], [[0, 0, 4, 4], [1, 2, 5, 2]])
    corners = torch.rand(2, 6, 2, 2, generator=generator).sort(dim=2).values * 60
    yield "random", tuple((corners + torch.tensor([[0.0], [2.0]])).flatten(2))


def _ciou(a, b, distance=True, shape=True, weighted=True, squared=True, corner=False, hull_area=False, clamp=True, eps=1e-7):
    """The right formula with one thing at a time to get wrong."""
    size_a, size_b = a[:, 2:] - a[:, :2], b[:, 2:] - b[:, :2]
    sides = torch.minimum(a[:, 2:], b[:, 2:]) - torch.maximum(a[:, :2], b[:, :2])
    shared = (sides.clamp(min=0) if clamp else sides).prod(dim=1)
    union = size_a.prod(dim=1) + size_b.prod(dim=1) - shared
    value = iou = shared / (union + eps)
    hull = torch.maximum(a[:, 2:], b[:, 2:]) - torch.minimum(a[:, :2], b[:, :2])
    if hull_area:  # generalised IoU's penalty
        return iou - (hull.prod(dim=1) - union) / (hull.prod(dim=1) + eps)
    apart = a[:, :2] - b[:, :2] if corner else (a[:, :2] + a[:, 2:] - b[:, :2] - b[:, 2:]) / 2
    ratio = apart.square().sum(dim=1) / (hull.square().sum(dim=1) + eps)
    value = value - (ratio if squared else ratio.sqrt()) * distance
    angles = [torch.atan(size[:, 0] / (size[:, 1] + eps)) for size in (size_a, size_b)]
    v = 4 / math.pi**2 * (angles[0] - angles[1]).square()
    return value - (v / (1 - iou + v + eps) if weighted else 1.0) * v * shape


def ciou_only_iou(boxes1, boxes2):
    return _ciou(boxes1, boxes2, distance=False, shape=False)


def ciou_without_shape(boxes1, boxes2):
    return _ciou(boxes1, boxes2, shape=False)


def ciou_without_distance(boxes1, boxes2):
    return _ciou(boxes1, boxes2, distance=False)


def ciou_shape_unweighted(boxes1, boxes2):
    return _ciou(boxes1, boxes2, weighted=False)


def ciou_distance_not_squared(boxes1, boxes2):
    return _ciou(boxes1, boxes2, squared=False)


def ciou_from_corners(boxes1, boxes2):
    return _ciou(boxes1, boxes2, corner=True)


def ciou_is_giou(boxes1, boxes2):
    return _ciou(boxes1, boxes2, hull_area=True)


def ciou_unclamped(boxes1, boxes2):
    return _ciou(boxes1, boxes2, clamp=False)


def ciou_zero_over_zero(boxes1, boxes2):
    return _ciou(boxes1, boxes2, eps=0.0)


def ciou_as_a_loss(boxes1, boxes2):
    return 1 - _ciou(boxes1, boxes2)


ciou_exercise = Exercise(
    name="19.complete_iou",
    reference=complete_iou,
    cases=ciou_cases,
    compare=Close(rtol=1e-4, atol=1e-5),
    twins=(
        "torchvision.ops.complete_box_iou",
        "torchvision.ops.complete_box_iou_loss",
        "torchvision.ops.distance_box_iou",
        "torchvision.ops.distance_box_iou_loss",
        "torchvision.ops.diou_loss._diou_iou_loss",
        "torchvision.ops.boxes._box_diou_iou",
        "coursekit.boxes.complete_box_iou",
        "coursekit.boxes.distance_box_iou",
    ),
    misconceptions=[
        Misconception(
            "only-iou",
            ciou_only_iou,
            "This is plain IoU. For boxes that do not touch it is 0 wherever they are: what tells the network which way to go?",
        ),
        Misconception(
            "no-shape-term",
            ciou_without_shape,
            "This is DIoU. Two boxes with the same centre, one wide and one tall, must lose something more.",
        ),
        Misconception(
            "no-distance-term", ciou_without_distance, "The centres may be anywhere and nothing changes. Subtract how far apart they are."
        ),
        Misconception(
            "shape-not-weighted",
            ciou_shape_unweighted,
            "The shape term counts in full. Its weight v / (1 - IoU + v) makes it small while the boxes hardly overlap.",
        ),
        Misconception(
            "distance-not-squared",
            ciou_distance_not_squared,
            "Both lengths are squared: distance of the centres squared, over the hull's diagonal squared.",
        ),
        Misconception(
            "corners-not-centres",
            ciou_from_corners,
            "You measured from corner to corner. A small box in the middle of a large one has distance 0.",
        ),
        Misconception(
            "giou",
            ciou_is_giou,
            "That is GIoU: it looks at the empty area of the hull. CIoU looks at the distance of the centres and at the shapes.",
        ),
        Misconception(
            "no-clamp", ciou_unclamped, "Two boxes that are apart on both axes got an overlap. How wide is an empty intersection?"
        ),
        Misconception(
            "zero-over-zero",
            ciou_zero_over_zero,
            "Of two equal boxes v and 1 - IoU are both 0, and 0 / 0 is nan. Add a tiny number (1e-7) below every fraction.",
        ),
        Misconception("a-loss", ciou_as_a_loss, "That is the loss, 1 - CIoU. Return CIoU itself: 1 for equal boxes, below 0 far apart."),
    ],
    hints=[
        "Three parts: IoU, minus (distance of the centres)^2 / (diagonal of the smallest box around both)^2, minus alpha * v.",
        "v = 4 / pi^2 * (atan(w1 / h1) - atan(w2 / h2))^2 and alpha = v / (1 - IoU + v).",
        "Add a small eps (1e-7) wherever you divide; the two lists may be empty.",
    ],
    points=4,
    equivalent={
        "eps = 2e-07": "any eps far below a pixel will do",
        "eps = 5e-08": "any eps far below a pixel will do",
        "iou = shared / (size1.prod(dim=1) + size2.prod(dim=1) - shared - eps)": "at union 0 the overlap is 0: 0 / -eps is 0",
        "distance = apart.square().sum(dim=1) / (around.square().sum(dim=1) - eps)": "at a hull of 0 nothing is apart: 0 / -eps",
        "alpha = (v / (1 - iou + v - eps)).detach()": "where the divisor is 0, v is 0 as well",
    },
)

# --- soft suppression


def soft_nms_cases(generator):
    """(label, arguments) for soft_nms: a pair, a chain, two classes, a score that falls to the floor; no two scores alike."""

    def case(rows, scores, labels, sigma=0.5, floor=0.001):
        boxes = torch.tensor(rows, dtype=torch.float32).reshape(-1, 4)
        return boxes, torch.tensor(scores), torch.tensor(labels, dtype=torch.int64), sigma, floor

    yield "no boxes at all", case([], [], [])
    yield "only one, and it starts at the floor", case([[0, 0, 4, 2]], [0.25], [0], 0.5, 0.25)
    yield "two that overlap by a third", case([[0, 0, 4, 2], [2, 0, 6, 2]], [0.9, 0.8], [0, 0])
    yield "the better one comes second", case([[0, 0, 4, 2], [1, 0, 5, 2]], [0.6, 0.8], [0, 0])
    yield "the same box of two classes", case([[0, 0, 4, 2], [0, 0, 4, 2]], [0.9, 0.8], [0, 1])
    yield "a chain: weakened twice, and overtaken", case([[0, 0, 8, 2], [1, 0, 9, 2], [6, 0, 14, 2]], [0.9, 0.8, 0.5], [0, 0, 0])
    yield "a harsher sigma", case([[0, 0, 4, 2], [2, 0, 6, 2]], [0.9, 0.8], [0, 0], 0.1)
    yield "weakened below the floor", case([[0, 0, 4, 2], [0, 0, 4, 2]], [0.9, 0.5], [0, 0], 0.5, 0.1)
    exactly = float(torch.tensor(0.5) * torch.exp(-torch.tensor(1.0) / 0.5))
    yield "weakened exactly to the floor", case([[0, 0, 4, 2], [0, 0, 4, 2]], [0.9, 0.5], [0, 0], 0.5, exactly)
    yield "one starts at the floor", case([[0, 0, 4, 2], [9, 0, 12, 2]], [0.9, 0.25], [0, 0], 0.5, 0.25)
    corners = torch.rand(8, 2, 2, generator=generator).sort(dim=1).values * 20
    scores = torch.randperm(8, generator=generator) * 0.1 + 0.15
    yield "random", (corners.flatten(1), scores, torch.randint(0, 2, (8,), generator=generator), 0.5, 0.05)


def _soft_nms(boxes, scores, labels, sigma, floor, weaken=None, per_class=True, in_order=False, twice=False, again=False):
    """The right procedure with one thing at a time to get wrong."""
    weaken = weaken or (lambda iou: torch.exp(-iou.square() / sigma))
    start, scores, keep = scores, scores.clone(), []
    overlap = box_iou(boxes, boxes) * (labels[:, None] == labels[None, :] if per_class else 1)
    left = scores > floor
    while left.any():
        best = torch.where(left, start if in_order else scores, torch.tensor(-1.0)).argmax()
        keep.append(best)
        left[best] = False
        weakened = torch.arange(len(scores)) != best if again else left
        scores = torch.where(weakened, scores * weaken(overlap[best]), scores)
        left &= (scores > floor) | twice
    return scores, torch.stack(keep) if keep else torch.zeros(0, dtype=torch.int64)


def soft_nms_is_hard(boxes, scores, labels, sigma, floor):
    return _soft_nms(boxes, scores, labels, sigma, floor, weaken=lambda iou: (iou <= 0.5).float())


def soft_nms_linear(boxes, scores, labels, sigma, floor):
    return _soft_nms(boxes, scores, labels, sigma, floor, weaken=lambda iou: 1 - iou)


def soft_nms_iou_not_squared(boxes, scores, labels, sigma, floor):
    return _soft_nms(boxes, scores, labels, sigma, floor, weaken=lambda iou: torch.exp(-iou / sigma))


def soft_nms_across_classes(boxes, scores, labels, sigma, floor):
    return _soft_nms(boxes, scores, labels, sigma, floor, per_class=False)


def soft_nms_in_the_first_order(boxes, scores, labels, sigma, floor):
    return _soft_nms(boxes, scores, labels, sigma, floor, in_order=True)


def soft_nms_keeps_below_the_floor(boxes, scores, labels, sigma, floor):
    return _soft_nms(boxes, scores, labels, sigma, floor, twice=True)


def soft_nms_weakens_the_taken(boxes, scores, labels, sigma, floor):
    return _soft_nms(boxes, scores, labels, sigma, floor, again=True)


def soft_nms_only_the_kept(boxes, scores, labels, sigma, floor):
    scores, keep = _soft_nms(boxes, scores, labels, sigma, floor)
    return scores[keep], keep


soft_nms_exercise = Exercise(
    name="19.soft_nms",
    reference=soft_nms,
    cases=soft_nms_cases,
    compare=Close(rtol=1e-5, atol=1e-6),
    twins=("cv2.dnn.softNMSBoxes", "coursekit.yolo.decode.choose"),
    allowed=("coursekit.boxes.box_iou",),
    misconceptions=[
        Misconception(
            "still-hard",
            soft_nms_is_hard,
            "Boxes are still dropped at once. Soft suppression multiplies their score by exp(-IoU^2 / sigma) instead.",
        ),
        Misconception(
            "linear",
            soft_nms_linear,
            "You weaken by 1 - IoU, the paper's other version. The one asked for is exp(-IoU^2 / sigma), which has no jump.",
        ),
        Misconception(
            "iou-not-squared", soft_nms_iou_not_squared, "The IoU in the exponent is squared: a small overlap should cost nearly nothing."
        ),
        Misconception(
            "across-classes",
            soft_nms_across_classes,
            "A box of another class was weakened too. A pedestrian crossing may well hang on the same pole.",
        ),
        Misconception(
            "order-fixed-at-the-start",
            soft_nms_in_the_first_order,
            "You go through the boxes by their first scores. After each round the "
            "scores have changed: who is the best of those left *now*?",
        ),
        Misconception(
            "the-taken-weakened",
            soft_nms_weakens_the_taken,
            "A box that was taken already lost score to a later one. Only those still left are weakened; what is taken keeps its score.",
        ),
        Misconception(
            "only-the-kept",
            soft_nms_only_the_kept,
            "You returned the scores of the kept boxes alone. The first answer has a score for each of the N boxes, in their own order.",
        ),
        Misconception(
            "floor-forgotten",
            soft_nms_keeps_below_the_floor,
            "A box that was weakened to the floor or below is still returned. The floor holds after every round, not only at the start.",
        ),
    ],
    hints=[
        "Keep a mask of the boxes that are left. Take the best of them, remove it from the mask, weaken those that overlap it, repeat.",
        "`overlap = box_iou(boxes, boxes) * (labels[:, None] == labels[None, :])` makes other classes not count.",
        "Return all N new scores (also of those dropped) and the indices you took, in the order in which you took them.",
    ],
    points=3,
    equivalent={
        "best = torch.where(left, scores, -2.0).argmax()": "scores are never below 0, so any negative number loses",
        "best = torch.where(left, scores, -0.5).argmax()": "scores are never below 0, so any negative number loses",
    },
)
