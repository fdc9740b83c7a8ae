"""Pictures of notebook 22_segmentation: maps of classes, edges, runs, segments, bars."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from coursekit.plots.images import COLOURS, _array, set_alt, show_masks, to_picture

HATCHES = ("", "//", "..", "xx", "\\\\")


def show_maps(image, maps: Mapping[str, object], classes: Sequence[str], suptitle: str, width: float = 3.4) -> Figure:
    """The picture, then each map of classes laid over it, every region named.

    Args:
        image: see `to_picture`.
        maps: title -> (H, W) whole numbers, 0 is background and k the class ``classes[k - 1]``.
        classes: names without background.
        suptitle: of the whole.
        width: inches of each panel.
    """
    figure, axes = plt.subplots(1, len(maps) + 1, figsize=(width * (len(maps) + 1), width + 0.8), layout="constrained")
    axes[0].imshow(to_picture(image), interpolation="nearest")
    axes[0].set_axis_off()
    axes[0].set_title("picture", fontsize=10)
    words = []
    for ax, (title, values) in zip(axes[1:], maps.items(), strict=True):
        values = _array(values)
        there = [int(v) for v in np.unique(values) if v > 0]
        masks = np.array([values == v for v in there], dtype=bool).reshape(-1, *values.shape)
        show_masks(image, masks, [v - 1 for v in there], classes, ax=ax, title=title)
        words.append(f"{title}: {', '.join(classes[v - 1] for v in there) or 'background only'}")
    figure.suptitle(suptitle)
    return set_alt(figure, f"{suptitle}. One picture, and maps of its classes. {'; '.join(words)}.")


def show_edges(image, truth, maps: Mapping[str, object], box, suptitle: str) -> Figure:
    """One object close up: which pixels each map calls an object, with the true outline over it.

    Args:
        image: see `to_picture`.
        truth: (H, W) classes.
        maps: title -> (H, W) classes.
        box: four numbers, ``xyxy`` pixels: what is enlarged.
        suptitle: of the whole.
    """
    x1, y1, x2, y2 = (int(v) for v in box)
    part = (slice(y1, y2), slice(x1, x2))
    figure, axes = plt.subplots(1, len(maps) + 1, figsize=(3.2 * (len(maps) + 1), 4), layout="constrained")
    axes[0].imshow(to_picture(image)[part], interpolation="nearest")
    axes[0].set_title("picture", fontsize=10)
    outline, words = _array(truth)[part] > 0, []
    for ax, (title, values) in zip(axes[1:], maps.items(), strict=True):
        said = _array(values)[part] > 0
        wrong = int((said != outline).sum())
        ax.imshow(said, cmap="Greys", vmin=0, vmax=1.6, interpolation="nearest")
        if outline.any() and not outline.all():
            ax.contour(outline, levels=[0.5], colors="#D55E00", linewidths=2)
        ax.set_title(f"{title}\n{wrong} pixels wrong", fontsize=10)
        words.append(f"{title}: {wrong} of {outline.size} pixels wrong")
    for ax in axes:
        ax.set(xticks=[], yticks=[])
    figure.suptitle(suptitle)
    return set_alt(figure, f"{suptitle}. Grey is said, the line is the true outline. {'; '.join(words)}.")


def show_runs(mask, counts: Sequence[int]) -> Figure:
    """How a run-length code walks through a mask: each pixel bears its place in the walk, each run of ones its own shade.

    Args:
        mask: (H, W) bool, small.
        counts: its runs, zeros first, down the columns.
    """
    mask = _array(mask).astype(bool)
    height, width = mask.shape
    run_of = np.repeat(np.arange(len(counts)), counts).reshape(width, height).T
    figure, ax = plt.subplots(figsize=(0.9 * width + 1.2, 0.75 * height + 1.4), layout="constrained")
    shades = np.where(mask, 0.45 + 0.12 * (run_of // 2 % 3), 0.0)
    ax.imshow(shades, cmap="Blues", vmin=0, vmax=1.1, interpolation="nearest")
    for (y, x), on in np.ndenumerate(mask):
        ax.text(x, y, f"{int(on)}\n(no. {x * height + y + 1})", ha="center", va="center", fontsize=9)
    for x in range(width):
        ax.annotate("", (x + 0.38, height - 0.62), (x + 0.38, -0.38), arrowprops={"arrowstyle": "->", "color": "#D55E00"})
    ax.set(xticks=range(width), yticks=range(height), xlabel="x", ylabel="y")
    listed = ", ".join(str(c) for c in counts)
    ax.set_title(f"runs: {listed}\nzeros, ones, zeros ... down the columns")
    return set_alt(figure, f"A mask of {height} x {width} pixels, read column by column. Runs of zeros and ones in turn: {listed}.")


def show_segments(image, panels: Mapping[str, tuple], names: Sequence[str], suptitle: str) -> Figure:
    """Panoptic maps over their picture: each thing with its class and number, stuff left as it is, void hatched.

    Args:
        image: see `to_picture`.
        panels: title -> (segments (H, W), classes by segment number), as `coursekit.segmentation.panoptic` gives them.
        names: by class, stuff at 0.
        suptitle: of the whole.
    """
    figure, axes = plt.subplots(1, len(panels), figsize=(4 * len(panels), 4.7), layout="constrained", squeeze=False)
    words = []
    for ax, (title, (segments, classes)) in zip(axes[0], panels.items(), strict=True):
        segments, classes = _array(segments), _array(classes)
        things = [int(s) for s in np.unique(segments) if s > 0 and classes[s] > 0]
        masks = np.array([segments == s for s in things], dtype=bool).reshape(-1, *segments.shape)
        captions = [f"{names[classes[s]]} #{number}" for number, s in enumerate(things, start=1)]
        void = segments == 0
        labels = [int(classes[s]) - 1 + len(COLOURS) * i for i, s in enumerate(things)]  # one colour a class, another line each
        places = dict(zip(labels, captions, strict=True))
        spread = [places.get(label, "") for label in range(max(labels, default=-1) + 1)]
        show_masks(image, masks, labels, spread, ax=ax, title=f"{title}\n{len(things)} things, {void.mean():.1%} void")
        if void.any():
            ax.contourf(void, levels=[0.5, 1.5], colors="none", hatches=["xxx"])
        words.append(f"{title}: {', '.join(captions) or 'no things'}, {void.mean():.1%} void")
    figure.suptitle(suptitle)
    return set_alt(figure, f"{suptitle}. {'; '.join(words)}.")


def show_bars(table: Mapping[str, Mapping[str, float]], title: str, ylabel: str, ylim: tuple[float, float] = (0, 1.1)) -> Figure:
    """Groups of bars with their values on top.

    Args:
        table: name of a bar (its own colour and hatch) -> {group: value}; every bar has the same groups.
        title, ylabel: of the axes.
        ylim: of the axes.
    """
    groups = list(next(iter(table.values())))
    figure, ax = plt.subplots(figsize=(max(6.0, 1.1 * len(groups) * len(table)), 4), layout="constrained")
    width = 0.8 / len(table)
    for index, (name, values) in enumerate(table.items()):
        places = np.arange(len(groups)) + (index - (len(table) - 1) / 2) * width
        heights = [values[group] for group in groups]
        style = {"color": COLOURS[index], "hatch": HATCHES[index % len(HATCHES)], "edgecolor": "black", "linewidth": 0.6}
        ax.bar(places, heights, 0.92 * width, label=name, **style)
        for place, height in zip(places, heights, strict=True):
            ax.text(place, height + 0.01 * (ylim[1] - ylim[0]), f"{height:.2f}", ha="center", fontsize=9)
    ax.set_xticks(range(len(groups)), groups)
    ax.set(ylabel=ylabel, ylim=ylim)
    ax.set_title(title)
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.1), ncols=len(table), frameon=False)
    words = "; ".join(f"{name}: " + ", ".join(f"{g} {v:.2f}" for g, v in values.items()) for name, values in table.items())
    return set_alt(figure, f"{title}. {words}.")
