"""YOLO txt: one line ``class cx cy w h`` for each box, in fractions of the picture, beside a data.yaml that names the classes.

The labels of ``…/images/train/a.jpg`` lie in ``…/labels/train/a.txt`` (the last ``images`` of the path becomes ``labels``);
a picture without that file, or with an empty one, has no objects. Fractions are of the picture as displayed.
"""

import os
from pathlib import Path

import yaml

from .clean import RawBox, RawImage, clean_name, finish, to_number
from .images import PICTURE_SUFFIXES, PictureError, read_header
from .layout import Layout, choose_splits, from_root, leads_outside, read_text, split_folders
from .records import Annotations, Problem, shortened

SPLITS = ("train", "val", "valid", "test")


def find(path: Path) -> Layout | None:
    """A YOLO dataset at this YAML file or in this folder: data.yaml, or images/ and labels/ without one."""
    if path.is_file():
        return _from_yaml(path, _load_yaml(path)) if path.suffix.lower() in (".yaml", ".yml") else None
    for file in sorted([*path.glob("*.yaml"), *path.glob("*.yml")], key=lambda file: (file.stem not in ("data", "dataset"), file.name)):
        try:
            data = _load_yaml(file)
        except ValueError:
            if file.stem in ("data", "dataset"):
                raise
            continue  # some other tool's file
        if isinstance(data, dict) and "names" in data and any(split in data for split in SPLITS):
            return _from_yaml(file, data)
    pairs = {folder.name: folder / "images" for folder in split_folders(path) if _has_labels(folder)}
    if pairs:  # a folder for each split, each with images and labels
        return Layout("yolo", path, {name: [images] for name, images in pairs.items()})
    if not _has_labels(path):
        return None
    subfolders = [entry for entry in sorted((path / "images").iterdir()) if entry.is_dir()]
    return Layout("yolo", path, {entry.name: [entry] for entry in subfolders} or {"all": [path / "images"]})


def _has_labels(folder: Path) -> bool:
    return (folder / "images").is_dir() and next((folder / "labels").rglob("*.txt"), None) is not None


def _load_yaml(file: Path):
    try:  # the base loader keeps every scalar as text: a class named "no" stays "no"
        return yaml.load(read_text(file, file.name, []), Loader=yaml.BaseLoader)
    except (yaml.YAMLError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{file}: not valid YAML: {reason}") from None


def _from_yaml(file: Path, data) -> Layout:
    if not isinstance(data, dict) or "names" not in data:
        raise ValueError(f"{file}: not a dataset's YAML: expected names, and train, val or test")
    if not isinstance(data.get("path", ""), str):
        raise ValueError(f"{file}: path must be one folder, got a {type(data['path']).__name__}")
    bases = [file.parent / data.get("path", ""), file.parent]
    root = next(base for base in bases if os.path.isdir(base))
    layout = Layout("yolo", root, {}, data, file)
    for split in SPLITS:
        entries = data.get(split) or []
        entries = [entries] if isinstance(entries, str) else entries
        if not isinstance(entries, list) or not all(isinstance(entry, str) for entry in entries):
            raise ValueError(f"{file}: {split} must be a folder, a .txt list, or a list of those, got a {type(entries).__name__}")
        if entries:
            layout.splits[split] = [_resolve(entry, [root, file.parent]) for entry in entries]
    return layout


def _resolve(entry: str, bases: list[Path]) -> Path:
    """Where an entry of data.yaml points: relative to ``path``, else to the file; Roboflow writes one ``../`` too many."""
    names = [entry] + ([entry.removeprefix("../")] if entry.startswith("../") else [])
    tried = [base / name for name in names for base in bases]
    return next((path for path in tried if os.path.exists(path)), tried[0])


def read(layout: Layout, split: str | None = None) -> Annotations:
    """Read a YOLO dataset. See `formats.read_dataset` for the arguments."""
    problems: list[Problem] = []
    numbers = _names(layout, problems)
    raws: dict[Path, RawImage] = {}
    for name in choose_splits(layout, split):
        for source in layout.splits[name]:
            if not os.path.exists(source):
                reason = f"{name} is {shortened(str(source))}, which does not exist"
                if split is not None:
                    raise ValueError(f"{layout.root}: {reason}")
                problems.append(Problem(layout.relative(layout.config_file), "missing-split", reason, "left out the split"))
                continue
            _read_source(layout, source, numbers, raws, problems)
    classes = tuple(dict.fromkeys(numbers.values()))
    records = [finish(raw, number, classes, problems) for number, raw in enumerate(raws.values(), start=1)]
    return Annotations(classes, [record for record in records if record is not None], problems)


def _names(layout: Layout, problems: list[Problem]) -> dict[int, str]:
    """Class number to name, in the order of the numbers."""
    if layout.config_file is None:
        return _names_without_yaml(layout, problems)
    file, names = layout.relative(layout.config_file), layout.config["names"]
    if isinstance(names, list):
        names = dict(enumerate(names))
    keys = [to_number(key) for key in names] if isinstance(names, dict) else [-1.0]
    if not names or not all(key >= 0 and key.is_integer() for key in keys) or not all(isinstance(name, str) for name in names.values()):
        raise ValueError(f"{layout.config_file}: names must be a list of names, or number: name for each, counted from 0")
    numbers = {int(key): clean_name(name) or f"class {int(key)}" for key, name in sorted(zip(keys, names.values(), strict=True))}
    count = layout.config.get("nc")
    if count is not None and to_number(count) != len(numbers):
        problems.append(Problem(file, "wrong-count", f"nc is {count}, but there are {len(numbers)} names", "took the names"))
    if len(set(numbers.values())) < len(numbers):
        problems.append(Problem(file, "duplicate-category", "names holds a name twice", "taken as one class"))
    return numbers


def _names_without_yaml(layout: Layout, problems: list[Problem]) -> dict[int, str]:
    for file in (layout.root / "classes.txt", layout.root / "labels" / "classes.txt"):
        if file.is_file():
            lines = read_text(file, layout.relative(file), problems).splitlines()
            return dict(enumerate(clean_name(line) for line in lines if line.strip()))
    labels = (file for file in layout.root.rglob("*.txt") if "labels" in file.relative_to(layout.root).parts and file.is_file())
    first = {line.split()[0] for file in labels for line in read_text(file, file.name, []).splitlines() if line.strip()}
    numbers = sorted(int(number) for number in map(to_number, first) if number >= 0 and number.is_integer())
    text = "no data.yaml and no classes.txt"
    problems.append(Problem(str(layout.root), "no-names", text, "named the classes by their numbers"))
    return {number: str(number) for number in numbers}


def label_path(picture: Path) -> Path:
    """Where the labels of a picture lie: the last folder ``images`` of its path becomes ``labels``, the suffix .txt."""
    parts = list(picture.parts)
    at = max((index for index, part in enumerate(parts[:-1]) if part == "images"), default=None)
    if at is not None:
        parts[at] = "labels"
    return Path(*parts).with_suffix(".txt")


def _read_source(layout: Layout, source: Path, numbers: dict[int, str], raws: dict, problems: list[Problem]) -> None:
    """Adds the pictures of a folder or a list to ``raws``, by path."""
    pictures = _listed(layout, source, problems) if source.is_file() else _found(source)
    labelled: dict[Path, Path] = {}  # label file -> its first picture
    for picture in dict.fromkeys(pictures):
        if (label := label_path(picture)).is_file() and (first := labelled.setdefault(label, picture)) != picture:
            text = f"{first.name} and {picture.name} share this label file"
            problems.append(Problem(layout.relative(label), "shared-label", text, "gave both its boxes"))
    for picture in pictures:
        if picture in raws:
            problems.append(Problem(layout.relative(source), "duplicate-image", f"{layout.relative(picture)} is listed twice", "kept once"))
            continue
        raws[picture] = _read_one(layout, picture, label_path(picture), numbers, problems)
    if pictures and not labelled:
        text = f"none of {len(pictures)} pictures has a label file; the first would be {layout.relative(label_path(pictures[0]))}"
        problems.append(Problem(layout.relative(source), "missing-annotation", text, "took them as pictures without objects"))
    if source.is_dir():
        for folder in sorted({label_path(picture).parent for picture in pictures}):
            orphans = sorted(
                file for file in folder.glob("*.txt") if file not in labelled and file.name != "classes.txt" and file.is_file()
            )
            problems.extend(Problem(layout.relative(file), "missing-image", "no picture of this name", "left out") for file in orphans)


def _found(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.rglob("*")) if path.suffix.lower() in PICTURE_SUFFIXES and path.is_file()]


def _listed(layout: Layout, source: Path, problems: list[Problem]) -> list[Path]:
    """The pictures that a text file lists: absolute, or relative to the list or to the dataset."""
    file, pictures = layout.relative(source), []
    if source.suffix.lower() != ".txt":
        raise ValueError(f"{layout.root}: train, val and test must be folders or .txt lists, got {source}")
    root = layout.root if source.is_relative_to(layout.root) else source.parent
    folder = source.parent.relative_to(root).as_posix()
    for line in filter(None, map(str.strip, read_text(source, file, problems).splitlines())):
        name = line.replace("\\", "/")
        if os.path.isabs(name):
            places = [Path(name)]
        elif leads_outside(name, folder):
            problems.append(Problem(file, "path-outside", f"{line!r} climbs out of the dataset", "left out the picture"))
            continue
        else:
            places = [root / from_root(name, folder)] + ([] if ".." in name.split("/") else [layout.root / name])
        picture = next((path for path in places if os.path.isfile(path)), None)
        if picture is None:
            problems.append(Problem(file, "missing-image", f"no picture {line!r}", "left out the picture"))
        else:
            pictures.append(picture)
    return pictures


def _read_one(layout: Layout, picture: Path, label: Path, numbers: dict[int, str], problems: list[Problem]) -> RawImage:
    file = layout.relative(label if label.is_file() else picture)
    try:
        header = read_header(picture)
    except PictureError:
        return RawImage(file, picture)  # finish() reports it
    lines = read_text(label, file, problems).splitlines() if label.is_file() else []
    raw = RawImage(file, picture, header=header)
    polygons = 0
    for number, line in enumerate(lines, start=1):
        if line.strip():
            box, is_polygon = _box(line.split(), f"line {number}", layout, numbers, file, problems)
            polygons += is_polygon
            if box is not None:
                box.xyxy = tuple(side * value for side, value in zip((header.width, header.height) * 2, box.xyxy, strict=True))
                raw.boxes.append(box)
    if polygons:
        problems.append(Problem(file, "masks-ignored", f"{polygons} lines are polygons", "took the box around each", note=True))
    return raw


def _box(words: list[str], where: str, layout: Layout, numbers: dict[int, str], file: str, problems: list) -> tuple[RawBox | None, bool]:
    """The box of one line, in fractions; and whether it was a polygon ``class x1 y1 x2 y2 x3 y3 …``."""
    number, *values = map(to_number, words)
    has_keypoints = "kpt_shape" in layout.config
    is_polygon = len(values) >= 6 and len(values) % 2 == 0 and not has_keypoints
    problem = None
    if not (number >= 0 and number.is_integer()):
        problem = ("bad-line", f"the class must be a number from 0, got {words[0]!r}")
    elif len(values) < 4 or (len(values) > 5 and not is_polygon and not has_keypoints):
        problem = ("bad-line", f"expected class cx cy w h, got {len(words)} values")
    elif any(abs(value) > 2 for value in (values if is_polygon else values[:4])):
        problem = ("not-normalised", f"expected fractions of the picture, got {' '.join(words[1:5])}")
    if problem:
        problems.append(Problem(file, problem[0], f"{where}: {problem[1]}", "left out the line"))
        return None, False
    if len(values) == 5:
        problems.append(Problem(file, "extra-value", f"{where} has a sixth value, as predictions have", "ignored it", note=True))
    if is_polygon:
        corners = (min(values[0::2]), min(values[1::2]), max(values[0::2]), max(values[1::2]))
    else:
        cx, cy, width, height = values[:4]
        corners = (cx - width / 2, cy - height / 2, cx + width / 2, cy + height / 2)
    name = numbers.get(int(number))
    return RawBox(corners, name, where, called=f"number {int(number)}"), is_polygon
