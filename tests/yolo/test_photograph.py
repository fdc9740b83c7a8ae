"""A photograph of 12 megapixels from file to boxes by the command line, as somebody with a camera would do it."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from coursekit.boxes import box_iou
from coursekit.data.signs import SIGN_CLASSES, SignScenes
from coursekit.yolo import load_shipped
from coursekit.yolo.predict import predict

SIDE, CONFIDENCE = 250, 0.5
COMMAND = """
import resource, sys
from coursekit.cli import app
app(sys.argv[1:], standalone_mode=False)
print("peak", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


def scenes_of(width, height):
    """As many as fill a picture, and the corner where each lies."""
    columns = width // SIDE
    scenes = SignScenes(columns * (height // SIDE), seed=21, size=SIDE, difficulty="easy")
    return [(*scenes[index], torch.tensor([index % columns, index // columns]) * SIDE) for index in range(len(scenes))]


def save_photograph(path, scenes, width, height):
    canvas = np.full((height, width, 3), 114, dtype=np.uint8)
    for image, _, (x, y) in scenes:
        canvas[y : y + SIDE, x : x + SIDE] = image.permute(1, 2, 0).numpy()
    Image.fromarray(canvas).save(path, quality=92)


def look(photo, out):
    """Boxes and labels that `coursekit predict` wrote down, and the megabytes that it took at the most."""
    options = ["--weights", "signs_n", "--tile", SIDE, "--limit", 1000, "--conf", CONFIDENCE, "--out", out]
    command = [sys.executable, "-c", COMMAND, "predict", photo, *options]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr[-2000:]
    assert Image.open(out / photo.name).size == Image.open(photo).size
    (row,) = json.loads((out / "predictions.json").read_text(encoding="utf-8"))
    boxes = torch.tensor([one["box"] for one in row["detections"]])
    labels = torch.tensor([SIGN_CLASSES.index(one["label"]) for one in row["detections"]])
    return boxes, labels, int(done.stdout.rsplit("peak ", 1)[1])


def recall_and_precision(truth, found):
    (boxes, labels), (places, names) = truth, found
    agrees = (box_iou(boxes, places) >= 0.5) & (labels[:, None] == names)
    return float(agrees.any(1).float().mean()), float(agrees.any(0).float().mean())


@pytest.mark.full
def test_windows_find_in_a_photograph_what_is_found_in_its_parts_and_take_little_memory(tmp_path):
    scenes = scenes_of(4000, 3000)
    save_photograph(tmp_path / "large.jpg", scenes, 4000, 3000)
    save_photograph(tmp_path / "small.jpg", scenes_of(500, 500), 500, 500)
    *found, large = look(tmp_path / "large.jpg", tmp_path / "large")
    *_, small = look(tmp_path / "small.jpg", tmp_path / "small")
    truth = [(target["boxes"] + corner.repeat(2), target["labels"]) for _, target, corner in scenes]
    alone = predict(load_shipped(), [image for image, _, _ in scenes], confidence=CONFIDENCE)
    parts = [(one.boxes + corner.repeat(2), one.labels) for one, (_, _, corner) in zip(alone, scenes, strict=True)]
    truth, parts = ([torch.cat(both) for both in zip(*pairs, strict=True)] for pairs in (truth, parts))
    (recall, precision), (recall_alone, precision_alone) = recall_and_precision(truth, found), recall_and_precision(truth, parts)
    print(f"recall {recall:.3f} ({recall_alone:.3f} alone), precision {precision:.3f} ({precision_alone:.3f}), {large} MB ({small})")
    assert recall_alone > 0.7
    assert recall >= recall_alone - 0.05
    assert precision >= precision_alone - 0.1  # a sign that the edge of a window cuts may be taken for another
    assert large - small <= 430  # a dozen copies of the picture in bytes; all windows at once in floats would be 600
