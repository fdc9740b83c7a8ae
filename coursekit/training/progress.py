"""What is seen of a training while it runs: a bar with the time left in a terminal, a line for each epoch elsewhere."""

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar


class Progress:
    """Use as a context manager; give `step` and `row` to the loop.

    Args:
        total: steps in all. done: of them before this start.
        console: to write to; None is standard output. quiet: write nothing.
    """

    def __init__(self, total: int, done: int = 0, console: Console | None = None, quiet: bool = False):
        self.console = console or Console(quiet=quiet)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("left"), TimeRemainingColumn())
        self.bar = Bar(*columns, console=self.console, disable=not self.console.is_terminal)
        self.task = self.bar.add_task("steps", total=total, completed=done)

    def __enter__(self) -> "Progress":
        self.bar.start()
        return self

    def __exit__(self, *_) -> None:
        self.bar.stop()

    def step(self) -> None:
        """One training step is done."""
        self.bar.advance(self.task)

    def row(self, row: dict) -> None:
        """An epoch is done."""
        numbers = "  ".join(f"{name} {value:.3f}" for name, value in row.items() if "/" in name)
        self.console.print(f"epoch {row['epoch']:3d}  {row['time']:6.1f} s  {numbers}", highlight=False, soft_wrap=True)

    def say(self, sentence: str) -> None:
        """Something that a user should know."""
        self.console.print(sentence, highlight=False, soft_wrap=True)
