"""`coursekit assignment`: make one of some notebooks, and show what is in it. For teachers."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Assignments: what a class gets, and what its grader keeps.")


@app.command()
def make(
    numbers: Annotated[list[str], typer.Argument(help="Numbers of notebooks, such as 13 20.", show_default=False)],
    out: Annotated[Path, typer.Option(help="Folder that gets release/ (hand it out) and grader/ (keep it).", show_default=False)],
    name: Annotated[str | None, typer.Option(help="Of the assignment; the folder's without.", show_default=False)] = None,
    points: Annotated[list[str] | None, typer.Option(help="What an exercise is worth here: 13.box_iou=5.", show_default=False)] = None,
    variants: Annotated[
        str, typer.Option(help="How many exercises of its own this class gets in each notebook, or their families: 13.variant_iou,…")
    ] = "0",
    rubric: Annotated[
        list[Path] | None,
        typer.Option(help="YAML or JSON of what is marked by hand; project: the course's own, for 24.", show_default=False),
    ] = None,
) -> None:
    """Make an assignment of some notebooks: release/ for the class, grader/ for yourself."""
    from ..grading.assignment import make as make_assignment

    worth = {}
    for text in points or []:
        exercise, equals, value = text.partition("=")
        try:
            worth[exercise.strip()] = float(value)
        except ValueError:
            equals = ""
        if not equals:
            raise ValueError(f'--points takes an exercise and a number, such as "13.box_iou=5", got {text!r}')
    wanted = int(variants) if variants.strip().isdigit() else [family.strip() for family in variants.split(",") if family.strip()]
    made = make_assignment(numbers, out, name, worth, wanted, [_rubric(path) for path in rubric or []])
    typer.echo(f"Assignment {made.name}: {len(made.tasks)} exercises, {made.points:g} points.")
    typer.echo(f"  {out / 'release'}  to hand out: {', '.join(f'{stem}.ipynb' for stem in made.released)}")
    typer.echo(f"  {out / 'grader'}  to keep to yourself, and to keep: every grade depends on it")
    for warning in warnings_about(made):
        typer.secho(warning, fg="yellow", err=True)


@app.command()
def show(folder: Annotated[Path, typer.Argument(help="The grader's folder of an assignment, DIR/grader.", show_default=False)]) -> None:
    """Show the exercises of an assignment, their points, and what an answer may import."""
    from rich.console import Console
    from rich.table import Table

    from ..grading.assignment import read_bundle

    found = read_bundle(folder)
    table = Table("exercise", "points", "may import", "also needs", "cases", title=f"{found.name} · {found.points:g} points")
    for task in found.tasks:
        files = [path for path, text in task.kit.files.items() if text]
        cases = "public and drawn" if task.drawn else "always the same"
        table.add_row(task.name, f"{task.points:g}", ", ".join([*task.kit.packages, *files]), ", ".join(task.kit.needs), cases)
    for rubric in found.rubrics:
        for part in rubric["parts"]:
            table.add_row(str(part["title"]), f"{part['points']:g}", "", "", "marked by hand")
    Console().print(table)
    made_with = ", ".join(f"{name} {version}" for name, version in found.versions.items())
    typer.echo(f"made with {made_with}; bundle {found.sha256[:16]}")
    for warning in warnings_about(found):
        typer.secho(warning, fg="yellow", err=True)


def warnings_about(assignment) -> list[str]:
    """What a teacher should know of an assignment, a sentence each."""
    from ..grading.assignment import why_left_out

    fixed = [task.name for task in assignment.tasks if not task.drawn]
    found = [f"⚠ {name}: its cases are the same for everybody, so an answer may be a table of them." for name in fixed]
    return found + [f"⚠ {sentence} No points are given for that." for sentence in why_left_out(assignment.left_out)]


def _rubric(path: Path) -> dict:
    """A rubric of one's own, or by its word the course's."""
    from ..grading.rubric import read_rubric
    from ..resources import resource

    return read_rubric(resource("project_rubric.yaml") if str(path) == "project" and not path.is_file() else path)
