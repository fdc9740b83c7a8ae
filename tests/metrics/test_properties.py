"""What must hold for any boxes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coursekit.metrics.detection import evaluate_samples
from coursekit.metrics.inputs import from_samples
from coursekit.metrics.voc import average_precision, voc_evaluate

few = settings(max_examples=40, deadline=None)
corner = st.integers(0, 12)  # small whole numbers: edges meet and boxes repeat
box = st.tuples(corner, corner, corner, corner).map(lambda c: [min(c[0], c[2]), min(c[1], c[3]), max(c[0], c[2]) + 1, max(c[1], c[3]) + 1])
truth = st.lists(st.tuples(box, st.integers(0, 1), st.booleans()), max_size=4)
found = st.lists(st.tuples(box, st.integers(0, 1), st.sampled_from([0.2, 0.4, 0.6, 0.8])), max_size=5)
images = st.lists(st.tuples(truth, found), min_size=1, max_size=4)


def samples(images):
    def rows(entries, third):
        boxes = np.array([e[0] for e in entries], float).reshape(-1, 4)
        return {"boxes": boxes, "labels": np.array([e[1] for e in entries], int), third: np.array([e[2] for e in entries], float)}

    return [rows(t, "iscrowd") for t, _ in images], [rows(f, "scores") for _, f in images]


def coco(images):
    return evaluate_samples(*samples(images), ["a", "b"]).summary


@few
@given(images)
def test_every_number_is_a_share_or_undefined(images):
    values = np.array(list(coco(images).values()))
    assert (((values >= 0) & (values <= 1)) | (values == -1)).all()


@few
@given(images)
def test_the_truth_itself_scores_1(images):
    """Unless two truths are the same box, of which one is a crowd: no, also then."""
    perfect = [(t, [(b, label, 0.8) for b, label, crowd in t if not crowd]) for t, _ in images]
    summary = coco(perfect)
    assert summary["AP"] == pytest.approx(1.0) or summary["AP"] == -1
    assert summary["AR100"] in (1.0, -1.0)


@few
@given(images, st.randoms(use_true_random=False))
def test_the_order_of_images_is_irrelevant_without_ties(images, random):
    step = iter(np.linspace(0.9, 0.1, 100))
    images = [(t, [(b, label, next(step)) for b, label, _ in f]) for t, f in images]
    shuffled = random.sample(images, len(images))
    assert coco(images) == pytest.approx(coco(shuffled), abs=1e-12)


@few
@given(images, box, st.integers(0, 1))
def test_a_false_positive_below_all_others_changes_no_precision(images, box, label):
    """It can only be ignored or come after everything: AP stays, recall stays."""
    far = [value + 100 for value in box]
    more = [*images[:-1], (images[-1][0], [*images[-1][1], (far, label, 0.1)])]
    assert coco(more) == pytest.approx(coco(images), abs=1e-12)


@few
@given(images)
def test_a_false_positive_above_all_others_never_helps(images):
    more = [*images[:-1], (images[-1][0], [([100, 100, 105, 105], 0, 0.9), *images[-1][1]])]
    before, after = coco(images), coco(more)
    assert all(after[name] <= before[name] + 1e-12 for name in before)


@few
@given(images)
def test_only_the_order_of_scores_counts(images):
    squared = [(t, [(b, label, score**2) for b, label, score in f]) for t, f in images]
    assert coco(squared) == coco(images)


@few
@given(images, st.sampled_from([2.0, 0.5]))
def test_scaling_the_picture_keeps_ap(images, factor):
    """By a power of two, so that every IoU stays the same to the last bit."""
    scaled = [tuple([([v * factor for v in b], label, x) for b, label, x in part] for part in image) for image in images]
    assert coco(scaled)["AP"] == coco(images)["AP"]


@few
@given(images)
def test_coco_finds_at_least_as_much_as_voc(images):
    """COCO tries the next best truth, VOC only the best: COCO's recall at IoU 0.5 is never lower."""
    without_crowds = [([(b, label, False) for b, label, _ in t], f) for t, f in images]
    targets, predictions = samples(without_crowds)
    result = evaluate_samples(targets, predictions, ["a", "b"])
    for k, voc in enumerate(voc_evaluate(from_samples(targets, predictions, ["a", "b"])).classes):
        assert not voc.truths or result.recall[0, k, 0, 2] >= (voc.recall[-1] if len(voc.recall) else 0) - 1e-12


@few
@given(st.lists(st.booleans(), max_size=12), st.integers(1, 12))
def test_both_voc_sums_lie_between_0_and_1_and_near_each_other(right, truths):
    right = np.array(right[:truths], dtype=bool)
    recall, precision = np.cumsum(right) / truths, np.cumsum(right) / np.arange(1, len(right) + 1)
    eleven, every = (average_precision(recall, precision, protocol) for protocol in ("voc2007", "voc2010"))
    assert 0 <= every <= 1
    assert 0 <= eleven <= 1
    assert abs(eleven - every) <= 1 / 11 + 1e-9
