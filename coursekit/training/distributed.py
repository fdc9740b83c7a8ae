"""Several processes that train one model together, on the GPUs of one machine or of many. Used by `coursekit train` under torchrun.

    torchrun --nproc-per-node 2 -m coursekit.cli train --data my-folder

torch's own DistributedDataParallel (DDP) does the work. What makes one training of several processes is little:

1. each process takes its own share of every batch (`rank` and `ranks` of `coursekit.data.loader.Batches`);
2. DDP averages the gradients while they are computed, so that all processes make the same step (`replicate`);
3. a loss is divided by what *all* processes hold, since the mean of two means is not the mean of everything (`shared_total`);
4. process 0 alone decides, writes and prints (`on_rank_0`).

Where there is one process, each function gives back what it was given, and costs nothing.

Source: Li et al., arXiv 2006.15704.
"""

import contextlib
import gc
import os
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel


@contextlib.contextmanager
def several_processes() -> Iterator[None]:
    """Around everything that trains: meets the other processes, if torchrun started us, and takes leave of them at the end.

    Numbers on a GPU travel by NCCL, those on the CPU by gloo. Afterwards nothing may hold the group, or gloo's threads outlive it; and one
    that frees a tensor while Python takes leave ends the process with "terminate called without an active exception" (seen in torch 2.15).
    """
    if int(os.environ.get("WORLD_SIZE", 1)) == 1 or "RANK" not in os.environ:
        yield
        return
    # DDP imports this; imported once there is a group, its functions keep that group for ever, as the default of an argument
    from torch.distributed.nn import functional  # noqa: F401

    on_gpu = int(os.environ["LOCAL_RANK"]) < torch.cuda.device_count()
    if on_gpu:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    distributed.init_process_group("cpu:gloo,cuda:nccl" if on_gpu else "gloo")
    try:
        yield
    finally:
        gc.collect()  # DDP's models, which hold the group and are cycles
        distributed.destroy_process_group()


def world_size() -> int:
    """Processes that train together; 1 where nobody has called `several_processes`."""
    return distributed.get_world_size() if distributed.is_available() and distributed.is_initialized() else 1


def rank() -> int:
    """Number of this process, from 0."""
    return distributed.get_rank() if world_size() > 1 else 0


def local_rank() -> int:
    """Number of this process on its machine: that of the GPU it takes."""
    return int(os.environ["LOCAL_RANK"]) if world_size() > 1 else 0


def local_world_size() -> int:
    """Processes of this training on this machine, which share its cores and its memory."""
    return int(os.environ["LOCAL_WORLD_SIZE"]) if world_size() > 1 else 1


def on_rank_0(make: Callable):
    """What ``make()`` gives in process 0, in every process; the others do not call it. What it raises is raised in every process.

    All processes must come by, or those that do wait for the others. The value travels pickled: plain values, tensors on the CPU.
    """
    if world_size() == 1:
        return make()
    outcome = [None, None]
    if rank() == 0:
        try:
            outcome[0] = make()
        except Exception as error:
            outcome[1] = error
    distributed.broadcast_object_list(outcome)
    if outcome[1] is not None:
        raise outcome[1]
    return outcome[0]


def gather(mine) -> list:
    """In process 0 what each process gave, in the order of their numbers; in the others an empty list."""
    if world_size() == 1:
        return [mine]
    everyone = [None] * world_size() if rank() == 0 else None
    distributed.gather_object(mine, everyone)
    return everyone or []


def sum_over_ranks(mine: Tensor) -> Tensor:
    """Sum of a tensor over the processes, the same bits in each; no gradient flows through it."""
    if world_size() == 1:
        return mine
    everyone = mine.detach().clone()
    distributed.all_reduce(everyone)
    return everyone


def mean_over_ranks(mine: Tensor) -> Tensor:
    """Likewise the mean."""
    return sum_over_ranks(mine) / world_size() if world_size() > 1 else mine


def shared_total(total: Tensor) -> Tensor:
    """What a process must divide its part of a loss by, so that the *mean* over processes is the loss of the whole batch.

    Process r of R holds the sum s_r of its errors and the size t_r of its targets. Wanted is (s_1 + ... + s_R) / (t_1 + ... + t_R);
    DDP takes the mean of what the processes compute. So each computes s_r / (T / R), where T = t_1 + ... + t_R, but at least 1. Dividing by
    its own t_r instead would make an object count more where its process has few others.
    """
    return sum_over_ranks(total).clamp(min=1) / world_size()


def replicate(model: nn.Module, device: str) -> nn.Module:
    """The same model, whose backward pass averages the gradients over the processes. Call this one; save and average `model` itself.

    Batch normalisation takes the statistics of each process's own share in a step; of the running averages those of process 0 are kept.
    A share of fewer than about 8 pictures is therefore noisier than a batch of that size in one process would be.
    """
    if world_size() == 1:
        return model
    return DistributedDataParallel(model, device_ids=[local_rank()] if device.startswith("cuda") else None)


def take_buffers_of_rank_0(model: nn.Module) -> None:
    """Make the buffers (running averages of batch normalisations) those of process 0 everywhere."""
    if world_size() > 1:
        for buffer in model.buffers():
            distributed.broadcast(buffer, 0)
