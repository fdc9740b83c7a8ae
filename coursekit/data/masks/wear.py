"""What people have before their mouth: masks of several kinds, worn right or wrong, and what is no mask."""

from dataclasses import dataclass

from coursekit.data.masks.pen import Colour, Pen, mix, rounded, shade
from coursekit.data.signs.geometry import Dice

SURGICAL = (
    (150, 196, 224),
    (160, 206, 226),
    (132, 184, 214),
    (226, 234, 238),
    (240, 240, 240),
    (150, 210, 190),
    (232, 178, 192),
    (54, 54, 60),
)
CLOTH = (
    *((34, 34, 38), (30, 30, 34), (44, 60, 110), (120, 34, 44), (70, 96, 70), (196, 190, 178), (120, 122, 128), (230, 228, 222)),
    *((206, 120, 140), (90, 60, 120), (222, 180, 70)),
)
FFP2 = ((242, 242, 240), (242, 242, 240), (236, 236, 232), (44, 44, 48))
SCARVES = ((160, 44, 44), (120, 120, 126), (200, 180, 150), (60, 80, 120), (150, 190, 214), (70, 110, 80), (40, 40, 46), (226, 222, 214))
KINDS = ("surgical", "cloth", "pattern", "ffp2")


@dataclass(frozen=True)
class Fit:
    """Where a mask sits: heights of its upper and lower edge in the middle and at the sides, and how far around it reaches in degrees."""

    top: int
    top_side: int
    bottom: int
    bottom_side: int
    around: int = 60


def _fit(dice: Dice, wear: str) -> Fit:
    if wear == "nose":
        return Fit(dice.between(42, 48), dice.between(34, 44), dice.between(106, 114), dice.between(74, 84))
    if wear == "chin":
        return Fit(dice.between(82, 92), dice.between(54, 66), dice.between(120, 134), dice.between(92, 104), 74)
    return Fit(dice.between(-13, 2), dice.between(8, 24), dice.between(102, 112), dice.between(62, 78), dice.between(54, 64))


class Sheet:
    """The cloth of a mask on a face: points by t (-1 left, 1 right) and s (0 upper edge, 1 lower edge).

    Args:
        pen: what draws.
        fit: where it sits.
        bulge: units that its middle stands off the skin, more than its sides.
    """

    def __init__(self, pen: Pen, fit: Fit, bulge: int):
        self.pen, self.fit, self.bulge = pen, fit, bulge

    def at(self, t: float, s: float) -> tuple[float, float]:
        fit = self.fit
        top = fit.top + (fit.top_side - fit.top) * t * t
        bottom = fit.bottom + (fit.bottom_side - fit.bottom) * t * t
        around = fit.around * (100 - 24 * (2 * s - 1) ** 2) / 100
        return self.pen.at(t * around, top + (bottom - top) * s, 4 + self.bulge * (1 - t * t) * (1 - (2 * s - 1) ** 2 * 0.6), least=40)

    def row(self, s: float) -> list:
        return [self.at(k / 5, s) for k in range(-5, 6)]

    def outline(self) -> list:
        right = [self.at(1, s) for s in (0.25, 0.5, 0.75)]
        left = [self.at(-1, s) for s in (0.75, 0.5, 0.25)]
        return rounded([*self.row(0), *right, *reversed(self.row(1)), *left])

    def patch(self, t: float, s: float, dt: float, ds: float) -> list:
        return [self.at(t - dt, s - ds), self.at(t + dt, s - ds), self.at(t + dt, s + ds), self.at(t - dt, s + ds)]


def draw_mask(pen: Pen, dice: Dice, wear: str) -> None:
    """A mask, worn right ("mask") or in one of the wrong ways.

    Args:
        pen: on the head.
        dice: where kind and colour come from.
        wear: "mask", "nose", "chin" or "ear".
    """
    kind = KINDS[dice.weighted((48, 20, 14, 18))]
    colour = dice.pick({"surgical": SURGICAL, "ffp2": FFP2}.get(kind, CLOTH))
    if wear == "ear":
        _hanging(pen, dice, colour)
        return
    sheet = Sheet(pen, _fit(dice, wear), 18 if kind == "ffp2" and wear == "mask" else 5)
    string = shade(colour, 78) if kind in ("cloth", "pattern") else (226, 226, 222)
    for side in (-1, 1):
        for s, v in ((0.06, -6), (0.94, 20)):
            pen.line([sheet.at(side, s), pen.at(side * 86, v, 2)], 2, string)
    pen.polygon(sheet.outline(), colour)
    {"surgical": _surgical, "cloth": _cloth, "pattern": _pattern, "ffp2": _ffp2}[kind](sheet, dice, colour)
    pen.line(sheet.row(1), 2, shade(colour, 72))


def _surgical(sheet: Sheet, dice: Dice, colour: Colour) -> None:
    """Three pleats, a wire over the nose, and pale side seams."""
    pen = sheet.pen
    pen.polygon([*sheet.row(0), *reversed(sheet.row(0.1))], mix(colour, (255, 255, 255), 35))
    for s in (0.32, 0.5, 0.68):
        pen.line(sheet.row(s), 2.6, shade(colour, 84))
        pen.line(sheet.row(s + 0.05), 2, mix(colour, (255, 255, 255), 22))


def _cloth(sheet: Sheet, dice: Dice, colour: Colour) -> None:
    """A seam down the middle, one side in the shade."""
    pen = sheet.pen
    half = [*(sheet.at(k / 4, 0) for k in range(5)), sheet.at(1, 0.5), *(sheet.at(k / 4, 1) for k in (4, 3, 2, 1, 0))]
    pen.polygon(half, shade(colour, 92))
    pen.line([sheet.at(0, s / 4) for s in range(5)], 2, shade(colour, 76))
    pen.line(sheet.row(0.06), 1.6, shade(colour, 80))


def _pattern(sheet: Sheet, dice: Dice, colour: Colour) -> None:
    """Dots, stripes or checks."""
    pen, other = sheet.pen, dice.pick(((240, 236, 226), (236, 200, 90), (200, 60, 70), (60, 60, 66)))
    style = dice.below(3)
    if style == 0:
        for row in range(5):
            for k in range(-4, 5):
                pen.disc(sheet.at((k + 0.5 * (row % 2)) / 5, (row + 0.5) / 5), 4, 4, other)
    elif style == 1:
        for s in (0.12, 0.36, 0.6, 0.84):
            pen.polygon([*sheet.row(s), *reversed(sheet.row(s + 0.11))], other)
    else:
        for row in range(4):
            for k in range(-3, 4):
                if (row + k) % 2:
                    pen.polygon(sheet.patch(k / 3.5, (row + 0.5) / 4, 0.14, 0.125), other)


def _ffp2(sheet: Sheet, dice: Dice, colour: Colour) -> None:
    """Stiff and pointed: a fold across or down the middle, a wire, perhaps a valve."""
    pen, dark = sheet.pen, shade(colour, 80) if sum(colour) > 300 else shade(colour, 150)
    if dice.chance(60):
        pen.polygon([*sheet.row(0.52), *reversed(sheet.row(1))], shade(colour, 91))
        pen.line(sheet.row(0.52), 2.4, dark)
    else:
        pen.polygon([*(sheet.at(k / 4, 0) for k in range(5)), *(sheet.at(k / 4, 1) for k in (4, 3, 2, 1, 0))], shade(colour, 90))
        pen.line([sheet.at(0, s / 4) for s in range(5)], 2.4, dark)
    pen.line([sheet.at(k / 10, 0.05) for k in range(-3, 4)], 3, shade(colour, 74))
    if dice.chance(30):
        middle = sheet.at(dice.pick((-0.45, 0.45)), 0.55)
        pen.disc(middle, 10, 10, shade(colour, 70))
        pen.disc(middle, 7, 7, shade(colour, 88))


def _hanging(pen: Pen, dice: Dice, colour: Colour) -> None:
    """From the ear that is turned to us, beside the cheek, with its pleats upright."""
    side = -1 if pen.head.yaw > 0 else 1
    x, y = pen.at(side * 86, 6)
    unit, swing = pen.unit, dice.between(-10, 14) * side

    def at(px, py):
        return x + (side * px + swing * py / 100) * unit, y + py * unit

    corners = [at(-14, 34), at(30, 30), at(36, 60), at(32, 112), at(-10, 116), at(-18, 70)]
    pen.line([at(0, -8), at(-14, 34)], 3, (226, 226, 222))
    pen.line([at(0, -8), at(30, 30)], 3, (226, 226, 222))
    pen.polygon(rounded(corners), colour)
    for px in (-4, 8, 20):
        pen.line([at(px, 36), at(px + 3, 74), at(px, 110)], 2.4, shade(colour, 82))
    pen.line([at(-10, 116), at(4, 150), at(32, 112)], 2.4, (226, 226, 222))


def draw_decoy(pen: Pen, dice: Dice, decoy: str, skin: Colour) -> None:
    """What is no mask: a "scarf", a "hand" before the mouth, or a "collar" of a mask's colour."""
    {"scarf": _scarf, "hand": _hand, "collar": _collar}[decoy](pen, dice, skin)


def _scarf(pen: Pen, dice: Dice, skin: Colour) -> None:
    colour, top = dice.pick(SCARVES), dice.between(58, 84)
    below = pen.below
    outline = [(-70, top - 16), (0, top), (70, top - 16), (98, 112), (94, 160), (0, 186), (-94, 160), (-98, 112)]
    pen.polygon(rounded([below(*point) for point in outline]), colour)
    for k in range(3):
        lift = 26 * (k + 1)
        curve = [below(-84, top - 8 + lift), below(-30, top + 8 + lift), below(30, top + 10 + lift), below(84, top - 8 + lift)]
        pen.line(curve, 4, shade(colour, 78))
    if dice.chance(60):
        x = dice.pick((-40, 40))
        pen.polygon([below(x - 24, 140), below(x + 24, 140), below(x + 30, 330), below(x - 22, 335)], shade(colour, 90))
        pen.line([below(x, 150), below(x + 4, 326)], 3, shade(colour, 74))
    if dice.chance(50):
        stripe = dice.pick(SCARVES)
        for k in range(-3, 4):
            pen.line([below(k * 26, top + 14), below(k * 27, 164)], 5, stripe)


def _hand(pen: Pen, dice: Dice, skin: Colour) -> None:
    side = dice.pick((-1, 1))
    x, y = pen.at(0, 62, 10)
    unit, tone = pen.unit, shade(skin, 92)

    def at(px, py):
        return x + side * px * unit, y + py * unit

    sleeve = dice.pick(SCARVES)
    pen.polygon([at(34, 30), at(62, 14), at(190, 280), at(110, 300)], tone)
    pen.polygon([at(58, 72), at(92, 56), at(196, 290), at(110, 310)], sleeve)
    pen.polygon(rounded([at(-34, -22), at(20, -30), at(56, -6), at(66, 26), at(34, 44), at(-20, 34), at(-40, 10)]), tone)
    for k in range(4):
        py = -24 + 15 * k
        pen.polygon(rounded([at(-46 + 3 * k, py), at(10, py - 6), at(14, py + 9), at(-44 + 3 * k, py + 12)]), mix(tone, (255, 240, 230), 6))
        pen.line([at(-44 + 3 * k, py + 12), at(14, py + 9)], 2, shade(skin, 70))


def _collar(pen: Pen, dice: Dice, skin: Colour) -> None:
    colour = dice.pick(SURGICAL)
    below, top = pen.below, dice.between(96, 108)
    pen.polygon([below(-50, top), below(0, top + 12), below(50, top), below(64, 152), below(0, 166), below(-64, 152)], colour)
    pen.line([below(-54, top + 22), below(0, top + 34), below(54, top + 22)], 3, shade(colour, 80))
    pen.line([below(-50, top), below(0, top + 12), below(50, top)], 3, shade(colour, 86))
