"""What each part is worth: leave one out, train again, measure. Notebook 19's question, over more seeds than it has time for.

    python benchmarks/ablations.py                                                  # notebook 19's small world, 3 seeds
    python benchmarks/ablations.py --on bccd --data ../shared/data/bccd --seeds 0 1 --epochs 30 --precision bfloat16

Prints a table and writes benchmarks/results/ablations.json. A finished training is kept at once, in build/ablations.jsonl: stop this
program when you like and start it again, it goes on with what is missing. Nothing here hangs on the clock: a busy machine costs only time.
"""

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import mean, stdev

import torch
from torch import nn

from coursekit.boxes import box_iou
from coursekit.data.loader import Batches, CachedDataset
from coursekit.data.signs import SignScenes
from coursekit.data.transforms import Augment
from coursekit.files import write_json
from coursekit.training.device import Compute
from coursekit.training.ema import EMA
from coursekit.training.loop import State, train_epoch
from coursekit.training.schedule import warmup_cosine
from coursekit.yolo import YOLO, Assignment, TrainSettings, assign, assign_by_centre, detection_loss, prepare, validate
from coursekit.yolo.assign import suiting_stride
from coursekit.yolo.decode import decode
from coursekit.yolo.samples import open_data, without_crowds

RESULTS, KEPT = Path(__file__).parent / "results" / "ablations.json", Path("build/ablations.jsonl")
NAMES, SIZE = ("stop", "priority_road", "no_entry", "keep_right"), 128  # notebook 19's world


def task_on_one_map(scores, boxes, centres, truth_boxes, truth_labels, strides, reach=4.0) -> Assignment:
    """Task alignment, but each object asks only the cells of the map that suits its size. Maps share no cells: one map after another."""
    owner, targets = torch.full((len(scores),), -1), torch.zeros_like(scores)
    suits = suiting_stride(truth_boxes, strides, reach)
    for stride in strides.unique():
        cell, mine = strides == stride, (suits == stride).nonzero()[:, 0]
        if len(mine):
            plan = assign(scores[cell], boxes[cell], centres[cell], truth_boxes[mine], truth_labels[mine])
            owner[cell] = torch.where(plan.owner >= 0, mine[plan.owner], -1)
            targets[cell] = plan.targets
    return Assignment(owner, targets)


VARIANTS = {  # what is changed; "no average" and "slow average" need no training of their own: "all of it" is measured with other weights
    "all of it": {},
    "no mosaic": {"mosaic": False},
    "small start": {"start": -2.0},  # boxes begin a quarter of a stride wide instead of 7 strides
    "by centre": {"assign": assign_by_centre},
    # which map answers?
    "by centre, 4 strides": {"assign": partial(assign_by_centre, reach=4.0)},
    "task on one map": {"assign": partial(task_on_one_map, reach=8.0)},
    "task on one map, 4 strides": {"assign": task_on_one_map},
    "start 4 strides wide": {"start": 1.85},  # softplus(1.85) = 2.0: 32, 64 and 128 pixels
    "fine map starts small": {"start": (-2.0, 1.0, 0.0)},  # 2, 42 and 44 pixels: if the start decides, a coarse map answers now
}


@dataclass
class World:
    """A training that is about to start, and what to measure it on."""

    state: State
    batches: Batches
    augment: Callable[[bool], Augment]  # with mosaic or without
    validation: object
    compute: Compute
    epochs: int
    warmup: int
    slow: EMA  # a second average, which remembers 1,000 steps from early on: measured beside the first


def notebook_world(seed: int, epochs: int, arguments) -> World:
    """As `train_detector` of notebook 19 has it."""
    scenes = {"size": SIZE, "difficulty": "easy", "classes": NAMES}
    batches = Batches(CachedDataset(SignScenes(320, seed=0, **scenes), (SIZE, SIZE)), batch=8, seed=seed)
    torch.manual_seed(seed)
    model = YOLO(len(NAMES)).to(memory_format=torch.channels_last)
    model.classes, model.imgsz = NAMES, SIZE
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, betas=(0.9, 0.99), weight_decay=0.05)
    state = State(model, EMA(model, decay=arguments.decay, tau=60.0), optimizer)
    validation = CachedDataset(SignScenes(200, seed=1, **scenes), (SIZE, SIZE))
    compute = Compute("cpu", "float32", arguments.threads)
    slow, warmup = EMA(model, tau=60.0), epochs * len(batches) // 10
    return World(state, batches, lambda mosaic: Augment(mosaic=0.5 * mosaic, horizontal=0.0), validation, compute, epochs, warmup, slow)


def bccd_world(seed: int, epochs: int, arguments) -> World:
    """As `coursekit train --model s` has it: trainval to train on, test to measure on."""
    settings = TrainSettings(arguments.data, split="trainval", model="s", epochs=epochs, seed=seed, ema_decay=arguments.decay)
    prepared = prepare(settings, compute=Compute("cpu", arguments.precision, arguments.threads))
    total = epochs * len(prepared.batches)
    warmup = int(min(max(50, settings.warmup * total), total / 10))
    validation = open_data(arguments.data, "test")
    slow = EMA(prepared.state.model, tau=60.0)
    return World(prepared.state, prepared.batches, settings.augment, validation, prepared.compute, epochs, warmup, slow)


def change_start(models: list[YOLO], start: float | tuple[float, ...]) -> None:
    """Boxes that begin 2 * softplus(start) strides wide, one number for all maps or one for each."""
    for model in models:
        for level, branch in enumerate(model.head.boxes):
            nn.init.constant_(branch[-1].bias, start[level] if isinstance(start, tuple) else start)


def train(world: World, mosaic: bool = True, start: float | tuple[float, ...] | None = None, assign: Callable | None = None) -> None:
    """From the first epoch to the last, with one thing changed or none."""
    torch.set_num_threads(world.compute.threads)
    if start is not None:
        change_start([world.state.model, world.state.ema.model, world.slow.model], start)
    total = world.epochs * len(world.batches)
    for epoch in range(world.epochs):
        world.batches.augment = world.augment(mosaic and epoch < 0.85 * world.epochs)
        batches = ((images, without_crowds(targets)) for images, targets in world.batches.epoch(epoch))
        train_epoch(
            world.state,
            batches,
            partial(detection_loss, assign=assign),
            lambda step: 2e-3 * warmup_cosine(step, total, world.warmup),
            world.compute,
            10.0,
            lambda: world.slow.update(world.state.model, world.state.step),  # called after each step
        )


@torch.no_grad()
def who_answers(model: YOLO, samples, size_hw: tuple[int, int], edges=(32, 64)) -> dict[str, list[int]]:
    """For small, middling and large objects: how many are answered by strides 8, 16, 32, and by none.

    The answer is the surest cell, of those whose box has IoU >= 0.5 with the object, if it is at least 0.05 sure. Sizes are of the longer
    side, in pixels of the network's input.
    """
    counts = {"small": [0] * 4, "middling": [0] * 4, "large": [0] * 4}
    for image, target in CachedDataset(samples, size_hw):
        raw = model(image[None])
        boxes, scores = decode(raw)
        framed = box_iou(target["boxes"], boxes[0]) >= 0.5  # (M, A)
        best, cell = (scores[0][:, target["labels"]].T * framed).max(dim=1)
        longer = (target["boxes"][:, 2:] - target["boxes"][:, :2]).amax(dim=1)
        for side, sure, stride in zip(longer.tolist(), best.tolist(), raw.strides[cell].tolist(), strict=True):
            size = "small" if side <= edges[0] else "middling" if side <= edges[1] else "large"
            counts[size][{8: 0, 16: 1, 32: 2}[int(stride)] if sure >= 0.05 else 3] += 1
    return counts


def measure(model: YOLO, world: World) -> dict:
    """AP in all, by size and by class, and which map answers."""
    model.eval()
    found = validate(model, world.validation)
    numbers = {name: round(found.summary[name], 4) for name in ("AP", "AP50", "AP75", "APs", "APm", "APl")}
    precision = found.result.precision[:, :, :, 0, -1]  # (10, 101, K)
    classes = {name: round(float(precision[:, :, k].mean()), 4) for k, name in enumerate(model.classes)}
    return numbers | {"classes": classes, "answers": who_answers(model, world.validation, world.batches.dataset.size_hw)}


def one_run(variant: str, seed: int, arguments) -> list[dict]:
    """The rows of one training."""
    world = {"scenes": notebook_world, "bccd": bccd_world}[arguments.on](seed, arguments.epochs, arguments)
    train(world, **VARIANTS[variant])
    key = {"on": arguments.on, "epochs": arguments.epochs, "decay": arguments.decay, "seed": seed}
    rows = [key | {"variant": variant} | measure(world.state.ema.model, world)]
    if variant == "all of it":
        rows.append(key | {"variant": "no average"} | measure(world.state.model, world))
        rows.append(key | {"variant": "slow average"} | measure(world.slow.model, world))
    return rows


def kept() -> list[dict]:
    return [json.loads(line) for line in KEPT.read_text().splitlines()] if KEPT.exists() else []


def table(rows: list[dict]) -> str:
    """Mean and standard deviation over the seeds, one line for each variant."""
    lines = []
    for variant in dict.fromkeys(row["variant"] for row in rows):
        mine = [row for row in rows if row["variant"] == variant]
        cells = []
        for name in ("AP", "AP50", "APs", "APm", "APl"):
            values = [row[name] for row in mine]
            cells.append(f"{name} {mean(values):.3f}" + (f" ± {stdev(values):.3f}" if len(values) > 1 else ""))
        lines.append(f"{variant:22} {len(mine)} seeds  " + "  ".join(cells))
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--on", choices=("scenes", "bccd"), default="scenes")
    parser.add_argument("--data", default="../shared/data/bccd")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=["all of it", "no mosaic", "small start", "by centre"])
    parser.add_argument("--decay", type=float, help="of the average; by default 0.98 for the small world, 0.999 for blood cells")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument(
        "--precision", choices=("float32", "bfloat16"), default="float32", help="of blood cells; the small world is float32"
    )
    arguments = parser.parse_args()
    arguments.decay = arguments.decay or {"scenes": 0.98, "bccd": 0.999}[arguments.on]
    asked = {"on": arguments.on, "epochs": arguments.epochs, "decay": arguments.decay}
    for seed in arguments.seeds:
        for variant in arguments.variants:
            if any((asked | {"seed": seed, "variant": variant}).items() <= row.items() for row in kept()):
                continue
            rows = one_run(variant, seed, arguments)
            KEPT.parent.mkdir(exist_ok=True)
            with KEPT.open("a") as file:
                file.write("".join(json.dumps(row) + "\n" for row in rows))
            print(f"{variant}, seed {seed}: AP {rows[0]['AP']:.3f}, answers {rows[0]['answers']}", flush=True)
    print(table([row for row in kept() if asked.items() <= row.items()]))
    write_json(RESULTS, {"rows": kept(), "torch": torch.__version__})


if __name__ == "__main__":
    main()
