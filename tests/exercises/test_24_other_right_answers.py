"""Answers of notebook 24 written in other ways pass; borrowed ones are refused; what people really type is rejected by its name."""

import collections
import hashlib
import itertools
import math
import statistics

import numpy as np
import pytest
import torch

from coursekit.detections import Detections
from coursekit.exercises.core import find
from coursekit.exercises.verdict import judge
from coursekit.project import ablation, competition, luck, parts, submission

# --- right, otherwise


def rows_with_zip(answers, classes):
    rows = []
    for name, found in sorted(answers.items()):
        together = zip(found["scores"].tolist(), found["labels"].tolist(), found["boxes"].tolist(), strict=True)
        best_first = sorted(together, key=lambda three: -three[0])
        rows += [(name, classes[label], score, *box) for score, label, box in best_first] or [(name, "", "", "", "", "", "")]
    return rows


def rows_with_numpy(answers, classes):
    rows = []
    for name in sorted(answers.keys()):
        scores = answers[name]["scores"].numpy()
        if scores.size == 0:
            rows.append([name] + [""] * 6)
            continue
        for i in np.argsort(-scores, kind="stable"):
            x1, y1, x2, y2 = answers[name]["boxes"].numpy()[i]
            rows.append([name, classes[answers[name]["labels"][i]], scores[i], x1, y1, x2, y2])
    return rows


def part_by_bytes(ids, share, salt):
    chosen = []
    for name in ids:
        first = hashlib.sha256((salt + "/" + name).encode("utf-8")).digest()[:4]
        if int.from_bytes(first, "big") < share * 2**32:
            chosen.append(name)
    return chosen


def part_by_filter(ids, share, salt):
    def where(name):
        h = hashlib.sha256()
        h.update(salt.encode())
        h.update(b"/")
        h.update(name.encode())
        return int(h.hexdigest()[:8], 16) / 4294967296

    return frozenset(filter(lambda name: where(name) < share, ids))


def score_by_counters(truth, answers, part):
    tp, fp, fn = collections.Counter(), collections.Counter(), collections.Counter()
    for picture in part:
        right, said = truth[picture], answers.get(picture)
        if right == said:
            tp[right] += 1
        else:
            fn[right] += 1
            if said is not None:
                fp[said] += 1
    present = {truth[picture] for picture in part}
    return statistics.fmean(2 * tp[c] / (2 * tp[c] + fp[c] + fn[c]) for c in present)


def score_by_arrays(truth, answers, part):
    t = np.array([truth[p] for p in part])
    a = np.array([answers.get(p, "nobody") for p in part])
    return float(np.mean([2 * ((t == c) & (a == c)).sum() / ((t == c).sum() + (a == c).sum()) for c in np.unique(t)]))


def ablation_by_groups(runs, baseline):
    rows = {}
    for run in runs:
        rows.setdefault(run["name"], {"scores": [], "settings": run["settings"]})["scores"].append(run["score"])
    base, nothing, table = rows[baseline], object(), []
    for name, row in rows.items():
        scores = np.array(row["scores"])
        keys = set(row["settings"]) | set(base["settings"])
        table.append(
            {
                "changed": sorted(k for k in keys if row["settings"].get(k, nothing) != base["settings"].get(k, nothing)),
                "difference": scores.mean() - np.mean(base["scores"]),
                "std": scores.std(ddof=1) if len(scores) > 1 else math.nan,
                "mean": scores.mean(),
                "seeds": len(scores),
                "name": name,
            }
        )
    return table


def best_by_accumulate(public, private):
    leaders = itertools.accumulate(range(len(public)), lambda best, k: k if public[k] > public[best] else best)
    return torch.tensor([[public[i], private[i]] for i in leaders])


def best_by_argmax(public, private):
    places = torch.stack([public[: k + 1].argmax() for k in range(len(public))])
    return torch.stack((public, private), dim=1)[places]


def final_by_table(val_scores, val_truth, test_scores, test_truth):
    def f1(scores, truth, threshold):
        said = scores >= threshold
        below = said.sum() + truth.sum()
        return float(2 * (said & truth).sum() / below) if below else 0.0

    threshold = max(val_scores.tolist(), key=lambda t: (f1(val_scores, val_truth, t), t))
    return threshold, f1(test_scores, test_truth, threshold)


RIGHT = [
    ("24.submission_rows", rows_with_zip),
    ("24.submission_rows", rows_with_numpy),
    ("24.public_part", part_by_bytes),
    ("24.public_part", part_by_filter),
    ("24.score_part", score_by_counters),
    ("24.score_part", score_by_arrays),
    ("24.ablation_rows", ablation_by_groups),
    ("24.best_of_n", best_by_accumulate),
    ("24.best_of_n", best_by_argmax),
    ("24.final_score", final_by_table),
]


@pytest.mark.parametrize(("name", "answer"), RIGHT, ids=[f"{name}-{answer.__name__}" for name, answer in RIGHT])
@pytest.mark.parametrize("seed", [None, 7])
def test_another_right_answer_passes(name, answer, seed):
    verdict = judge(find(name), answer, seed)
    assert verdict.passed, verdict


# --- borrowed


def rows_from_ours(answers, classes):
    return submission.submission_rows({name: Detections(**found) for name, found in answers.items()}, classes)


def part_from_ours(ids, share, salt):
    return set(filter(None, parts.public_part(ids, share, salt)))


def score_from_ours(truth, answers, part):
    return competition.macro_f1(truth, answers, list(part)) * 1.0


def ablation_from_the_table(runs, baseline):
    return list(ablation.ablation_table(runs, baseline).rows)


def best_from_ours(public, private):
    return luck.best_of_n(public.clone(), private)


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("24.submission_rows", rows_from_ours),
        ("24.public_part", part_from_ours),
        ("24.score_part", score_from_ours),
        ("24.ablation_rows", ablation_from_the_table),
        ("24.best_of_n", best_from_ours),
    ],
)
def test_a_borrowed_answer_is_refused(name, answer):
    assert judge(find(name), answer).status == "refused"


# --- what people really type


def rows_argsort_up_and_reversed(answers, classes):
    rows = []
    for name in sorted(answers):
        found = answers[name]
        if not len(found["boxes"]):
            rows.append([name, "", "", "", "", "", ""])
        order = reversed(found["scores"].argsort(stable=True).tolist())
        rows += [[name, classes[found["labels"][i]], found["scores"][i].item(), *found["boxes"][i].tolist()] for i in order]
    return rows


def part_of_the_private_side(ids, share, salt):
    return {i for i in ids if int(hashlib.sha256(f"{salt}/{i}".encode()).hexdigest()[:8], 16) / 2**32 > share}


def score_with_sets_of_both(truth, answers, part):
    scores = []
    for c in {truth[p] for p in part} | {answers[p] for p in part if p in answers}:
        tp = sum(truth[p] == c and answers.get(p) == c for p in part)
        total = sum(truth[p] == c for p in part) + sum(answers.get(p) == c for p in part)
        scores.append(2 * tp / total)
    return sum(scores) / len(scores)


def best_by_cummax(public, private):
    best = public.cummax(0)
    return torch.stack([best.values, private[best.indices]], dim=1)


TYPED = [
    ("24.submission_rows", rows_argsort_up_and_reversed, "ties-turned"),
    ("24.score_part", score_with_sets_of_both, "said-classes"),
    ("24.best_of_n", best_by_cummax, "later-leads"),
]


@pytest.mark.parametrize(("name", "answer", "mistake"), TYPED, ids=[answer.__name__ for _, answer, _ in TYPED])
def test_what_people_type_is_named(name, answer, mistake):
    verdict = judge(find(name), answer)
    assert (verdict.status, verdict.misconception) == ("wrong", mistake), verdict


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("24.public_part", part_of_the_private_side),
        ("24.public_part", lambda ids, share, salt: 3),
        ("24.public_part", lambda ids, share, salt: dict.fromkeys(ids, True)),
        ("24.submission_rows", lambda answers, classes: ([name, *[""] * 6] for name in answers)),
        ("24.score_part", lambda truth, answers, part: "0.5"),
        ("24.final_score", lambda a, b, c, d: 0.5),
    ],
)
def test_what_is_of_another_kind_gets_a_verdict_and_no_traceback(name, answer):
    verdict = judge(find(name), answer)
    assert verdict.status == "wrong", verdict
    assert "Traceback" not in verdict.message
