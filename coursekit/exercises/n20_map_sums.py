"""Exercises of notebook 20_map: from a curve to one number, at points and by area."""

import numpy as np
import torch

from coursekit.exercises.core import Close, Exercise, Misconception
from coursekit.exercises.n20_map import flags, floats
from coursekit.metrics import steps

ELEVEN, HUNDRED = np.linspace(0, 1, 11), np.linspace(0, 1, 101)


def _curve(text, num_truths):
    return steps.pr_curve(flags(text), num_truths)


def _random_curves(generator, count):
    for _ in range(count):
        right = (torch.rand(9, generator=generator) < 0.6).numpy()
        yield steps.pr_curve(right, int(right.sum()) + int(torch.randint(0, 3, (1,), generator=generator)))


# ap_at_points


def points_cases(generator):
    """(label, arguments) for ap_at_points."""
    yield "one step down, 11 points", (*_curve("101", 2), ELEVEN)
    yield "half is never found", (*_curve("1", 2), ELEVEN)
    yield "the precision rises again", (*_curve("0111", 3), ELEVEN)
    yield "recall lies exactly on a point", (*_curve("1011", 4), np.linspace(0, 1, 5))
    yield "everything right", (*_curve("111", 3), HUNDRED)
    yield "nothing right", (*_curve("00", 2), ELEVEN)
    yield "nothing said", (*_curve("", 2), ELEVEN)
    yield "up and down, 101 points", (*_curve("110100101", 6), HUNDRED)
    yield "three points", (floats(0.25, 0.5, 0.5, 0.75), floats(1, 1, 2 / 3, 0.75), floats(0, 0.5, 1))
    for recall, precision in _random_curves(generator, 3):
        yield "random", (recall, precision, HUNDRED)


def points_without_envelope(recall, precision, points):
    values = [precision[recall >= point][:1].sum() for point in points]  # the first that reaches the point
    return float(np.mean(values))


def points_strictly(recall, precision, points):
    return float(np.mean([precision[recall > point].max(initial=0.0) for point in points]))


def points_only_reached(recall, precision, points):
    values = [precision[recall >= point].max() for point in points if (recall >= point).any()]
    return float(np.mean(values)) if values else 0.0


def points_interpolated(recall, precision, points):
    if not len(recall):
        return 0.0
    return float(np.mean(np.interp(points, recall, precision)))


def points_looks_back(recall, precision, points):
    return float(np.mean([precision[recall <= point].max(initial=0.0) for point in points]))


def points_always_eleven(recall, precision, points):
    return steps.ap_at_points(recall, precision, ELEVEN)


ap_at_points = Exercise(
    name="20.ap_at_points",
    reference=steps.ap_at_points,
    cases=points_cases,
    compare=Close(rtol=1e-9, atol=1e-12),
    points=2,
    twins=(
        "coursekit.metrics.voc.average_precision",
        "coursekit.metrics.coco.interpolated_precision",
        "coursekit.metrics.coco_sums.precision_at_recall",
        "coursekit.metrics.protocols.step_points",
    ),
    misconceptions=[
        Misconception(
            "no-envelope",
            wrong=points_without_envelope,
            hint="You read the precision where the point is reached. Later, at a higher recall, it is better: take the best from there on.",
        ),
        Misconception(
            "strictly-greater",
            wrong=points_strictly,
            hint="A recall that is exactly the point was not counted. At recall 1 nothing is left then. `>=`.",
        ),
        Misconception(
            "only-the-reached",
            wrong=points_only_reached,
            hint="Points of recall that were never reached were left out of the mean, so missing objects costs nothing. They count as 0.",
        ),
        Misconception(
            "straight-lines",
            wrong=points_interpolated,
            hint="You drew straight lines between the measured points. No detector ever gave those values; the curve is made of steps.",
        ),
        Misconception(
            "looks-back",
            wrong=points_looks_back,
            hint="You took the best precision at a lower recall. The question is what you can have at this recall or more.",
        ),
        Misconception(
            "always-eleven",
            wrong=points_always_eleven,
            hint="You asked at eleven points whatever `points` says. COCO hands over 101.",
        ),
    ],
    hints=[
        "For one point: which detections have reached that recall? The best precision among them. None? Then 0.",
        "`precision[recall >= point].max(initial=0.0)` is the value at one point. AP is the mean over points.",
    ],
)


# ap_area


def area_cases(generator):
    """(label, arguments) for ap_area."""
    yield "one step down", _curve("101", 2)
    yield "half is never found", _curve("1", 2)
    yield "the precision rises again", _curve("0111", 3)
    yield "wrong ones in between", _curve("1001", 2)
    yield "everything right", _curve("111", 3)
    yield "nothing right", _curve("00", 2)
    yield "nothing said", _curve("", 2)
    yield "up and down", _curve("110100101", 6)
    for recall, precision in _random_curves(generator, 4):
        yield "random", (recall, precision)


def area_without_envelope(recall, precision):
    return float(np.sum(np.diff(recall, prepend=0.0) * precision))


def area_trapezoid(recall, precision):
    if not len(recall):
        return 0.0
    return float(np.trapezoid(np.concatenate([precision[:1], precision]), np.concatenate([[0.0], recall])))


def area_without_first_step(recall, precision):
    return float(np.sum(np.diff(recall) * steps.envelope(precision)[1:]))


def area_from_the_left(recall, precision):
    return float(np.sum(np.diff(recall, prepend=0.0) * np.maximum.accumulate(precision)))


def area_not_turned_back(recall, precision):
    return float(np.sum(np.diff(recall, prepend=0.0) * np.maximum.accumulate(precision[::-1])))


def area_mean_of_precision(recall, precision):
    return float(np.mean(precision)) if len(precision) else 0.0


def area_of_the_reached(recall, precision):
    last = recall[-1] if len(recall) else 0.0
    return steps.ap_area(recall, precision) / last if last else 0.0


ap_area = Exercise(
    name="20.ap_area",
    reference=steps.ap_area,
    cases=area_cases,
    compare=Close(rtol=1e-9, atol=1e-12),
    points=2,
    twins=(
        steps.envelope,  # the exercise asks for it
        "coursekit.metrics.voc.average_precision",
        "sklearn.metrics.average_precision_score",
        "coursekit.metrics.ranking.average_precision",
    ),
    misconceptions=[
        Misconception(
            "no-envelope",
            wrong=area_without_envelope,
            hint="The saw teeth are still there. Before summing, raise each precision to the best one from there on.",
        ),
        Misconception(
            "trapezoid",
            wrong=area_trapezoid,
            hint="You joined the points by slanted lines. The curve is made of steps: width of the step times its height.",
        ),
        Misconception(
            "first-step-lost",
            wrong=area_without_first_step,
            hint="The step from recall 0 to the first recall is missing. `np.diff` gives one number fewer than it got.",
        ),
        Misconception(
            "from-the-left",
            wrong=area_from_the_left,
            hint="You raised precision to the best one *before*. It must be the best one from here on: accumulate from the right.",
        ),
        Misconception(
            "not-turned-back",
            wrong=area_not_turned_back,
            hint="You turned the precisions round and left them so: the first width meets the last height. Turn them back with `[::-1]`.",
        ),
        Misconception(
            "mean-of-precision",
            wrong=area_mean_of_precision,
            hint="That is the mean over detections. A false positive adds no recall: it gets a width of 0.",
        ),
        Misconception(
            "of-the-reached",
            wrong=area_of_the_reached,
            hint="You divided by the recall that was reached, so what was never found costs nothing. The axis goes to 1.",
        ),
    ],
    hints=[
        "Each detection is one step: as wide as recall grows there, as high as the best precision from there on.",
        "`np.maximum.accumulate` goes from the left. Turn the array round, accumulate, turn it back.",
        "`np.diff(recall, prepend=0.0)` are the widths.",
    ],
)
