"""Fully connected networks, and an activation with its derivative. Taught in notebook 05_training_loop.

>>> model = MLP([64, 128, 10])
>>> model(torch.rand(5, 1, 8, 8)).shape
torch.Size([5, 10])
"""

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn


class MLP(nn.Module):
    """Multi-layer perceptron: linear layers, an activation after each but the last.

    Args:
        sizes: numbers in, neurons of each hidden layer, numbers out, such as ``[64, 128, 10]``.
        activation: makes the layer between two linear ones: ``nn.ReLU``, ``nn.Sigmoid``, ``nn.Tanh``, ``nn.LeakyReLU``;
            ``nn.Identity`` for none.
        dropout: share of each hidden layer's outputs that training sets to 0; 0 leaves it out.

    Input is (N, ...) float with ``sizes[0]`` numbers each, output (N, ``sizes[-1]``): logits, with no activation after them.

    Raises:
        ValueError: if sizes are fewer than two or below 1, dropout is not in [0, 1), or an input has another number of numbers.
    """

    def __init__(self, sizes: Sequence[int], activation: Callable[[], nn.Module] = nn.ReLU, dropout: float = 0.0):
        super().__init__()
        if len(sizes) < 2 or min(sizes) < 1:
            raise ValueError(f"sizes must be at least two numbers of at least 1, got {list(sizes)}")
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout must be at least 0 and below 1, got {dropout}")
        self.inputs = sizes[0]
        layers: list[nn.Module] = []
        for before, after in pairwise(sizes[:-1]):
            layers += [nn.Linear(before, after), activation()]
            if dropout:
                layers.append(nn.Dropout(dropout))
        layers.append(nn.Linear(sizes[-2], sizes[-1]))
        self.layers = nn.Sequential(*layers)

    def forward(self, inputs: Tensor) -> Tensor:
        flat = inputs.flatten(1)  # (N, C, H, W) -> (N, C * H * W): a network of this kind does not know which pixels are neighbours
        if flat.shape[1] != self.inputs:
            raise ValueError(f"inputs must hold {self.inputs} numbers each, got {flat.shape[1]} (shape {tuple(inputs.shape)})")
        return self.layers(flat)


def leaky_relu(x: Tensor, slope: float = 0.01) -> tuple[Tensor, Tensor]:
    """Leaky ReLU and its derivative, both of the shape of x: x where it is above 0, slope * x elsewhere.

    Args:
        x: floats of any shape.
        slope: in [0, 1]; 0 is the plain ReLU.

    Returns:
        The values, and the derivative: 1 above 0, slope elsewhere. At 0 itself there is none; as in torch, it is the slope.

    Raises:
        ValueError: if slope lies outside.

    Source: Maas, Hannun & Ng, Rectifier nonlinearities improve neural network acoustic models, 2013, section 2.
    """
    if not 0 <= slope <= 1:
        raise ValueError(f"slope must be in [0, 1], got {slope}")
    steepness = torch.where(x > 0, 1.0, slope).to(x.dtype)
    return steepness * x, steepness
