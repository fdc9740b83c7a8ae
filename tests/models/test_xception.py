import torch
from torch import nn
from torch.nn.functional import conv2d

from coursekit.models.cost import count_parameters
from coursekit.models.xception import SeparableConv, Xception, XceptionBlock


def test_separable_counted_right():
    assert count_parameters(nn.Conv2d(3, 64, 3, bias=False)) == 1728
    layer = SeparableConv(3, 64)
    assert [count_parameters(step) for step in layer] == [27, 192]
    assert [count_parameters(step) for step in SeparableConv(3, 1)] == [27, 3]  # 30, not 12: each channel has its own 3x3


def test_two_steps_equal_one_convolution_whose_kernel_is_their_product():
    torch.manual_seed(0)
    layer = SeparableConv(3, 5)
    whole = layer.pointwise.weight * layer.depthwise.weight.squeeze(1)[None]  # (5, 3, 1, 1) * (1, 3, 3, 3) -> (5, 3, 3, 3)
    x = torch.randn(2, 3, 7, 6)
    torch.testing.assert_close(layer(x), conv2d(x, whole, padding=1), rtol=1e-4, atol=1e-5)


def test_a_block_that_adds_nothing_is_the_identity():
    block = XceptionBlock(4, (4, 4, 4))
    nn.init.zeros_(block.body[-1].weight)
    x = torch.randn(2, 4, 5, 5)
    torch.testing.assert_close(block(x), x)  # below zero too: nothing follows the addition


def test_the_first_relu_leaves_the_shortcut_s_input_alone():
    torch.manual_seed(0)
    block = XceptionBlock(4, (4, 4)).eval()
    x = -torch.rand(1, 4, 5, 5)
    before = x.clone()
    block(x)
    assert torch.equal(x, before)


def test_36_convolutions_34_of_them_separable_in_14_blocks():
    with torch.device("meta"):
        model = Xception()
    separable = [layer for layer in model.modules() if isinstance(layer, SeparableConv)]
    blocks = [layer for layer in model.modules() if isinstance(layer, XceptionBlock)]
    assert (len(separable), len(blocks)) == (34, 12)  # the paper counts the two convolutions before and the two after as a block each
    assert model.backbone(torch.empty(1, 3, 299, 299, device="meta")).shape == (1, 2048, 10, 10)
