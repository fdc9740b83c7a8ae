"""What each cell of the grid should say. Taught in notebook 16_grid_detector.

Two rules, told apart by one number. ``shrink=0``: only the cell that holds an object's centre answers for it (YOLOv1, arXiv 1506.02640).
``shrink=0.5``: so do all cells whose centre lies in the middle half of its box, in the manner of DetectNet's coverage (NVIDIA, 2016).
"""

import torch
from torch import Tensor

from .decode import cell_centres


def cell_of(boxes: Tensor, stride: int) -> Tensor:
    """The cell that holds the centre of each box.

    Args:
        boxes: (N, 4) ``xyxy`` pixels.
        stride: pixels a cell.

    Returns:
        (N, 2) int64: row, then column. A centre on the line between two cells belongs to the right or lower one.
    """
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2  # x, y
    return (centre / stride).floor().long().flip(1)


def collisions(boxes: Tensor, stride: int) -> Tensor:
    """(N, 4) boxes of one image -> (N,) bool: whether the centre of another one lies in the same cell."""
    cells = cell_of(boxes, stride)
    same = (cells[:, None] == cells[None]).all(dim=2)  # (N, N); each is in one cell with itself
    return same.sum(dim=1) > 1


def covered_cells(box: Tensor, size_hw: tuple[int, int], stride: int, shrink: float = 0.5) -> Tensor:
    """The cells that answer for an object if nobody else wants them.

    Args:
        box: (4,) ``xyxy`` pixels.
        size_hw: height and width of the image in pixels.
        stride: pixels a cell.
        shrink: the box is shrunk about its centre by this factor, in [0, 1]; a cell is covered if its own centre lies inside.

    Returns:
        (rows, columns) bool. The cell that holds the box's centre is always covered, so that nobody is too small to be seen.
    """
    centres = cell_centres(size_hw[0] // stride, size_hw[1] // stride, stride, box.device)  # (rows, columns, 2)
    middle, half = (box[:2] + box[2:]) / 2, shrink * (box[2:] - box[:2]) / 2
    inside = ((centres - middle).abs() < half).all(dim=2)
    own = ((centres / stride).floor() == (middle / stride).floor()).all(dim=2)
    return inside | own


def encode_targets(
    boxes: Tensor, labels: Tensor, num_classes: int, size_hw: tuple[int, int], stride: int, shrink: float = 0.5
) -> tuple[Tensor, Tensor]:
    """The truth of one image, written as the network should say it.

    Args:
        boxes: (N, 4) ``xyxy`` pixels. labels: (N,) int64.
        size_hw, stride, shrink: as for `covered_cells`.

    Returns:
        Coverage (num_classes, rows, columns): 1 where a cell answers for an object of the class, else 0. Corners (4, rows, columns):
        x1, y1, x2, y2 of that object, seen from the cell's centre, in strides; 0 where nobody is. A cell that several objects want goes
        to the smallest, of equal ones to the last.

    Raises:
        ValueError: for a size that is no multiple of the stride, or labels that do not fit.
    """
    if size_hw[0] % stride or size_hw[1] % stride:
        raise ValueError(f"size_hw must be multiples of stride {stride}, got {tuple(size_hw)}")
    if labels.shape != boxes.shape[:1]:
        raise ValueError(f"labels must have shape ({len(boxes)},), one for each box, got {tuple(labels.shape)}")
    rows, columns = size_hw[0] // stride, size_hw[1] // stride
    coverage, corners = boxes.new_zeros(num_classes, rows, columns), boxes.new_zeros(4, rows, columns)
    centres = cell_centres(rows, columns, stride, boxes.device)
    area = (boxes[:, 2:] - boxes[:, :2]).prod(dim=1)
    for i in area.argsort(descending=True, stable=True).tolist():  # the smallest last: it overwrites the larger ones
        covered = covered_cells(boxes[i], size_hw, stride, shrink)
        coverage[:, covered] = 0
        coverage[labels[i], covered] = 1
        corners[:, covered] = ((boxes[i] - centres[covered].repeat(1, 2)) / stride).T
    return coverage, corners


def encode_batch(targets: list[dict], num_classes: int, size_hw: tuple[int, int], stride: int, shrink: float) -> tuple[Tensor, Tensor]:
    """`encode_targets` of each image: (B, num_classes, rows, columns) and (B, 4, rows, columns)."""
    each = [encode_targets(t["boxes"], t["labels"], num_classes, size_hw, stride, shrink) for t in targets]
    coverage, corners = zip(*each, strict=True)
    return torch.stack(coverage), torch.stack(corners)
