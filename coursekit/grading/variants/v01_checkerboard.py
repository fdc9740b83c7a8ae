"""01.variant_checkerboard: every other field of an image, changed in a way of its own."""

import torch

from coursekit.exercises.core import Exact, Exercise, Misconception
from coursekit.grading.variants.family import Family
from coursekit.grading.variants.text import show

CHANGES = {  # in words, the solution's expression, and for us
    "negative": ("becomes its negative: 255 minus the pixel", "255 - image", lambda image: 255 - image),
    "half": ("becomes half as bright: the pixel // 2", "image // 2", lambda image: image // 2),
    "third": ("becomes a third as bright: the pixel // 3", "image // 3", lambda image: image // 3),
    "white": ("becomes white: 255", "255", lambda image: torch.full_like(image, 255)),
}


def checker(image, height, width, down, right, change, odd, flip=False, swapped=False, unmoved=False, one_way=None):
    """The right image, with its rules to get wrong."""
    if swapped:
        height, width = width, height
    down, right = (0, 0) if unmoved else (down, right)
    rows = (torch.arange(image.shape[0]) + down) // height
    columns = (torch.arange(image.shape[1]) + right) // width
    fields = rows[:, None] + columns[None, :]
    if one_way is not None:
        fields = (rows[:, None] + 0 * columns[None, :]) if one_way == "rows" else (0 * rows[:, None] + columns[None, :])
    marked = fields % 2 == (int(odd) ^ int(flip))
    return torch.where(marked, CHANGES[change][2](image), image)


def cases_of(parameters):
    """Every pixel another number; sizes that are no whole number of fields."""
    height, width = parameters["height"], parameters["width"]

    def ramp(rows, columns):
        return (torch.arange(rows * columns) * 7 % 200 + 11).to(torch.uint8).reshape(rows, columns)

    def cases(generator):
        yield "the example above", (torch.full((4, 6), 90, dtype=torch.uint8),)
        yield "one field high and wide, and a bit", (ramp(height + 1, width + 1),)
        yield "one row", (ramp(1, 3 * width),)
        yield "one column", (ramp(3 * height, 1),)
        yield "no pixels", (torch.zeros(0, 4, dtype=torch.uint8),)
        for _ in range(4):
            rows, columns = torch.randint(2, 12, (2,), generator=generator).tolist()
            yield "random", (torch.randint(0, 256, (rows, columns), generator=generator, dtype=torch.uint8),)
            sides = (2 * height + 1, 3 * width + 2)
            yield "random, several fields", (torch.randint(0, 256, sides, generator=generator, dtype=torch.uint8),)

    return cases


def make(parameters) -> Exercise:
    """The exercise."""

    def variant_checkerboard(image):
        return checker(image, **parameters)

    def with_slip(**slip):
        return lambda image: checker(image, **{**parameters, **slip})

    def public(image):
        return checker(image, 1, 1, 0, 0, parameters["change"], odd=True)

    height, width, down = (parameters[name] for name in ("height", "width", "down"))
    parity = int(parameters["odd"])
    return Exercise(
        name="01.variant_checkerboard",
        reference=variant_checkerboard,
        cases=cases_of(parameters),
        compare=Exact(dtype="same"),
        misconceptions=[
            Misconception(
                "public-board-of-pixels", public, f"Your fields are single pixels. Here a field is {height} pixels high and {width} wide."
            ),
            Misconception("the-other-fields", with_slip(flip=True), "You changed the fields that stay, and left those that change."),
            Misconception(
                "height-and-width-swapped", with_slip(swapped=True), f"Your fields lie on their side: they are {height} high, {width} wide."
            ),
            Misconception(
                "not-moved",
                with_slip(unmoved=True),
                f"Your board begins with a whole field. Count the row as y + {down} and the column as x + {parameters['right']}.",
            ),
            Misconception(
                "stripes-of-rows", with_slip(one_way="rows"), "These are stripes. Both the field's row and its column count: add them."
            ),
            Misconception(
                "stripes-of-columns", with_slip(one_way="columns"), "These are stripes. Both the field's row and its column count."
            ),
        ],
        hints=[
            f"The field's row is (y + {down}) // {height}; `torch.arange(H)` gives every y at once. The field's column likewise.",
            "`rows[:, None] + columns[None, :]` is (H, W). Is it odd or even? `torch.where` then chooses pixel by pixel.",
        ],
        points=2,
        equivalent={f"marked = (rows[:, None] - columns[None, :]) % 2 == {parity}": "a sum is odd where the difference is"},
    )


def tell(parameters, arguments, result) -> str:
    """The text."""
    height, width, down, right, odd = (parameters[name] for name in ("height", "width", "down", "right", "odd"))
    drawn = "\n".join("    " + " ".join(f"{pixel:3}" for pixel in row) for row in result.tolist())
    values = " and ".join(f"**{value}**" for value in sorted(set(result.flatten().tolist())))
    return f"""### Exercise: variant_checkerboard
*difficulty 2 of 5 · importance 3 of 5 · about 15 minutes*

Lay a checkerboard (체커보드) over a grey image. Its fields are **{height} pixels high and {width} wide**, and it is moved up by {down}
and to the left by {right}: pixel
(y, x) lies in the field of row (y + {down}) // {height} and column (x + {right}) // {width}. Where row + column is
**{"odd" if odd else "even"}**, the pixel
{CHANGES[parameters["change"]][0]}. All other pixels stay. No loop over pixels is needed: let two small tensors broadcast (브로드캐스팅).

By hand: an image of 4 x 6 pixels, all of them 90, becomes

{drawn}

of the values {values}. The pixel at the top left lies in field row {down // height}, column {right // width}: the sum is
{"odd" if (down // height + right // width) % 2 else "even"}, so it
{"changes to" if ((down // height + right // width) % 2 == 1) == odd else "stays"} {show(result[0, 0])}."""


def stub(parameters) -> str:
    """The cell."""
    height, width, down, right, odd = (parameters[name] for name in ("height", "width", "down", "right", "odd"))
    words, change, _ = CHANGES[parameters["change"]]
    return f'''import torch
from torch import Tensor


def variant_checkerboard(image: Tensor) -> Tensor:
    """(H, W) uint8 -> (H, W) uint8, a new image.

    Pixel (y, x) lies in field row (y + {down}) // {height} and field column (x + {right}) // {width}. Where row + column is
    {"odd" if odd else "even"}, it {words}.
    """
    ### BEGIN SOLUTION
    rows = (torch.arange(image.shape[0]) + {down}) // {height}
    columns = (torch.arange(image.shape[1]) + {right}) // {width}
    marked = (rows[:, None] + columns[None, :]) % 2 == {int(odd)}
    return torch.where(marked, {change}, image)
    ### END SOLUTION'''


def allowed(parameters) -> bool:
    """Fields that are no squares, moved by less than one field, and by something."""
    height, width, down, right = (parameters[name] for name in ("height", "width", "down", "right"))
    return height != width and 0 < down < height and 0 < right < width


variant_checkerboard = Family(
    name="01.variant_checkerboard",
    space={
        "height": [2, 3, 4, 5],
        "width": [2, 3, 4, 5],
        "down": [1, 2, 3, 4],
        "right": [1, 2, 3, 4],
        "change": list(CHANGES),
        "odd": [True, False],
    },
    make=make,
    tell=tell,
    stub=stub,
    allowed=allowed,
)
