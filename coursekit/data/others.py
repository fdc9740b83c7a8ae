"""Datasets of boxes in a format of their own. Each reader gives the same Annotations as `formats.read_dataset`."""

import re
from pathlib import Path

from .clean import RawBox, RawImage, finish
from .records import Annotations, Problem

GTSDB_CLASSES = (
    *("speed limit 20", "speed limit 30", "speed limit 50", "speed limit 60", "speed limit 70", "speed limit 80"),
    *("end of speed limit 80", "speed limit 100", "speed limit 120", "no overtaking", "no overtaking by trucks"),
    *("priority at next crossing", "priority road", "give way", "stop", "no vehicles", "no trucks", "no entry", "danger"),
    *("bend left", "bend right", "double bend", "uneven road", "slippery road", "road narrows", "construction", "traffic signal"),
    *("pedestrians", "children", "bicycles", "snow", "wild animals", "end of restrictions", "turn right", "turn left"),
    *("straight ahead", "straight or right", "straight or left", "keep right", "keep left", "roundabout"),
    *("end of no overtaking", "end of no overtaking by trucks"),
)
GTSDB_TRAIN = 600  # the competition's: the first 600 pictures train, the last 300 test


def read_gtsdb(root: Path, split: str | None = None) -> Annotations:
    """German Traffic Sign Detection Benchmark: ``gt.txt`` with ``file;left;top;right;bottom;class`` beside 00000.ppm to 00899.ppm.

    Columns and rows are counted from 0 and the last one belongs to the sign, so half-open is one more. Pictures without a
    line hold no sign, and are kept.
    """
    _known(split, ("train", "test"))
    problems: list[Problem] = []
    raws = {path.name: RawImage("gt.txt", path) for path in sorted(root.glob("*.ppm")) if path.stem.isdigit()}
    if not raws or not (root / "gt.txt").is_file():
        raise ValueError(f"{root} is no GTSDB: gt.txt and pictures such as 00000.ppm are expected there")
    for number, line in enumerate((root / "gt.txt").read_text(encoding="utf-8-sig").splitlines(), start=1):
        fields = line.strip().split(";")
        if fields == [""]:
            continue
        if len(fields) != 6 or not all(re.fullmatch(r"-?\d+", field) for field in fields[1:]):
            problems.append(Problem("gt.txt", "bad-line", f"line {number}: {line!r}", "left out"))
        elif fields[0] not in raws:
            problems.append(Problem("gt.txt", "bad-picture", f"line {number}: there is no {fields[0]}", "left out"))
        else:
            left, top, right, bottom, label = map(int, fields[1:])
            name = GTSDB_CLASSES[label] if 0 <= label < len(GTSDB_CLASSES) else None
            raws[fields[0]].boxes.append(RawBox((left, top, right + 1, bottom + 1), name, f"line {number}", called=fields[5]))
    numbered = {int(raw.picture.stem): raw for raw in raws.values()}
    wanted = {number: raw for number, raw in numbered.items() if split is None or (number < GTSDB_TRAIN) == (split == "train")}
    return _finished({number + 1: raw for number, raw in wanted.items()}, GTSDB_CLASSES, problems)


def read_penn_fudan(root: Path, split: str | None = None) -> Annotations:
    """Penn-Fudan pedestrians: a text file for each picture, corners counted from 1 with both ends included, as in VOC."""
    _known(split, ())
    problems: list[Problem] = []
    raws = []
    for path in sorted((root / "Annotation").glob("*.txt")):
        text = path.read_text(encoding="latin-1")
        raw = RawImage(f"Annotation/{path.name}", root / "PNGImages" / f"{path.stem}.png")
        size = re.search(r"Image size \(X x Y x C\) : (\d+) x (\d+)", text)
        raw.size = (int(size[1]), int(size[2])) if size else None
        for number, x1, y1, x2, y2 in re.findall(r"Bounding box for object (\d+) .*?: \((\d+), (\d+)\) - \((\d+), (\d+)\)", text):
            raw.boxes.append(RawBox((int(x1) - 1, int(y1) - 1, int(x2), int(y2)), "person", f"object {number}"))
        raws.append(raw)
    if not raws:
        raise ValueError(f"{root} is no Penn-Fudan: Annotation/*.txt and PNGImages/*.png are expected there")
    return _finished(dict(enumerate(raws, start=1)), ("person",), problems)


def _known(split: str | None, splits: tuple[str, ...]) -> None:
    if split is not None and split not in splits:
        raise ValueError(f"split must be {' or '.join(map(repr, splits)) or 'left out: it has none'}, got {split!r}")


def _finished(raws: dict[int, RawImage], classes: tuple[str, ...], problems: list[Problem]) -> Annotations:
    """Annotations of the raw images by their image_id."""
    records = [finish(raw, image_id, classes, problems) for image_id, raw in raws.items()]
    return Annotations(classes, [record for record in records if record is not None], problems)
