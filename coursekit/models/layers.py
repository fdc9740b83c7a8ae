"""What the network families share. Taught in notebooks 07_convolution, 09_architectures and 10_efficient."""

from collections import OrderedDict
from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from ..images import IMAGENET_MEAN, IMAGENET_STD


class Pixels(nn.Module):
    """The first layer of a network that is given pixels: uint8 becomes float in 0..1, minus mean, divided by std.

    So that a data set stays uint8, and nobody forgets to scale, or scales twice: the numbers travel with the weights.

    Args:
        mean: one number a channel, or one for all; in 0..1.
        std: likewise, not 0.

    Input is (N, C, H, W), uint8 in 0..255 or float in 0..1; output float32 (N, C, H, W).

    Raises:
        ValueError: if mean and std differ in length, or std holds a 0.
    """

    def __init__(self, mean=IMAGENET_MEAN, std=IMAGENET_STD):
        super().__init__()
        mean, std = (torch.as_tensor(values, dtype=torch.float32).reshape(-1, 1, 1) for values in (mean, std))
        if mean.shape != std.shape or (std == 0).any():
            raise ValueError(
                f"mean and std must be of one length and std not 0, got {mean.flatten().tolist()} and {std.flatten().tolist()}"
            )
        self.register_buffer("mean", mean)  # (C, 1, 1) or (1, 1, 1): broadcasts over height and width
        self.register_buffer("std", std)

    def forward(self, images: Tensor) -> Tensor:
        scaled = images if images.is_floating_point() else images.to(torch.float32) / 255
        return (scaled - self.mean) / self.std


class ConvNormAct(nn.Sequential):
    """Convolution, batch normalisation, activation: the brick of nearly every network since 2015.

    No bias in the convolution, since the normalisation subtracts any constant right after. The padding keeps the map's size at
    ``stride=1``; ``stride=2`` halves it, an odd size is rounded up.

    Args:
        in_channels, out_channels: of the map; multiples of ``groups``.
        kernel: odd side of the kernel.
        groups: the channels are cut into so many groups that do not see each other; as many as channels is *depthwise*.
        act: what makes the activation, called with ``inplace=True``; None for none.
        eps: of the normalisation; weights that others trained come with their own.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int = 3,
        stride: int = 1,
        groups: int = 1,
        act: Callable[..., nn.Module] | None = nn.ReLU,
        eps: float = 1e-5,
    ):
        layers = OrderedDict(
            conv=nn.Conv2d(in_channels, out_channels, kernel, stride, padding=kernel // 2, groups=groups, bias=False),
            norm=nn.BatchNorm2d(out_channels, eps=eps),
        )
        if act is not None:
            layers["act"] = act(inplace=True)
        super().__init__(layers)


class SqueezeExcite(nn.Module):
    """Each channel times a number in 0..1 that is computed from the means of all channels: what to listen to, in this image.

    Args:
        channels: of the map.
        squeezed: width of the layer in between; ``channels // 16`` in the paper.
        gate: brings the numbers into 0..1: a sigmoid, or its cheap straight-line version in MobileNet v3.

    Shapes: (N, C, H, W) -> (N, C, H, W). Source: Hu et al., arXiv 1709.01507, section 3 and Fig. 1.
    """

    def __init__(self, channels: int, squeezed: int, gate: Callable[[], nn.Module] = nn.Sigmoid):
        super().__init__()
        self.squeeze = nn.Conv2d(channels, squeezed, 1)  # 1x1 on a map of one place: a fully connected layer
        self.act = nn.ReLU(inplace=True)
        self.excite = nn.Conv2d(squeezed, channels, 1)
        self.gate = gate()

    def forward(self, x: Tensor) -> Tensor:
        mean = x.mean(dim=(2, 3), keepdim=True)  # (N, C, 1, 1)
        return x * self.gate(self.excite(self.act(self.squeeze(mean))))


def channel_shuffle(x: Tensor, groups: int) -> Tensor:
    """The channels dealt out like cards: first of each group, second of each group, and so on. Nothing is computed.

    After a grouped convolution no group has seen the others; after the shuffle each next group holds some of every one.

    Args:
        x: (N, C, H, W).
        groups: C is a multiple of it.

    Raises:
        ValueError: if C is no multiple of groups.

    Source: Zhang et al., arXiv 1707.01083, section 3.1. Equal to torch.nn.functional.channel_shuffle.
    """
    if x.ndim != 4 or groups < 1 or x.shape[1] % groups:
        raise ValueError(f"x must have shape (N, C, H, W), C a multiple of groups, got {tuple(x.shape)} and groups {groups}")
    cut = x.unflatten(1, (groups, -1))  # (N, groups, C / groups, H, W)
    return cut.transpose(1, 2).flatten(1, 2)  # (N, C, H, W)


def make_divisible(channels: float, divisor: int = 8) -> int:
    """The multiple of ``divisor`` next to ``channels`` (a half goes up), at least one; one more where more than a tenth was lost.

    For widths such as 0.35 x 24 channels, since hardware computes in eights. Source: the MobileNets' published code.
    """
    rounded = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return rounded if rounded >= 0.9 * channels else rounded + divisor


def without_first_halving(strides: Iterable[int]) -> list[int]:
    """The same strides, but 1 in place of the first 2: for images too small to halve so often."""
    strides = list(strides)
    strides[strides.index(2)] = 1
    return strides


def halving_stem(channels: int, small_images: bool, kernel: int = 7) -> OrderedDict[str, nn.Module]:
    """How ResNet, DenseNet and ShuffleNet begin: a convolution and a pooling that halve the map twice, named stem and pool.

    (N, 3, H, W) -> (N, channels, H / 4, W / 4); for small images a 3x3 convolution that keeps H and W.
    """
    if small_images:
        return OrderedDict(stem=ConvNormAct(3, channels, 3), pool=nn.Identity())
    return OrderedDict(stem=ConvNormAct(3, channels, kernel, stride=2), pool=nn.MaxPool2d(3, stride=2, padding=1))


class Classifier(nn.Module):
    """What every family here is: a backbone makes a map of the image, a pool makes a vector of the map, a head makes logits of that.

    Args:
        backbone: (N, 3, H, W) -> (N, C, h, w).
        length: of the vector; C where the pool is a mean.
        num_classes: at least 1.
        pool: (N, C, h, w) -> (N, length); None takes each channel's mean over all places, with dropout.
        dropout: share of the vector that is zeroed while training; for the mean alone.
        smallest: height and width in pixels below which the backbone has nothing left to pool.

    ``model.head`` is a linear layer in every family: replace it, and the network learns other classes. ``model.features(images)`` is
    what it is given, (N, length). With ``model.pixels = Pixels(...)`` the network takes uint8 images; at first it takes floats.
    """

    def __init__(
        self,
        backbone: nn.Sequential,
        length: int,
        num_classes: int,
        pool: nn.Sequential | None = None,
        dropout: float = 0.0,
        smallest: int = 1,
    ):
        super().__init__()
        self.smallest = smallest
        self.pixels = nn.Identity()  # or `Pixels`, for a network that is given uint8
        self.backbone = backbone
        self.pool = pool or nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(dropout))
        self.head = nn.Linear(length, num_classes)

    def features(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) float, as `Pixels` makes them (uint8 where ``self.pixels`` is one) -> (N, length).

        Raises:
            ValueError: for another shape, whole numbers that nobody scales, or images that are too small.
        """
        images = self.pixels(images)
        if images.ndim != 4 or images.shape[1] != 3 or not images.is_floating_point():
            raise ValueError(f"images must be float (N, 3, H, W), as Pixels makes them, got {images.dtype} {tuple(images.shape)}")
        if min(images.shape[2:]) < self.smallest:
            height, width = images.shape[2:]
            raise ValueError(
                f"images must be at least {self.smallest} pixels high and wide for this network, got {height}x{width}: "
                "enlarge them, or build it with small_images=True"
            )
        return self.pool(self.backbone(images))

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) float -> logits (N, num_classes)."""
        return self.head(self.features(images))


def initialise_for_relu(model: Classifier) -> None:
    """He's start for every convolution and linear layer: signals keep their size through ReLUs, from the first step on.

    For networks without normalisation, which would bring any size back. Biases begin at 0, and the head's weights near it, so that no
    class is preferred at first. Source: He et al., arXiv 1502.01852.
    """
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)
    nn.init.normal_(model.head.weight, std=0.01)


def check_network(num_classes: int, width: float) -> None:
    """What every family is asked for.

    Raises:
        ValueError: naming the argument.
    """
    if num_classes < 1:
        raise ValueError(f"num_classes must be at least 1, got {num_classes}")
    if not width > 0:
        raise ValueError(f"width must be above 0, got {width}")


def check_choice(name: str, value, choices: Iterable) -> None:
    """Raises a ValueError that lists the choices where ``value`` is not among them."""
    choices = list(choices)
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(map(str, choices))}, got {value!r}")
