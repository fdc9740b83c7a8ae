"""`coursekit data`: check a folder, list and fetch known datasets."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Datasets: check your own, list and fetch known ones.")


@app.command()
def check(
    path: Annotated[Path, typer.Argument(help="The dataset's folder (or the one above it), or its JSON or YAML file.")],
    format: Annotated[str | None, typer.Option(help="voc, coco, yolo or gtsdb, where a folder holds more than one.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Rows listed for each kind of problem.")] = 20,
    json: Annotated[Path | None, typer.Option(help="Write the report to this file; - for standard output.")] = None,
):
    """Report what is in a dataset and what is wrong with it. Exit code 0: nothing to fix, 1: something was, 2: it cannot be read."""
    from coursekit.data.check import check_dataset
    from coursekit.data.report import print_report

    report = check_dataset(path, format)
    print_report(report, limit, json)
    raise typer.Exit(report.exit_code)


@app.command("list")
def list_datasets(
    name: Annotated[str | None, typer.Argument(help="One dataset: its whole card.")] = None,
):
    """Known datasets, with their size and licence."""
    from coursekit.data.catalog import card, describe, print_list

    if name is None:
        print_list()
    else:
        typer.echo(describe(card(name)))


@app.command()
def get(
    name: Annotated[str, typer.Argument(help="As `coursekit data list` names it.")],
    folder: Annotated[Path | None, typer.Option(help="Where you have it already: its folder, or its archive as downloaded.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print the folder only.")] = False,
):
    """Fetch a known dataset: it resumes, is checked by hash, and is kept in COURSEKIT_DATA or the system's cache folder."""
    from coursekit.data.catalog import card, describe, get, what_next

    if not quiet:
        typer.echo(describe(card(name)), err=True)
    try:
        path = get(name, folder, progress=not quiet)
    except KeyboardInterrupt:
        typer.echo(f"Stopped. What has arrived is kept; `coursekit data get {name}` goes on from there.", err=True)
        raise typer.Exit(130) from None
    typer.echo(path)
    if not quiet:
        typer.echo(what_next(card(name), path), err=True)
