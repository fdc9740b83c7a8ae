"""Exercises of notebook 20_map: matching, ranking, the curve. The sums are in n20_map_sums.py, the whole in n20_map_whole.py."""

import numpy as np
import torch

from coursekit.exercises.core import Close, Exact, Exercise, Misconception
from coursekit.metrics import steps


def floats(*rows, columns=None):
    """A float64 array; with `columns` also of no rows."""
    array = np.array(rows, dtype=np.float64)
    return array if columns is None else array.reshape(-1, columns)


def flags(text):
    """ "101" as [True, False, True]."""
    return np.array([letter == "1" for letter in text], dtype=bool)


# match_detections


def match_cases(generator):
    """(label, arguments) for match_detections: one rule a case."""
    yield "one fits", (floats([0.2, 0.8]), 0.5)
    yield "none fits", (floats([0.2, 0.4]), 0.5)
    yield "exactly the threshold", (floats([0.5]), 0.5)
    yield "two detections, one truth: the better-scored one has it", (floats([0.6], [0.9]), 0.5)
    yield "three detections, one truth", (floats([0.7], [0.8], [0.6]), 0.5)
    yield "the best is taken, the next best will do", (floats([0.9, 0.0], [0.8, 0.6]), 0.5)
    yield "the next best will not do", (floats([0.9, 0.0], [0.8, 0.4]), 0.5)
    yield "two truths with equal IoU", (floats([0.7, 0.7]), 0.5)
    yield "two truths with equal IoU, then one more detection", (floats([0.7, 0.7, 0.1], [0.6, 0.9, 0.2]), 0.5)
    yield "the first takes less than it could leave", (floats([0.6, 0.55], [0.95, 0.1]), 0.5)
    yield "a stricter threshold", (floats([0.7, 0.2], [0.1, 0.8]), 0.75)
    yield "a threshold below a half", (floats([0.35, 0.1], [0.2, 0.3]), 0.3)
    yield "no detections", (np.zeros((0, 2)), 0.5)
    yield "no truths", (np.zeros((2, 0)), 0.5)
    for size in ((4, 3), (3, 5), (6, 4)):
        yield "random, in steps of a tenth", (torch.randint(0, 11, size, generator=generator).double().numpy() / 10, 0.5)
    yield "random", (torch.rand(5, 5, generator=generator, dtype=torch.float64).numpy(), 0.3)


def _match(iou, threshold, strict=False, reuse=False, only_best=False, first=False):
    """The right matching, with rules to get wrong."""
    free, choice = np.ones(iou.shape[1], dtype=bool), np.full(len(iou), -1)
    for d in range(len(iou)):
        allowed = np.ones_like(free) if reuse or only_best else free
        values = np.where(allowed, iou[d], -1.0)
        if not len(values):
            continue
        best = values.max()
        g = int(np.flatnonzero(values == best)[0 if first else -1])
        enough = best > threshold if strict else best >= threshold
        if enough and (free[g] or reuse):
            choice[d], free[g] = g, False
    return choice


def _match_with(**rules):
    def wrong(iou, threshold):
        return _match(iou, threshold, **rules)

    return wrong


def match_truth_by_truth(iou, threshold):
    choice = np.full(len(iou), -1)
    for g in range(iou.shape[1]):
        values = np.where(choice < 0, iou[:, g], -1.0)
        if len(values) and values.max() >= threshold:
            choice[values.argmax()] = g
    return choice


def match_best_pairs_first(iou, threshold):
    choice, left = np.full(len(iou), -1), iou.copy()
    while left.size and left.max() >= threshold:
        d, g = np.unravel_index(left.argmax(), left.shape)
        choice[d] = g
        left[d, :] = left[:, g] = -1.0
    return choice


def match_without_threshold(iou, threshold):
    return _match(iou, 0.0)


def match_says_yes_or_no(iou, threshold):
    return (_match(iou, threshold) >= 0).astype(np.int64)


match_detections = Exercise(
    name="20.match_detections",
    reference=steps.match_detections,
    cases=match_cases,
    compare=Exact(),
    points=3,
    twins=(
        "coursekit.metrics.coco.match_image",
        "coursekit.metrics.coco_fast.match_all",
        "coursekit.metrics.match_table.match_table",
        "coursekit.metrics.protocols.match",
        "pycocotools.cocoeval.COCOeval",
    ),
    misconceptions=[
        Misconception(
            "reuse",
            wrong=_match_with(reuse=True, first=True),  # as people write it: argmax
            hint="Two detections took the same truth. The first one has it; for the second it is gone. What remembers that?",
        ),
        Misconception(
            "only-the-best",
            wrong=_match_with(only_best=True, first=True),
            hint="The truth with the highest IoU was taken, and you gave up. That is Pascal VOC's rule. COCO looks among those still free.",
        ),
        Misconception(
            "strictly-greater",
            wrong=_match_with(strict=True),
            hint="A detection whose IoU equals the threshold was turned away. `>=` is enough.",
        ),
        Misconception(
            "first-of-equals",
            wrong=_match_with(first=True),
            hint="Two free truths have the same IoU and you took the first, as `argmax` does. COCO says `>=` best so far: the later wins.",
        ),
        Misconception(
            "truth-by-truth",
            wrong=match_truth_by_truth,
            hint="Each truth chose its detection. It is the other way round: the detections choose, best score first.",
        ),
        Misconception(
            "best-pairs-first",
            wrong=match_best_pairs_first,
            hint="You began with the highest IoU of all. The order is by score: row 0 chooses first, even if row 1 fits better.",
        ),
        Misconception(
            "no-threshold",
            wrong=match_without_threshold,
            hint="A truth was taken whose IoU is below the threshold. Who overlaps too little takes nothing: -1.",
        ),
        Misconception(
            "yes-or-no",
            wrong=match_says_yes_or_no,
            hint="You answered 1 and 0. Return which truth (its column), and -1 for none: later we ask which truths nobody found.",
        ),
    ],
    hints=[
        "Keep an array `free`, one True for each truth. Go through the rows in order.",
        "For one row: the largest IoU among the free columns. Is it at least the threshold? Then that column is no longer free.",
        "Loop over columns: `if free[g] and iou[d, g] >= best:` gives the later of two equals by itself. `best` starts at the threshold.",
    ],
)


# rank: the planted bug


def rank_cases(generator):
    """(label, arguments) for rank."""
    yield "three scores", (floats(0.2, 0.9, 0.5),)
    yield "two equal scores keep their order", (floats(0.95, 0.3, 0.95),)
    yield "all equal", (floats(0.5, 0.5, 0.5, 0.5),)
    yield "a cycle: the order is not the ranks", (floats(0.3, 0.9, 0.1, 0.6),)
    yield "scores of 0 and 1", (floats(0.0, 1.0, 0.0, 1.0),)
    yield "one", (floats(0.7),)
    yield "none", (np.zeros(0),)
    yield "100 detections, 4 different scores", (torch.randint(1, 5, (100,), generator=generator).double().numpy() / 5,)
    yield "random", (torch.rand(8, generator=generator, dtype=torch.float64).numpy(),)


def rank_reversed(scores):
    return np.argsort(scores)[::-1]


def rank_ascending(scores):
    return np.argsort(scores, kind="stable")


def rank_places(scores):
    return np.argsort(steps.rank(scores), kind="stable")


def rank_sorted_scores(scores):
    return np.sort(scores)[::-1]


ranking = Exercise(
    name="20.rank",
    reference=steps.rank,
    cases=rank_cases,
    compare=Exact(),
    misconceptions=[
        Misconception(
            "reversed",
            wrong=rank_reversed,
            hint="Sorting upwards and turning the list round also turns equal scores round. Which sort goes downwards by itself?",
        ),
        Misconception(
            "ascending", wrong=rank_ascending, hint="The worst detection comes first. What could you sort instead of the scores?"
        ),
        Misconception(
            "places",
            wrong=rank_places,
            hint="You gave each detection its place. We want the order: which detection is first, which second.",
        ),
        Misconception(
            "sorted-scores", wrong=rank_sorted_scores, hint="Those are the scores, sorted. We want indices: boxes must be sorted along."
        ),
    ],
    hints=[
        "What happens to two equal scores when a list is turned round?",
        '`np.argsort` sorts upwards. Sort the negative scores, and ask for a sort that keeps equal ones in order: `kind="stable"`.',
    ],
)


# pr_curve


def curve_cases(generator):
    """(label, arguments) for pr_curve."""
    yield "right, wrong, right; 4 to find", (flags("101"), 4)
    yield "wrong first", (flags("011"), 2)
    yield "all right, all found", (flags("111"), 3)
    yield "one right of five to find", (flags("1"), 5)
    yield "nothing right", (flags("000"), 2)
    yield "nothing said", (flags(""), 3)
    for count in (6, 9):
        right = (torch.rand(count, generator=generator) < 0.5).numpy()
        yield "random", (right, int(right.sum()) + 2)


def curve_over_found(right, num_truths):
    hits = np.cumsum(right)
    with np.errstate(invalid="ignore"):
        return hits / right.sum(), hits / np.arange(1, len(hits) + 1)


def curve_over_all_said(right, num_truths):
    hits = np.cumsum(right)
    return hits / num_truths, hits / max(len(hits), 1)


def curve_swapped(right, num_truths):
    recall, precision = steps.pr_curve(right, num_truths)
    return precision, recall


def curve_counts_from_zero(right, num_truths):
    hits = np.cumsum(right)
    return hits / num_truths, hits / np.maximum(np.arange(len(hits)), 1)


def curve_not_summed(right, num_truths):
    return right / num_truths, right / np.arange(1, len(right) + 1)


pr_curve = Exercise(
    name="20.pr_curve",
    reference=steps.pr_curve,
    cases=curve_cases,
    compare=Close(rtol=1e-9, atol=1e-12),
    points=2,
    twins=(
        "sklearn.metrics.precision_recall_curve",
        "sklearn.metrics.roc_curve",
        "coursekit.metrics.ranking.pr_curve",
        "coursekit.metrics.ranking.roc_curve",
        "coursekit.metrics.ranking._counts",
        "coursekit.metrics.match_table.match_table",
    ),
    misconceptions=[
        Misconception(
            "over-the-found",
            wrong=curve_over_found,
            hint="Recall reached 1 although objects were missed. Divide by all there is to find, not by what was found.",
        ),
        Misconception(
            "over-all-said",
            wrong=curve_over_all_said,
            hint="Precision after the first detection knew about the later ones. After k detections, divide by k.",
        ),
        Misconception("swapped", wrong=curve_swapped, hint="The values are right, but precision came first. Return recall, precision."),
        Misconception(
            "from-zero",
            wrong=curve_counts_from_zero,
            hint="Precision was above 1. After the first detection one has been said, not zero.",
        ),
        Misconception(
            "not-summed",
            wrong=curve_not_summed,
            hint="Each detection was counted alone. After k detections, all hits up to there count: a running sum.",
        ),
    ],
    hints=[
        "After k detections: how many of them were right? `np.cumsum` counts along.",
        "Recall divides the running hits by `num_truths`, precision by 1, 2, 3, ...",
    ],
)
