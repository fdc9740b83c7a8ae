"""Cutting boxes out of a feature map: RoI pool and RoI align. Taught in notebook 18_two_stage.

A region of interest (RoI) is any box in the picture; cut from the map, each becomes a grid of the same size, whatever its own size is.
All functions here take the map of one picture. For a batch, `of_each_picture` calls them picture by picture.

    >>> ramp = torch.arange(8.0).expand(1, 8, 8)  # every cell holds its own column
    >>> roi_align(ramp, torch.tensor([[1.0, 1.0, 5.0, 5.0]]), output_size=2)[0, 0, 0]
    tensor([1.5000, 3.5000])
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor


def round_half_up(values: Tensor) -> Tensor:
    """To the nearest whole number; a half goes away from 0, as in C (``torch.round`` takes the even neighbour). Same shape, int64."""
    return (values.sign() * (values.abs() + 0.5).floor()).to(torch.int64)


def roi_pool(features: Tensor, boxes: Tensor, output_size: int, spatial_scale: float = 1.0) -> Tensor:
    """The largest value in each bin of each box, after everything was rounded to whole cells.

    Args:
        features: (C, H, W), the map of one picture.
        boxes: (K, 4) ``xyxy`` in pixels of the picture.
        output_size: S, bins in a row and in a column; at least 1.
        spatial_scale: cells in a pixel: 1 / 8 for a map of stride 8.

    Returns:
        (K, C, S, S). A bin that lies wholly past the map's edge is 0.

    The corners are scaled and rounded; the last cell belongs to the box, as in the first code (+1), so a box is at least one cell
    wide. Bins are floored at their start and ceiled at their end: they may share a cell.

    Raises:
        ValueError: naming the argument that does not fit.

    Source: Girshick, "Fast R-CNN", arXiv 1504.08083, section 2.1. Equal to ``torchvision.ops.roi_pool``.
    """
    _check(features, boxes, output_size, spatial_scale)
    height, width = features.shape[1:]
    pooled = features.new_zeros((len(boxes), len(features), output_size, output_size))
    corners = round_half_up(boxes * spatial_scale).tolist()
    for number, (x1, y1, x2, y2) in enumerate(corners):
        rows = bins(y1, y2, output_size, height)
        columns = bins(x1, x2, output_size, width)
        for i, (top, bottom) in enumerate(rows):
            for j, (left, right) in enumerate(columns):
                if bottom > top and right > left:
                    pooled[number, :, i, j] = features[:, top:bottom, left:right].amax(dim=(1, 2))
    return pooled


def bins(first: int, last: int, count: int, size: int) -> list[tuple[int, int]]:
    """Cells ``first`` to ``last`` (both belong to it) cut into ``count`` bins, each (start, end) half-open and within 0..``size``."""
    length = max(last - first + 1, 1)
    cuts = [(first + k * length // count, first - (-(k + 1) * length // count)) for k in range(count)]  # floor, ceiling
    return [(min(max(start, 0), size), min(max(end, 0), size)) for start, end in cuts]


def bilinear(features: Tensor, y: Tensor, x: Tensor) -> Tensor:
    """The map between its cells: each point is a mean of the four cells around it, the nearer the heavier.

    Args:
        features: (C, H, W).
        y, x: (P,) each, in cells; whole numbers are cells' middles, so (0, 0) is the middle of the first cell.

    Returns:
        (C, P). Outside the outermost middles a point reads the cell at the edge; more than one cell before the first middle, or past
        the map's last line (y > H or x > W), it reads 0.

    Raises:
        ValueError: naming the argument that does not fit.
    """
    if features.ndim != 3:
        raise ValueError(f"features must have shape (C, H, W), got {tuple(features.shape)}")
    if y.ndim != 1 or y.shape != x.shape:
        raise ValueError(f"y and x must have one shape (P,), got {tuple(y.shape)} and {tuple(x.shape)}")
    height, width = features.shape[1:]
    on_map = (y >= -1) & (y <= height) & (x >= -1) & (x <= width)
    y, x = y.clamp(0, height - 1), x.clamp(0, width - 1)
    top, left = y.floor().long(), x.floor().long()
    bottom, right = (top + 1).clamp(max=height - 1), (left + 1).clamp(max=width - 1)
    down, across = y - top, x - left  # (P,), how far to the next row and column
    upper = features[:, top, left] * (1 - across) + features[:, top, right] * across  # (C, P)
    lower = features[:, bottom, left] * (1 - across) + features[:, bottom, right] * across
    return (upper * (1 - down) + lower * down) * on_map


def roi_align(
    features: Tensor, boxes: Tensor, output_size: int, spatial_scale: float = 1.0, sampling_ratio: int = 2, aligned: bool = True
) -> Tensor:
    """The mean of some points in each bin of each box, read between the cells. Nothing is rounded.

    Args:
        features, boxes, output_size, spatial_scale: as for `roi_pool`.
        sampling_ratio: points in a row and in a column of each bin; 0 takes as many as the bin is cells wide, rounded up.
        aligned: a box's coordinate x lies at x - 0.5 between the cells' middles, half a cell left of where the first code read.
            Without it, boxes are also widened to at least one cell.

    Returns:
        (K, C, S, S).

    Raises:
        ValueError: naming the argument that does not fit.

    Source: He et al., "Mask R-CNN", arXiv 1703.06870, section 3; ``aligned`` is Detectron2's. Equal to ``torchvision.ops.roi_align``.
    """
    _check(features, boxes, output_size, spatial_scale)
    crops = []
    for box in boxes * spatial_scale - (0.5 if aligned else 0.0):
        y = sample_points(box[1], box[3], output_size, sampling_ratio, aligned)  # (S * points,)
        x = sample_points(box[0], box[2], output_size, sampling_ratio, aligned)
        values = bilinear(features, y.repeat_interleave(len(x)), x.repeat(len(y)))  # every y with every x
        shape = (len(features), output_size, len(y) // output_size, output_size, len(x) // output_size)
        crops.append(values.reshape(shape).mean(dim=(2, 4)))  # (C, S, S)
    return torch.stack(crops) if crops else features.new_zeros((0, len(features), output_size, output_size))


def sample_points(start: Tensor, end: Tensor, count: int, sampling_ratio: int, aligned: bool) -> Tensor:
    """Where a row of ``count`` bins from ``start`` to ``end`` is read, (count * points,): the middles of equal parts."""
    length = end - start if aligned else (end - start).clamp(min=1)
    points = sampling_ratio if sampling_ratio > 0 else max(1, int((length / count).ceil()))
    middles = torch.arange(count * points, device=start.device) + 0.5
    return start + middles * length / (count * points)


def fast_roi_align(
    features: Tensor, boxes: Tensor, output_size: int, spatial_scale: float = 1.0, sampling_ratio: int = 2, aligned: bool = True
) -> Tensor:
    """`roi_align` as two small matrices a box: rows x map x columns. No loop; what the course's detector uses.

    Reading between cells and taking means are both weighted sums, first down a column, then along a row. So each box needs a matrix
    (S, H) of what its bins take from each row, and one (W, S) for the columns. Arguments and result as for `roi_align`.
    """
    _check(features, boxes, output_size, spatial_scale)
    height, width = features.shape[1:]
    x1, y1, x2, y2 = (boxes * spatial_scale - (0.5 if aligned else 0.0)).unbind(dim=1)  # (K,) each
    rows = reading_weights(y1, y2, output_size, height, sampling_ratio, aligned)  # (K, S, H)
    columns = reading_weights(x1, x2, output_size, width, sampling_ratio, aligned)  # (K, S, W)
    down = torch.einsum("ksh,chw->kcsw", rows, features)
    return torch.einsum("kcsw,ktw->kcst", down, columns)


def reading_weights(start: Tensor, end: Tensor, count: int, size: int, sampling_ratio: int, aligned: bool) -> Tensor:
    """What each of ``count`` bins takes from each of ``size`` cells along one axis: (K,), (K,) -> (K, count, size)."""
    length = end - start if aligned else (end - start).clamp(min=1)  # (K,)
    points = torch.full_like(length, sampling_ratio) if sampling_ratio > 0 else (length / count).ceil().clamp(min=1)  # (K,) in a bin
    most = int(points.max()) if len(points) else 1
    place = torch.arange(most, device=start.device)  # (P,)
    bin_length = (length / count)[:, None, None]  # (K, 1, 1)
    first = start[:, None, None] + torch.arange(count, device=start.device)[:, None] * bin_length  # (K, S, 1)
    at = first + (place + 0.5) * bin_length / points[:, None, None]  # (K, S, P)
    counts = (place < points[:, None, None]) & (at >= -1) & (at <= size)  # (K, S, P)
    away = (at.clamp(0, size - 1)[..., None] - torch.arange(size, device=start.device)).abs()  # (K, S, P, size)
    weight = (1 - away).clamp(min=0) * counts[..., None]  # 1 in the cell's middle, 0 from the next middle on
    return weight.sum(dim=2) / points[:, None, None]


def of_each_picture(cut: Callable[..., Tensor], features: Tensor, boxes: Sequence[Tensor], *arguments, **named) -> Tensor:
    """``cut`` for a batch: (N, C, H, W) and N tensors (K_i, 4) -> (K_1 + ... + K_N, C, S, S), picture after picture."""
    if len(features) != len(boxes):
        raise ValueError(f"boxes must hold one tensor for each of the {len(features)} maps, got {len(boxes)}")
    return torch.cat([cut(one, own, *arguments, **named) for one, own in zip(features, boxes, strict=True)])


def pyramid_level(boxes: Tensor, lowest: int, highest: int, usual_side: float = 224.0, usual_level: int = 4) -> Tensor:
    """Which level of a feature pyramid a box is cut from: one level coarser for each doubling of its side.

    Args:
        boxes: (K, 4) ``xyxy`` pixels.
        lowest, highest: levels that there are; level l has stride 2**l.
        usual_side, usual_level: a box of that side belongs to that level.

    Returns:
        (K,) int64.

    Source: Lin et al., "Feature Pyramid Networks", arXiv 1612.03144, equation 1.
    """
    side = (boxes[:, 2:] - boxes[:, :2]).prod(dim=1).sqrt()
    return (usual_level + torch.log2(side / usual_side + 1e-8).floor()).clamp(lowest, highest).long()


def _check(features: Tensor, boxes: Tensor, output_size: int, spatial_scale: float) -> None:
    if features.ndim != 3:
        raise ValueError(f"features must have shape (C, H, W), got {tuple(features.shape)}")
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise ValueError(f"boxes must have shape (K, 4), got {tuple(boxes.shape)}")
    if output_size < 1 or not spatial_scale > 0:
        raise ValueError(f"output_size must be at least 1 and spatial_scale above 0, got {output_size} and {spatial_scale}")
