import pytest
import torch

from coursekit.models.cost import count_parameters, layer_costs
from coursekit.models.mobilenet_v1 import MobileNetV1, separable_block


def test_a_block_costs_about_a_ninth():
    side, channels = 14, 512
    separable = sum(cost.multiply_adds for cost in layer_costs(separable_block(channels, channels), (channels, side, side)))
    assert separable == side * side * channels * (9 + channels)
    whole = side * side * channels * 9 * channels
    assert separable / whole == pytest.approx(1 / channels + 1 / 9)


def test_a_block_has_a_relu_after_both_steps():
    torch.manual_seed(0)
    block = separable_block(4, 6, stride=2).eval()
    x = torch.randn(2, 4, 8, 8)
    assert block[0](x).min() == 0
    assert block(x).min() == 0
    assert block(x).shape == (2, 6, 4, 4)


def test_maps_are_those_of_the_table(maps_of):
    found = [shape[:2] for shape in maps_of(MobileNetV1).values()]
    assert found == [
        *((32, 112), (64, 112), (128, 56), (128, 56), (256, 28), (256, 28), (512, 14)),
        *((512, 14),) * 5,
        *((1024, 7), (1024, 7)),
    ]


def test_a_quarter_of_the_parameters_is_the_head_s():
    with torch.device("meta"):
        assert count_parameters(MobileNetV1().head) == 1_025_000
