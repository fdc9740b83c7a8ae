"""The detector made of a classifier: which window shows what, what is cut, and boxes that land on a sign of any size."""

import pytest
import torch
from torch import nn

from coursekit.data.loader import CachedDataset
from coursekit.sliding.dense import STRIDE, WINDOW, WindowNet, convolutional
from coursekit.sliding.recipe import FAR, HARD, MARGIN, NEAR, POSITIVES, SCALES, Slider, cut_windows, label_windows, train
from coursekit.training.detector import measure_detector, small_world

SCENES = small_world("train", 6)


class RedSquares(nn.Module):
    """A classifier that needs no training: class 0 where a window's middle is red and its margin is not, else background."""

    def forward(self, images):
        red = (images[:, :1].float() - images[:, 1:2].float()) / 255
        kernel = torch.full((1, 1, WINDOW, WINDOW), -1.0)
        kernel[:, :, MARGIN:-MARGIN, MARGIN:-MARGIN] = 0
        kernel /= -kernel.sum()
        kernel[:, :, MARGIN:-MARGIN, MARGIN:-MARGIN] = 1 / (WINDOW - 2 * MARGIN) ** 2
        score = 20 * nn.functional.conv2d(red, kernel, stride=STRIDE)
        return torch.cat((score, torch.full_like(score, 9.0)), dim=1)


@pytest.mark.parametrize("side", [16, 26, 40, 60])
def test_a_square_of_any_size_is_framed(side):
    image = torch.zeros(3, 128, 128, dtype=torch.uint8)
    image[0, 40 : 40 + side, 30 : 30 + side] = 255
    (found,) = Slider(RedSquares(), threshold=0.5)(image[None])
    best = found[0]
    width, height = (best.boxes[0, 2:] - best.boxes[0, :2]).tolist()
    assert width == pytest.approx(height, rel=0.02)
    centre = (best.boxes[0, :2] + best.boxes[0, 2:]) / 2
    assert (centre - torch.tensor([30 + side / 2, 40 + side / 2])).abs().max() < side / 5
    assert 0.7 < width / side < 1.4


def test_each_picture_of_a_batch_is_looked_at_by_itself():
    torch.manual_seed(0)
    slider = Slider(convolutional(WindowNet(5)))
    images = torch.stack([SCENES[index][0] for index in range(3)])
    together = slider(images)
    for index in range(3):
        (alone,) = slider(images[index : index + 1])
        torch.testing.assert_close(alone.boxes, together[index].boxes)
        torch.testing.assert_close(alone.scores, together[index].scores)
        assert torch.equal(alone.labels, together[index].labels)
    assert together[0].labels.max() < 4  # the background is nobody's box


def test_no_picture_and_a_picture_that_is_too_small():
    slider = Slider(convolutional(WindowNet(5)))
    assert slider(torch.zeros(0, 3, 128, 128, dtype=torch.uint8)) == []
    (nothing,) = slider(torch.zeros(1, 3, 12, 12, dtype=torch.uint8))
    assert len(nothing) == 0


@pytest.mark.parametrize("stride", [2, 6])
def test_a_stride_that_the_network_cannot_have_is_named(stride):
    with pytest.raises(ValueError, match=f"stride must be a multiple of the network's own, 4, got {stride}"):
        Slider(nn.Identity(), stride=stride)


# --- what is cut


def test_windows_are_labelled_by_what_they_fit():
    truth = torch.tensor([[10.0, 10, 36, 36], [60, 60, 86, 86]])
    shift = torch.tensor([0.0, 4, 7, 13, 26])  # IoU 1, 0.73, 0.58, 0.33, 0
    boxes = torch.stack((10 + shift, torch.full((5,), 10.0), 36 + shift, torch.full((5,), 36.0)), dim=1)
    assert label_windows(boxes, truth, torch.tensor([3, 1]), 4).tolist() == [3, 3, -1, 4, 4]
    assert label_windows(boxes, torch.zeros(0, 4), torch.zeros(0, dtype=torch.int64), 4).tolist() == [4] * 5
    assert label_windows(boxes[:0], truth, torch.tensor([3, 1]), 4).shape == (0,)


def test_what_is_cut_has_signs_and_background_and_is_the_same_for_the_same_seed():
    cut, again, other = cut_windows(SCENES), cut_windows(CachedDataset(SCENES, (128, 128))), cut_windows(SCENES, seed=1)
    assert cut.classes == (*SCENES.classes, "background")
    assert cut.images.shape[1:] == (3, WINDOW, WINDOW)
    assert torch.equal(cut.images, again.images)
    assert not torch.equal(cut.images[:50], other.images[:50])
    background = int((cut.labels == 4).sum())
    assert 6 * FAR <= background <= 6 * (NEAR + FAR)
    assert 0 < len(cut) - background <= 6 * POSITIVES
    present = {int(label) for index in range(6) for label in SCENES[index][1]["labels"]}
    assert set(cut.labels.tolist()) - {4} == present


def test_hard_windows_are_background_alone():
    torch.manual_seed(0)
    hard = cut_windows(SCENES, hard_of=convolutional(WindowNet(5)))
    assert 0 < len(hard) <= 6 * HARD
    assert (hard.labels == 4).all()


def test_no_scenes_no_windows():
    assert len(cut_windows(small_world("train", 0))) == 0


def test_scales_reach_the_signs_of_the_small_world():
    sides = torch.cat([(t["boxes"][:, 2:] - t["boxes"][:, :2]).amax(dim=1) for _, t in SCENES])
    looked_for = (WINDOW - 2 * MARGIN) / torch.tensor(SCALES)
    assert ((sides[:, None] / looked_for).log().abs().amin(dim=1).exp() < 1.3).all()


# --- the whole


def test_training_twice_gives_the_same_and_leaves_the_dice_alone():
    before = torch.random.get_rng_state()
    image = SCENES[0][0][None]
    first, again, other = (train(SCENES, seed=seed, epochs=1)(image)[0] for seed in (0, 0, 1))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.equal(first.boxes, again.boxes)
    assert torch.equal(first.scores, again.scores)
    assert len(first) != len(other) or not torch.equal(first.scores, other.scores)


@pytest.mark.full
def test_it_finds_signs():
    find = train(small_world("train", 120), epochs=4)
    assert measure_detector(find, small_world("validation", 40)).summary["AP50"] > 0.25
