import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchvision.models.detection._utils import Matcher
from torchvision.ops import box_iou

from coursekit.one_stage.anchors import make_anchors
from coursekit.one_stage.matching import match_anchors


def boxes(*rows):
    return torch.tensor(rows, dtype=torch.float32).reshape(-1, 4)


@pytest.mark.parametrize(
    ("anchors", "truth", "keep_best", "expected"),
    [
        ([], [[0, 0, 4, 4]], True, []),
        ([[0, 0, 4, 4]], [], True, [-1]),
        ([], [], True, []),
        ([[0, 0, 4, 4], [9, 9, 12, 12]], [[0, 0, 4, 4]], False, [0, -1]),
        ([[0, 0, 10, 5], [0, 0, 10, 4.5], [0, 0, 10, 4], [0, 0, 10, 3.5]], [[0, 0, 10, 10]], False, [0, -2, -2, -1]),
        ([[0, 0, 10, 3], [0, 0, 10, 2]], [[0, 0, 10, 10]], False, [-1, -1]),
        ([[0, 0, 10, 3], [0, 0, 10, 2]], [[0, 0, 10, 10]], True, [0, -1]),
        ([[0, 0, 10, 3], [0, 7, 10, 10]], [[0, 0, 10, 10]], True, [0, 0]),
        ([[0, 0, 4, 4]], [[0, 0, 4, 5], [0, 0, 4, 4]], True, [1]),
        ([[0, 0, 4, 4]], [[0, 0, 4, 4], [0, 0, 4, 4]], True, [0]),
        ([[9, 9, 12, 12], [0, 0, 4, 4]], [[0, 0, 4, 4], [40, 40, 44, 44]], True, [-1, 0]),
    ],
    ids=[
        "no anchors",
        "no objects",
        "neither",
        "one on it, one far away",
        "exactly high, between, exactly low, below",
        "nothing reaches the threshold",
        "the best is kept",
        "two equally good are both kept",
        "the object it overlaps most",
        "of equals the first",
        "an object that no anchor touches",
    ],
)
def test_match_by_hand(anchors, truth, keep_best, expected):
    got = match_anchors(boxes(*anchors), boxes(*truth), keep_best=keep_best)
    assert got.dtype == torch.int64
    assert got.tolist() == expected


def test_a_best_anchor_answers_for_the_object_that_it_overlaps_more():
    """The second object's best anchor overlaps the first one more: it answers for the first, and the second has nobody."""
    anchors, truth = boxes([0, 0, 10, 10]), boxes([0, 0, 10, 10], [0, 8, 10, 18])
    assert match_anchors(anchors, truth).tolist() == [0]


corner = st.integers(0, 12)
box = st.tuples(corner, corner, st.integers(1, 9), st.integers(1, 9)).map(lambda b: [b[0], b[1], b[0] + b[2], b[1] + b[3]])
touched = st.lists(box, min_size=1, max_size=5)


@given(touched, touched, st.sampled_from([(0.4, 0.5), (0.3, 0.7), (0.5, 0.5), (0.25, 1.0)]), st.booleans())
def test_match_equals_torchvisions_matcher(anchors, truth, thresholds, keep_best):
    anchors, truth = boxes(*anchors), boxes(*truth)
    overlap = box_iou(truth, anchors)
    if keep_best and (overlap.max(dim=1).values == 0).any():
        return  # torchvision then makes every anchor answer: see the next test
    low, high = thresholds
    theirs = Matcher(high, low, allow_low_quality_matches=keep_best)(overlap)
    assert match_anchors(anchors, truth, low, high, keep_best).tolist() == theirs.tolist()


def test_match_equals_torchvisions_matcher_on_a_whole_image():
    anchors = make_anchors((64, 96), (8, 16, 32), [[16, 22], [32, 45], [64, 90]])
    generator = torch.Generator().manual_seed(0)
    for _ in range(20):
        corners = torch.rand(4, 2, generator=generator) * 50
        truth = torch.cat([corners, corners + torch.rand(4, 2, generator=generator) * 40 + 4], dim=1)
        theirs = Matcher(0.5, 0.4, allow_low_quality_matches=True)(box_iou(truth, anchors))
        assert torch.equal(match_anchors(anchors, truth), theirs)


def test_where_torchvision_differs_an_object_out_of_reach_makes_every_anchor_answer():
    anchors, truth = boxes([9, 9, 12, 12], [0, 0, 4, 4]), boxes([0, 0, 4, 4], [40, 40, 44, 44])
    assert Matcher(0.5, 0.4, allow_low_quality_matches=True)(box_iou(truth, anchors)).tolist() == [0, 0]
    assert match_anchors(anchors, truth).tolist() == [-1, 0]


@pytest.mark.parametrize(("low", "high"), [(0.6, 0.5), (0, 0.5), (0.4, 1.1)])
def test_the_thresholds_are_named(low, high):
    with pytest.raises(ValueError, match=f"low and high must satisfy 0 < low <= high <= 1, got {low} and {high}"):
        match_anchors(boxes(), boxes(), low, high)
