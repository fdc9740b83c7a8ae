"""The planted bug of notebook 24_project: the test pictures chose the threshold that they were to measure."""

import torch
from torch import Tensor

from coursekit.exercises.core import Close, Exercise, Misconception


def f1(said: Tensor, truth: Tensor) -> float:
    """2 TP / (2 TP + FP + FN) of (N,) true/false; 0 where that is 0 / 0."""
    below = int(said.sum() + truth.sum())
    return 2 * int((said & truth).sum()) / below if below else 0.0


def final_score(val_scores: Tensor, val_truth: Tensor, test_scores: Tensor, test_truth: Tensor) -> tuple[float, float]:
    """The threshold of the best F1 on validation (of equals the highest), and the F1 that it has on test."""
    threshold, _ = _choose(val_scores, val_truth)
    return threshold, f1(test_scores >= threshold, test_truth)


def _choose(scores: Tensor, truth: Tensor, strict=False, lowest=False, candidates=None, measure=f1) -> tuple[float, float]:
    """(threshold, its F1): the right choice, with details to get wrong."""
    values = (scores if candidates is None else candidates).unique()
    best, threshold = -1.0, 0.0
    for value in (values if lowest else values.flip(0)).tolist():
        score = measure(scores > value if strict else scores >= value, truth)
        if score > best:
            best, threshold = score, value
    return threshold, best


def final_cases(generator):
    """(label, arguments) for final_score: scores are eighths, so that equal ones are really equal."""

    def case(val, val_truth, test, test_truth):
        to = [torch.tensor(values) / 8 for values in (val, test)]
        truths = [torch.tensor([letter == "1" for letter in text]) for text in (val_truth, test_truth)]
        return to[0], truths[0], to[1], truths[1]

    yield "both sides agree", case([1, 2, 6, 7], "0011", [1, 2, 6, 7], "0011")
    yield "the test pictures want a lower threshold", case([1, 3, 6, 7], "0011", [2, 4, 5, 7], "0111")
    yield "the test pictures want a higher one", case([1, 3, 6, 7], "0111", [2, 3, 4, 7], "0001")
    yield "of equals the highest", case([2, 4, 6], "101", [3, 5, 7], "011")
    yield "exactly at the threshold is yes", case([2, 5, 5, 7], "0111", [5, 5, 3, 1], "1100")
    yield "more test pictures than validation", case([3, 5], "01", [1, 2, 4, 5, 6, 7], "001011")
    yield "more yes than no", case([1, 2, 3, 4, 5], "01111", [1, 2, 3, 4, 5, 6], "100111")
    yield "few are true", case([1, 2, 3, 4, 5, 6, 7], "0000010", [1, 2, 3, 6, 7, 7], "000100")
    yield "no test picture is true", case([2, 6], "01", [1, 7], "00")
    yield "nothing is found and nothing is there", case([5, 7], "01", [1, 2], "00")
    yield "no validation picture is true", case([2, 6], "00", [3, 7], "01")
    for count in (8, 12):
        truths = [torch.rand(count, generator=generator) < 0.5 for _ in range(2)]
        noisy = [torch.randint(0, 6, (count,), generator=generator) + 2 * truth for truth in truths]
        yield "random", (noisy[0] / 8, truths[0], noisy[1] / 8, truths[1])


def final_test_chooses(val_scores, val_truth, test_scores, test_truth):
    return _choose(test_scores, test_truth)


def final_val_scores_itself(val_scores, val_truth, test_scores, test_truth):
    return _choose(val_scores, val_truth)


def final_both_choose(val_scores, val_truth, test_scores, test_truth):
    scores, truth = torch.cat([val_scores, test_scores]), torch.cat([val_truth, test_truth])
    threshold, _ = _choose(scores, truth)
    return threshold, f1(test_scores >= threshold, test_truth)


def final_test_values(val_scores, val_truth, test_scores, test_truth):
    threshold, _ = _choose(val_scores, val_truth, candidates=test_scores)
    return threshold, f1(test_scores >= threshold, test_truth)


def final_val_values_test_f1(val_scores, val_truth, test_scores, test_truth):
    return _choose(test_scores, test_truth, candidates=val_scores)


def final_strict(val_scores, val_truth, test_scores, test_truth):
    threshold, _ = _choose(val_scores, val_truth, strict=True)
    return threshold, f1(test_scores > threshold, test_truth)


def final_lowest(val_scores, val_truth, test_scores, test_truth):
    threshold, _ = _choose(val_scores, val_truth, lowest=True)
    return threshold, f1(test_scores >= threshold, test_truth)


def final_fixed(val_scores, val_truth, test_scores, test_truth):
    return 0.5, f1(test_scores >= 0.5, test_truth)


def final_by_accuracy(val_scores, val_truth, test_scores, test_truth):
    threshold, _ = _choose(val_scores, val_truth, measure=lambda said, truth: float((said == truth).float().mean()))
    return threshold, f1(test_scores >= threshold, test_truth)


final_score_exercise = Exercise(
    name="24.final_score",
    reference=final_score,
    cases=final_cases,
    compare=Close(rtol=1e-6, atol=1e-9),
    points=3,
    misconceptions=[
        Misconception(
            "test-chooses",
            final_test_chooses,
            "That is the planted bug: the pictures that measure have chosen what is measured: the best of many. Who may choose?",
        ),
        Misconception(
            "validation-measures",
            final_val_scores_itself,
            "Now validation chooses *and* measures. What you report is still the best of many: measure once, on the test pictures.",
        ),
        Misconception(
            "both-choose",
            final_both_choose,
            "You let validation and test choose together. A half of the leak is still a leak: the test pictures may not choose at all.",
        ),
        Misconception(
            "test-values",
            final_test_values,
            "The F1 comes from validation, but the thresholds that you try are the test pictures' scores. Try those of validation.",
        ),
        Misconception(
            "values-from-validation-only",
            final_val_values_test_f1,
            "You try validation's scores, but each is judged on the test pictures. That is the same leak through another door.",
        ),
        Misconception("strictly-above", final_strict, "A score equal to the threshold is a yes: `>=`, in choosing and in measuring."),
        Misconception("lowest", final_lowest, "Several thresholds have the same F1. The rule takes the highest of them: go downwards."),
        Misconception("a-half", final_fixed, "You took 0.5 without looking. The threshold of the best F1 is seldom there."),
        Misconception("by-accuracy", final_by_accuracy, "You chose by accuracy and reported F1. Choose by the measure that you report."),
    ],
    hints=[
        "Read the loop and ask at each name: may this picture take part in a choice? There are three places to look at.",
        "Choose with `val_scores` and `val_truth` only. Then one line measures: the F1 of `test_scores >= threshold`.",
    ],
    equivalent={
        "best, threshold = (-2.0, None)": "any value below every F1 works",
        "best, threshold = (-0.5, None)": "any value below every F1 works",
        "score = f1(val_truth, val_scores >= candidate)": "F1 is the same with what was said and what is true exchanged",
        "return (threshold, f1(test_truth, test_scores >= threshold))": "F1 is the same with what was said and what is true exchanged",
    },
)
