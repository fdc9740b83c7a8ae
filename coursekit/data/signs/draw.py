"""Colours a plan in: backdrop, signs and what hides them, then the camera's faults. Taught in 04_data and 11_augmentation.

Nothing here changes a label. Pixels may differ by 1 between machines, because Pillow warps and blurs in floats; the rest is whole numbers.
"""

import numpy as np
from PIL import Image, ImageDraw

from coursekit.data.signs.backdrops import backdrop
from coursekit.data.signs.camera import photograph
from coursekit.data.signs.faces import prints
from coursekit.data.signs.geometry import SUBPIXEL, UNIT, Dice
from coursekit.data.signs.plan import Difficulty, Plan, Thing
from coursekit.data.signs.strokes import MARGIN
from coursekit.data.signs.textures import cut, noise


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
    return photograph(canvas, (light, lens, sensor), difficulty, plan.night)


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
