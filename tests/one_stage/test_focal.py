import math

import pytest
import torch
import torchvision
from hypothesis import given
from hypothesis import strategies as st

from coursekit.one_stage.focal import focal_loss, prior_bias, shares_of_loss


def logit(p):
    return math.log(p / (1 - p))


@pytest.mark.parametrize(
    ("p", "target", "alpha", "gamma", "expected"),
    [
        (0.5, 1, None, 0, math.log(2)),
        (0.9, 1, None, 2, -math.log(0.9) * 0.1**2),
        (0.9, 0, None, 2, -math.log(0.1) * 0.9**2),
        (0.9, 1, 0.25, 2, -math.log(0.9) * 0.1**2 * 0.25),
        (0.9, 0, 0.25, 2, -math.log(0.1) * 0.9**2 * 0.75),
        (0.01, 0, 0.25, 2, -math.log(0.99) * 0.01**2 * 0.75),
    ],
    ids=["cross-entropy", "an easy object", "background taken for an object", "a quarter", "three quarters", "easy background"],
)
def test_focal_by_hand(p, target, alpha, gamma, expected):
    got = focal_loss(torch.tensor([logit(p)], dtype=torch.float64), torch.tensor([float(target)], dtype=torch.float64), alpha, gamma)
    assert got.item() == pytest.approx(expected)


entries = st.lists(st.tuples(st.sampled_from([-30.0, -4.0, -1.0, 0.0, 0.5, 3.0, 30.0]), st.sampled_from([0.0, 1.0])), max_size=8)


@given(entries, st.sampled_from([None, 0.0, 0.25, 0.5, 1.0]), st.sampled_from([0.0, 0.5, 1.0, 2.0, 5.0]))
def test_focal_equals_torchvisions(rows, alpha, gamma):
    logits, targets = torch.tensor([r[0] for r in rows]), torch.tensor([r[1] for r in rows])
    theirs = torchvision.ops.sigmoid_focal_loss(logits, targets, -1 if alpha is None else alpha, gamma)
    torch.testing.assert_close(focal_loss(logits, targets, alpha, gamma), theirs)


def test_focal_has_the_gradient_of_torchvisions():
    generator = torch.Generator().manual_seed(0)
    logits, targets = torch.randn(7, 3, generator=generator) * 4, (torch.rand(7, 3, generator=generator) < 0.3).float()
    slopes = []
    for loss in (focal_loss, torchvision.ops.sigmoid_focal_loss):
        x = logits.clone().requires_grad_()
        loss(x, targets).sum().backward()
        slopes.append(x.grad)
    torch.testing.assert_close(*slopes)


def test_without_gamma_and_alpha_it_is_cross_entropy():
    logits, targets = torch.tensor([-2.0, 0.0, 3.0]), torch.tensor([1.0, 0.0, 1.0])
    expected = torch.nn.functional.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    torch.testing.assert_close(focal_loss(logits, targets, alpha=None, gamma=0.0), expected)


def test_shares_by_hand():
    logits = torch.tensor([0.0, 0.0, -5.0, -5.0])
    targets = torch.tensor([1.0, 0.0, 0.0, 1.0])
    loss = torch.tensor([1.0, 2.0, 3.0, 4.0])
    assert shares_of_loss(loss, logits, targets) == pytest.approx({"objects": 0.5, "hard background": 0.2, "easy background": 0.3})
    assert sum(shares_of_loss(loss * 0, logits, targets).values()) == 0
    assert shares_of_loss(loss, logits, targets, easy=0.6)["hard background"] == 0


@pytest.mark.parametrize("prior", [0.01, 0.5, 0.9])
def test_the_bias_makes_the_probability(prior):
    assert torch.tensor(prior_bias(prior)).sigmoid().item() == pytest.approx(prior)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: focal_loss(torch.zeros(2), torch.zeros(3)), r"targets must have the shape of logits, \(2,\), got \(3,\)"),
        (lambda: focal_loss(torch.zeros(2), torch.zeros(2), alpha=2), "alpha must lie in 0..1 or be None, and gamma be 0 or more, got 2"),
        (lambda: focal_loss(torch.zeros(2), torch.zeros(2), gamma=-1), "got 0.25 and -1"),
        (lambda: prior_bias(0), "prior must lie between 0 and 1, got 0"),
    ],
    ids=["shapes", "alpha", "gamma", "prior"],
)
def test_the_argument_is_named(call, words):
    with pytest.raises(ValueError, match=words):
        call()
