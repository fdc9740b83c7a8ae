"""The whole detector, small enough to read. Taught in notebook 19_yolo."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .backbone import Backbone
from .decode import cell_centres
from .head import START, Head
from .neck import Neck

STRIDES = (8, 16, 32)


@dataclass(frozen=True)
class Size:
    """How wide and how deep.

    Args:
        widths: channels at strides 2, 4, 8, 16, 32. depths: bottlenecks at strides 4, 8, 16, 32.
        neck: channels of neck and head.
    """

    widths: tuple[int, int, int, int, int]
    depths: tuple[int, int, int, int]
    neck: int


SIZES = {
    "n": Size(widths=(16, 32, 48, 96, 160), depths=(1, 1, 1, 1), neck=48),  # 0.9 M parameters: a laptop
    "s": Size(widths=(16, 32, 64, 128, 256), depths=(1, 2, 2, 1), neck=64),  # 1.9 M
    "m": Size(widths=(24, 48, 96, 192, 320), depths=(1, 2, 2, 1), neck=96),  # 3.7 M
}


class YOLO(nn.Module):
    """Backbone, neck, head.

    Args:
        num_classes: at least 1, background not counted.
        size: ``"n"``, ``"s"`` or ``"m"``, see `SIZES`.
        start: see `Head`.

    Raises:
        ValueError: for a size that is not there, or no classes.
    """

    def __init__(self, num_classes: int, size: str = "n", start: float = START):
        super().__init__()
        if size not in SIZES:
            raise ValueError(f"size must be one of {', '.join(SIZES)}, got {size!r}")
        if num_classes < 1:
            raise ValueError(f"num_classes must be at least 1, got {num_classes}")
        self.num_classes, self.size = num_classes, size
        self.classes = tuple(f"class {label}" for label in range(num_classes))  # names and input size travel with the weights:
        self.imgsz, self.tile = 320, 0  # training sets them; tile: see `coursekit.yolo.tiles`, 0 is whole images
        self.frozen = False  # see `freeze`
        widths, depths, neck = SIZES[size].widths, SIZES[size].depths, SIZES[size].neck
        self.backbone = Backbone(widths, depths)
        self.neck = Neck(widths[2:], neck)
        self.head = Head(neck, num_classes, levels=len(STRIDES), start=start)

    def forward(self, images: Tensor) -> "Raw":
        """What every cell says.

        Args:
            images: (B, 3, H, W) uint8, or float already in [0, 1]; H and W multiples of 32.

        Raises:
            ValueError: for another shape.
        """
        logits, sides = self.head(self.neck(self.backbone(scaled(images, self.dtype))))
        centres, strides = cell_centres(images.shape[2:], STRIDES, device=logits.device)
        return Raw(logits, sides, centres, strides)

    def freeze(self) -> None:
        """Let the backbone be as it is: its weights get no gradient, its normalisations keep their averages, also while the rest trains."""
        self.frozen = True
        self.backbone.requires_grad_(False)
        self.train(self.training)

    def train(self, mode: bool = True) -> "YOLO":
        """As torch's, but a frozen backbone stays in eval mode."""
        super().train(mode)
        if self.frozen:
            self.backbone.eval()
        return self

    @property
    def dtype(self) -> torch.dtype:
        """Of the weights."""
        return self.backbone.stem.conv.weight.dtype


def scaled(images: Tensor, dtype: torch.dtype) -> Tensor:
    """What the first convolution takes of what `YOLO.forward` takes: the one place where pixels are scaled to [0, 1].

    Raises:
        ValueError: for another shape.
    """
    if images.ndim != 4 or images.shape[1] != 3 or any(side % STRIDES[-1] for side in images.shape[2:]):
        raise ValueError(f"images must have shape (B, 3, H, W), H and W multiples of 32, got {tuple(images.shape)}")
    x = images.to(dtype) / 255 if images.dtype == torch.uint8 else images
    return x.contiguous(memory_format=torch.channels_last)


@dataclass
class Raw:
    """What the network says before anything is decided: A cells for each of B images.

    Args:
        logits: (B, A, C) float32; a sigmoid makes each an independent confidence.
        sides: (B, A, 4) float32, distances left, top, right, bottom from the cell's centre, in strides of the cell.
        centres: (A, 2) float32, x and y of each cell's centre in pixels.
        strides: (A,) float32, pixels per cell.
    """

    logits: Tensor
    sides: Tensor
    centres: Tensor
    strides: Tensor
