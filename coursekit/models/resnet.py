"""ResNet: depth made trainable by the shortcut; and its options: squeeze-and-excitation, wide. Taught in notebook 09_architectures.

A plain network of 34 layers trains worse than one of 18, on the training images too. With the input added to the output of each
block, a block that has nothing to add can learn to add nothing, and the gradient has a way around it.
"""

from collections import OrderedDict

from torch import Tensor, nn
from torch.nn.functional import relu

from .layers import Classifier, ConvNormAct, SqueezeExcite, check_choice, check_network, halving_stem, make_divisible

DEPTHS = {  # blocks in each of the four stages: Table 1
    18: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
}
CHANNELS = (64, 128, 256, 512)


class Residual(nn.Module):
    """relu(shortcut(x) + body(x)): the body learns what to add.

    Args:
        body: (N, in_channels, H, W) -> (N, out_channels, H / stride, W / stride).
        in_channels, out_channels, stride: of the body. Where it keeps the shape, the shortcut is the input itself; else a 1x1
            convolution brings the input into the body's shape.
    """

    def __init__(self, body: nn.Module, in_channels: int, out_channels: int, stride: int = 1):
        super().__init__()
        self.body = body
        same = stride == 1 and in_channels == out_channels
        self.shortcut = nn.Identity() if same else ConvNormAct(in_channels, out_channels, 1, stride, act=None)

    def forward(self, x: Tensor) -> Tensor:
        return relu(self.shortcut(x) + self.body(x))


def basic_body(in_channels: int, channels: int, stride: int = 1) -> nn.Sequential:
    """Two 3x3 convolutions, no activation after the second: that comes after the addition. For depths 18 and 34."""
    return nn.Sequential(
        OrderedDict(conv1=ConvNormAct(in_channels, channels, 3, stride), conv2=ConvNormAct(channels, channels, 3, act=None))
    )


def bottleneck_body(in_channels: int, channels: int, stride: int = 1, groups: int = 1, group_width: int = 64) -> nn.Sequential:
    """1x1 to fewer channels, 3x3 there, where it is cheap, 1x1 to ``4 * channels``. For depth 50 and more.

    The stride sits in the 3x3, as everybody has it since; the paper had it in the first 1x1, which skips three of four places.
    ``groups`` and ``group_width``: the 3x3 works on so many groups of ``group_width * channels / 64`` channels.
    """
    inner = max(1, channels * group_width // 64) * groups
    return nn.Sequential(
        OrderedDict(
            conv1=ConvNormAct(in_channels, inner, 1),
            conv2=ConvNormAct(inner, inner, 3, stride, groups),
            conv3=ConvNormAct(inner, 4 * channels, 1, act=None),
        )
    )


class ResNet(Classifier):
    """A stem, four stages of residual blocks, a mean, a head.

    Parameters for 1,000 classes: 11,689,512 (18), 21,797,672 (34), 25,557,032 (50), 44,549,160 (101), 60,192,808 (152).

    Args:
        num_classes: at least 1.
        depth: 18, 34, 50, 101 or 152 layers with weights.
        width: factor for all channels.
        groups, group_width: of the 3x3 in a bottleneck (depth 50 and more): 32 and 4 is ResNeXt-50, see `resnext`; 1 and 128 the wide
            ResNet-50-2 (Zagoruyko & Komodakis, arXiv 1605.07146), 68,883,240 parameters.
        squeeze_excite: a `SqueezeExcite` at the end of each body, over a sixteenth of its channels (at least 4): 28,088,024 parameters
            at depth 50.
        small_images: for images of about 32 pixels: the stem is 3x3 with stride 1, and no pooling follows it.

    Raises:
        ValueError: naming the argument.

    Source: He et al., arXiv 1512.03385, Table 1 and Fig. 5; Hu et al., arXiv 1709.01507, Table 1.
    """

    def __init__(
        self,
        num_classes: int = 1000,
        depth: int = 18,
        width: float = 1.0,
        groups: int = 1,
        group_width: int = 64,
        squeeze_excite: bool = False,
        small_images: bool = False,
    ):
        check_network(num_classes, width)
        check_choice("depth", depth, DEPTHS)
        basic = depth < 50
        if groups < 1 or group_width < 1 or (basic and (groups, group_width) != (1, 64)):
            raise ValueError(f"groups and group_width must be above 0, and 1 and 64 below depth 50, got {groups} and {group_width}")
        before = make_divisible(CHANNELS[0] * width)
        layers = halving_stem(before, small_images)  # (N, 64, 56, 56), for 224 pixels, depth 50 and width 1
        for number, (count, stage_channels) in enumerate(zip(DEPTHS[depth], CHANNELS, strict=True), start=1):
            channels = make_divisible(stage_channels * width)
            after = channels if basic else 4 * channels
            blocks = []
            for block in range(count):
                stride = 2 if block == 0 and number > 1 else 1  # the first block of a stage halves the map
                body = basic_body(before, channels, stride) if basic else bottleneck_body(before, channels, stride, groups, group_width)
                if squeeze_excite:
                    body.add_module("se", SqueezeExcite(after, max(4, after // 16)))
                blocks.append(Residual(body, before, after, stride))
                before = after
            layers[f"stage{number}"] = nn.Sequential(*blocks)  # (N, 256, 56, 56) .. (N, 2048, 7, 7)
        super().__init__(nn.Sequential(layers), before, num_classes)
