"""What is behind the signs: a street, a wall, a hedge, or a photograph."""

from PIL import Image, ImageChops, ImageDraw

from coursekit.data.signs.geometry import Dice
from coursekit.data.signs.textures import PHOTO_WEIGHTS, cut, noise, photo, texture, tint

_SKIES = (  # zenith, horizon
    ((70, 120, 190), (190, 212, 232)),
    ((96, 146, 206), (222, 230, 236)),
    ((150, 158, 168), (206, 210, 214)),
    ((188, 192, 196), (228, 228, 226)),
    ((98, 106, 134), (236, 196, 160)),
)
_LEAVES = (((12, 26, 10), (120, 150, 70)), ((20, 34, 12), (150, 160, 80)), ((34, 30, 12), (170, 140, 70)), ((10, 24, 18), (90, 130, 90)))
_WALLS = (
    ((70, 34, 24), (206, 130, 100)),
    ((84, 74, 64), (220, 204, 180)),
    ((60, 62, 66), (196, 198, 200)),
    ((110, 84, 48), (236, 206, 150)),
)
_STONE = (((60, 60, 62), (176, 172, 166)), ((70, 62, 50), (190, 176, 150)), ((84, 84, 86), (160, 160, 158)))
_GRASS = (((26, 44, 12), (150, 170, 90)), ((50, 50, 20), (186, 176, 110)), ((40, 54, 26), (140, 160, 100)))


def backdrop(dice: Dice, setting: str, size: int, horizon: int) -> Image.Image:
    """An RGB picture of `size` x `size` pixels.

    Args:
        dice: where chance comes from.
        setting: "street", "wall", "hedge" or "photo".
        size: side in pixels.
        horizon: row of the horizon, used by the street.
    """
    return {"street": _street, "wall": _wall, "hedge": _hedge, "photo": _photo}[setting](dice, size, horizon)


def _photo(dice: Dice, size: int, horizon: int) -> Image.Image:
    picture = cut(dice, photo(dice.weighted(PHOTO_WEIGHTS)), size, size, dice.between(62, 150))
    return picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if dice.chance(50) else picture


def _stained(dice: Dice, picture: Image.Image, strength: int) -> Image.Image:
    """Uneven light and dirt over a surface."""
    stain = cut(dice, noise(dice.pick(("cloud", "stain"))), *picture.size, 60 + dice.below(120))
    stain = stain.point([255 - (255 - v) * strength // 255 for v in range(256)])
    return ImageChops.multiply(picture, Image.merge("RGB", [stain] * 3))


def _wall(dice: Dice, size: int, horizon: int) -> Image.Image:
    surface = dice.pick((texture("brick"), texture("brick"), noise("stain"), texture("gravel")))
    picture = tint(cut(dice, surface, size, size, dice.between(60, 180)), *dice.pick(_WALLS))
    picture = _stained(dice, picture, dice.between(60, 160))
    if dice.chance(55):  # the wall stands on something
        foot = dice.between(size * 70 // 100, size * 92 // 100)
        picture.paste(_ground(dice, size, size - foot), (0, foot))
    return picture


def _hedge(dice: Dice, size: int, horizon: int) -> Image.Image:
    picture = tint(cut(dice, noise("leaf"), size, size, dice.between(60, 160)), *dice.pick(_LEAVES))
    picture = _stained(dice, picture, dice.between(80, 220))
    if dice.chance(50):
        foot = dice.between(size * 60 // 100, size * 92 // 100)
        picture.paste(_ground(dice, size, size - foot), (0, foot))
    return picture


def _ground(dice: Dice, width: int, height: int) -> Image.Image:
    """Grass or gravel, half as high as it is flat: seen at a slant."""
    grass = dice.chance(60)
    surface = texture("grass") if grass else dice.pick((texture("gravel"), noise("asphalt"), noise("stain")))
    flat = cut(dice, surface, width, 2 * height, dice.between(60, 120)).resize((width, height), Image.Resampling.BOX)
    return tint(flat, *dice.pick(_GRASS if grass else _STONE))


def _sky(dice: Dice, width: int, height: int) -> Image.Image:
    zenith, low = dice.pick(_SKIES)
    column = Image.new("RGB", (1, 2))
    column.putpixel((0, 0), zenith)
    column.putpixel((0, 1), low)
    sky = column.resize((width, height), Image.Resampling.BILINEAR, box=(0, 0.5, 1, 1.5))
    floor = dice.between(90, 150)
    clouds = cut(dice, noise("cloud"), width, height, dice.between(70, 200)).point([min(max(v - floor, 0) * 3, 230) for v in range(256)])
    sky.paste((240, 240, 240), (0, 0), clouds)
    return sky


def _treeline(dice: Dice, picture: Image.Image, horizon: int, tallest: int) -> None:
    """Trees or hills that stand on the horizon: the outline is a row of noise."""
    width = picture.width
    soft = dice.chance(40)
    row = cut(dice, noise("cloud" if soft else "stain"), width, 1, dice.between(60, 160)).tobytes()
    base = dice.between(tallest // 6, tallest // 2)
    tops = [horizon - base - max(v - 100, 0) * tallest // 160 for v in row]
    top = max(min(tops), 0)
    mask = Image.new("L", (width, horizon + 2 - top), 0)
    ImageDraw.Draw(mask).polygon([(0, mask.height), *((x, y - top) for x, y in enumerate(tops)), (width - 1, mask.height)], fill=255)
    haze = dice.between(0, 45)
    colours = [[c + (air - c) * haze // 100 for c, air in zip(ends, (180, 190, 200), strict=True)] for ends in dice.pick(_LEAVES)]
    picture.paste(tint(cut(dice, noise("leaf"), *mask.size, dice.between(90, 220)), *colours), (0, top), mask)


def _house(dice: Dice, picture: Image.Image, horizon: int) -> None:
    """A front with rows of windows."""
    size = picture.width
    width, height = dice.between(size * 20 // 100, size * 55 // 100), dice.between(size * 22 // 100, size * 60 // 100)
    x = dice.pick((dice.between(-width // 2, size // 5), dice.between(size * 3 // 5, size - width // 4)))
    surface = dice.pick((texture("brick"), noise("stain"), noise("cloud")))
    front = tint(cut(dice, surface, width, height, dice.between(50, 80)), *dice.pick(_WALLS))
    pen = ImageDraw.Draw(front)
    step_x, step_y = dice.between(16, 30) * size // 256, dice.between(22, 34) * size // 256
    glass = dice.pick(((60, 70, 84), (110, 126, 140), (40, 44, 50)))
    for top in range(step_y // 3, height - step_y // 2, step_y):
        for left in range(step_x // 3, width - step_x // 2, step_x):
            right, bottom = left + step_x * 55 // 100, top + step_y * 62 // 100
            shade = dice.between(-16, 30)
            pen.rectangle((left - 1, top - 1, right + 1, bottom + 1), fill=(196, 192, 184))
            pen.rectangle((left, top, right, bottom), fill=tuple(c + shade for c in glass))
    picture.paste(front, (x, horizon - height + dice.between(1, 4)))


def _wires(dice: Dice, picture: Image.Image, horizon: int) -> None:
    """Utility poles that get smaller with distance, and the wires between them."""
    size, side = picture.width, dice.pick((-1, 1))
    dark = (dice.between(40, 80),) * 3
    pen = ImageDraw.Draw(picture)
    x, height, before = size // 2 + side * size * dice.between(30, 60) // 100, size * dice.between(55, 110) // 100, None
    while height > size // 12:
        top = horizon + height // 12 - height
        pen.line([(x, top), (x, horizon + height // 12)], fill=dark, width=max(height // 40, 1))
        pen.line([(x - height // 9, top + height // 14), (x + height // 9, top + height // 14)], fill=dark, width=max(height // 60, 1))
        for reach in (-9, 9):
            end = (x + height // reach, top + height // 14)
            if before:
                start = (before[0] + before[1] // reach, before[2])
                sag = ((start[0] + end[0]) // 2, (start[1] + end[1]) // 2 + height // 16)
                pen.line([start, sag, end], fill=dark)
        before = (x, height, top + height // 14)
        x, height = x - side * height * 28 // 100, height * 62 // 100


def _road(dice: Dice, picture: Image.Image, horizon: int) -> None:
    """Asphalt that runs to a vanishing point, with its lines."""
    size = picture.width
    vanish = dice.between(size // 5, size * 4 // 5)
    left, right = dice.between(-size // 2, size // 4), dice.between(size * 3 // 4, size * 3 // 2)
    grey = dice.between(60, 120)
    asphalt = cut(dice, noise("asphalt"), size, 2 * (size - horizon), dice.between(90, 150))
    asphalt = asphalt.resize((size, size - horizon), Image.Resampling.BOX)
    asphalt = tint(asphalt, (grey - 40,) * 3, (grey + 44, grey + 43, grey + 38))
    scale = 2  # drawn twice as large, so that slanting edges are smooth
    mask = Image.new("L", (size * scale, (size - horizon) * scale), 0)
    lines = Image.new("L", mask.size, 0)
    pen, lane = ImageDraw.Draw(mask), ImageDraw.Draw(lines)

    def at(x, depth):  # a point on the ground: x at the lower edge of the picture, depth 0 (near) to 100 (horizon)
        return ((x + (vanish - x) * depth / 100) * scale, mask.height * (100 - depth) / 100)

    pen.polygon([at(left, 0), at(left, 98), at(right, 98), at(right, 0)], fill=255)
    stripe = max((right - left) // 50, 2)
    inset = (right - left) // 20
    for x in (left + inset, right - inset):
        lane.polygon([at(x, 0), at(x, 96), at(x + stripe, 96), at(x + stripe, 0)], fill=200)
    centre = (left + right) // 2
    near = dice.between(0, 20)
    for _ in range(6):  # dashes get shorter with distance
        far = near + (100 - near) * 24 // 100
        lane.polygon([at(centre, near), at(centre, far), at(centre + stripe, far), at(centre + stripe, near)], fill=210)
        near = far + (100 - far) * 30 // 100
    asphalt.paste((222, 222, 216), (0, 0), lines.reduce(scale))
    picture.paste(asphalt, (0, horizon), mask.reduce(scale))


def _street(dice: Dice, size: int, horizon: int) -> Image.Image:
    picture = Image.new("RGB", (size, size))
    picture.paste(_sky(dice, size, horizon), (0, 0))
    picture.paste(_ground(dice, size, size - horizon), (0, horizon))
    _treeline(dice, picture, horizon, dice.between(size * 8 // 100, size * 40 // 100))
    for _ in range(dice.weighted((45, 35, 20))):
        _house(dice, picture, horizon)
    if dice.chance(40):
        _treeline(dice, picture, horizon, dice.between(size * 6 // 100, size * 22 // 100))
    if dice.chance(80):
        _road(dice, picture, horizon)
    if dice.chance(45):
        _wires(dice, picture, horizon)
    return picture
