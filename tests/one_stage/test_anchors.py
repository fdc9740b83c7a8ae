import pytest
import torch
from torchvision.models.detection.anchor_utils import AnchorGenerator, DefaultBoxGenerator
from torchvision.models.detection.image_list import ImageList

from coursekit.one_stage.anchors import base_anchors, make_anchors, sizes_for


@pytest.mark.parametrize(
    ("sizes", "ratios", "expected"),
    [
        ([8], [1], [[-4, -4, 4, 4]]),
        ([8, 16], [1], [[-4, -4, 4, 4], [-8, -8, 8, 8]]),
        ([8], [4], [[-2, -8, 2, 8]]),
        ([8], [0.25], [[-8, -2, 8, 2]]),
        ([2, 4], [1, 4], [[-1, -1, 1, 1], [-2, -2, 2, 2], [-0.5, -2, 0.5, 2], [-1, -4, 1, 4]]),
    ],
    ids=["a square", "sizes", "a ratio above 1 is tall", "below 1 it is wide", "all sizes of a ratio before the next"],
)
def test_base_anchors_by_hand(sizes, ratios, expected):
    torch.testing.assert_close(base_anchors(sizes, ratios), torch.tensor(expected).float())


def test_every_ratio_has_the_same_area():
    anchors = base_anchors([12], [0.2, 0.5, 1, 3])
    torch.testing.assert_close((anchors[:, 2:] - anchors[:, :2]).prod(1), torch.full((4,), 144.0))


@pytest.mark.parametrize(
    ("size_hw", "strides", "sizes", "expected"),
    [
        ((16, 16), (), (), []),
        ((8, 8), (8,), [[4]], [[2, 2, 6, 6]]),
        ((8, 16), (8,), [[8]], [[0, 0, 8, 8], [8, 0, 16, 8]]),
        ((16, 8), (8,), [[8]], [[0, 0, 8, 8], [0, 8, 8, 16]]),
        ((8, 8), (4, 8), [[4], [8]], [[0, 0, 4, 4], [4, 0, 8, 4], [0, 4, 4, 8], [4, 4, 8, 8], [0, 0, 8, 8]]),
        ((8, 8), (8,), [[8, 16]], [[0, 0, 8, 8], [-4, -4, 12, 12]]),
    ],
    ids=["no map", "one cell", "x first", "row by row", "fine to coarse", "the anchors of a cell together; past the image"],
)
def test_make_anchors_by_hand(size_hw, strides, sizes, expected):
    torch.testing.assert_close(make_anchors(size_hw, strides, sizes, [1.0]), torch.tensor(expected).float().reshape(-1, 4))


def of_torchvision(generator, size_hw, strides):
    images = ImageList(torch.zeros(1, 3, *size_hw), [size_hw])
    return generator(images, [torch.zeros(1, 1, size_hw[0] // s, size_hw[1] // s) for s in strides])[0]


@pytest.mark.parametrize("size_hw", [(32, 32), (64, 32), (32, 96)])
@pytest.mark.parametrize(("sizes", "ratios"), [([[8, 16], [16, 32], [64, 96]], [0.25, 1.0, 4.0]), ([[4], [8], [12]], [1.0])])
def test_make_anchors_equals_torchvisions_anchor_generator_half_a_stride_away(size_hw, sizes, ratios):
    strides = (8, 16, 32)
    theirs = of_torchvision(AnchorGenerator(tuple(map(tuple, sizes)), (tuple(ratios),) * 3), size_hw, strides)
    per_cell = len(sizes[0]) * len(ratios)
    half = torch.cat([torch.full((size_hw[0] // s * (size_hw[1] // s) * per_cell, 1), s / 2) for s in strides])
    torch.testing.assert_close(make_anchors(size_hw, strides, sizes, ratios), theirs + half)


def test_where_torchvision_rounds_its_corners_ours_are_less_than_a_pixel_away():
    strides, sizes, ratios = (8, 16), [[11, 17], [23, 37]], [0.5, 1.0, 2.0]
    theirs = of_torchvision(AnchorGenerator(tuple(map(tuple, sizes)), (tuple(ratios),) * 2), (32, 32), strides)
    half = torch.cat([torch.full(((32 // s) ** 2 * 6, 1), s / 2) for s in strides])
    away = (make_anchors((32, 32), strides, sizes, ratios) - theirs - half).abs()
    assert 0 < away.max() <= 0.5


def test_the_centres_are_those_of_torchvisions_ssd():
    boxes = of_torchvision(DefaultBoxGenerator([[], []], scales=[0.25, 0.5, 1.0]), (64, 64), (8, 16))  # two squares a cell
    ours = make_anchors((64, 64), (8, 16), [[16, 16 * 2**0.5], [32, 32 * 2**0.5]], [1.0])
    torch.testing.assert_close(ours, boxes)


def test_sizes_of_retinanet():
    assert sizes_for((8, 16), 4, 3)[1] == pytest.approx((64, 64 * 2 ** (1 / 3), 64 * 2 ** (2 / 3)))
    assert sizes_for((8, 32), 2, 1) == [(16,), (64,)]
    assert sizes_for((), 2, 1) == []


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: base_anchors([], [1]), r"sizes must hold numbers above 0, got \[\]"),
        (lambda: base_anchors([8], [0, 1]), r"ratios must hold numbers above 0, got \[0, 1\]"),
        (lambda: make_anchors((8, 8), (4, 8), [[4]]), "sizes must be one group for each of the 2 strides, got 1"),
        (lambda: make_anchors((8, 12), (8,), [[4]]), "size_hw must be multiples of the stride 8, got 8x12"),
        (lambda: sizes_for((8,), 0), "base must be above 0 and per_octave at least 1, got 0 and 2"),
    ],
    ids=["no sizes", "a ratio of 0", "too few sizes", "no multiple", "base 0"],
)
def test_the_argument_is_named(call, words):
    with pytest.raises(ValueError, match=words):
        call()
