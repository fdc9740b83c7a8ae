"""Every detector of part 2 on the same scenes: AP and the milliseconds of one picture. The table at the end of notebooks 18 and 19.

    python benchmarks/detectors.py                       # 3 seeds, 10 trainings each: half an hour on one core
    python benchmarks/detectors.py --seeds 0 --only grid yolo

Each is trained by its room's own recipe on 320 small scenes of notebook 19's world, and measured on 200 others: from random weights, and
two of them once more from the backbone that the course ships ("fine-tuned"), which has seen 5,000 crops of other signs. The detectors of
one seed are timed in turns, picture by picture, in one process: other load disturbs them alike. A finished seed is kept at once in
build/detectors.jsonl: stop this program when you like and start it again. Writes benchmarks/results/detectors.json; `pack.py` takes from
there what the notebooks show.
"""

import argparse
import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import mean, median

import torch
from common import machine, write_results

from coursekit.data.loader import CachedDataset
from coursekit.training.detector import NAMES, SIZE, fit_detector, measure_detector, small_world

KEPT = Path("build/detectors.jsonl")
TRAINING, VALIDATION, TIMED = 320, 200, 30


def yolo(samples, seed: int) -> Callable:
    """Notebook 19's detector, as it trains it."""
    from coursekit.yolo import YOLO, detection_loss
    from coursekit.yolo.decode import detections

    torch.manual_seed(seed)
    model = YOLO(len(NAMES)).to(memory_format=torch.channels_last)
    fitted = fit_detector(model, samples, lambda model, images, targets: detection_loss(model(images), targets), epochs=12, seed=seed)
    return lambda images: detections(fitted.model(images), 0.001)


def recipes() -> dict[str, Callable]:
    """What trains each: ``recipe(samples, seed=seed) -> find``. Read here, since some rooms take a while to import."""
    from coursekit.grid.recipe import train as grid
    from coursekit.one_stage.recipe import train as one_stage
    from coursekit.sliding.recipe import train as sliding
    from coursekit.two_stage.recipe import train as two_stage

    return {
        "sliding window": sliding,
        "grid": grid,
        "RetinaNet": partial(one_stage, kind="retina", pretrained=False),
        "torchvision RetinaNet": partial(one_stage, kind="torchvision retina", pretrained=False),
        "torchvision SSD": partial(one_stage, kind="torchvision ssd", pretrained=False),
        "two stages": partial(two_stage, kind="two-stage"),
        "torchvision Faster R-CNN": partial(two_stage, kind="torchvision faster r-cnn"),
        "YOLO": yolo,
        "RetinaNet, fine-tuned": partial(one_stage, kind="retina"),
        "two stages, fine-tuned": partial(two_stage, kind="two-stage", start="fine-tuned"),
    }


@torch.no_grad()
def in_turns(finders: dict[str, Callable], samples, count: int) -> dict[str, float]:
    """Milliseconds of one picture for each detector, the median over pictures; they take turns with every picture."""
    seconds = {name: [] for name in finders}
    for index in range(-3, count):  # three rounds to warm up
        image = samples[index % len(samples)][0][None]
        for name, find in finders.items():
            begin = time.perf_counter()
            find(image)
            if index >= 0:
                seconds[name].append(time.perf_counter() - begin)
    return {name: round(1000 * median(values), 2) for name, values in seconds.items()}


def one_seed(seed: int, names: list[str], samples, validation) -> list[dict]:
    """The rows of one seed: each detector trained and measured, then all of them timed in turns."""
    rows, finders = [], {}
    for name in names:
        begin = time.perf_counter()
        finders[name] = recipes()[name](samples, seed=seed)
        seconds = time.perf_counter() - begin
        summary = measure_detector(finders[name], validation, timed=1).summary
        rows.append({"detector": name, "seed": seed, "seconds": round(seconds, 1)})
        rows[-1] |= {key: round(summary[key], 4) for key in ("AP", "AP50", "AP75")}
        print(f"{name}, seed {seed}: AP {summary['AP']:.3f}, AP50 {summary['AP50']:.3f} after {seconds:.0f} s", flush=True)
    times = in_turns(finders, validation, TIMED)
    return [row | {"milliseconds": times[row["detector"]]} for row in rows]


def kept() -> list[dict]:
    return [json.loads(line) for line in KEPT.read_text().splitlines()] if KEPT.exists() else []


def table(rows: list[dict]) -> str:
    """Mean over the seeds, one line for each detector."""
    lines = []
    for name in dict.fromkeys(row["detector"] for row in rows):
        mine = [row for row in rows if row["detector"] == name]
        numbers = {key: mean(row[key] for row in mine) for key in ("AP", "AP50", "milliseconds", "seconds")}
        cells = (
            f"AP {numbers['AP']:.3f}  AP50 {numbers['AP50']:.3f}  {numbers['milliseconds']:7.1f} ms  trained {numbers['seconds']:4.0f} s"
        )
        lines.append(f"{name:26}{len(mine)} seeds  {cells}")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--only", nargs="+", metavar="NAME", help="train these alone; the committed table is left as it is")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    names = arguments.only or list(recipes())
    samples = CachedDataset(small_world("train", TRAINING), (SIZE, SIZE))
    validation = CachedDataset(small_world("validation", VALIDATION), (SIZE, SIZE))
    for seed in arguments.seeds:
        if any(row["seed"] == seed for row in kept()) and not arguments.only:
            continue
        rows = one_seed(seed, names, samples, validation)
        if arguments.only:
            print(table(rows))
            continue
        KEPT.parent.mkdir(exist_ok=True)
        with KEPT.open("a") as file:
            file.write("".join(json.dumps(row) + "\n" for row in rows))
    if not arguments.only:
        print(table(kept()))
        setting = {"training": TRAINING, "validation": VALIDATION, "size": SIZE, "classes": list(NAMES)}
        write_results("detectors", {"rows": kept(), **setting, "machine": machine() | {"threads": 1}})


if __name__ == "__main__":
    main()
