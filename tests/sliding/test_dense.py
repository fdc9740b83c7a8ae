"""The dense map is what the windows say, unpadded and in eval mode; with padding only where no border is near."""

import pytest
import torch
from torch import nn

from coursekit.sliding.dense import STRIDE, WINDOW, WindowNet, convolutional, fc_to_conv
from coursekit.sliding.heatmap import heat_map
from coursekit.sliding.windows import grid


def make(seed=0, **settings):
    """A network with weights and running statistics that are not those of a fresh one."""
    generator = torch.Generator().manual_seed(seed)
    model = WindowNet(**{"classes": 4, "width": 3, "hidden": 6} | settings).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(0.3 * torch.randn(parameter.shape, generator=generator))
        for layer in model.features:
            if isinstance(layer, nn.BatchNorm2d):
                layer.running_mean.copy_(torch.randn(layer.running_mean.shape, generator=generator))
                layer.running_var.copy_(0.5 + torch.rand(layer.running_var.shape, generator=generator))
    return model


def picture(height, width, seed=1):
    return torch.randint(0, 256, (3, height, width), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)


@torch.no_grad()
def both(model, image, stride=STRIDE):
    return heat_map(model, image, model.window, stride), convolutional(model)(image[None])[0]


@pytest.mark.parametrize(("height", "width"), [(40, 40), (41, 55), (43, 44), (72, 48), (79, 98)])
@pytest.mark.parametrize("settings", [{}, {"window": 24}, {"hidden": 1, "classes": 2}], ids=["40", "24", "narrow"])
def test_unpadded_every_cell_is_what_the_window_says(height, width, settings):
    model = make(**settings)
    windows, dense = both(model, picture(height, width))
    assert dense.shape[1:] == grid((height, width), model.window, STRIDE)
    torch.testing.assert_close(dense, windows, atol=1e-4, rtol=1e-5)
    assert windows.std() > 0.01 or windows.numel() < 5  # they are not all the same


@pytest.mark.parametrize("times", [2, 3, 8])
def test_a_stride_that_is_a_multiple_takes_every_second_or_third_cell(times):
    model = make()
    windows, dense = both(model, picture(80, 96), times * STRIDE)
    torch.testing.assert_close(dense[:, ::times, ::times][:, : windows.shape[1], : windows.shape[2]], windows, atol=1e-4, rtol=1e-5)


@torch.no_grad()
def test_a_shifted_picture_gives_the_windows_in_between():
    model, image = make(), picture(64, 64)
    between = heat_map(model, image[:, 2:, 2:], WINDOW, STRIDE)
    torch.testing.assert_close(convolutional(model)(image[None, :, 2:, 2:])[0], between, atol=1e-4, rtol=1e-5)
    same_places = convolutional(model)(image[None])[0, :, : between.shape[1], : between.shape[2]]
    assert (same_places - between).abs().max() > 0.01


def test_padded_the_grid_is_the_same_and_the_numbers_are_not():
    model = make(padded=True)
    windows, dense = both(model, picture(64, 64))
    assert dense.shape == windows.shape
    assert (dense - windows).abs().max() > 0.01


def test_in_train_mode_they_differ_as_well():
    model = make()
    with torch.no_grad():
        windows = heat_map(model.train(), picture(64, 64), WINDOW, STRIDE)
        dense = convolutional(model.eval())(picture(64, 64)[None])[0]
    assert (dense - windows).abs().max() > 0.01


def test_it_is_a_copy_in_eval_mode_without_a_linear_layer():
    model = make().train()
    dense = convolutional(model)
    assert not dense.training
    assert model.training
    assert not any(isinstance(layer, (nn.Linear, nn.Flatten)) for layer in dense.modules())
    assert sum(p.numel() for p in dense.parameters()) == sum(p.numel() for p in model.parameters())
    with torch.no_grad():
        before = dense(picture(48, 48)[None])
        for parameter in model.parameters():
            parameter.zero_()
        assert torch.equal(dense(picture(48, 48)[None]), before)


# --- one layer


@pytest.mark.parametrize("chw", [(1, 1, 1), (2, 1, 1), (2, 3, 4), (5, 2, 2)])
@pytest.mark.parametrize("bias", [True, False])
def test_fc_to_conv_says_the_same_on_one_map(chw, bias):
    linear = nn.Linear(chw[0] * chw[1] * chw[2], 7, bias=bias)
    maps = torch.randn(3, *chw)
    conv = fc_to_conv(linear, chw)
    torch.testing.assert_close(conv(maps)[:, :, 0, 0], linear(maps.flatten(1)))
    assert (conv.bias is not None) == bias
    assert conv.weight.data_ptr() != linear.weight.data_ptr()


def test_fc_to_conv_by_hand():
    linear = nn.Linear(4, 1)
    with torch.no_grad():
        linear.weight.copy_(torch.tensor([[1.0, 2, 3, 4]]))
        linear.bias.fill_(0.5)
        said = fc_to_conv(linear, (1, 2, 2))(torch.tensor([[[[1.0, 0, 2], [0, 1, 0]]]]))
    assert said.flatten().tolist() == [1 * 1 + 4 * 1 + 0.5, 2 * 2 + 3 * 1 + 0.5]


def test_what_does_not_fit_is_named():
    with pytest.raises(ValueError, match=r"linear must have 2 \* 3 \* 3 inputs, got 12"):
        fc_to_conv(nn.Linear(12, 2), (2, 3, 3))
    with pytest.raises(ValueError, match=r"images must have shape \(N, 3, 40, 40\), got \(1, 3, 30, 40\)"):
        WindowNet()(torch.zeros(1, 3, 30, 40))
    with pytest.raises(ValueError, match="window must be a multiple of 4 and at least 16, got 30"):
        WindowNet(window=30)
