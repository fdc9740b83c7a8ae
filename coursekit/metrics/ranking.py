"""Scores and their thresholds: PR and ROC curves, what lies under them, and where to cut. Taught in notebook 06_measuring.

>>> truth, scores = [True, True, False, True, False], [0.9, 0.8, 0.7, 0.7, 0.2]
>>> recall, precision, thresholds = pr_curve(truth, scores)
>>> thresholds.tolist(), precision.tolist()
([0.9, 0.8, 0.7, 0.2], [1.0, 1.0, 0.75, 0.6])

Everywhere ``truth`` is (N,) true/false and ``scores`` (N,) numbers without NaN, higher meaning surer of true; a threshold keeps what is *at
least* as high as it. Equal scores cannot be told apart by any threshold, so they are one point of a curve, whatever their order.
`detection` does it for boxes.
"""

from collections.abc import Sequence

import numpy as np

Flags = Sequence[bool] | np.ndarray
Scores = Sequence[float] | np.ndarray


def pr_curve(truth: Flags, scores: Scores) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Recall and precision at every threshold that makes a difference.

    Returns:
        recall (T,), precision (T,), thresholds (T,): the T distinct scores, highest first. Recall rises; precision does as it likes.
        Recall is NaN where nothing is true (scikit-learn says 1, with a warning).

    scikit-learn's ``precision_recall_curve`` gives precision before recall, the lowest threshold first, and one more point at the end,
    (precision 1, recall 0), that belongs to no threshold. But for that the two are equal.

    Raises:
        ValueError: as every function of this module, if the two are not (N,) of one length, truth is not true/false, or a score is NaN.
    """
    hits, kept, thresholds = _counts(truth, scores)
    return hits / _positives(hits), hits / kept, thresholds


def average_precision(truth: Flags, scores: Scores) -> float:
    """Area under the steps of the PR curve: the sum of precision times the recall gained there. NaN where nothing is true.

    As scikit-learn's ``average_precision_score`` (0 where nothing is true). Without ties it is the mean, over all true samples, of the
    precision at the moment each was found.
    """
    recall, precision, _ = pr_curve(truth, scores)
    if len(recall) == 0 or np.isnan(recall).any():
        return float("nan")
    return float((np.diff(recall, prepend=0.0) * precision).sum())


def roc_curve(truth: Flags, scores: Scores) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """False positive rate and true positive rate at every threshold.

    Returns:
        fpr (T + 1,), tpr (T + 1,), thresholds (T + 1,): as for `pr_curve`, with a first threshold of infinity that keeps nothing. fpr is
        the share of the false that is kept, tpr the share of the true, which is recall. NaN where there are none of them.

    As scikit-learn's ``roc_curve(..., drop_intermediate=False)``.
    """
    hits, kept, thresholds = _counts(truth, scores)
    hits, kept, thresholds = np.append(0, hits), np.append(0, kept), np.append(np.inf, thresholds)
    false_alarms = kept - hits
    return false_alarms / _positives(false_alarms), hits / _positives(hits), thresholds


def area(x: Sequence[float] | np.ndarray, y: Sequence[float] | np.ndarray) -> float:
    """Area under straight lines from point to point (the trapezoid rule); x must not fall.

    Raises:
        ValueError: if it does.
    """
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    steps = np.diff(x)
    if (steps < 0).any():
        raise ValueError("x must not fall from one point to the next")
    return float((steps * (y[1:] + y[:-1]) / 2).sum())


def roc_auc(truth: Flags, scores: Scores) -> float:
    """Area under the ROC curve, as scikit-learn's ``roc_auc_score``. NaN unless both true and false samples are there.

    It is the probability that a true sample, drawn at random, has a higher score than a false one; a tie counts half.
    """
    fpr, tpr, _ = roc_curve(truth, scores)
    return area(fpr, tpr) if len(fpr) > 1 else float("nan")  # without samples there is one point only


def roc_auc_by_pairs(truth: Flags, scores: Scores) -> float:
    """The same from its meaning: every true sample against every false one. Readable, and (true x false) comparisons slow."""
    truth, scores = _checked(truth, scores)
    true, false = scores[truth], scores[~truth]
    if len(true) == 0 or len(false) == 0:
        return float("nan")
    above = true[:, None] > false[None, :]  # (true, false)
    equal = true[:, None] == false[None, :]
    return float((above + 0.5 * equal).mean())


def threshold_for_recall(truth: Flags, scores: Scores, recall: float) -> float:
    """The highest threshold that reaches a wished recall, so the fewest false alarms for it.

    Args:
        recall: in (0, 1].

    Raises:
        ValueError: if it is not, or nothing is true.
    """
    if not 0 < recall <= 1:
        raise ValueError(f"recall must be in (0, 1], got {recall}")
    reached, _, thresholds = pr_curve(truth, scores)
    if len(reached) == 0 or np.isnan(reached).any():
        raise ValueError("truth must hold at least one true sample to recall, got none")
    return float(thresholds[reached >= recall][0])


def cheapest_threshold(truth: Flags, scores: Scores, false_alarm: float, miss: float) -> tuple[float, float]:
    """Where mistakes cost least.

    Args:
        false_alarm: what one false sample costs that is kept; at least 0.
        miss: what one true sample costs that is not; at least 0.

    Returns:
        (threshold, cost of all mistakes there). The highest such threshold; infinity where it is cheapest to keep nothing.

    Raises:
        ValueError: for a negative cost.
    """
    for name, value in (("false_alarm", false_alarm), ("miss", miss)):
        if value < 0:
            raise ValueError(f"{name} must be at least 0, got {value}")
    thresholds, costs = costs_by_threshold(truth, scores, false_alarm, miss)
    best = int(costs.argmin())
    return float(thresholds[best]), float(costs[best])


def costs_by_threshold(truth: Flags, scores: Scores, false_alarm: float, miss: float) -> tuple[np.ndarray, np.ndarray]:
    """(thresholds, costs), both (T + 1,): what all mistakes cost at every threshold, the first being infinity."""
    hits, kept, thresholds = _counts(truth, scores)
    total = hits[-1] if len(hits) else 0
    costs = false_alarm * (kept - hits) + miss * (total - hits)
    return np.concatenate([[np.inf], thresholds]), np.concatenate([[miss * total], costs])


def _counts(truth: Flags, scores: Scores) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each distinct score, highest first: how many true samples have at least it, how many samples have, and the score."""
    truth, scores = _checked(truth, scores)
    order = np.argsort(-scores, kind="stable")
    scores, hits = scores[order], np.cumsum(truth[order])
    last = np.append(scores[1:] != scores[:-1], True)[: len(scores)]  # the last of each run of equal scores knows about all of them
    return hits[last], np.flatnonzero(last) + 1, scores[last]


def _positives(running: np.ndarray) -> float:
    """What a running count ends at, NaN instead of 0, so that dividing by it gives NaN."""
    return float(running[-1]) if len(running) and running[-1] else float("nan")


def _checked(truth: Flags, scores: Scores) -> tuple[np.ndarray, np.ndarray]:
    truth, scores = np.asarray(truth), np.asarray(scores, dtype=np.float64)
    if truth.size == 0:
        truth = truth.astype(bool)  # an empty list is float64
    if truth.ndim != 1 or (truth.dtype != bool and not np.isin(truth, (0, 1)).all()):
        raise ValueError(f"truth must be true/false of shape (N,), got {truth.dtype} {truth.shape}")
    if scores.shape != truth.shape:
        raise ValueError(f"scores must have the shape of truth, {truth.shape}, got {scores.shape}")
    if np.isnan(scores).any():
        raise ValueError("scores must hold no NaN")
    return truth.astype(bool), scores
