"""What an evaluator works on: every truth and every detection as rows of arrays. Used from notebook 20_map on.

Three things become `EvalInputs`: COCO JSON (`coursekit.metrics.coco_json`), the samples of a training loop (`from_samples`), and
folders of annotation files (`coursekit.metrics.readers`). After that no evaluator needs to know where the boxes came from.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True)
class Truths:
    """Ground truth of all images, one row a box, in file order.

    Args:
        image: (G,) int64, index into `EvalInputs.images`.
        category: (G,) int64, index into `EvalInputs.categories`.
        xywh: (G, 4) float64, left, top, width, height in pixels.
        area: (G,) float64, square pixels as annotated (COCO: of the mask, not of the box).
        crowd: (G,) bool, the box is around a crowd (COCO).
        difficult: (G,) bool, the object need not be found (Pascal VOC).
    """

    image: np.ndarray
    category: np.ndarray
    xywh: np.ndarray
    area: np.ndarray
    crowd: np.ndarray
    difficult: np.ndarray

    def __len__(self) -> int:
        return len(self.image)


@dataclass(frozen=True)
class Found:
    """Detections of all images, one row a box, in file order: `score` is (D,) float64, the rest is as in `Truths`.

    `area` may be left out: width x height, as COCO measures detections that are boxes.
    """

    image: np.ndarray
    category: np.ndarray
    xywh: np.ndarray
    score: np.ndarray
    area: np.ndarray | None = None

    def __post_init__(self):
        if self.area is None:
            object.__setattr__(self, "area", self.xywh[:, 2] * self.xywh[:, 3])

    def __len__(self) -> int:
        return len(self.image)


@dataclass(frozen=True)
class EvalInputs:
    """Everything that decides an AP.

    Args:
        images: ids, in the order that settles ties between images.
        categories: ids, in evaluation order.
        names: the name of each category.
        truths: `Truths`.
        found: `Found`.
        notes: sentences on what was dropped or assumed while reading; empty when nothing was.

    Raises:
        ValueError: naming the first box that has a number that is not finite, or a negative width or height.
    """

    images: tuple
    categories: tuple
    names: tuple[str, ...]
    truths: Truths
    found: Found
    notes: tuple[str, ...] = ()

    def __post_init__(self):
        self._check("truth", self.truths, "area", self.truths.area)
        self._check("detection", self.found, "score", self.found.score)

    def _check(self, what: str, rows: Truths | Found, name: str, values: np.ndarray) -> None:
        tests = (
            (~np.isfinite(rows.xywh).all(axis=1), "box", rows.xywh, "four finite numbers"),
            ((rows.xywh[:, 2:] < 0).any(axis=1), "box", rows.xywh, "x, y, width, height without a negative width or height"),
            (~np.isfinite(values), name, values, "a finite number"),
        )
        for bad, field, got, want in tests:
            if bad.any():
                row = int(np.flatnonzero(bad)[0])
                image = self.images[rows.image[row]]
                raise ValueError(f"{what} number {row + 1} (image {image!r}) has {field} {got[row].tolist()}, expected {want}")


def with_inclusive_corners(inputs: EvalInputs) -> EvalInputs:
    """The same boxes where the right and bottom pixel belong to the box, as in Pascal VOC: one pixel wider and higher."""

    def grown(rows):
        xywh = rows.xywh + np.array([0.0, 0.0, 1.0, 1.0])
        of_box = rows.area == rows.xywh[:, 2] * rows.xywh[:, 3]
        return replace(rows, xywh=xywh, area=np.where(of_box, xywh[:, 2] * xywh[:, 3], rows.area))

    return replace(inputs, truths=grown(inputs.truths), found=grown(inputs.found))


def from_samples(targets: Sequence[dict], predictions: Sequence, classes: Sequence[str]) -> EvalInputs:
    """`EvalInputs` from what a training loop or a notebook holds. Images are in list order.

    Args:
        targets: one dict an image: `boxes` (N, 4) xyxy pixels, `labels` (N,) 0-based; optional `area` (N,) (default: of the box),
            `iscrowd` (N,) and `difficult` (N,) (default: 0). Arrays or tensors.
        predictions: one dict, or `coursekit.detections.Detections`, an image: `boxes`, `scores`, `labels`.
        classes: names; label i is `classes[i]`.

    Raises:
        ValueError: naming the image and the field that does not fit.
    """
    if len(targets) != len(predictions):
        raise ValueError(f"predictions must have one entry for each of {len(targets)} targets, got {len(predictions)}")
    truth = [_rows(t, n, "targets", ("area", "iscrowd", "difficult"), len(classes)) for n, t in enumerate(targets)]
    found = [_rows(p, n, "predictions", ("scores",), len(classes)) for n, p in enumerate(predictions)]
    image, label, xywh, area, crowd, difficult = _join(truth, 6)
    area = np.where(np.isnan(area), xywh[:, 2] * xywh[:, 3], area)  # NaN: the target gave no area
    truths = Truths(image, label, xywh, area, np.nan_to_num(crowd) != 0, np.nan_to_num(difficult) != 0)
    names = tuple(str(name) for name in classes)
    return EvalInputs(tuple(range(len(targets))), tuple(range(len(names))), names, truths, Found(*_join(found, 4)))


def _rows(sample, number: int, argument: str, fields: tuple[str, ...], num_classes: int) -> list[np.ndarray]:
    """One image's columns: image index, label, xywh, then each of `fields` (NaN where an optional one is absent)."""
    get = sample.get if isinstance(sample, dict) else lambda name: getattr(sample, name, None)
    boxes, labels = get("boxes"), get("labels")
    if boxes is None or labels is None:
        raise ValueError(f"{argument}[{number}] must have boxes and labels")
    boxes, labels = _array(boxes, np.float64), _array(labels, np.int64)
    if boxes.size == 0:
        boxes = boxes.reshape(0, 4)
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise ValueError(f"{argument}[{number}] boxes must have shape (N, 4), got {boxes.shape}")
    columns = [np.full(len(boxes), number), labels, np.hstack([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]])]
    for name in fields:
        value = get(name)
        if value is None and name == "scores":
            raise ValueError(f"{argument}[{number}] must have scores")
        columns.append(np.full(len(boxes), np.nan) if value is None else _array(value, np.float64))
    for name, column in zip(("labels", *fields), [columns[1], *columns[3:]], strict=True):
        if column.shape != (len(boxes),):
            raise ValueError(f"{argument}[{number}] {name} must have shape ({len(boxes)},), one for each box, got {column.shape}")
    if len(labels) and not (labels.min() >= 0 and labels.max() < num_classes):
        raise ValueError(f"{argument}[{number}] labels must be in 0..{num_classes - 1}, got {labels.min()} to {labels.max()}")
    return columns


def _array(value, dtype) -> np.ndarray:
    """As NumPy, also from a tensor on another device or in a precision that NumPy lacks; without importing torch."""
    if hasattr(value, "detach"):
        value = value.detach().cpu()
        value = value.double() if value.is_floating_point() else value
    return np.asarray(value).astype(dtype)


def _join(parts: list[list[np.ndarray]], columns: int) -> list[np.ndarray]:
    """Columns of all images, one under the other."""
    empty = [np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros((0, 4)), *[np.zeros(0)] * (columns - 3)]
    return [np.concatenate([empty[c], *(part[c] for part in parts)]) for c in range(columns)]
