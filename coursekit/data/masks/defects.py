"""Mistakes as real data sets have them, put into a written world of faces: each is told, and `coursekit data check` finds each.

Every function takes `Sheet`s, one for each picture, changes what will be written, and says what it did.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from PIL import Image

from coursekit.data.signs.geometry import Dice


@dataclass(frozen=True)
class Defect:
    """One mistake that was planted.

    Args:
        file: where it shows, as `check_dataset` names files: ``"annotations/maksssksksss3.xml"``.
        kind: one of FOUND_AS.
        detail: what was done, with its numbers.
    """

    file: str
    kind: str
    detail: str


FOUND_AS = {  # the kind of `records.Problem` that tells of it
    "one-too-wide": "past-edge",
    "past-edge": "past-edge",
    "zero-area": "zero-area",
    "no-size": "wrong-size",
    "blank-in-class": "padded-name",
    "class-typo": "similar-classes",
    "missing-picture": "missing-image",
    "missing-xml": "missing-annotation",
    "cut-xml": "unreadable",
    "grey": "not-rgb",
    "rgba": "not-rgb",
    "palette": "not-rgb",
    "png-named-jpg": "wrong-suffix",
    "exif-rotation": "exif-rotation",
    "duplicate": "same-picture",
    "other-filename": "other-picture",
    "odd-name": "odd-name",
}


@dataclass
class Sheet:
    """A picture and its annotation before they are written.

    Args:
        stem: name of both files without suffix.
        image: as it will be stored.
        objects: [class name, xmin, ymin, xmax, ymax] as VOC counts, from 1 and with both ends.
        suffix: of the picture. encoding: Pillow's name of its format. save: options for it.
        size: width, height and depth that the XML states.
        filename: that the XML states; "" for the picture's own.
        has_picture, has_xml: whether they are written. cut: percent of the XML that is written.
    """

    stem: str
    image: Image.Image
    objects: list[list]
    suffix: str = ".png"
    encoding: str = "PNG"
    save: dict = field(default_factory=lambda: {"compress_level": 1})
    size: tuple[int, int, int] | None = None
    filename: str = ""
    has_picture: bool = True
    has_xml: bool = True
    cut: int = 100

    @property
    def picture(self) -> str:
        return f"images/{self.stem}{self.suffix}"

    @property
    def xml(self) -> str:
        return f"annotations/{self.stem}.xml"


def missed(defects: Iterable[Defect], problems: Iterable) -> list[Defect]:
    """Those of the planted mistakes that no problem of a `check_dataset` report tells of."""
    told = [(problem.kind, f"{problem.file} {problem.detail}") for problem in problems]

    def is_told(defect: Defect) -> bool:
        trace = defect.detail.split("'")[1] if defect.kind == "class-typo" else defect.file
        return any(kind == FOUND_AS[defect.kind] and trace in text for kind, text in told)

    return [defect for defect in defects if not is_told(defect)]


def plant(sheets: list[Sheet], dice: Dice) -> list[Defect]:
    """Put one mistake of each kind into pictures of their own, and into large sets more of those that sit in single boxes.

    Args:
        sheets: at least as many as there are kinds, changed in place; a copy of one is added.
        dice: where chance comes from.

    Returns:
        What was planted, in the order of FOUND_AS.

    Raises:
        ValueError: where there are too few pictures with boxes to put it in.
    """
    free = list(range(len(sheets)))
    for last in range(len(free) - 1, 0, -1):
        other = dice.below(last + 1)
        free[last], free[other] = free[other], free[last]
    again = max(len(sheets) // 150, 1)
    defects = []
    for kind in FOUND_AS:
        wish, change = _CHANGES[kind]
        for _ in range(again if kind in _IN_BOXES else 1):
            place = max(free, key=lambda n: wish(sheets[n]), default=None)  # the first of the best
            if place is None or wish(sheets[place]) <= -_NEVER:
                raise ValueError(
                    f"length must leave a picture for each of {len(FOUND_AS)} defects, got {len(sheets)}; {kind!r} found no place"
                )
            free.remove(place)
            defects.append(Defect(*change(sheets, sheets[place], dice)))
    return defects


_NEVER = 1 << 20
_IN_BOXES = ("one-too-wide", "past-edge", "zero-area", "blank-in-class")


def _anything(sheet: Sheet) -> int:
    return 0


def _some_box(sheet: Sheet) -> int:
    return 0 if sheet.objects else -_NEVER


def _box_at_the_right(sheet: Sheet) -> int:
    return max((thing[3] - sheet.image.width for thing in sheet.objects), default=-_NEVER)


def _box_at_the_left(sheet: Sheet) -> int:
    return -min((thing[1] for thing in sheet.objects), default=_NEVER)


def _no_square(sheet: Sheet) -> int:
    return int(bool(sheet.objects)) if sheet.image.width != sheet.image.height else -_NEVER


def _rarest(sheet: Sheet) -> int:
    return 1 if any(thing[0] == "mask_weared_incorrect" for thing in sheet.objects) else _some_box(sheet)


def _one_too_wide(sheets, sheet: Sheet, dice: Dice):
    thing = max(sheet.objects, key=lambda thing: thing[3])
    thing[3] = sheet.image.width + 1
    return sheet.xml, "one-too-wide", f"xmax is {thing[3]} in a picture {sheet.image.width} wide"


def _past_edge(sheets, sheet: Sheet, dice: Dice):
    thing = min(sheet.objects, key=lambda thing: thing[1])
    thing[1] = -dice.between(6, 14)
    return sheet.xml, "past-edge", f"xmin is {thing[1]}"


def _zero_area(sheets, sheet: Sheet, dice: Dice):
    name, x, y, *_ = dice.pick(sheet.objects)
    sheet.objects.append([name, x + 2, y + 3, x + 2, y + 3])
    return sheet.xml, "zero-area", f"a click without a drag at {x + 2}, {y + 3}"


def _no_size(sheets, sheet: Sheet, dice: Dice):
    sheet.size = (0, 0, 0)
    return sheet.xml, "no-size", "width and height are 0"


def _blank_in_class(sheets, sheet: Sheet, dice: Dice):
    thing = dice.pick(sheet.objects)
    thing[0] += " "
    return sheet.xml, "blank-in-class", f"class {thing[0]!r}"


def _class_typo(sheets, sheet: Sheet, dice: Dice):
    names = [thing[0] for other in sheets for thing in other.objects]
    right = "mask_weared_incorrect" if names.count("mask_weared_incorrect") > 1 else max(sorted(set(names)), key=names.count)
    thing = next((thing for thing in sheet.objects if thing[0] == right), sheet.objects[0])
    thing[0] = "mask_worn_incorrect" if right == "mask_weared_incorrect" else right.replace("mask", "msk")
    return sheet.xml, "class-typo", f"class {thing[0]!r} where {right!r} was meant"


def _missing_picture(sheets, sheet: Sheet, dice: Dice):
    sheet.has_picture = False
    return sheet.xml, "missing-picture", f"there is no {sheet.picture}"


def _missing_xml(sheets, sheet: Sheet, dice: Dice):
    sheet.has_xml = False
    return sheet.picture, "missing-xml", f"there is no {sheet.xml}"


def _cut_xml(sheets, sheet: Sheet, dice: Dice):
    sheet.cut = dice.between(40, 80)
    return sheet.xml, "cut-xml", f"ends after {sheet.cut} % of its text"


def _mode(kind: str, convert: Callable[[Image.Image], Image.Image]):
    def change(sheets, sheet: Sheet, dice: Dice):
        sheet.image = convert(sheet.image)
        return sheet.picture, kind, f"Pillow's mode {sheet.image.mode}"

    return change


def _png_named_jpg(sheets, sheet: Sheet, dice: Dice):
    sheet.suffix = ".jpg"
    return sheet.picture, "png-named-jpg", "the bytes are a PNG's"


def _exif(sheets, sheet: Sheet, dice: Dice):
    """A telephone held upright: the picture lies on its side in the file, and so was it annotated."""
    width = sheet.image.width
    sheet.image = sheet.image.transpose(Image.Transpose.ROTATE_90)
    sheet.objects = [[name, y1, width - x2 + 1, y2, width - x1 + 1] for name, x1, y1, x2, y2 in sheet.objects]
    exif = Image.Exif()
    exif[0x0112] = 6  # turn clockwise to show it
    sheet.suffix, sheet.encoding, sheet.save = ".jpg", "JPEG", {"quality": 92, "exif": exif}
    return sheet.xml, "exif-rotation", "EXIF turns the picture by 90 degrees, the boxes are of the one that lies"


def _duplicate(sheets, sheet: Sheet, dice: Dice):
    copy = replace(sheet, stem=f"maksssksksss{len(sheets)}", objects=[list(thing) for thing in sheet.objects])
    sheets.append(copy)
    return sheet.picture, "duplicate", f"the same bytes as {copy.picture}"


def _other_filename(sheets, sheet: Sheet, dice: Dice):
    place = next(n for n, other in enumerate(sheets) if other is sheet)
    sheet.filename = sheets[place - 1].picture.rpartition("/")[2]
    return sheet.xml, "other-filename", f"<filename> is {sheet.filename!r}"


def _odd_name(sheets, sheet: Sheet, dice: Dice):
    before, sheet.stem = sheet.stem, f"{sheet.stem} 마스크 né"
    return sheet.picture, "odd-name", f"{before} was renamed"


_CHANGES: dict[str, tuple[Callable[[Sheet], int], Callable]] = {
    "one-too-wide": (_box_at_the_right, _one_too_wide),
    "past-edge": (_box_at_the_left, _past_edge),
    "zero-area": (_some_box, _zero_area),
    "no-size": (_some_box, _no_size),
    "blank-in-class": (_some_box, _blank_in_class),
    "class-typo": (_rarest, _class_typo),
    "missing-picture": (_anything, _missing_picture),
    "missing-xml": (_anything, _missing_xml),
    "cut-xml": (_some_box, _cut_xml),
    "grey": (_anything, _mode("grey", lambda image: image.convert("L"))),
    "rgba": (_anything, _mode("rgba", lambda image: image.convert("RGBA"))),
    "palette": (_anything, _mode("palette", lambda image: image.quantize(128))),
    "png-named-jpg": (_anything, _png_named_jpg),
    "exif-rotation": (_no_square, _exif),
    "duplicate": (_some_box, _duplicate),
    "other-filename": (_anything, _other_filename),
    "odd-name": (_anything, _odd_name),
}
