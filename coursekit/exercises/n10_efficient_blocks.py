"""Exercise of notebook 10_efficient: inverted_residual, the block of MobileNet v2."""

import torch
from torch.nn.functional import conv2d, relu6

from coursekit.exercises.core import Close, Exercise, Misconception
from coursekit.exercises.n10_efficient import whole_map
from coursekit.models import efficient

# --- inverted_residual


def inverted_cases(generator):
    """(label, arguments) for inverted_residual: x, expand, depthwise, project, stride; large numbers, so that ReLU6 cuts at both ends."""

    def block(channels, wide, out, kernel=3):
        expand = torch.randint(-2, 3, (wide, channels, 1, 1), generator=generator).float()
        around = torch.randint(-2, 3, (wide, 1, kernel, kernel), generator=generator).float()
        return expand, around, torch.randint(-2, 3, (out, wide, 1, 1), generator=generator).float()

    yield "the ends fit: x is added", (whole_map(generator, 1, 3, 4, 5), *block(3, 8, 3), 1)
    yield "other channels: nothing is added", (whole_map(generator, 1, 3, 4, 5), *block(3, 8, 5), 1)
    yield "stride 2, same channels", (whole_map(generator, 1, 3, 4, 6), *block(3, 8, 3), 2)
    yield "stride 2 on a single pixel", (whole_map(generator, 1, 2, 1, 1), *block(2, 4, 2), 2)
    yield "small numbers: 6 is never reached", (whole_map(generator, 1, 2, 3, 3) / 40, *block(2, 6, 2), 1)
    yield "a kernel of 5", (whole_map(generator, 1, 2, 6, 5), *block(2, 4, 2, 5), 1)
    yield "random", (torch.randn(2, 3, 5, 5, generator=generator), *block(3, 6, 3), 1)


def _inverted(x, expand, depthwise, project, stride, first=relu6, second=relu6, third=lambda t: t, add=None):
    inside = first(conv2d(x, expand))
    inside = second(conv2d(inside, depthwise, stride=stride, padding=depthwise.shape[-1] // 2, groups=len(expand)))
    out = third(conv2d(inside, project))
    fits = stride == 1 and out.shape[1] == x.shape[1]
    return x + out if (fits if add is None else add) else out


def inverted_without_shortcut(*arguments):
    return _inverted(*arguments, add=False)


def inverted_not_linear(*arguments):
    return _inverted(*arguments, third=relu6)


def inverted_plain_relu(*arguments):
    return _inverted(*arguments, first=torch.relu, second=torch.relu)


def inverted_one_activation(*arguments):
    return _inverted(*arguments, second=lambda t: t)


def inverted_second_only(*arguments):
    return _inverted(*arguments, first=lambda t: t)


def inverted_adds_whenever_shapes_agree(x, expand, depthwise, project, stride):
    out = _inverted(x, expand, depthwise, project, stride, add=False)
    return x + out if out.shape == x.shape else out


def inverted_activation_after_the_sum(*arguments):
    return relu6(_inverted(*arguments))


def inverted_always_added(*arguments):
    return _inverted(*arguments, add=True)


def inverted_added_at_stride_1(*arguments):
    return _inverted(*arguments, add=arguments[-1] == 1)


def inverted_no_activation(*arguments):
    return _inverted(*arguments, first=lambda t: t, second=lambda t: t)


def inverted_padded_by_one(x, expand, depthwise, project, stride):
    inside = relu6(conv2d(relu6(conv2d(x, expand)), depthwise, stride=stride, padding=1, groups=len(expand)))
    out = conv2d(inside, project)
    return x + out if stride == 1 and out.shape == x.shape else out


inverted_residual_exercise = Exercise(
    name="10.inverted_residual",
    reference=efficient.inverted_residual,
    cases=inverted_cases,
    compare=Close(rtol=1e-4, atol=1e-4),
    misconceptions=[
        Misconception(
            "no-shortcut",
            wrong=inverted_without_shortcut,
            hint="Stride 1 and as many channels out as in: here the input is added to the result.",
        ),
        Misconception(
            "not-linear",
            wrong=inverted_not_linear,
            hint="There is an activation after the last 1x1. On a few channels it throws away what it zeroes: this end is linear.",
        ),
        Misconception("relu-not-relu6", wrong=inverted_plain_relu, hint="Your activation goes on above 6. ReLU6 is min(max(x, 0), 6)."),
        Misconception("one-activation", wrong=inverted_one_activation, hint="After the depthwise step there is an activation as well."),
        Misconception("first-one-missing", wrong=inverted_second_only, hint="After the first 1x1 there is an activation as well."),
        Misconception(
            "added-at-stride-2",
            wrong=inverted_adds_whenever_shapes_agree,
            hint="On a single pixel stride 2 changes no shape, but the block halves all the same: only stride 1 has a shortcut.",
        ),
        Misconception(
            "always-added",
            wrong=inverted_always_added,
            hint="x was added where its shape does not fit. Two things must hold before it can be: look at the last line of the table.",
        ),
        Misconception(
            "added-at-stride-1",
            wrong=inverted_added_at_stride_1,
            hint="Stride 1 alone is not enough: with other channels x does not fit. What else must agree?",
        ),
        Misconception(
            "no-activation",
            wrong=inverted_no_activation,
            hint="Three convolutions without anything between them are one. Where does ReLU6 go?",
        ),
        Misconception(
            "padded-by-one",
            wrong=inverted_padded_by_one,
            hint="A padding of 1 is right for 3x3 alone. What keeps the size for a kernel of 5?",
        ),
        Misconception(
            "activation-after-the-sum",
            wrong=inverted_activation_after_the_sum,
            hint="The sum went through an activation. In a ResNet it does; here the narrow ends stay linear.",
        ),
    ],
    hints=[
        "Three convolutions: 1x1 up, depthwise with the stride, 1x1 down. ReLU6 after the first two.",
        "Add x where `stride == 1` and the numbers of channels agree.",
    ],
    points=3,
    twins=["coursekit.models.mobilenet_v2.InvertedResidual", "torchvision.models.mobilenetv2.InvertedResidual"],
    equivalent={
        "wide = relu6(conv2d(wide, depthwise, stride=stride, padding=depthwise.shape[-2] // 2, groups=len(expand)))": "kernels are square"
    },
)
