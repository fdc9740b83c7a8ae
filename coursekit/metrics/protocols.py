"""The same detections under other rules: why two tools disagree about one AP. Taught in notebook 20_map.

    >>> images = [{"truth": np.array([[0., 0, 10, 10]]), "truth_labels": np.array([0]),
    ...            "boxes": np.array([[0., 0, 10, 8]]), "labels": np.array([0]), "scores": np.array([0.9])}]
    >>> mean_ap(images, 1), mean_ap(images, 1, Rules(confidence=0.95))
    (1.0, 0.0)

A tool's AP is a choice on each of seven questions; `Rules` holds the answers, `FAMOUS` those of five tools, and `ladder` walks from one set
of rules to another, a question at a time, so that the whole difference is the sum of its steps. Written to be read; `coco_fast.py` and
`voc.py` are what measures. Without crowds, areas and `difficult`, which only COCO's and VOC's own files have.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace

import numpy as np

from .steps import RECALL_POINTS, ap_area, ap_at_points, envelope, iou_of_boxes, pr_curve, rank

ELEVEN_POINTS = np.linspace(0.0, 1.0, 11)


def step_points(recall: np.ndarray, precision: np.ndarray, points: np.ndarray) -> float:
    """Mean height of the steps at some recalls: `ap_at_points`, fast enough to be asked a thousand times."""
    height = np.append(envelope(precision), 0.0)  # past the last recall it is 0
    return float(height[np.searchsorted(recall, points, side="left")].mean())


def trapezoids(recall: np.ndarray, precision: np.ndarray) -> float:
    """Straight lines from point to point instead of steps, with a point before the first (0, 1) and after the last (1, 0); read at 101
    recalls and added up by the trapezoid rule."""
    across = np.concatenate([[0.0], recall, [1.0]])
    height = envelope(np.concatenate([[1.0], precision, [0.0]]))
    return float(np.trapezoid(np.interp(RECALL_POINTS, across, height), RECALL_POINTS))


READINGS: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
    "101 points": lambda recall, precision: step_points(recall, precision, RECALL_POINTS),
    "101 points in float32": lambda recall, precision: step_points(recall, precision, RECALL_POINTS.astype(np.float32).astype(np.float64)),
    "11 points": lambda recall, precision: ap_at_points(recall, precision, ELEVEN_POINTS),
    "area": ap_area,
    "trapezoids": trapezoids,
}


@dataclass(frozen=True)
class Rules:
    """Seven questions on which evaluators differ; as it stands, COCO's answers.

    Args:
        plus_one: count pixels: a box from 3 to 3 is 1 wide.
        only_best: a detection tries only the truth that it overlaps most (of equals the first); else the best that is free (the later).
        strict: a match needs an IoU above the threshold; else the threshold itself is enough.
        stable: equal scores stay in the order in which they came; else they are turned round.
        confidence: detections below this score are dropped first.
        limit: so many detections an image and class at most; None: all.
        reading: from the curve to a number, a key of `READINGS`.

    Raises:
        ValueError: for a reading that is none of them.
    """

    plus_one: bool = False
    only_best: bool = False
    strict: bool = False
    stable: bool = True
    confidence: float = 0.0
    limit: int | None = 100
    reading: str = "101 points"

    def __post_init__(self):
        if self.reading not in READINGS:
            raise ValueError(f"reading must be one of {', '.join(READINGS)}, got {self.reading!r}")


COCO = Rules()
VOC = Rules(plus_one=True, only_best=True, limit=None, reading="area")
FAMOUS = {
    "COCO: pycocotools": COCO,
    "torchmetrics 1.9": Rules(reading="101 points in float32"),
    "YOLOv5 and v8, their sum": Rules(reading="trapezoids"),
    "VOC 2010, Padilla, Cartucho": VOC,
    "VOC 2007": replace(VOC, reading="11 points"),
}


def match(iou: np.ndarray, threshold: float, rules: Rules = COCO) -> np.ndarray:
    """Right or wrong, (D,) bool, for the detections of one image and class.

    Args:
        iou: (D, G), detections best first.
    """
    free, right = np.ones(iou.shape[1], dtype=bool), np.zeros(len(iou), dtype=bool)
    for d, row in enumerate(iou):
        reached = row > threshold if rules.strict else row >= threshold
        if not reached.any():
            continue
        if rules.only_best:
            g = int(row.argmax())
            right[d] = free[g]
        else:
            left = np.where(reached & free, row, -1.0)
            g = len(row) - 1 - int(left[::-1].argmax())  # of equals the later one
            right[d] = left[g] >= 0
        free[g] &= not right[d]
    return right


def class_curve(images: list[dict], label: int, threshold: float, rules: Rules = COCO) -> tuple[np.ndarray, np.ndarray] | None:
    """Recall and precision of one class over all images under these rules; None where no image has an object of it.

    Args:
        images: as in `steps.coco_map`.
    """

    def order_of(scores: np.ndarray) -> np.ndarray:
        return rank(scores) if rules.stable else np.argsort(scores, kind="stable")[::-1]

    scores, right, num_truths = [], [], 0
    for image in images:
        mine, said = image["truth_labels"] == label, (image["labels"] == label) & (image["scores"] >= rules.confidence)
        order = order_of(image["scores"][said])[: rules.limit]
        iou = iou_of_boxes(image["boxes"][said][order], image["truth"][mine], rules.plus_one)
        right.append(match(iou, threshold, rules))
        scores.append(image["scores"][said][order])
        num_truths += int(mine.sum())
    if num_truths == 0:
        return None
    return pr_curve(np.concatenate(right)[order_of(np.concatenate(scores))], num_truths)


def mean_ap(images: list[dict], num_classes: int, rules: Rules = COCO, threshold: float = 0.5) -> float:
    """Mean over the classes that have an object of the AP under these rules, in [0, 1]; NaN where none has."""
    curves = [class_curve(images, label, threshold, rules) for label in range(num_classes)]
    values = [READINGS[rules.reading](*curve) for curve in curves if curve is not None]
    return float(np.mean(values)) if values else float("nan")


def ladder(images: list[dict], num_classes: int, start: Rules, goal: Rules, threshold: float = 0.5) -> list[tuple[str, float]]:
    """From one set of rules to another, a rule at a time: the name of what was changed, and the AP from there on.

    The first entry is ``("start", AP)``; each later one changes one field more, in the order of `Rules`, and leaves out fields that agree.
    """
    rules, steps = start, [("start", mean_ap(images, num_classes, start, threshold))]
    for name in (field.name for field in fields(Rules)):
        if getattr(rules, name) != getattr(goal, name):
            rules = replace(rules, **{name: getattr(goal, name)})
            steps.append((f"{name} = {getattr(goal, name)}", mean_ap(images, num_classes, rules, threshold)))
    return steps
