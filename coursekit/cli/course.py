"""Commands about the course itself: start, doctor, build, progress."""

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add this module's commands to the app."""
    for command in (start, doctor, build, progress):
        app.command()(command)


def start(
    folder: Annotated[Path, typer.Argument(help="Your own folder for the notebooks.")] = Path("my-course"),
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open a browser; without, only print the URL.")] = True,
    lab: Annotated[bool, typer.Option("--lab/--no-lab", help="Start JupyterLab; without, only lay out the notebooks.")] = True,
    port: Annotated[int, typer.Option(help="Port for JupyterLab; the next free one is taken.")] = 8888,
) -> None:
    """Lay the notebooks into your own folder (never over what you changed) and open JupyterLab on the first."""
    from ..start import copy_notebooks, open_lab

    done = copy_notebooks(folder)
    for name, what in done.items():
        if what != "kept":
            note = " (you changed yours: the newer edition lies next to it)" if what == "beside" else ""
            typer.echo(f"{what:>8}  {folder / name}{note}")
    if lab:
        raise typer.Exit(open_lab(folder, port=port, browser=browser))


def doctor() -> None:
    """Report on this machine: versions, processor, GPU, memory, threads, what will be slow and how to mend it."""
    from ..doctor import render, report

    rows = report()
    render(rows)
    raise typer.Exit(1 if any(row.verdict == "bad" for row in rows) else 0)


def build(
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit 1 where a notebook is not what its source builds.")] = False,
) -> None:
    """Build notebooks/ (student edition) and build/solved/ from solutions/. For authors, in a checkout."""
    from ..authoring import build as build_notebooks

    stale = build_notebooks(check=check)
    for name in stale:
        typer.echo(f"{'stale' if check else 'built'}: {name}")
    if check and stale:
        typer.echo("Run `coursekit build` and commit the result.", err=True)
        raise typer.Exit(1)


def progress() -> None:
    """Show which exercises you passed, notebook by notebook."""
    from ..exercises.progress import progress_table

    progress_table()
