"""The report of the project: a template with the five questions that graders ask, filled with what the steps have measured already.
`report_gaps` says what is still missing. Taught in notebook 24_project."""

from collections.abc import Mapping, Sequence
from statistics import mean, stdev
from typing import Any

from .ablation import AblationTable
from .report_check import report_gaps, sections_about
from .report_words import TITLES, TOPICS

__all__ = ["report_gaps", "report_template", "sections_about"]

KINDS = ("detection", "classification")
ASKED = {
    "data": "how many pictures of what, where from, under which licence, how split, and what is wrong with them",
    "optimiser": "which optimiser and which loss, and why these for this data",
    "first": "the simplest network that you trained, its layers or its name, and what it reached beside what costs nothing",
    "next": "what you changed, one thing at a time, and what each change brought over several seeds",
    "overfitting": "how you saw it (training beside validation), what you did, and what that changed",
    "hyper": "learning rate, batch, steps, image size, thresholds: each with its value and how you came to it",
    "limits": "when it will fail and what your numbers do not say: conditions, classes, sizes, places where nobody took a picture",
}
RESULTS = {
    "detection": "AP, AP50 and AP75, the tool that measured them, on how many pictures, an interval, the weakest classes, what AP was "
    "lost to, the confidence that you would ship",
    "classification": "accuracy and macro-F1 on how many pictures never trained on, the confusion matrix, which classes are "
    "taken for which",
}
HINT = """<!-- What stands in [write: ...] is for you to replace. Notes like this one do not show and may stay.
     `coursekit project check` says what is still missing. Numbers need their tool, their pictures and their seeds. -->"""


def report_template(kind: str, steps: Mapping[str, Mapping] | None = None) -> str:
    """A report to be written, in markdown.

    Args:
        kind: ``"detection"`` or ``"classification"``.
        steps: of `steps.read_steps`. What is there is filled in as tables; what only a person knows is left to write.

    Raises:
        ValueError: for another kind.
    """
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {kind!r}")
    asked, steps = {**ASKED, "results": RESULTS[kind]}, dict(steps or {})
    filled = {
        "data": _data_card(steps.get("data_card")),
        "first": _baseline(steps.get("baseline")),
        "next": _ablation(steps.get("ablation")),
        "results": _results(steps.get("ap_report")),
    }
    lines = ["# Report: [write: what your project is called] (프로젝트 보고서)", "", HINT]
    for topic in TOPICS:
        lines += ["", f"## {TITLES[topic]}", "", f"[write: {asked[topic]}]"]
        if filled.get(topic):
            lines += ["", filled[topic].strip()]
    return "\n".join(lines) + "\n"


def _data_card(step: Mapping | None) -> str:
    """As the card shows itself, its headings made smaller; another dict as a table."""
    if not step:
        return ""
    from ..data.data_card import DataCard

    try:
        card = DataCard(**{**step, "classes": tuple(step["classes"]), "problems": tuple(step.get("problems", ()))})
        text = card.to_markdown()
    except (KeyError, TypeError, AttributeError, ValueError):
        return table_of(step)
    return "\n".join(f"##{line}" if line.startswith("#") else line for line in text.split("\n"))


def _baseline(step: Mapping | None) -> str:
    if not step:
        return ""
    try:
        rows = {str(name): [float(value) for value in values] for name, values in step["models"].items()}
        lines = [f"| | seeds | {cell(step.get('metric', 'score'))}, mean ± std |", "|---|---:|---:|"]
        for name, values in rows.items():
            spread = f" ± {stdev(values):.3f}" if len(values) > 1 else ""
            lines.append(f"| {cell(name)} | {len(values)} | {mean(values):.3f}{spread} |")
    except (KeyError, TypeError, AttributeError, ValueError):
        return table_of(step)
    rest = {key: value for key, value in step.items() if key not in ("models", "metric")}
    return "\n".join(lines) + (f"\n\n{table_of(rest)}" if rest else "")


def _ablation(step: Mapping | None) -> str:
    if not step:
        return ""
    try:
        return AblationTable.from_dict(step).to_markdown()
    except (KeyError, TypeError, AttributeError, ValueError):
        return table_of(step)


def _results(step: Mapping | None) -> str:
    if not step:
        return ""
    rest, matrix = dict(step), ""
    names, rows = step.get("classes"), step.get("confusion")
    if (
        isinstance(names, Sequence)
        and isinstance(rows, Sequence)
        and len(names) == len(rows)
        and all(isinstance(r, Sequence) for r in rows)
    ):
        head = [f"| confusion matrix: truth ↓, said → | {' | '.join(map(cell, names))} |", "|---|" + "---:|" * len(names)]
        matrix = "\n".join([*head, *(f"| {cell(name)} | {' | '.join(map(cell, row))} |" for name, row in zip(names, rows, strict=True))])
        rest = {key: value for key, value in rest.items() if key not in ("classes", "confusion")}
    return "\n\n".join(part for part in (table_of(rest) if rest else "", matrix) if part)


def table_of(fields: Mapping[str, Any]) -> str:
    """Any dict as a table of two columns."""
    return "\n".join(["| | |", "|---|---|", *(f"| {cell(key)} | {cell(_told(value))} |" for key, value in fields.items())])


def _told(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_told(item)}" for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_told, value))
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def cell(text: Any) -> str:
    """Text that stays in its cell of a table."""
    return " ".join(str(text).split()).replace("|", "\\|")
