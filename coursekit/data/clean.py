"""From what an annotation file says to a record that can be trusted. Shared by the readers of all formats.

Nothing is dropped in silence: each fix leaves a Problem behind.
"""

import math
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from .images import Header, PictureError, read_header
from .records import ImageRecord, Problem, printable

ROUNDING = 0.01  # px: a text file with six decimals is off by this much at 4000 px; more than that is a mistake


@dataclass
class RawBox:
    """A box as a file gives it.

    Args:
        xyxy: half-open pixels, in whatever frame and order the file has them; may be NaN, inverted or outside.
        name: the class name, or None where the file names a class that does not exist.
        where: how to find it in the file, for messages.
        area: square pixels of the mask, where the format has one.
        called: how the file calls the class, for messages.
    """

    xyxy: tuple[float, float, float, float]
    name: str | None
    where: str
    area: float | None = None
    iscrowd: int = 0
    difficult: int = 0
    truncated: int = 0
    called: str = ""


@dataclass
class RawImage:
    """What an annotation file says about one picture.

    Args:
        file: where it says so, for messages.
        picture: the picture's file, which must exist.
        size: (width, height) as stated, or None where the format does not state it.
        header: of the picture, where the reader needed it already.
    """

    file: str
    picture: Path
    size: tuple[int, int] | None = None
    boxes: list[RawBox] = field(default_factory=list)
    header: Header | None = None


def to_number(text) -> float:
    """A float of whatever a file holds; NaN where it is no number."""
    if isinstance(text, bool):
        return float("nan")
    try:
        return float(text)
    except (TypeError, ValueError, OverflowError):
        return float("nan")


def clean_name(text) -> str:
    """A name from a file as it can be shown and compared: single spaces, no control characters, no halves of letters."""
    return printable(" ".join(str(text).split()))


def finish(raw: RawImage, image_id: int, classes: tuple[str, ...], problems: list[Problem]) -> ImageRecord | None:
    """The record of a raw image, or None (and a Problem) where its picture cannot be used."""
    try:
        header = raw.header or read_header(raw.picture)
    except PictureError as error:
        count = f"the picture and its {len(raw.boxes)} boxes" if raw.boxes else "the picture"
        problems.append(Problem(raw.file, "bad-picture", str(error), f"left out {count}"))
        return None
    if _stored_frame(raw, header, problems):
        turned = turn_boxes(np.array([box.xyxy for box in raw.boxes], dtype=np.float64).reshape(-1, 4), header)
        for box, xyxy in zip(raw.boxes, turned.tolist(), strict=True):
            box.xyxy = tuple(xyxy)
    kept: list[RawBox] = []
    seen: dict[tuple, str] = {}
    for box in raw.boxes:
        usable = _fix(box, header, raw.file, problems)
        if usable and _known(box, classes, raw.file, problems) and not _duplicate(box, seen, raw.file, problems):
            kept.append(box)
    index = {name: label for label, name in enumerate(classes)}
    return ImageRecord(
        path=raw.picture,
        image_id=image_id,
        width=header.width,
        height=header.height,
        boxes=np.array([box.xyxy for box in kept], dtype=np.float32).reshape(-1, 4),
        labels=[index[box.name] for box in kept],
        area=[box.area for box in kept],
        iscrowd=[box.iscrowd for box in kept],
        difficult=[box.difficult for box in kept],
        truncated=[box.truncated for box in kept],
    )


def _stored_frame(raw: RawImage, header: Header, problems: list[Problem]) -> bool:
    """Whether the boxes lie in the picture as stored, before EXIF rotation. The stated size is the evidence.

    Tools differ: some annotate the picture as displayed, some ignore EXIF. Where the stated size fits only the stored
    frame, the boxes are turned with the picture; otherwise they are taken to fit what is displayed.
    """
    displayed = (header.width, header.height)
    turned = header.orientation >= 5 and displayed != displayed[::-1] and raw.size == displayed[::-1]
    if turned:
        text = f"boxes drawn on the picture as stored ({raw.size[0]} x {raw.size[1]}), EXIF turns it"
        problems.append(Problem(raw.file, "exif-rotation", text, "turned the boxes with the picture"))
    elif header.orientation != 1:
        text = f"EXIF orientation {header.orientation}"
        problems.append(Problem(raw.file, "exif-rotation", text, "boxes taken as drawn on the picture as displayed", note=True))
    if raw.size is not None and not turned and tuple(raw.size) != displayed:
        text = f"says {raw.size[0]} x {raw.size[1]}, the picture is {header.width} x {header.height}"
        problems.append(Problem(raw.file, "wrong-size", text, "took the picture's size; boxes as they are"))
    return turned


def turn_boxes(boxes: np.ndarray, header: Header) -> np.ndarray:
    """Boxes on the stored picture to boxes on the displayed one. (N, 4) xyxy, EXIF orientations 1 to 8."""
    x, y = boxes[:, 0::2], boxes[:, 1::2]  # (N, 2) each
    if header.orientation >= 5:
        x, y = y, x
    # now in the displayed frame's axes; what is left is to mirror
    if header.orientation in (2, 3, 6, 7):
        x = header.width - x[:, ::-1]
    if header.orientation in (3, 4, 7, 8):
        y = header.height - y[:, ::-1]
    return np.stack([x[:, 0], y[:, 0], x[:, 1], y[:, 1]], axis=1)


def _fix(box: RawBox, header: Header, file: str, problems: list[Problem]) -> bool:
    """Makes the box a usable one, in place: inside the picture, area > 0. False where nothing of it is left.

    Plain Python, since a large dataset has a million boxes and an array for each would take most of the time.
    """
    x1, y1, x2, y2 = box.xyxy
    width, height = header.width, header.height

    def report(kind: str, action: str) -> None:
        problems.append(Problem(file, kind, f"{box.where} {_text((x1, y1, x2, y2))} in {width} x {height}", action))

    if not all(map(math.isfinite, box.xyxy)):
        report("not-a-number", "left out the box")
        return False
    if x1 > x2 or y1 > y2:
        report("inverted", "swapped its corners")
    left, right = sorted((x1, x2))
    top, bottom = sorted((y1, y2))
    if min(right - left, bottom - top) < ROUNDING:
        report("zero-area", "left out the box")
        return False
    overshoot = max(-left, -top, right - width, bottom - height)
    left, top, right, bottom = max(left, 0.0), max(top, 0.0), min(right, width), min(bottom, height)
    if min(right - left, bottom - top) < ROUNDING:
        report("outside", "left out the box")
        return False
    if overshoot > ROUNDING:
        report("past-edge", "clipped to the picture")
    box.xyxy = (left, top, right, bottom)
    of_box = (right - left) * (bottom - top)
    if box.area is None:
        box.area = of_box
    elif not 0 < box.area <= width * height:  # NaN too
        problems.append(Problem(file, "bad-area", f"{box.where} has an area of {box.area:g}", "took the box's"))
        box.area = of_box
    elif overshoot > ROUNDING:  # a mask has no more room than what is left of its box
        box.area = min(box.area, of_box)
    return True


def _known(box: RawBox, classes: tuple[str, ...], file: str, problems: list[Problem]) -> bool:
    if box.name in classes:
        return True
    text = f"{box.where} is of class {box.called or box.name!r}, which is not among {', '.join(classes)}"
    problems.append(Problem(file, "unknown-class", text, "left out the box"))
    return False


def _duplicate(box: RawBox, seen: dict, file: str, problems: list[Problem]) -> bool:
    key = (box.name, box.iscrowd, *(round(side, 3) for side in box.xyxy))
    if key in seen:
        problems.append(Problem(file, "duplicate", f"{box.where} {_text(box.xyxy)} is the same as {seen[key]}", "left out the second"))
        return True
    seen[key] = box.where
    return False


def _text(xyxy) -> str:
    return "[" + ", ".join(f"{value:.6g}" for value in xyxy) + "]"
