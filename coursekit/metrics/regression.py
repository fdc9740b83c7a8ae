"""How far off a number is: MAE, MSE, RMSE, MAPE, R2 and the signed mean. Taught in notebook 06_measuring.

>>> truth, predicted = [2, 4, 10, 20, 50], [3, 4, 8, 22, 40]
>>> mae(truth, predicted), mse(truth, predicted), mape(truth, predicted)
(3.0, 21.8, 0.2)

Everywhere ``truth`` and ``predicted`` are (N,) numbers, N at least 1, and an error is predicted minus truth: above 0 means too much.
"""

from collections.abc import Sequence

import numpy as np

Numbers = Sequence[float] | np.ndarray


def mean_error(truth: Numbers, predicted: Numbers) -> float:
    """Mean of predicted - truth, in the truth's unit: the bias, with its sign. Errors of opposite sign cancel.

    Raises:
        ValueError: as every function of this module, if the two are not (N,) of one length, are empty, or hold a NaN or an infinity.
    """
    return float(_errors(truth, predicted).mean())


def mae(truth: Numbers, predicted: Numbers) -> float:
    """Mean absolute error, in the truth's unit; at least 0. The constant that makes it smallest is the median of the truth."""
    return float(np.abs(_errors(truth, predicted)).mean())


def mse(truth: Numbers, predicted: Numbers) -> float:
    """Mean squared error, in the *square* of the truth's unit; at least 0. The constant that makes it smallest is the mean of the truth."""
    return float((_errors(truth, predicted) ** 2).mean())


def rmse(truth: Numbers, predicted: Numbers) -> float:
    """Root of the mean squared error, in the truth's unit again. Never below the MAE; far above it where a few errors are large."""
    return float(np.sqrt(mse(truth, predicted)))


def mape(truth: Numbers, predicted: Numbers) -> float:
    """Mean absolute percentage error, as a share: 0.2 is 20 %. The mean of |predicted - truth| / |truth|.

    A truth of 0 has no percentage: predicted as 0 it counts as no error, predicted as anything else it makes the mean infinite.

    scikit-learn's ``mean_absolute_percentage_error`` divides by 2.2e-16 instead of by a 0, and by 2.2e-16 at least: where ours is infinite
    it gives a number of sixteen digits or so. Everywhere else the two are equal.
    """
    truth, predicted = _pair(truth, predicted)
    error = np.abs(predicted - truth)
    share = np.where(error == 0, 0.0, np.inf)  # the answer where the truth is 0
    there = truth != 0
    share[there] = error[there] / np.abs(truth[there])
    return float(share.mean())


def r2(truth: Numbers, predicted: Numbers) -> float:
    """Coefficient of determination: 1 - (squared errors of the prediction) / (squared errors of always saying the truth's mean).

    Returns:
        1 for a perfect prediction, 0 for one as good as the mean, below 0 for a worse one. Where the truth is one number throughout:
        1 if that is predicted, else 0. NaN for a single sample. As scikit-learn's ``r2_score``, which warns in the last case.
    """
    truth, predicted = _pair(truth, predicted)
    if len(truth) < 2:
        return float("nan")
    ours = ((predicted - truth) ** 2).sum()
    of_the_mean = ((truth - truth.mean()) ** 2).sum()
    if of_the_mean == 0:
        return float(ours == 0)
    return float(1 - ours / of_the_mean)


def _errors(truth: Numbers, predicted: Numbers) -> np.ndarray:
    truth, predicted = _pair(truth, predicted)
    return predicted - truth


def _pair(truth: Numbers, predicted: Numbers) -> tuple[np.ndarray, np.ndarray]:
    truth, predicted = np.asarray(truth, dtype=np.float64), np.asarray(predicted, dtype=np.float64)
    if truth.ndim != 1 or len(truth) == 0:
        raise ValueError(f"truth must have shape (N,) with N at least 1, got {truth.shape}")
    if predicted.shape != truth.shape:  # (N, 1) against (N,) would broadcast to (N, N), and give a number
        raise ValueError(f"predicted must have the shape of truth, {truth.shape}, got {predicted.shape}")
    for name, values in (("truth", truth), ("predicted", predicted)):
        if not np.isfinite(values).all():
            raise ValueError(f"{name} must hold finite numbers, got {values[~np.isfinite(values)][0]}")
    return truth, predicted
