"""Pictures of numbers that were guessed: which constant each measure likes best, and predicted against true. Notebook 06_measuring."""

from collections.abc import Callable, Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from coursekit.plots.images import set_alt

INK, ACCENT, GREY = "#0072B2", "#D55E00", "#777777"


def best_constant(truth: Sequence[float], measure: Callable, guesses: Sequence[float]) -> tuple[float, np.ndarray]:
    """What a measure says of always guessing the same.

    Args:
        truth: (N,) numbers.
        measure: of (truth, predicted), smaller being better.
        guesses: (G,) constants to try.

    Returns:
        (the best of them, the measure at each (G,)); of equals the smallest guess.
    """
    guesses = np.sort(np.asarray(guesses, dtype=np.float64))
    values = np.array([measure(truth, np.full(len(truth), guess)) for guess in guesses])
    return float(guesses[values.argmin()]), values


def show_constant_guesses(truth: Sequence[float], measures: Mapping[str, Callable], guesses: Sequence[float], unit: str = "") -> Figure:
    """Each measure against the one number that is guessed for all; a square marks its lowest point, ticks below mark the truth.

    Args:
        truth: (N,) numbers.
        measures: name -> measure of (truth, predicted).
        guesses: (G,) constants to try.
        unit: of the truth, for the axis.
    """
    guesses = np.sort(np.asarray(guesses, dtype=np.float64))
    figure, axes = plt.subplots(1, len(measures), figsize=(3.7 * len(measures), 3.2), layout="constrained", squeeze=False)
    words = []
    for ax, (name, measure) in zip(axes[0], measures.items(), strict=True):
        best, values = best_constant(truth, measure, guesses)
        ax.plot(guesses, values, color=INK)
        ax.plot(best, values.min(), "s", color=ACCENT, markersize=8)
        ax.plot(truth, np.full(len(truth), ax.get_ylim()[0]), "|", color=GREY, markersize=14, clip_on=False)
        ax.set(xlabel=f"guess for all{f' ({unit})' if unit else ''}", ylabel=name, title=f"lowest {name} at {best:g}")
        words.append(f"{name} is lowest at {best:g}, where it is {values.min():.3g}")
    figure.suptitle(f"One guess for {len(truth)} true values (ticks below)", fontsize=10)
    return set_alt(figure, f"What each measure says of guessing one number for {', '.join(f'{t:g}' for t in truth)}: {'; '.join(words)}.")


def show_predictions(truth: np.ndarray, predicted: np.ndarray, title: str = "Predicted against true", unit: str = "") -> Figure:
    """Left, predicted against true: a perfect prediction lies on the dashed line. Right, how often each error occurs, with its mean."""
    truth, predicted = np.asarray(truth, dtype=np.float64), np.asarray(predicted, dtype=np.float64)
    errors, of_unit = predicted - truth, f" ({unit})" if unit else ""
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.6, 3.5), layout="constrained")
    ends = [min(truth.min(), predicted.min()), max(truth.max(), predicted.max())]
    left.plot(ends, ends, "--", color=GREY, label="perfect")
    left.plot(truth, predicted, "o", color=INK, markersize=4, alpha=0.6)
    left.axhline(truth.mean(), color=ACCENT, linestyle=":", label="always the mean")
    left.set(xlabel=f"true{of_unit}", ylabel=f"predicted{of_unit}", title=title)
    left.legend(fontsize=8)
    right.hist(errors, bins=20, color=INK, edgecolor="white")
    right.axvline(0, color=GREY, linestyle="--", label="no error")
    right.axvline(errors.mean(), color=ACCENT, linestyle="-", label=f"mean {errors.mean():+.3g}")
    right.set(xlabel=f"predicted minus true{of_unit}", ylabel="how many", title="Errors, with their sign")
    right.legend(fontsize=8)
    return set_alt(
        figure, f"{title}: {len(truth)} values. Errors from {errors.min():.3g} to {errors.max():.3g}, {errors.mean():.3g} on average."
    )
