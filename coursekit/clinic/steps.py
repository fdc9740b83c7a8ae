"""The steps of a detector that the clinic's patients have wrong, here as they should be. Taught in notebook 21_bug_clinic.

From a camera's frame to boxes: `prepare_frame`, `prepare_batch`, `look`, `to_boxes`, `name_classes`, `suppress`, `pick`, `deliver`; of a
training: `augment`, `class_loss`, `training_step`, `nudge`. Each is small enough to be wrong in one place only.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from ..boxes import fast_batched_nms

SHOWN, MOST = 0.25, 100  # how sure a box must be to be shown to people; how many boxes of a picture are measured


def prepare_frame(frame: Tensor) -> Tensor:
    """A frame as OpenCV reads it, (H, W, 3) uint8 with blue first -> a picture as the network knows it, (3, H, W) uint8 with red first."""
    return frame.flip(2).permute(2, 0, 1)


def prepare_batch(pictures: list[Tensor]) -> Tensor:
    """Pictures of one size, (3, H, W) uint8 each -> (B, 3, H, W) float32 in [0, 1], whatever the brightest pixel is."""
    return torch.stack(pictures).float() / 255


@torch.no_grad()
def look(model: nn.Module, batch: Tensor):
    """What the network says of a batch when it is measured: nothing of it depends on the other pictures, and the model stays as it was.

    Batch normalisation uses its averages and does not change them, dropout is off, and afterwards the model is in the mode it was in.
    """
    before = model.training
    model.eval()
    said = model(batch)
    model.train(before)
    return said


def to_boxes(sides: Tensor, centres: Tensor, strides: Tensor) -> Tensor:
    """What each cell says of its box, (A, 4) left, top, right, bottom in strides -> (A, 4) ``xyxy`` in pixels.

    Args:
        centres: (A, 2) of the cells, in pixels. strides: (A,) pixels per cell.
    """
    distance = sides * strides[:, None]  # in pixels now
    return torch.cat([centres - distance[:, :2], centres + distance[:, 2:]], dim=1)


def name_classes(scores: Tensor) -> tuple[Tensor, Tensor]:
    """The class of each box: (N, 1 + K) scores, column 0 is background -> best score (N,) of a real class, label (N,) int64 from 0."""
    best = scores[:, 1:].max(dim=1)
    return best.values, best.indices


def suppress(boxes: Tensor, scores: Tensor, labels: Tensor, iou_threshold: float) -> Tensor:
    """Which boxes stay, (N,) bool: of two of *one class* that overlap by more than the threshold, the better one."""
    stays = torch.zeros(len(boxes), dtype=torch.bool)
    stays[fast_batched_nms(boxes, scores, labels, iou_threshold)] = True
    return stays


def pick(boxes: Tensor, scores: Tensor, labels: Tensor, limit: int) -> tuple[Tensor, Tensor, Tensor]:
    """At most ``limit`` boxes with their scores and labels, best first; of equal scores the earlier box first."""
    first = scores.argsort(descending=True, stable=True)[:limit]
    return boxes[first], scores[first], labels[first]


def deliver(boxes: Tensor, scores: Tensor, labels: Tensor, purpose: str) -> tuple[Tensor, Tensor, Tensor]:
    """What leaves the detector, of boxes that come best first.

    Args:
        purpose: ``"show"``: what people look at, at least `SHOWN` sure; ``"measure"``: what AP is computed from, the first `MOST`, however
            unsure.
    """
    kept = scores >= SHOWN if purpose == "show" else torch.arange(len(scores)) < MOST
    return boxes[kept], scores[kept], labels[kept]


def augment(picture: Tensor, boxes: Tensor, mirrored: bool, gain: float) -> tuple[Tensor, Tensor]:
    """A training sample made anew: ``gain`` times as bright and, if asked for, mirrored left and right, boxes and all.

    Args:
        picture: (3, H, W) uint8. boxes: (N, 4) ``xyxy`` pixels.
    """
    picture = (picture.float() * gain).clamp(0, 255).to(torch.uint8)
    if mirrored:
        picture, width = picture.flip(2), picture.shape[2]
        x1, y1, x2, y2 = boxes.unbind(dim=1)
        boxes = torch.stack([width - x2, y1, width - x1, y2], dim=1)
    return picture, boxes


def class_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Binary cross-entropy of all cells and classes, (..., C) logits against (..., C) targets in [0, 1], divided by the sum of the targets.

    The sum counts as 1 where it is less. However large a logit is, the loss still tells how large.
    """
    return binary_cross_entropy_with_logits(logits, targets, reduction="sum") / targets.sum().clamp(min=1)


def training_step(model: nn.Module, optimiser: torch.optim.Optimizer, images: Tensor, targets, loss_of) -> float:
    """One step: the loss of this batch alone decides where the weights go. Gives the loss before the step.

    Args:
        loss_of: ``loss_of(model, images, targets)`` -> the loss, or a dict that has one.
    """
    loss = loss_of(model, images, targets)
    optimiser.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 10.0)
    optimiser.step()
    return float(loss.detach())


def nudge(picture: Tensor, boxes: Tensor, dx: int, dy: int) -> tuple[Tensor, Tensor]:
    """The sample moved by a few pixels; what leaves at one edge comes in at the other, boxes are cut. What is given stays as it is.

    Args:
        picture: (3, H, W). boxes: (N, 4) ``xyxy`` pixels.
    """
    height, width = picture.shape[1:]
    moved = boxes + torch.tensor([dx, dy, dx, dy], dtype=boxes.dtype)
    moved = torch.stack([moved[:, 0::2].clamp(0, width), moved[:, 1::2].clamp(0, height)], dim=2).flatten(1)
    return torch.roll(picture, (dy, dx), dims=(1, 2)), moved
