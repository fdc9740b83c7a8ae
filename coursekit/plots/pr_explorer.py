"""Drag the confidence down and watch the curve grow, one prediction at a time, beside the match table. Taught in notebook 20_map."""

from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from coursekit.metrics.match_table import Row
from coursekit.plots.images import set_alt
from coursekit.plots.live import Live, png
from coursekit.plots.metrics import INK, draw_curve, draw_match_table


@dataclass(frozen=True)
class Kept:
    """What a confidence threshold keeps of a match table.

    Args:
        kept: how many predictions.
        right, wrong, missed: true positives, false positives, false negatives.
        precision: right / kept; 1 if nothing is kept, since nothing wrong was said.
        recall: right / (right + missed); 0 if there is nothing to find.
    """

    kept: int
    right: int
    wrong: int
    missed: int
    precision: float
    recall: float

    def __str__(self):
        return (
            f"{self.kept} predictions kept: {self.right} right, {self.wrong} wrong, {self.missed} objects missed; "
            f"precision {self.precision:.2f}, recall {self.recall:.2f}"
        )


def at_confidence(rows: Sequence[Row], num_truths: int, confidence: float) -> Kept:
    """Count what is kept at a confidence: the rows with at least this score.

    Raises:
        ValueError: if the confidence is not in [0, 1], or more rows are right than there are truths.
    """
    if not 0 <= confidence <= 1:
        raise ValueError(f"confidence must be in [0, 1], got {confidence}")
    if sum(row.right for row in rows) > num_truths:
        raise ValueError(f"num_truths must be at least the number of right rows, {sum(row.right for row in rows)}, got {num_truths}")
    verdicts = [row.right for row in rows if row.score >= confidence]
    right = sum(verdicts)
    precision = right / len(verdicts) if verdicts else 1.0
    return Kept(len(verdicts), right, len(verdicts) - right, num_truths - right, precision, right / num_truths if num_truths else 0.0)


def explorer_picture(rows: Sequence[Row], num_truths: int, confidence: float) -> Figure:
    """The match table with the rest in grey, and the curve as far as it has grown."""
    state = at_confidence(rows, num_truths, confidence)
    figure, (left, right) = plt.subplots(
        1, 2, figsize=(12.4, max(3.6, 0.8 + 0.2 * (len(rows) + 1))), layout="constrained", gridspec_kw={"width_ratios": [8, 4.4]}
    )
    draw_match_table(left, rows, faded_from=state.kept)
    right.plot([row.recall for row in rows], [row.precision for row in rows], ":", color="#bbbbbb", linewidth=1)
    draw_curve(right, [row.recall for row in rows[: state.kept]], [row.precision for row in rows[: state.kept]], best=False)
    if state.kept:
        right.plot(state.recall, state.precision, "s", color=INK, markersize=9)
    right.set_title(f"confidence {confidence:.2f}: precision {state.precision:.2f}, recall {state.recall:.2f}", fontsize=10)
    figure.suptitle(f"{state.right} right, {state.wrong} wrong, {state.missed} missed")
    return set_alt(figure, f"Match table and precision-recall curve at confidence {confidence:.2f}. {state}.")


def pr_explorer(rows: Sequence[Row], num_truths: int, confidence: float = 0.6) -> Live:
    """A slider for the confidence above the table and the curve; the picture alone where nothing can be dragged.

    Args:
        rows: a match table, best first.
        num_truths: how many objects there are to find.
        confidence: where the slider stands first.
    """

    def make_widget():
        import ipywidgets

        stops = [1.0, *sorted({row.score for row in rows}, reverse=True)]
        nearest = min(stops, key=lambda stop: (abs(stop - confidence), -stop))
        options = [(f"{stop:.2f}", stop) for stop in stops]
        slider = ipywidgets.SelectionSlider(options=options, value=nearest, description="confidence", layout={"width": "520px"})
        shown = ipywidgets.Image(value=png(explorer_picture(rows, num_truths, nearest)), format="png")
        words = ipywidgets.HTML(str(at_confidence(rows, num_truths, nearest)))

        def moved(change):
            shown.value = png(explorer_picture(rows, num_truths, change["new"]))
            words.value = str(at_confidence(rows, num_truths, change["new"]))

        slider.observe(moved, names="value")
        return ipywidgets.VBox([slider, words, shown])

    state = at_confidence(rows, num_truths, confidence)
    return Live(make_widget, explorer_picture(rows, num_truths, confidence), f"At confidence {confidence:.2f}: {state}")
