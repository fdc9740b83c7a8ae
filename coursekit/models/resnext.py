"""ResNeXt: many narrow paths instead of one wide one, which is a grouped convolution. Taught in notebook 09_architectures."""

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d

from .resnet import ResNet


def resnext50(num_classes: int = 1000, width: float = 1.0, groups: int = 32, group_width: int = 4, small_images: bool = False) -> ResNet:
    """ResNeXt-50, by default 32x4d: 32 paths of 4 channels in the first stage, 25,028,904 parameters, about as many as ResNet-50.

    Args: see `ResNet`.

    Source: Xie et al., arXiv 1611.05431, Table 1.
    """
    return ResNet(num_classes, 50, width, groups, group_width, small_images=small_images)


def sum_of_paths(bottleneck: nn.Sequential, x: Tensor) -> Tensor:
    """What a bottleneck with groups computes, path by path: the same numbers, slower. Fig. 3(a) of the paper; the body is 3(c).

    Each path narrows the map on its own, looks with its own 3x3, widens again; the paths' outputs are added up.

    Args:
        bottleneck: a `bottleneck_body`.
        x: (N, in_channels, H, W).
    """
    conv1, conv2, conv3 = bottleneck.conv1, bottleneck.conv2, bottleneck.conv3
    groups, stride = conv2.conv.groups, conv2.conv.stride
    narrow = conv1(x).chunk(groups, dim=1)  # for each path (N, d, H, W)
    kernels = conv2.conv.weight.chunk(groups, dim=0)  # for each path (d, d, 3, 3): it sees its own channels alone
    seen = torch.cat([conv2d(part, kernel, stride=stride, padding=1) for part, kernel in zip(narrow, kernels, strict=True)], dim=1)
    seen = conv2.act(conv2.norm(seen)).chunk(groups, dim=1)
    widen = conv3.conv.weight.chunk(groups, dim=1)  # for each path (4 * channels, d, 1, 1)
    return conv3.norm(sum(conv2d(part, kernel) for part, kernel in zip(seen, widen, strict=True)))
