"""Several detectors on the same scenes: how good, how fast. Used by notebooks 16_grid_detector to 19_yolo."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator, StrMethodFormatter

from coursekit.plots.images import set_alt


def show_detectors(table: Mapping[str, Mapping[str, Sequence[float]]], title: str) -> Figure:
    """A row for each detector: AP and AP50 of each seed on the left, milliseconds of one picture on the right.

    Args:
        table: name -> ``{"AP": [...], "AP50": [...], "milliseconds": [...]}``, one number for each seed; AP in [0, 1].

    Raises:
        ValueError: if there is no detector, or one lacks a number.
    """
    columns = ("AP", "AP50", "milliseconds")
    for name, row in table.items():
        if missing := [column for column in columns if not len(row.get(column, ()))]:
            raise ValueError(f"table must hold numbers for {', '.join(columns)}; {name!r} lacks {', '.join(missing)}")
    if not table:
        raise ValueError("table must hold at least one detector")
    means = {name: {column: float(np.mean(row[column])) for column in columns} for name, row in table.items()}
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 0.45 * len(table) + 1.6), layout="constrained", sharey=True)
    for place, (name, row) in enumerate(table.items()):
        left.plot(row["AP"], [place] * len(row["AP"]), "o", color="#0072B2", alpha=0.8, label="AP" if place == 0 else None)
        left.plot(
            row["AP50"], [place] * len(row["AP50"]), "s", color="#D55E00", markerfacecolor="none", label="AP50" if place == 0 else None
        )
        left.annotate(f"{means[name]['AP']:.2f} / {means[name]['AP50']:.2f}", (1.02, place), va="center", fontsize=9, annotation_clip=False)
        right.plot(means[name]["milliseconds"], place, "k|", markersize=14, markeredgewidth=3)
        right.annotate(
            f"{means[name]['milliseconds']:.3g} ms", (means[name]["milliseconds"], place), (8, 0), textcoords="offset points", va="center"
        )
    left.set_yticks(range(len(table)), list(table))
    left.set(xlim=(0, 1), ylim=(len(table) - 0.5, -0.5), xlabel="AP, one mark a seed; means at the right", ylabel="detector", title=title)
    left.legend(loc="best", fontsize=8)  # where it hides no mark
    slowest = max(row["milliseconds"] for row in means.values())
    fastest = min(row["milliseconds"] for row in means.values())
    right.set(xscale="log", xlim=(fastest / 2, slowest * 4), xlabel="milliseconds a picture (logarithmic)", title="Time of one picture")
    ticks = (1, 2, 5) if slowest < 100 * fastest else (1,)  # the default writes "3 x 10^1" and "4 x 10^1" over each other
    right.xaxis.set_major_locator(LogLocator(subs=ticks))
    right.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    right.xaxis.set_minor_locator(NullLocator())
    for ax in (left, right):
        ax.grid(axis="x", alpha=0.3)
    said = "; ".join(f"{name}: AP {m['AP']:.3f}, AP50 {m['AP50']:.3f}, {m['milliseconds']:.3g} ms" for name, m in means.items())
    return set_alt(figure, f"{title}. Means over the seeds: {said}.")
