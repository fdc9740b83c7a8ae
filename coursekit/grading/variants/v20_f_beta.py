"""20.variant_f_beta: the threshold with the best F-beta, where precision and the number of predictions have a floor."""

from fractions import Fraction

import numpy as np

from coursekit.exercises.core import Close, Exercise, Misconception
from coursekit.grading.variants.family import Family
from coursekit.grading.variants.text import show, table

NEAR = 1e-9


def best_threshold(right, scores, num_truths, beta, floor, least, highest, together=True, strict=False, exact=True):
    """The right threshold, with the rules to get wrong. floor 0 and least 0: no such rule; exact False: beta itself, not its square."""
    weight = beta**2 if exact else beta
    found = []
    places = [(t, scores > t if strict else scores >= t) for t in np.unique(scores)[::-1]]
    if not together:
        order = np.argsort(-scores, kind="stable")
        places = [(scores[order[n]], np.isin(np.arange(len(scores)), order[: n + 1])) for n in range(len(order))]
    for t, kept in places:
        count, hits = int(kept.sum()), int(right[kept].sum())
        if count >= max(least, 1) and hits / count >= floor - NEAR:
            found.append((float(t), (1 + weight) * hits / (count + weight * num_truths)))
    if not found:
        return -1.0, 0.0
    top = max(f for _, f in found)
    equal = [t for t, f in found if f >= top - NEAR]
    return (max(equal) if highest else min(equal)), top


def cases_of(parameters):
    """Rankings with scores in tenths, so that several predictions share one."""

    def case(letters, tenths, truths):
        return np.array([letter == "1" for letter in letters], dtype=bool), np.array(tenths, dtype=np.float64) / 10, truths

    def cases(generator):
        import torch

        yield "the example above", case("110101", [9, 8, 6, 6, 5, 3], 6)
        yield "not sorted, some equal", case("0110111", [3, 9, 8, 8, 5, 7, 4], 6)
        yield "the same F at several thresholds", _level(parameters)
        least, exact = parameters["least"], Fraction(parameters["floor"]).limit_denominator(20)
        hits, count = exact.numerator, exact.denominator
        yield "precision equals its floor", case("1" * hits + "0" * (count - hits), [5] * count, hits + 1)
        yield "as many as must be kept", case("1" * least + "0000", [9] * least + [4, 3, 2, 1], least)
        yield "one fewer than must be kept", case("1" * (least - 1) + "0001", [9] * (least - 1) + [4, 3, 2, 1], least)
        yield "no threshold is precise enough", case("00000", [9, 8, 7, 6, 5], 2)
        yield "one prediction", case("1", [5], 1)
        yield "no predictions", case("", [], 3)
        yield "all right", case("11111", [9, 8, 7, 6, 5], 5)
        for index in range(12):
            size = 8 + index
            right = (torch.rand(size, generator=generator) < (0.8, 0.65, 0.5)[index % 3]).numpy()
            scores = torch.randint(1, 20, (size,), generator=generator).double().numpy() / 20
            truths = int(right.sum()) + int(torch.randint(1, 4, (1,), generator=generator))
            if index % 2:
                scores = torch.rand(size, generator=generator, dtype=torch.float64).numpy()
            yield ("random" if index % 2 else "random, equal scores"), (right, scores, truths)
        for _ in range(3):
            right, scores, truths = _level(parameters)
            order = torch.randperm(len(right), generator=generator).numpy()
            yield "random order of the same F", (right[order], scores[order], truths)

    return cases


def _level(parameters):
    """A ranking in which two thresholds have the same F, the best.

    F is (1 + w) hits / (kept + w truths) with w = beta^2. If `hits` of `hits` are kept at first, and then `more` right and `extra` wrong
    ones as well, F stays where w truths * more = hits * extra.
    """
    weight = parameters["beta"] ** 2
    for hits in range(3, 40):
        for more in range(1, 12):
            for extra in range(1, 12):
                truths = hits * extra / more / weight
                whole = round(truths)
                precise = (hits + more) / (hits + more + extra) >= parameters["floor"] + 0.02
                if precise and whole >= hits + more and abs(whole - truths) < 1e-12 and hits >= parameters["least"]:
                    right = np.array([True] * (hits + more) + [False] * extra)
                    scores = np.array([0.75] * hits + [0.5] * (more + extra))
                    return right, scores, whole
    raise ValueError(f"no two thresholds can tie for {parameters}")


def make(parameters) -> Exercise:
    """The exercise."""

    def variant_f_beta(right, scores, num_truths):
        return best_threshold(right, scores, num_truths, **parameters)

    def with_slip(**slip):
        return lambda right, scores, num_truths: best_threshold(right, scores, num_truths, **{**parameters, **slip})

    beta, floor, least, highest = (parameters[name] for name in ("beta", "floor", "least", "highest"))
    slips = {
        "public-f1": (
            {"beta": 1.0, "floor": 0.0, "least": 0, "highest": True},
            f"This is the best F1. Here beta is {beta}, and two floors count.",
        ),
        "f1-above-the-floors": ({"beta": 1.0}, f"Your F weighs precision and recall alike. Here beta is {beta}."),
        "beta-not-squared": ({"exact": False}, "You took beta where its square belongs."),
        "no-floor": ({"floor": 0.0}, f"Your threshold gives a precision below {floor}. Such thresholds do not count."),
        "too-few": ({"least": 0}, f"Your threshold lets fewer than {least} predictions through. Such thresholds do not count."),
        "other-end-of-a-tie": (
            {"highest": not highest},
            f"Several thresholds have the best F. The {'highest' if highest else 'lowest'} is asked.",
        ),
        "equal-scores-apart": (
            {"together": False},
            "Predictions of one score came through one at a time. A threshold keeps all of them or none.",
        ),
        "strictly-above": ({"strict": True}, "A prediction whose score equals the threshold is kept as well: `>=`."),
    }
    return Exercise(
        name="20.variant_f_beta",
        reference=variant_f_beta,
        cases=cases_of(parameters),
        compare=Close(rtol=1e-6, atol=1e-6),
        misconceptions=[Misconception(name, with_slip(**slip), hint) for name, (slip, hint) in slips.items()],
        hints=[
            "The thresholds to try are the scores themselves. `kept = scores >= t` says what each of them lets through.",
            "With hits of kept: F = (1 + beta^2) * hits / (kept + beta^2 * num_truths). Collect (threshold, F) of those that count.",
        ],
        points=3,
        twins=("sklearn.metrics.fbeta_score", "coursekit.metrics.curves.confidence_curves"),
        equivalent=dict.fromkeys(_roundings(floor, least), "rounding is smaller than that"),
    )


def _roundings(floor, least):
    for change in ("1e-09", "2e-09", "5e-10"):
        for sign in (">", ">="):
            yield f"if count >= {least} and hits / count {sign} {floor} - {change}:"
            yield f"equal = [t for t, f in found if f {sign} best - {change}]"


def tell(parameters, arguments, result) -> str:
    """The text."""
    beta, floor, least, highest = (parameters[name] for name in ("beta", "floor", "least", "highest"))
    right, scores, truths = arguments
    rows = []
    for t in np.unique(scores)[::-1]:
        kept = scores >= t
        count, hits = int(kept.sum()), int(right[kept].sum())
        f = (1 + beta**2) * hits / (count + beta**2 * truths)
        rows.append([float(t), count, hits, hits / count, f, "yes" if count >= least and hits / count >= floor - NEAR else "no"])
    return f"""### Exercise: variant_f_beta
*difficulty 3 of 5 · importance 3 of 5 · about 20 minutes*

From which score (점수) on should a detector speak? F-beta (F-베타 점수) weighs recall beta times as heavily as precision;
here **beta = {beta:g}**:

F = (1 + beta²) · hits / (kept + beta² · truths)

`kept` are the predictions whose score is at least the threshold (임계값), `hits` are the right ones among them. Try
each score that
occurs as a threshold. It counts
only if the precision hits / kept is at least **{floor}** (or less by no more than 1e-9) and if **{least}** predictions or more are
kept. Of those that count, return the threshold
with the highest F, and that F. If several come within 1e-9 of the highest F, return the **{"highest" if highest else "lowest"}**
of their thresholds. If none counts,
return (-1.0, 0.0).

By hand: six predictions with the scores {show(scores)}; right are {show(right.astype(int))}, and there are {truths} truths.

{table(["threshold", "kept", "hits", "precision", "F", "counts"], *rows)}

So the answer is **{show(tuple(result))}**."""


def stub(parameters) -> str:
    """The cell."""
    beta, floor, least, highest = (parameters[name] for name in ("beta", "floor", "least", "highest"))
    return f'''import numpy as np


def variant_f_beta(right: np.ndarray, scores: np.ndarray, num_truths: int) -> tuple[float, float]:
    """right: (D,) booleans, scores: (D,), in any order -> (threshold, F) of the best threshold.

    F with beta = {beta}. A threshold is one of the scores, keeps all scores >= it, and counts if precision >= {floor} - 1e-9
    and at least {least} predictions are kept. Of those within 1e-9 of the highest F, the {"highest" if highest else "lowest"} threshold;
    that highest F. (-1.0, 0.0) if none counts.
    """
    ### BEGIN SOLUTION
    found = []
    for t in np.unique(scores):
        kept = scores >= t
        count, hits = kept.sum(), right[kept].sum()
        if count >= {least} and hits / count >= {floor} - 1e-9:
            found.append((t, {1 + beta**2} * hits / (count + {beta**2} * num_truths)))
    if not found:
        return -1.0, 0.0
    best = max(f for t, f in found)
    equal = [t for t, f in found if f >= best - 1e-9]
    return float({"max" if highest else "min"}(equal)), float(best)
    ### END SOLUTION'''


variant_f_beta = Family(
    name="20.variant_f_beta",
    space={
        "beta": [0.5, 1.5, 2.0, 2.5, 3.0],
        "floor": [0.45, 0.55, 0.6, 0.65, 0.7],
        "least": [2, 3],
        "highest": [True, False],
    },
    make=make,
    tell=tell,
    stub=stub,
)
