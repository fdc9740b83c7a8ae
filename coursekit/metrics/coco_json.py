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

from dataclasses import replace

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
    images, categories, annotations = (_list_of_dicts(ground_truth, name) for name in ("images", "categories", "annotations"))
    if isinstance(detections, dict):
        detections = _list_of_dicts(detections, "annotations", "detections")
    if not isinstance(detections, list) or not all(isinstance(d, dict) for d in detections):
        raise ValueError(f"detections must be a list of dicts with image_id, category_id, bbox and score, got {type(detections).__name__}")
    notes: list[str] = []
    image_ids = _ids(images, "id", "images", annotations, detections, "image_id")
    category_ids = _ids(categories, "id", "categories", annotations, detections, "category_id")
    names = {c["id"]: str(c.get("name", c["id"])) for c in categories}

    truth_image, truth_category = _lookup(annotations, "image_id", image_ids), _lookup(annotations, "category_id", category_ids)
    found_image, found_category = _lookup(detections, "image_id", image_ids), _lookup(detections, "category_id", category_ids)
    _refuse_unknown_images(detections, found_image)
    keep = (truth_image >= 0) & (truth_category >= 0)
    keep_found = found_category >= 0
    _note(notes, (truth_image < 0).sum(), "annotations are of images that `images` does not list: left out")
    _note(notes, (truth_category < 0).sum(), "annotations are of categories that `categories` does not list: left out")
    _note(notes, (~keep_found).sum(), "detections are of categories that `categories` does not list: left out")

    annotations = [a for a, kept in zip(annotations, keep, strict=True) if kept]
    detections = [d for d, kept in zip(detections, keep_found, strict=True) if kept]
    truths = _truths(annotations, truth_image[keep], truth_category[keep], notes)
    boxes, scores = _boxes(detections, "detection"), _numbers(detections, "score", "detection")
    found = Found(found_image[keep_found], found_category[keep_found], boxes, scores)
    if detection_areas:
        given = _numbers(detections, "area", "detection", default=np.nan)
        found = replace(found, area=np.where(np.isnan(given), found.area, given))
    return EvalInputs(tuple(image_ids), tuple(category_ids), tuple(names[c] for c in category_ids), truths, found, tuple(notes))


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


def _ids(rows: list[dict], field: str, name: str, annotations: list[dict], detections: list[dict], foreign: str) -> list:
    """The distinct ids of images or categories, in evaluation order."""
    ids: dict[str, int | str] = {}
    for number, row in enumerate(rows):
        value = row.get(field)
        if isinstance(value, np.integer) or (isinstance(value, float) and value.is_integer()):
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int | str):
            raise ValueError(f"{name}[{number}] must have an id that is a number or a string, got {value!r}")
        ids.setdefault(str(value), value)
    mixed = any(not isinstance(row.get(foreign), str) for part in (annotations, detections) for row in part)
    only_text = all(isinstance(value, str) for value in ids.values()) and not mixed
    if not only_text and all(_is_number(text) for text in ids):
        return sorted(ids.values(), key=int)
    return sorted(ids.values(), key=str)


def _is_number(text: str) -> bool:
    return text.removeprefix("-").isascii() and text.removeprefix("-").isdigit()


def _lookup(rows: list[dict], field: str, ids: list) -> np.ndarray:
    """Position of each row's id among `ids`, -1 where it is not there. An id and its text are the same."""
    index = {str(value): position for position, value in enumerate(ids)}
    index |= {int(text): position for text, position in index.items() if _is_number(text) and str(int(text)) == text}
    try:
        return np.fromiter((index.get(row[field], -1) for row in rows), dtype=np.int64, count=len(rows))
    except KeyError:
        number = next(n for n, row in enumerate(rows) if field not in row)
        raise ValueError(f"every annotation and detection must have {field}; row {number + 1} has only {sorted(rows[number])}") from None
    except TypeError:
        raise ValueError(f"{field} must be a number or a string, got a list or a dict") from None


def _refuse_unknown_images(detections: list[dict], image: np.ndarray) -> None:
    unknown = np.flatnonzero(image < 0)
    if len(unknown):
        first = detections[unknown[0]]["image_id"]
        raise ValueError(
            f"{len(unknown)} of {len(image)} detections are of images that the ground truth does not list, the first of image {first!r}; "
            "were they made on another split?"
        )


def _boxes(rows: list[dict], what: str) -> np.ndarray:
    try:
        return np.array([row["bbox"] for row in rows], dtype=np.float64).reshape(len(rows), 4)
    except (KeyError, ValueError, TypeError):
        for number, row in enumerate(rows):
            box = row.get("bbox")
            if not isinstance(box, list | tuple | np.ndarray) or len(box) != 4 or not all(_is_real(v) for v in box):
                raise ValueError(f"{what} number {number + 1} must have bbox [x, y, width, height], got {box!r}") from None
        raise


def _numbers(rows: list[dict], field: str, what: str, default: float | None = None) -> np.ndarray:
    def value(row):
        got = row.get(field)
        return default if got is None and default is not None else got

    values = [value(row) for row in rows]
    wrong = next((n for n, v in enumerate(values) if not _is_real(v)), None)
    if wrong is not None:
        raise ValueError(f"{what} number {wrong + 1} must have a number as {field}, got {values[wrong]!r}")
    return np.array(values, dtype=np.float64)


def _is_real(value) -> bool:
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)


def _note(notes: list[str], count: int, sentence: str) -> None:
    if count:
        notes.append(f"{count} {sentence}")
