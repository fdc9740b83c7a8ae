import numpy as np
import pytest

from coursekit.metrics.detection import coco_evaluate, evaluate_samples
from coursekit.metrics.errors import ERROR_TYPES, analyse_errors, error_type

A, B, FAR = [0, 0, 10, 10], [30, 0, 40, 10], [80, 80, 90, 90]
HALF_OFF = [0, 0, 10, 4]  # IoU 0.4 with A


def analyse(truth, found, crowd=None):
    target = {"boxes": np.array([t[0] for t in truth], float).reshape(-1, 4), "labels": [t[1] for t in truth]}
    target["iscrowd"] = crowd or [0] * len(truth)
    prediction = {"boxes": np.array([f[0] for f in found], float).reshape(-1, 4), "labels": [f[1] for f in found]}
    return analyse_errors(evaluate_samples([target], [prediction | {"scores": [f[2] for f in found]}], ["sign", "car"]))


@pytest.mark.parametrize(
    ("same", "taken", "other", "expected"),
    [
        (0, 0, 0, "background"),
        (0.05, 0.05, 0.05, "background"),
        (0, 0.5, 0.9, "duplicate"),
        (0.3, 0, 0.5, "classification"),
        (0.1, 0, 0.3, "localisation"),
        (0, 0.3, 0, "localisation"),
        (0, 0, 0.1, "both"),
        (0.09, 0, 0.49, "both"),
    ],
)
def test_error_type(same, taken, other, expected):
    iou, of_class, has = np.array([same, taken, other]), np.array([True, True, False]), np.array([False, True, False])
    assert error_type(iou, of_class, has) == expected


def test_error_type_without_truths():
    nothing = np.zeros(0, dtype=bool)
    assert error_type(np.zeros(0), nothing, nothing) == "background"


@pytest.mark.parametrize(
    ("truth", "found", "kinds", "missed"),
    [
        ([], [], [], []),
        ([(A, 0)], [(A, 0, 0.9)], [""], []),
        ([(A, 0)], [(A, 0, 0.9), (A, 0, 0.8)], ["", "duplicate"], []),
        ([(A, 0)], [(A, 1, 0.9)], ["classification"], []),  # explained, so not missed as well
        ([(A, 0)], [(HALF_OFF, 0, 0.9)], ["localisation"], []),
        ([(A, 0)], [(HALF_OFF, 1, 0.9)], ["both"], [0]),
        ([(A, 0)], [(FAR, 0, 0.9)], ["background"], [0]),
        ([(A, 0), (B, 1)], [(A, 0, 0.9)], [""], [1]),
    ],
    ids=["empty", "right", "duplicate", "class", "place", "both", "background", "missed"],
)
def test_types_of_whole_images(truth, found, kinds, missed):
    report = analyse(truth, found)
    assert report.kind.tolist() == kinds
    assert report.missed.tolist() == missed
    assert report.count["missed"] == len(missed)


def test_costs_by_hand():
    report = analyse([(A, 0), (B, 0)], [(FAR, 0, 0.9), (A, 0, 0.8)])
    assert report.ap == pytest.approx(51 * 0.5 / 101)
    assert report.cost["background"] == pytest.approx(51 / 101 - report.ap)
    assert report.cost["missed"] == pytest.approx(0.5 - report.ap)
    assert report.cost["duplicate"] == 0


def test_mending_the_class_moves_the_detection_to_it():
    report = analyse([(A, 0), (B, 1)], [(A, 0, 0.9), (B, 0, 0.8)])
    assert report.count["classification"] == 1
    assert report.ap + report.cost["classification"] == pytest.approx(1.0)


def test_a_crowd_is_neither_missed_nor_a_place():
    report = analyse([(A, 0), (B, 0)], [(A, 0, 0.9)], crowd=[0, 1])
    assert sum(report.count.values()) == 0


def test_ap_is_ap50_costs_are_not_negative_and_every_error_is_counted(make_problem):
    for seed in range(60):
        result = coco_evaluate(*make_problem(seed))
        report = analyse_errors(result)
        assert report.ap == pytest.approx(result.summary["AP50"], abs=1e-12)
        assert min(report.cost.values()) >= -1e-12, (seed, report.cost)
        assert sum(report.count[name] for name in ERROR_TYPES[:-1]) == result.matches.wrong().sum()
