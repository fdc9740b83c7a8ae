"""How a box is said in terms of an anchor: moved by so many widths, stretched by such a factor. Taught in notebook 17_one_stage."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

LARGEST_STRETCH = math.log(1000 / 16)  # what an untrained network says may be huge; its exponential must not overflow


def encode_deltas(anchors: Tensor, boxes: Tensor, weights: Sequence[float] = (1.0, 1.0, 1.0, 1.0)) -> Tensor:
    """What must be said at each anchor so that `decode_deltas` gives its box.

    Args:
        anchors: (..., 4) ``xyxy`` pixels, with width and height above 0.
        boxes: (..., 4) likewise, one for each anchor.
        weights: factors for dx, dy, dw, dh. A two-stage detector takes (10, 10, 5, 5), so that numbers that are mostly small come near 1.

    Returns:
        (..., 4): (dx, dy) from centre to centre in widths and heights of the anchor, and the natural logarithm of the ratio of the
        widths and of the heights. Four zeros where box and anchor are the same.

    Raises:
        ValueError: for shapes that do not fit, or weights that are not four.

    Equal to the encoding of torchvision's BoxCoder. Source: Girshick et al., "R-CNN", arXiv 1311.2524, appendix C.
    """
    _check(anchors, boxes, "boxes", weights)
    centres, sizes = _centres_and_sizes(anchors)
    box_centres, box_sizes = _centres_and_sizes(boxes)
    moved = (box_centres - centres) / sizes
    stretched = torch.log(box_sizes / sizes)
    return torch.cat([moved, stretched], dim=-1) * moved.new_tensor(tuple(weights))


def decode_deltas(anchors: Tensor, deltas: Tensor, weights: Sequence[float] = (1.0, 1.0, 1.0, 1.0)) -> Tensor:
    """The boxes that are meant by what was said at each anchor.

    Args:
        anchors: (..., 4) ``xyxy`` pixels; they broadcast against the deltas: (A, 4) against (N, A, 4).
        deltas: (..., 4) as from `encode_deltas`. dw and dh above log(1000 / 16) = 4.135 count as that.
        weights: the same as when encoding.

    Returns:
        (..., 4) ``xyxy`` pixels; they may reach past the image.

    Raises:
        ValueError: for shapes that do not fit, or weights that are not four.

    Equal to the decoding of torchvision's BoxCoder, its limit included.
    """
    _check(anchors, deltas, "deltas", weights)
    centres, sizes = _centres_and_sizes(anchors)
    deltas = deltas / deltas.new_tensor(tuple(weights))
    centres = centres + deltas[..., :2] * sizes
    half = sizes * deltas[..., 2:].clamp(max=LARGEST_STRETCH).exp() / 2
    return torch.cat([centres - half, centres + half], dim=-1)


def _centres_and_sizes(boxes: Tensor) -> tuple[Tensor, Tensor]:
    sizes = boxes[..., 2:] - boxes[..., :2]
    return boxes[..., :2] + sizes / 2, sizes


def _check(anchors: Tensor, others: Tensor, name: str, weights: Sequence[float]) -> None:
    for label, value in (("anchors", anchors), (name, others)):
        if value.shape[-1:] != (4,):
            raise ValueError(f"{label} must have shape (..., 4), got {tuple(value.shape)}")
    if anchors.ndim > 1 and others.ndim > 1 and anchors.shape[-2] != others.shape[-2]:
        raise ValueError(f"{name} must be one for each of the {anchors.shape[-2]} anchors, got {others.shape[-2]}")
    if len(weights) != 4:
        raise ValueError(f"weights must be four numbers, got {len(weights)}")
