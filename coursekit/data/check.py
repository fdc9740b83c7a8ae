"""What is in a dataset, and what is wrong with it: `coursekit data check PATH`.

Reading a dataset fixes what it can and keeps a record of it; the check reads all splits, decodes every picture, and adds
what a reader need not mind but a person should see: boxes drawn twice, one picture in two splits, classes that never occur.
"""

import hashlib
import re
from collections import Counter, defaultdict
from dataclasses import asdict, dataclass
from difflib import SequenceMatcher
from itertools import combinations
from pathlib import Path

import numpy as np

from .formats import FORMATS, find_dataset
from .images import PictureError, load_image, read_header
from .layout import Layout
from .records import Annotations, ImageRecord, Problem

NEAR = 0.8  # two boxes of one class that overlap more than this are seldom two objects
TINY = 2.0  # px
USUAL = 0.95  # a class that at least this share of the pictures has is expected in the others
ALIKE, FEW, ENOUGH = 0.8, 3, 30  # a name so much like another, on so few boxes of a set of at least so many, may be misspelt
PLAIN = re.compile(r"[\w./\\~()+-]+", re.ASCII)
ORDER = ("train", "val", "valid", "trainval", "test")
SUFFIXES = {
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"), "PNG": (".png",), "BMP": (".bmp", ".dib"), "GIF": (".gif",),
    "TIFF": (".tif", ".tiff"), "WEBP": (".webp",), "MPO": (".jpg", ".jpeg"), "PPM": (".ppm", ".pgm", ".pbm"),
}  # fmt: skip


@dataclass(frozen=True)
class Split:
    """Counts of one split: pictures, pictures without objects, and boxes by class."""

    name: str
    pictures: int
    empty: int
    boxes: dict[str, int]


@dataclass(frozen=True)
class Report:
    """What `check_dataset` found.

    Args:
        path: the dataset's folder.
        format: ``"voc"``, ``"coco"`` or ``"yolo"``.
        classes: names in the order of the labels.
        splits: counts; one named ``all`` where the dataset is not split.
        sizes: for each class that has boxes, the least, median and greatest width and height in pixels.
        problems: what was fixed or left out, then the notes.
    """

    path: str
    format: str
    classes: tuple[str, ...]
    splits: list[Split]
    sizes: dict[str, dict[str, list[float]]]
    problems: list[Problem]

    @property
    def exit_code(self) -> int:
        """0: nothing had to be fixed; notes may remain. 1: something had to be."""
        return int(any(not problem.note for problem in self.problems))

    def to_dict(self) -> dict:
        """For JSON."""
        return asdict(self) | {"exit_code": self.exit_code, "counts": dict(Counter(problem.kind for problem in self.problems))}


def check_dataset(path: str | Path, format: str | None = None) -> Report:
    """Read all of a dataset, decode its pictures and report.

    Args:
        path: as for `formats.read_dataset`, and format likewise.

    Raises:
        ValueError: where there is no dataset, or not one split of it can be read.
    """
    layout = find_dataset(path, format)
    read, problems, parts = FORMATS[layout.format].read, [], {}
    names = sorted(layout.splits, key=lambda name: (ORDER.index(name) if name in ORDER else len(ORDER), name))
    for name in [*names, *([None] if layout.format == "voc" or not names else [])]:  # VOC: also what no list names
        try:
            parts[name] = read(layout, name)
        except ValueError as error:
            problems.append(Problem(str(layout.root), "unreadable", str(error), f"left out {name or 'the rest'}"))
    if not parts:
        raise ValueError(problems[0].detail)
    problems += [problem for annotations in parts.values() for problem in annotations.problems]
    records = {record.path: record for annotations in parts.values() for record in annotations.images}
    classes = next(iter(parts.values())).classes
    if not records:
        problems.append(Problem(str(layout.root), "no-pictures", "not one usable picture", "left as it is"))
    problems += _pictures(layout, list(records.values()))
    problems += _shared_pictures(layout, {name: part for name, part in parts.items() if name} or {"": parts[None]})
    problems += [problem for record in records.values() for problem in _boxes(layout, record, classes)]
    everything = Annotations(classes, _renumbered(records.values()))
    problems += _class_names(layout, everything) + _absent(layout, everything)
    splits = [_count(name, part) for name, part in parts.items() if name is not None] or [_count("all", everything)]
    ordered = sorted(dict.fromkeys(problems), key=lambda problem: (problem.note, problem.kind, problem.file))
    return Report(str(layout.root), layout.format, classes, splits, _sizes(everything), ordered)


def _renumbered(records) -> list[ImageRecord]:
    names = ("path", "width", "height", "boxes", "labels", "area", "iscrowd", "difficult", "truncated")
    return [ImageRecord(image_id=n, **{name: getattr(record, name) for name in names}) for n, record in enumerate(records, start=1)]


def _count(name: str, annotations: Annotations) -> Split:
    empty = sum(len(record) == 0 for record in annotations.images)
    return Split(name, len(annotations), empty, annotations.count_boxes())


def _sizes(annotations: Annotations) -> dict[str, dict[str, list[float]]]:
    boxes = np.concatenate([np.zeros((0, 4), np.float32), *(record.boxes for record in annotations.images)])
    labels = np.concatenate([np.zeros(0, np.int64), *(record.labels for record in annotations.images)])
    sizes = {}
    for label, name in enumerate(annotations.classes):
        sides = (boxes[:, 2:] - boxes[:, :2])[labels == label]  # (N, 2)
        if len(sides):
            low, middle, high = sides.min(axis=0), np.median(sides, axis=0), sides.max(axis=0)
            sizes[name] = {side: [float(v[i]) for v in (low, middle, high)] for i, side in enumerate(("width", "height"))}
    return sizes


def _pictures(layout: Layout, records: list[ImageRecord]) -> list[Problem]:
    """Decodes every picture: damaged ones, names that say another kind, and how many were converted."""
    problems, modes = [], defaultdict(list)
    for record in records:
        file = layout.relative(record.path)
        try:
            header = read_header(record.path)
            load_image(record.path)
        except PictureError as error:
            problems.append(Problem(file, "bad-picture", str(error), "none: reading it will fail; replace or remove it"))
            continue
        if record.path.suffix.lower() not in SUFFIXES.get(header.format, (record.path.suffix.lower(),)):
            text = f"it is a {header.format} named {record.path.suffix}"
            problems.append(Problem(file, "wrong-suffix", text, "read by its content", note=True))
        if header.mode != "RGB":
            modes[header.mode].append(file)
    odd = [file for file in map(layout.relative, (record.path for record in records)) if not PLAIN.fullmatch(file)]
    if odd:
        text = f"{len(odd)} file names have spaces or letters beyond a to z, this is the first"
        problems.append(Problem(odd[0], "odd-name", text, "read all the same; other tools may stumble", note=True))
    for mode, files in sorted(modes.items()):
        problems.append(Problem(files[0], "not-rgb", f"{len(files)} pictures are {mode}, this is the first", "read as RGB", note=True))
    return problems


def _shared_pictures(layout: Layout, parts: dict[str, Annotations]) -> list[Problem]:
    """Pictures whose bytes lie in two splits, or twice in one: what was trained on would be tested on."""
    wholes = {"trainval"} if {"train", "val"} & set(parts) else set()
    places: dict[str, dict[Path, list[str]]] = defaultdict(lambda: defaultdict(list))
    for name, annotations in parts.items():
        for record in annotations.images if name not in wholes else ():
            places[hashlib.sha256(record.path.read_bytes()).hexdigest()][record.path].append(name)
    problems = []
    for paths in places.values():
        where = [f"{layout.relative(path)} in {name}".removesuffix(" in ") for path, names in paths.items() for name in names]
        if len(where) > 1:
            problems.append(Problem(where[0], "same-picture", "the same picture as " + ", ".join(where[1:]), "kept all", note=True))
    return problems


def _boxes(layout: Layout, record: ImageRecord, classes: tuple[str, ...]) -> list[Problem]:
    file = layout.relative(record.path)
    problems = [
        Problem(file, "near-duplicate", f"{classes[record.labels[i]]} boxes {i} and {j} overlap with IoU {iou:.2f}", "kept both", note=True)
        for i, j, iou in near_duplicates(record)
    ]
    tiny = int(((record.boxes[:, 2:] - record.boxes[:, :2]).min(axis=1, initial=np.inf) < TINY).sum())
    if tiny:
        problems.append(Problem(file, "tiny", f"{tiny} boxes are less than {TINY:g} pixels wide or high", "kept", note=True))
    return problems


def near_duplicates(record: ImageRecord) -> list[tuple[int, int, float]]:
    """Pairs of boxes of one class with IoU > 0.8, as (index, index, IoU); crowd regions, which overlap by nature, apart."""
    boxes = record.boxes.astype(np.float64)
    overlap = np.minimum(boxes[:, None, 2:], boxes[None, :, 2:]) - np.maximum(boxes[:, None, :2], boxes[None, :, :2])
    shared = overlap.clip(min=0).prod(axis=2)  # (N, N)
    area = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    iou = shared / (area[:, None] + area[None, :] - shared)
    candidates = (
        (iou > NEAR)
        & (record.labels[:, None] == record.labels[None, :])
        & ~(record.iscrowd[:, None] | record.iscrowd[None, :]).astype(bool)
    )
    return [(int(i), int(j), float(iou[i, j])) for i, j in np.argwhere(np.triu(candidates, k=1))]


def _absent(layout: Layout, annotations: Annotations) -> list[Problem]:
    """Pictures without a class that nearly every other picture has: perhaps somebody forgot to draw it."""
    pictures, problems = len(annotations), []
    for label, name in enumerate(annotations.classes if pictures >= 50 else ()):
        without = [record for record in annotations.images if label not in record.labels]
        if len(without) <= (1 - USUAL) * pictures:
            text = f"no {name!r}, which {pictures - len(without)} of {pictures} pictures have"
            problems += [Problem(layout.relative(record.path), "usual-class-absent", text, "kept", note=True) for record in without]
    return problems


def _class_names(layout: Layout, annotations: Annotations) -> list[Problem]:
    alike = defaultdict(list)
    for name in annotations.classes:
        alike["".join(filter(str.isalnum, name.casefold())) or name].append(name)
    problems = [
        Problem(str(layout.root), "similar-classes", " and ".join(map(repr, names)), "kept apart", note=True)
        for names in alike.values()
        if len(names) > 1
    ]
    problems += _misspelt(layout, annotations.count_boxes())
    unused = [name for name, count in annotations.count_boxes().items() if count == 0]
    return problems + [Problem(str(layout.root), "unused-class", f"{name!r} has no boxes", "kept", note=True) for name in unused]


def _misspelt(layout: Layout, counts: dict[str, int]) -> list[Problem]:
    """A class of very few boxes whose name is nearly another's; names that differ in their numbers alone are different things."""
    problems = []
    for pair in combinations(counts, 2):
        rare, common = sorted(pair, key=counts.get)
        plain = ["".join(filter(str.isalpha, name.casefold())) for name in (rare, common)]
        if not 0 < counts[rare] <= FEW or sum(counts.values()) < ENOUGH or plain[0] == plain[1]:
            continue
        if SequenceMatcher(None, *plain, autojunk=False).ratio() >= ALIKE:
            text = f"{rare!r} has {counts[rare]} box{'es' * (counts[rare] > 1)}, {common!r} has {counts[common]}: perhaps one is misspelt"
            problems.append(Problem(str(layout.root), "similar-classes", text, "kept apart", note=True))
    return problems
