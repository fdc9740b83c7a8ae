"""Makes the small detector that the course ships: ``data/signs_n.safetensors`` and its card. Used by notebooks 00_welcome and 19_yolo.

    python -m coursekit.yolo.pretrained            # trains (about ten minutes on two cores), writes weights and card into data/
    python -m coursekit.yolo.pretrained --measure  # measures the shipped weights again and rewrites the card: after the drawing has changed

The scenes it learns from have seed 100 and those it is measured on seed 101, so that no notebook's scenes are among them.
"""

import argparse
import json
from pathlib import Path

from ..data.signs import SignScenes
from ..files import write_atomically
from ..resources import PACKAGE
from ..training.run import Run
from .model import YOLO
from .predict import describe, load, load_shipped
from .settings import TrainSettings
from .train import new_run, prepare, train
from .val import validate

DATA = PACKAGE.parent / "data"
SCENES, TRAIN_SEED, HELD_OUT, HELD_OUT_SEED = 4000, 100, 500, 101

# batch 16 since scenes hold few signs; no flips: a keep-right sign in the mirror says keep left
RECIPE = {"fliplr": 0.0, "scale_min": 0.7, "scale_max": 1.4, "translate": 0.2, "min_visible": 0.2, "hue": 0.01}
SETTINGS = TrainSettings("signs", model="n", imgsz=256, epochs=16, batch=16, val_split="none", project="runs/shipped", **RECIPE)


def export(model: YOLO, path: Path, training: dict) -> None:
    """Weights as float16 safetensors; what the model is and how it was trained stand in the file's metadata."""
    from safetensors.torch import save_file

    facts = {name: value for name, value in describe(model).items() if name != "weights"}
    weights = {name: (v.half() if v.is_floating_point() else v).contiguous() for name, v in model.state_dict().items()}
    metadata = {"model": json.dumps(facts), "training": json.dumps(training)}
    write_atomically(path, lambda temporary: save_file(weights, temporary, metadata=metadata))
    path.chmod(0o644)  # safetensors makes files that only their owner may read


def training_facts(path: Path) -> dict:
    """How the weights in ``path`` were trained."""
    from safetensors import safe_open

    with safe_open(path, framework="numpy") as file:
        return json.loads(file.metadata()["training"])


def measure(model: YOLO) -> tuple[dict[str, float], list[dict]]:
    """The twelve COCO numbers on held-out scenes, and the same for each class."""
    validation = validate(model, SignScenes(HELD_OUT, seed=HELD_OUT_SEED))
    return validation.summary, validation.result.per_class


def card(facts: dict, summary: dict, per_class: list[dict]) -> str:
    """The text beside the weights, Markdown."""
    settings = "\n".join(f"| {name} | {value} |" for name, value in facts.items())
    classes = "\n".join(f"| {row['name']} | {row['truths']} | {row['AP']:.3f} | {row['AP50']:.3f} |" for row in per_class)
    numbers = " · ".join(f"{name} {summary[name]:.3f}" for name in ("AP", "AP50", "AP75", "APs", "APm", "APl", "AR100"))
    return f"""# signs_n: a small detector of traffic signs

Size n (0.9 million parameters), float16, trained from random weights on scenes that `coursekit.data.signs` draws. It knows drawn
signs over photographs and textures; it was not made for real roads.
Made by `python -m coursekit.yolo.pretrained`. Licence: MIT, as the code.

On {HELD_OUT} held-out scenes (`SignScenes({HELD_OUT}, seed={HELD_OUT_SEED})`, medium difficulty): **{numbers}**.

| class | signs | AP | AP50 |
|---|---|---|---|
{classes}

| setting | value |
|---|---|
{settings}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--measure", action="store_true", help="only measure the shipped weights again")
    parser.add_argument("--run", type=Path, help="take the weights of this finished run instead of training")
    arguments = parser.parse_args()
    weights = DATA / "signs_n.safetensors"
    if not arguments.measure:
        if arguments.run is None:
            prepared = prepare(SETTINGS, SignScenes(SCENES, seed=TRAIN_SEED))
            run = new_run(prepared)
            train(prepared, run, told=lambda row: print(row, flush=True))
        else:
            run = Run(arguments.run)
        saved = run.load()
        rows = saved["state"]["rows"]
        facts = {"scenes": SCENES, "seed of the scenes": TRAIN_SEED, **saved["settings"], **saved["compute"]}
        facts |= {"epochs done": len(rows), "seconds": round(sum(row["time"] for row in rows))}
        for name in ("data", "split", "val_split", "project", "name", "val_every", "weights"):
            facts.pop(name)  # of no use to a reader of the card
        export(load(run.last), weights, facts)
    summary, per_class = measure(load_shipped())
    (DATA / "signs_n.md").write_text(card(training_facts(weights), summary, per_class), encoding="utf-8")
    print({name: round(value, 4) for name, value in summary.items()})


if __name__ == "__main__":
    main()
