"""Efficient pieces by hand and beside torch's; the stopwatch on a clock that we wind."""

import time

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from coursekit.exercises.n10_efficient_more import Machine
from coursekit.models.cost import layer_costs
from coursekit.models.efficient import choose_batch, conv_cost, inverted_residual, latency, layer_seconds, separable_conv, typical_seconds
from coursekit.models.mobilenet_v2 import InvertedResidual


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((3, 64, 3, 32, 32), (1728, 1728 * 1024)),
        ((3, 64, 3, 32, 32, 2), (1728, 1728 * 256)),
        ((3, 3, 3, 5, 5, 2, 3, True), (27 + 3, 27 * 9)),
        ((1, 1, 1, 1, 1), (1, 1)),
    ],
    ids=["the plan's example", "stride 2", "depthwise, odd side, bias", "the smallest"],
)
def test_conv_cost_by_hand(arguments, expected):
    assert conv_cost(*arguments) == expected


@settings(max_examples=60, deadline=None)
@given(*[st.integers(1, 4)] * 3, st.sampled_from([1, 3, 5]), st.integers(1, 9), st.integers(1, 9), st.integers(1, 3), st.booleans())
def test_conv_cost_equals_what_torchs_layer_holds_and_does(groups, a, b, kernel, height, width, stride, bias):
    layer = nn.Conv2d(a * groups, b * groups, kernel, stride, kernel // 2, groups=groups, bias=bias)
    [row] = layer_costs(layer, (a * groups, height, width))
    assert conv_cost(a * groups, b * groups, kernel, height, width, stride, groups, bias) == (row.parameters, row.multiply_adds)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"in_channels": 0}, "in_channels must be at least 1, got 0"),
        ({"kernel": 2}, "kernel must be odd and above 0, got 2"),
        ({"groups": 2}, "groups must divide in_channels and out_channels, got 2, 3 and 4"),
        ({"stride": 0}, "stride must be at least 1, got 0"),
    ],
)
def test_conv_cost_refuses(change, message):
    arguments = {"in_channels": 3, "out_channels": 4, "kernel": 3, "height": 5, "width": 5}
    with pytest.raises(ValueError, match=message):
        conv_cost(**{**arguments, **change})


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 4), st.integers(1, 4), st.sampled_from([1, 3, 5]), st.integers(1, 7), st.integers(1, 2))
def test_separable_conv_equals_two_layers_of_torch(seed, channels, out, kernel, side, stride):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(2, channels, side, side + 1, generator=generator)
    depthwise = torch.randn(channels, 1, kernel, kernel, generator=generator)
    pointwise = torch.randn(out, channels, 1, 1, generator=generator)
    first = nn.Conv2d(channels, channels, kernel, stride, kernel // 2, groups=channels, bias=False)
    second = nn.Conv2d(channels, out, 1, bias=False)
    with torch.no_grad():
        first.weight.copy_(depthwise)
        second.weight.copy_(pointwise)
        torch.testing.assert_close(separable_conv(x, depthwise, pointwise, stride), second(first(x)))


def test_a_separable_convolution_is_a_regular_one_with_a_kernel_of_rank_one():
    """Its full kernel is the outer product: so a regular convolution can do all that it can, and more."""
    generator = torch.Generator().manual_seed(0)
    x, depthwise = torch.randn(1, 3, 6, 6, generator=generator), torch.randn(3, 1, 3, 3, generator=generator)
    pointwise = torch.randn(4, 3, 1, 1, generator=generator)
    full = pointwise * depthwise[None, :, 0]  # (4, 3, 3, 3)
    torch.testing.assert_close(
        separable_conv(x, depthwise, pointwise), torch.nn.functional.conv2d(x, full, padding=1), rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize(("out", "stride"), [(4, 1), (5, 1), (4, 2)])
def test_inverted_residual_equals_the_networks_block_without_normalisation(out, stride):
    block = InvertedResidual(4, 12, out, stride=stride).eval()  # fresh: mean 0, variance 1, so its norms divide by sqrt(1 + eps)
    x = torch.randn(2, 4, 6, 7, generator=torch.Generator().manual_seed(0)) * 3
    weights = [module.weight for module in block.modules() if isinstance(module, nn.Conv2d)]
    with torch.no_grad():
        torch.testing.assert_close(inverted_residual(x, *weights, stride), block(x), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: separable_conv(x[0], torch.zeros(3, 1, 3, 3), torch.zeros(2, 3, 1, 1)), "x, depthwise and pointwise must be"),
        (lambda x: separable_conv(x, torch.zeros(1, 1, 3, 3), torch.zeros(2, 3, 1, 1)), r"got \(1, 3, 4, 4\), \(1, 1, 3, 3\)"),
        (lambda x: inverted_residual(x, torch.zeros(6, 2, 1, 1), torch.zeros(6, 1, 3, 3), torch.zeros(3, 6, 1, 1)), "x and expand must be"),
        (
            lambda x: inverted_residual(x, torch.zeros(6, 3, 1, 1), torch.zeros(5, 1, 3, 3), torch.zeros(3, 6, 1, 1)),
            r"must be \(6, 1, k, k\)",
        ),
        (lambda x: typical_seconds(lambda: None, -1), "warmup must be at least 0"),
        (lambda x: typical_seconds(lambda: None, repeats=0), "repeats at least 1, got 3 and 0"),
    ],
)
def test_what_does_not_fit_is_said(call, message):
    with pytest.raises(ValueError, match=message):
        call(torch.zeros(1, 3, 4, 4))


@pytest.mark.parametrize(
    ("durations", "warmup", "repeats", "expected"),
    [([9, 5, 1, 2, 3], 2, 3, 2), ([1, 1, 2, 3, 50, 4], 1, 5, 3), ([7, 1, 2, 4, 9], 1, 4, 3), ([5], 0, 1, 5)],
    ids=["warm-up left out", "one slow call", "even number", "once"],
)
def test_typical_seconds_on_a_clock_of_our_own(durations, warmup, repeats, expected):
    machine = Machine(durations)
    assert typical_seconds(machine.run, warmup, repeats, machine.clock) == expected
    assert machine.calls == warmup + repeats


def test_latency_runs_in_eval_mode_without_gradients():
    seen = []

    class Spy(nn.Module):
        def forward(self, x):
            seen.append((self.training, torch.is_grad_enabled()))
            return x

    assert latency(Spy().train(), torch.zeros(1, 3, 2, 2), warmup=1, repeats=2) >= 0
    assert seen == [(False, False)] * 3


@pytest.mark.parametrize(
    ("sizes", "seconds", "limit", "expected"),
    [
        ([], [], 1.0, None),
        ([1, 2], [3.0, 4.0], 2.0, None),
        ([1, 2, 4, 8], [1.0, 1.25, 2.0, 3.90625], 9.0, 4),
        ([8, 4, 2, 1], [3.90625, 2.0, 1.25, 1.0], 9.0, 4),
        ([1, 2, 4, 8], [1.0, 1.5, 2.5, 4.0], 2.0, 2),
        ([1, 4], [1.0, 2.0], 2.0, 4),
        ([9, 20], [1.0, 2.0], 5.0, 9),
    ],
    ids=["nothing timed", "none in time", "the bend", "any order", "the best is too slow", "just in time", "nine tenths"],
)
def test_choose_batch_by_hand(sizes, seconds, limit, expected):
    assert choose_batch(sizes, seconds, limit) == expected


def test_choose_batch_refuses():
    with pytest.raises(ValueError, match="sizes and seconds must be equally many, got 2 and 1"):
        choose_batch([1, 2], [1.0], 1.0)
    with pytest.raises(ValueError, match=r"sizes and seconds must be above 0, got \[1\] and \[0.0\]"):
        choose_batch([1], [0.0], 1.0)


def test_layer_seconds_has_each_layer_once_and_leaves_the_model_alone():
    again = nn.ReLU()
    model = nn.Sequential(nn.Conv2d(3, 4, 3), again, nn.Sequential(nn.BatchNorm2d(4), again))
    found = layer_seconds(model, torch.rand(1, 3, 8, 8), repeats=3)
    assert list(found) == ["0", "1", "2.0"]
    assert all(seconds > 0 for seconds in found.values())
    assert not any(layer._forward_hooks or layer._forward_pre_hooks for layer in model.modules())


def test_layer_seconds_finds_the_slow_one():
    class Sleeper(nn.Module):
        def forward(self, x):
            time.sleep(0.01)
            return x

    found = layer_seconds(nn.Sequential(nn.ReLU(), Sleeper()), torch.rand(1, 1, 2, 2), repeats=3)
    assert found["1"] >= 0.01 > found["0"]


def test_layer_seconds_refuses_no_repeats():
    with pytest.raises(ValueError, match="repeats must be at least 1, got 0"):
        layer_seconds(nn.ReLU(), torch.rand(1, 1, 2, 2), repeats=0)
