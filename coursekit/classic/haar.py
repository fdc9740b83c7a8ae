"""Integral image and Haar features: sums over rectangles in a handful of look-ups. Taught in notebook 15_classic.

>>> table = integral_image(np.array([[1, 2], [3, 4]]))
>>> table.tolist(), int(box_sum(table, 1, 0, 2, 2))
([[0, 0, 0], [0, 1, 3], [0, 4, 10]], 6)

Source: Viola and Jones, "Rapid Object Detection using a Boosted Cascade of Simple Features", CVPR 2001.
"""

from dataclasses import dataclass

import numpy as np

# Light cells count +1, dark ones -1. Names are scikit-image's: how many rectangles, and along which axis they lie.
PATTERNS = {
    "type-2-x": np.array([[-1, 1]]),
    "type-2-y": np.array([[-1], [1]]),
    "type-3-x": np.array([[-1, 1, -1]]),
    "type-3-y": np.array([[-1], [1], [-1]]),
    "type-4": np.array([[-1, 1], [1, -1]]),
}


def integral_image(image: np.ndarray) -> np.ndarray:
    """At [y, x] the sum of all pixels above row y and left of column x.

    Args:
        image: (H, W) or (N, H, W), whole numbers, floats, or true/false.

    Returns:
        (H + 1, W + 1) or (N, H + 1, W + 1), int64 or float64. Its first row and column are 0: then no rectangle is a special case.
        OpenCV's `cv2.integral` has this row and column as well, scikit-image's `integral_image` has not.

    Raises:
        ValueError: if image has another number of dimensions.
    """
    image = np.asarray(image)
    if image.ndim not in (2, 3):
        raise ValueError(f"image must have shape (H, W) or (N, H, W), got {image.shape}")
    wide = np.float64 if image.dtype.kind == "f" else np.int64  # in uint8 two bright pixels would be too many already
    inner = image.astype(wide).cumsum(axis=-2).cumsum(axis=-1)
    border = [(0, 0)] * (image.ndim - 2) + [(1, 0), (1, 0)]
    return np.pad(inner, border)


def box_sum(table: np.ndarray, x1, y1, x2, y2) -> np.ndarray:
    """Sum of the pixels of a box from four look-ups.

    Args:
        table: (..., H + 1, W + 1), an integral image or several.
        x1, y1, x2, y2: the box in pixels, half-open; whole numbers or arrays of them.
    """
    return table[..., y2, x2] - table[..., y1, x2] - table[..., y2, x1] + table[..., y1, x1]


def haar_feature(table: np.ndarray, x: int, y: int, width: int, height: int, pattern: np.ndarray):
    """Light cells minus dark cells of a grid of equal rectangles.

    Args:
        table: (H + 1, W + 1) integral image.
        x, y: left upper corner of the feature, in pixels.
        width, height: of *one* cell.
        pattern: (rows, columns) of +1 and -1, such as ``PATTERNS["type-2-x"]``.

    Returns:
        One number.

    Raises:
        ValueError: if the feature sticks out of the image.
    """
    rows, columns = pattern.shape
    if min(x, y) < 0 or y + rows * height >= table.shape[-2] or x + columns * width >= table.shape[-1]:
        raise ValueError(f"the feature must lie inside the image of {table.shape[-2] - 1} x {table.shape[-1] - 1} pixels, it sticks out")
    total = 0
    for row in range(rows):
        for column in range(columns):
            left, top = x + column * width, y + row * height
            total = total + pattern[row, column] * box_sum(table, left, top, left + width, top + height)
    return total


def corner_weights(pattern: np.ndarray) -> np.ndarray:
    """How often each corner of the grid is looked up, with its sign: neighbours share corners, so most are needed once.

    Args:
        pattern: (rows, columns) of +1 and -1.

    Returns:
        (rows + 1, columns + 1) whole numbers; those that are not 0 are the look-ups: 4 for a rectangle, 6 for two, 8 for three, 9 for four.
    """
    weights = np.zeros((pattern.shape[0] + 1, pattern.shape[1] + 1), dtype=np.int64)
    weights[:-1, :-1] += pattern
    weights[1:, 1:] += pattern
    weights[:-1, 1:] -= pattern
    weights[1:, :-1] -= pattern
    return weights


@dataclass(frozen=True)
class Haar:
    """A feature at a place of its window: a name of `PATTERNS`, its left upper corner, and the size of one cell, in pixels."""

    name: str
    x: int
    y: int
    width: int
    height: int


def all_features(size: int, step: int = 1, smallest: int = 1) -> list[Haar]:
    """Every feature that fits into a window.

    Args:
        size: side of the window in pixels.
        step: corners lie at, and cells grow by, multiples of it; 1 takes all of them.
        smallest: least width and height of a cell.
    """
    found = []
    for name, pattern in PATTERNS.items():
        rows, columns = pattern.shape
        for height in range(smallest, size // rows + 1, step):
            for width in range(smallest, size // columns + 1, step):
                for y in range(0, size - rows * height + 1, step):
                    found += [Haar(name, x, y, width, height) for x in range(0, size - columns * width + 1, step)]
    return found


def haar_values(tables: np.ndarray, features: list[Haar]) -> np.ndarray:
    """Every feature of every window, each corner looked up once.

    Args:
        tables: (N, size + 1, size + 1) integral images of the windows.

    Returns:
        (N, F) float64: divided by the area of a feature, so that large and small ones are of one size.
    """
    corners = np.ascontiguousarray(np.moveaxis(tables, 0, -1))  # (size + 1, size + 1, N): one corner of all windows lies together
    values = np.zeros((len(features), len(tables)))
    for row_of_values, feature in zip(values, features, strict=True):
        pattern = PATTERNS[feature.name]
        for (row, column), weight in np.ndenumerate(corner_weights(pattern)):
            if weight:
                row_of_values += weight * corners[feature.y + row * feature.height, feature.x + column * feature.width]
        row_of_values /= feature.width * feature.height * pattern.size
    return values.T


def standardised(windows: np.ndarray) -> np.ndarray:
    """Windows of mean 0 and standard deviation 1: light and contrast out, as Viola and Jones do. (N, H, W) -> (N, H, W) float64.

    A window of one colour becomes all 0.
    """
    windows = np.asarray(windows, dtype=np.float64)
    centred = windows - windows.mean(axis=(1, 2), keepdims=True)
    return centred / np.maximum(centred.std(axis=(1, 2), keepdims=True), 1e-6)
