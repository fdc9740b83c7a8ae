"""The network: halve until a cell is a pixel of the map, then say coverage and corners. Taught in notebook 16_grid_detector."""

import math

import torch
from torch import Tensor, nn

from ..detections import Detections
from ..yolo.layers import CSP, Conv
from .decode import detections

STRIDES = (4, 8, 16)


class GridDetector(nn.Module):
    """A backbone of four stages and a head of one convolution; no scales, no anchors, no second look.

    Args:
        num_classes: at least 1.
        stride: pixels a cell: 4, 8 or 16. A finer grid has the same weights: the last stages do not halve, as DetectNet kept
            GoogLeNet's map fine by taking out its last pooling.
        width: channels of the first stage; the others have 2, 4 and 8 times as many.

    Raises:
        ValueError: naming the argument.
    """

    def __init__(self, num_classes: int, stride: int = 16, width: int = 16):
        super().__init__()
        if stride not in STRIDES:
            raise ValueError(f"stride must be one of {', '.join(map(str, STRIDES))}, got {stride!r}")
        if num_classes < 1 or width < 1:
            raise ValueError(f"num_classes and width must be at least 1, got {num_classes} and {width}")
        self.num_classes, self.stride = num_classes, stride
        layers, channels = [Conv(3, width, stride=2)], width
        for stage in (4, 8, 16):  # the stride that this stage reaches, where it may
            wider = 2 * channels
            layers += [Conv(channels, wider, stride=2 if stage <= stride else 1), CSP(wider, wider)]
            channels = wider
        self.backbone = nn.Sequential(*layers, Conv(channels, channels // 2))
        self.head = nn.Conv2d(channels // 2, num_classes + 4, kernel_size=1)
        with torch.no_grad():  # before training: nothing is here (1 %), and a box of one cell
            self.head.bias.copy_(torch.tensor([-math.log(99)] * num_classes + [-0.5, -0.5, 0.5, 0.5]))

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """uint8 (B, 3, H, W), both sides multiples of 16 -> coverage logits (B, K, H / stride, W / stride), corners (B, 4, likewise)."""
        x = (images.float() / 255).contiguous(memory_format=torch.channels_last)
        said = self.head(self.backbone(x))
        return said[:, : self.num_classes], said[:, self.num_classes :]

    @torch.no_grad()
    def find(self, images: Tensor, threshold: float = 0.001) -> list[Detections]:
        """uint8 (B, 3, H, W) -> what is found in each, of all scores from ``threshold`` on."""
        return detections(*self(images), self.stride, threshold)
