"""Anchors: boxes to start from, the same at every cell of a map. Taught in notebook 17_one_stage.

An anchor is four numbers that somebody chose before training. It is no filter and learns nothing: the network says, for each anchor,
what is there and how the box must be moved and stretched to fit.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor


def base_anchors(sizes: Sequence[float], ratios: Sequence[float]) -> Tensor:
    """The anchors of one cell, around the point (0, 0).

    Args:
        sizes: the side in pixels of the square that has the anchor's area.
        ratios: height / width, as torchvision counts it.

    Returns:
        (len(ratios) * len(sizes), 4) ``xyxy`` float32: all sizes of the first ratio, then all sizes of the second, and so on.

    Raises:
        ValueError: naming the argument that is empty or holds a number that is not above 0.
    """
    for name, values in (("sizes", sizes), ("ratios", ratios)):
        if not len(values) or min(values) <= 0:
            raise ValueError(f"{name} must hold numbers above 0, got {list(values)}")
    half = [(size / math.sqrt(ratio) / 2, size * math.sqrt(ratio) / 2) for ratio in ratios for size in sizes]  # half of width and height
    return torch.tensor([[-w, -h, w, h] for w, h in half], dtype=torch.float32)


def make_anchors(
    size_hw: tuple[int, int],
    strides: Sequence[int],
    sizes: Sequence[Sequence[float]],
    ratios: Sequence[float] = (0.5, 1.0, 2.0),
    device: torch.device | str | None = None,
) -> Tensor:
    """All anchors of an image.

    Args:
        size_hw: height and width of the image in pixels, multiples of every stride.
        strides: of the maps, from fine to coarse, such as (8, 16, 32).
        sizes: for each stride the sizes of its anchors in pixels, see `base_anchors`.
        ratios: height / width, the same on every map.

    Returns:
        (A, 4) ``xyxy`` pixels, float32: map after map, row by row, and in each cell the anchors of `base_anchors`. They may reach past
        the image.

    Raises:
        ValueError: for as many sizes as there are not strides, or an image that is no multiple of a stride.

    An anchor stands around the *centre* of its cell, ((column + 0.5) * stride, (row + 0.5) * stride). torchvision's AnchorGenerator
    stands it at the cell's upper left corner, half a stride away, and rounds the corners of `base_anchors` to whole pixels; apart from
    these two the anchors and their order are the same. (torchvision's SSD has them at the centre, as we do.)

    Source: Ren et al., "Faster R-CNN", arXiv 1506.01497, section 3.1.1; Lin et al., arXiv 1708.02002, section 4.
    """
    if len(sizes) != len(strides):
        raise ValueError(f"sizes must be one group for each of the {len(strides)} strides, got {len(sizes)}")
    height, width = size_hw
    anchors = [torch.zeros(0, 4, device=device)]
    for stride, of_this_map in zip(strides, sizes, strict=True):
        if height % stride or width % stride:
            raise ValueError(f"size_hw must be multiples of the stride {stride}, got {height}x{width}")
        base = base_anchors(of_this_map, ratios).to(device)  # (K, 4)
        y, x = torch.meshgrid(torch.arange(height // stride, device=device), torch.arange(width // stride, device=device), indexing="ij")
        centres = (torch.stack([x, y, x, y], dim=2).reshape(-1, 1, 4) + 0.5) * stride  # (cells, 1, 4)
        anchors.append((centres + base).reshape(-1, 4))  # (cells * K, 4)
    return torch.cat(anchors)


def sizes_for(strides: Sequence[int], base: float = 2.0, per_octave: int = 2) -> list[tuple[float, ...]]:
    """Sizes that grow evenly from map to map: ``base * stride``, then ``per_octave`` equal factors up to the next map's first.

    ``sizes_for((8, 16, 32, 64, 128), base=4, per_octave=3)`` are those of RetinaNet. MMDetection calls the two ``octave_base_scale``
    and ``scales_per_octave``.

    Raises:
        ValueError: if base is not above 0, or per_octave below 1.
    """
    if base <= 0 or per_octave < 1:
        raise ValueError(f"base must be above 0 and per_octave at least 1, got {base} and {per_octave}")
    return [tuple(base * stride * 2 ** (step / per_octave) for step in range(per_octave)) for stride in strides]
