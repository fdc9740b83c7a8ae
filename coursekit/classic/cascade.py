"""Boosted stumps and a cascade that says no early. Taught in notebook 15_classic.

>>> stage = train_stage(values, is_face, stumps=5, keep=0.99)
>>> stage.passes(values)

Source: Freund and Schapire, "A Decision-Theoretic Generalization of On-Line Learning", 1997 (AdaBoost); Viola and Jones 2001 (cascade).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True)
class Stage:
    """A weighted vote of stumps, each of which asks one feature: is it above a threshold?

    Args:
        features: (T,) which column each stump reads.
        thresholds: (T,).
        signs: (T,) +1: above means face; -1: below does.
        votes: (T,) the weight of each stump, positive.
        least: the sum of votes that a window needs to pass.
    """

    features: np.ndarray
    thresholds: np.ndarray
    signs: np.ndarray
    votes: np.ndarray
    least: float = 0.0

    def score(self, values: np.ndarray) -> np.ndarray:
        """(N, F) values of features -> (N,) sums of votes, each + for face and - against."""
        says = np.where(values[:, self.features] > self.thresholds, self.signs, -self.signs)
        return says @ self.votes

    def passes(self, values: np.ndarray) -> np.ndarray:
        """(N, F) -> (N,) true where a window may go on."""
        return self.score(values) >= self.least


def best_stump(order: np.ndarray, ranked: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> tuple[int, float, int, float]:
    """The one question with the least weighted error: (feature, threshold, sign, error).

    Args:
        order: (N, F), the samples sorted by each feature, smallest value first. ranked: (N, F), these values.
        labels: (N,) +1 or -1. weights: (N,), summing to 1.
    """
    signed = (weights * labels)[order]  # (N, F), from the smallest value up
    below = signed.cumsum(axis=0)  # faces minus others, of weight, up to each place
    # "above is face" is wrong about the faces below and the others above
    wrong = weights[labels < 0].sum() + below
    wrong[:-1][ranked[:-1] == ranked[1:]] = 0.5  # equal values cannot be told apart
    best = np.abs(wrong - 0.5).argmax()
    row, feature = np.unravel_index(best, wrong.shape)
    sign = 1 if wrong[row, feature] < 0.5 else -1
    upper = ranked[row + 1, feature] if row + 1 < len(ranked) else ranked[row, feature]
    threshold = (ranked[row, feature] + upper) / 2
    return int(feature), float(threshold), sign, float(min(wrong[row, feature], 1 - wrong[row, feature]))


def adaboost(values: np.ndarray, is_face: np.ndarray, stumps: int) -> Stage:
    """A vote of ``stumps`` stumps, each trained on what the ones before it got wrong.

    Args:
        values: (N, F) features. is_face: (N,) true/false; both must occur.

    Raises:
        ValueError: if there are no faces, or nothing else.
    """
    labels = np.where(is_face, 1, -1)
    if abs(labels.sum()) == len(labels):
        raise ValueError(f"is_face must hold both true and false, got {int(is_face.sum())} true of {len(labels)}")
    order = values.argsort(axis=0, kind="stable")
    ranked = np.take_along_axis(values, order, axis=0)
    weights = np.where(labels > 0, 0.5 / (labels > 0).sum(), 0.5 / (labels < 0).sum())  # faces and others weigh the same
    found = []
    for _ in range(stumps):
        feature, threshold, sign, error = best_stump(order, ranked, labels, weights)
        vote = 0.5 * np.log((1 - error) / max(error, 1e-6))
        found.append((feature, threshold, sign, vote))
        says = np.where(values[:, feature] > threshold, sign, -sign)
        weights = weights * np.exp(-vote * labels * says)  # what was wrong weighs more now
        weights /= weights.sum()
    features, thresholds, signs, votes = (np.array(column) for column in zip(*found, strict=True))
    return Stage(features, thresholds, signs, votes)


def train_stage(values: np.ndarray, is_face: np.ndarray, stumps: int, keep: float) -> Stage:
    """AdaBoost, then the threshold set so that a share ``keep`` of the faces passes: a stage may let others through, hardly lose a face."""
    stage = adaboost(values, is_face, stumps)
    least = np.quantile(stage.score(values[is_face]), 1 - keep, method="lower")
    return replace(stage, least=float(least))


def survivors(stages: Sequence[Stage], values: np.ndarray) -> np.ndarray:
    """(S + 1, N) true where a window is still in after 0, 1, ... S stages; what is out stays out."""
    alive = [np.ones(len(values), dtype=bool)]
    for stage in stages:
        alive.append(alive[-1] & stage.passes(values))
    return np.stack(alive)
