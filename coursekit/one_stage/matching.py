"""Which anchor answers for which object, which for none, and which is not asked. Taught in notebook 17_one_stage."""

import torch
from torch import Tensor

from ..boxes import box_iou

BACKGROUND, IGNORED = -1, -2


def match_anchors(anchors: Tensor, truth: Tensor, low: float = 0.4, high: float = 0.5, keep_best: bool = True) -> Tensor:
    """For each anchor the object that it answers for.

    An anchor looks at the object that it overlaps most (the first of equals). IoU at least ``high``: it answers for that object. Below
    ``low``: background. In between it is ignored: too good to be told "nothing here", too bad to be an example.

    Args:
        anchors: (A, 4) ``xyxy`` pixels.
        truth: (M, 4) likewise; may be (0, 4): then all is background.
        low, high: IoU, ``0 < low <= high <= 1``.
        keep_best: the anchors that overlap an object more than all others do, ties included, answer although their IoU is below
            ``high``, so that no object is lost for having an odd shape. (Each still answers for the object that *it* overlaps most, which
            may be another one.)

    Returns:
        (A,) int64: index of the object, or -1 for background, or -2 for ignored.

    Raises:
        ValueError: for shapes or thresholds that do not fit.

    Equal to torchvision's Matcher(high, low, allow_low_quality_matches=keep_best) on the IoU of truth and anchors, but for three edges:
    truth may be empty; boxes without area have IoU 0 here; and an object that no anchor touches at all keeps none, where torchvision,
    to which all anchors are "best" with IoU 0, makes every anchor of the image answer.

    Source: Ren et al., arXiv 1506.01497, section 3.1.2; thresholds of Lin et al., arXiv 1708.02002, section 4.
    """
    if not 0 < low <= high <= 1:
        raise ValueError(f"low and high must satisfy 0 < low <= high <= 1, got {low} and {high}")
    overlap = box_iou(truth, anchors)  # (M, A)
    if len(truth) == 0:
        return torch.full((len(anchors),), BACKGROUND, device=anchors.device)
    best, owner = overlap.max(dim=0)  # (A,): of each anchor
    answer = torch.where(best >= high, owner, IGNORED)
    answer = torch.where(best < low, BACKGROUND, answer)
    if keep_best and len(anchors):
        best_of_object = overlap.max(dim=1, keepdim=True).values  # (M, 1)
        chosen = ((overlap == best_of_object) & (best_of_object > 0)).any(dim=0)
        answer = torch.where(chosen, owner, answer)
    return answer
