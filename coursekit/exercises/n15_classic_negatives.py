"""The planted bug of notebook 15_classic: which windows may teach the machine what is no face."""

import torch

from coursekit.boxes import box_iou
from coursekit.classic import hog_svm
from coursekit.exercises.core import Close, Exercise, Misconception


def hard_negatives_cases(generator):
    """(label, arguments): no face, one, several; windows far from one face and on another."""
    boxes = torch.tensor([[0.0, 0, 10, 10], [20, 0, 30, 10], [1, 0, 11, 10], [40, 0, 50, 10], [23, 0, 33, 10]])
    scores = torch.tensor([0.9, 0.8, 0.5, -0.1, 0.7])

    def faces(*rows):
        return torch.tensor(rows, dtype=torch.float32).reshape(-1, 4)

    yield "one face", (boxes, scores, faces([0, 0, 10, 10]), 9)
    yield "two faces", (boxes, scores, faces([0, 0, 10, 10], [20, 0, 30, 10]), 9)
    yield "a window on the second face alone", (boxes, scores, faces([60, 0, 70, 10], [20, 0, 30, 10]), 9)
    yield "a picture without faces", (boxes, scores, faces(), 9)
    yield "more than wanted", (boxes, scores, faces(), 2)
    yield "one wanted, and the best lies on a face", (boxes, scores, faces([0, 0, 10, 10]), 1)
    yield "none wanted", (boxes, scores, faces(), 0)
    yield "nothing above 0", (boxes[3:4], scores[3:4], faces([0, 0, 10, 10]), 9)
    yield "an overlap that equals the limit", (torch.tensor([[0.0, 0, 10, 10]]), torch.tensor([0.5]), faces([0, 0, 5, 10]), 9, 0.5)
    yield "a score of 0 says no", (boxes[:2], torch.tensor([0.0, 1e-3]), faces(), 9)
    yield "worst first", (boxes[:3], torch.tensor([0.1, 0.3, 0.2]), faces(), 9)
    yield "a face inside a large window: little IoU", (torch.tensor([[0.0, 0, 40, 40]]), torch.tensor([1.0]), faces([10, 10, 20, 20]), 3)
    for count in (4, 12):
        corner, truth = torch.rand(12, 2, generator=generator) * 20, torch.rand(3, 2, generator=generator) * 20
        windows, objects = (torch.cat([c, c + 12], dim=1) for c in (corner, truth))
        yield "random", (windows, torch.randn(12, generator=generator), objects, count)


def _negatives(boxes, scores, faces, count, overlap=0.3, reduce=lambda iou: iou.amax(dim=1), turn=False, best=True, sure=True, equal=True):
    touches = reduce(box_iou(boxes, faces)) if len(faces) else torch.zeros(len(boxes))
    far = touches <= overlap if equal else touches < overlap
    wrong = (far if not turn else ~far) & ((scores > 0) | (not sure))
    order = scores[wrong].argsort(descending=best, stable=True)
    return boxes[wrong][order[:count]]


def negatives_far_from_one_face(boxes, scores, faces, count, overlap=0.3):
    return _negatives(boxes, scores, faces, count, overlap, reduce=lambda iou: iou.amin(dim=1))


def negatives_far_on_average(boxes, scores, faces, count, overlap=0.3):
    return _negatives(boxes, scores, faces, count, overlap, reduce=lambda iou: iou.mean(dim=1))


def negatives_overlaps_added(boxes, scores, faces, count, overlap=0.3):
    return _negatives(boxes, scores, faces, count, overlap, reduce=lambda iou: iou.sum(dim=1))


def negatives_over_the_windows(boxes, scores, faces, count, overlap=0.3):
    return _negatives(boxes, scores, faces, count, overlap, reduce=lambda iou: iou.amax(dim=0))


def negatives_all_or_nothing(boxes, scores, faces, count, overlap=0.3):
    """One number for the whole picture: the largest overlap of any window with any face."""
    return _negatives(boxes, scores, faces, count, overlap, reduce=lambda iou: iou.max().expand(len(iou)))


def negatives_first_face_only(boxes, scores, faces, count, overlap=0.3):
    return _negatives(boxes, scores, faces[:1], count, overlap)


def negatives_with_faces(boxes, scores, faces, count, overlap=0.3):
    return _negatives(boxes, scores, faces[:0], count, overlap)


def negatives_are_the_faces(boxes, scores, faces, count, overlap=0.3):
    return _negatives(boxes, scores, faces, count, overlap, turn=True)


def negatives_easy_ones(boxes, scores, faces, count, overlap=0.3):
    return _negatives(boxes, scores, faces, count, overlap, best=False)


def negatives_of_any_score(boxes, scores, faces, count, overlap=0.3):
    return _negatives(boxes, scores, faces, count, overlap, sure=False)


def negatives_cut_too_early(boxes, scores, faces, count, overlap=0.3):
    """The count best windows first, then what of them lies on a face goes away."""
    best = scores.argsort(descending=True, stable=True)[:count]
    return _negatives(boxes[best], scores[best], faces, count, overlap)


def negatives_never_equal(boxes, scores, faces, count, overlap=0.3):
    return _negatives(boxes, scores, faces, count, overlap, equal=False)


hard_negatives = Exercise(
    name="15.hard_negatives",
    reference=hog_svm.hard_negatives,
    cases=hard_negatives_cases,
    compare=Close(rtol=0, atol=1e-6),
    misconceptions=[
        Misconception(
            "far-from-one-face",
            negatives_far_from_one_face,
            "That is the planted bug. The *least* overlap with any face is small for nearly every window: one on the first face is far "
            "from "
            "the second. Which overlap must be small?",
        ),
        Misconception(
            "far-on-average",
            negatives_far_on_average,
            "A window on one of several faces is far from them on average. Its *largest* overlap counts.",
        ),
        Misconception(
            "overlaps-added",
            negatives_overlaps_added,
            "The overlaps with all faces were added up. Each face is asked by itself: the largest.",
        ),
        Misconception(
            "over-the-windows",
            negatives_over_the_windows,
            "The largest overlap is wanted for each *window*, so the faces are what goes away: they are dimension 1 of `box_iou(boxes, "
            "faces)`.",
        ),
        Misconception(
            "all-or-nothing",
            negatives_all_or_nothing,
            "One window on a face, and no window of the picture is used any more: `.max()` without a dimension is one number for all. "
            "One number for each window: dim=1.",
        ),
        Misconception("first-face-only", negatives_first_face_only, "Only the first face is spared. The picture may hold several."),
        Misconception(
            "faces-not-spared", negatives_with_faces, "Windows on the faces came back as counter-examples. Nobody looked at `faces`."
        ),
        Misconception("the-faces-themselves", negatives_are_the_faces, "The comparison is turned: you return the windows on the faces."),
        Misconception(
            "easy-ones", negatives_easy_ones, "Lowest score first: those are the easy ones. Hard is what looks most like a face."
        ),
        Misconception(
            "any-score", negatives_of_any_score, "A window with a score of 0 or less was answered rightly. Only mistakes teach: scores > 0."
        ),
        Misconception(
            "cut-too-early",
            negatives_cut_too_early,
            "You took the `count` best windows first and sorted out faces afterwards, so too few are left. First the rules, then the cut.",
        ),
        Misconception("limit-not-allowed", negatives_never_equal, "An overlap that equals the limit is still allowed: `<=`."),
    ],
    hints=[
        "Print `overlap_with_faces` for a window that lies on one of two faces. Is it what its name says?",
        "With one face the least and the largest overlap are the same number: that is why nobody noticed. With two they are not.",
    ],
    points=2,
)
