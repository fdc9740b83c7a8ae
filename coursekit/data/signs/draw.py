"""Colours a plan in: backdrop, signs and what hides them, then the camera's faults. Taught in 04_data and 11_augmentation.

Nothing here changes a label. Pixels may differ by 1 between machines, because Pillow warps and blurs in floats; the rest is whole numbers.
"""

import functools

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from coursekit.data.signs.backdrops import backdrop
from coursekit.data.signs.faces import prints
from coursekit.data.signs.geometry import SUBPIXEL, UNIT, Dice
from coursekit.data.signs.plan import Difficulty, Plan, Thing
from coursekit.data.signs.strokes import MARGIN
from coursekit.data.signs.textures import cut, grain, noise


def draw(plan: Plan, dice: Dice, difficulty: Difficulty) -> np.ndarray:
    """The picture of a plan.

    Args:
        plan: from `plan_scene` or `plan_crop`.
        dice: where chance comes from; another one than the plan's.
        difficulty: how bad light, lens and sensor are.

    Returns:
        (size, size, 3) uint8, RGB.
    """
    light, lens, sensor = (Dice(dice.below(1 << 60)) for _ in range(3))  # one each, so that turning one knob changes one thing
    picture = backdrop(dice, plan.setting, plan.size, plan.horizon)
    if plan.night:
        picture = picture.point([v * dim // 256 for dim in (50, 54, 68) for v in range(256)])
    canvas = np.array(picture)
    for thing in plan.things:
        if thing.homography is not None:
            _draw_face(canvas, thing, plan.night, difficulty.wear)
        elif thing.kind == "pole":
            _draw_pole(canvas, thing, plan.night)
        else:
            _draw_leaf(canvas, thing, plan.night)
    canvas = _lens(_light(canvas, light, difficulty), lens, difficulty)
    return _sensor(canvas, sensor, difficulty, plan.night)


def _region(polygon: np.ndarray, size: int, margin: int = 2):
    """The pixels about a polygon that lie on the canvas: (x1, y1, x2, y2), or None where there are none."""
    low, high = polygon.min(axis=0).tolist(), polygon.max(axis=0).tolist()
    x1, y1 = (min(max(v // SUBPIXEL - margin, 0), size) for v in low)
    x2, y2 = (min(max(v // SUBPIXEL + 1 + margin, 0), size) for v in high)
    return (x1, y1, x2, y2) if x1 < x2 and y1 < y2 else None


def _blend(canvas: np.ndarray, region, colour: np.ndarray, alpha: np.ndarray) -> None:
    """Lay a colour over a region of the canvas; colour is int32 0..255, alpha (h, w, 1) int32 0..255."""
    x1, y1, x2, y2 = region
    under = canvas[y1:y2, x1:x2].astype(np.int32)
    canvas[y1:y2, x1:x2] = under + ((colour - under) * (alpha + (alpha >> 7)) >> 8)


def _warp(thing: Thing, region) -> np.ndarray:
    """The face as the camera sees it: (h, w, 4) uint8."""
    x1, y1, x2, y2 = region
    width = int(np.ptp(thing.polygon, axis=0).max()) / SUBPIXEL
    pictures = prints(thing.face, thing.style)
    picture = next((p for p in reversed(pictures) if p.width >= 1.05 * width), pictures[0])
    scale = picture.width / (2 * (UNIT + MARGIN))
    to_pixels = np.diag([1 / SUBPIXEL, 1 / SUBPIXEL, 1.0]) @ thing.homography.astype(np.float64)
    to_pixels = np.array([[1, 0, -x1], [0, 1, -y1], [0, 0, 1]]) @ to_pixels / to_pixels[2, 2]
    to_face = np.array([[scale, 0, picture.width / 2], [0, scale, picture.width / 2], [0, 0, 1]]) @ np.linalg.inv(to_pixels)
    coefficients = (to_face / to_face[2, 2]).ravel()[:8].tolist()
    return np.asarray(picture.transform((x2 - x1, y2 - y1), Image.Transform.PERSPECTIVE, coefficients, Image.Resampling.BILINEAR))


def _draw_face(canvas: np.ndarray, thing: Thing, night: bool, wear: int) -> None:
    """A sign with its dirt, its faded paint and the light that falls on it."""
    region = _region(thing.polygon, len(canvas))
    if region is None:
        return
    dice = Dice(3, thing.looks)
    patch = _warp(thing, region).astype(np.int32)
    colour = patch[..., :3]
    height, width = colour.shape[:2]
    fade = dice.below(wear + 1)  # old paint is paler, and nearer to grey
    grey = (colour.sum(axis=2, keepdims=True) // 5) + 70
    colour = colour + ((grey - colour) * fade >> 8)
    strength, floor = dice.below(wear + 1), dice.between(105, 140)
    dirt = np.asarray(cut(dice, noise("stain"), width, height, dice.between(60, 220))).astype(np.int32)
    clean = 255 - np.minimum(np.maximum(dirt - floor, 0), 90) * strength // 60
    gain = dice.between(90, 240) if night else dice.between(180, 262)  # at night a lamp may shine on it, or not
    slope = dice.between(-40, 40)
    columns = gain + slope * (2 * np.arange(width) - width) // (2 * width)
    light = clean * np.minimum(columns, 256)[None, :] >> 8
    _blend(canvas, region, colour * light[..., None] >> 8, patch[..., 3:])


def _coverage(polygon: np.ndarray, region) -> np.ndarray:
    """How much of each pixel of a region a polygon covers: (h, w, 1) int32, 0..255."""
    x1, y1, x2, y2 = region
    mask = Image.new("L", ((x2 - x1) * 4, (y2 - y1) * 4), 0)
    corners = (polygon / SUBPIXEL - (x1, y1)) * 4 - 0.5
    ImageDraw.Draw(mask).polygon([tuple(c) for c in corners.tolist()], fill=255)
    return np.asarray(mask.reduce(4)).astype(np.int32)[..., None]


def _draw_pole(canvas: np.ndarray, thing: Thing, night: bool) -> None:
    """A cylinder lit from one side."""
    region = _region(thing.polygon, len(canvas), 1)
    if region is None:
        return
    dice = Dice(3, thing.looks)
    base = np.array(dice.pick(((150, 152, 156), (120, 122, 124), (96, 92, 88), (176, 178, 178))))
    left, right = int(thing.polygon[:, 0].min()), int(thing.polygon[:, 0].max())
    across = (np.arange(region[0], region[2]) * SUBPIXEL + SUBPIXEL // 2 - left) * 100 // (right - left)
    shade = 255 - np.abs(np.clip(across, 0, 100) - 35) * 2
    colour = base * (shade * (80 if night else 210) >> 8)[None, :, None] >> 8
    _blend(canvas, region, colour, _coverage(thing.polygon, region))


def _draw_leaf(canvas: np.ndarray, thing: Thing, night: bool) -> None:
    """A leaf of one colour."""
    region = _region(thing.polygon, len(canvas), 1)
    if region is None:
        return
    shade = thing.looks * 7919 % 61  # a branch may have many leaves, so no Dice for each
    colour = np.array((24 + shade, 54 + (shade + thing.looks % 13) * 5 // 6, 18 + shade // 2))
    _blend(canvas, region, colour >> 2 if night else colour, _coverage(thing.polygon, region))


@functools.cache
def _vignette(size: int) -> np.ndarray:
    """(size, size) uint16: 256 in the middle, less towards the corners."""
    axis = (2 * np.arange(size) - size + 1) ** 2
    return (256 - 52 * (axis[:, None] + axis) // (2 * size * size)).astype(np.uint16)


def _light(canvas: np.ndarray, dice: Dice, difficulty: Difficulty) -> np.ndarray:
    """The shadow of something tall, and corners that are darker than the middle."""
    size = len(canvas)
    if not dice.chance(difficulty.light):
        return canvas
    field = _vignette(size)
    if dice.chance(60):
        edge, depth, steep = dice.between(100, 150), dice.between(30, 90), dice.between(2, 6)
        soft = np.asarray(cut(dice, noise("cloud"), size, size, dice.between(80, 300))).astype(np.uint16)
        field = field * (255 - np.minimum((np.maximum(soft, edge) - edge) * steep, depth)) >> 8
    return (canvas * field[..., None] >> 8).astype(np.uint8)


def _lens(canvas: np.ndarray, dice: Dice, difficulty: Difficulty) -> np.ndarray:
    """Every lens softens a little; some pictures are out of focus, in some the camera moved."""
    if not dice.chance(difficulty.blur):
        return _softened(canvas, dice.pick((3, 3, 4)))
    if dice.chance(35):
        return _moved(canvas, dice, difficulty.blur)
    radius = 0.5 + dice.below(difficulty.blur + 1) / 70
    return np.asarray(Image.fromarray(canvas).filter(ImageFilter.GaussianBlur(radius)))


def _softened(canvas: np.ndarray, power: int) -> np.ndarray:
    """Each pixel mixed with its neighbours, which weigh 1 where the pixel weighs 2 ** power - 2, along y and then along x."""
    wide = np.pad(canvas, ((1, 1), (1, 1), (0, 0)), mode="edge").astype(np.uint16)
    middle = (1 << power) - 2
    wide = wide[:-2] + wide[1:-1] * middle + wide[2:]
    wide = wide[:, :-2] + wide[:, 1:-1] * middle + wide[:, 2:]
    return (wide >> 2 * power).astype(np.uint8)


def _moved(canvas: np.ndarray, dice: Dice, strength: int) -> np.ndarray:
    """Motion blur: the mean of the picture shifted along a line."""
    length = 2 + dice.below(strength // 14 + 1)
    dx, dy = dice.pick(((1, 0), (1, 0), (0, 1), (1, 1), (1, -1)))
    source = np.pad(canvas, ((length, length), (length, length), (0, 0)), mode="edge")
    size, half = len(canvas), length // 2
    total = np.zeros((size, size, 3), dtype=np.uint16)
    for k in range(length + 1):
        y, x = length + (k - half) * dy, length + (k - half) * dx
        total += source[y : y + size, x : x + size]
    return (total // (length + 1)).astype(np.uint8)


def _sensor(canvas: np.ndarray, dice: Dice, difficulty: Difficulty, night: bool) -> np.ndarray:
    """Exposure, contrast, a cast of colour, haze, and noise."""
    size, spread = len(canvas), difficulty.light
    gain = 100 + dice.between(-spread, spread) * 45 // 100
    gamma = 1 + dice.between(-spread, spread) / 300
    lift = dice.below(spread + 1) // 4  # haze
    curve = 256 * (np.arange(256) / 255) ** gamma
    casts = [gain + dice.between(-spread, spread) // 8 for _ in range(3)]
    ramps = [np.minimum(lift + curve * (255 - lift) * cast // 25600, 255).astype(int).tolist() for cast in casts]
    exposed = np.asarray(Image.fromarray(canvas).point([v for ramp in ramps for v in ramp])).astype(np.int16)
    level = (3 + dice.below(difficulty.noise + 1)) * (3 if night else 2)  # in sixteenths of a standard deviation of one grey level
    y, x = dice.below(1280 - size + 1), dice.below(1280 - size + 1)
    exposed += grain()[y : y + size, x : x + size] * level >> 8
    return np.clip(exposed, 0, 255).astype(np.uint8)
