"""Exercises of notebook 10_efficient: what a convolution costs, and separable convolution.

The others: n10_efficient_blocks.py, n10_efficient_more.py and n10_efficient_serving.py.
"""

import torch
from torch.nn.functional import conv2d

from coursekit.exercises.core import Close, Exact, Exercise, Misconception
from coursekit.models import cost, efficient

# --- conv_cost


def conv_cost_cases(generator):
    """(label, arguments) for conv_cost: in_channels, out_channels, kernel, height, width, stride, groups, bias; all sizes different."""
    yield "3 to 64 channels, 3x3", (3, 64, 3, 32, 32, 1, 1, False)
    yield "with a bias", (3, 64, 3, 32, 32, 1, 1, True)
    yield "1x1", (24, 40, 1, 10, 14, 1, 1, False)
    yield "depthwise", (16, 16, 3, 10, 14, 1, 16, False)
    yield "two groups", (8, 12, 5, 10, 14, 1, 2, True)
    yield "stride 2 on even sides", (4, 6, 3, 10, 14, 2, 1, False)
    yield "stride 2 on odd sides", (4, 6, 3, 9, 15, 2, 1, False)
    yield "stride 3, one row", (2, 3, 1, 1, 7, 3, 1, True)
    for _ in range(3):
        groups, a, b, height, width = (int(torch.randint(1, 9, (), generator=generator)) for _ in range(5))
        yield "random", (groups * a, groups * b, 3, height + 2, width + 3, 2, groups, True)


def _places(height, width, stride):
    return -(-height // stride) * -(-width // stride)


def cost_without_groups(a, b, kernel, height, width, stride, groups, bias):
    return efficient.conv_cost(a, b, kernel, height, width, stride, 1, bias)


def cost_divides_twice(a, b, kernel, height, width, stride, groups, bias):
    weights = (a // groups) * (b // groups) * kernel * kernel
    return weights + b * bias, weights * _places(height, width, stride)


def cost_at_the_input(a, b, kernel, height, width, stride, groups, bias):
    parameters, _ = efficient.conv_cost(a, b, kernel, height, width, stride, groups, bias)
    return parameters, (parameters - b * bias) * height * width


def cost_one_row_of_the_kernel(a, b, kernel, height, width, stride, groups, bias):
    weights = a // groups * b * kernel
    return weights + b * bias, weights * _places(height, width, stride)


def cost_rounded_down(a, b, kernel, height, width, stride, groups, bias):
    weights = a // groups * b * kernel * kernel
    return weights + b * bias, weights * (height // stride) * (width // stride)


def cost_bias_multiplied(a, b, kernel, height, width, stride, groups, bias):
    parameters, _ = efficient.conv_cost(a, b, kernel, height, width, stride, groups, bias)
    return parameters, parameters * _places(height, width, stride)


def cost_one_bias(a, b, kernel, height, width, stride, groups, bias):
    parameters, work = efficient.conv_cost(a, b, kernel, height, width, stride, groups, False)
    return parameters + bias, work


def cost_without_places(a, b, kernel, height, width, stride, groups, bias):
    parameters, _ = efficient.conv_cost(a, b, kernel, height, width, stride, groups, bias)
    return parameters, parameters - b * bias


def cost_without_padding(a, b, kernel, height, width, stride, groups, bias):
    weights = a // groups * b * kernel * kernel
    return weights + b * bias, weights * ((height - kernel) // stride + 1) * ((width - kernel) // stride + 1)


def cost_counted_as_two(a, b, kernel, height, width, stride, groups, bias):
    parameters, work = efficient.conv_cost(a, b, kernel, height, width, stride, groups, bias)
    return parameters, 2 * work


def cost_without_bias(a, b, kernel, height, width, stride, groups, bias):
    return efficient.conv_cost(a, b, kernel, height, width, stride, groups, False)


def cost_flat_kernel(a, b, kernel, height, width, stride, groups, bias):
    weights = b * kernel * kernel
    return weights + b * bias, weights * _places(height, width, stride)


def cost_of_a_square(a, b, kernel, height, width, stride, groups, bias):
    return efficient.conv_cost(a, b, kernel, height, height, stride, groups, bias)


def cost_stride_in_one_direction(a, b, kernel, height, width, stride, groups, bias):
    weights = a // groups * b * kernel * kernel
    return weights + b * bias, weights * height * width // stride


conv_cost_exercise = Exercise(
    name="10.conv_cost",
    reference=efficient.conv_cost,
    cases=conv_cost_cases,
    compare=Exact(),
    misconceptions=[
        Misconception(
            "groups-forgotten", wrong=cost_without_groups, hint="Each result looks at its own group alone: in_channels / groups of them."
        ),
        Misconception(
            "groups-twice",
            wrong=cost_divides_twice,
            hint="You divided the results by the groups as well. There are still out_channels of them; each only looks at fewer channels.",
        ),
        Misconception(
            "places-of-the-input",
            wrong=cost_at_the_input,
            hint="With stride 2 the kernel is laid down at every second place: multiply by the places of the *output*.",
        ),
        Misconception(
            "one-row-of-the-kernel", wrong=cost_one_row_of_the_kernel, hint="A kernel is kernel x kernel: 9 numbers for 3x3, not 3."
        ),
        Misconception(
            "rounded-down",
            wrong=cost_rounded_down,
            hint="With this padding a side of 9 and stride 2 gives places 0, 2, 4, 6 and 8: five. Round up.",
        ),
        Misconception(
            "bias-multiplied",
            wrong=cost_bias_multiplied,
            hint="The bias is added, not multiplied; by agreement only products are counted as multiply-adds.",
        ),
        Misconception(
            "no-padding",
            wrong=cost_without_padding,
            hint="Your output shrinks by the kernel. The convolution is padded by kernel // 2: at stride 1 the map keeps its size.",
        ),
        Misconception(
            "counted-as-two",
            wrong=cost_counted_as_two,
            hint="Twice too much: one product with the addition that takes it up is *one* multiply-add. Some papers count two; look which.",
        ),
        Misconception("bias-forgotten", wrong=cost_without_bias, hint="With a bias there is one more parameter for each output channel."),
        Misconception(
            "flat-kernel",
            wrong=cost_flat_kernel,
            hint="Your kernels are flat. Each one reaches through all the channels of its group: in_channels / groups deep.",
        ),
        Misconception("square-map", wrong=cost_of_a_square, hint="The map need not be square: height and width are two numbers."),
        Misconception(
            "stride-in-one-direction",
            wrong=cost_stride_in_one_direction,
            hint="The stride goes down *and* across: stride 2 leaves a quarter of the places, not half.",
        ),
        Misconception("one-bias", wrong=cost_one_bias, hint="There is a bias for each output channel, not one for all."),
        Misconception(
            "places-forgotten", wrong=cost_without_places, hint="Every weight is used at every place of the output. How many are there?"
        ),
    ],
    hints=[
        "One result channel: in_channels / groups · kernel · kernel weights. How many result channels?",
        "Multiply-adds: weights · output height · output width, where a side becomes ceil(side / stride).",
    ],
    points=2,
    twins=[cost.layer_costs, cost.operator_costs, "torch.utils.flop_counter.FlopCounterMode"],
)


# --- separable_conv


def kernels(generator, channels, out, kernel=3):
    """Whole numbers, so that a mistake is never mistaken for rounding."""
    around = torch.randint(-3, 4, (channels, 1, kernel, kernel), generator=generator).float()
    mixing = torch.randint(-3, 4, (out, channels, 1, 1), generator=generator).float()
    return around, mixing


def whole_map(generator, *shape):
    return torch.randint(-4, 5, shape, generator=generator).float()


def separable_cases(generator):
    """(label, arguments) for separable_conv: x, depthwise, pointwise, stride."""
    one = torch.zeros(1, 2, 3, 4)
    one[0, 0, 1, 1] = 1.0  # a single lit pixel in channel 0
    yield "one lit pixel", (one, *kernels(generator, 2, 3), 1)
    yield "one channel in, one out", (whole_map(generator, 1, 1, 4, 5), *kernels(generator, 1, 1), 1)
    yield "as many out as in", (whole_map(generator, 1, 3, 4, 5), *kernels(generator, 3, 3), 1)
    yield "stride 2 on odd sides", (whole_map(generator, 1, 2, 5, 7), *kernels(generator, 2, 4), 2)
    yield "a kernel of 5", (whole_map(generator, 2, 2, 6, 7), *kernels(generator, 2, 3, 5), 1)
    yield "a kernel of 1", (whole_map(generator, 1, 3, 2, 3), *kernels(generator, 3, 2, 1), 1)
    yield "random, two images", (torch.randn(2, 4, 6, 5, generator=generator), *kernels(generator, 4, 5), 1)


def separable_other_order(x, depthwise, pointwise, stride):
    mixed = conv2d(x, pointwise)
    weight = depthwise[torch.arange(len(pointwise)) % len(depthwise)]
    return conv2d(mixed, weight, stride=stride, padding=depthwise.shape[-1] // 2, groups=len(pointwise))


def separable_one_kernel_for_all(x, depthwise, pointwise, stride):
    return efficient.separable_conv(x, depthwise[:1].expand_as(depthwise).contiguous(), pointwise, stride)


def separable_sums_too_soon(x, depthwise, pointwise, stride):
    summed = conv2d(x, depthwise.transpose(0, 1).contiguous(), stride=stride, padding=depthwise.shape[-1] // 2)
    return conv2d(summed.expand(-1, len(depthwise), -1, -1), pointwise)


def separable_not_padded(x, depthwise, pointwise, stride):
    side = depthwise.shape[-1] // 2
    return conv2d(conv2d(x, depthwise, stride=stride, groups=x.shape[1]), pointwise) if min(x.shape[2:]) > 2 * side else x[:, :0]


def separable_stride_twice(x, depthwise, pointwise, stride):
    return conv2d(efficient.separable_conv(x, depthwise, torch.eye(x.shape[1])[:, :, None, None], stride), pointwise, stride=stride)


def separable_stride_forgotten(x, depthwise, pointwise, stride):
    return efficient.separable_conv(x, depthwise, pointwise, 1)


def separable_not_mixed(x, depthwise, pointwise, stride):
    return conv2d(x, depthwise, stride=stride, padding=depthwise.shape[-1] // 2, groups=x.shape[1])


def separable_activated(x, depthwise, pointwise, stride):
    around = conv2d(x, depthwise, stride=stride, padding=depthwise.shape[-1] // 2, groups=x.shape[1])
    return conv2d(torch.relu(around), pointwise)


def separable_padded_by_one(x, depthwise, pointwise, stride):
    return conv2d(conv2d(x, depthwise, stride=stride, padding=1, groups=x.shape[1]), pointwise)


def separable_padded_twice(x, depthwise, pointwise, stride):
    side = depthwise.shape[-1] // 2
    return conv2d(conv2d(x, depthwise, stride=stride, padding=side, groups=x.shape[1]), pointwise, padding=side)


def separable_without_groups(x, depthwise, pointwise, stride):
    return conv2d(conv2d(x, depthwise, stride=stride, padding=depthwise.shape[-1] // 2), pointwise)


separable_conv_exercise = Exercise(
    name="10.separable_conv",
    reference=efficient.separable_conv,
    cases=separable_cases,
    compare=Close(rtol=1e-4, atol=1e-4),
    misconceptions=[
        Misconception(
            "mixed-first",
            wrong=separable_other_order,
            hint="You mixed the channels first and looked around after. The depthwise kernels belong to the channels of x.",
        ),
        Misconception(
            "one-kernel-for-all",
            wrong=separable_one_kernel_for_all,
            hint="All channels got the first kernel. Each channel has one of its own: depthwise[c] for channel c.",
        ),
        Misconception(
            "summed-too-soon",
            wrong=separable_sums_too_soon,
            hint="Your depthwise step added the channels up, so there is nothing left to mix. `groups` keeps them apart: how many groups?",
        ),
        Misconception("not-padded", wrong=separable_not_padded, hint="The map shrank. Pad by k // 2, so that stride 1 keeps its size."),
        Misconception(
            "stride-twice", wrong=separable_stride_twice, hint="Both steps took the stride. The 1x1 goes to every place that is left."
        ),
        Misconception(
            "stride-forgotten", wrong=separable_stride_forgotten, hint="The map should be halved at stride 2: where is the stride?"
        ),
        Misconception(
            "activation-between",
            wrong=separable_activated,
            hint="Negative numbers are lost between your two steps. MobileNet has a ReLU there; here there is none.",
        ),
        Misconception(
            "padded-by-one",
            wrong=separable_padded_by_one,
            hint="A padding of 1 is right for 3x3 alone. What keeps the size for a kernel of 5, or of 1?",
        ),
        Misconception(
            "padded-twice", wrong=separable_padded_twice, hint="A 1x1 looks at one place only: it needs no padding, or the map grows."
        ),
        Misconception(
            "groups-forgotten",
            wrong=separable_without_groups,
            hint="Your kernel has one channel, and torch expects all of them. Each channel is to be alone: how many `groups`?",
        ),
        Misconception("not-mixed", wrong=separable_not_mixed, hint="The second step is missing: each channel is still alone."),
    ],
    hints=[
        "Two calls of conv2d. The first with groups equal to the number of channels, the second 1x1.",
        "`conv2d(x, depthwise, stride=stride, padding=depthwise.shape[-1] // 2, groups=x.shape[1])`, then `conv2d(that, pointwise)`.",
    ],
    points=3,
    twins=["coursekit.models.xception.SeparableConv"],
    equivalent={"around = conv2d(x, depthwise, stride=stride, padding=depthwise.shape[-2] // 2, groups=x.shape[1])": "kernels are square"},
)
