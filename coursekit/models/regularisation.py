"""Against overfitting: dropout and weight decay. Taught in notebook 08_fitting; early stopping is in `coursekit.training.classifier`.

>>> x, draws = torch.tensor([2.0, 2.0, 2.0, 2.0]), torch.tensor([0.1, 0.9, 0.4, 0.6])
>>> dropout(x, 0.5, draws)
tensor([0., 4., 0., 4.])
"""

from collections.abc import Iterable

import torch
from torch import Tensor


def dropout(x: Tensor, p: float, draws: Tensor, training: bool = True) -> Tensor:
    """Set each number to 0 with probability p, and scale the others up, so that the mean stays as it was ("inverted" dropout).

    Args:
        x: float, any shape.
        p: probability of being dropped, in [0, 1).
        draws: uniform in [0, 1), of x's shape; a number stays where its draw is at least p. Dice are passed in, so that the same dice
            give the same answer.
        training: False gives x as it is.

    Returns:
        The shape of x. Numbers that stay are x / (1 - p).

    Raises:
        ValueError: where p is not in [0, 1) (torch takes 1 too, and drops all), or draws have another shape.

    Source: Srivastava and others, Journal of Machine Learning Research 15 (2014), p. 1929. With the same mask equal to
    torch.nn.functional.dropout.
    """
    if not 0 <= p < 1:
        raise ValueError(f"p must lie in [0, 1), got {p}")
    if draws.shape != x.shape:
        raise ValueError(f"draws must have the shape of x, {tuple(x.shape)}, got {tuple(draws.shape)}")
    if not training:
        return x
    return torch.where(draws >= p, x / (1 - p), 0.0)


@torch.no_grad()
def decay_weights(parameters: Iterable[Tensor], lr: float, weight_decay: float) -> None:
    """Pull every weight towards 0 by the share lr * weight_decay, in place: one step of decoupled weight decay, without a gradient.

    Args:
        parameters: what is pulled; by habit the weights of layers, and neither biases nor the scales of a normalisation.
        lr: the learning rate of this step.
        weight_decay: how strong, 0 or more.

    Raises:
        ValueError: if lr or weight_decay is negative.

    Source: Loshchilov & Hutter, arXiv 1711.05101. What torch.optim.AdamW does before its own step.
    """
    for name, value in (("lr", lr), ("weight_decay", weight_decay)):
        if value < 0:
            raise ValueError(f"{name} must be 0 or more, got {value}")
    for parameter in parameters:
        parameter.mul_(1 - lr * weight_decay)
