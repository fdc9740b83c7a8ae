import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.functional import leaky_relu as torchs

from coursekit.models.mlp import MLP, leaky_relu


@pytest.mark.parametrize(
    ("sizes", "parameters"),
    [([3, 2], 3 * 2 + 2), ([64, 128, 10], 64 * 128 + 128 + 128 * 10 + 10), ([5, 4, 4, 2], 24 + 20 + 10)],
    ids=["one layer", "one hidden layer", "two hidden layers"],
)
def test_parameters_by_hand_and_shapes(sizes, parameters):
    model = MLP(sizes)
    assert sum(p.numel() for p in model.parameters()) == parameters
    assert model(torch.rand(7, sizes[0])).shape == (7, sizes[-1])
    assert model(torch.rand(0, sizes[0])).shape == (0, sizes[-1])


@pytest.mark.parametrize("activation", [nn.ReLU, nn.Sigmoid, nn.Tanh, nn.LeakyReLU, nn.Identity])
def test_the_same_as_torchs_layers_one_after_another(activation):
    model, images = MLP([12, 5, 4, 3], activation), torch.rand(6, 3, 2, 2)
    first, second, third = (layer for layer in model.layers if isinstance(layer, nn.Linear))
    by_hand = third(activation()(second(activation()(first(images.reshape(6, 12))))))
    torch.testing.assert_close(model(images), by_hand)


def test_there_is_no_activation_after_the_last_layer():
    torch.manual_seed(0)
    assert (MLP([4, 8, 3])(torch.randn(50, 4)) < 0).any()  # logits may be negative


def test_dropout_stands_after_hidden_layers_only_and_sleeps_in_eval_mode():
    model = MLP([4, 8, 8, 3], dropout=0.5)
    assert [type(layer).__name__ for layer in model.layers] == ["Linear", "ReLU", "Dropout", "Linear", "ReLU", "Dropout", "Linear"]
    inputs = torch.rand(5, 4)
    model.eval()
    assert torch.equal(model(inputs), model(inputs))
    assert not any(isinstance(layer, nn.Dropout) for layer in MLP([4, 8, 3]).layers)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MLP([4]), r"sizes must be at least two numbers of at least 1, got \[4\]"),
        (lambda: MLP([4, 0, 2]), r"sizes must be .* got \[4, 0, 2\]"),
        (lambda: MLP([4, 2], dropout=1.0), "dropout must be at least 0 and below 1, got 1.0"),
        (lambda: MLP([4, 2])(torch.rand(3, 1, 2, 3)), r"inputs must hold 4 numbers each, got 6 \(shape \(3, 1, 2, 3\)\)"),
        (lambda: leaky_relu(torch.zeros(1), -0.1), r"slope must be in \[0, 1\], got -0.1"),
        (lambda: leaky_relu(torch.zeros(1), 1.5), r"slope must be in \[0, 1\], got 1.5"),
    ],
)
def test_what_cannot_be_is_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    ("x", "slope", "values", "derivative"),
    [
        ([], 0.1, [], []),
        ([2.0, 0.0, -2.0], 0.1, [2.0, 0.0, -0.2], [1.0, 0.1, 0.1]),
        ([3.0, -3.0], 0.0, [3.0, 0.0], [1.0, 0.0]),
        ([3.0, -3.0], 1.0, [3.0, -3.0], [1.0, 1.0]),
    ],
    ids=["nothing", "both sides and 0", "slope 0: the plain ReLU", "slope 1: a line"],
)
def test_leaky_relu_by_hand(x, slope, values, derivative):
    got, steepness = leaky_relu(torch.tensor(x), slope)
    torch.testing.assert_close(got, torch.tensor(values))
    torch.testing.assert_close(steepness, torch.tensor(derivative))


@settings(deadline=None)  # the first call sets up much
@given(st.lists(st.integers(-4, 4), max_size=8), st.sampled_from([0.0, 0.01, 0.25, 1.0]), st.sampled_from([torch.float32, torch.float64]))
def test_leaky_relu_and_its_derivative_equal_torch_and_autograd(numbers, slope, dtype):
    x = torch.tensor(numbers, dtype=dtype, requires_grad=True)  # whole numbers: 0 itself is among them
    expected = torchs(x, slope)
    expected.sum().backward()
    got, steepness = leaky_relu(x.detach(), slope)
    torch.testing.assert_close(got, expected.detach())
    torch.testing.assert_close(steepness, x.grad)
