"""Stumps, boosting, and a cascade from which nothing comes back."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coursekit.classic.cascade import Stage, adaboost, best_stump, survivors, train_stage

FACE = np.array([True, True, True, False, False, False])
LABELS = np.where(FACE, 1, -1)
EVEN = np.full(6, 1 / 6)


def stump(values, labels=LABELS, weights=EVEN):
    values = np.array(values, dtype=float)
    order = values.argsort(axis=0, kind="stable")
    return best_stump(order, np.take_along_axis(values, order, axis=0), labels, weights)


@pytest.mark.parametrize(
    ("column", "threshold", "sign", "error"),
    [
        ([5, 6, 7, 1, 2, 3], 4.0, 1, 0),
        ([1, 2, 3, 5, 6, 7], 4.0, -1, 0),
        ([1, 6, 7, 2, 3, 4], 5.0, 1, 1 / 6),
        ([5, 6, 7, 1, 2, 6], 3.5, 1, 1 / 6),
    ],
    ids=["faces above", "faces below", "one face low", "equal values"],
)
def test_the_best_stump_by_hand(column, threshold, sign, error):
    assert stump(np.array(column)[:, None]) == pytest.approx((0, threshold, sign, error))


@settings(max_examples=30)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=6, max_size=6))
def test_no_other_stump_is_better(rows):
    values = np.array(rows, dtype=float)
    *_, error = stump(values)
    for feature in range(2):
        for threshold in np.arange(-0.5, 5):
            wrong = ((values[:, feature] > threshold) != FACE).mean()
            assert error <= min(wrong, 1 - wrong) + 1e-9


def test_the_stump_has_the_error_that_it_says():
    generator = np.random.default_rng(0)
    for _ in range(20):
        values = generator.integers(0, 5, (30, 3)).astype(float)
        labels = np.where(generator.random(30) < 0.4, 1, -1)
        weights = generator.random(30)
        weights /= weights.sum()
        feature, threshold, sign, error = stump(values, labels, weights)
        says = np.where(values[:, feature] > threshold, sign, -sign)
        assert weights[says != labels].sum() == pytest.approx(error)


def rings(count=200):
    """Two features, faces where both are above 0: no single stump can tell."""
    values = np.random.default_rng(0).normal(size=(count, 2))
    return values, (values > 0).all(axis=1)


def test_more_stumps_say_more():
    values, is_face = rings()
    right = [((adaboost(values, is_face, n).score(values) > 0) == is_face).mean() for n in (1, 20)]
    assert right[0] < 0.85
    assert right[1] > 0.95


def test_each_stump_lowers_the_exponential_loss_by_what_the_theory_says():
    """Freund and Schapire: the weighted loss after T stumps is the product of 2 * sqrt(error * (1 - error))."""
    values, is_face = rings()
    labels = np.where(is_face, 1, -1)
    even = np.where(is_face, 0.5 / is_face.sum(), 0.5 / (~is_face).sum())
    losses = [(even * np.exp(-labels * adaboost(values, is_face, n).score(values))).sum() for n in range(1, 8)]
    errors = 1 / (1 + np.exp(2 * adaboost(values, is_face, 7).votes))
    np.testing.assert_allclose(losses, np.cumprod(2 * np.sqrt(errors * (1 - errors))))
    assert (np.diff(losses) < 0).all()


@pytest.mark.parametrize("is_face", [np.zeros(4, bool), np.ones(4, bool)])
def test_both_kinds_are_needed(is_face):
    with pytest.raises(ValueError, match="is_face must hold both true and false"):
        adaboost(np.zeros((4, 1)), is_face, 1)


@pytest.mark.parametrize("keep", [1.0, 0.95, 0.5])
def test_a_stage_keeps_the_share_of_faces_that_it_must(keep):
    values, is_face = rings()
    stage = train_stage(values, is_face, 5, keep)
    assert stage.passes(values[is_face]).mean() >= keep


def test_what_is_out_stays_out():
    up, down = (Stage(np.array([0]), np.array([0.0]), np.array([sign]), np.array([1.0])) for sign in (1, -1))
    values = np.array([[1.0], [-1.0]])
    assert survivors([], values).tolist() == [[True, True]]
    assert survivors([up], values).tolist() == [[True, True], [True, False]]
    assert survivors([up, down, up], values).tolist() == [[True, True], [True, False], [False, False], [False, False]]
