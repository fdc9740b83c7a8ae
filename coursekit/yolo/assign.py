"""Which cell answers for which object: task-aligned assignment, and the rule before it. Taught in notebook 19_yolo."""

from dataclasses import dataclass

import torch
from torch import Tensor

from .loss import complete_iou

SMALLEST = 16.0  # pixels: an object is widened to this before we ask which centres lie inside, or a tiny one would have none


@dataclass(frozen=True)
class Assignment:
    """For one image of A cells and C classes.

    Args:
        owner: (A,) int64, index of the object that the cell answers for, -1 for background.
        targets: (A, C) float32 in [0, 1], how sure the cell should be: 0 for background, up to the IoU of the object's best cell.
    """

    owner: Tensor
    targets: Tensor


def centres_inside(centres: Tensor, boxes: Tensor, smallest: float = SMALLEST) -> Tensor:
    """(M, A) bool: is the centre of cell a strictly inside box m, once the box is at least ``smallest`` pixels wide and high?"""
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2  # (M, 2)
    half = ((boxes[:, 2:] - boxes[:, :2]) / 2).clamp(min=smallest / 2)
    return ((centres[None] - middle[:, None]).abs() < half[:, None]).all(dim=2)


@torch.no_grad()
def assign(
    scores: Tensor,
    boxes: Tensor,
    centres: Tensor,
    truth_boxes: Tensor,
    truth_labels: Tensor,
    top: int = 10,
    alpha: float = 0.5,
    beta: float = 6.0,
) -> Assignment:
    """Let each object choose the cells that already do both jobs well: name it and frame it.

    1. candidates: cells whose centre is inside the object;
    2. alignment = score^alpha * IoU^beta, with the score for the object's class;
    3. each object takes its ``top`` most aligned candidates;
    4. a cell taken by two objects goes to the one it frames better;
    5. the target is soft: the best cell of an object should be as sure as its box is good, the others in proportion.

    Args:
        scores: (A, C) predicted, in [0, 1]. boxes: (A, 4) predicted, ``xyxy`` pixels. centres: (A, 2) pixels.
        truth_boxes: (M, 4). truth_labels: (M,) int64. M may be 0: all background.

    Source: TOOD, Feng et al., arXiv 2108.07755, with CIoU for IoU.
    """
    cells, objects = len(scores), len(truth_boxes)
    targets = torch.zeros_like(scores)
    if objects == 0:
        return Assignment(torch.full((cells,), -1, device=scores.device), targets)
    inside = centres_inside(centres, truth_boxes)  # (M, A)
    who, cell = inside.nonzero(as_tuple=True)  # only these pairs are worth computing
    overlap, aligned = scores.new_zeros(2, objects, cells)
    overlap[who, cell] = complete_iou(boxes[cell], truth_boxes[who]).clamp(min=0)
    aligned[who, cell] = scores[cell, truth_labels[who]] ** alpha * overlap[who, cell] ** beta
    chosen = torch.zeros_like(inside).scatter_(1, aligned.topk(min(top, cells), dim=1).indices, True) & inside
    best, owner = torch.where(chosen, overlap, -1.0).max(dim=0)  # (A,); the object that the cell frames best
    owner = torch.where(best >= 0, owner, -1)  # no object chose it: background
    positive = (owner >= 0).nonzero()[:, 0]
    mine = owner[positive]
    chosen = torch.zeros_like(chosen).index_put_((mine, positive), torch.tensor(True, device=chosen.device))
    peak = (aligned * chosen).amax(dim=1).clamp(min=1e-30)  # (M,) of the cells it was left with; IoU .01 to the sixth is 1e-12
    reach = (overlap * chosen).amax(dim=1)
    targets[positive, truth_labels[mine]] = aligned[mine, positive] / peak[mine] * reach[mine]
    return Assignment(owner, targets)


def suiting_stride(boxes: Tensor, strides: Tensor, reach: float = 8.0) -> Tensor:
    """(M,) of the finest map on which the longer side of each box is at most ``reach`` strides, or else of the coarsest."""
    maps = strides.unique()  # the fine one first
    longer = (boxes[:, 2:] - boxes[:, :2]).amax(dim=1)
    return maps[torch.searchsorted(maps * reach, longer).clamp(max=len(maps) - 1)]


@torch.no_grad()
def assign_by_centre(
    scores: Tensor,
    boxes: Tensor,
    centres: Tensor,
    truth_boxes: Tensor,
    truth_labels: Tensor,
    strides: Tensor,
    reach: float = 8.0,
    radius: float = 1.5,
) -> Assignment:
    """The rule before task alignment, for comparison: size chooses the map, place the cells, and what the network says is not asked.

    1. an object goes to the finest map on which its longer side is at most ``reach`` strides, or else to the coarsest;
    2. there it takes the cells whose centre is inside it and within ``radius`` strides of its middle on both axes; an object narrower
       than 2 strides counts as 2 strides wide, or it might contain no centre at all;
    3. a cell taken by two objects goes to the smaller;
    4. the target is 1 for the object's class.

    Args:
        scores: (A, C), only for its shape. boxes: not used. centres: (A, 2) pixels. strides: (A,) pixels per cell.
        truth_boxes: (M, 4). truth_labels: (M,) int64. M may be 0: all background.

    Source: FCOS, Tian et al., arXiv 1904.01355, with centre sampling and without its centre-ness. FCOS chooses the map by the distance to
    the farthest side; this, by the length of the longer side.
    """
    targets = torch.zeros_like(scores)
    if len(truth_boxes) == 0:
        return Assignment(torch.full((len(scores),), -1, device=scores.device), targets)
    size = truth_boxes[:, 2:] - truth_boxes[:, :2]  # (M, 2)
    stride = suiting_stride(truth_boxes, strides, reach)[:, None]  # (M, 1)
    half = torch.minimum((size / 2).maximum(stride), radius * stride)  # how far a centre may be from the middle
    middle = (truth_boxes[:, :2] + truth_boxes[:, 2:]) / 2
    near = ((centres[None] - middle[:, None]).abs() < half[:, None]).all(dim=2) & (strides == stride)  # (M, A)
    area, owner = torch.where(near, size.prod(dim=1)[:, None], torch.inf).min(dim=0)
    owner = torch.where(area < torch.inf, owner, -1)
    positive = (owner >= 0).nonzero()[:, 0]
    targets[positive, truth_labels[owner[positive]]] = 1.0
    return Assignment(owner, targets)
