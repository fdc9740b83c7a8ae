"""The pieces of efficient networks as plain functions, and a stopwatch. Taught in notebook 10_efficient.

The networks themselves are `mobilenet_v1` to `mobilenet_v3`, `shufflenet` and `xception`; what any network costs is counted in `cost`.
"""

import statistics
import time
from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn.functional import conv2d, relu6


def conv_cost(
    in_channels: int, out_channels: int, kernel: int, height: int, width: int, stride: int = 1, groups: int = 1, bias: bool = False
) -> tuple[int, int]:
    """What a convolution costs that is padded by ``kernel // 2`` on all sides.

    Args:
        in_channels, out_channels: multiples of groups.
        kernel: odd side of the kernel.
        height, width: of the map that goes *in*.
        groups: the channels are cut into so many groups that do not see each other; as many as channels is depthwise.

    Returns:
        Parameters, and multiply-adds for one image; the bias counts among the first and not among the second, as in papers.

    Raises:
        ValueError: naming what cannot be.
    """
    for name, value in (
        ("in_channels", in_channels),
        ("out_channels", out_channels),
        ("height", height),
        ("width", width),
        ("stride", stride),
    ):
        if value < 1:
            raise ValueError(f"{name} must be at least 1, got {value}")
    if kernel < 1 or kernel % 2 == 0:
        raise ValueError(f"kernel must be odd and above 0, got {kernel}")
    if groups < 1 or in_channels % groups or out_channels % groups:
        raise ValueError(f"groups must divide in_channels and out_channels, got {groups}, {in_channels} and {out_channels}")
    weights = out_channels * (in_channels // groups) * kernel * kernel
    places = ((height - 1) // stride + 1) * ((width - 1) // stride + 1)  # an odd side is rounded up
    return weights + (out_channels if bias else 0), weights * places


def separable_conv(x: Tensor, depthwise: Tensor, pointwise: Tensor, stride: int = 1) -> Tensor:
    """Look around in each channel by itself, then mix the channels at each place: a convolution in two cheap steps.

    Args:
        x: (N, C, H, W) float.
        depthwise: (C, 1, k, k), k odd: one kernel for *each* channel; padded by k // 2, with the stride.
        pointwise: (O, C, 1, 1): 1x1, how much of each channel goes into each result.

    Returns:
        (N, O, H / stride, W / stride), sides rounded up.

    Raises:
        ValueError: if the shapes do not fit each other.

    Source: Sifre 2014 (thesis); Howard et al., arXiv 1704.04861, section 3.1.
    """
    channels = x.shape[1] if x.ndim == 4 else None
    if channels is None or depthwise.shape[:2] != (channels, 1) or pointwise.shape[1:] != (channels, 1, 1):
        shapes = [tuple(t.shape) for t in (x, depthwise, pointwise)]
        raise ValueError(
            f"x, depthwise and pointwise must be (N, C, H, W), (C, 1, k, k) and (O, C, 1, 1), got {shapes[0]}, {shapes[1]} and {shapes[2]}"
        )
    around = conv2d(x, depthwise, stride=stride, padding=depthwise.shape[-1] // 2, groups=channels)  # (N, C, H / stride, W / stride)
    return conv2d(around, pointwise)


def inverted_residual(x: Tensor, expand: Tensor, depthwise: Tensor, project: Tensor, stride: int = 1) -> Tensor:
    """MobileNet v2's block without its normalisations: narrow, wide, narrow, and the narrow ends are added where they fit.

    Args:
        x: (N, C, H, W) float.
        expand: (E, C, 1, 1), followed by ReLU6.
        depthwise: (E, 1, k, k), k odd, with the stride, followed by ReLU6.
        project: (O, E, 1, 1), followed by nothing: a linear bottleneck.

    Returns:
        (N, O, H / stride, W / stride); x is added where the stride is 1 and O is C.

    Raises:
        ValueError: if the shapes do not fit each other.

    Source: Sandler et al., arXiv 1801.04381, Fig. 3 and Table 1.
    """
    if x.ndim != 4 or expand.shape[1:] != (x.shape[1], 1, 1):
        raise ValueError(f"x and expand must be (N, C, H, W) and (E, C, 1, 1), got {tuple(x.shape)} and {tuple(expand.shape)}")
    wide = len(expand)
    if depthwise.shape[:2] != (wide, 1) or project.shape[1:] != (wide, 1, 1):
        shapes = tuple(depthwise.shape), tuple(project.shape)
        raise ValueError(f"depthwise and project must be ({wide}, 1, k, k) and (O, {wide}, 1, 1), got {shapes[0]} and {shapes[1]}")
    inside = relu6(conv2d(x, expand))  # (N, E, H, W)
    inside = relu6(conv2d(inside, depthwise, stride=stride, padding=depthwise.shape[-1] // 2, groups=wide))
    out = conv2d(inside, project)  # (N, O, H / stride, W / stride)
    return x + out if stride == 1 and out.shape[1] == x.shape[1] else out


def typical_seconds(run: Callable[[], object], warmup: int = 3, repeats: int = 10, clock: Callable[[], float] = time.perf_counter) -> float:
    """How long a call usually takes: the median over ``repeats`` calls, each timed by itself, after ``warmup`` that are not.

    The first calls fetch memory, choose kernels and fill caches. The median and not the mean: another program can make one call ten
    times slower, and never faster. On a GPU ``run`` must wait for its result (`torch.cuda.synchronize`), or nothing is timed.

    Args:
        clock: gives seconds; called just before and just after each timed call, and at no other time.

    Raises:
        ValueError: if warmup is negative or repeats below 1.
    """
    if warmup < 0 or repeats < 1:
        raise ValueError(f"warmup must be at least 0 and repeats at least 1, got {warmup} and {repeats}")
    for _ in range(warmup):
        run()
    times = []
    for _ in range(repeats):
        began = clock()
        run()
        times.append(clock() - began)
    return statistics.median(times)


@torch.no_grad()
def latency(model: torch.nn.Module, images: Tensor, warmup: int = 2, repeats: int = 7) -> float:
    """`typical_seconds` of a forward pass in eval mode without gradients, waiting for the GPU where there is one."""
    model.eval()

    def run() -> None:
        model(images)
        if images.is_cuda:
            torch.cuda.synchronize()

    return typical_seconds(run, warmup, repeats)


@torch.no_grad()
def layer_seconds(model: torch.nn.Module, images: Tensor, repeats: int = 5) -> dict[str, float]:
    """How long each layer takes in a forward pass in eval mode: the median over ``repeats``, after one pass that only warms up.

    A layer is a module without modules inside. What the network does between layers (adding, concatenating) is in none of them, and
    looking at the clock takes a microsecond itself; so the sum is near `latency` and not equal to it.

    Returns:
        Name -> seconds, in the order in which the layers run; one that runs twice has its first time and its second added up.

    Raises:
        ValueError: if repeats is below 1.
    """
    if repeats < 1:
        raise ValueError(f"repeats must be at least 1, got {repeats}")
    began: dict[str, float] = {}
    passes: list[dict[str, float]] = []

    def now() -> float:
        if images.is_cuda:
            torch.cuda.synchronize()
        return time.perf_counter()

    def start(name: str) -> None:
        began[name] = now()

    def stop(name: str) -> None:
        passes[-1][name] = passes[-1].get(name, 0.0) + now() - began[name]

    model.eval()
    leaves = [(name, layer) for name, layer in model.named_modules() if not list(layer.children())]
    hooks = [layer.register_forward_pre_hook(lambda *_, name=name: start(name)) for name, layer in leaves]
    hooks += [layer.register_forward_hook(lambda *_, name=name: stop(name)) for name, layer in leaves]
    try:
        for _ in range(1 + repeats):
            passes.append({})
            model(images)
    finally:
        for hook in hooks:
            hook.remove()
    return {name: statistics.median(one[name] for one in passes[1:]) for name in passes[0]}


def choose_batch(sizes: Sequence[int], seconds: Sequence[float], limit: float) -> int | None:
    """Where the curve of images a second bends: the smallest batch within a tenth of the best that is still in time.

    Args:
        sizes: batches that were timed, any order.
        seconds: how long each of them takes as a whole, for that is how long its first image waits.
        limit: seconds that an answer may take; a batch that takes just as long is in time.

    Returns:
        One of sizes: among those in time, the smallest with at least 0.9 of their best number of images a second. None if none is.

    Raises:
        ValueError: if there are not as many seconds as sizes, or something is not above 0.
    """
    if len(sizes) != len(seconds):
        raise ValueError(f"sizes and seconds must be equally many, got {len(sizes)} and {len(seconds)}")
    if not all(value > 0 for value in (*sizes, *seconds)):
        raise ValueError(f"sizes and seconds must be above 0, got {list(sizes)} and {list(seconds)}")
    rates = {size: size / taken for size, taken in zip(sizes, seconds, strict=True) if taken <= limit}
    best = max(rates.values(), default=0.0)
    return min((size for size, rate in rates.items() if rate >= 0.9 * best), default=None)
