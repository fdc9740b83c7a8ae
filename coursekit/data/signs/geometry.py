"""Where things are in a generated scene: integers only, so that labels are the same on every machine. Taught in 04_data and 13_boxes.

Positions are whole 64ths of a pixel; angles come from a table of whole numbers; a homography is nine whole numbers. Float maths differs in
its last bit between processors, and a last bit can move a rounded box edge by a pixel.
"""

import math

import numpy as np

SUBPIXEL = 64  # positions are counted in 64ths of a pixel
UNIT = 256  # a sign's face reaches from -UNIT to UNIT in its own coordinates
ONE = 1 << 14  # 1.0 of the sine table
_SINE = tuple(round(ONE * math.sin(math.radians(degree))) for degree in range(91))


class Dice:
    """Whole random numbers from PCG64's raw stream, which NumPy promises never to change (it does not for `Generator`'s methods).

    Args:
        key: whole numbers >= 0, such as a seed and an index. The same key gives the same throws in any process and any order.
    """

    def __init__(self, *key: int):
        self._raw = np.random.PCG64(np.random.SeedSequence(key)).random_raw

    def below(self, stop: int) -> int:
        """One of 0 .. stop - 1."""
        return (int(self._raw()) * stop) >> 64

    def between(self, low: int, high: int) -> int:
        """One of low .. high, both included."""
        return low + self.below(high - low + 1)

    def chance(self, percent: int) -> bool:
        """True in so many of a hundred throws."""
        return self.below(100) < percent

    def pick(self, options):
        """One of a sequence."""
        return options[self.below(len(options))]

    def weighted(self, weights) -> int:
        """An index, drawn in proportion to whole weights."""
        left = self.below(sum(weights))
        for index, weight in enumerate(weights):
            if left < weight:
                return index
            left -= weight
        raise AssertionError("weights must be whole and >= 0")

    def bytes(self, *shape: int) -> np.ndarray:
        """Uniform uint8 of this shape."""
        count = math.prod(shape)
        words = np.asarray(self._raw(-(-count // 8)), dtype="<u8")
        return words.view(np.uint8)[:count].reshape(shape).copy()


def sine(degree: int) -> int:
    """ONE times the sine of a whole number of degrees, as a whole number."""
    degree %= 360
    if degree >= 180:
        return -sine(degree - 180)
    return _SINE[min(degree, 180 - degree)]


def pose(center: tuple[int, int], half: int, yaw: int = 0, pitch: int = 0, roll: int = 0, distance: int = 6) -> np.ndarray:
    """The homography of a flat face turned in front of a pinhole camera.

    Args:
        center: where the face's middle lands, (x, y) in 64ths of a pixel.
        half: half the width of the face seen from straight ahead, in 64ths of a pixel.
        yaw, pitch, roll: whole degrees about the vertical axis, the horizontal axis and the line of sight.
        distance: of the camera, in half faces; near (3) gives strong perspective, far (12) almost none.

    Returns:
        (3, 3) int64, from face coordinates (-UNIT .. UNIT) to 64ths of a pixel.
    """
    sy, cy, sp, cp, sr, cr = sine(yaw), sine(yaw + 90), sine(pitch), sine(pitch + 90), sine(roll), sine(roll + 90)
    # the first two columns of R = Rz(roll) Rx(pitch) Ry(yaw), each entry rounded back to the scale of ONE
    a = ((cr * cy - ((sr * sp) // ONE) * sy) // ONE, -(sr * cp) // ONE)
    b = ((sr * cy + ((cr * sp) // ONE) * sy) // ONE, (cr * cp) // ONE)
    depth = (-(cp * sy) // ONE, sp)
    far = distance * UNIT
    x, y = center
    top = [half * far * a[0] + x * UNIT * depth[0], half * far * a[1] + x * UNIT * depth[1], x * UNIT * far * ONE]
    middle = [half * far * b[0] + y * UNIT * depth[0], half * far * b[1] + y * UNIT * depth[1], y * UNIT * far * ONE]
    bottom = [UNIT * depth[0], UNIT * depth[1], UNIT * far * ONE]
    return np.array([top, middle, bottom], dtype=np.int64)


def project(homography: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Where points of a face land.

    Args:
        homography: (3, 3) int64 from `pose`.
        points: (K, 2) int64 in face coordinates.

    Returns:
        (K, 2) int64 in 64ths of a pixel, rounded down.
    """
    x, y, w = homography[:, :2] @ points.T + homography[:, 2:]
    return np.stack([x // w, y // w], axis=1)


def spans(polygon: np.ndarray) -> tuple[int, np.ndarray, np.ndarray]:
    """The pixels of a convex polygon, row by row: those whose middle lies inside.

    Args:
        polygon: (K, 2) int64 corners in 64ths of a pixel, convex, in either direction.

    Returns:
        (first row, left, right): row ``first + i`` holds the columns ``left[i] .. right[i] - 1``, which may be none.
    """
    ax, ay = polygon.T
    bx, by = np.concatenate([polygon[1:], polygon[:1]]).T
    half = SUBPIXEL // 2
    first, stop = (int(ay.min()) + half - 1) // SUBPIXEL, (int(ay.max()) + half - 1) // SUBPIXEL
    middles = np.arange(first, stop) * SUBPIXEL + half
    crosses = (ay[:, None] <= middles) != (by[:, None] <= middles)  # (K, rows): exactly two edges of each row
    rise = np.where(by == ay, 1, by - ay)[:, None]  # a level edge crosses no row, so its 1 is never used
    x = ax[:, None] + (middles - ay[:, None]) * (bx - ax)[:, None] // rise
    far = np.int64(1) << 40
    left = np.where(crosses, x, far).min(axis=0)
    right = np.where(crosses, x, -far).max(axis=0)
    return first, (left + half - 1) // SUBPIXEL, (right + half - 1) // SUBPIXEL


def paint(canvas: np.ndarray, polygon: np.ndarray, value: int) -> tuple[int, tuple[int, int, int, int] | None]:
    """Set the pixels of a convex polygon to a value, where they lie on the canvas.

    Args:
        canvas: (H, W) whole numbers, changed in place.
        polygon: (K, 2) int64 in 64ths of a pixel.

    Returns:
        How many pixels the whole polygon has, on the canvas or off it; and the tight box ``(x1, y1, x2, y2)``, half-open, of those on it
        (None where there are none).
    """
    height, width = canvas.shape
    first, left, right = spans(polygon)
    area = int(np.maximum(right - left, 0).sum())
    skip, keep = max(0, -first), max(0, min(len(left), height - first))
    left, right = np.maximum(left[skip:keep], 0), np.minimum(right[skip:keep], width)
    rows = np.flatnonzero(right > left)
    if len(rows) == 0:
        return area, None
    top, bottom = int(rows[0]), int(rows[-1]) + 1
    left, right = left[top:bottom], right[top:bottom]
    x1, x2 = int(left[right > left].min()), int(right.max())
    y1, y2 = first + skip + top, first + skip + bottom
    columns = np.arange(x1, x2)
    canvas[y1:y2, x1:x2][(columns >= left[:, None]) & (columns < right[:, None])] = value
    return area, (x1, y1, x2, y2)
