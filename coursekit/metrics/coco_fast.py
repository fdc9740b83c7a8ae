"""COCO matching and accumulation for all images at once: the vectorised twin of `coco.py`, equal to it to the last bit.

Read `coco.py` first: it says what is computed, this file says how to do it without a Python loop over boxes.

Three ideas. (1) Sort once by category, image and score. (2) Detections of different images cannot take each other's truth, so
the k-th detections of all images are matched together, for all areas and all thresholds; only detections that reach the lowest threshold
take part, so there are few rounds. (3) Counting is cumulative sums over arrays (area, threshold, detection).
"""

from dataclasses import dataclass

import numpy as np

from .coco import AREA_RANGES, IOU_THRESHOLDS, MAX_DETECTIONS, RECALL_POINTS
from .inputs import EvalInputs
from .pairs import Pairs, group_keys, near_pairs


@dataclass(frozen=True)
class Matches:
    """What became of each detection that counts, ordered by category, image, score.

    Args:
        row: (D,) int64, its row in `EvalInputs.found`.
        rank: (D,) int64, its place within its image and category, 0 the best.
        matched: (D, A, T) bool, it took a truth (A area ranges, T thresholds).
        ignored: (D, A, T) bool, it counts neither as right nor as wrong.
    """

    row: np.ndarray
    rank: np.ndarray
    matched: np.ndarray
    ignored: np.ndarray


def match_all(inputs: EvalInputs) -> Matches:
    """Greedy COCO matching of every image and category."""
    truths, found = inputs.truths, inputs.found
    row = np.lexsort((-found.score, found.image, found.category))  # stable: ties keep file order
    key = group_keys(inputs, found)[row]
    rank = np.arange(len(row)) - np.searchsorted(key, key, side="left")
    counts = rank < MAX_DETECTIONS[-1]
    row, key, rank = row[counts], key[counts], rank[counts]

    low, high = np.array(list(AREA_RANGES.values())).T  # (A,), (A,)
    truth_ignored = truths.crowd[:, None] | (truths.area[:, None] < low) | (truths.area[:, None] > high)  # (G, A)
    outside = (found.area[row, None] < low) | (found.area[row, None] > high)  # (D, A)

    pairs = near_pairs(inputs, row, IOU_THRESHOLDS[0], crowd=truths.crowd)
    matched, of_ignored = greedy_rounds(pairs, key, truth_ignored, truths.crowd)
    return Matches(row, rank, matched, np.where(matched, of_ignored, outside[:, :, None]))


def greedy_rounds(pairs: Pairs, key: np.ndarray, truth_ignored: np.ndarray, crowd: np.ndarray):
    """Match the best detection of every image, then the second best, and so on.

    Returns:
        matched, of_ignored: (D, A, T) bool; `of_ignored` where the truth that was taken is one to ignore.
    """
    state = (truth_ignored.shape[1], len(IOU_THRESHOLDS))
    matched, of_ignored = np.zeros((2, len(key), *state), dtype=bool)
    taken = np.zeros((len(crowd), *state), dtype=bool)
    trying, candidates = np.unique(pairs.found, return_counts=True)  # detections that have a candidate, and how many
    turn = np.arange(len(trying)) - np.searchsorted(key[trying], key[trying], side="left")  # k-th of its image and category
    if not len(trying):
        return matched, of_ignored
    turn = np.repeat(turn, candidates)
    by_turn = np.argsort(turn, kind="stable")
    rounds = np.cumsum(np.bincount(turn))[:-1]
    for chosen in np.split(by_turn, rounds):
        now = pairs.select(chosen)
        first = now.starts()
        best = _best_free(now, first, taken, truth_ignored, crowd)  # (S, A, T)
        hit = best > 0
        _, area, threshold = np.nonzero(hit)
        taken[now.truth[(best[hit] - 1) % len(now)], area, threshold] = True
        matched[now.found[first]] = hit
        of_ignored[now.found[first]] = hit & (best <= len(now))
    return matched, of_ignored


def _best_free(pairs: Pairs, first: np.ndarray, taken: np.ndarray, truth_ignored: np.ndarray, crowd: np.ndarray) -> np.ndarray:
    """For each detection (its pairs begin at `first`): (S, A, T), the truth it takes. 0: none. 1..P: that of pair 1..P, to be ignored.

    P+1..2P: that of pair 1..P, and it counts. So the largest number is the right choice: a truth that counts before one to ignore,
    then the higher IoU, then, where IoU is equal, the later truth.
    """
    free = ~taken[pairs.truth] | crowd[pairs.truth, None, None]  # (P, A, T): any number of detections may lie in one crowd
    allowed = free & (pairs.iou[:, None, None] >= IOU_THRESHOLDS)
    number = np.arange(1, len(pairs) + 1, dtype=np.int32)[:, None] + np.int32(len(pairs)) * ~truth_ignored[pairs.truth]  # (P, A)
    return np.maximum.reduceat(np.where(allowed, number[:, :, None], np.int32(0)), first, axis=0)


def accumulate_all(inputs: EvalInputs, matches: Matches) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Precision (T, R, K, A, M), recall (T, K, A, M) and score (T, R, K, A, M) as pycocotools has them; -1 where there is no truth."""
    low, high = np.array(list(AREA_RANGES.values())).T
    truths = inputs.truths
    counted = ~truths.crowd[:, None] & (truths.area[:, None] >= low) & (truths.area[:, None] <= high)  # (G, A)
    shape = (len(IOU_THRESHOLDS), len(RECALL_POINTS), len(inputs.categories), len(low), len(MAX_DETECTIONS))
    precision, scores = -np.ones(shape), -np.ones(shape)
    recall = -np.ones((shape[0], *shape[2:]))
    score, category = inputs.found.score[matches.row], inputs.found.category[matches.row]
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
