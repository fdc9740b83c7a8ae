"""A data card: one page that says what a data set is, how much of it there is, whose it is, and what is wrong with it.
Begun in notebook 04_data, used by the project of notebook 24.

>>> card = data_card({"train": train, "test": test}, name="digits", source="scikit-learn", licence="CC BY 4.0")
>>> print(card.to_markdown())

Source: Gebru and others 2021, Datasheets for Datasets (their questions, made short enough to be answered).
"""

import hashlib
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from .check import check_dataset
from .formats import find_dataset, read_dataset
from .image_folder import ImageFolder
from .images import PictureError, read_header
from .labelled import Labelled
from .layout import split_folders
from .records import summarize

WHOLE = "all"  # the name of the one split of a set that is not split
UNEVEN = 3.0  # a largest class of so many times the smallest is worth a line
TOO_FEW = 20  # with fewer in a class of a split, one picture more or less moves its score by 5 %


@dataclass(frozen=True)
class DataCard:
    """The card.

    Args:
        name: of the set.
        task: ``"classification"`` or ``"detection"``.
        classes: names in the order of the labels.
        pictures: how many in each split.
        counts: for each split, how many pictures (detection: boxes) of each class.
        sizes: smallest, median and largest width and height in pixels; empty where it is not known.
        source: where it comes from, who made it, how, when.
        licence: what you may do with it.
        split_by: what was kept together when it was split ("at random within classes", "by sign").
        problems: what is known to be wrong with it.
    """

    name: str
    task: str
    classes: tuple[str, ...]
    pictures: dict[str, int]
    counts: dict[str, dict[str, int]]
    sizes: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    source: str = ""
    licence: str = ""
    split_by: str = ""
    problems: tuple[str, ...] = ()

    @property
    def imbalance(self) -> float:
        """The largest class over the smallest of those that occur, over all splits; 1 is even, NaN where nothing is labelled."""
        totals = [sum(split[name] for split in self.counts.values()) for name in self.classes]
        there = [total for total in totals if total]
        return max(there) / min(there) if there else float("nan")

    @property
    def missing(self) -> tuple[str, ...]:
        """What its author has not answered."""
        return tuple(name for name in ("source", "licence", "split_by") if not getattr(self, name).strip())

    def to_dict(self) -> dict:
        """For JSON."""
        return asdict(self)

    def to_markdown(self) -> str:
        """For a README, or for ``IPython.display.Markdown``. What nobody answered is said, not left out."""
        unit = "boxes" if self.task == "detection" else "pictures"
        open_question = "**not stated**"
        sides = [
            f"{side} {low} to {high}, median {middle}" if low < high else f"{side} {low}"
            for side, (low, middle, high) in self.sizes.items()
        ]
        lines = [f"# Data card: {_cell(self.name)}", "", "| | |", "|---|---|"]
        rows = {
            "task": f"{self.task}, {len(self.classes)} class{'es' if len(self.classes) != 1 else ''}",
            "pictures": ", ".join(f"{count:,}{'' if split == WHOLE else ' ' + split}" for split, count in self.pictures.items()),
            "sizes": "; ".join(sides) or "not known",
            "balance": f"the largest class has {self.imbalance:.1f} times the {unit} of the smallest",
            "split by": self.split_by or open_question,
            "source": self.source or open_question,
            "licence": self.licence or f"{open_question}: without one you may not pass it on",
        }
        lines += [f"| {name} | {_cell(text)} |" for name, text in rows.items()]
        lines += ["", f"## {unit.capitalize()} of each class", "", f"| class | {' | '.join(map(_cell, self.counts))} |"]
        lines.append("|---|" + "---:|" * len(self.counts))
        for name in self.classes:
            lines.append(f"| {_cell(name)} | {' | '.join(str(split[name]) for split in self.counts.values())} |")
        lines += ["", "## Known problems", ""]
        lines += [f"- {problem}" for problem in self.problems] or ["- none found. Has anybody looked?"]
        return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    """Text that stays in its cell of a table."""
    return " ".join(str(text).split()).replace("|", "\\|")


def data_card(
    data: Labelled | Mapping[str, Labelled] | str | Path,
    name: str,
    source: str = "",
    licence: str = "",
    split_by: str = "",
    problems: Sequence[str] = (),
) -> DataCard:
    """Count what can be counted, and take what only a person knows.

    Args:
        data: a `Labelled` set; several by the name of their split; or a folder: of boxes (VOC, COCO, YOLO), of a folder for each class,
            or of train, val and test folders of those.
        name, source, licence, split_by: see `DataCard`.
        problems: what you know already; what is found (a picture twice or in two splits, classes uneven, missing or too few,
            what `check_dataset` reports) is put after.

    Raises:
        ValueError: naming the argument, or the two splits whose classes differ.
    """
    if not name.strip():
        raise ValueError("name must say what the set is called, got an empty text")
    if isinstance(data, (str, Path)):
        task, classes, pictures, counts, sizes, found = _from_folder(Path(data))
    else:
        splits = {WHOLE: data} if isinstance(data, Labelled) else dict(data)
        if not splits or not all(isinstance(part, Labelled) for part in splits.values()):
            raise ValueError(f"data must be a folder, a Labelled set, or a dict of those by split, got {type(data).__name__}")
        task, (classes, pictures, counts, sizes, found) = "classification", _from_labelled(splits)
    unit = "boxes" if task == "detection" else "pictures"
    stated = (*problems, *found, *_about_balance(classes, counts, unit))
    return DataCard(name, task, classes, pictures, counts, sizes, source, licence, split_by, tuple(dict.fromkeys(stated)))


def _from_labelled(splits: dict[str, Labelled]):
    classes = next(iter(splits.values())).classes
    for split, part in splits.items():
        if part.classes != classes:
            raise ValueError(f"the splits must have the same classes: {next(iter(splits))} has {classes}, {split} has {part.classes}")
    counts = {split: _tally(classes, part.labels.tolist()) for split, part in splits.items()}
    shapes = [part.images.shape for part in splits.values() if len(part)]
    sizes = _sizes([(shape[3], shape[2]) for shape in shapes])
    prints = {split: [_print(image.contiguous().numpy().tobytes()) for image in part.images.cpu()] for split, part in splits.items()}
    return classes, {split: len(part) for split, part in splits.items()}, counts, sizes, _duplicates(prints)


def _from_folder(root: Path):
    """(task, classes, pictures, counts, sizes, problems) of a folder of boxes, else of a folder of classes."""
    if not root.exists():
        raise ValueError(f"data must be a folder that exists, got {root}")
    try:
        find_dataset(root)
    except ValueError as no_boxes:
        try:
            return "classification", *_from_class_folders(root)
        except ValueError as no_classes:
            raise ValueError(f"data must be a folder of boxes or of a folder for each class. {no_classes}. {no_boxes}") from None
    report = check_dataset(root)
    pictures = {split.name: split.pictures for split in report.splits}
    counts = {split.name: dict(split.boxes) for split in report.splits}
    found = [f"{split.empty} of {split.pictures} pictures of {split.name} hold no object" for split in report.splits if split.empty]
    found += [f"coursekit data check: {summarize(report.problems)}"] if report.problems else []
    return "detection", report.classes, pictures, counts, _sizes_with_boxes(root), found


def _sizes_with_boxes(root: Path) -> dict[str, tuple[int, int, int]]:
    records = read_dataset(root).images
    sides = [(x2 - x1, y2 - y1) for record in records for x1, y1, x2, y2 in record.boxes.tolist()]
    boxes = {f"box {name}": values for name, values in _sizes(sides).items()}
    return _sizes([(record.width, record.height) for record in records]) | boxes


def _from_class_folders(root: Path):
    visible = [path for path in root.iterdir() if path.is_dir() and not path.name.startswith(".")] if root.is_dir() else []
    parts = split_folders(root) if visible else []
    if len(parts) < len(visible):
        parts = []  # "train" is a class, beside bus and tram
    folders = {folder.name: folder for folder in parts} or {WHOLE: root}
    splits = {split: ImageFolder(folder) for split, folder in folders.items()}
    classes = next(iter(splits.values())).classes
    for split, part in splits.items():
        if part.classes != classes:
            raise ValueError(f"the splits must have the same folders: {next(iter(splits))} has {classes}, {split} has {part.classes}")
    counts = {split: _tally(classes, part.labels.tolist()) for split, part in splits.items()}
    headers, damaged = [], []
    for part in splits.values():
        for path, _ in part.samples:
            try:
                headers.append(read_header(path))
            except PictureError as error:
                damaged.append(f"damaged: {error}")
    prints = {split: [_print(path.read_bytes()) for path, _ in part.samples] for split, part in splits.items()}
    modes = Counter(header.mode for header in headers)
    mixed = [f"kinds of pixel are mixed: {', '.join(f'{count} {mode}' for mode, count in modes.most_common())}"] if len(modes) > 1 else []
    sizes = _sizes([(header.width, header.height) for header in headers])
    return classes, {split: len(part) for split, part in splits.items()}, counts, sizes, damaged + mixed + _duplicates(prints)


def _print(content: bytes) -> str:
    """A fingerprint: the same for the same bytes."""
    return hashlib.sha256(content).hexdigest()


def _tally(classes: tuple[str, ...], labels: list[int]) -> dict[str, int]:
    count = Counter(labels)
    return {name: count[label] for label, name in enumerate(classes)}


def _sizes(pairs: list[tuple[float, float]]) -> dict[str, tuple[int, int, int]]:
    """Smallest, median and largest width and height, in whole pixels."""
    if not pairs:
        return {}
    widths, heights = zip(*pairs, strict=True)
    return {
        name: (round(min(side)), round(statistics.median(side)), round(max(side)))
        for name, side in (("width", widths), ("height", heights))
    }


def _duplicates(prints: dict[str, list[str]]) -> list[str]:
    """Pictures that are the same to the last bit: in two splits first, which is the worse, then within one."""
    found, names = [], list(prints)
    for index, first in enumerate(names):
        for second in names[index + 1 :]:
            shared = len(set(prints[first]) & set(prints[second]))
            if shared:
                are = "picture is" if shared == 1 else "pictures are"
                found.append(f"{shared} {are} in {first} and in {second}: what is tested was trained on")
    for split in names:
        more = len(prints[split]) - len(set(prints[split]))
        if more:
            lie = "picture lies" if more == 1 else "pictures lie"
            found.append(f"{more} {lie} a second time in {_called(split)}")
    return found


def _called(split: str) -> str:
    return "the set" if split == WHOLE else split


def _about_balance(classes: tuple[str, ...], counts: dict[str, dict[str, int]], unit: str) -> list[str]:
    found = []
    totals = {name: sum(split[name] for split in counts.values()) for name in classes}
    there = {name: total for name, total in totals.items() if total}
    if there and max(there.values()) >= UNEVEN * min(there.values()):
        most, least = max(there, key=there.get), min(there, key=there.get)
        found.append(f"classes are uneven: {there[most]} {unit} of {most}, {there[least]} of {least}")
    for split, count in counts.items():
        absent = [name for name in classes if not count[name]]
        few = [name for name in classes if 0 < count[name] < TOO_FEW]
        if absent:
            found.append(f"{_called(split)} has no {', no '.join(absent)}")
        if few:
            found.append(f"{_called(split)} has fewer than {TOO_FEW} {unit} of {', '.join(few)}: a score for them is mostly luck")
    return found
