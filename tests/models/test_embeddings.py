"""Losses on vectors, by hand and beside torch's; and that drawn triplets are what they say."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from coursekit.models.embeddings import centre_loss, draw_triplets, triplet_loss


def rows(*values):
    return torch.tensor(values, dtype=torch.float32)


@pytest.mark.parametrize(
    ("positive", "negative", "margin", "expected"),
    [
        (rows([3.0, 4]), rows([0.0, 2]), 1.0, 4.0),
        (rows([1.0, 0]), rows([3.0, 4]), 1.0, 0.0),
        (rows([2.0, 0]), rows([0.0, 3]), 1.0, 0.0),
        (rows([2.0, 0]), rows([0.0, 2.5]), 1.0, 0.5),
        (rows([0.0, 0]), rows([0.0, 0]), 0.3, 0.3),
    ],
    ids=["not met", "met", "exactly by the margin", "not by the margin", "all three alike"],
)
def test_triplet_loss_by_hand(positive, negative, margin, expected):
    torch.testing.assert_close(triplet_loss(rows([0.0, 0]), positive, negative, margin), torch.tensor(expected))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 8), st.integers(1, 5), st.floats(0.05, 5))
def test_triplet_loss_equals_torchs_triplet_margin_loss(seed, count, length, margin):
    a, p, n = torch.randn(3, count, length, generator=torch.Generator().manual_seed(seed))
    expected = torch.nn.functional.triplet_margin_loss(a, p, n, margin=margin)
    torch.testing.assert_close(triplet_loss(a, p, n, margin), expected, rtol=1e-4, atol=1e-5)


def test_triplet_loss_has_a_finite_gradient_where_all_three_are_alike():
    a = torch.zeros(2, 3, requires_grad=True)
    triplet_loss(a, torch.zeros(2, 3), torch.zeros(2, 3)).backward()
    assert torch.isfinite(a.grad).all()


def test_centre_loss_by_hand():
    vectors, centres = rows([0.0, 0], [3, 4]), rows([0.0, 2], [3, 4], [9, 9])
    torch.testing.assert_close(centre_loss(vectors, torch.tensor([0, 1]), centres), torch.tensor(1.0))  # (4 / 2 + 0) / 2 images
    assert centre_loss(centres, torch.tensor([0, 1, 2]), centres) == 0


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 3), min_size=4, max_size=12), st.integers(0, 10**6))
def test_triplets_hold_two_of_one_class_and_one_of_another(labels, seed):
    labels = torch.tensor(labels)
    counts = labels.bincount()
    if counts.max() < 2 or (counts > 0).sum() < 2:
        with pytest.raises(ValueError, match="labels must hold two of one class, and two classes"):
            draw_triplets(labels, 5, torch.Generator().manual_seed(seed))
        return
    a, p, n = draw_triplets(labels, 50, torch.Generator().manual_seed(seed)).unbind(dim=1)
    assert (a != p).all()
    assert (labels[a] == labels[p]).all()
    assert (labels[a] != labels[n]).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: triplet_loss(rows([0.0]), rows([0.0], [1.0]), rows([0.0])), r"must all be \(N, D\), got \(1, 1\), \(2, 1\) and \(1, 1\)"),
        (lambda: triplet_loss(rows([0.0]), rows([0.0]), rows([0.0]), 0.0), "margin must be above 0, got 0.0"),
        (lambda: centre_loss(rows([0.0]), torch.tensor([0]), rows([0.0, 1])), r"must be \(N, D\), \(N,\) and \(K, D\)"),
    ],
)
def test_what_does_not_fit_is_said(call, message):
    with pytest.raises(ValueError, match=message):
        call()
