"""Digits, letters and pictograms of the signs, drawn by geometry: no font file is read.

A `Pen` draws in face coordinates, from -256 to 256 with y down, on a canvas much finer than any sign will be seen.
"""

import math

from PIL import Image, ImageDraw

from coursekit.data.signs.geometry import UNIT

MARGIN = 32  # face units left empty around a face, so that its edge can fade when it is drawn
SCALE = 2  # canvas pixels for each face unit


class Pen:
    """A canvas in face coordinates.

    Args:
        background: RGB 0..255 that the canvas starts with.
    """

    def __init__(self, background: tuple[int, int, int]):
        side = 2 * (UNIT + MARGIN) * SCALE
        self.image = Image.new("RGB", (side, side), background)
        self._draw = ImageDraw.Draw(self.image)

    def _place(self, points):
        return [((x + UNIT + MARGIN) * SCALE, (y + UNIT + MARGIN) * SCALE) for x, y in points]

    def polygon(self, points, colour) -> None:
        """A filled polygon."""
        self._draw.polygon(self._place(points), fill=colour)

    def disc(self, x, y, radius, colour) -> None:
        """A filled circle."""
        self._draw.ellipse(self._place([(x - radius, y - radius), (x + radius, y + radius)]), fill=colour)

    def bar(self, x1, y1, x2, y2, colour) -> None:
        """A filled rectangle."""
        self._draw.rectangle(self._place([(x1, y1), (x2, y2)]), fill=colour)

    def line(self, points, width, colour, round_ends=False) -> None:
        """A thick line through points."""
        self._draw.line(self._place(points), fill=colour, width=int(width * SCALE), joint="curve")
        if round_ends:
            for x, y in (points[0], points[-1]):
                self.disc(x, y, width / 2, colour)

    def arrow(self, points, width, head, colour) -> None:
        """A thick line that ends in a triangular head, `head` long and as wide."""
        (x1, y1), (x2, y2) = points[-2:]
        length = math.hypot(x2 - x1, y2 - y1)
        dx, dy = (x2 - x1) / length, (y2 - y1) / length
        neck = (x2 - dx * head, y2 - dy * head)
        self.line([*points[:-1], (neck[0] + dx, neck[1] + dy)], width, colour)
        wing = head * 0.75
        self.polygon([(x2, y2), (neck[0] - dy * wing, neck[1] + dx * wing), (neck[0] + dy * wing, neck[1] - dx * wing)], colour)


def arc(x, y, rx, ry, start, stop, steps=24):
    """Points on an ellipse from one angle to another, in degrees: 0 is right, 90 is down."""
    angles = [math.radians(start + (stop - start) * i / steps) for i in range(steps + 1)]
    return [(x + rx * math.cos(a), y + ry * math.sin(a)) for a in angles]


# Strokes of each glyph in a box from (0, 0) to (1, 2).
_GLYPHS = {
    "0": [arc(0.5, 1, 0.5, 1, 0, 360, 40)],
    "3": [arc(0.45, 0.5, 0.47, 0.5, -150, 80) + arc(0.42, 1.45, 0.55, 0.55, -80, 150)],
    "5": [[(0.95, 0), (0.18, 0), (0.08, 0.92), *arc(0.45, 1.38, 0.52, 0.62, -140, 140)]],
    "8": [arc(0.5, 0.48, 0.42, 0.48, 0, 360, 30), arc(0.5, 1.48, 0.5, 0.52, 0, 360, 30)],
    "S": [arc(0.5, 0.5, 0.45, 0.5, -30, -270) + arc(0.5, 1.5, 0.48, 0.5, -90, 150)],
    "T": [[(0, 0), (1, 0)], [(0.5, 0), (0.5, 2.1)]],
    "O": [arc(0.5, 1, 0.48, 1, 0, 360, 40)],
    "P": [[(0.1, 2.12), (0.1, 0), (0.5, 0), *arc(0.5, 0.55, 0.5, 0.55, -90, 90), (0.1, 1.1)]],
    "H": [[(0.08, -0.1), (0.08, 2.1)], [(0.92, -0.1), (0.92, 2.1)], [(0.08, 1), (0.92, 1)]],
}


def write(pen: Pen, text: str, x, y, width, height, weight, colour, gap=0.55) -> None:
    """Write glyphs side by side, centred on (x, y): each is `width` by `height`, with strokes `weight` thick."""
    step = width * (1 + gap)
    left = x - (step * (len(text) - 1) + width) / 2
    for glyph in text:
        for stroke in _GLYPHS[glyph]:
            pen.line([(left + px * width, y - height / 2 + py * height / 2) for px, py in stroke], weight, colour)
        left += step


def person(pen: Pen, x, y, size, colour, facing=1) -> None:
    """Somebody walking: a head, a trunk, two legs and two arms; `size` from head to foot, centred on (x, y)."""
    s, f = size / 100, facing

    def at(px, py):
        return (x + f * px * s, y + py * s)

    pen.disc(*at(4, -42), 9 * s, colour)
    pen.line([at(2, -30), at(-2, 4)], 17 * s, colour, round_ends=True)
    pen.line([at(-2, 2), at(14, 24), at(12, 48)], 10 * s, colour, round_ends=True)
    pen.line([at(-3, 2), at(-10, 26), at(-26, 46)], 10 * s, colour, round_ends=True)
    pen.line([at(4, -28), at(18, -10), at(28, -6)], 7 * s, colour, round_ends=True)
    pen.line([at(0, -28), at(-16, -14), at(-20, 2)], 7 * s, colour, round_ends=True)


def car(pen: Pen, x, y, size, colour, glass) -> None:
    """A car from behind, `size` wide, centred on (x, y)."""
    s = size / 100
    pen.polygon(
        [(x + px * s, y + py * s) for px, py in [(-50, 0), (-42, -6), (-30, -38), (30, -38), (42, -6), (50, 0), (50, 30), (-50, 30)]],
        colour,
    )
    pen.polygon([(x + px * s, y + py * s) for px, py in [(-33, -8), (-24, -30), (24, -30), (33, -8)]], glass)
    pen.bar(x - 46 * s, y + 28 * s, x - 28 * s, y + 44 * s, colour)
    pen.bar(x + 28 * s, y + 28 * s, x + 46 * s, y + 44 * s, colour)
    pen.bar(x - 40 * s, y + 8 * s, x - 24 * s, y + 16 * s, glass)
    pen.bar(x + 24 * s, y + 8 * s, x + 40 * s, y + 16 * s, glass)
