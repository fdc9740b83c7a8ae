"""MobileNet v2: the residual block turned inside out. Taught in notebook 10_efficient."""

from collections.abc import Callable

from torch import Tensor, nn

from .layers import Classifier, ConvNormAct, SqueezeExcite, check_network, make_divisible, without_first_halving

STAGES = (  # expansion, channels, blocks, stride of the first: Table 2
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


class InvertedResidual(nn.Module):
    """Narrow, wide, narrow: a 1x1 widens, a depthwise convolution looks around, a 1x1 narrows; the narrow ends are added.

    A ResNet's bottleneck is wide, narrow, wide. Here the wide middle is cheap, since it is depthwise, and what is kept in memory between
    the blocks is narrow. No activation after the last 1x1 (a *linear bottleneck*): a ReLU on few channels throws away what it zeroes.

    Args:
        in_channels: of the map.
        hidden: of the middle; equal to in_channels leaves the first 1x1 out.
        out_channels: of the result; where it and the stride keep the shape, the input is added.
        kernel, stride: of the depthwise convolution.
        act: activation in the middle.
        squeezed: width of a `SqueezeExcite` after the depthwise convolution, as MobileNet v3 has it; 0 for none.
        eps: of the normalisations.

    Shapes: (N, in_channels, H, W) -> (N, out_channels, H / stride, W / stride).
    """

    def __init__(
        self,
        in_channels: int,
        hidden: int,
        out_channels: int,
        kernel: int = 3,
        stride: int = 1,
        act: Callable[..., nn.Module] = nn.ReLU6,
        squeezed: int = 0,
        eps: float = 1e-5,
    ):
        super().__init__()
        layers = []
        if hidden != in_channels:
            layers.append(ConvNormAct(in_channels, hidden, 1, act=act, eps=eps))
        layers.append(ConvNormAct(hidden, hidden, kernel, stride, groups=hidden, act=act, eps=eps))
        if squeezed:
            layers.append(SqueezeExcite(hidden, squeezed, gate=nn.Hardsigmoid))
        layers.append(ConvNormAct(hidden, out_channels, 1, act=None, eps=eps))
        self.body = nn.Sequential(*layers)
        self.shortcut = stride == 1 and in_channels == out_channels

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x) if self.shortcut else self.body(x)


class MobileNetV2(Classifier):
    """A convolution, 17 inverted residuals, a 1x1 to 1,280 channels, a mean, a head: 3,504,872 parameters.

    Args:
        num_classes: at least 1.
        width: factor for all channels; below 1 the last 1,280 stay, as in the paper.
        dropout: before the head.
        small_images: for images of about 32 pixels: neither the first convolution nor the first stage that would halves the map.

    Raises:
        ValueError: naming the argument.

    Source: Sandler et al., arXiv 1801.04381, Table 2; 300 million multiply-adds and 3.4 million parameters: Table 4.
    """

    def __init__(self, num_classes: int = 1000, width: float = 1.0, dropout: float = 0.2, small_images: bool = False):
        check_network(num_classes, width)
        before, last = make_divisible(32 * width), make_divisible(1280 * max(1.0, width))
        strides = [stride for *_, stride in STAGES]
        strides = without_first_halving(strides) if small_images else strides
        layers = [ConvNormAct(3, before, 3, 1 if small_images else 2, act=nn.ReLU6)]  # (N, 32, 112, 112) at 224 pixels
        for (expansion, channels, count, _), first_stride in zip(STAGES, strides, strict=True):
            after = make_divisible(channels * width)
            for number in range(count):
                layers.append(InvertedResidual(before, before * expansion, after, stride=1 if number else first_stride))
                before = after
        layers.append(ConvNormAct(before, last, 1, act=nn.ReLU6))  # (N, 320, 7, 7) -> (N, 1280, 7, 7)
        super().__init__(nn.Sequential(*layers), last, num_classes, dropout=dropout)
