"""One training of an ultralytics model from random weights, and its detections on another split. Runs in an environment of its own.

    python ultralytics_run.py --data DIR/data.yaml --test DIR/images/test --ids ids.json --model yolov8n --minutes 10 --out result.json

It is used as its users would: `YOLO("yolov8n.yaml").train(...)` with its default recipe. What is set is what the comparison needs
(`pretrained=False`, `imgsz`, `time`, `seed`, threads) and what would only cost it time (validation and plots off, images in memory).
`time` is its own setting for a limit of wall clock: the schedule is made for it.
"""

import argparse
import json
import os
import time
from importlib.util import find_spec
from pathlib import Path

os.environ["YOLO_OFFLINE"] = "true"
os.environ["WANDB_DISABLED"] = "true"

import torch
import ultralytics
from ultralytics import YOLO


def detect(model, folder: Path, ids: dict[str, int], imgsz: int, device: str) -> list[dict]:
    """COCO results of every picture, in its own pixels: every score above 0.001, 100 boxes at most, as ours is measured."""
    rows = []
    for name, image_id in ids.items():
        [found] = model.predict(folder / name, imgsz=imgsz, conf=0.001, iou=0.6, max_det=100, verbose=False, device=device)
        for (x1, y1, x2, y2), score, label in zip(
            found.boxes.xyxy.tolist(), found.boxes.conf.tolist(), found.boxes.cls.tolist(), strict=True
        ):
            rows.append({"image_id": image_id, "category_id": int(label) + 1, "bbox": [x1, y1, x2 - x1, y2 - y1], "score": score})
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--test", type=Path, required=True)
    parser.add_argument("--ids", type=Path, required=True, help="JSON: file name -> image id of the ground truth")
    parser.add_argument("--model", default="yolov8n")
    parser.add_argument("--minutes", type=float, required=True)
    parser.add_argument("--imgsz", type=int, default=320)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--fliplr", type=float, default=0.5, help="its default")
    parser.add_argument("--runs", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    model = YOLO(f"{args.model}.yaml")
    # by itself it leaves one core free, which on two cores halves its speed: give it all of them
    model.add_callback("on_train_start", lambda trainer: torch.set_num_threads(args.threads))
    if find_spec("polars") is None:  # it only puts the table of losses into the checkpoint, and is too large to carry to a GPU
        model.add_callback("on_train_start", lambda trainer: setattr(trainer, "read_results_csv", dict))
    begin = time.perf_counter()
    model.train(
        data=str(args.data),
        time=args.minutes / 60,
        imgsz=args.imgsz,
        pretrained=False,
        seed=args.seed,
        device=args.device,
        cache="ram",
        val=False,
        plots=False,
        verbose=False,
        workers=2,
        fliplr=args.fliplr,
        project=str(args.runs),
        name=f"{args.model}-{args.minutes:g}",
        exist_ok=True,
    )
    seconds = time.perf_counter() - begin
    trainer = model.trainer
    last = YOLO(trainer.last)
    result = {
        "model": args.model,
        "minutes": args.minutes,
        "seconds": round(seconds, 1),
        "train_seconds": round(time.time() - trainer.train_time_start, 1) if hasattr(trainer, "train_time_start") else None,
        "epochs": trainer.epoch + 1,
        "batch": trainer.batch_size,
        "threads": args.threads,
        "parameters": sum(p.numel() for p in last.model.parameters()),
        "ultralytics": ultralytics.__version__,
        "torch": torch.__version__,
        "detections": detect(last, args.test, json.loads(args.ids.read_text()), args.imgsz, args.device),
    }
    args.out.write_text(json.dumps(result))
    print({name: value for name, value in result.items() if name != "detections"})


if __name__ == "__main__":
    main()
