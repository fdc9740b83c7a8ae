import torch
from torch import nn

from coursekit.models.csp_resnet import CSPBlock, CSPResNet, CSPStage


def test_a_stage_carries_one_half_past_its_blocks():
    """With a merge that only looks at the carried channels, the blocks make no difference, and the other way round."""
    torch.manual_seed(0)
    stage = CSPStage(8, 8, count=2, stride=1).eval()
    x = torch.randn(2, 8, 6, 6)
    with torch.no_grad():
        stage.merge.conv.weight[:, :8] = 0  # the working channels
        before = stage(x)
        stage.work[1].body[0].conv.weight.mul_(-3)
        assert torch.equal(stage(x), before)
        stage.carry.conv.weight.mul_(-3)
        assert not torch.equal(stage(x), before)


def test_a_block_adds_its_input_before_the_activation():
    block = CSPBlock(4).eval()
    nn.init.zeros_(block.body[-1].norm.weight)
    x = torch.tensor([1.0, -1.0]).reshape(1, 1, 1, 2).expand(1, 4, 1, 2)
    torch.testing.assert_close(block(x)[0, 0, 0], torch.tensor([1.0, -0.1]))


def test_maps_of_256_pixels(maps_of):
    found = [shape[:2] for shape in maps_of(CSPResNet, side=256).values()]
    assert found == [(64, 128), (64, 64), (128, 64), (256, 32), (512, 16), (1024, 8)]
