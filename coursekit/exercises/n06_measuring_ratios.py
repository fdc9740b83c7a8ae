"""Exercises of notebook 06_measuring on precision, recall and F1; and an evaluation that averages wrongly (the planted bug)."""

import numpy as np
import torch

from coursekit.exercises.core import Close, Exercise, Misconception
from coursekit.metrics import classification

from .n06_measuring import ints

# --- precision_recall_f1


def scores_cases(generator):
    """(label, arguments) for precision_recall_f1: matrices in which rows and columns differ, and every way to divide by 0."""

    def matrix(*rows):
        return np.array(rows, dtype=np.int64)

    yield "ten signs, by hand", (matrix([3, 1, 1], [1, 2, 0], [0, 1, 1]),)
    yield "90 against 10", (matrix([86, 4], [2, 8]),)
    yield "all right", (matrix([4, 0], [0, 1]),)
    yield "the second class is never predicted", (matrix([3, 0], [2, 0]),)
    yield "the second class never occurs", (matrix([3, 1], [0, 0]),)
    yield "the second class neither occurs nor is predicted", (matrix([1, 0], [0, 0]),)
    yield "all wrong", (matrix([0, 2], [3, 0]),)
    yield "no samples", (matrix([0, 0], [0, 0]),)
    yield "one class", (matrix([7]),)
    for classes in (3, 4):
        yield "random", (torch.randint(0, 9, (classes, classes), generator=generator).numpy(),)


def _over(above, below, otherwise=0.0):
    return np.where(below == 0, otherwise, above / np.where(below == 0, 1, below))


def _harmonic(precision, recall, factor=2.0):
    return _over(factor * precision * recall, precision + recall)


def prf_swapped(matrix):
    recall, precision, f1 = classification.precision_recall_f1(matrix)
    return precision, recall, f1


def prf_nan(matrix):
    right, said, there = np.diag(matrix), matrix.sum(axis=0), matrix.sum(axis=1)
    return right / said, right / there, 2 * right / (said + there)


def prf_nan_in_f1(matrix):
    precision, recall, _ = classification.precision_recall_f1(matrix)
    return precision, recall, 2 * precision * recall / (precision + recall)


def prf_plain_mean(matrix):
    precision, recall, _ = classification.precision_recall_f1(matrix)
    return precision, recall, (precision + recall) / 2


def prf_without_the_two(matrix):
    precision, recall, _ = classification.precision_recall_f1(matrix)
    return precision, recall, _harmonic(precision, recall, factor=1.0)


def prf_over_all(matrix):
    _, recall, _ = classification.precision_recall_f1(matrix)
    precision = _over(np.diag(matrix), matrix.sum())
    return precision, recall, _harmonic(precision, recall)


def prf_one_where_undefined(matrix):
    right, said, there = np.diag(matrix), matrix.sum(axis=0), matrix.sum(axis=1)
    precision, recall = _over(right, said, 1.0), _over(right, there, 1.0)
    return precision, recall, _harmonic(precision, recall)


def prf_averaged(matrix):
    return classification.averaged(matrix, "macro")


prf_exercise = Exercise(
    name="06.precision_recall_f1",
    reference=classification.precision_recall_f1,
    cases=scores_cases,
    compare=Close(rtol=1e-9, atol=1e-12),
    points=3,
    twins=("sklearn.metrics.precision_recall_fscore_support",),
    misconceptions=[
        Misconception(
            "precision-and-recall-swapped",
            wrong=prf_swapped,
            hint="Precision and recall changed places. All that was *called* a class is a column, all that *is* one is a row: "
            "which of the two does precision divide by?",
        ),
        Misconception(
            "nan-where-undefined",
            wrong=prf_nan,
            hint="0 / 0 gave NaN, and the mean over classes would be NaN with it. By the rule above it is 0: make the divisor at least 1.",
        ),
        Misconception(
            "nan-in-f1",
            wrong=prf_nan_in_f1,
            hint="Precision and recall are right, also where they are 0. But if both are, F1 is 0 / 0 = NaN: it needs the same care.",
        ),
        Misconception(
            "plain-mean",
            wrong=prf_plain_mean,
            hint="You took the plain mean of the two. F1 is their harmonic mean: it stays near the smaller one.",
        ),
        Misconception(
            "without-the-two",
            wrong=prf_without_the_two,
            hint="Your F1 is half of ours. With precision = recall = 1 it should be 1; what is yours?",
        ),
        Misconception(
            "over-all-samples",
            wrong=prf_over_all,
            hint="Your precision divides by all samples. Of those that were *called* this class, how many are?",
        ),
        Misconception(
            "one-where-undefined",
            wrong=prf_one_where_undefined,
            hint="A class that was never predicted got precision 1 from you. One may argue so, but then a model that never names a class "
            "looks perfect at it. The rule here says 0.",
        ),
        Misconception(
            "averaged-too-soon",
            wrong=prf_averaged,
            hint="You returned means over the classes. We want (K,) numbers each: means hide which class is bad, and can be taken later.",
        ),
    ],
    hints=[
        "Three arrays are enough: the diagonal (`np.diag`), the sums of the columns, the sums of the rows.",
        "`matrix.sum(axis=0)` adds up each column: how often each class was *called*. `axis=1` adds up each row: how often it *is*.",
        "F1 in one step: 2 * right / (column + row). `np.maximum(..., 1)` under the line keeps 0 / 0 away, since counts are whole.",
    ],
    equivalent={"f1 = 2 * right / np.maximum(said + there, 2)": "if only one was said or there, none is right: 0 / 1 and 0 / 2 are both 0"},
)


# --- evaluate_batches, the planted bug


def evaluate_batches(batches, classes):
    """A list of (truth (B,), predicted (B,)) -> macro F1 over all their samples; a class that occurs nowhere counts 0."""
    matrices = [classification.confusion_matrix(truth, predicted, classes) for truth, predicted in batches]
    return classification.averaged(np.sum(matrices, axis=0), "macro")[2]


def batch_cases(generator):
    """(label, arguments) for evaluate_batches: batches of unequal size and of unequal mix."""

    def batch(truth, predicted):
        return ints(*truth), ints(*predicted)

    yield "one batch", ([batch([0, 0, 1, 1], [0, 1, 1, 1])], 2)
    yield "two batches, each with one class only", ([batch([0, 0], [0, 0]), batch([1, 1], [1, 1])], 2)
    yield "a short last batch", ([batch([0, 0, 1, 1, 0, 1], [0, 0, 1, 1, 1, 1]), batch([0], [1])], 2)
    yield "a class that occurs nowhere", ([batch([0, 1], [0, 1]), batch([0, 1], [0, 0])], 3)
    yield "a rare class, missed", ([batch([0, 0, 0, 0], [0, 0, 0, 0]), batch([0, 0, 0, 1], [0, 0, 0, 0])], 2)
    yield "precision and recall far apart", ([batch([0, 0, 0, 1], [1, 1, 0, 1]), batch([0, 2, 2, 2], [1, 2, 0, 2])], 3)
    for sizes in ((4, 4, 2), (3, 3, 3, 1)):
        draws = [torch.randint(0, 3, (2, size), generator=generator).numpy() for size in sizes]
        yield "random", ([(truth, np.where(predicted == 2, truth, predicted)) for truth, predicted in draws], 3)


def _f1s(truth, predicted, classes):
    return classification.precision_recall_f1(classification.confusion_matrix(truth, predicted, classes))[2]


def batches_mean(batches, classes):
    return float(np.mean([_f1s(truth, predicted, classes).mean() for truth, predicted in batches]))


def batches_weighted_mean(batches, classes):
    values, sizes = [_f1s(truth, predicted, classes).mean() for truth, predicted in batches], [len(truth) for truth, _ in batches]
    return float(np.average(values, weights=sizes))


def batches_last_only(batches, classes):
    return float(_f1s(*batches[-1], classes).mean())


def _together(batches, classes):
    return classification.confusion_matrix(*(np.concatenate(parts) for parts in zip(*batches, strict=True)), classes)


def batches_micro(batches, classes):
    return classification.averaged(_together(batches, classes), "micro")[2]


def batches_weighted_by_class(batches, classes):
    return classification.averaged(_together(batches, classes), "weighted")[2]


def batches_f1_of_means(batches, classes):
    precision, recall, _ = classification.averaged(_together(batches, classes), "macro")
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def batches_absent_left_out(batches, classes):
    matrix = _together(batches, classes)
    there = matrix.sum(axis=0) + matrix.sum(axis=1) > 0
    return float(classification.precision_recall_f1(matrix)[2][there].mean())


evaluate_exercise = Exercise(
    name="06.evaluate_batches",
    reference=evaluate_batches,
    cases=batch_cases,
    compare=Close(rtol=1e-9, atol=1e-12),
    points=2,
    misconceptions=[
        Misconception(
            "mean-of-batches",
            wrong=batches_mean,
            hint="That is the planted bug: F1 of each batch, then their mean. In a batch without a class its F1 is 0, "
            "however good the model is. What can be added up over batches without losing anything?",
        ),
        Misconception(
            "weighted-by-batch-size",
            wrong=batches_weighted_mean,
            hint="Weighting by batch size mends accuracy, but not F1: F1 is a ratio whose divisor differs from batch to batch. "
            "Add up counts, and divide once at the end.",
        ),
        Misconception(
            "last-batch-only",
            wrong=batches_last_only,
            hint="Only the last batch counted. Is the sum set back to 0 inside of the loop?",
        ),
        Misconception(
            "micro",
            wrong=batches_micro,
            hint="That is the accuracy (micro F1). Macro asks each class alike: the plain mean of the F1s of all classes.",
        ),
        Misconception(
            "weighted-by-class-size",
            wrong=batches_weighted_by_class,
            hint="You weighted classes by how often they occur. Macro is the plain mean, so that a rare class counts as much.",
        ),
        Misconception(
            "f1-of-the-means",
            wrong=batches_f1_of_means,
            hint="You averaged precision and recall over classes and made an F1 of them. "
            "Macro F1 is the mean of the classes' F1s: F1 first.",
        ),
        Misconception(
            "absent-classes-left-out",
            wrong=batches_absent_left_out,
            hint="A class that occurs nowhere was left out of the mean. By the rule above it counts 0.",
        ),
    ],
    hints=[
        "Two batches: in the first are no positives. What is its F1, and what should it contribute?",
        "Confusion matrices of one size can be added: the sum over batches is the matrix of all samples.",
        "Begin with zeros (classes, classes), add each batch's matrix in the loop, call `precision_recall_f1` once after it.",
    ],
    twins=("sklearn.metrics.precision_recall_fscore_support",),
    equivalent={
        "total += confusion_matrix(predicted, truth, classes)": "F1 is the same both ways: precision and recall only change places",
    },
)
