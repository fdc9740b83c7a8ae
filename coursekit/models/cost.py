"""What a network costs: parameters, multiply-adds, numbers written, by layer and by operator. Taught in notebook 10_efficient.

    >>> costs = layer_costs(ResNet(depth=18))
    >>> sum(cost.multiply_adds for cost in costs)
    1814073344

Nothing is computed: the network runs on the *meta* device, where a tensor has a shape and no numbers. So it takes neither memory nor
time, whatever the size.

A multiply-add is one multiplication and the addition that takes up its product; papers call it a FLOP, or count it as two. Counted are
convolutions and linear layers, without their biases, as papers do. Everything else counts 0 here, and costs time all the same.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.utils._python_dispatch import TorchDispatchMode


@dataclass(frozen=True)
class LayerCost:
    """What one layer costs for one image.

    Args:
        name: where it is in the network, ``"stage1.0.conv1"``.
        kind: its class, ``"Conv2d"``.
        shape: of what it puts out, with a batch of 1.
        parameters: numbers that are learned.
        multiply_adds: see above.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    parameters: int
    multiply_adds: int

    @property
    def written(self) -> int:
        """Numbers put out; four times as many bytes in float32."""
        return torch.Size(self.shape).numel()


@dataclass(frozen=True)
class OperatorCost:
    """What one of torch's operators costs over the whole network, for one image.

    Args:
        name: torch's, ``"convolution"`` or ``"cat"``.
        calls: how often it ran.
        written: numbers it put out; a view, which only looks at the same numbers in another way, writes none.
        multiply_adds: see above.
    """

    name: str
    calls: int
    written: int
    multiply_adds: int


def count_parameters(model: nn.Module, trainable_only: bool = False) -> int:
    """How many numbers a model learns; with ``trainable_only``, without those that are frozen. One that is used twice counts once.

    What a normalisation remembers (running mean and variance) is not learned and not counted.
    """
    return sum(p.numel() for p in model.parameters() if p.requires_grad or not trainable_only)


def training_hours(multiply_adds: float, images: int, epochs: int, machines: int, per_second: float) -> float:
    """How long a training takes, on paper: three times the forward pass for each image, shared among the machines.

    The backward pass costs about two forward passes, for it computes two gradients of each layer: that of its weights, and that of the
    map that came in. Loading, normalisation and waiting for each other are not in it: they show in a smaller ``per_second``.

    Args:
        multiply_adds: of a forward pass for one image.
        images: of the training set; each is seen once an epoch.
        machines: graphics cards, or whatever does the work.
        per_second: multiply-adds that one machine really does in a second, not what its sheet promises.

    Raises:
        ValueError: if one of them is not above 0.
    """
    given = {"multiply_adds": multiply_adds, "images": images, "epochs": epochs, "machines": machines, "per_second": per_second}
    for name, value in given.items():
        if not value > 0:
            raise ValueError(f"{name} must be above 0, got {value}")
    return 3 * multiply_adds * images * epochs / (machines * per_second) / 3600


def layer_costs(model: nn.Module, image_shape: tuple[int, ...] = (3, 224, 224)) -> list[LayerCost]:
    """A row for each layer, in the order in which they run; one that runs twice has two rows, the second without parameters.

    A layer here is a module without modules inside, `Identity` left out. What a forward does besides (adding, concatenating) is no
    layer: see `operator_costs`. The model stays as it is: its weights, its mode, its device.

    Args:
        model: takes float (N, C, H, W).
        image_shape: (C, H, W) of one image.
    """
    rows, seen = [], set()

    def note(name: str, layer: nn.Module, inputs: tuple, output: Tensor) -> None:
        parameters = 0 if layer in seen else count_parameters(layer)
        seen.add(layer)
        rows.append(LayerCost(name, type(layer).__name__, tuple(output.shape), parameters, _of_layer(layer, inputs[0], output)))

    leaves = {name: layer for name, layer in model.named_modules() if not list(layer.children()) and not isinstance(layer, nn.Identity)}
    hooks = [layer.register_forward_hook(lambda *call, name=name: note(name, *call)) for name, layer in leaves.items()]
    try:
        _run_on_meta(model, image_shape)
    finally:
        for hook in hooks:
            hook.remove()
    return rows


def operator_costs(model: nn.Module, image_shape: tuple[int, ...] = (3, 224, 224)) -> list[OperatorCost]:
    """A row for each of torch's operators, the one that writes most first: here are the additions, concatenations and shuffles too."""
    operators = _Operators()
    _run_on_meta(model, image_shape, operators)
    rows = [OperatorCost(name, *counts) for name, counts in operators.counts.items()]
    return sorted(rows, key=lambda row: -row.written)


def _of_layer(layer: nn.Module, inputs: Tensor, output: Tensor) -> int:
    if isinstance(layer, nn.Conv1d | nn.Conv2d | nn.Conv3d):
        return output.numel() * layer.weight[0].numel()  # weight: (out, in / groups, kernel, kernel)
    if isinstance(layer, nn.ConvTranspose1d | nn.ConvTranspose2d | nn.ConvTranspose3d):
        return inputs.numel() * layer.weight[0].numel()  # weight: (in, out / groups, kernel, kernel)
    if isinstance(layer, nn.Linear):
        return output.numel() * layer.in_features
    return 0


class _Operators(TorchDispatchMode):
    """Sees each operator below the modules, as torch's own flop counter does."""

    def __init__(self):
        super().__init__()
        self.counts: dict[str, list[int]] = {}  # name: calls, written, multiply_adds

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        output = func(*args, **(kwargs or {}))
        first = output[0] if isinstance(output, tuple | list) else output  # a normalisation gives its statistics besides
        name = func.overloadpacket.__name__
        if name == "empty":  # room that a normalisation asks for and does not use here
            return output
        row = self.counts.setdefault(name.rstrip("_"), [0, 0, 0])
        row[0] += 1
        row[1] += 0 if func.is_view else first.numel()
        if name == "convolution":
            image, weight, transposed = args[0], args[1], args[6]
            row[2] += (image if transposed else first).numel() * weight[0].numel()
        elif name in ("addmm", "mm"):
            row[2] += first.numel() * args[-2].shape[1]  # (bias,) input (N, in), weight (in, out)
        return output


def _run_on_meta(model: nn.Module, image_shape: tuple[int, ...], watch: AbstractContextManager | None = None) -> None:
    """One image of no numbers through the model, whose weights are stood in for by such without numbers; ``watch`` is on meanwhile."""
    state = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    state = {name: value.detach().to("meta") for name, value in state.items()}
    image = torch.empty(1, *image_shape, device="meta")
    with torch.no_grad(), _eval_mode(model), watch or nullcontext():
        functional_call(model, state, (image,))


@contextmanager
def _eval_mode(model: nn.Module) -> Iterator[None]:
    modes = {layer: layer.training for layer in model.modules()}  # each layer's own: some may be frozen in eval mode
    model.eval()
    try:
        yield
    finally:
        for layer, training in modes.items():
            layer.training = training
