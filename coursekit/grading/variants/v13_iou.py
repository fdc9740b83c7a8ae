"""13.variant_iou: the overlap of boxes that are written in a way of their own, divided by something of its own."""

import itertools

import torch

from coursekit import boxes as blocks
from coursekit.exercises.core import Close, Exercise, Misconception
from coursekit.grading.variants.family import Family
from coursekit.grading.variants.text import show, table

# How the two numbers of one axis say where a box lies on it: to them from (start, end), and back.
WRITE = {
    "start-end": lambda start, end: (start, end),
    "start-size": lambda start, end: (start, end - start),
    "end-size": lambda start, end: (end, end - start),
    "centre-half": lambda start, end: ((start + end) / 2, (end - start) / 2),
    "centre-size": lambda start, end: ((start + end) / 2, end - start),
}
READ = {
    "start-end": lambda a, b: (a, b),
    "start-size": lambda a, b: (a, a + b),
    "end-size": lambda a, b: (a - b, a),
    "centre-half": lambda a, b: (a - b, a + b),
    "centre-size": lambda a, b: (a - b / 2, a + b / 2),
}
NAMES = {
    "start-end": (("left", "right"), ("top", "bottom")),
    "start-size": (("left", "width"), ("top", "height")),
    "end-size": (("right", "width"), ("bottom", "height")),
    "centre-half": (("cx", "half_width"), ("cy", "half_height")),
    "centre-size": (("cx", "width"), ("cy", "height")),
}
STEPS = {  # the solution's line for one axis
    "start-end": None,
    "start-size": "{end} = {a} + {b}",
    "end-size": "{start} = {a} - {b}",
    "centre-half": "{start}, {end} = {a} - {b}, {a} + {b}",
    "centre-size": "{start}, {end} = {a} - {b} / 2, {a} + {b} / 2",
}
BELOW = {
    "union": ("all that the two cover together", "area1 + area2 - shared"),
    "smaller": ("the smaller of the two areas", "torch.minimum(area1, area2)"),
    "larger": ("the larger of the two areas", "torch.maximum(area1, area2)"),
    "first": ("the area of the box of boxes1", "area1.expand_as(shared)"),
}
PUBLIC = ("start-end", "start-size", "centre-size")


def allowed(parameters) -> bool:
    """No format that a library reads, in whatever order of its columns."""
    return not (parameters["x"] == parameters["y"] and parameters["x"] in PUBLIC)


def column_names(parameters) -> list[str]:
    """What the four numbers of a row are."""
    four = [*NAMES[parameters["x"]][0], *NAMES[parameters["y"]][1]]
    return [four[i] for i in parameters["order"]]


def write_boxes(corners, parameters):
    """(N, 4) xyxy -> (N, 4) as the parameters want them."""
    left, top, right, bottom = corners.unbind(dim=1)
    four = [*WRITE[parameters["x"]](left, right), *WRITE[parameters["y"]](top, bottom)]
    return torch.stack([four[i] for i in parameters["order"]], dim=1)


def read_boxes(boxes, x, y, order):
    """And back."""
    four = [boxes[:, order.index(i)] for i in range(4)]
    (left, right), (top, bottom) = READ[x](*four[:2]), READ[y](*four[2:])
    return torch.stack((left, top, right, bottom), dim=1)


def overlap(boxes1, boxes2, x, y, order, below, clamp=True, twice=False, nan=False, pairs=True):
    """The right overlap, with one thing at a time to get wrong."""
    one, two = (read_boxes(b, x, y, order) for b in (boxes1, boxes2))
    if not pairs:
        count = min(len(one), len(two))
        return overlap(boxes1[:count], boxes2[:count], x, y, order, below).diagonal().clone()
    sides = torch.minimum(one[:, None, 2:], two[None, :, 2:]) - torch.maximum(one[:, None, :2], two[None, :, :2])
    shared = (sides.clamp(min=0) if clamp else sides).prod(dim=2)
    area1, area2 = ((b[:, 2:] - b[:, :2]).prod(dim=1) for b in (one, two))
    area1, area2 = torch.broadcast_tensors(area1[:, None], area2[None, :])
    whole = {
        "union": area1 + area2 - (0 if twice else shared),
        "smaller": torch.minimum(area1, area2),
        "larger": torch.maximum(area1, area2),
        "first": area1,
    }[below]
    return shared / whole if nan else torch.where(whole > 0, shared / whole, torch.zeros_like(shared))


def _pair(parameters, first, second):
    corners = (torch.tensor(rows, dtype=torch.float32).reshape(-1, 4) for rows in (first, second))
    return tuple(write_boxes(c, parameters) for c in corners)


def cases_of(parameters):
    """Boxes drawn as corners and written as the parameters want them."""

    def cases(generator):
        def random(count, whole):
            corners = torch.rand(count, 2, 2, generator=generator).sort(dim=1).values * 12
            return write_boxes((corners.round() if whole else corners).flatten(1), parameters)

        yield "the example above", _pair(parameters, [[2, 1, 6, 5]], [[4, 2, 12, 5]])
        yield "apart in x and in y", _pair(parameters, [[0, 0, 1, 2]], [[3, 4, 5, 5]])
        yield "one inside the other, and one that only touches", _pair(parameters, [[0, 0, 4, 4]], [[1, 1, 2, 3], [4, 0, 6, 4]])
        yield "no boxes at all", _pair(parameters, [], [[0, 0, 1, 1]])
        yield "two boxes without area", _pair(parameters, [[1, 1, 1, 1]], [[1, 1, 1, 1]])
        yield "smaller than a pixel", _pair(parameters, [[0, 0, 0.5, 0.5]], [[0.25, 0.25, 0.75, 0.5]])
        yield "two boxes against three", _pair(parameters, [[0, 0, 2, 2], [5, 5, 9, 9]], [[0, 0, 1, 2], [4, 4, 7, 7], [9, 0, 11, 3]])
        for _ in range(4):
            yield "random, whole numbers", (random(2, True), random(3, True))
            yield "random", (random(3, False), random(2, False))

    return cases


def make(parameters) -> Exercise:
    """The exercise."""
    given = {name: parameters[name] for name in ("x", "y", "order", "below")}

    def variant_iou(boxes1, boxes2):
        return overlap(boxes1, boxes2, **given)

    def with_slip(**slip):
        return lambda boxes1, boxes2: overlap(boxes1, boxes2, **{**given, **slip})

    names, (words, _) = column_names(parameters), BELOW[parameters["below"]]
    mistakes = [
        Misconception(
            "public-iou",
            blocks.box_iou,
            f"This is the IoU of boxes that are written as two corners. Here a row is ({', '.join(names)}), and the shared area is "
            f"divided by {words}.",
        ),
        Misconception(
            "columns-in-another-order",
            with_slip(order=[0, 1, 2, 3]),
            f"You took the numbers of x first and those of y after them. Here a row is ({', '.join(names)}).",
        ),
        Misconception(
            "no-clamp",
            with_slip(clamp=False),
            "Boxes that do not touch got an overlap: a negative width times a negative height is positive. How wide is an empty "
            "intersection?",
        ),
        Misconception(
            "zero-by-zero",
            with_slip(nan=True),
            "A box without area gave 0 / 0, which is NaN. Say what it should be: 0.",
        ),
        Misconception(
            "only-equal-rows",
            with_slip(pairs=False),
            "You compared the first with the first, the second with the second. Every box meets every box: the result is (N, M).",
        ),
    ]
    if parameters["x"] != parameters["y"]:
        hint = "You read the numbers of y as you read those of x. In this format the two axes are written in different ways."
        mistakes.append(Misconception("y-read-like-x", with_slip(y=parameters["x"]), hint))
    if parameters["below"] == "union":
        hint = "The shared part lies in both areas, so your union counts it twice. How often should it count?"
        mistakes.append(Misconception("counted-twice", with_slip(twice=True), hint))
    else:
        mistakes.append(Misconception("divided-by-the-union", with_slip(below="union"), f"You divided by the union. Here it is {words}."))
    return Exercise(
        name="13.variant_iou",
        reference=variant_iou,
        cases=cases_of(parameters),
        compare=Close(rtol=1e-5, atol=1e-5),
        misconceptions=mistakes,
        hints=[
            "Turn each row into left, top, right, bottom first; from there on it is the overlap that you know.",
            "The shared box starts at the larger of the two starts and ends at the smaller of the two ends; its sides are never below 0.",
        ],
        points=3,
        twins=("torchvision.ops.box_iou", "torchvision.ops.box_convert", blocks.box_iou, blocks.box_convert),
    )


def tell(parameters, arguments, result) -> str:
    """The text."""
    names, (words, _) = column_names(parameters), BELOW[parameters["below"]]
    one, two = (read_boxes(b, parameters["x"], parameters["y"], parameters["order"])[0] for b in arguments)
    area1, area2 = ((b[2:] - b[:2]).prod().item() for b in (one, two))
    shared = 6.0
    whole = {"union": area1 + area2 - shared, "smaller": min(area1, area2), "larger": max(area1, area2), "first": area1}[
        parameters["below"]
    ]
    rows = [[row, *boxes[0], *corners] for row, boxes, corners in (("A", arguments[0], one), ("B", arguments[1], two))]
    known = {
        "cx": "its middle in x (중심)",
        "cy": "its middle in y (중심)",
        "half_width": "half of its width",
        "half_height": "half of its height",
    }
    told = [f"`{name}` is {meaning}" for name, meaning in known.items() if name in names]
    explained = f" For a box, {', '.join(told)}." if told else ""
    return f"""### Exercise: variant_iou
*difficulty 3 of 5 · importance 4 of 5 · about 20 minutes*

A camera maker writes boxes in a way of its own: a row is **({", ".join(names)})**, in pixels, x to the right and y
downwards.{explained}
Compare all of `boxes1` with all of `boxes2`: the overlap (겹침) of a pair is the area that they share, divided by **{words}**. Where that
is 0, the overlap is 0.

By hand, the same two boxes as rows and as corners:

{table(["", *names, "→ left", "top", "right", "bottom"], *rows)}

They share the rectangle from (4, 2) to (6, 5): 2 x 3 = 6 square pixels. The areas are {show(area1)} and {show(area2)}, so the
overlap of A with B is
6 / {show(whole)} = **{show(result[0, 0])}**."""


def stub(parameters) -> str:
    """The cell."""
    names, (words, below) = column_names(parameters), BELOW[parameters["below"]]
    x = STEPS[parameters["x"]], dict(zip("ab", NAMES[parameters["x"]][0], strict=True), start="left", end="right")
    y = STEPS[parameters["y"]], dict(zip("ab", NAMES[parameters["y"]][1], strict=True), start="top", end="bottom")
    steps = "".join(f"\n        {line.format(**known)}" for line, known in (x, y) if line)
    area2 = "" if parameters["below"] == "first" else "\n    area2 = (end2 - start2).prod(dim=1)[None]"
    return f'''import torch
from torch import Tensor


def variant_iou(boxes1: Tensor, boxes2: Tensor) -> Tensor:
    """(N, 4) and (M, 4) float -> (N, M) float: the overlap of every pair.

    A row is ({", ".join(names)}) in pixels. The overlap is the shared area divided by
    {words}; 0 where that is 0.
    """
    ### BEGIN SOLUTION
    def corners(boxes):
        {", ".join(names)} = boxes.unbind(dim=1){steps}
        return torch.stack((left, top), dim=1), torch.stack((right, bottom), dim=1)

    start1, end1 = corners(boxes1)
    start2, end2 = corners(boxes2)
    start = torch.maximum(start1[:, None], start2[None])  # (N, M, 2)
    end = torch.minimum(end1[:, None], end2[None])
    shared = (end - start).clamp(min=0).prod(dim=2)
    area1 = (end1 - start1).prod(dim=1)[:, None]{area2}
    whole = {below}
    return torch.where(whole > 0, shared / whole, 0.0)
    ### END SOLUTION'''


variant_iou = Family(
    name="13.variant_iou",
    space={
        "x": list(WRITE),
        "y": list(WRITE),
        "order": [list(p) for p in itertools.permutations(range(4)) if p not in ((0, 1, 2, 3), (2, 3, 0, 1))],
        "below": list(BELOW),
    },
    make=make,
    tell=tell,
    stub=stub,
    allowed=allowed,
)
