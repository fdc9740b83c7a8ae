"""Which detections lie near which truths: every pair of an image whose IoU reaches a threshold. Shared by all evaluators.

A key is one number for each group within which boxes may meet: (category, image), or the image alone where classes may mix.
"""

from dataclasses import dataclass

import numpy as np

from .inputs import EvalInputs


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
        return np.flatnonzero(np.r_[True, self.found[1:] != self.found[:-1]]) if len(self) else np.zeros(0, np.int64)

    def select(self, which: np.ndarray) -> "Pairs":
        """Some of them, by mask or index."""
        return Pairs(self.found[which], self.truth[which], self.iou[which])


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
    start = np.searchsorted(truth_key[by_key], found_key, side="left")
    count = np.searchsorted(truth_key[by_key], found_key, side="right") - start
    position = np.repeat(np.arange(len(order)), count)
    within = np.arange(len(position)) - np.repeat(np.cumsum(count) - count, count)
    truth = by_key[start[position] + within]
    iou = paired_iou(found.xywh[order[position]], truths.xywh[truth], crowd[truth])
    near = np.flatnonzero((iou >= at_least) & (iou > 0))
    near = near[np.lexsort((truth[near], iou[near], position[near]))]
    return Pairs(position[near], truth[near], iou[near])


def paired_iou(found: np.ndarray, truth: np.ndarray, crowd: np.ndarray) -> np.ndarray:
    """IoU of row n with row n, (P, 4) and (P, 4) in xywh -> (P,). Of a crowd: the share of the detection that lies in it."""
    size = np.minimum(found[:, :2] + found[:, 2:], truth[:, :2] + truth[:, 2:]) - np.maximum(found[:, :2], truth[:, :2])
    overlap = np.where((size > 0).all(axis=1), size[:, 0] * size[:, 1], 0.0)
    area, truth_area = found[:, 2] * found[:, 3], truth[:, 2] * truth[:, 3]
    union = np.where(crowd, area, area + truth_area - overlap)
    return np.divide(overlap, union, out=np.zeros_like(overlap), where=overlap > 0)
