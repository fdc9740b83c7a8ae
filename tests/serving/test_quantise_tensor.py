"""Floats as integers: by hand, beside torch's own and beside ONNX's operator."""

import warnings

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from coursekit.serving.quantise import dequantise_tensor, quantise_tensor

FLOATS = arrays(np.float32, array_shapes(min_dims=1, max_dims=4, max_side=5), elements=st.floats(-1e4, 1e4, width=32))


@pytest.mark.parametrize(
    ("x", "bits", "q", "scale", "zero_point"),
    [
        ([], 8, [], 1.0, -128),
        ([0.0, 0.0], 8, [-128, -128], 1.0, -128),
        ([0.0, 255.0, 127.0], 8, [-128, 127, -1], 1.0, -128),
        ([100.0, 255.0], 8, [-28, 127], 1.0, -128),  # 0 belongs to the range though no value is near it
        ([-255.0, -100.0], 8, [-128, 27], 1.0, 127),
        ([-128.0, 127.0], 8, [-128, 127], 1.0, 0),
        ([-64.0, 191.0, 0.5, 1.5, 2.5], 8, [-128, 127, -64, -62, -62], 1.0, -64),  # a half goes to the even neighbour
        ([-0.5, 254.5, 2.0], 8, [-128, 126, -126], 1.0, -128),  # round(-0.5) is 0
        ([-1.5, 253.5, 0.0], 8, [-128, 127, -126], 1.0, -126),  # 253.5 rounds to 254: 128, cut to 127
        ([0.0, 15.0, 7.5], 4, [-8, 7, 0], 1.0, -8),
        ([-1.0, 2.0], 2, [-2, 1], 1.0, -1),
        ([1e-40, -1e-40], 8, [-128, -128], 1.0, -128),  # as good as 0
    ],
)
def test_by_hand(x, bits, q, scale, zero_point):
    found = quantise_tensor(torch.tensor(x), bits)
    assert (found[0].tolist(), found[1].item(), found[2].item()) == (q, scale, zero_point)
    assert [part.dtype for part in found] == [torch.int8, torch.float32, torch.int64]


@pytest.mark.parametrize(("axis", "shape"), [(None, ()), (0, (2,)), (1, (3,)), (-1, (4,)), (-3, (2,))])
def test_one_scale_for_each_slice(axis, shape):
    x = torch.arange(-12.0, 12.0).reshape(2, 3, 4)
    q, scale, zero_point = quantise_tensor(x, axis=axis)
    assert (q.shape, scale.shape, zero_point.shape) == (x.shape, shape, shape)
    if axis is not None:
        for number, part in enumerate(x.unbind(axis)):
            alone = quantise_tensor(part)
            assert torch.equal(q.select(axis, number), alone[0])
            assert (scale[number], zero_point[number]) == alone[1:]


@pytest.mark.parametrize("shape", [(), (0, 3), (3, 0), (1,)])
def test_odd_shapes(shape):
    x = torch.ones(shape)
    for axis in (None, *range(len(shape))):
        q, scale, _ = quantise_tensor(x, axis=axis)
        assert q.shape == x.shape
        assert scale.shape == (() if axis is None else (shape[axis],))


def difference_but_at_a_half(ours, theirs, x, scale):
    """Levels between two answers, those left out whose value lies on a half as closely as a last bit can tell."""
    part = (x / scale) % 1
    clear = (part - 0.5).abs() > 1e-4
    assert (ours.int() - theirs.int()).abs().max() <= 1
    return (ours.int() - theirs.int())[clear].abs().max().item() if clear.any() else 0


@given(FLOATS)
def test_torch_says_the_same(array):
    x = torch.from_numpy(array)
    q, scale, zero_point = quantise_tensor(x)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # this part of torch moves to a package of its own
        theirs = torch.quantize_per_tensor(x, scale.item(), zero_point.item(), torch.qint8)
    assert difference_but_at_a_half(q, theirs.int_repr(), x, scale) == 0
    assert torch.equal(dequantise_tensor(theirs.int_repr(), scale, zero_point), theirs.dequantize())
    faked = torch.fake_quantize_per_tensor_affine(x, scale.item(), zero_point.item(), -128, 127)
    assert difference_but_at_a_half(q, (faked / scale).round().int() + zero_point, x, scale) == 0


@given(FLOATS, st.integers(0, 3))
def test_torch_says_the_same_for_each_channel(array, axis):
    x = torch.from_numpy(array)
    axis %= x.ndim
    q, scale, zero_point = quantise_tensor(x, axis=axis)
    shape = [-1 if place == axis else 1 for place in range(x.ndim)]
    faked = torch.fake_quantize_per_channel_affine(x, scale, zero_point.int(), axis, -128, 127)
    theirs = (faked / scale.reshape(shape)).round().int() + zero_point.reshape(shape)
    assert difference_but_at_a_half(q, theirs, x, scale.reshape(shape)) == 0


@given(FLOATS, st.booleans())
def test_a_step_is_the_most_that_is_lost_and_zero_stays_zero(array, each):
    x = torch.from_numpy(array)
    axis = 0 if each else None
    q, scale, zero_point = quantise_tensor(x, axis=axis)
    back = dequantise_tensor(q, scale, zero_point, axis)
    widest = scale.reshape([-1] + [1] * (x.ndim - 1)) if each else scale
    # the range is moved by the rounding of the zero point, so at its very ends half a step more may be cut
    assert ((back - x).abs() <= 1.001 * widest).all()
    assert (back[x == 0] == 0).all()


def test_onnx_says_the_same():
    onnx, onnxruntime = pytest.importorskip("onnx"), pytest.importorskip("onnxruntime")
    x = torch.randn(16, 8, 3, 3, generator=torch.Generator().manual_seed(0)) * torch.logspace(-3, 3, 16)[:, None, None, None]
    text = """<ir_version: 8, opset_import: ["": 13]> g (float[a, b, c, d] x, float[a] scale, int8[a] zero) => (int8[a, b, c, d] q)
        { q = QuantizeLinear<axis = 0>(x, scale, zero) }"""
    session = onnxruntime.InferenceSession(onnx.parser.parse_model(text).SerializeToString(), providers=["CPUExecutionProvider"])
    q, scale, zero_point = quantise_tensor(x, axis=0)
    (theirs,) = session.run(None, {"x": x.numpy(), "scale": scale.numpy(), "zero": zero_point.to(torch.int8).numpy()})
    assert torch.equal(q, torch.from_numpy(theirs))


@pytest.mark.parametrize(
    ("x", "settings", "says"),
    [
        (torch.ones(2, dtype=torch.int64), {}, "x must be floats, got torch.int64"),
        (torch.ones(2), {"bits": 9}, r"bits must lie in 2\.\.8, got 9"),
        (torch.ones(2), {"bits": 1}, r"bits must lie in 2\.\.8, got 1"),
        (torch.ones(2), {"axis": 1}, "axis must be one of the 1 of x, got 1"),
        (torch.ones(()), {"axis": 0}, "axis must be one of the 0 of x, got 0"),
        (torch.tensor([1.0, float("nan")]), {}, "x must be finite"),
        (torch.tensor([1.0, -float("inf")]), {}, "x must be finite"),
        (torch.tensor([3e38, -3e38]), {}, "x must be finite"),
    ],
)
def test_it_refuses(x, settings, says):
    with pytest.raises(ValueError, match=says):
        quantise_tensor(x, **settings)
