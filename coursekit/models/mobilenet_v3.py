"""MobileNet v3: found by a search, finished by hand. Taught in notebook 10_efficient."""

from torch import nn

from .layers import Classifier, ConvNormAct, check_choice, check_network, make_divisible, without_first_halving
from .mobilenet_v2 import InvertedResidual

EPS = 1e-3
RE, HS = nn.ReLU, nn.Hardswish
BLOCKS = {  # kernel, hidden channels, channels, squeeze-and-excitation, activation, stride: Table 1 and Table 2
    "large": (
        (3, 16, 16, False, RE, 1),
        (3, 64, 24, False, RE, 2),
        (3, 72, 24, False, RE, 1),
        (5, 72, 40, True, RE, 2),
        (5, 120, 40, True, RE, 1),
        (5, 120, 40, True, RE, 1),
        (3, 240, 80, False, HS, 2),
        (3, 200, 80, False, HS, 1),
        (3, 184, 80, False, HS, 1),
        (3, 184, 80, False, HS, 1),
        (3, 480, 112, True, HS, 1),
        (3, 672, 112, True, HS, 1),
        (5, 672, 160, True, HS, 2),
        (5, 960, 160, True, HS, 1),
        (5, 960, 160, True, HS, 1),
    ),
    "small": (
        (3, 16, 16, True, RE, 2),
        (3, 72, 24, False, RE, 2),
        (3, 88, 24, False, RE, 1),
        (5, 96, 40, True, HS, 2),
        (5, 240, 40, True, HS, 1),
        (5, 240, 40, True, HS, 1),
        (5, 120, 48, True, HS, 1),
        (5, 144, 48, True, HS, 1),
        (5, 288, 96, True, HS, 2),
        (5, 576, 96, True, HS, 1),
        (5, 576, 96, True, HS, 1),
    ),
}
LAST = {"large": 1280, "small": 1024}


class MobileNetV3(Classifier):
    """Inverted residuals with kernels of 3 and 5, squeeze-and-excitation, and h-swish: x * relu6(x + 3) / 6, a swish of straight lines.

    5,483,032 parameters large, 2,542,856 small. The layer before the head comes after the mean, where it costs one place and not 49.

    Args:
        num_classes: at least 1.
        size: ``"large"`` or ``"small"``.
        width: factor for all channels.
        dropout: before the head.
        small_images: for images of about 32 pixels: neither the first convolution nor the first block that would halves the map.

    Raises:
        ValueError: naming the argument.

    Source: Howard et al., arXiv 1905.02244, Tables 1 and 2.
    """

    def __init__(self, num_classes: int = 1000, size: str = "large", width: float = 1.0, dropout: float = 0.2, small_images: bool = False):
        check_network(num_classes, width)
        check_choice("size", size, BLOCKS)
        before, hidden_last = make_divisible(16 * width), make_divisible(LAST[size] * width)
        strides = [stride for *_, stride in BLOCKS[size]]
        strides = without_first_halving(strides) if small_images else strides
        layers = [ConvNormAct(3, before, 3, 1 if small_images else 2, act=HS, eps=EPS)]  # (N, 16, 112, 112) at 224 pixels
        for (kernel, wide, channels, excite, act, _), stride in zip(BLOCKS[size], strides, strict=True):
            hidden, after = make_divisible(wide * width), make_divisible(channels * width)
            squeezed = make_divisible(hidden // 4) if excite else 0
            layers.append(InvertedResidual(before, hidden, after, kernel, stride, act, squeezed, EPS))
            before = after
        layers.append(ConvNormAct(before, 6 * before, 1, act=HS, eps=EPS))  # (N, 960, 7, 7)
        pool = nn.Sequential(
            *(nn.AdaptiveAvgPool2d(1), nn.Flatten()),  # (N, 960)
            *(nn.Linear(6 * before, hidden_last), nn.Hardswish(inplace=True), nn.Dropout(dropout)),  # (N, 1280)
        )
        super().__init__(nn.Sequential(*layers), hidden_last, num_classes, pool)
