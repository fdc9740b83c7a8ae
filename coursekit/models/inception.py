"""Inception v1, also called GoogLeNet: several kernel sizes side by side. Taught in notebook 09_architectures."""

from collections import OrderedDict
from functools import partial

import torch
from torch import Tensor, nn

from .layers import Classifier, ConvNormAct, check_network, make_divisible

CONV = partial(ConvNormAct, eps=1e-3)
BLOCKS = {  # Table 1: 1x1, then 3x3 after a 1x1 that narrows, then 5x5 likewise, then the 1x1 after the pooling
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}


class InceptionBlock(nn.Module):
    """Four branches look at the same map, and their channels are laid side by side: the network need not choose a kernel size.

    A 1x1 convolution narrows the map before each large kernel. 192 channels through 5x5 to 32 are 153,600 weights; over 16 channels in
    between they are 192 * 16 + 16 * 32 * 25 = 15,872.

    Args:
        in_channels: of the map.
        widths: six numbers, a row of `BLOCKS`.
        third_kernel: side of the third branch's kernel.

    Shapes: (N, in_channels, H, W) -> (N, C, H, W), C the sum of the first, third, fifth and sixth width.
    """

    def __init__(self, in_channels: int, widths: tuple[int, ...], third_kernel: int = 5):
        super().__init__()
        one, narrow3, three, narrow5, five, pooled = widths
        self.branch1 = CONV(in_channels, one, 1)
        self.branch2 = nn.Sequential(CONV(in_channels, narrow3, 1), CONV(narrow3, three, 3))
        self.branch3 = nn.Sequential(CONV(in_channels, narrow5, 1), CONV(narrow5, five, third_kernel))
        self.branch4 = nn.Sequential(nn.MaxPool2d(3, stride=1, padding=1), CONV(in_channels, pooled, 1))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.branch1(x), self.branch2(x), self.branch3(x), self.branch4(x)], dim=1)


class GoogLeNet(Classifier):
    """A stem, nine inception blocks, and one mean over all places instead of fully connected layers: a twentieth of VGG's parameters.

    With a batch normalisation after each convolution, which came a year after the paper. The two further heads that gave the deep
    layers a gradient in 2014 are left out: with normalisation it arrives without them.

    Args:
        num_classes: at least 1.
        width: factor for all channels.
        third_kernel: 5 as in the paper, 7,005,832 parameters; 3 for torchvision's weights, which were trained so by a mistake that
            was found later (its issue 906): 6,624,904.
        dropout: before the head.
        small_images: for images of about 32 pixels: the first convolution is 3x3 with stride 1, and no pooling follows it.

    Images must be at least 15 pixels high and wide, small ones 4.

    Raises:
        ValueError: naming the argument.

    Source: Szegedy et al., arXiv 1409.4842, Table 1; normalisation: Ioffe & Szegedy, arXiv 1502.03167.
    """

    def __init__(
        self,
        num_classes: int = 1000,
        width: float = 1.0,
        third_kernel: int = 5,
        dropout: float = 0.2,
        small_images: bool = False,
    ):
        check_network(num_classes, width)
        if third_kernel < 1 or third_kernel % 2 == 0:
            raise ValueError(f"third_kernel must be odd and above 0, got {third_kernel}")
        half = partial(nn.MaxPool2d, 3, stride=2, ceil_mode=True)  # rounds up: 112 -> 56, 56 -> 28
        stem, channels = make_divisible(64 * width), make_divisible(192 * width)
        layers = OrderedDict(  # shapes for 224 pixels and width 1
            conv1=CONV(3, stem, 3) if small_images else CONV(3, stem, 7, stride=2),  # (N, 64, 112, 112)
            pool1=nn.Identity() if small_images else half(),  # (N, 64, 56, 56)
            conv2=CONV(stem, stem, 1),
            conv3=CONV(stem, channels, 3),  # (N, 192, 56, 56)
            pool2=half(),  # (N, 192, 28, 28)
        )
        for name, row in BLOCKS.items():
            if name == "4a":
                layers["pool3"] = half()  # (N, 480, 14, 14)
            if name == "5a":
                layers["pool4"] = nn.MaxPool2d(2, stride=2, ceil_mode=True)  # (N, 832, 7, 7); 3x3 in the paper, 2x2 in the trained weights
            widths = tuple(make_divisible(c * width) for c in row)
            layers[f"inception{name}"] = InceptionBlock(channels, widths, third_kernel)
            channels = widths[0] + widths[2] + widths[4] + widths[5]
        super().__init__(nn.Sequential(layers), channels, num_classes, dropout=dropout, smallest=4 if small_images else 15)
