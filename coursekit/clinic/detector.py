"""The clinic's detector: the shipped network, and around it eight steps of which any may be replaced. Taught in notebook 21_bug_clinic.

>>> said = see(model, frames)                       # the network's part, once
>>> found = tell(said)                              # and from there to boxes
>>> found = tell(said, suppress=broken)             # the same patient with one step broken
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from ..detections import Detections
from ..yolo.model import Raw
from . import steps

FLOOR, OVERLAP = 0.001, 0.6  # the least score that counts at all; the overlap that suppression allows


def camera(picture: Tensor) -> Tensor:
    """A frame as OpenCV would have read this picture: (3, H, W) red first -> (H, W, 3) blue first, both uint8."""
    return picture.flip(0).permute(1, 2, 0).contiguous()


def see(
    model: nn.Module,
    frames: Sequence[Tensor],
    batch: int = 8,
    prepare_frame: Callable = steps.prepare_frame,
    prepare_batch: Callable = steps.prepare_batch,
    look: Callable = steps.look,
) -> Raw:
    """What the network says of each frame, all in one `Raw`.

    Args:
        frames: (H, W, 3) uint8 each, of one size, as `camera` gives them.
        batch: frames that the network sees at a time.

    Raises:
        ValueError: where there are no frames.
    """
    if not frames:
        raise ValueError("frames must hold at least one frame, got none")
    parts = []
    for first in range(0, len(frames), batch):
        pictures = [prepare_frame(frame) for frame in frames[first : first + batch]]
        parts.append(look(model, prepare_batch(pictures)))
    logits, sides = (torch.cat([getattr(part, name) for part in parts]) for name in ("logits", "sides"))
    return Raw(logits, sides, parts[0].centres, parts[0].strides)


def with_background(logits: Tensor) -> Tensor:
    """(A, C) logits -> (A, 1 + C) scores, the first of which says "none of them": the chance that all C independent answers are no."""
    sure = logits.sigmoid()
    return torch.cat([(1 - sure).prod(dim=1, keepdim=True), sure], dim=1)


def tell(
    said: Raw,
    to_boxes: Callable = steps.to_boxes,
    name_classes: Callable = steps.name_classes,
    suppress: Callable = steps.suppress,
    pick: Callable = steps.pick,
    deliver: Callable = steps.deliver,
    purpose: str = "measure",
    floor: float = FLOOR,
    two_names: bool = False,
) -> list[Detections]:
    """From what the network said to boxes, one `Detections` a picture, best first.

    Args:
        floor: boxes that are less sure are dropped before suppression.
        two_names: every box is said twice, once by its kind and once as "sign" (the label after the last), as Open Images labels things.
    """
    found = []
    for logits, sides in zip(said.logits, said.sides, strict=True):
        boxes, every = to_boxes(sides, said.centres, said.strides), with_background(logits)  # (A, 4), (A, 1 + C)
        scores, labels = name_classes(every)
        sure = scores >= floor
        boxes, scores, labels, nothing = boxes[sure], scores[sure], labels[sure], every[sure, 0]
        if two_names:
            boxes, scores = torch.cat([boxes, boxes]), torch.cat([scores, 1 - nothing])
            labels = torch.cat([labels, torch.full_like(labels, logits.shape[1])])
        stays = suppress(boxes, scores, labels, OVERLAP)
        picked = pick(boxes[stays], scores[stays], labels[stays], steps.MOST)
        found.append(Detections(*deliver(*picked, purpose)))
    return found


def named_twice(targets: Sequence[dict], classes: Sequence[str]) -> tuple[list[dict], tuple[str, ...]]:
    """The truth of `two_names`: every box once by its kind and once as "sign"; and the longer list of classes."""
    twice = []
    for target in targets:
        both = {name: torch.cat([target[name]] * 2) for name in ("boxes", "area", "iscrowd")}
        twice.append({**target, **both, "labels": torch.cat([target["labels"], torch.full_like(target["labels"], len(classes))])})
    return twice, (*classes, "sign")
