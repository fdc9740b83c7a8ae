"""The training loop, on one screen. Taught in notebook 05_training_loop; the detector of notebook 19_yolo is trained by it.

It knows nothing of detectors: a model, batches of (input, target), and a function that makes a dict of losses of what the
model says and the target.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import torch
from torch import nn

from .device import Compute
from .ema import EMA
from .run import Run
from .schedule import warmup_cosine


class NonFiniteLoss(ValueError):
    """The loss is no number any more; going on would only spoil the weights."""


@dataclass
class State:
    """Everything that changes while a model is trained; what of it is in a checkpoint is what a resumed run starts from.

    Args:
        rows: what each finished epoch measured; `results.csv` is made of them.
    """

    model: nn.Module
    ema: EMA
    optimizer: torch.optim.Optimizer
    epoch: int = 0
    step: int = 0
    best: float = -1.0
    rows: list[dict] = field(default_factory=list)

    def to_dict(self) -> dict:
        """Tensors and plain values only, for `save_checkpoint`."""
        parts = {name: getattr(self, name).state_dict() for name in ("model", "optimizer")}
        numbers = {name: getattr(self, name) for name in ("epoch", "step", "best", "rows")}
        return {**parts, **numbers, "ema": self.ema.model.state_dict(), "torch_rng": torch.get_rng_state()}

    def load(self, saved: dict) -> None:
        """Back to where `to_dict` was called, random numbers included."""
        for part in (self.model, self.optimizer):
            part.load_state_dict(saved["model" if part is self.model else "optimizer"])
        self.ema.model.load_state_dict(saved["ema"])
        torch.set_rng_state(saved["torch_rng"].cpu())
        for name in ("epoch", "step", "best", "rows"):
            setattr(self, name, saved[name])


def train_epoch(state: State, batches: Iterable, loss_of: Callable, lr_at: Callable, compute: Compute, clip: float, tick: Callable) -> dict:
    """Once through the batches; returns the mean of each part of the loss."""
    state.model.train()
    sums, count = {}, 0
    for inputs, targets in batches:
        for group in state.optimizer.param_groups:
            group["lr"] = lr_at(state.step)
        with compute.autocast():
            said = state.model(inputs)
        losses = loss_of(said, targets)
        if not torch.isfinite(losses["loss"]):
            parts = ", ".join(f"{name} {float(value.detach()):.4g}" for name, value in losses.items())
            raise NonFiniteLoss(f"the loss is not finite at step {state.step} ({parts}); lower lr, or look for impossible targets")
        losses["loss"].backward()
        nn.utils.clip_grad_norm_(state.model.parameters(), clip)
        state.optimizer.step()
        state.optimizer.zero_grad()
        state.step += 1
        state.ema.update(state.model, state.step)
        sums = {name: sums.get(name, 0) + value.detach() for name, value in losses.items()}
        count += 1
        tick()
    return {name: float(value) / count for name, value in sums.items()}


def fit(
    state: State,
    batches_of: Callable[[int], Iterable],
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
) -> State:
    """Train until ``epochs`` are done, from wherever ``state`` is; every finished epoch is on the disk before the next begins.

    Args:
        batches_of: called with the 0-based epoch.
        evaluate: called with the averaged model and the epoch, gives a dict of numbers whose ``"AP"`` decides which epoch is
            best, or None where this one is not to be measured.
        tick, told: called after each step, and with each epoch's row.
    """
    total = epochs * steps_per_epoch

    def lr_at(step: int) -> float:
        return lr * warmup_cosine(step, total, warmup)

    run.save(state)  # so that a run can be resumed from its first second on
    while state.epoch < epochs:
        begin = time.perf_counter()
        losses = train_epoch(state, batches_of(state.epoch), loss_of, lr_at, compute, clip, tick)
        metrics = evaluate(state.ema.model, state.epoch) if evaluate else None
        state.epoch += 1
        row = {"epoch": state.epoch, "time": round(time.perf_counter() - begin, 2), "lr": lr_at(state.step - 1)}
        for kind, numbers in (("train", losses), ("val", metrics or {})):
            row |= {f"{kind}/{name}": value for name, value in numbers.items()}
        state.rows.append(row)
        better = metrics is not None and metrics["AP"] > state.best
        state.best = metrics["AP"] if better else state.best
        run.save(state, better)
        told(row)
    return state
