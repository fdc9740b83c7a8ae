"""Normalisation inside a network: batch, layer and group norm. Taught in notebook 08_fitting.

All three subtract a mean and divide by a standard deviation. They differ in which numbers share one mean.

    >>> x = torch.randn(8, 6, 5, 5)
    >>> batch_norm(x).mean(dim=(0, 2, 3))  # six numbers near 0: one mean for each channel
"""

import torch
from torch import Tensor, nn


def _normalised(x: Tensor, axes: tuple[int, ...], eps: float) -> Tensor:
    """Mean 0 and variance 1 over these axes; the variance divides by n, not n - 1."""
    mean = x.mean(dim=axes, keepdim=True)
    variance = x.var(dim=axes, correction=0, keepdim=True)
    return (x - mean) / (variance + eps).sqrt()


def _per_channel(values: Tensor, x: Tensor) -> Tensor:
    """(C,) as (1, C) or (1, C, 1, 1), so that it broadcasts over x."""
    return values.reshape(1, -1, *[1] * (x.ndim - 2))


def _scaled(x: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
    x = x if weight is None else x * _per_channel(weight, x)
    return x if bias is None else x + _per_channel(bias, x)


def _check(x: Tensor, **parameters: Tensor | None) -> None:
    if x.ndim < 2:
        raise ValueError(f"x must have shape (N, C) or (N, C, H, W), got {tuple(x.shape)}")
    for name, values in parameters.items():
        if values is not None and values.shape != x.shape[1:2]:
            raise ValueError(f"{name} must have shape ({x.shape[1]},), one for each channel of x, got {tuple(values.shape)}")


def batch_norm(x: Tensor, weight: Tensor | None = None, bias: Tensor | None = None, eps: float = 1e-5) -> Tensor:
    """Each channel to mean 0 and variance 1 over the whole batch and all places; then times weight, plus bias.

    This is what a batch norm does while it trains, `BatchNorm` below remembers statistics besides.

    Args:
        x: float (N, C) or (N, C, H, W).
        weight: (C,), 1 where it is not given.
        bias: (C,), 0 where it is not given.
        eps: added to the variance, so that a channel that is the same everywhere becomes 0 and not 0 / 0.

    Returns:
        The shape of x.

    Raises:
        ValueError: for another shape, or where a channel has fewer than two values: their mean would be the value itself.

    Source: Ioffe & Szegedy, arXiv 1502.03167, algorithm 1. Equal to torch.nn.functional.batch_norm(..., training=True).
    """
    _check(x, weight=weight, bias=bias)
    if x.numel() < 2 * x.shape[1]:
        raise ValueError(f"x must hold at least two values of each channel to normalise over, got {tuple(x.shape)}")
    axes = tuple(axis for axis in range(x.ndim) if axis != 1)
    return _scaled(_normalised(x, axes, eps), weight, bias)


def layer_norm(x: Tensor, weight: Tensor | None = None, bias: Tensor | None = None, eps: float = 1e-5) -> Tensor:
    """Each sample to mean 0 and variance 1 over all of its own numbers; the batch plays no part.

    Args: as for `batch_norm`. The weight is one number a channel, as image networks have it; `torch.nn.LayerNorm` has one for each
        element, which is the same for (N, C).

    Source: Ba, Kiros & Hinton, arXiv 1607.06450.
    """
    _check(x, weight=weight, bias=bias)
    return _scaled(_normalised(x, tuple(range(1, x.ndim)), eps), weight, bias)


def group_norm(x: Tensor, groups: int, weight: Tensor | None = None, bias: Tensor | None = None, eps: float = 1e-5) -> Tensor:
    """Each sample's channels in equal groups of neighbours, each group to mean 0 and variance 1.

    One group is layer norm; as many groups as channels is instance norm.

    Args:
        groups: must divide the number of channels. The others are as for `batch_norm`.

    Raises:
        ValueError: where it does not.

    Source: Wu & He, arXiv 1803.08494. Equal to torch.nn.functional.group_norm.
    """
    _check(x, weight=weight, bias=bias)
    if groups < 1 or x.shape[1] % groups:
        raise ValueError(f"groups must divide the {x.shape[1]} channels of x, got {groups}")
    parted = x.reshape(len(x), groups, x[0].numel() // groups) if len(x) else x.reshape(0, groups, 1)
    return _scaled(_normalised(parted, (2,), eps).reshape(x.shape), weight, bias)


class BatchNorm(nn.Module):
    """Batch norm with two faces: in train mode it uses the batch's own statistics and notes them, in eval mode it uses its notes.

    Args:
        channels: C.
        momentum: share of the newest batch in the running statistics (torch's convention: 0.1 new, 0.9 old).
        eps: added to the variance.

    Input and output are float (N, C) or (N, C, H, W). ``weight`` and ``bias`` (C,) are trained. ``running_mean`` and ``running_var`` (C,)
    are buffers: saved with the weights, moved to a device with them, and not trained. Normalising divides by the variance over n; the
    running one is over n - 1, as torch has it.

    Raises:
        ValueError: where the input is not of that shape, or in train mode holds fewer than two values of each channel.
    """

    def __init__(self, channels: int, momentum: float = 0.1, eps: float = 1e-5):
        super().__init__()
        self.momentum, self.eps = momentum, eps
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        _check(x, weight=self.weight)
        if not self.training:
            mean, variance = _per_channel(self.running_mean, x), _per_channel(self.running_var, x)
            return _scaled((x - mean) / (variance + self.eps).sqrt(), self.weight, self.bias)
        normal = batch_norm(x, self.weight, self.bias, self.eps)
        axes = [axis for axis in range(x.ndim) if axis != 1]
        with torch.no_grad():  # a memory is not trained
            self.running_mean.lerp_(x.mean(dim=axes), self.momentum)
            self.running_var.lerp_(x.var(dim=axes, correction=1), self.momentum)
        return normal

    def extra_repr(self) -> str:
        return f"{len(self.weight)}, momentum={self.momentum}, eps={self.eps}"
