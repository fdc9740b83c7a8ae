"""A trained detector made faster to use: each normalisation goes into its convolution. Goes with notebook 19_yolo.

    detector = fuse(load("runs/detect/train/weights/last.pt"))
    found = predict(detector, images)

After training a batch normalisation is a fixed line, ``y = gain * x + shift`` for each channel, and so is a convolution: one
convolution can do both. On a CPU that torch's oneDNN library serves, the SiLU goes in too, and the weights are laid out in
memory once instead of at every call.
"""

import copy

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from .decode import cell_centres
from .layers import Conv
from .model import STRIDES, YOLO, Raw, scaled

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}


@torch.no_grad()
def fold(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> nn.Conv2d:
    """One convolution with bias that says what ``norm(conv(x))`` says in eval mode: kernels times gain, bias = shift - mean * gain.

    The sums are done in float64, so that only the last rounding differs.
    """
    gain = norm.weight.double() / (norm.running_var.double() + norm.eps).sqrt()  # (out_channels,)
    one = nn.Conv2d(conv.in_channels, conv.out_channels, conv.kernel_size, conv.stride, conv.padding).to(conv.weight)
    one.weight.copy_(conv.weight.double() * gain[:, None, None, None])
    one.bias.copy_(norm.bias.double() - norm.running_mean.double() * gain)
    return one


class FusedConv(nn.Module):
    """Convolution with bias, then SiLU where ``act``; with ``onednn`` one kernel of that library, its weights laid out beforehand.

    Takes the place of `layers.Conv` (``act``) and of the head's last 1x1 convolutions. How oneDNN wants the weights depends on the
    map's size, so they are laid out when a size first comes and kept until another one comes: a wrong layout takes twice the time.
    """

    def __init__(self, conv: nn.Conv2d, act: bool, onednn: bool = False):
        super().__init__()
        self.conv, self.act, self.onednn = conv, act, onednn
        self.shape, self.weight = None, None  # of the maps that came last, and the weights laid out for them

    def forward(self, x: Tensor) -> Tensor:
        c = self.conv
        if not self.onednn:
            return nn.functional.silu(c(x), inplace=True) if self.act else c(x)
        if x.shape != self.shape:
            plain = c.weight.detach().contiguous(memory_format=torch.channels_last)
            self.weight = torch.ops.mkldnn._reorder_convolution_weight(plain, c.padding, c.stride, c.dilation, c.groups, x.shape)
            self.shape = x.shape
        act = "swish" if self.act else "none"  # the call that torch.compile makes of a convolution and a SiLU
        return torch.ops.mkldnn._convolution_pointwise(x, self.weight, c.bias, c.padding, c.stride, c.dilation, c.groups, act, [], "")


class Fused(nn.Module):
    """A detector to use, not to train: `fuse` makes it, and `predict` and `validate` take it as they take a `YOLO`.

    Args:
        model: what was trained; nothing of it is changed.
        precision: of the convolutions; the last ones, that say class and distance, are float32 always.
    """

    def __init__(self, model: YOLO, precision: str = "float32"):
        super().__init__()
        for name in ("size", "num_classes", "classes", "imgsz", "tile"):
            setattr(self, name, copy.copy(getattr(model, name)))
        self.dtype = PRECISIONS[precision]
        for name in ("backbone", "neck", "head"):
            part = copy.deepcopy(getattr(model, name))
            _replace_convolutions(part)
            setattr(self, name, part.to(self.dtype))
        for branch in (*self.head.classes, *self.head.boxes):
            branch[-1].float()
        self.requires_grad_(False).to(memory_format=torch.channels_last).eval()
        self.centres = {}  # by image size: the same each time

    def forward(self, images: Tensor) -> Raw:
        """As `YOLO.forward`; equal to it within 1e-4 in float32."""
        maps = self.neck(self.backbone(scaled(images, self.dtype)))
        logits = [branch[-1](branch[:-1](m).float()) for branch, m in zip(self.head.classes, maps, strict=True)]
        sides = [branch[-1](branch[:-1](m).float()) for branch, m in zip(self.head.boxes, maps, strict=True)]
        key = (tuple(images.shape[2:]), images.device)
        if key not in self.centres:
            with torch.inference_mode(False):  # kept for whoever comes, also with gradients on
                self.centres[key] = cell_centres(images.shape[2:], STRIDES, device=images.device)
        return Raw(_in_a_row(logits), softplus(_in_a_row(sides)), *self.centres[key])

    def train(self, mode: bool = True) -> "Fused":
        """Stays as it is: there is nothing left here that a training could move."""
        return super().train(False)


def fuse(model: YOLO, precision: str = "float32") -> Fused:
    """A copy of ``model`` to find objects with: the same answers sooner, most of all on a CPU and one image at a time.

    Args:
        model: a `YOLO`; it is left as it is. The copy lies on the same device; fuse again instead of moving it.
        precision: ``"float32"``, or ``"bfloat16"`` for a CPU or GPU that has the instructions: faster, and boxes move by parts of a pixel.

    Raises:
        ValueError: for another precision.
    """
    if precision not in PRECISIONS:
        raise ValueError(f"precision must be one of {', '.join(PRECISIONS)}, got {precision!r}")
    fused = Fused(model, precision)
    onednn = next(fused.parameters()).device.type == "cpu" and _onednn_has(precision)
    for module in fused.modules():
        if isinstance(module, FusedConv):
            module.onednn = onednn
    return fused


def _replace_convolutions(module: nn.Module) -> None:
    for name, child in module.named_children():
        if isinstance(child, Conv):
            setattr(module, name, FusedConv(fold(child.conv, child.norm), act=True))
        elif isinstance(child, nn.Conv2d):
            setattr(module, name, FusedConv(child, act=False))
        else:
            _replace_convolutions(child)


def _in_a_row(maps: list[Tensor]) -> Tensor:
    """[(B, C, Hi, Wi)] -> (B, A, C); channels are last in memory already, so nothing is moved but into one piece."""
    return torch.cat([m.permute(0, 2, 3, 1).flatten(1, 2) for m in maps], dim=1)


def _onednn_has(precision: str) -> bool:
    """Has this build of torch the kernels that `FusedConv` asks for? They are its own affair, so a build that lost them is served too."""
    ops = torch.ops.mkldnn
    if not torch.backends.mkldnn.is_available() or not hasattr(ops, "_convolution_pointwise"):
        return False
    return precision == "float32" or bool(ops._is_mkldnn_bf16_supported())
