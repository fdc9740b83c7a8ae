"""14.variant_cells: from cells of a map back to boxes in the picture, for a padded map of a shrunken picture."""

import torch

from coursekit.exercises.core import Close, Exercise, Misconception
from coursekit.grading.variants.family import Family
from coursekit.grading.variants.text import show, table
from coursekit.sliding import heatmap


def boxes_of(
    cells, size, height, width, down, right, top, left, scale, rim, shift=True, clip=True, undo=True, rim_after=False, swapped=False
):
    """The right boxes, with the rules to get wrong."""
    cells = cells.flip(1) if swapped else cells
    rows, columns = cells[:, 0].float(), cells[:, 1].float()
    y, x = rows * down - (top if shift else 0), columns * right - (left if shift else 0)
    inside = 0 if rim_after else rim
    boxes = torch.stack((x + inside, y + inside, x + width - inside, y + height - inside), dim=1)
    boxes = boxes / scale if undo else boxes * scale
    if rim_after:
        boxes = boxes + boxes.new_tensor([rim, rim, -rim, -rim])
    return torch.minimum(boxes.clamp(min=0), boxes.new_tensor([size[1], size[0]] * 2)) if clip else boxes


def cases_of(parameters):
    """Cells at the edges, which are clipped, and in the middle. Scales are exact in binary or thirds of whole numbers."""
    height, width, down, right, scale = (parameters[name] for name in ("height", "width", "down", "right", "scale"))

    def cases(generator):
        def size(rows, columns):
            return round((rows * down + height) / scale), round((columns * right + width) / scale)

        yield "the example above", (torch.tensor([[2, 1]]), size(6, 6))
        yield "the cell at the top left", (torch.tensor([[0, 0]]), size(4, 4))
        yield "the last cell sticks out", (torch.tensor([[4, 5], [1, 3]]), size(3, 4))
        yield "no cells", (torch.zeros(0, 2, dtype=torch.int64), (20, 30))
        for index in range(8):
            count = 1 + index % 4
            cells = torch.stack([torch.randint(0, most, (count,), generator=generator) for most in (7, 10)], dim=1)
            yield ("random, some stick out" if index % 2 else "random"), (cells, size(5, 8) if index % 2 else size(9, 12))

    return cases


def make(parameters) -> Exercise:
    """The exercise."""

    def variant_cells(cells, size_hw):
        return boxes_of(cells, size_hw, **parameters)

    def with_slip(**slip):
        return lambda cells, size_hw: boxes_of(cells, size_hw, **{**parameters, **slip})

    height, width, down, right, top, left, scale, rim = (
        parameters[n] for n in ("height", "width", "down", "right", "top", "left", "scale", "rim")
    )

    def public(cells, size_hw):
        return heatmap.cells_to_boxes(cells, height, down, rim, scale)

    slips = {
        "padding-forgotten": (
            {"shift": False},
            f"The map was padded: cell (0, 0) begins {top} pixels above the picture and {left} to the left of it.",
        ),
        "not-clipped": ({"clip": False}, "Some of your boxes leave the picture. They are clipped to it at the end."),
        "scaled-the-wrong-way": ({"undo": False}, f"The map saw the picture at {scale} times its size. Which way leads back?"),
        "rim-after-scaling": (
            {"rim_after": True},
            f"The rim of {rim} pixels was taken off in the picture. It is measured in the map's pixels.",
        ),
        "rim-forgotten": (
            {"rim": 0},
            f"Your boxes are the whole windows. A rim of {rim} pixels on each side does not belong to the object.",
        ),
        "x-and-y-swapped": ({"swapped": True}, "You took the first number of a cell for its column. It is the row, which decides about y."),
        "strides-swapped": ({"down": right, "right": down}, f"The steps changed places: {down} downwards, {right} to the right."),
        "sides-swapped": ({"height": width, "width": height}, f"Your windows lie on their side: they are {height} high and {width} wide."),
    }
    return Exercise(
        name="14.variant_cells",
        reference=variant_cells,
        cases=cases_of(parameters),
        compare=Close(rtol=1e-4, atol=1e-4),
        misconceptions=[
            Misconception(
                "public-cells-to-boxes",
                public,
                f"This is `cells_to_boxes`, for square windows and one stride. Here windows are {height} x {width}, the map is "
                f"padded, and boxes are "
                "clipped.",
            ),
            *(Misconception(name, with_slip(**slip), hint) for name, (slip, hint) in slips.items()),
        ],
        hints=[
            f"In the map's own pixels, the window of cell (row, column) begins at y = row * {down} - {top}.",
            "The order of the steps: window, minus the rim, divided by the scale, clipped to the picture.",
        ],
        points=3,
        twins=(heatmap.cells_to_boxes, "coursekit.boxes.clip_boxes_to_image"),
    )


def tell(parameters, arguments, result) -> str:
    """The text."""
    height, width, down, right, top, left, scale, rim = (
        parameters[n] for n in ("height", "width", "down", "right", "top", "left", "scale", "rim")
    )
    (row, column), (high, wide) = arguments[0][0].tolist(), arguments[1]
    y, x = row * down - top, column * right - left
    lines = [
        ["window", x, y, x + width, y + height],
        [f"without its rim of {rim}", x + rim, y + rim, x + width - rim, y + height - rim],
        [f"divided by {scale}, clipped", *(f"**{show(v)}**" for v in result[0].tolist())],
    ]
    return f"""### Exercise: variant_cells
*difficulty 3 of 5 · importance 4 of 5 · about 20 minutes*

A network looked at a picture at **{scale} times** its size, through windows **{height} high and {width} wide**, **{down} pixels**
apart downwards and **{right}** to the right. Before, the
enlarged picture was padded (패딩) with **{top}** rows above and **{left}** columns on the left. Some cells (셀) of the map fired.
Where in the picture are their boxes?

- The window of cell (row, column) begins, in pixels of the enlarged picture, at y = row * {down} - {top} and x = column * {right} - {left}.
- A rim of **{rim}** pixels on each of its four sides is not part of the object.
- What remains is divided by {scale}, and clipped (자르기) to the picture of `size_hw` = (height, width): x to 0 ... width, y to
  0 ... height.

By hand, cell ({row}, {column}) in a picture of {high} x {wide}:

{table(["", "x1", "y1", "x2", "y2"], *lines)}"""


def stub(parameters) -> str:
    """The cell."""
    height, width, down, right, top, left, scale, rim = (
        parameters[n] for n in ("height", "width", "down", "right", "top", "left", "scale", "rim")
    )
    return f'''import torch
from torch import Tensor


def variant_cells(cells: Tensor, size_hw: tuple[int, int]) -> Tensor:
    """(N, 2) int64 row and column, (height, width) of the picture -> (N, 4) float boxes xyxy in the picture.

    Windows {height} high and {width} wide, {down} apart downwards and {right} to the right, in the picture at {scale} times its
    size, padded by {top} above and {left} on the left. Rim: {rim} on each side. Clipped to the picture.
    """
    ### BEGIN SOLUTION
    y = cells[:, 0].float() * {down} - {top}
    x = cells[:, 1].float() * {right} - {left}
    boxes = torch.stack((x + {rim}, y + {rim}, x + {width - rim}, y + {height - rim}), dim=1) / {scale}
    high, wide = size_hw
    return torch.minimum(boxes.clamp(min=0), torch.tensor([wide, high, wide, high]))
    ### END SOLUTION'''


variant_cells = Family(
    name="14.variant_cells",
    space={
        "height": [16, 20, 24, 28],
        "width": [16, 20, 24, 28],
        "down": [6, 7, 9, 10],
        "right": [6, 7, 9, 10],
        "top": [5, 6, 8],
        "left": [5, 6, 8],
        "scale": [1.25, 1.5, 2.0, 2.5],
        "rim": [2, 3],
    },
    make=make,
    tell=tell,
    stub=stub,
    allowed=lambda p: p["height"] != p["width"] and p["down"] != p["right"] and p["top"] != p["left"],
)
