import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn.functional import cross_entropy

from coursekit.models.normalisation import BatchNorm
from coursekit.training.fitting import (
    clip_by_norm,
    deep_network,
    fans,
    gradient_norms,
    he_init,
    he_scaled,
    he_std,
    xavier_init,
    xavier_std,
)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [((10, 64), (64, 10)), ((32, 16, 3, 3), (144, 288)), ((8, 1, 5, 5), (25, 200)), ((4, 2, 3), (6, 12)), ((1, 1), (1, 1))],
)
def test_fans_by_hand_and_as_torch_counts_them(shape, expected):
    assert fans(shape) == expected
    assert fans(shape) == nn.init._calculate_fan_in_and_fan_out(torch.zeros(shape))


def test_stds_by_hand():
    assert he_std((10, 8)) == 0.5  # sqrt(2 / 8)
    assert he_std((64, 32, 3, 3)) == pytest.approx(1 / 12)  # sqrt(2 / 288)
    assert xavier_std((4, 4)) == 0.5  # sqrt(2 / 8)


@pytest.mark.parametrize("shape", [(3, 8), (6, 4, 3, 3), (2, 3, 1, 5)])
def test_init_equals_torchs_with_the_same_generator(shape):
    theirs = nn.init.kaiming_normal_(torch.empty(shape), nonlinearity="relu", generator=seeded(2))
    torch.testing.assert_close(he_init(shape, seeded(2)), theirs)
    torch.testing.assert_close(xavier_init(shape, seeded(2)), nn.init.xavier_normal_(torch.empty(shape), generator=seeded(2)))


@pytest.mark.parametrize("shape", [(), (3,)])
def test_a_shape_without_inputs_is_named(shape):
    with pytest.raises(ValueError, match=r"shape must be \(out, in\)"):
        he_std(shape)


def small_model():
    model = nn.Sequential(nn.Linear(3, 4), BatchNorm(4), nn.ReLU(), nn.Linear(4, 2))
    for number, parameter in enumerate(model.parameters()):
        parameter.data = torch.randn(parameter.shape, generator=seeded(number))
    return model


def test_gradient_norms_by_hand():
    model = nn.Linear(2, 2, bias=False)
    model.weight.data.zero_()
    # both classes at 1/2: the gradient of the logits is (-1/2, 1/2), that of the weights its product with the input (3, 4)
    norms = gradient_norms(model, torch.tensor([[3.0, 4.0]]), torch.tensor([0]))
    assert norms.tolist() == pytest.approx([5 / math.sqrt(2)])


def test_gradient_norms_are_fresh_and_leave_out_what_is_no_weight():
    model, x, y = small_model(), torch.randn(6, 3, generator=seeded()), torch.tensor([0, 1, 0, 1, 1, 1])
    first = gradient_norms(model, x, y)
    assert first.shape == (2,)
    assert torch.equal(gradient_norms(model, x, y), first)  # nothing adds up
    model[0].requires_grad_(False)
    frozen = gradient_norms(model, x, y)
    assert frozen[0] == 0
    torch.testing.assert_close(frozen[1], first[1])


def test_gradient_norms_together_equal_the_one_that_torchs_clipping_gives():
    model, x, y = nn.Sequential(nn.Linear(3, 4, bias=False), nn.Linear(4, 2, bias=False)), torch.eye(3), torch.tensor([0, 1, 1])
    norms = gradient_norms(model, x, y)
    torch.testing.assert_close(norms.norm(), nn.utils.clip_grad_norm_(model.parameters(), 1.0))


def test_clip_by_hand():
    (first, second), norm = clip_by_norm([torch.tensor([3.0]), torch.tensor([[4.0]])], 1.0)
    assert norm == 5.0
    torch.testing.assert_close(torch.cat((first, second.flatten())), torch.tensor([0.6, 0.8]))


numbers = st.floats(-50, 50, width=32)


@given(st.lists(st.lists(numbers, max_size=4), max_size=4), st.floats(0.01, 20))
def test_clip_equals_torchs(rows, max_norm):
    gradients = [torch.tensor(row, dtype=torch.float32) for row in rows]
    before = [gradient.clone() for gradient in gradients]
    clipped, norm = clip_by_norm(gradients, max_norm)
    parameters = [nn.Parameter(torch.zeros_like(gradient)) for gradient in gradients]
    for parameter, gradient in zip(parameters, before, strict=True):
        parameter.grad = gradient.clone()
    theirs = nn.utils.clip_grad_norm_(parameters, max_norm)
    assert norm == pytest.approx(theirs.item(), rel=1e-5, abs=1e-6)
    for ours, parameter, old, mine in zip(clipped, parameters, before, gradients, strict=True):
        torch.testing.assert_close(ours, parameter.grad)
        assert torch.equal(mine, old)  # the caller's stay
    assert sum(float((c**2).sum()) for c in clipped) ** 0.5 <= max_norm * (1 + 1e-4)


def test_clip_leaves_short_and_empty_ones_alone():
    clipped, norm = clip_by_norm([torch.tensor([0.3, 0.4]), torch.zeros(2)], 1.0)
    assert torch.equal(clipped[0], torch.tensor([0.3, 0.4]))
    assert norm == pytest.approx(0.5)
    assert clip_by_norm([], 1.0) == ([], 0.0)


@pytest.mark.parametrize("max_norm", [0.0, -1.0, float("nan")])
def test_clip_names_a_length_that_is_none(max_norm):
    with pytest.raises(ValueError, match="max_norm must be above 0"):
        clip_by_norm([torch.ones(1)], max_norm)


def test_deep_network_has_what_was_asked_for():
    model = deep_network(3, nn.Sigmoid, he_scaled, BatchNorm, width=8, inputs=12, classes=5, generator=seeded())
    kinds = [type(layer).__name__ for layer in model]
    assert kinds == ["Flatten", *["Linear", "BatchNorm", "Sigmoid"] * 3, "Linear"]
    assert model(torch.zeros(2, 1, 3, 4)).shape == (2, 5)
    assert (model[1].bias == 0).all()
    assert model[4].weight.std().item() == pytest.approx(0.5, abs=0.1)  # sqrt(2 / 8)


def test_deep_network_is_the_same_for_the_same_generator_and_torchs_own_without_init():
    first, again = (deep_network(2, init=he_scaled, generator=seeded(4)) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True))
    assert deep_network(1)[1].weight.abs().max() <= 1 / 8  # torch's: uniform within 1 / sqrt(64)
    with pytest.raises(ValueError, match="depth must be at least 1, got 0"):
        deep_network(0)


def test_he_keeps_the_spread_through_twenty_relu_layers_and_too_small_weights_do_not():
    x = torch.randn(200, 64, generator=seeded(1))
    outs = {}
    for name, init in (("he", he_scaled), ("small", lambda draws: draws * 0.05)):
        inside = deep_network(20, nn.ReLU, init, width=256, generator=seeded(2))[:-1](x)
        outs[name] = (inside**2).mean().sqrt().item()
    assert 0.3 < outs["he"] < 3  # it began with 1
    assert outs["small"] < 1e-4


def test_gradients_vanish_through_deep_sigmoids():
    x, y = torch.randn(64, 64, generator=seeded(1)), torch.arange(64) % 10
    norms = gradient_norms(deep_network(12, nn.Sigmoid, lambda d: d * xavier_std(d.shape), generator=seeded(2)), x, y)
    assert norms[0] / norms[-1] < 1e-3
    loss = cross_entropy(torch.zeros(1, 10), torch.tensor([3]))
    assert loss.item() == pytest.approx(math.log(10))
