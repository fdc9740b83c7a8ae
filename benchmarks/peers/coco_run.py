"""One COCO evaluation in a process of its own: load the two files, evaluate, write what it took and what came out.

    python coco_run.py pycocotools truth.json detections.json --out result.json [--cells cells.npz]

Used as its documentation shows. `evaluate` is evaluate, accumulate and summarize; torchmetrics' `update` belongs to loading. Memory is the
kernel's high-water mark of this process (VmHWM), so it holds the interpreter and the imports as well.
"""

import argparse
import json
import resource
import sys
import time
from importlib.metadata import version
from pathlib import Path


def coursekit(truth: Path, found: Path):
    from coursekit.metrics.coco_files import read_coco
    from coursekit.metrics.detection import evaluate_inputs

    inputs = read_coco(truth, found)
    yield
    result = evaluate_inputs(inputs)
    yield list(result.summary.values()), {"precision": result.precision, "recall": result.recall, "scores": result.scores}


def pycocotools(truth: Path, found: Path):
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    ground_truth = COCO(str(truth))
    yield from _as_pycocotools(COCOeval, ground_truth, ground_truth.loadRes(str(found)))


def faster_coco_eval(truth: Path, found: Path):
    from faster_coco_eval import COCO, COCOeval_faster

    ground_truth = COCO(str(truth))
    yield from _as_pycocotools(COCOeval_faster, ground_truth, ground_truth.loadRes(str(found)))


def hotcoco(truth: Path, found: Path):
    from hotcoco import COCO, COCOeval

    ground_truth = COCO(str(truth))
    yield from _as_pycocotools(COCOeval, ground_truth, ground_truth.load_res(str(found)))


def _as_pycocotools(kind, ground_truth, found):
    yield
    evaluator = kind(ground_truth, found, "bbox")
    evaluator.evaluate()
    evaluator.accumulate()
    evaluator.summarize()
    yield list(evaluator.stats)[:12], {name: evaluator.eval[name] for name in ("precision", "recall", "scores")}


def torchmetrics(truth: Path, found: Path, backend: str = "pycocotools"):
    import torch
    from torchmetrics.detection import MeanAveragePrecision

    ground_truth, detections = (json.loads(path.read_text(encoding="utf-8")) for path in (truth, found))
    target, prediction = ({image["id"]: [] for image in sorted(ground_truth["images"], key=lambda i: i["id"])} for _ in range(2))
    for row in ground_truth["annotations"]:
        target[row["image_id"]].append(row)
    for row in detections:
        prediction[row["image_id"]].append(row)

    def tensors(rows, **fields):
        boxes = torch.tensor([row["bbox"] for row in rows]).reshape(-1, 4)
        return {"boxes": boxes, **{name: torch.tensor([row[field] for row in rows]) for name, field in fields.items()}}

    metric = MeanAveragePrecision(box_format="xywh", backend=backend)
    said = [tensors(rows, labels="category_id", scores="score") for rows in prediction.values()]
    metric.update(said, [tensors(rows, labels="category_id", area="area", iscrowd="iscrowd") for rows in target.values()])
    yield
    result = metric.compute()
    names = ["", "_50", "_75", "_small", "_medium", "_large"], ["_1", "_10", "_100", "_small", "_medium", "_large"]
    yield [float(result[f"map{name}"]) for name in names[0]] + [float(result[f"mar{name}"]) for name in names[1]], {}


EVALUATORS = {
    "coursekit": (coursekit, ["coursekit", "numpy"]),
    "pycocotools": (pycocotools, ["pycocotools", "numpy"]),
    "faster-coco-eval": (faster_coco_eval, ["faster-coco-eval", "numpy"]),
    "hotcoco": (hotcoco, ["hotcoco", "numpy"]),
    "torchmetrics, pycocotools": (torchmetrics, ["torchmetrics", "pycocotools", "torch"]),
    "torchmetrics, faster-coco-eval": (
        lambda truth, found: torchmetrics(truth, found, "faster_coco_eval"),
        ["torchmetrics", "faster-coco-eval", "torch"],
    ),
}


def peak_megabytes() -> float:
    """Largest memory so far. On Linux not getrusage's, which starts with that of the process that started this one."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024
    except (OSError, StopIteration):
        largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return largest / 1024 / (1024 if sys.platform == "darwin" else 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=EVALUATORS)
    parser.add_argument("truth", type=Path)
    parser.add_argument("found", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--cells", type=Path)
    arguments = parser.parse_args()
    run, packages = EVALUATORS[arguments.name]
    steps = run(arguments.truth, arguments.found)
    wall, cpu = time.perf_counter(), time.process_time()
    next(steps)
    result = {"load": time.perf_counter() - wall, "load_cpu": time.process_time() - cpu, "loaded_mb": peak_megabytes()}
    wall, cpu = time.perf_counter(), time.process_time()
    numbers, cells = next(steps)
    result |= {"seconds": time.perf_counter() - wall, "cpu": time.process_time() - cpu, "peak_mb": peak_megabytes(), "numbers": numbers}
    arguments.out.write_text(json.dumps(result | {"versions": {name: version(name) for name in packages}}))
    if arguments.cells and cells:
        import numpy as np

        np.savez(arguments.cells, **{name: np.asarray(values, dtype=np.float64) for name, values in cells.items()})


if __name__ == "__main__":
    main()
