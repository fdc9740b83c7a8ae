"""Exercises of notebook 21_bug_clinic, the first ward: the probe is given."""

import torch

from coursekit.boxes import nms
from coursekit.clinic import patients
from coursekit.exercises.core import Close, Exact
from coursekit.exercises.n21_bug_clinic import bed

# --- bed 1


def prepare_frame_cases(generator):
    """(label, arguments) for prepare_frame: small frames, one of them not square."""
    blue = torch.zeros(2, 3, 3, dtype=torch.uint8)
    blue[..., 0] = 255
    yield "a frame that is blue all over, 2 high and 3 wide", (blue,)
    yield "every number another one", (torch.arange(24, dtype=torch.uint8).reshape(2, 4, 3),)
    yield "one pixel", (torch.tensor([[[10, 20, 30]]], dtype=torch.uint8),)
    for _ in range(2):
        yield "random", (torch.randint(256, (3, 5, 3), generator=generator, dtype=torch.uint8),)


def prepare_frame_other_way(frame):
    return frame.permute(2, 0, 1)[[2, 1, 0]]


prepare_frame_exercise = bed(
    1,
    cases=prepare_frame_cases,
    run=lambda answer, frame: answer(frame).contiguous(),
    right=prepare_frame_other_way,
    wrong=[
        (
            "mirrored-instead",
            lambda frame: frame.permute(2, 0, 1).flip(2),
            "Something was turned round, but along the width: the picture is mirrored. Which axis holds the colours?",
        ),
        (
            "all-axes-turned",
            lambda frame: frame.permute(2, 1, 0).flip(0),
            "The colours are right now, and height and width have changed places.",
        ),
        (
            "moved-round",
            lambda frame: frame.permute(2, 0, 1).roll(1, 0),
            "Every colour moved on by one place. Only two of the three are wrong; the middle one stays.",
        ),
        (
            "grey",
            lambda frame: frame.float().mean(dim=2).to(torch.uint8).expand(3, -1, -1),
            "Without colours nobody can mix them up, and nobody can tell a red ring from a blue one either: the symptom is hidden.",
        ),
    ],
    compare=Exact(),
    hints=[
        "Give the network the picture with its channels in reversed order and look at the scores. Are they higher?",
        "`permute` moves axes; it does not turn one round. The frame's last axis is blue, green, red.",
        "`tensor.flip(axis)` reverses one axis, and so does the index `[[2, 1, 0]]`.",
    ],
    points=3,
)

# --- bed 2


def prepare_batch_cases(generator):
    """(label, arguments) for prepare_batch: a dark picture, a bright one, and one of each."""
    dark = torch.full((3, 2, 2), 51, dtype=torch.uint8)
    ends = torch.tensor([0, 255, 128, 1], dtype=torch.uint8).reshape(1, 2, 2).expand(3, 2, 2).contiguous()
    yield "black, white, grey and nearly black", ([ends],)
    yield "a dark picture stays dark", ([dark],)
    yield "two pictures, one of them dark", ([dark, ends],)
    for _ in range(2):
        yield "random", ([torch.randint(256, (3, 3, 4), generator=generator, dtype=torch.uint8) for _ in range(2)],)


def _standardised(pictures):
    batch = torch.stack(pictures).float()
    return (batch - batch.mean()) / (batch.std() + 1e-6)


prepare_batch_exercise = bed(
    2,
    cases=prepare_batch_cases,
    run=lambda answer, pictures: answer(pictures),
    right=lambda pictures: torch.stack([picture.float() / 255.0 for picture in pictures]),
    wrong=[
        (
            "by-256",
            lambda pictures: torch.stack(pictures).float() / 256,
            "White becomes 0.996. The largest value that a byte can hold is 255.",
        ),
        (
            "by-its-own-brightest",
            lambda pictures: torch.stack(pictures).float() / torch.stack(pictures).max(),
            "A dark picture comes out bright: it was divided by its own brightest pixel, and night became day.",
        ),
        (
            "clamped",
            lambda pictures: torch.stack(pictures).float().clamp(0, 1),
            "The range is right and the picture is gone: everything but black became white. Clamping hides the symptom.",
        ),
        (
            "standardised",
            _standardised,
            "Mean 0 and deviation 1 is a good range for a network that was trained on it. This one was trained on 0..1.",
        ),
        (
            "whole-numbers",
            lambda pictures: (torch.stack(pictures) // 255).float(),
            "Whole-number division leaves 0 and 1 and nothing between. Make floats first.",
        ),
    ],
    compare=Close(rtol=1e-5, atol=1e-6),
    hints=[
        "Print the smallest and the largest number of the batch that the network gets.",
        "Changing the dtype changes no value: the byte 255 becomes 255.0.",
    ],
    points=2,
)

# --- bed 3


def to_boxes_cases(generator):
    """(label, arguments) for to_boxes: cells of all three maps, so that no single number stands for all strides."""
    one = torch.tensor([[1.0, 0.5, 2.0, 1.5]])
    yield "no cells", (torch.zeros(0, 4), torch.zeros(0, 2), torch.zeros(0))
    yield "a cell of stride 8 at (12, 20)", (one, torch.tensor([[12.0, 20.0]]), torch.tensor([8.0]))
    yield "a cell of stride 16 at (88, 40)", (one, torch.tensor([[88.0, 40.0]]), torch.tensor([16.0]))
    yield "a cell of each map", (one.repeat(3, 1), torch.tensor([[4.0, 4], [8, 8], [16, 16]]), torch.tensor([8.0, 16, 32]))
    strides = torch.tensor([8.0, 8, 16, 32])
    centres = torch.rand(4, 2, generator=generator) * 128
    yield "random", (torch.rand(4, 4, generator=generator) * 4, centres, strides)


def _by(distance, centres):
    return torch.cat([centres - distance[:, :2], centres + distance[:, 2:]], dim=1)


to_boxes_exercise = bed(
    3,
    cases=to_boxes_cases,
    run=lambda answer, sides, centres, strides: answer(sides, centres, strides),
    right=lambda sides, centres, strides: _by(sides * strides.unsqueeze(1), centres),
    wrong=[
        (
            "always-8",
            lambda sides, centres, strides: _by(sides * 8, centres),
            "Right for the fine map, a half and a quarter of what it should be for the other two. Each cell has a stride of its own.",
        ),
        (
            "centres-too",
            lambda sides, centres, strides: _by(sides, centres) * strides[:, None],
            "The centres were multiplied as well, and they were in pixels already: boxes land far outside.",
        ),
        (
            "one-corner-only",
            lambda sides, centres, strides: torch.cat([centres - (sides * strides[:, None])[:, :2], centres + sides[:, 2:]], dim=1),
            "The left upper corner is right, the right lower one is not: it takes distances too.",
        ),
        (
            "divided",
            lambda sides, centres, strides: _by(sides / strides[:, None], centres),
            "Boxes became smaller still. From strides to pixels: how many pixels is one stride?",
        ),
    ],
    compare=Close(rtol=1e-5, atol=1e-4),
    twins=("coursekit.yolo.decode.sides_to_boxes",),
    hints=[
        "How wide is the middle box, and how wide is the middle object? Does the ratio remind you of a number?",
        "One distance of 1.5 means 12 pixels on the fine map and 48 on the coarse one.",
        "`strides` is (A,) and the distances are (A, 4): `strides[:, None]` makes them fit.",
    ],
    points=3,
)

# --- bed 4


def suppress_cases(generator):
    """(label, arguments) for suppress: one place with two names, duplicates, an overlap that equals the threshold."""

    def case(rows, scores, labels, threshold=0.5):
        return (
            torch.tensor(rows, dtype=torch.float32).reshape(-1, 4),
            torch.tensor(scores),
            torch.tensor(labels, dtype=torch.int64),
            threshold,
        )

    one, near = [10, 10, 50, 50], [12, 10, 52, 50]
    yield "no boxes", case([], [], [])
    yield "one object under two names", case([one, one], [0.9, 0.8], [3, 7])
    yield "one object, said twice by one name", case([one, near], [0.8, 0.9], [3, 3])
    yield "two names, each said twice", case([one, near, one, near], [0.9, 0.8, 0.7, 0.95], [0, 0, 1, 1])
    yield "the stronger name first, then last", case([near, one, near], [0.9, 0.6, 0.7], [5, 2, 2])
    yield "an overlap that equals the threshold stays", case([[0, 0, 4, 2], [0, 0, 2, 2]], [0.9, 0.8], [1, 1])
    yield "the same, under a stricter threshold", case([[0, 0, 4, 2], [0, 0, 2, 2]], [0.9, 0.8], [1, 1], 0.25)
    corners = torch.rand(12, 2, generator=generator) * 12
    boxes = torch.cat([corners, corners + 20], dim=1)
    yield "random", (boxes, torch.rand(12, generator=generator), torch.randint(0, 3, (12,), generator=generator), 0.6)


def _by_class(boxes, scores, labels, iou_threshold):
    stays = torch.zeros(len(boxes), dtype=torch.bool)
    for label in labels.unique():
        members = (labels == label).nonzero()[:, 0]
        stays[members[nms(boxes[members], scores[members], iou_threshold)]] = True
    return stays


def _positions_in_the_class(boxes, scores, labels, iou_threshold):
    stays = torch.zeros(len(boxes), dtype=torch.bool)
    for label in labels.unique():
        stays[nms(boxes[labels == label], scores[labels == label], iou_threshold)] = True
    return stays


def _best_class_only(boxes, scores, labels, iou_threshold):
    if not len(boxes):
        return torch.zeros(0, dtype=torch.bool)
    return _by_class(boxes, scores, labels, iou_threshold) & (labels == labels[scores.argmax()])


suppress_exercise = bed(
    4,
    cases=suppress_cases,
    run=lambda answer, boxes, scores, labels, iou_threshold: answer(boxes, scores, labels, iou_threshold),
    right=_by_class,
    wrong=[
        (
            "never",
            lambda boxes, scores, labels, iou_threshold: torch.ones(len(boxes), dtype=torch.bool),
            "Nothing is suppressed any more. Both names live, and so does every duplicate.",
        ),
        (
            "looser",
            lambda boxes, scores, labels, iou_threshold: patients.suppress(boxes, scores, labels, 0.9),
            "A looser threshold hides the symptom where two boxes differ a little, and brings the duplicates back.",
        ),
        (
            "positions-in-the-class",
            _positions_in_the_class,
            "You go class by class, and then mark places *within the class*. Which box of all boxes is number 0 of this class?",
        ),
        (
            "moved-too-little",
            lambda boxes, scores, labels, iou_threshold: patients.suppress(boxes + labels[:, None], scores, labels, iou_threshold),
            "Moving each class aside is a good trick, if it is moved further than any box reaches. A few pixels are not far.",
        ),
        (
            "one-class-a-picture",
            _best_class_only,
            "Only the class of the best box is left. Every class has the right to boxes of its own.",
        ),
    ],
    compare=Exact(),
    hints=[
        "AP by class: which names are lost, and which is not?",
        "You have written the function that does it, in 13: it takes the labels as well.",
        "`batched_nms(boxes, scores, labels, iou_threshold)` gives the indices of those that stay.",
    ],
    points=3,
)
