"""Measuring a detector on a data set, the field's way. Taught in notebooks 19_yolo and 20_map."""

from dataclasses import dataclass
from operator import itemgetter

import numpy as np

from ..detections import Detections
from ..metrics.detection import evaluate_samples
from ..training.distributed import gather, on_rank_0, rank, world_size
from .model import YOLO
from .tiles import predict_tiled


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


def validate(
    model: YOLO,
    dataset,
    imgsz: int | None = None,
    batch: int = 16,
    tick=lambda: None,
    tile: int | None = None,
    overlap: int | None = None,
    whole: bool = False,
) -> Validation:
    """Predict every image of ``dataset`` and compare with its truth, in the images' own pixels.

    Args:
        dataset: map-style, of (uint8 (3, H, W), target), with `classes`.
        imgsz: see `predict`. tile, overlap, whole: see `predict_tiled`; by default windows as the model was trained on, if any.
        tick: called after each batch.

    Every score above 0.001 counts, since AP asks for the whole curve: a threshold of 0.25 here would cost AP.
    """
    windows = {"tile": tile, "overlap": overlap, "whole": whole}
    return _evaluate(model, _look(model, dataset, range(0, len(dataset), batch), imgsz, batch, tick, **windows))


def validate_together(model: YOLO, dataset, imgsz: int | None = None, batch: int = 16) -> dict[str, float]:
    """`validate` by all processes of a training, each a part of the images; the twelve numbers, in each of them.

    The batches are those of `validate`, so the numbers are the same to the last bit.
    """
    mine = _look(model, dataset, range(rank() * batch, len(dataset), world_size() * batch), imgsz, batch)
    parts = gather(mine)  # in process 0, and empty elsewhere
    return on_rank_0(lambda: _evaluate(model, sorted((part for share in parts for part in share), key=itemgetter(0))).summary)


def _look(
    model: YOLO, dataset, firsts: range, imgsz: int | None, batch: int, tick=lambda: None, tile: int | None = None, **windows
) -> list[tuple]:
    """For each batch of images that begins at one of ``firsts``: that number, the targets, what was found."""
    if tuple(dataset.classes) != tuple(model.classes):
        raise ValueError(f"the model knows {', '.join(model.classes)}; the data has {', '.join(dataset.classes)}")
    parts, tile = [], model.tile if tile is None else tile
    options = {"confidence": 0.001, "iou": 0.6, "limit": 100, "imgsz": imgsz, "batch": batch, "tile": tile, **windows}
    together = 1 if tile else batch  # large images one by one: a batch of them may not fit into memory
    for first in firsts:
        for start in range(first, min(first + batch, len(dataset)), together):
            samples = [dataset[index] for index in range(start, min(start + together, len(dataset)))]
            images, targets = [image for image, _ in samples], [target for _, target in samples]
            parts.append((start, targets, predict_tiled(model, images, **options)))
        tick()
    return parts


def _evaluate(model: YOLO, parts: list[tuple]) -> Validation:
    targets = [target for _, targets, _ in parts for target in targets]
    found = [one for _, _, found in parts for one in found]
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
