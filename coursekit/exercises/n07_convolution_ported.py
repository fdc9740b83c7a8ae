"""The planted bug of notebook 07_convolution: a network from a library that keeps channels last, run by ours."""

import torch

from coursekit.exercises.core import Close, Exercise, Misconception
from coursekit.models import convolution as blocks


def ported_network(images, kernels, linear):
    """A network whose weights were stored with channels last.

    Args:
        images: (N, C, H, W) floats.
        kernels: of each convolution the kernel (h, w, in, out) and its bias (out,); ReLU and pooling to half follow each.
        linear: of each linear layer the weight (in, out) and its bias (out,), ReLU between them; the first one reads the maps in
            the order height, width, channel.

    Returns:
        (N, K) logits.
    """
    return _run(images, kernels, linear)


def _run(
    images,
    kernels,
    linear,
    flatten=lambda maps: maps.permute(0, 2, 3, 1).flatten(1),
    turn=lambda kernel: kernel.permute(3, 2, 0, 1),
    between=torch.relu,
    last=lambda logits: logits,
):
    """The right network with one thing at a time to get wrong."""
    x = images
    for kernel, bias in kernels:
        x = blocks.max_pool2d(torch.relu(blocks.conv2d(x, turn(kernel), bias)), 2)
    x = flatten(x)
    for weight, bias in linear[:-1]:
        x = between(x @ weight + bias)
    weight, bias = linear[-1]
    return last(x @ weight + bias)


def ported_network_cases(generator):
    """(label, arguments) for ported_network: first where any order will do, then maps that are not square, with several channels."""

    def numbers(*shape):
        return torch.randint(-2, 3, shape, generator=generator).float() + 0.25

    def network(images, taps, channels, widths):
        shape, kernels = images.shape[1:], []
        for (h, w), out in zip(taps, channels, strict=True):
            kernels.append((numbers(h, w, shape[0], out), numbers(out)))
            shape = (out, (shape[1] - h + 1) // 2, (shape[2] - w + 1) // 2)
        ins = (shape[0] * shape[1] * shape[2], *widths[:-1])
        return images, kernels, [(numbers(a, b), numbers(b)) for a, b in zip(ins, widths, strict=True)]

    yield "one map: any order will do", network(numbers(1, 1, 5, 7), [(2, 2)], [1], [2])
    yield "three maps of one place: any order will do", network(numbers(1, 1, 3, 3), [(2, 2)], [3], [2])
    yield "two maps of 2x3", network(numbers(1, 1, 5, 7), [(2, 2)], [2], [2])
    yield "two images of three channels, a kernel of 2x3", network(numbers(2, 3, 7, 6), [(2, 3)], [4], [3])
    yield "a hidden layer", network(numbers(2, 2, 5, 6), [(2, 3)], [3], [6, 3])
    yield "two convolutions, three linear layers", network(numbers(2, 1, 12, 16), [(3, 3), (2, 2)], [2, 3], [5, 4, 3])
    for _ in range(2):
        yield "random", network(torch.rand(2, 2, 14, 18, generator=generator), [(3, 3), (2, 3)], [3, 4], [6, 3])


def ported_flattened_as_it_stood(images, kernels, linear):
    return _run(images, kernels, linear, flatten=lambda maps: maps.flatten(1))


def ported_width_before_height(images, kernels, linear):
    return _run(images, kernels, linear, flatten=lambda maps: maps.permute(0, 3, 2, 1).flatten(1))


def ported_kernels_reshaped(images, kernels, linear):
    return _run(images, kernels, linear, turn=lambda kernel: kernel.reshape(kernel.shape[3], kernel.shape[2], *kernel.shape[:2]))


def ported_kernels_flipped(images, kernels, linear):
    return _run(images, kernels, linear, turn=lambda kernel: kernel.permute(3, 2, 0, 1).flip(2, 3))


def ported_turned_twice(images, kernels, linear):
    """The maps in her order, and her weights in ours."""
    maps = images
    for kernel, bias in kernels:
        maps = blocks.max_pool2d(torch.relu(blocks.conv2d(maps, kernel.permute(3, 2, 0, 1), bias)), 2)
    first, bias = linear[0]
    turned = first.reshape(*maps.shape[2:], maps.shape[1], -1).permute(2, 0, 1, 3).reshape(first.shape)
    return _run(images, kernels, [(turned, bias), *linear[1:]])


def ported_relu_at_the_end(images, kernels, linear):
    return _run(images, kernels, linear, last=torch.relu)


def ported_no_relu_between(images, kernels, linear):
    return _run(images, kernels, linear, between=lambda x: x)


ported_network_exercise = Exercise(
    name="07.ported_network",
    reference=ported_network,
    cases=ported_network_cases,
    compare=Close(rtol=1e-4, atol=1e-3),
    misconceptions=[
        Misconception(
            "flattened-as-it-stood",
            wrong=ported_flattened_as_it_stood,
            hint="That is the planted bug. Her first linear layer reads row, column, channel. "
            "In which order does flatten(1) read (N, C, H, W)?",
        ),
        Misconception(
            "width-before-height",
            wrong=ported_width_before_height,
            hint="Channels come last now, but columns come before rows. For square maps no shape complains. "
            "Her order is height, width, channel.",
        ),
        Misconception(
            "kernels-reshaped",
            wrong=ported_kernels_reshaped,
            hint="The kernels were right, and now they are scrambled: reshape cuts memory elsewhere, permute turns axes.",
        ),
        Misconception(
            "kernels-flipped",
            wrong=ported_kernels_flipped,
            hint="Her library slides its kernels as ours does, without a flip: the maps agreed before you touched them.",
        ),
        Misconception(
            "turned-twice",
            wrong=ported_turned_twice,
            hint="You turned the maps into her order and her weights into ours: twice is once too often. Do one of the two.",
        ),
        Misconception(
            "relu-at-the-end",
            wrong=ported_relu_at_the_end,
            hint="Logits below zero became 0. No ReLU follows the last layer.",
        ),
        Misconception(
            "no-relu-between",
            wrong=ported_no_relu_between,
            hint="A ReLU between the linear layers went missing; without it they are one linear layer.",
        ),
    ],
    hints=[
        "The maps before flatten agree with hers. What does flatten make of them? Print the order for maps of shape (1, 2, 1, 3).",
        "flatten(1) runs through channel, then row, then column. Her layer wants row, column, channel: turn the axes first.",
        "`x = x.permute(0, 2, 3, 1).flatten(1)`.",
    ],
    points=2,
)
