"""Every form of convolution and pooling is held equal to torch's; sizes and fields are worked by hand and measured."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from coursekit.models.convolution import (
    KERNELS,
    avg_pool2d,
    conv1d,
    conv2d,
    conv2d_by_planes,
    conv2d_loops,
    input_gradient,
    max_pool2d,
    named_kernel,
    output_size,
    receptive_field,
    windows,
)

STEP = torch.tensor([[1.0, 1, 5, 5], [1, 1, 5, 5], [1, 1, 5, 5], [1, 1, 1, 1]])
COLUMNS = torch.tensor([[-1.0, 0, 1]] * 3)


def whole(*shape, seed=0):
    """Small whole numbers as floats: sums are exact, ties and zeros are common."""
    return torch.randint(-3, 4, shape, generator=torch.Generator().manual_seed(seed)).float()


# --- output_size


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((0, 1), 0),
        ((1, 1), 1),
        ((32, 5), 28),
        ((32, 5, 1, 2), 32),
        ((28, 2, 2), 14),
        ((7, 3, 2), 3),
        ((8, 3, 2), 3),
        ((224, 7, 2, 3), 112),
        ((32, 3, 1, 0, 2), 28),
        ((32, 3, 1, 2, 2), 32),
        ((4, 5), 0),
        ((1, 5, 2), 0),
        ((2, 3, 1, 0, 9), 0),
        ((0, 3, 1, 1), 0),
        ((1, 3, 1, 1), 1),
    ],
)
def test_output_size_by_hand(arguments, expected):
    assert output_size(*arguments) == expected


@given(st.integers(1, 12), st.integers(1, 5), st.integers(1, 4), st.integers(0, 3), st.integers(1, 3))
def test_output_size_is_what_torch_gives(size, kernel, stride, padding, dilation):
    expected = output_size(size, kernel, stride, padding, dilation)
    signal, weight = torch.zeros(1, 1, size), torch.zeros(1, 1, kernel)
    if expected:
        assert F.conv1d(signal, weight, stride=stride, padding=padding, dilation=dilation).shape[2] == expected
    else:
        with pytest.raises(RuntimeError):
            F.conv1d(signal, weight, stride=stride, padding=padding, dilation=dilation)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((-1, 3), "size must be at least 0, got -1"),
        ((5, 0), "kernel must be at least 1, got 0"),
        ((5, 3, 0), "stride must be at least 1, got 0"),
        ((5, 3, 1, -1), "padding must be at least 0, got -1"),
        ((5, 3, 1, 0, 0), "dilation must be at least 1, got 0"),
    ],
)
def test_output_size_names_what_is_too_small(arguments, message):
    with pytest.raises(ValueError, match=message):
        output_size(*arguments)


# --- conv1d


@pytest.mark.parametrize(
    ("signal", "kernel", "stride", "padding", "expected"),
    [
        ([2, 4, 6, 2, 0], [1, 1, 1], 1, 0, [12, 12, 8]),
        ([1, 1, 1, 5, 5, 5], [-1, 0, 1], 1, 0, [0, 4, 4, 0]),
        ([0, 0, 1, 0, 0], [1, 2, 3], 1, 0, [3, 2, 1]),
        ([1, 2, 3, 4, 5], [1], 2, 0, [1, 3, 5]),
        ([5], [1, 2, 3], 1, 1, [10]),
        ([1, 2, 3, 4], [1, 1], 3, 1, [1, 7]),
    ],
    ids=["sum of three", "an edge", "an impulse gives the kernel reversed", "stride", "padding", "padding and stride, with a rest"],
)
def test_conv1d_by_hand(signal, kernel, stride, padding, expected):
    got = conv1d(torch.tensor(signal).float(), torch.tensor(kernel).float(), stride, padding)
    assert got.tolist() == expected


@given(st.integers(1, 9), st.integers(1, 4), st.integers(1, 3), st.integers(0, 2), st.integers(0, 99))
def test_conv1d_equals_torch_and_numpy_correlate(length, taps, stride, padding, seed):
    signal, kernel = whole(length, seed=seed), whole(taps, seed=seed + 1)
    if output_size(length, taps, stride, padding) == 0:
        return
    got = conv1d(signal, kernel, stride, padding)
    assert torch.equal(got, F.conv1d(signal[None, None], kernel[None, None], stride=stride, padding=padding)[0, 0])
    if taps <= length and padding == 0:
        assert got.tolist() == np.correlate(signal.numpy(), kernel.numpy(), "valid")[::stride].tolist()


# --- conv2d


def test_conv2d_loops_by_hand():
    assert conv2d_loops(STEP, COLUMNS).tolist() == [[12, 12], [8, 8]]
    assert conv2d_loops(torch.full((3, 3), 9.0), torch.full((3, 3), 1 / 9), padding=1).round(decimals=4).tolist() == [
        [4, 6, 4],
        [6, 9, 6],
        [4, 6, 4],
    ]


sizes = st.tuples(st.integers(1, 7), st.integers(1, 7))
taps = st.tuples(st.integers(1, 3), st.integers(1, 3))
settings_of = st.tuples(st.integers(1, 3), st.integers(0, 2), st.integers(1, 2))  # stride, padding, dilation


def fits(size, kernel, how):
    return all(output_size(s, k, *how) for s, k in zip(size, kernel, strict=True))


@given(sizes, taps, settings_of, st.integers(0, 99))
def test_conv2d_loops_equals_torch(size, kernel, how, seed):
    if not fits(size, kernel, how):
        return
    image, weight = whole(*size, seed=seed), whole(*kernel, seed=seed + 1)
    stride, padding, dilation = how
    expected = F.conv2d(image[None, None], weight[None, None], stride=stride, padding=padding, dilation=dilation)[0, 0]
    assert torch.equal(conv2d_loops(image, weight, *how), expected)


@given(sizes, taps, settings_of, st.integers(0, 2), st.sampled_from([(1, 1, 1), (2, 3, 1), (4, 2, 2), (3, 6, 3)]), st.booleans())
def test_conv2d_and_its_readable_twin_equal_torch(size, kernel, how, count, channels, with_bias):
    if not fits(size, kernel, how):
        return
    into, out, groups = channels
    images, weight = whole(count, into, *size), whole(out, into // groups, *kernel, seed=1)
    bias = whole(out, seed=2) if with_bias else None
    stride, padding, dilation = how
    expected = F.conv2d(images, weight, bias, stride, padding, dilation, groups)
    assert torch.equal(conv2d(images, weight, bias, *how, groups), expected)
    assert torch.equal(conv2d_by_planes(images, weight, bias, *how, groups), expected)


def test_conv2d_is_within_a_hundred_thousandth_of_torch_on_fractions():
    generator = torch.Generator().manual_seed(0)
    images, weight = torch.randn(2, 16, 20, 24, generator=generator), torch.randn(8, 16, 5, 5, generator=generator) / 20
    torch.testing.assert_close(conv2d(images, weight, padding=2), F.conv2d(images, weight, padding=2), rtol=0, atol=1e-5)


def test_conv2d_gives_torchs_gradients():
    images, weight, bias = whole(2, 3, 6, 5), whole(4, 3, 3, 2, seed=1), whole(4, seed=2)
    gradients = []
    for function in (conv2d, conv2d_by_planes, F.conv2d):
        given = [t.clone().requires_grad_() for t in (images, weight, bias)]
        (function(*given, stride=2, padding=1) ** 2).sum().backward()
        gradients.append([t.grad for t in given])
    for ours in gradients[:2]:
        assert all(torch.equal(a, b) for a, b in zip(ours, gradients[2], strict=True))


def test_convolution_moves_with_the_image():
    image, kernel = torch.zeros(1, 1, 9, 9), whole(1, 1, 3, 3)
    image[0, 0, 2:5, 2:5] = whole(3, 3, seed=3)
    moved = image.roll((2, 1), dims=(2, 3))
    assert torch.equal(conv2d(moved, kernel, padding=1), conv2d(image, kernel, padding=1).roll((2, 1), dims=(2, 3)))


def test_windows_are_a_view():
    images = whole(2, 3, 8, 8)
    seen = windows(images, (3, 2), stride=2, dilation=2)
    assert seen.shape == (2, 3, 2, 3, 3, 2)
    assert seen.untyped_storage().data_ptr() == images.untyped_storage().data_ptr()
    assert torch.equal(seen[1, 2, 1, 0], images[1, 2, 2:7:2, 0:3:2])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: conv1d(torch.zeros(2, 2), torch.zeros(1)), r"signal must have shape \(N,\), got \(2, 2\)"),
        (lambda: conv1d(torch.zeros(2), torch.zeros(3)), r"kernel of \(3,\) fits nowhere in \(2,\)"),
        (lambda: conv2d_loops(torch.zeros(1, 3, 3), COLUMNS), r"image must have shape \(H, W\), got \(1, 3, 3\)"),
        (lambda: conv2d_loops(STEP, torch.zeros(3)), r"kernel must have shape \(H, W\), got \(3,\)"),
        (lambda: conv2d_loops(STEP, COLUMNS, dilation=2), r"fits nowhere in \(4, 4\) with padding 0 and dilation 2"),
        (lambda: conv2d(STEP, COLUMNS[None, None]), r"images must have shape \(N, C, H, W\), got \(4, 4\)"),
        (lambda: conv2d(torch.zeros(1, 3, 4, 4), torch.zeros(2, 1, 3, 3)), r"weight must .* with C = 3, groups = 1"),
        (lambda: conv2d(torch.zeros(1, 4, 4, 4), torch.zeros(3, 2, 3, 3), groups=2), "O a multiple of groups"),
        (lambda: conv2d(torch.zeros(1, 1, 4, 4), torch.zeros(2, 1, 3, 3), torch.zeros(3)), r"bias must have shape \(2,\), got \(3,\)"),
        (lambda: conv2d_by_planes(torch.zeros(1, 1, 2, 2), torch.zeros(2, 1, 3, 3)), "fits nowhere"),
        (lambda: max_pool2d(STEP, 2), r"images must have shape \(N, C, H, W\), got \(4, 4\)"),
        (lambda: avg_pool2d(torch.zeros(1, 1, 2, 5), 3), "fits nowhere"),
        (lambda: named_kernel("canny"), "name must be one of identity, blur"),
        (lambda: receptive_field([(3,)]), r"got \(3,\)"),
        (lambda: receptive_field([(3, 0)]), r"each at least 1, got \(3, 0\)"),
    ],
)
def test_what_does_not_fit_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# --- pooling


def test_pooling_by_hand():
    images = torch.tensor([[1.0, 3, 2, 0], [5, 2, 1, 1], [0, 0, 7, 4], [0, 1, 3, 8]])[None, None]
    assert max_pool2d(images, 2).tolist() == [[[[5, 2], [1, 8]]]]
    assert avg_pool2d(images, 2).tolist() == [[[[2.75, 1], [0.25, 5.5]]]]


@given(st.integers(0, 2), st.integers(1, 3), sizes, st.integers(1, 4), st.one_of(st.none(), st.integers(1, 4)))
def test_pooling_equals_torch(count, channels, size, kernel, stride):
    if min(size) < kernel:
        return
    images = whole(count, channels, *size)
    assert torch.equal(max_pool2d(images, kernel, stride), F.max_pool2d(images, kernel, stride))
    torch.testing.assert_close(avg_pool2d(images, kernel, stride), F.avg_pool2d(images, kernel, stride))


def test_equal_largest_numbers_share_the_gradient_where_torch_gives_it_to_the_first():
    gradients = []
    for function in (max_pool2d, F.max_pool2d):
        images = torch.tensor([[[[2.0, 2.0], [0.0, 1.0]]]], requires_grad=True)
        function(images, 2).sum().backward()
        gradients.append(images.grad[0, 0].tolist())
    assert gradients == [[[0.5, 0.5], [0, 0]], [[1, 0], [0, 0]]]


# --- the receptive field


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        ([], 1),
        ([(1, 1)], 1),
        ([(3, 1)], 3),
        ([(3, 1), (3, 1)], 5),
        ([(3, 1)] * 3, 7),
        ([(3, 2), (3, 1)], 7),
        ([(3, 1), (3, 2)], 5),
        ([(3, 1, 2)], 5),
        ([(5, 1), (2, 2), (5, 1), (2, 2)], 16),
        ([(5, 1), (2, 2), (5, 1), (2, 2), (5, 1)], 32),
    ],
)
def test_receptive_field_by_hand(layers, expected):
    assert receptive_field(layers) == expected


layer = st.tuples(st.integers(1, 4), st.integers(1, 3), st.integers(1, 2))


@given(st.lists(layer, max_size=3))
def test_receptive_field_is_what_the_gradient_reaches(layers):
    field = receptive_field(layers)
    image = torch.ones(1, 1, 1, field, requires_grad=True)
    x = image
    for kernel, stride, dilation in layers:
        x = F.conv2d(x, torch.ones(1, 1, 1, kernel), stride=(1, stride), dilation=(1, dilation))
    assert x.shape[3] == 1  # exactly one place sees exactly all of it
    x.sum().backward()
    reached = image.grad[0, 0, 0].nonzero()[:, 0]
    assert (int(reached[0]), int(reached[-1])) == (0, field - 1)


def test_input_gradient_is_zero_where_the_place_does_not_look():
    weight = torch.ones(2, 1, 3, 3)
    seen = input_gradient(lambda x: F.conv2d(x, weight, stride=2), torch.zeros(3, 1, 9, 9), 1, 2)
    expected = torch.zeros(9, 9)
    expected[2:5, 4:7] = 6  # two channels of three images
    assert torch.equal(seen, expected)


# --- named kernels


def test_named_kernels_keep_or_remove_the_mean():
    sums = {name: round(named_kernel(name).sum().item(), 4) for name in KERNELS}
    assert sums == {"identity": 1, "blur": 1, "sharpen": 1, "sobel_x": 0, "sobel_y": 0, "outline": 0, "emboss": 1}
    assert torch.equal(named_kernel("sobel_x").T, named_kernel("sobel_y"))
