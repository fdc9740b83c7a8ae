"""Notebook 20: an evaluator that is somebody else's is refused however it is reached; right answers written otherwise pass."""

import contextlib
import io
import itertools
import math
from bisect import bisect_left

import numpy as np
import pytest
import sklearn.metrics
import torch

from coursekit.exercises.core import find
from coursekit.exercises.verdict import judge
from coursekit.metrics import coco, coco_fast, coco_sums, detection, errors, match_table, protocols, ranking, steps, voc
from coursekit.metrics.coco_json import to_coco
from coursekit.metrics.inputs import from_samples

# --- borrowed


def matched_by_image(iou, threshold):
    none = np.zeros(iou.shape[1], dtype=bool)
    return coco.match_image(iou, none, none, threshold)


def matched_by_protocols(iou, threshold):
    right = protocols.match(iou, threshold)
    return np.where(right, iou.argmax(axis=1) if iou.size else -1, -1)


def strips(iou):
    """Boxes whose IoU are these: one truth, one detection a number; only for tables of one column."""
    truth = np.array([[0.0, 0, 100, 1]] * iou.shape[1])
    return truth, np.array([[0.0, 0, 100 * (row.max(initial=0.0) or 1e-3), 1] for row in iou]).reshape(-1, 4)


def matched_by_the_table(iou, threshold):
    truth, boxes = strips(iou)
    image = {"truth": truth, "boxes": boxes, "scores": np.linspace(1, 0.5, len(iou))}
    return np.array([row.truth if row.right else -1 for row in match_table.match_table({"a": image}, threshold)], dtype=int)


def one_image(iou):
    truth, boxes = strips(iou)
    target = {"boxes": truth, "labels": np.zeros(len(truth), int)}
    return [target], [{"boxes": boxes, "labels": np.zeros(len(boxes), int), "scores": np.linspace(1, 0.5, len(boxes))}]


def matched_by_the_evaluator(iou, threshold):
    result = detection.evaluate_samples(*one_image(iou), ["thing"])
    return np.where(result.matches.right(), 0, -1)


def matched_by_match_all(iou, threshold):
    return np.where(coco_fast.match_all(from_samples(*one_image(iou), ["thing"])).right(), 0, -1)


def by_pycocotools(inputs):
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    truth, found = to_coco(inputs)
    with contextlib.redirect_stdout(io.StringIO()):
        reference = COCO()
        reference.dataset = truth
        reference.createIndex()
        evaluation = COCOeval(reference, reference.loadRes(found), "bbox")
        evaluation.evaluate(), evaluation.accumulate(), evaluation.summarize()
    return evaluation


def matched_by_pycocotools(iou, threshold):
    evaluation = by_pycocotools(from_samples(*one_image(iou), ["thing"]))
    return np.asarray(evaluation.evalImgs[0]["dtMatches"][0]).astype(int) - 1


def falling(count):
    return np.linspace(1, 0.1, count)


def curve_of(library):
    """Recall and precision after each detection, from a library's curve of a list with falling scores."""

    def curve(right, num_truths):
        precision, recall, _ = library(right, falling(len(right)))
        precision, recall = precision[::-1][1:], recall[::-1][1:]
        return recall * right.sum() / num_truths, precision

    return curve


def curve_of_ours(right, num_truths):
    recall, precision, _ = ranking.pr_curve(right, falling(len(right)))
    return recall * right.sum() / num_truths, precision


def curve_of_roc(roc_curve):
    def curve(right, num_truths):
        alarms, hits, _ = roc_curve(right, falling(len(right)))
        hits, alarms = hits[1:] * right.sum(), np.nan_to_num(alarms[1:]) * (~right).sum()
        return hits / num_truths, hits / (hits + alarms)

    return curve


def curve_of_the_table(right, num_truths):
    images = {
        str(n): {"truth": [[0, 0, 1, 1]] if hit else [], "boxes": [[0, 0, 1, 1]], "scores": [1 - n / 100]} for n, hit in enumerate(right)
    }
    images["missed"] = {"truth": [[0, 0, 1, 1]] * (num_truths - int(right.sum())), "boxes": [], "scores": []}
    rows = match_table.match_table(images)
    return np.array([row.recall for row in rows]), np.array([row.precision for row in rows])


def flags_of(recall, precision):
    """Right and wrong, and how many truths, back from a curve."""
    right = np.diff(recall, prepend=0.0) > 0
    return right, ~right, round(1 / np.diff(recall, prepend=0.0)[right].min()) if right.any() else 1


def points_by_interpolation(recall, precision, points):
    heights = coco.interpolated_precision(*flags_of(recall, precision))[0]
    return float(heights[np.round(points * 100).astype(int)].mean())


def points_by_sums(recall, precision, points):
    right, wrong, count = flags_of(recall, precision)
    heights, _ = coco_sums.precision_at_recall(right, wrong, coco_sums.needed(count))
    return float(np.mean(heights))


def area_of_envelope(recall, precision):
    return float(np.sum(np.diff(recall, prepend=0.0) * steps.envelope(precision)))


def area_by_sklearn(recall, precision):
    right, _, count = flags_of(recall, precision)
    return sklearn.metrics.average_precision_score(right, falling(len(right))) * right.sum() / count if right.any() else 0.0


def area_by_ranking(recall, precision):
    right, _, count = flags_of(recall, precision)
    return ranking.average_precision(right, falling(len(right))) * right.sum() / count if right.any() else 0.0


def samples(images):
    targets = [{"boxes": i["truth"], "labels": i["truth_labels"]} for i in images]
    return targets, [{"boxes": i["boxes"], "labels": i["labels"], "scores": i["scores"]} for i in images]


def names(count):
    return [str(k) for k in range(count)]


def map_by_plain_coco(images, num_classes):
    precision, recall, _ = coco.evaluate(from_samples(*samples(images), names(num_classes)))
    return coco.summarise(precision, recall)["AP"]


def map_by_classes(images, num_classes):
    rows = detection.evaluate_samples(*samples(images), names(num_classes)).per_class
    return float(np.mean([row["AP"] for row in rows if row["AP"] >= 0]))


def map_by_protocols(images, num_classes):
    return float(np.mean([protocols.mean_ap(images, num_classes, threshold=t) for t in np.linspace(0.5, 0.95, 10)]))


def error_of_three_numbers(iou, same, taken):
    return errors._type_of(*(iou[which].max(initial=0.0) for which in (same & ~taken, same & taken, ~same)))


def error_by_the_report(iou, same, taken):
    result = detection.evaluate_samples(
        [{"boxes": np.zeros((0, 4)), "labels": []}], [{"boxes": [[0, 0, 1, 1]], "labels": [0], "scores": [1]}], ["a"]
    )
    return str(errors.analyse_errors(result).kind[0])


BORROWED = {
    "20.match_detections": [
        steps.match_detections,
        lambda iou, t: steps.match_detections(iou.copy(), t),
        matched_by_image,
        matched_by_protocols,
        matched_by_the_table,
        matched_by_the_evaluator,
        matched_by_match_all,
        matched_by_pycocotools,
    ],
    "20.rank": [steps.rank, lambda s: steps.rank(s), lambda s: steps.rank(s.tolist()), lambda s: np.array(steps.rank(s))],
    "20.pr_curve": [
        lambda r, n: steps.pr_curve(r, n),
        lambda r, n: steps.pr_curve(r.tolist(), float(n)),
        curve_of(lambda *given: sklearn.metrics.precision_recall_curve(*given)),
        curve_of(sklearn.metrics.precision_recall_curve),
        curve_of_ours,
        curve_of_roc(lambda *given: sklearn.metrics.roc_curve(*given, drop_intermediate=False)),
        curve_of_roc(ranking.roc_curve),
        curve_of_the_table,
    ],
    "20.ap_at_points": [
        lambda r, p, at: steps.ap_at_points(r, p, at),
        lambda r, p, at: protocols.step_points(r, p, at),
        lambda r, p, at: voc.average_precision(r, p, "voc2007"),
        lambda r, p, at: float(np.mean([steps.ap_at_points(r, p, [one]) for one in at])),
        points_by_interpolation,
        points_by_sums,
        lambda r, p, at: protocols.READINGS["101 points"](r, p),
        lambda r, p, at: protocols.READINGS["11 points"](r, p),
    ],
    "20.ap_area": [
        lambda r, p: steps.ap_area(r, p),
        lambda r, p: protocols.READINGS["area"](r, p),
        lambda r, p: voc.average_precision(r, p, "voc2010"),
        area_of_envelope,
        lambda r, p: float(np.diff(np.append(0, r)) @ steps.envelope(p)),
        lambda r, p: protocols.trapezoids(r, p),
        area_by_sklearn,
        area_by_ranking,
    ],
    "20.coco_map": [
        lambda i, n: steps.coco_map(i, n),
        lambda i, n: detection.evaluate_samples(*samples(i), names(n)).summary["AP"],
        lambda i, n: detection.evaluate_inputs(from_samples(*samples(i), names(n))).summary["AP"],
        lambda i, n: detection.coco_evaluate(*to_coco(from_samples(*samples(i), names(n)))).summary["AP"],
        lambda i, n: float(by_pycocotools(from_samples(*samples(i), names(n))).stats[0]),
        map_by_plain_coco,
        map_by_classes,
        map_by_protocols,
    ],
    "20.error_type": [
        lambda *given: errors.error_type(*given),
        error_of_three_numbers,
        lambda iou, same, taken: str(errors.error_type(iou, same, taken)),
        error_by_the_report,
    ],
}


@pytest.mark.parametrize(("name", "answer"), [(n, a) for n, answers in BORROWED.items() for a in answers])
def test_it_is_refused(name, answer):
    verdict = judge(find(name), answer)
    assert verdict.status == "refused", verdict


# --- right, and written otherwise


def match_by_dictionary(iou, threshold):
    taken, choice = {}, []
    for row in iou.tolist():
        fits = [(value, g) for g, value in enumerate(row) if value >= threshold and g not in taken]
        choice.append(max(fits)[1] if fits else -1)
        taken |= {choice[-1]: True} if fits else {}
    return np.array(choice, dtype=np.int64)


def match_by_blanking(iou, threshold):
    left, choice = iou.astype(float), np.full(len(iou), -1)
    for d in range(len(iou)):
        if left.shape[1] and left[d].max() >= threshold:
            choice[d] = np.flatnonzero(left[d] == left[d].max())[-1]
            left[:, choice[d]] = -np.inf
    return choice


def match_by_reversing(iou, threshold):
    free, choice = list(range(iou.shape[1])), []
    for d in range(iou.shape[0]):
        best = max(reversed(free), key=lambda g: iou[d, g], default=None)  # the first that max meets is the later one
        ok = best is not None and not iou[d, best] < threshold
        choice.append(best if ok else -1)
        if ok:
            free.remove(best)
    return np.asarray(choice, int)


def match_by_calling_itself(iou, threshold):
    def rest(d, free):
        if d == len(iou):
            return []
        fits = sorted((iou[d, g], g) for g in free if iou[d, g] >= threshold)
        g = fits[-1][1] if fits else -1
        return [g, *rest(d + 1, free - {g})]

    return np.array(rest(0, frozenset(range(iou.shape[1]))), dtype=np.int32)


def match_by_lexsort(iou, threshold):
    free, choice = np.ones(iou.shape[1], bool), np.repeat(-1, len(iou))
    for d, row in enumerate(iou):
        for g in np.lexsort((np.arange(len(row)), row))[::-1]:
            if free[g]:
                if row[g] >= threshold:
                    choice[d], free[g] = g, False
                break
    return choice


def rank_by_insertion(scores):
    order = []
    for i, score in enumerate(scores):
        place = next((k for k, j in enumerate(order) if scores[j] < score), len(order))
        order.insert(place, i)
    return np.array(order, dtype=np.int64)


def curve_by_accumulating(right, num_truths):
    hits = list(itertools.accumulate(map(int, right)))
    return np.array([h / num_truths for h in hits], float), np.array([h / k for k, h in enumerate(hits, 1)], float)


def envelope_by_hand(precision):
    return [max(precision[k:]) for k in range(len(precision))]


def area_by_segments(recall, precision):
    total, before = 0.0, 0.0
    for r, height in zip(recall.tolist(), envelope_by_hand(precision.tolist()), strict=True):
        total, before = total + (r - before) * height, r
    return total


def area_from_the_end(recall, precision):
    best = total = 0.0
    for k in range(len(recall) - 1, -1, -1):
        best = max(best, precision[k])
        total += (recall[k] - (recall[k - 1] if k else 0.0)) * best
    return total


def area_with_sentinels(recall, precision):
    r, p = np.r_[0.0, recall, 1.0], np.r_[0.0, precision, 0.0]
    for k in range(len(p) - 2, -1, -1):
        p[k] = max(p[k], p[k + 1])
    changed = np.flatnonzero(r[1:] != r[:-1])
    return np.sum((r[changed + 1] - r[changed]) * p[changed + 1])


def area_by_staircase(recall, precision):
    if len(recall) == 0:
        return 0.0
    top = np.array(envelope_by_hand(list(precision)))
    x = np.concatenate([[0.0], np.repeat(recall, 2)[:-1]])
    return float(np.trapezoid(np.repeat(top, 2), x))


def area_by_the_distinct(recall, precision):
    levels = sorted(set(recall.tolist()) | {0.0})
    return math.fsum((b - a) * max(p for r, p in zip(recall, precision, strict=True) if r >= b) for a, b in itertools.pairwise(levels))


def points_by_loop(recall, precision, points):
    total = 0.0
    for point in points:
        reached = [p for r, p in zip(recall, precision, strict=True) if r >= point]
        total += max(reached) if reached else 0
    return total / len(points)


def points_by_search(recall, precision, points):
    top = np.append(np.maximum.accumulate(np.flip(precision))[::-1], 0)
    return float(top[np.searchsorted(recall, points)].mean())


def points_by_table(recall, precision, points):
    if not len(recall):
        return 0.0
    return np.where(recall[None] >= np.asarray(points)[:, None], precision[None], 0).max(axis=1).mean()


def points_by_bisection(recall, precision, points):
    top, recall = [*envelope_by_hand(precision.tolist()), 0.0], recall.tolist()
    return math.fsum(top[bisect_left(recall, p)] for p in points.tolist()) / len(points)


def points_in_torch(recall, precision, points):
    reached = torch.from_numpy(recall)[None] >= torch.from_numpy(points)[:, None]
    heights = torch.where(reached, torch.from_numpy(precision)[None], 0.0)
    return (torch.cat([heights, torch.zeros(len(points), 1)], 1).amax(1)).mean().item()


def map_by_loops(images, num_classes):
    cells = []
    for hundredths in range(50, 100, 5):
        for label in range(num_classes):
            value = steps.class_ap(images, label, hundredths / 100)
            if value == value:
                cells.append(value)
    return sum(cells) / len(cells)


def map_class_by_class(images, num_classes):
    there = set(np.concatenate([one["truth_labels"] for one in images]).tolist())
    return float(np.mean([np.mean([steps.class_ap(images, k, t) for t in np.linspace(0.5, 0.95, 10)]) for k in there if k < num_classes]))


def map_by_nanmean(images, num_classes):
    table = [[steps.class_ap(images, k, t) for k in range(num_classes)] for t in 0.5 + 0.05 * np.arange(10)]
    return np.nanmean(table)


def map_of_means(images, num_classes):
    rows = np.array([[steps.class_ap(images, k, t) for k in range(num_classes)] for t in np.linspace(0.5, 0.95, 10)])
    return float(np.nanmean(np.nanmean(rows, axis=1)))


def map_in_torch(images, num_classes):
    table = torch.tensor([[steps.class_ap(images, k, float(t)) for t in np.linspace(0.5, 0.95, 10)] for k in range(num_classes)])
    return torch.nanmean(table.double()).item()


def error_by_loops(iou, same, taken):
    kinds = {"mine": 0.0, "gone": 0.0, "other": 0.0}
    for value, own, has in zip(iou, same, taken, strict=True):
        for kind, fits in (("mine", own), ("gone", own and has), ("other", not own)):
            kinds[kind] = max(kinds[kind], value) if fits else kinds[kind]
    if kinds["gone"] >= 0.5:
        return "duplicate"
    if kinds["other"] >= 0.5:
        return "classification"
    return "localisation" if kinds["mine"] >= 0.1 else "both" if kinds["other"] >= 0.1 else "background"


def error_by_any(iou, same, taken):
    on, near = iou >= 0.5, iou >= 0.1
    tests = [("duplicate", on & same & taken), ("classification", on & ~same), ("localisation", near & same), ("both", near & ~same)]
    return next((name for name, hits in tests if hits.any()), "background")


def error_by_match(iou, same, taken):
    gone, own, other = (max([0.0, *iou[which]]) for which in (np.logical_and(same, taken), same, np.logical_not(same)))
    match tuple(map(bool, (gone >= 0.5, other >= 0.5, own >= 0.1, other >= 0.1))):
        case True, _, _, _:
            return "duplicate"
        case _, True, _, _:
            return "classification"
        case _, _, True, _:
            return "localisation"
        case _, _, _, True:
            return "both"
    return "background"


def error_by_where(iou, same, taken):
    own, other = np.where(same, iou, 0), np.where(same, 0, iou)
    gone = np.where(taken, own, 0)
    places = [np.max(x, initial=0) >= t for x, t in ((gone, 0.5), (other, 0.5), (own, 0.1), (other, 0.1))] + [True]
    return ["duplicate", "classification", "localisation", "both", "background"][places.index(True)]


def error_from_the_bottom(iou, same, taken):
    answer = "background"
    if (iou[~same] >= 0.1).any():
        answer = "both"
    if (iou[same] >= 0.1).any():
        answer = "localisation"
    if (iou[~same] >= 0.5).any():
        answer = "classification"
    if (iou[same & taken] >= 0.5).any():
        answer = "duplicate"
    return answer


RIGHT = {
    "20.match_detections": [match_by_dictionary, match_by_blanking, match_by_reversing, match_by_calling_itself, match_by_lexsort],
    "20.rank": [
        lambda s: np.array(sorted(range(len(s)), key=lambda i: -s[i]), dtype=int),
        lambda s: np.lexsort((np.arange(len(s)), -s)),
        lambda s: torch.argsort(torch.from_numpy(s), descending=True, stable=True).numpy(),
        lambda s: len(s) - 1 - np.argsort(s[::-1], kind="stable")[::-1],
        rank_by_insertion,
    ],
    "20.pr_curve": [
        lambda r, n: (np.cumsum(r) / n, np.cumsum(r) / np.cumsum(np.ones(len(r)))),
        lambda r, n: [np.array([value(r[:k]) for k in range(1, len(r) + 1)]) for value in (lambda x: x.sum() / n, np.mean)],
        curve_by_accumulating,
        lambda r, n: (np.add.accumulate(r.astype(float)) / n, np.add.accumulate(r.astype(float)) / (1 + np.arange(r.size))),
        lambda r, n: [(np.tri(len(r)) @ r) / n, (np.tri(len(r)) @ r) / (np.indices(r.shape)[0] + 1)],
    ],
    "20.ap_at_points": [points_by_loop, points_by_search, points_by_table, points_by_bisection, points_in_torch],
    "20.ap_area": [area_by_segments, area_from_the_end, area_with_sentinels, area_by_staircase, area_by_the_distinct],
    "20.coco_map": [map_by_loops, map_class_by_class, map_by_nanmean, map_of_means, map_in_torch],
    "20.error_type": [error_by_loops, error_by_any, error_by_match, error_by_where, error_from_the_bottom],
}


@pytest.mark.parametrize(("name", "answer"), [(n, a) for n, answers in RIGHT.items() for a in answers])
def test_it_passes(name, answer):
    verdict = judge(find(name), answer)
    assert verdict.passed, verdict
