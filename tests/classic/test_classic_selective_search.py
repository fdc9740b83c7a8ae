"""Grouping: every step by hand, the whole on a picture whose parts are known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coursekit.classic.selective_search import (
    Region,
    group,
    merge_regions,
    neighbours,
    proposals,
    random_boxes,
    recall_at,
    regions_of,
    segments,
    similarity,
    without_repeats,
)

HALVES = np.zeros((4, 6, 3), np.uint8)
HALVES[:, 3:] = 255
LABELS = np.array([[0, 0, 0, 1, 1, 1]] * 4)


def region(size, colour, box, texture=(1.0, 0.0)):
    return Region(size, np.array(colour, dtype=float), np.array(texture), box)


A, B = region(6, [1, 0], (0, 0, 3, 2)), region(2, [0, 1], (3, 0, 4, 2), (0.0, 1.0))


def test_regions_of_two_halves():
    left, right = regions_of(HALVES, LABELS)
    assert (left.size, left.box) == (12, (0, 0, 3, 4))
    assert (right.size, right.box) == (12, (3, 0, 6, 4))
    assert left.colour[[0, 25, 50]] == pytest.approx([1 / 3] * 3)
    assert right.colour[[24, 49, 74]] == pytest.approx([1 / 3] * 3)
    assert left.texture.sum() == pytest.approx(1)
    assert regions_of(np.zeros((2, 2, 3), np.uint8), np.zeros((2, 2), np.int64))[0].texture.sum() == 0


def test_a_picture_and_labels_of_another_size_are_named():
    with pytest.raises(ValueError, match=r"labels must have shape \(4, 6\) as the image, got \(3, 6\)"):
        regions_of(HALVES, LABELS[:3])


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ([[0]], set()),
        ([[0, 1]], {(0, 1)}),
        ([[1], [0]], {(0, 1)}),
        ([[0, 1], [2, 0]], {(0, 1), (0, 2)}),
        ([[0, 0, 1], [2, 2, 1]], {(0, 1), (0, 2), (1, 2)}),
    ],
    ids=["one", "side by side", "above", "a corner is no edge", "three"],
)
def test_neighbours_by_hand(labels, expected):
    assert neighbours(np.array(labels)) == expected


def test_similarity_by_hand():
    assert similarity(A, A, 24) == pytest.approx(1 + 1 + (1 - 12 / 24) + (1 - (6 - 12) / 24))
    assert similarity(A, B, 24) == pytest.approx(0 + 0 + (1 - 8 / 24) + (1 - 0 / 24))
    apart = region(2, [0, 1], (10, 0, 11, 2), (0.0, 1.0))
    assert similarity(A, apart, 24) == pytest.approx((1 - 8 / 24) + (1 - (22 - 8) / 24))


def test_merge_by_hand():
    both = merge_regions(A, B)
    assert both.size == 8
    assert both.box == (0, 0, 4, 2)
    np.testing.assert_allclose(both.colour, [0.75, 0.25])
    np.testing.assert_allclose(both.texture, [0.75, 0.25])


@given(st.integers(0, 30))
def test_merging_is_looking_at_both_at_once(seed):
    generator = np.random.default_rng(seed)
    image = generator.integers(0, 256, (6, 7, 3)).astype(np.uint8)
    labels = generator.integers(0, 3, (6, 7))
    labels[0, :3] = [0, 1, 2]
    regions = regions_of(image, labels)
    both = regions_of(image, np.minimum(labels, 1))[1]
    merged = merge_regions(regions[1], regions[2])
    assert (merged.size, merged.box) == (both.size, both.box)
    np.testing.assert_allclose(merged.colour, both.colour)


def test_grouping_joins_what_is_alike_first():
    image = np.zeros((4, 12, 3), np.uint8)
    image[:, 4:8], image[:, 8:] = 120, 125  # one bin of 25 each: 11 and 12; so make them share one
    image[:, 8:] = 121
    labels = np.repeat([[0] * 4 + [1] * 4 + [2] * 4], 4, axis=0)
    regions, merges = group(regions_of(image, labels), neighbours(labels), labels.size)
    assert merges == [(1, 2), (0, 3)]
    assert [r.box for r in regions[3:]] == [(4, 0, 12, 4), (0, 0, 12, 4)]
    assert regions[-1].size == 48


def test_one_region_is_grouped_with_nobody():
    assert group([A], set(), 6) == ([A], [])


def test_proposals_hold_the_square_and_the_whole():
    image = np.full((40, 60, 3), 40, np.uint8)
    image[10:30, 20:45] = (200, 30, 30)
    boxes = proposals(image, np.random.default_rng(0), sigma=0.0)
    assert [20, 10, 45, 30] in boxes.tolist()
    assert [0, 0, 60, 40] in boxes.tolist()
    assert np.array_equal(boxes, proposals(image, np.random.default_rng(0), sigma=0.0))
    assert len(np.unique(boxes, axis=0)) == len(boxes)
    assert segments(image, sigma=0.0).max() == 1


def test_repeats_go_and_the_order_stays():
    assert without_repeats(np.array([[5, 5, 6, 6], [0, 0, 1, 1], [5, 5, 6, 6]])).tolist() == [[5, 5, 6, 6], [0, 0, 1, 1]]
    assert without_repeats(np.zeros((0, 4))).shape == (0, 4)


def test_random_boxes_lie_inside():
    boxes = random_boxes(500, (20, 50), np.random.default_rng(0))
    assert boxes.min() >= 0
    assert (boxes.max(axis=0) <= [50, 20, 50, 20]).all()
    assert (boxes[:, 2:] >= boxes[:, :2]).all()
    assert random_boxes(0, (2, 2), np.random.default_rng(0)).shape == (0, 4)


@pytest.mark.parametrize(
    ("truth", "boxes", "expected"),
    [
        ([], [[0, 0, 1, 1]], [0, 0, 0]),
        ([[0, 0, 4, 4]], [], [0, 0, 0]),
        ([[0, 0, 4, 4]], [[0, 0, 4, 2]], [0, 1, 1]),
        ([[0, 0, 4, 4]], [[0, 0, 3, 2], [0, 0, 4, 4]], [0, 0, 1]),
        ([[0, 0, 4, 4], [0, 0, 4, 3]], [[0, 0, 4, 4]], [0, 2, 2]),
    ],
    ids=["no truth", "no boxes", "just half", "the second", "one box for two"],
)
def test_recall_by_hand(truth, boxes, expected):
    assert recall_at(np.array(truth), np.array(boxes), [0, 1, 2]).tolist() == expected


def test_recall_equals_box_iou():
    import torch

    from coursekit.boxes import box_iou

    generator = np.random.default_rng(3)
    truth, boxes = random_boxes(9, (64, 64), generator), random_boxes(60, (64, 64), generator)
    overlap = box_iou(torch.from_numpy(truth), torch.from_numpy(boxes))
    for count in (1, 10, 60):
        assert recall_at(truth, boxes, [count]) == (overlap[:, :count] >= 0.5).any(dim=1).sum().item()
