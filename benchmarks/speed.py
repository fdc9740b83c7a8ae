"""Seconds of a training step and of one picture: ours beside ultralytics' YOLOv8n and YOLO11n, at the same tensor shape on the same cores.

    python benchmarks/speed.py

PyTorch on the CPU against PyTorch on the CPU, 320x256 pixels, 13 objects in a picture. A step is forward pass, own loss, backward pass,
clipped gradient and fused AdamW, without loading pictures; ours also updates its average. Ours and theirs take turns, --repeat times, each
in a process of its own; the table shows medians and the ratio to YOLOv8n of the same turn. Leave the machine alone meanwhile.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

from common import HERE, machine, ultralytics, write_results

HEIGHT, WIDTH, OBJECTS = 256, 320, 13
PEERS = ("yolov8n", "yolo11n")


def step_seconds(size: str, precision: str, batch: int, rounds: int) -> float:
    """Median seconds of one of our training steps."""
    import torch

    from coursekit.training.device import Compute
    from coursekit.training.ema import EMA
    from coursekit.yolo import YOLO
    from coursekit.yolo.loss import detection_loss
    from coursekit.yolo.train import make_optimizer

    model = YOLO(3, size).to(memory_format=torch.channels_last).train()
    optimizer, ema = make_optimizer(model, 1e-4, 0.05), EMA(model)
    images = torch.randint(0, 256, (batch, 3, HEIGHT, WIDTH), dtype=torch.uint8).contiguous(memory_format=torch.channels_last)
    corners = torch.rand(batch, OBJECTS, 2) * torch.tensor([0.8 * WIDTH, 0.8 * HEIGHT])
    boxes = torch.cat([corners, corners + 24 + 24 * torch.rand(batch, OBJECTS, 2)], dim=2)
    truth = [{"boxes": boxes[i], "labels": torch.randint(0, 3, (OBJECTS,))} for i in range(batch)]
    seconds = []
    for number in range(5 + rounds):
        begin = time.perf_counter()
        with Compute("cpu", precision, torch.get_num_threads()).autocast():
            raw = model(images)
        detection_loss(raw, truth)["loss"].backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 10.0)
        optimizer.step()
        optimizer.zero_grad()
        ema.update(model, number + 1)
        if number >= 5:  # kernels for this shape are compiled meanwhile
            seconds.append(time.perf_counter() - begin)
    return median(seconds)


def measure_ours(size: str, batch: int, threads: int, rounds: int) -> dict[str, float]:
    import torch
    from latency import latency

    torch.set_num_threads(threads)
    result = {f"train {precision}": step_seconds(size, precision, batch, rounds) for precision in ("float32", "bfloat16")}
    pictures = latency(size, (HEIGHT, WIDTH), threads=threads, rounds=5 * rounds)
    return result | {f"picture {name}": seconds for name, seconds in pictures.items()}


def one_turn(python: Path, batch: int, threads: int, rounds: int) -> dict[str, dict[str, float]]:
    """Everybody once, each in a process of its own."""
    facts = ["--batch", batch, "--threads", threads, "--rounds", rounds]
    commands = {f"coursekit {size}": [sys.executable, __file__, "--ours", size, *facts] for size in ("n", "s")}
    for model in PEERS:
        shape = ["--height", HEIGHT, "--width", WIDTH, "--objects", OBJECTS]
        commands[model] = [python, HERE / "peers" / "ultralytics_speed.py", "--model", model, *facts, *shape]
    found = {}
    for name, command in commands.items():
        said = subprocess.run([str(part) for part in command], check=True, capture_output=True, text=True).stdout
        found[name] = {key: value for key, value in json.loads(said.splitlines()[-1]).items() if key != "model"}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ours", help="only this size of ours, as JSON; used by the turns")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--threads", type=int, default=0, help="0: the cores that are really ours")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--envs", type=Path, default=Path("build/bench-envs"))
    arguments = parser.parse_args()
    threads = arguments.threads or machine()["cores"]
    if arguments.ours:
        print(json.dumps(measure_ours(arguments.ours, arguments.batch, threads, arguments.rounds)))
        return
    python = ultralytics(arguments.envs)
    turns = [one_turn(python, arguments.batch, threads, arguments.rounds) for _ in range(arguments.repeat)]
    rows = []
    print(f"{'':14}{'':18}{'ms':>8}{'images/s':>10}{'YOLOv8n takes':>16}")
    for name in turns[0]:
        for kind in turns[0][name]:
            seconds = [turn[name][kind] for turn in turns]
            ratios = [turn["yolov8n"][f"{kind.split()[0]} float32"] / turn[name][kind] for turn in turns]
            images = (arguments.batch if kind.startswith("train") else 1) / median(seconds)
            rows.append({"who": name, "what": kind, "seconds": seconds, "images per second": round(images, 1), "yolov8n / this": ratios})
            print(f"{name:14}{kind:18}{1e3 * median(seconds):>8.1f}{images:>10.1f}{median(ratios):>15.2f}x")
    write_results("speed", {"rows": rows, "batch": arguments.batch, "threads": threads, "shape": [HEIGHT, WIDTH], "machine": machine()})


if __name__ == "__main__":
    main()
