"""COCO JSON into `EvalInputs`. The rules for files that break the rules are here, and each has a test.

- **Image and category ids** may be numbers or strings, mixed: 2299 and "2299" are the same image. Order (it settles ties between
  images): as text where the file has strings only, as pycocotools has it; else by number; else, where some are no numbers, as text.
- **Annotation ids** play no part in matching. They may start at 0, be strings, repeat, or be missing. pycocotools reads a match with
  id 0 as no match (a perfect detection becomes a false positive): here it is a match, and a note says so.
- **Missing `area`**: width x height of the box, with a note. **Missing `iscrowd`**: 0. A user's `ignore` is not read (as in pycocotools).
- **Detections of an image that the ground truth does not list**: an error, as in pycocotools. **Truth of an unlisted image, and anything
  of an unlisted category**: left out, as in pycocotools, with a note (pycocotools is silent).
- **NaN or infinite scores and boxes, negative widths and heights**: an error that names the first one. Nothing detected: legal, AP 0.
"""

import sys
from collections.abc import Iterable
from dataclasses import replace
from itertools import chain, repeat

import numpy as np

from .inputs import EvalInputs, Found, Truths


def from_coco(ground_truth: dict, detections: list[dict] | dict, detection_areas: bool = False) -> EvalInputs:
    """`EvalInputs` from COCO JSON as Python holds it after `json.load`. Neither argument is changed.

    Args:
        ground_truth: dict with the lists `images`, `categories`, `annotations` (`bbox` = x, y, width, height in pixels).
        detections: list of dict(image_id, category_id, bbox, score), or a dict that holds such a list under `annotations`.
        detection_areas: take the detections' own `area` (of their masks, say) where they have one, instead of width x height of the box.

    Raises:
        ValueError: naming what is missing or malformed, and where.
    """
    if isinstance(detections, dict):
        detections = _list_of_dicts(detections, "annotations", "detections")
    return from_pieces(ground_truth, [detections], detection_areas)


def from_pieces(ground_truth: dict, pieces: Iterable[list[dict]], detection_areas: bool = False) -> EvalInputs:
    """The same for detections that come some thousand at a time, so that they are never all in memory as dicts."""
    images, categories, annotations = (_list_of_dicts(ground_truth, name) for name in ("images", "categories", "annotations"))
    image_ids, category_ids = _Ids(images, "id", "images"), _Ids(categories, "id", "categories")
    truth_image, truth_category = image_ids.look_up(annotations, "image_id"), category_ids.look_up(annotations, "category_id")
    found = _found(pieces, image_ids, category_ids, detection_areas)

    notes: list[str] = []
    keep = (truth_image >= 0) & (truth_category >= 0)
    _note(notes, (truth_image < 0).sum(), "annotations are of images that `images` does not list: left out")
    _note(notes, (truth_category < 0).sum(), "annotations are of categories that `categories` does not list: left out")
    _note(notes, category_ids.missing, "detections are of categories that `categories` does not list: left out")
    annotations = [a for a, kept in zip(annotations, keep, strict=True) if kept]
    truths = _truths(annotations, image_ids.place(truth_image[keep]), category_ids.place(truth_category[keep]), notes)

    names = {c["id"]: str(c.get("name", c["id"])) for c in categories}
    ids = image_ids.in_order, category_ids.in_order
    return EvalInputs(*map(tuple, ids), tuple(names[c] for c in ids[1]), truths, found, tuple(notes))


def _found(pieces: Iterable[list[dict]], image_ids: "_Ids", category_ids: "_Ids", detection_areas: bool) -> Found:
    """Detections of listed categories, piece by piece into arrays."""
    columns: list[tuple[np.ndarray, ...]] = [(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros((0, 4)), np.zeros(0), np.zeros(0))]
    seen = kept = 0
    for rows in pieces:
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise ValueError(f"detections must be a list of dicts with image_id, category_id, bbox and score, got {type(rows).__name__}")
        image, category = image_ids.look_up(rows, "image_id", seen), category_ids.look_up(rows, "category_id", seen)
        seen += len(rows)
        image_ids.count_missing(rows, image, "image_id")
        category_ids.count_missing(rows, category, "category_id")
        listed = category >= 0
        if not listed.all():
            rows, image, category = [row for row, keep in zip(rows, listed, strict=True) if keep], image[listed], category[listed]
        area = _numbers(rows, "area", "detection", np.nan, kept) if detection_areas else np.zeros(0)
        columns.append((image, category, _boxes(rows, "detection", kept), _numbers(rows, "score", "detection", None, kept), area))
        kept += len(rows)
    if image_ids.missing:
        raise ValueError(
            f"{image_ids.missing} of {seen} detections are of images that the ground truth does not list, the first of image "
            f"{image_ids.first_missing!r}; were they made on another split?"
        )
    image, category, boxes, score, area = (np.concatenate(column) for column in zip(*columns, strict=True))
    found = Found(image_ids.place(image), category_ids.place(category), boxes, score)
    return replace(found, area=np.where(np.isnan(area), found.area, area)) if detection_areas else found


def to_coco(inputs: EvalInputs) -> tuple[dict, list[dict]]:
    """The same boxes as COCO JSON (ground truth, detections), for other tools to read. Annotation ids start at 1."""
    truths, found = inputs.truths, inputs.found
    annotations = [
        {
            "id": n + 1,
            "image_id": inputs.images[truths.image[n]],
            "category_id": inputs.categories[truths.category[n]],
            "bbox": truths.xywh[n].tolist(),
            "area": float(truths.area[n]),
            "iscrowd": int(truths.crowd[n]),
        }
        for n in range(len(truths))
    ]
    detections = [
        {
            "image_id": inputs.images[found.image[n]],
            "category_id": inputs.categories[found.category[n]],
            "bbox": found.xywh[n].tolist(),
            "score": float(found.score[n]),
        }
        for n in range(len(found))
    ]
    categories = [{"id": c, "name": name} for c, name in zip(inputs.categories, inputs.names, strict=True)]
    return {"info": {}, "images": [{"id": i} for i in inputs.images], "categories": categories, "annotations": annotations}, detections


def _truths(annotations: list[dict], image: np.ndarray, category: np.ndarray, notes: list[str]) -> Truths:
    xywh = _boxes(annotations, "annotation")
    without_area = [a.get("area") is None for a in annotations]
    area = np.where(without_area, xywh[:, 2] * xywh[:, 3], _numbers(annotations, "area", "annotation", default=0.0))
    crowd = np.array([bool(a.get("iscrowd")) for a in annotations], dtype=bool)
    difficult = np.array([bool(a.get("difficult")) for a in annotations], dtype=bool)
    _note(notes, sum(without_area), "annotations have no area: width x height of the box is taken")
    ids = [str(a["id"]) for a in annotations if "id" in a]
    if "0" in ids:
        notes.append("annotation id 0 exists: pycocotools would count a match with it as a false positive, here it is a match")
    _note(notes, len(ids) - len(set(ids)), "annotations repeat the id of another: ids play no part here, pycocotools would mix them up")
    return Truths(image, category, xywh, area, crowd, difficult)


def _list_of_dicts(data: dict, name: str, argument: str = "ground_truth") -> list[dict]:
    if not isinstance(data, dict):
        raise ValueError(f"{argument} must be a dict with images, categories and annotations, got {type(data).__name__}")
    value = data.get(name)
    if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
        raise ValueError(f"{argument} must have a list of dicts under {name!r}, got {'nothing' if value is None else type(value).__name__}")
    return value


class _Ids:
    """The ids of images or categories, and the position of each in evaluation order.

    That order depends on whether all ids are text, here and in annotations and detections, so it is known when all are read.
    """

    def __init__(self, rows: list[dict], field: str, name: str):
        ids: dict[str, int | str] = {}
        for number, row in enumerate(rows):
            value = row.get(field)
            if isinstance(value, np.integer) or (isinstance(value, float) and value.is_integer()):
                value = int(value)
            if isinstance(value, bool) or not isinstance(value, int | str):
                raise ValueError(f"{name}[{number}] must have an id that is a number or a string, got {value!r}")
            ids.setdefault(str(value), value)
        self.ids = list(ids.values())
        self.only_text = all(isinstance(value, str) for value in self.ids)
        self.index: dict = {text: position for position, text in enumerate(ids)}  # an id and its text are the same
        self.index |= {int(text): position for text, position in self.index.items() if _is_number(text) and str(int(text)) == text}
        self.missing, self.first_missing = 0, None

    def look_up(self, rows: list[dict], field: str, before: int = 0) -> np.ndarray:
        """Position of each row's id in file order, -1 where it is not there. `before` rows came earlier, for the message."""
        try:
            values = [row[field] for row in rows]
            self.only_text = self.only_text and set(map(type, values)) <= {str}
            return np.fromiter(map(self.index.get, values, repeat(-1)), dtype=np.int64, count=len(rows))
        except KeyError:
            number = next(n for n, row in enumerate(rows) if field not in row)
            message = f"every annotation and detection must have {field}; row {before + number + 1} has only {sorted(rows[number])}"
            raise ValueError(message) from None
        except TypeError:
            raise ValueError(f"{field} must be a number or a string, got a list or a dict") from None

    def count_missing(self, rows: list[dict], position: np.ndarray, field: str) -> None:
        missing = np.flatnonzero(position < 0)
        if len(missing) and not self.missing:
            self.first_missing = rows[missing[0]][field]
        self.missing += len(missing)

    @property
    def in_order(self) -> list:
        """As text where there is nothing but text; else by number; else, where some are no numbers, as text."""
        if not self.only_text and all(_is_number(str(value)) for value in self.ids):
            return sorted(self.ids, key=int)
        return sorted(self.ids, key=str)

    def place(self, position: np.ndarray) -> np.ndarray:
        """From positions in the file to positions in evaluation order."""
        place = {value: number for number, value in enumerate(self.in_order)}
        return np.array([place[value] for value in self.ids], dtype=np.int64)[position]


def _is_number(text: str) -> bool:
    return text.removeprefix("-").isascii() and text.removeprefix("-").isdigit()


def _boxes(rows: list[dict], what: str, before: int = 0) -> np.ndarray:
    """(N, 4). `before` rows came earlier, for the message."""
    try:
        boxes = [row["bbox"] for row in rows]
        if set(map(len, boxes)) <= {4}:
            return np.fromiter(chain.from_iterable(boxes), np.float64, 4 * len(boxes)).reshape(-1, 4)
    except OverflowError:
        raise ValueError(f"a {what} has a side in its bbox that is too large for a number of 64 bits") from None
    except (KeyError, ValueError, TypeError):
        pass
    for number, row in enumerate(rows, start=before + 1):
        box = row.get("bbox")
        if not isinstance(box, list | tuple | np.ndarray) or len(box) != 4 or not all(_is_real(v) for v in box):
            raise ValueError(f"{what} number {number} must have bbox [x, y, width, height], got {box!r}")
    raise AssertionError("boxes that are four numbers each are read above")


def _numbers(rows: list[dict], field: str, what: str, default: float | None = None, before: int = 0) -> np.ndarray:
    values = [row.get(field, default) for row in rows]
    if default is not None:
        values = [default if value is None else value for value in values]
    if not set(map(type, values)) <= {int, float}:
        for number, value in enumerate(values, start=before + 1):
            if not _is_real(value):
                raise ValueError(f"{what} number {number} must have a number as {field}, got {value!r}")
    try:
        return np.array(values, dtype=np.float64)
    except OverflowError:
        number = next(n for n, value in enumerate(values, start=before + 1) if abs(value) > sys.float_info.max)
        raise ValueError(f"{what} number {number} has a {field} that is too large for a number of 64 bits") from None


def _is_real(value) -> bool:
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)


def _note(notes: list[str], count: int, sentence: str) -> None:
    if count:
        notes.append(f"{count} {sentence}")
