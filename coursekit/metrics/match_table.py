"""The table behind an AP: each prediction, the truth that it points at, right or wrong, and why. Taught in notebook 20_map."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from .steps import iou_of_boxes, pr_curve, rank


@dataclass(frozen=True)
class Row:
    """One prediction.

    Args:
        image: name of its image.
        number: its place among the predictions of the image, from 0.
        score: how sure the detector is.
        truth: the truth of the image that it was judged by, from 0; None if the image has none.
        iou: with that truth.
        right: true positive.
        why: in words.
        recall, precision: after this prediction.
    """

    image: str
    number: int
    score: float
    truth: int | None
    iou: float
    right: bool
    why: str
    recall: float
    precision: float


def match_table(images: Mapping[str, dict], threshold: float = 0.5, plus_one: bool = False, only_best: bool = False) -> list[Row]:
    """The predictions of one class, best first, each with its verdict.

    Args:
        images: name -> dict with `truth` (G, 4) and `boxes` (D, 4) in xyxy pixels, and `scores` (D,).
        threshold: an IoU of at least this is a match.
        plus_one: count pixels, as Pascal VOC does.
        only_best: a prediction tries only the truth that it overlaps most (Pascal VOC). Else the best among those still free (COCO).
    """
    said = [(name, number, score) for name, image in images.items() for number, score in enumerate(image["scores"])]
    overlap = {name: iou_of_boxes(image["boxes"], image["truth"], plus_one) for name, image in images.items()}
    taken_by: dict[tuple[str, int], int] = {}
    verdicts = []
    for place, index in enumerate(rank(np.array([score for *_, score in said])), start=1):
        name, number, score = said[index]
        truth, iou, right, why = _judge(name, overlap[name][number], taken_by, threshold, only_best)
        if right:
            taken_by[name, truth] = place
        verdicts.append((name, number, float(score), truth, iou, right, why))
    num_truths = sum(len(image["truth"]) for image in images.values())
    curve = pr_curve(np.array([v[5] for v in verdicts], dtype=bool), num_truths)
    return [Row(*verdict, float(r), float(p)) for verdict, r, p in zip(verdicts, *curve, strict=True)]


def _judge(name: str, iou: np.ndarray, taken_by: dict, threshold: float, only_best: bool):
    """Truth, IoU, right or wrong, and why, of one prediction."""
    if not len(iou):
        return None, 0.0, False, "nothing is there to find"
    free = np.array([(name, g) not in taken_by for g in range(len(iou))])
    if only_best or not (free & (iou >= threshold)).any():
        g = int(iou.argmax())
    else:
        g = len(iou) - 1 - int(np.where(free, iou, -1.0)[::-1].argmax())  # of equals the later one
    if iou[g] < threshold:
        return g, float(iou[g]), False, f"IoU below {threshold:g}" if iou[g] > 0 else "touches no truth"
    if not free[g]:
        return g, float(iou[g]), False, f"taken by number {taken_by[name, g]}"
    return g, float(iou[g]), True, "found it"
