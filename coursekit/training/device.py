"""Where and how to compute: device, threads, precision. Decided once, at a run's first start, and then kept."""

import contextlib
import time
from dataclasses import dataclass

import torch

from ..machine import cpu_flags, cpu_quota
from .distributed import local_rank, local_world_size, world_size


@dataclass(frozen=True)
class Compute:
    """How a run computes; part of its checkpoint, so that a resumed run does the same sums.

    Args:
        device: ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ``"mps"``.
        precision: ``"float32"``, or ``"bfloat16"`` for autocast: half of the bits in convolutions, float32 where sums are long.
        threads: of the CPU, in each process.
        processes: that share each batch, see `coursekit.training.distributed`.
        pictures: ``"ram"`` or ``"gpu"``: where they are kept and augmented. The two round differently, by a grey level here and there.
    """

    device: str
    precision: str
    threads: int
    processes: int = 1
    pictures: str = "ram"

    def autocast(self):
        """The context to run the network's forward pass in."""
        if self.precision == "float32":
            return contextlib.nullcontext()
        return torch.autocast(self.device.partition(":")[0], torch.bfloat16)

    def apply(self) -> None:
        """Set the thread count of this process."""
        torch.set_num_threads(self.threads)


def choose_device(name: str = "auto") -> str:
    """The device that ``name`` means here: ``auto`` is the first GPU, else the CPU. Each of several processes gets a GPU of its own.

    Raises:
        ValueError: if the device asked for is not there.
    """
    several = world_size() > 1
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() and not several else "cpu"
    name = f"cuda:{name}" if name.isdigit() else name
    kind, _, index = name.partition(":")
    there = {"cpu": 1, "cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available())}
    if kind not in there or (index and not index.isdigit()):
        raise ValueError(f"device must be auto, cpu, cuda, cuda:N or mps, got {name!r}")
    if several and kind != "cpu":
        if index or kind == "mps":
            raise ValueError(f"device must be auto, cpu or cuda where torchrun gives each process a GPU of its own, got {name!r}")
        name, index = f"cuda:{local_rank()}", str(local_rank())
    if int(index or 0) >= there[kind]:
        raise ValueError(f"device {name!r} is not on this machine, which has {there['cuda']} CUDA devices; use --device cpu")
    return name


def choose_threads(requested: int = 0) -> int:
    """``requested``, or for 0 the cores that are really ours, shared among the processes of a training on this machine.

    More threads than cores are several times slower, not faster.
    """
    if requested < 0:
        raise ValueError(f"threads must be 0 (automatic) or more, got {requested}")
    return requested or max(1, cpu_quota() // local_world_size())


def can_use_bfloat16(device: str) -> bool:
    """Has the processor instructions for bfloat16 products? Without them it is slower than float32, though it works."""
    if device.startswith("cuda"):
        return torch.cuda.is_bf16_supported()
    return device == "cpu" and bool(cpu_flags() & {"amx_bf16", "avx512_bf16"})


def choose_precision(requested: str, device: str, step, steps: int = 3) -> tuple[str, dict[str, float]]:
    """The precision to train in, by timing one against the other where that is open.

    Args:
        requested: ``"auto"``, ``"float32"`` or ``"bfloat16"``.
        step: called as ``step(precision)``, does one training step on throw-away weights.
        steps: timed for each, after one that is not.

    Returns:
        The precision, and the best seconds of each that was timed (empty if none was).
    """
    if requested not in ("auto", "float32", "bfloat16"):
        raise ValueError(f"precision must be auto, float32 or bfloat16, got {requested!r}")
    if requested != "auto":
        return requested, {}
    if device == "mps" or not can_use_bfloat16(device):
        return "float32", {}
    if device.startswith("cuda"):
        return "bfloat16", {}
    seconds = {}
    for precision in ("float32", "bfloat16"):
        times = []
        for _ in range(steps + 1):
            begin = time.perf_counter()
            step(precision)
            times.append(time.perf_counter() - begin)
        seconds[precision] = min(times[1:])  # the first one compiles kernels for this shape
    return min(seconds, key=seconds.get), seconds


class OutOfMemory(ValueError):
    """More memory was asked for than there is; the message says what to ask for instead."""


def is_out_of_memory(error: BaseException) -> bool:
    """Does an exception say that memory ran out? Python and the GPU have types of their own for it, torch on the CPU has not."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    words = ("can't allocate memory", "not enough memory", "could not create a memory", "bad_alloc")
    return isinstance(error, RuntimeError) and any(word in str(error) for word in words)
