"""VGG: 3x3 all the way. Taught in notebook 09_architectures.

Two 3x3 convolutions see as far as one 5x5, with 18 instead of 25 weights for each pair of channels and one more ReLU between them.
"""

from itertools import pairwise

from torch import nn

from .layers import Classifier, check_choice, check_network, initialise_for_relu, make_divisible

BLOCKS = {  # convolutions in each of the five blocks, by the number of layers with weights: columns A, B, D and E of Table 1
    11: (1, 1, 2, 2, 2),
    13: (2, 2, 2, 2, 2),
    16: (2, 2, 3, 3, 3),
    19: (2, 2, 4, 4, 4),
}
CHANNELS = (64, 128, 256, 512, 512)


def vgg_block(in_channels: int, out_channels: int, count: int, batch_norm: bool = False) -> nn.Sequential:
    """``count`` 3x3 convolutions that keep the map's size, a ReLU after each; then a 2x2 pooling that halves it.

    (N, in_channels, H, W) -> (N, out_channels, H // 2, W // 2).
    """
    layers = []
    for number in range(count):
        layers.append(nn.Conv2d(out_channels if number else in_channels, out_channels, 3, padding=1))
        if batch_norm:
            layers.append(nn.BatchNorm2d(out_channels))
        layers.append(nn.ReLU(inplace=True))
    return nn.Sequential(*layers, nn.MaxPool2d(2))


class VGG(Classifier):
    """Five blocks, each half as high and wide as the one before, with twice the channels until they are 512; three fully connected layers.

    VGG-16 has 138,357,544 parameters, and 102,764,544 of them lie in the first fully connected layer alone.

    Args:
        num_classes: at least 1.
        depth: 11, 13, 16 or 19 layers with weights.
        width: factor for all channels.
        batch_norm: after each convolution; younger than the paper, whose deep networks began with the weights of a trained shallow one.
        dropout: after each of the first two fully connected layers.
        small_images: for images of about 32 pixels, whose map is one place in the end: the fully connected layers see 1x1 instead of 7x7.

    Images must be at least 32 pixels high and wide.

    Raises:
        ValueError: naming the argument.

    Source: Simonyan & Zisserman, arXiv 1409.1556, Table 1.
    """

    def __init__(
        self,
        num_classes: int = 1000,
        depth: int = 16,
        width: float = 1.0,
        batch_norm: bool = False,
        dropout: float = 0.5,
        small_images: bool = False,
    ):
        check_network(num_classes, width)
        check_choice("depth", depth, BLOCKS)
        channels = [3, *(make_divisible(c * width) for c in CHANNELS)]
        blocks = [vgg_block(a, b, count, batch_norm) for (a, b), count in zip(pairwise(channels), BLOCKS[depth], strict=True)]
        backbone = nn.Sequential(*(layer for block in blocks for layer in block))  # (N, 3, 224, 224) -> (N, 512, 7, 7)
        side, hidden = 1 if small_images else 7, make_divisible(4096 * width)
        pool = nn.Sequential(
            *(nn.AdaptiveAvgPool2d(side), nn.Flatten()),  # (N, 512 * side * side)
            *(nn.Linear(channels[-1] * side * side, hidden), nn.ReLU(inplace=True), nn.Dropout(dropout)),
            *(nn.Linear(hidden, hidden), nn.ReLU(inplace=True), nn.Dropout(dropout)),
        )
        super().__init__(backbone, hidden, num_classes, pool, smallest=32)
        initialise_for_relu(self)
