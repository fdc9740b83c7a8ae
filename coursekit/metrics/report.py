"""An evaluation as a dict for JSON, and as a file. Used by the command line and by training."""

import math

from .detection import CocoResult
from .voc import VocResult


def report(result: CocoResult | VocResult) -> dict:
    """What JSON can hold. COCO: the twelve numbers on top. VOC: `mAP`. Both: `protocol`, `per_class`, `notes`. NaN becomes null."""
    if isinstance(result, CocoResult):
        return {**result.summary, "protocol": "coco", "per_class": result.per_class, "notes": list(result.notes)}
    per_class = [
        {
            "name": c.name,
            "truths": c.truths,
            "right": int(c.right.sum()),
            "wrong": int((~c.right).sum()),
            "AP": _number(c.AP),
            "precision": c.precision.tolist(),
            "recall": c.recall.tolist(),
        }
        for c in result.classes
    ]
    head = {"mAP": _number(result.mAP), "protocol": result.protocol, "iou": result.iou_threshold}
    return {**head, "per_class": per_class, "notes": list(result.notes)}


def _number(value: float) -> float | None:
    return None if math.isnan(value) else float(value)
