"""Pictures of losses and of how they lead downhill. Taught in notebook 02_losses.

Lines are told apart by style and name, never by colour alone.
"""

from collections.abc import Callable, Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from coursekit.plots.images import set_alt

BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#777777"  # Okabe and Ito: told apart by colour-blind eyes too
STYLES = (("-", BLUE), ("--", ORANGE), ("-.", GREEN), (":", "black"))
MARKERS = ("o", "s", "^", "D", "v")
ASIDE, LIFT = 0.58, 0.1  # of a computation's nodes: where arrows begin and end, and how far the value stands above the middle


def show_one_answer(values: Sequence[float], answers: Sequence[float], curves: Mapping[str, Sequence[float]], title: str) -> Figure:
    """What one answer for all values costs, a panel for each loss, with its lowest point marked and the values beneath.

    Args:
        values: what is to be predicted.
        answers: the numbers tried.
        curves: name of a loss -> its value for each answer.

    Raises:
        ValueError: if a curve is not as long as `answers`.
    """
    figure, axes = plt.subplots(1, len(curves), figsize=(4.6 * len(curves), 3.4), layout="constrained", squeeze=False)
    lowest = {}
    for ax, (name, curve), (style, colour) in zip(axes[0], curves.items(), STYLES, strict=False):
        if len(curve) != len(answers):
            raise ValueError(f"{name} must have a value for each of the {len(answers)} answers, got {len(curve)}")
        best = int(np.argmin(curve))
        lowest[name] = answers[best]
        ax.plot(answers, curve, style, color=colour, linewidth=2)
        ax.plot(answers[best], curve[best], "v", color="black", markersize=9)
        ax.plot(values, [0] * len(values), "|", color="black", markersize=14, markeredgewidth=2)
        ax.set(title=f"{name}: lowest at {answers[best]:g}", xlabel="the one answer (bars: the values)", ylabel=name)
        ax.set_ylim(bottom=-0.06 * max(curve))
    figure.suptitle(title)
    words = "; ".join(f"{name} is lowest at {place:g}" for name, place in lowest.items())
    return set_alt(figure, f"{title}. Values {', '.join(f'{v:g}' for v in values)}: {words}.")


def show_minus_log(marked: Sequence[float] = (0.9, 0.5, 0.1, 0.01)) -> Figure:
    """``-log p`` over the probability p of the right class, with some points named, beside the square ``(1 - p) ** 2``.

    Raises:
        ValueError: if a marked p is not in (0, 1].
    """
    if not all(0 < p <= 1 for p in marked):
        raise ValueError(f"marked must lie in (0, 1], got {list(marked)}")
    p = np.linspace(0.004, 1, 400)
    figure, ax = plt.subplots(figsize=(6.4, 3.8), layout="constrained")
    ax.plot(p, -np.log(p), "-", color=BLUE, linewidth=2, label="cross-entropy: -log p")
    ax.plot(p, (1 - p) ** 2, "--", color=ORANGE, linewidth=2, label="squared: (1 - p)²")
    for point in marked:
        ax.plot(point, -np.log(point), "o", color="black")
        ax.annotate(f"p = {point:g}: {-np.log(point):.2f}", (point, -np.log(point)), (8, 4), textcoords="offset points", fontsize=9)
    ax.set(xlabel="probability p of the right class", ylabel="loss", title="Wrong and sure is what costs", xlim=(-0.02, 1.12))
    ax.legend(loc="upper right")
    words = ", ".join(f"p {point:g}: {-np.log(point):.2f}" for point in marked)
    return set_alt(figure, f"Minus log p grows without end as p goes to 0, the square ends at 1. {words}.")


def show_passes(
    columns: Sequence[tuple[str, Sequence[tuple[str, float, float]]]], joined: Sequence[str], title: str, edges: Mapping | None = None
) -> Figure:
    """A computation from left to right: in each node its value (forward), beneath it the slope of the loss along it (backward).

    Args:
        columns: (heading, nodes) from the inputs to the loss; a node is (name, value, gradient).
        joined: for each gap between two columns ``"all"``: every node with every node; or ``"own"``: each with the one beside it.
        edges: (column, from, to) -> what to write at the arrow, such as a weight.

    Raises:
        ValueError: if there is not one way of joining for each gap.
    """
    if len(joined) != len(columns) - 1:
        raise ValueError(f"joined must have one word for each of the {len(columns) - 1} gaps, got {len(joined)}")
    most = max(len(nodes) for _, nodes in columns)
    figure, ax = plt.subplots(figsize=(2 * len(columns) + 0.2, most + 1), layout="constrained")
    places = [[(2.3 * c, -(r - (len(nodes) - 1) / 2)) for r in range(len(nodes))] for c, (_, nodes) in enumerate(columns)]
    for column, word in enumerate(joined):
        for a, start in enumerate(places[column]):
            for b, end in enumerate(places[column + 1]):
                if word == "all" or a == b:
                    _arrow(ax, start, end, (edges or {}).get((column, a, b), ""))
    for (heading, nodes), spots in zip(columns, places, strict=True):
        ax.text(spots[0][0], most / 2 + 0.2, heading, ha="center", va="center", fontsize=10, weight="bold")
        for (name, value, gradient), (x, y) in zip(nodes, spots, strict=True):
            frame = {"boxstyle": "round,pad=0.35", "facecolor": "white", "edgecolor": "black"}
            ax.text(x, y + LIFT, f"{name} = {value:.4g}", ha="center", va="center", fontsize=10, bbox=frame)
            ax.text(x, y - 0.24, f"slope {gradient:.4g}", ha="center", va="center", fontsize=9, style="italic", color=BLUE)
    ax.set(xlim=(-0.8, 2.3 * (len(columns) - 1) + 0.8), ylim=(-most / 2 + 0.1, most / 2 + 0.4), title=title)
    ax.set_axis_off()
    words = "; ".join(f"{name} = {value:.4g}, slope {gradient:.4g}" for _, nodes in columns for name, value, gradient in nodes)
    return set_alt(figure, f"{title}. From the inputs to the loss: {words}.")


def _arrow(ax: Axes, start: tuple[float, float], end: tuple[float, float], text: str) -> None:
    """An arrow between two nodes, with its text a third of the way along, where crossing arrows are still apart."""
    (x1, y1), (x2, y2) = start, end
    ax.annotate("", (x2 - ASIDE, y2 + LIFT), (x1 + ASIDE, y1 + LIFT), arrowprops={"arrowstyle": "->", "color": GREY})
    if text:
        share = 0.25
        x, y = x1 + ASIDE + share * (x2 - x1 - 2 * ASIDE), y1 + LIFT + share * (y2 - y1)
        ax.text(x, y, text, ha="center", va="center", fontsize=8, bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8})


def show_step_sizes(steps: Sequence[float], errors: Mapping[str, Sequence[float]], title: str) -> Figure:
    """How wrong a numerical gradient is over its step h, both on logarithmic axes, a line for each dtype with its lowest point marked."""
    figure, ax = plt.subplots(figsize=(6.8, 4), layout="constrained")
    words = []
    for (name, line), (style, colour), marker in zip(errors.items(), STYLES, MARKERS, strict=False):
        best = int(np.argmin(line))
        words.append(f"{name} is best at h = {steps[best]:.0e} with {line[best]:.0e}")
        ax.loglog(steps, np.maximum(line, 1e-17), style, color=colour, marker=marker, markersize=4, label=words[-1])
    ax.set(xlabel="step h", ylabel="relative error of the gradient", title=title)
    ax.legend(fontsize=9)
    return set_alt(figure, f"{title}. {'; '.join(words)}; both rise to the left and to the right of that.")


def show_walks(curve: Callable[[np.ndarray], np.ndarray], low: float, high: float, walks: Sequence[Sequence[float]], title: str) -> Figure:
    """A curve of one weight, and several walks downhill on it: a filled sign where each begins, a large cross where it ends.

    Args:
        curve: loss of an array of weights.
        low, high: from where to where the weight is drawn.
        walks: the weights that each walk went through.
    """
    figure, ax = plt.subplots(figsize=(7.4, 4), layout="constrained")
    w = np.linspace(low, high, 400)
    ax.plot(w, curve(w), "-", color=GREY, linewidth=2)
    lift = 0.035 * float(np.ptp(curve(w)))
    words = []
    for number, walk in enumerate(walks):
        walk, (style, colour) = np.asarray(walk, dtype=float), STYLES[number % len(STYLES)]
        height = curve(walk) + lift * (1 + number)
        ax.plot(walk, height, style, color=colour, marker=".", markersize=3, linewidth=1)
        ax.plot(walk[0], height[0], MARKERS[number % len(MARKERS)], color=colour, markersize=8, label=f"from {walk[0]:g} to {walk[-1]:.2f}")
        ax.plot(walk[-1], height[-1], "x", color=colour, markersize=9, markeredgewidth=2.5)
        words.append(f"from {walk[0]:g} to {walk[-1]:.2f}")
    ax.set(xlabel="weight w", ylabel="loss", title=title)
    ax.legend(title="walks (× is the end)", fontsize=9)
    return set_alt(figure, f"{title}. Walks downhill: {', '.join(words)}.")


def show_saddle(surface: Callable, walks: Mapping[str, Tensor], title: str) -> Figure:
    """A surface over two weights as lines of equal height with walks on it, and beside it the loss along each walk.

    Args:
        surface: loss of two arrays, w1 and w2.
        walks: name -> (steps + 1, 2).
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    w1, w2 = np.meshgrid(np.linspace(-1.5, 1.5, 121), np.linspace(-1.5, 1.5, 121))
    lines = left.contour(w1, w2, surface(w1, w2), levels=[0.05, 0.2, 0.5, 0.8, 1, 1.2, 1.6, 2.2, 3], colors=GREY, linewidths=0.8)
    left.clabel(lines, fontsize=7)
    words = []
    for number, ((name, walk), (style, colour)) in enumerate(zip(walks.items(), STYLES, strict=False)):
        path = walk.detach().cpu().numpy()
        height = surface(path[:, 0], path[:, 1])
        size = 9 - 4 * number  # one walk hides another where both go the same way: large hollow marks, then smaller ones
        mark = {"marker": MARKERS[number], "markersize": max(3, size), "markerfacecolor": "none", "markevery": 4}
        left.plot(path[:, 0], path[:, 1], style, color=colour, label=name, **mark)
        right.plot(range(len(height)), height, style, color=colour, linewidth=2, label=name)
        words.append(f"{name}: loss from {height[0]:.2f} to {height[-1]:.2f}")
    left.plot(0, 0, "*", color="black", markersize=12, label="saddle point")
    left.set(xlabel="weight w1", ylabel="weight w2", title="lines of equal loss")
    right.set(xlabel="step", ylabel="loss", title="loss along the walk", ylim=(-0.05, None))
    left.legend(fontsize=8, loc="lower left")
    right.legend(fontsize=8)
    figure.suptitle(title)
    return set_alt(figure, f"{title}. {'; '.join(words)}.")


def show_staircase(weights: Sequence[float], accuracy: Sequence[float], loss: Sequence[float], title: str) -> Figure:
    """Accuracy and loss while one weight moves: one is made of steps, the other is smooth."""
    figure, axes = plt.subplots(1, 2, figsize=(9.6, 3.4), layout="constrained")
    axes[0].plot(weights, accuracy, "-", color=ORANGE, linewidth=1.5, drawstyle="steps-mid")
    axes[0].set(xlabel="one weight", ylabel="accuracy", title="accuracy: flat, then a jump")
    axes[1].plot(weights, loss, "-", color=BLUE, linewidth=2)
    axes[1].set(xlabel="one weight", ylabel="cross-entropy", title="loss: a slope everywhere")
    figure.suptitle(title)
    different = len(set(np.round(np.asarray(accuracy, dtype=float), 9)))
    return set_alt(
        figure,
        f"{title}. Over {len(weights)} places of one weight accuracy takes {different} values between {min(accuracy):.2f} and "
        f"{max(accuracy):.2f}; the loss moves smoothly between {min(loss):.2f} and {max(loss):.2f}.",
    )
