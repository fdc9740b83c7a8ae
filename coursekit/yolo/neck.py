"""The neck: coarse maps know what, fine maps know where; it lets them talk. Taught in notebook 19_yolo."""

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from .layers import CSP, Conv


class Neck(nn.Module):
    """A feature pyramid with a way up and a way down (PAN), of constant width.

    Shapes: three maps of ``channels`` at strides 8, 16, 32 -> three maps of ``width`` channels, same sizes.
    Source: Lin et al., arXiv 1612.03144 (down); Liu et al., arXiv 1803.01534 (and up again).
    """

    def __init__(self, channels: tuple[int, int, int], width: int):
        super().__init__()
        self.lateral = nn.ModuleList(Conv(c, width, kernel=1) for c in channels)
        self.to_fine = nn.ModuleList(CSP(2 * width, width, shortcut=False) for _ in range(2))
        self.shrink = nn.ModuleList(Conv(width, width, stride=2) for _ in range(2))
        self.to_coarse = nn.ModuleList(CSP(2 * width, width, shortcut=False) for _ in range(2))

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        p3, p4, p5 = (conv(x) for conv, x in zip(self.lateral, maps, strict=True))
        p4 = self.to_fine[0](torch.cat([p4, interpolate(p5, size=p4.shape[2:])], dim=1))  # what: from coarse to fine
        p3 = self.to_fine[1](torch.cat([p3, interpolate(p4, size=p3.shape[2:])], dim=1))
        n4 = self.to_coarse[0](torch.cat([p4, self.shrink[0](p3)], dim=1))  # where: from fine to coarse
        n5 = self.to_coarse[1](torch.cat([p5, self.shrink[1](n4)], dim=1))
        return [p3, n4, n5]
