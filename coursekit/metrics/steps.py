"""Average precision, one step a function: what a learner builds in notebook 20_map. No crowds and no areas; `coco.py` has those.

>>> iou = np.array([[0.8, 0.0], [0.7, 0.0]])  # two detections, the better-scored first; two truths
>>> match_detections(iou, 0.5)
array([ 0, -1])
>>> recall, precision = pr_curve(np.array([True, False]), num_truths=2)
>>> recall, precision
(array([0.5, 0.5]), array([1. , 0.5]))
>>> ap_area(recall, precision)
0.5
"""

import numpy as np

IOU_THRESHOLDS = np.linspace(0.5, 0.95, 10)
RECALL_POINTS = np.linspace(0.0, 1.0, 101)


def iou_of_boxes(found: np.ndarray, truth: np.ndarray, plus_one: bool = False) -> np.ndarray:
    """IoU of every pair, (D, 4) and (G, 4) in xyxy pixels -> (D, G) float64.

    Args:
        plus_one: count pixels, as Pascal VOC does: a box from 3 to 3 is 1 wide.
    """
    found, truth = np.asarray(found, np.float64).reshape(-1, 4), np.asarray(truth, np.float64).reshape(-1, 4)
    one = 1.0 if plus_one else 0.0
    left_top = np.maximum(found[:, None, :2], truth[None, :, :2])
    right_bottom = np.minimum(found[:, None, 2:], truth[None, :, 2:])
    overlap = (right_bottom - left_top + one).clip(min=0).prod(axis=2)
    area, truth_area = ((boxes[:, 2:] - boxes[:, :2] + one).prod(axis=1) for boxes in (found, truth))
    union = area[:, None] + truth_area[None, :] - overlap
    return np.divide(overlap, union, out=np.zeros_like(overlap), where=overlap > 0)


def rank(scores: np.ndarray) -> np.ndarray:
    """(D,) scores -> (D,) int64, the order that puts the best first; equal scores stay in the order in which they came."""
    return np.argsort(-np.asarray(scores), kind="stable")


def match_detections(iou: np.ndarray, threshold: float) -> np.ndarray:
    """Which truth each detection of one image and class takes.

    Args:
        iou: (D, G), detections best first.
        threshold: an IoU of at least this is a match.

    Returns:
        (D,) int64, index of the truth, -1 for none. Each truth is taken once; of those still free a detection takes the one with the
        highest IoU; of equals the later one (COCO's rule).
    """
    free = np.ones(iou.shape[1], dtype=bool)
    choice = np.full(len(iou), -1)
    for d in range(len(iou)):
        best = threshold
        for g in range(iou.shape[1]):
            if free[g] and iou[d, g] >= best:
                best, choice[d] = iou[d, g], g
        if choice[d] >= 0:
            free[choice[d]] = False
    return choice


def pr_curve(right: np.ndarray, num_truths: int) -> tuple[np.ndarray, np.ndarray]:
    """Recall and precision after each detection.

    Args:
        right: (D,) bool, best first.
        num_truths: how many objects there are to find, at least 1.

    Returns:
        recall (D,) and precision (D,), float64.
    """
    hits = np.cumsum(right)
    return hits / num_truths, hits / np.arange(1, len(hits) + 1)


def envelope(precision: np.ndarray) -> np.ndarray:
    """(D,) the best precision from here on: what you can have if you accept more recall."""
    return np.maximum.accumulate(precision[::-1])[::-1]


def ap_at_points(recall: np.ndarray, precision: np.ndarray, points: np.ndarray) -> float:
    """Mean over the recall points of the best precision at this recall or more; 0 where it is never reached.

    VOC 2007: ``points = np.linspace(0, 1, 11)``. COCO: ``np.linspace(0, 1, 101)``.
    """
    return float(np.mean([precision[recall >= point].max(initial=0.0) for point in points]))


def ap_area(recall: np.ndarray, precision: np.ndarray) -> float:
    """VOC 2010 and later: the area under the curve, with the best precision from here on at every step of recall."""
    steps = np.diff(recall, prepend=0.0)
    return float(np.sum(steps * envelope(precision)))


def class_ap(images: list[dict], label: int, threshold: float) -> float:
    """AP at 101 points of one class at one IoU threshold; NaN if no image has an object of it. `images` is as in `coco_map`."""
    scores, right, num_truths = [], [], 0
    for image in images:
        mine, said = image["truth_labels"] == label, image["labels"] == label
        order = rank(image["scores"][said])[:100]
        iou = iou_of_boxes(image["boxes"][said][order], image["truth"][mine])
        scores.append(image["scores"][said][order])
        right.append(match_detections(iou, threshold) >= 0)
        num_truths += int(mine.sum())
    if num_truths == 0:
        return float("nan")
    order = rank(np.concatenate(scores))  # all images together
    return ap_at_points(*pr_curve(np.concatenate(right)[order], num_truths), RECALL_POINTS)


def coco_map(images: list[dict], num_classes: int) -> float:
    """AP@[.50:.95]: the plain mean over ten IoU thresholds and all classes that have an object.

    Args:
        images: one dict an image: `truth` (G, 4) xyxy, `truth_labels` (G,), `boxes` (D, 4), `scores` (D,), `labels` (D,).
        num_classes: labels are 0 to num_classes - 1.
    """
    table = np.array([[class_ap(images, label, t) for label in range(num_classes)] for t in IOU_THRESHOLDS])
    return float(np.mean(table[~np.isnan(table)]))
