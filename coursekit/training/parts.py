"""A batch that memory does not hold goes through the network in parts, and makes the same step. Used by `coursekit train`.

The loss of a detector is a sum over all pictures, divided by the sum of all their targets. So each part gives the gradient of its own
sum, these add up, and are divided by the targets of all parts at the end: the mean of the parts' losses would be another loss, in which an
object counts more where its part has few others. Only batch normalisation sees the parts, each with its own statistics.
"""

import contextlib
import gc
from collections.abc import Callable

import torch
from torch import Tensor

from .device import Compute, is_out_of_memory
from .distributed import shared_total, world_size
from .loop import State, backward


def backward_in_parts(
    parts: int, model, forward: Callable, inputs: Tensor, targets: list, loss_of: Callable, compute: Compute
) -> dict[str, Tensor]:
    """As `loop.backward`, with ``inputs`` in ``parts`` pieces of one size (the last may be smaller), one after the other.

    Args:
        loss_of: takes ``normaliser`` as `yolo.loss.detection_loss` does.
    """
    totals: list[Tensor] = []

    def undivided(total: Tensor) -> Tensor:
        totals.append(total.detach())
        return torch.ones_like(total)

    sums: dict[str, Tensor | float] = {}
    pieces, first = inputs.chunk(parts), 0
    for number, piece in enumerate(pieces):
        last = number + 1 == len(pieces)
        wait = contextlib.nullcontext() if last or not hasattr(forward, "no_sync") else forward.no_sync()  # processes meet once a step
        with wait:
            with compute.autocast():
                said = forward(piece)
            losses = loss_of(said, targets[first : first + len(piece)], normaliser=undivided)
            losses["loss"].backward()
        first += len(piece)
        sums = {name: sums.get(name, 0.0) + value.detach() for name, value in losses.items()}
    total = shared_total(torch.stack(totals).sum())
    for parameter in model.parameters():
        if parameter.grad is not None:
            parameter.grad /= total
    return {name: value / total for name, value in sums.items()}


def backward_within_memory(
    state: State, forward: Callable, inputs: Tensor, targets: list, loss_of: Callable, compute: Compute, tell: Callable[[str], None] = print
) -> dict[str, Tensor]:
    """As `loop.backward`; where memory runs out, the batch is divided into twice as many parts and tried again.

    ``state.parts`` keeps how many, for the steps to come and in the checkpoint. Several processes do not do this: they would have to agree.

    Args:
        tell: called with one sentence when a batch is divided.

    Raises:
        MemoryError, RuntimeError: whatever said so where one picture alone is too much.
    """
    while True:
        try:
            if state.parts == 1:
                return backward(state, forward, inputs, targets, loss_of, compute)
            return backward_in_parts(state.parts, state.model, forward, inputs, targets, loss_of, compute)
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error) or world_size() > 1 or state.parts >= len(inputs):
                raise
        # not before: the error holds the frames, and they hold what filled the memory
        state.optimizer.zero_grad()
        gc.collect()
        if compute.device.startswith("cuda"):
            torch.cuda.empty_cache()
        state.parts = min(2 * state.parts, len(inputs))
        size = len(inputs.chunk(state.parts)[0])
        tell(
            f"memory ran out: from here on the {len(inputs)} pictures of a step go through the network {size} at a time, and their "
            f"gradients add up; only batch normalisation sees the difference"
        )
