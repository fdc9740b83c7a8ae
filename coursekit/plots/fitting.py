"""Pictures of fitting: two errors, gaps, what helped, activations by depth, which numbers share a mean. Taught in notebook 08_fitting."""

import math
from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Polygon, Rectangle

from coursekit.plots.images import set_alt

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
LINES = ("-", "--", ":", "-.")
MARKERS = ("o", "s", "^", "D", "v", "x", "P")


def _finite(values: np.ndarray) -> np.ndarray:
    return np.where(np.isfinite(values), values, np.nan)


def show_fits(points, fits: Mapping[str, tuple], truth: tuple, title: str, limits: tuple[float, float] = (-2.2, 2.2)) -> Figure:
    """Several curves through the same points, a panel each, over the truth that they should have found.

    Args:
        points: (x, y), what was trained on.
        fits: panel title -> (x, y) of the fitted curve.
        truth: (x, y) of the curve without noise.
        limits: of the y axis; a curve that leaves it is cut off.
    """
    figure, axes = plt.subplots(1, len(fits), figsize=(3.1 * len(fits), 3.1), layout="constrained", squeeze=False, sharey=True)
    for ax, (name, (x, y)) in zip(axes[0], fits.items(), strict=True):
        ax.plot(*truth, "--", color="#777777", linewidth=1.2, label="truth")
        ax.plot(x, y, "-", color=COLOURS[1], label="fit")
        ax.plot(*points, "o", color=COLOURS[0], markersize=5, label="training points")
        ax.set(ylim=limits, xlabel="x", title=name)
    axes[0, 0].set_ylabel("y")
    axes[0, 0].legend(fontsize=7, loc="lower left")
    figure.suptitle(title)
    return set_alt(figure, f"{title}. Panels: {'; '.join(name.replace(chr(10), ', ') for name in fits)}.")


def show_curves(
    x: Sequence[float],
    curves: Mapping[str, Sequence],
    title: str,
    xlabel: str,
    ylabel: str,
    log_x: bool = False,
    log_y: bool = False,
    limits: tuple[float, float] | None = None,
) -> Figure:
    """Lines over a common x. A curve of several seeds is drawn as its mean, with a band from the lowest to the highest.

    Args:
        x: (n,).
        curves: name -> (n,) or (seeds, n). What is infinite or NaN is left out, and a cross marks the last number before it.
        limits: of the y axis.

    Raises:
        ValueError: if a curve is not as long as x.
    """
    figure, ax = plt.subplots(figsize=(6.6, 3.8), layout="constrained")
    x, words = list(x), []
    for number, (name, values) in enumerate(curves.items()):
        values = np.atleast_2d(np.asarray(values, dtype=float))
        if values.shape[1] != len(x):
            raise ValueError(f"{name} must hold {len(x)} values, one for each x, got {values.shape[1]}")
        known = _finite(values)
        alive = np.isfinite(values).all(axis=0)
        mean = np.where(alive, np.nanmean(np.where(alive, known, 0.0), axis=0), np.nan)
        style = {"color": COLOURS[number % 7], "linestyle": LINES[number % 4]}
        ax.plot(x, mean, marker=MARKERS[number % 7] if len(x) <= 30 else None, markersize=4, label=name, **style)
        if len(values) > 1:
            low, high = (np.where(alive, edge(np.where(alive, known, 0.0), axis=0), np.nan) for edge in (np.min, np.max))
            ax.fill_between(x, low, high, color=style["color"], alpha=0.15, linewidth=0)
        words.append(_in_words(name, x, mean, ax, style["color"]))
    if log_x:
        ax.set_xscale("log")
        if len(x) <= 12:
            ax.set_xticks(x, [f"{value:g}" for value in x])
            ax.minorticks_off()
    if log_y:
        ax.set_yscale("log")
    if limits:
        ax.set_ylim(limits)
    ax.set(xlabel=xlabel, ylabel=ylabel, title=title)
    ax.grid(alpha=0.25)
    ax.legend(fontsize=8)
    return set_alt(figure, f"{title}. {ylabel} by {xlabel}. {' '.join(words)}")


def _in_words(name: str, x, mean: np.ndarray, ax, colour: str) -> str:
    """The first and the last number of a curve; where it breaks off, a cross is drawn at its end."""
    places = np.flatnonzero(np.isfinite(mean))
    if not len(places):
        return f"{name}: no finite value."
    first, last = places[0], places[-1]
    words = f"{name}: from {mean[first]:.3g} at {x[first]:g} to {mean[last]:.3g} at {x[last]:g}"
    if last < len(x) - 1:
        ax.plot([x[last]], [mean[last]], "X", color=colour, markersize=10)
        words += ", then infinite or NaN"
    return words + "."


def show_map(values, rows: Sequence, columns: Sequence, title: str, xlabel: str, ylabel: str) -> Figure:
    """A table of errors as colours with their numbers; the smallest of each row is framed. NaN stays empty.

    Args:
        values: (rows, columns), above 0; colours go by the logarithm.
    """
    values = np.asarray(values, dtype=float)
    figure, ax = plt.subplots(figsize=(0.52 * len(columns) + 1.8, 0.48 * len(rows) + 1.4), layout="constrained")
    ax.imshow(np.log10(values), cmap="cividis", aspect="auto")
    low, high = np.log10(np.nanmin(values)), np.log10(np.nanmax(values))
    dark = low + 0.5 * (high - low)  # colours below it are dark
    for (row, column), value in np.ndenumerate(values):
        if math.isfinite(value):
            text = f"{value:.2f}" if value < 9.95 else f"{value:.0f}" if value < 1000 else "≫"
            ax.text(column, row, text, ha="center", va="center", fontsize=7, color="white" if math.log10(value) < dark else "black")
    best = [int(np.nanargmin(row)) for row in values]
    for row, column in enumerate(best):
        ax.add_patch(Rectangle((column - 0.47, row - 0.45), 0.94, 0.9, fill=False, edgecolor="#D55E00", linewidth=2.5))
    ax.set_xticks(range(len(columns)), columns)
    ax.set_yticks(range(len(rows)), rows)
    ax.set(xlabel=xlabel, ylabel=ylabel, title=title)
    words = "; ".join(f"{ylabel} {row}: smallest {values[i, best[i]]:.2f} at {columns[best[i]]}" for i, row in enumerate(rows))
    return set_alt(figure, f"{title}. {words}.")


def show_activations(rows: Mapping[str, Mapping[str, np.ndarray]], title: str) -> Figure:
    """Histograms of what comes out of each layer: a row for each kind of first weights, a column for each depth.

    Args:
        rows: name -> panel name -> numbers of any shape. All panels of a row share the x axis of its first one, so that shrinking shows.
    """
    columns = max(len(panels) for panels in rows.values())
    figure, axes = plt.subplots(
        len(rows), columns, figsize=(2.2 * columns + 0.6, 1.7 * len(rows) + 0.6), layout="constrained", squeeze=False
    )
    words = []
    for number, (line, (name, panels)) in enumerate(zip(axes, rows.items(), strict=True)):
        values = {key: np.asarray(v, dtype=float).ravel() for key, v in panels.items()}
        reach = max(np.abs(next(iter(values.values()))).max() * 1.2, 1e-6)
        spreads = []
        for ax, (panel, drawn) in zip(line, values.items(), strict=False):
            spread = math.sqrt((drawn**2).mean())
            spreads.append(f"{spread:.2g}")
            outside = (np.abs(drawn) > reach).mean()
            left = -reach if drawn.min() < 0 else -0.05 * reach  # what a ReLU lets through is never negative
            ax.hist(np.clip(drawn, left, reach), bins=40, range=(left, reach), color=COLOURS[number % 7])
            ax.locator_params(axis="x", nbins=4)
            ax.set_title(f"{panel}: size {spread:.2g}" + (f"\n{outside:.0%} beyond the edge" if outside > 0.005 else ""), fontsize=8)
            ax.set_yticks([])
            ax.tick_params(labelsize=7)
        line[0].set_ylabel(f"{name}\nhow many", fontsize=8)
        words.append(f"{name}: size (root mean square) {', '.join(spreads)}")
    for ax in axes[-1]:
        ax.set_xlabel("value", fontsize=8)
    figure.suptitle(title)
    return set_alt(figure, f"{title}. {'; '.join(words)}.")


PANELS = {
    "batch norm": "one mean for each channel,\nover all samples",
    "layer norm": "one mean for each sample,\nover all channels",
    "group norm, 2 groups": "one mean for each sample\nand each group of channels",
}


def shares_a_mean(kind: str, sample: int, channel: int, channels: int) -> bool:
    """Does this slice of an (N, C, H, W) block share its mean with sample 0, channel 0?

    Args:
        kind: a key of `PANELS`.

    Raises:
        ValueError: for another kind.
    """
    if kind not in PANELS:
        raise ValueError(f"kind must be one of {', '.join(PANELS)}, got {kind!r}")
    if kind == "batch norm":
        return channel == 0
    return sample == 0 and (kind == "layer norm" or channel < channels // 2)


def show_norm_axes(samples: int = 4, channels: int = 6) -> Figure:
    """An (N, C, H, W) block three times, with what shares one mean filled and hatched: batch, layer and group norm.

    Samples go to the right, channels downwards, rows and columns into the depth.
    """
    figure, axes = plt.subplots(1, len(PANELS), figsize=(10.5, 4.4), layout="constrained")
    dx, dy = 1.5, 0.9  # where the depth points
    for ax, (kind, words) in zip(axes, PANELS.items(), strict=True):
        for sample in range(samples):
            for channel in range(channels):
                style = {"facecolor": "white", "edgecolor": "#555555"}
                if shares_a_mean(kind, sample, channel, channels):
                    style = {"facecolor": "#F2B98A", "edgecolor": "#7A3B00", "hatch": "//"}
                x, y = sample, channels - channel
                ax.add_patch(Polygon([(x, y - 1), (x + 1, y - 1), (x + 1, y), (x, y)], **style))
                if channel == 0:
                    ax.add_patch(Polygon([(x, y), (x + 1, y), (x + 1 + dx, y + dy), (x + dx, y + dy)], **style))
                if sample == samples - 1:
                    ax.add_patch(Polygon([(x + 1, y - 1), (x + 1 + dx, y - 1 + dy), (x + 1 + dx, y + dy), (x + 1, y)], **style))
        ax.set(xlim=(-0.2, samples + dx + 0.3), ylim=(-0.2, channels + dy + 0.3), aspect="equal")
        ax.set_xticks([n + 0.5 for n in range(samples)], range(samples))
        ax.set_yticks([channels - c - 0.5 for c in range(channels)], range(channels))
        ax.tick_params(length=0)
        ax.spines[:].set_visible(False)
        ax.set(xlabel="sample n", ylabel="channel c")
        ax.text(
            samples + dx / 2 + 0.1,
            dy / 2 - 0.35,
            "rows and\ncolumns",
            fontsize=7,
            rotation=31,
            ha="center",
            va="top",
            rotation_mode="anchor",
        )
        ax.set_title(f"{kind}\n{words}", fontsize=10)
    figure.suptitle("Which numbers share one mean and one variance (hatched)")
    words = "; ".join(f"{kind}: {text}".replace("\n", " ") for kind, text in PANELS.items())
    return set_alt(figure, f"A block of {samples} samples, {channels} channels and their rows and columns. What shares one mean: {words}.")
