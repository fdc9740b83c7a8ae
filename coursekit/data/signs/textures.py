"""Photographs and textures from inside the wheels of scikit-image and scikit-learn, and cloudy noise. Nothing is downloaded."""

import functools

import numpy as np
from PIL import Image

from coursekit.data.packaged import packaged_picture
from coursekit.data.signs.geometry import Dice

_PHOTOS = (  # package, file, weight: streets, houses and rooms more often than close-ups
    ("sklearn", "china.jpg", 5),
    ("skimage", "camera.png", 3),
    ("skimage", "motorcycle_left.png", 3),
    ("skimage", "rocket.jpg", 3),
    ("skimage", "astronaut.png", 2),
    ("skimage", "coffee.png", 2),
    ("skimage", "chelsea.png", 1),
    ("sklearn", "flower.jpg", 1),
)
PHOTO_WEIGHTS = tuple(weight for _, _, weight in _PHOTOS)


@functools.cache
def photo(index: int) -> Image.Image:
    """A photograph, RGB, its short side 300 to 420 pixels; `index` is a place in PHOTO_WEIGHTS."""
    package, name, _ = _PHOTOS[index]
    picture = packaged_picture(package, name).convert("RGB")
    side = min(picture.size)
    if side > 420:
        picture = picture.resize((picture.width * 420 // side, picture.height * 420 // side), Image.Resampling.BICUBIC)
    return picture


@functools.cache
def texture(name: str) -> Image.Image:
    """A grey photograph of a surface, 512 x 512: "brick", "grass" or "gravel", its mean brought to 128.

    Grass and gravel are photographs at half their size, mirrored to the right and downwards: their grain is then as fine as a street scene
    needs. Brick is turned so that its courses lie level.
    """
    side = 512 if name == "brick" else 256
    grey = np.asarray(packaged_picture("skimage", f"{name}.png").convert("L").resize((side, side), Image.Resampling.BOX)).astype(np.int16)
    grey = np.clip(grey - int(grey.mean()) + 128, 0, 255).astype(np.uint8)
    if name == "brick":
        return Image.fromarray(grey.T.copy())
    wide = np.concatenate([grey, grey[:, ::-1]], axis=1)
    return Image.fromarray(np.concatenate([wide, wide[::-1]]))


_CLOUDS = {  # octave weights from large to small, standard deviation
    "cloud": ((8, 6, 4, 2, 1, 0, 0), 34),
    "leaf": ((2, 3, 4, 5, 6, 6, 3), 50),
    "stain": ((2, 4, 5, 5, 4, 3, 2), 40),
    "asphalt": ((2, 2, 1, 1, 2, 5, 9), 26),
}


@functools.cache
def noise(kind: str) -> Image.Image:
    """Cloudy noise, 512 x 512 grey with mean about 128.

    Args:
        kind: "cloud" (large and soft), "stain", "leaf" (small, with contrast) or "asphalt" (fine).
    """
    weights, spread = _CLOUDS[kind]
    dice = Dice(1, sorted(_CLOUDS).index(kind))
    total = np.zeros((512, 512), dtype=np.float32)
    for octave, weight in enumerate(weights):
        cells = 4 << octave
        grid = Image.fromarray(dice.bytes(cells, cells))
        total += weight * (np.asarray(grid.resize((512, 512), Image.Resampling.BICUBIC)).astype(np.float32) - 128)
    total *= spread / total.std()
    return Image.fromarray(np.clip(total + 128.5, 0, 255).astype(np.uint8))


@functools.cache
def grain() -> np.ndarray:
    """(1280, 1280, 3) int16 of bell-shaped noise, mean 0 and standard deviation 16; two thirds of it is shared by the three channels."""
    dice = Dice(2, 7)
    own = sum(dice.bytes(1280, 1280, 3).astype(np.int16) for _ in range(3)) - 382
    shared = sum(dice.bytes(1280, 1280, 1).astype(np.int16) for _ in range(3)) - 382
    return ((own + 2 * shared) * 16 // 286).astype(np.int16)


def cut(dice: Dice, picture: Image.Image, width: int, height: int, zoom: int = 100) -> Image.Image:
    """A random piece of a picture, scaled to (width, height).

    Args:
        zoom: percent; 200 shows half as much of the picture, twice as large. Cut down where the picture is too small.
    """
    w, h = width * 100 // zoom, height * 100 // zoom
    if w > picture.width or h > picture.height:
        shrink = max(w * 1000 // picture.width, h * 1000 // picture.height) + 1
        w, h = w * 1000 // shrink, h * 1000 // shrink
    w, h = max(w, 1), max(h, 1)
    x, y = dice.between(0, picture.width - w), dice.between(0, picture.height - h)
    return picture.resize((width, height), Image.Resampling.BILINEAR, box=(x, y, x + w, y + h))


def tint(grey: Image.Image, dark, light) -> Image.Image:
    """Give a grey picture the colours from `dark` to `light` (RGB 0..255), as a palette."""
    steps = np.arange(256)[:, None]
    palette = np.array(dark) + (np.array(light) - np.array(dark)) * steps // 255
    indexed = Image.frombytes("P", grey.size, grey.tobytes())
    indexed.putpalette(palette.astype(np.uint8).tobytes())
    return indexed.convert("RGB")
