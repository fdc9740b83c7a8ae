import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as theirs

from coursekit.metrics.ranking import (
    area,
    average_precision,
    cheapest_threshold,
    costs_by_threshold,
    pr_curve,
    roc_auc,
    roc_auc_by_pairs,
    roc_curve,
    threshold_for_recall,
)

# the notebook's ten: four true, and a true and a false one share the score 0.7
TEN = np.array([1, 1, 0, 1, 0, 1, 0, 0, 0, 0], dtype=bool), np.array([0.9, 0.8, 0.7, 0.7, 0.5, 0.4, 0.3, 0.3, 0.2, 0.1])
calm = settings(deadline=None)  # a busy machine is no failure
same = {"rel": 1e-12, "abs": 1e-12}


def test_pr_curve_by_hand():
    recall, precision, thresholds = pr_curve(*TEN)
    assert thresholds.tolist() == [0.9, 0.8, 0.7, 0.5, 0.4, 0.3, 0.2, 0.1]
    assert recall.tolist() == [0.25, 0.5, 0.75, 0.75, 1, 1, 1, 1]
    assert precision == pytest.approx([1, 1, 3 / 4, 3 / 5, 4 / 6, 4 / 8, 4 / 9, 4 / 10])


def test_areas_by_hand():
    assert average_precision(*TEN) == pytest.approx((1 + 1 + 3 / 4 + 4 / 6) / 4)
    assert roc_auc(*TEN) == pytest.approx((6 + 6 + 5.5 + 4) / 24)
    assert area([0, 1, 1, 3], [0, 2, 4, 0]) == pytest.approx(1 + 0 + 4)


@pytest.mark.parametrize(
    ("truth", "scores", "ap", "auc"),
    [
        ([], [], math.nan, math.nan),
        ([False, False], [0.1, 0.2], math.nan, math.nan),
        ([True, True], [0.1, 0.2], 1, math.nan),
        ([True, False], [0.9, 0.1], 1, 1),
        ([True, False], [0.1, 0.9], 0.5, 0),
        ([True, False, False, False], [0.5] * 4, 0.25, 0.5),
        ([True, False], [math.inf, math.inf], 0.5, 0.5),
        ([0, 1], [-3, -2], 1, 1),
    ],
    ids=["nothing", "nothing true", "all true", "right order", "wrong order", "all one score", "infinite ties", "zeros and ones, below 0"],
)
def test_ap_and_auc_of_special_inputs(truth, scores, ap, auc):
    assert average_precision(truth, scores) == pytest.approx(ap, nan_ok=True)
    assert roc_auc(truth, scores) == pytest.approx(auc, nan_ok=True)
    assert roc_auc_by_pairs(truth, scores) == pytest.approx(auc, nan_ok=True)


few = st.integers(0, 5).map(lambda n: n / 5)  # few different scores: ties everywhere, now and then all one
samples = st.lists(st.tuples(st.booleans(), few), min_size=1, max_size=20)
mixed = samples.filter(lambda rows: 0 < sum(t for t, _ in rows) < len(rows))


def columns(rows):
    return (np.array(column) for column in zip(*rows, strict=True))


@calm
@given(samples.filter(lambda rows: any(t for t, _ in rows)))
def test_pr_curve_and_ap_equal_scikit_learns_to_1e_12(rows):
    truth, scores = columns(rows)
    recall, precision, thresholds = pr_curve(truth, scores)
    p, r, t = theirs.precision_recall_curve(truth, scores, pos_label=True)
    np.testing.assert_allclose(precision, p[:-1][::-1], rtol=1e-12)
    np.testing.assert_allclose(recall, r[:-1][::-1], rtol=1e-12)
    np.testing.assert_array_equal(thresholds, t[::-1])
    assert average_precision(truth, scores) == pytest.approx(theirs.average_precision_score(truth, scores), **same)


@calm
@given(samples)
def test_roc_curve_equals_scikit_learns_to_1e_12_one_kind_absent_or_not(rows):
    truth, scores = columns(rows)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns where one kind is absent
        expected = theirs.roc_curve(truth, scores, pos_label=True, drop_intermediate=False)
    for got, want in zip(roc_curve(truth, scores), expected, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-12)


@calm
@given(mixed)
def test_auc_equals_scikit_learns_and_its_meaning_to_1e_12(rows):
    truth, scores = columns(rows)
    expected = theirs.roc_auc_score(truth, scores)
    assert roc_auc(truth, scores) == pytest.approx(expected, **same)
    assert roc_auc_by_pairs(truth, scores) == pytest.approx(expected, **same)


@calm
@given(mixed, st.randoms(use_true_random=False))
def test_the_order_in_which_samples_come_is_irrelevant(rows, random):
    one, other = pr_curve(*columns(rows)), pr_curve(*columns(random.sample(rows, len(rows))))
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a, b)


@calm
@given(mixed, st.integers(2, 9))
def test_copies_of_the_false_leave_roc_alone_and_pull_precision_down(rows, copies):
    truth, scores = columns(rows)
    many = np.repeat(truth, np.where(truth, 1, copies)), np.repeat(scores, np.where(truth, 1, copies))
    for a, b in zip(roc_curve(truth, scores), roc_curve(*many), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)
    assert average_precision(*many) <= average_precision(truth, scores) + 1e-12


@calm
@given(mixed, st.sampled_from([0.1, 0.3, 0.5, 0.7, 0.9, 1.0]))
def test_threshold_for_recall_reaches_it_and_no_higher_one_does(rows, wished):
    truth, scores = columns(rows)
    threshold = threshold_for_recall(truth, scores, wished)
    assert scores[truth].size * wished <= (scores[truth] >= threshold).sum() + 1e-9
    higher = scores[scores > threshold]
    if len(higher):
        assert (scores[truth] >= higher.min()).mean() < wished


@pytest.mark.parametrize("wished", [0.1, 0.3, 0.6, 0.7, 0.9])
def test_a_recall_of_so_many_tenths_needs_so_many_of_ten(wished):
    scores = np.arange(10, 0, -1.0)
    assert threshold_for_recall([True] * 10, scores, wished) == scores[round(wished * 10) - 1]


@calm
@given(mixed, st.integers(0, 20), st.integers(0, 20))
def test_the_cheapest_threshold_is_the_cheapest_of_all(rows, false_alarm, miss):
    truth, scores = columns(rows)
    threshold, cost = cheapest_threshold(truth, scores, false_alarm, miss)

    def cost_of(t):
        return false_alarm * ((scores >= t) & ~truth).sum() + miss * ((scores < t) & truth).sum()

    assert cost == cost_of(threshold) == min(cost_of(t) for t in (math.inf, *scores))
    thresholds, costs = costs_by_threshold(truth, scores, false_alarm, miss)
    assert [cost_of(t) for t in thresholds] == costs.tolist()


@pytest.mark.parametrize(
    ("false_alarm", "miss", "threshold", "cost"),
    [(1, 0, math.inf, 0), (0, 1, 0.4, 0), (1, 1, 0.8, 2), (1, 100, 0.4, 2), (100, 1, 0.8, 2)],
    ids=["misses are free", "alarms are free", "alike: of equals the highest", "screening", "spam"],
)
def test_cheapest_threshold_by_hand(false_alarm, miss, threshold, cost):
    assert cheapest_threshold(*TEN, false_alarm, miss) == (threshold, cost)


def test_nothing_to_sort():
    assert [len(values) for values in pr_curve([], [])] == [0, 0, 0]
    assert cheapest_threshold([], [], 1, 1) == (math.inf, 0)
    recall, precision, _ = pr_curve([False], [0.5])
    assert math.isnan(recall[0])
    assert precision.tolist() == [0]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: pr_curve([0, 2], [1, 2]), r"truth must be true/false of shape \(N,\), got int64 \(2,\)"),
        (lambda: pr_curve([[True]], [[1.0]]), r"truth must be true/false of shape \(N,\)"),
        (lambda: roc_curve([True, False], [1.0]), r"scores must have the shape of truth, \(2,\), got \(1,\)"),
        (lambda: roc_auc([True], [math.nan]), "scores must hold no NaN"),
        (lambda: area([1, 0], [0, 0]), "x must not fall"),
        (lambda: threshold_for_recall([True], [1.0], 0), r"recall must be in \(0, 1\], got 0"),
        (lambda: threshold_for_recall([True], [1.0], 1.1), r"recall must be in \(0, 1\], got 1.1"),
        (lambda: threshold_for_recall([False], [1.0], 0.5), "truth must hold at least one true sample to recall, got none"),
        (lambda: cheapest_threshold([True], [1.0], -1, 1), "false_alarm must be at least 0, got -1"),
        (lambda: cheapest_threshold([True], [1.0], 1, -2), "miss must be at least 0, got -2"),
    ],
    ids=lambda value: value[:30] if isinstance(value, str) else "",
)
def test_what_does_not_fit_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
