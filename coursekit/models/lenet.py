"""LeNet-5, as it was and as one writes it now. Taught in notebook 07_convolution, where the family begins; used in 09_architectures.

LeCun, Bottou, Bengio, Haffner 1998, Gradient-based learning applied to document recognition, Proc. IEEE 86(11), section II.B.
"""

import torch
from torch import Tensor, nn

from .layers import Pixels

SIDE = 32  # pixels that the network wants; a digit of MNIST has 28, and the paper centres it in 32
MAPS, HIDDEN = (6, 16), (120, 84)

# Which of the six maps of S2 each of the 16 maps of C3 sees: table I of the paper. Ours sees all six everywhere.
C3_TABLE = (
    *((0, 1, 2), (1, 2, 3), (2, 3, 4), (3, 4, 5), (0, 4, 5), (0, 1, 5)),
    *((0, 1, 2, 3), (1, 2, 3, 4), (2, 3, 4, 5), (0, 3, 4, 5), (0, 1, 4, 5), (0, 1, 2, 5)),
    *((0, 1, 3, 4), (1, 2, 4, 5), (0, 2, 3, 5)),
    (0, 1, 2, 3, 4, 5),
)


def paper_parameters() -> dict[str, int]:
    """Trainable parameters of each layer as the paper has it: 60,000 in all.

    The subsampling layers S2 and S4 train a factor and a bias for each map, C3 is connected by ``C3_TABLE``, and the
    output layer compares with bitmaps that were set by hand and are not trained.
    """
    return {
        "C1": 6 * (5 * 5 + 1),
        "S2": 6 * 2,
        "C3": sum(len(seen) * 5 * 5 + 1 for seen in C3_TABLE),
        "S4": 16 * 2,
        "C5": 120 * (16 * 5 * 5 + 1),
        "F6": 84 * (120 + 1),
    }


class LeNet(nn.Module):
    """Two times convolution and pooling, then three fully connected layers. 61,706 parameters for one channel and ten classes.

    The dense variant that everybody uses: C3 sees all six maps (2,416 parameters, not 1,516), pooling has no parameters (not 44), and
    the output is a linear layer of logits (850, not bitmaps set by hand). C5 of the paper is a convolution of 5x5 on maps of 5x5:
    here the first linear layer, which is the same sum.

    Args:
        classes: logits.
        channels: of the images.
        width: maps and hidden neurons are multiplied by it and rounded; 1 is the paper's 6, 16, 120, 84.
        modern: ReLU and maximum; otherwise tanh and mean, as in 1998 (the paper scales its tanh, we do not).
        batch_norm: normalise each map before its activation (notebook 08).
        mean, std: for `Pixels`; one number, or one a channel.

    Input is (N, channels, 32, 32), uint8 or float in 0..1; output (N, classes) logits. ``features`` gives maps of (N, 16 * width, 5, 5).

    Raises:
        ValueError: for images of another shape.
    """

    def __init__(
        self, classes: int = 10, channels: int = 1, width: float = 1.0, modern: bool = True, batch_norm: bool = False, mean=0.5, std=0.25
    ):
        super().__init__()
        first, second, *hidden = (max(1, round(count * width)) for count in (*MAPS, *HIDDEN))
        activation, pooling = (nn.ReLU, nn.MaxPool2d) if modern else (nn.Tanh, nn.AvgPool2d)
        self.channels = channels
        self.pixels = Pixels(mean, std)
        blocks = []
        for before, after in ((channels, first), (first, second)):
            norm = [nn.BatchNorm2d(after)] if batch_norm else []
            blocks += [nn.Conv2d(before, after, 5), *norm, activation(), pooling(2)]
        self.features = nn.Sequential(*blocks)  # 32 -> 28 -> 14 -> 10 -> 5
        self.classifier = nn.Sequential(
            nn.Flatten(),
            nn.Linear(second * 5 * 5, hidden[0]),
            activation(),
            nn.Linear(hidden[0], hidden[1]),
            activation(),
            nn.Linear(hidden[1], classes),
        )

    def forward(self, images: Tensor) -> Tensor:
        if images.ndim != 4 or images.shape[1:] != (self.channels, SIDE, SIDE):
            raise ValueError(f"images must have shape (N, {self.channels}, {SIDE}, {SIDE}), got {tuple(images.shape)}")
        return self.classifier(self.features(self.pixels(images)))


def channels_last_weights(model: LeNet) -> tuple[list[tuple[Tensor, Tensor]], list[tuple[Tensor, Tensor]]]:
    """A modern LeNet's weights as a library that keeps channels last would store them, such as TensorFlow.

    Args:
        model: without batch normalisation.

    Returns:
        Kernels, each (h, w, in, out) with its bias (out,); and linear layers, each (in, out) with its bias. The first linear layer
        reads the maps in the order height, width, channel.
    """
    kernels = [(c.weight.detach().permute(2, 3, 1, 0), c.bias.detach()) for c in model.features if isinstance(c, nn.Conv2d)]
    linear = [(layer.weight.detach().T, layer.bias.detach()) for layer in model.classifier if isinstance(layer, nn.Linear)]
    first, bias = linear[0]  # (C * 5 * 5, out), in the order channel, height, width
    turned = first.reshape(-1, 5, 5, first.shape[1]).permute(1, 2, 0, 3)  # (5, 5, C, out)
    linear[0] = turned.reshape(first.shape), bias
    return kernels, linear


@torch.no_grad()
def shapes_of(model: LeNet, images: Tensor) -> list[tuple[str, tuple[int, ...]]]:
    """(layer, shape of one image behind it) all the way through."""
    found, x = [("image", tuple(images.shape[1:]))], model.pixels(images)
    for layer in (*model.features, *model.classifier):
        x = layer(x)
        if isinstance(layer, (nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d, nn.Flatten, nn.Linear)):
            found.append((type(layer).__name__, tuple(x.shape[1:])))
    return found
