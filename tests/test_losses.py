import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from coursekit import losses

HAND = {  # the network of notebook 02: everything can be checked by eye
    "x": torch.tensor([[1.0, 2.0]]),
    "w1": torch.tensor([[1.0, 1.0], [1.0, -1.0]]),
    "b1": torch.tensor([0.0, 0.0]),
    "w2": torch.tensor([[1.0, 2.0], [2.0, -1.0]]),
    "b2": torch.tensor([3.0, 0.0]),
}
whole = st.integers(-4, 4)


def rows(count, width):
    """Whole numbers: ties and zeros happen all the time."""
    return st.lists(st.lists(whole, min_size=width, max_size=width), min_size=count, max_size=count).map(lambda r: torch.tensor(r).double())


@pytest.mark.parametrize(
    ("predicted", "target", "mse", "mae"),
    [
        ([], [], math.nan, math.nan),
        ([5.0], [2.0], 9, 3),
        ([1.0, 4.0], [3.0, 3.0], 2.5, 1.5),
        ([[1.0, 2.0], [3.0, 4.0]], [[1.0, 2.0], [3.0, 0.0]], 4, 1),
    ],
    ids=["no numbers", "one number", "above and below", "a table"],
)
def test_mse_and_mae_by_hand_and_equal_to_torch(predicted, target, mse, mae):
    predicted, target = torch.tensor(predicted), torch.tensor(target)
    for ours, theirs, expected in ((losses.mse, functional.mse_loss, mse), (losses.mae, functional.l1_loss, mae)):
        assert ours(predicted, target).item() == pytest.approx(expected, nan_ok=True)
        torch.testing.assert_close(ours(predicted, target), theirs(predicted, target), equal_nan=True)


@given(rows(2, 3), rows(2, 3))
def test_the_gradient_of_mse_equals_autograd(predicted, target):
    loss, gradient = losses.mse_with_gradient(predicted, target)
    predicted.requires_grad_()
    theirs = functional.mse_loss(predicted, target)
    torch.testing.assert_close(loss, theirs.detach())
    torch.testing.assert_close(gradient, torch.autograd.grad(theirs, predicted)[0])


def test_the_gradient_of_no_numbers_has_none():
    assert losses.mse_with_gradient(torch.zeros(0, 3), torch.zeros(0, 3))[1].shape == (0, 3)


@pytest.mark.parametrize(
    "logits",
    [
        torch.zeros(0, 3),
        torch.tensor([[7.0]]),
        torch.tensor([2.0, 1.0, 0.0]),
        torch.tensor([[5.0, 5.0, 5.0, 5.0]]),
        torch.tensor([[1000.0, 1001.0, 1002.0], [-1000.0, -1001.0, -999.0]]),
        torch.tensor([[-500.0, 500.0]]),
        torch.tensor([[float("-inf"), 0.0]]),
        torch.tensor([[float("inf"), 0.0]]),
        torch.tensor([[float("nan"), 0.0]]),
        torch.arange(24.0).reshape(2, 3, 4),
    ],
    ids=["no rows", "one class", "one row", "equal", "thousands", "far apart", "-inf", "+inf", "NaN", "three axes"],
)
def test_softmax_and_log_softmax_equal_torch(logits):
    torch.testing.assert_close(losses.softmax(logits), torch.softmax(logits, dim=-1), equal_nan=True)
    torch.testing.assert_close(losses.log_softmax(logits), torch.log_softmax(logits, dim=-1), equal_nan=True)


@given(st.lists(st.floats(-1e4, 1e4), min_size=1, max_size=6), st.floats(-1e3, 1e3))
def test_softmax_sums_to_one_and_does_not_see_a_shift(row, shift):
    logits = torch.tensor([row], dtype=torch.float64)
    p = losses.softmax(logits)
    assert p.sum().item() == pytest.approx(1)
    torch.testing.assert_close(losses.softmax(logits + shift), p, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(
    ("logits", "labels", "expected"),
    [
        (torch.zeros(0, 3), [], math.nan),
        (torch.zeros(1, 10), [3], math.log(10)),
        (torch.tensor([[2.0, 1.0, 0.0]]), [0], 0.407606),
        (torch.tensor([[1000.0, 0.0, 0.0]]), [0], 0),
        (torch.tensor([[1000.0, 0.0, 0.0]]), [1], 1000),
        (torch.tensor([[0.0, 0.0], [1000.0, 0.0]]), [0, 1], (math.log(2) + 1000) / 2),
    ],
    ids=["no samples", "no idea", "by hand", "sure and right", "sure and wrong", "a mean over samples"],
)
def test_cross_entropy_by_hand_and_equal_to_torch(logits, labels, expected):
    labels = torch.tensor(labels, dtype=torch.int64)
    ours = losses.cross_entropy(logits, labels)
    assert ours.item() == pytest.approx(expected, rel=1e-5, nan_ok=True)
    torch.testing.assert_close(ours, functional.cross_entropy(logits, labels), equal_nan=True)


@given(rows(3, 4), st.lists(st.integers(0, 3), min_size=3, max_size=3), st.sampled_from([1, 100]))
def test_cross_entropy_and_its_gradient_equal_torch_and_autograd(logits, labels, scale):
    logits, labels = (logits * scale).requires_grad_(), torch.tensor(labels)
    theirs = functional.cross_entropy(logits, labels)
    torch.testing.assert_close(losses.cross_entropy(logits, labels), theirs)
    by_hand = losses.cross_entropy_gradient(logits.detach(), labels)
    torch.testing.assert_close(by_hand, torch.autograd.grad(theirs, logits, retain_graph=True)[0])
    torch.testing.assert_close(by_hand, torch.autograd.grad(losses.cross_entropy(logits, labels), logits)[0])  # ours can be trained through
    torch.testing.assert_close(by_hand.sum(dim=1), torch.zeros(3, dtype=torch.float64))


def test_the_gradient_of_no_samples_is_empty():
    assert losses.cross_entropy_gradient(torch.zeros(0, 3), torch.zeros(0, dtype=torch.int64)).shape == (0, 3)


@pytest.mark.parametrize(
    ("logits", "targets", "expected"),
    [
        ([], [], math.nan),
        ([0.0], [1.0], math.log(2)),
        ([1000.0, -1000.0], [1.0, 0.0], 0),
        ([1000.0, -1000.0], [0.0, 1.0], 1000),
        ([20.0], [0.0], 20),
        ([[0.0, 0.0], [0.0, 0.0]], [[1.0, 0.0], [0.3, 0.0]], math.log(2)),
    ],
    ids=["no questions", "no idea", "thousands, right", "thousands, wrong", "where sigmoid is 1 already", "a table"],
)
def test_binary_cross_entropy_by_hand_and_equal_to_torch(logits, targets, expected):
    logits, targets = torch.tensor(logits), torch.tensor(targets)
    ours = losses.binary_cross_entropy_with_logits(logits, targets)
    assert ours.item() == pytest.approx(expected, nan_ok=True)
    torch.testing.assert_close(ours, functional.binary_cross_entropy_with_logits(logits, targets), equal_nan=True)


@given(rows(2, 3), st.lists(st.sampled_from([0.0, 0.25, 1.0]), min_size=6, max_size=6), st.sampled_from([1, 250]))
def test_binary_cross_entropy_and_its_gradient_equal_torch_at_zero_too(logits, targets, scale):
    logits, targets = (logits * scale).requires_grad_(), torch.tensor(targets, dtype=torch.float64).reshape(2, 3)
    ours = losses.binary_cross_entropy_with_logits(logits, targets)
    theirs = functional.binary_cross_entropy_with_logits(logits, targets)
    torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(torch.autograd.grad(ours, logits)[0], torch.autograd.grad(theirs, logits)[0])


@pytest.mark.parametrize(
    ("f", "x", "h", "expected"),
    [
        (lambda x: x.sum(), [], 0.5, []),
        (lambda x: (x**2).sum(), [3.0], 0.5, [6.0]),
        (lambda x: (x**3).sum(), [1.0], 0.5, [3.25]),
        (lambda x: 2 * x[0] + 5 * x[1], [1.0, 1.0], 0.25, [2.0, 5.0]),
        (lambda x: x[0, 0] * x[1, 1], [[2.0, 0.0], [0.0, 3.0]], 0.5, [[3.0, 0.0], [0.0, 2.0]]),
        (lambda x: x.clamp(min=0).sum(), [0.0], 0.5, [0.5]),
        (lambda x: x**2, 3.0, 0.5, 6.0),
    ],
    ids=["no numbers", "a square", "a cube: h squared too much", "two slopes", "a table", "a kink: half", "shape ()"],
)
def test_numerical_gradient_by_hand(f, x, h, expected):
    x = torch.tensor(x, dtype=torch.float64)
    before = x.clone()
    torch.testing.assert_close(losses.numerical_gradient(f, x, h), torch.tensor(expected, dtype=torch.float64))
    assert torch.equal(x, before)


def test_numerical_gradient_takes_tensors_that_are_turned_or_wait_for_a_gradient():
    x = torch.arange(6.0, dtype=torch.float64).reshape(2, 3).T.requires_grad_()
    gradient = losses.numerical_gradient(lambda x: (x**2).sum(), x)
    assert not gradient.requires_grad
    torch.testing.assert_close(gradient, 2 * x.detach())


def test_the_two_layer_network_by_hand():
    before, hidden, logits = losses.two_layer_forward(**HAND)
    assert (before.tolist(), hidden.tolist(), logits.tolist()) == ([[3, -1]], [[3, 0]], [[6, 6]])
    got = losses.two_layer_backward(labels=torch.tensor([0]), **HAND)
    assert {name: g.tolist() for name, g in got.items()} == {
        "w1": [[0.5, 1], [0, 0]],
        "b1": [0.5, 0],
        "w2": [[-1.5, 0], [1.5, 0]],
        "b2": [-0.5, 0.5],
    }


@given(rows(3, 2), rows(4, 2), rows(1, 4), rows(3, 4), rows(1, 3), st.lists(st.integers(0, 2), min_size=3, max_size=3), st.booleans())
def test_two_layer_backward_equals_autograd_for_both_losses(x, w1, b1, w2, b2, labels, squared):
    weights = [w.requires_grad_() for w in (w1, b1[0].clone(), w2, b2[0].clone())]  # whole numbers: hidden units stand at exactly 0 often
    target = torch.nn.functional.one_hot(torch.tensor(labels), 3).double() if squared else torch.tensor(labels)
    out = losses.two_layer_forward(x, *weights)[2]
    loss = (functional.mse_loss if squared else functional.cross_entropy)(out, target)
    with torch.no_grad():
        got = losses.two_layer_backward(x, target, *weights)
    for name, theirs in zip(("w1", "b1", "w2", "b2"), torch.autograd.grad(loss, weights), strict=True):
        torch.testing.assert_close(got[name], theirs, msg=lambda text, name=name: f"{name}: {text}")


def test_two_layer_backward_agrees_with_differences():
    generator = torch.Generator().manual_seed(0)
    shapes = {"w1": (5, 3), "b1": (5,), "w2": (4, 5), "b2": (4,)}
    weights = {name: torch.randn(shape, generator=generator, dtype=torch.float64) for name, shape in shapes.items()}
    x, labels = torch.randn(6, 3, generator=generator, dtype=torch.float64), torch.tensor([0, 1, 2, 3, 0, 1])
    by_hand = losses.two_layer_backward(x, labels, **weights)
    for name in shapes:

        def loss_of(value, name=name):
            return losses.cross_entropy(losses.two_layer_forward(x, **{**weights, name: value})[2], labels)

        torch.testing.assert_close(by_hand[name], losses.numerical_gradient(loss_of, weights[name]), rtol=1e-6, atol=1e-8)


LAYERS = tuple(HAND.values())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: losses.mse(torch.zeros(3), torch.zeros(3, 1)), r"target must have the shape of predicted, \(3,\), got \(3, 1\)"),
        (lambda: losses.mae(torch.zeros(3), torch.zeros(2)), r"target must have the shape of predicted"),
        (lambda: losses.mse_with_gradient(torch.zeros(3), torch.zeros(())), r"target must have the shape of predicted"),
        (lambda: losses.softmax(torch.tensor(1.0)), r"logits must have shape \(\.\.\., K\)"),
        (lambda: losses.log_softmax(torch.zeros(2, 0)), r"at least one class, got \(2, 0\)"),
        (lambda: losses.cross_entropy(torch.zeros(3), torch.tensor([0, 1, 2])), r"logits must have shape \(N, K\)"),
        (
            lambda: losses.cross_entropy(torch.zeros(2, 3), torch.tensor([0.0, 1.0])),
            r"labels must be int64 of shape \(2,\), got torch.float32",
        ),
        (lambda: losses.cross_entropy(torch.zeros(2, 3), torch.tensor([0])), r"labels must be int64 of shape \(2,\)"),
        (lambda: losses.cross_entropy_gradient(torch.zeros(2, 3), torch.tensor([0, 3])), r"labels must lie in 0\.\.2, got 0\.\.3"),
        (lambda: losses.binary_cross_entropy_with_logits(torch.zeros(2), torch.zeros(3)), r"targets must have the shape of logits"),
        (
            lambda: losses.binary_cross_entropy_with_logits(torch.zeros(2), torch.tensor([0.0, 2.0])),
            r"targets must lie in \[0, 1\], got 0 to 2",
        ),
        (lambda: losses.numerical_gradient(torch.sum, torch.tensor([1, 2])), "x must hold floats, got torch.int64"),
        (lambda: losses.numerical_gradient(torch.sum, torch.tensor([1.0]), h=0.0), "h must be above 0, got 0.0"),
        (lambda: losses.two_layer_forward(torch.zeros(2), *LAYERS[1:]), r"x must have shape \(N, D\)"),
        (lambda: losses.two_layer_forward(torch.zeros(1, 3), *LAYERS[1:]), r"w1 must have shape \(H, 3\), got \(2, 2\)"),
        (lambda: losses.two_layer_forward(*LAYERS[:2], torch.zeros(3), *LAYERS[3:]), r"b1 must have shape \(2,\), got \(3,\)"),
        (lambda: losses.two_layer_forward(*LAYERS[:3], torch.zeros(4, 3), LAYERS[4]), r"w2 must have shape \(K, 2\), got \(4, 3\)"),
        (lambda: losses.two_layer_backward(LAYERS[0], torch.tensor([0]), *LAYERS[1:4], torch.zeros(1)), r"b2 must have shape \(2,\)"),
    ],
)
def test_what_does_not_fit_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
