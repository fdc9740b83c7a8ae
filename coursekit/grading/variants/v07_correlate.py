"""07.variant_correlate: one kernel over one channel, with two ways of padding at once."""

import torch
from torch.nn import functional

from coursekit.exercises.core import Close, Exercise, Misconception
from coursekit.exercises.n07_convolution import CONVOLUTIONS, whole
from coursekit.grading.variants.family import Family
from coursekit.grading.variants.text import show, some
from coursekit.models import convolution as blocks

MODES = {  # in words; where a place outside of 0 ... n - 1 is looked up
    "edge": ("repeats the outermost pixel (a b c -> a a a b c)", "min(max(i, 0), n - 1)"),
    "wrap": ("goes on at the other end (a b c -> b c a b c)", "i % n"),
    "mirror": ("mirrors, without repeating the outermost pixel (a b c -> c b a b c)", "n - 1 - abs(n - 1 - abs(i))"),
    "symmetric": ("mirrors, the outermost pixel too (a b c -> b a a b c)", "min(i if i >= 0 else -1 - i, 2 * n - 1 - i)"),
}


def place(i, n, mode):
    """Where pixel i of a line of n is looked up; None: it is 0."""
    if mode == "zeros":
        return i if 0 <= i < n else None
    return {
        "edge": lambda: min(max(i, 0), n - 1),
        "wrap": lambda: i % n,
        "mirror": lambda: n - 1 - abs(n - 1 - abs(i)),
        "symmetric": lambda: min(i if i >= 0 else -1 - i, 2 * n - 1 - i),
    }[mode]()


def padded(image, pad, rows, columns):
    """The image with `pad` more pixels on each side."""
    ys, xs = ([place(i, n, mode) for i in range(-pad, n + pad)] for n, mode in zip(image.shape, (rows, columns), strict=True))
    result = image.new_zeros(len(ys), len(xs))
    for y, from_y in enumerate(ys):
        for x, from_x in enumerate(xs):
            if from_y is not None and from_x is not None:
                result[y, x] = image[from_y, from_x]
    return result


def correlate(image, kernel, pad, rows, columns, down, right, flipped=False):
    """The right map, with its rules to get wrong."""
    wide = padded(image, pad, rows, columns)
    kernel = kernel.flip(0, 1) if flipped else kernel
    return functional.conv2d(wide[None, None], kernel[None, None], stride=(down, right))[0, 0]


def cases_of(parameters):
    """Images of at least 4 x 4, so that every way of padding is defined; kernels without any symmetry."""

    def cases(generator):
        yield "the example above", (torch.arange(1.0, 17).reshape(4, 4), torch.tensor([[1.0, 0], [0, 10]]))
        yield "a kernel of one tap", (whole(generator, 4, 5), torch.tensor([[2.0]]))
        yield "a tall kernel", (whole(generator, 5, 4), torch.tensor([[1.0], [2], [4]]))
        yield "a wide kernel", (whole(generator, 4, 6), torch.tensor([[1.0, 2, 4]]))
        yield "as large as the image", (torch.arange(16.0).reshape(4, 4), torch.arange(16.0).reshape(4, 4))
        yield "an image of ones", (torch.ones(4, 7), torch.tensor([[1.0, 2, 3]]))
        for _ in range(4):
            height, width = torch.randint(4, 8, (2,), generator=generator).tolist()
            yield "random, whole numbers", (whole(generator, height, width), whole(generator, 3, 2))
            yield "random", (torch.randn(width, height, generator=generator), torch.randn(2, 3, generator=generator))

    return cases


def make(parameters) -> Exercise:
    """The exercise."""

    def variant_correlate(image, kernel):
        return correlate(image, kernel, **parameters)

    def with_slip(**slip):
        return lambda image, kernel: correlate(image, kernel, **{**parameters, **slip})

    pad, rows, columns, down, right = (parameters[name] for name in ("pad", "rows", "columns", "down", "right"))

    def public(image, kernel):
        return functional.conv2d(image[None, None], kernel[None, None], stride=(down, right), padding=pad)[0, 0]

    up_down, sideways = MODES[rows][0], MODES[columns][0]
    return Exercise(
        name="07.variant_correlate",
        reference=variant_correlate,
        cases=cases_of(parameters),
        compare=Close(rtol=1e-4, atol=1e-4),
        misconceptions=[
            Misconception(
                "public-zeros", public, f"You padded with zeros. Above and below the image {up_down}; at its sides it {sideways}."
            ),
            Misconception(
                "padded-alike", with_slip(columns=rows), f"You padded the sides as you padded above and below. There the image {sideways}."
            ),
            Misconception(
                "padded-the-other-way-round",
                with_slip(rows=columns, columns=rows),
                f"The two ways of padding changed places: above and below the image {up_down}.",
            ),
            Misconception(
                "strides-swapped",
                with_slip(down=right, right=down),
                f"The steps changed places: {down} downwards and {right} to the right.",
            ),
            Misconception("flipped", with_slip(flipped=True), "You turned the kernel around. Here it lies on the image as it is."),
            Misconception("not-padded", with_slip(pad=0), f"You did not pad. {pad} pixels are added on each of the four sides."),
        ],
        hints=[
            "Make the padded image first, one axis at a time: for each of its rows, which row of the image does it show?",
            "Lists of indices do it all: `image[rows][:, columns]`, where `rows` holds the image's row for each row of the padded one.",
        ],
        points=3,
        twins=(*CONVOLUTIONS, blocks.conv2d_loops, blocks.conv2d, blocks.conv1d),
    )


def tell(parameters, arguments, result) -> str:
    """The text."""
    pad, rows, columns, down, right = (parameters[name] for name in ("pad", "rows", "columns", "down", "right"))
    image, kernel = arguments
    wide = padded(image, pad, rows, columns)
    drawn = "\n".join("    " + " ".join(f"{int(pixel):3}" for pixel in row) for row in wide.tolist())
    first = wide[:2, :2]
    listed = ", ".join(f"**{show(v)}**" for v in result.flatten().tolist()[:8])
    return f"""### Exercise: variant_correlate
*difficulty 3 of 5 · importance 4 of 5 · about 25 minutes*

Slide a kernel (커널) over an image without losing its edge. First **{pad}** pixel{"s" * (pad > 1)} are added on each of the four sides:

- above and below, the image **{MODES[rows][0]}**;
- on the left and on the right, it **{MODES[columns][0]}**.

Then the kernel is laid on as it is, **{some(down, "pixel")} further down and {right} further to the right** at each step, and what lies on
each other is multiplied and added
up. Windows lie inside of the padded image. Images are at least 4 pixels high and wide. No ready-made convolution, please: a loop
is fast enough.

By hand: an image of 4 x 4 with the numbers 1 to 16, padded:

{drawn}

With the kernel {show(kernel)} the first window gives 1 x {show(first[0, 0])} + 10 x {show(first[1, 1])} = {show(result[0, 0])}.
The result has {result.shape[0]} rows and
{result.shape[1]} columns; its first numbers, row by row, are {listed}."""


def stub(parameters) -> str:
    """The cell."""
    pad, rows, columns, down, right = (parameters[name] for name in ("pad", "rows", "columns", "down", "right"))
    return f'''import torch
from torch import Tensor


def variant_correlate(image: Tensor, kernel: Tensor) -> Tensor:
    """(H, W) and (h, w) float -> (rows, columns) float: sums of products of the kernel and each window.

    {pad} more on each side. Above and below, the image {MODES[rows][0]};
    on the left and right, it {MODES[columns][0]}.
    Steps of {down} down and {right} to the right.
    """
    ### BEGIN SOLUTION
    n = image.shape[0]
    ys = [{MODES[rows][1]} for i in range(-{pad}, n + {pad})]
    n = image.shape[1]
    xs = [{MODES[columns][1]} for i in range(-{pad}, n + {pad})]
    padded = image[ys][:, xs]
    height, width = kernel.shape
    result = torch.zeros((len(ys) - height) // {down} + 1, (len(xs) - width) // {right} + 1)
    for row in range(result.shape[0]):
        for column in range(result.shape[1]):
            y, x = row * {down}, column * {right}
            result[row, column] = (padded[y : y + height, x : x + width] * kernel).sum()
    return result
    ### END SOLUTION'''


variant_correlate = Family(
    name="07.variant_correlate",
    space={"pad": [2, 3], "rows": list(MODES), "columns": list(MODES), "down": [1, 2, 3], "right": [1, 2, 3]},
    make=make,
    tell=tell,
    stub=stub,
    allowed=lambda p: p["rows"] != p["columns"] and p["down"] != p["right"],
)
