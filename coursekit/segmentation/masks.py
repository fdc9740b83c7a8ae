"""Masks as they are stored, and objects out of a map of classes. Taught in notebook 22_segmentation. No torch."""

from collections.abc import Sequence

import numpy as np


def rle_encode(mask) -> list[int]:
    """COCO's run-length code of a mask: lengths of runs, zeros first, **down the columns**.

    Args:
        mask: (H, W) bool.

    Returns:
        Whole numbers that sum to H * W: how many 0, how many 1, how many 0 ... The first is 0 where the mask begins with a 1.

    Raises:
        ValueError: if mask is not (H, W).

    Source: the COCO API's maskApi.c; pycocotools squeezes the same numbers into letters.
    """
    mask = np.asarray(mask)
    if mask.ndim != 2:
        raise ValueError(f"mask must have shape (H, W), got {mask.shape}")
    pixels = mask.T.ravel().astype(bool)  # column after column
    if len(pixels) == 0:
        return []
    starts = np.flatnonzero(pixels[1:] != pixels[:-1]) + 1  # where another run begins
    runs = np.diff(np.concatenate([[0], starts, [len(pixels)]])).tolist()
    return [0, *runs] if pixels[0] else runs


def rle_decode(counts: Sequence[int], size_hw: tuple[int, int]) -> np.ndarray:
    """The mask of `rle_encode`: (H, W) bool.

    Raises:
        ValueError: if the runs do not fill the mask.
    """
    height, width = size_hw
    if sum(counts) != height * width:
        raise ValueError(f"counts must sum to {height} * {width} = {height * width}, got {sum(counts)}")
    pixels = np.repeat(np.arange(len(counts)) % 2 == 1, counts)
    return pixels.reshape(width, height).T


def connected_components(mask) -> np.ndarray:
    """Number the islands of a mask.

    Args:
        mask: (H, W) bool.

    Returns:
        (H, W) int64: 0 off the mask, 1, 2 ... on its islands, in reading order of their first pixels. Pixels that share an edge belong
        together, those that only share a corner do not.

    Raises:
        ValueError: if mask is not (H, W).
    """
    from skimage.measure import label  # takes a while to import

    mask = np.asarray(mask, dtype=bool)
    if mask.ndim != 2:
        raise ValueError(f"mask must have shape (H, W), got {mask.shape}")
    return label(mask, connectivity=1).astype(np.int64)


def instances_from_map(semantic, smallest: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Objects out of a map of classes: each island of each class but 0 is taken for one object.

    It cannot tell two objects of one class that touch, nor put the parts of an object together that something hides.

    Args:
        semantic: (H, W) whole numbers, 0 is background.
        smallest: islands of fewer pixels are left out.

    Returns:
        (N, H, W) bool masks and (N,) int64 classes, by rising class.
    """
    semantic = np.asarray(semantic)
    masks, classes = [], []
    for value in np.unique(semantic[semantic > 0]).tolist():
        islands = connected_components(semantic == value)
        for number in range(1, int(islands.max()) + 1):
            mask = islands == number
            if mask.sum() >= smallest:
                masks.append(mask)
                classes.append(value)
    return np.array(masks, dtype=bool).reshape(-1, *semantic.shape), np.array(classes, dtype=np.int64)
