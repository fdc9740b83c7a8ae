"""Heat maps by hand, boxes from them, and enlarging held to torch's transposed convolution and interpolation."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from coursekit.boxes import box_iou
from coursekit.sliding.heatmap import bilinear_kernel, boxes_from_heat_map, cells_to_boxes, heat_map, transposed_conv


def mean_and_corner(pixels):
    """Two numbers of each crop: its mean, and its left upper pixel."""
    return torch.stack((pixels.float().mean(dim=(1, 2, 3)), pixels[:, 0, 0, 0].float()), dim=1)


# --- a map


def test_a_cell_belongs_to_the_window_that_begins_there():
    image = torch.arange(35).reshape(1, 5, 7)
    heat = heat_map(mean_and_corner, image, 3, 2)
    assert heat.shape == (2, 2, 3)
    assert heat[1].tolist() == [[0, 2, 4], [14, 16, 18]]
    assert heat[0].tolist() == [[8, 10, 12], [22, 24, 26]]


@pytest.mark.parametrize("batch", [1, 5, 1000])
def test_the_batch_changes_nothing_and_is_kept_to(batch):
    image, seen = torch.rand(2, 12, 9), []

    def classify(pixels):
        seen.append(len(pixels))
        return mean_and_corner(pixels)

    torch.testing.assert_close(heat_map(classify, image, 4, 1, batch), heat_map(mean_and_corner, image, 4, 1))
    assert max(seen) == min(batch, 54)
    assert sum(seen) == 54


def test_a_picture_without_a_window_gives_a_map_without_a_cell():
    assert heat_map(mean_and_corner, torch.rand(3, 3, 9), 4, 1).shape == (2, 0, 0)


# --- boxes


@pytest.mark.parametrize(
    ("cell", "margin", "scale", "expected"),
    [
        ((0, 0), 0, 1.0, (0, 0, 32, 32)),
        ((2, 5), 0, 1.0, (20, 8, 52, 40)),
        ((2, 5), 3, 1.0, (23, 11, 49, 37)),
        ((2, 5), 0, 0.5, (40, 16, 104, 80)),
        ((2, 5), 0, (0.5, 0.25), (80, 16, 208, 80)),
        ((2, 5), 4, 2.0, (12, 6, 24, 18)),
    ],
)
def test_cells_to_boxes_by_hand(cell, margin, scale, expected):
    boxes = cells_to_boxes(torch.tensor([cell]), 32, 4, margin, scale)
    assert boxes.dtype == torch.float32
    assert tuple(boxes[0].tolist()) == expected


def test_no_cells_no_boxes():
    assert cells_to_boxes(torch.zeros(0, 2, dtype=torch.int64), 32, 4, 3, (0.5, 2.0)).shape == (0, 4)


def test_boxes_from_a_map_by_hand():
    heat = torch.zeros(2, 3, 8)
    heat[0, 1, 2], heat[0, 1, 3] = 0.9, 0.7  # one step apart: IoU 3/5, one object
    heat[1, 1, 2] = 0.5  # the same place, another class, exactly the threshold
    heat[0, 0, 7] = 0.4
    boxes, scores, labels = boxes_from_heat_map(heat, 8, 2, threshold=0.5)
    assert boxes.tolist() == [[4, 2, 12, 10], [4, 2, 12, 10]]
    assert scores.tolist() == [pytest.approx(0.9), 0.5]
    assert labels.tolist() == [0, 1]
    everything = boxes_from_heat_map(heat, 8, 2, threshold=0.4, iou_threshold=0.6)
    assert everything[1].tolist() == pytest.approx([0.9, 0.7, 0.5, 0.4])  # an IoU of 0.6 stays at a threshold of 0.6


@given(st.integers(0, 10_000), st.sampled_from([0.1, 0.3, 0.5]))
def test_no_two_boxes_of_a_class_overlap_more_than_allowed(seed, iou_threshold):
    heat = torch.rand(2, 6, 7, generator=torch.Generator().manual_seed(seed))
    boxes, scores, labels = boxes_from_heat_map(heat, 8, 2, 0.6, iou_threshold)
    assert (scores[:-1] >= scores[1:]).all()
    assert (scores >= 0.6).all()
    for label in (0, 1):
        own = boxes[labels == label]
        assert (box_iou(own, own).fill_diagonal_(0) <= iou_threshold).all()
        assert bool(len(own)) == bool((heat[label] >= 0.6).any())
        if len(own):
            assert scores[labels == label].max() == heat[label].max()


def test_an_empty_map_gives_the_shapes_of_nothing():
    boxes, scores, labels = boxes_from_heat_map(torch.zeros(3, 0, 0), 8, 2, 0.5)
    assert (boxes.shape, scores.shape, labels.shape, labels.dtype) == ((0, 4), (0,), (0,), torch.int64)


def test_a_map_without_classes_is_named():
    with pytest.raises(ValueError, match=r"heat must have shape \(K, rows, columns\), got \(3, 4\)"):
        boxes_from_heat_map(torch.zeros(3, 4), 8, 2, 0.5)


# --- enlarging


def test_transposed_convolution_by_hand():
    values, kernel = torch.tensor([[1.0, 2.0]]), torch.tensor([[1.0, 1.0, 1.0]])
    assert transposed_conv(values, kernel, 2).tolist() == [[1, 1, 3, 2, 2]]  # the stamps meet in the middle
    assert transposed_conv(values, kernel, 3).tolist() == [[1, 1, 1, 2, 2, 2]]
    assert transposed_conv(values, torch.ones(1, 2), 3).tolist() == [[1, 1, 0, 2, 2]]  # and may leave holes


@given(
    st.tuples(st.integers(1, 4), st.integers(1, 4)), st.tuples(st.integers(1, 4), st.integers(1, 4)), st.integers(1, 4), st.integers(0, 1)
)
def test_transposed_convolution_equals_torchs(size, kernel_size, stride, padding):
    generator = torch.Generator().manual_seed(0)
    values = torch.randint(-3, 4, size, generator=generator).float()
    kernel = torch.randint(-3, 4, kernel_size, generator=generator).float()
    try:
        theirs = F.conv_transpose2d(values[None, None], kernel[None, None], stride=stride, padding=padding)[0, 0]
    except RuntimeError:  # nothing would be left
        with pytest.raises(ValueError, match="padding must leave a pixel"):
            transposed_conv(values, kernel, stride, padding)
        return
    assert torch.equal(transposed_conv(values, kernel, stride, padding), theirs)


@given(st.integers(1, 3), st.integers(1, 3), st.integers(0, 1))
def test_it_is_the_transpose_of_a_convolution(side, stride, padding):
    """<conv(x), y> = <x, transposed(y)> for all x and y: that is what the name says."""
    generator = torch.Generator().manual_seed(side)
    kernel, y = torch.randn(3, 3, generator=generator), torch.randn(side, side, generator=generator)
    full = (side - 1) * stride + 3 - 2 * padding
    x = torch.randn(full, full, generator=generator)
    forward = F.conv2d(x[None, None], kernel[None, None], stride=stride, padding=padding)[0, 0]
    torch.testing.assert_close((forward * y).sum(), (x * transposed_conv(y, kernel, stride, padding)).sum(), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("factor", [2, 4, 8])
def test_with_a_tent_it_is_bilinear_enlarging_but_for_the_edges(factor):
    values = torch.rand(5, 6, generator=torch.Generator().manual_seed(factor))
    ours = transposed_conv(values, bilinear_kernel(factor), factor, factor // 2)
    theirs = F.interpolate(values[None, None], scale_factor=factor, mode="bilinear", align_corners=False)[0, 0]
    inside = slice(factor // 2, -(factor // 2))
    assert ours.shape == theirs.shape
    torch.testing.assert_close(ours[inside, inside], theirs[inside, inside])
    assert (ours[0] < theirs[0]).all()  # a stamp is missing there


def test_the_stamps_of_a_tent_sum_to_one():
    for factor in (2, 4, 6):
        inside = transposed_conv(torch.ones(4, 4), bilinear_kernel(factor), factor)[factor:-factor, factor:-factor]
        torch.testing.assert_close(inside, torch.ones_like(inside))


@pytest.mark.parametrize(
    ("values", "kernel", "stride", "padding", "words"),
    [
        (torch.ones(2), torch.ones(2, 2), 1, 0, "values and kernel must have shapes"),
        (torch.ones(0, 2), torch.ones(2, 2), 1, 0, "values and kernel must have shapes"),
        (torch.ones(2, 2), torch.ones(1, 2, 2), 1, 0, "values and kernel must have shapes"),
        (torch.ones(2, 2), torch.ones(2, 2), 0, 0, "stride must be at least 1 and padding at least 0, got 0 and 0"),
        (torch.ones(2, 2), torch.ones(2, 2), 1, -1, "stride must be at least 1 and padding at least 0, got 1 and -1"),
        (torch.ones(1, 1), torch.ones(2, 2), 1, 1, "padding must leave a pixel of the 2 x 2 that there are, got 1"),
    ],
)
def test_what_cannot_be_is_named(values, kernel, stride, padding, words):
    with pytest.raises(ValueError, match=words):
        transposed_conv(values, kernel, stride, padding)


@pytest.mark.parametrize("factor", [0, 1, 3])
def test_a_tent_is_even(factor):
    with pytest.raises(ValueError, match=f"factor must be even and at least 2, got {factor}"):
        bilinear_kernel(factor)
