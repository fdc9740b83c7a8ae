"""Pixel counts by hand, and held to scikit-learn and pycocotools."""

import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pycocotools import mask as coco_masks

from coursekit.metrics.segmentation import (
    boundary_band,
    iou_by_class,
    mask_iou,
    mean_iou,
    pixel_accuracy,
    pixel_confusion,
)

NAN = float("nan")
small_maps = arrays(np.int64, (3, 4), elements=st.integers(0, 3))


def grid(*rows):
    return np.array([[int(c) for c in row] for row in rows])


@pytest.mark.parametrize(
    ("truth", "predicted", "expected"),
    [
        (np.zeros((0, 0), dtype=int), np.zeros((0, 0), dtype=int), [NAN, NAN, NAN]),
        (grid("0011"), grid("0011"), [1.0, 1.0, NAN]),
        (grid("0011"), grid("0111"), [1 / 2, 2 / 3, NAN]),
        (grid("0011"), grid("0000"), [1 / 2, 0.0, NAN]),
        (grid("0000"), grid("0002"), [3 / 4, NAN, 0.0]),
        (np.array([[0, 255, 1, 255]]), grid("0110"), [1.0, 1.0, NAN]),
        (np.array([[255, 255]]), grid("01"), [NAN, NAN, NAN]),
    ],
    ids=["no pixels", "all right", "one too many", "never said", "never there", "void counts nowhere", "only void"],
)
def test_iou_by_class_by_hand(truth, predicted, expected):
    np.testing.assert_allclose(iou_by_class(truth, predicted, 3), expected)


@given(small_maps, small_maps)
def test_iou_and_confusion_equal_scikit_learns(truth, predicted):
    ours = pixel_confusion(truth, predicted, 4)
    np.testing.assert_array_equal(ours, sklearn.metrics.confusion_matrix(truth.ravel(), predicted.ravel(), labels=range(4)))
    there = np.union1d(truth, predicted)
    theirs = sklearn.metrics.jaccard_score(truth.ravel(), predicted.ravel(), labels=there, average=None, zero_division=0)
    ious = iou_by_class(truth, predicted, 4)
    np.testing.assert_allclose(ious[there], theirs)
    assert np.isnan(np.delete(ious, there)).all()  # scikit-learn would say 0 with a warning: the class is nowhere
    np.testing.assert_allclose(mean_iou(truth, predicted, 4), theirs.mean())
    assert pixel_accuracy(truth, predicted) == pytest.approx((truth == predicted).mean())


def test_the_mean_of_nothing_is_nan():
    nothing = np.full((2, 2), 255)
    assert np.isnan(mean_iou(nothing, grid("00", "00"), 2))
    assert np.isnan(pixel_accuracy(nothing, grid("00", "00")))


def test_background_everywhere_is_accurate_and_worthless():
    truth = np.zeros((10, 10), dtype=int)
    truth[0, :3] = 1
    assert pixel_accuracy(truth, np.zeros_like(truth)) == 0.97
    assert mean_iou(truth, np.zeros_like(truth), 2) == pytest.approx(0.97 / 2)


@pytest.mark.parametrize(
    ("truth", "predicted", "message"),
    [
        (grid("00"), grid("000"), r"predicted must have the shape of truth, \(1, 2\), got \(1, 3\)"),
        (grid("03"), grid("00"), r"truth must lie in 0..2, got 0..3"),
        (grid("00"), np.array([[0, -1]]), r"predicted must lie in 0..2, got -1..0"),
    ],
    ids=["shapes", "class too high", "class below 0"],
)
def test_confusion_names_what_does_not_fit(truth, predicted, message):
    with pytest.raises(ValueError, match=message):
        pixel_confusion(truth, predicted, 3)


@pytest.mark.parametrize(
    ("rows", "width", "expected"),
    [
        (("0000", "0000"), 1, ("0000", "0000")),
        (("0001", "0001"), 1, ("0011", "0011")),
        (("00001", "00001"), 2, ("00111", "00111")),
        (("00000", "00100", "00000"), 1, ("01110", "01110", "01110")),
    ],
    ids=["one class: the edge of the picture is no boundary", "both sides of the change", "two pixels wide", "a single pixel"],
)
def test_boundary_band_by_hand(rows, width, expected):
    np.testing.assert_array_equal(boundary_band(grid(*rows), width), grid(*expected).astype(bool))


@given(arrays(np.int64, (2, 5, 6), elements=st.integers(0, 2)), st.integers(1, 2))
def test_boundary_band_equals_looking_at_every_neighbour(maps, width):
    band = boundary_band(maps, width)
    for index, y, x in np.ndindex(*maps.shape):
        near = maps[index, max(0, y - width) : y + width + 1, max(0, x - width) : x + width + 1]
        assert band[index, y, x] == (near != maps[index, y, x]).any() or len(np.unique(near)) > 1


def test_boundary_band_wants_a_width():
    with pytest.raises(ValueError, match="width must be at least 1, got 0"):
        boundary_band(grid("01"), 0)


def test_mask_iou_by_hand():
    a, b = grid("1100", "1100") > 0, grid("0110", "0110") > 0
    assert mask_iou(a[None], b[None]).tolist() == [[pytest.approx(2 / 6)]]
    assert mask_iou(np.zeros((0, 2, 4), dtype=bool), b[None]).shape == (0, 1)
    assert mask_iou(np.zeros((1, 2, 4), dtype=bool), np.zeros((1, 2, 4), dtype=bool)).tolist() == [[0.0]]


@given(arrays(bool, (3, 4, 5)), arrays(bool, (2, 4, 5)))
def test_mask_iou_equals_pycocotools(masks1, masks2):
    rle1, rle2 = (coco_masks.encode(np.asfortranarray(m.transpose(1, 2, 0).astype(np.uint8))) for m in (masks1, masks2))
    theirs = coco_masks.iou(rle1, rle2, [0] * len(masks2))
    np.testing.assert_allclose(mask_iou(masks1, masks2), theirs, atol=1e-12)


@pytest.mark.parametrize(
    ("masks1", "message"),
    [
        (np.zeros((2, 3), dtype=bool), r"masks1 must be bool of shape \(N, H, W\), got bool of shape \(2, 3\)"),
        (np.zeros((1, 2, 3)), r"masks1 must be bool of shape \(N, H, W\), got float64"),
        (np.zeros((1, 2, 2), dtype=bool), r"masks must have one height and width, got \(2, 2\) and \(2, 3\)"),
    ],
    ids=["one mask without its axis", "numbers", "another size"],
)
def test_mask_iou_names_what_does_not_fit(masks1, message):
    with pytest.raises(ValueError, match=message):
        mask_iou(masks1, np.zeros((1, 2, 3), dtype=bool))
