"""Colours a plan in: backdrop, signs and what hides them, then the camera's faults. Taught in 04_data and 11_augmentation.

Nothing here changes a label. Pixels may differ by 1 between machines, because this is float maths.
"""

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
    picture = backdrop(dice, plan.setting, plan.size, plan.horizon)
    if plan.night:
        picture = picture.point([v * dim // 256 for dim in (44, 48, 62) for v in range(256)])
    canvas = np.array(picture)
    for thing in plan.things:
        if thing.homography is not None:
            _draw_face(canvas, thing, plan.night, difficulty.wear)
        elif thing.kind == "pole":
            _draw_pole(canvas, thing, plan.night)
        else:
            _draw_leaf(canvas, thing, plan.night)
    return _camera(canvas, dice, difficulty, plan.night)


def _region(polygon: np.ndarray, size: int, margin: int = 2):
    """The pixels about a polygon that lie on the canvas: (x1, y1, x2, y2), or None where there are none."""
    low, high = polygon.min(axis=0) // SUBPIXEL - margin, polygon.max(axis=0) // SUBPIXEL + 1 + margin
    (x1, y1), (x2, y2) = np.clip(low, 0, size).tolist(), np.clip(high, 0, size).tolist()
    return (x1, y1, x2, y2) if x1 < x2 and y1 < y2 else None


def _blend(canvas: np.ndarray, region, colour: np.ndarray, alpha: np.ndarray) -> None:
    """Lay a colour over a region of the canvas; alpha (h, w, 1) is 0..1."""
    x1, y1, x2, y2 = region
    under = canvas[y1:y2, x1:x2].astype(np.float32)
    canvas[y1:y2, x1:x2] = np.clip(under + (colour - under) * alpha + 0.5, 0, 255).astype(np.uint8)


def _warp(thing: Thing, region) -> np.ndarray:
    """The face as the camera sees it: (h, w, 4) float32, 0..255."""
    x1, y1, x2, y2 = region
    width = int(np.ptp(thing.polygon, axis=0).max()) / SUBPIXEL
    pictures = prints(thing.face, thing.style)
    picture = next((p for p in reversed(pictures) if p.width >= 1.05 * width), pictures[0])
    scale = picture.width / (2 * (UNIT + MARGIN))
    to_pixels = np.diag([1 / SUBPIXEL, 1 / SUBPIXEL, 1.0]) @ thing.homography.astype(np.float64)
    to_pixels = np.array([[1, 0, -x1], [0, 1, -y1], [0, 0, 1]]) @ to_pixels / to_pixels[2, 2]
    to_face = np.array([[scale, 0, picture.width / 2], [0, scale, picture.width / 2], [0, 0, 1]]) @ np.linalg.inv(to_pixels)
    coefficients = (to_face / to_face[2, 2]).ravel()[:8].tolist()
    warped = picture.transform((x2 - x1, y2 - y1), Image.Transform.PERSPECTIVE, coefficients, Image.Resampling.BILINEAR)
    return np.asarray(warped).astype(np.float32)


def _draw_face(canvas: np.ndarray, thing: Thing, night: bool, wear: int) -> None:
    region = _region(thing.polygon, len(canvas))
    if region is None:
        return
    dice = Dice(3, thing.looks)
    patch = _warp(thing, region)
    colour = patch[..., :3]
    height, width = colour.shape[:2]
    fade = dice.below(wear + 1) / 250  # old paint: paler, and nearer to grey
    colour += (colour.mean(axis=2, keepdims=True) * 0.6 + 70 - colour) * fade
    dirt = np.asarray(cut(dice, noise("stain"), width, height, dice.between(60, 220))).astype(np.float32)
    strength = dice.below(wear + 1) / 100
    colour *= 1 - strength * np.clip(dirt[..., None] - 120, 0, 90) / 130
    gain = dice.between(70, 105) / 100 if not night else dice.between(35, 95) / 100
    slope = dice.between(-16, 16) / 100  # light falls unevenly on a face
    colour *= gain * (1 + slope * np.linspace(-1, 1, width, dtype=np.float32)[None, :, None])
    _blend(canvas, region, colour, patch[..., 3:] / 255)


def _coverage(polygon: np.ndarray, region) -> np.ndarray:
    """How much of each pixel of a region a polygon covers: (h, w, 1), 0..1."""
    x1, y1, x2, y2 = region
    mask = Image.new("L", ((x2 - x1) * 4, (y2 - y1) * 4), 0)
    corners = (polygon / SUBPIXEL - (x1, y1)) * 4 - 0.5
    ImageDraw.Draw(mask).polygon([tuple(c) for c in corners.tolist()], fill=255)
    return np.asarray(mask.reduce(4)).astype(np.float32)[..., None] / 255


def _draw_pole(canvas: np.ndarray, thing: Thing, night: bool) -> None:
    region = _region(thing.polygon, len(canvas), 1)
    if region is None:
        return
    dice = Dice(3, thing.looks)
    x1, _, x2, _ = region
    base = np.array(dice.pick(((150, 152, 156), (120, 122, 124), (96, 92, 88), (176, 178, 178))), dtype=np.float32)
    left, right = thing.polygon[:, 0].min() / SUBPIXEL, thing.polygon[:, 0].max() / SUBPIXEL
    across = np.clip((np.arange(x1, x2) + 0.5 - left) / (right - left), 0, 1)
    light = 0.55 + 0.6 * np.sin(np.pi * (0.15 + 0.8 * across))  # a cylinder lit from one side
    shade = light * (0.3 if night else 0.8)
    _blend(canvas, region, base * shade[None, :, None].astype(np.float32), _coverage(thing.polygon, region))


def _draw_leaf(canvas: np.ndarray, thing: Thing, night: bool) -> None:
    region = _region(thing.polygon, len(canvas), 1)
    if region is None:
        return
    dice = Dice(3, thing.looks)
    colour = np.array((dice.between(30, 90), dice.between(70, 130), dice.between(20, 50)), dtype=np.float32)
    _blend(canvas, region, colour * (0.25 if night else 1), _coverage(thing.polygon, region))


def _camera(canvas: np.ndarray, dice: Dice, difficulty: Difficulty, night: bool) -> np.ndarray:
    """Light, lens and sensor."""
    size = len(canvas)
    picture = Image.fromarray(canvas)
    if dice.chance(difficulty.light // 2):  # the shadow of something tall
        soft = cut(dice, noise("cloud"), size, size, dice.between(80, 300))
        edge, depth = dice.between(100, 150), dice.between(30, 110)
        soft = soft.point([255 - min(max(v - edge, 0) * 12, depth) for v in range(256)])
        picture = Image.fromarray((np.asarray(picture).astype(np.uint16) * np.asarray(soft)[..., None] >> 8).astype(np.uint8))
    if dice.chance(difficulty.blur):
        if dice.chance(30):
            picture = _moved(picture, dice, difficulty.blur)
        else:
            picture = picture.filter(ImageFilter.GaussianBlur(0.3 + dice.below(difficulty.blur + 1) / 65))
    spread = difficulty.light
    gain = 100 + dice.between(-spread, spread) * 45 // 100
    gamma = 1 + dice.between(-spread, spread) / 300
    cast = [dice.between(-spread, spread) // 8 for _ in range(3)]
    lift = dice.below(spread + 1) // 4  # haze
    ramps = [min(255, int(lift + (255 - lift) * (v / 255) ** gamma * (gain + c) / 100 + 0.5)) for c in cast for v in range(256)]
    out = np.asarray(picture.point(ramps)).astype(np.float32)
    level = (1 + dice.below(difficulty.noise + 1) / 7) * (1.4 if night else 1)
    y, x = dice.below(1024 - size + 1) if size <= 1024 else 0, dice.below(1024 - size + 1) if size <= 1024 else 0
    shared = grain()[y : y + size, x : x + size, None]
    own = np.stack([grain()[(y + k) % 16 : (y + k) % 16 + size, x : x + size] for k in (5, 6, 7)], axis=2) if dice.chance(0) else shared
    return np.clip(out + own * level + 0.5, 0, 255).astype(np.uint8)


def _moved(picture: Image.Image, dice: Dice, strength: int) -> Image.Image:
    """Motion blur: the mean of the picture shifted along a line."""
    length = 1 + dice.below(strength // 12 + 1)
    dx, dy = dice.pick(((1, 0), (1, 0), (0, 1), (1, 1), (1, -1)))
    source = np.asarray(picture)
    total = np.zeros(source.shape, dtype=np.uint16)
    for k in range(length + 1):
        total += np.roll(source, (k * dy - length * dy // 2, k * dx - length * dx // 2), axis=(0, 1))
    return Image.fromarray((total // (length + 1)).astype(np.uint8))
