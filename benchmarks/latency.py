"""How long one picture takes: seconds from pixels on the network's canvas to what every cell says, in PyTorch on the CPU.

    python benchmarks/latency.py --threads 2

Prints a table of ours: as it was trained, fused (`coursekit.yolo.fuse`) in float32, and in bfloat16. The variants take turns, so that
a busy moment of the machine hits all of them; each figure is the median of many calls after some that do not count.
"""

import argparse
import time
from collections.abc import Callable
from statistics import median

import torch

from coursekit.machine import cpu_quota
from coursekit.yolo import SIZES, YOLO, fuse


def take_turns(calls: dict[str, Callable[[], object]], rounds: int = 50, warmup: int = 10) -> dict[str, float]:
    """Median seconds of each call. Rounds of one call each, after ``warmup`` rounds in which kernels are compiled for the shape."""
    seconds = {name: [] for name in calls}
    for number in range(warmup + rounds):
        for name, call in calls.items():
            begin = time.perf_counter()
            call()
            if number >= warmup:
                seconds[name].append(time.perf_counter() - begin)
    return {name: median(times) for name, times in seconds.items()}


def variants(model: YOLO, images: torch.Tensor) -> dict[str, Callable[[], object]]:
    """Calls that run ``model`` on ``images``: ``plain`` as trained, ``float32`` and ``bfloat16`` fused."""

    def call(network):
        @torch.inference_mode()
        def run():
            return network(images)

        return run

    model = model.eval().to(memory_format=torch.channels_last)
    return {"plain": call(model), "float32": call(fuse(model)), "bfloat16": call(fuse(model, "bfloat16"))}


def latency(
    model: YOLO | str, size_hw: tuple[int, int] = (256, 320), batch: int = 1, threads: int = 0, rounds: int = 50, warmup: int = 10
) -> dict[str, float]:
    """Median seconds of one forward pass of `variants`, by their names.

    Args:
        model: a `YOLO` on the CPU, or a size, ``"s"``: with random weights and 3 classes, which takes the same time.
        size_hw: of the canvas, multiples of 32. threads: 0 takes the cores that are really ours; set back afterwards.
    """
    model = YOLO(3, model) if isinstance(model, str) else model
    images = torch.randint(0, 256, (batch, 3, *size_hw), dtype=torch.uint8)
    before = torch.get_num_threads()
    torch.set_num_threads(threads or cpu_quota())
    try:
        return take_turns(variants(model, images), rounds, warmup)
    finally:
        torch.set_num_threads(before)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--height", type=int, default=256)
    parser.add_argument("--width", type=int, default=320)
    arguments = parser.parse_args()
    print(f"milliseconds at {arguments.width}x{arguments.height}, batch {arguments.batch}, {arguments.threads or cpu_quota()} threads")
    for size in SIZES:
        seconds = latency(size, (arguments.height, arguments.width), arguments.batch, arguments.threads, arguments.rounds)
        print(f"{size}  " + "  ".join(f"{name} {1e3 * value:.1f}" for name, value in seconds.items()))


if __name__ == "__main__":
    main()
