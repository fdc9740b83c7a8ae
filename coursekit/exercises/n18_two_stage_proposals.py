"""Exercises of notebook 18_two_stage: what the proposal network is asked, and from deltas to boxes."""

import math

import torch

from coursekit.exercises.core import Close, Exact, Exercise, Misconception
from coursekit.exercises.n18_two_stage import boxes_of
from coursekit.one_stage.deltas import decode_deltas as decode_block
from coursekit.one_stage.matching import match_anchors
from coursekit.two_stage import proposals as blocks

# --- the questions of the proposal network


def rpn_targets_cases(generator):
    """(label, arguments) for rpn_targets: anchors with IoU 1, .8, .5, .2 and 0 with an object, and draws that are not in order."""
    row = [[0, 0, 10, 10], [0, 0, 10, 8], [0, 0, 10, 5], [0, 0, 10, 2], [40, 40, 50, 50], [60, 60, 70, 70]]
    anchors, one = boxes_of(*row), boxes_of([0, 0, 10, 10])
    draws = torch.tensor([0.5, 0.1, 0.2, 0.9, 0.4, 0.3])
    yield "room for all: between 0.3 and 0.7 nobody is asked", (anchors, one, draws, 8)
    yield "at most half may have an object", (anchors, one, draws, 2)
    yield "few objects: background fills up to the count", (anchors, one, draws, 5)
    yield "no objects at all", (anchors, boxes_of(), draws, 4)
    yield "an odd count: half of 3 is 1", (anchors, one, draws, 3)
    yield "a count of 1: half of it is 0, and background takes the place", (anchors, one, draws, 1)
    yield "the best anchor of an object, though it is poor", (anchors[4:], boxes_of([44, 44, 60, 60]), draws[4:], 2)
    yield "two objects", (anchors, boxes_of([40, 40, 50, 49], [0, 0, 10, 10]), draws, 6)
    yield "no anchors", (boxes_of(), one, draws[:0], 4)
    for count in (6, 10, 16):
        corners = torch.rand(24, 2, generator=generator) * 24
        truth = torch.tensor([[4.0, 4, 20, 20], [20, 10, 36, 28]])
        many = torch.cat([corners, corners + 10 + torch.rand(24, 2, generator=generator) * 10], dim=1)
        near = truth.repeat(4, 1) + torch.rand(8, 4, generator=generator) * 3
        yield "random", (torch.cat([many, near]), truth, torch.rand(32, generator=generator), count)


def _targets(anchors, truth, draws, count, cap=None, best=True, fill=True, middle=False, order=None, rest=-2):
    """The right sample with one thing at a time to get wrong."""
    owner = match_anchors(anchors, truth, 0.3, 0.7, keep_best=best)
    order = draws.argsort(stable=True) if order is None else order
    positive = order[owner[order] >= 0][: count // 2 if cap is None else cap]
    nothing = owner < 0 if middle else owner == -1
    background = order[nothing[order]][: count - len(positive) if fill else count // 2]
    targets = torch.full_like(owner, rest)
    targets[background] = -1
    targets[positive] = owner[positive]
    return targets


def targets_all_positives(anchors, truth, draws, count):
    return _targets(anchors, truth, draws, count, cap=count)


def targets_half_background(anchors, truth, draws, count):
    return _targets(anchors, truth, draws, count, fill=False)


def targets_middle_is_background(anchors, truth, draws, count):
    return _targets(anchors, truth, draws, count, middle=True)


def targets_first_ones(anchors, truth, draws, count):
    return _targets(anchors, truth, draws, count, order=torch.arange(len(anchors)))


def targets_largest_draws(anchors, truth, draws, count):
    return _targets(anchors, truth, draws, count, order=draws.argsort(descending=True, stable=True))


def targets_without_the_best(anchors, truth, draws, count):
    return _targets(anchors, truth, draws, count, best=False)


def targets_rest_is_background(anchors, truth, draws, count):
    return _targets(anchors, truth, draws, count, rest=-1)


def targets_not_drawn(anchors, truth, draws, count):
    return match_anchors(anchors, truth, 0.3, 0.7)


def targets_of_ones(anchors, truth, draws, count):
    targets = _targets(anchors, truth, draws, count)
    return torch.where(targets >= 0, 1, targets)


rpn_targets = Exercise(
    name="18.rpn_targets",
    reference=blocks.rpn_targets,
    cases=rpn_targets_cases,
    compare=Exact(),
    twins=(blocks.draw_owners, blocks.head_targets),
    misconceptions=[
        Misconception(
            "objects-without-limit",
            targets_all_positives,
            "More than half of the drawn anchors have an object. At most `count // 2` may, however many there are.",
        ),
        Misconception(
            "background-not-filled-up",
            targets_half_background,
            "Where few anchors have an object, the sample came out too small. Background fills up what is left: count - len(positive).",
        ),
        Misconception(
            "middle-is-background",
            targets_middle_is_background,
            "Anchors between the two thresholds were taught 'nothing here'. They are -2: `owner == -1`, not `< 0`.",
        ),
        Misconception(
            "draws-not-used",
            targets_first_ones,
            "You took the first anchors, which all lie in one corner of the picture. The smallest numbers in `draws` decide.",
        ),
        Misconception("largest-draws", targets_largest_draws, "The largest draws came in. The *smallest* are to be drawn."),
        Misconception(
            "best-anchor-lost",
            targets_without_the_best,
            "An object that no anchor covers by 0.7 has nobody left to learn it. Its best anchor answers all the same: `keep_best=True`.",
        ),
        Misconception(
            "rest-is-background",
            targets_rest_is_background,
            "Anchors that were not drawn are taught 'nothing here', those with an object too. Not drawn means -2: nobody asks them.",
        ),
        Misconception(
            "one-for-object",
            targets_of_ones,
            "Anchors with an object got 1. They get the object's *index*, so that the box they must move to is known as well.",
        ),
        Misconception(
            "nothing-drawn",
            targets_not_drawn,
            "You matched the anchors, but drew none: everybody is asked, and nearly everybody is background. Keep `count` of them.",
        ),
    ],
    hints=[
        "Match first: `owner = match_anchors(anchors, truth, 0.3, 0.7)`. Then draw from `owner >= 0`, and from `owner == -1`.",
        "`order = draws.argsort()` puts the smallest draw first; `order[owner[order] >= 0]` are the anchors with an object, in that order.",
        "Start with `torch.full_like(owner, -2)` and write in those that were drawn.",
    ],
    points=4,
)

# --- from deltas to boxes


def decode_cases(generator):
    """(label, arguments) for decode_deltas: one number at a time, on an anchor that is wider than high and away from 0."""
    anchor, even, head = boxes_of([10, 20, 50, 30]), (1.0, 1.0, 1.0, 1.0), (10.0, 10.0, 5.0, 5.0)
    yield "four zeros: the anchor itself", (anchor, boxes_of([0, 0, 0, 0]), even)
    yield "half a width to the right", (anchor, boxes_of([0.5, 0, 0, 0]), even)
    yield "half a height up", (anchor, boxes_of([0, -0.5, 0, 0]), even)
    yield "twice as wide, around the same centre", (anchor, boxes_of([0, 0, math.log(2), 0]), even)
    yield "half as high", (anchor, boxes_of([0, 0, 0, -math.log(2)]), even)
    yield "all at once", (anchor, boxes_of([0.1, 0.2, 0.3, -0.4]), even)
    yield "weights of the second stage", (anchor, boxes_of([5, -5, 5 * math.log(2), -5]), head)
    yield "weights that are all different", (anchor, boxes_of([1, 2, 3, 4]), (2.0, 4.0, 8.0, 16.0))
    yield "a stretch that must not explode", (anchor, boxes_of([0, 0, 50, 200]), even)
    yield "a strong stretch below the limit", (anchor, boxes_of([0, 0, 4, 0]), even)
    yield "no anchors", (boxes_of(), boxes_of(), even)
    for _ in range(3):
        corners = torch.rand(4, 2, generator=generator) * 40
        anchors = torch.cat([corners, corners + 4 + torch.rand(4, 2, generator=generator) * 40], dim=1)
        yield "random", (anchors, torch.randn(4, 4, generator=generator), head)


LIMIT = math.log(1000 / 16)


def _decode(anchors, deltas, weights, stretch=None, moved=None, limit=LIMIT, divide=True, start="centre", corners=True):
    """The right decoding with one thing at a time to get wrong."""
    sizes = anchors[:, 2:] - anchors[:, :2]
    centres = (anchors[:, :2] + anchors[:, 2:]) / 2 if start == "centre" else anchors[:, :2]
    factors = torch.tensor(weights)
    deltas = deltas / factors if divide else deltas * factors
    centres = centres + deltas[:, :2] * (sizes if moved is None else moved(sizes))
    exponent = deltas[:, 2:].clamp(max=limit) if limit else deltas[:, 2:]
    sizes = sizes * (exponent.exp() if stretch is None else stretch(exponent))
    return torch.cat([centres - sizes / 2, centres + sizes / 2] if corners else [centres, sizes], dim=1)


def decode_in_pixels(anchors, deltas, weights):
    return _decode(anchors, deltas, weights, moved=torch.ones_like)


def decode_by_width_alone(anchors, deltas, weights):
    return _decode(anchors, deltas, weights, moved=lambda sizes: sizes[:, :1].expand_as(sizes))


def decode_without_exp(anchors, deltas, weights):
    return _decode(anchors, deltas, weights, stretch=lambda exponent: 1 + exponent)


def decode_without_weights(anchors, deltas, weights):
    return _decode(anchors, deltas, (1.0, 1.0, 1.0, 1.0))


def decode_times_weights(anchors, deltas, weights):
    return _decode(anchors, deltas, weights, divide=False)


def decode_from_the_corner(anchors, deltas, weights):
    return _decode(anchors, deltas, weights, start="corner")


def decode_without_limit(anchors, deltas, weights):
    return _decode(anchors, deltas, weights, limit=None)


def decode_to_centres(anchors, deltas, weights):
    return _decode(anchors, deltas, weights, corners=False)


decode_deltas = Exercise(
    name="18.decode_deltas",
    reference=decode_block,
    cases=decode_cases,
    compare=Close(rtol=1e-5, atol=1e-4),
    twins=(
        "torchvision.models.detection._utils.BoxCoder.decode_single",
        "torchvision.models.detection._utils.BoxCoder.decode",
    ),
    misconceptions=[
        Misconception(
            "moved-in-pixels",
            decode_in_pixels,
            "dx and dy are not pixels: they count widths and heights of the anchor, so that the same number fits small and large ones.",
        ),
        Misconception(
            "width-for-both",
            decode_by_width_alone,
            "dy was multiplied by the anchor's width. dx counts widths, dy counts heights.",
        ),
        Misconception(
            "exp-forgotten",
            decode_without_exp,
            "dw is the *logarithm* of the factor: log 2 means twice as wide. Which function undoes a logarithm?",
        ),
        Misconception(
            "weights-forgotten",
            decode_without_weights,
            "The deltas were multiplied by the weights when they were encoded. Divide by them before you use them.",
        ),
        Misconception("weights-the-wrong-way", decode_times_weights, "Encoding multiplies by the weights, so decoding divides by them."),
        Misconception(
            "corner-for-centre",
            decode_from_the_corner,
            "You moved the anchor's left upper corner as if it were the centre. The centre is half a size further right and down.",
        ),
        Misconception(
            "no-limit",
            decode_without_limit,
            "exp(200) is infinite, and an untrained network may say 200. Clamp dw and dh at log(1000 / 16) first.",
        ),
        Misconception("centres-returned", decode_to_centres, "You returned centre and size. The caller wants two corners, xyxy."),
    ],
    hints=[
        "Three steps: the anchors' centres and sizes; the new centres and sizes; back to two corners.",
        "New centre = centre + (dx, dy) * size. New size = size * exp((dw, dh)). Divide the deltas by `weights` before.",
        "`(deltas[:, 2:]).clamp(max=math.log(1000 / 16)).exp()` cannot overflow.",
    ],
    points=3,
)
