import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from coursekit.models.regularisation import decay_weights, dropout


@pytest.mark.parametrize(
    ("x", "p", "draws", "expected"),
    [
        ([], 0.5, [], []),
        ([2, 2, 2, 2], 0.5, [0.1, 0.9, 0.4, 0.6], [0, 4, 0, 4]),
        ([3, -3], 0.25, [0.25, 0.24], [4, 0]),  # a draw equal to p stays
        ([1, 2, 3], 0.0, [0.0, 0.5, 0.9], [1, 2, 3]),
    ],
    ids=["no numbers", "half of them", "a quarter, and a draw equal to p", "p is 0"],
)
def test_dropout_by_hand(x, p, draws, expected):
    x, draws, expected = (torch.tensor(values, dtype=torch.float32) for values in (x, draws, expected))
    assert torch.equal(dropout(x, p, draws), expected)
    assert torch.equal(dropout(x, p, draws, training=False), x)


@pytest.mark.parametrize("p", [0.1, 0.5, 0.8])
def test_dropout_with_the_same_mask_equals_torchs(p):
    x = torch.rand(20, 30, generator=torch.Generator().manual_seed(3)) + 1
    torch.manual_seed(4)
    theirs = functional.dropout(x, p, training=True)
    torch.testing.assert_close(dropout(x, p, (theirs != 0).float()), theirs)  # a draw of 1 stays, a draw of 0 goes


@given(st.floats(0, 0.95), st.integers(0, 100))
def test_dropout_keeps_the_mean_and_drops_the_share_p(p, seed):
    generator = torch.Generator().manual_seed(seed)
    out = dropout(torch.ones(4000), p, torch.rand(4000, generator=generator))
    assert out.mean().item() == pytest.approx(1.0, abs=5 * (p / (1 - p) / 4000) ** 0.5 + 1e-6)  # five standard errors
    assert (out == 0).float().mean().item() == pytest.approx(p, abs=0.05)


def test_a_dropped_number_gets_no_gradient_and_a_kept_one_the_scaled_one():
    x = torch.tensor([1.0, float("inf"), 3.0], requires_grad=True)
    dropout(x, 0.5, torch.tensor([0.9, 0.1, 0.7])).sum().backward()
    assert x.grad.tolist() == [2.0, 0.0, 2.0]


@pytest.mark.parametrize("p", [-0.1, 1.0, 2.0])
def test_dropout_names_a_p_that_is_no_probability_of_dropping_some(p):
    with pytest.raises(ValueError, match=r"p must lie in \[0, 1\)"):
        dropout(torch.ones(2), p, torch.ones(2))


def test_dropout_names_draws_of_another_shape():
    with pytest.raises(ValueError, match=r"draws must have the shape of x, \(2, 3\), got \(3,\)"):
        dropout(torch.ones(2, 3), 0.5, torch.ones(3))


def test_decay_by_hand():
    weights = [torch.tensor([2.0, -4.0]), torch.tensor([[1.0]])]
    decay_weights(weights, lr=0.1, weight_decay=0.5)
    torch.testing.assert_close(weights[0], torch.tensor([1.9, -3.8]))
    torch.testing.assert_close(weights[1], torch.tensor([[0.95]]))
    decay_weights([], lr=0.1, weight_decay=0.5)  # nothing to pull


def test_decay_equals_what_torchs_adamw_does_where_the_gradient_is_zero():
    ours, theirs = torch.nn.Parameter(torch.tensor([2.0, -4.0])), torch.nn.Parameter(torch.tensor([2.0, -4.0]))
    optimizer = torch.optim.AdamW([theirs], lr=0.1, weight_decay=0.5)
    for _ in range(3):
        theirs.grad = torch.zeros(2)
        optimizer.step()
        decay_weights([ours], lr=0.1, weight_decay=0.5)
    torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize(("lr", "weight_decay", "name"), [(-1, 0.1, "lr"), (0.1, -1, "weight_decay")])
def test_decay_names_what_is_negative(lr, weight_decay, name):
    with pytest.raises(ValueError, match=f"{name} must be 0 or more, got -1"):
        decay_weights([], lr, weight_decay)
