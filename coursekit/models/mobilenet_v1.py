"""MobileNet v1: separable convolutions all the way, for a telephone. Taught in notebook 10_efficient."""

from torch import nn

from .layers import Classifier, ConvNormAct, check_network, make_divisible, without_first_halving

BLOCKS = (  # channels and stride of each separable block: Table 1 (which prints 2 for the last stride, with maps that need 1)
    *((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2)),
    *((512, 1),) * 5,
    *((1024, 2), (1024, 1)),
)


def separable_block(in_channels: int, out_channels: int, stride: int = 1) -> nn.Sequential:
    """A depthwise 3x3, then a pointwise 1x1, each with normalisation and ReLU of its own (Fig. 3).

    At 9 + out_channels multiplications for each input number, against 9 * out_channels in one step, it costs about a ninth.
    """
    return nn.Sequential(ConvNormAct(in_channels, in_channels, 3, stride, groups=in_channels), ConvNormAct(in_channels, out_channels, 1))


class MobileNetV1(Classifier):
    """A convolution, 13 separable blocks, a mean, a head: 4,231,976 parameters, of which 1,025,000 are the head's.

    Args:
        num_classes: at least 1.
        width: factor for all channels, called alpha in the paper, which has 0.25, 0.5, 0.75 and 1.
        dropout: before the head.
        small_images: for images of about 32 pixels: neither the first convolution nor the first block that would halves the map.

    Raises:
        ValueError: naming the argument.

    Source: Howard et al., arXiv 1704.04861, Table 1; 569 million multiply-adds and 4.2 million parameters: Table 4.
    """

    def __init__(self, num_classes: int = 1000, width: float = 1.0, dropout: float = 0.001, small_images: bool = False):
        check_network(num_classes, width)
        widths, strides = zip(*BLOCKS, strict=True)
        strides = without_first_halving(strides) if small_images else strides
        before = make_divisible(32 * width)
        layers = [ConvNormAct(3, before, 3, 1 if small_images else 2)]  # (N, 32, 112, 112) at 224 pixels
        for channels, stride in zip(widths, strides, strict=True):
            after = make_divisible(channels * width)
            layers.append(separable_block(before, after, stride))
            before = after
        super().__init__(nn.Sequential(*layers), before, num_classes, dropout=dropout)  # (N, 1024, 7, 7) -> (N, 1024)
