"""The ideas of the great networks as plain functions of a map and its kernels. Taught in notebook 09_architectures.

The networks themselves are built of modules, a file for each family; here each idea stands alone, without normalisation.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import conv2d


def _padded(x: Tensor, weight: Tensor, stride: int = 1) -> Tensor:
    return conv2d(x, weight, stride=stride, padding=weight.shape[-1] // 2)


def residual_block(x: Tensor, weight1: Tensor, weight2: Tensor, shortcut: Tensor | None = None, stride: int = 1) -> Tensor:
    """relu(short(x) + conv2(relu(conv1(x)))): the two convolutions learn what to *add* to the input.

    Args:
        x: (N, C, H, W) float.
        weight1: (M, C, k, k), with the stride. weight2: (O, M, k, k). Both padded by k // 2.
        shortcut: (O, C, 1, 1), with the stride, for a block that changes the shape; None adds x itself.

    Returns:
        (N, O, H / stride, W / stride), 0 or more.

    Raises:
        ValueError: if the shape changes and there is no shortcut for it.

    Source: He et al., arXiv 1512.03385, Fig. 2 and equation 2.
    """
    body = _padded(torch.relu(_padded(x, weight1, stride)), weight2)
    around = x if shortcut is None else conv2d(x, shortcut, stride=stride)
    if around.shape != body.shape:
        raise ValueError(f"shortcut must bring {tuple(x.shape)} to {tuple(body.shape)}, got {tuple(around.shape)}")
    return torch.relu(around + body)


def residual_chain(x: Tensor, pairs: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
    """Residual blocks one after another, all of one shape: for each pair of kernels x becomes relu(x + conv2(relu(conv1(x)))).

    Args:
        x: (N, C, H, W) float. pairs: of (C, C, k, k) kernels; none leaves x as it is.
    """
    for weight1, weight2 in pairs:
        x = residual_block(x, weight1, weight2)
    return x


def squeeze_excite(x: Tensor, weight1: Tensor, bias1: Tensor, weight2: Tensor, bias2: Tensor) -> Tensor:
    """Each channel times a number in 0..1, computed from the means of all channels of its image.

    Args:
        x: (N, C, H, W) float.
        weight1: (S, C), bias1: (S,): squeeze the C means to S numbers, then ReLU.
        weight2: (C, S), bias2: (C,): back to C numbers, then a sigmoid.

    Returns:
        (N, C, H, W).

    Raises:
        ValueError: if the shapes do not fit each other.

    Source: Hu et al., arXiv 1709.01507, equations 2 to 4.
    """
    channels = x.shape[1] if x.ndim == 4 else None
    if channels is None or weight1.shape[1:] != (channels,) or weight2.shape != weight1.T.shape:
        shapes = [tuple(t.shape) for t in (x, weight1, weight2)]
        raise ValueError(f"x, weight1 and weight2 must be (N, C, H, W), (S, C) and (C, S), got {shapes[0]}, {shapes[1]} and {shapes[2]}")
    mean = x.mean(dim=(2, 3))  # (N, C)
    gate = torch.sigmoid(torch.relu(mean @ weight1.T + bias1) @ weight2.T + bias2)  # (N, C)
    return x * gate[:, :, None, None]


def dense_block(x: Tensor, weights: Sequence[Tensor]) -> Tensor:
    """Each convolution sees everything that came before, and puts its own few channels behind it.

    Args:
        x: (N, C, H, W) float.
        weights: (G, C, k, k), (G, C + G, k, k), (G, C + 2G, k, k) ...: each padded by k // 2 and followed by ReLU.

    Returns:
        (N, C + G * len(weights), H, W): x first, then the new channels in order.

    Source: Huang et al., arXiv 1608.06993, Fig. 1 (there normalisation and ReLU come before the convolution).
    """
    for weight in weights:
        x = torch.cat([x, torch.relu(_padded(x, weight))], dim=1)
    return x
