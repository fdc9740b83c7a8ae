"""Histograms of oriented gradients. Taught in notebook 15_classic.

Held equal to `skimage.feature.hog(..., block_norm="L2-Hys", feature_vector=False)` for grey images, to 1e-6: it
sums the pixels of a cell in float32, ours in float64. OpenCV's HOGDescriptor shares each
gradient out among neighbouring cells and directions and weighs pixels by a Gaussian, so its numbers are others; so did the paper.

>>> hog(np.zeros((24, 24)), cell=8, block=2).shape
(2, 2, 2, 2, 9)

Source: Dalal and Triggs, "Histograms of Oriented Gradients for Human Detection", CVPR 2005.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view


def gradient(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Central differences: the pixel after minus the pixel before, not halved; 0 where one of the two is missing.

    Args:
        image: (..., H, W) of any kind of number.

    Returns:
        gx, gy: (..., H, W) float64 each. x grows to the right, y downwards.
    """
    image = np.asarray(image, dtype=np.float64)  # in uint8, 3 - 5 would be 254
    gx, gy = np.zeros_like(image), np.zeros_like(image)
    gx[..., :, 1:-1] = image[..., :, 2:] - image[..., :, :-2]
    gy[..., 1:-1, :] = image[..., 2:, :] - image[..., :-2, :]
    return gx, gy


def directions(gx: np.ndarray, gy: np.ndarray, orientations: int = 9) -> tuple[np.ndarray, np.ndarray]:
    """Length of each gradient and the bin of its direction. Light to dark and dark to light are one direction: 0 to 180 degrees.

    Returns:
        magnitude: as gx, float64.
        bins: as gx, int64 in 0 .. orientations - 1; bin k begins at k * 180 / orientations, and ends where the next begins.

    An angle a rounding error below 0 becomes 180 and counts as 0 here; scikit-image leaves it out.
    """
    angle = np.degrees(np.arctan2(gy, gx)) % 180
    edges = 180 / orientations * np.arange(1, orientations + 1)
    return np.hypot(gx, gy), np.searchsorted(edges, angle, side="right") % orientations


def hog_cell(gx: np.ndarray, gy: np.ndarray, orientations: int = 9) -> np.ndarray:
    """The histogram of one cell: how long its gradients are, on average over all pixels, by direction.

    Args:
        gx, gy: (h, w) gradients of the pixels of the cell.

    Returns:
        (orientations,) float64: sum of the lengths in each direction, divided by h * w.
    """
    magnitude, bins = directions(gx, gy, orientations)
    return np.bincount(bins.ravel(), magnitude.ravel(), minlength=orientations) / magnitude.size


def hog_cells(image: np.ndarray, cell: int = 8, orientations: int = 9, margin: int = 0) -> np.ndarray:
    """The histograms of all cells of an image, or of N images at once.

    Args:
        image: (H, W) or (N, H, W) grey. What is left over at the right and at the bottom has no cell.
        margin: that many pixels on each side are in no cell; they only lend their neighbours a true gradient.

    Returns:
        ((H - 2 * margin) // cell, (W - 2 * margin) // cell, orientations) float64, or with N before it.
    """
    image = np.asarray(image)
    many = image if image.ndim == 3 else image[None]
    rows, columns = ((side - 2 * margin) // cell for side in many.shape[1:])
    magnitude, bins = directions(*gradient(many), orientations)
    inside = np.s_[:, margin : margin + rows * cell, margin : margin + columns * cell]
    y, x = np.arange(rows * cell) // cell, np.arange(columns * cell) // cell
    number = (np.arange(len(many))[:, None, None] * rows + y[:, None]) * columns + x  # which cell each pixel is in
    place = number * orientations + bins[inside]
    size = len(many) * rows * columns * orientations
    total = np.bincount(place.ravel(), magnitude[inside].ravel(), minlength=size)
    cells = total.reshape(len(many), rows, columns, orientations) / cell**2
    return cells if image.ndim == 3 else cells[0]


def normalise_block(block: np.ndarray, eps: float = 1e-5, clip: float = 0.2) -> np.ndarray:
    """L2-Hys: to length 1, no entry above ``clip``, and to length 1 again.

    Args:
        block: histograms of the cells of one block, of any shape, at least 0.
        eps: keeps a block without gradients at 0.
    """
    block = block / np.sqrt((block**2).sum() + eps**2)
    block = np.minimum(block, clip)
    return block / np.sqrt((block**2).sum() + eps**2)


def hog(image: np.ndarray, cell: int = 8, block: int = 2, orientations: int = 9, margin: int = 0) -> np.ndarray:
    """The blocks of an image, each normalised by itself; blocks overlap, so that a cell is seen in several lights.

    Args:
        image: (H, W) grey, or (N, H, W).
        cell: pixels on a side. block: cells on a side.
        margin: pixels on each side that are in no cell, as for `hog_cells`; scikit-image has none.

    Returns:
        (rows, columns, block, block, orientations) float64 with rows = (H - 2 * margin) // cell - block + 1; or with N before it.

    Raises:
        ValueError: if no block fits.
    """
    image, least = np.asarray(image), cell * block + 2 * margin
    if image.ndim not in (2, 3) or min(image.shape[-2:]) < least:
        raise ValueError(f"image must be (H, W) or (N, H, W) of at least {least} x {least} pixels, got {image.shape}")
    cells = hog_cells(image, cell, orientations, margin)
    blocks = sliding_window_view(cells, (block, block), axis=(-3, -2))  # (..., rows, columns, orientations, block, block)
    blocks = np.moveaxis(blocks, -3, -1)
    first = blocks / np.sqrt((blocks**2).sum(axis=(-3, -2, -1), keepdims=True) + 1e-5**2)
    first = np.minimum(first, 0.2)
    return first / np.sqrt((first**2).sum(axis=(-3, -2, -1), keepdims=True) + 1e-5**2)


def hog_of_windows(image: np.ndarray, window: int, cell: int = 8, block: int = 2, orientations: int = 9, margin: int = 0) -> np.ndarray:
    """HOG once for a whole image, then cut into windows that start at every cell.

    Args:
        image: (H, W) grey. window: side in pixels. margin: as for `hog_cells`, of the image and of each window.

    Returns:
        (rows, columns, D): what a linear classifier reads of the window whose left upper corner is pixel (column * cell, row * cell), for
        all windows that `coursekit.sliding.windows.windows` gives at a stride of ``cell``. With a margin equal to `hog` of each crop.
        Without one the outermost pixels of a crop lack a neighbour that the image has: there, and only there, the two differ.

    Raises:
        ValueError: if no block fits into a window.
    """
    inner = (window - 2 * margin) // cell  # cells on a side of a window
    side = inner - block + 1
    if side < 1:
        raise ValueError(f"window must be at least {cell * block + 2 * margin} pixels, got {window}")
    places = [max(0, (length - window) // cell + 1) for length in image.shape]
    if not min(places):
        return np.zeros((0, 0, side * side * block * block * orientations))
    blocks = hog(image, cell, block, orientations, margin)  # (rows, columns, block, block, orientations)
    cut = sliding_window_view(blocks, (side, side), axis=(0, 1))  # (rows, columns, block, block, orientations, side, side)
    cut = np.moveaxis(cut, (-2, -1), (2, 3))[: places[0], : places[1]]
    return cut.reshape(*cut.shape[:2], -1)
