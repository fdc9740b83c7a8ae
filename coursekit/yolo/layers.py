"""The three bricks that the detector is built of. Taught in notebook 19_yolo."""

import torch
from torch import Tensor, nn


class Conv(nn.Module):
    """Convolution, batch normalisation, SiLU: the brick of every YOLO since the fifth.

    No bias in the convolution, since the normalisation subtracts any constant right after. ``stride=2`` halves the map
    (an odd size is rounded up); the padding keeps it the same size at ``stride=1``.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel: int = 3, stride: int = 1):
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, kernel, stride, padding=kernel // 2, bias=False)
        self.norm = nn.BatchNorm2d(out_channels, eps=1e-3, momentum=0.03)  # small batches: let the running mean move slowly
        self.act = nn.SiLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.norm(self.conv(x)))


class Bottleneck(nn.Module):
    """Two 3x3 convolutions, added to their input where ``shortcut``."""

    def __init__(self, channels: int, shortcut: bool = True):
        super().__init__()
        self.conv1, self.conv2 = Conv(channels, channels), Conv(channels, channels)
        self.shortcut = shortcut

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv2(self.conv1(x))
        return x + y if self.shortcut else y


class CSP(nn.Module):
    """Cross-stage partial block: half of the channels work, the other half is carried past, a 1x1 convolution mixes them.

    The same depth for half of the arithmetic, and a short way for the gradient. Source: Wang et al., arXiv 1911.11929.
    """

    def __init__(self, in_channels: int, out_channels: int, depth: int = 1, shortcut: bool = True):
        super().__init__()
        half = out_channels // 2
        self.work, self.carry = Conv(in_channels, half, kernel=1), Conv(in_channels, half, kernel=1)
        self.blocks = nn.Sequential(*(Bottleneck(half, shortcut) for _ in range(depth)))
        self.mix = Conv(2 * half, out_channels, kernel=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.mix(torch.cat([self.blocks(self.work(x)), self.carry(x)], dim=1))


class SPPF(nn.Module):
    """Three 5x5 max-poolings in a row see 5, 9 and 13 cells wide: spatial pyramid pooling (He et al., arXiv 1406.4729), the cheap way."""

    def __init__(self, channels: int):
        super().__init__()
        half = channels // 2
        self.reduce, self.mix = Conv(channels, half, kernel=1), Conv(4 * half, channels, kernel=1)
        self.pool = nn.MaxPool2d(5, stride=1, padding=2)

    def forward(self, x: Tensor) -> Tensor:
        seen = [self.reduce(x)]
        for _ in range(3):
            seen.append(self.pool(seen[-1]))  # pooling what was pooled: 5, then 9, then 13 cells
        return self.mix(torch.cat(seen, dim=1))
