"""Folders of annotation files into `EvalInputs`, as people have them who evaluate with Padilla's or Cartucho's tool.

One file an image, in two folders; the file's name without its suffix is the image.

- **Truth**: Pascal VOC `.xml`, or `.txt` with lines `class box`, Cartucho's word `difficult` behind it or not.
- **Detections**: `.txt` with lines `class score box`.

A box is four numbers: `xyxy` (left top right bottom), `xywh` (left top width height), both in pixels, or `cxcywh` (centre and size as
shares of the image, YOLO's way; needs XML truth, which states the image's size). A class is a name, or a number if names are given.
An empty file is an image without objects. Images are in the order of their names; an image may lack a detections file, but
detections of an image without truth file are an error. A truth file of no object still counts: what is found there is wrong.
"""

from pathlib import Path
from xml.etree.ElementTree import ParseError

import numpy as np
from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from .inputs import EvalInputs, Found, Truths, with_inclusive_corners

BOX_FORMATS = ("xyxy", "xywh", "cxcywh")


def read_folders(
    truth: Path, detections: Path, box_format: str = "xyxy", names: list[str] | None = None, inclusive: bool = True
) -> EvalInputs:
    """Read a folder of truth and a folder of detections.

    Args:
        box_format: of the boxes in `.txt` files: "xyxy", "xywh" or "cxcywh".
        names: class names, where files hold class numbers (0-based).
        inclusive: the right and bottom pixel belong to the box, so that from 3 to 3 is 1 wide: Pascal VOC, Padilla and Cartucho. Pixels
            are counted then, so `cxcywh` is rounded to whole ones (as Padilla's tool does).

    Raises:
        ValueError: naming the file and line that does not fit.
    """
    if box_format not in BOX_FORMATS:
        raise ValueError(f"box_format must be one of {', '.join(BOX_FORMATS)}, got {box_format!r}")
    files = sorted(p for p in Path(truth).iterdir() if p.suffix.lower() in (".xml", ".txt"))
    found_files = sorted(p for p in Path(detections).iterdir() if p.suffix.lower() == ".txt")
    if not files:
        raise ValueError(f"{truth} must hold .xml or .txt files of truth, one an image, got none")
    images = tuple(p.stem for p in files)
    if len(set(images)) < len(images):
        raise ValueError(f"{truth} must hold one file of truth an image, got two for {max(images, key=images.count)}")
    unknown = [p.name for p in found_files if p.stem not in images]
    if unknown:
        raise ValueError(f"{detections} has {len(unknown)} files without a file of truth, the first {unknown[0]}")
    sizes: dict[str, tuple[float, float]] = {}
    truth_rows = [(p.stem, *row) for p in files for row in _read_truth(p, box_format, sizes)]
    found_rows = [(p.stem, *row) for p in found_files for row in _read_found(p, box_format, sizes)]
    if box_format == "cxcywh" and inclusive:
        found_rows = [(image, label, [float(round(v)) for v in box], score) for image, label, box, score in found_rows]
    truth_rows, found_rows = ([(image, _name(label, names), *rest) for image, label, *rest in rows] for rows in (truth_rows, found_rows))
    classes = tuple(sorted({row[1] for row in truth_rows} | {row[1] for row in found_rows}))
    return _inputs(images, classes, truth_rows, found_rows, inclusive)


def _inputs(images, classes, truth_rows, found_rows, inclusive) -> EvalInputs:
    """Rows (image, class, box xywh, difficult) and (image, class, box xywh, score) as arrays."""

    position = {name: n for n, name in enumerate(images)}

    def columns(rows):
        image = np.array([position[row[0]] for row in rows], dtype=np.int64)
        label = np.array([classes.index(row[1]) for row in rows], dtype=np.int64)
        return image, label, np.array([row[2] for row in rows], dtype=np.float64).reshape(-1, 4), np.array([row[3] for row in rows])

    image, label, boxes, difficult = columns(truth_rows)
    crowd = np.zeros(len(boxes), dtype=bool)
    truths = Truths(image, label, boxes, boxes[:, 2] * boxes[:, 3], crowd, difficult.astype(bool))
    image, label, boxes, score = columns(found_rows)
    inputs = EvalInputs(images, classes, classes, truths, Found(image, label, boxes, score.astype(np.float64)))
    return with_inclusive_corners(inputs) if inclusive else inputs


def _name(label: str, names: list[str] | None) -> str:
    if names is None or not label.isdigit():
        return label
    if int(label) >= len(names):
        raise ValueError(f"class numbers must be below {len(names)}, the number of names, got {label}")
    return names[int(label)]


def _read_xml(path: Path, sizes: dict) -> list[tuple]:
    """(class, xywh, difficult) of a VOC file; its image size goes into `sizes`."""
    try:
        root = fromstring(path.read_bytes())
        sizes[path.stem] = (float(root.findtext("size/width", "nan")), float(root.findtext("size/height", "nan")))
        return [_read_object(thing, path) for thing in root.findall("object")]
    except (ParseError, TypeError, AttributeError, DefusedXmlException) as error:
        raise ValueError(f"{path} is not a Pascal VOC annotation ({type(error).__name__}: {error})") from None


def _read_object(thing, path: Path) -> tuple:
    corners = [float(thing.findtext(f"bndbox/{side}")) for side in ("xmin", "ymin", "xmax", "ymax")]
    difficult = thing.findtext("difficult", "0").strip() == "1"
    return thing.findtext("name").strip(), _to_xywh(corners, "xyxy", path, ""), difficult


def _read_truth(path: Path, box_format: str, sizes: dict) -> list[tuple]:
    """(class, xywh, difficult) of each object of an image."""
    if path.suffix.lower() == ".xml":
        return _read_xml(path, sizes)
    rows = []
    for line, parts in _lines(path):
        difficult = parts[-1] == "difficult"
        label, (*box,) = _fields(parts[: len(parts) - difficult], 4, path, line)
        if box_format == "cxcywh":
            raise ValueError(f"{path}: cxcywh needs truth in XML, which states the size of the image; these are text files")
        rows.append((label, _to_xywh(box, box_format, path, line), difficult))
    return rows


def _read_found(path: Path, box_format: str, sizes: dict) -> list[tuple]:
    """(class, xywh, score) of a text file."""
    rows = []
    for line, parts in _lines(path):
        label, (score, *box) = _fields(parts, 5, path, line)
        if box_format == "cxcywh" and path.stem not in sizes:
            raise ValueError(f"{path}: cxcywh needs truth in XML, which states the size of the image; these are text files")
        rows.append((label, _to_xywh(box, box_format, path, line, sizes.get(path.stem)), score))
    return rows


def _lines(path: Path):
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not text in UTF-8: {error.reason} at byte {error.start}") from None
    for number, text in enumerate(lines, start=1):
        if text.strip():
            yield number, text.split()


def _fields(parts: list[str], numbers: int, path: Path, line: int) -> tuple[str, list[float]]:
    """The class (which may hold spaces) and the numbers behind it."""
    try:
        values = [float(part) for part in parts[-numbers:]]
        label = " ".join(parts[:-numbers])
        if not label:
            raise ValueError
    except ValueError:
        want = "class left top right bottom" if numbers == 4 else "class score left top right bottom"
        raise ValueError(f"{path} line {line}: expected {want!r} or another --box-format, got {' '.join(parts)!r}") from None
    return label, values


def _to_xywh(box: list[float], box_format: str, path: Path, line, size: tuple[float, float] | None = None) -> list[float]:
    if box_format == "xywh":
        return box
    if box_format == "cxcywh":
        width, height = box[2] * size[0], box[3] * size[1]
        return [box[0] * size[0] - width / 2, box[1] * size[1] - height / 2, width, height]
    if box[2] < box[0] or box[3] < box[1]:
        raise ValueError(
            f"{path}{f' line {line}' if line else ''}: left, top, right, bottom {box} end before they begin; is this --box-format xywh?"
        )
    return [box[0], box[1], box[2] - box[0], box[3] - box[1]]
