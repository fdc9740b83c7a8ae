"""The planted bug of notebook 18_two_stage: from what the second stage says to detections, with background in the wrong column."""

import torch
from torch import Tensor

from coursekit.boxes import clip_boxes_to_image, fast_batched_nms, fast_nms
from coursekit.detections import Detections
from coursekit.exercises.core import Close, Exercise, Misconception
from coursekit.one_stage.deltas import decode_deltas
from coursekit.two_stage.detector import WEIGHTS, read_head


def read_head_cases(generator):
    """(label, arguments) for read_head: two classes and background, the column of each sure in turn."""

    def case(boxes, logits, deltas=None, floor=0.1):
        boxes = torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4)
        logits = torch.tensor(logits, dtype=torch.float32).reshape(-1, 3)
        deltas = torch.zeros(len(boxes), 4) if deltas is None else torch.tensor(deltas, dtype=torch.float32)
        return boxes, logits, deltas, (48, 64), floor

    place, other = [10, 10, 30, 30], [36, 8, 60, 40]
    yield "sure of the first class", case([place], [[5, 0, 0]])
    yield "sure of the second class", case([place], [[0, 5, 0]])
    yield "sure of background: nothing is there", case([place], [[0, 0, 9]])
    yield "more background than class, and still a detection", case([place], [[1, 0, 2]])
    yield "two classes in one place: both", case([place], [[2, 1.8, 0]])
    yield "two proposals on one object", case([place, [11, 10, 31, 30]], [[4, 0, 0], [3, 0, 0]])
    yield "one place, two proposals, two classes", case([place, [11, 10, 31, 30]], [[6, 0, 0], [0, 6, 0]])
    yield "the better one second", case([place, other], [[2, 0, 0], [0, 4, 0]])
    yield "moved by half a width", case([place], [[5, 0, 0]], [[5, 0, 0, 0]])
    yield "stretched past the edge", case([other], [[0, 5, 0]], [[0, 0, 5, 0]])
    yield "equal to the floor is not above it", case([place], [[0, 0, 0]], floor=torch.zeros(3).softmax(0)[0].item())
    yield "no proposals", case([], [])
    for _ in range(3):
        corners = torch.rand(8, 2, generator=generator) * 30
        boxes = torch.cat([corners, corners + 8 + torch.rand(8, 2, generator=generator) * 20], dim=1)
        logits = torch.randn(8, 3, generator=generator) * 2
        yield "random", (boxes, logits, torch.randn(8, 4, generator=generator), (48, 64), 0.05)


def _said(proposals, logits, deltas, size_hw, floor, shares=None, weights=WEIGHTS, clip=True, suppress=fast_batched_nms):
    """The right reading with one thing at a time to get wrong."""
    shares = logits.softmax(dim=1)[:, :-1] if shares is None else shares
    boxes = decode_deltas(proposals, deltas, weights)
    boxes = clip_boxes_to_image(boxes, size_hw) if clip else boxes
    place, labels = (shares > floor).nonzero(as_tuple=True)
    boxes, scores = boxes[place], shares[place, labels]
    kept = suppress(boxes, scores, labels, 0.5)
    return Detections(boxes[kept], scores[kept], labels[kept])


def read_background_first(proposals, logits, deltas, size_hw, floor):
    return _said(proposals, logits, deltas, size_hw, floor, logits.softmax(dim=1)[:, 1:])


def read_background_too(proposals, logits, deltas, size_hw, floor):
    return _said(proposals, logits, deltas, size_hw, floor, logits.softmax(dim=1))


def read_softmax_of_classes_alone(proposals, logits, deltas, size_hw, floor):
    return _said(proposals, logits, deltas, size_hw, floor, logits[:, :-1].softmax(dim=1))


def read_the_surest_only(proposals, logits, deltas, size_hw, floor):
    shares = logits.softmax(dim=1)
    best = shares == shares.max(dim=1, keepdim=True).values
    return _said(proposals, logits, deltas, size_hw, floor, (shares * best)[:, :-1])


def read_without_weights(proposals, logits, deltas, size_hw, floor):
    return _said(proposals, logits, deltas, size_hw, floor, weights=(1.0, 1.0, 1.0, 1.0))


def read_past_the_edge(proposals, logits, deltas, size_hw, floor):
    return _said(proposals, logits, deltas, size_hw, floor, clip=False)


def read_across_classes(proposals, logits, deltas, size_hw, floor):
    return _said(proposals, logits, deltas, size_hw, floor, suppress=lambda boxes, scores, labels, iou: fast_nms(boxes, scores, iou))


def read_shifted_labels(proposals, logits, deltas, size_hw, floor):
    found: Detections = _said(proposals, logits, deltas, size_hw, floor)
    shifted: Tensor = found.labels + 1
    return Detections(found.boxes, found.scores, shifted)


read_head_exercise = Exercise(
    name="18.read_head",
    reference=read_head,
    cases=read_head_cases,
    compare=Close(rtol=1e-5, atol=1e-4),
    misconceptions=[
        Misconception(
            "background-first",
            read_background_first,
            "That is the planted bug. Which column is dropped as background, and which one did the training use for it?",
        ),
        Misconception(
            "background-kept",
            read_background_too,
            "Background came out as a class of its own. It takes part in the softmax, and then its column goes.",
        ),
        Misconception(
            "softmax-without-background",
            read_softmax_of_classes_alone,
            "A proposal that is sure of background became sure of a class. Softmax over *all* columns first, then drop one.",
        ),
        Misconception(
            "surest-class-only",
            read_the_surest_only,
            "Each proposal gave its surest answer alone. Every class above the floor is a detection: AP sorts them out by their scores.",
        ),
        Misconception(
            "weights-forgotten",
            read_without_weights,
            "The boxes moved too far: this head's deltas were multiplied by (10, 10, 5, 5), and `decode_deltas` must know.",
        ),
        Misconception("not-cut", read_past_the_edge, "A box reaches past the picture: `clip_boxes_to_image` after decoding."),
        Misconception(
            "across-classes",
            read_across_classes,
            "A box dropped a box of another class. `batched_nms` keeps classes apart; `nms` does not know them.",
        ),
        Misconception(
            "labels-shifted",
            read_shifted_labels,
            "The labels are one too high now. In this course they begin at 0; it was the column that was wrong, not the number.",
        ),
    ],
    hints=[
        "Print `logits.softmax(dim=1)` of a proposal over a sign, and of one over the sky. Which column is large over the sky?",
        "The head was trained with `num_classes` as the label of background: the *last* column.",
    ],
    points=2,
)

colleagues = read_background_first  # the notebook shows what it does before anybody has seen the line
