"""A detector that is made up from the truth, for notebooks that come before the first real one. Used from notebook 13_boxes on.

It has a detector's habits: several boxes on each object, the better placed ones mostly surer; now and then another class's name;
false alarms, mostly unsure. None of it is learned, so nothing measured with it says how good a detector is.
"""

import torch
from torch import Tensor

from coursekit.boxes import box_iou, clip_boxes_to_image
from coursekit.detections import Detections


def pretend_detections(
    target: dict,
    num_classes: int,
    generator: torch.Generator,
    size: tuple[int, int] = (256, 256),
    copies: int = 6,
    shift: float = 0.12,
    wrong_class: float = 0.1,
    false_alarms: int = 5,
) -> Detections:
    """What a middling detector might say about one image, before any suppression.

    Args:
        target: the truth: ``boxes`` (N, 4) ``xyxy`` pixels, ``labels`` (N,).
        num_classes: how many classes there are to mix up.
        generator: where the dice come from.
        size: (height, width) of the image.
        copies: boxes for each object.
        shift: how far an edge misses, as a share of the object's side (standard deviation).
        wrong_class: share of boxes with another class's label.
        false_alarms: boxes where there is no object.

    Returns:
        N * copies + false_alarms detections, best first, inside the image.

    Raises:
        ValueError: if there are fewer than two classes but labels to mix up.
    """
    if wrong_class > 0 and num_classes < 2:
        raise ValueError(f"num_classes must be at least 2 where wrong_class is above 0, got {num_classes}")
    truth = target["boxes"].repeat_interleave(copies, dim=0)
    sides = (truth[:, 2:] - truth[:, :2]).repeat(1, 2)
    moved = truth + torch.randn(truth.shape, generator=generator) * shift * sides
    moved = torch.cat((torch.minimum(moved[:, :2], moved[:, 2:]), torch.maximum(moved[:, :2], moved[:, 2:])), dim=1)
    ease = (0.5 + 0.5 * torch.rand(len(target["boxes"]), generator=generator)).repeat_interleave(copies)  # some objects are hard
    overlap = box_iou(moved, truth).diagonal()
    sure = ease * (0.2 + 0.75 * overlap) + 0.08 * torch.randn(len(moved), generator=generator)
    labels = target["labels"].repeat_interleave(copies)
    mixed_up = torch.rand(len(labels), generator=generator) < wrong_class
    other = torch.randint(1, max(2, num_classes), labels.shape, generator=generator)
    labels = torch.where(mixed_up, (labels + other) % num_classes, labels)

    strays = _anywhere(false_alarms, size, generator)
    boxes = clip_boxes_to_image(torch.cat((moved, strays)), size)
    scores = torch.cat((sure, 0.6 * torch.rand(false_alarms, generator=generator))).clamp(0.01, 0.99)
    labels = torch.cat((labels, torch.randint(0, num_classes, (false_alarms,), generator=generator)))
    return Detections(boxes, scores, labels)[scores.argsort(descending=True, stable=True)]


def _anywhere(count: int, size: tuple[int, int], generator: torch.Generator) -> Tensor:
    """(count, 4) boxes of a tenth to a third of the image's sides."""
    width_height = torch.tensor([size[1], size[0]], dtype=torch.float32)
    sides = (0.1 + 0.23 * torch.rand(count, 2, generator=generator)) * width_height
    start = torch.rand(count, 2, generator=generator) * (width_height - sides)
    return torch.cat((start, start + sides), dim=1)
