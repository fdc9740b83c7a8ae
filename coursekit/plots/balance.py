"""Move a threshold, change how rare the positives are, and see confusion matrix, precision, recall, PR and ROC answer. 06_measuring."""

from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from coursekit.metrics.ranking import roc_curve
from coursekit.plots.classification import ACCENT, GREY, INK, draw_confusion, draw_scores
from coursekit.plots.images import set_alt
from coursekit.plots.live import Live, png

OF = 1000  # images that the counts are given for
SHARES = {"1 : 1": 1 / 2, "1 : 9": 1 / 10, "1 : 99": 1 / 100}


@dataclass(frozen=True)
class AtThreshold:
    """What a threshold does to 1000 images of which a given share is positive.

    Args:
        hits, alarms, misses, passes: true positives, false positives, false negatives, true negatives; they add up to 1000.
        recall, fpr: share of the positives, and of the negatives, that is called positive.
        precision: hits / (hits + alarms); 1 if nothing is called positive, since nothing wrong was said.
        accuracy: (hits + passes) / 1000.
    """

    hits: float
    alarms: float
    misses: float
    passes: float
    recall: float
    fpr: float
    precision: float
    accuracy: float

    @property
    def matrix(self) -> np.ndarray:
        """(2, 2), rows the truth, negatives first."""
        return np.array([[self.passes, self.alarms], [self.misses, self.hits]])

    def __str__(self):
        return (
            f"of {OF} images {self.hits:.0f} hits, {self.alarms:.0f} false alarms, {self.misses:.0f} misses, "
            f"{self.passes:.0f} rightly passed; precision {self.precision:.2f}, recall {self.recall:.2f}, "
            f"false positive rate {self.fpr:.2f}, accuracy {self.accuracy:.2f}"
        )


def at_threshold(truth: np.ndarray, scores: np.ndarray, threshold: float, share: float) -> AtThreshold:
    """Count what a threshold does, as if `share` of all images were positive: the classifier stays, only the mix changes.

    Args:
        truth: (N,) true/false, with some of both.
        scores: (N,); at least the threshold is called positive.
        threshold: any number.
        share: in (0, 1).

    Raises:
        ValueError: if the share is not, or one kind is absent.
    """
    truth, scores = np.asarray(truth, dtype=bool), np.asarray(scores, dtype=np.float64)
    if not 0 < share < 1:
        raise ValueError(f"share must be in (0, 1), got {share}")
    if truth.all() or not truth.any():
        raise ValueError(f"truth must hold both kinds, got {int(truth.sum())} true of {len(truth)}")
    recall, fpr = float((scores[truth] >= threshold).mean()), float((scores[~truth] >= threshold).mean())
    hits, alarms = OF * share * recall, OF * (1 - share) * fpr
    precision = hits / (hits + alarms) if hits + alarms else 1.0
    misses, passes = OF * share - hits, OF * (1 - share) - alarms
    return AtThreshold(hits, alarms, misses, passes, recall, fpr, precision, (hits + passes) / OF)


def curves_at_share(truth: np.ndarray, scores: np.ndarray, share: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(fpr, recall, precision), each (T + 1,), at every threshold, if `share` of all images were positive; the first keeps nothing."""
    fpr, recall, _ = roc_curve(truth, scores)
    hits, alarms = share * recall, (1 - share) * fpr
    below = np.where(hits + alarms > 0, hits + alarms, 1)
    return fpr, recall, np.where(hits + alarms > 0, hits / below, 1.0)


def _draw(axes, truth, scores, threshold: float, share: float, names: Sequence[str]) -> AtThreshold:
    """One row of four pictures: scores, confusion matrix, PR, ROC."""
    state = at_threshold(truth, scores, threshold, share)
    fpr, recall, precision = curves_at_share(truth, scores, share)
    draw_scores(axes[0], truth, scores, threshold, names)
    axes[0].set_title(f"threshold {threshold:.2f}, {share:.0%} positive", fontsize=10)
    draw_confusion(axes[1], state.matrix, names, fontsize=10)
    axes[1].set_title(f"of {OF} images", fontsize=10)
    axes[2].plot(recall, precision, color=INK, drawstyle="steps-pre")
    axes[2].axhline(share, color=GREY, linewidth=0.8, linestyle=":")
    axes[2].plot(state.recall, state.precision, "s", color=ACCENT, markersize=9)
    axes[2].set(xlabel="recall", ylabel="precision")
    axes[2].set_title(f"PR: precision {state.precision:.2f}", fontsize=10)
    axes[3].plot(fpr, recall, color=INK)
    axes[3].plot([0, 1], [0, 1], color=GREY, linewidth=0.8, linestyle=":")
    axes[3].plot(state.fpr, state.recall, "s", color=ACCENT, markersize=9)
    axes[3].set(xlabel="false positive rate", ylabel="recall")
    axes[3].set_title(f"ROC: recall {state.recall:.2f}, FPR {state.fpr:.2f}", fontsize=10)
    for ax in axes[2:]:
        ax.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.06))
    return state


def balance_picture(
    truth: np.ndarray, scores: np.ndarray, threshold: float, shares: Sequence[float], names: Sequence[str] = ("no", "yes")
) -> Figure:
    """A row of four pictures for each share of positives: scores, confusion matrix of 1000 images, PR and ROC curve with the point."""
    figure, axes = plt.subplots(len(shares), 4, figsize=(12.6, 3.1 * len(shares) + 0.2), layout="constrained", squeeze=False)
    states = [_draw(row, truth, scores, threshold, share, names) for row, share in zip(axes, shares, strict=True)]
    words = ". ".join(f"With {share:.0%} positive: {state}" for share, state in zip(shares, states, strict=True))
    figure.suptitle("One classifier, one threshold" + (", several mixes" if len(shares) > 1 else ""), fontsize=11)
    return set_alt(figure, f"Scores, confusion matrix, PR and ROC curve at threshold {threshold:.2f}. {words}.")


def balance_explorer(truth: np.ndarray, scores: np.ndarray, threshold: float = 0.5, names: Sequence[str] = ("no", "yes")) -> Live:
    """Two sliders, threshold and balance, above the four pictures; two balances one above the other where nothing can be dragged.

    Args:
        truth: (N,) true/false, some of both.
        scores: (N,) in 0..1.
        threshold: where its slider stands first.
        names: of false and of true.
    """

    def render(threshold: float, balance: str) -> tuple[bytes, str]:
        share = SHARES[balance]
        return png(balance_picture(truth, scores, threshold, [share], names)), str(at_threshold(truth, scores, threshold, share))

    def make_widget():
        import ipywidgets

        slider = ipywidgets.FloatSlider(threshold, min=0.0, max=1.0, step=0.01, description="threshold", layout={"width": "500px"})
        balance = ipywidgets.SelectionSlider(options=list(SHARES), description="yes : no", layout={"width": "500px"})
        picture, words = render(threshold, balance.value)
        shown, line = ipywidgets.Image(value=picture, format="png", layout={"width": "1100px"}), ipywidgets.HTML(words)

        def moved(_):
            shown.value, line.value = render(slider.value, balance.value)

        slider.observe(moved, names="value")
        balance.observe(moved, names="value")
        return ipywidgets.VBox([slider, balance, line, shown], layout={"align_items": "flex-start"})

    shares = [SHARES["1 : 1"], SHARES["1 : 99"]]
    states = "; ".join(f"{share:.0%} positive: {at_threshold(truth, scores, threshold, share)}" for share in shares)
    return Live(make_widget, balance_picture(truth, scores, threshold, shares, names), f"At threshold {threshold:.2f}, {states}")
