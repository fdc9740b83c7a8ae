"""Windows: where they lie, and their pixels, a batch at a time. Taught in notebook 14_sliding_window; 15_classic slides with them too.

>>> boxes = windows((64, 96), window=32, stride=16)
>>> boxes.shape, grid((64, 96), 32, 16)
(torch.Size([15, 4]), (3, 5))
>>> for pixels in crops(image, boxes, batch=256):  # uint8 (256, 3, 32, 32), the last one smaller
...     ...
"""

from collections.abc import Iterator

import torch
from torch import Tensor


def places(length: int, window: int, stride: int) -> list[int]:
    """Where windows begin along one side of a picture: 0, stride, 2 * stride, as long as a whole window fits.

    Args:
        length: of the side in pixels, 0 or more.
        window, stride: in pixels, 1 or more.

    Returns:
        Whole numbers, rising; none where the side is shorter than the window.

    Raises:
        ValueError: naming the argument that is too small.
    """
    for name, value, low in (("length", length, 0), ("window", window, 1), ("stride", stride, 1)):
        if isinstance(value, bool) or int(value) != value or value < low:
            raise ValueError(f"{name} must be a whole number of at least {low}, got {value!r}")
    return list(range(0, int(length) - int(window) + 1, int(stride)))


def grid(size_hw: tuple[int, int], window: int, stride: int) -> tuple[int, int]:
    """(rows, columns) of the windows that `windows` gives: a convolution's output size, (n - window) // stride + 1."""
    rows, columns = (len(places(side, window, stride)) for side in size_hw)
    return (rows, columns) if rows and columns else (0, 0)


def windows(size_hw: tuple[int, int], window: int, stride: int) -> Tensor:
    """The boxes of all square windows that lie wholly inside a picture, row by row, in even steps.

    Pixels may be left over at the far edges. `coursekit.data.tiles.tile_windows` leaves none: it shifts its last windows back, and so has
    uneven steps.

    Args:
        size_hw: (height, width) of the picture in pixels.
        window: side of a window in pixels.
        stride: step from one window to the next in pixels, to the right and downwards.

    Returns:
        (N, 4) int64 ``xyxy`` pixels; ``(0, 4)`` for a picture that is smaller than the window in height or in width.

    Raises:
        ValueError: for a window or stride below 1.
    """
    height, width = size_hw
    y, x = (torch.tensor(places(side, window, stride), dtype=torch.int64) for side in (height, width))
    corner = torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=2).reshape(-1, 2)  # (rows * columns, 2): x, y, row by row
    return torch.cat((corner, corner + int(window)), dim=1)


def crops(image: Tensor, boxes: Tensor, batch: int = 64) -> Iterator[Tensor]:
    """The pixels of windows of one size, cut out a batch at a time: never more than ``batch`` of them are in memory.

    Args:
        image: (C, H, W), any dtype.
        boxes: (N, 4) whole ``xyxy`` pixels inside the image, all of one height and width, such as `windows` gives; floats may hold them.
        batch: crops at a time. 64 small crops fit a processor's cache, 1024 do not.

    Yields:
        (B, C, h, w) copies, in the order of the boxes; nothing where there are no boxes.

    Raises:
        ValueError: before the first crop, for a batch below 1, boxes of different sizes, or one that leaves the image.
    """
    if image.ndim != 3:
        raise ValueError(f"image must have shape (C, H, W), got {tuple(image.shape)}")
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise ValueError(f"boxes must have shape (N, 4), got {tuple(boxes.shape)}")
    if batch < 1:
        raise ValueError(f"batch must be at least 1, got {batch}")
    if boxes.is_floating_point() and (boxes != boxes.round()).any():
        raise ValueError("boxes must lie on whole pixels; round them first")
    boxes = boxes.to(device=image.device, dtype=torch.int64)
    sizes = (boxes[:, 2:] - boxes[:, :2]).unique(dim=0)
    if len(sizes) > 1 or (sizes < 1).any():
        raise ValueError(f"boxes must be of one size, at least 1 pixel wide and high, got (width, height) of {sizes[:3].tolist()}")
    limit = torch.tensor([image.shape[2], image.shape[1]], device=image.device)
    if len(boxes) and (boxes.amin() < 0 or (boxes[:, 2:] > limit).any()):
        raise ValueError(f"boxes must lie inside the image of {image.shape[1]} x {image.shape[2]} pixels; clip or drop the others")
    return _cut(image, boxes, batch)


def _cut(image: Tensor, boxes: Tensor, batch: int) -> Iterator[Tensor]:
    if not len(boxes):
        return
    width, height = (boxes[0, 2:] - boxes[0, :2]).tolist()
    every = image.unfold(1, height, 1).unfold(2, width, 1).permute(1, 2, 0, 3, 4)  # a view: each crop there can be, no pixel copied
    for part in boxes.split(batch):
        yield every[part[:, 1], part[:, 0]]  # (B, C, height, width): these are copied
