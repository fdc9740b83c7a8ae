"""Pictures of how good a detector is and why not better. Used in notebook 20_map and by the command line."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from coursekit.files import write_atomically
from coursekit.metrics.curves import ConfidenceCurves, PRCurve, confidence_curves, confusion_matrix, pr_curves
from coursekit.metrics.detection import CocoResult
from coursekit.metrics.errors import ErrorReport, analyse_errors
from coursekit.metrics.match_table import Row
from coursekit.metrics.steps import envelope
from coursekit.plots.images import COLOURS, LINES, set_alt

RIGHT, WRONG, INK = "#009E73", "#D55E00", "#0072B2"
TABLE_COLUMNS = ("#", "image", "score", "truth", "IoU", "verdict", "why", "recall", "precision")


def show_truth_and_found(images: Mapping[str, dict], columns: int = 4, title: str = "Truth and predictions") -> Figure:
    """Boxes on empty canvases, for data without pixels: truth filled, predictions as lines with their scores.

    Args:
        images: name -> dict with `truth` (G, 4), `boxes` (D, 4) in xyxy pixels, `scores` (D,).
    """
    rows = -(-len(images) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(2.6 * columns, 2.7 * rows), layout="constrained", squeeze=False)
    for ax in axes.flat:
        ax.set_axis_off()
    for ax, (name, image) in zip(axes.flat, images.items(), strict=False):
        for x1, y1, x2, y2 in image["truth"]:
            ax.add_patch(Rectangle((x1, y1), x2 - x1, y2 - y1, facecolor=RIGHT, alpha=0.35, edgecolor=RIGHT, hatch="//"))
        for (x1, y1, x2, y2), score in zip(image["boxes"], image["scores"], strict=True):
            ax.add_patch(Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, edgecolor="black", linestyle="--"))
            ax.text(x1 + 1, y1 + 1, f"{score:.2f}", fontsize=7, va="top", bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5})
        ax.set_title(f"image {name}", fontsize=9)
        ax.autoscale_view()
        ax.set_aspect("equal")
        ax.invert_yaxis()
    figure.suptitle(f"{title} (hatched: truth; dashed, with score: predicted)", fontsize=10)
    counts = ", ".join(f"{name}: {len(i['truth'])} true and {len(i['boxes'])} predicted" for name, i in images.items())
    return set_alt(figure, f"{title}: boxes of {len(images)} images. {counts}.")


def draw_match_table(ax, rows: Sequence[Row], faded_from: int | None = None) -> None:
    """A match table on axes; rows from `faded_from` on are grey: not yet counted."""
    ax.set_axis_off()
    cells = [
        [
            str(n),
            row.image,
            f"{row.score:.2f}",
            "-" if row.truth is None else str(row.truth + 1),
            f"{row.iou:.2f}",
            "✓ TP" if row.right else "✗ FP",
            row.why,
            f"{row.recall:.2f}",
            f"{row.precision:.2f}",
        ]
        for n, row in enumerate(rows, start=1)
    ]
    widths = [0.05, 0.1, 0.09, 0.08, 0.08, 0.11, 0.27, 0.1, 0.12]
    table = ax.table(cells or [[""] * 9], colLabels=TABLE_COLUMNS, loc="upper center", cellLoc="center", colWidths=widths)
    table.auto_set_font_size(False)
    table.set_fontsize(8)
    for (n, column), cell in table.get_celld().items():
        cell.set_linewidth(0.4)
        late = faded_from is not None and n > faded_from
        if n and n <= len(rows):
            cell.set_facecolor("white" if late else ("#dff3ec" if rows[n - 1].right else "#fbe6dc"))
            cell.get_text().set_color("#999999" if late else "black")
        if column == 5 or n == 0:
            cell.get_text().set_fontweight("bold")


def show_match_table(rows: Sequence[Row], title: str = "Match table") -> Figure:
    """The whole table as a picture."""
    figure, ax = plt.subplots(figsize=(8.6, 0.5 + 0.2 * (len(rows) + 1)), layout="constrained")
    draw_match_table(ax, rows)
    ax.set_title(title)
    verdicts = "; ".join(f"number {n}, score {r.score:.2f}: {'right' if r.right else 'wrong'}, {r.why}" for n, r in enumerate(rows, 1))
    return set_alt(figure, f"{title}. {verdicts or 'No predictions'}.")


def draw_curve(ax, recall, precision, best: bool = True, points=None) -> None:
    """The saw teeth of one class, the envelope over them, and the points at which it is read."""
    recall, precision = np.asarray(recall, float), np.asarray(precision, float)
    ax.plot(recall, precision, "o-", color=INK, markersize=4, linewidth=1, label="after each prediction")
    if best and len(recall):
        steps, top = np.concatenate([[0.0], recall]), envelope(precision)
        ax.step(steps, np.concatenate([top[:1], top]), where="pre", color=WRONG, linestyle="--", label="best from here on")
        if points is None:
            ax.fill_between(steps, np.concatenate([top[:1], top]), step="pre", color=WRONG, alpha=0.12)
        else:
            read = [precision[recall >= p].max(initial=0.0) for p in points]
            ax.vlines(points, 0, read, color=RIGHT, linewidth=0.8)
            ax.plot(points, read, "x", color=RIGHT, markersize=5, label=f"read at {len(points)} points")
    ax.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.05), xlabel="recall", ylabel="precision")


def show_curve(recall, precision, title: str = "Precision by recall", points=None, best: bool = True) -> Figure:
    """Precision by recall of one class.

    Args:
        recall, precision: (D,) after each prediction.
        points: recall points to read the curve at; without them its area is shaded.
        best: draw the envelope.
    """
    figure, ax = plt.subplots(figsize=(5.2, 3.8), layout="constrained")
    draw_curve(ax, recall, precision, best, points)
    ax.legend(fontsize=8, loc="upper right")
    ax.set_title(title)
    last = f"ends at recall {recall[-1]:.2f}, precision {precision[-1]:.2f}" if len(recall) else "nothing was predicted"
    return set_alt(figure, f"{title}: a curve of {len(recall)} predictions; it {last}.")


def show_ladder(steps: Sequence[tuple[str, float]], title: str) -> Figure:
    """From one number to another, a change at a time: where each step begins and ends, with what it adds.

    Args:
        steps: (what was changed, the number from there on), the first with nothing changed.

    Raises:
        ValueError: if there is no step.
    """
    if not steps:
        raise ValueError("steps must hold at least the start, got none")
    values = [value for _, value in steps]
    moved = [after - before for before, after in pairwise(values)]
    figure, ax = plt.subplots(figsize=(7.6, 0.9 + 0.42 * len(steps)), layout="constrained")
    reach = max(max(values) - min(values), 1e-3)
    for place, (before, change) in enumerate(zip(values, moved, strict=False), start=1):
        ax.barh(place, change, left=before, color=RIGHT if change >= 0 else WRONG, hatch="//" if change >= 0 else "..", edgecolor="white")
        ax.plot([before, before], [place - 1, place], color="grey", linewidth=0.8)
        ax.text(max(before, before + change) + 0.02 * reach, place, f"{100 * change:+.2f}", va="center", fontsize=9)
    ax.plot([values[0], values[-1]], [0, len(steps) - 1], "D", color=INK)
    ax.text(values[0] + 0.02 * reach, 0, f"{values[0]:.4f}", va="center", fontsize=9)
    ax.set_yticks(range(len(steps)), [name for name, _ in steps])
    ax.invert_yaxis()
    ax.set(xlabel="AP (changes in points of AP x 100)", title=f"{title}: {values[0]:.4f} to {values[-1]:.4f}")
    ax.set_xlim(min(values) - 0.1 * reach, max(values) + 0.25 * reach)
    words = "; ".join(f"{name} {100 * change:+.2f} points" for (name, _), change in zip(steps[1:], moved, strict=True))
    return set_alt(figure, f"{title}: from {values[0]:.4f} to {values[-1]:.4f}. {words or 'Nothing was changed'}.")


def show_pr_curves(curve: PRCurve, title: str = "Precision by recall, IoU 0.5") -> Figure:
    """One line a class, with its AP; the mean is thick."""
    figure, ax = plt.subplots(figsize=(6.4, 4.2), layout="constrained")
    for k in np.argsort(-curve.ap, kind="stable"):
        style = {"color": COLOURS[k % 7], "linestyle": LINES[(k // 7 + k) % 4]}
        ax.plot(curve.recall, curve.precision[k], linewidth=1.2, label=f"{curve.names[k]} {curve.ap[k]:.2f}", **style)
    if len(curve.names):
        ax.plot(curve.recall, curve.precision.mean(axis=0), color="black", linewidth=3, label=f"mean {curve.ap.mean():.2f}")
        ax.legend(fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5), title="class and AP")
    ax.set(xlim=(0, 1), ylim=(0, 1.03), xlabel="recall", ylabel="precision", title=title)
    values = ", ".join(f"{name} {ap:.2f}" for name, ap in zip(curve.names, curve.ap, strict=True))
    return set_alt(figure, f"{title}. AP by class: {values or 'no class has an object'}.")


def show_confidence_curves(curves: ConfidenceCurves, title: str = "What a confidence threshold does, IoU 0.5") -> Figure:
    """Mean precision, recall and F1 over classes by confidence, with the confidence of the best F1."""
    figure, ax = plt.subplots(figsize=(5.6, 3.6), layout="constrained")
    best, value = curves.best
    if len(curves.names):
        for name, style in (("precision", "--"), ("recall", ":"), ("f1", "-")):
            ax.plot(curves.confidence, getattr(curves, name).mean(axis=0), style, label="F1" if name == "f1" else name)
        ax.axvline(best, color="grey", linewidth=0.8)
        ax.text(best + 0.01, 0.03, f"best F1 {value:.2f}\nat {best:.2f}", fontsize=8)
        ax.legend(fontsize=8, loc="lower right")
    ax.set(xlim=(0, 1), ylim=(0, 1.03), xlabel="confidence threshold", ylabel="mean over classes", title=title)
    return set_alt(figure, f"{title}: the mean F1 over {len(curves.names)} classes is highest, {value:.2f}, at confidence {best:.2f}.")


def show_by_confidence(curves: ConfidenceCurves, what: str, title: str = "") -> Figure:
    """One of "precision", "recall" and "f1" by confidence threshold: a line a class, the mean thick. F1: with where the mean is highest."""
    figure, ax = plt.subplots(figsize=(6.4, 4.2), layout="constrained")
    values, name = getattr(curves, what), "F1" if what == "f1" else what
    for k, label in enumerate(curves.names):
        ax.plot(curves.confidence, values[k], linewidth=1.2, label=label, color=COLOURS[k % 7], linestyle=LINES[(k // 7 + k) % 4])
    words = f"{name} of {len(curves.names)} classes by confidence, IoU 0.5"
    if len(curves.names):
        mean = values.mean(axis=0)
        at = mean.argmax() if what == "f1" else len(mean) // 4
        ax.plot(curves.confidence, mean, color="black", linewidth=3, label=f"mean, {mean[at]:.2f} at {curves.confidence[at]:.2f}")
        ax.legend(fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5))
        words += f"; the mean is {mean[at]:.2f} at {curves.confidence[at]:.2f}{', its highest' if what == 'f1' else ''}"
    ax.set(xlim=(0, 1), ylim=(0, 1.03), xlabel="confidence threshold", ylabel=name, title=title or f"{name} by confidence, IoU 0.5")
    return set_alt(figure, f"{words}.")


def save_confidence_and_errors(folder: Path, result: CocoResult) -> ErrorReport:
    """`p_curve.png`, `r_curve.png`, `f1_curve.png` by confidence, and `errors.png`: why AP50 was lost."""
    curves, report = confidence_curves(result), analyse_errors(result)
    for letter, what in (("p", "precision"), ("r", "recall"), ("f1", "f1")):
        _save(show_by_confidence(curves, what), Path(folder) / f"{letter}_curve.png")
    _save(show_errors(report), Path(folder) / "errors.png")
    return report


def save_pictures(folder: Path, result: CocoResult) -> None:
    """Those, `pr_curve.png` and `confusion_matrix.png`."""
    save_confidence_and_errors(folder, result)
    _save(show_pr_curves(pr_curves(result)), Path(folder) / "pr_curve.png")
    _save(show_confusion(confusion_matrix(result.inputs), result.inputs.names), Path(folder) / "confusion_matrix.png")


def _save(figure: Figure, path: Path) -> None:
    write_atomically(path, lambda temporary: figure.savefig(temporary, dpi=110, format="png"))
    plt.close(figure)


def show_errors(report: ErrorReport, title: str = "Why AP50 was lost") -> Figure:
    """What mending each type of error alone would add to AP50, with how often it happens."""
    names = list(report.cost)[::-1]
    figure, ax = plt.subplots(figsize=(6, 3), layout="constrained")
    bars = ax.barh(names, [report.cost[n] for n in names], color=INK, hatch="//", edgecolor="white")
    ax.bar_label(bars, [f"+{report.cost[n]:.3f} ({report.count[n]})" for n in names], padding=4, fontsize=8)
    ax.set(xlabel=f"AP50 gained if it were mended (now {report.ap:.3f}); in brackets: how many", title=title)
    ax.set_xlim(0, max(max(report.cost.values()), 0.01) * 1.35)
    return set_alt(figure, f"{title}, now {report.ap:.3f}: " + ", ".join(f"{n} +{report.cost[n]:.3f}" for n in report.cost) + ".")


def show_confusion(matrix: np.ndarray, names: Sequence[str], title: str = "Who is taken for whom") -> Figure:
    """Rows are predicted, columns true; the last of each is background. Colour: share of the column; figures: counts."""
    names = [*names, "background"]
    share = matrix / np.maximum(matrix.sum(axis=0), 1)
    side = 2.2 + 0.33 * len(names)
    figure, ax = plt.subplots(figsize=(side, side * 0.92), layout="constrained")
    ax.imshow(share, cmap="Blues", vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(matrix):
        if count:
            ax.text(column, row, str(count), ha="center", va="center", fontsize=7, color="white" if share[row, column] > 0.5 else "black")
    ax.set_xticks(range(len(names)), names, rotation=90, fontsize=8)
    ax.set_yticks(range(len(names)), names, fontsize=8)
    ax.set(xlabel="true", ylabel="predicted", title=title)
    right, total = int(np.trace(matrix)), int(matrix[:, :-1].sum())
    return set_alt(figure, f"{title}: {right} of {total} objects were predicted with their class.")


def show_reliability(count, score, right, title: str = "Is a score of 0.8 right 8 times in 10?") -> Figure:
    """Share of right detections by score."""
    figure, ax = plt.subplots(figsize=(4.6, 4), layout="constrained")
    width = 1 / len(count)
    ax.bar((np.arange(len(count)) + 0.5) * width, np.nan_to_num(right), width * 0.92, color=INK, label="share that is right")
    ax.plot([0, 1], [0, 1], "--", color="grey", label="perfectly calibrated")
    for b, number in enumerate(count):
        if number:
            ax.text((b + 0.5) * width, np.nan_to_num(right[b]) + 0.02, str(number), ha="center", fontsize=7)
    ax.set(xlim=(0, 1), ylim=(0, 1.1), xlabel="score (figures: how many detections)", ylabel="share that is right", title=title)
    ax.legend(fontsize=8, loc="upper left")
    words = ", ".join(f"{s:.2f}: {r:.2f}" for s, r, c in zip(score, right, count, strict=True) if c)
    return set_alt(figure, f"{title} Mean score and share that is right: {words or 'no detections'}.")
