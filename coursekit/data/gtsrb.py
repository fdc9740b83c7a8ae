"""German Traffic Sign Recognition Benchmark as its owners and its mirrors lay it out: a CSV that names pictures and classes. For 04_data.

Final_Training/Images/00014/GT-00014.csv    its owners': a folder and a list for each class, between semicolons
GT-final_test.csv, Final_Test/Images        and one list for the test
Train.csv, Test.csv, Train/14/..., Test/    its mirrors': one list for each split, with a column Path
"""

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
from torch import Tensor

from .image_folder import LabelledFiles
from .layout import leads_outside
from .others import GTSDB_CLASSES

_TEST = ("Final_Test/Images", "GTSRB/Final_Test/Images")


class Gtsrb(LabelledFiles):
    """Crops of 43 traffic signs, read when they are asked for.

    Args:
        root: the folder that holds one of the layouts, or the folder above.
        split: ``"train"`` or ``"test"``.
        transform: given the uint8 (3, H, W) image, returns what shall stand in its place.

    Sample i is ``(image, label)``: uint8 (3, H, W) RGB and an int. ``samples`` lists (path, label); ``boxes`` is (N, 4) int64 ``xyxy``
    half-open, the sign within its crop, or -1 where the list does not say; ``tracks`` names the physical sign that each crop was taken of
    ("00014/00003" is the fourth stop sign; "" in the test): crops of one track are frames of one drive, so split by it.

    Raises:
        ValueError: where there is no such list; or naming the file and line that is wrong, or the picture that is missing.
    """

    classes = GTSDB_CLASSES

    def __init__(self, root: str | Path, split: str = "train", transform: Callable[[Tensor], Tensor] | None = None):
        if split not in ("train", "test"):
            raise ValueError(f"split must be 'train' or 'test', got {split!r}")
        root = Path(root)
        lists = _lists(root, split)
        if not lists:
            wanted = "GT-00000.csv in a folder for each class, or Train.csv" if split == "train" else "GT-final_test.csv or Test.csv"
            raise ValueError(f"root must hold GTSRB's lists ({wanted}), got {root}")
        rows = [row for file in lists for row in _rows(file, root)]
        super().__init__([(path, label) for path, label, _ in rows], transform)
        self.root = root
        self.boxes = np.array([box for _, _, box in rows], dtype=np.int64).reshape(-1, 4)
        self.tracks = [_track(path, label) if split == "train" else "" for path, label in self.samples]


def _lists(root: Path, split: str) -> list[Path]:
    """The split's lists: in this folder, or up to four below, where the archives put them."""
    names = ("GT-[0-9]*.csv", "Train.csv") if split == "train" else ("GT-final_test.csv", "Test.csv")
    for pattern in names:
        for depth in range(5):
            found = sorted(path for path in root.glob("*/" * depth + pattern) if path.is_file())
            if found:
                return found
    return []


def _rows(file: Path, root: Path) -> list[tuple[Path, int, list[int]]]:
    """(picture, label, box) of each line of a list."""
    text = file.read_text(encoding="utf-8-sig")
    reader = csv.DictReader(text.splitlines(), delimiter=";" if ";" in text.partition("\n")[0] else ",")
    columns = reader.fieldnames or []
    name_column = "Path" if "Path" in columns else "Filename"
    if name_column not in columns or "ClassId" not in columns:
        raise ValueError(f"{file}: columns must hold Filename or Path, and ClassId; got {', '.join(columns) or 'none'}")
    rows = []
    for row in reader:
        name, label = row[name_column] or "", row["ClassId"] or ""
        if not (label.isascii() and label.isdigit() and int(label) < len(GTSDB_CLASSES)):
            raise ValueError(f"{file}, line {reader.line_num}: ClassId must be a number from 0 to 42, got {label!r}")
        if leads_outside(name):
            raise ValueError(f"{file}, line {reader.line_num}: the picture must lie in the dataset's folder, got {name!r}")
        places = [file.parent / name, *(folder / part / name for folder in (file.parent, root) for part in _TEST)]
        picture = next((place for place in places if place.is_file()), None)
        if picture is None:
            raise ValueError(f"{file}, line {reader.line_num}: there is no picture {name!r}")
        rows.append((picture, int(label), _box(row)))
    return rows


def _box(row: dict) -> list[int]:
    """The sign within its crop, half-open: the list counts from 0 and its last column and row belong to the sign."""
    try:
        x1, y1, x2, y2 = (int(row[f"Roi.{side}"]) for side in ("X1", "Y1", "X2", "Y2"))
    except (KeyError, TypeError, ValueError):
        return [-1, -1, -1, -1]
    return [x1, y1, x2 + 1, y2 + 1]


def _track(path: Path, label: int) -> str:
    """From 00003_00012.ppm, or 00014_00003_00012.png as mirrors name them: the track is the last number but one."""
    return f"{label:05d}/{path.stem.rpartition('_')[0].rpartition('_')[2]}"
