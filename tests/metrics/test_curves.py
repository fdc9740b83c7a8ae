import numpy as np
import pytest

from coursekit.metrics.curves import confidence_curves, confusion_matrix, pr_curves, reliability
from coursekit.metrics.detection import evaluate_samples

A, B, FAR = [0, 0, 10, 10], [30, 0, 40, 10], [80, 80, 90, 90]


def evaluate(truth, found, crowd=None):
    """One image: truth as (box, label), found as (box, label, score); two classes."""
    target = {"boxes": np.array([t[0] for t in truth], float).reshape(-1, 4), "labels": [t[1] for t in truth]}
    target["iscrowd"] = crowd or [0] * len(truth)
    prediction = {"boxes": np.array([f[0] for f in found], float).reshape(-1, 4), "labels": [f[1] for f in found]}
    return evaluate_samples([target], [prediction | {"scores": [f[2] for f in found]}], ["sign", "car"])


def test_pr_curve_is_the_precision_that_ap_averages():
    result = evaluate([(A, 0), (B, 0)], [(A, 0, 0.9), (FAR, 0, 0.8), (B, 0, 0.7)])
    curve = pr_curves(result)
    assert curve.names == ("sign",)
    np.testing.assert_allclose(curve.precision[0, [0, 50, 51, 100]], [1, 1, 2 / 3, 2 / 3])
    assert curve.ap[0] == pytest.approx(result.summary["AP50"])
    with pytest.raises(ValueError, match=r"iou must be one of 0.50, 0.55, ..., 0.95, got 0.52"):
        pr_curves(result, 0.52)


def test_confidence_curves_by_hand():
    curves = confidence_curves(evaluate([(A, 0), (B, 0)], [(A, 0, 0.9), (FAR, 0, 0.8), (B, 0, 0.7)]), points=11)
    assert curves.confidence[[0, 7, 8, 9, 10]].tolist() == pytest.approx([0, 0.7, 0.8, 0.9, 1])
    np.testing.assert_allclose(curves.precision[0, [0, 7, 8, 9, 10]], [2 / 3, 2 / 3, 1 / 2, 1, 1])
    np.testing.assert_allclose(curves.recall[0, [0, 7, 8, 9, 10]], [1, 1, 1 / 2, 1 / 2, 0])
    np.testing.assert_allclose(curves.f1[0, [0, 7, 8, 9, 10]], [0.8, 0.8, 0.5, 2 / 3, 0])
    assert curves.best == (0.0, pytest.approx(0.8))


def test_without_classes_there_is_no_best_confidence():
    curves = confidence_curves(evaluate([], [(A, 0, 0.9)]))
    assert curves.names == ()
    assert np.isnan(curves.best).all()
    assert pr_curves(evaluate([], [])).precision.shape == (0, 101)


@pytest.mark.parametrize(
    ("truth", "found", "crowd", "expected"),
    [
        ([], [], None, [[0, 0, 0], [0, 0, 0], [0, 0, 0]]),
        ([(A, 0)], [(A, 0, 0.9)], None, [[1, 0, 0], [0, 0, 0], [0, 0, 0]]),
        ([(A, 0)], [(A, 1, 0.9)], None, [[0, 0, 0], [1, 0, 0], [0, 0, 0]]),  # row: predicted car, column: true sign
        ([(A, 0)], [(FAR, 1, 0.9)], None, [[0, 0, 0], [0, 0, 1], [1, 0, 0]]),
        ([(A, 0)], [(A, 0, 0.2)], None, [[0, 0, 0], [0, 0, 0], [1, 0, 0]]),  # below the score
        ([(A, 0)], [(A, 0, 0.9), (A, 0, 0.8)], None, [[1, 0, 1], [0, 0, 0], [0, 0, 0]]),  # a duplicate
        ([(A, 0)], [([0, 0, 10, 6], 1, 0.9), (A, 0, 0.8)], None, [[1, 0, 0], [0, 0, 1], [0, 0, 0]]),  # the higher IoU pairs first
        ([(A, 0)], [(A, 0, 0.9), (A, 0, 0.8)], [1], [[0, 0, 0], [0, 0, 0], [0, 0, 0]]),  # a crowd
    ],
    ids=["empty", "right", "wrong class", "wrong place", "low score", "duplicate", "higher IoU", "crowd"],
)
def test_confusion_matrix(truth, found, crowd, expected):
    assert confusion_matrix(evaluate(truth, found, crowd).inputs).tolist() == expected


def test_every_truth_and_every_confident_detection_is_in_the_matrix_once(make_problem):
    from coursekit.metrics.coco_json import from_coco

    for seed in range(30):
        inputs = from_coco(*make_problem(seed))
        matrix = confusion_matrix(inputs)
        truths, found = inputs.truths, inputs.found
        for k in range(len(inputs.categories)):
            assert matrix[:, k].sum() == (~truths.crowd & (truths.category == k)).sum()
            assert matrix[k].sum() <= ((found.score >= 0.25) & (found.category == k)).sum()


def test_reliability():
    count, score, right = reliability(evaluate([(A, 0)], [(A, 0, 0.95), (FAR, 0, 0.92), (FAR, 0, 1.0), (FAR, 0, 0.1)]))
    assert count.tolist() == [0, 1, 0, 0, 0, 0, 0, 0, 0, 3]
    assert (score[1], right[1]) == (pytest.approx(0.1), 0)
    assert (score[9], right[9]) == (pytest.approx(2.87 / 3), pytest.approx(1 / 3))
    assert np.isnan(right[0])
