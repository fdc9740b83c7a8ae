import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchvision.models.detection._utils import BoxCoder

from coursekit.one_stage.deltas import decode_deltas, encode_deltas

WEIGHTS = [(1.0, 1.0, 1.0, 1.0), (10.0, 10.0, 5.0, 5.0), (1.0, 2.0, 3.0, 4.0)]


def boxes(*rows):
    return torch.tensor(rows, dtype=torch.float32).reshape(-1, 4)


@pytest.mark.parametrize(
    ("anchor", "box", "expected"),
    [
        ((), (), ()),
        ((2, 3, 6, 11), (2, 3, 6, 11), (0, 0, 0, 0)),
        ((0, 0, 4, 8), (2, 0, 6, 8), (0.5, 0, 0, 0)),
        ((0, 0, 4, 8), (0, 2, 4, 10), (0, 0.25, 0, 0)),
        ((0, 0, 4, 8), (-2, 2, 6, 6), (0, 0, math.log(2), -math.log(2))),
    ],
    ids=["none", "the same", "half a width to the right", "a quarter of a height down", "twice as wide, half as high"],
)
def test_encode_by_hand(anchor, box, expected):
    torch.testing.assert_close(encode_deltas(boxes(*anchor), boxes(*box)), boxes(*expected))


def test_decode_by_hand():
    anchors = boxes([0, 0, 4, 8])
    torch.testing.assert_close(decode_deltas(anchors, boxes([0.5, -0.25, math.log(2), 0])), boxes([0, -2, 8, 6]))


def test_a_stretch_has_a_limit():
    huge = decode_deltas(boxes([0, 0, 16, 16]), boxes([0, 0, 80, math.log(1000 / 16)]))
    torch.testing.assert_close(huge, boxes([-492, -492, 508, 508]))
    small = decode_deltas(boxes([0, 0, 16, 16]), boxes([0, 0, -80, 0]))
    torch.testing.assert_close(small, boxes([8, 0, 8, 16]))


def test_anchors_broadcast_over_a_batch():
    anchors = boxes([0, 0, 4, 8], [1, 1, 3, 3])
    deltas = torch.randn(3, 2, 4, generator=torch.Generator().manual_seed(0))
    got = decode_deltas(anchors, deltas)
    torch.testing.assert_close(got, torch.stack([decode_deltas(anchors, one) for one in deltas]))


corner = st.integers(0, 12)
box = st.tuples(corner, corner, st.integers(1, 9), st.integers(1, 9)).map(lambda b: [b[0], b[1], b[0] + b[2], b[1] + b[3]])


@given(st.lists(st.tuples(box, box), max_size=6), st.sampled_from(WEIGHTS))
def test_encode_and_back_equal_torchvisions_box_coder(pairs, weights):
    anchors, truth = boxes(*(a for a, _ in pairs)), boxes(*(b for _, b in pairs))
    coder = BoxCoder(weights)
    deltas = encode_deltas(anchors, truth, weights)
    torch.testing.assert_close(deltas, coder.encode_single(truth, anchors))
    torch.testing.assert_close(decode_deltas(anchors, deltas, weights), truth)


@pytest.mark.parametrize("weights", WEIGHTS)
def test_decode_equals_torchvisions_box_coder_for_large_numbers_too(weights):
    generator = torch.Generator().manual_seed(1)
    corners = torch.rand(200, 2, generator=generator) * 100
    anchors = torch.cat([corners, corners + torch.rand(200, 2, generator=generator) * 60 + 1], dim=1)
    deltas = torch.randn(200, 4, generator=generator) * 20
    torch.testing.assert_close(decode_deltas(anchors, deltas, weights), BoxCoder(weights).decode_single(deltas, anchors))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: encode_deltas(torch.zeros(2, 3), torch.zeros(2, 4)), r"anchors must have shape \(..., 4\), got \(2, 3\)"),
        (lambda: encode_deltas(torch.zeros(2, 4), torch.zeros(2, 5)), r"boxes must have shape \(..., 4\), got \(2, 5\)"),
        (lambda: decode_deltas(torch.zeros(2, 4), torch.zeros(3, 4)), "deltas must be one for each of the 2 anchors, got 3"),
        (lambda: decode_deltas(torch.zeros(2, 4), torch.zeros(2, 4), (1, 1)), "weights must be four numbers, got 2"),
    ],
    ids=["anchors", "boxes", "another number", "weights"],
)
def test_the_argument_is_named(call, words):
    with pytest.raises(ValueError, match=words):
        call()
