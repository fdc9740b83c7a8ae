"""Colours a plan of people in: backdrop, people from back to front, then the camera's faults. Nothing here changes a label."""

import functools

import numpy as np
from PIL import Image, ImageDraw

from coursekit.data.masks.backdrops import backdrop
from coursekit.data.masks.head import WIDTH
from coursekit.data.masks.pen import Pen
from coursekit.data.masks.people import draw_person
from coursekit.data.masks.plan import Difficulty, Person, Plan
from coursekit.data.signs.camera import photograph
from coursekit.data.signs.geometry import SUBPIXEL, Dice

_REACH = (-240, -150, 240, 1340)  # of a whole person with arms and hat, in the head's units


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
    lamp = dice.below(3)
    for person in plan.people:
        _draw(picture, person, lamp)
    return photograph(np.array(picture), (light, lens, sensor), difficulty)


def _draw(picture: Image.Image, person: Person, lamp: int) -> None:
    region = _region(person, picture.width)
    if region is None:
        return
    pen = Pen(person.head, region, (90, 76, 66))
    draw_person(pen, person)
    pen.lay(picture, _light(person, region, lamp))


def _region(person: Person, size: int) -> tuple[int, int, int, int] | None:
    """The pixels that a person may cover, on the picture."""
    (x, y), half = person.head.center, person.head.half
    x1, y1, x2, y2 = (c + reach * half // WIDTH for c, reach in zip((x, y, x, y), _REACH, strict=True))
    x1, y1 = (min(max(v // SUBPIXEL, 0), size) for v in (x1, y1))
    x2, y2 = (min(max(v // SUBPIXEL + 1, 0), size) for v in (x2, y2))
    return (x1, y1, x2, y2) if x1 < x2 and y1 < y2 else None


@functools.cache
def _ball(lamp: int) -> Image.Image:
    """How much light falls on a ball: 64 x 80 grey, from the left, from above, or from the right."""
    x, y = np.meshgrid(np.linspace(-1, 1, 64), np.linspace(-1, 1, 80))
    depth = np.sqrt(np.maximum(1.06 - 0.9 * x**2 - 0.7 * y**2, 0.04))
    direction = np.array(((-0.55, -0.35, 0.76), (0, -0.5, 0.87), (0.55, -0.35, 0.76))[lamp])
    glow = 0.5 + 0.58 * np.maximum(direction[0] * x + direction[1] * y + direction[2] * depth, 0)
    return Image.fromarray((np.minimum(glow, 1) * 255).astype(np.uint8))


def _light(person: Person, region, lamp: int) -> Image.Image:
    """Grey picture of the region: a round head, a body that is darker on the far side of the lamp."""
    x1, y1, x2, y2 = region
    half, (x, y) = person.head.half / SUBPIXEL, (c / SUBPIXEL for c in person.head.center)
    across = (np.arange(x1, x2) - x) / (2.2 * half)
    tone = 222 - 20 * np.abs(across) + 26 * across * (lamp - 1)
    light = Image.fromarray(np.broadcast_to(np.clip(tone, 120, 255).astype(np.uint8), (y2 - y1, x2 - x1)).copy())
    ball = _ball(lamp).resize((max(int(2.5 * half), 1), max(int(3.2 * half), 1)), Image.Resampling.BILINEAR)
    round_mask = Image.new("L", ball.size, 0)
    ImageDraw.Draw(round_mask).ellipse((0, 0, ball.width - 1, ball.height - 1), fill=255)
    light.paste(ball, (int(x - 1.25 * half) - x1, int(y - 1.65 * half) - y1), round_mask)
    return light
