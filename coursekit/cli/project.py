"""`coursekit project`: lay a project out, check what is missing, and run a competition with hidden labels."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="The project: its folder, its report, and a competition with hidden labels.")
compete = typer.Typer(no_args_is_help=True, help="For whoever runs a competition: pictures out, labels kept, submissions scored.")
app.add_typer(compete, name="compete")

Keep = Annotated[Path, typer.Argument(help="The folder OUT/keep that was kept.", show_default=False)]


@app.command()
def start(
    folder: Annotated[Path, typer.Argument(help="Of the project; made if need be.")] = Path("project"),
    kind: Annotated[str, typer.Option(help="detection or classification.")] = "detection",
) -> None:
    """Lay out a project: report.md with the five questions, steps/, README.md. Nothing is ever written over."""
    from ..project.folder import start_project

    for name, what in start_project(folder, kind).items():
        typer.echo(f"{what:>8}  {folder / name}")


@app.command()
def check(
    folder: Annotated[Path, typer.Argument(help="Of the project.")] = Path("project"),
    sample: Annotated[
        Path | None, typer.Option(help="The competition's sample_submission.csv: submission.csv is checked by it.", show_default=False)
    ] = None,
    kind: Annotated[str | None, typer.Option(help="detection or classification; without, the report decides.", show_default=False)] = None,
) -> None:
    """Say which steps are missing, what the report still lacks, and whether the submission can be scored. Exit 1 where something is."""
    from ..project.folder import check_project

    found = check_project(folder, sample, kind)
    for finding in found:
        typer.echo(f"{'✓' if finding.done else '○'} {finding.about:10} {finding.text}")
    left = sum(not finding.done for finding in found)
    typer.echo("Nothing is missing that a machine can see." if not left else f"{left} left.")
    raise typer.Exit(1 if left else 0)


@compete.command()
def make(
    data: Annotated[Path, typer.Argument(help="Folder of boxes (VOC, COCO, YOLO) or of a folder for each class.", show_default=False)],
    out: Annotated[Path, typer.Option(help="Folder that gets participants/ (hand it out) and keep/ (keep it).", show_default=False)],
    public: Annotated[float, typer.Option(help="Share of the pictures whose score is told at once.")] = 0.3,
    metric: Annotated[str | None, typer.Option(help="AP, AP50, AP75; macro_f1, accuracy.", show_default=False)] = None,
    seed: Annotated[int | None, typer.Option(help="Only for trying out: a secret that can be made again.", show_default=False)] = None,
) -> None:
    """Lay out a competition: pictures without labels, and the labels apart from them."""
    from ..project.competition import make_competition

    made = make_competition(data, out, public, seed, metric)
    typer.echo(f"{len(made.ids)} pictures, {len(made.classes)} classes, {made.kind}, scored by {made.metric}.")
    typer.echo(f"  {out / 'participants'}  to hand out: images/, sample_submission.csv, classes.txt, README.md")
    typer.echo(f"  {out / 'keep'}  to keep: labels and secret; nobody else may read it")


@compete.command()
def score(
    keep: Keep,
    submission: Annotated[Path, typer.Argument(help="CSV that somebody handed in.", show_default=False)],
    name: Annotated[str, typer.Option(help="Who handed it in; it stands on the board.", show_default=False)],
) -> None:
    """Score a submission on the public part and write it on the board."""
    from ..project.board import add_to_board

    typer.echo(str(add_to_board(keep, submission, name)))


@compete.command()
def board(
    keep: Keep,
    final: Annotated[bool, typer.Option("--final", help="Tell the private scores: once, at the end.")] = False,
) -> None:
    """Show the best submission of each name, and how many there were."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from ..project.board import final_board, ranking, read_board

    entries = final_board(keep) if final else read_board(keep)
    if not entries:
        typer.echo("Nothing was handed in yet.")
        return
    first = entries[0]
    table = Table("", "name", "submissions", f"public {first.metric}, {first.pictures} pictures", "95 %", *["private"] * final)
    for place, entry in enumerate(ranking(entries, final), 1):
        count = sum(other.name == entry.name for other in entries)
        cells = [str(place), escape(entry.name), str(count), f"{entry.public:.4f}", f"{entry.low:.3f} to {entry.high:.3f}"]
        table.add_row(*cells, *([f"{entry.private:.4f}"] if final else []))
    Console().print(table)
    if not final:
        typer.echo("The best of many on the public part is partly luck; what counts is told at the end.")
