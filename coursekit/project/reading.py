"""Reading what strangers hand in as a submission: every way in which a CSV can be wrong gets one sentence with file, line and column.
The format is told in `submission`; no torch here."""

import csv
import io
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

BOXES = ("image_id", "class", "score", "x1", "y1", "x2", "y2")
LABELS = ("image_id", "class")
LARGEST = 64_000_000  # bytes: a thousand boxes in each of a thousand pictures
MOST_BOXES = 1000  # in one picture; COCO looks at the best 100 of each class
FARTHEST = 3.4028235e38  # rounds to the largest float32
NUMBER = re.compile(
    r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,4})?", re.ASCII
)  # float() would also take "nan", "1_0" and other alphabets' digits

Sizes = Mapping[str, tuple[float, float]]


def read_bytes(path: Path) -> bytes:
    """All of a file that is not too large.

    Raises:
        ValueError: it is no file, or larger than 64 MB.
        OSError: it cannot be opened.
    """
    if path.exists() and not path.is_file():
        raise ValueError(f"{path}: must be a file")
    with open(path, "rb") as file:
        raw = file.read(LARGEST + 1)
    if len(raw) > LARGEST:
        raise ValueError(f"{path}: a submission has at most {LARGEST // 1_000_000} MB")
    return raw


def parse(raw: bytes, name: str, ids: Sequence[str] | Sizes, classes: tuple[str, ...], kind: str | None = None) -> dict:
    """The answers by picture, in the order of ``ids``: a list of (label, score, x1, y1, x2, y2), or the name of a class.

    Args:
        raw: the file's bytes. name: what messages call it. The rest is told in `submission.read_submission`.

    Raises:
        ValueError: one sentence.
    """
    if kind not in (None, "detection", "classification"):
        raise ValueError(f'kind must be "detection" or "classification", got {kind!r}')
    rows = _Rows(raw, name)
    head = rows.head(kind)
    sizes = ids if isinstance(ids, Mapping) else dict.fromkeys(ids)
    labels = {label: i for i, label in enumerate(classes)}
    take = _take_box if len(head) == len(BOXES) else _take_label
    found: dict[str, list | str] = {}
    first: dict[str, int] = {}
    for line, row in rows:
        cells = rows.cells(line, row, head)
        picture = cells["image_id"]
        if picture not in sizes:
            raise rows.wrong(line, "image_id", f"must be a picture that was handed out, got {shown(picture)}")
        problem = take(found, first, cells, labels, sizes[picture], line)
        if problem:
            raise rows.wrong(line, *problem)
        first.setdefault(picture, line)
    missing = [picture for picture in sizes if picture not in found]
    if missing:
        those = ", ".join(shown(picture) for picture in missing[:3]) + (" …" if len(missing) > 3 else "")
        how = "one without a box needs a row with only its id" if take is _take_box else "each needs a row"
        raise ValueError(f"{name}: column image_id lacks {len(missing)} of {len(sizes)} pictures, {those}; {how}")
    return {picture: found[picture] for picture in sizes}


def shown(text: str, most: int = 40) -> str:
    """A stranger's text inside a message: quoted, cut, and without anything that a terminal would act on."""
    return repr(text[:most]) + (" …" if len(text) > most else "")


class _Rows:
    """Lines of the CSV with their numbers."""

    def __init__(self, raw: bytes, name: str):
        self.name = name
        if raw[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in raw:
            raise ValueError(f"{name}: must be text in UTF-8; save it as CSV, not as a spreadsheet or in UTF-16")
        try:
            text = raw.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = raw.count(b"\n", 0, error.start) + 1
            raise ValueError(f"{name}:{line}: must be text in UTF-8, but byte {error.start + 1} of the file is none") from None
        if not text.strip():
            raise ValueError(f"{name}: is empty; its first line must be {','.join(BOXES)} or {','.join(LABELS)}")
        self.reader = csv.reader(io.StringIO(text, newline=""), strict=True)

    def __iter__(self):
        while True:
            line = self.reader.line_num + 1  # where the row begins
            try:
                row = next(self.reader)
            except StopIteration:
                return
            except csv.Error as error:
                raise ValueError(f"{self.name}:{line}: is no CSV: {error}") from None
            if row and not (len(row) == 1 and not row[0].strip()):  # not an empty line
                yield line, row

    def head(self, kind: str | None) -> tuple[str, ...]:
        line, row = next(iter(self), (1, []))
        head = tuple(cell.strip().lower() for cell in row)
        wanted = {"detection": (BOXES,), "classification": (LABELS,), None: (BOXES, LABELS)}[kind]
        match = next((known for known in wanted if sorted(known) == sorted(head)), None)
        if match is None:
            said = ",".join(row)
            hint = "; the columns must be parted by commas" if ";" in said or "\t" in said else ""
            raise ValueError(
                f"{self.name}:{line}: the first line must be {' or '.join(map(','.join, wanted))}, got {shown(said, 80)}{hint}"
            )
        return head

    def cells(self, line: int, row: list[str], head: tuple[str, ...]) -> dict[str, str]:
        if len(row) == 1 and len(head) > 2:  # only an id, without the commas
            row = row + [""] * (len(head) - 1) if head[0] == "image_id" else row
        if len(row) != len(head):
            raise ValueError(f"{self.name}:{line}: must have {len(head)} columns as the first line has, got {len(row)}")
        return dict(zip(head, row, strict=True))

    def wrong(self, line: int, column: str, text: str) -> ValueError:
        return ValueError(f"{self.name}:{line}: column {column} {text}")


Wrong = tuple[str, str] | None  # (column, what is wrong with it)


def _take_label(found: dict, first: dict, cells: dict, labels: dict, size, line: int) -> Wrong:
    picture, label = cells["image_id"], cells["class"].strip()
    if picture in found:
        return "image_id", f"has {shown(picture)} a second time; the first is in line {first[picture]}"
    if label not in labels:
        return "class", _not_a_class(label, labels)
    found[picture] = label
    return None


def _take_box(found: dict, first: dict, cells: dict, labels: dict, size, line: int) -> Wrong:
    picture = cells["image_id"]
    there = found.setdefault(picture, [])
    if not any(cells[column].strip() for column in BOXES[1:]):
        if picture in first:
            return "image_id", f"says that {shown(picture)} is without a box, but line {first[picture]} speaks of it already"
        return None
    if picture in first and not there:
        return "image_id", f"has a box in {shown(picture)}, which is without one in line {first[picture]}"
    if len(there) >= MOST_BOXES:
        return "image_id", f"has more than {MOST_BOXES:,} boxes in {shown(picture)}"
    label = cells["class"].strip()
    if label not in labels:
        return "class", _not_a_class(label, labels)
    numbers = []
    for column in BOXES[2:]:
        text = cells[column].strip()
        value = float(text) if len(text) < 60 and NUMBER.fullmatch(text) else math.nan
        if not abs(value) <= FARTHEST:
            return column, f"must be a finite number such as 12.5, got {shown(cells[column])}"
        numbers.append(value)
    if problem := _bad_box(*numbers, size):
        return problem
    there.append((labels[label], *numbers))
    return None


def _bad_box(score: float, x1: float, y1: float, x2: float, y2: float, size: tuple[float, float] | None) -> Wrong:
    if not 0 <= score <= 1:
        return "score", f"must lie in 0..1, got {score:g}{'; is it in percent?' if 1 < score <= 100 else ''}"
    for low, high, begin, end in (("x1", "x2", x1, x2), ("y1", "y2", y1, y2)):
        if end < begin:
            return high, f"must not be less than {low}, got {end:g} after {begin:g}; are these x, y, width and height?"
    if size is not None and (x1 >= size[0] or y1 >= size[1] or x2 <= 0 or y2 <= 0):
        column = "x1" if x1 >= size[0] else "y1" if y1 >= size[1] else "x2" if x2 <= 0 else "y2"
        box = ", ".join(f"{value:g}" for value in (x1, y1, x2, y2))
        return column, f"puts the box {box} outside its picture of {size[0]:g} x {size[1]:g} pixels"
    return None


def _not_a_class(label: str, labels: dict[str, int]) -> str:
    those = ", ".join(list(labels)[:8]) + (" …" if len(labels) > 8 else "")
    return f"must be one of {those}, got {shown(label)}"
