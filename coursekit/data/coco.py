"""COCO JSON: one file for a split, boxes as ``[x, y, width, height]`` in pixels from 0.

``area`` is the area of the object's mask, not of its box, and ``iscrowd`` marks a region that holds many objects; both
matter to the evaluation in notebook 20. Masks themselves are not read, but counted.
Source: cocodataset.org, "Data format"; ids and edge cases: facts of pycocotools 2.0.11.
"""

import json
import math
import mmap
import re
from codecs import getincrementaldecoder
from collections import Counter
from pathlib import Path

from .clean import RawBox, RawImage, clean_name, finish, to_number
from .images import PictureFinder
from .layout import Layout, choose_splits, from_root, last_part, leads_outside, read_text, split_folders
from .records import Annotations, Problem, shortened

ROBOFLOW = "_annotations.coco.json"


def find(path: Path) -> Layout | None:
    """A COCO dataset at this JSON file or in this folder: Roboflow's file in each split's folder, annotations/*.json, or *.json."""
    if path.is_file():
        root = path.parent.parent if path.parent.name.casefold() == "annotations" else path.parent
        return Layout("coco", root, {_split_name(path): path}) if path.suffix.lower() == ".json" else None
    if (path / ROBOFLOW).is_file():
        return Layout("coco", path, {path.name: path / ROBOFLOW})
    splits = {folder.name: folder / ROBOFLOW for folder in split_folders(path) if (folder / ROBOFLOW).is_file()}
    if splits:
        return Layout("coco", path, splits)
    for folder in (path / "annotations", path / "Annotations", path):
        files = [file for file in sorted(folder.glob("*.json")) if _looks_like_truth(file)]
        instances = [file for file in files if file.name.startswith("instances_")]  # not person_keypoints_, captions_
        if files:
            root = path.parent if folder == path and path.name.casefold() == "annotations" else path
            return Layout("coco", root, {_split_name(file): file for file in instances or files})
    return None


def _split_name(file: Path) -> str:
    return file.parent.name if file.name == ROBOFLOW else file.stem.removeprefix("instances_")


def _looks_like_truth(file: Path) -> bool:
    """Whether a JSON file may hold images and boxes, by its beginning: files of results are lists, others hold other keys."""
    if not file.is_file():
        return False
    with file.open("rb") as stream:
        head = stream.read(1 << 20).replace(b"\x00", b"")  # without the zeros of UTF-16
    return b"{" in head[:16] and any(key in head for key in (b'"images"', b'"annotations"', b'"categories"'))


def read(layout: Layout, split: str | None = None) -> Annotations:
    """Read a COCO dataset. See `formats.read_dataset` for the arguments."""
    problems: list[Problem] = []
    files = [layout.splits[name] for name in choose_splits(layout, split)]
    classes = _classes({file: categories_of(file) for file in layout.splits.values()}, layout, problems)
    raws: dict[Path, RawImage] = {}
    ids: dict[Path, object] = {}
    for file in files:
        data = _load(file, layout.relative(file), problems)
        _read_file(layout, file, data, raws, ids, problems)
    given = list(ids.values())
    keep_ids = all(type(image_id) is int for image_id in given) and len(set(given)) == len(given)
    if not keep_ids:
        text = "ids of images are not integers, or the same in two splits"
        problems.append(Problem(layout.relative(files[0]), "renumbered", text, "numbered the images from 1", note=True))
    records = [finish(raw, ids[path] if keep_ids else n, classes, problems) for n, (path, raw) in enumerate(raws.items(), start=1)]
    return Annotations(classes, [record for record in records if record is not None], problems)


def _load(file: Path, name: str, problems: list[Problem]) -> dict:
    try:
        data = json.loads(read_text(file, name, problems))
    except json.JSONDecodeError as error:
        raise ValueError(f"{file}: not valid JSON: {error}") from None
    except RecursionError:
        raise ValueError(f"{file}: not COCO's format: nested too deeply") from None
    if not isinstance(data, dict):
        kind = type(data).__name__
        raise ValueError(f"{file}: not COCO's format: expected an object with images, annotations and categories, got a {kind}")
    for key in ("images", "annotations", "categories"):
        if not isinstance(data.get(key, []), list):
            raise ValueError(f"{file}: not COCO's format: {key} must be a list, got a {type(data[key]).__name__}")
    return data


def categories_of(file: Path) -> list:
    """The categories of a COCO file, found without reading all of it: another split's file may hold a gigabyte.

    Raises:
        ValueError: naming a file that has none.
    """
    with file.open("rb") as stream:
        if stream.seek(0, 2) == 0:
            raise ValueError(f"{file}: the file is empty")
        with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
            at = re.search(rb'"categories"\s*:\s*(?=\[)', data)
            head = data[at.end() : at.end() + (8 << 20)] if at else b""
    try:  # the decoder allows for a letter that the cut went through, but for nothing that is not UTF-8
        return json.JSONDecoder().raw_decode(getincrementaldecoder("utf-8")().decode(head))[0]
    except (ValueError, RecursionError):
        categories = _load(file, file.name, []).get("categories")
    if not categories:
        raise ValueError(f"{file}: not COCO's format: it has no categories")
    return categories


def _names(categories: list, file: Path, name: str, problems: list[Problem]) -> dict[str, str]:
    """Category id (as text, so that 5 and "5" are the same) to class name."""
    names: dict[str, str] = {}
    for entry in categories:
        if not isinstance(entry, dict) or "id" not in entry:
            problems.append(Problem(name, "bad-entry", f"a category without an id: {shortened(repr(entry), 80)}", "left out the category"))
            continue
        key, called = str(entry["id"]), clean_name(entry.get("name", "")) or f"category {entry['id']}"
        if names.setdefault(key, called) != called:
            raise ValueError(f"{file}: category id {key} is both {names[key]!r} and {called!r}")
    return names


def _id_order(key: str) -> tuple:
    number = to_number(key)
    return (0, number, key) if math.isfinite(number) else (1, 0.0, key)


def _classes(categories: dict[Path, list], layout: Layout, problems: list[Problem]) -> tuple[str, ...]:
    """Class names of all splits in the order of their ids: so a label means the same in each of them."""
    order: dict[str, None] = {}
    for file, entries in categories.items():
        names = _names(entries, file, layout.relative(file), problems)
        order.update(dict.fromkeys(names[key] for key in sorted(names, key=_id_order)))
        for called, count in Counter(names.values()).items():
            if count > 1:
                text = f"{called!r} has {count} category ids"
                problems.append(Problem(layout.relative(file), "duplicate-category", text, "taken as one class"))
    return tuple(order)


def _read_file(layout: Layout, file: Path, data: dict, raws: dict, ids: dict, problems: list[Problem]) -> None:
    """Adds the pictures of one file to ``raws`` and their ids to ``ids``, both by the picture's path."""
    name = layout.relative(file)
    names = _names(data["categories"], file, name, [])
    boxes, masks = _boxes_by_image(data.get("annotations", []), names, name, problems)
    if masks:
        problems.append(Problem(name, "masks-ignored", f"{masks} annotations have a mask", "read their boxes only", note=True))
    finder = PictureFinder(_picture_folders(layout.root, file))
    seen: dict[str, str] = {}
    for entry in data.get("images", []):
        if not isinstance(entry, dict) or entry.get("id") is None or not isinstance(entry.get("file_name"), str):
            problems.append(
                Problem(name, "bad-entry", f"an image without id or file_name: {shortened(repr(entry), 80)}", "left out the image")
            )
            continue
        key, file_name = str(entry["id"]), entry["file_name"]
        if key in seen:
            text = f"image id {key} is both {seen[key]} and {file_name}"
            problems.append(Problem(name, "duplicate-id", text, "left out the second; its boxes may be among the first's"))
            continue
        seen[key] = file_name
        own = boxes.pop(key, [])
        picture = _picture(layout, file, file_name, finder, len(own), name, problems)
        if picture in raws:
            problems.append(Problem(name, "duplicate-image", f"{file_name} is listed twice", f"put its {len(own)} boxes with the first's"))
            raws[picture].boxes.extend(own)
        elif picture is not None:
            size = tuple(int(side) if 0 <= side < 1e9 else 0 for side in (to_number(entry.get(k)) for k in ("width", "height")))
            raws[picture], ids[picture] = RawImage(name, picture, size, own), entry["id"]
            for box in own:
                box.where += f" on {file_name}"
    for key, orphans in boxes.items():
        if key not in seen:
            text = f"{len(orphans)} annotations are on image id {key}, which is not among the images"
            problems.append(Problem(name, "unknown-image", text, "left them out"))


def _boxes_by_image(annotations: list, names: dict[str, str], name: str, problems: list[Problem]) -> tuple[dict[str, list], int]:
    """Boxes by their image's id (as text), and how many had a mask."""
    boxes: dict[str, list[RawBox]] = {}
    masks = without_area = 0
    for number, entry in enumerate(annotations):
        bbox = entry.get("bbox") if isinstance(entry, dict) else None
        if not isinstance(bbox, list) or len(bbox) != 4 or entry.get("image_id") is None:
            text = f"annotation {number} needs image_id and bbox [x, y, width, height], got {shortened(repr(entry), 80)}"
            problems.append(Problem(name, "bad-entry", text, "left out the annotation"))
            continue
        masks += bool(entry.get("segmentation"))
        without_area += entry.get("area") is None
        boxes.setdefault(str(entry["image_id"]), []).append(_box(entry, names, number))
    if without_area:
        problems.append(Problem(name, "no-area", f"{without_area} annotations have no area", "took the box's", note=True))
    return boxes, masks


def _box(entry: dict, names: dict[str, str], number: int) -> RawBox:
    x, y, width, height = (to_number(value) for value in entry["bbox"])
    category = str(entry.get("category_id"))
    return RawBox(
        xyxy=(x, y, x + width, y + height),
        name=names.get(category),
        called=f"category_id {category}",
        where=f"annotation {entry.get('id', number)}",
        area=None if entry.get("area") is None else to_number(entry["area"]),
        iscrowd=int(to_number(entry.get("iscrowd", 0)) == 1 or entry.get("iscrowd") is True),
        difficult=int(to_number(entry.get("difficult", 0)) == 1),
        truncated=int(to_number(entry.get("truncated", 0)) == 1),
    )


def _picture_folders(root: Path, file: Path) -> list[Path]:
    split = _split_name(file)
    return [root / split, root / "images" / split, root / "images", file.parent, root, root / "JPEGImages"]


def _picture(layout: Layout, file: Path, file_name: str, finder: PictureFinder, count: int, name: str, problems: list) -> Path | None:
    wanted, folder = file_name, file.parent.relative_to(layout.root).as_posix()
    if Path(file_name).is_relative_to(layout.root.absolute()):
        wanted, folder = Path(file_name).relative_to(layout.root.absolute()).as_posix(), "."
    if not leads_outside(wanted, folder):
        if ".." in re.split(r"[\\/]", wanted):  # then relative to the JSON file, and to nothing else
            wanted = from_root(wanted, folder)
    else:
        problems.append(Problem(name, "path-outside", f"file_name is {file_name!r}", "took only its last part"))
        wanted = last_part(file_name)
    picture = finder.find(wanted)
    if picture is None:
        folders = ", ".join(layout.relative(base) for base in finder.bases)
        problems.append(Problem(name, "missing-image", f"no picture {wanted!r} in {folders}", f"left out its {count} boxes"))
    return picture
