"""13.variant_nms: suppression with another overlap, another rule for ties, a score gap and a limit."""

import torch

from coursekit import boxes as blocks
from coursekit.exercises.core import Exact, Exercise, Misconception
from coursekit.grading.variants.family import Family
from coursekit.grading.variants.text import show, table

MEASURES = {  # in words, and as the solution's line
    "union": ("their IoU", "areas[i] + areas[k] - shared"),
    "smaller": ("the shared area over the smaller of the two areas", "min(areas[i], areas[k])"),
    "larger": ("the shared area over the larger of the two areas", "max(areas[i], areas[k])"),
}
TIES = {
    "larger": ("the box with the larger area goes first, and of equal areas the earlier one", "-areas[i], i"),
    "smaller": ("the box with the smaller area goes first, and of equal areas the earlier one", "areas[i], i"),
    "later": ("the later box goes first", "-i"),
}


def suppress(boxes, scores, threshold, measure, tie, gap, most, equal_stays, alive=False):
    """The right suppression, with its rules to get wrong. gap or most None: no such rule; alive: dropped boxes drop others."""
    areas = ((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])).tolist()
    key = {"larger": lambda i: (-areas[i], i), "smaller": lambda i: (areas[i], i), "later": lambda i: (-i,), "earlier": lambda i: (i,)}[tie]
    said, kept, before = scores.tolist(), [], []
    for i in sorted(range(len(boxes)), key=lambda i: (-said[i], *key(i))):
        drops = False
        for k in before if alive else kept:
            sides = torch.minimum(boxes[i, 2:], boxes[k, 2:]) - torch.maximum(boxes[i, :2], boxes[k, :2])
            shared = sides.clamp(min=0).prod().item()
            whole = {"union": areas[i] + areas[k] - shared, "smaller": min(areas[i], areas[k]), "larger": max(areas[i], areas[k])}[measure]
            value = shared / whole if whole > 0 else 0.0
            drops |= (value > threshold or (value == threshold and not equal_stays)) and (gap is None or said[k] - said[i] <= gap)
        before.append(i)
        if not drops:
            kept.append(i)
    return torch.tensor(kept[:most], dtype=torch.int64)


def _boxes(*rows):
    return torch.tensor(rows, dtype=torch.float32).reshape(-1, 4)


def cases_of(parameters):
    """Scores are whole sixty-fourths wherever a rule could hang on rounding."""
    gap, most = parameters["gap"], parameters["most"]

    def cases(generator):
        a, b, c = [0, 0, 8, 4], [0, 0, 8, 3], [20, 0, 24, 4]
        yield "the example above", (_boxes(a, b, b, c), torch.tensor([0.9375, 0.9375 - gap, 0.9375 - gap - 0.0625, 0.5]), 0.25)
        one_twice = _boxes([0, 0, 4, 4], [0, 0, 6, 4], [0, 0, 6, 4])
        yield "equal scores, two sizes", (one_twice, torch.tensor([0.75, 0.75, 0.75]), 0.5)
        yield "the overlap equals the threshold", _equal(parameters["measure"])
        yield "no boxes at all", (_boxes(), torch.zeros(0), 0.5)
        apart = _boxes(*([10 * i, 0, 10 * i + 4, 4] for i in range(most + 2)))
        yield "more boxes than may stay", (apart, torch.arange(1, most + 3) / 16, 0.5)
        small = _boxes([0, 0, 12, 12], [2, 2, 6, 6], [30, 0, 30, 0])
        yield "a small box inside a large one, and one without area", (small, torch.tensor([0.75, 0.6875, 0.5]), 0.375)
        points = _boxes([3, 3, 3, 3], [3, 3, 3, 3], [7, 7, 8, 8])  # 0 / 0
        yield "two boxes without area", (points, torch.tensor([0.75, 0.75, 0.6875]), 0.375)
        halves = _boxes([0, 0, 0.5, 0.5], [0, 0, 0.5, 0.5], [3, 3, 3.5, 3.5])
        yield "boxes smaller than a pixel", (halves, torch.tensor([0.75, 0.71875, 0.6875]), 0.375)
        yield from _random(generator, gap)

    return cases


def _equal(measure):
    """The second box shares half of what counts with the first."""
    rows = {"union": ([0, 0, 4, 4], [0, 0, 4, 2]), "smaller": ([0, 0, 4, 4], [0, 2, 4, 6]), "larger": ([0, 0, 4, 4], [0, 2, 4, 6])}[measure]
    return _boxes(*rows), torch.tensor([0.75, 0.71875]), 0.5


def _random(generator, gap):
    """Crowds whose scores lie about a gap apart: stairs, ties, and any."""
    for index in range(9):
        start = torch.rand(9, 2, generator=generator) * 7
        boxes = torch.cat((start, start + 2 + torch.rand(9, 2, generator=generator) * 6), dim=1)
        if index % 3 == 0:
            scores = 0.5 + torch.randint(-2, 3, (9,), generator=generator) * gap / 4
            yield "random, whole numbers and ties", (boxes.round(), scores, 0.375)
        elif index % 3 == 1:
            stairs = torch.rand(1, generator=generator) * 3 + torch.arange(9)[:, None] * torch.tensor(
                [0, 0.75 + index / 16, 0, 0.75 + index / 16]
            )
            scores = torch.rand(9, generator=generator) * 0.2 + 0.4
            yield "random stairs", (stairs + torch.tensor([0.0, 0, 4, 4]), scores, 0.45)
        else:
            yield "random", (boxes, torch.rand(9, generator=generator) * 2 * gap, 0.3)


def make(parameters) -> Exercise:
    """The exercise."""

    def variant_nms(boxes, scores, threshold):
        return suppress(boxes, scores, threshold, **parameters)

    def with_slip(**slip):
        return lambda boxes, scores, threshold: suppress(boxes, scores, threshold, **{**parameters, **slip})

    (words, _), (tied, _) = MEASURES[parameters["measure"]], TIES[parameters["tie"]]
    gap, most, stays = parameters["gap"], parameters["most"], parameters["equal_stays"]
    other = "smaller" if parameters["measure"] == "union" else "union"
    return Exercise(
        name="13.variant_nms",
        reference=variant_nms,
        cases=cases_of(parameters),
        compare=Exact(dtype="same"),
        misconceptions=[
            Misconception(
                "public-nms",
                blocks.nms,
                f"This is the NMS of every library. Here a kept box only drops what scores at most {gap} less, ties have a rule of "
                f"their own, "
                f"and at most {most} boxes stay.",
            ),
            Misconception(
                "gap-forgotten", with_slip(gap=None), f"A box was dropped by one that scores more than {gap} higher. Those leave it."
            ),
            Misconception("no-limit", with_slip(most=None), f"More boxes stayed than {most}. The best {most} are enough."),
            Misconception("ties-by-place", with_slip(tie="earlier"), f"Of equal scores the earlier box went first. Here {tied}."),
            Misconception("another-overlap", with_slip(measure=other), f"Two boxes are compared by another number here: {words}."),
            Misconception(
                "equal-the-other-way",
                with_slip(equal_stays=not stays),
                f"Look at an overlap that *equals* the threshold: such a box {'stays' if stays else 'is dropped'}.",
            ),
            Misconception(
                "dropped-boxes-drop-others", with_slip(alive=True), "A box that was dropped is gone: it may not drop anybody else."
            ),
        ],
        hints=[
            "First the order: `sorted(range(len(boxes)), key=lambda i: (-scores[i].item(), ...))` takes a rule for ties as its next entry.",
            "Go through the boxes in that order; each one is held against all that are kept so far. Two conditions must both hold "
            "to drop it.",
        ],
        points=4,
        twins=("torchvision.ops.nms", "torchvision.ops.batched_nms", blocks.nms, blocks.fast_nms),
    )


def tell(parameters, arguments, result) -> str:
    """The text."""
    (words, _), (tied, _) = MEASURES[parameters["measure"]], TIES[parameters["tie"]]
    boxes, scores, threshold = arguments
    compared = "greater than the threshold (equal stays)" if parameters["equal_stays"] else "greater than the threshold or equal to it"
    rows = [[i, *box.tolist(), score] for i, (box, score) in enumerate(zip(boxes, scores, strict=True))]
    return f"""### Exercise: variant_nms
*difficulty 4 of 5 · importance 4 of 5 · about 25 minutes*

Non-maximum suppression (비최대 억제) again, for a tracker that does not trust it blindly. Boxes are taken best first; four rules are new:

1. Of equal scores, {tied}.
2. A box can only be dropped by a kept one whose score is **at most {parameters["gap"]} higher**: what is far better is taken for
   another object.
3. Two boxes are compared by **{words}** (0 where that divides by 0), and one is dropped if that is {compared}.
4. At most **{parameters["most"]}** boxes stay, the best ones.

By hand, with the threshold {show(threshold)}:

{table(["box", "x1", "y1", "x2", "y2", "score"], *rows)}

Boxes 1 and 2 lie inside of box 0 and share 24 of its 32 square pixels. Box 1 scores {parameters["gap"]} less than box 0, which is
near enough: it is
dropped, and drops nobody. Box 2 scores {show(parameters["gap"] + 0.0625)} less: it stays. Box 3 stands alone. What stays, best
first: **{show(result)}**."""


def stub(parameters) -> str:
    """The cell."""
    (words, below), (tied, key) = MEASURES[parameters["measure"]], TIES[parameters["tie"]]
    sign = ">" if parameters["equal_stays"] else ">="
    gap, most = parameters["gap"], parameters["most"]
    return f'''import torch
from torch import Tensor


def variant_nms(boxes: Tensor, scores: Tensor, threshold: float) -> Tensor:
    """(N, 4) boxes in xyxy, (N,) scores -> (K,) int64: indices of the boxes that stay, best first, {most} at most.

    Of equal scores {tied}.
    A box is dropped if for a kept one the overlap is {sign} threshold and the kept score is at most {gap} higher.
    The overlap is {words}; 0 where that divides by 0.
    """
    ### BEGIN SOLUTION
    areas = ((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])).tolist()
    score = scores.tolist()
    kept = []
    for i in sorted(range(len(boxes)), key=lambda i: (-score[i], {key})):
        dropped = False
        for k in kept:
            start = torch.maximum(boxes[i, :2], boxes[k, :2])
            end = torch.minimum(boxes[i, 2:], boxes[k, 2:])
            shared = (end - start).clamp(min=0).prod().item()
            whole = {below}
            overlap = shared / whole if whole > 0 else 0.0
            if overlap {sign} threshold and score[k] - score[i] <= {gap}:
                dropped = True
        if not dropped:
            kept.append(i)
    return torch.tensor(kept[:{most}], dtype=torch.int64)
    ### END SOLUTION'''


variant_nms = Family(
    name="13.variant_nms",
    space={
        "measure": list(MEASURES),
        "tie": list(TIES),
        "gap": [0.125, 0.1875, 0.25, 0.3125],
        "most": [3, 4, 5],
        "equal_stays": [True, False],
    },
    make=make,
    tell=tell,
    stub=stub,
)
