"""A dataset's report as a person reads it in a terminal. Rich is imported when it is needed."""

import json
from itertools import groupby
from pathlib import Path

from ..files import write_json
from .check import Report
from .records import printable, summarize


def render(report: Report, limit: int = 20):
    """Tables of counts, box sizes and problems.

    Args:
        limit: rows of each kind of problem that are listed; the rest is counted.

    Returns:
        Something that rich's console prints.
    """
    from rich.console import Group

    parts = [f"{report.path}: {report.format.upper()}, {len(report.classes)} classes", _counts(report)]
    if report.sizes:
        parts.append(_sizes(report))
    if report.problems:
        parts.append(_problems(report, limit))
    return Group(*parts, summarize(report.problems) or "No problems found.")


def _table(title: str, *columns: str):
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number else "left", overflow="fold")
    return table


def _counts(report: Report):
    table = _table("Counts", "", *(split.name for split in report.splits))
    table.add_row("pictures", *(str(split.pictures) for split in report.splits))
    table.add_row("without objects", *(str(split.empty) for split in report.splits), end_section=True)
    for name in report.classes:
        table.add_row(_plain(name), *(str(split.boxes[name]) for split in report.splits))
    return table


def _sizes(report: Report):
    table = _table("Box sizes in pixels", "", "width: min", "median", "max", "height: min", "median", "max")
    for name, sides in report.sizes.items():
        table.add_row(_plain(name), *(f"{value:.4g}" for side in ("width", "height") for value in sides[side]))
    return table


def _problems(report: Report, limit: int):
    from rich.text import Text

    lines = []
    for (note, kind), group in groupby(report.problems, key=lambda problem: (problem.note, problem.kind)):
        group = list(group)
        actions = {problem.action for problem in group}
        shared = f", {actions.pop()}" if len(actions) == 1 else ""
        lines.append(Text(f"{'note' if note else 'problem'}: {kind}, {len(group)}{shared}", style="yellow" if note else "red"))
        endings = ["" if shared else f"; {problem.action}" for problem in group]
        lines += [_plain(f"    {problem.file}: {problem.detail}{end}") for problem, end in zip(group[:limit], endings, strict=False)]
        if len(group) > limit:
            lines.append(Text(f"    and {len(group) - limit} more (--limit shows more, --json has all)"))
    return Text("\n").join(lines)


def _plain(text: str):
    """Text that may hold square brackets, which rich would take for markup."""
    from rich.text import Text

    return Text(printable(text))


def print_report(report: Report, limit: int = 20, json_path: Path | None = None) -> None:
    """The tables on standard output, and the whole report as JSON in a file; with ``-`` the JSON alone, on standard output."""
    from rich.console import Console

    if str(json_path) == "-":
        print(json.dumps(report.to_dict(), ensure_ascii=False, indent=1))
        return
    if json_path is not None:
        write_json(json_path, report.to_dict())
    Console(highlight=False, markup=False, soft_wrap=False).print(render(report, limit))
