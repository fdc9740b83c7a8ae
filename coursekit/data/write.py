"""Writers for the formats that `coursekit.data.formats` reads. What a format cannot say is reported, never dropped in silence.

Pictures are copied into the dataset unless they lie in the right place already. The file that makes a split known is
written last and whole, so an interrupted write leaves no split that looks complete, and can be started again.
"""

import json
import shutil
from pathlib import Path
from xml.etree.ElementTree import Element, SubElement, indent, tostring

import numpy as np
import yaml

from ..files import write_text
from .coco import categories_of
from .images import name_key
from .records import Annotations, ImageRecord, Problem


def _place(record: ImageRecord, folder: Path, stem: str) -> Path:
    """The picture in its new folder, copied unless it is there."""
    target = folder / f"{stem}{record.path.suffix}"
    if not (target.exists() and target.samefile(record.path)):
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(record.path, target)
    return target


def _plain(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="\n")


def has_split(root: Path, format: str, split: str) -> bool:
    """Whether a dataset of this format has this split, whole."""
    if format == "yolo":
        file = root / "data.yaml"
        return file.exists() and split in (yaml.safe_load(file.read_text(encoding="utf-8")) or {})
    return (root / {"voc": f"ImageSets/Main/{split}.txt", "coco": f"annotations/instances_{split}.json"}[format]).exists()


def _stems(images: list[ImageRecord], taken: set[str]) -> list[str]:
    """A name for each picture: its own, with a number where another picture has it already (from another folder, or a.png beside a.jpg)."""
    stems = []
    for record in images:
        stem, number = record.path.stem, 2
        while name_key(stem) in taken:
            stem, number = f"{record.path.stem}_{number}", number + 1
        taken.add(name_key(stem))
        stems.append(stem)
    return stems


def _same_classes(stored, classes: tuple[str, ...], file: Path) -> None:
    if tuple(stored) != classes:
        raise ValueError(f"classes must be those that {file} has, {list(stored)}, for another split of it; got {list(classes)}")


def _lost(images: list[ImageRecord], names: dict[str, str], file: str) -> list[Problem]:
    """Problems for the flags that the format has no place for: names maps a field to what was done."""
    counts = {name: sum(int((getattr(record, name) != 0).sum()) for record in images) for name in names}
    return [
        Problem(file, f"no-{name}", f"{counts[name]} boxes are {name}", action, note=True) for name, action in names.items() if counts[name]
    ]


def _lost_areas(images: list[ImageRecord], file: str) -> list[Problem]:
    count = 0
    for record in images:
        of_box = (record.boxes[:, 2:] - record.boxes[:, :2]).prod(axis=1)
        count += int((~np.isclose(record.area, of_box, rtol=1e-4)).sum())
    return [Problem(file, "no-area", f"{count} boxes have a mask's area", "the box's area stands for it", note=True)] if count else []


def write_voc(annotations: Annotations, root: Path, split: str) -> list[Problem]:
    """JPEGImages, Annotations, ImageSets/Main/SPLIT.txt and classes.txt. Corners are rounded to whole pixels, at least one wide."""
    lists = root / "ImageSets" / "Main"
    listed = [path.read_text(encoding="utf-8").splitlines() for path in lists.glob("*.txt")]
    if (root / "classes.txt").exists():
        _same_classes((root / "classes.txt").read_text(encoding="utf-8").splitlines(), annotations.classes, root / "classes.txt")
    stems = _stems(annotations.images, {name_key(stem) for stems in listed for stem in stems})
    for record, stem in zip(annotations.images, stems, strict=True):
        picture = _place(record, root / "JPEGImages", stem)
        _plain(root / "Annotations" / f"{stem}.xml", _voc_xml(record, picture, annotations.classes))
    write_text(root / "classes.txt", "".join(f"{name}\n" for name in annotations.classes))
    write_text(lists / f"{split}.txt", "".join(f"{stem}\n" for stem in stems))
    rounded = sum(int((record.boxes != np.rint(record.boxes)).any(axis=1).sum()) for record in annotations.images)
    problems = [Problem(f"{split}.txt", "rounded", f"{rounded} boxes", "VOC counts whole pixels", note=True)] if rounded else []
    problems += _lost(annotations.images, {"iscrowd": "written as difficult"}, f"{split}.txt")
    return problems + _lost_areas(annotations.images, f"{split}.txt")


def _voc_xml(record: ImageRecord, picture: Path, classes: tuple[str, ...]) -> str:
    root = Element("annotation")
    for name, text in (("folder", picture.parent.name), ("filename", picture.name)):
        SubElement(root, name).text = text
    size = SubElement(root, "size")
    for name, value in (("width", record.width), ("height", record.height), ("depth", 3)):
        SubElement(size, name).text = str(value)
    for index, label in enumerate(record.labels):
        element = SubElement(root, "object")
        difficult = int(record.difficult[index] or record.iscrowd[index])
        for name, text in (("name", classes[label]), ("truncated", record.truncated[index]), ("difficult", difficult)):
            SubElement(element, name).text = str(text)
        corners = SubElement(element, "bndbox")
        low = np.minimum(np.rint(record.boxes[index, :2]), (record.width - 1, record.height - 1)).astype(int)
        high = np.maximum(np.rint(record.boxes[index, 2:]).astype(int), low + 1)
        for name, value in zip(("xmin", "ymin", "xmax", "ymax"), (*(low + 1), *high), strict=True):
            SubElement(corners, name).text = str(value)
    indent(root)
    return tostring(root, encoding="unicode") + "\n"


def write_coco(annotations: Annotations, root: Path, split: str) -> list[Problem]:
    """A folder SPLIT of pictures, and annotations/instances_SPLIT.json. Ids of annotations and categories count from 1."""
    for other in sorted((root / "annotations").glob("instances_*.json")):
        _same_classes([entry["name"] for entry in categories_of(other)], annotations.classes, other)
    images, entries = [], []
    for record, stem in zip(annotations.images, _stems(annotations.images, set()), strict=True):
        picture = _place(record, root / split, stem)
        images.append({"id": record.image_id, "file_name": picture.name, "width": record.width, "height": record.height})
        entries += [_coco_entry(record, index, len(entries) + 1 + index) for index in range(len(record))]
    categories = [{"id": label, "name": name, "supercategory": "object"} for label, name in enumerate(annotations.classes, start=1)]
    data = {"info": {"description": split}, "images": images, "annotations": entries, "categories": categories}
    write_text(root / "annotations" / f"instances_{split}.json", json.dumps(data, ensure_ascii=False))
    return []


def _coco_entry(record: ImageRecord, index: int, number: int) -> dict:
    x1, y1, x2, y2 = record.boxes[index].tolist()
    entry = {
        "id": number,
        "image_id": record.image_id,
        "category_id": int(record.labels[index]) + 1,
        "bbox": [x1, y1, x2 - x1, y2 - y1],
        "area": float(record.area[index]),
        "iscrowd": int(record.iscrowd[index]),
    }
    extra = {name: 1 for name in ("difficult", "truncated") if getattr(record, name)[index]}  # not COCO's, and readers skip them
    return entry | extra


def write_yolo(annotations: Annotations, root: Path, split: str) -> list[Problem]:
    """images/SPLIT, labels/SPLIT and data.yaml. A crowd region is left out: the format would make it one object."""
    file = root / "data.yaml"
    config = yaml.safe_load(file.read_text(encoding="utf-8")) if file.exists() else {"names": dict(enumerate(annotations.classes))}
    _same_classes(config["names"].values(), annotations.classes, file)
    for record, stem in zip(annotations.images, _stems(annotations.images, set()), strict=True):
        _place(record, root / "images" / split, stem)
        scale = np.array([record.width, record.height] * 2, dtype=np.float64)
        boxes = record.boxes.astype(np.float64) / scale
        centres, sizes = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]
        rows = zip(record.labels.tolist(), centres.tolist(), sizes.tolist(), record.iscrowd.tolist(), strict=True)
        lines = [f"{label} " + " ".join(f"{value:.10g}" for value in (*centre, *size)) for label, centre, size, crowd in rows if not crowd]
        _plain(root / "labels" / split / f"{stem}.txt", "".join(f"{line}\n" for line in lines))
    write_text(file, yaml.safe_dump({split: f"images/{split}"} | config, allow_unicode=True, sort_keys=False))
    lost = {"iscrowd": "left out the boxes", "difficult": "lost the flag", "truncated": "lost the flag"}
    return _lost(annotations.images, lost, f"labels/{split}") + _lost_areas(annotations.images, f"labels/{split}")


WRITERS = {"voc": write_voc, "coco": write_coco, "yolo": write_yolo}
