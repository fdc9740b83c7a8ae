"""The benchmarks of `make gpu`, each in a process of its own: what they measure is recorded figure by figure (`coursekit.recorded`).

python -m coursekit.authoring.gpu_bench throughput --device cuda
"""

import argparse
import itertools
import json
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from statistics import mean, median

import torch

from coursekit.data.loader import CachedDataset
from coursekit.data.signs import SignScenes
from coursekit.recorded import record
from coursekit.training.loop import State, train_epoch
from coursekit.yolo import TrainSettings, load_shipped, new_run, predict, prepare, train, validate
from coursekit.yolo.loss import detection_loss
from coursekit.yolo.samples import open_data, ready
from coursekit.yolo.train import Prepared

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


def seconds_of(prepared: Prepared, batches: Iterable, steps: int, forward: Callable | None = None) -> float:
    """Wall time of so many training steps, the waiting for batches and for the GPU included."""
    compute, begin, some = prepared.compute, time.perf_counter(), itertools.islice(batches, steps)
    train_epoch(prepared.state, some, detection_loss, lambda step: 1e-4, compute, 10.0, lambda: None, forward)
    wait(compute.device)
    return time.perf_counter() - begin


def endless(prepared: Prepared) -> Iterable:
    """Batches as training gets them, epoch after epoch."""
    for epoch in itertools.count():
        yield from ready(prepared.batches.epoch(epoch), prepared.compute.device)


def prepare_signs(device: str, level: str, model: str, batch: int, **more) -> Prepared:
    """A training on the generated world that is about to start, with all its augmentation."""
    settings = TrainSettings("signs", model=model, imgsz=256, batch=batch, epochs=1, val_split="none", device=device, **more)
    prepared = prepare(settings, SignScenes(PICTURES[level], seed=0))
    prepared.batches.augment = settings.augment(mosaic=True)
    return prepared


def throughput(device: str, level: str, **others) -> None:
    """Training steps: pictures a second with the loader, and with batches that lie on the device already; memory; who waits for whom."""
    pictures, steps = PICTURES[level], STEPS[level]
    grid = [("n", 8), ("s", 8), ("s", 32), ("s", 64)] if level == "full" else [("n", 4)]
    ways = [("float32", "ram")] if device == "cpu" else [("float32", "gpu"), ("bfloat16", "ram"), ("bfloat16", "gpu")]
    for (model, batch), (precision, cache) in itertools.product(grid, ways):
        prepared = prepare_signs(device, level, model, batch, precision=precision, cache=cache)
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
            pictures=cache,
            pictures_per_second=steps * batch / loaded,
            pictures_per_second_resident=steps * batch / held,
            share_waiting_for_loader=max(0.0, 1 - held / loaded),
            share_gpu_busy=busy_share(prepared, stream, max(2, steps // 3)),
            utilisation_percent=use.percent,
            peak_mib=torch.cuda.max_memory_allocated() / 2**20 if device.startswith("cuda") else None,
        )


def compiled(device: str, level: str, **others) -> None:
    """The network as it is, translated by `torch.compile`, and replayed as CUDA graphs, each with batches that
    lie on the device: seconds until it is ready, then pictures a second."""
    full, steps = level == "full", STEPS[level]
    ways = {"eager": None, "compiled": {}, "cuda graphs": {"mode": "reduce-overhead"}}
    if level == "smoke":  # a compiler takes minutes
        ways = {"eager": None, "traced": {"backend": "eager"}}
    for (model, batch), (way, options) in itertools.product([("n", 8), ("s", 8), ("s", 64)] if full else [("n", 4)], ways.items()):
        prepared = prepare_signs(device, level, model, batch)
        resident = itertools.cycle(list(itertools.islice(endless(prepared), 4)))
        forward = None if options is None else torch.compile(prepared.state.model, **options)
        ready_after = seconds_of(prepared, resident, 5, forward)
        seconds = seconds_of(prepared, resident, steps, forward)
        facts = {"precision": prepared.compute.precision, "ready_after_seconds": ready_after}
        record("figure", model=model, batch=batch, way=way, **facts, pictures_per_second=steps * batch / seconds)
        torch.compiler.reset()


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
    settings = TrainSettings(str(bccd), split="trainval", val_split="none", device=device)
    time_to_ap(settings, open_data(str(bccd), "test"), level)


def signs(device: str, level: str, **others) -> None:
    """The same with 2,000 scenes of the generated world, and 500 others to be measured on."""
    count = {"smoke": 8, "quick": 64, "full": 2000}[level]
    worlds = [SignScenes(count, seed=0), SignScenes(count // 4, seed=2)]
    scenes, test = (CachedDataset(world, (world.size, world.size)) for world in worlds)
    scenes.fill()  # drawing takes longer than a training; pictures in files would only be decoded
    time_to_ap(TrainSettings("signs", val_split="none", imgsz=256, fliplr=0.0, device=device), test, level, scenes)


def time_to_ap(settings: TrainSettings, test, level: str, dataset=None) -> None:
    """A figure for each length; ``dataset``: to train on instead of what the settings name."""
    lengths = [(0.25, 8), (0.5, 8), (1.0, 8), (1.0, 32)] if level == "full" else [(0.0, 8)]
    with tempfile.TemporaryDirectory() as folder:
        for minutes, batch in lengths:
            length = {"minutes": minutes} if minutes else {"epochs": 1}
            model = "s" if level == "full" else "n"
            _train_and_measure(replace(settings, model=model, batch=batch, project=folder, **length), test, dataset)


def _train_and_measure(settings: TrainSettings, test, dataset) -> None:
    begin = time.perf_counter()
    prepared = prepare(settings, dataset)
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
        minutes=settings.minutes,
        batch=settings.batch,
        model=settings.model,
        precision=compute.precision,
        pictures=compute.pictures,
        epochs=prepared.settings.epochs,
        prepare_seconds=ready_after,
        train_seconds=seconds,
        AP=float(summary["AP"]),
        AP50=float(summary["AP50"]),
        pictures_per_second=steps * settings.batch / seconds,
        utilisation_percent=use.percent,
        peak_mib=torch.cuda.max_memory_allocated() / 2**20 if settings.device.startswith("cuda") else None,
    )


def peer(device: str, level: str, bccd: Path) -> None:
    """ultralytics' YOLOv8n on the same card, as ``benchmarks/`` measures it on a CPU: its steps, and blood cells in the time of `bccd`."""
    python, here = Path(sys.executable), Path("benchmarks")
    batches, minutes = ([8, 32, 64], [0.25, 0.5, 1.0]) if level == "full" else ([4], [0.05])
    for batch in batches:
        sizes = ["--batch", batch, "--rounds", STEPS[level], "--height", 256, "--width", 256]
        for line in _said([python, here / "peers/ultralytics_speed.py", "--device", device, *sizes]):
            record("figure", batch=batch, **line)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "rows.json"
        length = ["--minutes", *minutes, "--seeds", 0, "--ours", "--peers", "yolov8n", "--peers-from", 0]
        length += ["--device", device, "--python", python]
        _said([python, here / "train.py", "bccd", "--data", bccd, *length, "--work", folder, "--out", out])
        for row in json.loads(out.read_text())["rows"]:
            record("figure", **{name: value for name, value in row.items() if not name.endswith("interval")})


def _said(command: list) -> list[dict]:
    """The JSON objects that a program printed, a line each."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if done.returncode:
        raise ValueError(f"{command[1]} failed: {' '.join(done.stderr.split())[-400:]}")
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def main(arguments: list[str] | None = None) -> int:
    """The command line; a ValueError is one sentence and exit code 2."""
    known = {"throughput": throughput, "compile": compiled, "predict": predictions, "bccd": bccd, "signs": signs, "peer": peer}
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
