"""Exercises of notebook 09_architectures: count_parameters, vgg_block, residual_block. The others: n09_architectures_more.py."""

import torch
from torch import nn
from torch.nn.functional import conv2d

from coursekit.exercises.core import Close, Exact, Exercise, Misconception
from coursekit.models import blocks, vgg
from coursekit.models.cost import count_parameters


def whole(generator, *shape):
    """Small whole numbers as floats: a mistake is never mistaken for rounding."""
    return torch.randint(-2, 3, shape, generator=generator).float()


# --- count_parameters


class Tied(nn.Module):
    """Two layers that are one: the same weights used twice."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(4, 4)
        self.second = self.first


class Loose(nn.Module):
    """A parameter that belongs to no layer."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(3, 2))


def count_cases(generator):
    """(label, arguments) for count_parameters: with and without bias, a normalisation, frozen weights, weights used twice."""
    yield "a linear layer of 5 to 3", (nn.Linear(5, 3),)
    yield "without bias", (nn.Conv2d(3, 8, 3, bias=False),)
    yield "a batch normalisation", (nn.BatchNorm2d(6),)
    yield "nothing to learn", (nn.Sequential(nn.ReLU(), nn.MaxPool2d(2)),)
    yield "frozen: not learnt any more", (nn.Sequential(nn.Linear(4, 4).requires_grad_(False), nn.Linear(4, 2)),)
    yield "one layer used twice", (Tied(),)
    yield "a parameter without a layer", (Loose(),)
    yield "a small network", (nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(16, 10)),)


def trainable(model):
    """Numbers that the model learns: trainable parameters, each once."""
    return count_parameters(model, trainable_only=True)


def count_frozen_too(model):
    return count_parameters(model)


def count_buffers_too(model):
    frozen = sum(p.numel() for p in model.parameters() if not p.requires_grad)
    return sum(v.numel() for v in {id(v): v for v in model.state_dict(keep_vars=True).values()}.values()) - frozen


def count_tensors(model):
    return sum(1 for p in model.parameters() if p.requires_grad)


def count_weights_only(model):
    return sum(p.numel() for p in model.parameters() if p.requires_grad and p.ndim > 1)


def count_twice(model):
    return sum(p.numel() for p in dict(model.named_parameters(remove_duplicate=False)).values() if p.requires_grad)


def count_layers_only(model):
    kinds = (nn.Linear, nn.Conv2d, nn.BatchNorm2d)
    layers = {id(m): m for m in model.modules() if isinstance(m, kinds)}.values()
    return sum(p.numel() for layer in layers for p in layer.parameters() if p.requires_grad)


def count_rows(model):
    return sum(len(p) for p in model.parameters() if p.requires_grad)


count_parameters_exercise = Exercise(
    name="09.count_parameters",
    reference=trainable,
    cases=count_cases,
    compare=Exact(),
    misconceptions=[
        Misconception(
            "frozen-ones-too", wrong=count_frozen_too, hint="Frozen weights are not learnt. Each parameter says so: requires_grad."
        ),
        Misconception(
            "averages-too",
            wrong=count_buffers_too,
            hint="A batch normalisation also remembers a running mean and variance. They are kept and not learnt: parameters(), "
            "not state_dict().",
        ),
        Misconception("tensors-not-numbers", wrong=count_tensors, hint="You counted tensors. How many numbers are in one? `numel()`."),
        Misconception("biases-forgotten", wrong=count_weights_only, hint="Biases and the scales of normalisations are learnt as well."),
        Misconception(
            "used-twice-counted-twice",
            wrong=count_twice,
            hint="One layer stands in two places; its weights exist once. `parameters()` gives each once.",
        ),
        Misconception(
            "layers-only",
            wrong=count_layers_only,
            hint="A parameter need not belong to a layer that you know. Ask the model for all of its parameters.",
        ),
        Misconception("rows-not-numbers", wrong=count_rows, hint="`len` of a matrix is its rows. `numel()` is all its numbers."),
    ],
    hints=["`model.parameters()` gives every parameter once.", "sum of `p.numel()` over those with `p.requires_grad`."],
    points=1,
    twins=[count_parameters],
)


# --- vgg_block


def drive_vgg_block(answer, in_channels, out_channels, count, x):
    """Build the block, give it known weights, send a map through it."""
    block = answer(in_channels, out_channels, count)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in block.parameters():
            parameter.copy_(torch.randint(-1, 2, parameter.shape, generator=generator).float())
    block.eval()
    with torch.no_grad():
        return {
            "parameters": [tuple(p.shape) for p in block.parameters()],
            "shape": tuple(block(x).shape),
            "what comes out": block(x),
        }


def vgg_cases(generator):
    """(label, arguments) for vgg_block: in_channels, out_channels, count, x."""
    yield "one convolution", (2, 3, 1, whole(generator, 1, 2, 4, 6))
    yield "two", (2, 4, 2, whole(generator, 1, 2, 4, 6))
    yield "three", (3, 2, 3, whole(generator, 2, 3, 8, 4))
    yield "an odd map", (1, 2, 1, whole(generator, 1, 1, 5, 7))
    yield "as many channels as before", (3, 3, 2, whole(generator, 1, 3, 6, 6))


def _vgg(layers_of):
    def build(in_channels, out_channels, count):
        return nn.Sequential(*layers_of(in_channels, out_channels, count))

    return build


def _convs(a, b, count, kernel=3, padding=1, act=True):
    for number in range(count):
        yield nn.Conv2d(a if number == 0 else b, b, kernel, padding=padding)
        if act:
            yield nn.ReLU()


vgg_not_padded = _vgg(lambda a, b, count: [*_convs(a, b, count, padding=0), nn.AdaptiveMaxPool2d(1)])
vgg_pool_each = _vgg(
    lambda a, b, count: [
        layer for number in range(count) for layer in (*_convs(a if number == 0 else b, b, 1), nn.MaxPool2d(2, ceil_mode=True))
    ]
)
vgg_without_pool = _vgg(lambda a, b, count: list(_convs(a, b, count)))
vgg_without_relu = _vgg(lambda a, b, count: [*_convs(a, b, count, act=False), nn.MaxPool2d(2)])
vgg_last_relu_missing = _vgg(lambda a, b, count: [*list(_convs(a, b, count))[:-1], nn.MaxPool2d(2)])
vgg_average = _vgg(lambda a, b, count: [*_convs(a, b, count), nn.AvgPool2d(2)])
vgg_one_too_many = _vgg(lambda a, b, count: [*_convs(a, b, count + 1), nn.MaxPool2d(2)])
vgg_five = _vgg(lambda a, b, count: [*_convs(a, b, count, kernel=5, padding=2), nn.MaxPool2d(2)])


vgg_block_exercise = Exercise(
    name="09.vgg_block",
    reference=vgg.vgg_block,
    cases=vgg_cases,
    compare=Close(rtol=1e-4, atol=1e-4),
    drive=drive_vgg_block,
    misconceptions=[
        Misconception(
            "not-padded", wrong=vgg_not_padded, hint="The map shrinks with every convolution. A 3x3 needs a padding of 1 to keep it."
        ),
        Misconception("pools-each-time", wrong=vgg_pool_each, hint="The map is halved once for the block, after its last convolution."),
        Misconception("never-pools", wrong=vgg_without_pool, hint="The block ends with a max pooling that halves the map."),
        Misconception(
            "no-activation", wrong=vgg_without_relu, hint="Two convolutions without anything between them are one. ReLU after each."
        ),
        Misconception("last-activation-missing", wrong=vgg_last_relu_missing, hint="After the last convolution there is a ReLU, too."),
        Misconception("average", wrong=vgg_average, hint="VGG keeps the largest of each 2x2, not the mean."),
        Misconception("one-too-many", wrong=vgg_one_too_many, hint="Count the convolutions: the first one is among the `count`."),
        Misconception("5x5", wrong=vgg_five, hint="VGG's point is 3x3 all the way: two of them see as far as one 5x5, with fewer weights."),
    ],
    hints=[
        "A list of layers, a loop over `count`, `nn.Sequential(*layers)`.",
        "Only the first convolution takes in_channels; the others go from out_channels to out_channels.",
    ],
    points=2,
    twins=[vgg.vgg_block],
)


# --- residual_block


def residual_cases(generator):
    """(label, arguments) for residual_block: x, weight1, weight2, shortcut, stride."""

    def case(a, m, o, height, width, stride=1, short=True):
        project = whole(generator, o, a, 1, 1) if short else None
        return whole(generator, 1, a, height, width), whole(generator, m, a, 3, 3), whole(generator, o, m, 3, 3), project, stride

    x, *_ = case(2, 3, 2, 4, 5, short=False)
    yield "kernels of zero: the block does nothing but its last ReLU", (x, torch.zeros(3, 2, 3, 3), torch.zeros(2, 3, 3, 3), None, 1)
    yield "the shape stays", case(2, 3, 2, 4, 5, short=False)
    yield "other channels: a shortcut of 1x1", case(2, 3, 4, 4, 5)
    yield "stride 2", case(2, 3, 4, 6, 8, stride=2)
    yield "stride 2 on odd sides", case(2, 2, 3, 5, 7, stride=2)
    yield "a shortcut although the shape stays", case(3, 2, 3, 4, 4)
    yield "random", (*(torch.randn(s, generator=generator) for s in ((2, 3, 5, 5), (4, 3, 3, 3), (3, 4, 3, 3))), None, 1)


def _residual(
    x, weight1, weight2, shortcut, stride, middle=torch.relu, inner=lambda t: t, outer=torch.relu, add=True, strides=None, short=True
):
    first, second = strides or (stride, 1)
    body = inner(conv2d(middle(conv2d(x, weight1, stride=first, padding=1)), weight2, stride=second, padding=1))
    around = x if shortcut is None or not short else conv2d(x, shortcut, stride=stride)
    return outer(around + body if add and around.shape == body.shape else body)


def residual_without_shortcut(*arguments):
    return _residual(*arguments, add=False)


def residual_relu_before_the_sum(*arguments):
    return _residual(*arguments, inner=torch.relu, outer=lambda t: t)


def residual_relu_twice(*arguments):
    return _residual(*arguments, inner=torch.relu)


def residual_no_last_relu(*arguments):
    return _residual(*arguments, outer=lambda t: t)


def residual_no_middle_relu(*arguments):
    return _residual(*arguments, middle=lambda t: t)


def residual_projection_ignored(*arguments):
    return _residual(*arguments, short=False)


def residual_concatenated(x, weight1, weight2, shortcut, stride):
    body = conv2d(torch.relu(conv2d(x, weight1, stride=stride, padding=1)), weight2, padding=1)
    around = x if shortcut is None else conv2d(x, shortcut, stride=stride)
    return torch.relu(torch.cat([around, body], dim=1))


residual_block_exercise = Exercise(
    name="09.residual_block",
    reference=blocks.residual_block,
    cases=residual_cases,
    compare=Close(rtol=1e-4, atol=1e-4),
    misconceptions=[
        Misconception(
            "no-shortcut",
            wrong=residual_without_shortcut,
            hint="With kernels of zero your block gives zero: the input has no way around it.",
        ),
        Misconception(
            "activation-before-the-sum",
            wrong=residual_relu_before_the_sum,
            hint="The last ReLU stands before the sum, so the body can only ever add, never take away. It belongs after.",
        ),
        Misconception(
            "activation-twice",
            wrong=residual_relu_twice,
            hint="One ReLU too many: the body is added as it comes out of its second convolution.",
        ),
        Misconception("no-last-activation", wrong=residual_no_last_relu, hint="The sum goes through a ReLU."),
        Misconception(
            "no-middle-activation", wrong=residual_no_middle_relu, hint="Without a ReLU between them the two convolutions are one."
        ),
        Misconception(
            "projection-ignored",
            wrong=residual_projection_ignored,
            hint="Where a shortcut kernel is given, x goes through it (1x1, with the stride) before it is added.",
        ),
        Misconception(
            "concatenated",
            wrong=residual_concatenated,
            hint="That is DenseNet's way: behind each other. A residual block adds, number to number.",
        ),
    ],
    hints=[
        "body = conv2(relu(conv1(x))), both padded by 1, the stride in the first.",
        "around = x, or conv2d(x, shortcut, stride=stride). Then relu(around + body).",
    ],
    points=3,
)
