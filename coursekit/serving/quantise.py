"""From 32-bit floats to 8-bit integers: a tensor by hand, and a whole detector by ONNX Runtime. Taught in notebook 23_deployment."""

import torch
from torch import Tensor


def quantise_tensor(x: Tensor, bits: int = 8, axis: int | None = None) -> tuple[Tensor, Tensor, Tensor]:
    """Write floats as small integers: ``x`` is nearly ``(q - zero_point) * scale``.

    The rule (affine quantisation), with ``least = -2**(bits - 1)`` and ``most = 2**(bits - 1) - 1``, so -128 and 127 for 8 bits:

    1. ``low`` is the smallest value of x and ``high`` the largest, but ``low`` at most 0 and ``high`` at least 0: the range must
       contain 0, so that 0 (padding, and what a ReLU cuts off) is written without error.
    2. ``scale = (high - low) / (most - least)``: the width of a step; 1 where all values are 0 (or of size 1e-36, too small to be divided).
    3. ``zero_point = least - round(low / scale)``: the integer that stands for 0.
    4. ``q = round(x / scale) + zero_point``, cut to ``least..most``.

    Rounding takes a half to the even neighbour, as torch.round does. The same as ONNX's ``QuantizeLinear``, and as torch's observers and
    ``torch.quantize_per_tensor``; these multiply by 1 / scale instead, so that in the last bit a half may fall to the other side.

    Args:
        x: float, any shape, finite.
        bits: 2 to 8.
        axis: None for one scale for all of x; else each slice along this axis has its own, such as 0 for a convolution's weights
            (out, in, height, width): one for each output channel. Negative counts from the end.

    Returns:
        ``q`` int8, shape of x; ``scale`` float32 and ``zero_point`` int64, both of shape () or (x.shape[axis],).

    Raises:
        ValueError: for integers, NaN, infinity, bits out of range, an axis that x does not have.
    """
    _check_tensor(x, bits, axis)
    least, most = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    x = x.detach().float()
    slices = 1 if axis is None else x.shape[axis]
    rows = x.movedim(axis or 0, 0).reshape(slices, x.numel() // max(1, slices)) if x.ndim else x.reshape(1, 1)
    with_zero = torch.cat([rows, rows.new_zeros(len(rows), 1)], dim=1)
    low, high = with_zero.aminmax(dim=1)
    scale = (high - low) / (most - least)
    scale = torch.where(scale >= torch.finfo(torch.float32).tiny, scale, torch.ones_like(scale))
    zero_point = least - (low / scale).round().long()
    shape = [1] * x.ndim
    if axis is None:
        scale, zero_point = scale.squeeze(0), zero_point.squeeze(0)
    else:
        shape[axis] = -1
    q = (x / scale.reshape(shape)).round() + zero_point.reshape(shape)
    return q.clamp(least, most).to(torch.int8), scale, zero_point


def dequantise_tensor(q: Tensor, scale: Tensor, zero_point: Tensor, axis: int | None = None) -> Tensor:
    """The floats that integers of `quantise_tensor` stand for: ``(q - zero_point) * scale``, float32, shape of q.

    A value comes back at most half a step from what it was, or a whole step at the ends of the range, where it may have been cut.
    """
    shape = [1] * q.ndim
    if axis is not None:
        shape[axis] = -1
    return (q.float() - zero_point.reshape(shape)) * scale.reshape(shape)


def _check_tensor(x: Tensor, bits: int, axis: int | None) -> None:
    if not x.is_floating_point():
        raise ValueError(f"x must be floats, got {x.dtype}")
    if not 2 <= bits <= 8:
        raise ValueError(f"bits must lie in 2..8, got {bits}")
    if axis is not None and not -x.ndim <= axis < x.ndim:
        raise ValueError(f"axis must be one of the {x.ndim} of x, got {axis}")
    if x.numel() and not x.abs().max() < torch.finfo(torch.float32).max / 2:
        raise ValueError("x must be finite, and of size below 1e38, got NaN, infinity or more")
