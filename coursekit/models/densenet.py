"""DenseNet: each layer sees what all layers before it have found. Taught in notebook 09_architectures."""

from collections import OrderedDict

import torch
from torch import Tensor, nn
from torch.nn.functional import relu

from .layers import Classifier, check_choice, check_network, halving_stem, make_divisible

BLOCKS = {121: (6, 12, 24, 16), 169: (6, 12, 32, 32), 201: (6, 12, 48, 32)}  # layers in each dense block: Table 1


class DenseLayer(nn.Module):
    """Finds ``growth`` new channels and lays them beside the old ones. Normalisation and ReLU stand *before* each convolution.

    The 1x1 to ``4 * growth`` channels in front keeps the 3x3 cheap, however many channels have gathered.

    Shapes: (N, C, H, W) -> (N, C + growth, H, W).
    """

    def __init__(self, in_channels: int, growth: int):
        super().__init__()
        self.norm1 = nn.BatchNorm2d(in_channels)
        self.conv1 = nn.Conv2d(in_channels, 4 * growth, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(4 * growth)
        self.conv2 = nn.Conv2d(4 * growth, growth, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        new = self.conv1(relu(self.norm1(x)))  # (N, 4 * growth, H, W)
        new = self.conv2(relu(self.norm2(new)))  # (N, growth, H, W)
        return torch.cat([x, new], dim=1)


def transition(in_channels: int, out_channels: int) -> nn.Sequential:
    """Between two blocks: a 1x1 convolution to fewer channels, then each 2x2 places become their mean."""
    return nn.Sequential(
        OrderedDict(
            norm=nn.BatchNorm2d(in_channels),
            act=nn.ReLU(inplace=True),
            conv=nn.Conv2d(in_channels, out_channels, 1, bias=False),
            pool=nn.AvgPool2d(2),
        )
    )


class DenseNet(Classifier):
    """Four dense blocks; between two of them the channels and the map's sides are halved. 7,978,856 parameters at depth 121.

    Args:
        num_classes: at least 1.
        depth: 121, 169 or 201 layers with weights.
        width: factor for the growth.
        growth: new channels a layer, called k in the paper.
        small_images: for images of about 32 pixels: the stem is 3x3 with stride 1, and no pooling follows it.

    Images must be at least 29 pixels high and wide, small ones 8.

    Raises:
        ValueError: naming the argument.

    Source: Huang et al., arXiv 1608.06993, Table 1 (DenseNet-BC: with bottlenecks, and compression 0.5).
    """

    def __init__(self, num_classes: int = 1000, depth: int = 121, width: float = 1.0, growth: int = 32, small_images: bool = False):
        check_network(num_classes, width)
        check_choice("depth", depth, BLOCKS)
        if growth < 1:
            raise ValueError(f"growth must be at least 1, got {growth}")
        growth = make_divisible(growth * width)
        channels = 2 * growth
        layers = halving_stem(channels, small_images)  # (N, 64, 56, 56), for 224 pixels, depth 121 and growth 32
        for number, count in enumerate(BLOCKS[depth], start=1):
            if number > 1:
                layers[f"transition{number - 1}"] = transition(channels, channels // 2)
                channels //= 2
            dense = OrderedDict((f"layer{i + 1}", DenseLayer(channels + i * growth, growth)) for i in range(count))
            layers[f"block{number}"] = nn.Sequential(dense)  # (N, 256, 56, 56) .. (N, 1024, 7, 7)
            channels += count * growth
        layers["norm"], layers["act"] = nn.BatchNorm2d(channels), nn.ReLU(inplace=True)
        super().__init__(nn.Sequential(layers), channels, num_classes, smallest=8 if small_images else 29)
