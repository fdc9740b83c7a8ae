import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as theirs

from coursekit.metrics.classification import (
    accuracy,
    averaged,
    balanced_accuracy,
    confusion_matrix,
    precision_recall_f1,
    specificity,
    top_k_accuracy,
)

TEN = [0, 0, 0, 0, 0, 1, 1, 1, 2, 2], [0, 0, 0, 1, 2, 1, 1, 0, 2, 1]  # the notebook's ten signs
NINETY = np.array([[86, 4], [2, 8]])  # the notebook's hundred, ten of them positive
calm = settings(deadline=None)  # a busy machine is no failure
same = {"rel": 1e-12, "abs": 1e-12}


@pytest.mark.parametrize(
    ("truth", "predicted", "classes", "expected"),
    [
        ([], [], 1, [[0]]),
        ([], [], 2, [[0, 0], [0, 0]]),
        ([0], [0], 1, [[1]]),
        ([0], [1], 2, [[0, 1], [0, 0]]),
        ([1, 1, 1], [0, 0, 0], 2, [[0, 0], [3, 0]]),
        ([0, 2], [0, 2], 4, [[1, 0, 0, 0], [0, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0]]),
        (*TEN, 3, [[3, 1, 1], [1, 2, 0], [0, 1, 1]]),
    ],
    ids=["nothing, one class", "nothing", "one right", "row is the truth", "repeats add up", "classes that do not occur", "ten signs"],
)
def test_confusion_matrix_by_hand(truth, predicted, classes, expected):
    matrix = confusion_matrix(truth, predicted, classes)
    assert matrix.dtype == np.int64
    assert matrix.tolist() == expected


def test_ninety_against_ten_by_hand():
    precision, recall, f1 = precision_recall_f1(NINETY)
    assert (precision[1], recall[1], f1[1]) == (pytest.approx(8 / 12), 0.8, pytest.approx(16 / 22))
    assert specificity(NINETY)[1] == pytest.approx(86 / 90)
    assert accuracy(NINETY) == 0.94
    assert balanced_accuracy(NINETY) == pytest.approx((86 / 90 + 0.8) / 2)


@pytest.mark.parametrize(
    ("matrix", "precision", "recall", "f1"),
    [
        ([[0]], [0], [0], [0]),
        ([[0, 0], [0, 0]], [0, 0], [0, 0], [0, 0]),
        ([[3, 0], [2, 0]], [0.6, 0], [1, 0], [0.75, 0]),
        ([[3, 1], [0, 0]], [1, 0], [0.75, 0], [6 / 7, 0]),
        ([[0, 2], [2, 0]], [0, 0], [0, 0], [0, 0]),
        ([[3, 1, 1], [1, 2, 0], [0, 1, 1]], [0.75, 0.5, 0.5], [0.6, 2 / 3, 0.5], [2 / 3, 4 / 7, 0.5]),
    ],
    ids=["one class, no sample", "no sample", "never predicted", "never there", "all wrong", "ten signs"],
)
def test_precision_recall_f1_by_hand(matrix, precision, recall, f1):
    for got, expected in zip(precision_recall_f1(np.array(matrix)), (precision, recall, f1), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-12)


def test_no_sample_has_no_accuracy():
    empty = np.zeros((2, 2), dtype=int)
    assert math.isnan(accuracy(empty))
    assert math.isnan(balanced_accuracy(empty))
    assert specificity(empty).tolist() == [0, 0]
    assert [averaged(empty, how) for how in ("macro", "micro", "weighted")] == [(0, 0, 0)] * 3


def test_macro_f1_is_not_the_f1_of_the_means():
    precision, recall, f1 = averaged(confusion_matrix(*TEN, 3), "macro")
    assert f1 == pytest.approx((2 / 3 + 4 / 7 + 1 / 2) / 3)
    assert 2 * precision * recall / (precision + recall) != pytest.approx(f1)


labels = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=20)  # four classes, now and then some are absent


@calm
@given(labels)
def test_all_from_the_matrix_equals_scikit_learns_to_1e_12(rows):
    truth, predicted = zip(*rows, strict=True)
    matrix = confusion_matrix(truth, predicted, 4)
    np.testing.assert_array_equal(matrix, theirs.confusion_matrix(truth, predicted, labels=range(4)))
    options = {"labels": range(4), "zero_division": 0}
    np.testing.assert_allclose(
        precision_recall_f1(matrix), theirs.precision_recall_fscore_support(truth, predicted, **options)[:3], rtol=1e-12, atol=1e-12
    )
    for how in ("macro", "micro", "weighted"):
        expected = theirs.precision_recall_fscore_support(truth, predicted, average=how, **options)[:3]
        assert averaged(matrix, how) == pytest.approx(expected, **same)
    assert accuracy(matrix) == pytest.approx(theirs.accuracy_score(truth, predicted), **same)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn warns of a class that is predicted and never there
        assert balanced_accuracy(matrix) == pytest.approx(theirs.balanced_accuracy_score(truth, predicted), **same)


@calm
@given(labels)
def test_specificity_is_the_recall_of_everything_else(rows):
    truth, predicted = (np.array(column) for column in zip(*rows, strict=True))
    got = specificity(confusion_matrix(truth, predicted, 4))
    for k in range(4):
        assert got[k] == pytest.approx(theirs.recall_score(truth != k, predicted != k, zero_division=0), **same)


@calm
@given(labels)
def test_whoever_always_says_the_same_is_balanced_at_one_over_the_classes_that_occur(rows):
    truth = [t for t, _ in rows]
    matrix = confusion_matrix(truth, [truth[0]] * len(truth), 4)
    assert balanced_accuracy(matrix) == pytest.approx(1 / len(set(truth)))


@calm
@given(labels)
def test_micro_averages_are_the_accuracy(rows):
    matrix = confusion_matrix(*zip(*rows, strict=True), 4)
    assert averaged(matrix, "micro") == (accuracy(matrix),) * 3


# top-k

FOUR = [[0.1, 0.6, 0.3], [0.5, 0.2, 0.3], [0.2, 0.3, 0.5], [0.4, 0.4, 0.2]]


@pytest.mark.parametrize(
    ("truth", "scores", "k", "expected"),
    [
        ([0], [[3.0]], 1, 1),
        ([1, 0, 1, 0], FOUR, 1, 0.75),
        ([1, 0, 1, 1], FOUR, 1, 0.5),
        ([2, 2, 0, 1], FOUR, 2, 0.75),
        ([2, 2, 0, 1], FOUR, 3, 1),
        ([2, 2, 0, 1], FOUR, 9, 1),
        ([0, 1, 2], [[0, 0, 0]] * 3, 1, 1 / 3),
        ([0, 1, 2], [[0, 0, 0]] * 3, 2, 2 / 3),
        ([1], [[-3.0, -1.0]], 1, 1),
    ],
    ids=["one class", "a tie goes to the lower", "a tie lost", "top 2", "all", "more than all", "all equal", "all equal, 2", "logits"],
)
def test_top_k_accuracy_by_hand(truth, scores, k, expected):
    assert top_k_accuracy(truth, scores, k) == pytest.approx(expected)


few = st.integers(0, 3)  # few different scores: ties everywhere
rows_of_scores = st.lists(st.tuples(st.integers(0, 3), st.tuples(few, few, few, few)), min_size=1, max_size=12)


@calm
@given(rows_of_scores, st.integers(1, 3))
def test_top_k_equals_scikit_learns_with_the_classes_turned_round(rows, k):
    """Of equal scores ours takes the lower class and scikit-learn's the higher: numbered backwards, they agree on every tie."""
    truth, scores = (np.array(column) for column in zip(*rows, strict=True))
    expected = theirs.top_k_accuracy_score(3 - truth, scores[:, ::-1].astype(float), k=k, labels=range(4))
    assert top_k_accuracy(truth, scores, k) == pytest.approx(expected, **same)


@calm
@given(st.lists(st.tuples(st.integers(0, 3), st.permutations(range(4))), min_size=1, max_size=12), st.integers(1, 3))
def test_top_k_without_ties_equals_scikit_learns(rows, k):
    truth, scores = (np.array(column) for column in zip(*rows, strict=True))
    expected = theirs.top_k_accuracy_score(truth, scores.astype(float), k=k, labels=range(4))
    assert top_k_accuracy(truth, scores, k) == pytest.approx(expected, **same)


@calm
@given(rows_of_scores)
def test_top_1_is_the_accuracy_of_argmax_ties_and_all(rows):
    truth, scores = (np.array(column) for column in zip(*rows, strict=True))
    assert top_k_accuracy(truth, scores, 1) == pytest.approx(accuracy(confusion_matrix(truth, scores.argmax(axis=1), 4)))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: confusion_matrix([0], [0], 0), "classes must be at least 1, got 0"),
        (lambda: confusion_matrix([0, 2], [0, 1], 2), r"truth must lie in 0\.\.1, got 0\.\.2"),
        (lambda: confusion_matrix([0, 1], [0, -1], 2), r"predicted must lie in 0\.\.1, got -1\.\.0"),
        (lambda: confusion_matrix([0, 1], [0], 2), "predicted must be as long as truth, 2, got 1"),
        (lambda: confusion_matrix([0.0], [0], 2), r"truth must be whole numbers of shape \(N,\), got float64 \(1,\)"),
        (lambda: confusion_matrix([[0]], [0], 2), r"truth must be whole numbers of shape \(N,\), got int64 \(1, 1\)"),
        (lambda: accuracy(np.zeros((2, 3))), r"matrix must have shape \(K, K\) with K at least 1, got \(2, 3\)"),
        (lambda: precision_recall_f1(np.zeros((0, 0))), r"matrix must have shape \(K, K\)"),
        (lambda: specificity(np.array([[-1]])), "matrix must hold counts, got -1"),
        (lambda: averaged(NINETY, "mean"), "how must be one of macro, weighted, micro, got 'mean'"),
        (lambda: top_k_accuracy([], np.zeros((0, 3)), 1), r"scores must have shape \(N, K\) with N and K at least 1"),
        (lambda: top_k_accuracy([0], [[math.nan, 1]], 1), "hold no NaN"),
        (lambda: top_k_accuracy([0, 1], [[1, 2]], 1), "truth must be as long as scores, 1, got 2"),
        (lambda: top_k_accuracy([0], [[1, 2]], 0), "k must be at least 1, got 0"),
        (lambda: top_k_accuracy([2], [[1, 2]], 1), r"truth must lie in 0\.\.1"),
    ],
    ids=lambda value: value[:30] if isinstance(value, str) else "",
)
def test_what_does_not_fit_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
