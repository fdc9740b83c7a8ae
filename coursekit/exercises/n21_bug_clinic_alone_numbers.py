"""Exercises of notebook 21_bug_clinic, the third ward: truth that wanders, and numbers that fall."""

import torch

from coursekit.clinic import patients
from coursekit.exercises.core import Close
from coursekit.exercises.n21_bug_clinic import bed

# --- bed 11


def nudge_cases(generator):
    """(label, arguments) for nudge: what is stored, and how often it is asked for."""
    picture = torch.arange(30, dtype=torch.uint8).reshape(1, 5, 6).expand(3, 5, 6).contiguous()
    box = torch.tensor([[1.0, 1.0, 3.0, 4.0]])
    yield "moved by nothing", (picture, box, [(0, 0)])
    yield "once to the right and down", (picture, box, [(2, 1)])
    yield "asked for twice: the second time from the stored place", (picture, box, [(1, 1), (1, 1)])
    yield "over the left edge", (picture, box, [(-2, 0), (0, 0)])
    yield "over the right and lower edge", (picture, torch.tensor([[3.0, 2.0, 6.0, 5.0]]), [(2, 3), (-1, -1)])
    yield "no boxes", (picture, torch.zeros(0, 4), [(1, 0)])
    moves = (torch.randint(5, (3, 2), generator=generator) - 2).tolist()
    yield "random", (picture, torch.rand(2, 4, generator=generator).cumsum(dim=1), [tuple(move) for move in moves])


def run_nudge(answer, picture, boxes, moves):
    """Ask for the stored sample several times, as the epochs of a training do."""
    given = [answer(picture, boxes, dx, dy) for dx, dy in moves]
    given = [(image.clone(), found.clone()) for image, found in given]
    return {
        "the pictures": torch.stack([image for image, _ in given]),
        "their boxes": torch.stack([found for _, found in given]),
        "the stored boxes afterwards": boxes,
        "the stored picture afterwards": picture,
    }


def _moved(picture, boxes, dx, dy):
    height, width = picture.shape[1:]
    boxes = boxes + boxes.new_tensor([dx, dy, dx, dy])
    return picture.roll((dy, dx), (1, 2)), boxes.clamp(min=0).minimum(boxes.new_tensor([width, height, width, height]))


def _copied_afterwards(picture, boxes, dx, dy):
    picture, boxes = patients.nudge(picture, boxes, dx, dy)
    return picture, boxes.clone()


def _copied_between(picture, boxes, dx, dy):
    boxes += boxes.new_tensor([dx, dy, dx, dy])
    return picture.roll((dy, dx), (1, 2)), _moved(picture, boxes, 0, 0)[1]


def _moved_back(picture, boxes, dx, dy):
    picture, moved = patients.nudge(picture, boxes, dx, dy)
    kept = moved.clone()
    boxes -= torch.tensor([dx, dy, dx, dy], dtype=boxes.dtype)
    return picture, kept


def _not_moved(picture, boxes, dx, dy):
    return picture.roll((dy, dx), (1, 2)), boxes.clone()


def _not_cut(picture, boxes, dx, dy):
    return picture.roll((dy, dx), (1, 2)), boxes + boxes.new_tensor([dx, dy, dx, dy])


nudge_exercise = bed(
    11,
    cases=nudge_cases,
    run=run_nudge,
    right=_moved,
    wrong=[
        (
            "copied-afterwards",
            _copied_afterwards,
            "The copy is made when the damage is done: the stored boxes have moved already. Copy before you write.",
        ),
        (
            "copied-between",
            _copied_between,
            "The copy comes one line late: the stored boxes have been moved when it is made, and only the cutting spares them.",
        ),
        (
            "moved-back",
            _moved_back,
            "Moving them back afterwards works until a box was cut at an edge: what was cut does not come back.",
        ),
        (
            "boxes-stand-still",
            _not_moved,
            "The stored boxes are safe now, and those that you hand out did not move with the picture.",
        ),
        (
            "not-cut",
            _not_cut,
            "The stored boxes are safe. Those that you hand out may reach past the picture, which the patient had right.",
        ),
    ],
    compare=Close(rtol=1e-5, atol=1e-5),
    hints=[
        "Ask the store for sample 0 sixty times, and draw it or print its boxes. How far may they wander, if a move is 4 pixels at most?",
        "`a += b` changes the very tensor that the caller holds; so does `a[:, 0] = ...`.",
        "`boxes = boxes + shift` makes a new tensor, and what you write into that is nobody else's.",
    ],
    points=3,
)

# --- bed 12


def deliver_cases(generator):
    """(label, arguments) for deliver: sure and unsure boxes, few and many, both purposes."""

    def case(scores, purpose):
        scores = torch.tensor(scores, dtype=torch.float32)
        return torch.arange(4.0 * len(scores)).reshape(-1, 4), scores, torch.arange(len(scores)) % 3, purpose

    some = [0.9, 0.4, 0.25, 0.24, 0.01]
    yield "nothing found", case([], "measure")
    yield "to be shown: a score of exactly 0.25 is enough", case(some, "show")
    yield "to be measured: unsure ones too", case(some, "measure")
    many = [0.9 - 0.005 * i for i in range(120)]
    yield "120 boxes to be measured: the first 100", case(many, "measure")
    yield "120 boxes to be shown: all that are sure", case(many, "show")
    scores = torch.rand(9, generator=generator).sort(descending=True).values.tolist()
    for purpose in ("show", "measure"):
        yield "random", case(scores, purpose)


def _deliver(show: float, measure: float, most: int | None = 100, most_shown: int | None = None):
    """`deliver` with other thresholds and limits."""

    def wrong(boxes, scores, labels, purpose):
        kept = scores >= (show if purpose == "show" else measure)
        limit = most_shown if purpose == "show" else most
        return boxes[kept][:limit], scores[kept][:limit], labels[kept][:limit]

    return wrong


deliver_exercise = bed(
    12,
    cases=deliver_cases,
    run=lambda answer, boxes, scores, labels, purpose: tuple(answer(boxes, scores, labels, purpose)),
    right=_deliver(0.25, 0.0),
    wrong=[
        (
            "no-threshold-at-all",
            _deliver(0.0, 0.0),
            "AP is right now, and people are shown every unsure box. The two purposes need different rules.",
        ),
        (
            "a-lower-threshold",
            _deliver(0.25, 0.05),
            "A lower threshold costs less AP, not none. The curve goes on to the last box.",
        ),
        (
            "lower-for-both",
            _deliver(0.05, 0.05),
            "A threshold of 0.05 for both: too low to show, and still too high to measure.",
        ),
        (
            "no-limit",
            _deliver(0.25, 0.0, most=None),
            "Unsure boxes are measured now, and all of them: only the first 100 of a picture count.",
        ),
        (
            "purposes-swapped",
            lambda boxes, scores, labels, purpose: _deliver(0.25, 0.0)(boxes, scores, labels, "measure" if purpose == "show" else "show"),
            "It is the other way round: people see the sure ones, AP wants all.",
        ),
    ],
    compare=Close(rtol=1e-6, atol=1e-7),
    hints=[
        "What is the lowest score in the file of results, and where does the precision-recall curve end?",
        "Which line is run for both purposes, and should be for one?",
    ],
    points=2,
)
