"""What a dataset of boxes is once it is read, whatever format it came in. NumPy only.

A box is ``xyxy`` float32 in absolute pixels of the picture as it is displayed, half-open: from 0 to 2 is 2 wide.
"""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np


def printable(text: str) -> str:
    """Text of unknown origin that can be shown and written anywhere: control characters and halves of letters become U+FFFD."""
    return text if text.isprintable() else "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def shortened(text: str, most: int = 300) -> str:
    """At the most so many letters of it: its beginning and its end, where paths and sentences say what they are about."""
    if len(text) <= most:
        return text
    half = (most - 5) // 2
    return f"{text[:half]} ... {text[-half:]}"


@dataclass(frozen=True)
class Problem:
    """One thing that was wrong in a file, and what was done about it.

    Args:
        file: the file that holds the mistake, relative to the dataset where it lies inside it.
        kind: a short fixed word such as ``"zero-area"``, to count by.
        detail: what was found, with its numbers.
        action: what was done: ``"left out"``, ``"clipped"``, ``"kept"`` …
        note: True where nothing had to be changed, but somebody should look.
    """

    file: str
    kind: str
    detail: str
    action: str
    note: bool = False

    def __post_init__(self):
        for name in ("file", "detail", "action"):
            object.__setattr__(self, name, shortened(printable(getattr(self, name))))  # a file may hold anything

    def __str__(self) -> str:
        return f"{self.file}: {self.kind}: {self.detail} ({self.action})"


def summarize(problems: list[Problem]) -> str:
    """Such as "2 problems and 8 notes: zero-area 2, near-duplicate 8"; "" for none."""
    fixed = sum(not problem.note for problem in problems)
    counts = ((fixed, "problem"), (len(problems) - fixed, "note"))
    found = " and ".join(f"{count} {word}{'s' * (count != 1)}" for count, word in counts if count)
    kinds = Counter(problem.kind for problem in problems)
    return f"{found}: " + ", ".join(f"{kind} {count}" for kind, count in kinds.items()) if found else ""


@dataclass(frozen=True, eq=False)
class ImageRecord:
    """One picture and its boxes.

    Args:
        path: the picture's file.
        image_id: an integer, unique within the dataset.
        width: pixels of the picture as displayed (after EXIF rotation); height likewise.
        boxes: (N, 4) float32 ``xyxy`` pixels, half-open, ``0 <= x1 < x2 <= width``. No objects: (0, 4).
        labels: (N,) int64, 0-based, an index into the dataset's classes.
        area: (N,) float32 square pixels, > 0: of the mask where the format has one (COCO), else of the box. None: of the box.
        iscrowd, difficult, truncated: (N,) int64, 0 or 1. None: all 0.

    Raises:
        ValueError: naming the field whose shape or values are wrong, and the picture.
    """

    path: Path
    image_id: int
    width: int
    height: int
    boxes: np.ndarray
    labels: np.ndarray
    area: np.ndarray | None = None
    iscrowd: np.ndarray | None = None
    difficult: np.ndarray | None = None
    truncated: np.ndarray | None = None

    def __post_init__(self):
        put = lambda name, value: object.__setattr__(self, name, value)  # noqa: E731  the frozen dataclass's own way in
        put("path", Path(self.path))
        boxes = np.asarray(self.boxes, dtype=np.float32)
        put("boxes", boxes.reshape(0, 4) if boxes.size == 0 else boxes)
        put("labels", np.asarray(self.labels, dtype=np.int64).reshape(-1))
        if self.boxes.ndim != 2 or self.boxes.shape[1] != 4:
            raise ValueError(f"{self.path}: boxes must have shape (N, 4), got {self.boxes.shape}")
        if self.area is None:
            put("area", (self.boxes[:, 2:] - self.boxes[:, :2]).prod(axis=1))
        put("area", np.asarray(self.area, dtype=np.float32))
        for name in ("iscrowd", "difficult", "truncated"):
            value = getattr(self, name)
            put(name, np.zeros(len(self.boxes), np.int64) if value is None else np.asarray(value, dtype=np.int64))
        for name in ("labels", "area", "iscrowd", "difficult", "truncated"):
            if getattr(self, name).shape != (len(self.boxes),):
                raise ValueError(f"{self.path}: {name} must have shape ({len(self.boxes)},), got {getattr(self, name).shape}")
        if self.width < 1 or self.height < 1:
            raise ValueError(f"{self.path}: width and height must be at least 1, got {self.width} x {self.height}")

    def __len__(self) -> int:
        return len(self.boxes)


@dataclass(frozen=True, eq=False)
class Annotations:
    """A dataset of boxes: class names, pictures, and what was wrong with the files it came from.

    Args:
        classes: names; a label is an index into them.
        images: the pictures in the order of the split.
        problems: everything that was fixed, left out or worth a look.
    """

    classes: tuple[str, ...]
    images: list[ImageRecord]
    problems: list[Problem] = field(default_factory=list)

    def __post_init__(self):
        object.__setattr__(self, "classes", tuple(self.classes))
        if len(set(self.classes)) != len(self.classes):
            raise ValueError(f"classes must be different names, got {list(self.classes)}")
        for record in self.images:
            if len(record) and not (record.labels.min() >= 0 and record.labels.max() < len(self.classes)):
                raise ValueError(f"{record.path}: labels must lie in 0..{len(self.classes) - 1}, got {sorted(set(record.labels.tolist()))}")
        ids = Counter(record.image_id for record in self.images)
        if len(ids) != len(self.images):
            twice = [image_id for image_id, count in ids.items() if count > 1]
            raise ValueError(f"image_id must be different for every picture, got {twice[0]} more than once")

    def __len__(self) -> int:
        return len(self.images)

    def summary(self) -> str:
        """One sentence on what was fixed, left out or worth a look; "" where there was nothing."""
        return summarize(self.problems)

    def count_boxes(self) -> dict[str, int]:
        """Boxes of each class, in the order of the classes."""
        labels = np.concatenate([np.zeros(0, np.int64), *(record.labels for record in self.images)])
        return dict(zip(self.classes, np.bincount(labels, minlength=len(self.classes)).tolist(), strict=True))
