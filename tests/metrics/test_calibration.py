import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.special import softmax as scipys_softmax
from sklearn.calibration import calibration_curve
from sklearn.metrics import log_loss as theirs

from coursekit.metrics.calibration import calibration_error, fit_temperature, log_loss, reliability, softmax

calm = settings(deadline=None)  # a busy machine is no failure
TEN = [0.9] * 5 + [0.6] * 5, [1, 1, 1, 0, 0] * 2  # the notebook's ten answers


def test_ten_answers_by_hand():
    count, said, right = reliability(*TEN, bins=10)
    assert count.tolist() == [0, 0, 0, 0, 0, 5, 0, 0, 5, 0]
    assert (said[5], right[5]) == (pytest.approx(0.6), pytest.approx(0.6))
    assert (said[8], right[8]) == (pytest.approx(0.9), pytest.approx(0.6))
    assert calibration_error(*TEN) == pytest.approx(0.15)


@pytest.mark.parametrize(
    ("confidence", "right", "bins", "expected"),
    [
        ([], [], 10, math.nan),
        ([1.0], [True], 10, 0),
        ([1.0], [False], 10, 1),
        ([0.0], [False], 10, 0),
        ([0.5, 0.5], [True, False], 10, 0),
        ([0.25, 0.75], [True, False], 1, 0),
        ([0.25, 0.75], [True, False], 2, 0.75),
    ],
    ids=["nothing", "sure and right", "sure and wrong", "never and wrong", "a coin", "one bin hides it", "two bins show it"],
)
def test_calibration_error_by_hand(confidence, right, bins, expected):
    assert calibration_error(confidence, right, bins) == pytest.approx(expected, nan_ok=True)


eighths = st.integers(0, 8).map(lambda n: n / 8)  # on the borders of 2, 4 and 8 bins


@calm
@given(st.lists(st.tuples(eighths, st.booleans()), min_size=1, max_size=20), st.sampled_from([1, 2, 4, 5, 8, 10]))
def test_reliability_equals_scikit_learns_calibration_curve_borders_and_all(rows, bins):
    confidence, right = (np.array(column) for column in zip(*rows, strict=True))
    count, said, share = reliability(confidence, right, bins)
    expected_share, expected_said = calibration_curve(right, confidence, n_bins=bins, pos_label=True)
    np.testing.assert_allclose(said[count > 0], expected_said, rtol=1e-12)
    np.testing.assert_allclose(share[count > 0], expected_share, rtol=1e-12)
    assert np.isnan(said[count == 0]).all()
    assert count.sum() == len(rows)
    assert 0 <= calibration_error(confidence, right, bins) <= 1


small = st.integers(-6, 6).map(lambda n: n / 2)
tables = st.lists(st.tuples(st.tuples(small, small, small), st.integers(0, 2)), min_size=2, max_size=15)


@calm
@given(tables)
def test_softmax_and_log_loss_equal_scipys_and_scikit_learns(rows):
    logits, labels = (np.array(column) for column in zip(*rows, strict=True))
    np.testing.assert_allclose(softmax(logits), scipys_softmax(logits, axis=1), rtol=1e-12)
    assert log_loss(logits, labels) == pytest.approx(theirs(labels, softmax(logits), labels=range(3)), rel=1e-9)


def test_large_logits_overflow_nowhere():
    logits = np.array([[1000.0, 0.0], [-1000.0, 0.0]])
    assert softmax(logits).tolist() == [[1, 0], [0, 1]]
    assert log_loss(logits, [1, 1]) == 500


@calm
@given(tables)
def test_no_other_temperature_is_better(rows):
    logits, labels = (np.array(column) for column in zip(*rows, strict=True))
    found = log_loss(logits / fit_temperature(logits, labels), labels)
    for other in np.geomspace(0.05, 20, 60):
        assert found <= log_loss(logits / other, labels) + 1e-6


@pytest.mark.parametrize("factor", [0.25, 1.0, 3.0, 8.0])
def test_temperature_equals_scipys_minimum_and_follows_a_factor(factor):
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(400, 4))
    labels = np.array([rng.choice(4, p=row) for row in softmax(logits)])  # calibrated as they are: T near 1
    found = fit_temperature(logits * factor, labels)
    best = minimize_scalar(lambda t: log_loss(logits * factor / t, labels), bounds=(0.05, 20), method="bounded", options={"xatol": 1e-9})
    assert found == pytest.approx(best.x, rel=1e-4)
    assert found == pytest.approx(factor * fit_temperature(logits, labels), rel=1e-4)
    assert found / factor == pytest.approx(1, abs=0.25)


def test_all_right_wants_the_lowest_temperature_there_is():
    assert fit_temperature(np.array([[2.0, 0.0], [0.0, 2.0]]), [0, 1], low=0.5, high=2) == pytest.approx(0.5, rel=1e-4)
    assert fit_temperature(np.array([[2.0, 0.0], [0.0, 2.0]]), [1, 0], low=0.5, high=2) == pytest.approx(2, rel=1e-4)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: reliability([1.5], [1]), r"confidence must have shape \(N,\) with values in 0..1"),
        (lambda: reliability([[0.5]], [[1]]), r"confidence must have shape \(N,\)"),
        (lambda: reliability([0.5], [2]), "right must be true/false of the shape of confidence"),
        (lambda: reliability([0.5], [1, 0]), "right must be true/false of the shape of confidence"),
        (lambda: reliability([0.5], [1], 0), "bins must be at least 1, got 0"),
        (lambda: fit_temperature(np.zeros((0, 2)), []), r"logits must be finite and have shape \(N, K\) with N and K at least 1"),
        (lambda: log_loss([[math.inf, 0]], [0]), "logits must be finite"),
        (lambda: log_loss([[1, 0]], [2]), r"labels must be \(1,\) whole numbers in 0..1"),
        (lambda: log_loss([[1, 0]], [0.0]), r"labels must be \(1,\) whole numbers"),
        (lambda: fit_temperature([[1, 0]], [0], low=2, high=1), "low and high must be 0 < low < high, got 2 and 1"),
    ],
    ids=lambda value: value[:30] if isinstance(value, str) else "",
)
def test_what_does_not_fit_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
