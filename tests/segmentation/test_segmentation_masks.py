"""Run-length codes equal pycocotools', islands equal SciPy's."""

import numpy as np
import pytest
import scipy.ndimage
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from pycocotools import mask as coco_masks

from coursekit.segmentation.masks import connected_components, instances_from_map, rle_decode, rle_encode

masks = arrays(bool, array_shapes(min_dims=2, max_dims=2, max_side=6))


def grid(*rows):
    return np.array([[int(c) for c in row] for row in rows])


@pytest.mark.parametrize(
    ("mask", "expected"),
    [
        (np.zeros((0, 0), dtype=bool), []),
        (grid("00", "00"), [4]),
        (grid("11", "11"), [0, 4]),
        (grid("10", "00"), [0, 1, 3]),
        (grid("01", "00"), [2, 1, 1]),
        (grid("0110", "0110", "0000"), [3, 2, 1, 2, 4]),
    ],
    ids=["no pixels", "empty", "full", "begins with a one", "columns before rows", "a square"],
)
def test_rle_by_hand(mask, expected):
    assert rle_encode(mask) == expected


@given(masks)
def test_rle_equals_pycocotools(mask):
    height, width = mask.shape
    theirs = coco_masks.encode(np.asfortranarray(mask.astype(np.uint8)))
    ours = coco_masks.frPyObjects({"size": [height, width], "counts": rle_encode(mask)}, height, width)
    assert ours["counts"] == theirs["counts"]
    np.testing.assert_array_equal(rle_decode(rle_encode(mask), mask.shape), coco_masks.decode(theirs).astype(bool))


@given(masks)
def test_rle_there_and_back(mask):
    np.testing.assert_array_equal(rle_decode(rle_encode(mask), mask.shape), mask)


@given(masks)
def test_islands_equal_scipys(mask):
    np.testing.assert_array_equal(connected_components(mask), scipy.ndimage.label(mask)[0])


def test_a_corner_does_not_connect():
    assert connected_components(grid("10", "01")).tolist() == [[1, 0], [0, 2]]


def test_instances_are_islands_of_each_class():
    found, classes = instances_from_map(grid("1102", "0002", "1000"))
    assert classes.tolist() == [1, 1, 2]
    assert [m.sum() for m in found] == [2, 1, 2]


def test_two_objects_of_one_class_that_touch_become_one():
    found, classes = instances_from_map(grid("1111"))
    assert len(found) == len(classes) == 1


@given(arrays(np.int64, (4, 4), elements=st.integers(0, 2)))
def test_instances_cover_everything_but_background_once(semantic):
    found, classes = instances_from_map(semantic)
    np.testing.assert_array_equal(found.sum(axis=0), semantic > 0)
    np.testing.assert_array_equal((found * classes[:, None, None]).sum(axis=0), semantic)


def test_small_islands_are_left_out_and_nothing_is_a_shape():
    assert len(instances_from_map(grid("1101"), smallest=2)[0]) == 1
    assert instances_from_map(grid("00", "00"))[0].shape == (0, 2, 2)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: rle_encode(np.zeros(3)), r"mask must have shape \(H, W\), got \(3,\)"),
        (lambda: connected_components(np.zeros((1, 2, 2))), r"mask must have shape \(H, W\), got \(1, 2, 2\)"),
        (lambda: rle_decode([3], (2, 2)), r"counts must sum to 2 \* 2 = 4, got 3"),
    ],
    ids=["rle", "islands", "runs"],
)
def test_what_does_not_fit_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
