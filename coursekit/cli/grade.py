"""`coursekit grade`: everything that a class handed in, graded."""

import signal
from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add this module's command to the app."""
    app.command("grade")(grade)


def grade(
    submissions: Annotated[Path, typer.Argument(help="Folder or zip: a folder or zip per student, or what Canvas or Moodle gives out.")],
    assignment: Annotated[Path, typer.Option(help="The grader's folder of the assignment, DIR/grader.")],
    out: Annotated[Path, typer.Option(help="Folder for the gradebook, the feedback pages and the report.")],
    jobs: Annotated[int, typer.Option(min=0, help="Judges at work at the same time; 0: one for each core.")] = 0,
    tier: Annotated[str | None, typer.Option(help="Sandbox: namespaces, landlock or rlimits; the best that works without.")] = None,
    trusted: Annotated[
        bool, typer.Option("--i-trust-these-submissions", help="Run them even where no sandbox holds code that means harm.")
    ] = False,
    regrade: Annotated[bool, typer.Option("--regrade", help="Judge again what is graded already, with the same seeds.")] = False,
    scheduler: Annotated[str | None, typer.Option(help="Address of a Dask cluster, tcp://host:8786.")] = None,
    times: Annotated[Path | None, typer.Option(help="CSV of when each student handed in: student, submitted.")] = None,
    submitted: Annotated[str, typer.Option(help="auto, or mtime: take the files' own times.")] = "auto",
) -> None:
    """Grade submissions. What is graded already is left as it is; a run that was stopped goes on.

    Exit code 1 where some could not be graded for reasons of ours; the next run tries them again.
    """
    from ..grading.batch import grade_all
    from ..grading.late import read_times

    if submitted not in ("auto", "mtime"):
        raise ValueError(f"--submitted is auto or mtime, got {submitted!r}")
    known = read_times(times) if times else None
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with _progress() as watch:
        try:
            summary = grade_all(
                submissions, assignment, out, jobs, tier, trusted, regrade, scheduler, mtime=submitted == "mtime", times=known, watch=watch
            )
        except KeyboardInterrupt:
            typer.echo("\nstopped; what is graded is kept, and the same command goes on from there", err=True)
            raise typer.Exit(130) from None
    _show(summary)
    raise typer.Exit(1 if summary.failed else 0)


def _progress():
    """A line on stderr while it works, where somebody looks on."""
    from contextlib import contextmanager

    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    @contextmanager
    def shown():
        console = Console(stderr=True)
        columns = (TextColumn("grading"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.description}"))
        with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
            task = bar.add_task("", total=None)

            def watch(done: int, everything: int, grade) -> None:
                bar.update(task, completed=done, total=everything, description=escape(grade.student[:30]) if grade else "")

            yield watch

    return shown()


def _show(summary) -> None:
    """What was done, what is to be looked at, and where things lie."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    table = Table("", "", show_header=False, box=None)
    counts = {
        "graded": summary.graded,
        "graded before": summary.skipped,
        "ungradable": summary.ungradable,
        "not graded, our fault": summary.failed,
    }
    for name, count in counts.items():
        if count or name == "graded":
            table.add_row(str(count), name)
    console.print(table)
    for student, reason in list(summary.reasons.items())[:10]:
        console.print(Text(f"  {student}: {reason}"))
    if len(summary.reasons) > 10:
        console.print(f"  and {len(summary.reasons) - 10} more, in the report")
    if summary.changed:
        console.print(f"Judged again, {len(summary.changed)} got other points than before:")
        for student, (before, after) in list(summary.changed.items())[:10]:
            console.print(Text(f"  {student}: {before:g} → {after:g}"))
    if summary.ignored:
        console.print(Text(f"No submission: {', '.join(summary.ignored[:5])}{' …' if len(summary.ignored) > 5 else ''}"))
    for name in ("report.html", "feedback", "gradebook.sqlite"):
        console.print(Text(f"  {summary.out / name}"), soft_wrap=True)
    if summary.failed:
        console.print("Run the same command again: what failed is tried again.")
