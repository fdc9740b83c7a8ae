"""Exercises of notebook 07_convolution: one window over one channel. Sizes, batches and the planted bug have files of their own."""

import torch
from torch.nn.functional import pad

from coursekit.exercises.core import Close, Exercise, Misconception
from coursekit.models import convolution as blocks


def whole(generator, *shape):
    """Small whole numbers as floats, so that a wrong answer is off by something one can read."""
    return torch.randint(-4, 5, shape, generator=generator).float()


CONVOLUTIONS = (
    *(f"torch.nn.functional.conv{axes}d" for axes in (1, 2, 3)),
    "torch.convolution",
    *(f"scipy.signal.{name}" for name in ("correlate", "correlate2d", "convolve", "convolve2d", "fftconvolve", "oaconvolve")),
    "scipy.ndimage.correlate",
    "scipy.ndimage.convolve",
    "cv2.filter2D",
)

# --- conv2d_loops

STEP = torch.tensor([[1.0, 1, 5, 5], [1, 1, 5, 5], [1, 1, 5, 5], [1, 1, 1, 1]])
COLUMNS = torch.tensor([[-1.0, 0, 1]] * 3)


def conv2d_loops_cases(generator):
    """(label, arguments) for conv2d_loops: kernels without any symmetry, images and kernels that are not square."""
    ones = torch.ones(3, 3)
    spot = torch.zeros(3, 3)
    spot[1, 1] = 1
    yield "the 4x4 example of the notebook", (STEP, COLUMNS, 1, 0)
    yield "one bright pixel under 1, 2, 3, 4", (spot, torch.tensor([[1.0, 2], [3, 4]]), 1, 0)
    yield "2x3 kernel on 3x5 pixels", (torch.arange(15.0).reshape(3, 5), torch.tensor([[1.0, 0, 2], [0, 3, 0]]), 1, 0)
    yield "stride 2", (whole(generator, 5, 5), whole(generator, 3, 3), 2, 0)
    yield "stride 2, and pixels are left over", (whole(generator, 6, 4), whole(generator, 3, 2), 2, 0)
    yield "a kernel of one tap, every third pixel", (whole(generator, 4, 7), torch.tensor([[2.0]]), 3, 0)
    yield "a ring of zeros around", (torch.full((3, 3), 9.0), ones, 1, 1)
    yield "two rings of zeros", (whole(generator, 3, 4), whole(generator, 3, 2), 1, 2)
    yield "stride 2 and padding 1", (whole(generator, 5, 6), whole(generator, 3, 3), 2, 1)
    yield "a kernel as large as the image", (whole(generator, 2, 3), whole(generator, 2, 3), 1, 0)
    for stride, padding in ((1, 1), (2, 1), (3, 2)):
        yield f"random, stride {stride}, padding {padding}", (whole(generator, 5, 7), whole(generator, 3, 2), stride, padding)


def _sum_of_products(window, kernel):
    return (window * kernel).sum()


def _slide(image, kernel, stride, padding, at_place=_sum_of_products, step=None, width=None, swapped=False, unpadded=False):
    """The right loops with one thing at a time to get wrong."""
    height, width = kernel.shape[0], width or kernel.shape[1]
    rows, columns = (blocks.output_size(s, k, stride, padding) for s, k in zip(image.shape, (height, width), strict=True))
    padded, step = image if unpadded else pad(image, (padding,) * 4), step or stride
    result = torch.zeros(rows, columns)
    for y in range(rows):
        for x in range(columns):
            top, left = (x * step, y * step) if swapped else (y * step, x * step)
            result[y, x] = at_place(padded[top : top + height, left : left + width], kernel)
    return result


def loops_flipped(image, kernel, stride, padding):
    return blocks.conv2d_loops(image, kernel.flip(0, 1), stride, padding)


def loops_stride_in_the_size_only(image, kernel, stride, padding):
    return _slide(image, kernel, stride, padding, step=1)


def loops_without_stride(image, kernel, stride, padding):
    return _slide(image, kernel, 1, padding)


def loops_without_padding(image, kernel, stride, padding):
    return _slide(image, kernel, stride, 0)


def loops_window_from_the_unpadded_image(image, kernel, stride, padding):
    return _slide(image, kernel, stride, padding, unpadded=True)


def loops_padded_at_top_left(image, kernel, stride, padding):
    return _slide(pad(image, (padding, 0, padding, 0)), kernel, stride, 0)


def loops_matrix_product(image, kernel, stride, padding):
    return _slide(image, kernel, stride, padding, at_place=lambda window, kernel: (window @ kernel).sum())


def loops_mean(image, kernel, stride, padding):
    return _slide(image, kernel, stride, padding, at_place=lambda window, kernel: (window * kernel).mean())


def loops_square_kernel(image, kernel, stride, padding):
    return _slide(image, kernel, stride, padding, width=kernel.shape[0])


def loops_rows_and_columns_swapped(image, kernel, stride, padding):
    return _slide(image, kernel, stride, padding, swapped=True)


def loops_picture(arguments, expected, got):
    """Image and kernel, what should come out, what did."""
    from coursekit.plots.convolution import show_answer

    return show_answer({"image": arguments[0], "kernel": arguments[1]}, expected, got)


conv2d_loops_exercise = Exercise(
    name="07.conv2d_loops",
    reference=blocks.conv2d_loops,
    cases=conv2d_loops_cases,
    compare=Close(rtol=1e-5, atol=1e-5),
    twins=(*CONVOLUTIONS, blocks.conv2d, blocks.conv1d),
    misconceptions=[
        Misconception(
            "flipped",
            wrong=loops_flipped,
            hint="You turned the kernel around, as mathematicians do. Networks lay it on as it is: top left on top left.",
        ),
        Misconception(
            "stride-in-the-size-only",
            wrong=loops_stride_in_the_size_only,
            hint="The result has the right size, but its windows stand one pixel apart. "
            "Where in the image does the window of [y, x] begin?",
        ),
        Misconception(
            "no-stride",
            wrong=loops_without_stride,
            hint="The window takes a step of one pixel whatever `stride` says, so too many numbers come out.",
        ),
        Misconception(
            "no-padding",
            wrong=loops_without_padding,
            hint="Your windows never leave the image, so too few numbers come out. "
            "Put `padding` rows and columns of zeros around it first.",
        ),
        Misconception(
            "window-from-the-unpadded-image",
            wrong=loops_window_from_the_unpadded_image,
            hint="The sizes count the padding, but the windows are cut from `image`. Cut them from `padded`.",
        ),
        Misconception(
            "padded-on-two-sides",
            wrong=loops_padded_at_top_left,
            hint="You padded at the top and at the left only. `pad(image, (left, right, top, bottom))` wants all four.",
        ),
        Misconception(
            "matrix-product",
            wrong=loops_matrix_product,
            hint="`@` multiplies matrices: rows with columns. Here each pixel meets the one tap that lies on it: `*`.",
        ),
        Misconception(
            "mean-not-sum", wrong=loops_mean, hint="You took the mean of the products. They are added; a blur has its ninths in the kernel."
        ),
        Misconception(
            "kernel-taken-for-square",
            wrong=loops_square_kernel,
            hint="Your window is as wide as it is high. A kernel of 2x3 has a height and a width of its own: "
            "kernel.shape[0] and kernel.shape[1].",
        ),
        Misconception(
            "rows-and-columns-swapped",
            wrong=loops_rows_and_columns_swapped,
            hint="[y, x] of the result holds what belongs to [x, y]: row first, then column, in the image too.",
        ),
    ],
    hints=[
        "Pad first; then two loops, over rows and columns of the *result*. For [y, x], where does the window begin in the padded image?",
        "It begins at row y * stride and column x * stride, and is as high and wide as the kernel.",
        "`window = padded[top : top + height, left : left + width]`, then `result[y, x] = (window * kernel).sum()`.",
    ],
    points=3,
    picture=loops_picture,
)
