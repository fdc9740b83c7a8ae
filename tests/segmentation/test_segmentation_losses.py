"""Dice by hand, against scikit-learn's F1 where probabilities are certain, and its gradient."""

import pytest
import sklearn.metrics
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from coursekit.segmentation.losses import dice_loss


def certain(target, classes):
    """Logits that leave no doubt."""
    return F.one_hot(target, classes).permute(0, 3, 1, 2).float() * 200 - 100


def grid(*rows):
    return torch.tensor([[[int(c) for c in row] for row in rows]])


@pytest.mark.parametrize(
    ("said", "truth", "smooth", "expected"),
    [
        (grid("0011"), grid("0011"), 1.0, 0.0),
        (grid("0000"), grid("0000"), 1.0, 0.0),
        (grid("0000"), grid("0011"), 1.0, 1 - 1 / 3),
        (grid("0111"), grid("0011"), 0.0, 1 - 4 / 5),
        (grid("1100"), grid("0011"), 0.0, 1.0),
    ],
    ids=["all right", "nothing there, nothing said", "missed", "one too many", "beside it"],
)
def test_dice_by_hand(said, truth, smooth, expected):
    assert dice_loss(certain(said, 2), truth, smooth).item() == pytest.approx(expected, abs=1e-6)


def test_dice_of_doubt():
    logits = torch.zeros(1, 2, 1, 2)  # one half each
    truth = grid("01")
    assert dice_loss(logits, truth, smooth=0.0).item() == pytest.approx(1 - 2 * 0.5 / (1 + 1))


labels = st.lists(st.integers(0, 2), min_size=6, max_size=6)


@given(labels, labels)
def test_dice_of_certain_predictions_equals_scikit_learns_f1(truth, said):
    truth, said = (torch.tensor(v).reshape(1, 2, 3) for v in (truth, said))
    there = sorted({*truth.flatten().tolist(), *said.flatten().tolist()} - {0})
    if set(there) != {1, 2}:
        return  # F1 of a class that is nowhere is a convention, see the smooth term
    f1 = sklearn.metrics.f1_score(truth.flatten(), said.flatten(), labels=[1, 2], average="macro", zero_division=0)
    assert dice_loss(certain(said, 3), truth, smooth=0.0).item() == pytest.approx(1 - f1, abs=1e-5)


def test_ignored_pixels_change_nothing():
    generator = torch.Generator().manual_seed(0)
    logits, truth = torch.randn(1, 3, 2, 4, generator=generator), torch.tensor([[[0, 1, 2, 1], [255, 255, 255, 255]]])
    torch.testing.assert_close(dice_loss(logits, truth), dice_loss(logits[:, :, :1], truth[:, :1]))


def test_a_small_class_weighs_as_much_as_a_large_one():
    """1 pixel of class 1 missed and 100 pixels of class 2 missed cost the same."""
    truth = torch.full((1, 11, 10), 2)
    truth[0, 0, 0] = 1
    no_one, no_two = truth.clone(), truth.clone()
    no_one[truth == 1] = 0
    no_two[truth == 2] = 0
    losses = [dice_loss(certain(said, 3), truth, smooth=0.0).item() for said in (no_one, no_two)]
    assert losses[0] == pytest.approx(losses[1]) == pytest.approx(0.5)


def test_the_gradient_pulls_towards_the_truth():
    logits = torch.zeros(1, 2, 1, 4, requires_grad=True)
    dice_loss(logits, grid("0001")).backward()
    assert (logits.grad[0, 1, 0, :3] > 0).all()
    assert logits.grad[0, 1, 0, 3] < 0


@pytest.mark.parametrize("shape", [(4, 4), (1, 5, 4), (2, 4, 4)])
def test_dice_names_shapes_that_do_not_belong_together(shape):
    with pytest.raises(ValueError, match=r"target must be \(N, H, W\) for logits of \(N, K, H, W\)"):
        dice_loss(torch.zeros(1, 2, 4, 4), torch.zeros(shape, dtype=torch.int64))
