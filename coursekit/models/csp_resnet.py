"""CSP-ResNet: half of each stage is carried past its blocks. Taught in notebook 09_architectures; notebook 19_yolo uses the idea."""

from collections import OrderedDict
from functools import partial

import torch
from torch import Tensor, nn

from .layers import Classifier, ConvNormAct, check_network, make_divisible

LEAKY = partial(nn.LeakyReLU, 0.1)
CHANNELS, BLOCKS = (128, 256, 512, 1024), (3, 3, 5, 2)


class CSPBlock(nn.Module):
    """A residual bottleneck: 1x1 to half of the channels, 3x3 there, 1x1 back, the input added. (N, C, H, W) -> (N, C, H, W)."""

    def __init__(self, channels: int):
        super().__init__()
        half = channels // 2
        self.body = nn.Sequential(
            ConvNormAct(channels, half, 1, act=LEAKY), ConvNormAct(half, half, 3, act=LEAKY), ConvNormAct(half, channels, 1, act=None)
        )
        self.act = LEAKY(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.act(x + self.body(x))


class CSPStage(nn.Module):
    """Two 1x1 convolutions look at the map: what one finds goes through all blocks, what the other finds is carried past; then they meet.

    The blocks compute on half of the channels that meet in the end, and the carried half gets a gradient that no block has touched.
    (In the authors' configuration stages 2 and 3 have no activation after these two; here all have.)

    Args:
        in_channels, channels: of the map before and after.
        count: blocks.
        stride: 2 begins with a 3x3 convolution that halves the map.

    Shapes: (N, in_channels, H, W) -> (N, channels, H / stride, W / stride).
    """

    def __init__(self, in_channels: int, channels: int, count: int, stride: int):
        super().__init__()
        self.down = ConvNormAct(in_channels, in_channels, 3, stride, act=LEAKY) if stride == 2 else nn.Identity()
        self.carry = ConvNormAct(in_channels, channels, 1, act=LEAKY)
        self.work = nn.Sequential(
            ConvNormAct(in_channels, channels, 1, act=LEAKY),
            *(CSPBlock(channels) for _ in range(count)),
            ConvNormAct(channels, channels, 1, act=LEAKY),
        )
        self.merge = ConvNormAct(2 * channels, channels, 1, act=LEAKY)

    def forward(self, x: Tensor) -> Tensor:
        x = self.down(x)
        return self.merge(torch.cat([self.work(x), self.carry(x)], dim=1))


class CSPResNet(Classifier):
    """CSP-ResNet-50: 21,616,168 parameters, and better by 0.8 points on ImageNet than the ResNet-50 that its authors trained beside it.

    The paper's 21.57 million are weights without biases and normalisations, 21,566,656 by the authors' published configuration. In its
    first stage the working half begins with 64 channels, to which a block of 128 is added by darknet's rule for unequal shapes. Here
    it begins with 128, as in the other copies of the network: 8,192 weights more.

    Args:
        num_classes: at least 1.
        width: factor for all channels.
        small_images: for images of about 32 pixels: the stem is 3x3 with stride 1, and no pooling follows it.

    Raises:
        ValueError: naming the argument.

    Source: Wang et al., arXiv 1911.11929; channels and figures: the configuration and the table that its authors published with it.
    """

    def __init__(self, num_classes: int = 1000, width: float = 1.0, small_images: bool = False):
        check_network(num_classes, width)
        before = make_divisible(64 * width)
        layers = OrderedDict(  # shapes for 256 pixels, the paper's size
            stem=ConvNormAct(3, before, 3, act=LEAKY) if small_images else ConvNormAct(3, before, 7, 2, act=LEAKY),  # (N, 64, 128, 128)
            pool=nn.Identity() if small_images else nn.MaxPool2d(2),  # (N, 64, 64, 64)
        )
        for number, (channels, count) in enumerate(zip(CHANNELS, BLOCKS, strict=True), start=1):
            after = make_divisible(channels * width)
            layers[f"stage{number}"] = CSPStage(before, after, count, stride=1 if number == 1 else 2)
            before = after  # (N, 128, 64, 64), (N, 256, 32, 32), (N, 512, 16, 16), (N, 1024, 8, 8)
        super().__init__(nn.Sequential(layers), before, num_classes, smallest=1 if small_images else 3)
