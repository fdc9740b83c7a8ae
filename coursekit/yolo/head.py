"""The head: at every cell, how sure of each class, and how far to each side of the box. Taught in notebook 19_yolo."""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from .layers import Conv

PRIOR = 0.01  # nearly every cell is background: begin by saying so
START = 3.5  # a box begins about 7 strides wide: see `Head`


class Head(nn.Module):
    """Decoupled and anchor-free: one branch says what, one says where, and there is no third that says whether.

    The start matters more than it looks. Task-aligned assignment weighs IoU to the sixth power, so a head whose boxes
    start far too small finds no cell better than another, and learns slowly for hundreds of steps: with boxes that
    start a quarter of a stride wide, eight epochs of notebook 19's small world reached AP .39, with 7 strides wide .63.

    Args:
        channels: of each of the maps that come in.
        num_classes: classes, background not counted.
        start: distance in strides from a cell's centre to each side before training.

    Shapes: maps (B, channels, Hi, Wi) -> class logits (B, A, num_classes) and distances left, top, right, bottom in
    strides (B, A, 4), where A is the sum of all Hi*Wi, fine maps first, row by row. Always float32.
    Source: FCOS, arXiv 1904.01355; decoupled as in YOLOX, arXiv 2107.08430.
    """

    def __init__(self, channels: int, num_classes: int, levels: int = 3, start: float = START):
        super().__init__()
        self.num_classes = num_classes
        self.classes = nn.ModuleList(self._branch(channels, num_classes) for _ in range(levels))
        self.boxes = nn.ModuleList(self._branch(channels, 4) for _ in range(levels))
        for branch in self.classes:
            nn.init.constant_(branch[-1].bias, -math.log((1 - PRIOR) / PRIOR))  # sigmoid(-log 99) = 0.01
        for branch in self.boxes:
            nn.init.constant_(branch[-1].bias, start)  # softplus(3.5) = 3.53

    @staticmethod
    def _branch(channels: int, out: int) -> nn.Sequential:
        return nn.Sequential(Conv(channels, channels), Conv(channels, channels), nn.Conv2d(channels, out, kernel_size=1))

    def forward(self, maps: list[Tensor]) -> tuple[Tensor, Tensor]:
        logits = [branch(x).flatten(2) for branch, x in zip(self.classes, maps, strict=True)]  # [(B, C, Hi*Wi)]
        sides = [branch(x).flatten(2) for branch, x in zip(self.boxes, maps, strict=True)]  # [(B, 4, Hi*Wi)]
        logits = torch.cat(logits, dim=2).transpose(1, 2).float()  # (B, A, C)
        return logits, softplus(torch.cat(sides, dim=2).transpose(1, 2).float())  # a distance is never negative
