"""19.variant_decode: from what the cells of two maps say to boxes, with distances on an exponential scale."""

import itertools

import torch

from coursekit.exercises.core import Close, Exercise, Misconception
from coursekit.grading.variants.family import Family
from coursekit.grading.variants.text import show, table
from coursekit.yolo import decode as blocks

SIDES = ("left", "top", "right", "bottom")


def cells_of(size, strides, offset, up, column_first=False):
    """(A, 2) points and (A,) strides of every cell."""
    points, steps = [], []
    for stride in strides:
        rows, columns = (-(-n // stride) if up else n // stride for n in size)
        places = [(x, y) for y in range(rows) for x in range(columns)]
        if column_first:
            places = [(x, y) for x in range(columns) for y in range(rows)]
        points += [((x + offset) * stride, (y + offset) * stride) for x, y in places]
        steps += [stride] * len(places)
    return torch.tensor(points, dtype=torch.float32).reshape(-1, 2), torch.tensor(steps, dtype=torch.float32)


def decode(raw, size, base, offset, strides, order, up, grown=True, clip=True, in_pixels=False, by_column=False):
    """The right boxes, with the rules to get wrong."""
    points, steps = cells_of(size, strides, offset, up, by_column)
    sides = (torch.tensor(float(base)) ** raw if grown else raw) * (1.0 if in_pixels else steps[:, None])
    left, top, right, bottom = (sides[:, order.index(i)] for i in range(4))
    x, y = points.unbind(dim=1)
    boxes = torch.stack((x - left, y - top, x + right, y + bottom), dim=1)
    return torch.minimum(boxes.clamp(min=0), boxes.new_tensor([size[1], size[0]] * 2)) if clip else boxes


def cases_of(parameters):
    """Images of which every stride leaves something over, and of which none does."""
    strides, up = parameters["strides"], parameters["up"]

    def cases(generator):
        coarse = max(strides)

        def case(size, low=-2.0, high=2.0):
            points, _ = cells_of(size, strides, 0.0, up)
            return torch.rand(len(points), 4, generator=generator) * (high - low) + low, size

        size = (coarse, 2 * coarse)
        count = len(cells_of(size, strides, 0.0, up)[0])
        raw = torch.zeros(count, 4)
        raw[0] = torch.tensor([-1.0, 0.0, 1.0, 2.0])
        yield "the example above", (raw, size)
        yield "all 0: boxes of two strides", (torch.zeros(count, 4), size)
        yield "a number of its own for each side", (torch.arange(4.0).expand(count, 4) / 2 - 1, size)
        yield "small boxes, nothing to clip", case((3 * coarse, 2 * coarse), -5.0, -3.0)
        yield "a pixel more than whole cells", case((coarse + 1, 2 * coarse + 1))
        for index in range(5):
            rows, columns = torch.randint(1, 3, (2,), generator=generator).tolist()
            more = torch.randint(1, coarse, (2,), generator=generator).tolist()
            yield "random", case((rows * coarse + more[0], columns * coarse + more[1]))
            yield "random, whole cells", case((rows * coarse, (columns + 1) * coarse), -4.0, 0.5 + index / 4)

    return cases


def make(parameters) -> Exercise:
    """The exercise."""

    def variant_decode(raw, size_hw):
        return decode(raw, size_hw, **parameters)

    def with_slip(**slip):
        return lambda raw, size_hw: decode(raw, size_hw, **{**parameters, **slip})

    base, offset, strides, order, up = (parameters[name] for name in ("base", "offset", "strides", "order", "up"))

    def public(raw, size_hw):
        points, steps = cells_of(size_hw, sorted(strides), 0.5, False)
        return blocks.sides_to_boxes(raw, points, steps)

    names = ", ".join(SIDES[i] for i in order)
    slips = {
        "centres-of-cells": (
            {"offset": 0.5},
            f"You measured from the centres of the cells. The point of a cell lies at {offset} of its side.",
        ),
        "sides-in-another-order": ({"order": [0, 1, 2, 3]}, f"You read left, top, right, bottom. The four numbers are {names}."),
        "no-power": ({"grown": False}, f"You took the numbers for distances. A distance is {base} to the power of the number."),
        "power-of-e": ({"base": 2.718281828}, f"You took exp. The base is {base}."),
        "not-in-strides": ({"in_pixels": True}, "Your distances are in pixels. They are in strides of the cell's map: multiply."),
        "maps-swapped": ({"strides": strides[::-1]}, f"The maps come in the order of these strides: {show(strides)}."),
        "column-by-column": ({"by_column": True}, "You went through the cells column by column. They come row by row."),
        "not-clipped": ({"clip": False}, "Some of your boxes leave the image. They are clipped to it."),
        "rounded-the-other-way": (
            {"up": not up},
            f"An image that is no multiple of a stride: rows and columns are rounded {'up' if up else 'down'}.",
        ),
    }
    return Exercise(
        name="19.variant_decode",
        reference=variant_decode,
        cases=cases_of(parameters),
        compare=Close(rtol=1e-4, atol=1e-3),
        misconceptions=[
            Misconception(
                "public-decode", public, f"This is the notebook's decoding. Here distances are powers of {base}, and points are no centres."
            ),
            *(Misconception(name, with_slip(**slip), hint) for name, (slip, hint) in slips.items()),
        ],
        hints=[
            "First the points: for each map, for each row, for each column: x = (column + offset) * stride, y likewise; and note "
            "the stride.",
            f"`{base} ** raw` grows all numbers at once; times `strides[:, None]` they are pixels. Then name the four columns.",
        ],
        points=3,
        twins=(blocks.sides_to_boxes, blocks.decode, "coursekit.boxes.clip_boxes_to_image"),
    )


def tell(parameters, arguments, result) -> str:
    """The text."""
    base, offset, strides, order, up = (parameters[name] for name in ("base", "offset", "strides", "order", "up"))
    raw, size = arguments
    lines = [[SIDES[i], n, f"{base:g}^{show(n)}", base**n, base**n * strides[0]] for i, n in zip(order, raw[0].tolist(), strict=True)]
    corner = ", ".join(f"**{show(v)}**" for v in result[0].tolist())
    second = ", ".join(f"**{show(v)}**" for v in result[1].tolist())
    point = offset * strides[0]
    return f"""### Exercise: variant_decode
*difficulty 3 of 5 · importance 4 of 5 · about 25 minutes*

The head of a detector says four numbers for each cell (셀). Turn them into boxes (디코딩):

- There are two maps, with cells of **{strides[0]}** pixels and of **{strides[1]}**, in this order. A map has
{"as many" if up else "only as many"} rows as height / stride, rounded
  **{"up" if up else "down"}**, and columns likewise from the width. Cells come row by row.
- The point of a cell in row r and column c is **x = (c + {offset}) · stride, y = (r + {offset}) · stride**.
- The four numbers stand for the distances (거리) from the point to the **{", ".join(SIDES[i] for i in order)}** edge of the box. A
distance is **{base:g}^number · stride** pixels.
- The boxes (x1, y1, x2, y2) are clipped to the image of `size_hw` = (height, width).

By hand, the first cell of an image of {size[0]} x {size[1]}; its point is ({show(point)}, {show(point)}):

{table(["edge", "number", "power", "in strides", "in pixels"], *lines)}

Clipped to the image its box is {corner}. All other cells say 0, which is a distance of one stride; the second cell's box is {second}."""


def stub(parameters) -> str:
    """The cell."""
    base, offset, strides, order, up = (parameters[name] for name in ("base", "offset", "strides", "order", "up"))
    names = ", ".join(SIDES[i] for i in order)
    count = "-(-{side} // stride)" if up else "{side} // stride"
    return f'''import torch
from torch import Tensor


def variant_decode(raw: Tensor, size_hw: tuple[int, int]) -> Tensor:
    """raw: (A, 4) float, the {names} of each cell; (height, width) -> (A, 4) float boxes xyxy.

    Maps of strides {strides}, cells row by row, rows and columns rounded {"up" if up else "down"}. Points at {offset} of a cell.
    A distance is {base} to the power of the number, in strides. Clipped to the image.
    """
    ### BEGIN SOLUTION
    height, width = size_hw
    points, strides = [], []
    for stride in {tuple(strides)}:
        for row in range({count.format(side="height")}):
            for column in range({count.format(side="width")}):
                points.append([(column + {offset}) * stride, (row + {offset}) * stride])
                strides.append([stride])
    x, y = torch.tensor(points).unbind(dim=1)
    {names} = (torch.tensor(strides) * {base}**raw).unbind(dim=1)
    boxes = torch.stack((x - left, y - top, x + right, y + bottom), dim=1)
    return torch.minimum(boxes.clamp(min=0), torch.tensor([width, height, width, height]))
    ### END SOLUTION'''


variant_decode = Family(
    name="19.variant_decode",
    space={
        "base": [1.5, 1.75, 2.5, 3.0],
        "offset": [0.25, 0.375, 0.625, 0.75],
        "strides": [[4, 8], [6, 12], [8, 12], [8, 4], [12, 6], [6, 9]],
        "order": [list(p) for p in itertools.permutations(range(4)) if p != (0, 1, 2, 3)],
        "up": [True, False],
    },
    make=make,
    tell=tell,
    stub=stub,
)
