"""FCN and U-Net: sizes, what skips do, and that enlarging is what torch calls it."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from coursekit.segmentation.fcn import FCN, Encoder, upsample_add
from coursekit.segmentation.unet import UNet


@pytest.mark.parametrize(("coarse", "fine"), [((1, 1), (2, 2)), ((2, 3), (4, 6)), ((2, 2), (3, 5)), ((3, 3), (3, 3))])
def test_upsample_add_equals_torchs_upsampling(coarse, fine):
    generator = torch.Generator().manual_seed(0)
    a, b = torch.rand(2, 3, *coarse, generator=generator), torch.rand(2, 3, *fine, generator=generator)
    torch.testing.assert_close(upsample_add(a, b), nn.Upsample(size=fine, mode="bilinear")(a) + b)


def test_upsample_add_of_a_constant_adds_it_everywhere():
    torch.testing.assert_close(upsample_add(torch.full((1, 1, 2, 2), 3.0), torch.ones(1, 1, 5, 7)), torch.full((1, 1, 5, 7), 4.0))


def test_upsample_add_wants_the_same_channels():
    with pytest.raises(ValueError, match=r"same N and C, got \(1, 2\) and \(1, 3\)"):
        upsample_add(torch.zeros(1, 2, 2, 2), torch.zeros(1, 3, 4, 4))


def test_the_encoder_halves_four_times():
    shapes = [tuple(f.shape) for f in Encoder(4)(torch.zeros(2, 3, 32, 48, dtype=torch.uint8))]
    assert shapes == [(2, 4, 32, 48), (2, 8, 16, 24), (2, 16, 8, 12), (2, 32, 4, 6), (2, 32, 2, 3)]


@pytest.mark.parametrize("make", [lambda: FCN(5, 4), lambda: FCN(5, 4, skips=2), lambda: FCN(5, 4, skips=4), lambda: UNet(5, 4)])
@pytest.mark.parametrize("size", [(32, 32), (40, 24), (33, 50)])
def test_every_pixel_gets_a_score_for_every_class(make, size):
    images = torch.zeros(2, 3, *size, dtype=torch.uint8)
    assert make()(images).shape == (2, 5, *size)


def test_without_skips_a_change_at_stride_1_says_nothing_and_with_them_it_does():
    """A single pixel can be told from its neighbour only by a network that carries the finest map to the end."""
    flat = torch.full((1, 3, 32, 32), 128, dtype=torch.uint8)
    dot = flat.clone()
    dot[..., 17, 17] = 0
    sharpness = {}
    for name, model in (("none", FCN(3, 4)), ("all", FCN(3, 4, skips=4)), ("unet", UNet(3, 4))):
        torch.manual_seed(0)
        model.apply(lambda m: m.reset_parameters() if hasattr(m, "reset_parameters") else None)
        with torch.no_grad():
            difference = (model.eval()(dot) - model(flat)).abs().amax(dim=(0, 1))
        sharpness[name] = (difference[17, 17] / difference.max()).item(), difference.gt(difference.max() / 2).sum().item()
    assert sharpness["none"][1] > 16  # smeared over more than a cell's quarter
    assert sharpness["all"][1] < sharpness["none"][1]


def test_a_network_learns_one_picture_by_heart():
    torch.manual_seed(0)
    images = torch.zeros(1, 3, 32, 32, dtype=torch.uint8)
    images[..., 8:22, 6:18] = 255
    target = (images[:, 0] > 0).long()
    model = UNet(2, 4)
    optimiser = torch.optim.Adam(model.parameters(), 0.02)
    for _ in range(60):
        optimiser.zero_grad()
        F.cross_entropy(model(images), target).backward()
        optimiser.step()
    assert (model(images).argmax(dim=1) == target).all()


def test_skips_outside_the_range_are_named():
    with pytest.raises(ValueError, match=r"skips must be 0 .. 4, got 5"):
        FCN(5, skips=5)
