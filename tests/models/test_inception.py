import torch

from coursekit.models.cost import count_parameters
from coursekit.models.inception import BLOCKS, GoogLeNet, InceptionBlock


def test_a_block_lays_four_branches_side_by_side():
    torch.manual_seed(0)
    block = InceptionBlock(16, (8, 4, 12, 4, 6, 2)).eval()
    x = torch.randn(2, 16, 7, 9)
    y = block(x)
    assert y.shape == (2, 8 + 12 + 6 + 2, 7, 9)
    torch.testing.assert_close(y[:, :8], block.branch1(x))
    torch.testing.assert_close(y[:, -2:], block.branch4(x))


def test_narrowing_first_saves_weights():
    block = InceptionBlock(192, BLOCKS["3a"])
    assert sum(layer.conv.weight.numel() for layer in block.branch3) == 15_872
    assert 192 * 32 * 25 == 153_600


def test_channels_and_maps_are_those_of_the_paper(maps_of):
    found = maps_of(GoogLeNet)
    assert found["pool1"] == (64, 56, 56)
    assert found["pool2"] == (192, 28, 28)
    assert found["inception3a"] == (256, 28, 28)
    assert found["inception3b"] == (480, 28, 28)
    assert found["inception4e"] == (832, 14, 14)
    assert found["inception5b"] == (1024, 7, 7)


def test_the_paper_s_5x5_costs_sixteen_weights_a_pair_of_channels_more_than_3x3():
    with torch.device("meta"):
        difference = count_parameters(GoogLeNet()) - count_parameters(GoogLeNet(third_kernel=3))
    assert difference == 16 * sum(row[3] * row[4] for row in BLOCKS.values()) == 380_928
