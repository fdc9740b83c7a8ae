"""The focal loss: a classification loss in which what is easy hardly counts. Taught in notebook 17_one_stage."""

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits


def focal_loss(logits: Tensor, targets: Tensor, alpha: float | None = 0.25, gamma: float = 2.0) -> Tensor:
    """Binary cross-entropy of every entry, times (1 - p_t) ** gamma, times alpha_t.

    p_t is the probability that the network gives to what is true: p where the target is 1, and 1 - p where it is 0.

    Args:
        logits: of any shape.
        targets: float of the same shape, 0 or 1.
        alpha: weight of the ones; the zeros have 1 - alpha. None: no weights.
        gamma: 0 or more; 0 with alpha None is plain cross-entropy.

    Returns:
        The loss of every entry, of the same shape; nothing is summed.

    Raises:
        ValueError: for other shapes, alpha outside 0..1 or gamma below 0.

    Equal to torchvision.ops.sigmoid_focal_loss, where alpha=-1 stands for our None.
    Source: Lin et al., "Focal Loss for Dense Object Detection", arXiv 1708.02002, equation 5.
    """
    if logits.shape != targets.shape:
        raise ValueError(f"targets must have the shape of logits, {tuple(logits.shape)}, got {tuple(targets.shape)}")
    if gamma < 0 or (alpha is not None and not 0 <= alpha <= 1):
        raise ValueError(f"alpha must lie in 0..1 or be None, and gamma be 0 or more, got {alpha} and {gamma}")
    p = logits.sigmoid()
    p_true = p * targets + (1 - p) * (1 - targets)
    loss = binary_cross_entropy_with_logits(logits, targets, reduction="none") * (1 - p_true) ** gamma
    if alpha is not None:
        loss = loss * (alpha * targets + (1 - alpha) * (1 - targets))
    return loss


def shares_of_loss(loss: Tensor, logits: Tensor, targets: Tensor, easy: float = 0.1) -> dict[str, float]:
    """From whom a loss comes: the objects, background that is still hard, and background that the network knows already.

    Args:
        loss, logits, targets: of one shape, as for `focal_loss`.
        easy: background is easy where the probability of an object is below this.

    Returns:
        The shares by name, ``"objects"``, ``"hard background"`` and ``"easy background"``; they add up to 1 (all 0 for a loss of 0).
    """
    background, is_easy = targets < 0.5, logits.sigmoid() < easy
    groups = {"objects": ~background, "hard background": background & ~is_easy, "easy background": background & is_easy}
    total = loss.sum().item()
    return {name: loss[group].sum().item() / total if total else 0.0 for name, group in groups.items()}


def prior_bias(prior: float) -> float:
    """The bias of the last layer with which every probability starts at ``prior``: -log((1 - prior) / prior).

    Raises:
        ValueError: unless prior lies between 0 and 1.
    """
    if not 0 < prior < 1:
        raise ValueError(f"prior must lie between 0 and 1, got {prior}")
    return torch.logit(torch.tensor(prior, dtype=torch.float64)).item()
