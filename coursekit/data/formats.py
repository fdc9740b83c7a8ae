"""Datasets of boxes in the formats that people have them in, chosen by looking at the folder.

    >>> annotations = read_dataset("my-data", split="train")
    >>> annotations.classes, len(annotations)

The formats are told apart by what lies where. What was wrong with the files is in ``annotations.problems``, and
`coursekit.data.check` reports it. The rules that files leave open:

- Boxes are in the picture as it is displayed. Where EXIF turns it and the stated size shows that the boxes were drawn on
  the picture as stored, they are turned with it.
- A box is clipped to its picture, inverted corners are swapped, and a box of which less than 0.01 px is left is left out.
- In VOC, a box whose corners are one point covers one pixel by the letter; nobody draws such an object, so it is left out
  as a box without area. One pixel wide and longer stays.
- Labels mean the same in all splits: classes are gathered from all of them, whichever is read.
- A file name in an annotation never leads out of the dataset's folder; a data.yaml, which the user wrote, may point anywhere.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from . import coco, gtsdb, voc, yolo
from .layout import Layout
from .records import Annotations, Problem, shortened
from .write import WRITERS, has_split

FORMATS = {"voc": voc, "coco": coco, "yolo": yolo, "gtsdb": gtsdb}
LOOKED_FOR = """  VOC: Annotations/*.xml with JPEGImages (or images), XML files beside pictures, or folders train, val, test of those
  COCO: _annotations.coco.json, annotations/instances_*.json, or one JSON file with "images" and "annotations"
  YOLO: data.yaml, or images/ and labels/
  GTSDB: gt.txt beside 00000.ppm"""


def find_dataset(path: str | Path, format: str | None = None) -> Layout:
    """The dataset at a path: a folder, the folder above one, or its JSON or YAML file.

    Raises:
        ValueError: listing what was looked for; or, where the folder holds more than one dataset, naming them.
    """
    path = Path(path).expanduser()
    if not path.exists():
        raise ValueError(f"path must be a dataset's folder or file, and {path} does not exist")
    if format is not None and format not in FORMATS:
        raise ValueError(f"format must be one of {', '.join(FORMATS)}, got {format!r}")
    modules = FORMATS.values() if format is None else [FORMATS[format]]
    level = [path]
    for _ in range(3):
        found = [layout for folder in level for module in modules if (layout := module.find(folder)) is not None]
        if len(found) == 1:
            return found[0]
        if found:
            choices = ", ".join(f"{layout.format} in {layout.root}" for layout in found)
            raise ValueError(f"{path} holds more than one dataset: {choices}; give the one to read, or format=")
        level = [entry for folder in level if folder.is_dir() for entry in sorted(folder.iterdir()) if entry.is_dir()][:200]
    raise ValueError(f"{path} is no dataset that can be read. Looked there, and two folders deep, for\n{LOOKED_FOR}")


def read_dataset(
    path: str | Path, split: str | None = None, classes: Sequence[str] | None = None, format: str | None = None
) -> Annotations:
    """Read a dataset of boxes in VOC, COCO or YOLO format.

    Args:
        path: its folder (or the folder above it), or its JSON or YAML file.
        split: such as ``"train"``; ``"trainval"`` is train and val together. None: everything.
        classes: keep only these, in this order, so that a label means what you want. None: the order that the dataset
            stores (COCO's category ids, YOLO's names, classes.txt), else sorted names over all splits.
        format: ``"voc"``, ``"coco"``, ``"yolo"`` or ``"gtsdb"``, where a folder holds more than one.

    Returns:
        Annotations; ``.problems`` lists everything that was fixed or left out.

    Raises:
        ValueError: where there is no dataset, no such split, an unreadable main file, or not one usable picture.
    """
    layout = find_dataset(path, format)
    annotations = FORMATS[layout.format].read(layout, split)
    if not annotations.images:
        what = f"split {split!r} of {path}" if split else str(path)
        first = "".join(f"\n  {shortened(str(problem))}" for problem in annotations.problems[:5])
        raise ValueError(f"{what} has no usable picture; {len(annotations.problems)} problems{', the first:' if first else ''}{first}")
    return annotations if classes is None else select_classes(annotations, classes)


def select_classes(annotations: Annotations, classes: Sequence[str]) -> Annotations:
    """The same pictures with the boxes of these classes only, labelled in this order. What is left out is counted, by class.

    Raises:
        ValueError: where the dataset has none of them, or a name comes twice.
    """
    unknown = [name for name in classes if name not in annotations.classes]
    if len(unknown) == len(classes):
        raise ValueError(f"classes must be among {', '.join(annotations.classes)}, got {list(classes)}")
    new_label = np.array([classes.index(name) if name in classes else -1 for name in annotations.classes], dtype=np.int64)
    images = []
    for record in annotations.images:
        keep = new_label[record.labels] >= 0
        chosen = {name: getattr(record, name)[keep] for name in ("boxes", "area", "iscrowd", "difficult", "truncated")}
        images.append(replace(record, labels=new_label[record.labels[keep]], **chosen))
    problems = [Problem("classes", "unused-class", f"{name!r} is no class of the dataset", "kept", note=True) for name in unknown]
    for name, count in annotations.count_boxes().items():
        if name not in classes and count:
            problems.append(Problem("classes", "other-class", f"{count} boxes are of class {name!r}", "left them out", note=True))
    return Annotations(tuple(classes), images, annotations.problems + problems)


def write_dataset(annotations: Annotations, path: str | Path, format: str = "voc", split: str = "train") -> list[Problem]:
    """Write annotations and copies of their pictures. Call it again with another split to add it to the same dataset.

    Args:
        annotations: of `read_dataset`, or made by code; its pictures must exist.
        path: the dataset's folder; made where it does not exist.
        format: ``"voc"``, ``"coco"`` or ``"yolo"``.
        split: the name of the split.

    Returns:
        Notes on what the format cannot say: VOC has whole pixels, no crowds and no areas of masks; YOLO no flags at all.

    Raises:
        ValueError: an unknown format, a split that exists already, or other classes than the dataset at ``path`` has.
    """
    path = Path(path)
    if format not in WRITERS:
        raise ValueError(f"format must be one of {', '.join(WRITERS)}, got {format!r}")
    if not split or Path(split).name != split or not split.isprintable():
        raise ValueError(f"split must be a plain name such as 'train', got {split!r}")
    if format == "yolo" and split not in yolo.SPLITS:
        raise ValueError(f"split must be one of {', '.join(yolo.SPLITS)} in YOLO's format, got {split!r}")
    for name in annotations.classes:
        if not name or name != " ".join(name.split()) or not name.isprintable():
            raise ValueError(f"classes must be printable names without spaces at their ends, got {name!r}")
    if has_split(path, format, split):
        raise ValueError(f"{path} has a split {split!r} already; give split another name, or write to another folder")
    return WRITERS[format](annotations, path, split)
