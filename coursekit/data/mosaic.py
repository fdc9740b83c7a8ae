"""Transforms that make one sample of several. Taught in notebook 11_augmentation; what training uses is in notebook 19_yolo."""

import math

import torch
from torch import Tensor

from .geometric import Piece, compose
from .targets import Target, check_image, concatenate, uniform

Sample = tuple[Tensor, Target]


def mosaic(
    samples: list[Sample],
    generator: torch.Generator,
    size_hw: tuple[int, int],
    scale: tuple[float, float] = (0.5, 1.2),
    centre: tuple[float, float] = (0.3, 0.7),
    min_visible: float = 0.2,
) -> Sample:
    """Four images, one in each quarter about a random centre, each at its own scale, cut at the quarter's edges.

    A detector sees four scenes' objects at new sizes and places for the price of one image. The image whose corner is the centre
    lies against it, so what is cut off is on the outside.

    Args:
        samples: four of them, in the order top left, top right, bottom left, bottom right.
        size_hw: height and width of the result in pixels.
        scale: each image's factor is drawn from here, evenly on the logarithm.
        centre: the share of the side from which the centre is drawn, in x and in y.
        min_visible: a box keeps its place if its quarter shows at least this share of it.

    Returns:
        uint8 (C, *size_hw), and one target with the boxes of all four; `image_id` is the first one's.

    Source: YOLOv4, arXiv 2004.10934.
    """
    pieces = random_mosaic([image.shape[1:] for image, _ in samples], generator, size_hw, scale, centre)
    return compose(samples, pieces, size_hw, min_visible)


def random_mosaic(
    sizes: list[tuple[int, int]],
    generator: torch.Generator,
    size_hw: tuple[int, int],
    scale: tuple[float, float] = (0.5, 1.2),
    centre: tuple[float, float] = (0.3, 0.7),
) -> list[Piece]:
    """Where `mosaic` lays images of those heights and widths."""
    height, width = size_hw
    cx, cy = round(uniform(generator, *centre) * width), round(uniform(generator, *centre) * height)
    zooms = [math.exp(uniform(generator, math.log(scale[0]), math.log(scale[1]))) for _ in sizes]
    return quarters(sizes, (cx, cy), zooms, size_hw)


def mosaic_at(
    samples: list[Sample], centre_xy: tuple[int, int], zooms: list[float], size_hw: tuple[int, int], min_visible: float = 0.2
) -> Sample:
    """`mosaic` with nothing left to chance.

    Args:
        centre_xy: whole pixels, where the four meet.
        zooms: each image's factor.

    Raises:
        ValueError: if there are not four samples.
    """
    check_image(samples[0][0])
    return compose(samples, quarters([image.shape[1:] for image, _ in samples], centre_xy, zooms, size_hw), size_hw, min_visible)


def quarters(sizes: list[tuple[int, int]], centre_xy: tuple[int, int], zooms: list[float], size_hw: tuple[int, int]) -> list[Piece]:
    """Where `mosaic_at` lays images of those heights and widths: each against the centre, in a quarter of its own.

    Raises:
        ValueError: if there are not four.
    """
    if len(sizes) != 4:
        raise ValueError(f"samples must be four, one for each quarter, got {len(sizes)}")
    (cx, cy), (height, width), pieces = centre_xy, size_hw, []
    for number, ((h, w), zoom) in enumerate(zip(sizes, zooms, strict=True)):
        right, below = number % 2 == 1, number >= 2
        x1, x2 = (cx, width) if right else (0, cx)
        y1, y2 = (cy, height) if below else (0, cy)
        new_h, new_w = max(1, round(h * zoom)), max(1, round(w * zoom))
        left, top = (0 if right else x2 - x1 - new_w), (0 if below else y2 - y1 - new_h)
        pieces.append(Piece((new_h, new_w), left, top, (x1, y1, x2, y2)))
    return pieces


def mixup(first: Sample, second: Sample, generator: torch.Generator, weight: tuple[float, float] = (0.4, 0.6)) -> Sample:
    """Two images of one size laid over each other, with the boxes of both.

    Source: Zhang et al. 2017, arXiv 1710.09412; for detection Zhang et al. 2019, arXiv 1902.04103, which keeps all boxes at full weight.
    """
    (image1, target1), (image2, target2) = first, second
    check_image(image1)
    if image1.shape != image2.shape:
        raise ValueError(f"second must have the first image's shape {tuple(image1.shape)}, got {tuple(image2.shape)}")
    share = uniform(generator, *weight)
    mixed = torch.lerp(image2.float(), image1.float(), share).round_().to(torch.uint8)
    return mixed, concatenate([target1, target2])


def mix_labels(image1: Tensor, label1: int, image2: Tensor, label2: int, share: float, num_classes: int) -> tuple[Tensor, Tensor]:
    """mixup of two labelled images: pixels and labels are mixed by the same share.

    Args:
        image1, image2: uint8 (C, H, W) of one shape.
        label1, label2: 0-based.
        share: of the first, in [0, 1].

    Returns:
        float32 (C, H, W) in 0..255, and (num_classes,) float32 probabilities that add up to 1; two images of one class give it all.

    Raises:
        ValueError: if the shapes differ, or share or a label is out of range.

    Source: Zhang et al. 2017, arXiv 1710.09412.
    """
    if image1.shape != image2.shape:
        raise ValueError(f"image2 must have image1's shape {tuple(image1.shape)}, got {tuple(image2.shape)}")
    if not 0 <= share <= 1:
        raise ValueError(f"share must lie in [0, 1], got {share}")
    target = torch.zeros(num_classes)
    for name, label, part in (("label1", label1, share), ("label2", label2, 1 - share)):
        if not 0 <= label < num_classes:
            raise ValueError(f"{name} must lie in 0..{num_classes - 1}, got {label}")
        target[label] += part  # +=: both may be of one class
    return share * image1.to(torch.float32) + (1 - share) * image2.to(torch.float32), target
