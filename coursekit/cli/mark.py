"""`coursekit mark`: give marks by hand, in the browser or in a spreadsheet. For teachers."""

import getpass
from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add this module's command to the app."""
    app.command()(mark)


def mark(
    submissions: Annotated[Path, typer.Argument(help="Folder or zip of what the students handed in.", show_default=False)],
    assignment: Annotated[Path, typer.Option(help="The grader's folder of the assignment, DIR/grader.", show_default=False)],
    gradebook: Annotated[Path, typer.Option(help="OUT/gradebook.sqlite, where marks go.", show_default=False)],
    rubric: Annotated[
        list[Path] | None, typer.Option(help="YAML or JSON, or project; without, the assignment's own.", show_default=False)
    ] = None,
    sheet: Annotated[
        Path | None, typer.Option(help="Mark in a spreadsheet: writes this CSV, or reads it back once it is there.", show_default=False)
    ] = None,
    competition: Annotated[
        Path | None, typer.Option(help="OUT/keep of a competition: what a submission.csv scores is shown beside it.", show_default=False)
    ] = None,
    anonymous: Annotated[bool, typer.Option("--anonymous", help="Hide names: students are numbers.")] = False,
    marker: Annotated[str | None, typer.Option(help="Who marks; your user name without.", show_default=False)] = None,
    port: Annotated[int, typer.Option(help="Of the local page; 0 takes a free one.")] = 0,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open a browser; without, only print the address.")] = True,
) -> None:
    """Mark free answers and projects by hand, by a rubric; every mark is written into the gradebook at once."""
    from ..grading.assignment import read_bundle
    from ..grading.gradebook import Gradebook
    from ..grading.intake import submissions_in
    from ..grading.marking import desk as lay_out
    from .assignment import _rubric as read_one

    bundle = read_bundle(assignment)
    rubrics = [read_one(path) for path in rubric] if rubric else None
    book = Gradebook(gradebook)
    papers = any(part.get("report") for one in (bundle.rubrics if rubrics is None else rubrics) for part in one["parts"])
    scorer = None if competition is None else _scorer(competition)
    found = submissions_in(submissions, bundle, papers=papers, scorer=scorer)
    desk = lay_out(bundle, found, book, rubrics, marker or getpass.getuser(), anonymous)
    if sheet is not None:
        _sheet(sheet, desk)
    else:
        _serve(desk, port, browser)
    _feedback(book, desk.name, gradebook.parent / "feedback")


def _scorer(keep: Path):
    """What to say about a project's submission: its scores on both parts, or why it has none."""
    from ..project.scoring import Competition

    competition = Competition.read(keep)

    def said(raw: bytes, name: str) -> str:
        try:
            return f"Scored by {keep.parent.name or keep}: {competition.score_bytes(raw, name, private=True)}."
        except ValueError as error:
            return f"Cannot be scored: {error}"

    return said


def _sheet(path: Path, desk) -> None:
    from ..grading.marking import read_sheet, write_sheet

    if not path.exists():
        count = write_sheet(path, desk)
        typer.echo(f"{path}: {count} lines to mark. Fill in points and comment, save it as CSV, and run the same command again.")
        return
    given = read_sheet(path, desk)
    new = sum([desk.give(*each) for each in given])
    done, all_of_it = desk.progress()
    typer.echo(f"{new} marks written down, {len(given) - new} were there already; {done} of {all_of_it} are given.")


def _serve(desk, port: int, browser: bool) -> None:
    import webbrowser

    from ..grading.marking_page import MarkingServer

    with MarkingServer(desk, port) as server:
        typer.echo(f"{len(desk.students)} submissions, {len(desk.parts)} parts each: {server.address}")
        typer.echo("Every mark is saved at once. Ctrl-C ends this.")
        if browser:
            webbrowser.open(server.address)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            done, all_of_it = desk.progress()
            typer.echo(f"\n{done} of {all_of_it} marks are given.")


def _feedback(book, name: str, folder: Path) -> None:
    """The students' pages show the marks, where there are such pages already."""
    from ..grading.marking import refresh_feedback

    if folder.is_dir():
        written = refresh_feedback(book, name, folder)
        if written:
            typer.echo(f"{written} pages in {folder} show the marks.")
