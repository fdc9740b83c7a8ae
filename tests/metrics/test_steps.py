import itertools

import numpy as np
import pytest

from coursekit.metrics import steps
from coursekit.metrics.coco import match_image
from coursekit.metrics.detection import evaluate_samples
from coursekit.metrics.inputs import from_samples
from coursekit.metrics.voc import voc_evaluate


def random_images(seed, count=4):
    """Whole-number boxes of two classes, and scores that tie."""
    rng = np.random.default_rng(seed)

    def boxes(n):
        corner = rng.integers(0, 8, (n, 2))
        return np.hstack([corner, corner + rng.integers(1, 6, (n, 2))]).astype(float)

    sizes = [(int(rng.integers(0, 6)), int(rng.integers(0, 9))) for _ in range(count)]
    scores = [0.2, 0.4, 0.6, 0.8]
    return [
        {
            "truth": boxes(g),
            "truth_labels": rng.integers(0, 2, g),
            "boxes": boxes(d),
            "scores": rng.choice(scores, d),
            "labels": rng.integers(0, 2, d),
        }
        for g, d in sizes
    ]


def as_samples(images):
    targets = [{"boxes": i["truth"], "labels": i["truth_labels"]} for i in images]
    return targets, [{name: i[name] for name in ("boxes", "scores", "labels")} for i in images]


@pytest.mark.parametrize("seed", range(10))
def test_coco_map_is_the_evaluators(seed):
    images = random_images(seed)
    expected = evaluate_samples(*as_samples(images), ["a", "b"]).summary["AP"]
    assert steps.coco_map(images, 2) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("seed", range(10))
def test_matching_is_the_evaluators_without_crowds(seed):
    rng = np.random.default_rng(seed)
    iou = rng.choice([0.0, 0.3, 0.5, 0.7], (6, 4))
    none = np.zeros(4, dtype=bool)
    assert steps.match_detections(iou, 0.5).tolist() == match_image(iou, none, none, 0.5).tolist()


@pytest.mark.parametrize(
    ("found", "truth", "plus_one", "expected"),
    [
        ([], [[0, 0, 1, 1]], False, np.zeros((0, 1))),
        ([[0, 0, 4, 2]], [[2, 0, 6, 2]], False, [[1 / 3]]),
        ([[0, 0, 4, 2]], [[2, 0, 6, 2]], True, [[9 / 21]]),  # 3 x 3 pixels shared, 15 + 15 - 9 in all
        ([[0, 0, 1, 1]], [[3, 3, 5, 5], [1, 0, 2, 1]], False, [[0, 0]]),
        ([[1, 1, 1, 1]], [[1, 1, 1, 1]], False, [[0]]),
        ([[1, 1, 1, 1]], [[1, 1, 1, 1]], True, [[1]]),
    ],
)
def test_iou(found, truth, plus_one, expected):
    np.testing.assert_allclose(steps.iou_of_boxes(found, truth, plus_one), expected)


def test_voc_by_steps():
    """One class of one image, where no truth is tried twice: VOC's evaluator and the steps agree."""
    truth, found = [[0, 0, 10, 10], [20, 0, 30, 10]], [[0, 0, 10, 9], [50, 0, 60, 10], [20, 0, 30, 10]]
    scores = np.array([0.9, 0.8, 0.7])
    right = steps.match_detections(steps.iou_of_boxes(found, truth)[steps.rank(scores)], 0.5) >= 0
    curve = steps.pr_curve(right, 2)
    said = {"boxes": found, "scores": scores, "labels": [0] * 3}
    inputs = from_samples([{"boxes": truth, "labels": [0, 0]}], [said], ["thing"])
    assert steps.ap_area(*curve) == pytest.approx(voc_evaluate(inputs, "voc2010").mAP) == pytest.approx(0.5 + 0.5 * 2 / 3)
    assert steps.ap_at_points(*curve, np.linspace(0, 1, 11)) == pytest.approx(voc_evaluate(inputs, "voc2007").mAP)


def test_rank_keeps_the_order_of_equals():
    scores = np.random.default_rng(0).choice([0.1, 0.5, 0.9], 200)
    order = steps.rank(scores)
    for a, b in itertools.pairwise(order):
        assert scores[a] > scores[b] or (scores[a] == scores[b] and a < b)
