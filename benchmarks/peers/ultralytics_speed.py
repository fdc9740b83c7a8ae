"""Milliseconds of an ultralytics model: a training step (its own loss, AdamW) and a picture at batch 1. Runs in an environment of its own.

    python ultralytics_speed.py --model yolov8n --batch 16 --height 256 --width 320 --threads 2

Prints one line of JSON. Training is in float32, as ultralytics trains on a CPU; on a GPU also in float16 by autocast, as it does there.
For the picture its layers are fused, as its `predict` does.
"""

import argparse
import json
import os
import time
from statistics import median

os.environ["YOLO_OFFLINE"] = "true"

import torch
from ultralytics import YOLO
from ultralytics.utils import DEFAULT_CFG


def timed(call, rounds: int, warmup: int = 5) -> float:
    """Median seconds; a GPU is waited for."""
    seconds = []
    for number in range(warmup + rounds):
        begin = time.perf_counter()
        call()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        if number >= warmup:
            seconds.append(time.perf_counter() - begin)
    return median(seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="yolov8n")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--objects", type=int, default=13, help="in a picture")
    parser.add_argument("--height", type=int, default=256)
    parser.add_argument("--width", type=int, default=320)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--rounds", type=int, default=10)
    args = parser.parse_args()
    model = YOLO(f"{args.model}.yaml").model.to(args.device).train()
    torch.set_num_threads(args.threads)
    model.args = DEFAULT_CFG
    for parameter in model.parameters():
        parameter.requires_grad_(True)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)
    scaler, number = torch.amp.GradScaler(enabled=args.device != "cpu"), args.batch * args.objects
    batch = {
        "img": torch.rand(args.batch, 3, args.height, args.width),
        "batch_idx": torch.arange(args.batch).repeat_interleave(args.objects).float(),
        "cls": torch.randint(0, 3, (number, 1)).float(),
        "bboxes": torch.rand(number, 4) * torch.tensor([0.6, 0.6, 0.1, 0.1]) + torch.tensor([0.2, 0.2, 0.1, 0.1]),
    }
    batch = {name: value.to(args.device) for name, value in batch.items()}

    def step(half: bool = False):
        with torch.autocast(args.device.partition(":")[0], torch.float16, enabled=half):
            loss, _ = model(batch)
        scaler.scale(loss.sum()).backward()
        scaler.unscale_(optimizer)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 10.0)
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()

    result = {"model": args.model, "train float32": timed(step, args.rounds)}
    if args.device != "cpu":
        result["train float16"] = timed(lambda: step(half=True), args.rounds)
    model.eval().fuse(verbose=False)
    picture = batch["img"][:1]
    with torch.inference_mode():
        result["picture float32"] = timed(lambda: model(picture), 5 * args.rounds)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
