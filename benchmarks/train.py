"""Detectors from random weights within 1, 2, 5 and 10 minutes of wall clock: ours beside ultralytics' YOLOv8n and YOLO11n.

    python benchmarks/train.py bccd --data ../shared/data/bccd
    python benchmarks/train.py signs

Everybody gets the same pictures, the same longer side and the same evaluator (pycocotools); each limit is a run of its own with a schedule
made for it (ours `--minutes`, theirs `time=`), and each side keeps its own default recipe. Theirs gets all cores, which it does not
take by itself, and its pictures in memory. Leave the machine alone meanwhile: two threads on busy cores are several times slower.

Each run's detections are kept under --work, so the benchmark can be stopped and goes on, and prints its table again in seconds. A row that
stands in benchmarks/results/ already is taken from there: delete the file to measure everything again, on another machine for instance.
With --same-epochs the seeds after the first get the number of epochs that the first one's minutes came to: their AP is of the same
length of run, whatever else the machine does, and only the first one's seconds mean anything.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from itertools import product
from pathlib import Path
from statistics import mean, stdev

from common import HERE, machine, ultralytics

from coursekit.files import write_text

OURS = "coursekit s"
CELLS = "coursekit s, 416"  # blood cells have no up and down and are small: nearer to their own 640 pixels, and mirrored both ways
CPU_THREADS = os.cpu_count()
IMGSZ = {"bccd": 320, "signs": 256}
OPTIONS = {  # of `coursekit train`, for each data set; nothing else is set
    "bccd": {OURS: [], CELLS: ["--imgsz", "416", "--flipud", "0.5"]},
    "signs": {OURS: ["--fliplr", "0"]},  # a mirrored sign is another sign; ultralytics gets fliplr=0, too
}
ONLY = {CELLS: 10}  # minutes


def export(name: str, source: str, folder: Path) -> dict:
    """The data set on disk as YOLO txt for both, its test split as COCO JSON for the evaluator, and what is in it."""
    import yaml

    from coursekit.data.formats import read_dataset
    from coursekit.data.signs import write_signs
    from coursekit.data.write import write_coco, write_yolo

    if not (folder / "ids.json").is_file():
        if name == "signs":
            for seed, (split, length) in enumerate({"train": 2000, "test": 500}.items()):
                write_signs(folder / "yolo", length, seed=300 + seed, format="yolo", split=split)
        else:
            for split, target in (("trainval", "train"), ("test", "test")):
                write_yolo(read_dataset(source, split), folder / "yolo", target)
        config = yaml.safe_load((folder / "yolo" / "data.yaml").read_text())
        # ultralytics wants a val split and measures on it once at the end, outside its time; nothing is chosen by it
        absolute = {"path": str((folder / "yolo").resolve()), "val": config["test"]}
        (folder / "ultralytics.yaml").write_text(yaml.safe_dump(config | absolute))
        write_coco(read_dataset(folder / "yolo", "test"), folder / "coco", "test")
        truth = json.loads((folder / "coco/annotations/instances_test.json").read_text())
        (folder / "ids.json").write_text(json.dumps({image["file_name"]: image["id"] for image in truth["images"]}))
    return json.loads((folder / "coco/annotations/instances_test.json").read_text())


def ours(folder: Path, out: Path, options: list) -> dict:
    """`coursekit train` as a user starts it, then its detections on the test split."""
    from coursekit.data.folder import FolderDataset
    from coursekit.data.formats import read_dataset
    from coursekit.training.run import Run
    from coursekit.yolo import load, validate

    project, name = folder / "ours", out.stem
    command = [sys.executable, "-m", "coursekit.cli", "train", "--data", folder / "yolo", "--split", "train", "--val-split", "none"]
    command += ["--model", "s", "--project", project, "--name", name, *options]
    shutil.rmtree(project / name, ignore_errors=True)  # of a call that was stopped: ours would be written beside it, and that one scored
    begin, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([str(part) for part in command], check=True)
    seconds, after = time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_CHILDREN)
    run = Run(project / name)
    saved = run.load()
    model = load(run.last)
    validation = validate(model, FolderDataset(read_dataset(folder / "yolo", "test")))
    ids = list(json.loads((folder / "ids.json").read_text()).values())
    rows = []
    for image_id, found in zip(ids, validation.found, strict=True):
        for (x1, y1, x2, y2), score, label in zip(found.boxes.tolist(), found.scores.tolist(), found.labels.tolist(), strict=True):
            rows.append({"image_id": image_id, "category_id": label + 1, "bbox": [x1, y1, x2 - x1, y2 - y1], "score": score})
    return {
        "seconds": round(seconds, 1),  # the whole process: interpreter, imports, timing, pictures
        "cpu_seconds": round(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 1),
        "epochs": saved["settings"]["epochs"],
        "batch": saved["settings"]["batch"],
        "threads": saved["compute"]["threads"],
        "precision": saved["compute"]["precision"],
        "parameters": sum(p.numel() for p in model.parameters()),
        "detections": rows,
    }


def theirs(python: Path, folder: Path, out: Path, imgsz: int, minutes: float, model: str, data: str, device: str) -> None:
    command = [python, HERE / "peers" / "ultralytics_run.py", "--data", folder / "ultralytics.yaml", "--test", folder / "yolo/images/test"]
    command += ["--ids", folder / "ids.json", "--model", model, "--minutes", minutes, "--imgsz", imgsz, "--threads", CPU_THREADS]
    command += ["--device", device]
    command += ["--runs", folder / "theirs", "--out", out, *(["--fliplr", "0"] if data == "signs" else [])]
    subprocess.run([str(part) for part in command], check=True, stdout=subprocess.DEVNULL)


def score(truth: dict, detections: list[dict]) -> dict[str, float]:
    """AP and AP50 of pycocotools, and where 95 % of them lie when the test pictures are drawn again (`coursekit.metrics.bootstrap`)."""
    import contextlib
    import io

    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    from coursekit.metrics.bootstrap import bootstrap
    from coursekit.metrics.detection import coco_evaluate

    with contextlib.redirect_stdout(io.StringIO()):
        reference = COCO()
        reference.dataset = truth
        reference.createIndex()
        evaluation = COCOeval(reference, reference.loadRes(detections), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    numbers = {"AP": float(evaluation.stats[0]), "AP50": float(evaluation.stats[1])}
    result = coco_evaluate(truth, detections)
    assert result.summary["AP"] == numbers["AP"], "our evaluator and pycocotools must agree to the last bit"
    intervals = bootstrap(result)
    return numbers | {f"{name} interval": [round(intervals[name].low, 4), round(intervals[name].high, 4)] for name in ("AP", "AP50")}


def row(kind: str, minutes: float, seed: int, truth: dict, result: dict) -> dict:
    facts = {key: value for key, value in result.items() if key not in ("detections", "model", "minutes")}
    return {"who": kind, "minutes": minutes, "seed": seed, **score(truth, result["detections"]), **facts}


def show(rows: list[dict]) -> None:
    """Mean over seeds with its spread; epochs, seconds and intervals (over test pictures) are the first seed's."""
    print(f"\n{'':14}{'minutes':>8}{'seeds':>7}{'AP':>8}{'':7}{'AP50':>8}{'':7}{'epochs':>8}{'seconds':>9}   95 % of AP, of AP50")
    for minutes, who in sorted({(row["minutes"], row["who"]) for row in rows}):
        mine = [row for row in rows if (row["who"], row["minutes"]) == (who, minutes)]
        first, cells = mine[0], ""
        for name in ("AP", "AP50"):
            values = [row[name] for row in mine]
            cells += f"{mean(values):>8.3f}" + (f" ±{stdev(values):.3f}" if len(values) > 1 else " " * 7)
        intervals = ", ".join(f"{low:.3f} to {high:.3f}" for low, high in (first["AP interval"], first["AP50 interval"]))
        print(f"{who:14}{minutes:>8g}{len(mine):>7}{cells}{first['epochs']:>8}{first['seconds']:>9.0f}   {intervals}")


Key = tuple[str, float, int]  # who, minutes, seed


def known(path: Path) -> dict[Key, dict]:
    """The rows that were written down before."""
    rows = json.loads(path.read_text())["rows"] if path.is_file() else []
    return {(row["who"], row["minutes"], row["seed"]): row for row in rows}


def measure(key: Key, arguments, folder: Path, truth: dict, epochs: int | None) -> dict:
    """One training and its row; ``epochs`` takes the place of its minutes."""
    who, minutes, seed = key
    out, imgsz = folder / "results" / f"{who.replace(', ', '-').replace(' ', '-')}-{minutes:g}-{seed}.json", IMGSZ[arguments.name]
    if not out.is_file() and who in OPTIONS[arguments.name]:
        length = ["--epochs", epochs] if epochs else ["--minutes", minutes]
        options = ["--seed", seed, "--imgsz", imgsz, "--device", arguments.device, *OPTIONS[arguments.name][who]]
        result = ours(folder, out, [*length, *options])
        out.write_text(json.dumps(result))
    elif not out.is_file():
        python = arguments.python or ultralytics(arguments.envs)
        theirs(python, folder, out, imgsz, minutes, who, arguments.name, arguments.device)
    return row(who, minutes, seed, truth, json.loads(out.read_text()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=list(IMGSZ))
    parser.add_argument("--data", default="../shared/data/bccd", help="folder of BCCD")
    parser.add_argument("--minutes", type=float, nargs="+", default=[1, 2, 5, 10])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--same-epochs", action="store_true", help="seeds after the first train as many epochs as it did")
    parser.add_argument("--ours", nargs="*", choices=[OURS, CELLS], default=[OURS, CELLS], help="none: only the peers")
    parser.add_argument("--peers", nargs="*", default=["yolov8n", "yolo11n"], help="none: only ours")
    parser.add_argument("--peers-from", type=float, default=2.0, help="minutes; with less on a CPU they find nothing yet")
    parser.add_argument("--work", type=Path, default=Path("build/bench-train"))
    parser.add_argument("--envs", type=Path, default=Path("build/bench-envs"))
    parser.add_argument("--python", type=Path, help="that has ultralytics; by default an environment is made")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--out", type=Path, help="by default train_NAME.json in benchmarks/results, with the device's name if it is no CPU")
    arguments = parser.parse_args()
    folder = arguments.work / arguments.name
    (folder / "results").mkdir(parents=True, exist_ok=True)
    suffix = "" if arguments.device == "cpu" else f"_{arguments.device}"
    place = arguments.out or HERE / "results" / f"train_{arguments.name}{suffix}.json"
    truth, rows = export(arguments.name, arguments.data, folder), known(place)
    for minutes in sorted(arguments.minutes, reverse=True):
        mine = [kind for kind in OPTIONS[arguments.name] if kind in arguments.ours and ONLY.get(kind, minutes) == minutes]
        peers = arguments.peers if minutes >= arguments.peers_from else []
        wanted = [*product(mine, [minutes], arguments.seeds), *product(peers, [minutes], [0])]
        for key in wanted:
            if key not in rows:
                first = rows.get((key[0], minutes, arguments.seeds[0])) if arguments.same_epochs else None
                rows[key] = measure(key, arguments, folder, truth, first and first["epochs"])
                ordered = sorted(rows.values(), key=lambda row: (-row["minutes"], row["who"], row["seed"]))
                facts = {"imgsz": IMGSZ[arguments.name], "machine": machine() | {"load": os.getloadavg()}}
                write_text(place, json.dumps({"rows": ordered, **facts}, indent=1) + "\n")
        show(list(rows.values()))


if __name__ == "__main__":
    main()
