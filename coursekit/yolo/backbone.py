"""The backbone: an image goes in, three maps of what is where come out. Taught in notebook 19_yolo."""

from torch import Tensor, nn

from .layers import CSP, SPPF, Conv


class Backbone(nn.Module):
    """Five halvings; the maps at strides 8, 16 and 32 are handed on.

    Args:
        widths: channels at strides 2, 4, 8, 16, 32.
        depths: bottlenecks in the CSP blocks at strides 4, 8, 16, 32.

    Shapes: (B, 3, H, W) float -> [(B, w3, H/8, W/8), (B, w4, H/16, W/16), (B, w5, H/32, W/32)].
    """

    def __init__(self, widths: tuple[int, ...] = (16, 32, 48, 96, 160), depths: tuple[int, ...] = (1, 1, 1, 1)):
        super().__init__()
        self.stem = Conv(3, widths[0], stride=2)
        self.stages = nn.ModuleList(
            nn.Sequential(Conv(before, width, stride=2), CSP(width, width, depth))
            for before, width, depth in zip(widths, widths[1:], depths, strict=False)
        )
        self.pool = SPPF(widths[-1])

    def forward(self, x: Tensor) -> list[Tensor]:
        x = self.stem(x)  # (B, w1, H/2, W/2)
        maps = []
        for stage in self.stages:
            x = stage(x)  # strides 4, 8, 16, 32
            maps.append(x)
        return [maps[1], maps[2], self.pool(maps[3])]
