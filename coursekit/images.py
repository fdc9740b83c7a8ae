"""An image is a tensor: layout, range, colour order, batches, distances, patches. Taught in notebook 01_tensors.

>>> to_chw(torch.zeros(4, 6, 3, dtype=torch.uint8)).shape
torch.Size([3, 4, 6])
"""

import io

import numpy as np
import torch
from PIL import Image
from torch import Tensor

IMAGENET_MEAN = (0.485, 0.456, 0.406)  # of R, G, B in 0..1, over ImageNet's training set: what most published weights were trained with
IMAGENET_STD = (0.229, 0.224, 0.225)


def _check_image(image: Tensor, name: str = "image", ndims: tuple[int, ...] = (3,)) -> None:
    if not isinstance(image, Tensor):
        raise ValueError(f"{name} must be a torch tensor, got {type(image).__name__}")
    if image.ndim not in ndims:
        wanted = " or ".join({2: "(H, W)", 3: "(C, H, W)", 4: "(N, C, H, W)"}[n] for n in ndims)
        raise ValueError(f"{name} must have shape {wanted}, got {tuple(image.shape)}")


def to_chw(image: Tensor) -> Tensor:
    """Channels first, as networks want them: what NumPy, Pillow and OpenCV give, (H, W, C), becomes (C, H, W).

    Args:
        image: (H, W, C), or (H, W) for a grey image; any dtype.

    Returns:
        (C, H, W) of the same dtype, C = 1 for a grey image: a view, no pixel is copied.

    Raises:
        ValueError: if `image` is not a tensor of two or three dimensions.
    """
    if not isinstance(image, Tensor) or image.ndim not in (2, 3):
        got = tuple(image.shape) if hasattr(image, "shape") else type(image).__name__
        raise ValueError(f"image must be a tensor of shape (H, W, C) or (H, W), got {got}")
    if image.ndim == 2:
        image = image[:, :, None]
    return image.permute(2, 0, 1)


def to_hwc(image: Tensor) -> Tensor:
    """Channels last, as matplotlib and Pillow want them: (C, H, W) becomes (H, W, C). A view.

    Raises:
        ValueError: if `image` is not (C, H, W).
    """
    _check_image(image)
    return image.permute(1, 2, 0)


def rgb_to_bgr(image: Tensor) -> Tensor:
    """The three channels in reverse, which OpenCV reads and writes; the same function goes back. A copy.

    Args:
        image: (3, H, W) or (N, 3, H, W).

    Raises:
        ValueError: if there are not three channels in third place from the end.
    """
    _check_image(image, ndims=(3, 4))
    if image.shape[-3] != 3:
        raise ValueError(f"image must have 3 channels, got shape {tuple(image.shape)}")
    return image.flip(-3)


def brighten(image: Tensor, amount: int) -> Tensor:
    """Brighter by `amount` (darker where it is negative), stopping at black and at white instead of wrapping around.

    Args:
        image: uint8 of any shape.
        amount: whole steps of 255, such as 40 or -40.

    Returns:
        uint8 of the same shape.

    Raises:
        ValueError: if `image` is not uint8.
    """
    if not isinstance(image, Tensor) or image.dtype != torch.uint8:
        raise ValueError(f"image must be a uint8 tensor, got {getattr(image, 'dtype', type(image).__name__)}")
    wide = image.to(torch.int32) + amount  # room above 255 and below 0
    return wide.clamp(0, 255).to(torch.uint8)


def _per_channel(values, like: Tensor, name: str) -> Tensor:
    """(C,) as (C, 1, 1), so that it broadcasts over height and width and not over columns."""
    values = torch.as_tensor(values, dtype=torch.float32, device=like.device)
    if values.shape != like.shape[-3:-2]:
        raise ValueError(f"{name} must have one number for each of the {like.shape[-3]} channels, got shape {tuple(values.shape)}")
    return values[:, None, None]


def normalise(images: Tensor, mean=IMAGENET_MEAN, std=IMAGENET_STD) -> Tensor:
    """What a pretrained network expects: 0..1 first, then each channel minus its mean, divided by its standard deviation.

    Args:
        images: (C, H, W) or (N, C, H, W); uint8 in 0..255, or float in 0..1 already.
        mean: C numbers in 0..1.
        std: C numbers, not 0.

    Returns:
        float32 of the same shape, about -2 to 2.6 with ImageNet's numbers.

    Raises:
        ValueError: naming the argument whose shape does not fit, or `std` if it holds a 0.
    """
    _check_image(images, "images", (3, 4))
    mean, std = _per_channel(mean, images, "mean"), _per_channel(std, images, "std")
    if (std == 0).any():
        raise ValueError("std must not hold a 0")
    scaled = images if images.is_floating_point() else images / 255
    return (scaled.to(torch.float32) - mean) / std


def denormalise(images: Tensor, mean=IMAGENET_MEAN, std=IMAGENET_STD) -> Tensor:
    """Back to what can be shown: the inverse of `normalise`, as uint8, rounded, and clamped to 0..255.

    Args:
        images: float (C, H, W) or (N, C, H, W) as `normalise` gives it.

    Raises:
        ValueError: naming the argument whose shape does not fit.
    """
    _check_image(images, "images", (3, 4))
    scaled = images * _per_channel(std, images, "std") + _per_channel(mean, images, "mean")
    return (scaled * 255).round().clamp(0, 255).to(torch.uint8)  # round: cutting off would darken by half a step on average


def make_batch(images: list[Tensor], fill: int = 0) -> Tensor:
    """Images of different sizes in one tensor: each in the top left corner, the rest filled.

    The corner keeps every box where it was; centring the image would move them all.

    Args:
        images: one or more (C, H, W), the same C and dtype.
        fill: the value of the pixels that no image covers.

    Returns:
        (N, C, H, W) with the largest height and the largest width among them, same dtype.

    Raises:
        ValueError: if there is no image, or if channels or dtypes differ.
    """
    if len(images) == 0:
        raise ValueError("images must hold at least one image, got none")
    for image in images:
        _check_image(image, "each of images")
    kinds = {(image.shape[0], image.dtype) for image in images}
    if len(kinds) > 1:
        raise ValueError(f"images must agree in channels and dtype, got {sorted(kinds, key=str)}")
    height, width = (max(image.shape[axis] for image in images) for axis in (1, 2))
    batch = images[0].new_full((len(images), images[0].shape[0], height, width), fill)
    for place, image in zip(batch, images, strict=True):
        place[:, : image.shape[1], : image.shape[2]] = image  # place is a view: writing to it fills the batch
    return batch


def pairwise_distance(points1: Tensor, points2: Tensor) -> Tensor:
    """Straight-line (Euclidean) distance of every point to every other, by broadcasting.

    `torch.cdist` does the same without the (N, M, D) in between, and is what to use when that does not fit in memory.

    Args:
        points1: (N, D) numbers.
        points2: (M, D) likewise.

    Returns:
        (N, M) float, in the points' unit, >= 0.

    Raises:
        ValueError: if either is not (N, D), or D differs.
    """
    for name, points in (("points1", points1), ("points2", points2)):
        if points.ndim != 2:
            raise ValueError(f"{name} must have shape (N, D), got {tuple(points.shape)}")
    if points1.shape[1] != points2.shape[1]:
        raise ValueError(f"points2 must have {points1.shape[1]} numbers a point as points1 has, got {points2.shape[1]}")
    difference = points1[:, None, :] - points2[None, :, :]  # (N, 1, D) and (1, M, D) stretch to (N, M, D)
    return (difference.to(torch.float32) ** 2).sum(dim=2).sqrt()


def patches(image: Tensor, size: int, stride: int) -> Tensor:
    """The square windows of an image, row by row: a view, so that overlapping patches cost no memory.

    Args:
        image: (C, H, W).
        size: side of a patch in pixels, at most H and W.
        stride: pixels from one patch to the next; smaller than `size` they overlap.

    Returns:
        (rows, columns, C, size, size). A rest at the right and bottom edge that does not fill a patch is left out.

    Raises:
        ValueError: naming the argument that does not fit.
    """
    _check_image(image)
    if not 1 <= size <= min(image.shape[1:]):
        raise ValueError(f"size must be from 1 to {min(image.shape[1:])} for an image of {tuple(image.shape)}, got {size}")
    if stride < 1:
        raise ValueError(f"stride must be at least 1, got {stride}")
    windows = image.unfold(1, size, stride).unfold(2, size, stride)  # (C, rows, columns, size, size)
    return windows.permute(1, 2, 0, 3, 4)


def encode(image: Tensor, kind: str = "png", quality: int = 90) -> bytes:
    """The bytes of an image file. PNG keeps every pixel; JPEG throws away what eyes hardly see.

    Args:
        image: uint8 (3, H, W) RGB, or (1, H, W) grey.
        kind: ``"png"`` or ``"jpeg"``.
        quality: 1 to 95, for JPEG alone.

    Raises:
        ValueError: naming the argument that does not fit.
    """
    _check_image(image)
    if image.dtype != torch.uint8 or image.shape[0] not in (1, 3):
        raise ValueError(f"image must be uint8 with 1 or 3 channels, got {image.dtype} of shape {tuple(image.shape)}")
    if kind not in ("png", "jpeg"):
        raise ValueError(f"kind must be 'png' or 'jpeg', got {kind!r}")
    if not 1 <= quality <= 95:
        raise ValueError(f"quality must be from 1 to 95, got {quality}")
    pixels = to_hwc(image).squeeze(2) if image.shape[0] == 1 else to_hwc(image)
    file = io.BytesIO()
    Image.fromarray(pixels.contiguous().numpy()).save(file, format=kind, **({"quality": quality} if kind == "jpeg" else {}))
    return file.getvalue()


def decode(data: bytes) -> Tensor:
    """The image in the bytes of a file: uint8 (3, H, W) RGB.

    Raises:
        ValueError: if Pillow cannot read them as an image.
    """
    try:
        pixels = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    except OSError as error:
        raise ValueError(f"data must be the bytes of an image file, got {len(data)} bytes that Pillow cannot read") from error
    return to_chw(torch.from_numpy(pixels.copy()))
