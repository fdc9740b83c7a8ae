"""Pictures of what a one-shot detector says and learns. Used in notebook 19_yolo."""

import textwrap
from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.figure import Figure

from .images import set_alt, to_picture

LINES = ("-", "--", ":", "-.")
MARKS = ("o", "s", "^", "D", "v", "P")


def show_levels(image, scores, strides=(8, 16, 32), title: str = "How sure each cell is that something is here") -> Figure:
    """The best score of every cell, one panel for each map, over the image.

    Args:
        image: (3, H, W) uint8, H and W multiples of the strides.
        scores: (A, C) in [0, 1], fine maps first, row by row.

    Raises:
        ValueError: if the scores are not those of an image of this size.
    """
    height, width = image.shape[-2:]
    sizes = [(height // stride, width // stride) for stride in strides]
    cells = [rows * columns for rows, columns in sizes]
    best = torch.as_tensor(scores).max(dim=1).values
    if len(best) != sum(cells):
        raise ValueError(f"scores must have {sum(cells)} rows for an image of {height}x{width}, got {len(best)}")
    figure, axes = plt.subplots(1, len(strides), figsize=(3.4 * len(strides), 3.9), layout="constrained")
    for ax, level, size, stride in zip(np.atleast_1d(axes), best.split(cells), sizes, strides, strict=True):
        ax.imshow(to_picture(image), extent=(0, width, height, 0))
        shown = ax.imshow(level.reshape(size), vmin=0, vmax=1, cmap="magma", alpha=0.65, extent=(0, width, height, 0))
        ax.set(title=f"stride {stride}: {size[0]} x {size[1]} cells, best {level.max():.2f}", xlabel="x in pixels", ylabel="y in pixels")
    figure.colorbar(shown, ax=axes, label="best score of the cell", shrink=0.7)
    figure.suptitle(title)
    peaks = ", ".join(f"{level.max():.2f} at stride {stride}" for level, stride in zip(best.split(cells), strides, strict=True))
    return set_alt(figure, f"{title}. Three maps over the image; the highest score is {peaks}.")


def show_owners(image, boxes, owner, centres, strides, title: str = "Which cells answer for which object") -> Figure:
    """Truth boxes, and the centre of every cell that answers for one, in the object's colour and mark.

    Args:
        image: (3, H, W). boxes: (M, 4) ``xyxy``. owner: (A,) index of the object, -1 for none. centres: (A, 2). strides: (A,).
    """
    figure, ax = plt.subplots(figsize=(6.4, 4.4), layout="constrained")
    height, width = image.shape[-2:]
    ax.imshow(to_picture(image), extent=(0, width, height, 0))
    for number, (x1, y1, x2, y2) in enumerate(np.asarray(boxes)):
        colour, mark = f"C{number % 10}", MARKS[number % len(MARKS)]
        ax.add_patch(plt.Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, color=colour, linewidth=2, linestyle=LINES[number % len(LINES)]))
        mine = owner == number
        for stride in strides[mine].unique():
            at = centres[mine & (strides == stride)]
            label = f"object {number}: {len(at)} of stride {int(stride)}"
            ax.scatter(*at.T, s=3 * float(stride), color=colour, marker=mark, edgecolors="white", linewidths=0.6, label=label)
    if len(boxes):
        ax.legend(fontsize=7, loc="upper left", bbox_to_anchor=(1, 1))
    ax.set(title=title, xlabel="x in pixels", ylabel="y in pixels", xlim=(0, width), ylim=(height, 0))
    counts = ", ".join(f"{int((owner == number).sum())} for object {number}" for number in range(len(boxes)))
    return set_alt(figure, f"{title}: of {len(owner)} cells {counts or 'none'}.")


def show_curves(curves: Mapping[str, tuple], title: str, xlabel: str, ylabel: str, ax=None, ylim=None) -> Figure:
    """Lines that can be told apart without colour, in one picture.

    Args:
        curves: name -> (x values, y values).
    """
    if ax is None:
        _, ax = plt.subplots(figsize=(6, 3.4), layout="constrained")
    for number, (name, (x, y)) in enumerate(curves.items()):
        ax.plot(x, y, LINES[number % len(LINES)], linewidth=2, label=name)
    ax.set(title=title, xlabel=xlabel, ylabel=ylabel)
    if all(isinstance(value, int) for x, _ in curves.values() for value in x):
        ax.xaxis.get_major_locator().set_params(integer=True)  # there is no epoch 1.5
    if ylim:
        ax.set_ylim(*ylim)
    if len(curves) > 1:
        ax.legend(fontsize=8)
    ends = "; ".join(f"{name} ends at {float(y[-1]):.3g}" for name, (_, y) in curves.items() if len(y))
    return set_alt(ax.figure, f"{title}. {xlabel} against {ylabel}. {ends}.")


def show_table(rows: Mapping[str, list[float]], title: str, ylabel: str) -> Figure:
    """One dot for each seed and a bar for their mean, for each named variant: is the difference larger than the noise?"""
    figure, ax = plt.subplots(figsize=(max(6, 1.2 * len(rows)), 3.4), layout="constrained")
    for place, values in enumerate(rows.values()):
        ax.bar(place, np.mean(values), color="lightsteelblue", edgecolor="black", width=0.6)
        ax.plot([place] * len(values), values, "ko", markersize=5)
        ax.annotate(f"{np.mean(values):.3f}", (place, 0.02), ha="center")
    ax.set_xticks(range(len(rows)), [textwrap.fill(name, 12, break_long_words=False) for name in rows])
    ax.set(title=title, ylabel=ylabel, ylim=(0, 1))
    means = ", ".join(f"{name} {np.mean(values):.3f}" for name, values in rows.items())
    return set_alt(figure, f"{title}. Mean {ylabel}: {means}. One dot for each seed.")


def show_minutes(rows: Sequence[Mapping], title: str, what: str = "AP") -> Figure:
    """AP against the minutes of training, a line for each who; the bar is the interval over test pictures, a small dot a further seed.

    Args:
        rows: one mapping each, with ``who``, ``minutes``, ``seed``, ``what`` and ``f"{what} interval"`` (low, high).

    Raises:
        ValueError: if there are none.
    """
    if not rows:
        raise ValueError("rows must hold at least one measurement, got none")
    figure, ax = plt.subplots(figsize=(7.6, 4), layout="constrained")
    words = []
    for number, who in enumerate(dict.fromkeys(row["who"] for row in rows)):
        mine = sorted((row for row in rows if row["who"] == who), key=lambda row: (row["minutes"], row["seed"]))
        first = [row for row in mine if row["seed"] == min(other["seed"] for other in mine if other["minutes"] == row["minutes"])]
        shift = 1 + 0.035 * (number - 1.5)  # beside each other, so that bars of the same minute can be told apart
        minutes, values = [row["minutes"] * shift for row in first], [row[what] for row in first]
        low, high = (np.array([abs(row[f"{what} interval"][end] - row[what]) for row in first]) for end in (0, 1))
        look = {"linestyle": LINES[number % len(LINES)], "marker": MARKS[number % len(MARKS)], "color": f"C{number}"}
        ax.errorbar(minutes, values, yerr=[low, high], capsize=4, markersize=7, label=who, **look)
        others = [row for row in mine if row not in first]
        ax.plot([row["minutes"] * shift for row in others], [row[what] for row in others], ".", color=look["color"], markersize=5)
        words.append(f"{who} " + ", ".join(f"{row[what]:.3f} after {row['minutes']:g}" for row in first))
    ticks = sorted({row["minutes"] for row in rows})
    ax.set_xscale("log")
    ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    ax.minorticks_off()
    highest = max(row[f"{what} interval"][1] for row in rows)
    ax.set(title=title, xlabel="minutes of training (logarithmic)", ylabel=what, ylim=(0, min(1, highest + 0.06)))
    ax.legend(fontsize=8, loc="lower right")
    return set_alt(figure, f"{title}. {what} by minutes: {'; '.join(words)}.")


def show_two_runs(left: np.ndarray, right: np.ndarray, classes: Sequence[str], titles: tuple[str, str]) -> Figure:
    """Two confusion matrices beside each other: rows are predicted, columns true, the last of each is background."""
    names = [*classes, "background"]
    figure, axes = plt.subplots(1, 2, figsize=(11, 4.6), layout="constrained")
    for ax, matrix, title in zip(axes, (left, right), titles, strict=True):
        share = matrix / np.maximum(matrix.sum(axis=0), 1)
        ax.imshow(share, cmap="Blues", vmin=0, vmax=1)
        for (row, column), count in np.ndenumerate(matrix):
            if count:
                ax.text(
                    column, row, str(count), ha="center", va="center", fontsize=8, color="white" if share[row, column] > 0.5 else "black"
                )
        ax.set_xticks(range(len(names)), names, rotation=40, ha="right", fontsize=8)
        ax.set_yticks(range(len(names)), names, fontsize=8)
        ax.set(xlabel="true", ylabel="predicted", title=title)
    counts = [int(matrix.diagonal()[:-1].sum()) for matrix in (left, right)]
    total = int(left[:, :-1].sum())
    return set_alt(figure, f"{titles[0]}: {counts[0]} of {total} objects under their right name. {titles[1]}: {counts[1]} of {total}.")
