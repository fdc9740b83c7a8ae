import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from coursekit.yolo import YOLO, load_shipped, predict
from coursekit.yolo import fuse as fuse_model
from coursekit.yolo.fuse import FusedConv, fold, fuse
from coursekit.yolo.layers import Conv


def lively(module, seed=0):
    """With running statistics and kernels as a training might have left them: none is 0, none is 1."""
    generator = torch.Generator().manual_seed(seed)
    for name, value in module.state_dict().items():
        if name.endswith("running_var"):
            value.copy_(torch.rand(value.shape, generator=generator) + 0.3)
        elif name.endswith(("running_mean", "norm.bias")):
            value.copy_(torch.randn(value.shape, generator=generator) * 0.3)
        elif name.endswith("norm.weight"):
            value.copy_(torch.rand(value.shape, generator=generator) + 0.5)
    return module.eval()


def scenes(count, height, width, seed=0):
    return torch.randint(0, 256, (count, 3, height, width), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)


def test_folding_by_hand():
    """gain = 3 / sqrt(4) = 1.5 (eps left out): kernel 2 * 1.5, bias 7 - 5 * 1.5."""
    conv, norm = torch.nn.Conv2d(1, 1, 1, bias=False), torch.nn.BatchNorm2d(1, eps=0.0)
    for value, number in ((conv.weight, 2.0), (norm.weight, 3.0), (norm.bias, 7.0), (norm.running_mean, 5.0), (norm.running_var, 4.0)):
        value.data.fill_(number)
    one = fold(conv, norm)
    assert (one.weight.item(), one.bias.item()) == (3.0, -0.5)


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    channels=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    kernel=st.sampled_from([1, 3]),
    stride=st.sampled_from([1, 2]),
    onednn=st.booleans(),
)
def test_a_folded_brick_says_what_the_brick_said(seed, channels, kernel, stride, onednn):
    brick = lively(Conv(*channels, kernel=kernel, stride=stride), seed)
    x = torch.randn(2, channels[0], 7, 9, generator=torch.Generator().manual_seed(seed))
    one = FusedConv(fold(brick.conv, brick.norm), act=True, onednn=onednn).requires_grad_(False)
    with torch.no_grad():
        torch.testing.assert_close(one(x.contiguous(memory_format=torch.channels_last)), brick(x), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("size", ["n", "s", "m"])
def test_a_fused_model_says_the_same_at_any_size_and_the_model_is_left_alone(size):
    torch.manual_seed(0)
    model = lively(YOLO(3, size))
    before = copy.deepcopy(model.state_dict())
    fused = fuse(model)
    for count, height, width in ((1, 64, 96), (3, 32, 32), (2, 128, 64)):
        images = scenes(count, height, width)
        with torch.no_grad():
            expected, got, of_floats = model(images), fused(images), fused(images / 255)
        assert expected.logits.std() > 0.1  # so that there is something to be equal to
        for name in ("logits", "sides", "centres", "strides"):
            torch.testing.assert_close(getattr(got, name), getattr(expected, name), atol=1e-4, rtol=0)
            torch.testing.assert_close(getattr(of_floats, name), getattr(expected, name), atol=1e-4, rtol=0)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in fused.modules())


def test_the_shipped_detector_finds_the_same_signs():
    from coursekit.data.signs import SignScenes

    model, world = load_shipped(), SignScenes(6, seed=7)
    images = [world[index][0] for index in range(6)]
    said = predict(model, images)
    assert sum(map(len, said)) > 3
    for expected, got in zip(said, predict(fuse(model), images), strict=True):
        assert got.labels.tolist() == expected.labels.tolist()
        torch.testing.assert_close(got.scores, expected.scores, atol=1e-4, rtol=0)
        torch.testing.assert_close(got.boxes, expected.boxes, atol=1e-2, rtol=0)  # pixels


def test_without_onednn_it_is_the_same(monkeypatch):
    import sys

    monkeypatch.setattr(sys.modules["coursekit.yolo.fuse"], "_onednn_has", lambda precision: False)
    model = load_shipped()
    fused = fuse(model)
    assert not any(module.onednn for module in fused.modules() if isinstance(module, FusedConv))
    images = scenes(1, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(fused(images).logits, model(images).logits, atol=1e-4, rtol=0)


def test_bfloat16_is_near_and_speaks_float32():
    model = load_shipped()
    images = scenes(1, 96, 96)
    with torch.no_grad():
        expected, got = model(images), fuse(model, "bfloat16")(images)
    assert got.logits.dtype == got.sides.dtype == torch.float32
    assert 0 < (got.logits.sigmoid() - expected.logits.sigmoid()).abs().max() < 0.1


def test_it_stays_in_eval_mode_and_what_it_keeps_does_not_disturb_a_training():
    model = YOLO(2, "n")
    fused = fuse(model)
    assert not fused.train().training
    with torch.inference_mode():
        fused(scenes(1, 32, 32))
    raw = fused(scenes(1, 32, 32))  # the centres were kept from inference mode
    (raw.centres * torch.ones(1, requires_grad=True)).sum().backward()


def test_a_wrong_precision_or_shape_is_named():
    with pytest.raises(ValueError, match="precision must be one of float32, bfloat16, got 'float16'"):
        fuse(YOLO(1), "float16")
    with pytest.raises(ValueError, match=r"images must have shape \(B, 3, H, W\), H and W multiples of 32, got \(1, 3, 33, 32\)"):
        fuse(YOLO(1))(torch.zeros(1, 3, 33, 32))


def test_the_package_offers_it():
    assert fuse_model is fuse
