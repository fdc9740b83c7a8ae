"""One number a seed, for several settings: is a difference larger than luck? Used from notebook 05_training_loop on."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from coursekit.plots.images import set_alt


def show_seeds(
    values: Mapping[str, Sequence[float]],
    title: str,
    xlabel: str,
    ylabel: str = "model",
    limits: tuple[float, float] | None = None,
    against: str | None = None,
) -> Figure:
    """A row of dots for each name, one dot for each seed, and a stroke at their mean: is a difference larger than the luck?

    Dots may lie on an axis that does not begin at 0, where bars may not.

    Args:
        values: name -> one or more numbers.
        limits: ends of the axis; where the numbers are if not given.
        against: a name of ``values``. A dashed line stands at its mean, and beside each mean what it gains on that.

    Raises:
        ValueError: if there is nothing to draw, a name without numbers, or nothing to compare with.
    """
    if not values or not all(len(numbers) for numbers in values.values()):
        raise ValueError(f"values must hold a number for every name, got {dict(values)}")
    if against is not None and against not in values:
        raise ValueError(f"against must be one of {list(values)}, got {against!r}")
    means = {name: float(np.mean(numbers)) for name, numbers in values.items()}
    written = {name: f"{mean:.3f}" for name, mean in means.items()}
    figure, ax = plt.subplots(figsize=(7.5, 0.5 * len(values) + 1.3), layout="constrained")
    if against is not None:
        written = {name: f"{text}  ({means[name] - means[against]:+.3f})" for name, text in written.items()}
        ax.axvline(means[against], color="#777777", linestyle="--", linewidth=1)
    for row, (name, numbers) in enumerate(values.items()):
        ax.plot(numbers, [row] * len(numbers), "o", color="#0072B2", markersize=7, alpha=0.7)
        ax.plot([means[name]] * 2, [row - 0.25, row + 0.25], "-", color="black", linewidth=2)
        ax.annotate(written[name], (1.01, row), xycoords=("axes fraction", "data"), va="center", fontsize=9)
    ax.set_yticks(range(len(values)), list(values))
    legend = "dots: seeds, stroke and number: mean" + ("" if against is None else f", in brackets: against {against}")
    ax.set(title=title, xlabel=f"{xlabel} ({legend})", ylabel=ylabel, ylim=(len(values) - 0.5, -0.5))
    if limits:
        ax.set_xlim(*limits)
    ax.grid(axis="x", alpha=0.3)
    said = "; ".join(f"{name} {', '.join(f'{v:.3f}' for v in numbers)} (mean {written[name]})" for name, numbers in values.items())
    return set_alt(figure, f"{title}. {xlabel}, one number for each seed: {said}.")
