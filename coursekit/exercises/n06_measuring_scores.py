"""Exercises of notebook 06_measuring that go by scores: classes by rank, and the PR curve."""

import numpy as np
import torch

from coursekit.exercises.core import Close, Exercise, Misconception
from coursekit.metrics import classification, ranking

from .n06_measuring import floats, ints

# --- top_k_accuracy


def top_k_cases(generator):
    """(label, arguments) for top_k_accuracy: the right class at every rank, and ties that the lower and the higher number win."""
    table = np.array([[0.1, 0.6, 0.3], [0.5, 0.2, 0.3], [0.2, 0.3, 0.5], [0.1, 0.2, 0.7]])
    yield "first, second and third, k = 1", (ints(1, 2, 0, 2), table, 1)
    yield "the same, k = 2", (ints(1, 2, 0, 2), table, 2)
    yield "as many as there are classes", (ints(1, 2, 0, 2), table, 3)
    yield "more than there are classes", (ints(1, 2, 0, 2), table, 5)
    yield "a tie, and the right one has the lower number", (ints(0), np.array([[0.4, 0.4, 0.2]]), 1)
    yield "a tie, and the right one has the higher number", (ints(1), np.array([[0.4, 0.4, 0.2]]), 1)
    yield "all scores equal", (ints(0, 1, 2), np.zeros((3, 3)), 2)
    yield "fifty classes, every second one as good", (ints(9, 9, 8), np.tile([0.0, 1.0], (3, 25)), 5)  # a sort that is not stable shows
    yield "logits below 0", (ints(1, 0), np.array([[-3.0, -1.0], [-2.0, -5.0]]), 1)
    yield "one class", (ints(0), np.array([[0.3]]), 1)
    for k in (1, 2, 3):
        scores = torch.randint(0, 4, (8, 5), generator=generator).double().numpy()
        yield f"random with ties, k = {k}", (torch.randint(0, 5, (8,), generator=generator).numpy(), scores, k)
    yield "random", (torch.randint(0, 6, (9,), generator=generator).numpy(), torch.randn(9, 6, generator=generator).double().numpy(), 3)


def _own(truth, scores):
    return scores[np.arange(len(truth)), truth][:, None]  # (N, 1): the score of the right class


def top_k_of_the_lowest(truth, scores, k):
    return classification.top_k_accuracy(truth, -scores, k)


def top_k_higher_of_equals(truth, scores, k):
    order = np.argsort(scores, axis=1, kind="stable")[:, -k:]
    return float((order == truth[:, None]).any(axis=1).mean())


def top_k_all_equals_in(truth, scores, k):
    return float(((scores > _own(truth, scores)).sum(axis=1) < k).mean())


def top_k_all_equals_out(truth, scores, k):
    return float(((scores >= _own(truth, scores)).sum(axis=1) <= k).mean())


def top_k_exactly_the_kth(truth, scores, k):
    order = np.argsort(-scores, axis=1, kind="stable")
    return float((order[:, min(k, scores.shape[1]) - 1] == truth).mean())


def top_k_mean_of_the_table(truth, scores, k):
    order = np.argsort(-scores, axis=1, kind="stable")
    return float((order[:, :k] == truth[:, None]).mean())


def top_k_count(truth, scores, k):
    return classification.top_k_accuracy(truth, scores, k) * len(truth)


top_k_exercise = Exercise(
    name="06.top_k_accuracy",
    reference=classification.top_k_accuracy,
    cases=top_k_cases,
    compare=Close(rtol=1e-9, atol=1e-12),
    points=2,
    twins=("sklearn.metrics.top_k_accuracy_score",),
    misconceptions=[
        Misconception(
            "the-lowest",
            wrong=top_k_of_the_lowest,
            hint="You took the k classes with the *lowest* scores: `np.argsort` sorts upwards. What can you sort instead of the scores?",
        ),
        Misconception(
            "higher-of-equals",
            wrong=top_k_higher_of_equals,
            hint="Of two equal scores the higher class went first, as in scikit-learn. Here the lower does, as in `argmax`. "
            "Sorting upwards and reading from the end also turns ties round.",
        ),
        Misconception(
            "all-equals-in",
            wrong=top_k_all_equals_in,
            hint="All classes with an equal score were let in, so a network that says the same for every class is always right. "
            "Only k classes fit: of equals the lower numbers.",
        ),
        Misconception(
            "all-equals-out",
            wrong=top_k_all_equals_out,
            hint="A class that ties with others was counted as behind all of them. "
            "Of equals the lower number goes first, and it may be the right one.",
        ),
        Misconception(
            "exactly-the-kth",
            wrong=top_k_exactly_the_kth,
            hint="You looked at the class of rank k alone. Any of the first k will do: `any` along one axis.",
        ),
        Misconception(
            "mean-of-the-table",
            wrong=top_k_mean_of_the_table,
            hint="You averaged all N times k comparisons, of which at most one in each row can be true. First: is any of the row true?",
        ),
        Misconception(
            "count-not-share",
            wrong=top_k_count,
            hint="You returned how many are right. Of how many? Divide, or take the mean.",
        ),
    ],
    hints=[
        '`np.argsort(-scores, axis=1, kind="stable")` gives each row its classes, best first, and of equals the lower number.',
        "Its first k columns are (N, k); compare them with `truth[:, None]`, which is (N, 1). `any(axis=1)`, then the mean.",
    ],
)


# --- pr_curve


def pr_cases(generator):
    """(label, arguments) for pr_curve: at least one true sample each; ties at the top, in the middle, everywhere."""

    def flags(text):
        return np.array([letter == "1" for letter in text], dtype=bool)

    yield "four samples, no ties", (flags("1101"), floats(0.9, 0.8, 0.7, 0.2))
    yield "not in order", (flags("0101"), floats(0.2, 0.9, 0.5, 0.4))
    yield "a true and a false sample with one score", (flags("101"), floats(0.7, 0.7, 0.3))
    yield "the same, the false one first", (flags("011"), floats(0.7, 0.7, 0.3))
    yield "all one score", (flags("1000"), floats(0.5, 0.5, 0.5, 0.5))
    yield "all true", (flags("111"), floats(0.1, 0.3, 0.2))
    yield "the wrong way round", (flags("001"), floats(0.9, 0.5, 0.1))
    yield "scores of 0 and 1", (flags("1010"), floats(1, 1, 0, 0))
    yield "logits, some below 0", (flags("1001"), floats(2.5, -1, -3, 0))
    yield "ten, by hand", (flags("1101010000"), floats(0.9, 0.8, 0.7, 0.7, 0.5, 0.4, 0.3, 0.3, 0.2, 0.1))
    for _ in range(3):
        truth = (torch.rand(12, generator=generator) < 0.4).numpy()
        truth[0] = True
        yield "random with ties", (truth, torch.randint(0, 6, (12,), generator=generator).double().numpy() / 5)


def pr_one_by_one(truth, scores):
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(truth[order])
    return hits / truth.sum(), hits / np.arange(1, len(hits) + 1), scores[order]


def pr_strictly_above(truth, scores):
    thresholds = np.unique(scores)[::-1]
    kept = scores > thresholds[:, None]
    hits = (kept & truth).sum(axis=1)
    return hits / truth.sum(), hits / kept.sum(axis=1), thresholds


def pr_swapped(truth, scores):
    recall, precision, thresholds = ranking.pr_curve(truth, scores)
    return precision, recall, thresholds


def pr_lowest_first(truth, scores):
    recall, precision, thresholds = ranking.pr_curve(truth, scores)
    return recall[::-1], precision[::-1], thresholds[::-1]


def pr_envelope(truth, scores):
    recall, precision, thresholds = ranking.pr_curve(truth, scores)
    return recall, np.maximum.accumulate(precision[::-1])[::-1], thresholds


def pr_with_an_end_point(truth, scores):
    recall, precision, thresholds = ranking.pr_curve(truth, scores)
    return np.append(0.0, recall), np.append(1.0, precision), np.append(np.inf, thresholds)


def pr_recall_of_all(truth, scores):
    recall, precision, thresholds = ranking.pr_curve(truth, scores)
    return recall * truth.sum() / len(truth), precision, thresholds


def pr_precision_of_all(truth, scores):
    recall, _, thresholds = ranking.pr_curve(truth, scores)
    return recall, recall * truth.sum() / len(truth), thresholds


pr_exercise = Exercise(
    name="06.pr_curve",
    reference=ranking.pr_curve,
    cases=pr_cases,
    compare=Close(rtol=1e-9, atol=1e-12),
    points=3,
    twins=("sklearn.metrics.precision_recall_curve", "sklearn.metrics.roc_curve", ranking.roc_curve),
    misconceptions=[
        Misconception(
            "one-by-one",
            wrong=pr_one_by_one,
            hint="You made a point for every sample. Samples with an equal score come in together: no threshold lies between them. "
            "One point for each *distinct* score.",
        ),
        Misconception(
            "strictly-above",
            wrong=pr_strictly_above,
            hint="At the highest threshold you kept nothing. A score that equals the threshold is kept: `>=`.",
        ),
        Misconception(
            "swapped",
            wrong=pr_swapped,
            hint="The values are right, but precision came first. Return recall, precision, thresholds.",
        ),
        Misconception(
            "lowest-first",
            wrong=pr_lowest_first,
            hint="Your curve runs backwards: it begins with everything kept. `np.unique` sorts upwards; turn it round.",
        ),
        Misconception(
            "envelope",
            wrong=pr_envelope,
            hint="You raised each point to the best one after it. That is the envelope, and 20 needs it; here we want what was measured.",
        ),
        Misconception(
            "extra-point",
            wrong=pr_with_an_end_point,
            hint="There is a point (recall 0, precision 1) that no score stands behind. scikit-learn adds one; we do not.",
        ),
        Misconception(
            "recall-of-all-samples",
            wrong=pr_recall_of_all,
            hint="Your recall does not reach 1 when everything is kept. Divide by what there is to find: the true samples.",
        ),
        Misconception(
            "precision-of-all-samples",
            wrong=pr_precision_of_all,
            hint="Your precision divides by all samples at every threshold. Divide by how many are kept at this one.",
        ),
    ],
    hints=[
        "`np.unique(scores)` gives each score once, sorted upwards; `[::-1]` turns it round. Those are the thresholds.",
        "`scores >= thresholds[:, None]` is (T, N): row t says what threshold t keeps. This is the broadcasting of 01.",
        "`(kept & truth).sum(axis=1)` counts the hits of each row. Divide by `truth.sum()`, and by `kept.sum(axis=1)`.",
    ],
)
