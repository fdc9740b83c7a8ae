"""Pascal VOC's average precision: 11 points (2007) and all points (from 2010). Taught in notebook 20_map.

It differs from COCO's in more than the sum at the end. A detection looks only at the one truth that it overlaps best; if that is taken,
the detection is wrong, even where a second truth would fit. Truths marked `difficult` need not be found, and finding them is neither
right nor wrong. There are no areas, no crowds (a COCO crowd is treated as difficult), and no limit on the number of detections.

VOC counts pixels: its corners are inside the box, so a box from 3 to 3 is 1 wide. Readers turn that into half-open boxes
(`inputs.with_inclusive_corners` for boxes you have already), after which the IoU here is VOC's IoU "with + 1".

Sources: the VOC 2012 development kit (VOCevaldet.m; a match needs IoU >= threshold), and detectron2 for the 11 points.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .inputs import EvalInputs
from .pairs import near_pairs
from .steps import ap_area, ap_at_points

PROTOCOLS = ("voc2007", "voc2010")
ELEVEN_POINTS = np.linspace(0.0, 1.0, 11)


@dataclass(frozen=True)
class VocClass:
    """One class.

    Args:
        name: of the class.
        truths: how many have to be found (without difficult ones).
        AP: in [0, 1]; NaN where there is nothing to find.
        score, precision, recall: (D,) float64 after each detection that counts, best first; ties in file order.
        right: (D,) bool, true positives.
    """

    name: str
    truths: int
    AP: float
    score: np.ndarray
    right: np.ndarray
    precision: np.ndarray
    recall: np.ndarray


@dataclass(frozen=True)
class VocResult:
    """What VOC's evaluation says. `mAP` is the mean over classes that have something to find; NaN where none has."""

    protocol: str
    iou_threshold: float
    classes: tuple[VocClass, ...]
    notes: tuple[str, ...] = ()

    @cached_property
    def mAP(self) -> float:
        """Mean of the classes' AP, in [0, 1]."""
        values = [c.AP for c in self.classes if c.truths]
        return float(np.mean(values)) if values else float("nan")


def average_precision(recall: np.ndarray, precision: np.ndarray, protocol: str) -> float:
    """AP of one class from recall and precision after each detection.

    2007's points are those of linspace, so 0.3 is 0.30000000000000004 and a recall of exactly 3/10 does not reach it, as in detectron2.
    """
    return ap_at_points(recall, precision, ELEVEN_POINTS) if protocol == "voc2007" else ap_area(recall, precision)


def voc_evaluate(inputs: EvalInputs, protocol: str = "voc2010", iou_threshold: float = 0.5) -> VocResult:
    """VOC evaluation.

    Args:
        inputs: `coco_json.from_coco`, `inputs.from_samples` or `readers.read_folders` make it.
        protocol: "voc2007" (11 points) or "voc2010" (all points).
        iou_threshold: in (0, 1]; a match needs at least this.

    Raises:
        ValueError: for another protocol or threshold.
    """
    if protocol not in PROTOCOLS:
        raise ValueError(f"protocol must be one of {', '.join(PROTOCOLS)}, got {protocol!r}")
    if not 0 < iou_threshold <= 1:
        raise ValueError(f"iou_threshold must be above 0 and at most 1, got {iou_threshold}")
    truths, found = inputs.truths, inputs.found
    optional = truths.difficult | truths.crowd
    order = np.argsort(-found.score, kind="stable")
    right, wrong = match_best(inputs, order, iou_threshold, optional)
    classes = []
    for k, name in enumerate(inputs.names):
        counted = (found.category[order] == k) & (right | wrong)
        tp = right[counted]
        num_truths = int(((truths.category == k) & ~optional).sum())
        precision = np.cumsum(tp) / np.arange(1, len(tp) + 1)
        recall = np.cumsum(tp) / max(num_truths, 1)
        value = average_precision(recall, precision, protocol) if num_truths else float("nan")
        classes.append(VocClass(name, num_truths, value, found.score[order][counted], tp, precision, recall))
    return VocResult(protocol, iou_threshold, tuple(classes), inputs.notes)


def match_best(inputs: EvalInputs, order: np.ndarray, iou_threshold: float, optional: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Right and wrong, (D,) bool each in the given order. Neither: the best truth is one that need not be found.

    Nothing depends on what other detections took but "is it taken": the first to reach a truth is right, all later ones are wrong.
    """
    pairs = near_pairs(inputs, order, iou_threshold)
    best_iou = np.maximum.reduceat(pairs.iou, pairs.starts()) if len(pairs) else pairs.iou
    number = np.cumsum(np.bincount(pairs.starts(), minlength=len(pairs))) - 1  # which detection, counted among those that have a pair
    tops = pairs.select(pairs.iou == best_iou[number])
    tops = tops.select(tops.starts())  # of equals the first truth: argmax, unlike COCO
    right, neither = np.zeros((2, len(order)), dtype=bool)
    neither[tops.found[optional[tops.truth]]] = True
    tops = tops.select(~optional[tops.truth])
    _, first = np.unique(tops.truth, return_index=True)  # the best-scored detection of each truth
    right[tops.found[first]] = True
    return right, ~right & ~neither
