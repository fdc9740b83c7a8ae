"""From what an annotation file says to a record that can be trusted. Shared by the readers of all formats.

Nothing is dropped in silence: each fix leaves a Problem behind.
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from .images import Header, PictureError, read_header
from .records import ImageRecord, Problem

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


def finish(raw: RawImage, image_id: int, classes: tuple[str, ...], problems: list[Problem]) -> ImageRecord | None:
    """The record of a raw image, or None (and a Problem) where its picture cannot be used."""
    try:
        header = raw.header or read_header(raw.picture)
    except PictureError as error:
        count = f"the picture and its {len(raw.boxes)} boxes" if raw.boxes else "the picture"
        problems.append(Problem(raw.file, "bad-picture", str(error), f"left out {count}"))
        return None
    turn = _stored_frame(raw, header, problems)
    kept: list[tuple[RawBox, np.ndarray]] = []
    seen: dict[tuple, str] = {}
    for box in raw.boxes:
        xyxy = np.array(box.xyxy, dtype=np.float64)
        if turn:
            xyxy = turn_boxes(xyxy[None], header)[0]
        xyxy = _fix(box, xyxy, header, raw.file, problems)
        if xyxy is not None and _known(box, classes, raw.file, problems) and not _duplicate(box, xyxy, seen, raw.file, problems):
            kept.append((box, xyxy))
    index = {name: label for label, name in enumerate(classes)}
    return ImageRecord(
        path=raw.picture,
        image_id=image_id,
        width=header.width,
        height=header.height,
        boxes=np.array([xyxy for _, xyxy in kept], dtype=np.float32).reshape(-1, 4),
        labels=[index[box.name] for box, _ in kept],
        area=[_area(box, xyxy) for box, xyxy in kept],
        iscrowd=[box.iscrowd for box, _ in kept],
        difficult=[box.difficult for box, _ in kept],
        truncated=[box.truncated for box, _ in kept],
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


def _fix(box: RawBox, xyxy: np.ndarray, header: Header, file: str, problems: list[Problem]) -> np.ndarray | None:
    """The box inside the picture with area > 0, or None where nothing usable is left."""

    def report(kind: str, action: str) -> None:
        problems.append(Problem(file, kind, f"{box.where} {_text(xyxy)} in {header.width} x {header.height}", action))

    if not np.isfinite(xyxy).all():
        report("not-a-number", "left out the box")
        return None
    ordered = np.concatenate([np.minimum(xyxy[:2], xyxy[2:]), np.maximum(xyxy[:2], xyxy[2:])])
    if (ordered != xyxy).any():
        report("inverted", "swapped its corners")
    limit = np.array([header.width, header.height] * 2, dtype=np.float64)
    inside = ordered.clip(0, limit)
    if (ordered[2:] - ordered[:2] < ROUNDING).any():
        report("zero-area", "left out the box")
        return None
    if (inside[2:] - inside[:2] < ROUNDING).any():
        report("outside", "left out the box")
        return None
    if np.abs(ordered - inside).max() > ROUNDING:
        report("past-edge", "clipped to the picture")
    return inside


def _known(box: RawBox, classes: tuple[str, ...], file: str, problems: list[Problem]) -> bool:
    if box.name in classes:
        return True
    text = f"{box.where} is of class {box.called or box.name!r}, which is not among {', '.join(classes)}"
    problems.append(Problem(file, "unknown-class", text, "left out the box"))
    return False


def _duplicate(box: RawBox, xyxy: np.ndarray, seen: dict, file: str, problems: list[Problem]) -> bool:
    key = (box.name, box.iscrowd, *np.float32(xyxy).tolist())
    if key in seen:
        problems.append(Problem(file, "duplicate", f"{box.where} {_text(xyxy)} is the same as {seen[key]}", "left out the second"))
        return True
    seen[key] = box.where
    return False


def _area(box: RawBox, xyxy: np.ndarray) -> float:
    """The mask's area where the format gave one, but never more than the clipped box has room for; else the box's."""
    of_box = float((xyxy[2] - xyxy[0]) * (xyxy[3] - xyxy[1]))
    if box.area is None or not np.isfinite(box.area) or box.area <= 0:
        return of_box
    was_clipped = np.abs(xyxy - np.array(box.xyxy)).max() > ROUNDING
    return min(float(box.area), of_box) if was_clipped else float(box.area)


def _text(xyxy: np.ndarray) -> str:
    return "[" + ", ".join(f"{value:.6g}" for value in xyxy) + "]"
