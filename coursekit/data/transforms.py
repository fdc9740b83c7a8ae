"""Augmentation: everything that changes a training sample, in one place. Taught in notebook 11_augmentation.

The pieces are plain functions (geometric, affine, photometric, mosaic); `Augment` is the recipe that training uses.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from .affine import affine, affine_matrix, random_affine
from .geometric import (
    GREY,
    Placement,
    crop,
    horizontal_flip,
    letterbox,
    random_crop,
    random_scale_translate,
    resize,
    scale_translate,
    vertical_flip,
    without_bars,
)
from .mosaic import mixup, mosaic
from .photometric import adjust_colours, cutout, photometric
from .targets import PER_BOX, Target, clip, empty_target, scale_and_shift, select

__all__ = [
    "GREY",
    "PER_BOX",
    "Augment",
    "Placement",
    "Target",
    "adjust_colours",
    "affine",
    "affine_matrix",
    "clip",
    "crop",
    "cutout",
    "empty_target",
    "horizontal_flip",
    "letterbox",
    "mixup",
    "mosaic",
    "photometric",
    "random_affine",
    "random_crop",
    "random_scale_translate",
    "resize",
    "scale_and_shift",
    "scale_translate",
    "select",
    "vertical_flip",
    "without_bars",
]


@dataclass(frozen=True)
class Augment:
    """How a training sample is made of the data set's images: ``augment(dataset, index, generator) -> (image, target)``.

    All images must have one size (`coursekit.data.loader.CachedDataset` sees to that); the result has it too. Mosaic is
    turned off for the last epochs with ``dataclasses.replace(augment, mosaic=0)``.

    Args:
        mosaic: probability that the sample is a mosaic of four images.
        mosaic_scale, scale: range of the zoom of an image within a mosaic, and of one that stands alone.
        translate: largest shift, as a share of the side.
        degrees, shear: of `random_affine`; with both 0 the quicker `random_scale_translate` does the work.
        horizontal, vertical: probability of a flip.
        brightness, contrast, saturation, hue: see `photometric`.
        cutout, mixup: probability of each.
        min_visible: boxes of which less than this share is left are dropped.
    """

    mosaic: float = 0.5
    mosaic_scale: tuple[float, float] = (0.5, 1.2)
    scale: tuple[float, float] = (0.6, 1.5)
    translate: float = 0.1
    degrees: float = 0.0
    shear: float = 0.0
    horizontal: float = 0.5
    vertical: float = 0.0
    brightness: float = 0.3
    contrast: float = 0.2
    saturation: float = 0.3
    hue: float = 0.015
    cutout: float = 0.0
    mixup: float = 0.0
    min_visible: float = 0.2

    def __call__(self, dataset, index: int, generator: torch.Generator) -> tuple[Tensor, Target]:
        """Sample `index` of `dataset`, changed. Which other samples a mosaic takes is drawn from `generator` too."""
        chance = torch.rand(5, generator=generator).tolist()  # always five draws: one setting does not shift the others' luck
        image, target = self._geometry(dataset, index, generator, chance[0] < self.mosaic)
        if chance[1] < self.mixup:
            other = int(torch.randint(len(dataset), (), generator=generator))
            image, target = mixup((image, target), self._geometry(dataset, other, generator, False), generator)
        if chance[2] < self.horizontal:
            image, target = horizontal_flip(image, target)
        if chance[3] < self.vertical:
            image, target = vertical_flip(image, target)
        image, target = photometric(image, target, generator, self.brightness, self.contrast, self.saturation, self.hue)
        if chance[4] < self.cutout:
            image, target = cutout(image, target, generator)
        return image, target

    def _geometry(self, dataset, index: int, generator: torch.Generator, as_mosaic: bool) -> tuple[Tensor, Target]:
        image, target = dataset[index]
        size_hw = tuple(image.shape[1:])
        if as_mosaic:
            others = torch.randint(len(dataset), (3,), generator=generator).tolist()
            samples = [without_bars(*sample) for sample in ((image, target), *(dataset[i] for i in others))]
            return mosaic(samples, generator, size_hw, self.mosaic_scale, min_visible=self.min_visible)
        inner, target = without_bars(image, target)  # grey bars would move with the image, into the middle of it
        if self.degrees or self.shear:
            inner, target = scale_translate(inner, target, 1, (0, 0), 0, size_hw=size_hw)
            return random_affine(inner, target, generator, self.degrees, self.translate, self.scale, self.shear, self.min_visible)
        return random_scale_translate(inner, target, generator, self.scale, self.translate, self.min_visible, size_hw)
