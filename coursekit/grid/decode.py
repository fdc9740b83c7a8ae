"""From two maps to a list of boxes: cell centres, threshold, non-maximum suppression. Taught in notebook 16_grid_detector."""

import torch
from torch import Tensor

from ..boxes import fast_batched_nms
from ..detections import Detections


def cell_centres(rows: int, columns: int, stride: int, device=None) -> Tensor:
    """(rows, columns, 2) float32: x and y in pixels of the middle of each cell; (8, 8) for the first one of stride 16."""
    y, x = torch.meshgrid(torch.arange(rows, device=device), torch.arange(columns, device=device), indexing="ij")
    return (torch.stack([x, y], dim=2) + 0.5) * stride


def decode(coverage: Tensor, corners: Tensor, stride: int, threshold: float) -> tuple[Tensor, Tensor, Tensor]:
    """What the cells of one image say, without suppression.

    Args:
        coverage: (K, rows, columns) in [0, 1].
        corners: (4, rows, columns): x1, y1, x2, y2 seen from the cell's centre, in strides.
        stride: pixels a cell.
        threshold: a score that equals it is enough.

    Returns:
        Boxes (M, 4) ``xyxy`` pixels, scores (M,), labels (M,) int64; class by class, each row by row. A cell may speak for several classes.
    """
    label, row, column = (coverage >= threshold).nonzero(as_tuple=True)
    centre = cell_centres(*coverage.shape[1:], stride, coverage.device)[row, column]  # (M, 2)
    boxes = centre.repeat(1, 2) + corners[:, row, column].T * stride
    return boxes, coverage[label, row, column], label


@torch.no_grad()
def detections(logits: Tensor, corners: Tensor, stride: int, threshold: float = 0.001, iou: float = 0.5) -> list[Detections]:
    """What the network found, one `Detections` for each image, best first.

    Args:
        logits: (B, K, rows, columns). corners: (B, 4, rows, columns).
        threshold: 0.3 to look at, 0.001 to measure AP.
        iou: of two boxes of one class that overlap more, the weaker goes.

    Nothing forces a cell's second corner to lie right of and below the first; where it does not, the cell is not heard.
    """
    found = []
    for coverage, each in zip(logits.sigmoid(), corners, strict=True):
        boxes, scores, labels = decode(coverage, each, stride, threshold)
        real = (boxes[:, 2:] > boxes[:, :2]).all(dim=1)
        boxes, scores, labels = boxes[real], scores[real], labels[real]
        kept = fast_batched_nms(boxes, scores, labels, iou)
        found.append(Detections(boxes[kept], scores[kept], labels[kept]))
    return found
