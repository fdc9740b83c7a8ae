"""Exercises of notebook 07_convolution: how many places a window has, and how far a network sees."""

import torch

from coursekit.exercises.core import Exact, Exercise, Misconception
from coursekit.models import convolution as blocks

# --- output_size


def output_size_cases(generator):
    """(label, arguments) for output_size: each argument alone, then together, with and without a rest."""
    yield "a kernel of 5 on 32 pixels", (32, 5, 1, 0, 1)
    yield "padding 2 keeps the size", (32, 5, 1, 2, 1)
    yield "pooling to half", (28, 2, 2, 0, 1)
    yield "stride 2, and a pixel is left over", (8, 3, 2, 0, 1)
    yield "stride 2, and nothing is left over", (7, 3, 2, 0, 1)
    yield "stride 3, two pixels left over", (10, 2, 3, 0, 1)
    yield "dilation 2: three taps over five pixels", (32, 3, 1, 0, 2)
    yield "dilation 3 with padding 3 keeps the size", (20, 3, 1, 3, 3)
    yield "dilation changes nothing for a single tap", (9, 1, 1, 0, 4)
    yield "all at once", (224, 7, 2, 3, 1)
    yield "all at once, dilated", (65, 5, 3, 4, 2)
    yield "the kernel is as large as the image", (5, 5, 1, 0, 1)
    yield "one pixel too large", (4, 5, 1, 0, 1)
    yield "much too large", (2, 9, 2, 0, 1)
    yield "no pixel, but padding", (0, 3, 1, 2, 1)
    for _ in range(6):
        size, kernel, stride, padding, dilation = (int(torch.randint(1, most, (), generator=generator)) for most in (300, 8, 5, 4, 4))
        yield "random", (size, kernel, stride, padding, dilation)


def _reach(kernel, dilation):
    return dilation * (kernel - 1) + 1


def size_padded_once(size, kernel, stride, padding, dilation):
    return max(0, (size + padding - _reach(kernel, dilation)) // stride + 1)


def size_rounded_up(size, kernel, stride, padding, dilation):
    return max(0, -(-(size + 2 * padding - _reach(kernel, dilation)) // stride) + 1)


def size_without_the_first(size, kernel, stride, padding, dilation):
    return max(0, (size + 2 * padding - _reach(kernel, dilation)) // stride)


def size_without_dilation(size, kernel, stride, padding, dilation):
    return blocks.output_size(size, kernel, stride, padding)


def size_with_kernel_times_dilation(size, kernel, stride, padding, dilation):
    return max(0, (size + 2 * padding - dilation * kernel) // stride + 1)


def size_below_zero(size, kernel, stride, padding, dilation):
    return (size + 2 * padding - _reach(kernel, dilation)) // stride + 1


def size_as_a_fraction(size, kernel, stride, padding, dilation):
    return max(0, (size + 2 * padding - _reach(kernel, dilation)) / stride + 1)


output_size_exercise = Exercise(
    name="07.output_size",
    reference=blocks.output_size,
    cases=output_size_cases,
    compare=Exact(),
    misconceptions=[
        Misconception(
            "padded-at-one-end",
            wrong=size_padded_once,
            hint="Padding comes at both ends: with padding 2 the line is 4 pixels longer.",
        ),
        Misconception(
            "rounded-up",
            wrong=size_rounded_up,
            hint="You counted a window that hangs over the edge. What is left over at the end fills no window: round down, `//`.",
        ),
        Misconception(
            "first-place-forgotten",
            wrong=size_without_the_first,
            hint="One place is missing everywhere. How many places has a window that just fits, and can take no step at all?",
        ),
        Misconception(
            "no-dilation",
            wrong=size_without_dilation,
            hint="Right as long as dilation is 1. Three taps with dilation 2 stand at 0, 2 and 4: over how many pixels do they reach?",
        ),
        Misconception(
            "one-gap-too-many",
            wrong=size_with_kernel_times_dilation,
            hint="Three taps with dilation 2 reach over 5 pixels, not 6: between 3 taps there are 2 steps.",
        ),
        Misconception(
            "fewer-than-none",
            wrong=size_below_zero,
            hint="A window that fits nowhere has 0 places. Yours has a negative number of them.",
        ),
        Misconception(
            "a-fraction",
            wrong=size_as_a_fraction,
            hint="Places are counted, so a whole number comes out: `//` and not `/`.",
        ),
    ],
    hints=[
        "First: over how many pixels does the kernel reach? Then: how many steps of `stride` can it take inside the padded line?",
        "The reach is dilation * (kernel - 1) + 1. Steps: (size + 2 * padding - reach) // stride. Places: one more than steps.",
        "Where the reach is larger than the padded line there is no place: `max(0, ...)`.",
    ],
    points=2,
)


# --- receptive_field


def receptive_field_cases(generator):
    """(label, arguments) for receptive_field: strides before, at and after the layer that looks further."""
    yield "no layer: a pixel sees itself", ([],)
    yield "one 3x3", ([(3, 1)],)
    yield "two 3x3", ([(3, 1), (3, 1)],)
    yield "three 3x3", ([(3, 1), (3, 1), (3, 1)],)
    yield "stride 2, then a 3x3", ([(3, 2), (3, 1)],)
    yield "a 3x3, then one of stride 2", ([(3, 1), (3, 2)],)
    yield "two strides before", ([(2, 2), (2, 2), (3, 1)],)
    yield "strides 3 and 2", ([(3, 3), (2, 2), (4, 1)],)
    yield "1x1 sees nothing more", ([(5, 2), (1, 1), (3, 1)],)
    yield "LeNet to its last map", ([(5, 1), (2, 2), (5, 1), (2, 2)],)
    for _ in range(3):
        numbers = torch.randint(1, 4, (4, 2), generator=generator).tolist()
        yield "random", ([tuple(pair) for pair in numbers],)


def field_ignores_stride(layers):
    return 1 + sum(kernel - 1 for kernel, _ in layers)


def field_kernels_added(layers):
    return sum(kernel for kernel, _ in layers) if layers else 1


def field_stride_one_layer_too_soon(layers):
    field, jump = 1, 1
    for kernel, stride in layers:
        jump *= stride
        field += (kernel - 1) * jump
    return field


def field_strides_added(layers):
    field, jump = 1, 1
    for kernel, stride in layers:
        field += (kernel - 1) * jump
        jump += stride - 1
    return field


def field_only_the_last_stride(layers):
    field, before = 1, 1
    for kernel, stride in layers:
        field += (kernel - 1) * before
        before = stride
    return field


def field_whole_kernel_each_time(layers):
    field, jump = 0, 1
    for kernel, stride in layers:
        field += kernel * jump
        jump *= stride
    return max(1, field)


def field_backwards_with_strides_of_before(layers):
    return blocks.receptive_field(list(layers)[::-1])


receptive_field_exercise = Exercise(
    name="07.receptive_field",
    reference=blocks.receptive_field,
    cases=receptive_field_cases,
    compare=Exact(),
    misconceptions=[
        Misconception(
            "stride-ignored",
            wrong=field_ignores_stride,
            hint="Right as long as every stride is 1. Behind a stride of 2, neighbours in the map lie 2 pixels apart in the image: "
            "what does a step in the map cost there?",
        ),
        Misconception(
            "kernels-added",
            wrong=field_kernels_added,
            hint="Two windows of 3 that stand side by side overlap. How many *new* pixels does each layer bring?",
        ),
        Misconception(
            "stride-too-soon",
            wrong=field_stride_one_layer_too_soon,
            hint="A layer's own stride does not widen its own window: it says how far its *outputs* lie apart, which the next layer feels.",
        ),
        Misconception(
            "strides-added",
            wrong=field_strides_added,
            hint="Every second of every second is every fourth, not every third: strides multiply.",
        ),
        Misconception(
            "last-stride-only",
            wrong=field_only_the_last_stride,
            hint="You used the stride of the layer before. All strides before count, multiplied: keep a running product.",
        ),
        Misconception(
            "whole-kernel-each-time",
            wrong=field_whole_kernel_each_time,
            hint="A kernel of 3 has only 2 steps between its taps: it brings (kernel - 1) steps, and you start with one pixel.",
        ),
        Misconception(
            "from-the-wrong-end",
            wrong=field_backwards_with_strides_of_before,
            hint="You went through the layers from the last to the first. With this sum, begin at the image.",
        ),
    ],
    hints=[
        "Carry two numbers along, both 1 at first: how many pixels are seen, and how many pixels of the image lie between neighbours.",
        "A layer adds (kernel - 1) steps, each as long as the second number. After that the second number grows by its stride.",
        "`field += (kernel - 1) * jump`, then `jump *= stride`.",
    ],
    points=3,
)
