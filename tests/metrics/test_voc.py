import numpy as np
import pytest

from coursekit.metrics.inputs import from_samples, with_inclusive_corners
from coursekit.metrics.voc import average_precision, voc_evaluate


def sample(truth, found, difficult=None, crowd=None):
    """One image, one class; boxes in xyxy, found as (box, score)."""
    target = {"boxes": np.array(truth, float).reshape(-1, 4), "labels": np.zeros(len(truth), int)}
    target |= {"difficult": difficult or [0] * len(truth), "iscrowd": crowd or [0] * len(truth)}
    boxes = np.array([box for box, _ in found], float).reshape(-1, 4)
    return target, {"boxes": boxes, "scores": np.array([score for _, score in found]), "labels": np.zeros(len(found), int)}


def evaluate(*samples, **settings):
    targets, predictions = zip(*samples, strict=True)
    return voc_evaluate(from_samples(targets, predictions, ["thing"]), **settings)


A, FAR = [0, 0, 10, 10], [50, 50, 60, 60]


@pytest.mark.parametrize(
    ("truth", "found", "difficult", "right"),
    [
        ([A], [], None, []),
        ([A], [(A, 0.9)], None, [True]),
        ([A], [([0, 0, 10, 5], 0.9)], None, [True]),  # IoU of exactly 0.5 is enough
        ([A], [(A, 0.9), (A, 0.8)], None, [True, False]),  # a duplicate is wrong
        ([A], [(FAR, 0.9), (A, 0.8)], None, [False, True]),
        ([A, [0, 0, 10, 14]], [([0, 0, 10, 11], 0.9), (A, 0.8)], None, [True, False]),  # only the best truth is tried; COCO says both right
        ([A, FAR], [(A, 0.9), (A, 0.8), (FAR, 0.7)], [1, 0], [True]),  # difficult: neither, any number of times
        ([A], [(FAR, 0.5), (A, 0.5)], None, [False, True]),  # ties keep file order
        ([A, A], [(A, 0.9), (A, 0.8)], None, [True, False]),  # of two equal truths the first, and it is taken
    ],
    ids=[
        "nothing found",
        "found",
        "at the threshold",
        "duplicate",
        "false first",
        "only the best truth",
        "difficult",
        "tie",
        "equal truths",
    ],
)
def test_who_is_right(truth, found, difficult, right):
    [only] = evaluate(sample(truth, found, difficult)).classes
    assert only.right.tolist() == right


def test_a_crowd_is_treated_as_difficult():
    [only] = evaluate(sample([A, FAR], [(A, 0.9), (A, 0.8), (FAR, 0.7)], crowd=[1, 0])).classes
    assert (only.truths, only.right.tolist()) == (1, [True])


def test_nothing_to_find_is_undefined_and_stays_out_of_the_mean():
    target, prediction = sample([A], [(A, 0.9)])
    result = voc_evaluate(from_samples([target], [prediction], ["thing", "absent"]))
    assert np.isnan(result.classes[1].AP)
    assert result.mAP == 1.0
    assert np.isnan(evaluate(sample([], [(A, 0.9)])).mAP)


@pytest.mark.parametrize(
    ("right", "truths", "eleven", "every"),
    [
        ([], 2, 0.0, 0.0),
        ([0, 0], 2, 0.0, 0.0),
        ([1], 1, 1.0, 1.0),
        ([1, 0, 1], 2, (6 * 1 + 5 * 2 / 3) / 11, 0.5 + 0.5 * 2 / 3),
        ([0, 1], 2, 6 * 0.5 / 11, 0.25),
        ([1] * 3, 10, 3 / 11, 0.3),  # 3/10 does not reach linspace's 0.30000000000000004
    ],
)
def test_the_two_sums_by_hand(right, truths, eleven, every):
    right = np.array(right, dtype=bool)
    recall, precision = np.cumsum(right) / truths, np.cumsum(right) / np.arange(1, len(right) + 1)
    assert average_precision(recall, precision, "voc2007") == pytest.approx(eleven)
    assert average_precision(recall, precision, "voc2010") == pytest.approx(every)


def test_inclusive_corners_are_one_pixel_wider():
    """Inclusive 3 to 3 is 1 wide: IoU (3..6, 3..4) is 2/4, without + 1 it is 1/3."""
    inputs = from_samples(*zip(sample([[3, 0, 6, 0]], [([3, 0, 4, 0], 0.9)]), strict=True), ["thing"])
    assert voc_evaluate(inputs).mAP == 0.0
    assert voc_evaluate(with_inclusive_corners(inputs)).mAP == 1.0
    assert with_inclusive_corners(inputs).truths.area.tolist() == [4.0]


def slow_voc(samples, iou_threshold):
    """VOCevaldet.m by loops: right, wrong or None for each detection, best first."""
    rows = [(s, n, i) for n, (_, p) in enumerate(samples) for i, s in enumerate(p["scores"])]
    taken, verdicts = set(), []
    for _, n, i in sorted(rows, key=lambda row: -row[0]):
        target, prediction = samples[n]
        best, best_iou = None, -1.0
        for g, (x1, y1, x2, y2) in enumerate(target["boxes"]):
            a1, b1, a2, b2 = prediction["boxes"][i]
            overlap = max(min(x2, a2) - max(x1, a1), 0) * max(min(y2, b2) - max(y1, b1), 0)
            union = (x2 - x1) * (y2 - y1) + (a2 - a1) * (b2 - b1) - overlap
            iou = overlap / union if overlap else 0.0
            if iou > best_iou:
                best, best_iou = g, iou
        if best_iou < iou_threshold:
            verdicts.append(False)
        elif not target["difficult"][best]:
            verdicts.append((n, best) not in taken)
            taken.add((n, best))
    return verdicts


@pytest.mark.parametrize("seed", range(20))
def test_equals_loops(seed):
    rng = np.random.default_rng(seed)

    def boxes(n):
        corner = rng.integers(0, 8, (n, 2))
        return np.hstack([corner, corner + rng.integers(1, 6, (n, 2))]).tolist()

    samples = []
    for _ in range(4):
        truth, found = boxes(rng.integers(0, 6)), boxes(rng.integers(0, 9))
        scores = rng.choice([0.2, 0.4, 0.6, 0.8], len(found))
        difficult = (rng.random(len(truth)) < 0.2).astype(int).tolist()
        samples.append(sample(truth, list(zip(found, scores, strict=True)), difficult))
    [only] = evaluate(*samples, iou_threshold=0.3).classes
    assert only.right.tolist() == slow_voc(samples, 0.3)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"protocol": "voc2012"}, "protocol must be one of voc2007, voc2010, got 'voc2012'"),
        ({"iou_threshold": 0.0}, "iou_threshold must be above 0 and at most 1, got 0.0"),
        ({"iou_threshold": 50}, "iou_threshold must be above 0 and at most 1, got 50"),
    ],
)
def test_bad_settings_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        evaluate(sample([A], []), **settings)
