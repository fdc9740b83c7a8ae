"""Exercises of notebook 14_sliding_window: a fully connected layer as a convolution, and a map enlarged by a transposed convolution."""

import torch
from torch import nn

from coursekit.exercises.core import Close, Exercise, Misconception
from coursekit.plots.convolution import show_answer
from coursekit.sliding import dense, heatmap

# --- fc_to_conv


def linear_of(weight, bias):
    """A fully connected layer with these numbers."""
    linear = nn.Linear(weight.shape[1], weight.shape[0])
    with torch.no_grad():
        linear.weight.copy_(weight)
        linear.bias.copy_(bias)
    return linear


def drive_fc_to_conv(answer, weight, bias, maps_chw, maps):
    """Make the layer, have it turned into a convolution, and lay that on maps that may be larger than one."""
    linear = linear_of(weight, bias)
    conv = answer(linear, maps_chw)
    with torch.no_grad():
        return {"what it says": conv(maps), "the layer itself afterwards": linear(torch.ones(1, weight.shape[1]))}


def fc_cases(generator):
    """(label, arguments) for fc_to_conv: the weight, the bias, the shape of one map, and maps to lay it on."""

    def whole(*shape):
        return torch.randint(-4, 5, shape, generator=generator).float()

    def case(neurons, channels, height, width, high, wide, count=1):
        return whole(neurons, channels * height * width), whole(neurons), (channels, height, width), whole(count, channels, high, wide)

    yield (
        "one neuron on a map of its own size",
        (torch.tensor([[1.0, 2, 3, 4]]), torch.tensor([0.5]), (1, 2, 2), torch.tensor([[[[1.0, 0], [0, 10]]]])),
    )
    yield (
        "the same neuron on a wider map",
        (torch.tensor([[1.0, 2, 3, 4]]), torch.tensor([0.5]), (1, 2, 2), torch.tensor([[[[1.0, 0, 2], [0, 10, 0]]]])),
    )
    yield "two channels", case(1, 2, 2, 2, 4, 4)
    yield "maps that are no squares", case(3, 2, 2, 3, 4, 5)
    yield "the second layer: maps of one pixel", case(4, 3, 1, 1, 2, 3)
    yield "as many neurons as inputs", case(4, 1, 2, 2, 3, 3)
    yield "as many channels as neurons", case(2, 2, 3, 1, 4, 2)
    yield "several pictures", case(2, 3, 2, 2, 3, 4, count=2)
    yield (
        "random",
        tuple(part if isinstance(part, tuple) else torch.randn(part.shape, generator=generator) for part in case(3, 2, 3, 3, 5, 6)),
    )


def _conv(linear, maps_chw, kernel=lambda weight, chw: weight.reshape(-1, *chw), bias=True, copied=True, **settings):
    """The right layer with one thing at a time to get wrong."""
    weight = kernel(linear.weight.detach(), maps_chw)
    conv = nn.Conv2d(maps_chw[0], linear.out_features, tuple(weight.shape[2:]), bias=bias, **settings)
    with torch.no_grad():
        if copied:
            conv.weight.copy_(weight)
        if bias:
            conv.bias.copy_(linear.bias)
    return conv


def fc_channels_last(linear, maps_chw):
    channels, height, width = maps_chw
    return _conv(linear, maps_chw, lambda weight, chw: weight.reshape(-1, height, width, channels).permute(0, 3, 1, 2))


def fc_weights_turned(linear, maps_chw):
    return _conv(linear, maps_chw, lambda weight, chw: weight.T.reshape(-1, *chw))


def fc_without_bias(linear, maps_chw):
    return _conv(linear, maps_chw, bias=False)


def fc_kernel_flipped(linear, maps_chw):
    return _conv(linear, maps_chw, lambda weight, chw: weight.reshape(-1, *chw).flip(2, 3))


def fc_padded(linear, maps_chw):
    return _conv(linear, maps_chw, padding=(maps_chw[1] // 2, maps_chw[2] // 2))


def fc_strided(linear, maps_chw):
    return _conv(linear, maps_chw, stride=maps_chw[1:])


def fc_height_and_width_swapped(linear, maps_chw):
    channels, height, width = maps_chw
    return _conv(linear, maps_chw, lambda weight, chw: weight.reshape(-1, channels, width, height))


def fc_not_copied(linear, maps_chw):
    return _conv(linear, maps_chw, copied=False)


fc_to_conv = Exercise(
    name="14.fc_to_conv",
    reference=dense.fc_to_conv,
    cases=fc_cases,
    drive=drive_fc_to_conv,
    compare=Close(rtol=1e-4, atol=1e-4),
    misconceptions=[
        Misconception(
            "channels-last",
            fc_channels_last,
            "The weights went into the kernel in another order. `Flatten` lays numbers out by channel, then row, then column: "
            "(neurons, C, h, w) is a plain `reshape`.",
        ),
        Misconception(
            "weights-turned",
            fc_weights_turned,
            "You turned the weight matrix. `linear.weight` is (neurons, inputs) already: one row for each kernel.",
        ),
        Misconception("no-bias", fc_without_bias, "The bias was left behind: every answer is off by the same number."),
        Misconception(
            "kernel-flipped",
            fc_kernel_flipped,
            "Your kernels are upside down. What is called convolution in deep learning does not flip (notebook 07).",
        ),
        Misconception(
            "padded",
            fc_padded,
            "You padded, so there are more places than windows. A fully connected layer has never seen a zero outside its map.",
        ),
        Misconception(
            "strided",
            fc_strided,
            "Your kernel jumps by its own size. Windows overlap: it must stop at every place, with stride 1.",
        ),
        Misconception(
            "height-and-width-swapped",
            fc_height_and_width_swapped,
            "Your kernel lies on its side: `maps_chw` is channels, height, width.",
        ),
        Misconception(
            "not-copied",
            fc_not_copied,
            "The layer has the right shape and fresh random weights. Copy the old ones into it, under `torch.no_grad()`.",
        ),
    ],
    hints=[
        "Each neuron is a row of C * h * w weights. Laid out as (C, h, w) it is a kernel that covers the whole map.",
        "`nn.Conv2d(channels, linear.out_features, (height, width))`, then copy weight and bias.",
        "`with torch.no_grad(): conv.weight.copy_(linear.weight.reshape(conv.weight.shape))`, and `conv.bias.copy_(linear.bias)`.",
    ],
    points=3,
)

# --- transposed_conv


def stamp_cases(generator):
    """(label, arguments) for transposed_conv: stamps that meet, that leave holes, that are cut."""

    def whole(*shape):
        return torch.randint(-3, 5, shape, generator=generator).float()

    corner = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    yield "one number, one stamp", (torch.tensor([[2.0]]), corner, 1, 0)
    yield "stamps side by side", (torch.tensor([[1.0, 10.0]]), corner, 2, 0)
    yield "stamps that overlap add up", (torch.tensor([[1.0, 10.0]]), torch.tensor([[1.0, 2.0, 3.0]]), 2, 0)
    yield "below each other", (torch.tensor([[1.0], [10.0]]), torch.tensor([[1.0], [2.0], [3.0]]), 2, 0)
    yield "stride 1", (whole(3, 4), whole(2, 2), 1, 0)
    yield "a stride longer than the kernel leaves zeros", (whole(2, 3), whole(2, 1), 3, 0)
    yield "a kernel that is no square", (whole(2, 3), whole(3, 2), 2, 0)
    yield "one pixel is cut off on each side", (whole(3, 3), whole(4, 4), 2, 1)
    yield "two pixels are cut off on each side", (whole(2, 4), whole(4, 5), 2, 2)
    yield "random", (torch.rand(3, 4, generator=generator), torch.rand(4, 4, generator=generator), 2, 1)


def _stamped(
    values, kernel, stride, padding, add=True, step=None, count=False, cut=lambda out, p: out[p : out.shape[0] - p, p : out.shape[1] - p]
):
    """The right stamping with one thing at a time to get wrong."""
    (rows, columns), (height, width) = values.shape, kernel.shape
    step = stride if step is None else step
    out = values.new_zeros((rows - 1) * step + height, (columns - 1) * step + width)
    times = torch.zeros_like(out)
    for row in range(rows):
        for column in range(columns):
            place = slice(row * step, row * step + height), slice(column * step, column * step + width)
            out[place] = values[row, column] * kernel + (out[place] if add else 0)
            times[place] += 1
    return cut(out / times.clamp(min=1) if count else out, padding)


def stamps_overwrite(values, kernel, stride, padding):
    return _stamped(values, kernel, stride, padding, add=False)


def stamps_averaged(values, kernel, stride, padding):
    return _stamped(values, kernel, stride, padding, count=True)


def stamps_flipped(values, kernel, stride, padding):
    return _stamped(values, kernel.flip(0, 1), stride, padding)


def stamps_every_pixel(values, kernel, stride, padding):
    return _stamped(values, kernel, stride, padding, step=1)


def stamps_not_cut(values, kernel, stride, padding):
    return _stamped(values, kernel, stride, 0)


def stamps_cut_by_minus_nothing(values, kernel, stride, padding):
    """out[padding:-padding]: with a padding of 0 that is out[0:-0], which is empty."""
    return _stamped(values, kernel, stride, padding, cut=lambda out, p: out[p:-p, p:-p])


def stamps_cut_on_one_side(values, kernel, stride, padding):
    return _stamped(values, kernel, stride, padding, cut=lambda out, p: out[p:, p:])


def stamps_padded(values, kernel, stride, padding):
    return _stamped(values, kernel, stride, padding, cut=lambda out, p: torch.nn.functional.pad(out, (p, p, p, p)))


def stamps_of_the_map(values, kernel, stride, padding):
    return _stamped(kernel, values, stride, padding)


def _answer_picture(arguments, expected, got):
    values, kernel, *_ = arguments
    return show_answer({"values": values, "kernel": kernel}, expected, got)


transposed_conv = Exercise(
    name="14.transposed_conv",
    reference=heatmap.transposed_conv,
    cases=stamp_cases,
    compare=Close(rtol=1e-5, atol=1e-5),
    misconceptions=[
        Misconception(
            "overwritten",
            stamps_overwrite,
            "Where two stamps meet, only the later one is left. They add up: `+=`.",
        ),
        Misconception(
            "averaged",
            stamps_averaged,
            "Where two stamps meet you took their mean. A transposed convolution adds, and does not count who was there.",
        ),
        Misconception("flipped", stamps_flipped, "Your stamps are upside down. The kernel is laid down as it is."),
        Misconception(
            "stride-forgotten",
            stamps_every_pixel,
            "Your stamps lie one pixel apart. The value in row 1 is stamped `stride` pixels lower than the one in row 0.",
        ),
        Misconception("not-cut", stamps_not_cut, "The edges were not cut off: `padding` pixels go on each of the four sides."),
        Misconception(
            "minus-nothing",
            stamps_cut_by_minus_nothing,
            "With padding 0 nothing is left: -0 is 0, and `out[0:-0]` is empty. Count the end from the front: `out.shape[0] - padding`.",
        ),
        Misconception("cut-on-one-side", stamps_cut_on_one_side, "You cut at the left and at the top. Right and bottom lose as much."),
        Misconception(
            "padded",
            stamps_padded,
            "You added zeros around the result. Here padding takes pixels *away*: it undoes what a convolution's padding would have added.",
        ),
        Misconception(
            "map-and-kernel-swapped",
            stamps_of_the_map,
            "You stamped the map with the numbers of the kernel. Each number of the *map* stamps the kernel.",
        ),
    ],
    hints=[
        "How large is the result before the cut? The last stamp begins at (rows - 1) * stride and is as high as the kernel.",
        "Begin with zeros. For each row and column: `out[y : y + height, x : x + width] += values[row, column] * kernel`.",
        "Cut at the end: `out[padding : out.shape[0] - padding, ...]`. A plain `-padding` would cut everything where padding is 0.",
    ],
    points=3,
    twins=(
        "torch.nn.functional.conv_transpose2d",
        "torch.nn.functional.conv_transpose1d",
        "torch.nn.functional.conv_transpose3d",
        "torch.nn.grad.conv2d_input",
        "torch.convolution",
    ),
    picture=_answer_picture,
)
