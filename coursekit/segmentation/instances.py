"""A mask inside each box, in the manner of Mask R-CNN. Taught in notebook 22_segmentation.

Mask R-CNN (He et al., arXiv 1703.06870) crops the map of a backbone that has looked at the picture once. Ours crops the pixels: one
network less to explain, and the same three steps: crop by RoI align, predict a small mask, put it back where the box is.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.ops import roi_align

from ..models.layers import ConvNormAct, Pixels

SIDE = 28  # of a predicted mask, as in the paper


class MaskHead(nn.Module):
    """uint8 or float crops (R, 3, 28, 28) -> (R, 28, 28) logits: does this pixel belong to the object that the box is about?

    One mask for all classes: the box has a class already (the paper predicts one mask for each, and reads that of the box's class).

    Args:
        width: channels.
    """

    def __init__(self, width: int = 16):
        super().__init__()
        self.pixels = Pixels(0.45, 0.25)
        self.down = nn.Sequential(ConvNormAct(3, width), ConvNormAct(width, 2 * width, stride=2), ConvNormAct(2 * width, 2 * width))
        self.up = nn.ConvTranspose2d(2 * width, width, kernel_size=2, stride=2)  # 14 -> 28
        self.score = nn.Conv2d(width, 1, kernel_size=1)

    def forward(self, crops: Tensor) -> Tensor:
        return self.score(self.up(self.down(self.pixels(crops))).relu())[:, 0]


def crop_boxes(images: Tensor, boxes: list[Tensor], side: int = SIDE) -> Tensor:
    """What lies in each box, brought to one size.

    Args:
        images: (N, 3, H, W) uint8.
        boxes: for each picture (R_i, 4) float ``xyxy`` pixels.

    Returns:
        (R_1 + R_2 + ..., 3, side, side) float32 in 0..1.
    """
    return roi_align(images.float() / 255, boxes, output_size=side, aligned=True)


def mask_targets(masks: list[Tensor], boxes: list[Tensor], side: int = SIDE) -> Tensor:
    """The part of each object's own mask that lies in its box, brought to one size.

    Args:
        masks: for each picture (R_i, H, W) bool, one for each box.
        boxes: for each picture (R_i, 4) ``xyxy`` pixels.

    Returns:
        (R_1 + R_2 + ..., side, side) float32, 0 or 1: a pixel is the object's where at least half of it is.
    """
    cut = [
        roi_align(m[:, None].float(), torch.cat([torch.arange(len(b), device=b.device)[:, None].float(), b], dim=1), side, aligned=True)
        for m, b in zip(masks, boxes, strict=True)
    ]
    return (torch.cat(cut)[:, 0] >= 0.5).float() if cut else torch.zeros(0, side, side)


def paste_masks(probabilities: Tensor, boxes: Tensor, size_hw: tuple[int, int], threshold: float = 0.5) -> Tensor:
    """Put each small mask back where its box is.

    Args:
        probabilities: (R, S, S) in 0..1.
        boxes: (R, 4) ``xyxy`` pixels.
        size_hw: of the picture.

    Returns:
        (R, H, W) bool. What lies outside the picture is cut; a box without area gives an empty mask.
    """
    height, width = size_hw
    pasted = torch.zeros(len(boxes), height, width, dtype=torch.bool, device=boxes.device)
    x = torch.arange(width, device=boxes.device) + 0.5  # pixel centres
    y = torch.arange(height, device=boxes.device) + 0.5
    for index, (x1, y1, x2, y2) in enumerate(boxes.tolist()):
        if x2 <= x1 or y2 <= y1:
            continue
        u, v = (x - x1) / (x2 - x1) * 2 - 1, (y - y1) / (y2 - y1) * 2 - 1  # -1 .. 1 across the box
        grid = torch.stack(torch.meshgrid(u, v, indexing="xy"), dim=-1)[None]  # (1, H, W, 2): where each pixel lies in the small mask
        values = F.grid_sample(probabilities[index][None, None], grid, padding_mode="border", align_corners=False)[0, 0]
        inside = (u.abs() <= 1)[None, :] & (v.abs() <= 1)[:, None]
        pasted[index] = (values >= threshold) & inside
    return pasted
