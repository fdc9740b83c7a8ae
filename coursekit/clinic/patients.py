"""The twelve patients: the steps of `coursekit.clinic.steps` as each of them has it, wrong. Taught in notebook 21_bug_clinic.

Reading this file is like reading the last page of a crime novel first.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits

from ..boxes import fast_nms
from .steps import SHOWN


def prepare_frame(frame):
    picture = frame.permute(2, 0, 1)
    return picture.contiguous()


def prepare_batch(pictures):
    batch = torch.stack(pictures)
    return batch.to(torch.float32)


def to_boxes(sides, centres, strides):
    left_top = centres - sides[:, :2]
    right_bottom = centres + sides[:, 2:]
    return torch.cat([left_top, right_bottom], dim=1)


def suppress(boxes, scores, labels, iou_threshold):
    stays = torch.zeros(len(boxes), dtype=torch.bool)
    stays[fast_nms(boxes, scores, iou_threshold)] = True
    return stays


@torch.no_grad()
def look(model, batch):
    return model(batch)


def name_classes(scores):
    real = scores.clone()
    real[:, 0] = -1.0
    score, label = real.max(dim=1)
    return score, label


def pick(boxes, scores, labels, limit):
    order = scores.argsort(descending=True, stable=True)[:limit]
    scores, labels = scores[order], labels[order]
    return boxes[: len(order)], scores, labels


def augment(picture, boxes, mirrored, gain):
    picture = (picture.float() * gain).clamp(0, 255).to(torch.uint8)
    if mirrored:
        picture = picture.flip(2)
    return picture, boxes


def class_loss(logits, targets):
    sure = logits.sigmoid()
    loss = binary_cross_entropy_with_logits(sure, targets, reduction="sum")
    return loss / targets.sum().clamp(min=1)


def training_step(model, optimiser, images, targets, loss_of):
    loss = loss_of(model, images, targets)
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 10.0)
    optimiser.step()
    return float(loss.detach())


def nudge(picture, boxes, dx, dy):
    height, width = picture.shape[1:]
    boxes += torch.tensor([dx, dy, dx, dy], dtype=boxes.dtype)
    boxes[:, 0::2] = boxes[:, 0::2].clamp(0, width)
    boxes[:, 1::2] = boxes[:, 1::2].clamp(0, height)
    return torch.roll(picture, (dy, dx), dims=(1, 2)), boxes


def deliver(boxes, scores, labels, purpose):
    sure = scores >= SHOWN
    boxes, scores, labels = boxes[sure], scores[sure], labels[sure]
    most = 100 if purpose == "measure" else len(boxes)
    return boxes[:most], scores[:most], labels[:most]


@dataclass(frozen=True)
class Patient:
    """Somebody's detector.

    Args:
        number: of the bed, 1 to 12.
        name: what it is called on the panel.
        step: the broken step, a name of `coursekit.clinic.steps`.
        broken: that step as the patient has it.
        fault: the right diagnosis.
        trained: its training is broken; the others have the shipped detector's weights and use them wrongly.
    """

    number: int
    name: str
    step: str
    broken: Callable
    fault: str
    trained: bool = False


PATIENTS = (
    Patient(1, "webcam", "prepare_frame", prepare_frame, "channel-order"),
    Patient(2, "new server", "prepare_batch", prepare_batch, "pixel-range"),
    Patient(3, "rewritten decoder", "to_boxes", to_boxes, "stride"),
    Patient(4, "two names each", "suppress", suppress, "cross-class"),
    Patient(5, "moody", "look", look, "train-mode"),
    Patient(6, "background first", "name_classes", name_classes, "label-offset"),
    Patient(7, "good alone", "pick", pick, "sorted-apart"),
    Patient(8, "augmented", "augment", augment, "flip-boxes", trained=True),
    Patient(9, "never sure", "class_loss", class_loss, "double-sigmoid", trained=True),
    Patient(10, "restless", "training_step", training_step, "stale-gradients", trained=True),
    Patient(11, "better on Monday", "nudge", nudge, "cache-changed", trained=True),
    Patient(12, "two numbers", "deliver", deliver, "early-threshold"),
)


def patient(number: int) -> Patient:
    """The patient of that bed.

    Raises:
        ValueError: for a bed that is not there.
    """
    if number not in range(1, len(PATIENTS) + 1):
        raise ValueError(f"number must be 1 to {len(PATIENTS)}, got {number!r}")
    return PATIENTS[number - 1]
