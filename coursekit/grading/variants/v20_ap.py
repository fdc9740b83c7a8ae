"""20.variant_ap: average precision on a recall grid of its own."""

import numpy as np

from coursekit.exercises.core import Close, Exercise, Misconception
from coursekit.grading.variants.family import Family
from coursekit.grading.variants.text import show, table
from coursekit.metrics import steps

NEAR = 1e-9  # a recall that reaches a point but for rounding has reached it
ROUNDING = ("> point - 1e-09", ">= point - 2e-09", ">= point - 5e-10")
GRIDS = {
    "middles": ("(i + 0.5) / {count}", "the middles of {count} equal parts of the way from 0 to 1"),
    "starts": ("i / {count}", "the starts of {count} equal parts of the way from 0 to 1, so 0 is one of them and 1 is not"),
}
READS = {
    "best": ("the best precision among the predictions whose recall has reached the point", "precision[reached].max()"),
    "first": ("the precision of the first prediction whose recall has reached the point", "precision[reached][0]"),
}
WEIGHTS = {
    "falling": ("1 minus the point", "1 - point", lambda points: 1 - points),
    "squares": ("1 minus the square of the point", "1 - point**2", lambda points: 1 - points**2),
    "rising": ("1 plus the point", "1 + point", lambda points: 1 + points),
}


def grid(count, kind):
    """The points to read at."""
    return (np.arange(count) + 0.5) / count if kind == "middles" else np.arange(count) / count


def height_at(recall, precision, point, read) -> float:
    """What is read at one point; 0 where nobody has reached it."""
    reached = precision[recall >= point - NEAR]
    if not len(reached):
        return 0.0
    return float(reached.max() if read == "best" else reached[0])


def ap(recall, precision, count, kind, read, weights, missing=0.0, weighted=True):
    """The right sum, with one thing at a time to get wrong. missing: None leaves points that nobody reaches out."""
    points, heights, factors = grid(count, kind), [], []
    for point in points:
        if missing is None and not (recall >= point - NEAR).any():
            continue
        heights.append(height_at(recall, precision, point, read))
        factors.append(float(WEIGHTS[weights][2](point)) if weighted else 1.0)
    return float(np.average(heights, weights=factors)) if heights else 0.0


def cases_of(parameters):
    """Curves of real rankings: recall never falls, precision goes up and down."""

    def curve(letters, truths):
        return steps.pr_curve(np.array([letter == "1" for letter in letters], dtype=bool), truths)

    def cases(generator):
        import torch

        yield "the example above", curve("1011", 4)
        yield "a perfect ranking", curve("1111", 4)
        yield "nothing right", curve("000", 3)
        yield "no predictions", (np.zeros(0), np.zeros(0))
        yield "the best comes late", curve("001111", 5)
        yield "recall ends at a half", curve("1001", 4)
        for index in range(8):
            size = 12 + index
            right = torch.rand(size, generator=generator) < (0.7 if index % 2 else 0.4)
            truths = int(right.sum()) + int(torch.randint(1, 6, (1,), generator=generator))
            yield ("random, many right" if index % 2 else "random"), steps.pr_curve(right.numpy(), truths)

    return cases


def make(parameters) -> Exercise:
    """The exercise."""

    def variant_ap(recall, precision):
        return ap(recall, precision, **parameters)

    def with_slip(**slip):
        return lambda recall, precision: ap(recall, precision, **{**parameters, **slip})

    def public(points):
        return lambda recall, precision: steps.ap_at_points(recall, precision, points)

    count, kind, read = parameters["count"], parameters["kind"], parameters["read"]
    other, swapped = ("first" if read == "best" else "best"), ("starts" if kind == "middles" else "middles")
    where, heavy = GRIDS[kind][1].format(count=count), WEIGHTS[parameters["weights"]][0]
    return Exercise(
        name="20.variant_ap",
        reference=variant_ap,
        cases=cases_of(parameters),
        compare=Close(rtol=1e-6, atol=1e-6),
        misconceptions=[
            Misconception(
                "public-101-points", public(np.linspace(0, 1, 101)), f"This is COCO's sum over 101 points. Here the points are {where}."
            ),
            Misconception(
                "public-11-points", public(np.linspace(0, 1, 11)), f"This is VOC's sum over 11 points. Here the points are {where}."
            ),
            Misconception("public-area", steps.ap_area, f"This is the area under the envelope. Here the curve is read at points: {where}."),
            Misconception("all-points-alike", with_slip(weighted=False), f"You took the plain mean. Each point has a weight: {heavy}."),
            Misconception("another-grid", with_slip(kind=swapped), f"Your points lie half a step off. They are {where}."),
            Misconception(
                "read-another-way", with_slip(read=other), f"At each point it is another precision that counts: {READS[read][0]}."
            ),
            Misconception(
                "unreached-left-out",
                with_slip(missing=None),
                "You left the points out that no prediction reaches. They count as 0: what was never found is lost.",
            ),
        ],
        hints=[
            "Write the points down first, and print them. For each one: which predictions have `recall >= point - 1e-9`?",
            "The sum of weight times height, divided by the sum of the weights of *all* points.",
        ],
        points=3,
        equivalent={
            **{f"reached = recall {rest}": "rounding is smaller than that" for rest in ROUNDING},
            f"for i in range({count + 1}):": "the point 1 has no weight" if (kind, heavy[0]) == ("starts", "1") else "",
        },
        twins=(steps.ap_at_points, steps.ap_area, "coursekit.metrics.ranking.average_precision", "sklearn.metrics.average_precision_score"),
    )


def tell(parameters, arguments, result) -> str:
    """The text."""
    count, kind, read, weights = (parameters[name] for name in ("count", "kind", "read", "weights"))
    recall, precision = arguments
    points = grid(count, kind)
    first = points[: min(3, count)]
    read_at = [height_at(recall, precision, point, read) for point in first]
    rows = [[point, height, float(WEIGHTS[weights][2](point))] for point, height in zip(first.tolist(), read_at, strict=True)]
    return f"""### Exercise: variant_ap
*difficulty 3 of 5 · importance 4 of 5 · about 20 minutes*

Average precision (평균 정밀도) reads a precision-recall curve at a grid of recalls. This one has **{count} points**:
{GRIDS[kind][1].format(count=count)}.
At each point the height is **{READS[read][0]}**; a prediction has reached a point if its recall is at least the point, or less by no
more than 1e-9 (so that rounding decides nothing). A point that no prediction reaches has height 0. The result is a
weighted mean (가중 평균) of the heights, over all points: the weight of a point is **{WEIGHTS[weights][0]}**. Without predictions it is 0.

By hand: four predictions, right, wrong, right, right, of four truths. Recall {show(recall.round(4))}, precision
{show(precision.round(4))}. The first
points of the grid:

{table(["point", "height", "weight"], *rows)}

Over all {count} points the weighted mean is **{show(result)}**."""


def stub(parameters) -> str:
    """The cell."""
    count, kind, read, weights = (parameters[name] for name in ("count", "kind", "read", "weights"))
    points = GRIDS[kind][0].format(count=count)
    return f'''import numpy as np


def variant_ap(recall: np.ndarray, precision: np.ndarray) -> float:
    """recall, precision: (D,) after each prediction, best first -> a number from 0 to 1.

    Points: {points} for i = 0 ... {count - 1}. Height: {READS[read][0]}
    (recall >= point - 1e-9); 0 if there is none. Weighted mean over all points, weights {WEIGHTS[weights][1]}.
    """
    ### BEGIN SOLUTION
    total, weight_of_all = 0.0, 0.0
    for i in range({count}):
        point = {points}
        reached = recall >= point - 1e-9
        height = {READS[read][1]} if reached.any() else 0.0
        weight = {WEIGHTS[weights][1]}
        total += weight * height
        weight_of_all += weight
    return float(total / weight_of_all)
    ### END SOLUTION'''


variant_ap = Family(
    name="20.variant_ap",
    space={
        "count": [5, 6, 7, 8, 9, 12, 13, 14, 15, 16, 17, 18, 19, 21, 25],
        "kind": list(GRIDS),
        "read": ["best", "first"],
        "weights": list(WEIGHTS),
    },
    make=make,
    tell=tell,
    stub=stub,
)
