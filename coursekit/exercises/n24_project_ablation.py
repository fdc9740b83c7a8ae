"""Exercise of notebook 24_project: the rows of an ablation."""

import math
from statistics import mean, pstdev, stdev

import torch

from coursekit.exercises.core import Close, Exercise, Misconception
from coursekit.project import ablation


def runs_of(*rows):
    """Rows of (name, settings, scores by seed) as single runs."""
    return [
        {"name": name, "seed": seed, "score": score, "settings": dict(settings)}
        for name, settings, scores in rows
        for seed, score in enumerate(scores)
    ]


def ablation_cases(generator):
    """(label, arguments) for ablation_rows."""
    base = ("all of it", {"mosaic": True, "lr": 0.002}, [0.5, 0.54, 0.58])
    less = ("no mosaic", {"mosaic": False, "lr": 0.002}, [0.4, 0.5, 0.42])
    both = ("low rate, no mosaic", {"mosaic": False, "lr": 0.0005}, [0.3, 0.5])
    yield "only the baseline", (runs_of(base), "all of it")
    yield "one setting changed", (runs_of(base, less), "all of it")
    yield "the baseline comes last", (runs_of(less, base), "all of it")
    yield "another baseline", (runs_of(base, less), "no mosaic")
    yield "two settings changed", (runs_of(base, both), "all of it")
    yield "another number of seeds", (runs_of(base, ("flip", {"mosaic": True, "lr": 0.002, "flip": 0.5}, [0.6, 0.5])), "all of it")
    yield "one seed has no spread", (runs_of(base, ("small", {"mosaic": True, "lr": 0.001}, [0.45])), "all of it")
    yield "a setting that only the new one has", (runs_of(base, ("ema", {"mosaic": True, "lr": 0.002, "ema": 0.98}, [0.6])), "all of it")
    yield "a setting that only the baseline has", (runs_of(base, ("plain", {"lr": 0.002}, [0.4, 0.42])), "all of it")
    yield "a setting that is None", (runs_of(base, ("none", {"mosaic": True, "lr": 0.002, "ema": None}, [0.4, 0.41])), "all of it")
    yield "nothing changed", (runs_of(base, ("again", {"lr": 0.002, "mosaic": True}, [0.52, 0.5])), "all of it")
    yield "the baseline has one seed", (runs_of(("all of it", {"lr": 0.002}, [0.5]), ("low", {"lr": 0.001}, [0.4, 0.45])), "all of it")
    mixed = runs_of(base, less, both)
    yield "runs in the order in which they finished", (mixed[::2] + mixed[1::2], "all of it")
    names = ["b", "a", "c"]
    rows = []
    for place, name in enumerate(names):
        scores = [round(value, 3) for value in torch.rand(3 - place % 2, generator=generator).tolist()]
        settings = {key: int(torch.randint(0, 2, (), generator=generator)) for key in ("mosaic", "ema", "depth")}
        rows.append((name, settings, scores))
    yield "random", (runs_of(*rows), "b")


def _rows(runs, baseline, **wrong):
    """The right rows with one thing to get wrong."""
    names = list(dict.fromkeys(run["name"] for run in runs))
    names = sorted(names) if wrong.get("by_name") else names
    base = [run for run in runs if run["name"] == (names[0] if wrong.get("first_is_base") else baseline)]
    rows = []
    for name in names:
        own = [run for run in runs if run["name"] == name]
        scores, ours, theirs = [run["score"] for run in own], own[0]["settings"], base[0]["settings"]
        average = max(scores) if wrong.get("best") else mean(scores)
        spread = (pstdev if wrong.get("population") else stdev)(scores) if len(scores) > 1 else math.nan
        spread = 0.0 if len(scores) == 1 and wrong.get("zero") else spread
        keys = set(ours) & set(theirs) if wrong.get("shared") else set(ours) if wrong.get("own") else {*ours, *theirs}
        changed = sorted(key for key in keys if ours.get(key, "-") != theirs.get(key, "-"))
        changed = sorted(key for key in keys if ours.get(key) != theirs.get(key)) if wrong.get("get") else changed
        other = max(run["score"] for run in base) if wrong.get("best") else mean(run["score"] for run in base)
        difference = other - average if wrong.get("turned") else average - other
        row = {"name": name, "seeds": len(own), "mean": average, "std": spread, "difference": difference, "changed": changed}
        rows.append(row | ({"changed": len(changed)} if wrong.get("count") else {}))
    return rows


def _wrong(**what):
    def answer(runs, baseline):
        return _rows(runs, baseline, **what)

    return answer


ablation_rows = Exercise(
    name="24.ablation_rows",
    reference=ablation.ablation_rows,
    cases=ablation_cases,
    compare=Close(rtol=1e-9, atol=1e-12),
    points=4,
    misconceptions=[
        Misconception(
            "best-seed",
            _wrong(best=True),
            "You took the best seed of each row. The best of three is luck, and more luck where there are more seeds. What is their mean?",
        ),
        Misconception(
            "population",
            _wrong(population=True),
            "Your spread divides by n. Three seeds are a sample of all that could have been: divide by n - 1 (`statistics.stdev`).",
        ),
        Misconception(
            "no-spread-is-zero",
            _wrong(zero=True),
            "One run got a spread of 0, as if every seed gave the same. Nobody knows its spread: NaN.",
        ),
        Misconception(
            "difference-turned", _wrong(turned=True), "The sign is turned: the row's mean minus the baseline's, so that + is better."
        ),
        Misconception(
            "only-shared",
            _wrong(shared=True),
            "A setting that only one of the two has was overlooked. Leaving something out is a change, the commonest one in an ablation.",
        ),
        Misconception(
            "only-its-own",
            _wrong(own=True),
            "You looked through the row's own settings. What the baseline has and the row lacks has changed as well.",
        ),
        Misconception(
            "get-is-none",
            _wrong(get=True),
            "A setting whose value is None looked like one that is not there: `.get(key)` gives None for both. Ask `key in settings`.",
        ),
        Misconception("first-row", _wrong(first_is_base=True), "You compared with the first row. The baseline is the one that is named."),
        Misconception(
            "by-name", _wrong(by_name=True), "The rows are sorted by name. They stand in the order in which the names come first."
        ),
        Misconception(
            "a-number", _wrong(count=True), "`changed` is the sorted list of the settings, not how many: a reader wants to know which."
        ),
    ],
    hints=[
        "First gather the runs of each name: `by_name.setdefault(run['name'], []).append(run)` keeps the order.",
        "`stdev` of the module statistics needs two values at least; for one run write `float('nan')`.",
        "Changed is every key of either dict that only one has, or whose values differ: go through `{*ours, *theirs}`.",
    ],
)
