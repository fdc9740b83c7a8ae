"""Which detections lie near which truths: every pair of an image whose IoU reaches a threshold. Shared by all evaluators.

A key is one number for each group within which boxes may meet: (category, image), or the image alone where classes may mix.
"""

from dataclasses import dataclass

import numpy as np

from .inputs import EvalInputs

CHUNK = 1 << 15  # pairs whose arrays fit the processor's cache: twice as fast as all at once, and a tenth of the memory


@dataclass(frozen=True)
class Pairs:
    """Pairs of a detection and a truth.

    Args:
        found: (P,) int64, position in the order of detections that was asked for; ascending.
        truth: (P,) int64, row in `EvalInputs.truths`.
        iou: (P,) float64; ascending within a detection, truth order where equal: the last is the best.
    """

    found: np.ndarray
    truth: np.ndarray
    iou: np.ndarray

    def __len__(self) -> int:
        return len(self.found)

    def starts(self) -> np.ndarray:
        """Where the pairs of each detection begin."""
        return starts(self.found)

    def select(self, which: np.ndarray) -> "Pairs":
        """Some of them, by mask or index."""
        return Pairs(self.found[which], self.truth[which], self.iou[which])


def starts(key: np.ndarray) -> np.ndarray:
    """Where each group of equal neighbours begins, (N,) -> (groups,)."""
    new = np.ones(len(key), dtype=bool)
    np.not_equal(key[1:], key[:-1], out=new[1:])
    return np.flatnonzero(new)


def rank_in_group(key: np.ndarray) -> np.ndarray:
    """Place of each row in its group of equal neighbours, 0 the first, (N,) -> (N,) int64."""
    first = starts(key)
    return np.arange(len(key)) - np.repeat(first, np.diff(first, append=len(key)))


def group_keys(inputs: EvalInputs, rows, by_class: bool = True) -> np.ndarray:
    """(N,) int64, one number for each (category, image), or for each image, of `inputs.truths` or `inputs.found`."""
    return rows.category * len(inputs.images) + rows.image if by_class else rows.image


def near_pairs(inputs: EvalInputs, order: np.ndarray, at_least: float, by_class: bool = True, crowd: np.ndarray | None = None) -> Pairs:
    """All pairs with an IoU of at least `at_least`, and above 0.

    Args:
        order: (D,) int64, rows of `inputs.found` in the order that `Pairs.found` counts.
        by_class: only pairs of the same category.
        crowd: (G,) bool, truths whose IoU is the share of the detection that lies in them. Default: none.
    """
    truths, found = inputs.truths, inputs.found
    crowd = np.zeros(len(truths), dtype=bool) if crowd is None else crowd
    found_key, truth_key = group_keys(inputs, found, by_class)[order], group_keys(inputs, truths, by_class)
    by_key = np.argsort(truth_key, kind="stable")  # stable: within an image, file order
    first = np.searchsorted(truth_key[by_key], found_key, side="left")
    count = np.searchsorted(truth_key[by_key], found_key, side="right") - first
    position = np.repeat(np.arange(len(order)), count)
    truth = by_key[np.arange(len(position)) + np.repeat(first - np.cumsum(count) + count, count)]
    near, ious = [np.zeros(0, np.int64)], [np.zeros(0)]
    for begin in range(0, len(position), CHUNK):
        these = slice(begin, begin + CHUNK)
        iou = paired_iou(found.xywh[order[position[these]]], truths.xywh[truth[these]], crowd[truth[these]])
        hit = np.flatnonzero((iou >= at_least) & (iou > 0))
        near.append(begin + hit)
        ious.append(iou[hit])
    chosen, iou = np.concatenate(near), np.concatenate(ious)
    pairs = Pairs(position[chosen], truth[chosen], iou)
    return pairs.select(np.lexsort((pairs.truth, pairs.iou, pairs.found)))


def paired_iou(found: np.ndarray, truth: np.ndarray, crowd: np.ndarray) -> np.ndarray:
    """IoU of row n with row n, (P, 4) and (P, 4) in xywh -> (P,). Of a crowd: the share of the detection that lies in it."""
    x, y, width, height = found.T
    truth_x, truth_y, truth_width, truth_height = truth.T
    across = np.minimum(x + width, truth_x + truth_width) - np.maximum(x, truth_x)
    down = np.minimum(y + height, truth_y + truth_height) - np.maximum(y, truth_y)
    overlap = np.where((across > 0) & (down > 0), across * down, 0.0)
    area = width * height
    union = np.where(crowd, area, area + truth_width * truth_height - overlap)
    return np.divide(overlap, union, out=np.zeros_like(overlap), where=overlap > 0)
