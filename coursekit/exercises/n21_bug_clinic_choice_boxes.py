"""Exercises of notebook 21_bug_clinic, the second ward, the two patients whose boxes are wrong."""

import torch

from coursekit.exercises.core import Close
from coursekit.exercises.n21_bug_clinic import bed

# --- bed 7


def pick_cases(generator):
    """(label, arguments) for pick: out of order, in order already, ties, a limit that cuts."""

    def case(scores, limit):
        count = len(scores)
        boxes = torch.arange(4.0 * count).reshape(count, 4)
        return boxes, torch.tensor(scores, dtype=torch.float32), torch.arange(count) * 10, limit

    yield "no boxes", case([], 5)
    yield "one box", case([0.7], 5)
    yield "in order already", case([0.9, 0.8, 0.3], 5)
    yield "three in a circle", case([0.5, 0.2, 0.9], 5)
    yield "more than the limit", case([0.1, 0.6, 0.4, 0.9, 0.2], 3)
    yield "equal scores: the earlier box first", case([0.5, 0.9, 0.5, 0.9, 0.5], 4)
    yield (
        "random",
        (
            torch.rand(8, 4, generator=generator),
            torch.rand(8, generator=generator),
            torch.randint(0, 4, (8,), generator=generator),
            6,
        ),
    )


def _by_index(boxes, scores, labels, limit):
    order = sorted(range(len(scores)), key=lambda i: -float(scores[i]))[:limit]
    order = torch.tensor(order, dtype=torch.int64)
    return boxes[order], scores[order], labels[order]


def _pick_unsorted(boxes, scores, labels, limit):
    return boxes[:limit], scores[:limit], labels[:limit]


def _pick_inverse(boxes, scores, labels, limit):
    order = scores.argsort(descending=True, stable=True)
    return boxes[order.argsort()][:limit], scores[order][:limit], labels[order][:limit]


def _pick_by_column(boxes, scores, labels, limit):
    order = scores.argsort(descending=True, stable=True)[:limit]
    return boxes.sort(dim=0, descending=True).values[: len(order)], scores[order], labels[order]


def _pick_cut_first(boxes, scores, labels, limit):
    boxes, scores, labels = boxes[:limit], scores[:limit], labels[:limit]
    order = scores.argsort(descending=True, stable=True)
    return boxes[order], scores[order], labels[order]


def _pick_worst_first(boxes, scores, labels, limit):
    order = scores.argsort(stable=True)[:limit]
    return boxes[order], scores[order], labels[order]


pick_exercise = bed(
    7,
    cases=pick_cases,
    run=lambda answer, boxes, scores, labels, limit: tuple(answer(boxes, scores, labels, limit)),
    right=_by_index,
    wrong=[
        (
            "nothing-sorted",
            _pick_unsorted,
            "Boxes, scores and labels belong together again, because none of them is sorted. Whoever reads them expects the best first.",
        ),
        (
            "inverse-order",
            _pick_inverse,
            "The boxes were put into the inverse of the order. With three boxes in a circle the two differ: use one order for all three.",
        ),
        (
            "columns-sorted",
            _pick_by_column,
            "`sort` on boxes sorts each column by itself: the four numbers of a box are torn apart. Index with the order instead.",
        ),
        (
            "cut-before-sorting",
            _pick_cut_first,
            "The limit was applied before the order: the first boxes stay, not the best ones.",
        ),
        (
            "worst-first",
            _pick_worst_first,
            "All three lists agree, and the worst box comes first. `argsort` goes upwards unless you ask for `descending=True`.",
        ),
    ],
    compare=Close(rtol=1e-6, atol=1e-7),
    hints=[
        "Split the pictures by how many objects they hold, and measure each part.",
        "Three lists come in, and row i of each speaks of the same box. Is that so of what goes out?",
    ],
    points=3,
)

# --- bed 8


def augment_cases(generator):
    """(label, arguments) for augment: pictures that are not square, so that width and height cannot be mixed up."""
    picture = torch.arange(24, dtype=torch.uint8).reshape(1, 4, 6).expand(3, 4, 6).contiguous()
    box = torch.tensor([[0.0, 1.0, 2.0, 4.0]])
    yield "not mirrored: only the light changes", (picture, box, False, 2.0)
    yield "mirrored, a box at the left edge", (picture, box, True, 1.0)
    yield "mirrored, no boxes", (picture, torch.zeros(0, 4), True, 1.0)
    yield "too bright is white", (picture, box, True, 20.0)
    yield "a box as wide as the picture", (picture, torch.tensor([[0.0, 0, 6, 2]]), True, 0.5)
    start = torch.rand(3, 2, generator=generator) * 2
    boxes = torch.cat([start, start + 1 + torch.rand(3, 2, generator=generator)], dim=1)
    for mirrored in (True, False):
        yield "random", (torch.randint(256, (3, 4, 6), generator=generator, dtype=torch.uint8), boxes, mirrored, 0.9)


def _lit(picture, gain):
    return (picture.float() * gain).clamp(0, 255).to(torch.uint8)


def _mirrored_boxes(make, always=False):
    """`augment` with another way to mirror the boxes."""

    def wrong(picture, boxes, mirrored, gain):
        picture = _lit(picture, gain)
        if mirrored:
            picture = picture.flip(2)
        if mirrored or always:
            boxes = torch.stack(make(*boxes.unbind(dim=1), picture.shape[2], picture.shape[1]), dim=1)
        return picture, boxes

    return wrong


augment_exercise = bed(
    8,
    cases=augment_cases,
    run=lambda answer, picture, boxes, mirrored, gain: tuple(answer(picture, boxes, mirrored, gain)),
    right=_mirrored_boxes(lambda x1, y1, x2, y2, w, h: (w - x2, y1, w - x1, y2)),
    wrong=[
        (
            "inside-out",
            _mirrored_boxes(lambda x1, y1, x2, y2, w, h: (w - x1, y1, w - x2, y2)),
            "Each x was mirrored where it stood, so the left edge is right of the right one. After mirroring, which edge is the left one?",
        ),
        (
            "height-for-width",
            _mirrored_boxes(lambda x1, y1, x2, y2, w, h: (h - x2, y1, h - x1, y2)),
            "On a square picture this would be right. x is mirrored in the *width*: which axis of the picture is that?",
        ),
        (
            "one-pixel-off",
            _mirrored_boxes(lambda x1, y1, x2, y2, w, h: (w - 1 - x2, y1, w - 1 - x1, y2)),
            "Every box is one pixel off. Boxes end *where* the next pixel begins: half-open, so no -1.",
        ),
        (
            "always",
            _mirrored_boxes(lambda x1, y1, x2, y2, w, h: (w - x2, y1, w - x1, y2), always=True),
            "The boxes are mirrored even where the picture is not.",
        ),
        (
            "upside-down",
            _mirrored_boxes(lambda x1, y1, x2, y2, w, h: (x1, h - y2, x2, h - y1)),
            "The picture is mirrored left and right, the boxes top and bottom.",
        ),
    ],
    compare=Close(rtol=1e-5, atol=1e-4),
    hints=[
        "Draw three training samples *after* augmentation, with their boxes.",
        "A pixel at x goes to W - x. The right edge of a box becomes its left edge.",
    ],
    points=3,
)
