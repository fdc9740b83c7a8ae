"""Photographs and textures from inside the wheels of scikit-image and scikit-learn, and cloudy noise. Nothing is downloaded."""

import functools
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image

from coursekit.data.signs.geometry import Dice

_PLACES = {"skimage": "data", "sklearn": "datasets/images"}
_PHOTOS = (  # package, file, the share of the picture to use (left, top, right, bottom in percent)
    ("skimage", "astronaut.png", (0, 0, 100, 100)),
    ("skimage", "chelsea.png", (0, 0, 100, 100)),
    ("skimage", "coffee.png", (0, 0, 100, 100)),
    ("skimage", "motorcycle_left.png", (0, 0, 100, 100)),
    ("skimage", "rocket.jpg", (0, 0, 100, 100)),
    ("sklearn", "china.jpg", (0, 0, 100, 100)),
    ("sklearn", "flower.jpg", (0, 0, 100, 100)),
)
PHOTOS = len(_PHOTOS)


def _open(package: str, name: str) -> Image.Image:
    """A picture inside an installed package, found without importing the package.

    Raises:
        FileNotFoundError: naming the package that does not hold it.
    """
    spec = find_spec(package)
    folder = Path(spec.submodule_search_locations[0]) / _PLACES[package] if spec else Path()
    path = folder / name
    if not path.is_file():
        raise FileNotFoundError(f"{name} should be inside the installed package {package}; reinstall scikit-image and scikit-learn")
    return Image.open(path)


@functools.cache
def photo(index: int) -> Image.Image:
    """One of PHOTOS colour photographs, RGB, its short side 384 to 512 pixels."""
    package, name, (left, top, right, bottom) = _PHOTOS[index]
    picture = _open(package, name).convert("RGB")
    width, height = picture.size
    picture = picture.crop((width * left // 100, height * top // 100, width * right // 100, height * bottom // 100))
    side = min(picture.size)
    if side > 420:
        picture = picture.resize((picture.width * 420 // side, picture.height * 420 // side), Image.Resampling.BICUBIC)
    return picture


@functools.cache
def texture(name: str) -> Image.Image:
    """A grey photograph of a surface, 512 x 512: "brick", "grass" or "gravel", its mean brought to 128."""
    grey = np.asarray(_open("skimage", f"{name}.png").convert("L")).astype(np.int16)
    return Image.fromarray(np.clip(grey - int(grey.mean()) + 128, 0, 255).astype(np.uint8))


@functools.cache
def noise(kind: str) -> Image.Image:
    """Cloudy noise, 512 x 512 grey with mean about 128: "cloud" is large and soft, "leaf" small and contrasty, "stain" between them."""
    weights = {"cloud": (8, 6, 4, 2, 1, 0, 0), "leaf": (2, 3, 4, 5, 6, 6, 3), "stain": (2, 4, 5, 5, 4, 3, 2)}[kind]
    dice = Dice(1, len(kind), weights[0])
    total = np.zeros((512, 512), dtype=np.float32)
    for octave, weight in enumerate(weights):
        cells = 4 << octave
        grid = Image.fromarray(dice.bytes(cells, cells))
        total += weight * (np.asarray(grid.resize((512, 512), Image.Resampling.BICUBIC)).astype(np.float32) - 128)
    total *= {"cloud": 34, "leaf": 50, "stain": 40}[kind] / total.std()
    return Image.fromarray(np.clip(total + 128.5, 0, 255).astype(np.uint8))


@functools.cache
def grain() -> np.ndarray:
    """(1024, 1024) float32 of bell-shaped noise with standard deviation 1: sums of uniform bytes."""
    dice = Dice(2, 7)
    total = sum(dice.bytes(1024, 1024).astype(np.float32) for _ in range(4)) - 4 * 127.5
    return total / total.std()


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
    """Give a grey picture the colours from `dark` to `light` (RGB 0..255)."""
    ramp = [d + (c - d) * i // 255 for d, c in zip(dark, light, strict=True) for i in range(256)]
    return Image.merge("RGB", [grey] * 3).point(ramp)
