"""A head as whole numbers: points of a face by longitude and height, seen from the front or turned. Used by plans and by drawing.

A point is (u, v): u is degrees around the head, 0 at the nose and -90 and 90 at the ears; v is a height, -110 at the crown, 0 between eyes
and nose, 100 at the chin. A face is WIDTH of these units from its middle to its side.
"""

from dataclasses import dataclass

import numpy as np

from coursekit.data.signs.geometry import ONE, sine

WIDTH = 72  # units from a face's middle to its side
SIDE = 78  # degrees: where a face ends and ears and hair begin
_HEIGHTS = (-110, -100, -85, -65, -40, -15, 0, 30, 55, 75, 90, 100)
_HALVES = (12, 34, 50, 62, 69, 71, 72, 69, 61, 48, 32, 16)  # half the head's width there: convex
FACE_HEIGHTS = (-45, -25, 0, 30, 55, 75, 90, 100)  # rows of the face's two sides
_HAIRLINE = ((-60, -57), (-35, -63), (0, -65), (35, -63), (60, -57))
_BODY = ((40, 105), (152, 152), (182, 300), (172, 560), (95, 600), (90, 1300))


@dataclass(frozen=True)
class Head:
    """Where a head is.

    Args:
        center: of the point (0, 0) inside the head, (x, y) in 64ths of a pixel.
        half: half the width of the face seen from ahead, in 64ths of a pixel.
        yaw: degrees; above 0 the face looks to the right of the picture.
        pitch: degrees; above 0 it looks down.
        roll: degrees, clockwise.
        jaw: percent of the usual width at the chin.
        length: percent of the usual height.
    """

    center: tuple[int, int]
    half: int
    yaw: int = 0
    pitch: int = 0
    roll: int = 0
    jaw: int = 100
    length: int = 100


def half_width(head: Head, v: int) -> int:
    """Half the head's width at a height, in 256ths of a unit."""
    v = min(max(v, _HEIGHTS[0]), _HEIGHTS[-1])
    k = next(i for i in range(1, len(_HEIGHTS)) if v <= _HEIGHTS[i])
    (v0, v1), (w0, w1) = _HEIGHTS[k - 1 : k + 1], _HALVES[k - 1 : k + 1]
    width = 256 * w0 + 256 * (w1 - w0) * (v - v0) // (v1 - v0)
    return width + width * (head.jaw - 100) * max(v, 0) // 10000


def turned(head: Head, x: int, y: int) -> tuple[int, int]:
    """A point of the picture plane through the head, in 256ths of a unit, as 64ths of a pixel."""
    s, c = sine(head.roll), sine(head.roll + 90)
    y = y * head.length // 100
    scale = 256 * WIDTH * ONE
    return head.center[0] + (x * c - y * s) * head.half // scale, head.center[1] + (x * s + y * c) * head.half // scale


def locate(head: Head, u: int, v: int, out: int = 0, least: int = 0) -> tuple[int, int]:
    """Where a point of the head lands.

    Args:
        u, v: see the module; what has turned away is drawn in to the head's edge.
        out: units that it stands off the skin.
        least: least half width in units, for what does not follow the chin.

    Returns:
        (x, y) in 64ths of a pixel.
    """
    around = min(max(u + head.yaw, -90), 90)
    reach = max(half_width(head, v), 256 * least) + 256 * out
    x, depth = reach * sine(around) // ONE, reach * sine(around + 90) // ONE
    return turned(head, x, 256 * v + depth * sine(head.pitch) // ONE)


def edge(head: Head, v: int, side: int, out: int = 0) -> tuple[int, int]:
    """The head's outline at a height. A turned head shows its back on the other side (`side` is -1 for left or 1)."""
    reach = half_width(head, v)
    if side * head.yaw < 0 and v < 60:  # as deep as the head is behind the ears
        reach += reach * 34 * abs(sine(head.yaw)) * min(60 - v, 60) // (60 * 100 * ONE)
    return turned(head, side * (reach + 256 * out), 256 * v)


def face_outline(head: Head) -> np.ndarray:
    """The face from its hairline to its chin and from side to side: (K, 2) int64 in 64ths of a pixel."""
    left = [locate(head, -SIDE, v) for v in reversed(FACE_HEIGHTS)]
    top = [locate(head, u, v) for u, v in _HAIRLINE]
    right = [locate(head, SIDE, v) for v in FACE_HEIGHTS]
    return np.array([*left, *top, *right, turned(head, 0, 256 * 103)], dtype=np.int64)


def head_outline(head: Head, out: int = 0) -> np.ndarray:
    """The whole head with its hair, `out` units larger: (K, 2) int64 in 64ths of a pixel."""
    left = [edge(head, v, -1, out) for v in reversed(_HEIGHTS)]
    right = [edge(head, v, 1, out) for v in _HEIGHTS]
    return np.array([*left, turned(head, 0, -256 * (113 + out)), *right, turned(head, 0, 256 * 103)], dtype=np.int64)


def body_outline(head: Head) -> np.ndarray:
    """Somebody from neck to feet, standing: (K, 2) int64 in 64ths of a pixel."""
    (x, y), half = head.center, head.half
    right = [(x + px * half // WIDTH, y + py * half // WIDTH) for px, py in _BODY]
    return np.array([*right, *((2 * x - px, py) for px, py in reversed(right))], dtype=np.int64)
