"""Exercises of notebook 06_measuring: how far off a number is, and which class is taken for which.

Precision, recall and F1 are in n06_measuring_ratios.py, what goes by scores in n06_measuring_scores.py.
"""

import numpy as np
import torch

from coursekit.exercises.core import Close, Exact, Exercise, Misconception
from coursekit.metrics import classification, regression


def floats(*values):
    return np.array(values, dtype=np.float64)


def ints(*values):
    return np.array(values, dtype=np.int64)


# --- mape


def mape_cases(generator):
    """(label, arguments) for mape: every rule about 0 and about signs, and numbers whose shares are easy to read."""
    yield "five signs, by hand", (floats(2, 4, 10, 20, 50), floats(3, 4, 8, 22, 40))
    yield "twice as much", (floats(2.0), floats(4.0))
    yield "half as much", (floats(4.0), floats(2.0))
    yield "0 predicted as 0", (floats(0, 2), floats(0, 1))
    yield "0 predicted as something", (floats(0, 2), floats(1, 2))
    yield "0 predicted as nearly 0", (floats(0, 5), floats(1e-9, 5))
    yield "a truth below 0", (floats(-4, 5), floats(-2, 5))
    yield "too much here, too little there", (floats(10, 10), floats(12, 8))
    yield "a truth of 1", (floats(1, 3), floats(2, 3))
    yield "near 0", (floats(0.01, 10), floats(0.5, 10))
    yield "all right", (floats(3, 7), floats(3, 7))
    for _ in range(3):
        truth, predicted = (torch.rand(2, 6, generator=generator, dtype=torch.float64) * 20 - 8).numpy()
        yield "random", (truth, predicted)


def _mape(truth, predicted, below=np.abs, above=np.abs, zero_as_zero=0.0):
    """The right one, with one thing at a time to get wrong."""
    error = above(predicted - truth)
    share = np.where(error == 0, zero_as_zero, np.inf)
    there = truth != 0
    share[there] = error[there] / below(truth[there])
    return float(share.mean())


def mape_over_predicted(truth, predicted):
    return _mape(predicted, truth)


def mape_in_percent(truth, predicted):
    return 100 * regression.mape(truth, predicted)


def mape_with_signs(truth, predicted):
    return _mape(truth, predicted, above=np.asarray)


def mape_over_signed_truth(truth, predicted):
    return _mape(truth, predicted, below=np.asarray)


def mape_without_zeros(truth, predicted):
    there = truth != 0
    return float((np.abs(predicted - truth)[there] / np.abs(truth[there])).mean())


def mape_with_epsilon(truth, predicted):
    return float((np.abs(predicted - truth) / np.maximum(np.abs(truth), np.finfo(np.float64).eps)).mean())


def mape_of_sums(truth, predicted):
    total = np.abs(truth).sum()
    return float(np.abs(predicted - truth).sum() / total) if total else np.inf


def mape_zero_over_zero(truth, predicted):
    return _mape(truth, predicted, zero_as_zero=np.nan)


mape_exercise = Exercise(
    name="06.mape",
    reference=regression.mape,
    cases=mape_cases,
    compare=Close(rtol=1e-6, atol=1e-9),
    points=2,
    twins=("sklearn.metrics.mean_absolute_percentage_error",),
    misconceptions=[
        Misconception(
            "over-the-predicted",
            wrong=mape_over_predicted,
            hint="You divided by what was predicted. A percentage of *what*? Of the truth: it is what we wanted to hit.",
        ),
        Misconception(
            "in-percent",
            wrong=mape_in_percent,
            hint="Your result is 100 times ours. Return a share: 0.2 stands for 20 %.",
        ),
        Misconception(
            "signs-cancel",
            wrong=mape_with_signs,
            hint="20 % too much and 20 % too little gave 0 together. Which letter of MAPE keeps errors from cancelling?",
        ),
        Misconception(
            "truth-with-its-sign",
            wrong=mape_over_signed_truth,
            hint="A truth below 0 gave a share below 0. How large is -4, whatever its sign?",
        ),
        Misconception(
            "zeros-left-out",
            wrong=mape_without_zeros,
            hint="You left out the samples whose truth is 0, so any nonsense is free there. "
            "They count: 0 if 0 was predicted, else infinite.",
        ),
        Misconception(
            "epsilon",
            wrong=mape_with_epsilon,
            hint="You put a tiny number in place of 0, as scikit-learn does, and got an error of sixteen digits. "
            "The rule here says plainly what it is: infinite.",
        ),
        Misconception(
            "ratio-of-sums",
            wrong=mape_of_sums,
            hint="You divided the sum of errors by the sum of truths, so large values speak loudest. "
            "First each sample's own share, then their mean.",
        ),
        Misconception(
            "zero-over-zero",
            wrong=mape_zero_over_zero,
            hint="0 predicted as 0 gave NaN, and one NaN makes the mean NaN. It was predicted rightly: what should it cost?",
        ),
    ],
    hints=[
        "Three steps: |truth - predicted|, divided by |truth|, then the mean. First make it right without zeros.",
        "Begin with an array for the zeros, `np.where(error == 0, 0.0, np.inf)`, and overwrite it where `truth != 0`.",
    ],
)


# --- confusion_matrix


def confusion_cases(generator):
    """(label, arguments) for confusion_matrix: pairs that repeat, mistakes one way only, classes that do not occur."""
    yield "no samples", (ints(), ints(), 2)
    yield "all right, each class once", (ints(0, 1, 2), ints(0, 1, 2), 3)
    yield "a 0 called 1", (ints(0), ints(1), 2)
    yield "the same pair three times", (ints(1, 1, 1), ints(0, 0, 0), 2)
    yield "a class that occurs nowhere, in the middle", (ints(0, 2, 2), ints(0, 2, 0), 3)
    yield "the last class occurs nowhere", (ints(0, 1), ints(1, 1), 3)
    yield "ten signs, by hand", (ints(0, 0, 0, 0, 0, 1, 1, 1, 2, 2), ints(0, 0, 0, 1, 2, 1, 1, 0, 2, 1), 3)
    yield "one class", (ints(0, 0), ints(0, 0), 1)
    for classes in (2, 4, 6):
        truth, predicted = torch.randint(0, classes, (2, 15), generator=generator).numpy()
        yield "random", (truth, predicted, classes)


def confusion_repeats_once(truth, predicted, classes):
    matrix = np.zeros((classes, classes), dtype=np.int64)
    matrix[truth, predicted] += 1
    return matrix


def confusion_truth_in_columns(truth, predicted, classes):
    return classification.confusion_matrix(predicted, truth, classes)


def confusion_as_shares(truth, predicted, classes):
    matrix = classification.confusion_matrix(truth, predicted, classes)
    return matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)


def confusion_of_those_that_occur(truth, predicted, classes):
    labels = np.unique(np.concatenate([truth, predicted]))
    return classification.confusion_matrix(np.searchsorted(labels, truth), np.searchsorted(labels, predicted), max(len(labels), 1))


def confusion_only_the_right(truth, predicted, classes):
    return np.diag(np.diag(classification.confusion_matrix(truth, predicted, classes)))


def confusion_in_floats(truth, predicted, classes):
    return classification.confusion_matrix(truth, predicted, classes).astype(np.float64)


confusion_exercise = Exercise(
    name="06.confusion_matrix",
    reference=classification.confusion_matrix,
    cases=confusion_cases,
    compare=Exact(),
    points=2,
    twins=("sklearn.metrics.confusion_matrix", "skimage.metrics.contingency_table"),
    misconceptions=[
        Misconception(
            "repeats-count-once",
            wrong=confusion_repeats_once,
            hint="A pair that occurs three times was counted once. `matrix[truth, predicted] += 1` reads every cell, adds 1 and writes, "
            "all at the same time. What adds one after the other?",
        ),
        Misconception(
            "truth-in-the-columns",
            wrong=confusion_truth_in_columns,
            hint="Your matrix is ours, mirrored: the truth stands in your columns. Here the row is the truth: which index comes first?",
        ),
        Misconception(
            "shares-not-counts",
            wrong=confusion_as_shares,
            hint="You returned shares of each row. We want counts: from them shares can always be made, and not the other way round.",
        ),
        Misconception(
            "only-classes-that-occur",
            wrong=confusion_of_those_that_occur,
            hint="A class that does not occur here lost its row and column. The size comes from `classes`, "
            "not from the data, so that two matrices can be added.",
        ),
        Misconception(
            "only-the-right-ones",
            wrong=confusion_only_the_right,
            hint="Only right answers were counted. The wrong ones are what the matrix is for: they stand off the diagonal.",
        ),
        Misconception(
            "floats",
            wrong=confusion_in_floats,
            hint="The numbers are right and the dtype is not: `np.zeros` gives floats, and counts are whole. `dtype=np.int64`.",
        ),
    ],
    hints=[
        "Begin with (classes, classes) whole zeros, and walk through both lists together with `zip`.",
        "For truth t and prediction p one is added to `matrix[t, p]`.",
    ],
)
