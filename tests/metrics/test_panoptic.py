"""Panoptic quality: by hand, against the paper's definition written another way, and against published figures."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from coursekit.metrics.panoptic import panoptic_counts, panoptic_quality, quality_of, segment_overlaps

NAN = float("nan")


def row(digits):
    return np.array([[int(c) for c in digits]])


def paper(truth, truth_classes, found, found_classes, num_classes, crowd=()):
    """Kirillov et al., section 4, word by word with sets of pixels, one class after another."""

    def segments(numbers, classes, wanted):
        return {n: set(np.flatnonzero(numbers.ravel() == n)) for n in np.unique(numbers).tolist() if n and classes[n] == wanted}

    void = set(np.flatnonzero(truth.ravel() == 0))
    rows = []
    for k in range(num_classes):
        true, said = segments(truth, truth_classes, k), segments(found, found_classes, k)
        crowded = set().union(*(pixels for number, pixels in true.items() if number in crowd))
        true = {number: pixels for number, pixels in true.items() if number not in crowd}
        ious = {(t, f): len(a & b) / len(a | (b - void)) for t, a in true.items() for f, b in said.items()}
        hits = {pair: iou for pair, iou in ious.items() if iou > 0.5}
        assert len({t for t, _ in hits}) == len({f for _, f in hits}) == len(hits)  # the matching is unique, as the paper proves
        alone = [b for f, b in said.items() if f not in {f for _, f in hits}]
        false = [b for b in alone if len(b & (void | crowded)) / len(b) <= 0.5]
        rows.append([sum(hits.values()), len(hits), len(false), len(true) - len(hits)])
    return np.array(rows, dtype=float)


@pytest.mark.parametrize(
    ("truth", "found", "expected"),
    [
        ("0000", "0000", [[0, 0, 0, 0], [0, 0, 0, 0]]),
        ("1122", "1122", [[1, 1, 0, 0], [1, 1, 0, 0]]),
        ("1111", "1100", [[0, 0, 1, 1], [0, 0, 0, 0]]),
        ("111122", "111222", [[3 / 4, 1, 0, 0], [2 / 3, 1, 0, 0]]),
        ("1222", "1333", [[1, 1, 0, 0], [1, 1, 0, 0]]),
        ("1122", "2211", [[0, 0, 1, 1], [0, 0, 1, 1]]),
        ("1100", "1111", [[1, 1, 0, 0], [0, 0, 0, 0]]),
        ("0001", "2221", [[1, 1, 0, 0], [0, 0, 0, 0]]),
        ("0111", "2211", [[2 / 3, 1, 0, 0], [0, 0, 1, 0]]),
    ],
    ids=[
        "only void",
        "all right",
        "exactly half is no match",
        "two matches",
        "numbers are only names",
        "classes swapped",
        "void takes nothing off",
        "on void is no mistake",
        "half on void is one",
    ],
)
def test_panoptic_counts_by_hand(truth, found, expected):
    classes = [-1, 0, 1, 1]
    np.testing.assert_allclose(panoptic_counts(row(truth), classes, row(found), classes, 2), expected)


@pytest.mark.parametrize(
    ("found", "expected"),
    [("112222", [1, 1, 0, 0]), ("112233", [1, 1, 0, 0]), ("111112", [0, 0, 0, 1]), ("111122", [0, 0, 1, 1])],
    ids=["one on the crowd", "two on the crowd", "3 of 5 pixels on the crowd", "2 of 4 pixels on the crowd"],
)
def test_a_crowd_can_neither_be_found_nor_missed(found, expected):
    """Truth: a thing of 2 pixels, and a crowd of 4 pixels of its class."""
    counts = panoptic_counts(row("112222"), [-1, 0, 0], row(found), [-1, 0, 0, 0], 1, crowd=[2])
    np.testing.assert_allclose(counts, [expected])


ids = arrays(np.int64, (4, 5), elements=st.integers(0, 4))
kinds = st.lists(st.integers(0, 2), min_size=5, max_size=5)


@given(ids, kinds, ids, kinds, st.sets(st.integers(1, 4), max_size=2))
def test_panoptic_counts_equal_the_papers_definition(truth, truth_classes, found, found_classes, crowd):
    ours = panoptic_counts(truth, truth_classes, found, found_classes, 3, crowd)
    np.testing.assert_allclose(ours, paper(truth, truth_classes, found, found_classes, 3, crowd), atol=1e-12)


@given(ids, kinds, arrays(np.int64, (4, 5), elements=st.sampled_from([0, 0, 0, 1])), kinds)
def test_a_map_that_is_nearly_the_truth_is_counted_as_the_paper_does(truth, classes, step, other):
    found = (truth + step) % 5  # many matches, which random maps hardly have
    np.testing.assert_allclose(panoptic_counts(truth, classes, found, classes, 3), paper(truth, classes, found, classes, 3), atol=1e-12)


def test_the_figures_of_torchmetrics_own_example():
    """The example on torchmetrics' page of PanopticQuality: things 0 and 1, stuff 6 and 7; 0.5463, the mean of .5185, 0, .6667 and 1."""
    said = [[60, 0, 60, 60], [0, 0, 60, 1], [0, 0, 60, 1], [0, 70, 60, 10], [0, 70, 70, 70]]
    true = [[60, 1, 60, 1], [1, 1, 60, 1], [1, 1, 60, 10], [1, 70, 10, 10], [1, 70, 70, 70]]
    names = {60: 1, 70: 2, 0: 3, 1: 4, 10: 5}  # class * 10 + instance -> segment
    classes = [-1, 2, 3, 0, 0, 1]  # 6 and 7 become 2 and 3
    truth, found = (np.vectorize(names.get)(np.array(m)) for m in (true, said))
    pq = panoptic_quality(truth, classes, found, classes, 4)[0]
    np.testing.assert_allclose(pq, [0.5185, 0.0, 0.6667, 1.0], atol=1e-4)
    assert pq.mean() == pytest.approx(0.5463, abs=1e-4)


def test_the_figures_of_mmdetections_own_test():
    """MMDetection's test of CocoPanopticDataset: PQ 67.869, SQ 80.898, RQ 83.333; things 60.453, 79.996, 75.0, stuff 82.701."""

    def picture(*boxes):
        numbers = np.full((60, 80), 4)
        for index, (x, y, width, height) in enumerate(boxes, start=1):
            numbers[y : y + height, x : x + width] = index
        return numbers

    truth = picture((10, 10, 10, 40), (30, 10, 10, 40), (50, 10, 10, 5))
    found = picture((11, 11, 10, 40), (38, 10, 10, 40), (51, 10, 10, 5))
    classes = [-1, 0, 0, 1, 2]  # person, person, dog, wall
    quality = 100 * panoptic_quality(truth, classes, found, classes, 3)
    np.testing.assert_allclose(quality.mean(axis=1), [67.869, 80.898, 83.333], atol=1e-3)
    np.testing.assert_allclose(quality[:, :2].mean(axis=1), [60.453, 79.996, 75.0], atol=1e-3)
    np.testing.assert_allclose(quality[:, 2], [82.701, 82.701, 100.0], atol=1e-3)


def test_pictures_add_up():
    counts = np.array([[[0.8, 1, 0, 1]], [[0.6, 1, 2, 0]]])
    pq, sq, rq = quality_of(counts.sum(axis=0))
    assert (sq[0], rq[0]) == (pytest.approx(0.7), pytest.approx(2 / (2 + 1 + 0.5)))
    assert pq[0] == pytest.approx(sq[0] * rq[0])


@pytest.mark.parametrize(
    ("counts", "expected"),
    [([0, 0, 0, 0], [NAN, NAN, NAN]), ([0, 0, 1, 0], [0, 0, 0]), ([0, 0, 0, 2], [0, 0, 0]), ([0.9, 1, 0, 0], [0.9, 0.9, 1])],
    ids=["nothing there", "only a false alarm", "only missed", "one match"],
)
def test_quality_of_by_hand(counts, expected):
    np.testing.assert_allclose(quality_of(np.array([counts]))[:, 0], expected)


def test_overlaps_are_counted_by_pair():
    assert segment_overlaps(row("0112"), row("0110")).tolist() == [[1, 0], [0, 2], [1, 0]]


@pytest.mark.parametrize(
    ("truth", "found", "message"),
    [
        (row("01"), row("011"), r"found must have the shape of truth, \(1, 2\), got \(1, 3\)"),
        (np.array([[-1]]), row("0"), "truth must hold segment numbers from 0 on, got -1"),
        (row("3"), row("1"), "truth_classes must give segment 3 a class in 0 .. 1, got nothing"),
        (row("1"), row("2"), "found_classes must give segment 2 a class in 0 .. 1, got 7"),
    ],
    ids=["shapes", "negative", "no class", "class too high"],
)
def test_panoptic_counts_name_what_does_not_fit(truth, found, message):
    with pytest.raises(ValueError, match=message):
        panoptic_counts(truth, [-1, 0, 1], found, [-1, 0, 7], 2)
