"""From the bytes of a picture to what the network takes, in tensor operations only. Taught in notebook 23_deployment.

What is written like this can be exported with the network: then nobody can prepare pictures in another way than training did.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from ..data.geometric import GREY


def preprocess_in_graph(pixels: Tensor, size: int) -> Tensor:
    """Pictures as a decoder gives them, on the square canvas that the network takes: a letterbox.

    The longer side becomes ``size`` and the other one follows, rounded to whole pixels but at least 1; bilinear, with antialiasing. The
    picture lies in the middle, the rest is grey (114); where what is left over is odd, the larger bar is on the right or at the bottom.

    Differs from `coursekit.data.geometric.letterbox`, divided by 255, by rounding only: there each resized value is a whole level, so up
    to 2 of 255 levels. `coursekit.yolo.export` builds the same in ONNX for pictures of every size; this one, exported, keeps the size
    of the pictures that it was traced with, and leaves only their number open.

    Args:
        pixels: (B, H, W, 3) uint8 RGB, as image files are decoded.
        size: side of the canvas in pixels.

    Returns:
        (B, 3, size, size) float32 in [0, 1].

    Raises:
        ValueError: for another shape, dtype or size.
    """
    if pixels.ndim != 4 or pixels.shape[3] != 3 or pixels.dtype != torch.uint8:
        raise ValueError(f"pixels must be uint8 of shape (B, H, W, 3), got {pixels.dtype} {tuple(pixels.shape)}")
    if 0 in pixels.shape[1:3]:
        raise ValueError(f"pixels must have at least one row and one column, got {tuple(pixels.shape)}")
    if size < 1:
        raise ValueError(f"size must be at least 1 pixel, got {size}")
    images = pixels.permute(0, 3, 1, 2).float() / 255
    height, width = images.shape[2:]
    scale = size / max(height, width)
    new_h, new_w = max(1, round(height * scale)), max(1, round(width * scale))
    resized = F.interpolate(images, size=(new_h, new_w), mode="bilinear", antialias=True)
    top, left = (size - new_h) // 2, (size - new_w) // 2
    return F.pad(resized, (left, size - new_w - left, top, size - new_h - top), value=GREY / 255)
