"""Pictures of a detector on one grid: the cells, what each should say, what it says, its two losses. Taught in 16_grid_detector."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from coursekit.grid import cell_centres, cell_of
from coursekit.plots.boxes import BLUE, GREEN, ORANGE, draw_box
from coursekit.plots.images import set_alt, to_picture

INKS, LINES, MARKS, HATCHES = (BLUE, ORANGE, GREEN, "#CC79A7"), ("-", "--", ":", "-."), ("o", "s", "^", "D"), ("//", "\\\\", "xx", "..")


def draw_grid(ax, size_hw: tuple[int, int], stride: int, numbers: bool = True) -> None:
    """The lines between cells, and the numbers of rows and columns at the edge."""
    height, width = size_hw
    for x in range(0, width + 1, stride):
        ax.plot([x, x], [0, height], color="white", linewidth=0.8, alpha=0.8)
    for y in range(0, height + 1, stride):
        ax.plot([0, width], [y, y], color="white", linewidth=0.8, alpha=0.8)
    ax.set(xlim=(0, width), ylim=(height, 0))
    if numbers:
        ax.set_xticks([x + stride / 2 for x in range(0, width, stride)], range(width // stride), fontsize=8)
        ax.set_yticks([y + stride / 2 for y in range(0, height, stride)], range(height // stride), fontsize=8)
        ax.set(xlabel="column", ylabel="row")


def shade(ax, row: int, column: int, stride: int, number: int) -> None:
    """One cell in the colour and hatching of an object."""
    place = ((column * stride, row * stride), stride, stride)
    ink, hatch = INKS[number % len(INKS)], HATCHES[number % len(HATCHES)]
    ax.add_patch(Rectangle(*place, facecolor=ink, alpha=0.35, edgecolor="none"))
    ax.add_patch(Rectangle(*place, fill=False, edgecolor=ink, hatch=hatch, linewidth=0.5))


def show_cells(image: Tensor, boxes: Tensor, stride: int, title: str = "Which cell holds the centre?") -> Figure:
    """A scene under its grid: each box, its centre as a cross, and the cell that holds it.

    Args:
        image: uint8 (3, H, W), both sides multiples of the stride.
        boxes: (N, 4) ``xyxy``.
    """
    figure, ax = plt.subplots(figsize=(5.2, 5.2), layout="constrained")
    ax.imshow(to_picture(image), extent=(0, image.shape[2], image.shape[1], 0))
    draw_grid(ax, tuple(image.shape[1:]), stride)
    cells = cell_of(boxes, stride).tolist()
    for number, (box, (row, column)) in enumerate(zip(boxes, cells, strict=True)):
        shade(ax, row, column, stride, number)
        draw_box(ax, box, f"{number}", INKS[number % len(INKS)], LINES[number % len(LINES)])
        middle = (box[:2] + box[2:]) / 2
        ax.plot(*middle, "x", color="black", markersize=9, markeredgewidth=2.5)
    ax.set_title("\n".join([title, *(f"{number}: row {row}, column {column}" for number, (row, column) in enumerate(cells))]))
    said = "; ".join(f"object {number} in row {row}, column {column}" for number, (row, column) in enumerate(cells))
    return set_alt(figure, f"{title} A grid of {stride} pixels a cell: {said or 'no objects'}.")


def draw_target(ax, boxes: Tensor, coverage: Tensor, corners: Tensor, stride: int) -> list[int]:
    """Covered cells in the colour of their object, with arrows from one of them to its two corners; how many cells each object has."""
    centres = cell_centres(*coverage.shape[1:], stride)
    covered = coverage.amax(dim=0) > 0
    answered = centres.repeat(1, 1, 2) + corners.permute(1, 2, 0) * stride  # (rows, columns, 4)
    counts = []
    for number, box in enumerate(boxes):
        mine = covered & ((answered - box).abs() < 0.01).all(dim=2)
        cells = mine.nonzero().tolist()
        counts.append(len(cells))
        for row, column in cells:
            shade(ax, row, column, stride, number)
            ax.plot(*centres[row, column], "o", color="black", markersize=3)
        draw_box(ax, box, f"{number}", INKS[number % len(INKS)], LINES[number % len(LINES)])
        if cells:
            start = centres[tuple(cells[0])].tolist()
            for end in (box[:2].tolist(), box[2:].tolist()):
                ax.annotate("", end, start, arrowprops={"arrowstyle": "->", "linewidth": 1.5, "color": "black"})
    return counts


def show_targets(image: Tensor, boxes: Tensor, panels: Mapping[str, tuple[Tensor, Tensor, int]], suptitle: str) -> Figure:
    """The same truth written onto grids in several ways.

    Args:
        image: uint8 (3, H, W). boxes: (N, 4) ``xyxy``.
        panels: title -> (coverage (K, rows, columns), corners (4, rows, columns), stride), as `encode_targets` gives them.
    """
    figure, axes = plt.subplots(1, len(panels), figsize=(4.4 * len(panels), 5), layout="constrained", squeeze=False)
    said = []
    for ax, (title, (coverage, corners, stride)) in zip(axes[0], panels.items(), strict=True):
        ax.imshow(to_picture(image), extent=(0, image.shape[2], image.shape[1], 0))
        draw_grid(ax, tuple(image.shape[1:]), stride)
        counts = draw_target(ax, boxes, coverage, corners, stride)
        ax.set_title(f"{title}: {int(coverage.sum())} cells answer")
        said.append(f"{title}: " + ", ".join(f"{count} for object {number}" for number, count in enumerate(counts)))
    figure.suptitle(f"{suptitle} (arrows: from a cell's centre to the two corners that it answers)")
    return set_alt(figure, f"{suptitle}. Covered cells, {'; '.join(said)}.")


def show_maps(image: Tensor, maps: Mapping[str, Tensor], suptitle: str) -> Figure:
    """Coverage over a scene, the best class of each cell, one panel a map.

    Args:
        image: uint8 (3, H, W).
        maps: title -> (K, rows, columns) in [0, 1].
    """
    height, width = image.shape[1:]
    figure, axes = plt.subplots(1, len(maps) + 1, figsize=(3.4 * (len(maps) + 1) + 0.8, 3.9), layout="constrained")
    axes[0].imshow(to_picture(image), extent=(0, width, height, 0))
    axes[0].set(title="the scene", xlabel="x in pixels", ylabel="y in pixels")
    for ax, (title, coverage) in zip(axes[1:], maps.items(), strict=True):
        best = coverage.amax(dim=0).numpy()
        ax.imshow(to_picture(image), extent=(0, width, height, 0))
        shown = ax.imshow(best, vmin=0, vmax=1, cmap="magma", alpha=0.7, extent=(0, width, height, 0))
        ax.set(title=f"{title}\n{best.shape[0]} x {best.shape[1]} cells, best {best.max():.2f}", xlabel="x in pixels")
    figure.colorbar(shown, ax=axes, label="coverage of the best class", shrink=0.7)
    figure.suptitle(suptitle)
    said = ", ".join(f"{title} at most {coverage.max():.2f}" for title, coverage in maps.items())
    return set_alt(figure, f"{suptitle}. Coverage over the scene: {said}.")


def show_losses(history: Sequence[Mapping[str, float]], weight: float, title: str, xlabel: str = "epoch") -> Figure:
    """Two losses apart, on the left, and together, on the right: what each contributes to their sum.

    Args:
        history: rows with ``coverage`` and ``box``.
        weight: of the box loss in the sum.
    """
    steps = np.arange(1, len(history) + 1)
    coverage, box = (np.array([row[name] for row in history]) for name in ("coverage", "box"))
    figure, (left, right) = plt.subplots(1, 2, figsize=(10.5, 3.6), layout="constrained")
    marked = "o" if len(steps) <= 30 else None
    left.plot(steps, coverage, "-", marker=marked, color=BLUE, linewidth=2, label="coverage loss")
    left.plot(steps, box, "--", marker=marked, color=ORANGE, linewidth=2, label="box loss")
    left.set(title="apart (logarithmic)", xlabel=xlabel, ylabel="loss", yscale="log")
    parts = right.stackplot(
        steps, coverage, weight * box, colors=("#9fc5e8", "#f6c6a5"), labels=("coverage loss", f"{weight:g} · box loss"), edgecolor="black"
    )
    for part, hatch in zip(parts, ("//", "\\\\"), strict=True):
        part.set_hatch(hatch)
    right.set(title="together: what is minimised", xlabel=xlabel, ylabel="loss", ylim=(0, None))
    for ax in (left, right):
        ax.legend(fontsize=8)
        ax.grid(alpha=0.3)
    figure.suptitle(title)
    ends = f"coverage {coverage[0]:.3g} to {coverage[-1]:.3g}, box {box[0]:.3g} to {box[-1]:.3g}"
    return set_alt(figure, f"{title}. From first to last {xlabel}: {ends}; the box loss counts {weight:g} times in the sum.")


def show_recall(groups: Sequence[str], counts: Sequence[int], recall: Mapping[str, Sequence[float]], title: str, xlabel: str) -> Figure:
    """Recall of several detectors in several groups of objects.

    Args:
        groups: their names, such as ``"under 20 pixels"``. counts: objects in each.
        recall: name of a detector -> one number in [0, 1] for each group; NaN where there is no object.
    """
    figure, ax = plt.subplots(figsize=(max(7.0, 1.7 * len(groups) + 3), 3.8), layout="constrained")
    for number, (name, values) in enumerate(recall.items()):
        ink, line, mark = INKS[number % len(INKS)], LINES[number % len(LINES)], MARKS[number % len(MARKS)]
        ax.plot(range(len(groups)), values, line, marker=mark, color=ink, linewidth=2, markersize=7, label=name)
    ax.set_xticks(range(len(groups)), [f"{group}\n({count} objects)" for group, count in zip(groups, counts, strict=True)])
    ax.set(title=title, xlabel=xlabel, ylabel="recall", ylim=(0, 1.02), xlim=(-0.4, len(groups) - 0.6))
    ax.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1.01, 1))  # over no line
    ax.grid(alpha=0.3)
    said = "; ".join(f"{name} " + ", ".join(f"{v:.2f}" for v in values) for name, values in recall.items())
    return set_alt(figure, f"{title}. Recall by {xlabel}, {', '.join(groups)}: {said}.")
