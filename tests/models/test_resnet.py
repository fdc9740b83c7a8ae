import pytest
import torch
from torch import nn

from coursekit.models.cost import count_parameters
from coursekit.models.resnet import Residual, ResNet, basic_body, bottleneck_body


def test_a_block_whose_body_adds_nothing_is_the_identity_on_what_a_relu_left():
    body = basic_body(4, 4)
    nn.init.zeros_(body.conv2.norm.weight)
    x = torch.rand(2, 4, 5, 5)
    torch.testing.assert_close(Residual(body, 4, 4)(x), x)


def test_a_block_by_hand():
    body = nn.Conv2d(1, 1, 1, bias=False)
    nn.init.constant_(body.weight, -3.0)
    x = torch.tensor([[[[1.0, -2.0]]]])
    assert Residual(body, 1, 1)(x).flatten().tolist() == [0.0, 4.0]  # relu(1 - 3), relu(-2 + 6)


@pytest.mark.parametrize(
    ("body", "after", "stride", "identity"),
    [
        (basic_body(8, 8), 8, 1, True),
        (basic_body(8, 16, 2), 16, 2, False),
        (basic_body(8, 8, 2), 8, 2, False),
        (basic_body(8, 16), 16, 1, False),
        (bottleneck_body(8, 2), 8, 1, True),
        (bottleneck_body(8, 4, 2), 16, 2, False),
    ],
    ids=["same", "more channels, half the map", "half the map", "more channels", "bottleneck, same", "bottleneck, half the map"],
)
def test_the_shortcut_is_the_input_itself_where_the_shape_stays(body, after, stride, identity):
    block = Residual(body, 8, after, stride).eval()
    assert isinstance(block.shortcut, nn.Identity) is identity
    assert block(torch.zeros(1, 8, 7, 6)).shape == (1, after, -(-7 // stride), 6 // stride)


@pytest.mark.parametrize(("groups", "group_width", "inner"), [(1, 64, 64), (32, 4, 128), (1, 128, 128), (4, 16, 64)])
def test_the_middle_of_a_bottleneck(groups, group_width, inner):
    body = bottleneck_body(256, 64, groups=groups, group_width=group_width)
    assert body.conv2.conv.weight.shape == (inner, inner // groups, 3, 3)
    assert body.conv3.conv.weight.shape == (256, inner, 1, 1)


def test_the_stride_sits_in_the_3x3():
    body = bottleneck_body(64, 32, stride=2)
    assert [layer.conv.stride for layer in body] == [(1, 1), (2, 2), (1, 1)]


def test_stages_halve_the_map_and_double_the_channels(maps_of):
    found = list(maps_of(ResNet, depth=50).values())
    assert found == [(64, 112, 112), (64, 56, 56), (256, 56, 56), (512, 28, 28), (1024, 14, 14), (2048, 7, 7)]


def test_as_many_layers_with_weights_as_the_name_says_shortcuts_not_counted():
    with torch.device("meta"):
        for depth in (18, 34, 50, 101, 152):
            model = ResNet(depth=depth)
            layers = [name for name, layer in model.named_modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
            assert len([name for name in layers if "shortcut" not in name]) == depth


def test_squeeze_excite_adds_two_layers_and_their_biases_to_each_block():
    with torch.device("meta"):
        added = count_parameters(ResNet(depth=50, squeeze_excite=True)) - count_parameters(ResNet(depth=50))
    channels = [256] * 3 + [512] * 4 + [1024] * 6 + [2048] * 3
    assert added == sum(2 * c * (c // 16) + c + c // 16 for c in channels)
