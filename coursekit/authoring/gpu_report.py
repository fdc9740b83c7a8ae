"""The report of `make gpu`: one JSON file, and the same as a table to read. Written again after every part, so nothing measured is lost.

report = Report.open(Path("benchmarks/results"), machine(), resume=True)
report.put(Row("notebook", "13_boxes", "passed", seconds=4.2, budget=60))     # on the disk now
"""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from coursekit.files import write_json, write_text

STATES = {"passed": "✓", "failed": "✗", "not run": "–", "cut off": "…", "running": "…"}
NAME = "gpu-report"
MIB = 2**20


@dataclass
class Row:
    """How one part went.

    Args:
        kind: ``"notebook"``, ``"tests"`` or ``"benchmark"``.
        name: of the notebook's file, of the tests, of the benchmark.
        state: one of `STATES`; ``"cut off"``: time was up, a later call begins it again.
        seconds: wall time. budget: what they should be, None where there is no limit.
        bands: for each band its name, value, at_least, at_most, inside.
        allocated, reserved: most bytes of GPU memory that tensors took, and that torch held; None where nothing was said.
        figures: what a benchmark measured, a dict each.
        packages: names of what was imported. reason: why it failed or did not run, one sentence. said: the end of what it said.
    """

    kind: str
    name: str
    state: str
    seconds: float | None = None
    budget: float | None = None
    bands: list[dict] = field(default_factory=list)
    allocated: int | None = None
    reserved: int | None = None
    figures: list[dict] = field(default_factory=list)
    packages: list[str] = field(default_factory=list)
    reason: str = ""
    said: str = ""

    def __post_init__(self):
        if self.state not in STATES:
            raise ValueError(f"state must be one of {', '.join(STATES)}, got {self.state!r}")

    @property
    def late(self) -> bool:
        """Took it longer than it should?"""
        return bool(self.budget and self.seconds and self.seconds > self.budget)

    @property
    def finished(self) -> bool:
        """Need it not be begun again? What failed is run again: something was mended meanwhile."""
        return self.state == "passed"


@dataclass
class Report:
    """All rows, what they were measured on, and where they lie. Use `open`."""

    folder: Path
    machine: dict
    commands: list[str] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)

    @classmethod
    def open(cls, folder: Path | str, machine: dict, command: str = "", date: str = "", resume: bool = False) -> "Report":
        """A fresh report, or with ``resume`` the one that lies there, to go on with.

        Args:
            machine: card, versions and level: figures of one report are all of the same.

        Raises:
            ValueError: if what lies there is no report, or of another machine, naming what differs.
        """
        folder = Path(folder)
        report = cls(folder, machine)
        if resume and (folder / f"{NAME}.json").is_file():
            report = cls.read(folder)
            other = [name for name in sorted(machine | report.machine) if machine.get(name) != report.machine.get(name)]
            if other:
                was, now = report.machine.get(other[0]), machine.get(other[0])
                raise ValueError(f"{folder / NAME}.json is of another machine ({other[0]} was {was}, is {now}); give another --out")
        report.commands.append(f"{date}  {command}".strip())
        return report

    @classmethod
    def read(cls, folder: Path | str) -> "Report":
        """What lies in ``folder``.

        Raises:
            ValueError: if it is no report.
        """
        path = Path(folder) / f"{NAME}.json"
        try:
            saved = json.loads(path.read_text(encoding="utf-8"))
            rows = [Row(**row) for row in saved["rows"]]
            for row in rows:
                row.state = "cut off" if row.state == "running" else row.state  # whoever wrote that was killed
            return cls(path.parent, saved["machine"], saved["commands"], rows)
        except (json.JSONDecodeError, KeyError, TypeError, UnicodeDecodeError) as error:
            raise ValueError(f"{path} is no report of make gpu ({type(error).__name__}: {error})") from None

    def get(self, kind: str, name: str) -> Row | None:
        """The row of that part, if there is one."""
        return next((row for row in self.rows if (row.kind, row.name) == (kind, name)), None)

    def put(self, row: Row) -> None:
        """Add a row, or put it in the place of the one of that part; both files are on the disk afterwards."""
        old = self.get(row.kind, row.name)
        if old is None:
            self.rows.append(row)
        else:
            self.rows[self.rows.index(old)] = row
        self.write()

    def write(self) -> None:
        """Both files, all or nothing each."""
        write_json(
            self.folder / f"{NAME}.json", {"machine": self.machine, "commands": self.commands, "rows": [asdict(r) for r in self.rows]}
        )
        write_text(self.folder / f"{NAME}.md", to_markdown(self))


def to_markdown(report: Report) -> str:
    """The report as a person reads it: the machine, a table of notebooks with their bands, the tests, the benchmarks, and every reason."""
    lines = ["# Report of `make gpu`", "", *(f"- {name}: {value}" for name, value in report.machine.items() if value not in (None, ""))]
    lines += ["- made by:", *(f"  - `{command}`" for command in report.commands), "", summary(report), ""]
    for kind, table in (("notebook", _notebooks), ("tests", _tests), ("benchmark", _benchmarks), ("notebook", _bands)):
        rows = [row for row in report.rows if row.kind == kind]
        lines += [*table(sorted(rows, key=lambda row: row.name)), ""] if rows else []
    reasons = [f"- {row.name}, {row.state}: {row.reason}" for row in report.rows if row.reason]
    return "\n".join([*lines, *(["## Reasons", "", *reasons, ""] if reasons else [])])


def summary(report: Report) -> str:
    """One sentence: how many notebooks passed, failed, did not run, and how many took longer than they should."""
    notebooks = [row for row in report.rows if row.kind == "notebook"]
    parts = [f"{sum(r.state == 'passed' for r in notebooks)} of {len(notebooks)} notebooks passed"]
    for state in ("failed", "not run", "cut off"):
        many = sum(row.state in (state, "running" if state == "cut off" else state) for row in notebooks)
        parts += [f"{many} {state}"] if many else []
    late = [row.name for row in notebooks if row.late]
    return ", ".join(parts) + (f"; over their seconds: {', '.join(late)}" if late else "") + "."


def _mark(row: Row) -> str:
    return f"{STATES[row.state]} {row.state}"


def _seconds(row: Row) -> str:
    return "" if row.seconds is None else f"{row.seconds:.1f}"


def _mib(count: int | None) -> str:
    return "" if count is None else f"{count / MIB:.0f}"


def _notebooks(rows: list[Row]) -> list[str]:
    lines = ["## Notebooks", "", "| notebook | state | seconds | budget | peak MiB | bands |", "|---|---|---:|---:|---:|---|"]
    for row in rows:
        late = " (over)" if row.late else ""
        budget = "" if row.budget is None else f"{row.budget:g}"
        bands = f"{sum(one.get('inside') is not False for one in row.bands)} of {len(row.bands)} inside" if row.bands else ""
        lines.append(f"| {row.name} | {_mark(row)} | {_seconds(row)}{late} | {budget} | {_mib(row.allocated)} | {bands} |")
    return lines


def _bands(rows: list[Row]) -> list[str]:
    """Every band of every notebook: what was measured, what it must be, a cross where it is not."""
    lines = ["## Bands", "", "| notebook | band | value | must be |", "|---|---|---:|---|"]
    for row, band in [(one, band) for one in rows for band in one.bands]:
        value = "no number" if band["value"] is None else f"{band['value']:.4g}"
        bounds = [f"{sign} {band[name]:g}" for name, sign in (("at_least", ">="), ("at_most", "<=")) if band.get(name) is not None]
        cross = "✗ " if band.get("inside") is False else ""
        lines.append(f"| {row.name} | {_cell(band['name'])} | {cross}{value} | {', '.join(bounds)} |")
    return lines


def _tests(rows: list[Row]) -> list[str]:
    lines = ["## Tests on the GPU", "", "| tests | state | seconds | passed | failed | skipped |", "|---|---|---:|---:|---:|---:|"]
    for row in rows:
        counts = row.figures[0] if row.figures else {}
        cells = " | ".join(str(counts.get(name, "")) for name in ("passed", "failed", "skipped"))
        lines.append(f"| {row.name} | {_mark(row)} | {_seconds(row)} | {cells} |")
    return lines


def _benchmarks(rows: list[Row]) -> list[str]:
    """A table for each, with the columns that its figures have."""
    lines = ["## Benchmarks"]
    for row in rows:
        lines += ["", f"### {row.name}: {_mark(row)}, {_seconds(row) or 'no'} seconds", ""]
        columns = list(dict.fromkeys(name for figure in row.figures for name in figure))
        if columns:
            lines += ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
        for figure in row.figures:
            lines.append("| " + " | ".join(_cell(figure.get(name)) for name in columns) + " |")
    return lines


def _cell(value) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value).replace("|", "\\|")
