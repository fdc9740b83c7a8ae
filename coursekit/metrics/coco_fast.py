"""COCO matching and accumulation for all images at once: the vectorised twin of `coco.py`, equal to it to the last bit.

Read `coco.py` first: it says what is computed, this file says how to do it without a Python loop over boxes.

Three ideas. (1) Sort once by category, image and score. (2) Detections of different images cannot take each other's truth, so
the k-th detections of all images are matched together, for all areas and all thresholds; only detections that reach the lowest threshold
take part, so there are few rounds. (3) Counting is cumulative sums over arrays (area, threshold, detection).
"""

from dataclasses import dataclass

import numpy as np

from .coco import AREA_RANGES, IOU_THRESHOLDS, MAX_DETECTIONS, RECALL_POINTS
from .problem import Problem


@dataclass(frozen=True)
class Matches:
    """What became of each detection that counts, ordered by category, image, score.

    Args:
        row: (D,) int64, its row in `Problem.found`.
        rank: (D,) int64, its place within its image and category, 0 the best.
        matched: (D, A, T) bool, it took a truth (A area ranges, T thresholds).
        ignored: (D, A, T) bool, it counts neither as right nor as wrong.
    """

    row: np.ndarray
    rank: np.ndarray
    matched: np.ndarray
    ignored: np.ndarray


def match_all(problem: Problem) -> Matches:
    """Greedy COCO matching of every image and category."""
    truths, found = problem.truths, problem.found
    row = np.lexsort((-found.score, found.image, found.category))  # stable: ties keep file order
    key = found.category[row] * len(problem.images) + found.image[row]  # one number for each (category, image)
    rank = np.arange(len(row)) - np.searchsorted(key, key, side="left")
    counts = rank < MAX_DETECTIONS[-1]
    row, key, rank = row[counts], key[counts], rank[counts]

    low, high = np.array(list(AREA_RANGES.values())).T  # (A,), (A,)
    truth_ignored = truths.crowd[:, None] | (truths.area[:, None] < low) | (truths.area[:, None] > high)  # (G, A)
    outside = (found.area[row, None] < low) | (found.area[row, None] > high)  # (D, A)

    pairs = candidate_pairs(problem, row, key)
    matched, of_ignored = greedy_rounds(len(row), pairs, key, truth_ignored, truths.crowd)
    return Matches(row, rank, matched, np.where(matched, of_ignored, outside[:, :, None]))


def candidate_pairs(problem: Problem, row: np.ndarray, key: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Every detection with every truth of its image and category, where their IoU reaches the lowest threshold.

    Returns:
        detection (P,), truth (P,), iou (P,): by detection, then ascending IoU, then truth order; so the last that is free is the best.
    """
    truths = problem.truths
    order = np.lexsort((truths.image, truths.category))  # stable: within an image, file order
    truth_key = truths.category[order] * len(problem.images) + truths.image[order]
    start, stop = np.searchsorted(truth_key, key, side="left"), np.searchsorted(truth_key, key, side="right")
    count = stop - start
    detection = np.repeat(np.arange(len(row)), count)
    within = np.arange(len(detection)) - np.repeat(np.cumsum(count) - count, count)
    truth = order[start[detection] + within]
    iou = paired_iou(problem.found.xywh[row[detection]], truths.xywh[truth], truths.crowd[truth])
    near = iou >= IOU_THRESHOLDS[0]
    detection, truth, iou = detection[near], truth[near], iou[near]
    by = np.lexsort((truth, iou, detection))
    return detection[by], truth[by], iou[by]


def paired_iou(found: np.ndarray, truth: np.ndarray, crowd: np.ndarray) -> np.ndarray:
    """IoU of row n with row n, (P, 4) and (P, 4) in xywh -> (P,). Of a crowd: the share of the detection that lies in it."""
    size = np.minimum(found[:, :2] + found[:, 2:], truth[:, :2] + truth[:, 2:]) - np.maximum(found[:, :2], truth[:, :2])
    overlap = np.where((size > 0).all(axis=1), size[:, 0] * size[:, 1], 0.0)
    area, truth_area = found[:, 2] * found[:, 3], truth[:, 2] * truth[:, 3]
    union = np.where(crowd, area, area + truth_area - overlap)
    return np.divide(overlap, union, out=np.zeros_like(overlap), where=overlap > 0)


def greedy_rounds(num_found: int, pairs, key: np.ndarray, truth_ignored: np.ndarray, crowd: np.ndarray):
    """Match the best detection of every image, then the second best, and so on.

    Returns:
        matched, of_ignored: (D, A, T) bool; `of_ignored` where the truth that was taken is one to ignore.
    """
    state = (truth_ignored.shape[1], len(IOU_THRESHOLDS))
    matched, of_ignored = np.zeros((2, num_found, *state), dtype=bool)
    taken = np.zeros((len(crowd), *state), dtype=bool)
    trying, candidates = np.unique(pairs[0], return_counts=True)  # detections that have a candidate, and how many
    turn = np.arange(len(trying)) - np.searchsorted(key[trying], key[trying], side="left")  # k-th of its image and category
    turn = np.repeat(turn, candidates)
    by_turn = np.argsort(turn, kind="stable")
    rounds = np.cumsum(np.bincount(turn))[:-1]
    for detection, truth, iou in zip(*(np.split(values[by_turn], rounds) for values in pairs), strict=True):
        if not len(detection):
            continue
        first = np.flatnonzero(np.r_[True, detection[1:] != detection[:-1]])
        best = _best_free(truth, iou, first, taken, truth_ignored, crowd)  # (S, A, T)
        hit = best > 0
        _, area, threshold = np.nonzero(hit)
        taken[truth[(best[hit] - 1) % len(truth)], area, threshold] = True
        matched[detection[first]] = hit
        of_ignored[detection[first]] = hit & (best <= len(truth))
    return matched, of_ignored


def _best_free(truth, iou, first, taken, truth_ignored, crowd) -> np.ndarray:
    """For each detection (its pairs begin at `first`): the place of the truth it takes. 0: none. 1..P: pair 1..P, a truth to ignore.

    P+1..2P: pair 1..P, a truth that counts. So the largest number is the right choice: a truth that counts before one to ignore,
    then the higher IoU, then, where IoU is equal, the later truth.
    """
    free = ~taken[truth] | crowd[truth, None, None]  # (P, A, T): any number of detections may lie in one crowd
    allowed = free & (iou[:, None, None] >= IOU_THRESHOLDS)
    number = np.arange(1, len(truth) + 1, dtype=np.int32)[:, None] + len(truth) * ~truth_ignored[truth]  # (P, A)
    return np.maximum.reduceat(np.where(allowed, number[:, :, None].astype(np.int32), np.int32(0)), first, axis=0)


def accumulate_all(problem: Problem, matches: Matches) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Precision (T, R, K, A, M), recall (T, K, A, M) and score (T, R, K, A, M) as pycocotools has them; -1 where there is no truth."""
    low, high = np.array(list(AREA_RANGES.values())).T
    truths = problem.truths
    counted = ~truths.crowd[:, None] & (truths.area[:, None] >= low) & (truths.area[:, None] <= high)  # (G, A)
    shape = (len(IOU_THRESHOLDS), len(RECALL_POINTS), len(problem.categories), len(low), len(MAX_DETECTIONS))
    precision, scores = -np.ones(shape), -np.ones(shape)
    recall = -np.ones((shape[0], *shape[2:]))
    score, category = problem.found.score[matches.row], problem.found.category[matches.row]
    edges = np.searchsorted(category, np.arange(shape[2] + 1))
    for k in range(shape[2]):
        num_truths = counted[truths.category == k].sum(axis=0)  # (A,)
        if not num_truths.any():
            continue
        rows = np.arange(edges[k], edges[k + 1])
        rows = rows[np.argsort(-score[rows], kind="stable")]
        for m, most in enumerate(MAX_DETECTIONS):
            kept = rows[matches.rank[rows] < most]
            p, r, s = _curves(matches.matched[kept], matches.ignored[kept], score[kept], num_truths)
            there = num_truths > 0
            precision[:, :, k, there, m], recall[:, k, there, m], scores[:, :, k, there, m] = p[..., there], r[..., there], s[..., there]
    return precision, recall, scores


def _curves(matched, ignored, score, num_truths):
    """One category: (D, A, T) flags by descending score -> precision (T, R, A), recall (T, A), score (T, R, A)."""
    areas, thresholds = matched.shape[1:]
    precision, scores = np.zeros((2, thresholds, len(RECALL_POINTS), areas))
    recall = np.zeros((thresholds, areas))
    if not len(score):
        return precision, recall, scores
    right = np.cumsum((matched & ~ignored).T, axis=2, dtype=np.float64)  # (T, A, D)
    wrong = np.cumsum((~matched & ~ignored).T, axis=2, dtype=np.float64)
    reached = right / np.maximum(num_truths, 1)[:, None]
    envelope = right / (wrong + right + np.spacing(1))
    envelope = np.maximum.accumulate(envelope[:, :, ::-1], axis=2)[:, :, ::-1]
    for t, a in np.ndindex(thresholds, areas):
        at = np.searchsorted(reached[t, a], RECALL_POINTS, side="left")
        at = at[at < len(score)]  # recall that is never reached keeps precision 0
        precision[t, : len(at), a] = envelope[t, a, at]
        scores[t, : len(at), a] = score[at]
    return precision, reached[:, :, -1], scores
