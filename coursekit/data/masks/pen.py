"""A small canvas around one person, finer than the picture, on which things are drawn in the head's own coordinates."""

import numpy as np
from PIL import Image, ImageChops, ImageDraw

from coursekit.data.masks.head import WIDTH, Head, edge, locate
from coursekit.data.signs.geometry import SUBPIXEL

Colour = tuple[int, int, int]


def shade(colour: Colour, percent: int) -> Colour:
    """A colour so much darker (below 100) or lighter (above)."""
    return tuple(min(c * percent // 100, 255) for c in colour)


def mix(first: Colour, second: Colour, percent: int) -> Colour:
    """So many percent of the second colour, the rest of the first."""
    return tuple((a * (100 - percent) + b * percent) // 100 for a, b in zip(first, second, strict=True))


def rounded(points: list) -> list:
    """A closed outline with its corners cut once, as Chaikin does."""
    array = np.array(points, dtype=np.float64)
    after = np.roll(array, -1, axis=0)
    return list(map(tuple, np.stack([0.75 * array + 0.25 * after, 0.25 * array + 0.75 * after], axis=1).reshape(-1, 2).tolist()))


class Pen:
    """Draws with the head's coordinates on a canvas of a region of the picture.

    Args:
        head: whose coordinates.
        region: (x1, y1, x2, y2) pixels of the picture.
        colour: what the canvas starts with; unseen unless something is drawn on it.
    """

    def __init__(self, head: Head, region: tuple[int, int, int, int], colour: Colour):
        self.head, self.region = head, region
        width = 2 * head.half // SUBPIXEL
        self.scale = 4 if width < 30 else 3 if width < 60 else 2
        x1, y1, x2, y2 = region
        self.image = Image.new("RGB", ((x2 - x1) * self.scale, (y2 - y1) * self.scale), colour)
        self.alpha = Image.new("L", self.image.size, 0)
        self._colours, self._cover = ImageDraw.Draw(self.image), ImageDraw.Draw(self.alpha)
        self.unit = head.half * self.scale / (WIDTH * SUBPIXEL)  # canvas pixels for a unit of the head

    def here(self, point: tuple[int, int]) -> tuple[float, float]:
        """64ths of a pixel of the picture, on the canvas."""
        return (point[0] / SUBPIXEL - self.region[0]) * self.scale - 0.5, (point[1] / SUBPIXEL - self.region[1]) * self.scale - 0.5

    def at(self, u: float, v: float, out: float = 0, least: int = 0) -> tuple[float, float]:
        """A point on the head's skin, or `out` units off it."""
        return self.here(locate(self.head, int(u), int(v), int(out), least))

    def side(self, v: int, side: int, out: int = 0) -> tuple[float, float]:
        """A point of the head's outline."""
        return self.here(edge(self.head, v, side, out))

    def below(self, x: float, y: float) -> tuple[float, float]:
        """A point of the body, in units from the head's middle; a body does not tilt with its head."""
        cx, cy = self.here(self.head.center)
        return cx + x * self.unit, cy + y * self.unit

    def faces_us(self, u: int) -> bool:
        """Whether what sits at this longitude is on the near side of the head."""
        return abs(u + self.head.yaw) < 84

    def polygon(self, points: list, colour: Colour) -> None:
        """A filled outline, in canvas pixels as `at` and `below` give them."""
        self._colours.polygon(points, fill=colour)
        self._cover.polygon(points, fill=255)

    def line(self, points: list, width: float, colour: Colour) -> None:
        """A line `width` units thick."""
        thick = max(round(width * self.unit), 1)
        self._colours.line(points, fill=colour, width=thick, joint="curve" if thick > 2 else None)
        self._cover.line(points, fill=255, width=thick)

    def disc(self, point: tuple[float, float], rx: float, ry: float, colour: Colour) -> None:
        """An ellipse, its radii in units."""
        x, y = point
        box = (x - rx * self.unit, y - ry * self.unit, x + rx * self.unit, y + ry * self.unit)
        self._colours.ellipse(box, fill=colour)
        self._cover.ellipse(box, fill=255)

    def lay(self, picture: Image.Image, light: Image.Image) -> None:
        """Put what was drawn into the picture, under a light (a grey picture of the region's size, 255 is full light)."""
        colours = ImageChops.multiply(self.image.reduce(self.scale), Image.merge("RGB", [light] * 3))
        picture.paste(colours, self.region[:2], self.alpha.reduce(self.scale))
