"""The planted bug of notebook 13_boxes: from a network's raw numbers to detections, with one line in the wrong place."""

import torch

from coursekit import boxes as blocks
from coursekit.exercises.core import Close, Exercise, Misconception


def tidy_up(raw, score_threshold, iou_threshold):
    """(N, 4 + K): cx, cy, w, h in pixels, then K class scores -> boxes (M, 4) xyxy, scores (M,), labels (M,), best first."""
    scores, labels = raw[:, 4:].max(dim=1)
    sure = scores >= score_threshold
    boxes, scores, labels = blocks.box_convert(raw[sure, :4], "cxcywh", "xyxy"), scores[sure], labels[sure]
    kept = blocks.batched_nms(boxes, scores, labels, iou_threshold)
    return boxes[kept], scores[kept], labels[kept]


def tidy_up_cases(generator):
    """(label, arguments) for tidy_up: boxes whose four numbers mean something else when they are read as corners."""

    def raw(*rows):
        return torch.tensor(rows, dtype=torch.float32).reshape(-1, 6)

    one, same = [20, 20, 10, 10, 0.9, 0.1], [21, 20, 10, 10, 0.8, 0.1]
    yield "two boxes on one object", (raw(one, same), 0.5, 0.5)
    yield "two objects", (raw(one, [60, 40, 30, 10, 0.2, 0.7]), 0.5, 0.5)
    yield "one place, two classes", (raw(one, [21, 20, 10, 10, 0.1, 0.8]), 0.5, 0.5)
    yield "the better one second", (raw(same, one), 0.5, 0.5)
    yield "a score equal to the threshold", (raw([20, 20, 10, 10, 0.1, 0.5], [60, 40, 30, 10, 0.25, 0.1]), 0.5, 0.5)
    yield "an unsure box between two sure ones", (raw(one, [70, 70, 8, 8, 0.2, 0.1], [40, 60, 9, 9, 0.3, 0.6]), 0.5, 0.5)
    # cx up to w is a box as well here: read as corners these two overlap by 60 / 90, and really by 70 / 130
    yield "two large objects at the left edge", (raw([10, 20, 100, 40, 0.9, 0.1], [40, 20, 100, 40, 0.8, 0.1]), 0.5, 0.6)
    yield "no boxes at all", (raw(), 0.5, 0.5)
    for threshold in (0.2, 0.4, 0.6):
        centres = torch.rand(12, 2, generator=generator) * 30 + 20
        sides = torch.rand(12, 2, generator=generator) * 20 + 10
        yield "random", (torch.cat((centres, sides, torch.rand(12, 2, generator=generator)), dim=1), threshold, 0.4)


def tidy_suppress_before_converting(raw, score_threshold, iou_threshold):
    scores, labels = raw[:, 4:].max(dim=1)
    sure = scores >= score_threshold
    boxes, scores, labels = raw[sure, :4], scores[sure], labels[sure]
    kept = blocks.batched_nms(boxes, scores, labels, iou_threshold)
    return blocks.box_convert(boxes[kept], "cxcywh", "xyxy"), scores[kept], labels[kept]


def tidy_never_convert(raw, score_threshold, iou_threshold):
    boxes, scores, labels = tidy_up(raw, score_threshold, iou_threshold)
    return blocks.box_convert(boxes, "xyxy", "cxcywh"), scores, labels


def tidy_across_classes(raw, score_threshold, iou_threshold):
    boxes, scores, labels = tidy_up(raw, score_threshold, 1.0)
    kept = blocks.nms(boxes, scores, iou_threshold)
    return boxes[kept], scores[kept], labels[kept]


def tidy_strictly_above(raw, score_threshold, iou_threshold):
    boxes, scores, labels = tidy_up(raw, score_threshold, iou_threshold)
    above = scores > score_threshold
    return boxes[above], scores[above], labels[above]


def tidy_keep_the_unsure(raw, score_threshold, iou_threshold):
    return tidy_up(raw, 0.0, iou_threshold)


def tidy_labels_of_others(raw, score_threshold, iou_threshold):
    boxes, scores, _ = tidy_up(raw, score_threshold, iou_threshold)
    return boxes, scores, raw[:, 4:].argmax(dim=1)[: len(boxes)]


def tidy_without_suppression(raw, score_threshold, iou_threshold):
    return tidy_up(raw, score_threshold, 1.0)


tidy_up_exercise = Exercise(
    name="13.tidy_up",
    reference=tidy_up,
    cases=tidy_up_cases,
    compare=Close(rtol=1e-5, atol=1e-4),
    misconceptions=[
        Misconception(
            "suppressed-before-converting",
            wrong=tidy_suppress_before_converting,
            hint="That is the planted bug. batched_nms reads four numbers as two corners; which four numbers does it get here?",
        ),
        Misconception(
            "never-converted",
            wrong=tidy_never_convert,
            hint="Now NMS gets corners, but the caller gets centres. Convert once, before NMS, and return what was converted.",
        ),
        Misconception(
            "across-classes",
            wrong=tidy_across_classes,
            hint="A box dropped a box of another class. `batched_nms` keeps classes apart; `nms` does not know them.",
        ),
        Misconception(
            "strictly-above",
            wrong=tidy_strictly_above,
            hint="A score that equals the threshold is enough: `>=`, as before.",
        ),
        Misconception(
            "unsure-ones-kept",
            wrong=tidy_keep_the_unsure,
            hint="Boxes below the score threshold came through. The mask must pick from boxes, scores and labels alike.",
        ),
        Misconception(
            "labels-of-other-boxes",
            wrong=tidy_labels_of_others,
            hint="Boxes and scores were picked, the labels were not: they belong to other boxes now. All three go through every selection.",
        ),
        Misconception(
            "no-suppression",
            wrong=tidy_without_suppression,
            hint="Every sure box came back. Pick `[kept]` from all three at the end.",
        ),
    ],
    hints=[
        "Print one row of `boxes` just before NMS sees it. Could it be two corners?",
        "The order must be: scores and labels, mask, *convert*, NMS, pick.",
    ],
    points=2,
    twins=("coursekit.yolo.decode.choose",),
)
