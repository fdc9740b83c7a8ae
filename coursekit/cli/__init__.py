"""The `coursekit` command. Each command imports what it needs when it runs, so that `--help` answers at once."""

import typer

from . import assignment, course, data, engine, evaluate, export, grade, gradebook, mark, predict, project, serve

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help="Pixels to Boxes: the course's command.")
for module in (course, engine, predict, export, evaluate, serve, grade, mark):
    module.register(app)
app.add_typer(data.app, name="data")
app.add_typer(gradebook.app, name="gradebook")
app.add_typer(assignment.app, name="assignment")
app.add_typer(project.app, name="project")


def main() -> None:
    """Run a command. What the user got wrong is one sentence on stderr and exit code 2, never a traceback."""
    try:
        app()
    except (ValueError, OSError) as error:
        typer.secho(f"coursekit: {error}", fg="red", err=True)
        raise SystemExit(2) from None
    except (MemoryError, RuntimeError) as error:
        from ..training.device import is_out_of_memory

        if not is_out_of_memory(error):
            raise
        typer.secho("coursekit: memory ran out; lower --imgsz, or --tile where windows are looked through", fg="red", err=True)
        raise SystemExit(2) from None
