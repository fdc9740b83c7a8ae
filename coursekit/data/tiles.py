"""Windows over images that are too large to be seen at once, and training crops cut from them. Taught in notebook 14_sliding_window.

A network that sees 320 pixels sees a photograph of 4000 x 3000 at a twelfth of its size: a sign of 30 pixels is 2 or 3 then, and gone. Seen
through windows of 320 pixels it is 30 pixels wide again.
"""

import torch
from torch import Tensor

from ..machine import memory_limit
from .folder import FolderDataset
from .geometric import crop, letterbox
from .loader import derive_seed
from .targets import Target

Window = tuple[int, int, int, int]  # x1, y1, x2, y2 in whole pixels, half-open


def check_tile(tile: int, overlap: int) -> None:
    """Raise ValueError unless windows of `tile` pixels that share `overlap` pixels move on."""
    if tile < 1:
        raise ValueError(f"tile must be at least 1 pixel, got {tile}")
    if not 0 <= overlap < tile:
        raise ValueError(f"overlap must be at least 0 and below tile ({tile} pixels), got {overlap}")


def tile_starts(length: int, tile: int, overlap: int) -> list[int]:
    """Where the windows along one side begin: ``tile - overlap`` apart, and the last one shifted back so that it ends with the side.

    >>> tile_starts(10, 4, 1)
    [0, 3, 6]
    >>> tile_starts(9, 4, 1)  # the last two share 2 pixels, so that both are 4 long
    [0, 3, 5]
    """
    step, last = tile - overlap, max(0, length - tile)
    return [*range(0, last, step), last]


def tile_windows(size_hw: tuple[int, int], tile: int, overlap: int = 0) -> list[Window]:
    """The windows that cover an image, row by row; as few of them as the overlap allows.

    Args:
        size_hw: height and width of the image in pixels.
        tile: side of a window in pixels. Along a side that is shorter there is one window, as long as the side.
        overlap: pixels that neighbours share at least, below `tile`. What is no larger than the overlap is whole in some window.

    Returns:
        ``(x1, y1, x2, y2)`` each, whole pixels inside the image, all of one size.

    Raises:
        ValueError: naming the argument that does not fit.
    """
    check_tile(tile, overlap)
    height, width = size_hw
    if min(height, width) < 1:
        raise ValueError(f"size_hw must be (height, width), both at least 1, got {tuple(size_hw)}")
    high, wide = min(tile, height), min(tile, width)
    rows, columns = tile_starts(height, tile, overlap), tile_starts(width, tile, overlap)
    return [(x, y, x + wide, y + high) for y in rows for x in columns]


def window_around(box: Tensor, size_hw: tuple[int, int], tile: int, generator: torch.Generator) -> Window:
    """A window at random among those in the image that hold the box whole; where it is larger than a window, one inside it.

    Args:
        box: (4,) ``xyxy`` pixels.
    """
    starts, sides = [], [min(tile, size_hw[1]), min(tile, size_hw[0])]
    for axis, length in enumerate((size_hw[1], size_hw[0])):
        low, high = int(box[axis + 2].ceil()) - sides[axis], int(box[axis].floor())
        low, high = (max(0, edge) for edge in sorted((low, high)))  # sorted: a box that does not fit swaps them
        high = min(high, length - sides[axis])
        low = min(low, high)
        starts.append(low + int(torch.randint(high - low + 1, (), generator=generator)))
    return starts[0], starts[1], starts[0] + sides[0], starts[1] + sides[1]


def background_window(boxes: Tensor, size_hw: tuple[int, int], tile: int, generator: torch.Generator, tries: int = 10) -> Window:
    """A window at random that none of the boxes (N, 4) reaches into, or if `tries` draws find none, the last one drawn."""
    for _ in range(tries):
        point = torch.rand(2, generator=generator) * torch.tensor([size_hw[1], size_hw[0]])
        window = window_around(torch.cat([point, point]), size_hw, tile, generator)
        x1, y1, x2, y2 = window
        if not ((boxes[:, 0] < x2) & (boxes[:, 2] > x1) & (boxes[:, 1] < y2) & (boxes[:, 3] > y1)).any():
            break
    return window


def occupied_cells(boxes: Tensor, tile: int) -> list[Tensor]:
    """Which boxes have their centre in the same square of a grid of `tile` pixels: indices (k,), a square at a time, row by row."""
    cells = ((boxes[:, :2] + boxes[:, 2:]) / 2 / tile).floor().long()  # (N, 2): column and row
    cells = cells.flip(1)  # sorted by row first
    return [torch.where((cells == cell).all(dim=1))[0] for cell in cells.unique(dim=0)]


class TrainingTiles:
    """Training crops out of large images: a map-style data set of samples of one size, other crops each epoch.

    Each image is laid out in squares of `tile` pixels, and for each square in which objects have their centre there is one sample: a
    window at random that holds one of these objects whole. So a dense corner does not crowd out the objects that stand alone. On top of
    these come windows without any object (where ten draws find one): without them the network never learns what most of an image is.

    Args:
        dataset: map-style, of (uint8 (3, H, W) or (1, H, W), target), images of any sizes.
        tile: side of a crop in the images' pixels.
        size_hw: height and width of every sample; crops are letterboxed to it.
        seed: same seed, same crops; set `epoch` for others.
        background: share of the samples that are windows without objects, in [0, 1).
        min_visible: of an object that a window's edge cuts, less than this share of it is no example (see `targets.clip`).
        share: of the memory this process may use; where the images do not fit they are decoded each time (`cached` is False).

    Targets are in the sample's pixels, and hold ``placement`` and ``original_hw`` (of the crop) as those of `loader.CachedDataset` do.

    Raises:
        ValueError: naming the argument that does not fit; and for a data set without any image.
    """

    def __init__(
        self,
        dataset,
        tile: int,
        size_hw: tuple[int, int],
        seed: int = 0,
        background: float = 0.2,
        min_visible: float = 0.5,
        share: float = 0.4,
    ):
        check_tile(tile, 0)
        if not 0 <= background < 1:
            raise ValueError(f"background must be at least 0 and below 1, got {background}")
        if not len(dataset):
            raise ValueError("dataset must hold at least one image, got none")
        self.dataset, self.tile, self.size_hw, self.seed, self.min_visible = dataset, tile, size_hw, seed, min_visible
        self.classes, self.epoch = dataset.classes, 0
        self._images: list[Tensor | None] = [None] * len(dataset)
        limit = memory_limit()
        self._room = float("inf") if limit is None else share * limit
        self.cached = True
        self.samples = [  # (image, indices of the boxes to choose from)
            (index, cell) for index, boxes in enumerate(self._read_boxes()) for cell in occupied_cells(boxes, tile)
        ]
        self.with_objects = len(self.samples)
        extra = round(self.with_objects * background / (1 - background)) if self.with_objects else len(dataset)
        self.samples += [(None, None)] * extra

    def _read_boxes(self) -> list[Tensor]:
        """The boxes of all images, and room for their pixels where they fit; only what is no file's annotation must be decoded for that."""
        if isinstance(self.dataset, FolderDataset):
            records = self.dataset.annotations.images
            self.cached = sum(record.height * record.width * 3 for record in records) <= self._room
            return [torch.from_numpy(record.boxes[record.iscrowd == 0]) for record in records]
        boxes, taken = [], 0
        for index in range(len(self.dataset)):
            image, target = self.dataset[index]
            taken += image.numel()
            self._images[index] = (image, target) if taken <= self._room else None
            boxes.append(_without_crowds(target["boxes"], target))
        if taken > self._room:
            self.cached, self._images = False, [None] * len(self.dataset)
        return boxes

    def __len__(self) -> int:
        return len(self.samples)

    def read(self, index: int) -> tuple[Tensor, Target]:
        """Image `index` of the data set as it is, decoded once where all of them fit into memory."""
        if self._images[index] is not None:
            return self._images[index]
        sample = self.dataset[index]
        if self.cached:
            self._images[index] = sample
        return sample

    def __getitem__(self, index: int) -> tuple[Tensor, Target]:
        generator = torch.Generator().manual_seed(derive_seed(self.seed, self.epoch, index, self.tile))
        number, members = self.samples[index]
        if number is None:
            number = int(torch.randint(len(self.dataset), (), generator=generator))
        image, target = self.read(number)
        boxes, size_hw = _without_crowds(target["boxes"], target), tuple(image.shape[1:])
        if members is None:
            window = background_window(boxes, size_hw, self.tile, generator)
        else:
            window = window_around(boxes[members[int(torch.randint(len(members), (), generator=generator))]], size_hw, self.tile, generator)
        image, target = crop(image, target, window, self.min_visible)
        original_hw = tuple(image.shape[1:])
        image, target, placement = letterbox(image.expand(3, -1, -1), target, self.size_hw)
        return image, {**target, "placement": placement, "original_hw": original_hw}

    def describe(self) -> str:
        """One sentence on what is cut out of what."""
        kept = "kept in memory" if self.cached else "too large for the memory, so decoded for every crop"
        rest = len(self) - self.with_objects
        return (
            f"{len(self)} crops of {self.tile} pixels each epoch out of {len(self.dataset)} pictures ({kept}): "
            f"{self.with_objects} with objects, {rest} of background"
        )


def _without_crowds(boxes: Tensor, target: Target) -> Tensor:
    return boxes[target["iscrowd"] == 0] if "iscrowd" in target else boxes
