"""Optimisers as small pure functions: weights and gradient in, new weights out. Taught in notebook 03_optimisers.

    >>> weights, velocity = torch.tensor([1.0]), 0.0
    >>> for _ in range(3):
    ...     weights, velocity = sgd_momentum(weights, 2 * weights, velocity, lr=0.1, momentum=0.9)
    >>> weights
    tensor([0.0620])

All of them are called as ``step(weights, gradient, state, lr)`` and give ``(new weights, new state)``; nothing is changed in place.
The state is what an optimiser remembers from step to step, and it begins as zeros: ``0.0``, or ``(0.0, 0.0, 0)`` for Adam.

Shared by all, so that no docstring has to repeat it:

- weights: float tensor of any shape. gradient: of the same shape, dL/dw at these weights.
- lr: the learning rate, above 0; a number, or a tensor that broadcasts against the weights, such as (R, 1) for R rates side by side.
- Results equal `torch.optim` to rounding, on float64 to the last few bits; tests hold them so.
"""

import torch
from torch import Tensor

Numbers = Tensor | float  # a tensor of the weights' shape, or 0.0 before the first step


def sgd(weights: Tensor, gradient: Tensor, state: float, lr: Numbers) -> tuple[Tensor, float]:
    """One step of plain gradient descent. It remembers nothing: the state is handed through.

    Source: Robbins & Monro 1951, for gradients with noise in them; Cauchy 1847, without.
    """
    return weights - lr * gradient, state


def sgd_momentum(weights: Tensor, gradient: Tensor, velocity: Numbers, lr: Numbers, momentum: float = 0.9) -> tuple[Tensor, Tensor]:
    """One step with momentum, in torch's form: ``v = momentum * v + g``, then ``w = w - lr * v``.

    Textbooks put the rate into the velocity, ``v = momentum * v + lr * g; w = w - v``. That is the same as long as the rate stays; when
    a schedule lowers it, torch's form obeys at once, and the textbook's only as its old velocity fades.

    Args:
        velocity: as returned by the step before.
        momentum: from 0 (plain gradient descent) to below 1.

    Source: Polyak 1964; Sutskever et al., ICML 2013.
    """
    velocity = momentum * velocity + gradient
    return weights - lr * velocity, velocity


def nesterov(weights: Tensor, gradient: Tensor, velocity: Numbers, lr: Numbers, momentum: float = 0.9) -> tuple[Tensor, Tensor]:
    """As `sgd_momentum`, but the step looks ahead along the velocity that it will have next: ``w = w - lr * (g + momentum * v)``.

    Source: Nesterov 1983, in the form of Sutskever et al., ICML 2013.
    """
    velocity = momentum * velocity + gradient
    return weights - lr * (gradient + momentum * velocity), velocity


def adagrad(weights: Tensor, gradient: Tensor, squares: Numbers, lr: Numbers, eps: float = 1e-10) -> tuple[Tensor, Tensor]:
    """One step divided, for each weight, by the root of the sum of all its squared gradients. A sum never falls: the rate only shrinks.

    Args:
        squares: sum of the squared gradients until now.
        eps: keeps 0 / 0 away.

    Source: Duchi, Hazan & Singer, JMLR 12, 2011.
    """
    squares = squares + gradient**2
    return weights - lr * gradient / (squares**0.5 + eps), squares


def rmsprop(
    weights: Tensor, gradient: Tensor, average: Numbers, lr: Numbers, decay: float = 0.99, eps: float = 1e-8
) -> tuple[Tensor, Tensor]:
    """One step divided, for each weight, by the root of a running average of its squared gradients, which forgets.

    Args:
        average: of the squared gradients, as returned by the step before.
        decay: share of the old average that is kept, from 0 to below 1 (torch calls it alpha).
        eps: added to the root, not under it, as torch has it (TensorFlow puts it under the root).

    Source: Tieleman & Hinton, lecture 6.5 of Neural Networks for Machine Learning, 2012.
    """
    average = decay * average + (1 - decay) * gradient**2
    return weights - lr * gradient / (average**0.5 + eps), average


def adam(
    weights: Tensor,
    gradient: Tensor,
    state: tuple[Numbers, Numbers, int],
    lr: Numbers,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
) -> tuple[Tensor, tuple[Tensor, Tensor, int]]:
    """One step of Adam: the average gradient, divided by the root of the average square, both corrected for their start at 0.

    Args:
        state: (average gradient, average squared gradient, steps made so far); ``(0.0, 0.0, 0)`` before the first.
        betas: share of either average that is kept.
        eps: added to the root.

    Returns:
        The weights, and the state with its count one higher. The averages in it are *not* corrected; only the step uses corrected ones.

    Source: Kingma & Ba, arXiv 1412.6980, algorithm 1.
    """
    first, second, count = state
    count = count + 1
    first = betas[0] * first + (1 - betas[0]) * gradient
    second = betas[1] * second + (1 - betas[1]) * gradient**2
    mean = first / (1 - betas[0] ** count)  # after one step 1 - beta is all that the average holds, so divide by it
    square = second / (1 - betas[1] ** count)
    return weights - lr * mean / (square**0.5 + eps), (first, second, count)


def adam_l2(
    weights: Tensor, gradient: Tensor, state: tuple[Numbers, Numbers, int], lr: Numbers, decay: float = 0.01
) -> tuple[Tensor, tuple[Tensor, Tensor, int]]:
    """Adam with an L2 penalty in its gradient, as ``torch.optim.Adam(weight_decay=...)`` has it: the pull towards 0 is rescaled as well.

    A weight with large gradients hardly decays, one with small gradients decays at full step size. `adamw` mends that.
    """
    return adam(weights, gradient + decay * weights, state, lr)


def adamw(
    weights: Tensor, gradient: Tensor, state: tuple[Numbers, Numbers, int], lr: Numbers, decay: float = 0.01
) -> tuple[Tensor, tuple[Tensor, Tensor, int]]:
    """Adam with decoupled weight decay: every weight first shrinks by the same share, ``lr * decay``, then Adam makes its step.

    Args:
        state: as for `adam`.
        decay: 0 for none.

    Source: Loshchilov & Hutter, arXiv 1711.05101.
    """
    return adam(weights * (1 - lr * decay), gradient, state, lr)


@torch.no_grad()
def update(parameters, gradients, states, step, lr) -> tuple[list[Tensor], list]:
    """One step for several tensors, each with a state of its own.

    Args:
        parameters: tensors. gradients: one for each. states: one for each.
        step: any function of this file.

    Returns:
        The new tensors, which require no gradient yet, and the new states.

    Raises:
        ValueError: if there are not as many of each.
    """
    parameters, gradients, states = list(parameters), list(gradients), list(states)
    if not len(parameters) == len(gradients) == len(states):
        raise ValueError(
            f"parameters, gradients and states must be equally many, got {len(parameters)}, {len(gradients)} and {len(states)}"
        )
    results = [step(w, g, s, lr) for w, g, s in zip(parameters, gradients, states, strict=True)]
    return [weights for weights, _ in results], [state for _, state in results]
