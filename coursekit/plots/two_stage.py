"""Pictures of two-stage detection: how often a network runs, and which anchors are asked. Taught in notebook 18_two_stage."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from torch import Tensor

from coursekit.plots.boxes import BLUE, GREEN, GREY, ORANGE, draw_box
from coursekit.plots.images import set_alt, to_picture


def show_cost(rows: Mapping[str, tuple[float, float]], title: str, units: tuple[str, str]) -> Figure:
    """Two bars for each way of doing one thing, both on axes of powers of ten.

    Args:
        rows: name -> two numbers above 0.
        units: what the numbers count, such as ("million multiply-adds", "milliseconds").

    Raises:
        ValueError: if there is no row, or a number is not above 0.
    """
    if not rows or min(min(pair) for pair in rows.values()) <= 0:
        raise ValueError(f"rows must hold two numbers above 0 for each name, got {dict(rows)}")
    figure, axes = plt.subplots(1, 2, figsize=(10, 0.55 * len(rows) + 1.5), layout="constrained", sharey=True)
    for which, (ax, unit, hatch) in enumerate(zip(axes, units, ("", "//"), strict=True)):
        values = [pair[which] for pair in rows.values()]
        ax.barh(range(len(rows)), values, color=BLUE, alpha=0.5, edgecolor=BLUE, hatch=hatch)
        for place, value in enumerate(values):
            ax.annotate(
                f"{value:,.3g}" if value < 1000 else f"{value:,.0f}", (value, place), (4, 0), textcoords="offset points", va="center"
            )
        ax.set_xscale("log")
        ax.set_xlim(min(values) / 3, max(values) * 8)
        ax.set(xlabel=f"{unit}, each step is ten times more")
    axes[0].set_yticks(range(len(rows)), list(rows))
    axes[0].set_ylabel("way")
    axes[0].invert_yaxis()
    figure.suptitle(title)
    words = "; ".join(f"{name}: {pair[0]:,.4g} {units[0]} and {pair[1]:,.3g} {units[1]}" for name, pair in rows.items())
    return set_alt(figure, f"{title}. {words}.")


def show_asked(image: Tensor, anchors: Tensor, owner: Tensor, truth: Tensor, title: str, most: int = 12) -> Figure:
    """Which anchors are asked about one picture: those with an object solid, some of those for background dashed, the truth thick.

    Args:
        image: (3, H, W). anchors: (A, 4). owner: (A,) index of an object, -1 background, -2 not asked. truth: (M, 4).
        most: at most so many background anchors are drawn, evenly picked.
    """
    figure, ax = plt.subplots(figsize=(6.2, 5.4), layout="constrained")
    height, width = image.shape[-2:]
    ax.imshow(to_picture(image), extent=(0, width, height, 0), alpha=0.75)
    background, objects = anchors[owner == -1], anchors[owner >= 0]
    for index in np.unique(np.linspace(0, len(background) - 1, min(most, len(background))).astype(int)):
        draw_box(ax, background[index], color=ORANGE, style="--", width=1.3)
    for box in truth:
        draw_box(ax, box, color="black", width=5)
        draw_box(ax, box, color=GREEN, width=3)
    for box in objects:
        draw_box(ax, box, color=BLUE, width=1.6)
    ax.set(xlim=(-16, width + 16), ylim=(height + 16, -16), xlabel="x in pixels", ylabel="y in pixels, downwards", title=title)
    counts = {"object": len(objects), "background": len(background), "not asked": int((owner == -2).sum())}
    drawn = min(most, len(background))
    handles = [
        Line2D([], [], color=GREEN, linewidth=3, label=f"truth: {len(truth)}"),
        Line2D([], [], color=BLUE, linewidth=1.6, label=f"asked, object: {counts['object']}"),
        Line2D([], [], color=ORANGE, linewidth=1.3, linestyle="--", label=f"asked, background: {counts['background']} ({drawn} drawn)"),
        Line2D([], [], color=GREY, linewidth=0, label=f"not asked: {counts['not asked']}"),
    ]
    ax.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=2, fontsize=8)
    return set_alt(figure, f"{title}. Of {len(owner)} anchors: " + ", ".join(f"{n} {name}" for name, n in counts.items()) + ".")
