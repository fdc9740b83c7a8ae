"""What stands beside an image: boxes and the fields that follow them. Used by every transform, see notebook 11_augmentation.

A target is ``dict(boxes (N, 4) float32 xyxy px, labels (N,) int64, image_id int, area (N,) float32, iscrowd (N,) int64)``.
Nothing here changes a target in place: the caller's stays as it was.
"""

import torch
from torch import Tensor

Target = dict[str, object]

# The fields with one row for each box. They live and die together; whatever else a target holds belongs to the image.
PER_BOX = ("boxes", "labels", "area", "iscrowd", "difficult", "truncated", "scores")


def empty_target(image_id: int = 0) -> Target:
    """The target of an image without objects: shape (0, 4), never missing."""
    return {
        "boxes": torch.zeros(0, 4),
        "labels": torch.zeros(0, dtype=torch.int64),
        "image_id": image_id,
        "area": torch.zeros(0),
        "iscrowd": torch.zeros(0, dtype=torch.int64),
    }


def select(target: Target, index: Tensor) -> Target:
    """The boxes at `index` (a boolean mask or int64 indices), each with its label, area and crowd flag."""
    return {name: value[index] if name in PER_BOX else value for name, value in target.items()}


def concatenate(targets: list[Target]) -> Target:
    """All boxes of several targets in one; what belongs to the image comes from the first."""
    return {name: torch.cat([t[name] for t in targets]) if name in PER_BOX else value for name, value in targets[0].items()}


def clip(target: Target, size_hw: tuple[int, int], min_visible: float = 0.0) -> Target:
    """Cut the boxes at the image's edges, and drop those of which too little is left.

    Args:
        size_hw: height and width of the image in pixels.
        min_visible: a box stays if at least this share of its area is inside, in [0, 1]. One that is outside altogether,
            or has no area, is dropped whatever `min_visible` says: nothing of it can be learned.

    Returns:
        A new target; `area` shrinks by the same share as the box.
    """
    if "masks" in target:
        raise ValueError("target has 'masks', which these transforms do not move; take them out, or use torchvision.transforms.v2")
    boxes = target["boxes"]
    if not len(boxes):
        return dict(target)
    height, width = size_hw
    clipped = boxes.clamp(min=0).minimum(boxes.new_tensor([width, height, width, height]))
    side = boxes[:, 2:] - boxes[:, :2]
    visible_side = clipped[:, 2:] - clipped[:, :2]
    share = visible_side.prod(dim=1) / side.prod(dim=1)  # 0 / 0 is NaN and NaN >= x is False: a box without area goes
    stays = (share >= min_visible) & (visible_side > 0).all(dim=1)
    moved = {**target, "boxes": clipped}
    if "area" in target:
        moved["area"] = target["area"] * share
    return moved if bool(stays.all()) else select(moved, stays)


def scale_and_shift(target: Target, scale_xy: tuple[float, float], shift_xy: tuple[float, float]) -> Target:
    """Boxes under ``x' = scale * x + shift``, not yet clipped; `area` grows by the product of the two scales."""
    (sx, sy), (dx, dy) = scale_xy, shift_xy
    boxes = target["boxes"]
    moved = {**target, "boxes": boxes * boxes.new_tensor([sx, sy, sx, sy]) + boxes.new_tensor([dx, dy, dx, dy])}
    if "area" in target:
        moved["area"] = target["area"] * (sx * sy)
    return moved


def check_image(image: Tensor) -> None:
    """Raise ValueError unless `image` is a uint8 tensor of shape (1, H, W) or (3, H, W) with at least one pixel."""
    if not isinstance(image, Tensor) or image.dtype != torch.uint8:
        got = image.dtype if isinstance(image, Tensor) else type(image).__name__
        raise ValueError(f"image must be a uint8 tensor, got {got}")
    if image.ndim != 3 or image.shape[0] not in (1, 3) or 0 in image.shape:
        raise ValueError(f"image must have shape (3, H, W) or (1, H, W), got {tuple(image.shape)}")


def uniform(generator: torch.Generator, low: float, high: float) -> float:
    """One number from [low, high), drawn from `generator`."""
    return low + (high - low) * torch.rand((), generator=generator).item()
