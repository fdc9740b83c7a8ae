"""Transforms that move pixels, and the boxes with them. Taught in notebook 11_augmentation.

Each takes ``(image, target)`` and gives back the same pair. Images are uint8 (C, H, W); boxes are ``xyxy`` pixels, half-open.
A random transform takes a ``torch.Generator`` and nothing else decides what it does.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from .targets import Target, check_image, clip, concatenate, scale_and_shift, uniform

GREY = 114  # what fills a canvas where no image lies; the value that YOLO users expect


def horizontal_flip(image: Tensor, target: Target) -> tuple[Tensor, Target]:
    """Mirror left and right. Half-open boxes: ``x1' = W - x2`` and ``x2' = W - x1``, without a -1."""
    check_image(image)
    return image.flip(2), mirror_boxes(target, image.shape[2], axis=0)


def vertical_flip(image: Tensor, target: Target) -> tuple[Tensor, Target]:
    """Mirror top and bottom. Rarely right for photographs: cars do not drive on the sky."""
    check_image(image)
    return image.flip(1), mirror_boxes(target, image.shape[1], axis=1)


def mirror_boxes(target: Target, length: int, axis: int) -> Target:
    """Boxes in the mirror image: along x (``axis`` 0) or y (1), on which the image is ``length`` pixels long."""
    boxes = target["boxes"].clone()
    boxes[:, axis], boxes[:, axis + 2] = length - target["boxes"][:, axis + 2], length - target["boxes"][:, axis]
    return {**target, "boxes": boxes}


class Placement(NamedTuple):
    """Where an image came to lie on a canvas: ``x' = scale_x * x + left``, ``y' = scale_y * y + top``."""

    scale_x: float
    scale_y: float
    left: int
    top: int

    def undo(self, boxes: Tensor, size_hw: tuple[int, int] | None = None) -> Tensor:
        """Boxes (N, 4) on the canvas back to the image's own pixels; clipped to it where its `size_hw` is given."""
        shift = boxes.new_tensor([self.left, self.top, self.left, self.top])
        boxes = (boxes - shift) / boxes.new_tensor([self.scale_x, self.scale_y, self.scale_x, self.scale_y])
        if size_hw is None:
            return boxes
        height, width = size_hw
        return boxes.clamp(min=0).minimum(boxes.new_tensor([width, height, width, height]))


def resize_image(image: Tensor, size_hw: tuple[int, int]) -> Tensor:
    """(C, H, W) or (N, C, H, W) at another size: bilinear, with antialiasing when it shrinks; uint8 stays uint8."""
    if tuple(image.shape[-2:]) == tuple(size_hw):
        return image
    # not image[None]: its strides do not say channels last, and torch then answers with planes, in 1.6 times the time
    batch = image if image.ndim == 4 else image.permute(1, 2, 0)[None].permute(0, 3, 1, 2)
    # straight on uint8 where that can be: a GPU cannot, and torch 2.15's kernel fails, or answers with noise, for a result one pixel wide
    by_floats = image.dtype == torch.uint8 and (size_hw[1] == 1 or image.device.type != "cpu")
    resized = F.interpolate(batch.float() if by_floats else batch, size=tuple(size_hw), mode="bilinear", antialias=True)
    if by_floats:
        resized = resized.round_().clamp_(0, 255).to(torch.uint8)
    return resized if image.ndim == 4 else resized[0]


def resize(image: Tensor, target: Target, size_hw: tuple[int, int]) -> tuple[Tensor, Target]:
    """Stretch to ``(height, width)``; the aspect ratio changes where theirs differs. See `letterbox`, which keeps it."""
    check_image(image)
    (new_h, new_w), (h, w) = size_hw, image.shape[1:]
    return resize_image(image, size_hw), scale_and_shift(target, (new_w / w, new_h / h), (0, 0))


def paste(canvas: Tensor, image: Tensor, left: int, top: int) -> None:
    """Lay `image` on `canvas` (both (C, H, W)) with its top left corner there; what sticks out is cut. Changes `canvas`."""
    height, width = canvas.shape[1:]
    y1, y2 = max(top, 0), min(top + image.shape[1], height)
    x1, x2 = max(left, 0), min(left + image.shape[2], width)
    if y1 < y2 and x1 < x2:
        canvas[:, y1:y2, x1:x2] = image[:, y1 - top : y2 - top, x1 - left : x2 - left]


def new_canvas(image: Tensor, size_hw: tuple[int, int], fill: int = GREY) -> Tensor:
    """(C, *size_hw) of one grey, laid out channels last in memory, as a decoded photograph is: three times faster to resize."""
    return torch.full((*size_hw, image.shape[0]), fill, dtype=torch.uint8, device=image.device).permute(2, 0, 1)


class Piece(NamedTuple):
    """Where an image comes to lie on a canvas, and the part of the canvas that it may cover.

    Args:
        size_hw: the image is resized to that.
        left, top: of its corner, in whole pixels from the window's corner; negative where it begins outside.
        window: x1, y1, x2, y2 on the canvas, whole pixels. What lies outside is cut off.
    """

    size_hw: tuple[int, int]
    left: int
    top: int
    window: tuple[int, int, int, int]

    def lay(self, canvas: Tensor, image: Tensor) -> None:
        """Put the image (C, h, w) there; changes ``canvas`` (C, H, W)."""
        x1, y1, x2, y2 = self.window
        paste(canvas[:, y1:y2, x1:x2], resize_image(image, self.size_hw), self.left, self.top)

    def move(self, target: Target, image_hw: tuple[int, int], min_visible: float) -> Target:
        """The image's boxes on the canvas; one of which the window shows less than ``min_visible`` is dropped."""
        (h, w), (new_h, new_w), (x1, y1, x2, y2) = image_hw, self.size_hw, self.window
        inside = clip(scale_and_shift(target, (new_w / w, new_h / h), (self.left, self.top)), (y2 - y1, x2 - x1), min_visible)
        return scale_and_shift(inside, (1, 1), (x1, y1)) if (x1, y1) != (0, 0) else inside


def compose(
    samples: list[tuple[Tensor, Target]], pieces: list[Piece], size_hw: tuple[int, int], min_visible: float, fill: int = GREY
) -> tuple[Tensor, Target]:
    """One sample of several: each image (C, h, w) uint8 on its piece of a canvas, with the boxes of all; `image_id` is the first one's.

    Args:
        size_hw: height and width of the canvas in pixels.
        min_visible: see `Piece.move`.

    Returns:
        uint8 (C, *size_hw) and its target.
    """
    canvas = new_canvas(samples[0][0], size_hw, fill)
    for (image, _), piece in zip(samples, pieces, strict=True):
        piece.lay(canvas, image)
    return canvas, compose_targets(samples, pieces, min_visible)


def compose_targets(samples: list[tuple[Tensor, Target]], pieces: list[Piece], min_visible: float) -> Target:
    """Of `compose`: the boxes, for which the images' sizes are enough."""
    return concatenate([piece.move(target, image.shape[1:], min_visible) for (image, target), piece in zip(samples, pieces, strict=True)])


def letterbox(image: Tensor, target: Target, size_hw: tuple[int, int], fill: int = GREY) -> tuple[Tensor, Target, Placement]:
    """Resize so that the whole image fits, keep its aspect ratio (to the pixel), and fill what is left, equally on both sides.

    Returns:
        image (C, *size_hw), target, and the Placement whose ``undo(boxes)`` brings boxes found in it back to the original.
    """
    check_image(image)
    (height, width), (h, w) = size_hw, image.shape[1:]
    scale = min(height / h, width / w)
    new_h, new_w = max(1, round(h * scale)), max(1, round(w * scale))
    placement = Placement(new_w / w, new_h / h, (width - new_w) // 2, (height - new_h) // 2)
    resized = resize_image(image, (new_h, new_w))
    if (new_h, new_w) != (height, width):
        canvas = new_canvas(image, size_hw, fill)
        paste(canvas, resized, placement.left, placement.top)
        resized = canvas
    return resized, scale_and_shift(target, placement[:2], placement[2:]), placement


def scale_translate(
    image: Tensor,
    target: Target,
    scale: float,
    shift_xy: tuple[float, float],
    min_visible: float = 0.1,
    fill: int = GREY,
    size_hw: tuple[int, int] | None = None,
) -> tuple[Tensor, Target]:
    """Zoom by `scale`, lay the image's centre on the canvas's, then move it by `shift_xy` pixels.

    Sizes and shifts are rounded to whole pixels first and the boxes follow the rounded ones, so that they stay exact.

    Args:
        size_hw: height and width of the canvas; None takes the image's own.
    """
    check_image(image)
    size_hw = size_hw or tuple(image.shape[1:])
    return _place(image, target, zoomed(image.shape[1:], scale, shift_xy, size_hw), size_hw, min_visible, fill)


def zoomed(image_hw: tuple[int, int], scale: float, shift_xy: tuple[float, float], size_hw: tuple[int, int]) -> Piece:
    """Where `scale_translate` lays an image on a canvas of ``size_hw``."""
    (h, w), (height, width) = image_hw, size_hw
    new_h, new_w = max(1, round(h * scale)), max(1, round(w * scale))
    left, top = round((width - new_w) / 2 + shift_xy[0]), round((height - new_h) / 2 + shift_xy[1])
    return Piece((new_h, new_w), left, top, (0, 0, width, height))


def _place(
    image: Tensor, target: Target, piece: Piece, size_hw: tuple[int, int], min_visible: float, fill: int = GREY
) -> tuple[Tensor, Target]:
    if piece == Piece(tuple(image.shape[1:]), 0, 0, (0, 0, size_hw[1], size_hw[0])) and tuple(image.shape[1:]) == tuple(size_hw):
        return image, piece.move(target, size_hw, min_visible)  # the canvas is the image
    return compose([(image, target)], [piece], size_hw, min_visible, fill)


def random_scale_translate(
    image: Tensor,
    target: Target,
    generator: torch.Generator,
    scale: tuple[float, float] = (0.6, 1.5),
    translate: float = 0.1,
    min_visible: float = 0.1,
    size_hw: tuple[int, int] | None = None,
) -> tuple[Tensor, Target]:
    """`scale_translate` at random, onto a canvas of `size_hw` (None: of the image's own size).

    Args:
        scale: range of the zoom, drawn evenly on the logarithm: half and double are equally far.
        translate: largest shift, as a share of the side.
    """
    check_image(image)
    size_hw = size_hw or tuple(image.shape[1:])
    return _place(image, target, random_zoom(image.shape[1:], generator, scale, translate, size_hw), size_hw, min_visible)


def random_zoom(
    image_hw: tuple[int, int], generator: torch.Generator, scale: tuple[float, float], translate: float, size_hw: tuple[int, int]
) -> Piece:
    """Where `random_scale_translate` lays an image."""
    zoom = math.exp(uniform(generator, math.log(scale[0]), math.log(scale[1])))
    h, w = image_hw
    shift = (uniform(generator, -translate, translate) * w, uniform(generator, -translate, translate) * h)
    return zoomed(image_hw, zoom, shift, size_hw)


def without_bars(image: Tensor, target: Target) -> tuple[Tensor, Target]:
    """What `letterbox` laid on the canvas, without the grey around it: a view of the same pixels.

    Only for a target that says so with ``placement`` and ``original_hw`` (`loader.CachedDataset`); it loses both, since they are
    no longer true once the image is moved. Any other sample comes back as it is.
    """
    if "placement" not in target:
        return image, target
    x1, y1, x2, y2 = inner_window(image, target)
    target = {name: value for name, value in target.items() if name not in ("placement", "original_hw")}
    return image[:, y1:y2, x1:x2], scale_and_shift(target, (1, 1), (-x1, -y1))


def inner_window(image: Tensor, target: Target) -> tuple[int, int, int, int]:
    """x1, y1, x2, y2 of what `without_bars` keeps."""
    if "placement" not in target:
        return 0, 0, image.shape[2], image.shape[1]
    placement, (h, w) = target["placement"], target["original_hw"]
    height, width = max(1, round(h * placement.scale_y)), max(1, round(w * placement.scale_x))
    return placement.left, placement.top, placement.left + width, placement.top + height


def crop(image: Tensor, target: Target, window: tuple[int, int, int, int], min_visible: float = 0.1) -> tuple[Tensor, Target]:
    """Cut out ``(x1, y1, x2, y2)``, whole pixels inside the image. Boxes are shifted, clipped, and dropped where too little is left.

    Raises:
        ValueError: where the window is empty or sticks out.
    """
    check_image(image)
    x1, y1, x2, y2 = window
    h, w = image.shape[1:]
    if not (0 <= x1 < x2 <= w and 0 <= y1 < y2 <= h):
        raise ValueError(f"window must lie inside the image of {w} x {h} with x1 < x2 and y1 < y2, got {tuple(window)}")
    return image[:, y1:y2, x1:x2], clip(scale_and_shift(target, (1, 1), (-x1, -y1)), (y2 - y1, x2 - x1), min_visible)


def random_crop(
    image: Tensor, target: Target, generator: torch.Generator, size_hw: tuple[int, int], min_visible: float = 0.1
) -> tuple[Tensor, Target]:
    """A window of ``(height, width)`` anywhere in the image, each place equally likely."""
    (height, width), (h, w) = size_hw, image.shape[1:]
    if height > h or width > w:
        raise ValueError(f"size_hw must fit into the image of {h} x {w} (height x width), got {tuple(size_hw)}")
    top = int(torch.randint(h - height + 1, (), generator=generator))
    left = int(torch.randint(w - width + 1, (), generator=generator))
    return crop(image, target, (left, top, left + width, top + height), min_visible)
