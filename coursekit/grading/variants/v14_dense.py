"""14.variant_dense: a map of a number for each window, with a padding, a stride and a number of its own."""

import torch
from torch.nn import functional

from coursekit.exercises.core import Close, Exercise, Misconception
from coursekit.grading.variants.family import Family
from coursekit.grading.variants.text import show, some

NUMBERS = {  # in words; the solution's expression; for us, of (..., n) pixels
    "range": (
        "its brightest pixel minus its darkest",
        "window.max() - window.min()",
        lambda w: w.amax(-1) - w.amin(-1),
    ),
    "second": (
        "its second brightest pixel (of two equal ones that are brightest, that value)",
        "window.flatten().sort().values[-2]",
        lambda w: w.sort(-1).values[..., -2],
    ),
    "above": (
        "how many of its pixels are brighter than its mean",
        "(window > window.mean()).sum()",
        lambda w: (w > w.mean(-1, keepdim=True)).sum(-1).float(),
    ),
    "corners": (
        "the sum of its four corner pixels",
        "window[0, 0] + window[0, -1] + window[-1, 0] + window[-1, -1]",
        None,
    ),
}


def dense(image, height, width, down, right, top, left, fill, number, other_side=False):
    """The right map, with the rules to get wrong."""
    sides = (0, left, 0, top) if other_side else (left, 0, top, 0)
    wide = functional.pad(image, sides, value=float(fill))
    if wide.shape[0] < height or wide.shape[1] < width:
        return torch.zeros(0, 0)
    every = wide.unfold(0, height, down).unfold(1, width, right)
    if number == "corners":
        return every[..., 0, 0] + every[..., 0, -1] + every[..., -1, 0] + every[..., -1, -1]
    flat = every.flatten(2)
    known = {"max": lambda w: w.amax(-1), "mean": lambda w: w.mean(-1), **{name: rule for name, (_, _, rule) in NUMBERS.items()}}
    return known[number](flat)


def cases_of(parameters):
    """Whole numbers, images that are no squares; sizes that leave pixels over."""
    height, width, down, right, top, left = (parameters[n] for n in ("height", "width", "down", "right", "top", "left"))

    def cases(generator):
        def draw(rows, columns, high=10):
            return torch.randint(0, high, (rows, columns), generator=generator).float()

        ramp = (torch.arange(30) * 7 % 10).float().reshape(5, 6)
        yield "the example above", (ramp,)
        yield "as large as the window", ((torch.arange(height * width) * 3 % 7).float().reshape(height, width),)
        yield "all alike", (torch.full((height + 1, width + 2), 4.0),)
        yield "too low for a window", (torch.ones(height - top - 1, width + 2),)
        yield "too narrow for a window", (torch.ones(height + 2, width - left - 1),)
        yield "just one row of windows", (torch.arange(1.0, (height - top) * 9 + 1).reshape(height - top, 9),)
        yield "just one column of windows", (torch.arange(1.0, (width - left) * 9 + 1).reshape(9, width - left),)
        for index in range(5):
            rows, columns = (torch.randint(0, 5, (2,), generator=generator) + torch.tensor([height, width])).tolist()
            yield "random", (draw(rows, columns),)
            yield "random, few shades of grey", (draw(height + 2 * down + index % 2, width + 2 * right, 3),)

    return cases


def make(parameters) -> Exercise:
    """The exercise."""

    def variant_dense(image):
        return dense(image, **parameters)

    def with_slip(**slip):
        return lambda image: dense(image, **{**parameters, **slip})

    height, width, down, right, top, left, fill = (parameters[n] for n in ("height", "width", "down", "right", "top", "left", "fill"))
    words = NUMBERS[parameters["number"]][0]
    slips = {
        "public-max-pool": ({"number": "max", "top": 0, "left": 0}, f"This is a max pool. Each window gives {words}."),
        "public-average-pool": ({"number": "mean", "top": 0, "left": 0}, f"This is an average pool. Each window gives {words}."),
        "not-padded": ({"top": 0, "left": 0}, f"You did not pad: {some(top, 'row')} above and {some(left, 'column')} on the left."),
        "padded-with-zeros": ({"fill": 0}, f"You padded with zeros. The padding is {fill}."),
        "padded-at-the-far-sides": ({"other_side": True}, "You padded below and on the right. It belongs above and on the left."),
        "sides-swapped": ({"height": width, "width": height}, f"Your windows lie on their side: they are {height} high and {width} wide."),
        "strides-swapped": ({"down": right, "right": down}, f"The steps changed places: {down} downwards, {right} to the right."),
    }
    return Exercise(
        name="14.variant_dense",
        reference=variant_dense,
        cases=cases_of(parameters),
        compare=Close(rtol=1e-5, atol=1e-5),
        misconceptions=[Misconception(name, with_slip(**slip), hint) for name, (slip, hint) in slips.items()],
        hints=[
            "Pad first: a tensor full of the padding, and the image laid into it, its last row and column at the end.",
            "How many windows fit? `(padded height - window height) // stride + 1`. Then a loop over rows and columns of the map.",
        ],
        points=3,
        twins=(
            "torch.nn.functional.max_pool2d",
            "torch.nn.functional.avg_pool2d",
            "coursekit.models.convolution.max_pool2d",
            "coursekit.models.convolution.avg_pool2d",
            "coursekit.sliding.heatmap.heat_map",
        ),
    )


def tell(parameters, arguments, result) -> str:
    """The text."""
    height, width, down, right, top, left, fill = (parameters[n] for n in ("height", "width", "down", "right", "top", "left", "fill"))
    wide = functional.pad(arguments[0], (left, 0, top, 0), value=float(fill))
    drawn = "\n".join("    " + " ".join(f"{int(pixel):3}" for pixel in row) for row in wide.tolist())
    listed = ", ".join(f"**{show(v)}**" for v in result.flatten().tolist()[:8])
    return f"""### Exercise: variant_dense
*difficulty 3 of 5 · importance 4 of 5 · about 20 minutes*

A dense map (밀집 맵) holds one number for each place of a window. Here:

- The image is padded (패딩) with the value **{fill}**: **{some(top, "row")}** above and **{some(left, "column")}** on the left;
nothing below and on the right.
- The window is **{height} high and {width} wide**, and moves **{down}** down and **{right}** to the right. It never leaves the
padded image.
- Each window gives **{NUMBERS[parameters["number"]][0]}**.

The result is a float map of all windows. If the padded image is lower or narrower than the window, its shape is (0, 0).

By hand: an image of 5 x 6, padded:

{drawn}

The window at the top left covers {show(wide[:height, :width])} and gives {show(result[0, 0])}. The map has {result.shape[0]} rows
and {result.shape[1]} columns; its first
numbers, row by row, are {listed}."""


def stub(parameters) -> str:
    """The cell."""
    height, width, down, right, top, left, fill = (parameters[n] for n in ("height", "width", "down", "right", "top", "left", "fill"))
    words, number, _ = NUMBERS[parameters["number"]]
    return f'''import torch
from torch import Tensor


def variant_dense(image: Tensor) -> Tensor:
    """(H, W) float -> (rows, columns) float: for each window {words}.

    Padded with {fill}: {some(top, "row")} above, {some(left, "column")} on the left.
    Windows {height} high and {width} wide, steps of {down} down and {right} to the right. (0, 0) if no window fits.
    """
    ### BEGIN SOLUTION
    padded = torch.full((image.shape[0] + {top}, image.shape[1] + {left}), {float(fill)})
    padded[{top}:, {left}:] = image
    rows = (padded.shape[0] - {height}) // {down} + 1
    columns = (padded.shape[1] - {width}) // {right} + 1
    if rows <= 0 or columns <= 0:
        return torch.zeros(0, 0)
    result = torch.zeros(rows, columns)
    for row in range(rows):
        for column in range(columns):
            window = padded[row * {down} : row * {down} + {height}, column * {right} : column * {right} + {width}]
            result[row, column] = {number}
    return result
    ### END SOLUTION'''


variant_dense = Family(
    name="14.variant_dense",
    space={
        "height": [2, 3, 4],
        "width": [2, 3, 4],
        "down": [1, 2, 3],
        "right": [1, 2, 3],
        "top": [1, 2],
        "left": [1, 2],
        "fill": [-3, 5, 12],
        "number": list(NUMBERS),
    },
    make=make,
    tell=tell,
    stub=stub,
    allowed=lambda p: p["height"] != p["width"] and p["down"] != p["right"] and p["top"] < p["height"] and p["left"] < p["width"],
)
