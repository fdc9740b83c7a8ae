"""Measuring a detector on a data set, the field's way. Taught in notebooks 19_yolo and 20_map."""

from dataclasses import dataclass

import numpy as np

from ..detections import Detections
from ..metrics.detection import evaluate_samples
from .model import YOLO
from .predict import predict


@dataclass
class Validation:
    """What `validate` found.

    Args:
        summary: the twelve COCO numbers by name.
        result: all that `coursekit.metrics.detection` says.
        targets, found: for each image its target and its `Detections`, in the images' own pixels.
    """

    summary: dict[str, float]
    result: object
    targets: list[dict]
    found: list[Detections]


def validate(model: YOLO, dataset, imgsz: int | None = None, batch: int = 16, tick=lambda: None) -> Validation:
    """Predict every image of ``dataset`` and compare with its truth, in the images' own pixels.

    Args:
        dataset: map-style, of (uint8 (3, H, W), target), with `classes`.
        imgsz: see `predict`.
        tick: called after each batch.

    Every score above 0.001 counts, since AP asks for the whole curve: a threshold of 0.25 here would cost AP.
    """
    if tuple(dataset.classes) != tuple(model.classes):
        raise ValueError(f"the model knows {', '.join(model.classes)}; the data has {', '.join(dataset.classes)}")
    targets, found = [], []
    for first in range(0, len(dataset), batch):
        samples = [dataset[index] for index in range(first, min(first + batch, len(dataset)))]
        targets += [target for _, target in samples]
        found += predict(model, [image for image, _ in samples], confidence=0.001, iou=0.6, limit=100, imgsz=imgsz, batch=batch)
        tick()
    result = evaluate_samples(targets, found, model.classes)
    return Validation(result.summary, result, targets, found)


def curves(result, classes) -> dict:
    """Precision, and the confidence it takes, at 101 recalls for each class at IoU 0.5: plain lists for JSON.

    Precision is COCO's: the best at that recall or beyond it. F1 is made of the two.
    """
    recall = np.linspace(0, 1, 101)
    precision, scores = result.precision[0, :, :, 0, -1], result.scores[0, :, :, 0, -1]  # (101, K): IoU .5, all areas, 100 detections
    return {
        "recall": recall.tolist(),
        "classes": {
            name: {"precision": precision[:, k].tolist(), "confidence": scores[:, k].tolist(), "AP50": float(precision[:, k].mean())}
            for k, name in enumerate(classes)
        },
    }
