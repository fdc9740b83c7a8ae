"""The great ideas as functions: by hand, and beside the modules that the networks are built of."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from coursekit.models.blocks import dense_block, residual_block, residual_chain, squeeze_excite
from coursekit.models.layers import SqueezeExcite


def drawn(*shapes, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(shape, generator=generator) for shape in shapes]


def test_a_residual_block_of_zeros_passes_what_is_positive():
    x = torch.tensor([[[[-1.0, 2.0]]]])
    assert residual_block(x, torch.zeros(3, 1, 3, 3), torch.zeros(1, 3, 3, 3)).flatten().tolist() == [0.0, 2.0]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 3), st.integers(1, 3), st.integers(1, 2), st.integers(1, 6))
def test_residual_block_equals_torchs_layers(seed, channels, out, stride, side):
    x, w1, w2, short = drawn((2, channels, side, side + 1), (2, channels, 3, 3), (out, 2, 3, 3), (out, channels, 1, 1), seed=seed)
    conv1, conv2 = nn.Conv2d(channels, 2, 3, stride, 1, bias=False), nn.Conv2d(2, out, 3, 1, 1, bias=False)
    around = nn.Conv2d(channels, out, 1, stride, bias=False)
    with torch.no_grad():
        for layer, weight in ((conv1, w1), (conv2, w2), (around, short)):
            layer.weight.copy_(weight)
        expected = torch.relu(around(x) + conv2(torch.relu(conv1(x))))
    torch.testing.assert_close(residual_block(x, w1, w2, short, stride), expected)


def test_a_residual_block_that_changes_the_shape_needs_a_shortcut():
    x, w1, w2 = drawn((1, 2, 4, 4), (3, 2, 3, 3), (5, 3, 3, 3))
    with pytest.raises(ValueError, match=r"shortcut must bring \(1, 2, 4, 4\) to \(1, 5, 4, 4\), got \(1, 2, 4, 4\)"):
        residual_block(x, w1, w2)


def test_a_chain_is_its_blocks_one_after_another():
    x, *kernels = drawn((1, 2, 3, 3), *[(2, 2, 3, 3)] * 4)
    assert torch.equal(residual_chain(x, []), x)
    two = residual_block(residual_block(x, *kernels[:2]), *kernels[2:])
    torch.testing.assert_close(residual_chain(x, [kernels[:2], kernels[2:]]), two)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 5), st.integers(1, 3))
def test_squeeze_excite_equals_the_networks_module(seed, channels, squeezed):
    x, w1, b1, w2, b2 = drawn((2, channels, 3, 4), (squeezed, channels), (squeezed,), (channels, squeezed), (channels,), seed=seed)
    module = SqueezeExcite(channels, squeezed)
    with torch.no_grad():
        module.squeeze.weight.copy_(w1[:, :, None, None])
        module.squeeze.bias.copy_(b1)
        module.excite.weight.copy_(w2[:, :, None, None])
        module.excite.bias.copy_(b2)
        torch.testing.assert_close(squeeze_excite(x, w1, b1, w2, b2), module(x))


def test_squeeze_excite_refuses_layers_that_do_not_fit():
    x, w1, b1, w2, b2 = drawn((1, 3, 2, 2), (2, 4), (2,), (3, 2), (3,))
    with pytest.raises(ValueError, match=r"got \(1, 3, 2, 2\), \(2, 4\) and \(3, 2\)"):
        squeeze_excite(x, w1, b1, w2, b2)


def test_dense_block_by_hand():
    x = torch.ones(1, 1, 1, 1)
    centre = torch.zeros(1, 1, 3, 3)
    centre[0, 0, 1, 1] = 2.0
    both = torch.zeros(1, 2, 3, 3)
    both[0, :, 1, 1] = torch.tensor([1.0, -3.0])
    assert dense_block(x, []).flatten().tolist() == [1.0]
    assert dense_block(x, [centre]).flatten().tolist() == [1.0, 2.0]
    assert dense_block(x, [centre, both]).flatten().tolist() == [1.0, 2.0, 0.0]  # 1 - 6 is below 0
