import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as theirs

from coursekit.metrics.regression import mae, mape, mean_error, mse, r2, rmse

FIVE = [2, 4, 10, 20, 50], [3, 4, 8, 22, 40]  # the notebook's five signs, in metres
EVERY = [mean_error, mae, mse, rmse, mape, r2]
calm = settings(deadline=None)  # a busy machine is no failure
same = {"rel": 1e-12, "abs": 1e-12}


@pytest.mark.parametrize(
    ("measure", "expected"),
    [(mean_error, -1.8), (mae, 3), (mse, 21.8), (rmse, math.sqrt(21.8)), (mape, 0.2), (r2, 1 - 109 / 1540.8)],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_five_numbers_by_hand(measure, expected):
    assert measure(*FIVE) == pytest.approx(expected, **same)


@pytest.mark.parametrize(
    ("truth", "predicted", "expected"),
    [
        ([5], [5], 0),
        ([0], [0], 0),
        ([0], [1e-9], math.inf),
        ([0, 2], [0, 1], 0.25),
        ([0, 2], [1, 2], math.inf),
        ([2], [4], 1),
        ([4], [2], 0.5),
        ([-4], [-2], 0.5),
        ([1, -1], [2, -2], 1),
        ([0.01], [0.5], 49),
    ],
    ids=["right", "0 as 0", "0 as nearly 0", "0 as 0 counts as one", "a single 0", "double", "half", "below 0", "signs", "near 0"],
)
def test_mape_by_hand(truth, predicted, expected):
    assert mape(truth, predicted) == pytest.approx(expected, **same)


@pytest.mark.parametrize(
    ("truth", "predicted", "expected"),
    [([3], [3], math.nan), ([3, 3], [3, 3], 1), ([3, 3], [3, 4], 0), ([1, 3], [2, 2], 0), ([1, 3], [3, 1], -3), ([1, 3], [1, 3], 1)],
    ids=["one sample", "constant and right", "constant and wrong", "the mean", "worse than the mean", "right"],
)
def test_r2_by_hand(truth, predicted, expected):
    assert r2(truth, predicted) == pytest.approx(expected, nan_ok=True)


thousandths = st.integers(-(10**9), 10**9).map(lambda n: n / 1000)  # no error so small that its square is 0
quarters = st.integers(-40, 40).map(lambda n: n / 4)
pairs = st.lists(st.tuples(quarters, quarters), min_size=1, max_size=12)


@calm
@given(pairs)
def test_each_equals_scikit_learns_to_1e_12(rows):
    truth, predicted = (np.array(column) for column in zip(*rows, strict=True))
    assert mae(truth, predicted) == pytest.approx(theirs.mean_absolute_error(truth, predicted), **same)
    assert mse(truth, predicted) == pytest.approx(theirs.mean_squared_error(truth, predicted), **same)
    assert rmse(truth, predicted) == pytest.approx(theirs.root_mean_squared_error(truth, predicted), **same)
    if len(truth) > 1:
        assert r2(truth, predicted) == pytest.approx(theirs.r2_score(truth, predicted), **same)
    expected = theirs.mean_absolute_percentage_error(truth, predicted)
    if ((truth == 0) & (predicted != 0)).any():  # the one deviation: infinite here, and of sixteen digits or so there
        assert mape(truth, predicted) == math.inf
        assert expected > 1e12
    else:
        assert mape(truth, predicted) == pytest.approx(expected, **same)


@calm
@given(st.lists(st.tuples(thousandths, thousandths), min_size=2, max_size=12))
def test_rmse_is_never_below_mae_and_mae_never_below_the_bias(rows):
    truth, predicted = zip(*rows, strict=True)
    assert rmse(truth, predicted) >= mae(truth, predicted) * (1 - 1e-12)
    assert mae(truth, predicted) >= abs(mean_error(truth, predicted)) * (1 - 1e-12)


@calm
@given(pairs, st.sampled_from([0.5, 2.0, 64.0]))
def test_what_another_unit_does(rows, factor):
    truth, predicted = (np.array(column) for column in zip(*rows, strict=True))
    scaled = truth * factor, predicted * factor
    assert mae(*scaled) == pytest.approx(factor * mae(truth, predicted))
    assert mse(*scaled) == pytest.approx(factor**2 * mse(truth, predicted))
    assert mape(*scaled) == pytest.approx(mape(truth, predicted))
    assert r2(*scaled) == pytest.approx(r2(truth, predicted), nan_ok=True)


@calm
@given(st.lists(st.integers(1, 50), min_size=1, max_size=9))
def test_the_best_constant_is_the_median_the_mean_or_something_low(truth):
    truth = np.array(truth, dtype=float)

    def loss(measure, constant):
        return measure(truth, np.full(len(truth), constant))

    for constant in {*truth, truth.mean(), np.median(truth)}:
        assert loss(mae, np.median(truth)) <= loss(mae, constant) + 1e-9
        assert loss(mse, truth.mean()) <= loss(mse, constant) + 1e-9
    best = min(sorted(set(truth)), key=lambda constant: loss(mape, constant))
    assert best <= np.median(truth)


@pytest.mark.parametrize("measure", EVERY, ids=lambda m: m.__name__)
@pytest.mark.parametrize(
    ("truth", "predicted", "message"),
    [
        ([], [], r"truth must have shape \(N,\) with N at least 1, got \(0,\)"),
        ([[1, 2]], [1, 2], r"truth must have shape \(N,\)"),
        ([1, 2], [[1], [2]], r"predicted must have the shape of truth, \(2,\), got \(2, 1\)"),
        ([1, 2], [1], r"predicted must have the shape of truth"),
        ([1, math.nan], [1, 2], "truth must hold finite numbers, got nan"),
        ([1, 2], [1, math.inf], "predicted must hold finite numbers, got inf"),
    ],
    ids=["empty", "table", "column", "shorter", "nan", "inf"],
)
def test_what_does_not_fit_is_named(measure, truth, predicted, message):
    with pytest.raises(ValueError, match=message):
        measure(truth, predicted)


def test_measuring_imports_no_torch():
    names = "regression, classification, ranking, calibration"
    code = f"import sys; from coursekit.metrics import {names}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
