"""Pictures of Haar features, of a cascade, and of HOG. Taught in notebook 15_classic."""

import math
from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from coursekit.classic.haar import PATTERNS, Haar, corner_weights, integral_image
from coursekit.plots.boxes import BLUE, ORANGE
from coursekit.plots.images import set_alt, show_boxes, to_picture


def _numbers(ax, table: np.ndarray, title: str) -> None:
    """A table with a number in each place, rows downwards."""
    ax.imshow(table, cmap="Greys", vmin=0, vmax=2.2 * max(table.max(), 1), interpolation="nearest")
    for (row, column), value in np.ndenumerate(table):
        ax.text(column, row, f"{value:g}", ha="center", va="center", fontsize=9)
    ax.set(title=title, xlabel="x", ylabel="y")
    ax.set_xticks(range(table.shape[1]))
    ax.set_yticks(range(table.shape[0]))


def show_lookups(image: np.ndarray, box: Sequence[int]) -> Figure:
    """An image of few pixels with a box, and its integral image with the four places that give the sum of the box.

    Args:
        image: (H, W) whole numbers, at most 12 x 12.
        box: x1, y1, x2, y2 in pixels, half-open.

    Raises:
        ValueError: for an image too large to read.
    """
    if max(image.shape) > 12:
        raise ValueError(f"image must be at most 12 x 12 pixels, got {image.shape}")
    x1, y1, x2, y2 = box
    table = integral_image(image)
    figure, axes = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
    _numbers(axes[0], image, f"image: the box sums to {image[y1:y2, x1:x2].sum()}")
    axes[0].add_patch(Rectangle((x1 - 0.5, y1 - 0.5), x2 - x1, y2 - y1, fill=False, edgecolor=BLUE, linewidth=3))
    _numbers(axes[1], table, "integral image: four look-ups")
    words = []
    for x, y, sign in ((x2, y2, "+"), (x2, y1, "-"), (x1, y2, "-"), (x1, y1, "+")):
        style = "-" if sign == "+" else "--"
        axes[1].add_patch(
            Rectangle((x - 0.45, y - 0.45), 0.9, 0.9, fill=False, edgecolor=BLUE if sign == "+" else ORANGE, linewidth=2.5, linestyle=style)
        )
        axes[1].text(x - 0.4, y - 0.28, sign, fontsize=11, fontweight="bold", ha="left", va="center")
        words.append(f"{sign}{table[y, x]}")
    return set_alt(figure, f"The box {tuple(box)} sums to {image[y1:y2, x1:x2].sum()}; its four look-ups are {' '.join(words)}.")


def show_patterns() -> Figure:
    """The five kinds of feature, light and dark, with how often each corner is looked up."""
    figure, axes = plt.subplots(1, len(PATTERNS), figsize=(2.3 * len(PATTERNS), 2.9), layout="constrained")
    words = []
    for ax, (name, pattern) in zip(axes, PATTERNS.items(), strict=True):
        rows, columns = pattern.shape
        for row, column in np.ndindex(rows, columns):
            dark = pattern[row, column] < 0
            ax.add_patch(Rectangle((column, row), 1, 1, facecolor="#666666" if dark else "white", edgecolor="black"))
            ax.text(
                column + 0.5, row + 0.5, "-" if dark else "+", ha="center", va="center", color="white" if dark else "black", fontsize=14
            )
        weights = corner_weights(pattern)
        for (row, column), weight in np.ndenumerate(weights):
            if weight:
                paper = {"facecolor": "#F0E442", "edgecolor": "black", "boxstyle": "round,pad=0.15"}
                ax.text(column, row, f"{weight:+d}", ha="center", va="center", fontsize=8, bbox=paper)
        lookups = int((weights != 0).sum())
        ax.set(xlim=(-0.4, columns + 0.4), ylim=(rows + 0.4, -0.4), title=f"{name}\n{lookups} look-ups")
        ax.set_aspect("equal")
        ax.set_axis_off()
        words.append(f"{name} {lookups}")
    return set_alt(figure, f"Five kinds of Haar feature, light cells plus, dark cells minus. Look-ups: {', '.join(words)}.")


def show_features(image: np.ndarray, features: Sequence[Haar], titles: Sequence[str], suptitle: str) -> Figure:
    """Each feature over the same picture: its light cells empty, its dark ones hatched.

    Args:
        image: (size, size) grey, any scale.
        titles: one for each feature.
    """
    figure, axes = plt.subplots(1, len(features), figsize=(2.3 * len(features), 2.9), layout="constrained", squeeze=False)
    size = image.shape[0]
    for ax, feature, title in zip(axes[0], features, titles, strict=True):
        ax.imshow(image, cmap="gray", extent=(0, size, size, 0), interpolation="nearest")
        for (row, column), sign in np.ndenumerate(PATTERNS[feature.name]):
            corner = (feature.x + column * feature.width, feature.y + row * feature.height)
            light = sign > 0
            patch = Rectangle(
                corner, feature.width, feature.height, facecolor="none" if light else "#00000055", hatch=None if light else "///"
            )
            patch.set_edgecolor("#F0E442" if light else ORANGE)
            patch.set_linewidth(2)
            ax.add_patch(patch)
        ax.set_title(title, fontsize=9)
        ax.set_axis_off()
    figure.suptitle(suptitle)
    said = "; ".join(f"{f.name} at ({f.x}, {f.y}), cells of {f.width} by {f.height}" for f in features)
    return set_alt(figure, f"{suptitle}. {said}.")


def show_survivors(image, boxes: np.ndarray, alive: np.ndarray, title: str) -> Figure:
    """The windows that are still in after each stage, drawn on the picture.

    Args:
        image: see `to_picture`.
        boxes: (N, 4) ``xyxy`` pixels.
        alive: (S + 1, N) true/false, from `coursekit.classic.cascade.survivors`.
    """
    figure, axes = plt.subplots(1, len(alive), figsize=(3.1 * len(alive), 4.1), layout="constrained", squeeze=False)
    picture, words = to_picture(image), []
    for stage, (ax, left) in enumerate(zip(axes[0], alive, strict=True)):
        ax.imshow(picture, cmap="gray", vmin=0, vmax=255, extent=(0, picture.shape[1], picture.shape[0], 0))
        share = left.mean() if len(left) else 0.0
        if share < 1:
            outlines = np.asarray(boxes)[left][:, [[0, 1], [2, 1], [2, 3], [0, 3]]]  # (K, 4, 2): four corners each
            ax.add_collection(PolyCollection(outlines, facecolors="none", edgecolors="#F0E442", linewidths=0.8, alpha=0.6))
        name = "all windows" if stage == 0 else f"after stage {stage}"
        ax.set_title(f"{name}\n{int(left.sum()):,} = {share:.1%}", fontsize=10)
        ax.set_axis_off()
        words.append(f"{name} {int(left.sum())}")
    figure.suptitle(title)
    return set_alt(figure, f"{title}. Windows that are left: {'; '.join(words)}.")


def show_gradients(image: np.ndarray, gx: np.ndarray, gy: np.ndarray, title: str = "A patch and its gradients") -> Figure:
    """A grey image, its two gradients (dark falls, light rises) and their length."""
    figure, axes = plt.subplots(1, 4, figsize=(11, 3.2), layout="constrained")
    most = max(np.abs(gx).max(), np.abs(gy).max(), 1e-9)
    panels = [
        ("image", image, None),
        ("gx: right minus left", gx, most),
        ("gy: below minus above", gy, most),
        ("length", np.hypot(gx, gy), None),
    ]
    for ax, (name, values, limit) in zip(axes, panels, strict=True):
        ax.imshow(values, cmap="gray", vmin=None if limit is None else -limit, vmax=limit)
        ax.set_title(name, fontsize=10)
        ax.set(xlabel="x")
    axes[0].set_ylabel("y")
    figure.suptitle(title)
    return set_alt(figure, f"{title}: the image, gx, gy and the length of the gradient. The largest difference is {most:.3g}.")


def strokes(cells: np.ndarray, cell: int) -> list[tuple[float, float, float, float, float]]:
    """A stroke for each cell and direction: (x1, y1, x2, y2, strength from 0 to 1), along the *edge*, which is across the gradient.

    Args:
        cells: (rows, columns, orientations), at least 0. cell: pixels on a side.
    """
    most, found = max(float(cells.max(initial=0)), 1e-12), []
    orientations = cells.shape[2]
    for row, column, k in zip(*np.nonzero(cells), strict=True):
        angle = math.radians((k + 0.5) * 180 / orientations + 90)
        x, y = (column + 0.5) * cell, (row + 0.5) * cell
        dx, dy = 0.45 * cell * math.cos(angle), 0.45 * cell * math.sin(angle)
        found.append((x - dx, y - dy, x + dx, y + dy, float(cells[row, column, k]) / most))
    return found


def _draw_strokes(ax, cells: np.ndarray, cell: int, title: str) -> None:
    ax.set_facecolor("black")
    found = sorted(strokes(cells, cell), key=lambda stroke: stroke[4])  # the strongest last, on top
    lines = LineCollection([[s[:2], s[2:4]] for s in found], colors=[(s[4],) * 3 for s in found], linewidths=1.6)
    ax.add_collection(lines)
    rows, columns = cells.shape[:2]
    ax.set(xlim=(0, columns * cell), ylim=(rows * cell, 0), xlabel="x in pixels")
    ax.set_aspect("equal")
    ax.set_title(title, fontsize=10)


def show_hog(image: np.ndarray, cells: np.ndarray, cell: int, title: str) -> Figure:
    """An image beside its cells: a bright stroke for each strong direction of edges.

    Args:
        image: (H, W) grey. cells: (rows, columns, orientations) from `coursekit.classic.hog.hog_cells`.
    """
    figure, axes = plt.subplots(1, 2, figsize=(8.5, 4.9), layout="constrained")
    axes[0].imshow(image, cmap="gray", extent=(0, image.shape[1], image.shape[0], 0))
    axes[0].set(xlabel="x in pixels", ylabel="y in pixels, downwards")
    axes[0].set_title("image", fontsize=10)
    _draw_strokes(axes[1], cells, cell, f"{cells.shape[0]} x {cells.shape[1]} cells of {cell} pixels")
    figure.suptitle(title)
    return set_alt(figure, f"{title}: the image, and for each of {cells.shape[0]} by {cells.shape[1]} cells strokes along its edges.")


def show_templates(panels: Mapping[str, np.ndarray], cell: int, title: str) -> Figure:
    """Several grids of cells as strokes, side by side: what a linear classifier wants to see, and what it does not.

    Args:
        panels: title -> (rows, columns, orientations), at least 0.
    """
    figure, axes = plt.subplots(1, len(panels), figsize=(3.4 * len(panels), 4.3), layout="constrained", squeeze=False)
    for ax, (name, cells) in zip(axes[0], panels.items(), strict=True):
        _draw_strokes(ax, cells, cell, name)
    axes[0, 0].set_ylabel("y in pixels, downwards")
    figure.suptitle(title)
    return set_alt(figure, f"{title}. Strokes along edges, brighter where stronger: {', '.join(panels)}.")


def show_found(panels: Mapping[str, tuple], title: str, names: Sequence[str] = ("face",)) -> Figure:
    """Pictures side by side, each with the boxes found in it.

    Args:
        panels: title -> (image, boxes (N, 4), scores (N,) or None).
    """
    figure, axes = plt.subplots(1, len(panels), figsize=(4.4 * len(panels), 4.9), layout="constrained", squeeze=False)
    for ax, (name, (image, boxes, scores)) in zip(axes[0], panels.items(), strict=True):
        show_boxes(image, boxes, [0] * len(boxes) if scores is None else None, scores, names if scores is None else None, ax, name)
    figure.suptitle(title)
    return figure
