"""Losses, and their gradients by hand. Taught in notebook 02_losses.

    >>> cross_entropy(torch.zeros(1, 10), torch.tensor([3]))  # ten classes and no idea: ln 10
    tensor(2.3026)

Everything takes and gives torch tensors. No gradient here comes from autograd: each is written out, and a test holds it equal.
"""

from collections.abc import Callable

import torch
from torch import Tensor


def mse(predicted: Tensor, target: Tensor) -> Tensor:
    """Mean squared error: the mean of ``(predicted - target) ** 2`` over all numbers.

    Args:
        predicted: floats of any shape.
        target: of the same shape. Both are in the same unit; the error is in its square.

    Returns:
        One number, shape (), 0 or more. No numbers at all give NaN, as ``torch.nn.functional.mse_loss`` does.

    Raises:
        ValueError: if the shapes differ (torch would broadcast them and warn).
    """
    _same_shape(predicted, target)
    return ((predicted - target) ** 2).mean()


def mse_with_gradient(predicted: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """The mean squared error, and its slope along every predicted number.

    Args:
        predicted: floats of any shape.
        target: of the same shape.

    Returns:
        The loss, shape (), and ``2 (predicted - target) / count`` in the shape of ``predicted``.

    Raises:
        ValueError: if the shapes differ.
    """
    _same_shape(predicted, target)
    difference = predicted - target
    return (difference**2).mean(), 2 * difference / max(1, difference.numel())


def mae(predicted: Tensor, target: Tensor) -> Tensor:
    """Mean absolute error: the mean of ``|predicted - target|`` over all numbers, in their own unit.

    Args, Returns, Raises: as for `mse`; the library's twin is ``torch.nn.functional.l1_loss``.
    """
    _same_shape(predicted, target)
    return (predicted - target).abs().mean()


def softmax(logits: Tensor) -> Tensor:
    """Logits to probabilities along the last axis: ``exp(z_k) / sum_j exp(z_j)``, safe for logits of any size.

    Args:
        logits: (..., K) floats, K at least 1.

    Returns:
        (..., K) in [0, 1], each row with the sum 1. A row with +inf or NaN in it gives NaN, as torch does.

    Raises:
        ValueError: if there is no last axis, or no class on it.
    """
    _has_classes(logits)
    weights = (logits - logits.amax(dim=-1, keepdim=True)).exp()  # the largest is exp(0) = 1: nothing overflows
    return weights / weights.sum(dim=-1, keepdim=True)


def log_softmax(logits: Tensor) -> Tensor:
    """The logarithm of `softmax`, without going through a probability that may have been rounded to 0.

    Args, Raises: as for `softmax`.

    Returns:
        (..., K), 0 or less: ``z_k - log sum_j exp(z_j)``.
    """
    _has_classes(logits)
    shifted = logits - logits.amax(dim=-1, keepdim=True)
    return shifted - shifted.exp().sum(dim=-1, keepdim=True).log()


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """``-log`` of the probability that the right class gets, as the mean over the samples.

    Args:
        logits: (N, K) floats: raw scores, before any softmax.
        labels: (N,) int64 in 0..K-1.

    Returns:
        One number, shape (), 0 or more; ``log K`` where all logits are equal. No samples give NaN, as
        ``torch.nn.functional.cross_entropy`` does.

    Raises:
        ValueError: naming the argument whose shape, kind or range is wrong.
    """
    _check_labels(logits, labels)
    shifted = logits - logits.amax(dim=1, keepdim=True)
    right = shifted[torch.arange(len(labels), device=labels.device), labels]  # (N,)
    return (shifted.exp().sum(dim=1).log() - right).mean()  # log-sum-exp minus the right logit


def cross_entropy_gradient(logits: Tensor, labels: Tensor) -> Tensor:
    """The slope of `cross_entropy` along every logit: ``(p - y) / N``, with y the labels as one-hot rows.

    Args, Raises: as for `cross_entropy`.

    Returns:
        (N, K); each row has the sum 0.
    """
    _check_labels(logits, labels)
    gradient = softmax(logits)
    gradient[torch.arange(len(labels), device=labels.device), labels] -= 1
    return gradient / max(1, len(labels))


def binary_cross_entropy_with_logits(logits: Tensor, targets: Tensor) -> Tensor:
    """``-log`` of the probability given to the right answer of yes-or-no questions, as the mean over all of them.

    Args:
        logits: floats of any shape, one question each: raw scores, before any sigmoid.
        targets: floats of the same shape in [0, 1]: 1 is yes. Values in between are weighed answers.

    Returns:
        One number, shape (), 0 or more; ``log 2`` where all logits are 0. Exact for logits of +-1000 too. No questions give NaN.

    Raises:
        ValueError: if the shapes differ, or a target lies outside [0, 1] (torch's twin accepts those).
    """
    _same_shape(logits, targets, ("logits", "targets"))
    if targets.numel() and not bool(((targets >= 0) & (targets <= 1)).all()):
        raise ValueError(f"targets must lie in [0, 1], got {targets.min().item():g} to {targets.max().item():g}")
    positive_part = (logits + logits.abs()) / 2  # max(z, 0), with the slope 1/2 at 0 that the loss has there; clamp's would be 1
    return (positive_part - logits * targets + torch.log1p(torch.exp(-logits.abs()))).mean()


def numerical_gradient(f: Callable[[Tensor], Tensor], x: Tensor, h: float = 1e-5) -> Tensor:
    """The gradient by trying: each number of x a little up and a little down, ``(f(x + h) - f(x - h)) / (2 h)``.

    Args:
        f: takes a tensor like ``x``, gives one number.
        x: floats of any shape; it is not changed. Use float64: in float32 no ``h`` gives more than four or five digits.
        h: step. The error falls with its square until rounding, which grows with ``1 / h``, takes over: about 1e-5 for float64.

    Returns:
        A tensor like ``x``: slope along each number. Two calls of f for each, so this is for checking, not for training.

    Raises:
        ValueError: if x is no float, or h is not above 0.
    """
    if not x.is_floating_point():
        raise ValueError(f"x must hold floats, got {x.dtype}")
    if not h > 0:
        raise ValueError(f"h must be above 0, got {h}")
    gradient = torch.zeros(x.shape, dtype=x.dtype, device=x.device)
    with torch.no_grad():
        for i, one in enumerate(torch.eye(x.numel(), dtype=x.dtype, device=x.device)):  # rows with a single 1
            step = h * one.reshape(x.shape)
            gradient.view(-1)[i] = (f(x + step) - f(x - step)) / (2 * h)
    return gradient


def two_layer_forward(x: Tensor, w1: Tensor, b1: Tensor, w2: Tensor, b2: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """A network of two layers: linear, ReLU, linear.

    Args:
        x: (N, D) inputs.
        w1: (H, D), one row for each hidden unit, as in ``torch.nn.Linear``; b1: (H,).
        w2: (K, H), one row for each output; b2: (K,).

    Returns:
        What the hidden units say before ReLU (N, H), after it (N, H), and the outputs (N, K): logits, or predicted numbers.

    Raises:
        ValueError: naming the first argument whose shape does not fit.
    """
    _check_layers(x, w1, b1, w2, b2)
    before = x @ w1.T + b1
    hidden = before.relu()
    return before, hidden, hidden @ w2.T + b2


def two_layer_backward(x: Tensor, labels: Tensor, w1: Tensor, b1: Tensor, w2: Tensor, b2: Tensor) -> dict[str, Tensor]:
    """Gradients of the loss of `two_layer_forward` with respect to all weights, by the chain rule from the loss backwards.

    Args:
        x, w1, b1, w2, b2: as for `two_layer_forward`.
        labels: (N,) int64, then the loss is `cross_entropy`; or (N, K) floats to be predicted, then it is `mse`.

    Returns:
        ``w1``, ``b1``, ``w2`` and ``b2``: each gradient in the shape of its weights. ReLU has the slope 0 at exactly 0, as torch has it.

    Raises:
        ValueError: naming the argument that does not fit.

    Source: Rumelhart, Hinton & Williams, "Learning representations by back-propagating errors", Nature 323, 1986, 533-536.
    """
    before, hidden, out = two_layer_forward(x, w1, b1, w2, b2)
    grad_out = mse_with_gradient(out, labels)[1] if labels.is_floating_point() else cross_entropy_gradient(out, labels)  # (N, K)
    grad_hidden = grad_out @ w2  # (N, K) @ (K, H): blame flows back along the same weights
    grad_before = grad_hidden * (before > 0)  # a unit that was off has no part in the loss
    return {
        "w1": grad_before.T @ x,  # (H, N) @ (N, D)
        "b1": grad_before.sum(dim=0),
        "w2": grad_out.T @ hidden,  # (K, N) @ (N, H)
        "b2": grad_out.sum(dim=0),
    }


def _same_shape(first: Tensor, second: Tensor, names: tuple[str, str] = ("predicted", "target")) -> None:
    if first.shape != second.shape:
        raise ValueError(f"{names[1]} must have the shape of {names[0]}, {tuple(first.shape)}, got {tuple(second.shape)}")


def _has_classes(logits: Tensor) -> None:
    if logits.ndim == 0 or logits.shape[-1] == 0:
        raise ValueError(f"logits must have shape (..., K) with at least one class, got {tuple(logits.shape)}")


def _check_labels(logits: Tensor, labels: Tensor) -> None:
    if logits.ndim != 2 or logits.shape[1] == 0:
        raise ValueError(f"logits must have shape (N, K) with at least one class, got {tuple(logits.shape)}")
    if labels.shape != logits.shape[:1] or labels.dtype != torch.int64:
        raise ValueError(f"labels must be int64 of shape ({len(logits)},), got {labels.dtype} {tuple(labels.shape)}")
    if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < logits.shape[1]:
        raise ValueError(f"labels must lie in 0..{logits.shape[1] - 1}, got {int(labels.min())}..{int(labels.max())}")


def _check_layers(x: Tensor, w1: Tensor, b1: Tensor, w2: Tensor, b2: Tensor) -> None:
    if x.ndim != 2:
        raise ValueError(f"x must have shape (N, D), got {tuple(x.shape)}")
    if w1.ndim != 2 or w1.shape[1] != x.shape[1]:
        raise ValueError(f"w1 must have shape (H, {x.shape[1]}), got {tuple(w1.shape)}")
    if b1.shape != w1.shape[:1]:
        raise ValueError(f"b1 must have shape ({len(w1)},), got {tuple(b1.shape)}")
    if w2.ndim != 2 or w2.shape[1] != w1.shape[0]:
        raise ValueError(f"w2 must have shape (K, {len(w1)}), got {tuple(w2.shape)}")
    if b2.shape != w2.shape[:1]:
        raise ValueError(f"b2 must have shape ({len(w2)},), got {tuple(b2.shape)}")
