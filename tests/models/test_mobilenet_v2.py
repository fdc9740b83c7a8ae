import pytest
import torch
from torch import nn

from coursekit.models.cost import count_parameters
from coursekit.models.mobilenet_v2 import InvertedResidual, MobileNetV2


@pytest.mark.parametrize(
    ("hidden", "after", "stride", "steps", "shortcut"),
    [(8, 8, 1, 2, True), (48, 8, 1, 3, True), (48, 12, 1, 3, False), (48, 8, 2, 3, False)],
    ids=["no widening", "same shape", "more channels", "half the map"],
)
def test_a_block_adds_its_input_where_the_shape_stays(hidden, after, stride, steps, shortcut):
    torch.manual_seed(0)
    block = InvertedResidual(8, hidden, after, stride=stride).eval()
    assert len(block.body) == steps
    x = torch.randn(2, 8, 6, 6)
    y = block(x)
    assert y.shape == (2, after, 6 // stride, 6 // stride)
    torch.testing.assert_close(y, x + block.body(x) if shortcut else block.body(x))


@torch.no_grad()
def test_the_narrow_end_is_linear_and_the_middle_is_cut_at_6():
    torch.manual_seed(0)
    block = InvertedResidual(8, 48, 12).eval()
    x = 100 * torch.randn(2, 8, 6, 6)
    middle = block.body[:2](x)
    assert (float(middle.min()), float(middle.max())) == (0.0, 6.0)
    assert block(x).min() < 0


def test_below_one_the_last_1280_channels_stay():
    with torch.device("meta"):
        for width, last in ((0.35, 1280), (1.0, 1280), (1.4, 1792)):
            assert MobileNetV2(width=width).head.in_features == last


def test_17_blocks_of_which_10_have_a_shortcut():
    with torch.device("meta"):
        model = MobileNetV2()
    blocks = [layer for layer in model.backbone if isinstance(layer, InvertedResidual)]
    assert (len(blocks), sum(block.shortcut for block in blocks)) == (17, 10)
    depthwise = [layer for layer in model.modules() if isinstance(layer, nn.Conv2d) and layer.groups > 1]
    assert sum(count_parameters(layer) for layer in depthwise) < 0.02 * count_parameters(model)
