"""Augmentation of whole batches of labelled images, each image changed in its own way. Taught in notebook 11_augmentation.

>>> augment = AugmentBatch(torch.Generator().manual_seed(0), degrees=10)
>>> augment(torch.zeros(8, 3, 32, 32, dtype=torch.uint8)).shape
torch.Size([8, 3, 32, 32])

One `grid_sample` moves all images at once, on the device where they lie. For images with boxes see `transforms.Augment`.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample


@dataclass
class AugmentBatch:
    """``augment(images) -> images``: uint8 (N, C, H, W) in, uint8 of the same shape out.

    Args:
        generator: on the CPU; it alone decides what is drawn.
        degrees: largest turn either way.
        translate: largest shift, as a share of the side.
        scale: largest zoom: 1.2 draws from 1 / 1.2 to 1.2, evenly on the logarithm.
        horizontal: probability of a mirror image.
        brightness, contrast: factors are drawn from 1 +- this.
        cutout: side of a grey square somewhere in the image, as a share of its side; 0 for none.
        strength: multiplies every amount above but ``horizontal``; 0 changes nothing else.

    What comes from outside the image repeats its edge: a grey frame would tell the network that the image was moved.
    """

    generator: torch.Generator
    degrees: float = 0.0
    translate: float = 0.0
    scale: float = 1.0
    horizontal: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    cutout: float = 0.0
    strength: float = 1.0

    def __post_init__(self):
        for name, value in vars(self).items():
            if name != "generator" and not value >= 0:
                raise ValueError(f"{name} must be at least 0, got {value}")
        if self.scale < 1:
            raise ValueError(f"scale must be at least 1, got {self.scale}")
        if self.horizontal > 1:
            raise ValueError(f"horizontal must be a probability in [0, 1], got {self.horizontal}")

    def __call__(self, images: Tensor) -> Tensor:
        if images.ndim != 4 or images.dtype != torch.uint8:
            raise ValueError(f"images must be uint8 (N, C, H, W), got {images.dtype} {tuple(images.shape)}")
        if len(images) == 0:
            return images
        draws = torch.rand(9, len(images), generator=self.generator) * 2 - 1  # a row for each kind of change, in -1..1
        pixels = images.to(torch.float32)
        pixels = self._moved(pixels, draws[:4], draws[4])
        pixels = self._lit(pixels, *draws[5:7].to(images.device))
        pixels = self._cut(pixels, draws[7:9])
        return pixels.round().clamp(0, 255).to(torch.uint8)

    def _moved(self, pixels: Tensor, draws: Tensor, mirror: Tensor) -> Tensor:
        turn = draws[0] * math.radians(self.degrees * self.strength)
        zoom = torch.exp(draws[1] * math.log(self.scale) * self.strength)
        side = torch.where(mirror < 2 * self.horizontal - 1, -1.0, 1.0)  # (mirror + 1) / 2 < horizontal
        shift = 2 * self.translate * self.strength * draws[2:4]  # grid coordinates go from -1 to 1: the whole side is 2
        if not (turn.any() or (zoom != 1).any() or (side < 0).any() or shift.any()):
            return pixels
        height, width = pixels.shape[-2:]
        cos, sin, stretch = torch.cos(turn) / zoom, torch.sin(turn) / zoom, width / height
        # for each pixel of the result, where it comes from: x by the first row, y by the second, so zoom divides
        rows = [side * cos, side * -sin / stretch, shift[0], sin * stretch, cos, shift[1]]
        matrix = torch.stack(rows, dim=1).reshape(-1, 2, 3).to(pixels.device)
        grid = affine_grid(matrix, list(pixels.shape), align_corners=False)
        return grid_sample(pixels, grid, mode="bilinear", padding_mode="border", align_corners=False)

    def _lit(self, pixels: Tensor, light: Tensor, spread: Tensor) -> Tensor:
        brightness = (1 + light * self.brightness * self.strength).clamp(min=0)[:, None, None, None]
        contrast = (1 + spread * self.contrast * self.strength).clamp(min=0)[:, None, None, None]
        mean = pixels.mean(dim=(1, 2, 3), keepdim=True)
        return ((pixels - mean) * contrast + mean) * brightness

    def _cut(self, pixels: Tensor, draws: Tensor) -> Tensor:
        """A grey square about a random pixel of each image; it may stick out."""
        half = self.cutout * self.strength / 2
        if half == 0:
            return pixels
        hidden = torch.ones(len(pixels), *pixels.shape[-2:], dtype=torch.bool)
        for axis, draw in ((1, draws[0]), (2, draws[1])):
            size = pixels.shape[axis + 1]
            place = (torch.arange(size) + 0.5) / size  # of each pixel, as a share of the side
            near = (place[None] - (draw[:, None] + 1) / 2).abs() < half
            hidden &= near[:, :, None] if axis == 1 else near[:, None, :]
        return torch.where(hidden[:, None].to(pixels.device), 114.0, pixels)
