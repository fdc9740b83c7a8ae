"""Maps of several strides, and the path that brings what the coarse ones know to the fine ones. Taught in notebook 17_one_stage."""

from collections import OrderedDict
from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn.functional import interpolate

from ..models.layers import Classifier

STAGES = {4: "stage1", 8: "stage2", 16: "stage3", 32: "stage4"}  # the stride of each stage of the course's ResNet


def upsample_add(coarse: Tensor, fine: Tensor) -> Tensor:
    """The coarse map enlarged to the size of the fine one (each value repeated), plus the fine one.

    Args:
        coarse: (N, C, h, w). fine: (N, C, H, W), H >= h and W >= w.
    """
    return interpolate(coarse, size=fine.shape[-2:], mode="nearest") + fine


def top_down(maps: Sequence[Tensor]) -> list[Tensor]:
    """From the coarsest map down: each map plus the enlarged *sum* above it, so that what the coarsest knows reaches them all.

    Args:
        maps: fine to coarse, each (N, C, H, W) with the same C.

    Returns:
        as many maps of the same shapes, fine to coarse; the coarsest is unchanged.

    Raises:
        ValueError: if there is no map.
    """
    if not len(maps):
        raise ValueError("maps must hold at least one map, got none")
    sums = [maps[-1]]
    for fine in reversed(maps[:-1]):
        sums.insert(0, upsample_add(sums[0], fine))
    return sums


class FeaturePyramid(nn.Module):
    """Feature pyramid network: lateral 1x1 convolutions to one width, `top_down`, and a 3x3 convolution on each sum.

    Args:
        in_channels: of the maps that come, fine to coarse.
        channels: of every map that leaves.

    Shapes: a list of (N, C_i, H_i, W_i), fine to coarse -> a list of (N, channels, H_i, W_i).
    Equal to torchvision.ops.FeaturePyramidNetwork with the same weights; its initialisation, too.

    Source: Lin et al., "Feature Pyramid Networks for Object Detection", arXiv 1612.03144, Fig. 3.
    """

    def __init__(self, in_channels: Sequence[int], channels: int = 64):
        super().__init__()
        self.lateral = nn.ModuleList(nn.Conv2d(width, channels, 1) for width in in_channels)
        self.smooth = nn.ModuleList(nn.Conv2d(channels, channels, 3, padding=1) for _ in in_channels)  # repeated values make steps
        for layer in (*self.lateral, *self.smooth):
            nn.init.kaiming_uniform_(layer.weight, a=1)
            nn.init.zeros_(layer.bias)

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        if len(maps) != len(self.lateral):
            raise ValueError(f"maps must be {len(self.lateral)}, fine to coarse, got {len(maps)}")
        sums = top_down([layer(x) for layer, x in zip(self.lateral, maps, strict=True)])
        return [layer(x) for layer, x in zip(self.smooth, sums, strict=True)]


class Stages(nn.Module):
    """The maps of a classifier's last stages, as SSD takes them: several strides, no top-down path.

    Args:
        network: a `coursekit.models.resnet.ResNet`, such as `coursekit.models.signs_backbone.load_backbone` gives. Its layers are used,
            not copied; its head is left behind.
        levels: strides from fine to coarse, of 4, 8, 16 and 32.
        named: give a dict, stride as a string -> map, as torchvision's detectors want it, instead of a list.

    Input: (N, 3, H, W) as the network's ``pixels`` takes it: uint8, or float in 0..1.
    ``out_channels`` is a list, the width of each map; ``strides`` are the levels.

    Raises:
        ValueError: for another network or other levels.
    """

    def __init__(self, network: Classifier, levels: Sequence[int] = (8, 16, 32), named: bool = False):
        super().__init__()
        if not all(hasattr(getattr(network, "backbone", None), name) for name in STAGES.values()):
            raise ValueError(f"network must be a ResNet with {', '.join(STAGES.values())}, got {type(network).__name__}")
        if not levels or sorted(set(levels)) != list(levels) or not set(levels) <= set(STAGES):
            raise ValueError(f"levels must be of {', '.join(map(str, STAGES))}, fine to coarse, got {list(levels)}")
        self.strides, self.named = tuple(levels), named
        self.pixels = network.pixels
        last = STAGES[self.strides[-1]]
        names = list(network.backbone._modules)
        self.body = nn.Sequential(OrderedDict((name, network.backbone._modules[name]) for name in names[: names.index(last) + 1]))
        self.out_channels = [_width(network.backbone._modules[STAGES[stride]]) for stride in self.strides]

    def forward(self, images: Tensor) -> list[Tensor] | dict[str, Tensor]:
        x, found = self.pixels(images), {}
        for name, stage in self.body.named_children():
            x = stage(x)
            found[name] = x
        maps = [found[STAGES[stride]] for stride in self.strides]
        return _name(maps, self.strides) if self.named else maps


class PyramidBackbone(nn.Module):
    """`Stages` and a `FeaturePyramid` on them.

    Args:
        network, levels, named: as for `Stages`.
        channels: of every map; ``out_channels``, too, as torchvision's detectors ask for it.

    Shapes: (N, 3, H, W) -> a list of (N, channels, H / stride, W / stride), fine to coarse, or the same as a dict.
    """

    def __init__(self, network: Classifier, channels: int = 64, levels: Sequence[int] = (8, 16, 32), named: bool = False):
        super().__init__()
        self.stages = Stages(network, levels)
        self.strides, self.named, self.out_channels = self.stages.strides, named, channels
        self.pyramid = FeaturePyramid(self.stages.out_channels, channels)

    def forward(self, images: Tensor) -> list[Tensor] | dict[str, Tensor]:
        maps = self.pyramid(self.stages(images))
        return _name(maps, self.strides) if self.named else maps


def _name(maps: Sequence[Tensor], strides: Sequence[int]) -> dict[str, Tensor]:
    return OrderedDict((str(stride), x) for stride, x in zip(strides, maps, strict=True))


def _width(stage: nn.Module) -> int:
    """Channels of what a stage gives: those of its last convolution."""
    return [layer.out_channels for layer in stage.modules() if isinstance(layer, nn.Conv2d)][-1]
