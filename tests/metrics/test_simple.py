import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from coursekit.boxes import box_iou
from coursekit.detections import Detections
from coursekit.metrics.simple import _iou, simple_ap, simple_ap_by_class

A, B, FAR = [0, 0, 4, 4], [10, 10, 14, 14], [50, 50, 54, 54]


@pytest.mark.parametrize(
    ("truth", "boxes", "scores", "expected"),
    [
        ([[]], [[]], [[]], float("nan")),
        ([], [], [], float("nan")),
        ([[]], [[A]], [[0.9]], float("nan")),
        ([[A]], [[]], [[]], 0.0),
        ([[A]], [[A]], [[0.1]], 1.0),
        ([[A, B]], [[A]], [[0.9]], 1 / 2),
        ([[A]], [[FAR, A]], [[0.9, 0.8]], 1 / 2),
        ([[A]], [[FAR, A]], [[0.8, 0.9]], 1.0),
        ([[A, B]], [[A, A, B]], [[0.9, 0.8, 0.7]], (1 + 2 / 3) / 2),
        ([[A], [A]], [[A], [FAR]], [[0.5], [0.9]], (1 / 2) / 2),
        ([[A]], [[[0, 0, 4, 2]]], [[0.9]], 1.0),
        ([[[0, 0, 4, 4], [0, 1, 4, 5]]], [[[0, 0, 4, 4], [0, 0, 4, 4]]], [[0.9, 0.8]], 1.0),
    ],
    ids=[
        "nothing and nothing",
        "no image",
        "nothing to find",
        "nothing found",
        "found",
        "one of two found",
        "a miss before the hit",
        "a miss after the hit costs nothing",
        "a second box on the same object is wrong",
        "images are read together",
        "IoU equal to the threshold is right",
        "the best is taken: the next best will do",
    ],
)
def test_simple_ap_by_hand(truth, boxes, scores, expected):
    assert simple_ap(truth, boxes, scores) == pytest.approx(expected, nan_ok=True)


def test_the_threshold_decides():
    truth, boxes, scores = [[A]], [[[0, 0, 4, 3]]], [[0.9]]  # IoU 3/4
    assert simple_ap(truth, boxes, scores, 0.75) == 1
    assert simple_ap(truth, boxes, scores, 0.76) == 0


def test_tensors_and_arrays_give_the_same():
    truth, boxes, scores = [torch.tensor([A, B]).float()], [torch.tensor([FAR, B]).float()], [torch.tensor([0.5, 0.25])]
    expected = simple_ap([[A, B]], [[FAR, B]], [[0.5, 0.25]])
    assert simple_ap(truth, boxes, scores) == simple_ap([truth[0].numpy()], [boxes[0].numpy()], [scores[0].numpy()]) == expected == 0.25


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 1000)), min_size=1, max_size=30, unique_by=lambda t: t[1]), st.integers(0, 4))
def test_with_untied_scores_it_is_scikit_learns_average_precision_times_the_share_found(rows, never_found):
    places = [[20 * i, 0, 20 * i + 4, 4] for i in range(len(rows))]
    hits = [hit for hit, _ in rows]
    truth = [place for place, hit in zip(places, hits, strict=True) if hit] + [[0, 99 + 9 * i, 4, 103 + 9 * i] for i in range(never_found)]
    scores = [score / 1000 for _, score in rows]
    ours = simple_ap([truth], [places], [scores])
    if not any(hits):
        assert ours == 0 if truth else np.isnan(ours)
    else:
        assert ours == pytest.approx(average_precision_score(hits, scores) * sum(hits) / len(truth))


def test_by_class_keeps_classes_apart_and_leaves_out_those_without_an_object():
    targets = [
        {"boxes": torch.tensor([A, B]).float(), "labels": torch.tensor([0, 3])},
        {"boxes": torch.zeros(0, 4), "labels": torch.zeros(0).long()},
    ]
    found = [Detections(torch.tensor([A, A, B]).float(), torch.tensor([0.9, 0.8, 0.7]), torch.tensor([0, 3, 3])), Detections.empty()]
    assert simple_ap_by_class(targets, found) == {0: 1.0, 3: 0.5}
    assert simple_ap_by_class([], []) == {}


def test_iou_is_that_of_boxes():
    rows = np.random.default_rng(0).integers(0, 9, (30, 2, 2)).astype(float)
    rows = np.sort(rows, axis=1).reshape(-1, 4)  # some have no area
    expected = box_iou(torch.tensor(rows), torch.tensor(rows)).numpy()
    np.testing.assert_array_equal(np.stack([_iou(row, rows) for row in rows]), expected)


def test_it_names_what_does_not_fit():
    with pytest.raises(ValueError, match="one entry an image, got 1, 2 and 1"):
        simple_ap([[A]], [[A], [A]], [[0.5]])
    with pytest.raises(ValueError, match="scores of image 0 must be one for each box, got 1 for 2 boxes"):
        simple_ap([[A]], [[A, A]], [[0.5]])
    with pytest.raises(ValueError, match="one entry for each target, got 1 for 0"):
        simple_ap_by_class([], [Detections.empty()])
