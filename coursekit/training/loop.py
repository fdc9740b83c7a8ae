"""The training loop, on one screen. Taught in notebook 05_training_loop; the detector of notebook 19_yolo is trained by it.

It knows nothing of detectors: a model, batches of (input, target), and a function that makes a dict of losses of what the
model says and the target.
"""

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from .device import Compute
from .distributed import mean_over_ranks, rank, take_buffers_of_rank_0
from .ema import EMA
from .run import Run
from .schedule import warmup_cosine

LOOK_EVERY = 50  # steps between looks at the losses on a GPU, which has to stop and wait whenever it is asked for a number
SAVE_EVERY = 300.0  # seconds between checkpoints within an epoch


class NonFiniteLoss(ValueError):
    """The loss is no number any more; going on would only spoil the weights."""


@dataclass
class State:
    """Everything that changes while a model is trained; what of it is in a checkpoint is what a resumed run starts from.

    Args:
        epoch: finished. step: finished, over all epochs. best: highest AP so far.
        rows: what each finished epoch measured; `results.csv` is made of them.
        done: steps of the epoch that is not finished. sums: over these, of each part of the loss. seconds: that they took.
        parts: in which a batch goes through the network, see `coursekit.training.parts`.
    """

    model: nn.Module
    ema: EMA
    optimizer: torch.optim.Optimizer
    epoch: int = 0
    step: int = 0
    best: float = -1.0
    rows: list[dict] = field(default_factory=list)
    done: int = 0
    sums: dict[str, Tensor | float] = field(default_factory=dict)
    seconds: float = 0.0
    parts: int = 1

    def to_dict(self) -> dict:
        """Tensors and plain values only, for `save_checkpoint`."""
        parts = {name: getattr(self, name).state_dict() for name in ("model", "optimizer")}
        numbers = {name: getattr(self, name) for name in ("epoch", "step", "best", "rows", "done", "seconds", "parts")}
        numbers["sums"] = {name: float(value) for name, value in self.sums.items()}
        return {**parts, **numbers, "ema": self.ema.model.state_dict(), "torch_rng": torch.get_rng_state()}

    def load(self, saved: dict) -> None:
        """Back to where `to_dict` was called, random numbers included."""
        for part in (self.model, self.optimizer):
            part.load_state_dict(saved["model" if part is self.model else "optimizer"])
        self.ema.model.load_state_dict(saved["ema"])
        torch.set_rng_state(saved["torch_rng"].cpu())
        for name in ("epoch", "step", "best", "rows", "done", "sums", "seconds", "parts"):
            setattr(self, name, saved.get(name, getattr(self, name)))  # older checkpoints lie between epochs and lack the last four


def refuse_non_finite(recent: list[Tensor], names: list[str], step: int) -> None:
    """Raise for the first of the ``recent`` steps, of which ``step`` is the last, whose loss or gradient is no number.

    Args:
        recent: (K + 1,) for each step: the K parts of the loss called ``names``, and the length of the gradient.

    Raises:
        NonFiniteLoss: with the parts.
    """
    for number, values in enumerate(torch.stack(recent).tolist(), start=step + 1 - len(recent)):
        said = dict(zip([*names, "gradient"], values, strict=True))
        for name in ("loss", "gradient"):
            if not math.isfinite(said[name]):
                parts = ", ".join(f"{key} {value:.4g}" for key, value in said.items())
                raise NonFiniteLoss(f"the {name} is not finite at step {number} ({parts}); lower lr, or look for impossible targets")


def backward(state: State, forward: Callable, inputs, targets, loss_of: Callable, compute: Compute) -> dict[str, Tensor]:
    """What the model says of a batch, how wrong that is, in parts by name, and the gradient of the one called ``loss``."""
    with compute.autocast():
        said = forward(inputs)
    losses = loss_of(said, targets)
    losses["loss"].backward()
    return losses


def train_epoch(
    state: State,
    batches: Iterable,
    loss_of: Callable,
    lr_at: Callable,
    compute: Compute,
    clip: float,
    tick: Callable,
    forward: Callable | None = None,
    backward: Callable = backward,
) -> dict:
    """Once through the batches, or through those that are left of them; returns the mean of each part of the loss over the epoch.

    Args:
        forward: called in place of ``state.model``: the same weights, compiled or replicated.
        backward: called in place of the function above.
    """
    state.model.train()
    network = state.model if forward is None else forward  # a compiled one has no truth value
    look_every, recent = 1 if compute.device == "cpu" else LOOK_EVERY, []
    for inputs, targets in batches:
        for group in state.optimizer.param_groups:
            group["lr"] = lr_at(state.step)
        losses = backward(state, network, inputs, targets, loss_of, compute)
        length = nn.utils.clip_grad_norm_(state.model.parameters(), clip)
        values = mean_over_ranks(torch.stack([*(value.detach() for value in losses.values()), length]))
        recent.append(values)
        if len(recent) == look_every:
            refuse_non_finite(recent, list(losses), state.step)
            recent.clear()
        state.optimizer.step()
        state.optimizer.zero_grad()
        state.step, state.done = state.step + 1, state.done + 1
        state.ema.update(state.model, state.step)
        state.sums = {name: state.sums.get(name, 0) + value for name, value in zip(losses, values[:-1], strict=True)}
        tick()
    if recent:
        refuse_non_finite(recent, list(losses), state.step - 1)
    means = {name: float(value) / state.done for name, value in state.sums.items()}
    state.sums, state.done = {}, 0
    return means


def fit(
    state: State,
    batches_of: Callable[[int, int], Iterable],
    loss_of: Callable,
    run: Run,
    compute: Compute,
    epochs: int,
    steps_per_epoch: int,
    lr: float,
    warmup: int,
    evaluate: Callable | None = None,
    clip: float = 10.0,
    tick: Callable = lambda: None,
    told: Callable = lambda row: None,
    forward: Callable | None = None,
    backward: Callable = backward,
) -> State:
    """Train until ``epochs`` are done, from wherever ``state`` is; every finished epoch is on the disk before the next begins.

    Long epochs are written down in the middle too, every `SAVE_EVERY` seconds. Of several processes only process 0 writes.

    Args:
        batches_of: called with the 0-based epoch and the number of its batches to skip.
        evaluate: called with the averaged model and the epoch, gives a dict of numbers whose ``"AP"`` decides which epoch is
            best, or None where this one is not to be measured.
        tick, told: called after each step, and with each epoch's row.
        forward, backward: see `train_epoch`.
    """
    total, saved = epochs * steps_per_epoch, time.perf_counter()

    def lr_at(step: int) -> float:
        return lr * warmup_cosine(step, total, warmup)

    def after_step() -> None:
        nonlocal saved
        tick()
        if rank() == 0 and time.perf_counter() - saved > SAVE_EVERY:
            saved = time.perf_counter()
            state.seconds = saved - begin
            run.save_within_epoch(state)

    if rank() == 0:
        run.save(state)  # so that a run can be resumed from its first second on
    while state.epoch < epochs:
        begin = time.perf_counter() - state.seconds
        losses = train_epoch(state, batches_of(state.epoch, state.done), loss_of, lr_at, compute, clip, after_step, forward, backward)
        take_buffers_of_rank_0(state.ema.model)
        metrics = evaluate(state.ema.model, state.epoch) if evaluate else None
        state.epoch, state.seconds = state.epoch + 1, 0.0
        row = {"epoch": state.epoch, "time": round(time.perf_counter() - begin, 2), "lr": lr_at(state.step - 1)}
        for kind, numbers in (("train", losses), ("val", metrics or {})):
            row |= {f"{kind}/{name}": value for name, value in numbers.items()}
        state.rows.append(row)
        better = metrics is not None and metrics["AP"] > state.best
        state.best = metrics["AP"] if better else state.best
        if rank() == 0:
            run.save(state, better)
        told(row)
    return state
