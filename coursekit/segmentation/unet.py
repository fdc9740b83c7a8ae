"""U-Net in miniature: down to see what, up to say where, with a bridge at every size. Taught in notebook 22_segmentation."""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..models.layers import ConvNormAct
from .fcn import Encoder


class UNet(nn.Module):
    """The encoder of `FCN`; on the way up, each map is enlarged, laid beside the encoder's map of that size, and mixed by a 3x3.

    Where `FCN` adds class scores, this hands whole features over: all channels of the fine map, not K numbers.

    Args:
        num_classes: background counted.
        width: of the encoder.

    Input is uint8 (N, 3, H, W) of any H and W; output (N, num_classes, H, W) logits.

    Source: Ronneberger et al., arXiv 1505.04597, Figure 1; theirs has two convolutions at every step, 64 to 1,024 channels, no padding
    and no batch normalisation.
    """

    def __init__(self, num_classes: int, width: int = 8):
        super().__init__()
        self.encoder = Encoder(width)
        up = self.encoder.channels[::-1]  # coarsest first
        self.mix = nn.ModuleList(ConvNormAct(below + skip, skip) for below, skip in pairwise(up))
        self.score = nn.Conv2d(up[-1], num_classes, kernel_size=1)

    def forward(self, images: Tensor) -> Tensor:
        *skips, x = self.encoder(images)
        for mix, skip in zip(self.mix, reversed(skips), strict=True):
            x = F.interpolate(x, size=skip.shape[2:], mode="nearest")  # 2 x the size
            x = mix(torch.cat([x, skip], dim=1))
        return self.score(x)
