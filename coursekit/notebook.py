"""What every notebook's first code cell imports.

from coursekit.notebook import at, band, check, hint, predict, reveal, solution, start
start("13_boxes")
"""

import math
import os

import coursekit
from coursekit import machine
from coursekit.exercises.check import check
from coursekit.exercises.hints import hint, set_edition, solution
from coursekit.exercises.questions import predict, reveal
from coursekit.level import at, level
from coursekit.recorded import record, watch_cells

__all__ = ["at", "band", "check", "hint", "level", "predict", "reveal", "solution", "start"]


def start(notebook: str, built_for: str | None = None, edition: str = "self-study") -> None:
    """Set the notebook up and say in one line what it runs on: threads, picture style, versions.

    Args:
        notebook: its file name without the ending, ``"13_boxes"``.
        built_for: the coursekit version that the notebook was built for (the builder fills it in); another one gets a warning.
        edition: ``"self-study"``, or ``"class"`` where solutions are left out.
    """
    import torch

    threads = int(os.environ.get("OMP_NUM_THREADS") or 0) or machine.cpu_quota()
    torch.set_num_threads(threads)
    set_edition(edition)
    _picture_style()
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else f"CPU, {threads} thread{'s' if threads != 1 else ''}"
    print(f"{notebook} · coursekit {coursekit.__version__} · torch {torch.__version__} · {device} · level {level()}")
    record("start", notebook=notebook, device=device, level=level())
    watch_cells()
    if built_for and built_for != coursekit.__version__:
        print(
            f"⚠ This notebook was built for coursekit {built_for}; you have {coursekit.__version__}. "
            "Most of it will work. `coursekit start` lays the matching edition beside yours."
        )


def _picture_style() -> None:
    """Pictures sharp enough to read and small enough to load; nothing that a learner's own settings would miss."""
    import matplotlib

    from coursekit.plots import inline

    matplotlib.rcParams.update({"figure.dpi": 96, "axes.titlesize": 11, "axes.grid": False, "image.interpolation": "nearest"})
    inline.install()


def band(name: str, value: float, at_least: float | None = None, at_most: float | None = None) -> None:
    """Say whether a measured number lies where it must, and stop the notebook where it does not (smoke runs only print it).

    It gives nothing back: it is mostly the last line of a cell, which would show the number twice.

    Raises:
        AssertionError: if it lies outside, or is NaN.
        ValueError: if no bound is given.
    """
    if at_least is None and at_most is None:
        raise ValueError(f"band({name!r}) needs at_least or at_most")
    value = float(value)
    bounds = [f"{word} {bound:g}" for word, bound in (("at least", at_least), ("at most", at_most)) if bound is not None]
    inside = not math.isnan(value) and (at_least is None or value >= at_least) and (at_most is None or value <= at_most)
    record("band", name=name, value=value, at_least=at_least, at_most=at_most, inside=None if level() == "smoke" else inside)
    if level() == "smoke":
        print(f"○ {name}: {value:.4g} (a smoke run; a real one must reach {' and '.join(bounds)})")
        return
    print(f"{'✓' if inside else '✗'} {name}: {value:.4g} ({' and '.join(bounds)})")
    assert inside, f"{name} is {value:.4g}, but must be {' and '.join(bounds)}"
