"""One scene, four questions: what, where, which pixels, and whose. Taught in notebook 00_welcome."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import torch
from matplotlib.figure import Figure
from torch import Tensor

from coursekit.plots.images import set_alt, show_boxes, show_masks, to_picture


def largest(target: dict) -> int:
    """Which object of a target is the largest, by the area of its box.

    Raises:
        ValueError: if there is none.
    """
    boxes = target["boxes"]
    if len(boxes) == 0:
        raise ValueError("target must hold at least one object, got none")
    return int((boxes[:, 2:] - boxes[:, :2]).prod(dim=1).argmax())


def crop(image: Tensor, box: Tensor, margin: int = 4) -> Tensor:
    """The part of the image in a box, with a margin where there is room for one.

    Args:
        image: (3, H, W).
        box: (4,) ``xyxy`` pixels.
        margin: pixels around the box.
    """
    height, width = image.shape[1:]
    x1, y1, x2, y2 = box.round().int().tolist()
    return image[:, max(0, y1 - margin) : min(height, y2 + margin), max(0, x1 - margin) : min(width, x2 + margin)]


def show_tasks(image: Tensor, target: dict, classes: Sequence[str]) -> Figure:
    """Classification, detection, semantic and instance segmentation of one scene, drawn from its ground truth.

    Args:
        image: uint8 (3, H, W).
        target: ``boxes`` (N, 4), ``labels`` (N,), ``masks`` (N, H, W) bool; at least one object.
        classes: names of the labels.

    Raises:
        ValueError: if the target has no objects, or no masks.
    """
    if "masks" not in target:
        raise ValueError(f"target must have masks, got {', '.join(target)}")
    best = largest(target)
    boxes, labels, masks = target["boxes"], target["labels"], target["masks"]
    figure, axes = plt.subplots(1, 4, figsize=(12, 3.8), layout="constrained")
    axes[0].imshow(to_picture(crop(image, boxes[best])))
    axes[0].set_axis_off()
    name = classes[int(labels[best])]
    axes[0].set_title(f"classification: WHAT is it?\n{name}", fontsize=10)
    show_boxes(image, boxes, labels, classes=classes, ax=axes[1], title=f"detection: WHERE is each?\n{len(boxes)} boxes")
    kinds = labels.unique()
    semantic = torch.stack([masks[labels == kind].any(dim=0) for kind in kinds])
    title = f"semantic segmentation: which CLASS\nis each pixel? {len(kinds)} classes"
    show_masks(image, semantic, kinds, classes=classes, ax=axes[2], title=title)
    title = f"instance segmentation: which OBJECT\nis each pixel? {len(boxes)} objects"
    show_masks(image, masks, list(range(len(masks))), classes=[f"#{i + 1}" for i in range(len(masks))], ax=axes[3], title=title)
    found = ", ".join(classes[int(label)] for label in labels)
    return set_alt(
        figure, f"One scene, four tasks. Classification of a crop: {name}. Boxes, masks by class and masks by object of: {found}."
    )
