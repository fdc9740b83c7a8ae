"""Pictures from disk, whatever kind they are: always uint8, three channels, the way a person sees them.

``load_image`` is the one way in, ``decode_image`` the same for bytes that lie in no file. Grey, palette, transparent, 16-bit and
CMYK pictures become RGB; EXIF rotation is applied; what is broken gives one sentence that names the file.
"""

import io
import os
import unicodedata
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

PICTURE_SUFFIXES = frozenset(
    (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".dib", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm", ".pbm")
)
MAX_PIXELS = 80_000_000  # a few kilobytes of PNG can unpack to gigabytes; below Pillow's own warning at 89 million
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
ORIENTATION = 0x0112  # the EXIF tag: 1 = upright … 5 to 8 swap width and height


class PictureError(ValueError):
    """A file that is not a usable picture. The message names it."""


@dataclass(frozen=True)
class Header:
    """What a picture says about itself without being decoded.

    Args:
        width: pixels as displayed, after EXIF rotation; height likewise.
        orientation: EXIF's 1 to 8; 1 is upright, 5 to 8 swap width and height.
        format: what the bytes are, such as ``"JPEG"``, whatever the file is called.
        mode: Pillow's name of the pixel kind, such as ``"RGB"`` or ``"I;16"``.
    """

    width: int
    height: int
    orientation: int
    format: str
    mode: str


def _open(path: Path | str, content: bytes | None = None) -> Image.Image:
    """The picture at ``path``; or in ``content``, which errors then call ``path``."""
    try:
        picture = Image.open(path if content is None else io.BytesIO(content))
    except FileNotFoundError:
        raise PictureError(f"{path}: there is no such picture") from None
    except UnidentifiedImageError:
        size = path.stat().st_size if content is None else len(content)
        raise PictureError(f"{path}: not a picture that can be read ({'the file is empty' if size == 0 else f'{size} bytes'})") from None
    except Image.DecompressionBombError:
        raise PictureError(f"{path}: more than {MAX_PIXELS} pixels; refused, since unpacking it could fill the memory") from None
    except (OSError, ValueError, SyntaxError) as error:  # Pillow's parsers raise all of these on damaged headers
        raise PictureError(f"{path}: the picture cannot be read: {error}") from None
    if picture.width * picture.height > MAX_PIXELS:
        picture.close()
        raise PictureError(f"{path}: {picture.width} x {picture.height} is more than {MAX_PIXELS} pixels; refused")
    return picture


def _orientation(picture: Image.Image) -> int:
    try:
        value = int(picture.getexif().get(ORIENTATION, 1))
    except Exception:  # damaged EXIF raises anything; a picture without it is upright
        return 1
    return value if 1 <= value <= 8 else 1


def read_header(path: str | Path) -> Header:
    """Size and kind of a picture, without decoding its pixels.

    Raises:
        PictureError: naming the file, where it is missing, no picture, or larger than MAX_PIXELS.
    """
    with _open(Path(path)) as picture:
        orientation = _orientation(picture)
        stored = picture.size
        if picture.format == "TIFF":  # newer versions of Pillow turn the size of a TIFF themselves, older ones do not
            stored = tuple(int(picture.tag_v2[tag]) for tag in (256, 257))
        width, height = stored if orientation < 5 else stored[::-1]
        return Header(width, height, orientation, picture.format or "", picture.mode)


def load_image(path: str | Path) -> np.ndarray:
    """A picture as it is displayed.

    EXIF rotation is applied; transparency is laid over white, as a page shows it; 16-bit grey is divided by 257 (65535
    becomes 255); of several frames the first is taken.

    Args:
        path: a file of any kind that Pillow reads, whatever its suffix says.

    Returns:
        (3, height, width) uint8, RGB.

    Raises:
        PictureError: (a ValueError) naming the file: missing, empty, cut short, no picture, or larger than MAX_PIXELS.
    """
    path = Path(path)
    with _open(path) as picture:
        return _decode(picture, path)


def decode_image(content: bytes, name: str = "the picture") -> np.ndarray:
    """`load_image` for bytes that lie in no file, such as what a browser sent; errors call them ``name``."""
    with _open(name, content) as picture:
        return _decode(picture, name)


def _decode(picture: Image.Image, path: Path | str) -> np.ndarray:
    picture.filename = ""  # or Pillow 13 maps plain grey TIFFs into memory with sides that it swapped for EXIF before, and scrambles them
    try:
        picture.load()
    except Exception as error:  # each of Pillow's decoders has its own exceptions
        raise PictureError(f"{path}: the picture is damaged or cut short: {error}") from None
    turn = TURNS.get(_orientation(picture))  # a TIFF was turned by its decoder already, and says so now
    if turn is not None:
        picture = picture.transpose(turn)
    return np.asarray(_to_rgb(picture, path)).transpose(2, 0, 1).copy()  # always: Pillow's memory is not to be written to


def _to_rgb(picture: Image.Image, path: Path | str) -> Image.Image:
    if picture.mode == "RGB":
        return picture
    if picture.mode.startswith(("I", "F")):
        return Image.fromarray(_to_eight_bits(np.asarray(picture), path)).convert("RGB")
    if picture.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in picture.info:
        picture = picture.convert("RGBA")
        paper = Image.new("RGBA", picture.size, "white")
        return Image.alpha_composite(paper, picture).convert("RGB")
    return picture.convert("RGB")


def _to_eight_bits(pixels: np.ndarray, path: Path | str) -> np.ndarray:
    """Grey values of 16 bits or float to uint8. Pillow's own conversion clips at 255 and gives a white picture."""
    low, high = float(pixels.min()), float(pixels.max())
    if not (np.isfinite([low, high]).all() and low >= 0 and high <= 65535):
        raise PictureError(f"{path}: grey values must lie in 0..65535 (or 0..1 for floats), got {low:g} to {high:g}")
    scale = 1 / 257
    if np.issubdtype(pixels.dtype, np.floating) and high <= 255:
        scale = 255 if high <= 1 else 1
    return np.rint(pixels * scale).astype(np.uint8)


def name_key(name: str) -> str:
    """A name to look files up by: accents composed (macOS stores them apart) and letter case ignored."""
    return unicodedata.normalize("NFC", name).casefold()


class PictureFolder:
    """The pictures of one folder, found by name or by stem. Listing once is much faster than asking for each."""

    def __init__(self, folder: Path):
        self.folder = folder
        entries = os.scandir(folder) if folder.is_dir() else ()
        names = sorted(entry.name for entry in entries if entry.is_file())
        self.pictures = [folder / name for name in names if os.path.splitext(name)[1].lower() in PICTURE_SUFFIXES]
        self._exact = {picture.name: picture for picture in self.pictures}
        self._by_name: dict[str, Path] = {}
        self._by_stem: dict[str, list[Path]] = {}
        for picture in self.pictures:
            self._by_name.setdefault(name_key(picture.name), picture)
            self._by_stem.setdefault(name_key(picture.stem), []).append(picture)

    def named(self, name: str) -> Path | None:
        """The picture with this file name."""
        return self._exact.get(name) or self._by_name.get(name_key(name))

    def with_stem(self, stem: str) -> list[Path]:
        """All pictures called so but for the suffix."""
        return self._by_stem.get(name_key(stem), [])


class PictureFinder:
    """Pictures by the file names that an annotation file gives, in the folders where people keep them."""

    def __init__(self, bases: list[Path]):
        self.bases = [base for base in dict.fromkeys(bases) if base.is_dir()]
        self._folders: dict[Path, PictureFolder] = {}

    def find(self, name: str) -> Path | None:
        """The picture of this relative name, with or without its folders; None where there is none."""
        name = name.replace("\\", "/")
        for base in self.bases:
            if os.path.isfile(base / name):  # unlike Path.is_file, False for names that no file can have
                self.bases.remove(base)
                self.bases.insert(0, base)  # the next one is likely to lie in the same folder
                return base / name
        parts = name.rpartition("/")
        folders = [base / parts[0] for base in self.bases] + self.bases
        return next((picture for folder in folders if (picture := self._folder(folder).named(parts[2])) is not None), None)

    def _folder(self, folder: Path) -> PictureFolder:
        if folder not in self._folders:
            self._folders[folder] = PictureFolder(folder)
        return self._folders[folder]
