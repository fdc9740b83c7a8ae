import numpy as np
import pytest

from coursekit.metrics import protocols
from coursekit.metrics.detection import evaluate_samples
from coursekit.metrics.inputs import from_samples, with_inclusive_corners
from coursekit.metrics.protocols import COCO, FAMOUS, READINGS, Rules, ladder, match, mean_ap
from coursekit.metrics.steps import coco_map, match_detections, pr_curve
from coursekit.metrics.voc import voc_evaluate

A, B, FAR = [0, 0, 10, 10], [30, 0, 40, 10], [80, 80, 90, 90]
NAMES = ("sign", "car", "tree")


def image(truth, said):
    """Truth as (box, label), said as (box, label, score)."""
    return {
        "truth": np.array([t[0] for t in truth], float).reshape(-1, 4),
        "truth_labels": np.array([t[1] for t in truth], int),
        "boxes": np.array([s[0] for s in said], float).reshape(-1, 4),
        "labels": np.array([s[1] for s in said], int),
        "scores": np.array([s[2] for s in said], float),
    }


def random_images(seed, whole=True):
    """Boxes on whole numbers with scores in steps of a fifth: touching, repeated, tied."""
    dice, images = np.random.default_rng(seed), []
    for _ in range(4):
        truths, found = dice.integers(0, 5), dice.integers(0, 9)
        corners = dice.integers(0, 8, (truths + found, 2)).astype(float)
        boxes = np.hstack([corners, corners + dice.integers(2, 7, (truths + found, 2))])
        near = dice.integers(0, 2, found).astype(bool) & (truths > 0)
        boxes[truths:][near] = boxes[dice.integers(0, max(truths, 1), near.sum())] + dice.integers(-1, 2, (near.sum(), 4)).clip(-1, 1)
        boxes[:, 2:] = np.maximum(boxes[:, 2:], boxes[:, :2] + 1)
        scores = dice.integers(1, 6, found) / 5 if whole else dice.random(found)
        labels = dice.integers(0, 2, truths + found)  # no image has a tree
        images.append({"truth": boxes[:truths], "truth_labels": labels[:truths]})
        images[-1] |= {"boxes": boxes[truths:], "labels": labels[truths:], "scores": scores}
    return images


def as_samples(images):
    targets = [{"boxes": i["truth"], "labels": i["truth_labels"]} for i in images]
    return targets, [{"boxes": i["boxes"], "labels": i["labels"], "scores": i["scores"]} for i in images]


@pytest.mark.parametrize("seed", range(40))
def test_its_coco_rules_equal_the_evaluator_that_equals_pycocotools(seed):
    images = random_images(seed)
    expected = evaluate_samples(*as_samples(images), NAMES).summary["AP50"]
    if expected >= 0:
        assert mean_ap(images, 3) == pytest.approx(expected, abs=1e-12)
        ten = [mean_ap(images, 3, threshold=t) for t in np.linspace(0.5, 0.95, 10)]
        assert np.mean(ten) == pytest.approx(coco_map(images, 3), abs=1e-12)


@pytest.mark.parametrize(("rules", "protocol"), [("VOC 2007", "voc2007"), ("VOC 2010, Padilla, Cartucho", "voc2010")])
@pytest.mark.parametrize("seed", range(20))
def test_its_voc_rules_equal_our_voc_evaluator(rules, protocol, seed):
    images = random_images(seed)
    result = voc_evaluate(with_inclusive_corners(from_samples(*as_samples(images), NAMES)), protocol)
    assert mean_ap(images, 3, FAMOUS[rules]) == pytest.approx(result.mAP, abs=1e-12, nan_ok=True)


@pytest.mark.parametrize("seed", range(10))
def test_matching_by_coco_is_the_learners(seed):
    iou = np.random.default_rng(seed).integers(0, 11, (5, 4)) / 10
    for threshold in (0.3, 0.5):
        assert match(iou, threshold).tolist() == (match_detections(iou, threshold) >= 0).tolist()
    assert match(np.zeros((0, 2)), 0.5).tolist() == []
    assert match(np.zeros((2, 0)), 0.5).tolist() == [False, False]


@pytest.mark.parametrize(
    ("changed", "images", "before", "after"),
    [
        ({"plus_one": True}, [image([([0, 0, 9, 9], 0)], [([0, 0, 9, 4], 0, 0.9)])], 0, 1),  # 36 / 81, and 50 / 100
        ({"strict": True}, [image([(A, 0)], [([0, 0, 10, 5], 0, 0.9)])], 1, 0),
        ({"only_best": True}, [image([(A, 0), ([0, 0, 10, 14], 0)], [([0, 0, 10, 11], 0, 0.9), (A, 0, 0.8)])], 1, 51 / 101),
        ({"stable": False}, [image([(A, 0)], [(A, 0, 0.5)]), image([], [(FAR, 0, 0.5)])], 1, 0.5),
        ({"confidence": 0.6}, [image([(A, 0), (B, 0)], [(A, 0, 0.9), (B, 0, 0.5)])], 1, 51 / 101),
        ({"confidence": 0.5}, [image([(A, 0)], [(A, 0, 0.5)])], 1, 1),
        ({"limit": 1}, [image([(A, 0), (B, 0)], [(A, 0, 0.9), (B, 0, 0.5)])], 1, 51 / 101),
        ({"reading": "11 points"}, [image([(A, 0), (B, 0)], [(A, 0, 0.9)])], 51 / 101, 6 / 11),
        ({"reading": "area"}, [image([(A, 0), (B, 0)], [(A, 0, 0.9)])], 51 / 101, 0.5),
    ],
    ids=["+1", "strict", "only the best", "ties turned", "confidence", "confidence equal", "limit", "11 points", "area"],
)
def test_each_rule_alone_by_hand(changed, images, before, after):
    assert mean_ap(images, 1) == pytest.approx(before)
    assert mean_ap(images, 1, Rules(**changed)) == pytest.approx(after)


def test_the_trapezoids_by_hand():
    """One of two found, nothing wrong: height 1 up to recall 0.5, then a straight line down to 0 at recall 1."""
    assert protocols.trapezoids(*pr_curve(np.array([True]), 2)) == pytest.approx(0.5 + 0.25)
    assert protocols.trapezoids(*pr_curve(np.array([True, True]), 2)) == pytest.approx(1, abs=0.006)  # it falls within the last hundredth


def test_float32_points_lose_a_recall_that_lies_on_one():
    curve = pr_curve(np.array([1] + [0] * 9 + [1] * 9, dtype=bool), 10)
    exact, rounded = (READINGS[name](*curve) for name in ("101 points", "101 points in float32"))
    assert rounded < exact - 0.004


def test_the_ladder_ends_where_it_should_and_changes_one_rule_a_step():
    images, goal = random_images(3), FAMOUS["VOC 2007"]
    steps = ladder(images, 3, COCO, goal)
    assert [name.split(" = ")[0] for name, _ in steps] == ["start", "plus_one", "only_best", "limit", "reading"]
    assert steps[0][1] == pytest.approx(mean_ap(images, 3))
    assert steps[-1][1] == pytest.approx(mean_ap(images, 3, goal))
    assert ladder(images, 3, COCO, COCO) == steps[:1]


def test_nothing_to_find_is_not_a_number():
    assert np.isnan(mean_ap([image([], [(A, 0, 0.9)])], 1))
    assert np.isnan(mean_ap([], 0))
    assert mean_ap([image([(A, 0)], [])], 1) == 0


def test_an_unknown_reading_is_named():
    with pytest.raises(ValueError, match=r"reading must be one of 101 points.*got 'by eye'"):
        Rules(reading="by eye")
