"""Losses for maps in which nearly everything is background. Taught in notebook 22_segmentation."""

import torch
from torch import Tensor
from torch.nn import functional as F

from ..metrics.segmentation import VOID


def dice_loss(logits: Tensor, target: Tensor, smooth: float = 1.0, ignore_index: int = VOID) -> Tensor:
    """1 - Dice, averaged over the classes but background: 2 * shared / (predicted + true), with probabilities for pixels.

    A class of forty pixels weighs as much as one of four thousand: each is divided by its own size.

    Args:
        logits: (N, K, H, W), K at least 2; class 0 is background.
        target: (N, H, W) int64, 0 .. K - 1, or ``ignore_index``: such pixels count nowhere.
        smooth: added above and below, so that a class without pixels, rightly not predicted, costs nothing.

    Returns:
        A number in [0, 1]. The sums go over all pictures of the batch together.

    Raises:
        ValueError: if the shapes do not belong together.

    Source: Milletari et al., arXiv 1606.04797, who square the terms below; without squares it is the Dice coefficient of 1945.
    """
    if logits.ndim != 4 or target.shape != (logits.shape[0], *logits.shape[2:]):
        raise ValueError(f"target must be (N, H, W) for logits of (N, K, H, W), got {tuple(target.shape)} for {tuple(logits.shape)}")
    known = target != ignore_index  # (N, H, W)
    probabilities = logits.softmax(dim=1) * known[:, None]
    truth = F.one_hot(torch.where(known, target, 0), logits.shape[1]).permute(0, 3, 1, 2) * known[:, None]  # (N, K, H, W)
    shared = (probabilities * truth).sum(dim=(0, 2, 3))  # (K,)
    sizes = probabilities.sum(dim=(0, 2, 3)) + truth.sum(dim=(0, 2, 3))
    dice = (2 * shared + smooth) / (sizes + smooth)
    return 1 - dice[1:].mean()
