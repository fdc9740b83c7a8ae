"""The benchmarks of `make gpu`, each in a process of its own: what they measure is recorded figure by figure (`coursekit.recorded`).

python -m coursekit.authoring.gpu_bench throughput --device cuda
"""

import argparse
import itertools
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from statistics import mean, median

import torch

from coursekit.data.signs import SignScenes
from coursekit.recorded import record
from coursekit.training.loop import State, train_epoch
from coursekit.yolo import TrainSettings, load_shipped, new_run, predict, prepare, train, validate
from coursekit.yolo.loss import detection_loss
from coursekit.yolo.train import Prepared, open_data, ready

# pictures and steps at each level; a figure means something at full only
PICTURES = {"smoke": 8, "quick": 64, "full": 512}
STEPS = {"smoke": 2, "quick": 5, "full": 60}


def wait(device: str) -> None:
    """A GPU answers before it is done: wait for it, or you time nothing."""
    if device.startswith("cuda"):
        torch.cuda.synchronize()


def covered(intervals: Iterable[tuple[float, float]]) -> float:
    """Length of the union of intervals (begin, end): how long at least one of them lasted."""
    total, reached = 0.0, float("-inf")
    for begin, end in sorted(intervals):
        total += max(0.0, end - max(begin, reached))
        reached = max(reached, end)
    return total


class Utilisation:
    """Mean of what `nvidia-smi` says of the card five times a second, in a ``with`` block; None where there is no such program."""

    def __enter__(self) -> "Utilisation":
        self.values: list[float] = []
        program = shutil.which("nvidia-smi")
        query = [program, "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits", "-i", "0", "-lms", "200"]
        self.process = subprocess.Popen(query, stdout=subprocess.PIPE, text=True) if program else None
        if self.process:
            threading.Thread(target=self._read, daemon=True).start()
        return self

    def _read(self) -> None:
        for line in self.process.stdout:
            if line.strip().isdigit():  # "[N/A]" where a driver does not tell
                self.values.append(float(line))

    def __exit__(self, *error) -> None:
        if self.process:
            self.process.kill()
            self.process.wait()

    @property
    def percent(self) -> float | None:
        """Share of the time, in percent, in which at least one kernel ran; None where nothing was said."""
        return round(mean(self.values), 1) if self.values else None


def busy_share(prepared: Prepared, batches: Iterable, steps: int) -> float | None:
    """Share of wall time in which a kernel ran on the GPU, by torch's profiler; the rest of it the GPU waited. None without a GPU."""
    device = prepared.compute.device
    if not device.startswith("cuda"):
        return None
    activities = [torch.profiler.ProfilerActivity.CUDA]
    wait(device)
    with torch.profiler.profile(activities=activities) as profile:
        seconds = seconds_of(prepared, batches, steps)
    kernels = [e.time_range for e in profile.events() if e.device_type == torch.autograd.DeviceType.CUDA]
    return covered((k.start, k.end) for k in kernels) / 1e6 / seconds if kernels else None


def seconds_of(prepared: Prepared, batches: Iterable, steps: int) -> float:
    """Wall time of so many training steps, the waiting for batches and for the GPU included."""
    device, begin = prepared.compute.device, time.perf_counter()
    train_epoch(prepared.state, itertools.islice(batches, steps), detection_loss, lambda step: 1e-4, prepared.compute, 10.0, lambda: None)
    wait(device)
    return time.perf_counter() - begin


def endless(prepared: Prepared) -> Iterable:
    """Batches as training gets them, epoch after epoch."""
    for epoch in itertools.count():
        yield from ready(prepared.batches.epoch(epoch), prepared.compute.device)


def throughput(device: str, level: str, **others) -> None:
    """Training steps: pictures a second with the loader, and with batches that lie on the device already; memory; who waits for whom."""
    pictures, steps = PICTURES[level], STEPS[level]
    scenes = SignScenes(pictures, seed=0)
    grid = [("n", 8), ("s", 8), ("s", 32), ("s", 64)] if level == "full" else [("n", 4)]
    for (model, batch), precision in itertools.product(grid, ("float32", "bfloat16") if device != "cpu" else ("float32",)):
        settings = TrainSettings(
            "signs", model=model, imgsz=256, batch=batch, epochs=1, val_split="none", device=device, precision=precision
        )
        prepared = prepare(settings, scenes)
        prepared.batches.augment = settings.augment(mosaic=True)
        stream = endless(prepared)
        resident = itertools.cycle(list(itertools.islice(stream, 4)))
        seconds_of(prepared, resident, 5)  # kernels are chosen, pictures are drawn for the first time
        for _ in itertools.islice(stream, pictures // batch):
            pass
        if device.startswith("cuda"):
            torch.cuda.reset_peak_memory_stats()
        with Utilisation() as use:
            loaded = seconds_of(prepared, stream, steps)
        held = seconds_of(prepared, resident, steps)
        record(
            "figure",
            model=model,
            batch=batch,
            precision=precision,
            pictures_per_second=steps * batch / loaded,
            pictures_per_second_resident=steps * batch / held,
            share_waiting_for_loader=max(0.0, 1 - held / loaded),
            share_gpu_busy=busy_share(prepared, stream, max(2, steps // 3)),
            utilisation_percent=use.percent,
            peak_mib=torch.cuda.max_memory_allocated() / 2**20 if device.startswith("cuda") else None,
        )


@torch.no_grad()
def predictions(device: str, level: str, **others) -> None:
    """The shipped detector: milliseconds of a call and pictures a second, from uint8 pictures to boxes on the CPU."""
    model, scenes = load_shipped().to(device), SignScenes(32, seed=2)
    images = [scenes[index][0] for index in range(32)]
    for batch in (1, 8, 32) if level == "full" else (1, 2):
        predict(model, images[:batch], batch=batch)
        times = []
        for _ in range(STEPS[level]):
            begin = time.perf_counter()
            predict(model, images[:batch], batch=batch)  # its boxes are on the CPU: it has waited
            times.append(time.perf_counter() - begin)
        record("figure", batch=batch, milliseconds=1000 * median(times), pictures_per_second=batch / median(times))


def bccd(device: str, level: str, bccd: Path) -> None:
    """Blood cells from random weights: AP on the test split after trainings of some lengths, each with a schedule made for it."""
    test = open_data(str(bccd), "test")
    lengths = [(0.25, 8), (0.5, 8), (1.0, 8), (1.0, 32)] if level == "full" else [(0.0, 8)]
    with tempfile.TemporaryDirectory() as folder:
        for minutes, batch in lengths:
            length = {"minutes": minutes} if minutes else {"epochs": 1}
            model = "s" if level == "full" else "n"
            settings = TrainSettings(
                str(bccd), split="trainval", val_split="none", model=model, batch=batch, device=device, project=folder, **length
            )
            _of_bccd(settings, test, minutes)


def _of_bccd(settings: TrainSettings, test, minutes: float) -> None:
    begin = time.perf_counter()
    prepared = prepare(settings)
    ready_after = time.perf_counter() - begin
    if settings.device.startswith("cuda"):
        torch.cuda.reset_peak_memory_stats()
    begin = time.perf_counter()
    with Utilisation() as use:
        state: State = train(prepared, new_run(prepared))
        wait(settings.device)
    seconds = time.perf_counter() - begin
    summary = validate(state.ema.model.eval(), test).summary
    steps, compute = prepared.settings.epochs * len(prepared.batches), prepared.compute
    record(
        "figure",
        minutes=minutes,
        batch=settings.batch,
        model=settings.model,
        precision=compute.precision,
        epochs=prepared.settings.epochs,
        prepare_seconds=ready_after,
        train_seconds=seconds,
        AP=float(summary["AP"]),
        AP50=float(summary["AP50"]),
        pictures_per_second=steps * settings.batch / seconds,
        utilisation_percent=use.percent,
        peak_mib=torch.cuda.max_memory_allocated() / 2**20 if settings.device.startswith("cuda") else None,
    )


def main(arguments: list[str] | None = None) -> int:
    """The command line; a ValueError is one sentence and exit code 2."""
    known = {"throughput": throughput, "predict": predictions, "bccd": bccd}
    parser = argparse.ArgumentParser(prog="python -m coursekit.authoring.gpu_bench", description="A benchmark of `make gpu`.")
    parser.add_argument("name", choices=list(known))
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--level", choices=list(STEPS), default="full")
    parser.add_argument("--bccd", type=Path, default=Path("../shared/data/bccd"))
    options = parser.parse_args(arguments)
    try:
        known[options.name](device=options.device, level=options.level, bccd=options.bccd)
    except (ValueError, OSError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
