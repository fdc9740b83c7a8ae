import pytest
import torch
from torch import nn
from torch.nn.functional import relu6

from coursekit.models.layers import SqueezeExcite
from coursekit.models.mobilenet_v3 import BLOCKS, MobileNetV3


def test_h_swish_is_a_swish_of_straight_lines():
    x = torch.linspace(-6, 6, 25)
    torch.testing.assert_close(nn.Hardswish()(x), x * relu6(x + 3) / 6)


@pytest.mark.parametrize(
    ("size", "squeezed"),
    [("large", [24, 32, 32, 120, 168, 168, 240, 240]), ("small", [8, 24, 64, 64, 32, 40, 72, 144, 144])],
)
def test_squeeze_excite_where_the_table_has_it_with_about_a_quarter_of_the_hidden_channels(size, squeezed):
    with torch.device("meta"):
        blocks = list(MobileNetV3(size=size).backbone)[1:-1]
    found = [[layer.squeeze.out_channels for layer in block.body if isinstance(layer, SqueezeExcite)] for block in blocks]
    assert [bool(layers) for layers in found] == [row[3] for row in BLOCKS[size]]
    assert [width for layers in found for width in layers] == squeezed


def test_the_layer_before_the_head_comes_after_the_mean():
    with torch.device("meta"):
        model = MobileNetV3()
    maps = model.backbone(torch.empty(1, 3, 224, 224, device="meta"))
    assert maps.shape == (1, 960, 7, 7)
    assert model.pool.eval()(maps).shape == (1, 1280)
