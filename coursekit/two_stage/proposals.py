"""Proposals: boxes where something might be, without saying what; and who teaches which of them. Taught in notebook 18_two_stage.

Owners are written as in `coursekit.one_stage.matching`: the index of an object, -1 for background, -2 for "not asked this time".
"""

import torch
from torch import Tensor

from ..boxes import box_iou, clip_boxes_to_image, fast_nms, remove_small_boxes
from ..one_stage.matching import BACKGROUND, IGNORED, match_anchors


def draw_owners(owner: Tensor, draws: Tensor, count: int, positive_share: float) -> Tensor:
    """A sample of some boxes, so that background does not drown the few that have an object.

    Args:
        owner: (A,) int64: an object's index, -1 background, -2 not asked.
        draws: (A,) numbers, one for each box; the smallest are drawn.
        count: how many boxes in all, at most.
        positive_share: at most this share of ``count``, rounded down, have an object; background fills up what is left.

    Returns:
        (A,) int64: as ``owner``, but -2 where a box was not drawn.

    Raises:
        ValueError: naming the argument that does not fit.
    """
    if owner.shape != draws.shape or owner.ndim != 1:
        raise ValueError(f"owner and draws must have one shape (A,), got {tuple(owner.shape)} and {tuple(draws.shape)}")
    if count < 1 or not 0 <= positive_share <= 1:
        raise ValueError(f"count must be at least 1 and positive_share in 0..1, got {count} and {positive_share}")
    order = draws.argsort(stable=True)  # the smallest draw first
    positive = order[owner[order] >= 0][: int(count * positive_share)]
    background = order[owner[order] == BACKGROUND][: count - len(positive)]
    drawn = torch.full_like(owner, IGNORED)
    drawn[positive], drawn[background] = owner[positive], BACKGROUND
    return drawn


def rpn_targets(
    anchors: Tensor, truth: Tensor, draws: Tensor, count: int = 64, positive_share: float = 0.5, low: float = 0.3, high: float = 0.7
) -> Tensor:
    """What the proposal network is asked in one picture: matched by IoU, then drawn.

    Args:
        anchors: (A, 4) ``xyxy`` pixels. truth: (M, 4) likewise, M may be 0.
        draws, count, positive_share: see `draw_owners`.
        low, high: IoU below which an anchor is background, and from which it has an object. The best anchor of each object has it, too.

    Returns:
        (A,) int64: the object whose box this anchor should give, -1 background, -2 not asked.

    Source: Ren et al., "Faster R-CNN", arXiv 1506.01497, section 3.1.2 (256 anchors of a picture of 600 pixels, half and half).
    """
    return draw_owners(match_anchors(anchors, truth, low, high), draws, count, positive_share)


def head_targets(
    proposals: Tensor, truth: Tensor, draws: Tensor, count: int = 32, positive_share: float = 0.25, iou: float = 0.5
) -> Tensor:
    """What the second stage is asked: at least half over an object is that object, all else background. As `rpn_targets`, (K,) int64."""
    return draw_owners(match_anchors(proposals, truth, iou, iou, keep_best=False), draws, count, positive_share)


def choose_proposals(
    boxes: Tensor, scores: Tensor, size_hw: tuple[int, int], before: int, after: int, iou_threshold: float = 0.7, min_size: float = 1.0
) -> tuple[Tensor, Tensor]:
    """From a box at every anchor to a few proposals.

    In this order: the ``before`` best scores; cut at the picture's edges; without those under ``min_size`` pixels wide or high; NMS; the
    ``after`` best of what is left.

    Args:
        boxes: (A, 4) ``xyxy`` pixels. scores: (A,), of any range; of equal ones the earlier comes first.
        size_hw: height and width of the picture.

    Returns:
        (K, 4) and (K,), best first, K at most ``after``.

    Raises:
        ValueError: if before or after is below 1; for shapes that do not fit.
    """
    if before < 1 or after < 1:
        raise ValueError(f"before and after must be at least 1, got {before} and {after}")
    if scores.shape != boxes.shape[:1]:
        raise ValueError(f"scores must have shape ({len(boxes)},), one for each box, got {tuple(scores.shape)}")
    best = scores.argsort(descending=True, stable=True)[:before]
    boxes, scores = clip_boxes_to_image(boxes[best], size_hw), scores[best]
    large = remove_small_boxes(boxes, min_size)
    boxes, scores = boxes[large], scores[large]
    kept = fast_nms(boxes, scores, iou_threshold)[:after]
    return boxes[kept], scores[kept]


def recall_at(proposals: list[Tensor], truths: list[Tensor], counts: list[int], iou: float = 0.5) -> list[float]:
    """Share of all objects that at least one of the first so many proposals covers with this IoU.

    Args:
        proposals: for each picture (K, 4), best first. truths: for each picture (M, 4).
        counts: how many proposals are looked at, a result for each.
    """
    if len(proposals) != len(truths):
        raise ValueError(f"truths must be one for each of the {len(proposals)} pictures, got {len(truths)}")
    objects = sum(len(truth) for truth in truths)
    found = [sum(_covered(own, truth, count, iou) for own, truth in zip(proposals, truths, strict=True)) for count in counts]
    return [number / max(objects, 1) for number in found]


def _covered(proposals: Tensor, truth: Tensor, count: int, iou: float) -> int:
    if not len(truth) or not len(proposals[:count]):
        return 0
    return int((box_iou(truth, proposals[:count]).max(dim=1).values >= iou).sum())
