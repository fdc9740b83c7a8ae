"""An ablation: one thing changed, everything else as it was, over several seeds. Taught in notebooks 12_transfer and 24_project.

>>> runs = [{"name": "all of it", "seed": s, "score": 0.5 + s / 100, "settings": {"mosaic": True}} for s in (0, 1, 2)]
>>> runs += [{"name": "no mosaic", "seed": s, "score": 0.4 + s / 100, "settings": {"mosaic": False}} for s in (0, 1, 2)]
>>> print(ablation_table(runs, "all of it", metric="AP50").to_markdown())
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean, stdev
from typing import Any

BUDGET = ("steps", "epochs", "images")  # of a run, beside its settings: what it was given


def ablation_rows(runs: Sequence[Mapping], baseline: str) -> list[dict[str, Any]]:
    """What each change brings, from single runs.

    Args:
        runs: dicts with ``name``, ``seed``, ``score`` and ``settings`` (a dict).
        baseline: the name of the row that the others are compared with.

    Returns:
        A dict for each name, in the order in which names come first: ``name``; ``seeds``, how many runs; ``mean``; ``std`` of a sample
        (n - 1; NaN for one run); ``difference``, mean minus the baseline's mean; ``changed``, sorted names of the settings that differ
        from the baseline's, also those that only one of both has. More than one of them, and the row does not say which one did it.
    """
    by_name: dict[str, list] = {}
    for run in runs:
        by_name.setdefault(run["name"], []).append(run)
    rows, base = [], by_name[baseline]
    for name, own in by_name.items():
        scores = [run["score"] for run in own]
        ours, theirs = own[0]["settings"], base[0]["settings"]
        changed = sorted(key for key in {*ours, *theirs} if (key in ours) != (key in theirs) or ours[key] != theirs[key])
        spread = stdev(scores) if len(scores) > 1 else math.nan
        difference = mean(scores) - mean(run["score"] for run in base)
        rows.append({"name": name, "seeds": len(scores), "mean": mean(scores), "std": spread, "difference": difference, "changed": changed})
    return rows


@dataclass(frozen=True)
class AblationTable:
    """The table, and what has to be said beside it.

    Args:
        metric: what the scores are, with its tool or set if need be.
        baseline: the row that the others are compared with.
        rows: of `ablation_rows`.
        seeds: by row, sorted.
        notes: sentences, each on a reason why a row is not what it looks like.
    """

    metric: str
    baseline: str
    rows: tuple[dict, ...]
    seeds: dict[str, tuple[int, ...]]
    notes: tuple[str, ...]

    def to_dict(self) -> dict:
        """For `save_step("ablation", ...)`: no NaN, for which JSON has no word."""
        rows = [{key: None if isinstance(value, float) and math.isnan(value) else value for key, value in row.items()} for row in self.rows]
        seeds = {name: list(values) for name, values in self.seeds.items()}
        return {"metric": self.metric, "baseline": self.baseline, "rows": rows, "seeds": seeds, "notes": list(self.notes)}

    @classmethod
    def from_dict(cls, data: Mapping) -> "AblationTable":
        """What `to_dict` gave."""
        rows = tuple({**row, "std": math.nan if row["std"] is None else row["std"]} for row in data["rows"])
        seeds = {name: tuple(values) for name, values in data["seeds"].items()}
        return cls(data["metric"], data["baseline"], rows, seeds, tuple(data["notes"]))

    def to_markdown(self) -> str:
        """For a report: a row each, and the notes below."""
        lines = [f"| | seeds | {_cell(self.metric)}, mean ± std | difference | changed |", "|---|---:|---:|---:|---|"]
        for row in self.rows:
            spread = "" if math.isnan(row["std"]) else f" ± {row['std']:.3f}"
            base = row["name"] == self.baseline
            changed = "baseline" if base else ", ".join(row["changed"]) or "nothing"
            changed += f" (no ablation: {len(row['changed'])} settings)" if len(row["changed"]) > 1 else ""
            difference = "" if base else f"{row['difference']:+.3f}"
            lines.append(f"| {_cell(row['name'])} | {row['seeds']} | {row['mean']:.3f}{spread} | {difference} | {_cell(changed)} |")
        return "\n".join(lines + [""] * bool(self.notes) + [f"- {note}" for note in self.notes]) + "\n"


def ablation_table(runs: Sequence[Mapping], baseline: str, metric: str = "score") -> AblationTable:
    """The rows of `ablation_rows`, checked, with notes on what is not comparable.

    Args:
        runs: dicts with ``name``, ``seed`` (a whole number), ``score`` (finite) and ``settings`` (a dict); ``steps``, ``epochs`` and
            ``images`` where they are known.
        baseline: name of the row to compare with.
        metric: what the scores are: "AP50 (COCO, coursekit)".

    Raises:
        ValueError: naming the run whose fields do not fit, a seed that a row has twice, settings that differ within a row, or a baseline
            that is not there.
    """
    by_name = _checked(runs, baseline)
    rows = ablation_rows(runs, baseline)
    seeds = {name: tuple(sorted(run["seed"] for run in own)) for name, own in by_name.items()}
    notes = [note for row in rows for note in _notes(row, by_name, seeds, baseline)]
    return AblationTable(metric, baseline, tuple(rows), seeds, tuple(notes))


def _checked(runs: Sequence[Mapping], baseline: str) -> dict[str, list[Mapping]]:
    by_name: dict[str, list[Mapping]] = {}
    for place, run in enumerate(runs):
        missing = [field for field in ("name", "seed", "score", "settings") if field not in run]
        if missing:
            raise ValueError(f"run {place + 1} must have name, seed, score and settings, {missing[0]} is missing")
        where = f"run {place + 1} ({run['name']!r}, seed {run['seed']!r})"
        if isinstance(run["seed"], bool) or not isinstance(run["seed"], int):
            raise ValueError(f"{where}: seed must be a whole number, got {run['seed']!r}")
        if not math.isfinite(run["score"]):
            raise ValueError(f"{where}: score must be finite, got {run['score']}; what did the run that failed score?")
        if not isinstance(run["settings"], Mapping):
            raise ValueError(f"{where}: settings must be a dict, got {type(run['settings']).__name__}")
        own = by_name.setdefault(run["name"], [])
        if any(run["seed"] == other["seed"] for other in own):
            raise ValueError(f"{where}: the row has this seed already")
        if own and dict(own[0]["settings"]) != dict(run["settings"]):
            raise ValueError(f"{where}: settings differ within the row: {dict(own[0]['settings'])} and {dict(run['settings'])}")
        own.append(run)
    if baseline not in by_name:
        raise ValueError(
            f"baseline must be one of {', '.join(map(repr, by_name)) or 'the runs, of which there are none'}, got {baseline!r}"
        )
    return by_name


def _notes(row: dict, by_name: dict, seeds: dict, baseline: str) -> list[str]:
    name, found = row["name"], []
    if row["seeds"] == 1:
        found.append(f"{name}: one seed is an anecdote; nobody knows how far another would be off.")
    if name == baseline:
        return found
    if not row["changed"]:
        found.append(f"{name}: no setting differs from {baseline}; what was changed is not written down.")
    if len(row["changed"]) > 1:
        found.append(
            f"{name}: {len(row['changed'])} settings changed ({', '.join(row['changed'])}): no ablation, nobody knows which did it."
        )
    if seeds[name] != seeds[baseline]:
        found.append(f"{name}: seeds {_listed(seeds[name])}, but {baseline} has {_listed(seeds[baseline])}.")
    for field in BUDGET:
        ours, theirs = ({run.get(field) for run in by_name[which]} for which in (name, baseline))
        if ours != theirs:
            found.append(f"{name}: {_listed(ours)} {field}, but {baseline} has {_listed(theirs)}: more than the setting differs.")
    if found or row["seeds"] < 2:
        return found
    theirs = {run["seed"]: run["score"] for run in by_name[baseline]}
    pairs = [run["score"] - theirs[run["seed"]] for run in by_name[name]]  # seed by seed: what a hard seed does to both falls out
    if abs(row["difference"]) <= stdev(pairs):
        found.append(
            f"{name}: the difference {row['difference']:+.3f} is within its spread over the seeds, {stdev(pairs):.3f}: no finding."
        )
    return found


def _listed(values) -> str:
    return ", ".join("unknown" if value is None else str(value) for value in sorted(values, key=str))


def _cell(text: str) -> str:
    return " ".join(str(text).split()).replace("|", "\\|")
