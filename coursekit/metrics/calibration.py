"""Is a score of 0.8 right 8 times in 10? Reliability, expected calibration error, and one number that repairs much. Notebook 06_measuring.

>>> confidence, right = [0.9] * 5 + [0.6] * 5, [1, 1, 1, 0, 0] + [1, 1, 1, 0, 0]
>>> round(calibration_error(confidence, right), 3)  # half of them 0.3 too sure, half exactly right
0.15
"""

from collections.abc import Sequence

import numpy as np


def reliability(
    confidence: Sequence[float] | np.ndarray, right: Sequence[bool] | np.ndarray, bins: int = 10
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What a classifier says of its answers beside how often they are right, in bins of equal width.

    Args:
        confidence: (N,) in 0..1, the probability that was given to the answer.
        right: (N,) true/false.
        bins: how many, B.

    Returns:
        count (B,), mean confidence (B,) and share that is right (B,); the last two NaN in an empty bin. A value on the border of two bins
        belongs to the lower one, as in scikit-learn's ``calibration_curve``, which gives the last two without the empty bins.
        (`curves.reliability`, for detections, puts it into the upper one.)

    Raises:
        ValueError: naming what does not fit.
    """
    confidence, right = np.asarray(confidence, dtype=np.float64), np.asarray(right)
    if confidence.ndim != 1 or not ((confidence >= 0) & (confidence <= 1)).all():
        raise ValueError(f"confidence must have shape (N,) with values in 0..1, got {confidence.shape}")
    if right.shape != confidence.shape or not np.isin(right, (0, 1)).all():
        raise ValueError(f"right must be true/false of the shape of confidence, {confidence.shape}, got {right.dtype} {right.shape}")
    if bins < 1:
        raise ValueError(f"bins must be at least 1, got {bins}")
    which = np.searchsorted(np.linspace(0, 1, bins + 1)[1:-1], confidence)  # (N,) from 0 to bins - 1
    count = np.bincount(which, minlength=bins)
    below = np.where(count == 0, np.nan, count)
    return count, np.bincount(which, confidence, bins) / below, np.bincount(which, right, bins) / below


def calibration_error(confidence: Sequence[float] | np.ndarray, right: Sequence[bool] | np.ndarray, bins: int = 10) -> float:
    """Expected calibration error (ECE): |share that is right - mean confidence|, averaged over the samples' bins. NaN without samples.

    In 0..1. It depends on the number of bins, so say it with the result. Source: Naeini and others 2015; Guo and others 2017, equation 3.
    """
    count, said, right = reliability(confidence, right, bins)
    there = count > 0
    return float((count[there] * np.abs(right - said)[there]).sum() / count.sum()) if there.any() else float("nan")


def softmax(logits: np.ndarray) -> np.ndarray:
    """(N, K) logits -> (N, K) probabilities, each row adding up to 1. Safe for large numbers: the largest is taken off first."""
    logits = np.asarray(logits, dtype=np.float64)
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def log_loss(logits: np.ndarray, labels: Sequence[int] | np.ndarray) -> float:
    """Mean cross-entropy of softmax(logits) against the labels, which is 0 for being sure and right, and large for being sure and wrong."""
    logits, labels = _logits(logits, labels)
    shifted = logits - logits.max(axis=1, keepdims=True)
    return float((np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(labels)), labels]).mean())


def fit_temperature(logits: np.ndarray, labels: Sequence[int] | np.ndarray, low: float = 0.05, high: float = 20.0) -> float:
    """The T for which softmax(logits / T) has the smallest log loss. Above 1 the classifier was too sure of itself, below 1 not enough.

    Found by golden-section search over log T: each step asks two points and drops the part of the interval behind the worse one.
    The loss is convex in 1 / T, so it has one valley and the search cannot miss it. No class changes its place in a row, so accuracy stays.

    Args:
        logits: (N, K), N at least 1, of samples that the classifier was *not* trained on.
        labels: (N,).
        low, high: where to look; a result at either end means that there is no finite best (all right, or worse than guessing).

    Raises:
        ValueError: naming what does not fit. Source: Guo and others 2017, section 4.2.
    """
    logits, labels = _logits(logits, labels)
    if not 0 < low < high:
        raise ValueError(f"low and high must be 0 < low < high, got {low} and {high}")
    golden = (np.sqrt(5) - 1) / 2
    left, right = np.log(low), np.log(high)

    def loss(log_t: float) -> float:
        return log_loss(logits / np.exp(log_t), labels)

    a, b = right - golden * (right - left), left + golden * (right - left)
    loss_a, loss_b = loss(a), loss(b)
    while right - left > 1e-6:
        if loss_a <= loss_b:  # the valley is left of b
            right, b, loss_b = b, a, loss_a
            a = right - golden * (right - left)
            loss_a = loss(a)
        else:
            left, a, loss_a = a, b, loss_b
            b = left + golden * (right - left)
            loss_b = loss(b)
    return float(np.exp((left + right) / 2))


def _logits(logits: np.ndarray, labels: Sequence[int] | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    logits, labels = np.asarray(logits, dtype=np.float64), np.asarray(labels)
    if logits.ndim != 2 or 0 in logits.shape or not np.isfinite(logits).all():
        raise ValueError(f"logits must be finite and have shape (N, K) with N and K at least 1, got {logits.shape}")
    if labels.shape != logits.shape[:1] or labels.dtype.kind not in "iu" or not 0 <= labels.min() <= labels.max() < logits.shape[1]:
        raise ValueError(f"labels must be ({len(logits)},) whole numbers in 0..{logits.shape[1] - 1}, got {labels.dtype} {labels.shape}")
    return logits, labels
