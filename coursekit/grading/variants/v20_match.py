"""20.variant_match: greedy matching in which ignored boxes absorb predictions."""

import numpy as np

from coursekit.exercises.core import Exact, Exercise, Misconception
from coursekit.grading.variants.family import Family
from coursekit.grading.variants.text import show, table
from coursekit.metrics import steps


def match(overlap, ignored, threshold, soft, room, later, absorb=True, before=False, common=False, reuse=False, by_place=False):
    """The right matching, with its rules to get wrong."""
    free = np.where(ignored, room, 1).astype(int)
    if reuse:
        free[ignored] = len(overlap)
    choice = np.full(len(overlap), -1)
    for d in range(len(overlap)):
        kinds = [(False, threshold), (True, threshold if common else soft)]
        for kind, least in kinds[::-1] if before else kinds:
            found = [g for g in range(overlap.shape[1]) if ignored[g] == kind and free[g] > 0 and overlap[d, g] >= least]
            if not found or (kind and not absorb):
                continue
            best = max(overlap[d, g] for g in found)
            equal = [g for g in found if overlap[d, g] == best]
            g = equal[-1 if later else 0]
            free[g] -= 1
            choice[d] = g if not kind or by_place else -2
            break
    return choice


def cases_of(parameters):
    """Overlaps are whole sixteenths wherever a rule could hang on rounding."""
    threshold, soft, room = parameters["threshold"], parameters["soft"], parameters["room"]

    def flags(text):
        return np.array([letter == "i" for letter in text], dtype=bool)

    def cases(generator):
        import torch

        inside, outside = (soft, soft - 0.0625)
        yield "the example above", (np.array([[0.875, 0.75], [0.75, inside], [0.0, outside]]), flags(".i"))
        yield "exactly the threshold, and just below it", (np.array([[threshold, 0.0], [0.0, threshold - 0.0625]]), flags(".."))
        yield "more than the ignored box has room for", (np.full((room + 2, 1), 0.9375), flags("i"))
        yield "a truth and an ignored box, which overlaps more", (np.array([[threshold, 0.9375]]), flags(".i"))
        yield "equal overlaps", (np.array([[0.9375, 0.9375, 0.0], [0.875, 0.0, 0.0], [0.0, 0.875, 0.0]]), flags("..."))
        yield "two predictions want one truth, nobody else is there", (np.array([[0.875], [0.9375]]), flags("."))
        yield "no predictions", (np.zeros((0, 2)), flags(".i"))
        yield "no boxes at all in the truth", (np.zeros((2, 0)), flags(""))
        for index in range(9):
            size = (5 + index % 3, 3 + index % 2)
            sixteenths = torch.randint(0, 17, size, generator=generator).double().numpy() / 16
            ignored = torch.rand(size[1], generator=generator).numpy() < 0.5
            if index % 3 == 0:
                yield "random, in steps of a sixteenth", (sixteenths, ignored)
            elif index % 3 == 1:
                yield "random, a crowd", (np.maximum(sixteenths, min(threshold, soft)), np.arange(size[1]) < size[1] - 2)
            else:
                yield "random", (torch.rand(size, generator=generator, dtype=torch.float64).numpy(), ignored)

    return cases


def make(parameters) -> Exercise:
    """The exercise."""

    def variant_match(overlap, ignored):
        return match(overlap, ignored, **parameters)

    def with_slip(**slip):
        return lambda overlap, ignored: match(overlap, ignored, **{**parameters, **slip})

    def public(overlap, ignored):
        return steps.match_detections(overlap, parameters["threshold"])

    threshold, soft, room, later = (parameters[name] for name in ("threshold", "soft", "room", "later"))
    return Exercise(
        name="20.variant_match",
        reference=variant_match,
        cases=cases_of(parameters),
        compare=Exact(),
        misconceptions=[
            Misconception(
                "public-match",
                public,
                "This is `match_detections`: for it no box is ignored. What does a prediction get that an ignored box takes?",
            ),
            Misconception(
                "nothing-absorbed", with_slip(absorb=False), "A prediction on an ignored box counts as wrong with you. It gets -2."
            ),
            Misconception(
                "ignored-first",
                with_slip(before=True),
                "An ignored box took a prediction that a real truth could have had. Truths come first.",
            ),
            Misconception(
                "one-threshold",
                with_slip(common=True),
                f"You asked both kinds of box for {threshold}. An ignored box takes whatever overlaps it by {soft} or more.",
            ),
            Misconception(
                "room-without-end", with_slip(reuse=True), f"An ignored box took more than {room} predictions. After that it is full."
            ),
            Misconception("takes-one-only", with_slip(room=1), f"An ignored box took one prediction and was full. It has room for {room}."),
            Misconception(
                "the-other-of-equals",
                with_slip(later=not later),
                f"Two boxes overlap a prediction by the same, and you chose the other one. The {'later' if later else 'earlier'} "
                f"one has it.",
            ),
            Misconception(
                "index-of-the-ignored",
                with_slip(by_place=True),
                "You wrote down which ignored box took it. All that anybody asks is that: -2.",
            ),
        ],
        hints=[
            "Keep an array `free` with the room that each box has left: 1 for a truth, more for an ignored box.",
            "For each prediction first look among the truths; only if none takes it, among the ignored boxes, with their own threshold.",
        ],
        points=4,
        twins=(
            steps.match_detections,
            "coursekit.metrics.coco.match_image",
            "coursekit.metrics.protocols.match",
            "pycocotools.cocoeval.COCOeval",
        ),
    )


def tell(parameters, arguments, result) -> str:
    """The text."""
    threshold, soft, room, later = (parameters[name] for name in ("threshold", "soft", "room", "later"))
    overlap, _ = arguments
    rows = [[d, *row, int(got)] for d, (row, got) in enumerate(zip(overlap.tolist(), result, strict=True))]
    return f"""### Exercise: variant_match
*difficulty 4 of 5 · importance 4 of 5 · about 25 minutes*

Some boxes of the truth are marked as *ignored* (무시): too small, cut off, a crowd. A prediction on one of them is neither right nor
wrong. Write the
matching (매칭) of one image by these rules:

1. Predictions choose in their order, best score first: row 0, row 1, ...
2. A prediction first looks among the real truths that are still free and overlap it by **at least {threshold}**, and takes the one that
   overlaps most. A truth is taken once.
3. Only if there is none, it looks among the ignored boxes that overlap it by **at least {soft}** and have room, and again takes
   the one that overlaps
   most. An ignored box has room for **{room}** predictions.
4. Of equal overlaps the **{"later" if later else "earlier"}** box (the {"higher" if later else "lower"} column) is taken.

The result holds, for each prediction, the index of its truth, **-2** if an ignored box took it, and **-1** if nobody did.

By hand: box 0 is a truth, box 1 is ignored.

{table(["prediction", "overlap with box 0", "overlap with box 1", "result"], *rows)}

Prediction 0 takes the truth. For prediction 1 it is gone, but the ignored box takes it. Prediction 2 overlaps that by a sixteenth
too little. So the
result is **{show(result)}**."""


def stub(parameters) -> str:
    """The cell."""
    threshold, soft, room, later = (parameters[name] for name in ("threshold", "soft", "room", "later"))
    sign = ">=" if later else ">"
    start = ("least", "") if later else ("-1.0", " and overlap[d, g] >= {least}")
    del start
    return f'''import numpy as np


def variant_match(overlap: np.ndarray, ignored: np.ndarray) -> np.ndarray:
    """overlap: (D, G), predictions best first; ignored: (G,) booleans -> (D,) integers.

    For each prediction the index of the truth that it takes, -2 if an ignored box takes it, -1 if nobody does.
    Truths first (overlap >= {threshold}, taken once), then ignored boxes (overlap >= {soft}, room for {room}).
    Among those it takes the highest overlap; of equals the {"later" if later else "earlier"} one.
    """
    ### BEGIN SOLUTION
    free = np.where(ignored, {room}, 1)
    choice = np.full(len(overlap), -1)
    for d in range(len(overlap)):
        for kind, least in ((False, {threshold}), (True, {soft})):
            best, taken = 0.0, None
            for g in range(overlap.shape[1]):
                if ignored[g] == kind and free[g] > 0 and overlap[d, g] >= least and overlap[d, g] {sign} best:
                    best, taken = overlap[d, g], g
            if taken is not None:
                free[taken] -= 1
                choice[d] = -2 if kind else taken
                break
    return choice
    ### END SOLUTION'''


variant_match = Family(
    name="20.variant_match",
    space={
        "threshold": [0.4375, 0.5625, 0.625, 0.6875],
        "soft": [0.25, 0.3125, 0.375, 0.75],
        "room": [2, 3, 4],
        "later": [True, False],
    },
    make=make,
    tell=tell,
    stub=stub,
)
