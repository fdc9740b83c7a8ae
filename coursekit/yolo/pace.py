"""How many epochs fit into some minutes: by timing a few real steps on a throw-away copy. Used by `coursekit train --minutes`."""

import copy
import time
from collections.abc import Callable, Iterable
from functools import partial
from itertools import pairwise
from statistics import median

from ..training.device import Compute
from ..training.ema import EMA
from ..training.loop import State, train_epoch
from ..training.parts import backward_within_memory

STEPS, WARM = 8, 3  # timed in all, and left out at the start: the first ones compile kernels and fetch pictures from the disk


def seconds_per_step(
    state: State, batches: Iterable, loss_of, make_optimizer, compute: Compute, tell: Callable[[str], None] = print
) -> float:
    """Seconds that one training step takes, batch included.

    Args:
        state: what is about to be trained; it is left as it is, but for the parts that memory makes necessary.
        batches: of (input, target), at least ``STEPS`` of them or as many as there are.
        loss_of: as in `training.loop.fit`. make_optimizer: of a model. tell: as in `training.parts.backward_within_memory`.
    """
    model = copy.deepcopy(state.model)
    trial, backward = State(model, EMA(model), make_optimizer(model)), partial(backward_within_memory, tell=tell)
    ends = [time.perf_counter()]
    train_epoch(trial, batches, loss_of, lambda step: 0.0, compute, 10.0, lambda: ends.append(time.perf_counter()), backward=backward)
    state.parts = trial.parts
    times = [end - begin for begin, end in pairwise(ends)]
    return median(times[WARM:] or times)


def epochs_within(seconds: float, step_seconds: float, steps_per_epoch: int) -> int:
    """The epochs that fit, rounded down; at least 1.

    Raises:
        ValueError: if not even one does, saying what one takes.
    """
    epoch = step_seconds * steps_per_epoch
    if seconds < epoch:
        raise ValueError(f"minutes must be at least {epoch / 60:.2g} here: one epoch takes {epoch:.0f} s")
    return int(seconds / epoch)
