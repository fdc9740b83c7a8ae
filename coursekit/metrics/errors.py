"""Why AP was lost. Taught in notebook 20_map.

Every wrong detection gets one type, and every truth that nothing explains is missed. The types are those of TIDE (Bolya et al. 2020,
arXiv 2008.08115). Where several fit, the first of this list is taken:

1. `duplicate`: the right class on the right place, but a better-scored detection has the truth already
2. `classification`: on a truth of another class
3. `localisation`: near a truth of its class, not near enough
4. `both`: near a truth of another class
5. `background`: near nothing

Near is an IoU of at least 0.1, on is one of at least 0.5. What each type costs is measured by mending it and nothing else: AP after minus
AP before. The costs do not add up to 1 - AP, since mending one thing can make another matter.
"""

from dataclasses import dataclass

import numpy as np

from .coco import interpolated_precision
from .detection import CocoResult
from .pairs import Pairs, near_pairs

ERROR_TYPES = ("classification", "localisation", "both", "duplicate", "background", "missed")
ON, NEAR = 0.5, 0.1


def error_type(iou: np.ndarray, same: np.ndarray, taken: np.ndarray) -> str:
    """Type of one wrong detection.

    Args:
        iou: (G,) its IoU with every truth of its image.
        same: (G,) bool, the truth is of its class.
        taken: (G,) bool, a right detection has the truth already.
    """
    return _type_of(iou[same & ~taken].max(initial=0.0), iou[same & taken].max(initial=0.0), iou[~same].max(initial=0.0))


def _type_of(same_free: float, same_taken: float, other: float) -> str:
    """From the best IoU with a truth of its class that is free, of its class that is taken, and of another class."""
    if same_taken >= ON:
        return "duplicate"
    if other >= ON:
        return "classification"
    if max(same_free, same_taken) >= NEAR:
        return "localisation"
    return "both" if other >= NEAR else "background"


@dataclass(frozen=True)
class ErrorReport:
    """Why AP50 was lost.

    Args:
        ap: AP50 before anything is mended.
        count: type -> how many detections (for `missed`: truths).
        cost: type -> AP50 if this alone were mended, minus `ap`.
        kind: (D,) type of each detection in the order of `CocoResult.matches`; "" where it is right or does not count.
        missed: (M,) int64, rows of `EvalInputs.truths` that nothing explains.
    """

    ap: float
    count: dict[str, int]
    cost: dict[str, float]
    kind: np.ndarray
    missed: np.ndarray


def analyse_errors(result: CocoResult) -> ErrorReport:
    """Types, counts and costs at IoU 0.5, for objects of every size and up to 100 detections an image and class."""
    inputs, matches = result.inputs, result.matches
    truths, found = inputs.truths, inputs.found
    right, wrong = matches.right(), matches.wrong()
    pairs = near_pairs(inputs, matches.row, NEAR, by_class=False)
    pairs = pairs.select(~truths.crowd[pairs.truth])
    taken = _taken_truths(result, right)
    same = found.category[matches.row[pairs.found]] == truths.category[pairs.truth]
    free = ~taken[pairs.truth]
    best = [_best(pairs.select(which), len(wrong)) for which in (same & free, same & ~free, ~same)]
    ious = np.array([iou for iou, _ in best])
    kind = np.array([_type_of(*ious[:, d]) if wrong[d] else "" for d in range(len(wrong))], dtype=object)

    explained = np.zeros(len(truths), dtype=bool)
    target = np.select([kind == "classification", kind == "localisation"], [best[2][1], best[0][1]], -1)
    explained[target[target >= 0]] = True
    missed = np.flatnonzero(~truths.crowd & ~taken & ~explained)
    count = {name: int((kind == name).sum()) for name in ERROR_TYPES[:-1]} | {"missed": len(missed)}
    before = _mean_ap(result, right, wrong, found.category[matches.row])
    cost = {name: _mend(result, right, wrong, kind, target, taken, missed, name) - before for name in ERROR_TYPES}
    return ErrorReport(before, count, cost, kind, missed)


def _taken_truths(result: CocoResult, right: np.ndarray) -> np.ndarray:
    """(G,) bool, a right detection has this truth. Greedy matching once more, of the right detections alone: the same choice."""
    truths = result.inputs.truths
    pairs = near_pairs(result.inputs, result.matches.row, ON)
    pairs = pairs.select(~truths.crowd[pairs.truth] & right[pairs.found])
    taken = np.zeros(len(truths), dtype=bool)
    for d in np.split(np.arange(len(pairs)), pairs.starts()[1:]) if len(pairs) else []:
        free = d[~taken[pairs.truth[d]]]
        if len(free):
            taken[pairs.truth[free[-1]]] = True  # pairs ascend in IoU: the last that is free is the best
    return taken


def _best(pairs: Pairs, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Best IoU of each detection and the truth it is with; 0 and -1 where there is no pair."""
    iou, truth = np.zeros(count), np.full(count, -1)
    iou[pairs.found], truth[pairs.found] = pairs.iou, pairs.truth  # ascending: the last assignment is the best
    return iou, truth


def _mend(result, right, wrong, kind, target, taken, missed, name) -> float:
    """Mean AP50 after one type of error is mended."""
    truths, category = result.inputs.truths, result.inputs.found.category[result.matches.row].copy()
    right, wrong, fewer = right.copy(), wrong.copy(), np.zeros(len(truths), dtype=bool)
    if name == "missed":
        fewer[missed] = True
        return _mean_ap(result, right, wrong, category, fewer)
    chosen = np.flatnonzero(kind == name)
    wrong[chosen] = False
    if name in ("classification", "localisation"):  # put right: the best-scored one gets its truth, the others fall away
        score = result.inputs.found.score[result.matches.row]
        used = taken.copy()
        for d in chosen[np.argsort(-score[chosen], kind="stable")]:
            if target[d] >= 0 and not used[target[d]]:
                used[target[d]] = right[d] = True
                category[d] = truths.category[target[d]]
    return _mean_ap(result, right, wrong, category, fewer)


def _mean_ap(result: CocoResult, right, wrong, category, fewer=None) -> float:
    """Mean over classes of the 101-point AP for these verdicts; -1 if no class has anything to find.

    `fewer` are truths that need not be found any more; a class left with none counts as 1.
    """
    truths, score = result.inputs.truths, result.inputs.found.score[result.matches.row]
    values = []
    for k in range(len(result.inputs.categories)):
        mine = ~truths.crowd & (truths.category == k)
        num_truths = int((mine if fewer is None else mine & ~fewer).sum())
        if mine.any() and not num_truths:
            values.append(1.0)
        elif num_truths:
            rows = np.flatnonzero(category == k)
            rows = rows[np.argsort(-score[rows], kind="stable")]
            values.append(interpolated_precision(right[rows], wrong[rows], num_truths)[0].mean())
    return float(np.mean(values)) if values else -1.0
