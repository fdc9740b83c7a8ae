"""HOG, step by step and whole, is held equal to scikit-image's."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from skimage import feature
from skimage.feature import _hog as theirs

from coursekit.classic.hog import directions, gradient, hog, hog_cell, hog_cells, hog_of_windows, normalise_block

IMAGE = np.random.default_rng(0).random((50, 43))
small_images = arrays(np.uint8, st.tuples(st.integers(1, 7), st.integers(1, 7)))


def skimage_hog(image, cell, block, orientations):
    return feature.hog(image, orientations, (cell, cell), (block, block), "L2-Hys", feature_vector=False)


@pytest.mark.parametrize(
    ("image", "gx", "gy"),
    [
        (np.zeros((0, 0)), np.zeros((0, 0)), np.zeros((0, 0))),
        ([[7]], [[0]], [[0]]),
        ([[1, 9]], [[0, 0]], [[0, 0]]),
        ([[1, 2, 4, 8]], [[0, 3, 6, 0]], [[0, 0, 0, 0]]),
        ([[5], [9], [3]], [[0], [0], [0]], [[0], [-2], [0]]),
    ],
    ids=["no pixels", "one pixel", "two", "a row", "a column falls"],
)
def test_gradient_by_hand(image, gx, gy):
    got = gradient(np.array(image, dtype=np.uint8))
    np.testing.assert_array_equal(got[0], gx)
    np.testing.assert_array_equal(got[1], gy)


@given(small_images)
def test_gradient_equals_scikit_images(image):
    gx, gy = gradient(image)
    row, column = theirs._hog_channel_gradient(image.astype(float))
    np.testing.assert_array_equal(gx, column)
    np.testing.assert_array_equal(gy, row)


def test_gradient_is_twice_numpys_inside():
    gx, gy = gradient(IMAGE)
    down, right = np.gradient(IMAGE)
    np.testing.assert_allclose(gx[:, 1:-1], 2 * right[:, 1:-1], atol=1e-12)
    np.testing.assert_allclose(gy[1:-1], 2 * down[1:-1], atol=1e-12)


@pytest.mark.parametrize(
    ("gx", "gy", "bin_of_nine"),
    [(1, 0, 0), (-1, 0, 0), (0, 1, 4), (0, -1, 4), (1, 1, 2), (-1, -1, 2), (1, -1, 6), (-1, 1, 6), (1, -0.01, 8), (1, -1e-20, 0)],
)
def test_light_to_dark_and_dark_to_light_are_one_direction(gx, gy, bin_of_nine):
    assert directions(np.array([gx]), np.array([gy]))[1] == bin_of_nine


def test_an_edge_between_two_bins_is_the_upper_ones():
    _, bins = directions(np.array([1.0, 0, -1]), np.array([1.0, 1, 1]), orientations=4)  # 45, 90 and 135 degrees
    assert bins.tolist() == [1, 2, 3]


def test_a_cell_by_hand():
    gx, gy = np.array([[3.0, 0], [-2, 0]]), np.array([[4.0, 0], [0, -6]])  # lengths 5, 0, 2, 6 at 53, 0, 0 and 90 degrees
    np.testing.assert_allclose(hog_cell(gx, gy), [0.5, 0, 1.25, 0, 1.5, 0, 0, 0, 0])


@pytest.mark.parametrize(("cell", "orientations"), [(8, 9), (5, 9), (6, 4), (7, 1), (43, 8)])
def test_cells_are_the_cells_of_the_loop(cell, orientations):
    cells = hog_cells(IMAGE, cell, orientations)
    assert cells.shape == (50 // cell, 43 // cell, orientations)
    gx, gy = gradient(IMAGE)
    for row, column in np.ndindex(cells.shape[:2]):
        there = np.s_[row * cell : (row + 1) * cell, column * cell : (column + 1) * cell]
        np.testing.assert_allclose(cells[row, column], hog_cell(gx[there], gy[there], orientations), atol=1e-12)


@given(arrays(np.float64, st.tuples(st.integers(1, 3), st.integers(1, 3), st.just(9)), elements=st.floats(0, 10)))
def test_normalise_block_equals_scikit_images(block):
    np.testing.assert_allclose(normalise_block(block), theirs._hog_normalize_block(block, "L2-Hys"), atol=1e-12)


def test_normalise_block_by_hand():
    assert not normalise_block(np.zeros((2, 2, 9))).any()
    np.testing.assert_allclose(normalise_block(np.array([3.0, 4.0])), [0.5**0.5, 0.5**0.5], rtol=1e-6)  # both are clipped to 0.2
    np.testing.assert_allclose(normalise_block(np.ones(100)), np.full(100, 0.1), rtol=1e-6)  # nothing to clip


@pytest.mark.parametrize(("cell", "block", "orientations"), [(8, 2, 9), (5, 2, 9), (6, 3, 4), (7, 1, 8), (14, 3, 9)])
@pytest.mark.parametrize("image", [IMAGE, (IMAGE * 255).astype(np.uint8)], ids=["floats", "bytes"])
def test_hog_equals_scikit_images(image, cell, block, orientations):
    ours, expected = hog(image, cell, block, orientations), skimage_hog(image, cell, block, orientations)
    assert ours.shape == expected.shape
    np.testing.assert_allclose(ours, expected, atol=1e-6)  # scikit-image sums each cell in float32


@settings(max_examples=25, deadline=None)
@given(arrays(np.uint8, st.tuples(st.integers(4, 11), st.integers(4, 11)), elements=st.integers(0, 3)))
def test_hog_equals_scikit_images_on_small_whole_numbers(image):
    np.testing.assert_allclose(hog(image, 2, 2), skimage_hog(image, 2, 2, 9), atol=1e-6)


def test_a_photograph_equals_scikit_images():
    from coursekit.classic.photos import grey, photograph

    image = grey(photograph("camera"))[0].numpy()
    np.testing.assert_allclose(hog(image), skimage_hog(image, 8, 2, 9), atol=1e-6)


def test_opencvs_descriptor_is_another_one():
    """It interpolates between cells and directions and weighs by a Gaussian: alike, not equal, as the docstring says."""
    cv2 = pytest.importorskip("cv2")
    from coursekit.classic.photos import grey, photograph

    patch = grey(photograph("camera"))[0].numpy()[60:124, 200:264]
    opencv = cv2.HOGDescriptor((64, 64), (16, 16), (8, 8), (8, 8), 9).compute(patch).reshape(7, 7, 2, 2, 9).transpose(1, 0, 3, 2, 4)
    ours = hog(patch)
    cosine = (opencv * ours).sum() / np.sqrt((opencv**2).sum() * (ours**2).sum())
    assert 0.75 < cosine < 0.99


def test_many_images_at_once_are_one_by_one():
    many = np.random.default_rng(1).random((3, 25, 25))
    assert hog(many, 5).shape == (3, 4, 4, 2, 2, 9)
    np.testing.assert_allclose(hog(many, 5)[2], hog(many[2], 5))
    assert hog(many[:0], 5).shape == (0, 4, 4, 2, 2, 9)


@pytest.mark.parametrize("shape", [(15, 40), (40, 15), (4,)])
def test_an_image_without_room_for_a_block_is_named(shape):
    with pytest.raises(ValueError, match=r"image must be .* of at least 16 x 16 pixels, got"):
        hog(np.zeros(shape))


def test_windows_of_one_map_are_the_crops_but_for_their_outermost_pixels():
    features = hog_of_windows(IMAGE, 25, 5)
    assert features.shape == (6, 4, 576)
    framed = IMAGE.copy()
    framed[9:36, 4:31] = 0.5  # flat in the two outermost pixels of the window, and just around it
    framed[12:33, 7:28] = IMAGE[12:33, 7:28]
    crop = framed[10:35, 5:30]
    np.testing.assert_allclose(hog_of_windows(framed, 25, 5)[2, 1], hog(crop, 5).ravel(), atol=1e-9)
    assert np.abs(features[2, 1] - hog(IMAGE[10:35, 5:30], 5).ravel()).max() > 1e-3


@pytest.mark.parametrize(("window", "cell", "margin"), [(25, 4, 2), (25, 5, 1), (20, 4, 1), (26, 8, 1)])
def test_with_a_margin_the_windows_of_one_map_equal_the_crops(window, cell, margin):
    from coursekit.sliding.windows import grid, windows

    features = hog_of_windows(IMAGE, window, cell, margin=margin)
    assert features.shape[:2] == grid(IMAGE.shape, window, cell)
    for row, (x, y, *_) in zip(features.reshape(-1, features.shape[2]), windows(IMAGE.shape, window, cell).tolist(), strict=True):
        np.testing.assert_allclose(row, hog(IMAGE[y : y + window, x : x + window], cell, margin=margin).ravel(), atol=1e-12)


def test_an_image_smaller_than_the_window_has_no_windows():
    assert hog_of_windows(np.zeros((20, 40)), 25, 5).shape == (0, 0, 576)
    assert hog_of_windows(np.zeros((3, 3)), 25, 4, margin=2).shape == (0, 0, 576)
    with pytest.raises(ValueError, match="window must be at least 20 pixels, got 19"):
        hog_of_windows(IMAGE, 19, 8, margin=2)
