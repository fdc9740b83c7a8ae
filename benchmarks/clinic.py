"""What is measured of notebook 21's twelve patients beforehand: every number of the panel, and trainings over three seeds.

    python benchmarks/clinic.py              # both parts, about 15 minutes on one core
    python benchmarks/clinic.py --part beds  # only what needs no training

Writes benchmarks/results/clinic.json, and data/clinic.json, which the notebook reads. A finished training is kept at once, in
build/clinic.jsonl: stop this program when you like and start it again, it goes on with what is missing.
"""

import argparse
import json
from pathlib import Path

import torch
from common import machine, write_results

from coursekit.clinic import steps, training
from coursekit.clinic.chart import chart
from coursekit.clinic.patients import PATIENTS
from coursekit.clinic.ward import Clinic
from coursekit.data.loader import CachedDataset
from coursekit.data.signs import SignScenes
from coursekit.files import write_json
from coursekit.training.detector import NAMES, SIZE, fit_detector, small_world
from coursekit.yolo.predict import load_shipped

KEPT, PACKED = Path("build/clinic.jsonl"), Path(__file__).parent.parent / "data" / "clinic.json"
SCENES, SEED = 96, 210


def beds() -> dict:
    """The charts of the beds whose weights are the shipped ones, as they came and healthy."""
    clinic, table = Clinic(load_shipped(), SignScenes(SCENES, seed=SEED)), {}
    for who in PATIENTS:
        if not who.trained:
            table[str(who.number)] = {"sick": clinic.chart(who.number).to_dict(), "healthy": clinic.healthy(who.number).to_dict()}
    return table


def by_heart(number: int, step, seed: int) -> tuple:
    """Beds 9 and 10: learn eight pictures by heart."""
    images, targets = first_batch(seed)
    changed = {"loss_of": training.loss_with(step)} if number == 9 else {"training_step": step}
    model, losses = training.overfit(images, targets, seed=seed, **changed)
    return chart(training.find(model, images), targets, NAMES), losses


def first_batch(seed: int, count: int = 8) -> tuple:
    """Eight pictures of the small world, other ones for each seed."""
    samples = [small_world("train", count * (seed + 1))[count * seed + index] for index in range(count)]
    return torch.stack([image for image, _ in samples]), [target for _, target in samples]


def on_the_world(number: int, step, seed: int, epochs: int) -> tuple:
    """Beds 8 and 11: a training on the small world."""
    scenes = small_world("train", 320)
    samples = CachedDataset(scenes, (SIZE, SIZE)) if number == 8 else training.Nudged(scenes, step, seed=seed)
    loss_of = training.mirroring(step, seed) if number == 8 else training.engine_loss
    fitted = fit_detector(training.new_model(seed), samples, loss_of, epochs, mosaic=0.0, seed=seed)
    validation = small_world("validation", 100)
    found = [training.find(fitted.model, validation[index][0][None])[0] for index in range(len(validation))]
    return chart(found, [validation[index][1] for index in range(len(validation))], NAMES), [row["loss"] for row in fitted.history]


def one(number: int, kind: str, seed: int, epochs: int) -> dict:
    """One training, measured."""
    who = PATIENTS[number - 1]
    step = who.broken if kind == "sick" else getattr(steps, who.step)
    measured, losses = by_heart(number, step, seed) if number in (9, 10) else on_the_world(number, step, seed, epochs)
    return {
        "number": number,
        "kind": kind,
        "seed": seed,
        "epochs": epochs,
        "chart": measured.to_dict(),
        "losses": [round(value, 4) for value in losses],
    }


def kept() -> list[dict]:
    return [json.loads(line, parse_constant=lambda _: None) for line in KEPT.read_text().splitlines()] if KEPT.exists() else []


def trainings(seeds: list[int], epochs: int) -> list[dict]:
    """All trainings; those that are kept are not done again."""
    for seed in seeds:
        for number in (9, 10, 8, 11):
            for kind in ("healthy", "sick"):
                asked = {"number": number, "kind": kind, "seed": seed, "epochs": epochs}
                if any(asked.items() <= row.items() for row in kept()):
                    continue
                row = one(number, kind, seed, epochs)
                KEPT.parent.mkdir(exist_ok=True)
                with KEPT.open("a") as file:
                    file.write(json.dumps(row) + "\n")
                numbers = row["chart"]["numbers"]
                print(f"bed {number:2} {kind:8} seed {seed}: AP {numbers['AP']:.3f}, AP50 {numbers['AP50']:.3f}", flush=True)
    return [row for row in kept() if row["epochs"] == epochs and row["seed"] in seeds]


def packed(table: dict, rows: list[dict], epochs: int) -> dict:
    """What the notebook reads: a chart for each bed, and of the trained ones AP and losses of every seed."""
    beds_, trained = dict(table), {}
    for number in sorted({row["number"] for row in rows}):
        mine = {
            kind: sorted((r for r in rows if (r["number"], r["kind"]) == (number, kind)), key=lambda r: r["seed"])
            for kind in ("healthy", "sick")
        }
        beds_[str(number)] = {kind: of_it[0]["chart"] for kind, of_it in mine.items()}
        trained[str(number)] = {
            kind: {
                "AP": [r["chart"]["numbers"]["AP"] for r in of_it],
                "AP50": [r["chart"]["numbers"]["AP50"] for r in of_it],
                "losses": [r["losses"] for r in of_it],
            }
            for kind, of_it in mine.items()
        }
    return {
        "scenes": SCENES,
        "seed": SEED,
        "epochs": epochs,
        "beds": dict(sorted(beds_.items(), key=lambda i: int(i[0]))),
        "trained": trained,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--part", choices=("beds", "trainings", "both"), default="both")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if arguments.part == "trainings":
        trainings(arguments.seeds, arguments.epochs)
        return
    table = beds()
    for number, charts in table.items():
        print(f"bed {number:>2}: AP {charts['sick']['numbers']['AP']:.3f}, healthy {charts['healthy']['numbers']['AP']:.3f}", flush=True)
    if arguments.part == "both":
        content = packed(table, trainings(arguments.seeds, arguments.epochs), arguments.epochs)
        write_results("clinic", content | {"machine": machine()})
        write_json(PACKED, content)


if __name__ == "__main__":
    main()
