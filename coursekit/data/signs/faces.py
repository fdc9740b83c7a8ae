"""The faces of the signs: an outline in whole numbers, and the picture inside it. Taught in 04_data.

A face is square, from -256 to 256 on both axes. Labels are places in `SIGN_CLASSES`.
"""

import functools
import math

import numpy as np
from PIL import Image, ImageDraw

from coursekit.data.signs.geometry import UNIT, sine
from coursekit.data.signs.strokes import MARGIN, SCALE, Pen, arc, car, person, write

SIGN_CLASSES = (
    "stop",
    "yield",
    "no_entry",
    "speed_30",
    "speed_50",
    "speed_80",
    "no_overtaking",
    "priority_road",
    "bend",
    "pedestrians",
    "children",
    "keep_right",
    "straight_ahead",
    "roundabout",
    "parking",
    "crossing",
)
LOOKALIKES = ("disc", "ring", "poster", "board", "hospital", "arrow_board")  # clutter: never labelled
STYLES = 3  # each face comes in slightly different prints

RED, BLUE, YELLOW = (190, 24, 32), (18, 74, 160), (240, 190, 20)
WHITE, BLACK, GREY = (236, 236, 232), (24, 24, 26), (150, 152, 154)


def rounded(corners, radius: float, steps: int = 4) -> np.ndarray:
    """(K, 2) int64: a convex polygon whose corners are rounded off.

    Args:
        corners: clockwise (y down) corners in face units.
        radius: about how much of each edge the rounding takes, in face units.
    """
    points = []
    for i, corner in enumerate(corners):
        before, after = corners[i - 1], corners[(i + 1) % len(corners)]
        start, stop = (_towards(corner, other, radius) for other in (before, after))
        for k in range(steps + 1):  # a quadratic curve from one edge to the next
            t = k / steps
            points.append([(1 - t) ** 2 * start[j] + 2 * t * (1 - t) * corner[j] + t**2 * stop[j] for j in (0, 1)])
    return np.round(np.array(points)).astype(np.int64)


def _towards(start, stop, length: float):
    share = length / math.dist(start, stop)
    return [start[j] + (stop[j] - start[j]) * share for j in (0, 1)]


CIRCLE = np.array([[UNIT * sine(a + 90) // sine(90), UNIT * sine(a) // sine(90)] for a in range(0, 360, 9)], dtype=np.int64)
OCTAGON = np.array([[106, -256], [256, -106], [256, 106], [106, 256], [-106, 256], [-256, 106], [-256, -106], [-106, -256]], dtype=np.int64)
TRIANGLE = rounded([(0, -278), (280, 206), (-280, 206)], 56)
DOWNWARD = rounded([(280, -206), (0, 278), (-280, -206)], 56)
SQUARE = rounded([(-256, -256), (256, -256), (256, 256), (-256, 256)], 40)
DIAMOND = rounded([(0, -280), (280, 0), (0, 280), (-280, 0)], 40)
TALL = rounded([(-170, -256), (170, -256), (170, 256), (-170, 256)], 12)
WIDE = rounded([(-256, -110), (256, -110), (256, 110), (-256, 110)], 16)

OUTLINES = {
    "stop": OCTAGON,
    "yield": DOWNWARD,
    **dict.fromkeys(
        ("no_entry", "speed_30", "speed_50", "speed_80", "no_overtaking", "keep_right", "straight_ahead", "roundabout"), CIRCLE
    ),
    "priority_road": DIAMOND,
    **dict.fromkeys(("bend", "pedestrians", "children"), TRIANGLE),
    **dict.fromkeys(("parking", "crossing", "hospital"), SQUARE),
    **dict.fromkeys(("disc", "ring"), CIRCLE),
    "poster": TALL,
    "board": WIDE,
    "arrow_board": WIDE,
}


def shrunk(outline: np.ndarray, share: float) -> list[tuple[float, float]]:
    """An outline pulled towards its middle: the inner edge of a rim."""
    middle = (outline.min(axis=0) + outline.max(axis=0)) / 2
    if outline is TRIANGLE or outline is DOWNWARD:  # a triangle's middle is not half its height
        middle = outline.mean(axis=0)
    return [tuple(p) for p in (outline - middle) * share + middle]


def _stop(pen: Pen, style: int) -> None:
    pen.polygon(shrunk(OCTAGON, 0.93), RED)
    write(pen, "STOP", 0, -2, 74, 158, 32 + 4 * style, WHITE, gap=0.42)


def _yield(pen: Pen, style: int) -> None:
    pen.polygon(shrunk(DOWNWARD, 0.96), RED)
    pen.polygon(shrunk(DOWNWARD, 0.6 - 0.03 * style), WHITE)


def _no_entry(pen: Pen, style: int) -> None:
    pen.disc(0, 0, 244, RED)
    pen.bar(-184, -44 - 4 * style, 184, 44 + 4 * style, WHITE)


def _ring(pen: Pen, colour, inside, width: int) -> None:
    pen.disc(0, 0, 248, colour)
    pen.disc(0, 0, 248 - width, inside)


def _speed(pen: Pen, style: int, digits: str) -> None:
    _ring(pen, RED, WHITE, 56 - 4 * style)
    write(pen, digits, 0, 0, 92, 176, 34 + 3 * style, BLACK)


def _no_overtaking(pen: Pen, style: int) -> None:
    _ring(pen, RED, WHITE, 50 - 4 * style)
    car(pen, -86, 0, 146, RED, WHITE)
    car(pen, 86, 0, 146, BLACK, WHITE)


def _priority_road(pen: Pen, style: int) -> None:
    pen.polygon(shrunk(DIAMOND, 0.96), BLACK)
    pen.polygon(shrunk(DIAMOND, 0.94), WHITE)
    pen.polygon(shrunk(DIAMOND, 0.68 + 0.02 * style), YELLOW)


def _warning(pen: Pen, style: int) -> None:
    pen.polygon(shrunk(TRIANGLE, 0.96), RED)
    pen.polygon(shrunk(TRIANGLE, 0.66), YELLOW if style == 2 else WHITE)


def _bend(pen: Pen, style: int) -> None:
    _warning(pen, style)
    pen.arrow([(-34, 142), (-34, 76), (-26, 52), (24, 20), (32, -4), (32, -84)], 34, 62, BLACK)


def _pedestrians(pen: Pen, style: int) -> None:
    _warning(pen, style)
    person(pen, 0, 42, 190, BLACK)
    for x in (-100, -50, 50, 100):
        pen.line([(x, 152), (x * 0.82, 124)], 14, BLACK)


def _children(pen: Pen, style: int) -> None:
    _warning(pen, style)
    person(pen, -46, 62, 156, BLACK)
    person(pen, 46, 74, 130, BLACK)


def _blue_disc(pen: Pen) -> None:
    pen.disc(0, 0, 244, BLUE)


def _keep_right(pen: Pen, style: int) -> None:
    _blue_disc(pen)
    pen.arrow([(-120, -120), (140, 140)], 62 + 4 * style, 150, WHITE)


def _straight_ahead(pen: Pen, style: int) -> None:
    _blue_disc(pen)
    pen.arrow([(0, 176), (0, -190)], 62 + 4 * style, 150, WHITE)


def _roundabout(pen: Pen, style: int) -> None:
    _blue_disc(pen)
    for start in (20, 140, 260):
        pen.arrow(
            [*arc(0, 0, 122, 122, start, start + 62, 10), *arc(0, 0, 122, 122, start + 100, start + 100, 1)[:1]], 44 + 3 * style, 72, WHITE
        )


def _parking(pen: Pen, style: int) -> None:
    pen.polygon(shrunk(SQUARE, 0.93), BLUE)
    write(pen, "P", 8, 0, 170, 290, 62 + 4 * style, WHITE)


def _crossing(pen: Pen, style: int) -> None:
    pen.polygon(shrunk(SQUARE, 0.93), BLUE)
    pen.polygon([(0, -186), (196, 168), (-196, 168)], WHITE)
    person(pen, 0, 36, 190, BLACK)
    for x in (-120, -60, 60, 120):
        pen.line([(x, 160), (x * 0.85, 128)], 16, BLACK)


def _poster(pen: Pen, style: int) -> None:
    colours = [(200, 120, 60), (70, 130, 110), (180, 60, 90)]
    pen.polygon(shrunk(TALL, 0.94), colours[style])
    pen.disc(0, -90, 92, colours[style - 1])
    for y, x in ((60, 120), (104, 90), (148, 120), (192, 60)):
        pen.bar(-120, y, x, y + 20, WHITE)


def _board(pen: Pen, style: int) -> None:
    pen.polygon(shrunk(WIDE, 0.94), [(30, 110, 60), (40, 60, 130), (220, 220, 214)][style])
    ink = BLACK if style == 2 else WHITE
    for y, x1, x2 in ((-66, -220, 40), (-14, -220, 150), (40, -220, -20)):
        pen.bar(x1, y, x2, y + 26, ink)
    pen.arrow([(170, 60), (170, -80)], 22, 50, ink)


def _arrow_board(pen: Pen, style: int) -> None:
    pen.polygon(shrunk(WIDE, 0.95), [RED, BLACK, BLUE][style])
    for x in (-190, -60, 70):
        pen.polygon([(x, -90), (x + 50, -90), (x + 120, 0), (x + 50, 90), (x, 90), (x + 70, 0)], WHITE)


_DRAW = {
    "stop": _stop,
    "yield": _yield,
    "no_entry": _no_entry,
    "speed_30": functools.partial(_speed, digits="30"),
    "speed_50": functools.partial(_speed, digits="50"),
    "speed_80": functools.partial(_speed, digits="80"),
    "no_overtaking": _no_overtaking,
    "priority_road": _priority_road,
    "bend": _bend,
    "pedestrians": _pedestrians,
    "children": _children,
    "keep_right": _keep_right,
    "straight_ahead": _straight_ahead,
    "roundabout": _roundabout,
    "parking": _parking,
    "crossing": _crossing,
    "disc": lambda pen, style: pen.disc(0, 0, 250, [(214, 60, 40), (40, 110, 170), (236, 180, 40)][style]),
    "ring": lambda pen, style: _ring(pen, [(60, 130, 80), (30, 60, 120), (120, 60, 120)][style], (226, 222, 210), 80),
    "poster": _poster,
    "board": _board,
    "hospital": lambda pen, style: (
        pen.polygon(shrunk(SQUARE, 0.93), [BLUE, (40, 110, 60), RED][style]),
        write(pen, "H", 0, 0, 170, 260, 60, WHITE),
    ),
    "arrow_board": _arrow_board,
}


@functools.cache
def prints(name: str, style: int) -> tuple[Image.Image, ...]:
    """One face at full size, half, a quarter ...: largest first, each with MARGIN face units around it.

    Pictures are "RGBX", and X is how opaque a pixel is. Around a face they are as white as its rim, so that colours may be mixed across
    the edge without Pillow's way of doing so for "RGBA", which takes twice as long.

    Args:
        name: of `SIGN_CLASSES` or `LOOKALIKES`.
        style: 0 .. STYLES - 1.
    """
    pen = Pen(WHITE if style != 1 else (216, 218, 216))
    _DRAW[name](pen, style)
    shape = Image.new("L", pen.image.size, 0)
    ImageDraw.Draw(shape).polygon(
        [((x + UNIT + MARGIN) * SCALE, (y + UNIT + MARGIN) * SCALE) for x, y in OUTLINES[name].tolist()], fill=255
    )
    pictures = [Image.merge("RGBX", (*pen.image.split(), shape)).reduce(4)]
    while pictures[-1].width > 24:
        pictures.append(pictures[-1].reduce(2))
    return tuple(pictures)
