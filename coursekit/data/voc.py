"""Pascal VOC: one XML for each picture, corners in pixels counted from 1, both ends included.

So ``xmin=1 xmax=640`` is the full width of a picture 640 wide: 0 to 640 half-open. Reading subtracts 1 from xmin and
ymin only. Source: the VOC 2007 development kit, section 8 (annotation format).
"""

import re
from pathlib import Path
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from .clean import RawBox, RawImage, clean_name, finish, to_number
from .images import PictureFolder, name_key
from .layout import Layout, choose_splits, last_part, leads_outside, read_text, split_folders
from .records import Annotations, Problem

XML_FOLDERS = ("annotations", "xmls", "xml", "labels")
PICTURE_FOLDERS = ("jpegimages", "images", "imgs", "img", "pictures")


def _subfolders(root: Path, names: tuple[str, ...]) -> list[Path]:
    """Those of these subfolders that exist, letter case ignored."""
    have = {entry.name.casefold(): entry for entry in sorted(root.iterdir()) if entry.is_dir()}
    return [have[name] for name in names if name in have]


def _xml_folder(root: Path) -> Path | None:
    """Where the XML files lie: in the folder itself or in one made for them."""
    return next((folder for folder in (root, *_subfolders(root, XML_FOLDERS)) if _has_xml(folder)), None)


def _xml_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*.xml") if path.is_file())


def _has_xml(folder: Path) -> bool:
    return any(path.is_file() for path in folder.glob("*.xml"))


def find(root: Path) -> Layout | None:
    """A VOC dataset whose top folder is this: Annotations with ImageSets, XML beside pictures, or a folder of those for each split."""
    if not root.is_dir():
        return None
    if root.name.casefold() in XML_FOLDERS and _has_xml(root) and _subfolders(root.parent, PICTURE_FOLDERS):
        root = root.parent  # the folder of the XML files was given; their pictures lie beside it
    if _xml_folder(root) is not None:
        lists = sorted(path for path in (root / "ImageSets" / "Main").glob("*.txt") if path.is_file())
        stems = {path.stem for path in lists}
        # VOC also has lists for each class, person_train.txt beside train.txt
        return Layout("voc", root, {path.stem: path for path in lists if path.stem.rpartition("_")[2] not in stems or "_" not in path.stem})
    splits = {folder.name: folder for folder in split_folders(root) if _has_xml(folder)}
    return Layout("voc", root, splits) if splits else None


def read(layout: Layout, split: str | None = None) -> Annotations:
    """Read a VOC dataset. See `formats.read_dataset` for the arguments."""
    problems: list[Problem] = []
    raws = [raw for folders, ids in _jobs(layout, split) for raw in _read_folder(layout, *folders, ids, problems)]
    from_zero = sum(-1.0 in box.xyxy[:2] for raw in raws for box in raw.boxes)
    if from_zero:
        text = f"{from_zero} boxes have xmin or ymin 0; a tool that counts from 0 puts all boxes a pixel too far left and up"
        problems.append(Problem(str(layout.root), "counts-from-0", text, "read as counted from 1", note=True))
    classes = _stored_classes(layout, problems) or _seen_classes(layout)
    records = [finish(raw, number, classes, problems) for number, raw in enumerate(raws, start=1)]
    return Annotations(classes, [record for record in records if record is not None], problems)


def _jobs(layout: Layout, split: str | None) -> list[tuple[tuple[Path, Path], list[Path] | None]]:
    """What to read: pairs of an XML folder and a picture folder, each with the lists of its ids, or None for all of it."""
    names = choose_splits(layout, split)
    if any(source.is_dir() for source in layout.splits.values()):  # a folder for each split
        return [((layout.splits[name], layout.splits[name]), None) for name in names]
    xml_folder = _xml_folder(layout.root)
    folders = (xml_folder, next(iter(_subfolders(layout.root, PICTURE_FOLDERS)), xml_folder))
    return [(folders, None if split is None else [layout.splits[name] for name in names])]


def _read_folder(layout: Layout, xml_folder: Path, picture_folder: Path, lists: list[Path] | None, problems: list) -> list[RawImage]:
    pictures = PictureFolder(picture_folder)
    every = {xml.stem: xml for xml in _xml_files(xml_folder)}
    xmls = every if lists is None else _listed(layout, every, lists, problems)
    raws: dict[Path, RawImage] = {}
    for xml in xmls.values():
        raw = _read_one(layout, xml, pictures, problems)
        if raw is not None and raw.picture in raws:
            text = f"{raw.picture.name} is annotated in {raws[raw.picture].file} already"
            problems.append(Problem(raw.file, "duplicate-image", text, f"put its {len(raw.boxes)} boxes with the first's"))
            raws[raw.picture].boxes.extend(raw.boxes)
        elif raw is not None:
            raws[raw.picture] = raw
    if lists is None:
        bare = [layout.relative(path) for path in pictures.pictures if path not in raws and path.stem not in every]
        problems.extend(Problem(file, "missing-annotation", "no XML of this name", "left out the picture") for file in bare)
    return list(raws.values())


def _read_one(layout: Layout, xml: Path, pictures: PictureFolder, problems: list[Problem]) -> RawImage | None:
    file = layout.relative(xml)
    parsed = _parse(xml, file, problems)
    if parsed is None:
        return None
    filename, boxes, size = parsed
    picture = _picture_of(xml, filename, pictures, boxes, file, problems)
    return None if picture is None else RawImage(file, picture, size, boxes)


def _listed(layout: Layout, every: dict[str, Path], lists: list[Path], problems: list[Problem]) -> dict[str, Path]:
    """The XML files of the ids in these lists, in their order; an id may have spaces, and a suffix that does not belong there."""
    have = {name_key(stem): xml for stem, xml in every.items()}
    found: dict[str, Path] = {}
    for path in lists:
        file = layout.relative(path)
        for line in filter(None, map(str.strip, read_text(path, file, problems).splitlines())):
            xml = have.get(name_key(line)) or have.get(name_key(last_part(line).rpartition(".")[0]))
            if xml is None:
                problems.append(Problem(file, "missing-annotation", f"{line!r} has no XML", "left out the picture"))
            elif xml.stem in found:
                problems.append(Problem(file, "duplicate-image", f"{line!r} is listed twice", "kept once"))
            else:
                found[xml.stem] = xml
    return found


def _parse(xml: Path, file: str, problems: list[Problem]) -> tuple[str, list[RawBox], tuple[int, int] | None] | None:
    """(file name, boxes, stated size) of an XML file; None, and a Problem, where it cannot be parsed."""
    try:
        declared = re.search(rb"""encoding=["']([\w.-]+)["']""", xml.read_bytes()[:200])
        text = read_text(xml, file, problems, declared and declared[1].decode("ascii"))
        root = fromstring(text.strip())
    except DefusedXmlException as error:
        reason = f"it defines entities, which can be made to fill the memory ({type(error).__name__})"
        problems.append(Problem(file, "forbidden-xml", reason, "left out the picture"))
        return None
    except (ParseError, ValueError, OSError, RecursionError) as error:
        problems.append(Problem(file, "unreadable", f"not valid XML: {error}", "left out the picture"))
        return None
    boxes = []
    for number, element in enumerate(root.findall("object")):
        box, written = _box(element, number), element.findtext("name") or ""
        if box is None:
            problems.append(Problem(file, "bad-entry", f"object {number} has no bndbox", "left out the object"))
            continue
        boxes.append(box)
        if box.name and box.name != written and "\n" not in written:  # a name on a line of its own is only laid out so
            problems.append(Problem(file, "padded-name", f"object {number} is of class {written!r}", f"read as {box.name!r}"))
    size = [to_number(root.findtext(f"size/{side}")) for side in ("width", "height")]
    stated = tuple(int(side) for side in size) if all(0 <= side < 1e9 for side in size) else None
    return (root.findtext("filename") or "").strip(), boxes, stated


def _box(element: Element, number: int) -> RawBox | None:
    corners = element.find("bndbox")
    if corners is None:
        return None
    x1, y1, x2, y2 = (to_number(corners.findtext(side)) for side in ("xmin", "ymin", "xmax", "ymax"))
    if not (x1 == x2 and y1 == y2):  # a click without a drag covers one pixel by the letter; it is left as a box without area
        x1, x2 = (x1 - 1, x2) if x1 <= x2 else (x1, x2 - 1)
        y1, y2 = (y1 - 1, y2) if y1 <= y2 else (y1, y2 - 1)
    name = clean_name(element.findtext("name") or "")
    flags = {flag: int((element.findtext(flag) or "").strip().lower() in ("1", "true")) for flag in ("difficult", "truncated")}
    return RawBox((x1, y1, x2, y2), name or None, f"object {number}", called=name or "(no name)", **flags)


def _picture_of(xml: Path, filename: str, pictures: PictureFolder, boxes: list, file: str, problems: list[Problem]) -> Path | None:
    """The picture of an XML file: of the same name, as VOC has it, else the one that <filename> names."""
    if leads_outside(filename):
        problems.append(Problem(file, "path-outside", f"<filename> is {filename!r}", "took only its last part"))
    named = pictures.named(last_part(filename))
    same_stem = pictures.with_stem(xml.stem)
    if named in same_stem and named is not None:
        return named
    if same_stem:
        if named is not None:
            text = f"<filename> names {named.name}, which is another picture than {same_stem[0].name}"
            problems.append(Problem(file, "other-picture", text, "took the one with the XML's own name", note=True))
        elif filename and not leads_outside(filename) and name_key(Path(last_part(filename)).stem) != name_key(xml.stem):
            text = f"<filename> names {last_part(filename)}, which is not there"
            problems.append(Problem(file, "other-picture", text, "took the one with the XML's own name", note=True))
        return same_stem[0]
    if named is None:
        text = f"no picture {xml.stem}.* or {last_part(filename) or '(no filename)'!r} in {pictures.folder.name}"
        problems.append(Problem(file, "missing-image", text, f"left out its {len(boxes)} boxes"))
    return named


def _stored_classes(layout: Layout, problems: list[Problem]) -> tuple[str, ...]:
    """The names in classes.txt, where a dataset has one: the order that its labels were numbered in."""
    path = layout.root / "classes.txt"
    if not path.is_file():
        return ()
    return tuple(dict.fromkeys(filter(None, map(clean_name, read_text(path, "classes.txt", problems).splitlines()))))


def _seen_classes(layout: Layout) -> tuple[str, ...]:
    """All class names of all splits, sorted: so a label means the same in each of them."""
    unreported: list[Problem] = []
    folders = {folders[0] for folders, _ in _jobs(layout, None)}
    parsed = (_parse(xml, xml.name, unreported) for folder in folders for xml in _xml_files(folder))
    return tuple(sorted({box.name for file in parsed if file for box in file[1] if box.name}))
