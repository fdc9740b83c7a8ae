"""Pictures of how good a classifier is: confusion matrix, scores and their threshold, PR and ROC, reliability. Notebook 06_measuring.

The pictures of detectors are in `metrics`.
"""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from coursekit.metrics.ranking import average_precision, pr_curve, roc_auc, roc_curve
from coursekit.plots.images import set_alt

INK, ACCENT, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#777777"
STYLES = ((INK, "-"), (ACCENT, "--"), (GREEN, ":"), (GREY, "-."))  # the line style says what the colour does


def draw_confusion(ax: Axes, matrix: np.ndarray, names: Sequence[str], fontsize: float = 8) -> None:
    """A confusion matrix on axes: rows are the truth; shade is the share of the row, figures are counts; zeros are left empty."""
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1e-12)
    ax.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(matrix):
        if count:
            colour = "white" if shares[row, column] > 0.5 else "black"
            weight = "bold" if row == column else "normal"
            text = f"{count:.0f}" if count >= 100 or float(count).is_integer() else f"{count:.1f}"
            ax.text(column, row, text, ha="center", va="center", fontsize=fontsize, color=colour, fontweight=weight)
    turned = 90 if max(map(len, names)) > (3 if len(names) > 4 else 9) else 0
    ax.set_xticks(range(len(names)), names, rotation=turned, fontsize=8)
    ax.set_yticks(range(len(names)), names, fontsize=8)
    ax.set(xlabel="predicted", ylabel="truth")


def show_confusion_matrix(matrix: np.ndarray, names: Sequence[str], title: str = "Who is taken for whom") -> Figure:
    """A confusion matrix, rows the truth.

    Args:
        matrix: (K, K) counts.
        names: of the K classes.

    Raises:
        ValueError: if there are not as many names as rows.
    """
    matrix = np.asarray(matrix)
    if matrix.shape != (len(names), len(names)):
        raise ValueError(f"matrix must have shape ({len(names)}, {len(names)}), one row a name, got {matrix.shape}")
    longest = max(map(len, names))  # of names beside the picture, which leave less room for it and for its title
    side = max(3.2, 1.6 + 0.36 * len(names)) + 0.09 * max(0, longest - 9)
    figure, ax = plt.subplots(figsize=(side, side * 0.95), layout="constrained")
    draw_confusion(ax, matrix, names)
    ax.set_title(title)
    wrong = matrix - np.diag(np.diag(matrix))
    row, column = np.unravel_index(wrong.argmax(), wrong.shape)
    most = f"; most often {names[row]} was called {names[column]}, {wrong[row, column]} times" if wrong.any() else ""
    return set_alt(figure, f"{title}. Rows are the truth: {int(np.trace(matrix))} of {int(matrix.sum())} were right{most}.")


def draw_scores(ax: Axes, truth: np.ndarray, scores: np.ndarray, threshold: float, names: Sequence[str], bins: int = 25) -> None:
    """How often each score occurs, each kind by its own share, and the threshold between them."""
    truth, scores = np.asarray(truth, dtype=bool), np.asarray(scores, dtype=np.float64)
    edges = np.linspace(min(scores.min(), 0), max(scores.max(), 1), bins + 1)
    for kind, name, colour, hatch in ((~truth, names[0], GREY, None), (truth, names[1], ACCENT, "//")):
        if kind.any():
            share = np.histogram(scores[kind], edges)[0] / kind.sum()
            ax.bar(edges[:-1], share, np.diff(edges), align="edge", color=colour, alpha=0.55, hatch=hatch, edgecolor="white", label=name)
    ax.axvline(threshold, color="black", linewidth=1.5)
    ax.set(xlabel="score", ylabel="share of its kind")
    ax.legend(fontsize=8)


def show_scores(
    truth: np.ndarray, scores: np.ndarray, threshold: float, names: Sequence[str] = ("no", "yes"), title: str = "Scores and a threshold"
) -> Figure:
    """Scores of the false and of the true samples with the threshold: right of it is what is called true.

    Args:
        truth: (N,) true/false.
        scores: (N,).
        threshold: what is at least as high is called true.
        names: of false and of true.
    """
    truth, scores = np.asarray(truth, dtype=bool), np.asarray(scores, dtype=np.float64)
    figure, ax = plt.subplots(figsize=(6.4, 3.2), layout="constrained")
    draw_scores(ax, truth, scores, threshold, names)
    hits, alarms = int((scores[truth] >= threshold).sum()), int((scores[~truth] >= threshold).sum())
    result = f"threshold {threshold:.2f}: {hits} of {truth.sum()} found, {alarms} false alarms of {(~truth).sum()}"
    ax.set_title(f"{title}\n{result}", fontsize=10)
    return set_alt(figure, f"{title}. Scores of {names[0]} and of {names[1]}, {result}.")


def show_pr_and_roc(curves: Mapping[str, tuple[np.ndarray, np.ndarray]], title: str = "Every threshold at once") -> Figure:
    """PR curves beside ROC curves, a line each, with AP and AUC and with what guessing would give.

    Args:
        curves: name -> (truth (N,) true/false, scores (N,)); at most four, each with true and false samples.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(9.6, 3.9), layout="constrained")
    words = []
    for (name, (truth, scores)), (colour, line) in zip(curves.items(), STYLES, strict=False):
        recall, precision, _ = pr_curve(truth, scores)
        fpr, tpr, _ = roc_curve(truth, scores)
        ap, auc, share = average_precision(truth, scores), roc_auc(truth, scores), float(np.mean(truth))
        few = {"marker": "o" if len(recall) <= 20 else None, "markersize": 4}
        steps = np.append(0.0, recall), np.append(precision[:1], precision)  # as wide as recall grows, as high as precision there
        left.plot(*steps, line, color=colour, drawstyle="steps-pre", markevery=slice(1, None), label=f"{name}: AP {ap:.3f}", **few)
        left.axhline(share, color=colour, linestyle=line, linewidth=0.7, alpha=0.6)
        right.plot(fpr, tpr, line, color=colour, label=f"{name}: AUC {auc:.3f}", **few)
        words.append(f"{name}: AP {ap:.3f}, area under ROC {auc:.3f}, {share:.1%} true")
    right.plot([0, 1], [0, 1], color=GREY, linewidth=0.7)
    left.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.05), xlabel="recall", ylabel="precision", title="PR (thin: guessing)")
    right.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.05), xlabel="false positive rate", ylabel="recall", title="ROC (thin: guessing)")
    left.legend(fontsize=8, loc="lower left")
    right.legend(fontsize=8, loc="lower right")
    figure.suptitle(title, fontsize=11)
    return set_alt(figure, f"{title}: precision by recall, and recall by false positive rate. {'; '.join(words)}.")


def show_reliability_panels(panels: Mapping[str, tuple[np.ndarray, np.ndarray, np.ndarray]], title: str = "Said and kept") -> Figure:
    """Reliability diagrams side by side: the bar is how often answers of this confidence are right, the figure how many there are.

    Args:
        panels: title -> (count, mean confidence, share that is right), as `calibration.reliability` gives them.
    """
    figure, axes = plt.subplots(1, len(panels), figsize=(4.3 * len(panels), 3.8), layout="constrained", squeeze=False, sharey=True)
    words = []
    for ax, (name, (count, said, right)) in zip(axes[0], panels.items(), strict=True):
        width, there = 1 / len(count), count > 0
        middle = (np.arange(len(count)) + 0.5) * width
        ax.bar(middle[there], right[there], width * 0.92, color=INK, label="right")
        ax.plot([0, 1], [0, 1], "--", color=GREY, label="as often as said")
        ax.plot(said[there], right[there], "D", color=ACCENT, markersize=4, label="mean confidence")
        for x, height, number in zip(middle[there], right[there], count[there], strict=True):
            inside = height > 0.1
            ax.text(x, 0.02 if inside else height + 0.02, str(number), ha="center", fontsize=7, color="white" if inside else "black")
        gap = float((count[there] * np.abs(right - said)[there]).sum() / max(count.sum(), 1))
        ax.set(xlim=(0, 1), ylim=(0, 1.12), xlabel="confidence", title=f"{name}\nECE {gap:.3f}")
        pairs = ", ".join(f"{s:.2f}: {r:.2f}" for s, r in zip(said[there], right[there], strict=True))
        words.append(f"{name}, ECE {gap:.3f}; confidence and share that is right {pairs or 'nothing'}")
    axes[0, 0].set_ylabel("share that is right (figure: how many)")
    axes[0, 0].legend(fontsize=8, loc="upper left")
    figure.suptitle(title, fontsize=11)
    return set_alt(figure, f"{title}. {'. '.join(words)}.")
