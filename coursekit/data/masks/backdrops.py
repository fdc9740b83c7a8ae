"""What is behind the people: a street, a hall, a room, a wall or a photograph without anybody in it."""

from PIL import Image, ImageDraw

from coursekit.data.signs.backdrops import backdrop as outdoors
from coursekit.data.signs.geometry import Dice
from coursekit.data.signs.textures import cut, noise, photo, texture, tint

EMPTY_PHOTOS = (0, 0, 2, 2, 3, 3, 5, 7)  # places in signs.textures.PHOTO_WEIGHTS: those without a face
_PAINT = ((206, 200, 186), (222, 220, 214), (178, 190, 196), (188, 196, 180), (210, 188, 170), (150, 158, 168), (196, 176, 150))
_FLOORS = (
    ((70, 52, 38), (170, 130, 96)),
    ((110, 110, 112), (190, 190, 188)),
    ((90, 84, 78), (206, 200, 190)),
    ((60, 66, 78), (130, 138, 150)),
)


def backdrop(dice: Dice, setting: str, size: int, horizon: int) -> Image.Image:
    """An RGB picture of `size` x `size` pixels.

    Args:
        dice: where chance comes from.
        setting: one of `plan.SETTINGS`.
        size: side in pixels.
        horizon: row of the horizon, the height of the eyes of people who stand.
    """
    if setting == "photo":
        picture = cut(dice, photo(dice.pick(EMPTY_PHOTOS)), size, size, dice.between(62, 150))
        return picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if dice.chance(50) else picture
    if setting in ("street", "wall"):
        return outdoors(dice, setting, size, horizon)
    return {"hall": _hall, "room": _room}[setting](dice, size, horizon)


def _surface(dice: Dice, width: int, height: int, colour, depth: int = 26) -> Image.Image:
    """A painted surface with uneven light."""
    dark, light = tuple(max(c - depth, 0) for c in colour), tuple(min(c + depth, 255) for c in colour)
    return tint(cut(dice, noise(dice.pick(("cloud", "stain"))), width, height, dice.between(60, 120)), dark, light)


def _room(dice: Dice, size: int, horizon: int) -> Image.Image:
    """A wall seen from ahead with what hangs and stands there, and a floor."""
    picture = _surface(dice, size, size, dice.pick(_PAINT))
    pen = ImageDraw.Draw(picture)
    foot = min(horizon + size * dice.between(26, 44) // 100, size - size // 12)
    for _ in range(dice.between(0, 3)):
        x, y = dice.between(-size // 8, size), dice.between(0, horizon)
        w, h = size * dice.between(12, 34) // 100, size * dice.between(12, 34) // 100
        pen.rectangle((x - 2, y - 2, x + w + 2, y + h + 2), fill=dice.pick(((60, 50, 44), (240, 240, 238), (120, 110, 96))))
        kind = dice.weighted((40, 30, 30))
        if kind == 0:  # a picture on the wall
            picture.paste(cut(dice, photo(dice.pick(EMPTY_PHOTOS)), w, h, dice.between(70, 200)), (x, y))
        elif kind == 1:  # a window
            picture.paste(tint(cut(dice, noise("cloud"), w, h, 100), (150, 180, 206), (244, 248, 250)), (x, y))
            pen.line([(x + w // 2, y), (x + w // 2, y + h)], fill=(236, 236, 234), width=max(size // 100, 1))
            pen.line([(x, y + h // 2), (x + w, y + h // 2)], fill=(236, 236, 234), width=max(size // 100, 1))
        else:  # shelves
            pen.rectangle((x, y, x + w, y + h), fill=(96, 74, 56))
            for top in range(y + 2, y + h - 4, max(h // 3, 6)):
                book = x + 2
                while book < x + w - 4:
                    wide = dice.between(2, 6) * size // 256 + 1
                    tone = dice.pick((*_PAINT, (120, 40, 40), (40, 60, 100), (50, 90, 60)))
                    pen.rectangle((book, top + dice.below(3), book + wide - 1, top + max(h // 3, 6) - 4), fill=tone)
                    book += wide
    floor = tint(cut(dice, texture("gravel") if dice.chance(30) else noise("stain"), size, size - foot, 80), *dice.pick(_FLOORS))
    picture.paste(floor, (0, foot))
    pen.rectangle((0, foot - max(size // 80, 1), size, foot), fill=dice.pick(((236, 234, 228), (90, 70, 56), (60, 60, 62))))
    return picture


def _hall(dice: Dice, size: int, horizon: int) -> Image.Image:
    """A corridor or a station: floor, ceiling and two walls that run to one point, lamps above, doors at the sides."""
    scale = 2
    wall, ceiling = dice.pick(_PAINT), dice.pick(((236, 236, 234), (200, 204, 206), (150, 150, 152)))
    vanish = (size * dice.between(25, 75) // 100 * scale, horizon * scale)
    big = Image.new("RGB", (size * scale, size * scale), wall)
    pen = ImageDraw.Draw(big)
    side = size * scale
    reach = dice.between(10, 26)  # percent of the way that is left at the far end

    def toward(x, y, near):  # percent of the way out from the vanishing point
        return vanish[0] + (x - vanish[0]) * near // 100, vanish[1] + (y - vanish[1]) * near // 100

    low, high = side * dice.between(105, 150) // 100, -side * dice.between(5, 60) // 100
    left, right = -side * dice.between(0, 40) // 100, side * dice.between(100, 140) // 100
    corners = {name: (x, y) for name, x, y in (("a", left, high), ("b", right, high), ("c", right, low), ("d", left, low))}
    far = {name: toward(*point, reach) for name, point in corners.items()}
    shade = dice.between(78, 92)
    pen.polygon([corners["a"], corners["b"], far["b"], far["a"]], fill=ceiling)
    pen.polygon([corners["b"], corners["c"], far["c"], far["b"]], fill=tuple(c * shade // 100 for c in wall))
    dark, light = dice.pick(_FLOORS)
    pen.polygon([corners["d"], corners["c"], far["c"], far["d"]], fill=tuple((a + b) // 2 for a, b in zip(dark, light, strict=True)))
    end = dice.between(60, 118)
    pen.polygon([far["a"], far["b"], far["c"], far["d"]], fill=tuple(c * end // 100 for c in wall))
    middle, door = (left + right) // 2, dice.pick(((110, 84, 60), (80, 92, 110), (160, 160, 160), (60, 62, 66)))
    for near in (20, 32, 52, 84):
        lamp = [
            toward(middle + dx, high, n)
            for n, dx in ((near, -side // 8), (near, side // 8), (near * 5 // 4, side // 8), (near * 5 // 4, -side // 8))
        ]
        pen.polygon(lamp, fill=(255, 254, 246))
        pen.line([toward(left, low, near), toward(right, low, near)], fill=tuple(c * 5 // 6 for c in dark), width=scale)
        for x in (left, right):
            if dice.chance(55):
                top = vanish[1] - (vanish[1] - high) * 45 // 100
                pen.polygon(
                    [toward(x, top, near), toward(x, low, near), toward(x, low, near * 6 // 5), toward(x, top, near * 6 // 5)], fill=door
                )
    for name in "abcd":
        pen.line([corners[name], far[name]], fill=tuple(c * 3 // 5 for c in wall), width=scale)
    picture = big.reduce(scale)
    grain = cut(dice, noise("stain"), size, size, dice.between(60, 120)).point([196 + v * 60 // 256 for v in range(256)])
    return Image.composite(picture, Image.new("RGB", picture.size, (20, 20, 24)), grain)
