"""Pictures of a training run, drawn from its CSV and JSON, and of what goes in and comes out. The command line draws them.

Figures are made without pyplot, so that no window is opened and no state is left behind.
"""

import csv
import json
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from .images import set_alt, show_boxes


def read_results(folder: Path) -> dict[str, list[float]]:
    """Columns of a run's ``results.csv``; NaN where an epoch was not measured."""
    with open(Path(folder) / "results.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    columns = rows[0].keys() if rows else []
    return {name: [float(row[name]) if row[name] else float("nan") for row in rows] for name in columns}


def results_figure(results: dict[str, list[float]]) -> Figure:
    """Every column over the epochs: losses, metrics, learning rate."""
    names = [name for name in results if name not in ("epoch", "time")]
    figure = Figure(figsize=(3.2 * max(1, len(names)), 3), layout="constrained")
    epochs = np.array(results.get("epoch", []))
    for number, name in enumerate(names):
        axes = figure.add_subplot(1, len(names), number + 1, title=name, xlabel="epoch")
        values = np.array(results[name])
        measured = ~np.isnan(values)
        axes.plot(epochs[measured], values[measured], marker="." if measured.sum() < 40 else None, color="#0072B2")
        axes.grid(alpha=0.3)
    ends = ", ".join(f"{name} {[v for v in results[name] if v == v][-1]:.3g}" for name in names if any(v == v for v in results[name]))
    return set_alt(figure, f"Curves of a training of {len(epochs)} epochs; at the end: {ends or 'nothing measured'}")


def pr_figure(curves: dict) -> Figure:
    """Precision over recall at IoU 0.5, a line for each class. ``curves`` as in ``curves.json``."""
    figure = Figure(figsize=(6, 4.5), layout="constrained")
    axes = figure.add_subplot(title="Precision and recall at IoU 0.5", xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1.05))
    for name, curve in curves["classes"].items():
        if curve["AP50"] >= 0:  # -1: no truth of that class
            axes.plot(curves["recall"], curve["precision"], label=f"{name} {curve['AP50']:.3f}")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8, title="AP50")
    return set_alt(figure, "Precision over recall; AP50 of " + ", ".join(f"{n} {c['AP50']:.3f}" for n, c in curves["classes"].items()))


def confusion_figure(counts, classes) -> Figure:
    """Counts (C+1, C+1), rows predicted, columns true; shaded by the share of each column."""
    counts = np.asarray(counts)
    names = [*classes, "background"]
    figure = Figure(figsize=(2.5 + 0.6 * len(names), 2 + 0.55 * len(names)), layout="constrained")
    axes = figure.add_subplot(title="What was taken for what", xlabel="true", ylabel="predicted")
    share = counts / np.maximum(counts.sum(axis=0, keepdims=True), 1)
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(len(names)), names, rotation=45, ha="right")
    axes.set_yticks(range(len(names)), names)
    for row, column in np.argwhere(counts > 0):
        colour = "white" if share[row, column] > 0.5 else "black"
        axes.text(column, row, counts[row, column], ha="center", va="center", fontsize=8, color=colour)
    right = int(counts.diagonal()[:-1].sum())
    return set_alt(figure, f"Confusion matrix: {right} of {int(counts[:, :-1].sum())} objects found under their right name")


def batch_figure(images, boxes, labels, scores=None, classes=None, title: str = "", columns: int = 4) -> Figure:
    """Images with boxes on a grid; ``boxes``, ``labels`` and ``scores`` hold one entry for each image."""
    rows = -(-len(images) // columns)
    figure = Figure(figsize=(4 * columns, 3.4 * rows), layout="constrained")
    for number, image in enumerate(images):
        axes = figure.add_subplot(rows, columns, number + 1)
        show_boxes(image, boxes[number], labels[number], None if scores is None else scores[number], classes, ax=axes, title=str(number))
        axes.set_axis_off()
    figure.suptitle(title)
    return set_alt(figure, f"{title}: {len(images)} images with {sum(len(b) for b in boxes)} boxes")


def draw_results(folder: Path) -> None:
    """``results.png`` of a run folder."""
    results_figure(read_results(folder)).savefig(Path(folder) / "results.png", dpi=110)


def draw_curves(folder: Path) -> None:
    """``pr_curve.png`` from ``curves.json``."""
    curves = json.loads((Path(folder) / "curves.json").read_text(encoding="utf-8"))["curves"]
    pr_figure(curves).savefig(Path(folder) / "pr_curve.png", dpi=110)


def draw_confusion(folder: Path) -> None:
    """``confusion_matrix.png`` from ``curves.json``."""
    content = json.loads((Path(folder) / "curves.json").read_text(encoding="utf-8"))
    confusion_figure(content["confusion"], content["classes"]).savefig(Path(folder) / "confusion_matrix.png", dpi=110)


def draw_train_batch(folder: Path, number: int, images, targets, classes) -> None:
    """``train_batch0.jpg``: a training batch as the network sees it, with its boxes. The first thing to look at when a training fails."""
    shown = slice(0, 8)
    boxes, labels = [t["boxes"] for t in targets[shown]], [t["labels"] for t in targets[shown]]
    figure = batch_figure(images[shown], boxes, labels, None, classes, f"training batch {number}, augmented")
    figure.savefig(Path(folder) / f"train_batch{number}.jpg", dpi=70)


def draw_val_batch(folder: Path, dataset, found, classes, count: int = 8) -> None:
    """``val_batch0_labels.jpg`` and ``val_batch0_pred.jpg``: the truth, and what was found above a confidence of 0.25."""
    samples = [dataset[index] for index in range(min(count, len(dataset)))]
    images, targets = [image for image, _ in samples], [target for _, target in samples]
    figure = batch_figure(images, [t["boxes"] for t in targets], [t["labels"] for t in targets], None, classes, "truth")
    figure.savefig(Path(folder) / "val_batch0_labels.jpg", dpi=70)
    sure = [one[one.scores >= 0.25] for one in found[: len(images)]]
    figure = batch_figure(images, [d.boxes for d in sure], [d.labels for d in sure], [d.scores for d in sure], classes, "found")
    figure.savefig(Path(folder) / "val_batch0_pred.jpg", dpi=70)
