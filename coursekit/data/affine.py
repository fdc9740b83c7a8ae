"""Rotation and shear, with boxes. Taught in notebook 11_augmentation.

Four times slower than `geometric.scale_translate`, which needs no grid that says for each pixel where it comes from.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from .geometric import GREY
from .targets import Target, check_image, clip, uniform


def affine_matrix(size_hw: tuple[int, int], degrees: float = 0, scale: float = 1, shear: float = 0, shift_xy=(0, 0)) -> Tensor:
    """(2, 3) float64 matrix that turns, zooms and shears about the image's centre and then shifts, in pixels.

    Args:
        degrees: of the turn, clockwise as seen on the screen, because y grows downwards.
        shear: in degrees, along x.
    """
    height, width = size_hw
    turn, slant = math.radians(degrees), math.tan(math.radians(shear))
    cos, sin = scale * math.cos(turn), scale * math.sin(turn)
    linear = torch.tensor([[cos, cos * slant - sin], [sin, sin * slant + cos]], dtype=torch.float64)
    centre = torch.tensor([width / 2, height / 2], dtype=torch.float64)
    shift = centre - linear @ centre + torch.tensor(shift_xy, dtype=torch.float64)
    return torch.cat([linear, shift[:, None]], dim=1)


def warp_image(image: Tensor, matrix: Tensor, fill: int = GREY) -> Tensor:
    """The image under `matrix` ((2, 3), pixels to pixels), bilinear, same size; `fill` where nothing comes from."""
    height, width = image.shape[1:]
    square = torch.cat([matrix, matrix.new_tensor([[0, 0, 1]])])
    # grid_sample asks for each target pixel where it comes from, in coordinates from -1 to 1: so the inverse, between two changes of units
    to_pixels = matrix.new_tensor([[width / 2, 0, width / 2], [0, height / 2, height / 2], [0, 0, 1]])
    theta = (torch.linalg.inv(to_pixels) @ torch.linalg.inv(square) @ to_pixels)[:2]
    grid = F.affine_grid(theta[None].float(), (1, 1, height, width), align_corners=False)
    shifted = image[None].float() - fill  # so that the zeros which grid_sample puts outside mean `fill`
    return (F.grid_sample(shifted, grid, align_corners=False)[0] + fill).round_().clamp_(0, 255).to(torch.uint8)


def affine(image: Tensor, target: Target, matrix: Tensor, min_visible: float = 0.1, fill: int = GREY) -> tuple[Tensor, Target]:
    """Image and boxes under `matrix` ((2, 3), pixels to pixels).

    A turned box is no box. We take the smallest upright one around its four corners: never too small, and too large by
    what the corners of the object's own outline leave empty, which is why turning by much hurts a detector's boxes.
    """
    check_image(image)
    if torch.equal(matrix, torch.eye(2, 3, dtype=matrix.dtype)):
        return image, clip(target, tuple(image.shape[1:]), min_visible)
    boxes = target["boxes"]
    x, y = boxes[:, [0, 2, 0, 2]], boxes[:, [1, 1, 3, 3]]  # (N, 4) each: the four corners
    m = matrix.to(boxes.dtype)
    corners_x, corners_y = m[0, 0] * x + m[0, 1] * y + m[0, 2], m[1, 0] * x + m[1, 1] * y + m[1, 2]
    hull = torch.stack([corners_x.amin(1), corners_y.amin(1), corners_x.amax(1), corners_y.amax(1)], dim=1)
    moved = {**target, "boxes": hull}
    if "area" in target:
        moved["area"] = target["area"] * float(torch.linalg.det(matrix[:, :2]).abs())
    return warp_image(image, matrix, fill), clip(moved, tuple(image.shape[1:]), min_visible)


def random_affine(
    image: Tensor,
    target: Target,
    generator: torch.Generator,
    degrees: float = 10,
    translate: float = 0.1,
    scale: tuple[float, float] = (0.8, 1.25),
    shear: float = 5,
    min_visible: float = 0.1,
) -> tuple[Tensor, Target]:
    """`affine` with a turn in ±degrees, a shear in ±shear, a scale even on the logarithm and a shift up to that share of the side."""
    h, w = image.shape[1:]
    matrix = affine_matrix(
        (h, w),
        degrees=uniform(generator, -degrees, degrees),
        scale=math.exp(uniform(generator, math.log(scale[0]), math.log(scale[1]))),
        shear=uniform(generator, -shear, shear),
        shift_xy=(uniform(generator, -translate, translate) * w, uniform(generator, -translate, translate) * h),
    )
    return affine(image, target, matrix, min_visible)
