"""What a camera does to a picture of the generated worlds: uneven light, a lens, a sensor. Taught in 11_augmentation.

`faults` is anything with ``light``, ``blur`` and ``noise``, each from 0 (none) to 100 (as bad as it gets).
"""

import functools

import numpy as np
from PIL import Image, ImageFilter

from coursekit.data.signs.geometry import Dice
from coursekit.data.signs.textures import cut, grain, noise


def photograph(canvas: np.ndarray, dice: tuple[Dice, Dice, Dice], faults, night: bool = False) -> np.ndarray:
    """The picture as a camera takes it.

    Args:
        canvas: (size, size, 3) uint8, RGB.
        dice: for light, lens and sensor: one each, so that turning one knob changes one thing.
        faults: a `Difficulty`.
        night: twice as much noise.

    Returns:
        (size, size, 3) uint8.
    """
    light, lens, sensor = dice
    return _sensor(_lens(_light(canvas, light, faults), lens, faults), sensor, faults, night)


@functools.cache
def _vignette(size: int) -> np.ndarray:
    """(size, size) uint16: 256 in the middle, less towards the corners."""
    axis = (2 * np.arange(size) - size + 1) ** 2
    return (256 - 52 * (axis[:, None] + axis) // (2 * size * size)).astype(np.uint16)


def _light(canvas: np.ndarray, dice: Dice, faults) -> np.ndarray:
    """The shadow of something tall, and corners that are darker than the middle."""
    size = len(canvas)
    if not dice.chance(faults.light):
        return canvas
    field = _vignette(size)
    if dice.chance(60):
        edge, depth, steep = dice.between(100, 150), dice.between(30, 90), dice.between(2, 6)
        soft = np.asarray(cut(dice, noise("cloud"), size, size, dice.between(80, 300))).astype(np.uint16)
        field = field * (255 - np.minimum((np.maximum(soft, edge) - edge) * steep, depth)) >> 8
    return (canvas * field[..., None] >> 8).astype(np.uint8)


def _lens(canvas: np.ndarray, dice: Dice, faults) -> np.ndarray:
    """Every lens softens a little; some pictures are out of focus, in some the camera moved."""
    if not dice.chance(faults.blur):
        return _softened(canvas, dice.pick((3, 3, 4)))
    if dice.chance(35):
        return _moved(canvas, dice, faults.blur)
    radius = 0.5 + dice.below(faults.blur + 1) / 70
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


def _sensor(canvas: np.ndarray, dice: Dice, faults, night: bool) -> np.ndarray:
    """Exposure, contrast, a cast of colour, haze, and noise."""
    size, spread = len(canvas), faults.light
    gain = 100 + dice.between(-spread, spread) * 45 // 100
    gamma = 1 + dice.between(-spread, spread) / 300
    lift = dice.below(spread + 1) // 4  # haze
    curve = 256 * (np.arange(256) / 255) ** gamma
    casts = [gain + dice.between(-spread, spread) // 8 for _ in range(3)]
    ramps = [np.minimum(lift + curve * (255 - lift) * cast // 25600, 255).astype(int).tolist() for cast in casts]
    exposed = np.asarray(Image.fromarray(canvas).point([v for ramp in ramps for v in ramp])).astype(np.int16)
    level = (3 + dice.below(faults.noise + 1)) * (3 if night else 2)  # in sixteenths of a standard deviation of one grey level
    y, x = dice.below(1280 - size + 1), dice.below(1280 - size + 1)
    exposed += grain()[y : y + size, x : x + size] * level >> 8
    return np.clip(exposed, 0, 255).astype(np.uint8)
