"""How wrong the detector is, in two numbers: what it said and where it said it. Taught in notebook 19_yolo."""

import math
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

CLASS_GAIN, BOX_GAIN = 0.5, 7.5


def complete_iou(boxes1: Tensor, boxes2: Tensor, eps: float = 1e-7) -> Tensor:
    """CIoU of boxes in pairs, row by row: IoU, less how far apart the centres are, less how different the shapes are.

    Unlike IoU it has a slope also where two boxes do not touch.

    Args:
        boxes1: (N, 4) ``xyxy``. boxes2: (N, 4) likewise.

    Returns:
        (N,) in about [-1.5, 1]; 1 for equal boxes.

    Source: Zheng et al., arXiv 1911.08287.
    """
    size1, size2 = boxes1[:, 2:] - boxes1[:, :2], boxes2[:, 2:] - boxes2[:, :2]  # (N, 2) width and height
    shared = (torch.minimum(boxes1[:, 2:], boxes2[:, 2:]) - torch.maximum(boxes1[:, :2], boxes2[:, :2])).clamp(min=0).prod(dim=1)
    iou = shared / (size1.prod(dim=1) + size2.prod(dim=1) - shared + eps)
    hull = torch.maximum(boxes1[:, 2:], boxes2[:, 2:]) - torch.minimum(boxes1[:, :2], boxes2[:, :2])
    apart = (boxes1[:, :2] + boxes1[:, 2:] - boxes2[:, :2] - boxes2[:, 2:]) / 2  # from centre to centre
    distance = apart.square().sum(dim=1) / (hull.square().sum(dim=1) + eps)
    angle1, angle2 = (torch.atan(size[:, 0] / (size[:, 1] + eps)) for size in (size1, size2))
    shape = 4 / math.pi**2 * (angle1 - angle2).square()
    with torch.no_grad():  # how much the shape counts is not itself something to learn
        weight = shape / (1 - iou + shape + eps)
    return iou - distance - weight * shape


def detection_loss(
    raw, truth: list[dict[str, Tensor]], assign: Callable | None = None, normaliser: Callable[[Tensor], Tensor] | None = None
) -> dict[str, Tensor]:
    """Loss of a batch, in parts.

    Args:
        raw: a `Raw` of B images.
        truth: B dicts with ``boxes`` (M, 4) in pixels of the network's input and ``labels`` (M,); M may be 0.
        assign: another rule than task alignment, such as `assign_by_centre`; called as that is, with the strides of the cells.
        normaliser: makes of the sum of all targets what the loss is divided by: that sum, but at least 1. Where a batch is shared among
            processes it is that of all of them, `coursekit.training.distributed.shared_total`.

    On CUDA, task alignment's loss is that of `loss_without_waiting`.

    Returns:
        ``loss`` (what to call backward on), ``class`` and ``box`` (its two parts, detached).
    """
    from .assign import assign as task_aligned  # assignment needs complete_iou, and we need assignment
    from .decode import decode

    if assign is None and raw.logits.is_cuda:
        return loss_without_waiting(raw, truth, normaliser)
    boxes, scores = decode(raw)  # (B, A, 4), (B, A, C)
    rule = task_aligned if assign is None else partial(assign, strides=raw.strides)
    plans = [rule(s.detach(), b.detach(), raw.centres, t["boxes"], t["labels"]) for s, b, t in zip(scores, boxes, truth, strict=True)]
    targets = torch.stack([plan.targets for plan in plans])  # (B, A, C)
    total = targets.sum()  # an image full of objects must not count more than one with few
    total = normaliser(total) if normaliser else total.clamp(min=1)
    what = binary_cross_entropy_with_logits(raw.logits, targets, reduction="sum") / total
    owner = torch.stack([plan.owner for plan in plans])  # (B, A)
    image, cell = (owner >= 0).nonzero(as_tuple=True)
    first = torch.tensor([0] + [len(t["boxes"]) for t in truth[:-1]], device=owner.device).cumsum(0)  # where an image's objects begin
    wanted = torch.cat([t["boxes"] for t in truth])[first[image] + owner[image, cell]]  # (P, 4), one for each positive cell
    weight = targets[image, cell].sum(dim=1)  # a cell that should be sure should also be exact
    where = ((1 - complete_iou(boxes[image, cell], wanted)) * weight).sum() / total
    return {"loss": CLASS_GAIN * what + BOX_GAIN * where, "class": what.detach(), "box": where.detach()}


def loss_without_waiting(raw, truth: list[dict[str, Tensor]], normaliser: Callable[[Tensor], Tensor] | None = None) -> dict[str, Tensor]:
    """`detection_loss` with task alignment, by the same sums over every cell, in which background weighs nothing.

    So nobody has to ask how many cells count, for which a GPU would have to be waited for in every step; see `assign_batch`. A CPU is
    sooner done with the few that count.
    """
    from .assign_batch import assign_batch, owned_boxes
    from .decode import decode

    boxes, scores = decode(raw)
    owner, targets = assign_batch(scores.detach(), boxes.detach(), raw.centres, truth)
    total = targets.sum()
    total = normaliser(total) if normaliser else total.clamp(min=1)
    what = binary_cross_entropy_with_logits(raw.logits, targets, reduction="sum") / total
    weight = targets.sum(dim=2)  # (B, A)
    framed = complete_iou(boxes.flatten(0, 1), owned_boxes(truth, owner).flatten(0, 1)).view_as(weight)
    where = ((1 - framed) * weight).sum() / total
    return {"loss": CLASS_GAIN * what + BOX_GAIN * where, "class": what.detach(), "box": where.detach()}
