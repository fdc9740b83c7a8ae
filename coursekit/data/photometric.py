"""Transforms that change colours and leave every box where it is. Taught in notebook 11_augmentation.

Brightness, contrast, saturation and hue are each a matrix on the colour (r, g, b) of a pixel. So one product does all four.
"""

import math

import torch
from torch import Tensor

from .geometric import GREY
from .targets import Target, check_image, select, uniform

# How bright the eye finds red, green and blue (ITU-R BT.601), and the two axes of colour that stand across it (YIQ).
TO_YIQ = torch.tensor([[0.299, 0.587, 0.114], [0.595716, -0.274453, -0.321263], [0.211456, -0.522591, 0.311135]])
FROM_YIQ = torch.linalg.inv(TO_YIQ)


def colour_matrix(brightness: float = 1, contrast: float = 1, saturation: float = 1, hue: float = 0) -> Tensor:
    """(3, 3) matrix on (r, g, b): hue turned, colours stronger or weaker, light multiplied. Arguments as in `adjust_colours`.

    What `contrast` does beside, keeping the mean where it is, is an offset and not part of the matrix.
    """
    cos, sin = saturation * math.cos(2 * math.pi * hue), saturation * math.sin(2 * math.pi * hue)
    turn = torch.tensor([[1.0, 0, 0], [0, cos, -sin], [0, sin, cos]])
    return (FROM_YIQ @ turn @ TO_YIQ) * (brightness * contrast)


def adjust_colours(image: Tensor, brightness: float = 1, contrast: float = 1, saturation: float = 1, hue: float = 0) -> Tensor:
    """uint8 (3, H, W) or (1, H, W) with all four changes in one pass; factor 1 and hue 0 change nothing.

    Args:
        brightness: factor on the light, > 0.
        contrast: factor on the distance from the image's mean brightness, > 0.
        saturation: 0 is grey, 1 unchanged.
        hue: share of a whole turn of the colour circle, in [-0.5, 0.5]. A linear turn (in YIQ): quicker than HSV and nearly the same.
    """
    check_image(image)
    if (brightness, contrast, saturation, hue) == (1, 1, 1, 0):
        return image
    pixels = image.to(torch.float32, memory_format=torch.contiguous_format)  # a plane for each colour: the product is three times as fast
    if image.shape[0] == 3 and (saturation, hue) != (1, 0):
        matrix = colour_matrix(brightness, contrast, saturation, hue).to(pixels.device)
        mixed = torch.mm(matrix, pixels.flatten(1)).view(pixels.shape)
    else:
        mixed = pixels * (brightness * contrast)
    if contrast != 1:  # the mean, every 4th pixel each way: near enough, and not a pass over all of them
        mixed += float(pixels[:, ::4, ::4].mean()) * brightness * (1 - contrast)
    return mixed.round_().clamp_(0, 255).permute(1, 2, 0).contiguous().to(torch.uint8).permute(2, 0, 1)  # channels last, as `new_canvas`


def photometric(
    image: Tensor,
    target: Target,
    generator: torch.Generator,
    brightness: float = 0.3,
    contrast: float = 0.2,
    saturation: float = 0.3,
    hue: float = 0.015,
) -> tuple[Tensor, Target]:
    """`adjust_colours` with factors drawn from 1 ± the given share, and a hue from ±hue. The target comes back unchanged."""
    return adjust_colours(image, *random_colours(generator, brightness, contrast, saturation, hue)), target


def random_colours(
    generator: torch.Generator, brightness: float, contrast: float, saturation: float, hue: float
) -> tuple[float, float, float, float]:
    """What `photometric` hands to `adjust_colours`."""
    factors = [1 + uniform(generator, -amount, amount) for amount in (brightness, contrast, saturation)]
    return *factors, uniform(generator, -hue, hue)


def cutout(
    image: Tensor,
    target: Target,
    generator: torch.Generator,
    size: tuple[float, float] = (0.1, 0.3),
    holes: int = 1,
    min_visible: float = 0.25,
) -> tuple[Tensor, Target]:
    """Paint grey rectangles over the image, so that a network cannot rely on one part of an object.

    Args:
        size: smallest and largest side of a hole, as a share of the image's side.
        min_visible: a box of which a hole leaves less than this share is dropped, in [0, 1]. The others keep their full size: the
            object is still there, only hidden.

    Source: DeVries and Taylor 2017, arXiv 1708.04552; rectangles as in random erasing, arXiv 1708.04896.
    """
    check_image(image)
    h, w = image.shape[1:]
    for _ in range(holes):
        height, width = round(uniform(generator, *size) * h), round(uniform(generator, *size) * w)
        top, left = round(uniform(generator, 0, h - height)), round(uniform(generator, 0, w - width))
        image = paint_hole(image, (left, top, left + width, top + height))
        x1, y1, x2, y2 = target["boxes"].unbind(dim=1)
        hidden_w = (x2.clamp(max=left + width) - x1.clamp(min=left)).clamp(min=0)
        hidden_h = (y2.clamp(max=top + height) - y1.clamp(min=top)).clamp(min=0)
        target = select(target, hidden_w * hidden_h <= (1 - min_visible) * (x2 - x1) * (y2 - y1))
    return image, target


def paint_hole(image: Tensor, window: tuple[int, int, int, int], fill: int = GREY) -> Tensor:
    """A copy with the pixels of ``window`` (x1, y1, x2, y2) set to ``fill``; what of it lies outside the image is cut off."""
    x1, y1, x2, y2 = (max(0, edge) for edge in window)  # a negative edge would count from the other side
    image = image.clone()
    image[:, y1:y2, x1:x2] = fill
    return image
