"""Augmentation: everything that changes a training sample, in one place. Taught in notebook 11_augmentation.

The pieces are plain functions (geometric, affine, photometric, mosaic); `Augment` is the recipe that training uses.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from .affine import affine, affine_matrix, random_affine
from .geometric import (
    GREY,
    Piece,
    Placement,
    compose,
    compose_targets,
    crop,
    horizontal_flip,
    inner_window,
    letterbox,
    mirror_boxes,
    random_crop,
    random_scale_translate,
    random_zoom,
    resize,
    scale_translate,
    vertical_flip,
    without_bars,
)
from .mosaic import mixup, mosaic, random_mosaic
from .on_device import Plan
from .photometric import adjust_colours, cutout, photometric, random_colours
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

    def plan(self, dataset, index: int, generator: torch.Generator) -> Plan:
        """What a call would make, from the same draws but without a pixel of it: `on_device.render` makes those, of many samples at once.

        Raises:
            ValueError: for a recipe with degrees, shear, cutout or mixup, which are no part of a plan.
        """
        if beyond := [name for name in ("degrees", "shear", "cutout", "mixup") if getattr(self, name)]:
            raise ValueError(f"{' and '.join(beyond)} must be 0 to plan a sample, got {[getattr(self, name) for name in beyond]}")
        chance = torch.rand(5, generator=generator).tolist()
        layout = self._lay_out(dataset, index, generator, chance[0] < self.mosaic)
        target = compose_targets(layout.samples, layout.pieces, self.min_visible)
        mirrored = chance[2] < self.horizontal, chance[3] < self.vertical
        for axis in (0, 1):
            target = mirror_boxes(target, layout.size_hw[1 - axis], axis) if mirrored[axis] else target
        colours = random_colours(generator, self.brightness, self.contrast, self.saturation, self.hue)
        return Plan(layout.numbers, layout.windows, layout.pieces, mirrored, colours, target)

    def _geometry(self, dataset, index: int, generator: torch.Generator, as_mosaic: bool) -> tuple[Tensor, Target]:
        if as_mosaic or not (self.degrees or self.shear):
            layout = self._lay_out(dataset, index, generator, as_mosaic)
            return compose(layout.samples, layout.pieces, layout.size_hw, self.min_visible)
        image, target = dataset[index]
        inner, target = scale_translate(*without_bars(image, target), 1, (0, 0), 0, size_hw=tuple(image.shape[1:]))
        return random_affine(inner, target, generator, self.degrees, self.translate, self.scale, self.shear, self.min_visible)

    def _lay_out(self, dataset, index: int, generator: torch.Generator, as_mosaic: bool) -> "Layout":
        numbers = [index, *(torch.randint(len(dataset), (3,), generator=generator).tolist() if as_mosaic else [])]
        whole = [dataset[number] for number in numbers]
        size_hw = tuple(whole[0][0].shape[1:])
        samples = [without_bars(*sample) for sample in whole]  # grey bars would move with the image, into the middle of it
        sizes = [tuple(image.shape[1:]) for image, _ in samples]
        if as_mosaic:
            pieces = random_mosaic(sizes, generator, size_hw, self.mosaic_scale)
        else:
            pieces = [random_zoom(sizes[0], generator, self.scale, self.translate, size_hw)]
        return Layout(numbers, [inner_window(*sample) for sample in whole], samples, pieces, size_hw)


class Layout(NamedTuple):
    """Which images of a data set are to be seen in a sample (without their grey bars), and where each comes to lie.

    Args:
        windows: of `geometric.inner_window`, for each.
    """

    numbers: list[int]
    windows: list[tuple[int, int, int, int]]
    samples: list[tuple[Tensor, Target]]
    pieces: list[Piece]
    size_hw: tuple[int, int]
