"""Xception: inception driven to its end, one kernel for each channel. Taught in notebook 10_efficient."""

from collections import OrderedDict
from itertools import pairwise

from torch import Tensor, nn

from .layers import Classifier, ConvNormAct, check_network, make_divisible

ENTRY, MIDDLE, EXIT, LAST = (128, 256, 728), 728, (728, 1024), (1536, 2048)  # channels: Fig. 5


class SeparableConv(nn.Sequential):
    """A 3x3 convolution in two steps: *depthwise*, where each channel has one kernel of its own, then *pointwise*, a 1x1 that mixes them.

    Counted right: 3 to 64 channels are 3 * 64 * 9 = 1,728 weights in one step, 3 * 9 + 3 * 64 = 27 + 192 = 219 in two. No biases, and
    nothing between the steps: the paper found an activation there to do harm (its Fig. 10).

    Shapes: (N, in_channels, H, W) -> (N, out_channels, H, W).
    """

    def __init__(self, in_channels: int, out_channels: int):
        super().__init__(
            OrderedDict(
                depthwise=nn.Conv2d(in_channels, in_channels, 3, padding=1, groups=in_channels, bias=False),
                pointwise=nn.Conv2d(in_channels, out_channels, 1, bias=False),
            )
        )


class XceptionBlock(nn.Module):
    """shortcut(x) + separable convolutions of x, a ReLU before each and a normalisation after.

    Args:
        in_channels: of the map.
        widths: channels after each separable convolution.
        stride: 2 ends in a pooling that halves the map.
        relu_first: whether the first ReLU is there; the very first block comes right after one.

    Shapes: (N, in_channels, H, W) -> (N, widths[-1], H / stride, W / stride).
    """

    def __init__(self, in_channels: int, widths: tuple[int, ...], stride: int = 1, relu_first: bool = True):
        super().__init__()
        layers = []
        for before, after in pairwise((in_channels, *widths)):
            layers += [nn.ReLU(), SeparableConv(before, after), nn.BatchNorm2d(after)]
        if stride == 2:
            layers.append(nn.MaxPool2d(3, stride=2, padding=1))
        self.body = nn.Sequential(*layers if relu_first else layers[1:])
        same = stride == 1 and in_channels == widths[-1]
        self.shortcut = nn.Identity() if same else ConvNormAct(in_channels, widths[-1], 1, stride, act=None)

    def forward(self, x: Tensor) -> Tensor:
        return self.shortcut(x) + self.body(x)


class Xception(Classifier):
    """Entry, middle and exit flow: 36 convolutions, 34 of them separable, in 14 blocks. 22,855,952 parameters.

    Args:
        num_classes: at least 1.
        width: factor for all channels.
        middle: blocks in the middle flow; 8 in the paper.
        dropout: before the head.
        small_images: for images of about 32 pixels: neither the first convolution nor the first block halves the map.

    The paper's images are 299 pixels; others fit as well. Its first two convolutions are unpadded, ours are padded: the same parameters.

    Raises:
        ValueError: naming the argument.

    Source: Chollet, arXiv 1610.02357, Fig. 5; parameters: its Table 3.
    """

    def __init__(self, num_classes: int = 1000, width: float = 1.0, middle: int = 8, dropout: float = 0.5, small_images: bool = False):
        check_network(num_classes, width)
        if middle < 0:
            raise ValueError(f"middle must be at least 0, got {middle}")
        stem1, stem2, centre = (make_divisible(c * width) for c in (32, 64, MIDDLE))
        blocks, channels = [], stem2
        for number, entry in enumerate(ENTRY):
            after = make_divisible(entry * width)
            halve = number > 0 or not small_images
            blocks.append(XceptionBlock(channels, (after, after), 2 if halve else 1, relu_first=number > 0))
            channels = after
        blocks += [XceptionBlock(centre, (centre,) * 3) for _ in range(middle)]  # (N, 728, 19, 19) at 299 pixels
        exit1, exit2, last1, last2 = (make_divisible(c * width) for c in (*EXIT, *LAST))
        blocks.append(XceptionBlock(centre, (exit1, exit2), 2))  # (N, 1024, 10, 10)
        backbone = nn.Sequential(
            ConvNormAct(3, stem1, 3, 1 if small_images else 2),
            ConvNormAct(stem1, stem2, 3),
            *blocks,
            *(SeparableConv(exit2, last1), nn.BatchNorm2d(last1), nn.ReLU(inplace=True)),
            *(SeparableConv(last1, last2), nn.BatchNorm2d(last2), nn.ReLU(inplace=True)),  # (N, 2048, 10, 10)
        )
        super().__init__(backbone, last2, num_classes, dropout=dropout)
