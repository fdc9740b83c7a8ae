"""An exercise of notebook 18_two_stage: from a box at every anchor to a few proposals."""

import torch

from coursekit import boxes as box_blocks
from coursekit.exercises.core import Close, Exercise, Misconception
from coursekit.exercises.n18_two_stage import boxes_of
from coursekit.two_stage import proposals as blocks


def choose_cases(generator):
    """(label, arguments) for choose_proposals: each box falls in one step, and an order of steps that is wrong lets another one through."""
    size = (48, 64)
    plain = boxes_of([0, 0, 10, 10], [30, 20, 40, 30], [5, 30, 15, 40])
    yield "apart: all stay, best first", (plain, torch.tensor([0.2, 0.9, 0.5]), size, 5, 5, 0.7)
    yield "logits below 0 are scores, too", (plain, torch.tensor([-3.0, -1.0, -2.0]), size, 5, 5, 0.7)
    yield "past the edge: cut there", (boxes_of([50, 30, 90, 70], [-8, -8, 12, 12]), torch.tensor([0.5, 0.4]), size, 5, 5, 0.7)
    yield (
        "outside altogether, and thinner than a pixel",
        (
            boxes_of([70, 5, 80, 15], [5, 5, 5.5, 40], [3, 3, 40, 3.25], [20, 0, 30, 10]),
            torch.tensor([0.9, 0.8, 0.7, 0.1]),
            size,
            5,
            5,
            0.7,
        ),
    )
    yield "one pixel wide is enough", (boxes_of([5, 5, 6, 40], [9, 9, 10, 10]), torch.tensor([0.5, 0.4]), size, 5, 5, 0.7)
    yield "two on one object: the better one", (boxes_of([0, 0, 10, 10], [0, 0, 10, 9]), torch.tensor([0.4, 0.6]), size, 5, 5, 0.7)
    yield "overlap below the threshold: both", (boxes_of([0, 0, 10, 10], [0, 0, 10, 6]), torch.tensor([0.6, 0.4]), size, 5, 5, 0.7)
    # uncut they overlap by 0.5, cut they are nearly the same
    yield "the same once they are cut", (boxes_of([44, 28, 64, 48], [44, 28, 84, 48]), torch.tensor([0.6, 0.4]), size, 5, 5, 0.7)
    yield (
        "only the two best go into NMS",
        (
            boxes_of([0, 0, 10, 10], [0, 0, 10, 9], [30, 20, 40, 30]),
            torch.tensor([0.9, 0.8, 0.7]),
            size,
            2,
            5,
            0.7,
        ),
    )
    yield "only one comes out", (plain, torch.tensor([0.2, 0.9, 0.5]), size, 5, 1, 0.7)
    yield "no boxes at all", (boxes_of(), torch.zeros(0), size, 5, 5, 0.7)
    for _ in range(3):
        corners = torch.rand(20, 2, generator=generator) * 50 - 5
        boxes = torch.cat([corners, corners + torch.rand(20, 2, generator=generator) * 30], dim=1)
        yield "random", (boxes, torch.randn(20, generator=generator), size, 15, 8, 0.4)


def _choose(boxes, scores, size_hw, before, after, iou_threshold, clip=True, small=True, last=True, late_clip=False):
    """The right choice with one thing at a time to get wrong."""
    order = scores.argsort(descending=True, stable=True)[:before]
    boxes, scores = boxes[order], scores[order]
    if clip and not late_clip:
        boxes = box_blocks.clip_boxes_to_image(boxes, size_hw)
    if small and not late_clip:
        large = box_blocks.remove_small_boxes(boxes, 1.0)
        boxes, scores = boxes[large], scores[large]
    kept = box_blocks.fast_nms(boxes, scores, iou_threshold)
    boxes, scores = boxes[kept], scores[kept]
    if late_clip:
        boxes = box_blocks.clip_boxes_to_image(boxes, size_hw)
        large = box_blocks.remove_small_boxes(boxes, 1.0)
        boxes, scores = boxes[large], scores[large]
    return (boxes[:after], scores[:after]) if last else (boxes, scores)


def choose_without_clipping(boxes, scores, size_hw, before, after, iou_threshold):
    return _choose(boxes, scores, size_hw, before, after, iou_threshold, clip=False)


def choose_with_width_first(boxes, scores, size_hw, before, after, iou_threshold):
    return _choose(boxes, scores, size_hw[::-1], before, after, iou_threshold)


def choose_the_thin_too(boxes, scores, size_hw, before, after, iou_threshold):
    return _choose(boxes, scores, size_hw, before, after, iou_threshold, small=False)


def choose_clipped_after_nms(boxes, scores, size_hw, before, after, iou_threshold):
    return _choose(boxes, scores, size_hw, before, after, iou_threshold, late_clip=True)


def choose_all_into_nms(boxes, scores, size_hw, before, after, iou_threshold):
    return _choose(boxes, scores, size_hw, len(boxes), after, iou_threshold)


def choose_all_out_of_nms(boxes, scores, size_hw, before, after, iou_threshold):
    return _choose(boxes, scores, size_hw, before, after, iou_threshold, last=False)


def choose_the_first_boxes(boxes, scores, size_hw, before, after, iou_threshold):
    best = scores.argsort(descending=True, stable=True)[:before]
    return _choose(boxes[: len(best)], scores[best], size_hw, before, after, iou_threshold)


def choose_without_nms(boxes, scores, size_hw, before, after, iou_threshold):
    return _choose(boxes, scores, size_hw, before, after, 1.0)


choose_proposals = Exercise(
    name="18.choose_proposals",
    reference=blocks.choose_proposals,
    cases=choose_cases,
    compare=Close(rtol=1e-5, atol=1e-4),
    twins=("torchvision.models.detection.rpn.RegionProposalNetwork.filter_proposals",),
    misconceptions=[
        Misconception("not-cut", choose_without_clipping, "A proposal reaches past the picture. What is cut out there is not in the map."),
        Misconception(
            "width-first",
            choose_with_width_first,
            "The picture was cut as if it were as high as it is wide: `size_hw` is height, then width.",
        ),
        Misconception(
            "thin-ones-kept",
            choose_the_thin_too,
            "A box outside the picture has no area once it is cut, and yours came through. `remove_small_boxes` says which stay.",
        ),
        Misconception(
            "cut-after-nms",
            choose_clipped_after_nms,
            "Two proposals are nearly the same: past the picture's edge they differed, and there they were compared. Cut before NMS.",
        ),
        Misconception(
            "all-into-nms",
            choose_all_into_nms,
            "Every box went into NMS. Only the `before` best do: NMS compares each with each, and a thousand are already a million pairs.",
        ),
        Misconception("all-out", choose_all_out_of_nms, "More than `after` came back. NMS gives them best first: keep the first ones."),
        Misconception(
            "boxes-not-sorted",
            choose_the_first_boxes,
            "The scores were sorted, the boxes were not: each score now belongs to another box. Index both with the same order.",
        ),
        Misconception("no-suppression", choose_without_nms, "Boxes on one object all came through. NMS with `iou_threshold` is missing."),
    ],
    hints=[
        "Five steps, and boxes and scores go through each of them together: best scores, cut, drop the thin, NMS, first ones.",
        "`best = scores.argsort(descending=True)[:before]`; then clip, `remove_small_boxes(boxes, 1.0)`, NMS.",
    ],
    points=3,
)
