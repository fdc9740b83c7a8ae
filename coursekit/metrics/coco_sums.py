"""COCO's precision and recall from the matches of all images: the second half of the vectorised twin of `coco.py`.

Recall grows only where a truth is found, and precision falls everywhere else, so the best precision at a recall or beyond is that of
some true positive. Most detections lie near nothing: of those it is enough to know how many came before.
"""

import numpy as np

from .coco import IOU_THRESHOLDS, MAX_DETECTIONS, RECALL_POINTS
from .coco_fast import Matches, counted_truths
from .inputs import EvalInputs


def accumulate_all(inputs: EvalInputs, matches: Matches) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Precision (T, R, K, A, M), recall (T, K, A, M) and score (T, R, K, A, M) as pycocotools has them; -1 where there is no truth."""
    counted = counted_truths(inputs.truths)  # (G, A)
    sizes = len(inputs.categories), counted.shape[1], len(MAX_DETECTIONS), len(RECALL_POINTS), len(IOU_THRESHOLDS)
    precision, scores, recall = np.full(sizes, -1.0), np.full(sizes, -1.0), np.full((*sizes[:3], sizes[4]), -1.0)
    score, category = inputs.found.score[matches.row], inputs.found.category[matches.row]
    edges = np.searchsorted(category, np.arange(sizes[0] + 1))
    verdicts = Verdicts(matches)
    for k in range(sizes[0]):
        num_truths = counted[inputs.truths.category == k].sum(axis=0)  # (A,)
        rows = edges[k] + np.argsort(-score[edges[k] : edges[k + 1]], kind="stable")  # ties: images by id, then as within the image
        for m, most in enumerate(MAX_DETECTIONS):
            best = rows[matches.rank[rows] < most]
            found, wrong, place = verdicts.running(best)
            reached = np.append(score[best][place], 0.0)  # the last one: a recall that is never reached
            for a in np.flatnonzero(num_truths):
                precision[k, a, m], at = precision_at_recall(found[:, a], wrong[:, a], needed(num_truths[a]))
                scores[k, a, m] = reached[at]
                scores[k, a, m, 0] = score[best[0]] if len(best) else 0.0  # recall 0 is reached by the first, right or wrong
                recall[k, a, m] = found[-1, a] / num_truths[a] if len(found) else 0.0
    return precision.transpose(4, 3, 0, 1, 2), recall.transpose(3, 0, 1, 2), scores.transpose(4, 3, 0, 1, 2)


class Verdicts:
    """Running counts of what is right and wrong, in any order of the detections, for some of the area ranges."""

    def __init__(self, matches: Matches, areas=slice(None)):
        self.number = np.full(len(matches.row), -1)  # of each detection among those that can take a truth
        self.number[matches.near] = np.arange(len(matches.near))
        self.alone = ~matches.outside[:, areas] & (self.number < 0)[:, None]  # (D, A) wrong at every threshold
        self.right = matches.took[:, areas] & ~matches.took_ignored[:, areas]  # (C, A, T)
        self.wrong = ~matches.took[:, areas] & ~matches.outside[matches.near][:, areas, None]

    def running(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """At each of the n detections among `rows` (best first) that can take a truth.

        Returns:
            right and wrong ones so far, this one included (n, A, T), and its place in `rows` (n,).
        """
        place = np.flatnonzero(self.number[rows] >= 0)
        near = self.number[rows[place]]
        before = np.cumsum(self.alone[rows], axis=0, dtype=np.int32)[place]
        wrong = np.cumsum(self.wrong[near], axis=0, dtype=np.int32)
        return np.cumsum(self.right[near], axis=0, dtype=np.int32), wrong + before[:, :, None], place


def needed(num_truths: int) -> np.ndarray:
    """(R,) how many truths have to be found for each of the 101 recalls, as floating point counts: found / truths >= recall."""
    return np.searchsorted(np.arange(num_truths + 1) / num_truths, RECALL_POINTS, side="left")


def precision_at_recall(found: np.ndarray, wrong: np.ndarray, needed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The best precision at each recall or beyond.

    Args:
        found, wrong: (n, T) running counts, at n detections in descending order of score.
        needed: (R,) how many must be found.

    Returns:
        precision (R, T), 0 where the recall is never reached; which of the n reaches it (R, T), n where none does.
    """
    count, columns = found.shape
    precision = found / (found + wrong + np.spacing(1))  # the tiny number: 0 / 0 before anything counts
    best = np.zeros((count + 1, columns))
    np.maximum.accumulate(precision[::-1], axis=0, out=best[-2::-1])
    apart = np.arange(columns) * (count + 1)  # one sorted list of all columns: each is as far from the next as it is long
    at = np.searchsorted((found + apart).T.ravel(), np.minimum(needed, count + 1)[:, None] + apart, side="left")
    at = np.minimum(at - np.arange(columns) * count, count)
    return np.take_along_axis(best, at, axis=0), at
