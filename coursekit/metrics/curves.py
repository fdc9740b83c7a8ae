"""Curves and tables behind the one number: precision and recall by recall and by confidence, and who is taken for whom.

Taught in notebook 20_map; drawn by `coursekit.plots.metrics`.
"""

from dataclasses import dataclass

import numpy as np

from .coco import IOU_THRESHOLDS, RECALL_POINTS
from .detection import CocoResult
from .inputs import EvalInputs
from .pairs import near_pairs


@dataclass(frozen=True)
class PRCurve:
    """Precision by recall of each class at one IoU threshold.

    Args:
        names: of the K classes that have something to find.
        recall: (101,) the recall points.
        precision: (K, 101) best precision at this recall or a higher one.
        ap: (K,) their mean.
    """

    names: tuple[str, ...]
    recall: np.ndarray
    precision: np.ndarray
    ap: np.ndarray


def pr_curves(result: CocoResult, iou: float = 0.5) -> PRCurve:
    """Precision by recall, for objects of every size.

    Raises:
        ValueError: if `iou` is none of 0.50, 0.55, ..., 0.95.
    """
    precision = result.precision[_threshold(iou), :, :, 0, -1].T  # (K, 101)
    there = precision[:, 0] > -1
    names = tuple(name for name, kept in zip(result.inputs.names, there, strict=True) if kept)
    return PRCurve(names, RECALL_POINTS, precision[there], precision[there].mean(axis=1))


@dataclass(frozen=True)
class ConfidenceCurves:
    """What happens if only detections of at least a confidence are kept.

    Args:
        names: of the K classes that have something to find.
        confidence: (P,) ascending, 0 to 1.
        precision, recall, f1: (K, P). Where nothing is kept, precision is 1: nothing said, nothing wrong.
    """

    names: tuple[str, ...]
    confidence: np.ndarray
    precision: np.ndarray
    recall: np.ndarray
    f1: np.ndarray

    @property
    def best(self) -> tuple[float, float]:
        """(confidence, F1) where the mean F1 over classes is highest; the lowest such confidence. (nan, nan) without classes."""
        if not len(self.names):
            return float("nan"), float("nan")
        mean = self.f1.mean(axis=0)
        return float(self.confidence[mean.argmax()]), float(mean.max())


def confidence_curves(result: CocoResult, iou: float = 0.5, points: int = 1001) -> ConfidenceCurves:
    """Precision, recall and F1 by confidence threshold (a detection is kept at its own score: score >= threshold).

    Args:
        iou: one of 0.50, 0.55, ..., 0.95.
        points: how many thresholds between 0 and 1.
    """
    t, found, truths = _threshold(iou), result.inputs.found, result.inputs.truths
    matches = result.matches
    right, wrong = matches.right(t), matches.wrong(t)
    score, category = found.score[matches.row], found.category[matches.row]
    confidence = np.arange(points) / (points - 1)  # not linspace: 7 / 10 is 0.7, so a score of 0.7 is kept at 0.7
    names, rows = [], []
    for k, name in enumerate(result.inputs.names):
        num_truths = int(((truths.category == k) & ~truths.crowd).sum())
        if num_truths == 0:
            continue
        tp, fp = (_at_least(score[flag & (category == k)], confidence) for flag in (right, wrong))
        precision = np.where(tp + fp > 0, tp / np.maximum(tp + fp, 1), 1.0)
        names.append(name)
        rows.append((precision, tp / num_truths, 2 * tp / (tp + fp + num_truths)))
    precision, recall, f1 = np.array(rows).reshape(len(rows), 3, points).transpose(1, 0, 2)
    return ConfidenceCurves(tuple(names), confidence, precision, recall, f1)


def confusion_matrix(inputs: EvalInputs, score: float = 0.25, iou: float = 0.45) -> np.ndarray:
    """Who is taken for whom: rows are predicted, columns true; the last of each is background.

    Detections of at least `score` and truths are paired whatever their class, the highest IoU first (then the higher score), each at
    most once. A detection without partner counts in the background column, a truth without one in the background row. Detections
    that lie in a crowd, by at least `iou` of their own area, and have no partner count nowhere.

    Returns:
        (K + 1, K + 1) int64.
    """
    truths, found = inputs.truths, inputs.found
    order = np.argsort(-found.score, kind="stable")
    order = order[found.score[order] >= score]
    pairs = near_pairs(inputs, order, iou, by_class=False, crowd=truths.crowd)
    in_crowd = np.zeros(len(order), dtype=bool)
    in_crowd[pairs.found[truths.crowd[pairs.truth]]] = True
    pairs = pairs.select(~truths.crowd[pairs.truth])
    free_found, free_truth = np.ones(len(order), dtype=bool), ~truths.crowd
    background = len(inputs.categories)
    matrix = np.zeros((background + 1, background + 1), dtype=np.int64)
    for p in np.lexsort((pairs.found, -pairs.iou)):
        d, g = pairs.found[p], pairs.truth[p]
        if free_found[d] and free_truth[g]:
            free_found[d] = free_truth[g] = False
            matrix[found.category[order[d]], truths.category[g]] += 1
    np.add.at(matrix, (found.category[order[free_found & ~in_crowd]], background), 1)
    np.add.at(matrix, (background, truths.category[free_truth]), 1)
    return matrix


def reliability(result: CocoResult, iou: float = 0.5, bins: int = 10) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Is a detection with score 0.8 right 8 times in 10?

    Returns:
        count (B,) of detections in each score bin, their mean score (B,), and the share that is right (B,); NaN in empty bins.
    """
    t, matches = _threshold(iou), result.matches
    right, wrong = matches.right(t), matches.wrong(t)
    counts = right | wrong
    score, right = result.inputs.found.score[matches.row][counts], right[counts]
    which = np.clip((score * bins).astype(int), 0, bins - 1)
    count = np.bincount(which, minlength=bins)
    with np.errstate(invalid="ignore"):
        return count, np.bincount(which, score, bins) / count, np.bincount(which, right, bins) / count


def _at_least(scores: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """How many scores are at least each threshold."""
    return len(scores) - np.searchsorted(np.sort(scores), thresholds, side="left")


def _threshold(iou: float) -> int:
    at = np.flatnonzero(np.isclose(IOU_THRESHOLDS, iou))
    if not len(at):
        raise ValueError(f"iou must be one of 0.50, 0.55, ..., 0.95, got {iou}")
    return int(at[0])
