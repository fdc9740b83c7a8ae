"""The match table and the precision-recall curve, grown one prediction at a time. Taught in notebook 20_map."""

from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from coursekit.metrics.match_table import Row
from coursekit.plots.images import set_alt
from coursekit.plots.live import Live, png
from coursekit.plots.metrics import RIGHT, WRONG, draw_curve, draw_match_table


@dataclass(frozen=True)
class Grown:
    """What is known after the first predictions of a match table.

    Args:
        count: how many predictions were read; of how many: `of`.
        newest: the last of them; None before the first.
        right, wrong, missed: true positives, false positives, objects not found yet.
        recall, precision: of what was read; 0 and 1 before the first, since nothing was said and nothing of it was wrong.
        curve: (recall, precision) after each of them.
    """

    count: int
    of: int
    newest: Row | None
    right: int
    wrong: int
    missed: int
    recall: float
    precision: float
    curve: tuple[tuple[float, float], ...]

    def verdict(self) -> str:
        """What became of the newest, in words: right or wrong, why, and which way the curve went."""
        if self.newest is None:
            return "nothing read yet: the surest prediction of all images comes first"
        row = self.newest
        where = "" if row.truth is None else f", IoU {row.iou:.2f} with truth {row.truth + 1}"
        said = f"number {self.count}: score {row.score:.2f}, image {row.image}{where}"
        if row.right:
            return f"{said}: TP, {row.why}; the curve goes right"
        return f"{said}: FP, {row.why}; the curve goes down" if self.right else f"{said}: FP, {row.why}; the curve lies at 0"

    def __str__(self):
        tally = f"{self.right} right, {self.wrong} wrong, {self.missed} still missed"
        return f"{self.verdict()}. {self.count} of {self.of} read: {tally}; recall {self.recall:.2f}, precision {self.precision:.2f}"


def grow(rows: Sequence[Row], num_truths: int, count: int) -> Grown:
    """The state after the first `count` rows.

    Args:
        rows: a match table, best first.
        num_truths: how many objects there are to find.
        count: from 0 to the number of rows.

    Raises:
        ValueError: for another count, or if more rows are right than there are truths.
    """
    if not 0 <= count <= len(rows):
        raise ValueError(f"count must be from 0 to the {len(rows)} rows of the table, got {count}")
    if sum(row.right for row in rows) > num_truths:
        raise ValueError(f"num_truths must be at least the number of right rows, {sum(row.right for row in rows)}, got {num_truths}")
    read, right, curve = rows[:count], 0, []
    for place, row in enumerate(read, start=1):
        right += row.right
        curve.append((right / num_truths if num_truths else 0.0, right / place))
    recall, precision = curve[-1] if curve else (0.0, 1.0)
    newest = read[-1] if read else None
    return Grown(count, len(rows), newest, right, count - right, num_truths - right, recall, precision, tuple(curve))


def _draw_growth(ax, rows: Sequence[Row], num_truths: int, state: Grown) -> None:
    """The curve as far as it is known, what is still to come as dots, and the newest point large."""
    whole = grow(rows, num_truths, len(rows)).curve
    ax.plot([r for r, _ in whole], [p for _, p in whole], ":", color="#bbbbbb", linewidth=1)
    draw_curve(ax, [r for r, _ in state.curve], [p for _, p in state.curve], best=False)
    if state.newest is not None:
        mark, colour = ("^", RIGHT) if state.newest.right else ("v", WRONG)
        ax.plot(state.recall, state.precision, mark, color=colour, markersize=11, markeredgecolor="black")


def growing_picture(rows: Sequence[Row], num_truths: int, count: int) -> Figure:
    """The table with what is still to come in grey, and the curve as far as it has grown."""
    state = grow(rows, num_truths, count)
    figure, (left, right) = plt.subplots(
        1, 2, figsize=(12.4, max(3.8, 0.9 + 0.2 * (len(rows) + 1))), layout="constrained", gridspec_kw={"width_ratios": [8, 4.4]}
    )
    draw_match_table(left, rows, faded_from=count)
    for (place, _), cell in left.tables[0].get_celld().items():
        if place == count > 0:
            cell.set_linewidth(1.6)
    _draw_growth(right, rows, num_truths, state)
    right.set_title(f"after {count}: recall {state.recall:.2f}, precision {state.precision:.2f}", fontsize=10)
    figure.suptitle(state.verdict(), fontsize=10)
    return set_alt(figure, f"Match table and precision-recall curve. {state}.")


def steps_picture(rows: Sequence[Row], num_truths: int, counts: Sequence[int] = (1, 2, 3, 9, 14, 24)) -> Figure:
    """The curve after some of the predictions, side by side: for pages where nothing can be pressed.

    Args:
        counts: those above the number of rows are left out.
    """
    states = [grow(rows, num_truths, count) for count in counts if count <= len(rows)] or [grow(rows, num_truths, 0)]
    columns = min(3, len(states))
    lines = -(-len(states) // columns)
    figure, axes = plt.subplots(lines, columns, figsize=(4.1 * columns, 3.5 * lines), layout="constrained", squeeze=False)
    for ax in axes.flat[len(states) :]:
        ax.set_axis_off()
    for ax, state in zip(axes.flat, states, strict=False):
        _draw_growth(ax, rows, num_truths, state)
        newest = "nothing read yet" if state.newest is None else f"{'TP' if state.newest.right else 'FP'}: {state.newest.why}"
        ax.set_title(f"after {state.count}: {newest}\nrecall {state.recall:.2f}, precision {state.precision:.2f}", fontsize=9)
    figure.suptitle("The curve grows, one prediction at a time (▲ right, ▼ wrong)")
    words = ". ".join(f"After {s.count}: recall {s.recall:.2f}, precision {s.precision:.2f}" for s in states)
    return set_alt(figure, f"A precision-recall curve at {len(states)} moments of its growth. {words}.")


def match_explorer(rows: Sequence[Row], num_truths: int, count: int = 1) -> Live:
    """Buttons and a slider that read one prediction more, above the table and the curve; a few moments side by side where nothing answers.

    Args:
        rows: a match table, best first.
        num_truths: how many objects there are to find.
        count: how many are read at first.
    """
    state = grow(rows, num_truths, count)

    def make_widget():
        import ipywidgets

        slider = ipywidgets.IntSlider(value=count, min=0, max=len(rows), description="read", layout={"width": "420px"})
        back, on = (ipywidgets.Button(description=text, layout={"width": "130px"}) for text in ("one back", "one more"))
        shown = ipywidgets.Image(value=png(growing_picture(rows, num_truths, count)), format="png", layout={"max_width": "100%"})
        words = ipywidgets.HTML(str(state))

        def moved(change):
            shown.value = png(growing_picture(rows, num_truths, change["new"]))
            words.value = str(grow(rows, num_truths, change["new"]))

        def step(by):
            slider.value = min(slider.max, max(slider.min, slider.value + by))

        slider.observe(moved, names="value")
        back.on_click(lambda _: step(-1))
        on.on_click(lambda _: step(1))
        return ipywidgets.VBox([ipywidgets.HBox([slider, back, on]), words, shown])

    return Live(make_widget, steps_picture(rows, num_truths), f"One prediction at a time. {state}")
