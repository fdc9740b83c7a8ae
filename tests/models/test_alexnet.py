import torch
from torch import nn

from coursekit.models.alexnet import AlexNet
from coursekit.models.cost import count_parameters


def on_meta(**options):
    with torch.device("meta"):
        return AlexNet(**options)


def test_the_network_of_2012_by_hand():
    """Layer by layer: weights and biases; the second, fourth and fifth see half of the channels."""
    by_hand = [
        96 * 3 * 121 + 96,
        256 * 48 * 25 + 256,
        384 * 256 * 9 + 384,
        384 * 192 * 9 + 384,
        256 * 192 * 9 + 256,
        4096 * 9216 + 4096,
        4096 * 4096 + 4096,
        1000 * 4096 + 1000,
    ]
    layers = [layer for layer in on_meta(two_gpus=True).modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    assert [count_parameters(layer) for layer in layers] == by_hand
    assert sum(by_hand) == 60_965_224


def test_maps_of_224_pixels(maps_of):
    found = maps_of(AlexNet)
    assert [found[place] for place in ("0", "2", "5", "8", "12")] == [(64, 55, 55), (64, 27, 27), (192, 13, 13), (256, 13, 13), (256, 6, 6)]


@torch.no_grad()
def test_on_two_gpus_the_halves_meet_in_the_third_convolution_alone():
    torch.manual_seed(0)
    backbone = AlexNet(num_classes=2, width=0.25, two_gpus=True, small_images=True).eval().backbone
    x = backbone[:3](torch.randn(1, 3, 32, 32))  # (1, 24, 15, 15): the first convolution sees the whole image
    changed = x.clone()
    changed[:, :12] += 1  # on the first GPU
    second = [backbone[3:6](maps) for maps in (x, changed)]
    halves = [torch.equal(*pair) for pair in zip(*(maps.chunk(2, dim=1) for maps in second), strict=True)]
    assert halves == [False, True]
    third = [backbone[6](maps) for maps in second]
    assert (third[0] != third[1]).flatten(2).any(dim=2).all()
