"""`coursekit gradebook`: what was decided, shown, exported and verified."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from ..grading.exports import Standing
    from ..grading.gradebook import Gradebook

app = typer.Typer(no_args_is_help=True, help="Grades: show them, take them to Canvas, Moodle, Gradescope or nbgrader, verify them.")


Book = Annotated[Path, typer.Argument(help="The file gradebook.sqlite that coursekit grade wrote, or its folder.")]
Name = Annotated[str | None, typer.Option("--assignment", help="One assignment; needed where the gradebook holds several.")]
Attempts = Annotated[Literal["last", "best", "all"], typer.Option("--which", help="Which attempt of each student counts.")]
Attempt = Annotated[Literal["last", "best"], typer.Option("--which", help="Which attempt of each student counts.")]
Visibility = Annotated[
    Literal["visible", "hidden", "after_due_date", "after_published"], typer.Option(help="When students see each exercise's result.")
]
Due = Annotated[str | None, typer.Option(help="When work was due, with a time zone: 2026-11-30T23:59+01:00.")]
Late = Annotated[
    str,
    typer.Option(
        help="What lateness costs: none, or some of grace=MINUTES, percent=PER_DAY (of the points earned, for each day that has started), "
        "floor=PERCENT (that stays), zero-after=DAYS, with commas between."
    ),
]
Times = Annotated[Path | None, typer.Option(help="CSV with columns student,submitted: times that go before the gradebook's.")]
Out = Annotated[Path | None, typer.Option(help="Write to this file; without, to standard output.")]


@app.command()
def show(
    book: Book,
    assignment: Name = None,
    which: Attempts = "last",
    due: Due = None,
    late: Late = "none",
    times: Times = None,
    parts: Annotated[bool, typer.Option("--parts", help="A column for each exercise.")] = False,
) -> None:
    """Everybody's points as a table, and how the class did."""
    from rich.console import Console

    from ..grading.exports import distribution

    with _open(book) as opened:
        standings = _standings(opened, assignment, which, due, late, times)
        names = sorted({row.assignment for row in standings})
    console = Console()
    for name in names:
        rows = [row for row in standings if row.assignment == name]
        console.print(_table(name, rows, parts))
        typer.echo(distribution(rows))
    if not names:
        typer.echo("no grades yet")


@app.command()
def csv(
    book: Book,
    out: Out = None,
    assignment: Name = None,
    which: Attempts = "last",
    due: Due = None,
    late: Late = "none",
    times: Times = None,
) -> None:
    """One row for each student, for a spreadsheet; no cell of it is a formula, whatever a student is called."""
    from ..grading.exports import as_csv

    with _open(book) as opened:
        _write(out, as_csv(_standings(opened, assignment, which, due, late, times)))


@app.command()
def json(
    book: Book,
    out: Out = None,
    assignment: Name = None,
    which: Attempts = "last",
    due: Due = None,
    late: Late = "none",
    times: Times = None,
) -> None:
    """Everything: who stands where, and every row that was ever written."""
    from ..grading.exports import as_json

    with _open(book) as opened:
        _write(out, as_json(opened, _standings(opened, assignment, which, due, late, times), assignment), csv=False)


@app.command()
def canvas(
    book: Book,
    export: Annotated[Path, typer.Option("--canvas", help="The CSV that Canvas's gradebook exports: it says who has which id.")],
    out: Out = None,
    column: Annotated[
        str | None, typer.Option(help="The assignment's title or number in Canvas, where it is called something else.")
    ] = None,
    assignment: Name = None,
    which: Attempt = "last",
    due: Due = None,
    late: Late = "none",
    times: Times = None,
) -> None:
    """A file for Canvas's gradebook import. Exit code 1 where a student's points are not in it; each is named."""
    from ..grading.lms import canvas as to_canvas

    with _open(book) as opened:
        made = to_canvas(_standings(opened, _only(opened, assignment), which, due, late, times), export, column)
    _write(out, made.text)
    _tell(made.unmatched, made.notes)


@app.command()
def moodle(
    book: Book,
    participants: Annotated[
        Path | None, typer.Option(help="CSV from Moodle (participants, grading worksheet): it says who is who.")
    ] = None,
    by: Annotated[Literal["email", "idnumber", "username"] | None, typer.Option(help="What names a student in the file.")] = None,
    out: Out = None,
    assignment: Name = None,
    which: Attempt = "last",
    due: Due = None,
    late: Late = "none",
    times: Times = None,
) -> None:
    """A file for Moodle's grade import. Exit code 1 where a student's points are not in it; each is named."""
    from ..grading.lms import moodle as to_moodle

    with _open(book) as opened:
        standings = _standings(opened, _only(opened, assignment), which, due, late, times)
    made = to_moodle(standings, participants, by)
    _write(out, made.text)
    _tell(made.unmatched, made.notes)


@app.command()
def gradescope(
    book: Book,
    out: Annotated[Path, typer.Option(help="Folder for STUDENT/results.json.")],
    visibility: Visibility = "visible",
    assignment: Name = None,
    which: Attempt = "last",
    due: Due = None,
    late: Late = "none",
    times: Times = None,
) -> None:
    """One results.json for each student. Exit code 1 where a student has no grade; each is named."""
    from ..grading.exports import write_gradescope

    with _open(book) as opened:
        standings = _standings(opened, _only(opened, assignment), which, due, late, times)
    written = write_gradescope(standings, out, visibility)
    typer.echo(f"{len(written)} students: {out}")
    _tell({row.student: f"has no grade: {row.note}" for row in standings if row.student not in written}, [])


@app.command()
def nbgrader(
    book: Book,
    course: Annotated[Path, typer.Argument(help="The folder of an nbgrader course: the one with gradebook.db.")],
    assignment: Name = None,
    which: Attempt = "last",
    due: Due = None,
    late: Late = "none",
    times: Times = None,
) -> None:
    """Write the scores into an nbgrader course, for formgrader. nbgrader must be installed beside coursekit."""
    from ..grading.nbgrader_bridge import write_scores

    with _open(book) as opened:
        written = write_scores(_standings(opened, _only(opened, assignment), which, due, late, times), course)
    typer.echo(f"{len(written.students)} students: {course}")
    _tell(written.left_out, written.notes)


@app.command()
def verify(
    book: Book,
    noted: Annotated[str, typer.Option(help="A hash that an earlier verify gave: rows that were there then must be there now.")] = "",
) -> None:
    """Whether every row is as it was written. Exit code 1, and the first row that does not fit, where not."""
    with _open(book) as opened:
        problem, head = opened.verify(noted), opened.head()
    typer.echo(_printable(problem) if problem else f"every row is as it was written; newest: {head or 'none'}")
    raise typer.Exit(1 if problem else 0)


# what the commands share


def _open(book: Path) -> "Gradebook":
    from ..grading.gradebook import Gradebook

    inside = book / "gradebook.sqlite"
    return Gradebook(inside if inside.is_file() else book, create=False)


def _only(book: "Gradebook", assignment: str | None) -> str:
    there = book.assignments()
    if assignment is None and len(there) != 1:
        names = ", ".join(map(repr, there)) or "none yet"
        raise ValueError(
            f"the gradebook {book.path} holds several assignments ({names}): choose one with --assignment"
            if there
            else f"{book.path} holds no grades yet"
        )
    return assignment or there[0]


def _standings(book: "Gradebook", assignment: str | None, which: str, due: str | None, late: str, times: Path | None) -> "list[Standing]":
    from ..grading.exports import collect
    from ..grading.late import parse_policy, parse_time, read_times

    policy = parse_policy(late, parse_time(due, "--due") if due else None)
    said = read_times(times) if times else {}
    standings = collect(book, assignment, which, policy, said)
    if strangers := sorted(set(said) - {row.student for row in standings}):
        _complain(f"{times}: the gradebook knows nobody called {', '.join(strangers)}")
    return standings


def _table(name: str, rows: "list[Standing]", parts: bool):
    from rich.table import Table
    from rich.text import Text

    from ..grading.table import number

    late = any(row.lateness.words for row in rows)
    exercises = list({part: None for row in rows for part in row.parts}) if parts else []
    table = Table(title=Text(_printable(name)))
    table.add_column("Student", overflow="fold")
    for title in ("Attempt", *exercises, *(("Before", "Taken off") if late else ()), "Points", "Of"):
        table.add_column(Text(_printable(title)), justify="right", overflow="fold")
    for title in (*(("Lateness",) if late else ()), "Note"):
        table.add_column(title, overflow="fold")
    for row in rows:
        numbers = [number(row.parts[part].points) if part in row.parts else "" for part in exercises]
        numbers += [number(row.earned), number(row.taken_off or None)] if late else []
        numbers += ["not graded" if row.points is None else number(row.points), number(row.out_of)]
        words = [row.lateness.words] if late else []
        cells = [row.student, row.grade.attempt if row.grade else "", *numbers, *words, row.note]
        table.add_row(*(Text(_printable(str(cell))) for cell in cells))
    return table


def _printable(text: str) -> str:
    """What a terminal shows and does not obey: a name may hold escape sequences, or turn the direction of writing."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _write(out: Path | None, text: str, csv: bool = True) -> None:
    from coursekit.files import write_text

    from ..grading.table import write_csv

    if out is None:
        typer.echo(text.encode("utf-8", "backslashreplace"), nl=False)
    elif csv:
        write_csv(out, text)
    else:
        write_text(out, text)


def _tell(unmatched: dict[str, str], notes: list[str]) -> None:
    for sentence in notes:
        _complain(sentence)
    for student, why in unmatched.items():
        _complain(f"left out: {student} {why}")
    raise typer.Exit(1 if unmatched else 0)


def _complain(sentence: str) -> None:
    typer.secho(_printable(sentence), fg="yellow", err=True)
