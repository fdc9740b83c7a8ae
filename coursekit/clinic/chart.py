"""What a doctor can measure of any detector's boxes. Taught in notebook 21_bug_clinic."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

import torch

from ..boxes import box_iou
from ..detections import Detections
from ..metrics.detection import evaluate_samples

PROBES = {  # what stands on the panel, and what each number says
    "AP": "average precision, COCO's",
    "AP50": "average precision where an overlap of one half is enough",
    "AP50 without names": "the same, with all classes counted as one: are the boxes right, whatever they are called?",
    "AP50 one object": "AP50 on the pictures that hold one object",
    "AP50 several": "AP50 on the pictures that hold more",
    "boxes per object": "boxes of score 0.25 or more, for each true object",
    "lowest score": "the least score in the results",
    "highest score": "the greatest",
    "relative size": "the middle side of the found boxes (0.25 or more), divided by that of the true ones",
    "recall": "share of the objects that some box of any score frames by half and names rightly",
}


@dataclass(frozen=True)
class Chart:
    """A patient's numbers.

    Args:
        numbers: by the names of `PROBES`; NaN where there is nothing to measure.
        by_class: AP of each class that has objects.
        unknown: boxes whose label has no name; they are left out of all the rest.
    """

    numbers: dict[str, float]
    by_class: dict[str, float] = field(default_factory=dict)
    unknown: int = 0

    def __getitem__(self, probe: str) -> float:
        return self.numbers[probe]

    def to_dict(self) -> dict:
        """Plain values, rounded to four places, for a file; None where there was nothing to measure, since JSON knows no NaN."""
        rounded = {name: None if math.isnan(value) else round(value, 4) for name, value in self.numbers.items()}
        return asdict(self) | {"numbers": rounded, "by_class": {name: round(value, 4) for name, value in self.by_class.items()}}


def chart(found: Sequence[Detections], targets: Sequence[dict], classes: Sequence[str]) -> Chart:
    """Measure what was found against what is there.

    Args:
        found: one `Detections` a picture. Labels outside ``classes`` are counted and left out.
        targets: one dict a picture, as data sets give them.

    Raises:
        ValueError: where they are not one for one.
    """
    if len(found) != len(targets):
        raise ValueError(f"found must have one entry for each of the {len(targets)} targets, got {len(found)}")
    known = [one[(one.labels >= 0) & (one.labels < len(classes))] for one in found]
    result = evaluate_samples(targets, known, classes)
    names_off = [Detections(one.boxes, one.scores, torch.zeros_like(one.labels)) for one in known]
    one_class = [{**target, "labels": torch.zeros_like(target["labels"])} for target in targets]
    counts = [len(target["boxes"]) for target in targets]
    shown = [one[one.scores >= 0.25] for one in known]
    scores = torch.cat([one.scores for one in known])
    numbers = {
        "AP": result.summary["AP"],
        "AP50": result.summary["AP50"],
        "AP50 without names": evaluate_samples(one_class, names_off, ["object"]).summary["AP50"],
        "AP50 one object": _of_pictures(known, targets, classes, [count == 1 for count in counts]),
        "AP50 several": _of_pictures(known, targets, classes, [count > 1 for count in counts]),
        "boxes per object": sum(map(len, shown)) / max(1, sum(counts)),
        "lowest score": float(scores.min()) if len(scores) else float("nan"),
        "highest score": float(scores.max()) if len(scores) else float("nan"),
        "relative size": _middle_side([one.boxes for one in shown]) / _middle_side([target["boxes"] for target in targets]),
        "recall": _recall(known, targets),
    }
    by_class = {row["name"]: row["AP"] for row in result.per_class if row["truths"]}
    return Chart(numbers, by_class, sum(map(len, found)) - sum(map(len, known)))


def _of_pictures(found, targets, classes, chosen: list[bool]) -> float:
    mine = [pair for pair, yes in zip(zip(found, targets, strict=True), chosen, strict=True) if yes]
    if not mine:
        return float("nan")
    return evaluate_samples([target for _, target in mine], [one for one, _ in mine], classes).summary["AP50"]


def _middle_side(boxes: list) -> float:
    every = torch.cat(boxes)
    return float((every[:, 2:] - every[:, :2]).median()) if len(every) else float("nan")


def _recall(found, targets) -> float:
    hits = total = 0
    for one, target in zip(found, targets, strict=True):
        right = (box_iou(one.boxes, target["boxes"]) >= 0.5) & (one.labels[:, None] == target["labels"][None, :])
        hits, total = hits + int(right.any(dim=0).sum()), total + len(target["boxes"])
    return hits / total if total else float("nan")
