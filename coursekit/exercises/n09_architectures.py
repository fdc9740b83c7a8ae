"""Exercises of notebook 09_architectures: count_parameters and vgg_block.

The others: n09_architectures_residual.py, _more.py and _time.py.
"""

import torch
from torch import nn

from coursekit.exercises.core import Close, Exact, Exercise, Misconception
from coursekit.models import vgg
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


def count_state_dict(model):
    return sum(v.numel() for v in model.state_dict().values())


def count_list(model):
    return len(list(model.parameters()))


def count_children(model):
    return sum(p.numel() for layer in model.children() for p in layer.parameters())


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
            wrong=count_state_dict,
            hint="A state_dict holds all that is saved: frozen weights, and the running mean and variance of a batch normalisation. "
            "They are kept and not learnt. What does `parameters()` give?",
        ),
        Misconception("tensors-not-numbers", wrong=count_tensors, hint="You counted tensors. How many numbers are in one? `numel()`."),
        Misconception(
            "a-list-of-tensors",
            wrong=count_list,
            hint="You counted tensors: a linear layer has two, its weights and its bias. How many numbers are in one? `numel()`. "
            "Then leave out what is frozen.",
        ),
        Misconception(
            "children-only",
            wrong=count_children,
            hint="A linear layer by itself came to 0: it has no children, and yet it has weights. Ask the model itself: `parameters()` "
            "goes all the way down, and gives each once. Then leave out what is frozen.",
        ),
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
    """(label, arguments) for vgg_block: in_channels, out_channels, count, x; maps so large that even without padding some of it is left."""
    yield "one convolution", (2, 3, 1, whole(generator, 1, 2, 4, 6))
    yield "two", (2, 4, 2, whole(generator, 1, 2, 6, 8))
    yield "three", (3, 2, 3, whole(generator, 2, 3, 8, 10))
    yield "an odd map", (1, 2, 1, whole(generator, 1, 1, 5, 7))
    yield "as many channels as before", (3, 3, 2, whole(generator, 1, 3, 6, 6))


def _vgg(layers_of):
    def build(in_channels, out_channels, count):
        return nn.Sequential(*layers_of(in_channels, out_channels, count))

    return build


def _convs(a, b, count, kernel=3, padding=1, act=True, bias=True):
    for number in range(count):
        yield nn.Conv2d(a if number == 0 else b, b, kernel, padding=padding, bias=bias)
        if act:
            yield nn.ReLU()


vgg_not_padded = _vgg(lambda a, b, count: [*_convs(a, b, count, padding=0), nn.MaxPool2d(2)])
vgg_first_width_each_time = _vgg(lambda a, b, count: [*[layer for _ in range(count) for layer in _convs(a, b, 1)], nn.MaxPool2d(2)])
vgg_one_layer_again = _vgg(lambda a, b, count: [*_convs(a, b, 1), *list(_convs(b, b, 1)) * (count - 1), nn.MaxPool2d(2)])
vgg_one_relu_at_the_end = _vgg(lambda a, b, count: [*_convs(a, b, count, act=False), nn.ReLU(), nn.MaxPool2d(2)])
vgg_widens_last = _vgg(lambda a, b, count: [*_convs(a, a, count - 1), *_convs(a, b, 1), nn.MaxPool2d(2)])
vgg_no_bias = _vgg(lambda a, b, count: [*_convs(a, b, count, bias=False), nn.MaxPool2d(2)])
vgg_pool_each = _vgg(
    lambda a, b, count: [
        layer for number in range(count) for layer in (*_convs(a if number == 0 else b, b, 1), nn.MaxPool2d(2, ceil_mode=True))
    ]
)
vgg_without_pool = _vgg(lambda a, b, count: list(_convs(a, b, count)))
vgg_without_relu = _vgg(lambda a, b, count: [*_convs(a, b, count, act=False), nn.MaxPool2d(2)])
vgg_last_relu_missing = _vgg(lambda a, b, count: [*list(_convs(a, b, count))[:-1], nn.MaxPool2d(2)])
vgg_average = _vgg(lambda a, b, count: [*_convs(a, b, count), nn.AvgPool2d(2)])
vgg_normalised = _vgg(
    lambda a, b, count: (
        [layer for number in range(count) for layer in (nn.Conv2d(a if number == 0 else b, b, 3, padding=1), nn.BatchNorm2d(b), nn.ReLU())]
        + [nn.MaxPool2d(2)]
    )
)
vgg_one_too_many = _vgg(lambda a, b, count: [*_convs(a, b, count + 1), nn.MaxPool2d(2)])
vgg_five = _vgg(lambda a, b, count: [*_convs(a, b, count, kernel=5, padding=2), nn.MaxPool2d(2)])


def vgg_list(in_channels, out_channels, count):
    return [*_convs(in_channels, out_channels, count), nn.MaxPool2d(2)]


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
        Misconception(
            "first-width-each-time",
            wrong=vgg_first_width_each_time,
            hint="Your second convolution expects in_channels again. What does it get from the first one?",
        ),
        Misconception(
            "one-layer-again",
            wrong=vgg_one_layer_again,
            hint="`[layer] * n` is the same layer n times, with the same weights. Make a new one in each turn of a loop.",
        ),
        Misconception(
            "one-activation-at-the-end",
            wrong=vgg_one_relu_at_the_end,
            hint="One ReLU, at the very end: the convolutions before it are one long convolution. Each is followed by its own.",
        ),
        Misconception(
            "widens-last", wrong=vgg_widens_last, hint="The number of channels changes in the first convolution, not in the last."
        ),
        Misconception("no-bias", wrong=vgg_no_bias, hint="The convolutions have a bias here: VGG has no normalisation that would add one."),
        Misconception("normalised", wrong=vgg_normalised, hint="Batch normalisation came a year after VGG: convolution and ReLU, no more."),
        Misconception("a-list", wrong=vgg_list, hint="You return a list of layers. `nn.Sequential(*layers)` makes one block of them."),
        Misconception("5x5", wrong=vgg_five, hint="VGG's point is 3x3 all the way: two of them see as far as one 5x5, with fewer weights."),
    ],
    hints=[
        "A list of layers, a loop over `count`, `nn.Sequential(*layers)`.",
        "Only the first convolution takes in_channels; the others go from out_channels to out_channels.",
    ],
    points=2,
    twins=[vgg.vgg_block],
)
