"""The world of faces on disk, as Face Mask Detection comes: images/maksssksksss0.png, annotations/maksssksksss0.xml. Used in 24_project."""

from pathlib import Path
from xml.sax.saxutils import escape

from PIL import Image

from coursekit.data.masks.datasets import MaskScenes
from coursekit.data.masks.defects import Defect, Sheet, plant
from coursekit.data.signs.geometry import Dice

_WRITE = 22


def write_masks(
    folder: str | Path, length: int, seed: int = 0, size: int = 256, defects: bool = True, splits: dict[str, int] | None = None, **options
) -> list[Defect]:
    """Write scenes as the real set is laid out: pictures in ``images``, an XML of VOC's for each in ``annotations``.

    Pictures are `size` wide and between 3/4 of it and all of it high, as nobody's camera is square.

    Args:
        folder: made if need be; what lies there already must not be such a set.
        length, seed, size, options: as for `MaskScenes`.
        defects: whether to plant mistakes as real sets have them (`defects.FOUND_AS` lists the kinds). A copy of a picture is one of
            them, so there is one picture more.
        splits: percent by name, such as ``{"train": 70, "val": 15, "test": 15}``, written as lists in ``ImageSets/Main``; None: not
            split, as the real set.

    Returns:
        What was planted; `defects.missed` says which of it a check did not find.

    Raises:
        ValueError: as `MaskScenes` does; or for splits that do not add up to 100, a folder that is in use, too few pictures for defects.
    """
    folder, splits = Path(folder), dict(splits or {})
    if splits and (sum(splits.values()) != 100 or min(splits.values()) < 0):
        raise ValueError(f"splits must be percentages that add up to 100, got {splits}")
    if any((folder / name).exists() for name in ("images", "annotations")):
        raise ValueError(f"folder must not hold images and annotations yet, got {folder}")
    scenes = MaskScenes(length, seed, size, **options)
    sheets = [_sheet(scenes, index) for index in range(length)]
    names = _split_names(length, splits, Dice(_WRITE, seed))
    planted = plant(sheets, Dice(_WRITE, seed, 1)) if defects else []
    for copy in sheets[length:]:  # a copy in another split is what makes it bad
        first = next(n for n, sheet in enumerate(sheets) if sheet.image is copy.image)
        names += [next((name for name in splits if name != names[first]), names[first])] if splits else []
    for part in ("images", "annotations"):
        (folder / part).mkdir(parents=True)
    for sheet in sheets:
        _write(folder, sheet)
    for split in splits:
        stems = [sheet.stem for sheet, name in zip(sheets, names, strict=True) if name == split and sheet.has_xml]
        lists = folder / "ImageSets" / "Main"
        lists.mkdir(parents=True, exist_ok=True)
        (lists / f"{split}.txt").write_text("".join(f"{stem}\n" for stem in stems), encoding="utf-8", newline="\n")
    return planted


def _sheet(scenes: MaskScenes, index: int) -> Sheet:
    """One scene, cut at the bottom where no face is."""
    scene, size = scenes.scene(index), scenes.size
    lowest = max([size * 3 // 4, *scene.boxes[:, 3].tolist()])
    height = min(lowest + Dice(_WRITE, scenes.seed, index, 2).below(size // 8), size)
    objects = [
        [scenes.classes[label], x1 + 1, y1 + 1, x2, y2]
        for label, (x1, y1, x2, y2) in zip(scene.labels.tolist(), scene.boxes.tolist(), strict=True)
    ]
    return Sheet(f"maksssksksss{index}", Image.fromarray(scene.image[:height]), objects)


def _split_names(length: int, splits: dict[str, int], dice: Dice) -> list[str]:
    """A split for each picture, in the proportions asked for, in an order of chance."""
    if not splits:
        return []
    bounds, total = [], 0
    for percent in splits.values():
        total += percent
        bounds.append(length * total // 100)
    names = [next(name for name, stop in zip(splits, bounds, strict=True) if place < stop) for place in range(length)]
    for last in range(length - 1, 0, -1):
        other = dice.below(last + 1)
        names[last], names[other] = names[other], names[last]
    return names


def _write(folder: Path, sheet: Sheet) -> None:
    if sheet.has_picture:
        sheet.image.save(folder / sheet.picture, format=sheet.encoding, **sheet.save)
    if sheet.has_xml:
        text = _xml(sheet)
        (folder / sheet.xml).write_text(text[: len(text) * sheet.cut // 100], encoding="utf-8", newline="\n")


def _xml(sheet: Sheet) -> str:
    """The words and their order are the real set's."""
    width, height, depth = sheet.size or (*sheet.image.size, 3)
    lines = [
        "<annotation>",
        "    <folder>images</folder>",
        f"    <filename>{escape(sheet.filename or Path(sheet.picture).name)}</filename>",
    ]
    lines += [
        "    <size>",
        *(f"        <{name}>{value}</{name}>" for name, value in zip(("width", "height", "depth"), (width, height, depth), strict=True)),
    ]
    lines += ["    </size>", "    <segmented>0</segmented>"]
    for name, *corners in sheet.objects:
        lines += ["    <object>", f"        <name>{escape(name)}</name>", "        <pose>Unspecified</pose>"]
        lines += [f"        <{flag}>0</{flag}>" for flag in ("truncated", "occluded", "difficult")]
        lines += ["        <bndbox>"]
        lines += [f"            <{side}>{value}</{side}>" for side, value in zip(("xmin", "ymin", "xmax", "ymax"), corners, strict=True)]
        lines += ["        </bndbox>", "    </object>"]
    return "\n".join([*lines, "</annotation>"])
