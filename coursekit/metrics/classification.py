"""How good a classifier is, from its confusion matrix: accuracy, precision, recall, F1; and top-k. Taught in notebook 06_measuring.

>>> matrix = confusion_matrix([0, 0, 0, 1, 1, 2], [0, 0, 1, 1, 2, 2], classes=3)
>>> matrix.tolist()  # rows are the truth, columns what was predicted
[[2, 1, 0], [0, 1, 1], [0, 0, 1]]
>>> precision, recall, f1 = precision_recall_f1(matrix)
>>> recall.round(3).tolist()
[0.667, 0.5, 1.0]

Scores and their thresholds (PR and ROC curves) are in `ranking`, probabilities in `calibration`; detectors are measured in `detection`.
"""

from collections.abc import Sequence

import numpy as np

AVERAGES = ("macro", "weighted", "micro")


def confusion_matrix(truth: Sequence[int] | np.ndarray, predicted: Sequence[int] | np.ndarray, classes: int) -> np.ndarray:
    """How often each class was taken for each.

    Args:
        truth: (N,) whole numbers from 0 to classes - 1.
        predicted: likewise.
        classes: how many there are, whether they occur or not.

    Returns:
        (classes, classes) int64: row t, column p counts the samples of class t that were called p. Right answers are the diagonal.

    Rows are the truth, as in scikit-learn, which is given ``labels=range(classes)`` to be equal. ultralytics, some books and our own
    `curves.confusion_matrix` of detections have the truth in the columns: read the names of the axes before the numbers.

    Raises:
        ValueError: naming what is not (N,), no whole number, or out of range.
    """
    if classes < 1:
        raise ValueError(f"classes must be at least 1, got {classes}")
    truth, predicted = _labels("truth", truth, classes), _labels("predicted", predicted, classes)
    if len(predicted) != len(truth):
        raise ValueError(f"predicted must be as long as truth, {len(truth)}, got {len(predicted)}")
    matrix = np.zeros((classes, classes), dtype=np.int64)
    np.add.at(matrix, (truth, predicted), 1)  # matrix[truth, predicted] += 1 would count a pair that repeats only once
    return matrix


def accuracy(matrix: np.ndarray) -> float:
    """Share of all samples that were right: the diagonal over everything. NaN where there is no sample."""
    matrix = _matrix(matrix)
    return float(np.trace(matrix) / matrix.sum()) if matrix.sum() else float("nan")


def precision_recall_f1(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Precision, recall and F1 of each class against all others.

    Args:
        matrix: (K, K) counts, rows the truth.

    Returns:
        precision (K,): of what was called this class, the share that is. recall (K,): of what is this class, the share that was called so.
        f1 (K,): their harmonic mean. 0 where the denominator is 0: for a class never predicted, one that never occurs, or both wrong.

    As scikit-learn's ``precision_recall_fscore_support(..., labels=range(K), zero_division=0)``.

    Raises:
        ValueError: as every function that takes a matrix, if it is not (K, K) or holds a negative count.
    """
    matrix = _matrix(matrix)
    right, said, there = np.diag(matrix), matrix.sum(axis=0), matrix.sum(axis=1)
    return _ratio(right, said), _ratio(right, there), _ratio(2 * right, said + there)


def averaged(matrix: np.ndarray, how: str) -> tuple[float, float, float]:
    """Precision, recall and F1 of all classes as one number each.

    Args:
        matrix: (K, K) counts, rows the truth.
        how: ``"macro"``: plain mean over the K classes, absent ones included (scikit-learn leaves those out unless it is given
            ``labels``). ``"weighted"``: mean weighted by how often a class occurs. ``"micro"``: all classes' hits and misses added up
            first; with one label a sample all three are then the accuracy.

    Returns:
        (precision, recall, f1). Macro F1 is the mean of the F1s, not the F1 of the mean precision and recall. Weighted and micro are
        0 where there is no sample.

    Raises:
        ValueError: for another word.
    """
    matrix = _matrix(matrix)
    if how not in AVERAGES:
        raise ValueError(f"how must be one of {', '.join(AVERAGES)}, got {how!r}")
    if how == "micro":
        share = float(_ratio(np.trace(matrix), matrix.sum()))  # every wrong answer is one class's false alarm and another one's miss
        return share, share, share
    weights = np.ones(len(matrix)) if how == "macro" else matrix.sum(axis=1)
    precision, recall, f1 = (float(_ratio((values * weights).sum(), weights.sum())) for values in precision_recall_f1(matrix))
    return precision, recall, f1


def specificity(matrix: np.ndarray) -> np.ndarray:
    """(K,) Of all that is *not* this class, the share that was not called so: TN / (TN + FP). 1 minus it is the false positive rate.

    0 where nothing else occurs.
    """
    matrix = _matrix(matrix)
    wrongly_said = matrix.sum(axis=0) - np.diag(matrix)  # FP
    others = matrix.sum() - matrix.sum(axis=1)  # FP + TN
    return _ratio(others - wrongly_said, others)


def balanced_accuracy(matrix: np.ndarray) -> float:
    """Mean recall over the classes that occur, as scikit-learn's ``balanced_accuracy_score``. NaN where there is no sample.

    Whoever always says the same gets 1 / (number of classes that occur), however unequal they are.
    """
    matrix = _matrix(matrix)
    occurs = matrix.sum(axis=1) > 0
    return float(precision_recall_f1(matrix)[1][occurs].mean()) if occurs.any() else float("nan")


def top_k_accuracy(truth: Sequence[int] | np.ndarray, scores: np.ndarray, k: int) -> float:
    """Share of samples whose class is among the k with the highest scores.

    Args:
        truth: (N,) whole numbers from 0 to K - 1, N at least 1.
        scores: (N, K); probabilities or logits, only their order counts.
        k: at least 1. From K on the result is 1.

    Of equal scores the class with the lower number goes first. That is argmax's rule, so top-1 is the accuracy of argmax.
    scikit-learn's ``top_k_accuracy_score`` lets the *higher* number go first: without ties the two are equal.

    Raises:
        ValueError: naming what does not fit.
    """
    scores = np.asarray(scores, dtype=np.float64)
    if scores.ndim != 2 or 0 in scores.shape or np.isnan(scores).any():
        raise ValueError(f"scores must have shape (N, K) with N and K at least 1 and hold no NaN, got {scores.shape}")
    truth = _labels("truth", truth, scores.shape[1])
    if len(truth) != len(scores):
        raise ValueError(f"truth must be as long as scores, {len(scores)}, got {len(truth)}")
    if k < 1:
        raise ValueError(f"k must be at least 1, got {k}")
    order = np.argsort(-scores, axis=1, kind="stable")  # (N, K) classes, best first; stable: of equals the lower number
    return float((order[:, :k] == truth[:, None]).any(axis=1).mean())


def _ratio(above, below) -> np.ndarray:
    """above / below, and 0 where below is 0."""
    below = np.asarray(below)
    return np.where(below == 0, 0.0, above / np.where(below == 0, 1, below))


def _labels(name: str, labels, classes: int) -> np.ndarray:
    labels = np.asarray(labels)
    if labels.size == 0:
        labels = labels.astype(np.int64)  # an empty list is float64
    if labels.ndim != 1 or labels.dtype.kind not in "iub":
        raise ValueError(f"{name} must be whole numbers of shape (N,), got {labels.dtype} {labels.shape}")
    if len(labels) and not 0 <= labels.min() <= labels.max() < classes:
        raise ValueError(f"{name} must lie in 0..{classes - 1}, got {int(labels.min())}..{int(labels.max())}")
    return labels.astype(np.int64)


def _matrix(matrix) -> np.ndarray:
    matrix = np.asarray(matrix)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or len(matrix) == 0:
        raise ValueError(f"matrix must have shape (K, K) with K at least 1, got {matrix.shape}")
    if (matrix < 0).any():
        raise ValueError(f"matrix must hold counts, got {matrix.min()}")
    return matrix
