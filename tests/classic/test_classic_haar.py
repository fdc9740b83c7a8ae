"""Integral images and Haar features are held equal to OpenCV's and scikit-image's, and to plain sums."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from coursekit.classic.haar import (
    PATTERNS,
    Haar,
    all_features,
    box_sum,
    corner_weights,
    haar_feature,
    haar_values,
    integral_image,
    standardised,
)

IMAGE = np.random.default_rng(0).integers(0, 256, (12, 17)).astype(np.uint8)


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (np.zeros((0, 0)), [[0]]),
        (np.zeros((0, 2)), [[0, 0, 0]]),
        ([[5]], [[0, 0], [0, 5]]),
        ([[1, 2], [3, 4]], [[0, 0, 0], [0, 1, 3], [0, 4, 10]]),
        ([[True, True]], [[0, 0, 0], [0, 1, 2]]),
        ([[-1, 1]], [[0, 0, 0], [0, -1, 0]]),
    ],
    ids=["no pixels", "no rows", "one pixel", "four", "booleans", "below zero"],
)
def test_integral_image_by_hand(image, expected):
    assert integral_image(np.array(image)).tolist() == expected


@given(arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9))))
def test_integral_image_equals_opencv_and_scikit_image(image):
    cv2 = pytest.importorskip("cv2")
    from skimage.transform import integral_image as theirs

    table = integral_image(image)
    assert np.array_equal(table, cv2.integral(image))
    assert np.array_equal(table[1:, 1:], theirs(image))  # without the row and the column of zeros


def test_integral_image_of_many_at_once_and_of_floats():
    many = np.random.default_rng(1).random((3, 5, 4))
    np.testing.assert_allclose(integral_image(many)[1], integral_image(many[1]))
    assert integral_image(many).dtype == np.float64
    assert integral_image(np.full((300, 300), 255, np.uint8))[-1, -1] == 300 * 300 * 255


@pytest.mark.parametrize("shape", [(4,), (1, 2, 3, 4)])
def test_integral_image_names_the_shape(shape):
    with pytest.raises(ValueError, match=r"image must have shape \(H, W\) or \(N, H, W\), got"):
        integral_image(np.zeros(shape))


@given(st.integers(0, 17), st.integers(0, 12), st.integers(0, 17), st.integers(0, 12))
def test_a_box_sum_is_the_sum_of_its_pixels(a, b, c, d):
    x1, x2, y1, y2 = min(a, c), max(a, c), min(b, d), max(b, d)
    assert box_sum(integral_image(IMAGE), x1, y1, x2, y2) == IMAGE[y1:y2, x1:x2].sum()


@pytest.mark.parametrize("name", PATTERNS)
def test_every_haar_feature_of_a_window_equals_scikit_images(name):
    from skimage.feature import haar_like_feature, haar_like_feature_coord
    from skimage.transform import integral_image as theirs

    window = IMAGE[2:10, 3:11]
    table, pattern = integral_image(window), PATTERNS[name]
    values = haar_like_feature(theirs(window.astype(np.int64)), 0, 0, 8, 8, name)
    coordinates, _ = haar_like_feature_coord(8, 8, name)
    assert len(values) == len(coordinates) > 100
    for value, rectangles in zip(values, coordinates, strict=True):
        (y, x), (y2, x2) = np.min(np.array(rectangles)[:, 0], axis=0), rectangles[0][1]
        height, width = y2 - rectangles[0][0][0] + 1, x2 - rectangles[0][0][1] + 1
        assert haar_feature(table, x, y, width, height, pattern) == value


@pytest.mark.parametrize(
    ("pattern", "lookups"),
    [(np.array([[1]]), 4), *((PATTERNS[name], n) for name, n in zip(PATTERNS, (6, 6, 8, 8, 9), strict=True))],
    ids=["one rectangle", *PATTERNS],
)
def test_shared_corners_are_looked_up_once(pattern, lookups):
    weights = corner_weights(pattern)
    assert (weights != 0).sum() == lookups
    corners = integral_image(IMAGE)[1 : 1 + 3 * weights.shape[0] : 3, 2 : 2 + 2 * weights.shape[1] : 2]
    assert (weights * corners).sum() == haar_feature(integral_image(IMAGE), 2, 1, 2, 3, pattern)


def test_a_feature_that_sticks_out_is_named():
    table = integral_image(IMAGE)
    for arguments in ((16, 0, 1, 1), (0, 12, 1, 1), (-1, 0, 1, 1), (0, -1, 1, 1)):
        with pytest.raises(ValueError, match="the feature must lie inside the image of 12 x 17 pixels"):
            haar_feature(table, *arguments, PATTERNS["type-2-x"])
    assert haar_feature(table, 15, 11, 1, 1, PATTERNS["type-2-x"]) == int(IMAGE[11, 16]) - int(IMAGE[11, 15])


@pytest.mark.parametrize(("size", "count"), [(0, 0), (1, 0), (2, 3 + 3 + 1), (24, 162_336)])
def test_how_many_features_a_window_has(size, count):
    assert len(all_features(size)) == count


def test_coarser_features_are_some_of_all():
    coarse = all_features(10, step=2, smallest=2)
    assert coarse
    assert set(coarse) < set(all_features(10))


def test_values_of_many_windows_equal_one_by_one():
    windows = np.random.default_rng(2).random((4, 10, 10))
    features = all_features(10, step=3, smallest=2)
    values = haar_values(integral_image(windows), features)
    for n, k in ((0, 0), (3, len(features) - 1), (2, len(features) // 2)):
        f = features[k]
        pattern = PATTERNS[f.name]
        one = haar_feature(integral_image(windows[n]), f.x, f.y, f.width, f.height, pattern)
        assert values[n, k] == pytest.approx(one / (f.width * f.height * pattern.size))
    assert haar_values(integral_image(windows[:0]), features).shape == (0, len(features))
    assert haar_values(integral_image(windows), [Haar("type-2-x", 0, 0, 1, 1)]).shape == (4, 1)


def test_standardised_windows_forget_light_and_contrast():
    windows = IMAGE[None, :10, :10].astype(float)
    np.testing.assert_allclose(standardised(windows), standardised(0.5 * windows + 40), atol=1e-12)
    assert not standardised(np.full((1, 4, 4), 7.0)).any()
