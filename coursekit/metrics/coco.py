"""COCO's average precision, written to be read. Taught in notebook 20_map; `coco_fast.py` is its vectorised twin, held equal by tests.

The rules are those of pycocotools 2.0.11 (`cocoeval.py`), each marked where it is applied. Its three steps are the three parts of
this file: match one image, accumulate over images, summarise.
"""

from dataclasses import dataclass

import numpy as np

from .inputs import EvalInputs

# linspace, not arange and not i/100: ten of the recall points differ in the last bit, and so would AP
IOU_THRESHOLDS = np.linspace(0.5, 0.95, 10)
RECALL_POINTS = np.linspace(0.0, 1.0, 101)
MAX_DETECTIONS = (1, 10, 100)
# closed at both ends: an area of exactly 1024 is small and medium
AREA_RANGES = {"all": (0.0, 1e10), "small": (0.0, 32.0**2), "medium": (32.0**2, 96.0**2), "large": (96.0**2, 1e10)}
SUMMARY_NAMES = ("AP", "AP50", "AP75", "APs", "APm", "APl", "AR1", "AR10", "AR100", "ARs", "ARm", "ARl")


def iou_matrix(found: np.ndarray, truth: np.ndarray, crowd: np.ndarray) -> np.ndarray:
    """IoU of every detection with every truth; with a crowd, the share of the detection that lies inside it.

    Args:
        found: (D, 4) float64 in xywh pixels.
        truth: (G, 4) likewise.
        crowd: (G,) bool.

    Returns:
        (D, G) in [0, 1].
    """
    left_top = np.maximum(found[:, None, :2], truth[None, :, :2])
    right_bottom = np.minimum(found[:, None, :2] + found[:, None, 2:], truth[None, :, :2] + truth[None, :, 2:])
    size = right_bottom - left_top  # (D, G, 2)
    overlap = np.where((size > 0).all(axis=2), size[:, :, 0] * size[:, :, 1], 0.0)
    area = (found[:, 2] * found[:, 3])[:, None]
    union = np.where(crowd[None, :], area, area + (truth[:, 2] * truth[:, 3])[None, :] - overlap)
    return np.divide(overlap, union, out=np.zeros_like(overlap), where=overlap > 0)


def match_image(iou: np.ndarray, truth_ignored: np.ndarray, crowd: np.ndarray, threshold: float) -> np.ndarray:
    """Which truth each detection of one image and one category takes.

    Args:
        iou: (D, G), detections in descending order of score.
        truth_ignored: (G,) bool, crowds and truths outside the area range.
        crowd: (G,) bool.
        threshold: a detection may take a truth with an IoU of at least this.

    Returns:
        (D,) int64, the index of the truth, -1 for none.
    """
    taken = np.zeros(len(crowd), dtype=bool)
    choice = np.full(len(iou), -1)
    truths_that_count_first = np.argsort(truth_ignored, kind="stable")
    for d in range(len(iou)):
        best = min(threshold, 1 - 1e-10)
        for g in truths_that_count_first:
            if taken[g] and not crowd[g]:  # a crowd takes in any number of detections
                continue
            if choice[d] >= 0 and not truth_ignored[choice[d]] and truth_ignored[g]:
                break  # a truth that counts is preferred to one to ignore, also with a lower IoU
            if iou[d, g] >= best:  # not `>`: the threshold itself is enough, and of two equals the later one wins
                best, choice[d] = iou[d, g], g
        if choice[d] >= 0:
            taken[choice[d]] = True
    return choice


@dataclass(frozen=True)
class ImageMatch:
    """One image, one category, one area range, at every threshold: detections in descending order of score.

    Args:
        score: (D,) float64.
        matched: (T, D) bool, it took a truth.
        ignored: (T, D) bool, it is neither right nor wrong.
        num_truths: how many truths count.
    """

    score: np.ndarray
    matched: np.ndarray
    ignored: np.ndarray
    num_truths: int


def evaluate_image(inputs: EvalInputs, image: int, category: int, area_range: tuple[float, float]) -> ImageMatch:
    """Match one image and category at the ten thresholds."""
    truths, found = inputs.truths, inputs.found
    low, high = area_range
    g = np.flatnonzero((truths.image == image) & (truths.category == category))
    d = np.flatnonzero((found.image == image) & (found.category == category))
    d = d[np.argsort(-found.score[d], kind="stable")][: MAX_DETECTIONS[-1]]  # the best 100 of this image AND category
    crowd = truths.crowd[g]
    truth_ignored = crowd | (truths.area[g] < low) | (truths.area[g] > high)
    iou = iou_matrix(found.xywh[d], truths.xywh[g], crowd)
    choice = np.array([match_image(iou, truth_ignored, crowd, t) for t in IOU_THRESHOLDS]).reshape(len(IOU_THRESHOLDS), len(d))
    matched = choice >= 0
    outside = (found.area[d] < low) | (found.area[d] > high)
    took_ignored = np.append(truth_ignored, False)[choice]  # choice -1 reads the False at the end
    return ImageMatch(found.score[d], matched, np.where(matched, took_ignored, outside), int((~truth_ignored).sum()))


def interpolated_precision(right: np.ndarray, wrong: np.ndarray, num_truths: int) -> tuple[np.ndarray, np.ndarray, float]:
    """Precision at the 101 recall points.

    Args:
        right: (D,) bool in descending order of score, true positives.
        wrong: (D,) bool, false positives.
        num_truths: at least 1.

    Returns:
        precision (101,), index of the detection that reaches each recall (101,; D where none does), and the last recall.
    """
    right, wrong = np.cumsum(right), np.cumsum(wrong)
    recall = right / num_truths
    precision = right / (right + wrong + np.spacing(1))  # the tiny number: ignored detections come first sometimes, 0 / 0
    envelope = np.maximum.accumulate(precision[::-1])[::-1]  # the best precision at this recall or a higher one
    at = np.searchsorted(recall, RECALL_POINTS, side="left")
    return np.append(envelope, 0.0)[at], at, float(recall[-1]) if len(recall) else 0.0


def accumulate(images: list[ImageMatch], most: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One category, area range and number of detections: precision (T, R), recall (T,), score (T, R); -1 where no truth counts."""
    shape = (len(IOU_THRESHOLDS), len(RECALL_POINTS))
    precision, recall, scores = -np.ones(shape), -np.ones(shape[0]), -np.ones(shape)
    num_truths = sum(image.num_truths for image in images)
    if num_truths == 0:
        return precision, recall, scores  # not 0: the category says nothing here, and stays out of every mean
    score = np.concatenate([image.score[:most] for image in images])
    order = np.argsort(-score, kind="stable")  # ties: images by id, then as within the image
    matched = np.concatenate([image.matched[:, :most] for image in images], axis=1)[:, order]
    ignored = np.concatenate([image.ignored[:, :most] for image in images], axis=1)[:, order]
    for t in range(shape[0]):
        precision[t], at, recall[t] = interpolated_precision(matched[t] & ~ignored[t], ~matched[t] & ~ignored[t], num_truths)
        scores[t] = np.append(score[order], 0.0)[at]
    return precision, recall, scores


def evaluate(inputs: EvalInputs) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Precision (T, R, K, A, M), recall (T, K, A, M), score (T, R, K, A, M), the layout of pycocotools."""
    shape = (len(IOU_THRESHOLDS), len(RECALL_POINTS), len(inputs.categories), len(AREA_RANGES), len(MAX_DETECTIONS))
    precision, scores, recall = np.empty(shape), np.empty(shape), np.empty((shape[0], *shape[2:]))
    for k in range(shape[2]):
        for a, area_range in enumerate(AREA_RANGES.values()):
            images = [evaluate_image(inputs, i, k, area_range) for i in range(len(inputs.images))]
            for m, most in enumerate(MAX_DETECTIONS):
                precision[:, :, k, a, m], recall[:, k, a, m], scores[:, :, k, a, m] = accumulate(images, most)
    return precision, recall, scores


def defined_mean(cells: np.ndarray) -> float:
    """Mean of the cells that are not -1; -1 where there is none."""
    there = cells[cells > -1]
    return float(np.mean(there)) if there.size else -1.0


def summarise(precision: np.ndarray, recall: np.ndarray) -> dict[str, float]:
    """The twelve numbers. Each is a plain mean over the cells that are not -1; -1 where there is none."""
    at_all, at_75, areas = slice(None), IOU_THRESHOLDS == 0.75, range(len(AREA_RANGES))
    ap = [defined_mean(precision[t, :, :, 0, 2]) for t in (at_all, slice(0, 1), at_75)] + [
        defined_mean(precision[:, :, :, a, 2]) for a in areas[1:]
    ]
    ar = [defined_mean(recall[:, :, 0, m]) for m in range(len(MAX_DETECTIONS))] + [defined_mean(recall[:, :, a, 2]) for a in areas[1:]]
    return dict(zip(SUMMARY_NAMES, ap + ar, strict=True))
