"""Exercises of notebook 07_convolution, continued: whole batches with channels, convolved by one product, and pooled."""

import torch
from torch.nn.functional import pad

from coursekit.exercises.core import Close, Exercise, Misconception
from coursekit.exercises.n07_convolution import COLUMNS, CONVOLUTIONS, STEP, whole
from coursekit.models import convolution as blocks

# --- conv2d


def conv2d_cases(generator):
    """(label, arguments) for conv2d: nothing square that need not be, and as many kernels as columns where a bias could slip."""
    none = torch.zeros(1)
    yield "one channel, one kernel: as with the loops", (STEP[None, None], COLUMNS[None, None], none, 1, 0)
    two = torch.stack([torch.full((2, 2), 1.0), torch.full((2, 2), 10.0)])[None]  # (1, 2, 2, 2)
    yield "two channels add up", (two, torch.tensor([[[[1.0]], [[2.0]]]]), none, 1, 0)
    yield "black images show the bias", (torch.zeros(1, 1, 4, 5), torch.ones(3, 1, 3, 3), torch.tensor([1.0, 2, 3]), 1, 0)
    yield "two images, three kernels of 2x3", (whole(generator, 2, 2, 4, 6), whole(generator, 3, 2, 2, 3), whole(generator, 3), 1, 0)
    yield "stride 2", (whole(generator, 1, 1, 5, 7), whole(generator, 2, 1, 3, 3), torch.zeros(2), 2, 0)
    yield "padding 1", (whole(generator, 1, 2, 3, 4), whole(generator, 2, 2, 3, 3), torch.zeros(2), 1, 1)
    yield "stride 2, padding 1, pixels left over", (whole(generator, 2, 3, 6, 4), whole(generator, 4, 3, 3, 3), whole(generator, 4), 2, 1)
    yield "1x1 mixes channels", (whole(generator, 2, 3, 2, 3), whole(generator, 2, 3, 1, 1), whole(generator, 2), 1, 0)
    for stride, padding in ((1, 0), (2, 1), (3, 2)):
        weight = torch.randn(4, 3, 3, 2, generator=generator)
        images, bias = torch.randn(2, 3, 6, 5, generator=generator), torch.randn(4, generator=generator)
        yield f"random, stride {stride}, padding {padding}", (images, weight, bias, stride, padding)


def conv2d_flipped(images, weight, bias, stride, padding):
    return blocks.conv2d(images, weight.flip(2, 3), bias, stride, padding)


def conv2d_without_bias(images, weight, bias, stride, padding):
    return blocks.conv2d(images, weight, None, stride, padding)


def conv2d_bias_over_columns(images, weight, bias, stride, padding):
    return blocks.conv2d(images, weight, None, stride, padding) + bias


def conv2d_without_padding(images, weight, bias, stride, padding):
    return blocks.conv2d(images, weight, bias, stride, 0)


def conv2d_without_stride(images, weight, bias, stride, padding):
    return blocks.conv2d(images, weight, bias, 1, padding)


def conv2d_mean_over_channels(images, weight, bias, stride, padding):
    return blocks.conv2d(images, weight / images.shape[1], bias, stride, padding)


def _product(images, weight, bias, stride, padding, order=(0, 2, 3, 1, 4, 5), transpose=True):
    """The right product with one thing at a time to get wrong."""
    seen = blocks.windows(pad(images, (padding,) * 4), weight.shape[2:], stride)  # (N, C, rows, columns, h, w)
    count, _, rows, columns = seen.shape[:4]
    product = seen.permute(order).reshape(count, rows * columns, -1) @ weight.flatten(1).T  # (N, rows * columns, O)
    product = product.transpose(1, 2) if transpose else product
    return product.reshape(count, len(weight), rows, columns) + bias[:, None, None]


def conv2d_reshaped_not_turned(images, weight, bias, stride, padding):
    return _product(images, weight, bias, stride, padding, transpose=False)


def conv2d_windows_channels_last(images, weight, bias, stride, padding):
    return _product(images, weight, bias, stride, padding, order=(0, 2, 3, 4, 5, 1))


def conv2d_windows_not_permuted(images, weight, bias, stride, padding):
    return _product(images, weight, bias, stride, padding, order=(0, 1, 2, 3, 4, 5))


def conv2d_stride_along_rows_only(images, weight, bias, stride, padding):
    dense = blocks.conv2d(images, weight, bias, 1, padding)
    return dense[:, :, ::stride]


def conv2d_picture(arguments, expected, got):
    """First channel of the first image and kernel, what should come out, what did."""
    from coursekit.plots.convolution import show_answer

    return show_answer({"image 0, channel 0": arguments[0][0, 0], "kernel 0, channel 0": arguments[1][0, 0]}, expected[0, 0], got[0, 0])


conv2d_exercise = Exercise(
    name="07.conv2d",
    reference=blocks.conv2d,
    cases=conv2d_cases,
    compare=Close(rtol=1e-4, atol=1e-4),
    twins=(*CONVOLUTIONS, blocks.conv2d_by_planes),
    misconceptions=[
        Misconception(
            "reshaped-not-turned",
            wrong=conv2d_reshaped_not_turned,
            hint="The numbers are right and stand in wrong places. The product is (N, places, O); "
            "reshape keeps the order in memory, so the O must move forward first: transpose(1, 2).",
        ),
        Misconception(
            "windows-channels-last",
            wrong=conv2d_windows_channels_last,
            hint="A window's numbers must stand in the order of the kernel's. "
            "weight.flatten(1) runs through channel, row, column: do yours?",
        ),
        Misconception(
            "windows-not-permuted",
            wrong=conv2d_windows_not_permuted,
            hint="unfold leaves (N, C, rows, columns, h, w). For one row of the table a window, the places must come before the channels.",
        ),
        Misconception("no-bias", wrong=conv2d_without_bias, hint="The bias is missing: one number a kernel, added everywhere in its map."),
        Misconception(
            "bias-over-columns",
            wrong=conv2d_bias_over_columns,
            hint="Broadcasting lines up at the right, so each *column* got a bias. What shape stands beside (N, O, rows, columns)?",
        ),
        Misconception(
            "no-padding",
            wrong=conv2d_without_padding,
            hint="Too few numbers come out: the image was not padded. `pad(images, (padding,) * 4)` pads the last two axes.",
        ),
        Misconception(
            "no-stride",
            wrong=conv2d_without_stride,
            hint="Windows stand one pixel apart. The third argument of `unfold` is the step.",
        ),
        Misconception(
            "stride-along-rows-only",
            wrong=conv2d_stride_along_rows_only,
            hint="The stride is kept from one row to the next, but not from one column to the next. Both `unfold` want it.",
        ),
        Misconception(
            "mean-over-channels",
            wrong=conv2d_mean_over_channels,
            hint="You averaged over the channels. A kernel is as deep as its input, and everything under it is added.",
        ),
        Misconception(
            "flipped",
            wrong=conv2d_flipped,
            hint="You turned the kernels around. Networks lay them on as they are.",
        ),
    ],
    hints=[
        "Pad; `unfold(2, h, stride)` and `unfold(3, w, stride)` give (N, C, rows, columns, h, w). Bring the places together, then C, h, w.",
        "permute(0, 2, 3, 1, 4, 5), then reshape to (N, rows * columns, C * h * w). The kernels: weight.flatten(1) is (O, C * h * w).",
        "`(windows @ kernels.T).transpose(1, 2).reshape(N, O, rows, columns) + bias[:, None, None]`.",
    ],
    points=4,
    picture=conv2d_picture,
    equivalent={
        "maps = product.transpose(2, 1).reshape(count, kernels, rows, columns)": "two axes change places, whichever is named first"
    },
)


# --- max_pool2d


def max_pool2d_cases(generator):
    """(label, arguments) for max_pool2d: windows side by side, overlapping and apart; numbers below zero; a rest."""
    by_hand = torch.tensor([[1.0, 3, 2, 0], [5, 2, 1, 1], [0, 0, 7, 4], [0, 1, 3, 8]])[None, None]
    yield "the 4x4 example of the notebook", (by_hand, 2, 2)
    yield "all numbers below zero", (-1 - by_hand, 2, 2)
    yield "windows that overlap", (by_hand, 2, 1)
    yield "3x3 every 2, as in AlexNet", (whole(generator, 1, 1, 5, 7), 3, 2)
    yield "a rest that fills no window", (whole(generator, 1, 1, 5, 3), 2, 2)
    yield "windows apart", (whole(generator, 1, 1, 5, 8), 2, 3)
    yield "channels for themselves", (whole(generator, 1, 3, 2, 4), 2, 2)
    yield "two images", (whole(generator, 2, 2, 4, 2), 2, 2)
    yield "a window of one pixel", (whole(generator, 1, 1, 2, 3), 1, 1)
    for kernel, stride in ((2, 2), (3, 1), (2, 3)):
        yield f"random, {kernel}x{kernel} every {stride}", (torch.randn(2, 3, 6, 7, generator=generator) - 1, kernel, stride)


def pool_mean(images, kernel, stride):
    return blocks.avg_pool2d(images, kernel, stride)


def pool_side_by_side(images, kernel, stride):
    return blocks.max_pool2d(images, kernel, kernel)


def pool_every_pixel(images, kernel, stride):
    return blocks.max_pool2d(images, kernel, 1)


def pool_from_zero(images, kernel, stride):
    return blocks.max_pool2d(images, kernel, stride).clamp(min=0)


def pool_over_channels(images, kernel, stride):
    return blocks.max_pool2d(images, kernel, stride).amax(dim=1, keepdim=True)


def pool_filled_up(images, kernel, stride):
    rest = [(-(size - kernel)) % stride for size in images.shape[2:]]
    return blocks.max_pool2d(pad(images, (0, rest[1], 0, rest[0]), value=-float("inf")), kernel, stride)


def pool_along_rows_only(images, kernel, stride):
    return blocks.windows(images, (kernel, kernel), stride).amax(dim=5)[..., 0]


def pool_first_pixel(images, kernel, stride):
    return blocks.windows(images, (kernel, kernel), stride)[..., 0, 0]


def pool_picture(arguments, expected, got):
    """The first channel, what should come out, what did."""
    from coursekit.plots.convolution import show_answer

    return show_answer({"image 0, channel 0": arguments[0][0, 0]}, expected[0, 0], got[0, 0])


max_pool2d_exercise = Exercise(
    name="07.max_pool2d",
    reference=blocks.max_pool2d,
    cases=max_pool2d_cases,
    compare=Close(rtol=1e-5, atol=1e-6),
    twins=(
        *(f"torch.nn.functional.max_pool{axes}d" for axes in (1, 2, 3)),
        "torch.nn.functional.max_pool2d_with_indices",
        "scipy.ndimage.maximum_filter",
    ),
    misconceptions=[
        Misconception("mean", wrong=pool_mean, hint="You took the mean of each window. This pooling keeps the largest number."),
        Misconception(
            "side-by-side",
            wrong=pool_side_by_side,
            hint="Your windows stand side by side whatever `stride` says. 3x3 every 2 pixels is a usual choice, and overlaps.",
        ),
        Misconception(
            "every-pixel",
            wrong=pool_every_pixel,
            hint="Your windows stand one pixel apart, so the map hardly shrinks. The step from one to the next is `stride`.",
        ),
        Misconception(
            "from-zero",
            wrong=pool_from_zero,
            hint="Where all numbers are below zero you answered 0, which is not among them. A running maximum must not begin at 0.",
        ),
        Misconception(
            "over-channels",
            wrong=pool_over_channels,
            hint="Channels were thrown together. Each is pooled for itself: as many come out as go in.",
        ),
        Misconception(
            "filled-up",
            wrong=pool_filled_up,
            hint="You added a window that hangs over the edge. Pixels that fill no whole window are left out.",
        ),
        Misconception(
            "one-direction",
            wrong=pool_along_rows_only,
            hint="The maximum runs along one side of the window only. It is taken over both: amax(dim=(4, 5)).",
        ),
        Misconception(
            "first-pixel",
            wrong=pool_first_pixel,
            hint="You kept the top left pixel of each window: that is a stride without a maximum.",
        ),
    ],
    hints=[
        "`images.unfold(2, kernel, stride).unfold(3, kernel, stride)` has every window in its last two axes.",
        "The largest over two axes at once: `amax(dim=(4, 5))`.",
    ],
    points=2,
    picture=pool_picture,
)
