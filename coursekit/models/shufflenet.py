"""ShuffleNet: grouped 1x1 convolutions need their groups mixed; and version 2, made for the clock. Taught in notebook 10_efficient."""

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, relu

from .layers import Classifier, ConvNormAct, channel_shuffle, check_choice, check_network, halving_stem, make_divisible

REPEATS = (4, 8, 4)  # units in stages 2, 3 and 4, of both versions
FIRST_STAGE = {1: 144, 2: 200, 3: 240, 4: 272, 8: 384}  # version 1: channels of stage 2 by groups, doubled in stages 3 and 4: Table 1
V2_STAGES = {  # version 2: channels of stages 2, 3 and 4 and of the last 1x1, by width: Table 5
    0.5: (48, 96, 192, 1024),
    1.0: (116, 232, 464, 1024),
    1.5: (176, 352, 704, 1024),
    2.0: (244, 488, 976, 2048),
}


class ShuffleUnit(nn.Module):
    """A bottleneck of grouped 1x1, shuffle, depthwise 3x3, grouped 1x1. With stride 2 the pooled input is laid beside it, not added.

    Args:
        in_channels, out_channels: of the map.
        groups: of both 1x1.
        first_groups: of the first 1x1 alone; 1 in the very first unit, whose input is narrow.
        stride: 1 keeps the shape, and needs as many channels out as in.

    Source: Fig. 2 (b) and (c).
    """

    def __init__(self, in_channels: int, out_channels: int, groups: int, first_groups: int, stride: int):
        super().__init__()
        inner = out_channels // 4
        self.groups, self.stride = groups, stride
        self.reduce = ConvNormAct(in_channels, inner, 1, groups=first_groups)
        self.depthwise = ConvNormAct(inner, inner, 3, stride, groups=inner, act=None)
        new = out_channels - in_channels if stride == 2 else out_channels
        self.expand = ConvNormAct(inner, new, 1, groups=groups, act=None)

    def forward(self, x: Tensor) -> Tensor:
        y = channel_shuffle(self.reduce(x), self.groups)  # now each group holds channels of every group
        y = self.expand(self.depthwise(y))
        if self.stride == 2:
            return relu(torch.cat([avg_pool2d(x, 3, stride=2, padding=1), y], dim=1))
        return relu(x + y)


class ShuffleNetV1(Classifier):
    """Three stages of shuffle units. 1,865,728 parameters and 137 million multiply-adds with 3 groups.

    Args:
        num_classes: at least 1.
        width: factor for all channels.
        groups: 1, 2, 3, 4 or 8; more groups pay for more channels.
        small_images: for images of about 32 pixels: neither the first convolution halves the map nor a pooling.

    Raises:
        ValueError: naming the argument.

    Source: Zhang et al., arXiv 1707.01083, Table 1.
    """

    def __init__(self, num_classes: int = 1000, width: float = 1.0, groups: int = 3, small_images: bool = False):
        check_network(num_classes, width)
        check_choice("groups", groups, FIRST_STAGE)
        before = make_divisible(24 * width, groups)
        layers = halving_stem(before, small_images, kernel=3)  # (N, 24, 56, 56), for 224 pixels and width 1
        for number, count in enumerate(REPEATS):
            after = make_divisible(FIRST_STAGE[groups] * width, 4 * groups) * 2**number
            units = []
            for unit in range(count):
                first_groups = 1 if number == unit == 0 else groups
                units.append(ShuffleUnit(before, after, groups, first_groups, stride=1 if unit else 2))
                before = after
            layers[f"stage{number + 2}"] = nn.Sequential(*units)  # (N, 240, 28, 28), (N, 480, 14, 14), (N, 960, 7, 7)
        super().__init__(nn.Sequential(layers), before, num_classes)


class ShuffleUnitV2(nn.Module):
    """Half of the channels pass by untouched, the other half works; then both are shuffled into each other. Nothing is added.

    Grouped 1x1, unequal numbers of channels, many branches, additions: each costs time that multiply-adds do not show (section 2).
    With stride 2 nothing passes by: both halves work, and the channels grow.

    Args:
        in_channels, out_channels: of the map; even, and equal at stride 1.

    Source: Fig. 3 (c) and (d).
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int):
        super().__init__()
        self.stride, half = stride, out_channels // 2
        self.left = nn.Identity()
        if stride == 2:
            depthwise = ConvNormAct(in_channels, in_channels, 3, stride, groups=in_channels, act=None)
            self.left = nn.Sequential(depthwise, ConvNormAct(in_channels, half, 1))
        self.right = nn.Sequential(
            ConvNormAct(in_channels if stride == 2 else half, half, 1),
            ConvNormAct(half, half, 3, stride, groups=half, act=None),
            ConvNormAct(half, half, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        left, right = (x, x) if self.stride == 2 else x.chunk(2, dim=1)  # (N, C / 2, H, W) each
        return channel_shuffle(torch.cat([self.left(left), self.right(right)], dim=1), 2)


class ShuffleNetV2(Classifier):
    """Three stages of units with a split, a 1x1 to 1,024 channels, a mean, a head. 2,278,604 parameters at width 1.

    Args:
        num_classes: at least 1.
        width: 0.5, 1, 1.5 and 2 are the paper's networks; any other scales the channels of 1.
        small_images: for images of about 32 pixels: neither the first convolution halves the map nor a pooling.

    Raises:
        ValueError: naming the argument.

    Source: Ma et al., arXiv 1807.11164, Table 5.
    """

    def __init__(self, num_classes: int = 1000, width: float = 1.0, small_images: bool = False):
        check_network(num_classes, width)
        *widths, last = V2_STAGES.get(width) or [make_divisible(c * width, 4) for c in V2_STAGES[1.0]]
        before = 24
        layers = halving_stem(before, small_images, kernel=3)  # (N, 24, 56, 56), for 224 pixels and width 1
        for number, (count, after) in enumerate(zip(REPEATS, widths, strict=True), start=2):
            units = [ShuffleUnitV2(before, after, stride=2), *(ShuffleUnitV2(after, after, stride=1) for _ in range(count - 1))]
            layers[f"stage{number}"] = nn.Sequential(*units)  # (N, 116, 28, 28), (N, 232, 14, 14), (N, 464, 7, 7)
            before = after
        layers["last"] = ConvNormAct(before, last, 1)  # (N, 1024, 7, 7)
        super().__init__(nn.Sequential(layers), last, num_classes)
