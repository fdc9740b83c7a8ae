from collections import OrderedDict

import pytest
import torch
import torchvision
from torch import nn

from coursekit.models.lenet import LeNet
from coursekit.models.signs_backbone import signs_network
from coursekit.one_stage.pyramid import FeaturePyramid, PyramidBackbone, Stages, top_down, upsample_add


def test_upsample_add_by_hand():
    coarse, fine = torch.tensor([[[[1.0, 2.0]]]]), torch.zeros(1, 1, 2, 4)
    fine[..., 0, 3] = 10
    assert upsample_add(coarse, fine).tolist() == [[[[1, 1, 2, 12], [1, 1, 2, 2]]]]


def test_upsample_add_of_an_odd_size():
    coarse = torch.tensor([[[[1.0, 2.0]]]])
    assert upsample_add(coarse, torch.zeros(1, 1, 1, 3)).tolist() == [[[[1, 1, 2]]]]


def test_top_down_carries_sums():
    maps = [torch.full((1, 1, side, side), value) for side, value in ((4, 1.0), (2, 10.0), (1, 100.0))]
    assert [m.unique().tolist() for m in top_down(maps)] == [[111], [110], [100]]
    assert [tuple(m.shape[2:]) for m in top_down(maps)] == [(4, 4), (2, 2), (1, 1)]
    assert top_down(maps[:1])[0] is maps[0]
    with pytest.raises(ValueError, match="maps must hold at least one map, got none"):
        top_down([])


@pytest.mark.parametrize("sides", [[(8, 8)], [(8, 12), (4, 6), (2, 3)], [(7, 5), (4, 3), (2, 2)]], ids=["one map", "three", "odd sizes"])
def test_pyramid_equals_torchvisions_with_the_same_weights(sides):
    torch.manual_seed(0)
    widths = [4, 6, 10][: len(sides)]
    ours = FeaturePyramid(widths, 5)
    theirs = torchvision.ops.FeaturePyramidNetwork(widths, 5)
    weights = {}
    for number in range(len(widths)):
        for mine, name in ((ours.lateral, "inner_blocks"), (ours.smooth, "layer_blocks")):
            nn.init.normal_(mine[number].bias)
            weights |= {f"{name}.{number}.0.{part}": getattr(mine[number], part) for part in ("weight", "bias")}
    theirs.load_state_dict(weights)
    maps = [torch.randn(2, width, *side) for width, side in zip(widths, sides, strict=True)]
    expected = theirs(OrderedDict((str(i), m) for i, m in enumerate(maps)))
    for got, right in zip(ours(maps), expected.values(), strict=True):
        torch.testing.assert_close(got, right)


def test_pyramid_begins_as_torchvisions_does():
    torch.manual_seed(0)
    ours = FeaturePyramid([64], 64)
    torch.manual_seed(0)
    theirs = torchvision.ops.FeaturePyramidNetwork([64], 64)
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert mine.std().item() == pytest.approx(other.std().item(), rel=0.05, abs=1e-9)


@pytest.mark.parametrize("levels", [(8, 16, 32), (4, 8, 16), (16,), (4, 32)])
def test_backbone_gives_a_map_for_each_stride(levels):
    backbone = PyramidBackbone(signs_network(), channels=24, levels=levels)
    maps = backbone(torch.zeros(2, 3, 64, 96, dtype=torch.uint8))
    assert [tuple(m.shape) for m in maps] == [(2, 24, 64 // s, 96 // s) for s in levels]
    assert (backbone.out_channels, backbone.strides) == (24, levels)


def test_stages_give_what_the_network_itself_computes():
    network = signs_network().eval()
    images = torch.randint(0, 256, (1, 3, 64, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    stages = Stages(network).eval()
    maps = stages(images)
    torch.testing.assert_close(maps[-1], network.backbone(network.pixels(images)))
    assert stages.out_channels == [32, 64, 128] == [m.shape[1] for m in maps]
    torch.testing.assert_close(stages(images / 255)[-1], maps[-1])  # floats in 0..1 as well


def test_stages_leave_out_what_lies_past_the_last_level():
    assert "stage4" not in dict(Stages(signs_network(), (8, 16)).body.named_children())


@pytest.mark.parametrize("make", [Stages, PyramidBackbone])
def test_named_maps_come_in_order(make):
    found = make(signs_network(), named=True)(torch.zeros(1, 3, 64, 64))
    assert isinstance(found, OrderedDict)
    assert list(found) == ["8", "16", "32"]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: Stages(LeNet(4)), "network must be a ResNet with stage1, stage2, stage3, stage4, got LeNet"),
        (lambda: Stages(signs_network(), (16, 8)), r"levels must be of 4, 8, 16, 32, fine to coarse, got \[16, 8\]"),
        (lambda: Stages(signs_network(), (64,)), r"levels must be of 4, 8, 16, 32, fine to coarse, got \[64\]"),
        (lambda: FeaturePyramid([4, 8])([torch.zeros(1, 4, 2, 2)]), "maps must be 2, fine to coarse, got 1"),
    ],
    ids=["another network", "coarse to fine", "a stride that is none", "maps"],
)
def test_the_argument_is_named(call, words):
    with pytest.raises(ValueError, match=words):
        call()
