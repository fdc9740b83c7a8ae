"""A picture in several sizes, so that a window of one size finds objects of many. Taught in notebook 14_sliding_window.

>>> for level in pyramid(image, scales_for(14, 70, window=28)):   # the largest picture first
...     boxes = windows(level.size_hw, 32, 4)
...     in_the_picture = level.undo(boxes)
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..data.geometric import resize_image


@dataclass(frozen=True)
class Level:
    """One size of a picture.

    Args:
        image: (C, h, w) or (N, C, h, w), as the picture was, resized.
        scale_hw: by how much its height and its width really changed; whole pixels make the two differ a little from what was asked.
    """

    image: Tensor
    scale_hw: tuple[float, float]

    @property
    def size_hw(self) -> tuple[int, int]:
        return tuple(self.image.shape[-2:])

    def undo(self, boxes: Tensor) -> Tensor:
        """Boxes of this level, (N, 4) ``xyxy``, in the pixels of the picture: float32."""
        down, right = self.scale_hw
        return boxes.to(torch.float32) / boxes.new_tensor([right, down, right, down], dtype=torch.float32)


def scales_for(smallest: float, largest: float, window: float, step: float = 1.25) -> list[float]:
    """The scales at which objects of ``smallest`` to ``largest`` pixels come to be as large as the window, at most half a step away.

    Args:
        smallest, largest: sides of the objects in the picture, in pixels.
        window: side that an object must have to fill the window as in training.
        step: from one scale to the next; above 1.

    Returns:
        Falling: the first makes the smallest objects large. ``window / scale`` are the sides that are looked for.

    Raises:
        ValueError: naming the argument that cannot be.
    """
    if not 0 < smallest <= largest:
        raise ValueError(f"smallest must be above 0 and at most largest, got {smallest} and {largest}")
    if window <= 0 or step <= 1:
        raise ValueError(f"window must be above 0 and step above 1, got {window} and {step}")
    count = max(1, math.ceil(math.log(largest / smallest) / math.log(step) - 1e-9))  # so many steps reach from one to the other
    step = (largest / smallest) ** (1 / count)  # the same step everywhere, never a larger one
    return [window / (smallest * step ** (number + 0.5)) for number in range(count)]  # the middle of each step


def pyramid_sizes(size_hw: tuple[int, int], scales: Sequence[float], window: int = 1) -> list[tuple[int, int]]:
    """(height, width) of the picture at each scale, rounded to the nearest pixel, halves up; sizes that hold no whole window are left out.

    Args:
        size_hw: (height, width) of the picture.
        scales: above 0; above 1 enlarges.
        window: the least height and width that are of use.

    Raises:
        ValueError: for a scale that is not above 0.
    """
    if not all(scale > 0 for scale in scales):
        raise ValueError(f"scales must be above 0, got {list(scales)}")
    sizes = [tuple(math.floor(side * scale + 0.5) for side in size_hw) for scale in scales]
    return [size for size in sizes if min(size) >= window]


def pyramid(image: Tensor, scales: Sequence[float], window: int = 1) -> Iterator[Level]:
    """The picture at each scale, made when it is asked for.

    Args:
        image: (C, H, W) or (N, C, H, W), uint8 or float.
        scales, window: as for `pyramid_sizes`.

    Yields:
        A `Level` for each size; shrunk pictures are smoothed (antialiased), so that fine patterns do not turn into false ones.
    """
    if image.ndim not in (3, 4):
        raise ValueError(f"image must have shape (C, H, W) or (N, C, H, W), got {tuple(image.shape)}")
    height, width = image.shape[-2:]
    for size in pyramid_sizes((height, width), scales, window):
        yield Level(resize_image(image, size), (size[0] / height, size[1] / width))
