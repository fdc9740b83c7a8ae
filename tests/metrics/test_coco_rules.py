"""One small case for each rule of COCO's evaluation, by hand and against pycocotools."""

import numpy as np
import pytest

from coursekit.metrics import coco
from coursekit.metrics.detection import coco_evaluate, evaluate_samples

BOX = [0, 0, 10, 10]


def ground_truth(*boxes, images=(1,), categories=(1,)):
    """Truths from (bbox, extra fields) or bbox; ids from 1."""
    rows = []
    for number, entry in enumerate(boxes, start=1):
        box, extra = entry if isinstance(entry, tuple) else (entry, {})
        row = {"id": number, "image_id": 1, "category_id": 1, "bbox": box, "area": box[2] * box[3], "iscrowd": 0}
        rows.append(row | extra)
    named = [{"id": c, "name": f"class {c}"} for c in categories]
    return {"info": {}, "images": [{"id": i} for i in images], "categories": named, "annotations": rows}


def found(*rows):
    """Detections from (bbox, score) or (bbox, score, extra fields)."""
    return [{"image_id": 1, "category_id": 1, "bbox": box, "score": score} | dict(*rest) for box, score, *rest in rows]


CROWD = {"iscrowd": 1}
RULES = {
    "one truth, one detection": (ground_truth(BOX), found((BOX, 0.9)), {"AP": 1.0, "AR1": 1.0}),
    "nothing overlaps": (ground_truth(BOX), found(([50, 50, 10, 10], 0.9)), {"AP": 0.0, "AR100": 0.0}),
    "IoU of exactly the threshold is enough": (ground_truth([0, 0, 10, 10]), found(([0, 0, 10, 5], 0.9)), {"AP50": 1.0, "AP": 0.1}),
    "a second detection of the same truth is wrong": (
        ground_truth(BOX, [50, 0, 10, 10]),
        found((BOX, 0.9), (BOX, 0.8)),
        {"AP50": 51 / 101},
    ),
    # the right answer at .9, then a miss: the curve is 51 points at 1, then 50 points at 2/3
    "a false positive between two right ones": (
        ground_truth(BOX, [50, 0, 10, 10]),
        found((BOX, 0.9), ([90, 90, 5, 5], 0.8), ([50, 0, 10, 10], 0.7)),
        {"AP50": (51 + 50 * 2 / 3) / 101},
    ),
    "the next best truth is tried when the best is taken": (
        ground_truth([0, 0, 10, 10], [0, 0, 10, 14]),
        found(([0, 0, 10, 11], 0.9), ([0, 0, 10, 10], 0.8)),
        {"AP50": 1.0},
    ),
    "of two truths with equal IoU the later one is taken": (
        # the first detection reaches both truths with 0.5; only the first truth suits the second detection
        ground_truth([0, 0, 10, 10], [10, 0, 10, 10]),
        found(([0, 0, 20, 10], 0.9), ([0, 0, 10, 9], 0.8)),
        {"AP50": 1.0},
    ),
    "a crowd takes in five detections, none right or wrong": (
        ground_truth(BOX, ([20, 20, 60, 60], CROWD)),
        found((BOX, 0.5), *(([20 + 9 * n, 20, 8, 8], 0.9) for n in range(5))),
        {"AP": 1.0},
    ),
    "only a crowd: nothing to find": (ground_truth((BOX, CROWD)), found((BOX, 0.9)), {"AP": -1.0, "AR1": -1.0}),
    "a truth that counts is preferred to a crowd with a higher IoU": (
        ground_truth(([0, 0, 30, 30], CROWD), [0, 0, 10, 10]),
        found(([0, 0, 10, 8], 0.9)),
        {"AP50": 1.0},
    ),
    "an area of exactly 1024 is small and medium": (
        ground_truth([0, 0, 32, 32]),
        found(([0, 0, 32, 32], 0.9)),
        {"APs": 1.0, "APm": 1.0, "APl": -1.0},
    ),
    "an area of exactly 9216 is medium and large": (
        ground_truth([0, 0, 96, 96]),
        found(([0, 0, 96, 96], 0.9)),
        {"APs": -1.0, "APm": 1.0, "APl": 1.0},
    ),
    "the area is the annotated one, not that of the box": (
        ground_truth(([0, 0, 40, 40], {"area": 900})),
        found(([0, 0, 40, 40], 0.9)),
        {"APs": 1.0, "APm": -1.0},
    ),
    "an unmatched detection outside the area range is ignored": (
        ground_truth([0, 0, 10, 10]),
        found(([0, 0, 10, 10], 0.5), ([100, 100, 50, 50], 0.9)),
        {"APs": 1.0, "AP": 0.5},
    ),
    "a box without area never matches": (ground_truth([5, 5, 0, 0]), found(([5, 5, 0, 0], 0.9)), {"AP": 0.0}),
    "an image without truth: what is found there is wrong": (
        ground_truth(BOX, images=(1, 2)),
        found((BOX, 0.5), (BOX, 0.9, {"image_id": 2})),
        {"AP": 0.5},
    ),
    "a category without truth stays out of the mean": (
        ground_truth(BOX, categories=(1, 2)),
        found((BOX, 0.5), (BOX, 0.9, {"category_id": 2})),
        {"AP": 1.0},
    ),
    "a category without detections counts as 0": (
        ground_truth(BOX, (BOX, {"category_id": 2}), categories=(1, 2)),
        found((BOX, 0.5)),
        {"AP": 0.5},
    ),
    "no more than 100 detections an image and class": (
        ground_truth(BOX),
        found(*(([50, 50, 9, 9], 0.9) for _ in range(100)), (BOX, 0.1)),
        {"AP": 0.0, "AR100": 0.0},
    ),
    "100 of each class": (
        ground_truth(BOX, categories=(1, 2)),
        found(*(([50, 50, 9, 9], 0.9, {"category_id": 2}) for _ in range(100)), (BOX, 0.1)),
        {"AP": 1.0},
    ),
    "the best one, the best ten": (
        ground_truth(BOX, [50, 0, 10, 10]),
        found((BOX, 0.9), *(([90, 90, 9, 9], 0.5) for _ in range(9)), ([50, 0, 10, 10], 0.1)),
        {"AR1": 0.5, "AR10": 0.5, "AR100": 1.0},
    ),
    "ties within an image keep file order": (ground_truth(BOX), found(([50, 50, 9, 9], 0.5), (BOX, 0.5)), {"AP": 0.5}),
    "ties between images go by image id, not by file order": (
        ground_truth((BOX, {"image_id": 3}), images=(7, 3)),
        found(([50, 50, 9, 9], 0.5, {"image_id": 7}), (BOX, 0.5, {"image_id": 3})),
        {"AP": 1.0},
    ),
    "an ignore field of the user's is not read": (ground_truth((BOX, {"ignore": 1})), found((BOX, 0.9)), {"AP": 1.0}),
}


@pytest.mark.parametrize("rule", RULES)
def test_rule(rule, pycocotools):
    truth, detections, expected = RULES[rule]
    ours = coco_evaluate(truth, detections)
    assert {name: ours.summary[name] for name in expected} == pytest.approx(expected, abs=1e-12)
    theirs = pycocotools(truth, detections)
    np.testing.assert_array_equal(list(ours.summary.values()), theirs.stats)
    np.testing.assert_array_equal(ours.precision, theirs.eval["precision"])
    plain = coco.evaluate(ours.inputs)
    np.testing.assert_array_equal(plain[0], ours.precision)


def test_the_grids_are_those_of_linspace():
    assert [i for i in range(101) if coco.RECALL_POINTS[i] != i / 100] == [35, 41, 47, 57, 69, 70, 82, 83, 94, 95]
    assert coco.IOU_THRESHOLDS[8] == 0.8999999999999999
    assert list(coco.IOU_THRESHOLDS).count(0.75) == 1


def test_nothing_found_is_zero_and_nothing_to_find_is_undefined():
    assert set(coco_evaluate(ground_truth(BOX), []).summary.values()) == {0.0, -1.0}  # 0 for all and small, -1 for medium and large
    assert set(coco_evaluate(ground_truth(), []).summary.values()) == {-1.0}
    assert set(coco_evaluate({"images": [], "categories": [], "annotations": []}, []).summary.values()) == {-1.0}


def test_per_class_means_are_the_mean():
    truth = ground_truth(BOX, (BOX, {"category_id": 2}), categories=(1, 2, 3))
    result = coco_evaluate(truth, found((BOX, 0.9), ([0, 0, 10, 6], 0.9, {"category_id": 2})))
    table = {row["name"]: row["AP"] for row in result.per_class}
    assert table == pytest.approx({"class 1": 1.0, "class 2": 0.3, "class 3": -1.0})
    assert result.summary["AP"] == pytest.approx((1.0 + 0.3) / 2)


class TestSamples:
    CLASSES = ("sign", "car")

    def target(self, **fields):
        return {"boxes": np.array([[0.0, 0, 10, 10]]), "labels": np.array([1])} | fields

    def prediction(self, **fields):
        return {"boxes": np.array([[0.0, 0, 10, 10]]), "scores": np.array([0.9]), "labels": np.array([1])} | fields

    def test_arrays_tensors_and_detections_agree(self):
        import torch

        from coursekit.detections import Detections

        tensors = {name: torch.as_tensor(value) for name, value in self.prediction().items()}
        half = tensors | {"boxes": tensors["boxes"].bfloat16()}
        for said in (self.prediction(), tensors, half, Detections(tensors["boxes"], tensors["scores"], tensors["labels"])):
            result = evaluate_samples([self.target(), self.target(boxes=np.zeros((0, 4)), labels=[])], [said, _nothing()], self.CLASSES)
            assert result.summary["AP"] == pytest.approx(1.0)
            assert [row["AP"] for row in result.per_class] == pytest.approx([-1.0, 1.0])

    def test_crowd_and_area_are_read(self):
        targets = [self.target(iscrowd=[1])]
        assert evaluate_samples(targets, [self.prediction()], self.CLASSES).summary["AP"] == -1.0
        targets = [self.target(area=[5000.0])]
        assert evaluate_samples(targets, [self.prediction()], self.CLASSES).summary["APs"] == -1.0

    @pytest.mark.parametrize(
        ("target", "prediction", "message"),
        [
            ({}, {"labels": [2]}, r"predictions\[0\] labels must be in 0..1, got 2 to 2"),
            ({"labels": [-1]}, {}, r"targets\[0\] labels must be in 0..1"),
            ({"boxes": np.zeros((1, 5))}, {}, r"targets\[0\] boxes must have shape \(N, 4\), got \(1, 5\)"),
            ({}, {"scores": [0.1, 0.2]}, r"predictions\[0\] scores must have shape \(1,\)"),
            ({}, {"scores": [np.nan]}, r"detection number 1 \(image 0\) has score nan, expected a finite number"),
            ({}, {"scores": None}, r"predictions\[0\] must have scores"),
            ({"labels": None}, {}, r"targets\[0\] must have boxes and labels"),
            ({"boxes": [[10.0, 0, 0, 10]]}, {}, "without a negative width or height"),
        ],
    )
    def test_what_does_not_fit_is_named(self, target, prediction, message):
        with pytest.raises(ValueError, match=message):
            evaluate_samples([self.target(**target)], [self.prediction(**prediction)], self.CLASSES)

    def test_one_prediction_an_image(self):
        with pytest.raises(ValueError, match="one entry for each of 1 targets, got 0"):
            evaluate_samples([self.target()], [], self.CLASSES)


def _nothing():
    return {"boxes": np.zeros((0, 4)), "scores": np.zeros(0), "labels": np.zeros(0, int)}
