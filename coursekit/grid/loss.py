"""Two losses, added: is something here, and where does it end? Taught in notebook 16_grid_detector."""

from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from .targets import encode_batch


def coverage_loss(logits: Tensor, coverage: Tensor) -> Tensor:
    """Binary cross-entropy of every cell and class, summed, divided by the number of covered cells (at least 1).

    Args:
        logits: (B, K, rows, columns). coverage: likewise, 0 or 1.

    DetectNet and YOLOv1 took squared differences; behind a sigmoid their slope vanishes where the answer is most wrong (notebook 02).
    """
    each = binary_cross_entropy_with_logits(logits, coverage, reduction="none")
    return each.sum() / coverage.sum().clamp(min=1)


def box_loss(corners: Tensor, target: Tensor, covered: Tensor) -> Tensor:
    """Mean absolute difference of the four corner numbers, in strides, averaged over the covered cells alone; 0 where there are none.

    Args:
        corners, target: (B, 4, rows, columns).
        covered: (B, rows, columns) bool.
    """
    difference = (corners - target).abs().mean(dim=1)  # (B, rows, columns)
    return (difference * covered).sum() / covered.sum().clamp(min=1)


def grid_loss(model, images: Tensor, targets: list[dict], weight: float = 2.0, shrink: float = 0.5) -> dict[str, Tensor]:
    """The parts of the loss by name, as `coursekit.training.detector.fit_detector` wants them: ``loss = coverage + weight * box``.

    Args:
        model: a `GridDetector`.
        images: uint8 (B, 3, H, W). targets: one dict of boxes and labels each.
        weight: of the box loss.
        shrink: as for `covered_cells`.
    """
    logits, corners = model(images)
    coverage, where = encode_batch(targets, logits.shape[1], tuple(images.shape[2:]), model.stride, shrink)
    parts = {"coverage": coverage_loss(logits, coverage), "box": box_loss(corners, where, coverage.amax(dim=1) > 0)}
    return {"loss": parts["coverage"] + weight * parts["box"], **parts}
