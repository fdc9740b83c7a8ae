"""The classifier of windows, and the same network made fully convolutional: all windows in one pass. Taught in notebook 14_sliding_window.

>>> model = WindowNet(classes=5).eval()
>>> dense = convolutional(model)                # the same weights; no linear layer is left
>>> model(crops).shape, dense(images).shape     # (N, 5), and (1, 5, 23, 23) of a picture of 128 x 128
"""

import copy

import torch
from torch import Tensor, nn

from ..models.layers import Pixels

WINDOW, STRIDE = 40, 4  # pixels; the stride is what two poolings of 2 make together


class WindowNet(nn.Module):
    """Two times convolution, normalisation, ReLU and pooling, then two fully connected layers: a LeNet for windows in colour.

    Args:
        classes: logits; the last one is background by convention.
        width: maps of the first convolution; the second has twice as many.
        hidden: neurons of the first fully connected layer.
        padded: a ring of two zeros around every map, so that convolutions keep its size. Then windows alone and the dense map differ.
        window: side of the windows in pixels, a multiple of 4.

    Input is (N, 3, window, window), uint8 or float in 0..1; output (N, classes) logits. ``features`` gives the maps before `Flatten`,
    ``maps_chw`` is the shape of one.

    Raises:
        ValueError: for a window that leaves nothing, or images of another size.
    """

    def __init__(self, classes: int = 5, width: int = 8, hidden: int = 32, padded: bool = False, window: int = WINDOW):
        super().__init__()
        if window % 4 or window < 16:
            raise ValueError(f"window must be a multiple of 4 and at least 16, got {window}")
        padding = 2 if padded else 0
        side = window // 4 if padded else ((window - 4) // 2 - 4) // 2
        self.window, self.maps_chw = window, (2 * width, side, side)
        self.pixels = Pixels(0.5, 0.25)
        blocks = []
        for before, after in ((3, width), (width, 2 * width)):
            blocks += [nn.Conv2d(before, after, 5, padding=padding, bias=False), nn.BatchNorm2d(after), nn.ReLU(), nn.MaxPool2d(2)]
        self.features = nn.Sequential(*blocks)  # unpadded: 40 -> 36 -> 18 -> 14 -> 7
        self.classifier = nn.Sequential(
            nn.Flatten(),
            nn.Linear(2 * width * side * side, hidden),
            nn.ReLU(),
            nn.Linear(hidden, classes),
        )

    def forward(self, images: Tensor) -> Tensor:
        if images.ndim != 4 or images.shape[1:] != (3, self.window, self.window):
            raise ValueError(f"images must have shape (N, 3, {self.window}, {self.window}), got {tuple(images.shape)}")
        return self.classifier(self.features(self.pixels(images)))


def fc_to_conv(linear: nn.Linear, maps_chw: tuple[int, int, int]) -> nn.Conv2d:
    """The convolution that says on maps of ``maps_chw`` what a fully connected layer says on the same maps flattened.

    Each neuron looked at all C * h * w numbers; now it is a kernel of (C, h, w). On larger maps it slides, which a linear layer cannot.

    Args:
        linear: with C * h * w inputs, in the order in which `Flatten` lays them: channel, row, column.
        maps_chw: (C, h, w). After the first layer maps are 1 x 1: ``(linear.in_features, 1, 1)``.

    Returns:
        A new layer without stride or padding, with copies of weight and bias (none where there is none).

    Raises:
        ValueError: if the layer has not C * h * w inputs.

    Source: Sermanet et al., "OverFeat", ICLR 2014, section 3.5; Long, Shelhamer, Darrell, CVPR 2015, section 3.1.
    """
    channels, height, width = maps_chw
    if linear.in_features != channels * height * width:
        raise ValueError(f"linear must have {channels} * {height} * {width} inputs, got {linear.in_features}")
    conv = nn.Conv2d(channels, linear.out_features, (height, width), bias=linear.bias is not None)
    conv.to(device=linear.weight.device, dtype=linear.weight.dtype)
    with torch.no_grad():
        conv.weight.copy_(linear.weight.reshape(conv.weight.shape))
        if linear.bias is not None:
            conv.bias.copy_(linear.bias)
    return conv


def convolutional(model: WindowNet) -> nn.Sequential:
    """A copy of the classifier without a linear layer, in eval mode: pictures of any size in, a map of logits out.

    Returns:
        A network from (N, 3, H, W) to (N, classes, rows, columns): cell (r, c) is what ``model`` says of the window whose left upper corner
        is pixel (4 * c, 4 * r), as `coursekit.sliding.windows.grid` counts them with stride 4. The same numbers but for rounding if
        the model has no padding; with padding the windows' borders see each other's pixels instead of zeros.
    """
    model = copy.deepcopy(model)
    layers, maps = [model.pixels, *model.features], model.maps_chw
    for layer in model.classifier:
        if isinstance(layer, nn.Linear):
            layers.append(fc_to_conv(layer, maps))
            maps = (layer.out_features, 1, 1)
        elif not isinstance(layer, nn.Flatten):  # a convolution wants its maps unflattened
            layers.append(layer)
    return nn.Sequential(*layers).eval()
