"""albumentations behind one door, for whoever has a pipeline of it. Taught in notebook 11_augmentation.

    >>> import albumentations as A
    >>> augment = albumentations_transform([A.RandomResizedCrop((224, 224)), A.HorizontalFlip(), A.CLAHE()])
    >>> image, target = augment(image, target, generator)

It is optional (``pip install "coursekit[course]"``) and capped at 2.0.8, its last release under MIT; it is no longer
maintained, and its successor is AGPL. What is known to go wrong with it is met here: it looks for a newer version on the
internet when it is imported; boxes that touch the edge fail its check by a rounding error (its issues 459, 922, 1497); boxes
come back without the fields beside them.
"""

import os

import numpy as np
import torch
from torch import Tensor

from .targets import Target, check_image, clip, select

VERSION = "2.0.8"


def load_albumentations():
    """The module, imported at the first call, with its look at the internet turned off.

    Raises:
        ImportError: with the command that installs it.
    """
    os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"  # read while it is imported
    try:
        import albumentations
    except ImportError as error:
        hint = f'pip install "albumentations=={VERSION}" opencv-python-headless'
        raise ImportError(f"albumentations is needed for this and cannot be imported ({error}). Install it with: {hint}") from error
    return albumentations


def albumentations_transform(transforms: list, min_visible: float = 0.1):
    """A function ``(image, target, generator) -> (image, target)`` out of albumentations transforms.

    Args:
        transforms: what you would give to ``A.Compose``; or a Compose without bbox_params.
        min_visible: boxes of which a step leaves less than this share are dropped, in [0, 1).

    The boxes go in as float64 shares of the image, clipped to it, each with its row number as its label; what comes back is
    matched by that number. So every field of the target follows its box, and none is invented. `area` scales with the box's
    own area. A target's other entries (image_id) stay. The generator decides everything: same generator, same result.
    """
    A = load_albumentations()
    if isinstance(transforms, A.Compose):
        transforms = list(transforms.transforms)
    if not 0 <= min_visible < 1:
        raise ValueError(f"min_visible must be in [0, 1), got {min_visible}")
    # clip and filter: a box thinner than a float32 step would raise otherwise
    params = A.BboxParams("albumentations", ["rows"], min_visibility=min_visible, clip=True, filter_invalid_bboxes=True)
    pipeline = A.Compose(transforms, bbox_params=params)

    def apply(image: Tensor, target: Target, generator: torch.Generator) -> tuple[Tensor, Target]:
        check_image(image)
        pipeline.set_random_seed(int(torch.randint(2**31 - 1, (), generator=generator)))
        height, width = image.shape[1:]
        inside = clip(target, (height, width))  # no box without area: albumentations would raise on one
        size = np.array([width, height, width, height], dtype=np.float64)
        shares = (inside["boxes"].numpy().astype(np.float64) / size).clip(0, 1)
        result = pipeline(image=np.ascontiguousarray(image.permute(1, 2, 0).numpy()), bboxes=shares, rows=np.arange(len(shares)))
        new_image = _to_tensor(result["image"])
        return new_image, _follow(inside, result, tuple(new_image.shape[1:]))

    return apply


def _to_tensor(pixels: np.ndarray) -> Tensor:
    if pixels.dtype != np.uint8:
        raise ValueError(f"transforms must give back uint8 pixels, got {pixels.dtype}: without ToFloat and Normalize, please")
    return torch.from_numpy(np.ascontiguousarray(pixels if pixels.ndim == 3 else pixels[:, :, None])).permute(2, 0, 1)


def _follow(target: Target, result: dict, size_hw: tuple[int, int]) -> Target:
    """The target's rows in the order that they came back, with their new boxes."""
    height, width = size_hw
    rows = torch.as_tensor(np.asarray(result["rows"], dtype=np.int64).reshape(-1))
    shares = np.asarray(result["bboxes"], dtype=np.float64).reshape(-1, 4)
    boxes = torch.from_numpy((shares * [width, height, width, height]).astype(np.float32))
    moved = select(target, rows)
    old = (moved["boxes"][:, 2:] - moved["boxes"][:, :2]).prod(dim=1)
    moved["boxes"] = boxes
    if "area" in moved:
        moved["area"] = moved["area"] * (boxes[:, 2:] - boxes[:, :2]).prod(dim=1) / old
    return clip(moved, size_hw)
