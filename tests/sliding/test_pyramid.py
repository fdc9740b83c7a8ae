"""Scales that reach every object, sizes by hand, and boxes that come back to the picture they were found in."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchvision.transforms.v2 import functional as VF

from coursekit.data.geometric import resize_image
from coursekit.sliding.pyramid import Level, pyramid, pyramid_sizes, scales_for


@pytest.mark.parametrize(
    ("size_hw", "scales", "window", "expected"),
    [
        ((100, 60), [], 1, []),
        ((100, 60), [1.0], 1, [(100, 60)]),
        ((100, 60), [2.0, 1.0, 0.5], 1, [(200, 120), (100, 60), (50, 30)]),
        ((100, 60), [1.0, 0.5], 32, [(100, 60)]),
        ((100, 64), [1.0, 0.5], 32, [(100, 64), (50, 32)]),
        ((5, 7), [0.5], 1, [(3, 4)]),  # 2.5 and 3.5: halves go up, where round() would give 2 and 4
        ((10, 10), [0.01], 1, []),
    ],
)
def test_sizes_by_hand(size_hw, scales, window, expected):
    assert pyramid_sizes(size_hw, scales, window) == expected


def test_scales_by_hand():
    assert scales_for(16, 64, 32, step=2) == pytest.approx([32 / (16 * 2**0.5), 32 / (32 * 2**0.5)])
    assert scales_for(20, 20, 20) == [1.0]


@given(st.floats(1, 100), st.floats(1, 100), st.floats(1, 64), st.floats(1.05, 3), st.floats(0, 1))
def test_every_size_is_at_most_half_a_step_from_one_that_is_looked_for(a, b, window, step, share):
    low, high = sorted((a, b))
    scales = scales_for(low, high, window, step)
    assert scales == sorted(scales, reverse=True)
    size = low ** (1 - share) * high**share
    off = min(max(size * scale / window, window / (size * scale)) for scale in scales)
    assert off <= step**0.5 * (1 + 1e-6)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((0, 4, 8), "smallest must be above 0 and at most largest, got 0 and 4"),
        ((5, 4, 8), "smallest must be above 0 and at most largest, got 5 and 4"),
        ((2, 4, 0), "window must be above 0 and step above 1, got 0 and 1.25"),
        ((2, 4, 8, 1), "window must be above 0 and step above 1, got 8 and 1"),
    ],
)
def test_scales_that_cannot_be_are_named(arguments, words):
    with pytest.raises(ValueError, match=words):
        scales_for(*arguments)


def test_a_scale_of_0_is_named():
    with pytest.raises(ValueError, match=r"scales must be above 0, got \[1.0, 0\]"):
        pyramid_sizes((8, 8), [1.0, 0])


def test_a_level_says_how_it_was_scaled_and_takes_boxes_back():
    image = torch.randint(0, 256, (3, 101, 60), dtype=torch.uint8)
    (level,) = pyramid(image, [0.5])
    assert level.size_hw == (51, 30)
    assert level.image.dtype == torch.uint8
    assert level.scale_hw == (51 / 101, 0.5)
    whole = torch.tensor([[0, 0, 30, 51]])
    assert level.undo(whole).tolist() == [[0, 0, 60, pytest.approx(101)]]
    assert level.undo(whole).dtype == torch.float32
    assert level.undo(torch.zeros(0, 4)).shape == (0, 4)


def test_at_scale_1_nothing_is_done_and_batches_stay_batches():
    image = torch.rand(2, 3, 16, 16)
    levels = list(pyramid(image, [2, 1, 0.5, 0.25], window=8))
    assert [tuple(level.image.shape) for level in levels] == [(2, 3, 32, 32), (2, 3, 16, 16), (2, 3, 8, 8)]
    assert levels[1].image is image


def test_it_is_lazy():
    levels = pyramid(torch.zeros(1, 8, 8), [1.0, 1e9])
    assert isinstance(next(levels), Level)  # the second would need more memory than there is


def test_resizing_equals_torchvisions():
    image = torch.randint(0, 256, (3, 40, 50), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    for size in ((20, 25), (57, 90)):
        theirs = VF.resize(image, list(size), antialias=True)
        assert (resize_image(image, size).int() - theirs.int()).abs().max() <= 1
        torch.testing.assert_close(resize_image(image.float(), size), VF.resize(image.float(), list(size), antialias=True))


def test_a_pattern_finer_than_the_small_picture_becomes_grey_instead_of_a_false_pattern():
    stripes = (torch.arange(64) % 2 * 255).to(torch.uint8).expand(1, 64, 64)
    assert (resize_image(stripes, (16, 16)).float() - 127.5).abs().max() < 16


def test_an_image_of_another_shape_is_named():
    with pytest.raises(ValueError, match=r"image must have shape \(C, H, W\) or \(N, C, H, W\), got \(8, 8\)"):
        next(pyramid(torch.zeros(8, 8), [1.0]))
