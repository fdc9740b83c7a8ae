"""Draws one person: body, head, hair, what they wear. Chance comes from the person's own number: they look the same wherever they stand."""

from coursekit.data.masks.pen import Colour, Pen, mix, rounded, shade
from coursekit.data.masks.plan import Person
from coursekit.data.masks.wear import draw_decoy, draw_mask
from coursekit.data.signs.geometry import Dice

SKINS = (
    *((252, 220, 196), (244, 208, 180), (236, 194, 160), (226, 178, 138), (212, 160, 118), (192, 136, 96)),
    *((166, 112, 76), (134, 88, 58), (104, 68, 46), (78, 52, 38)),
)
HAIRS = (
    *((24, 20, 20), (30, 24, 22), (44, 32, 26), (62, 42, 30), (92, 60, 38), (126, 84, 48), (176, 132, 78), (206, 170, 112)),
    *((150, 150, 150), (206, 206, 204), (122, 54, 30)),
)
CLOTHES = (
    *((40, 46, 62), (60, 64, 70), (196, 200, 204), (236, 236, 232), (130, 40, 46), (52, 84, 120), (80, 110, 84), (202, 172, 120)),
    *((30, 30, 34), (150, 84, 60), (92, 72, 112), (210, 120, 130), (100, 150, 170), (222, 196, 90)),
)
TROUSERS = ((44, 52, 76), (36, 36, 40), (90, 84, 76), (120, 110, 92), (70, 80, 100))
HEADWEAR = ("cap", "beanie", "brim", "veil", "helmet")
CUTS = ("short", "fringe", "long", "bob", "afro", "bald", "bun", "parted")


def draw_person(pen: Pen, person: Person) -> None:
    """All of a person, from back to front."""
    dice = Dice(4, person.looks)
    skin = tuple(max(min(c + dice.between(-8, 8), 255), 0) for c in dice.pick(SKINS))
    hair = dice.pick(HAIRS[:5] if sum(skin) < 420 and dice.chance(85) else HAIRS)
    cut = dice.pick(CUTS)
    hat = HEADWEAR[dice.weighted((30, 26, 14, 22, 8))] if dice.chance(person.dressed) else ""
    glasses, beard = dice.chance(person.dressed), cut in ("short", "bald", "parted") and dice.chance(person.dressed)
    cloth = dice.pick(CLOTHES)
    if cut in ("long", "bob") and hat != "veil":
        _hair_behind(pen, hair, cut)
    if person.wear == "collar":
        cloth = shade(cloth, 96)
    _body(pen, Dice(5, person.looks), skin, cloth)
    if hat == "veil":
        _veil_behind(pen, veil := dice.pick(CLOTHES))
    _skull(pen, skin, hair if cut not in ("bald",) else skin, hat == "veil")
    _features(pen, Dice(6, person.looks), skin, hair)
    if beard:
        _beard(pen, hair, skin, full=dice.chance(70))
    if cut != "bald" and hat != "veil":
        _hair(pen, hair, cut, bool(hat))
    if cut not in ("long", "bob") and hat != "veil":
        _ears(pen, skin)
    _worn(pen, person, skin)
    if hat == "veil":
        _veil(pen, veil)
    elif hat:
        _hat(pen, dice, hat)
    if glasses:
        _glasses(pen, dice)
    if person.wear == "hand":
        draw_decoy(pen, Dice(7, person.looks), "hand", skin)


def _worn(pen: Pen, person: Person, skin: Colour) -> None:
    dice = Dice(7, person.looks)
    if person.wear in ("scarf", "collar"):
        draw_decoy(pen, dice, person.wear, skin)
    elif person.wear and person.wear != "hand":
        draw_mask(pen, dice, person.wear)


def _body(pen: Pen, dice: Dice, skin: Colour, cloth: Colour) -> None:
    below, legs = pen.below, dice.pick(TROUSERS)
    if pen.region[3] > pen.head.center[1] // 64 + 8 * pen.head.half // 64:  # hips and legs are in the picture
        pen.polygon(
            [below(-92, 520), below(92, 520), below(84, 1290), below(16, 1290), below(2, 640), below(-16, 1290), below(-84, 1290)], legs
        )
        for side in (-1, 1):
            pen.polygon([below(side * 14, 1280), below(side * 88, 1280), below(side * 98, 1330), below(side * 14, 1330)], (36, 32, 30))
            pen.disc(below(side * 158, 566), 24, 34, skin)
    shoulder = dice.between(132, 158)
    outline = [(-44, 128), (44, 128), (112, 146), (shoulder, 176), (178, 330), (182, 540), (134, 548), (116, 380), (110, 560)]
    pen.polygon(rounded([below(x, y) for x, y in [*outline, *((-x, y) for x, y in reversed(outline))]]), cloth)
    for side in (-1, 1):
        pen.line([below(side * 118, 260), below(side * 114, 400)], 4, shade(cloth, 76))
    style = dice.below(5)
    neck = shade(skin, 84)
    pen.polygon([below(-38, 60), below(38, 60), below(44, 136), below(0, 160), below(-44, 136)], neck)
    pen.polygon([below(-36, 70), below(36, 70), below(34, 112), below(0, 128), below(-34, 112)], shade(skin, 68))
    if style == 0:  # a shirt with a collar, perhaps a tie
        pen.polygon([below(-46, 118), below(-4, 168), below(-40, 184)], mix(cloth, (255, 255, 255), 30))
        pen.polygon([below(46, 118), below(4, 168), below(40, 184)], mix(cloth, (255, 255, 255), 30))
        pen.line([below(0, 168), below(0, 540)], 3, shade(cloth, 80))
    elif style == 1:  # a jacket over a shirt
        inner = dice.pick(CLOTHES)
        pen.polygon([below(-40, 134), below(0, 156), below(40, 134), below(26, 330), below(0, 400), below(-26, 330)], inner)
        pen.line([below(-42, 134), below(-14, 390), below(0, 420), below(14, 390), below(42, 134)], 7, shade(cloth, 72))
    elif style == 2:  # stripes
        stripe = dice.pick(CLOTHES)
        for y in range(200, 520, 46):
            pen.line([below(-108, y), below(0, y + 8), below(108, y)], 14, stripe)
    elif style == 3:  # a hood that hangs behind
        pen.line([below(-62, 140), below(-30, 172), below(0, 182), below(30, 172), below(62, 140)], 18, shade(cloth, 86))


def _skull(pen: Pen, skin: Colour, back: Colour, veiled: bool) -> None:
    """The whole head in the colour of its hair where it has any, then the face on it."""
    heights = (-104, -92, -75, -50, -25, 0, 30, 55, 75, 90, 98)
    shape = [pen.side(v, -1) for v in reversed(heights)] + [pen.at(0, -112)] + [pen.side(v, 1) for v in heights]
    if not veiled:
        pen.polygon(rounded([*shape, pen.at(0, 104)]), skin)
        if pen.head.yaw and back != skin:  # behind the ear there is hair
            side = -1 if pen.head.yaw > 0 else 1
            ear = [pen.at(side * 88, v) for v in (-60, -20, 10, 34)]
            pen.polygon(rounded([*ear, *(pen.side(v, side, 2) for v in (44, 20, 0, -30, -60))]), back)
    face = [pen.at(-86, v) for v in (98, 90, 75, 55, 30, 0, -25, -60)]
    face += [pen.at(0, -80), *(pen.at(86, v) for v in (-60, -25, 0, 30, 55, 75, 90, 98))]
    pen.polygon(rounded([*face, pen.at(0, 103, 0, 2)]), skin)


def _features(pen: Pen, dice: Dice, skin: Colour, hair: Colour) -> None:
    """Cheeks, eyes, brows, nose and mouth; what has turned away is left out."""
    at, dark = pen.at, shade(skin, 66)
    brow = shade(hair, 80) if sum(hair) < 480 else shade(hair, 70)
    iris = dice.pick(((50, 34, 24), (44, 30, 22), (40, 28, 22), (70, 96, 120), (86, 100, 60))[: 5 if sum(skin) > 480 else 3])
    narrow = dice.between(4, 7)
    for side in (-1, 1):
        u = 27 * side
        if not pen.faces_us(u):
            continue
        pen.disc(at(u, -11), 15, 11, shade(skin, 90))
        lid = [at(u - 15, -13), at(u - 6, -14 - narrow), at(u + 6, -14 - narrow), at(u + 15, -13)]
        pen.polygon([*lid, at(u + 6, -9), at(u - 6, -9)], (244, 242, 238))
        pen.disc(at(u + dice.between(-3, 3), -13), 5, 5, iris)
        pen.line(lid, 3.4, (34, 26, 24))
        pen.line([at(u - 17, -29 - 2 * (side > 0)), at(u, -35), at(u + 17, -29 - 2 * (side < 0))], 5, brow)
    far = 1 if pen.head.yaw > 0 else -1
    pen.polygon([at(0, -18, 5), at(-far * 15, 33, 4), at(0, 40, 14), at(far * 3, 30, 18)], shade(skin, 90))
    pen.polygon([at(far * 3, -18, 5), at(0, 34, 20), at(far * 14, 34, 5)], shade(skin, 82))
    pen.line([at(0, -8, 7), at(0, 27, 18)], 5, mix(skin, (255, 255, 255), 26))
    for side in (-1, 1):
        pen.disc(at(7 * side, 38, 12), 4, 2.6, shade(skin, 45))
    lips = mix(skin, dice.pick(((170, 60, 66), (150, 70, 70), (180, 50, 60))), 55)
    smile = dice.between(-3, 5)
    ends = [at(-24, 60 - smile, 3), at(24, 60 - smile, 3)]
    upper = [ends[0], at(-8, 55, 4), at(0, 57, 5), at(8, 55, 4), ends[1]]
    lower = [at(12, 68, 4), at(0, 71, 4), at(-12, 68, 4)]
    pen.polygon([*upper, *lower], lips)
    if dice.chance(25):
        pen.polygon([ends[0], at(0, 61, 4), ends[1], at(0, 65, 4)], (240, 236, 228))
    pen.line([ends[0], at(0, 62 + smile // 2, 4), ends[1]], 2.4, shade(dark, 62))
    pen.line([at(-10, 82, 2), at(10, 82, 2)], 2, shade(skin, 86))


def _beard(pen: Pen, hair: Colour, skin: Colour, full: bool) -> None:
    """Around the mouth, and on chin and jaw; a moustache alone where it is not full."""
    at, colour = pen.at, mix(hair, skin, 18)
    pen.polygon(
        rounded([at(-30, 58, 4), at(-22, 46, 5), at(0, 44, 6), at(22, 46, 5), at(30, 58, 4), at(14, 54, 5), at(-14, 54, 5)]), colour
    )
    if full:
        jaw = [
            at(-82, 6, 2),
            at(-60, 44, 2),
            at(-30, 54, 3),
            at(-24, 70, 3),
            at(0, 76, 4),
            at(24, 70, 3),
            at(30, 54, 3),
            at(60, 44, 2),
            at(82, 6, 2),
        ]
        pen.polygon([*jaw, at(84, 60, 3), at(60, 92, 4), at(0, 112, 6, 22), at(-60, 92, 4), at(-84, 60, 3)], colour)


def _ears(pen: Pen, skin: Colour) -> None:
    for side in (-1, 1):
        if abs(88 * side + pen.head.yaw) <= 100:
            x, y = pen.at(side * 88, 6, 4)
            wide = 7 + abs(pen.head.yaw) // 6
            pen.disc((x, y), wide, 20, shade(skin, 92))
            pen.disc((x, y), wide * 0.5, 12, shade(skin, 74))


def _hair_behind(pen: Pen, hair: Colour, cut: str) -> None:
    below, low = pen.below, 190 if cut == "long" else 104
    shape = [(-70, -80), (0, -118), (70, -80), (90, 0), (94, low - 40), (70, low), (-70, low), (-94, low - 40), (-90, 0)]
    pen.polygon(rounded([below(*point) for point in shape]), shade(hair, 82))


def _hair(pen: Pen, hair: Colour, cut: str, covered: bool) -> None:
    """From the hairline up and back to the head's outline."""
    at, out = pen.at, {"afro": 30, "short": 5, "fringe": 8, "bun": 6}.get(cut, 8)
    if covered:
        out = min(out, 8)
    low = {"long": 96, "bob": 74, "fringe": 14, "afro": 20}.get(cut, 4)
    line = {
        "fringe": [(-74, -30), (-50, -34), (-16, -38), (20, -36), (50, -34), (74, -30)],
        "parted": [(-76, -34), (-52, -62), (-22, -78), (10, -56), (44, -44), (74, -28)],
        "long": [(-72, -20), (-48, -52), (-8, -78), (8, -78), (48, -52), (72, -20)],
    }.get(cut, [(-76, -34), (-56, -58), (-24, -68), (24, -68), (56, -58), (76, -34)])
    right = [pen.side(v, 1, out) for v in range(min(low, 20), -90, -16)]
    left = [pen.side(v, -1, out) for v in range(-86, min(low, 20) + 1, 16)]
    inner = [at(-80, min(low, 12)), at(-80, -10), *(at(u, v, 1) for u, v in line), at(80, -10), at(80, min(low, 12))]
    pen.polygon([*inner, *right, at(28, -108, out), at(0, -112, out), at(-28, -108, out), *left], hair)
    if cut in ("long", "bob"):  # locks beside the cheeks
        for side in (-1, 1):
            lock = [at(side * 74, -24, 2), at(side * 70, 30, 4), at(side * 76, low, 4, 50), pen.side(low, side, 16), pen.side(0, side, out)]
            pen.polygon(rounded(lock), hair)
    if cut == "bun" and not covered:
        pen.disc(pen.at(0, -122, 10), 30, 24, shade(hair, 92))
    for u in (-44, -14, 16, 46):
        pen.line([at(u, -72, 3), at(u * 0.8, -90, out), at(u * 0.5, -104, out)], 2.4, mix(hair, (255, 240, 220), 14))


def _veil_behind(pen: Pen, colour: Colour) -> None:
    below = pen.below
    shape = [(-74, -90), (0, -128), (74, -90), (94, -10), (92, 80), (128, 160), (110, 240), (-110, 240), (-128, 160), (-92, 80), (-94, -10)]
    pen.polygon(rounded([below(*point) for point in shape]), shade(colour, 88))


def _veil(pen: Pen, colour: Colour) -> None:
    """Cloth around the face: its inner edge leaves the face free from brow to chin."""
    at, below = pen.at, pen.below
    inner = [at(-70, 92, 3), at(-80, 40, 3), at(-80, -20, 2), at(-56, -56, 2), at(0, -66, 2), at(56, -56, 2), at(80, -20, 2), at(80, 40, 3)]
    inner += [at(70, 92, 3)]
    outer = [below(70, 150), pen.side(60, 1, 18), pen.side(0, 1, 16), pen.side(-50, 1, 16), pen.side(-90, 1, 14), at(0, -114, 14)]
    outer += [pen.side(-90, -1, 14), pen.side(-50, -1, 16), pen.side(0, -1, 16), pen.side(60, -1, 18), below(-70, 150)]
    pen.polygon([*inner, *outer], colour)
    pen.polygon(rounded([at(-70, 92, 3), at(0, 108, 2), at(70, 92, 3), below(78, 170), below(0, 214), below(-78, 170)]), colour)
    pen.line([below(-60, 150), below(0, 176), below(64, 140)], 4, shade(colour, 78))
    pen.line(inner, 2.4, shade(colour, 72))


def _hat(pen: Pen, dice: Dice, hat: str) -> None:
    at, colour = pen.at, dice.pick(CLOTHES)
    low = -46 if hat == "beanie" else -52
    right = [pen.side(v, 1, 10) for v in range(low, -100, -16)]
    left = [pen.side(v, -1, 10) for v in range(-100, low + 1, 16)]
    front = [at(u, low - (4 if abs(u) < 40 else 0), 5) for u in (-80, -50, -20, 20, 50, 80)]
    pen.polygon([*front, *right, at(30, -112, 12), at(0, -116, 12), at(-30, -112, 12), *left], colour)
    if hat == "cap":
        visor = [
            at(-46, low + 2, 6),
            at(-40, low + 12, 40),
            at(0, low + 16, 52),
            at(40, low + 12, 40),
            at(46, low + 2, 6),
            at(0, low - 4, 6),
        ]
        pen.polygon(rounded(visor), shade(colour, 72))
    elif hat == "beanie":
        pen.line(front, 20, shade(colour, 84))
        for u in (-60, -30, 0, 30, 60):
            pen.line([at(u, low - 8, 8), at(u * 0.7, -100, 12)], 2, shade(colour, 84))
    elif hat == "brim":
        x, y = at(0, low, 0)
        pen.disc((x, y), 128, 22, shade(colour, 84))
        pen.polygon(
            [*(at(u, low - 4, 8) for u in (-84, -40, 0, 40, 84)), *(at(u, low - 18, 8) for u in (84, 40, 0, -40, -84))], shade(colour, 60)
        )
    else:  # a worker's helmet
        x, y = at(0, low - 2, 0)
        pen.disc((x, y), 92, 12, shade(colour, 88))
        pen.line([at(0, low - 6, 14), at(0, -112, 16)], 12, mix(colour, (255, 255, 255), 30))


def _glasses(pen: Pen, dice: Dice) -> None:
    at, frame, sun = pen.at, dice.pick(((30, 28, 30), (60, 40, 30), (130, 130, 134), (150, 40, 50))), dice.chance(30)
    for side in (-1, 1):
        u = 27 * side
        if not pen.faces_us(u):
            continue
        rim = rounded([at(u - 18, -26, 8), at(u + 18, -26, 8), at(u + 17, 4, 8), at(u, 8, 8), at(u - 17, 4, 8)])
        if sun:
            pen.polygon(rim, (40, 40, 46))
            pen.line([at(u - 8, -20, 8), at(u + 4, -20, 8)], 3, (120, 124, 134))
        pen.line([*rim, rim[0]], 3, frame)
    pen.line([at(-9, -14, 10), at(9, -14, 10)], 3, frame)
    for side in (-1, 1):
        pen.line([at(side * 46, -16, 8), at(side * 84, -10, 4)], 3, frame)
