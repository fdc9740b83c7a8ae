"""From what the cells say to a list of boxes: centres, distances, thresholds, non-maximum suppression. Taught in notebook 19_yolo."""

import torch
from torch import Tensor

from ..boxes import box_iou, fast_batched_nms
from ..detections import Detections


def cell_centres(size_hw: tuple[int, int], strides: tuple[int, ...], device=None) -> tuple[Tensor, Tensor]:
    """Centre of every cell of every map, fine maps first, row by row.

    Args:
        size_hw: height and width of the image in pixels, multiples of every stride.

    Returns:
        (A, 2) x and y in pixels, and (A,) the stride of each cell; float32. The first cell of stride 8 has its centre at (4, 4).
    """
    centres, cell_strides = [], []
    for stride in strides:
        rows, columns = size_hw[0] // stride, size_hw[1] // stride
        y, x = torch.meshgrid(torch.arange(rows, device=device), torch.arange(columns, device=device), indexing="ij")
        centres.append((torch.stack([x, y], dim=2).flatten(0, 1) + 0.5) * stride)  # (rows * columns, 2)
        cell_strides.append(torch.full((rows * columns,), float(stride), device=device))
    return torch.cat(centres), torch.cat(cell_strides)


def sides_to_boxes(sides: Tensor, centres: Tensor, strides: Tensor) -> Tensor:
    """Distances to boxes.

    Args:
        sides: (..., A, 4) left, top, right, bottom, in strides, >= 0.
        centres: (A, 2) in pixels. strides: (A,).

    Returns:
        (..., A, 4) ``xyxy`` in pixels; they may reach past the image.
    """
    distance = sides * strides[:, None]  # in pixels now
    return torch.cat([centres - distance[..., :2], centres + distance[..., 2:]], dim=-1)


def boxes_to_sides(boxes: Tensor, centres: Tensor, strides: Tensor) -> Tensor:
    """The way back: (..., A, 4) ``xyxy`` -> distances in strides; negative where a centre is outside its box."""
    return torch.cat([centres - boxes[..., :2], boxes[..., 2:] - centres], dim=-1) / strides[:, None]


def decode(raw) -> tuple[Tensor, Tensor]:
    """Boxes (B, A, 4) in pixels and scores (B, A, C) in [0, 1] of a `Raw`."""
    return sides_to_boxes(raw.sides, raw.centres, raw.strides), raw.logits.sigmoid()


@torch.no_grad()
def detections(raw, confidence: float = 0.25, iou: float = 0.6, limit: int = 100, soft: bool = False) -> list[Detections]:
    """What the network found, one `Detections` for each image, best first.

    Args:
        raw: a `Raw`.
        confidence: scores below are dropped: 0.25 to look at, 0.001 to measure AP.
        iou: of two boxes of one class that overlap more, the weaker goes.
        limit: at most this many for each image.
        soft: weaken overlapping boxes instead of dropping them, see `soft_nms`.

    Boxes are in pixels of the network's input and not clipped. A cell may speak for more than one class.
    """
    return [choose(boxes, scores, confidence, iou, limit, soft) for boxes, scores in zip(*decode(raw), strict=True)]


def choose(boxes: Tensor, scores: Tensor, confidence: float, iou: float, limit: int, soft: bool = False) -> Detections:
    """`detections` of one image: boxes (A, 4), scores (A, C)."""
    cell, label = (scores > confidence).nonzero(as_tuple=True)
    score = scores[cell, label]
    first = score.argsort(descending=True, stable=True)[:2000]  # suppression compares all pairs: keep that bounded
    boxes, score, label = boxes[cell[first]], score[first], label[first]
    if soft:
        score, keep = soft_nms(boxes, score, label, floor=confidence)
    else:
        keep = fast_batched_nms(boxes, score, label, iou)  # one class never suppresses another
    keep = keep[:limit]
    return Detections(boxes[keep], score[keep], label[keep])


def soft_nms(boxes: Tensor, scores: Tensor, labels: Tensor, sigma: float = 0.5, floor: float = 0.001) -> tuple[Tensor, Tensor]:
    """Suppress gently: a box that overlaps a better one of its class has its score multiplied by exp(-IoU^2 / sigma).

    Two cells that really overlap both survive, the second with a lower score; hard suppression must lose one.

    Args:
        boxes: (N, 4). scores: (N,). labels: (N,).
        sigma: smaller is harsher.
        floor: a box whose score falls to this or below is dropped.

    Returns:
        New scores (N,), and the indices kept, by descending new score.

    Source: Bodla et al., arXiv 1704.04503.
    """
    scores, keep = scores.clone(), []
    overlap = box_iou(boxes, boxes) * (labels[:, None] == labels[None, :])  # (N, N); other classes do not count
    left = scores > floor
    while left.any():
        best = torch.where(left, scores, -1.0).argmax()
        keep.append(best)
        left[best] = False
        scores = torch.where(left, scores * torch.exp(-overlap[best].square() / sigma), scores)
        left &= scores > floor
    return scores, torch.stack(keep) if keep else torch.zeros(0, dtype=torch.int64)
