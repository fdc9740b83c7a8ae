"""Exercises of notebook 24_project: a part's macro-F1, and what the best of n on a board is worth."""

import torch

from coursekit.exercises.core import Close, Exact, Exercise, Misconception
from coursekit.project import luck, scoring

# --- score_part


def labelled(text):
    """ "abc" -> {"p0": "a", "p1": "b", "p2": "c"}; "-" leaves the picture out."""
    return {f"p{i}": letter for i, letter in enumerate(text) if letter != "-"}


def score_cases(generator):
    """(label, arguments) for score_part."""

    def case(truth, answers, part):
        return labelled(truth), labelled(answers), [f"p{i}" for i in part]

    yield "all right", case("aab", "aab", [0, 1, 2])
    yield "one of three wrong", case("aab", "abb", [0, 1, 2])
    yield "always the same class", case("aaab", "aaaa", [0, 1, 2, 3])
    yield "only the part counts", case("aabb", "aaaa", [0, 2])
    yield "a class that is not in this part", case("aabbcc", "aaabbc", [0, 1, 2, 3])
    yield "a class that is said and not there", case("aabb", "acbb", [0, 1, 2, 3])
    yield "a class that is nowhere", case("aabb", "azbb", [0, 1, 2, 3])
    yield "a picture without an answer", case("aabb", "a-bb", [0, 1, 2, 3])
    yield "nobody answered", case("ab", "--", [0, 1])
    yield "precision and recall apart", case("aaaaabbbcc", "aabbcbbaca", range(10))
    yield "one picture", case("ab", "ba", [1])
    for count in (12, 20):
        truth = "".join("abcd"[i] for i in torch.randint(0, 4, (count,), generator=generator).tolist())
        draws = torch.rand(count, generator=generator).tolist()
        others = torch.randint(0, 5, (count,), generator=generator).tolist()
        answers = "".join(letter if draw < 0.5 else "abcd-"[other] for letter, draw, other in zip(truth, draws, others, strict=True))
        yield "random", case(truth, answers, torch.randperm(count, generator=generator)[: count // 2].tolist())


def _counts(truth, answers, part):
    """(class, TP, FP, FN) of every class that the part's truth or answers have."""
    said = {picture: answers[picture] for picture in part if picture in answers}
    for name in sorted({truth[picture] for picture in part} | set(said.values())):
        tp = sum(truth[picture] == name and said.get(picture) == name for picture in part)
        fp = sum(truth[picture] != name and said.get(picture) == name for picture in part)
        fn = sum(truth[picture] == name and said.get(picture) != name for picture in part)
        yield name, tp, fp, fn


def _ratio(above, below):
    return above / below if below else 0.0


def _mean(values):
    return _ratio(sum(values), len(values))


def score_all_pictures(truth, answers, part):
    return scoring.macro_f1(truth, answers, list(truth))


def score_accuracy(truth, answers, part):
    return scoring.accuracy(truth, answers, part)


def score_all_classes(truth, answers, part):
    found = {name: _ratio(2 * tp, 2 * tp + fp + fn) for name, tp, fp, fn in _counts(truth, answers, part)}
    return _mean([found.get(name, 0.0) for name in sorted(set(truth.values()))])


def score_said_classes(truth, answers, part):
    return _mean([_ratio(2 * tp, 2 * tp + fp + fn) for _, tp, fp, fn in _counts(truth, answers, part)])


def score_answered_only(truth, answers, part):
    part = [picture for picture in part if picture in answers]
    return scoring.macro_f1(truth, answers, part) if part else 0.0


def score_recall(truth, answers, part):
    return _mean([_ratio(tp, tp + fn) for _, tp, _, fn in _counts(truth, answers, part) if tp + fn])


def score_precision(truth, answers, part):
    return _mean([_ratio(tp, tp + fp) for _, tp, fp, fn in _counts(truth, answers, part) if tp + fn])


def score_f1_of_means(truth, answers, part):
    precision, recall = score_precision(truth, answers, part), score_recall(truth, answers, part)
    return _ratio(2 * precision * recall, precision + recall)


def score_weighted(truth, answers, part):
    counts = list(_counts(truth, answers, part))
    return _ratio(sum((tp + fn) * _ratio(2 * tp, 2 * tp + fp + fn) for _, tp, fp, fn in counts), len(part))


score_part = Exercise(
    name="24.score_part",
    reference=scoring.macro_f1,
    cases=score_cases,
    compare=Close(rtol=1e-9, atol=1e-9),
    points=3,
    twins=(
        "sklearn.metrics.f1_score",
        "coursekit.metrics.classification.averaged",
        "coursekit.metrics.classification.precision_recall_f1",
    ),
    misconceptions=[
        Misconception(
            "all-pictures",
            score_all_pictures,
            "Pictures outside the part counted. A public score that knows private pictures gives them away.",
        ),
        Misconception(
            "accuracy",
            score_accuracy,
            "That is the accuracy. Whoever always says the commonest class gets most of it; macro-F1 asks every class alike.",
        ),
        Misconception(
            "absent-classes",
            score_all_classes,
            "A class of which the part has no picture counted as 0. Nothing was asked about it: which classes does the mean go over?",
        ),
        Misconception(
            "said-classes",
            score_said_classes,
            "A class that was only said got an F1 of its own, 0. The mean goes over the classes of the *truth*.",
        ),
        Misconception(
            "only-answered",
            score_answered_only,
            "Pictures without an answer were left out: then one sure answer and no other would win. They are misses of their class.",
        ),
        Misconception("recall", score_recall, "You took the mean recall: what is said of a class too often costs it nothing. Where is FP?"),
        Misconception("precision", score_precision, "You took the mean precision: what is missed costs nothing. Where is FN?"),
        Misconception(
            "f1-of-means",
            score_f1_of_means,
            "You made one F1 of the mean precision and the mean recall. Macro-F1 is the mean of the F1s: another number.",
        ),
        Misconception(
            "weighted",
            score_weighted,
            "You weighted each class by its pictures, so that rare ones hardly count. *Macro* is the plain mean over classes.",
        ),
    ],
    hints=[
        "Which classes occur? `{truth[picture] for picture in part}`. For each of them count TP, FP and FN over the pictures of the part.",
        "`answers.get(picture)` is None where there is no answer, which is equal to no class.",
        "2 TP + FP + FN is how often the class is there plus how often it is said: it is never 0 for a class that occurs.",
    ],
)

# --- best_of_n


def best_cases(generator):
    """(label, arguments) for best_of_n."""

    def pair(public, private):
        return torch.tensor(public), torch.tensor(private)

    yield "one submission", pair([0.5], [0.4])
    yield "the second is better", pair([0.5, 0.6], [0.4, 0.3])
    yield "the second is worse", pair([0.5, 0.4], [0.4, 0.6])
    yield "of equals the earlier leads", pair([0.5, 0.5, 0.25], [0.4, 0.6, 0.7])
    yield "better, equal, better", pair([0.25, 0.5, 0.5, 0.75], [0.1, 0.2, 0.3, 0.4])
    yield "a low start", pair([0.0, 0.0, 0.125], [0.5, 0.25, 0.75])
    for n in (6, 12):
        public = torch.randint(0, 8, (n,), generator=generator) / 8
        yield "random, with ties", (public, torch.rand(n, generator=generator))
    yield "random", (torch.rand(10, generator=generator), torch.rand(10, generator=generator))


def _best(public, private, choose):
    places = [choose(k) for k in range(len(public))]
    return torch.stack([torch.stack([public[i], private[i]]) for i in places])


def best_by_private(public, private):
    return _best(public, private, lambda k: int(private[: k + 1].argmax()))


def best_both(public, private):
    return torch.stack([public.cummax(0).values, private.cummax(0).values], dim=1)


def best_later(public, private):
    return _best(public, private, lambda k: max(range(k + 1), key=lambda i: (float(public[i]), i)))


def best_of_all(public, private):
    return _best(public, private, lambda k: int(public.argmax()))


def best_newest(public, private):
    return torch.stack([public, private], dim=1)


def best_of_those_before(public, private):
    return _best(public, private, lambda k: int(public[: max(k, 1)].argmax()))


def best_turned(public, private):
    return luck.best_of_n(public, private).flip(1)


best_of_n = Exercise(
    name="24.best_of_n",
    reference=luck.best_of_n,
    cases=best_cases,
    compare=Exact(),
    points=2,
    misconceptions=[
        Misconception(
            "chosen-by-private",
            best_by_private,
            "You chose by the private score, which nobody sees before the end. The leader is who leads the *public* board.",
        ),
        Misconception(
            "best-of-both",
            best_both,
            "You took the best public and the best private score: of two different submissions. What is the leader's own private score?",
        ),
        Misconception("later-leads", best_later, "Of equal public scores the earlier leads: a new one must be *better* to take the lead."),
        Misconception("all-at-once", best_of_all, "Row k knows only the first k + 1 submissions; yours know how it will end."),
        Misconception(
            "newest", best_newest, "You gave each submission's own scores. Asked is who leads after it, which may be an earlier one."
        ),
        Misconception(
            "without-the-newest", best_of_those_before, "Row k counts the submission that has just come: the first k + 1, not the first k."
        ),
        Misconception("columns-turned", best_turned, "Public stands in the first column, private in the second."),
    ],
    hints=[
        "Walk through the submissions and keep in mind which one leads: a place, not a score.",
        "`if public[k] > public[leader]: leader = k`, then write down `public[leader]` and `private[leader]`.",
    ],
)
