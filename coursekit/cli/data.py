"""`coursekit data`: check a folder, list and fetch known datasets."""

import typer

app = typer.Typer(no_args_is_help=True, help="Datasets: check your own, list and fetch known ones.")
