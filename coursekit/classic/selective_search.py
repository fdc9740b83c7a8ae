"""Selective search: boxes of whatever hangs together, by greedy grouping of segments. Taught in notebook 15_classic.

>>> boxes = proposals(picture, np.random.default_rng(0))  # (H, W, 3) uint8 -> (N, 4) xyxy, best first

Source: Uijlings, van de Sande, Gevers and Smeulders, "Selective Search for Object Recognition", IJCV 2013.
Ours is one of its many strategies: one colour space, one scale of segments; its texture is a histogram of Gaussian derivatives, ours one
of plain gradients.
"""

from dataclasses import dataclass

import numpy as np

from ..metrics.steps import iou_of_boxes
from .hog import directions, gradient

BINS = 25  # of each colour channel, as in the paper


@dataclass(frozen=True)
class Region:
    """Some pixels that hang together.

    Args:
        size: how many.
        colour: (3 * BINS,) histogram of its colours, summing to 1.
        texture: (K,) histogram of its gradients, summing to 1 (or 0 where all is flat).
        box: (x1, y1, x2, y2) around it, pixels, half-open.
    """

    size: int
    colour: np.ndarray
    texture: np.ndarray
    box: tuple[int, int, int, int]


def similarity(a: Region, b: Region, pixels: int) -> float:
    """How much two regions seem to belong together, from 0 to 4: colour and texture alike, both small, and fitting into each other.

    Args:
        pixels: of the whole image.
    """
    colour = np.minimum(a.colour, b.colour).sum()
    texture = np.minimum(a.texture, b.texture).sum()
    size = 1 - (a.size + b.size) / pixels  # small ones first, or one region swallows all
    x1, y1, x2, y2 = hull(a.box, b.box)
    fill = 1 - ((x2 - x1) * (y2 - y1) - a.size - b.size) / pixels  # no large gap in the box around both
    return float(colour + texture + size + fill)


def hull(a, b) -> tuple[int, int, int, int]:
    """The smallest box around two boxes."""
    return min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3])


def merge_regions(a: Region, b: Region) -> Region:
    """Two regions as one: pixels added, histograms averaged by size, the box around both. No pixel is looked at again."""
    size = a.size + b.size
    colour = (a.size * a.colour + b.size * b.colour) / size
    texture = (a.size * a.texture + b.size * b.texture) / size
    return Region(size, colour, texture, hull(a.box, b.box))


def segments(image: np.ndarray, scale: float = 50, sigma: float = 0.5, smallest: int = 20) -> np.ndarray:
    """Felzenszwalb and Huttenlocher's segments: (H, W, 3) uint8 -> (H, W) int64 numbers from 0.

    Args:
        scale: larger gives larger segments. sigma: of the blur before. smallest: least number of pixels.
    """
    from skimage.segmentation import felzenszwalb

    return felzenszwalb(image, scale=scale, sigma=sigma, min_size=smallest).astype(np.int64)


def regions_of(image: np.ndarray, labels: np.ndarray) -> list[Region]:
    """The segments as regions.

    Args:
        image: (H, W, 3) uint8.
        labels: (H, W) whole numbers 0 .. R - 1, each of which occurs.

    Raises:
        ValueError: if the two are not of one size.
    """
    if image.ndim != 3 or image.shape[:2] != labels.shape:
        raise ValueError(f"labels must have shape {image.shape[:2]} as the image, got {labels.shape}")
    count, flat = int(labels.max()) + 1, labels.ravel()
    sizes = np.bincount(flat, minlength=count)
    values = image.reshape(-1, 3).astype(np.int64) * BINS // 256  # (pixels, 3) bins of colour
    colour = [np.bincount(flat * BINS + values[:, k], minlength=count * BINS).reshape(count, BINS) for k in range(3)]
    colour = np.concatenate(colour, axis=1) / (3 * sizes[:, None])
    texture = _textures(image, flat, count)
    y, x = np.indices(labels.shape).reshape(2, -1)
    low, high = np.full((count, 2), max(labels.shape)), np.zeros((count, 2), dtype=np.int64)
    np.minimum.at(low, flat, np.stack([x, y], axis=1))
    np.maximum.at(high, flat, np.stack([x + 1, y + 1], axis=1))
    boxes = np.concatenate([low, high], axis=1).tolist()
    return [Region(int(sizes[r]), colour[r], texture[r], tuple(boxes[r])) for r in range(count)]


def _textures(image: np.ndarray, flat: np.ndarray, count: int, orientations: int = 8) -> np.ndarray:
    """(count, 3 * orientations): in each channel how much gradient points which way, summing to 1."""
    columns = []
    for channel in range(3):
        magnitude, bins = directions(*gradient(image[..., channel]), orientations)
        total = np.bincount(flat * orientations + bins.ravel(), magnitude.ravel(), minlength=count * orientations)
        columns.append(total.reshape(count, orientations))
    texture = np.concatenate(columns, axis=1)
    return texture / np.maximum(texture.sum(axis=1, keepdims=True), 1e-12)


def neighbours(labels: np.ndarray) -> set[tuple[int, int]]:
    """Pairs (i, j), i < j, of segments that touch along an edge of a pixel."""
    pairs = []
    for a, b in ((labels[:, :-1], labels[:, 1:]), (labels[:-1], labels[1:])):
        differ = a != b
        pairs.append(np.stack([np.minimum(a, b)[differ], np.maximum(a, b)[differ]], axis=1))
    return {tuple(pair) for pair in np.unique(np.concatenate(pairs), axis=0).tolist()}


def group(regions: list[Region], pairs: set[tuple[int, int]], pixels: int) -> tuple[list[Region], list[tuple[int, int]]]:
    """Merge the two most similar neighbours, again and again, until one region is left.

    Args:
        regions: of the segments. pairs: which of them touch. pixels: of the image.

    Returns:
        regions: the segments, then what each merge made, in order. merges: which two each merge joined.
    """
    regions, merges = list(regions), []
    alike = {pair: similarity(regions[pair[0]], regions[pair[1]], pixels) for pair in sorted(pairs)}
    while alike:
        i, j = max(alike, key=alike.get)  # of equal ones the first
        new = len(regions)
        regions.append(merge_regions(regions[i], regions[j]))
        merges.append((i, j))
        touching = {k for pair in alike if i in pair or j in pair for k in pair} - {i, j}
        alike = {pair: value for pair, value in alike.items() if i not in pair and j not in pair}
        alike |= {(k, new): similarity(regions[k], regions[new], pixels) for k in sorted(touching)}
    return regions, merges


def proposals(image: np.ndarray, generator: np.random.Generator, scale: float = 50, sigma: float = 0.5, smallest: int = 20) -> np.ndarray:
    """Boxes where something may be, best first.

    Args:
        image: (H, W, 3) uint8.
        generator: of the order. As in the paper, a region's rank is its place from the last merge (the whole image) times a random number:
            large regions tend to come first, and no level of the hierarchy comes in a block.
        scale, sigma, smallest: as for `segments`.

    Returns:
        (N, 4) int64 ``xyxy`` pixels, no two the same.
    """
    labels = segments(image, scale, sigma, smallest)
    regions, _ = group(regions_of(image, labels), neighbours(labels), labels.size)
    boxes = np.array([region.box for region in regions], dtype=np.int64)
    rank = np.arange(len(boxes), 0, -1) * generator.random(len(boxes))
    return without_repeats(boxes[rank.argsort(kind="stable")])


def without_repeats(boxes: np.ndarray) -> np.ndarray:
    """Each box once, where it stands first. (N, 4) -> (K, 4)."""
    _, first = np.unique(boxes, axis=0, return_index=True)
    return boxes[np.sort(first)]


def random_boxes(count: int, size_hw: tuple[int, int], generator: np.random.Generator) -> np.ndarray:
    """(count, 4) float64 ``xyxy``: two random corners each, inside the image."""
    height, width = size_hw
    corners = generator.random((count, 2, 2)) * [width, height]
    return np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)


def recall_at(truth: np.ndarray, boxes: np.ndarray, counts, iou_threshold: float = 0.5) -> np.ndarray:
    """How many true boxes are met by the first 1, 2, 5 ... proposals.

    Args:
        truth: (N, 4) ``xyxy``. boxes: (M, 4) ``xyxy``, best first. counts: numbers of proposals.

    Returns:
        (len(counts),) int64, of N.
    """
    met = iou_of_boxes(truth, boxes) >= iou_threshold  # (N, M)
    return np.array([int(met[:, :count].any(axis=1).sum()) for count in counts], dtype=np.int64)
