"""What makes a deep network trainable, and how to look: first weights, gradient norms, clipping. Taught in notebook 08_fitting.

>>> he_std((64, 32, 3, 3))  # a 3x3 convolution from 32 channels: 288 inputs
0.08333333333333333
"""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy


def fans(shape: Sequence[int]) -> tuple[int, int]:
    """How many inputs one output sums over, and how many outputs one input goes to.

    Args:
        shape: of a weight, (out, in) of a linear layer or (out, in, kernel height, kernel width) of a convolution.

    Returns:
        (fan_in, fan_out); a kernel's places count in both.

    Raises:
        ValueError: for fewer than two axes, such as a bias: it has no fan.
    """
    if len(shape) < 2:
        raise ValueError(f"shape must be (out, in) or (out, in, height, width), got {tuple(shape)}")
    places = math.prod(shape[2:])
    return shape[1] * places, shape[0] * places


def xavier_std(shape: Sequence[int]) -> float:
    """Standard deviation that keeps the spread the same forwards and backwards where the activation is nearly a straight line.

    sqrt(2 / (fan_in + fan_out)). Source: Glorot & Bengio, AISTATS 2010, equation 12.
    """
    fan_in, fan_out = fans(shape)
    return math.sqrt(2 / (fan_in + fan_out))


def he_std(shape: Sequence[int]) -> float:
    """Standard deviation that keeps the spread the same from layer to layer where a ReLU cuts half of it away.

    sqrt(2 / fan_in). Source: He and others, arXiv 1502.01852, equation 10.
    """
    return math.sqrt(2 / fans(shape)[0])


def xavier_scaled(draws: Tensor) -> Tensor:
    """Standard normal draws in the shape of a weight -> weights after Xavier Glorot."""
    return draws * xavier_std(draws.shape)


def he_scaled(draws: Tensor) -> Tensor:
    """Standard normal draws in the shape of a weight, (out, in) or (out, in, kh, kw) -> weights after Kaiming He, of the same shape."""
    return draws * he_std(draws.shape)


def xavier_init(shape: Sequence[int], generator: torch.Generator | None = None) -> Tensor:
    """New weights of this shape after Xavier Glorot. Equal to torch.nn.init.xavier_normal_ with the same generator."""
    return xavier_scaled(torch.randn(tuple(shape), generator=generator))


def he_init(shape: Sequence[int], generator: torch.Generator | None = None) -> Tensor:
    """New weights of this shape after Kaiming He. Equal to torch.nn.init.kaiming_normal_ (for ReLU, fan_in) with the same generator."""
    return he_scaled(torch.randn(tuple(shape), generator=generator))


def gradient_norms(model: nn.Module, inputs: Tensor, labels: Tensor) -> Tensor:
    """How strongly one batch pulls at each layer: the norm of the cross-entropy's gradient for each weight with two or more axes.

    Args:
        model: gives logits (N, K). Its gradients are replaced by those of this batch; no step is taken.
        inputs: whatever the model takes.
        labels: (N,) int64.

    Returns:
        (L,) float32 without a graph, in the order of ``model.parameters()``. Biases and the scales of a normalisation are left out;
        a frozen layer has 0. Their squares add up to the square of the norm that torch.nn.utils.clip_grad_norm_ gives for these weights.
    """
    model.zero_grad()
    cross_entropy(model(inputs), labels).backward()
    weights = [weight for weight in model.parameters() if weight.ndim > 1]
    return torch.tensor([0.0 if weight.grad is None else weight.grad.norm().item() for weight in weights])


def clip_by_norm(gradients: Sequence[Tensor], max_norm: float) -> tuple[list[Tensor], float]:
    """Gradients of all layers as one long arrow, shortened to max_norm where it is longer; its direction stays.

    Args:
        gradients: tensors of any shapes.
        max_norm: above 0.

    Returns:
        The gradients, new tensors, and the norm of all of them together before.

    Raises:
        ValueError: if max_norm is not above 0.

    Source: Pascanu, Mikolov & Bengio, arXiv 1211.5063, algorithm 1; with the 1e-6 of torch.nn.utils.clip_grad_norm_, to which it is equal.
    """
    if not max_norm > 0:
        raise ValueError(f"max_norm must be above 0, got {max_norm}")
    squares = [(gradient.detach().to(torch.float32) ** 2).sum() for gradient in gradients]
    norm = torch.stack(squares).sum().sqrt() if squares else torch.tensor(0.0)
    factor = (max_norm / (norm + 1e-6)).clamp(max=1.0)  # never makes a short one longer; the 1e-6 is for a norm of 0
    return [gradient * factor for gradient in gradients], norm.item()


def deep_network(
    depth: int,
    activation: Callable[[], nn.Module] = nn.ReLU,
    init: Callable[[Tensor], Tensor] | None = None,
    norm: Callable[[int], nn.Module] | None = None,
    width: int = 64,
    inputs: int = 64,
    classes: int = 10,
    generator: torch.Generator | None = None,
) -> nn.Sequential:
    """Many equal layers in a row, to study how signals and gradients travel through depth.

    Args:
        depth: hidden layers, at least 1; each is linear, then ``norm`` if there is one, then ``activation``. A layer of logits ends it.
        activation: makes one, such as ``nn.Sigmoid``.
        init: standard normal draws in the shape of a weight -> the weight, such as `he_scaled`; biases are 0 then. None: torch's own.
        norm: of the width, makes a normalisation, such as `BatchNorm`.
        width: of each hidden layer.
        inputs: numbers in each sample; it takes (N, inputs), or (N, ...) that flattens to it.
        classes: number of logits.
        generator: of the draws for ``init``.

    Raises:
        ValueError: if depth is below 1.
    """
    if depth < 1:
        raise ValueError(f"depth must be at least 1, got {depth}")
    layers: list[nn.Module] = [nn.Flatten()]
    for number in range(depth):
        layers.append(nn.Linear(inputs if number == 0 else width, width))
        if norm is not None:
            layers.append(norm(width))
        layers.append(activation())
    layers.append(nn.Linear(width, classes))
    if init is not None:
        for layer in layers:
            if isinstance(layer, nn.Linear):
                nn.init.zeros_(layer.bias)
                layer.weight.data = init(torch.randn(layer.weight.shape, generator=generator))
    return nn.Sequential(*layers)
