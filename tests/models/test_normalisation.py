import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from coursekit.models.normalisation import BatchNorm, batch_norm, group_norm, layer_norm

SHAPES = [(2, 1), (5, 3), (2, 4, 1, 1), (1, 2, 1, 2), (3, 4, 2, 5), (4, 4, 4, 4)]
shapes = pytest.mark.parametrize("shape", SHAPES, ids=str)


def drawn(*shape, seed=0, spread=3.0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)) * spread + 2


def scale_and_shift(channels):
    generator = torch.Generator().manual_seed(9)
    return torch.rand(channels, generator=generator) + 0.5, torch.randn(channels, generator=generator)


def test_batch_norm_by_hand():
    x = torch.tensor([[1.0], [2.0], [3.0], [6.0]])  # mean 3, variance (4 + 1 + 0 + 9) / 4 = 3.5
    torch.testing.assert_close(batch_norm(x, eps=0.0).flatten(), torch.tensor([-2.0, -1, 0, 3]) / 3.5**0.5)


def test_a_batch_of_two_becomes_plus_and_minus_one_whatever_was_in_it():
    for x in (torch.tensor([[1.0], [9.0]]), torch.tensor([[5.0], [5.5]])):
        torch.testing.assert_close(batch_norm(x, eps=0.0).flatten(), torch.tensor([-1.0, 1.0]))


def test_each_normalises_over_its_own_axes():
    x = drawn(3, 4, 2, 5)
    for normal, axes in ((batch_norm(x), (0, 2, 3)), (layer_norm(x), (1, 2, 3)), (group_norm(x, 2).reshape(3, 2, 2, 2, 5), (2, 3, 4))):
        torch.testing.assert_close(normal.mean(dim=axes), torch.zeros_like(normal.mean(dim=axes)), atol=1e-5, rtol=0)
        torch.testing.assert_close(normal.var(dim=axes, correction=0), torch.ones_like(normal.mean(dim=axes)), atol=1e-3, rtol=0)


@shapes
def test_batch_norm_equals_torchs(shape):
    x, (weight, bias) = drawn(*shape), scale_and_shift(shape[1])
    theirs = functional.batch_norm(x, None, None, weight, bias, training=True)
    torch.testing.assert_close(batch_norm(x, weight, bias), theirs, atol=1e-5, rtol=1e-4)


@shapes
def test_layer_norm_equals_torchs(shape):
    x, (weight, bias) = drawn(*shape), scale_and_shift(shape[1])
    torch.testing.assert_close(layer_norm(x), functional.layer_norm(x, shape[1:]), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(layer_norm(x, weight, bias), functional.group_norm(x, 1, weight, bias), atol=1e-5, rtol=1e-4)


@shapes
def test_group_norm_equals_torchs(shape):
    x, (weight, bias) = drawn(*shape), scale_and_shift(shape[1])
    for groups in (g for g in range(1, shape[1] + 1) if shape[1] % g == 0):
        if x[0].numel() // groups < 2:
            continue  # one number in a group: torch refuses some of these
        theirs = functional.group_norm(x, groups, weight, bias)
        torch.testing.assert_close(group_norm(x, groups, weight, bias), theirs, atol=1e-5, rtol=1e-4)


@given(st.integers(1, 3), st.integers(1, 3), st.integers(1, 3), st.integers(0, 5))
def test_group_norm_of_one_group_is_layer_norm(samples, channels, side, seed):
    x = drawn(samples, channels, side, side, seed=seed)
    torch.testing.assert_close(group_norm(x, 1), layer_norm(x), atol=1e-5, rtol=1e-5)


def test_a_sample_alone_gets_the_same_layer_and_group_norm_as_in_company():
    x = drawn(5, 4, 3, 3)
    for normalise in (layer_norm, lambda x: group_norm(x, 2)):
        torch.testing.assert_close(normalise(x)[2:3], normalise(x[2:3]))
    assert not torch.allclose(batch_norm(x)[2:3], batch_norm(x[2:3]), atol=1e-2)


@pytest.mark.filterwarnings("ignore:var.*degrees of freedom")  # of no numbers at all
def test_a_channel_that_is_the_same_everywhere_becomes_zero():
    assert (batch_norm(torch.full((3, 2), 7.0)) == 0).all()
    assert layer_norm(torch.zeros(0, 3)).shape == group_norm(torch.zeros(0, 3), 3).shape == (0, 3)


@shapes
@pytest.mark.parametrize("momentum", [0.1, 0.3])
def test_batch_norm_layer_equals_torchs_in_train_and_in_eval(shape, momentum):
    theirs = (nn.BatchNorm1d if len(shape) == 2 else nn.BatchNorm2d)(shape[1], momentum=momentum)
    ours = BatchNorm(shape[1], momentum=momentum)
    weight, bias = scale_and_shift(shape[1])
    for layer in (ours, theirs):
        layer.weight.data, layer.bias.data = weight.clone(), bias.clone()
    for seed in range(3):
        x = drawn(*shape, seed=seed)
        torch.testing.assert_close(ours(x), theirs(x), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(ours.running_mean, theirs.running_mean)
    torch.testing.assert_close(ours.running_var, theirs.running_var)
    before = ours.running_mean.clone()
    x = drawn(*shape, seed=7)
    torch.testing.assert_close(ours.eval()(x), theirs.eval()(x), atol=1e-5, rtol=1e-4)
    assert torch.equal(ours.running_mean, before)  # eval changes nothing


def test_gradients_go_through_the_statistics_as_torchs_do():
    gradients = []
    for layer in (BatchNorm(3), nn.BatchNorm2d(3)):
        x = drawn(4, 3, 2, 2).requires_grad_()
        (layer(x) * drawn(4, 3, 2, 2, seed=5)).sum().backward()
        gradients.append((x.grad, layer.weight.grad, layer.bias.grad))
    for ours, theirs in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)


def test_the_running_statistics_travel_with_the_weights_and_are_not_trained():
    layer = BatchNorm(2)
    layer(drawn(8, 2))
    assert sorted(layer.state_dict()) == ["bias", "running_mean", "running_var", "weight"]
    assert [name for name, _ in layer.named_parameters()] == ["weight", "bias"]
    assert not layer.running_var.requires_grad


def test_in_eval_one_sample_is_enough_and_in_train_it_is_not():
    layer = BatchNorm(3)
    with pytest.raises(ValueError, match="at least two values of each channel"):
        layer(torch.zeros(1, 3))
    assert layer.eval()(torch.zeros(1, 3)).shape == (1, 3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: batch_norm(torch.zeros(3)), r"x must have shape \(N, C\) or \(N, C, H, W\), got \(3,\)"),
        (lambda: batch_norm(torch.zeros(4, 3), weight=torch.ones(4)), r"weight must have shape \(3,\)"),
        (lambda: layer_norm(torch.zeros(4, 3), bias=torch.ones(1)), r"bias must have shape \(3,\)"),
        (lambda: batch_norm(torch.zeros(0, 3)), "at least two values"),
        (lambda: group_norm(torch.zeros(2, 6), 4), "groups must divide the 6 channels of x, got 4"),
        (lambda: group_norm(torch.zeros(2, 6), 0), "groups must divide the 6 channels of x, got 0"),
        (lambda: BatchNorm(3)(torch.zeros(4, 5)), r"weight must have shape \(5,\)"),
    ],
)
def test_what_cannot_be_normalised_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
