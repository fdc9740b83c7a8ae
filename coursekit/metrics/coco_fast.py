"""COCO matching of all images at once: with `coco_sums.py` the vectorised twin of `coco.py`, equal to it to the last bit.

Read `coco.py` first: it says what is computed, these two say how to do it without a Python loop over boxes.

Three ideas. (1) Sort once by category, image and score. (2) Detections of different images cannot take each other's truth, so
the k-th detections of all images are matched together, for all areas and all thresholds; only detections that reach the lowest threshold
take part, so there are few rounds. (3) Only where something is found can precision be at its best, so sums are needed there only.
"""

from dataclasses import dataclass

import numpy as np

from .coco import AREA_RANGES, IOU_THRESHOLDS, MAX_DETECTIONS
from .inputs import EvalInputs, Truths
from .pairs import Pairs, group_keys, near_pairs, rank_in_group


@dataclass(frozen=True)
class Matches:
    """What became of each detection that counts, ordered by category, image, score (A area ranges, T thresholds).

    Args:
        row: (D,) int64, its row in `EvalInputs.found`.
        rank: (D,) int64, its place within its image and category, 0 the best.
        outside: (D, A) bool, its own area is out of the range: it does not count where it takes no truth.
        near: (C,) int64 ascending, the detections that reach the lowest threshold with some truth. Only these can take one.
        took: (C, A, T) bool, it took a truth.
        took_ignored: (C, A, T) bool, one that is not to be counted.
    """

    row: np.ndarray
    rank: np.ndarray
    outside: np.ndarray
    near: np.ndarray
    took: np.ndarray
    took_ignored: np.ndarray

    def right(self, threshold: int = 0, area: int = 0) -> np.ndarray:
        """(D,) bool, true positives at one threshold and area range."""
        right = np.zeros(len(self.row), dtype=bool)
        right[self.near] = self.took[:, area, threshold] & ~self.took_ignored[:, area, threshold]
        return right

    def wrong(self, threshold: int = 0, area: int = 0) -> np.ndarray:
        """(D,) bool, false positives. What is neither right nor wrong is ignored."""
        wrong = ~self.outside[:, area]
        wrong[self.near] &= ~self.took[:, area, threshold]
        return wrong


def match_all(inputs: EvalInputs) -> Matches:
    """Greedy COCO matching of every image and category."""
    found, crowd = inputs.found, inputs.truths.crowd
    row = by_category_image_score(inputs)
    key = group_keys(inputs, found)[row]
    rank = rank_in_group(key)
    if len(rank) and rank.max() >= MAX_DETECTIONS[-1]:
        counts = rank < MAX_DETECTIONS[-1]
        row, key, rank = row[counts], key[counts], rank[counts]
    low, high = np.array(list(AREA_RANGES.values())).T  # (A,), (A,)
    outside = (found.area[row, None] < low) | (found.area[row, None] > high)
    pairs = near_pairs(inputs, row, IOU_THRESHOLDS[0], crowd=crowd)
    near = pairs.found[pairs.starts()]
    took, took_ignored = greedy_rounds(pairs, rank_in_group(key[near]), ~counted_truths(inputs.truths), crowd)
    return Matches(row, rank, outside, near, took, took_ignored)


def by_category_image_score(inputs: EvalInputs) -> np.ndarray:
    """Rows of `inputs.found` by category, then image, then descending score; ties keep file order: every sort is stable."""
    found = inputs.found
    order = np.argsort(-found.score, kind="stable")
    for column, count in ((found.image, len(inputs.images)), (found.category, len(inputs.categories))):
        small = column.astype(np.uint16) if count <= 1 << 16 else column  # 16 bits are sorted by counting, ten times as fast
        order = order[np.argsort(small[order], kind="stable")]
    return order


def counted_truths(truths: Truths) -> np.ndarray:
    """(G, A) bool, truths that have to be found: no crowd, and of an area in the range."""
    low, high = np.array(list(AREA_RANGES.values())).T
    return ~truths.crowd[:, None] & (truths.area[:, None] >= low) & (truths.area[:, None] <= high)


def greedy_rounds(pairs: Pairs, turn: np.ndarray, truth_ignored: np.ndarray, crowd: np.ndarray):
    """Match the best detection of every image, then the second best, and so on.

    Args:
        pairs: what each of the C detections can take.
        turn: (C,) int64, the round of each.
        truth_ignored: (G, A) bool.
        crowd: (G,) bool.

    Returns:
        took, took_ignored: (C, A, T) bool.
    """
    state = (truth_ignored.shape[1], len(IOU_THRESHOLDS))
    took, took_ignored = np.zeros((2, len(turn), *state), dtype=bool)
    taken = np.zeros((len(crowd), *state), dtype=bool)
    first = pairs.starts()
    candidates = np.diff(first, append=len(pairs))
    number = np.repeat(np.arange(len(turn)), candidates)  # each pair's detection among the C
    by_turn = np.argsort(np.repeat(turn, candidates), kind="stable")
    rounds = np.cumsum(np.bincount(np.repeat(turn, candidates)))
    for chosen in np.split(by_turn, rounds[:-1]) if len(rounds) else []:
        now = pairs.select(chosen)
        first = now.starts()
        best = _best_free(now, first, taken, truth_ignored, crowd)  # (S, A, T)
        hit = best > 0
        _, area, threshold = np.nonzero(hit)
        taken[now.truth[(best[hit] - 1) % len(now)], area, threshold] = True
        took[number[chosen[first]]] = hit
        took_ignored[number[chosen[first]]] = hit & (best <= len(now))
    return took, took_ignored


def _best_free(pairs: Pairs, first: np.ndarray, taken: np.ndarray, truth_ignored: np.ndarray, crowd: np.ndarray) -> np.ndarray:
    """For each detection (its pairs begin at `first`): (S, A, T), the truth it takes. 0: none. 1..P: that of pair 1..P, to be ignored.

    P+1..2P: that of pair 1..P, and it counts. So the largest number is the right choice: a truth that counts before one to ignore,
    then the higher IoU, then, where IoU is equal, the later truth.
    """
    free = ~taken[pairs.truth] | crowd[pairs.truth, None, None]  # (P, A, T): any number of detections may lie in one crowd
    allowed = free & (pairs.iou[:, None, None] >= IOU_THRESHOLDS)
    number = np.arange(1, len(pairs) + 1, dtype=np.int32)[:, None] + np.int32(len(pairs)) * ~truth_ignored[pairs.truth]  # (P, A)
    return np.maximum.reduceat(np.where(allowed, number[:, :, None], np.int32(0)), first, axis=0)
