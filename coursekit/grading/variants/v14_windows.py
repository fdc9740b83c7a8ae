"""14.variant_windows: windows that are no squares, and that cover a picture to its edge in a way of their own."""

import torch

from coursekit.exercises.core import Exact, Exercise, Misconception
from coursekit.grading.variants.family import Family
from coursekit.grading.variants.text import show, some
from coursekit.sliding import windows as blocks

RULES = {  # in words; the solution's line
    "back": (
        "start at 0 and, where pixels are left over at the far edge, add one more that ends exactly at that edge",
        "if places[-1] < last:\n            places.append(last)",
    ),
    "middle": (
        "leave the pixels that are left over half at the near edge, rounded down, and the rest at the far one",
        "places = [p + (last - places[-1]) // 2 for p in places]",
    ),
    "end": (
        "leave all pixels that are left over at the near edge: the last window ends exactly at the far one",
        "places = [p + last - places[-1] for p in places]",
    ),
}
ORDERS = {"rows": ("row by row", "for y in tops for x in lefts"), "columns": ("column by column", "for x in lefts for y in tops")}


def places(side, window, stride, rule):
    """Where windows begin along one side."""
    found = list(range(0, side - window + 1, stride))
    if not found:
        return []
    left = side - window - found[-1]
    if rule == "back":
        return [*found, side - window] if left else found
    return [p + {"middle": left // 2, "end": left, "start": 0, "middle-up": (left + 1) // 2}[rule] for p in found]


def windows(size, height, width, down, right, rule, order, turned=False):
    """The right windows, with the rules to get wrong."""
    tops, lefts = places(size[0], height, down, rule), places(size[1], width, right, rule)
    corners = [(y, x) for y in tops for x in lefts] if order == "rows" else [(y, x) for x in lefts for y in tops]
    rows = [(y, x, y + height, x + width) if turned else (x, y, x + width, y + height) for y, x in corners]
    return torch.tensor(rows, dtype=torch.int64).reshape(-1, 4)


def cases_of(parameters):
    """Sides with every number of pixels left over."""
    height, width, down, right = (parameters[name] for name in ("height", "width", "down", "right"))

    def cases(generator):
        yield "the example above", ((height + down + 1, width + right + 1),)
        yield "nothing left over", ((height + 2 * down, width + right),)
        yield "several left over", ((height + 2 * down - 1, width + 2 * right - 1),)
        yield "exactly one window", ((height, width),)
        yield "lower than the window", ((height - 1, width + 9),)
        yield "narrower than the window", ((height + 9, width - 1),)
        yield "no pixels at all", ((0, 0),)
        for index in range(12):
            more = torch.randint(0, 14, (2,), generator=generator).tolist()
            yield ("random, high" if index % 2 else "random"), ((height + more[0] + 12 * (index % 2), width + more[1]),)

    return cases


def make(parameters) -> Exercise:
    """The exercise."""

    def variant_windows(size_hw):
        return windows(size_hw, **parameters)

    def with_slip(**slip):
        return lambda size_hw: windows(size_hw, **{**parameters, **slip})

    height, width, down, right, rule = (parameters[name] for name in ("height", "width", "down", "right", "rule"))

    def public(size_hw):
        return blocks.windows(size_hw, height, down)

    words, order = RULES[rule][0], ORDERS[parameters["order"]][0]
    another = {"back": "end", "middle": "middle-up", "end": "back"}[rule]
    slips = {
        "plain-grid": (with_slip(rule="start"), f"Your windows start at 0 and leave the rest. Here they {words}."),
        "another-cover": (with_slip(rule=another), f"Look at where the windows of a side stand. They {words}."),
        "sides-swapped": (
            with_slip(height=width, width=height),
            f"Your windows lie on their side: they are {height} high and {width} wide.",
        ),
        "strides-swapped": (with_slip(down=right, right=down), f"The steps changed places: {down} downwards, {right} to the right."),
        "another-order": (
            with_slip(order="columns" if parameters["order"] == "rows" else "rows"),
            f"The windows are right, and stand in another order. They go {order}.",
        ),
        "y-before-x": (with_slip(turned=True), "You wrote y before x. A box is (x1, y1, x2, y2)."),
    }
    return Exercise(
        name="14.variant_windows",
        reference=variant_windows,
        cases=cases_of(parameters),
        compare=Exact(),
        misconceptions=[
            Misconception(
                "public-windows", public, f"These are square windows in even steps from 0. Here they are {height} x {width}, and {words}."
            ),
            *(Misconception(name, wrong, hint) for name, (wrong, hint) in slips.items()),
        ],
        hints=[
            "Solve one side first: a function that gives the places along a side of n pixels for a window and a stride.",
            "`list(range(0, n - window + 1, stride))` are the places of a plain grid. What is left over behind the last one?",
        ],
        points=3,
        twins=(blocks.windows, blocks.places, "coursekit.data.tiles.tile_windows"),
    )


def tell(parameters, arguments, result) -> str:
    """The text."""
    height, width, down, right, rule = (parameters[name] for name in ("height", "width", "down", "right", "rule"))
    (high, wide) = arguments[0]
    tops, lefts = places(high, height, down, rule), places(wide, width, right, rule)
    boxes = ", ".join(f"**{show(row)}**" for row in result.tolist()[:4])
    return f"""### Exercise: variant_windows
*difficulty 3 of 5 · importance 3 of 5 · about 20 minutes*

Lay windows (윈도우) of **{height} x {width}** pixels (height x width) over a picture, **{down} pixels** from one to the next
downwards and **{right}** to the right. Along each side
as many stand in even steps as fit. And they {RULES[rule][0]}.

Give their boxes as (x1, y1, x2, y2), **{ORDERS[parameters["order"]][0]}**, int64. A picture that is too small for one window gives
shape (0, 4).

By hand: a picture of {high} x {wide}. Downwards, windows begin at {show(tops)}; to the right, at {show(lefts)}. That makes
{some(len(result), "box").replace("boxs", "boxes")}{", the first 4" * (len(result) > 4)}: {boxes}."""


def stub(parameters) -> str:
    """The cell."""
    height, width, down, right, rule = (parameters[name] for name in ("height", "width", "down", "right", "rule"))
    order, loops = ORDERS[parameters["order"]]
    return f'''import torch
from torch import Tensor


def variant_windows(size_hw: tuple[int, int]) -> Tensor:
    """(height, width) of a picture -> (N, 4) int64 boxes (x1, y1, x2, y2), {order}; (0, 4) if no window fits.

    Windows {height} high and {width} wide, steps of {down} down and {right} to the right.
    They {RULES[rule][0]}.
    """
    ### BEGIN SOLUTION
    def along(side, window, stride):
        places = list(range(0, side - window + 1, stride))
        if not places:
            return []
        last = side - window
        {RULES[rule][1]}
        return places

    tops = along(size_hw[0], {height}, {down})
    lefts = along(size_hw[1], {width}, {right})
    rows = [(x, y, x + {width}, y + {height}) {loops}]
    return torch.tensor(rows, dtype=torch.int64).reshape(-1, 4)
    ### END SOLUTION'''


variant_windows = Family(
    name="14.variant_windows",
    space={
        "height": [4, 5, 6, 7],
        "width": [4, 5, 6, 7],
        "down": [2, 3, 4, 5],
        "right": [2, 3, 4, 5],
        "rule": list(RULES),
        "order": list(ORDERS),
    },
    make=make,
    tell=tell,
    stub=stub,
    allowed=lambda p: p["height"] != p["width"] and p["down"] != p["right"],
)
