import pytest
import torch
import torchvision
from torch import nn
from torch.nn.functional import channel_shuffle as torch_shuffle

from coursekit.models.layers import (
    Classifier,
    ConvNormAct,
    Pixels,
    SqueezeExcite,
    channel_shuffle,
    check_choice,
    initialise_for_relu,
    make_divisible,
    without_first_halving,
)


def test_pixels_scales_whole_numbers_and_takes_floats_as_they_are():
    images = torch.tensor([0, 51, 255], dtype=torch.uint8).reshape(3, 1, 1, 1).expand(3, 3, 1, 1)
    pixels = Pixels([0.5, 0.0, 0.2], [0.25, 1.0, 0.1])
    expected = torch.tensor([[-2.0, 0.0, -2.0], [-1.2, 0.2, 0.0], [2.0, 1.0, 8.0]]).reshape(3, 3, 1, 1)
    torch.testing.assert_close(pixels(images), expected)
    torch.testing.assert_close(pixels(images / 255), expected)


def test_pixels_of_one_channel_and_of_imagenet():
    assert Pixels(0.5, 0.25)(torch.full((2, 1, 3, 3), 0.75)).unique().tolist() == [1.0]
    torch.testing.assert_close(Pixels()(torch.tensor([0.485, 0.456, 0.406]).reshape(1, 3, 1, 1)), torch.zeros(1, 3, 1, 1))


@pytest.mark.parametrize(("mean", "std"), [([0.5, 0.5], 0.5), (0.5, 0.0)])
def test_pixels_names_what_is_wrong(mean, std):
    with pytest.raises(ValueError, match="mean and std must be of one length and std not 0"):
        Pixels(mean, std)


@pytest.mark.parametrize(("side", "stride", "expected"), [(1, 1, 1), (7, 1, 7), (1, 2, 1), (7, 2, 4), (8, 2, 4)])
@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_conv_norm_act_keeps_or_halves_and_rounds_up(side, stride, expected, kernel):
    assert ConvNormAct(3, 4, kernel, stride).eval()(torch.zeros(1, 3, side, side)).shape == (1, 4, expected, expected)


def test_conv_norm_act_without_activation_goes_below_zero_and_with_groups_channels_do_not_meet():
    layer = ConvNormAct(4, 4, 3, groups=4, act=None).eval()
    x = torch.randn(1, 4, 5, 5, generator=torch.Generator().manual_seed(0))
    assert (layer(x) < 0).any()
    changed = x.clone()
    changed[:, 0] += 1
    assert (layer(changed) != layer(x)).flatten(2).any(dim=2)[0].tolist() == [True, False, False, False]


def test_squeeze_excite_equals_torchvision():
    torch.manual_seed(0)
    ours, theirs = SqueezeExcite(8, 2), torchvision.ops.SqueezeExcitation(8, 2)
    names = {"fc1": "squeeze", "fc2": "excite"}
    ours.load_state_dict({names[k.partition(".")[0]] + "." + k.partition(".")[2]: v for k, v in theirs.state_dict().items()})
    x = torch.randn(3, 8, 5, 4)
    torch.testing.assert_close(ours(x), theirs(x))


def test_squeeze_excite_only_scales_channels():
    x = torch.rand(2, 6, 4, 4) + 1
    ratio = SqueezeExcite(6, 3)(x) / x
    torch.testing.assert_close(ratio, ratio[:, :, :1, :1].expand_as(ratio))
    assert ((ratio > 0) & (ratio < 1)).all()


@pytest.mark.parametrize(
    ("channels", "groups", "order"),
    [(1, 1, [0]), (6, 1, [0, 1, 2, 3, 4, 5]), (6, 2, [0, 3, 1, 4, 2, 5]), (6, 3, [0, 2, 4, 1, 3, 5]), (6, 6, [0, 1, 2, 3, 4, 5])],
)
def test_channel_shuffle_by_hand_and_equal_to_torch(channels, groups, order):
    x = torch.arange(channels).reshape(1, channels, 1, 1).expand(2, channels, 3, 2)
    shuffled = channel_shuffle(x, groups)
    assert shuffled[1, :, 2, 1].tolist() == order
    assert torch.equal(shuffled, torch_shuffle(x, groups))


@pytest.mark.parametrize(("shape", "groups"), [((1, 6, 2, 2), 4), ((1, 6, 2, 2), 0), ((6, 2, 2), 2)])
def test_channel_shuffle_names_what_is_wrong(shape, groups):
    with pytest.raises(ValueError, match=r"x must have shape \(N, C, H, W\), C a multiple of groups"):
        channel_shuffle(torch.zeros(shape), groups)


def test_make_divisible_equals_torchvision_s_rule():
    for divisor in (1, 4, 8):
        for tenths in range(1, 3000):
            assert make_divisible(tenths / 10, divisor) == torchvision.models._utils._make_divisible(tenths / 10, divisor)


@pytest.mark.parametrize(("channels", "expected"), [(0.3, 8), (8, 8), (11, 16), (12, 16), (17, 16), (20, 24), (27, 32), (64, 64)])
def test_make_divisible_by_hand(channels, expected):
    """Next to 11 is 8, and next to 27 is 24, but both would lose more than a tenth."""
    assert make_divisible(channels) == expected


def test_without_first_halving():
    assert without_first_halving((1, 2, 1, 2)) == [1, 1, 1, 2]


@torch.no_grad()
def test_a_start_for_relu_keeps_what_tells_places_apart_through_many_layers_and_prefers_no_class():
    torch.manual_seed(0)
    deep = nn.Sequential(*(layer for _ in range(20) for layer in (nn.Conv2d(32, 32, 1), nn.ReLU())))
    model = Classifier(nn.Sequential(nn.Conv2d(3, 32, 1), nn.ReLU(), *deep), 32, num_classes=5)
    images = torch.randn(16, 3, 8, 8)

    def spread():
        return float(model.backbone(images).var(dim=(0, 2, 3)).mean())

    assert spread() < 1e-4  # torch's own start
    initialise_for_relu(model)
    assert 0.01 < spread() < 10
    assert model(images).abs().max() < 0.5


def test_a_choice_that_is_not_there_is_named():
    check_choice("depth", 18, (18, 34))
    with pytest.raises(ValueError, match="depth must be one of 18, 34, got 19"):
        check_choice("depth", 19, (18, 34))


def test_a_classifier_is_backbone_then_mean_then_head():
    model = Classifier(nn.Sequential(nn.Conv2d(3, 5, 1)), 5, num_classes=2)
    images = torch.randn(4, 3, 6, 7)
    vector = model.backbone(images).mean(dim=(2, 3))
    torch.testing.assert_close(model.features(images), vector)
    torch.testing.assert_close(model(images), model.head(vector))


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (torch.zeros(2, 3, 8, 8, dtype=torch.uint8), r"images must be float \(N, 3, H, W\), as Pixels makes them, got torch.uint8"),
        (torch.zeros(3, 8, 8), r"images must be float \(N, 3, H, W\).*got torch.float32 \(3, 8, 8\)"),
        (torch.zeros(2, 1, 8, 8), r"images must be float \(N, 3, H, W\).*\(2, 1, 8, 8\)"),
        (torch.zeros(2, 3, 8, 5), "images must be at least 6 pixels high and wide for this network, got 8x5.*small_images=True"),
    ],
    ids=["whole numbers", "no batch", "one channel", "too small"],
)
def test_a_classifier_names_what_is_wrong_with_images(images, message):
    with pytest.raises(ValueError, match=message):
        Classifier(nn.Sequential(nn.Conv2d(3, 5, 1)), 5, num_classes=2, smallest=6)(images)
