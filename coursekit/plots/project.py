"""Pictures of a project: what was mended, what is noise, for whom a model is good, how a leaderboard fools. Used in notebook 24_project."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from coursekit.plots.boxes import BLUE, GREEN, GREY, ORANGE
from coursekit.plots.images import set_alt, to_picture


@dataclass(frozen=True)
class Mended:
    """One picture whose annotation was wrong.

    Args:
        image: uint8 (3, H, W).
        title: what was wrong, in a few words.
        written: boxes as the file has them, (N, 4) ``xyxy`` pixels: they may lie outside, be inverted, or have no area.
        kept: boxes after mending, (M, 4).
    """

    image: object
    title: str
    written: Sequence[Sequence[float]]
    kept: Sequence[Sequence[float]]


def show_mended(cases: Sequence[Mended], title: str = "As written, and as used", room: float = 0.12) -> Figure:
    """Each picture twice: above with the boxes that its file holds (dashed), below with those that are used.

    Args:
        room: shown around the picture, as a share of its sides, so that what lies outside can be seen.

    Raises:
        ValueError: if there is no picture.
    """
    if not cases:
        raise ValueError("cases must hold at least one picture, got none")
    columns = len(cases)
    figure, axes = plt.subplots(2, columns, figsize=(0.6 + 2.7 * columns, 5.9), layout="constrained", squeeze=False)
    words = []
    for column, case in enumerate(cases):
        picture = to_picture(case.image)
        height, width = picture.shape[:2]
        for ax, boxes, colour, line in ((axes[0, column], case.written, ORANGE, "--"), (axes[1, column], case.kept, GREEN, "-")):
            ax.imshow(picture, cmap="gray", vmin=0, vmax=255, extent=(0, width, height, 0))
            for x1, y1, x2, y2 in np.asarray(boxes, dtype=np.float64).reshape(-1, 4):
                ax.add_patch(Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, edgecolor="black", linewidth=3.2))
                ax.add_patch(Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, edgecolor=colour, linewidth=1.8, linestyle=line))
                if min(abs(x2 - x1), abs(y2 - y1)) < 1:  # without area nothing would be seen of it
                    ax.plot([(x1 + x2) / 2], [(y1 + y2) / 2], "x", color=colour, markersize=9, markeredgewidth=2.5)
            ax.set(xlim=(-room * width, (1 + room) * width), ylim=((1 + room) * height, -room * height), xticks=[], yticks=[])
        axes[0, column].set_title(case.title, fontsize=9)
        axes[1, column].set_xlabel(f"{len(case.written)} written, {len(case.kept)} used", fontsize=9)
        words.append(f"{case.title}: {len(case.written)} boxes written, {len(case.kept)} used")
    axes[0, 0].set_ylabel("as written (dashed)")
    axes[1, 0].set_ylabel("as used")
    figure.suptitle(title)
    return set_alt(figure, f"{title}. {'; '.join(words)}.")


def show_ablation(values: Mapping[str, Sequence[float]], baseline: str, title: str, metric: str) -> Figure:
    """A row of dots for each setting, one dot a seed; grey is what the baseline's own seeds differ by, so what lies in it is no finding.

    Args:
        values: setting -> one number for each seed.
        baseline: the setting that the others are compared with.
        metric: what the numbers are.

    Raises:
        ValueError: if there is no such baseline, or a setting has no number.
    """
    if baseline not in values:
        raise ValueError(f"baseline must be one of {list(values)}, got {baseline!r}")
    if not all(len(numbers) for numbers in values.values()):
        raise ValueError(f"values must hold a number for every setting, got {dict(values)}")
    means = {name: float(np.mean(numbers)) for name, numbers in values.items()}
    spread = float(np.std(values[baseline], ddof=1)) if len(values[baseline]) > 1 else 0.0
    low, high = means[baseline] - 2 * spread, means[baseline] + 2 * spread
    figure, ax = plt.subplots(figsize=(8.4, 0.55 * len(values) + 1.5), layout="constrained")
    if spread:
        ax.axvspan(low, high, facecolor="#e6e6e6", hatch="//", edgecolor="white")
    ax.axvline(means[baseline], color=GREY, linestyle="--", linewidth=1)
    words = []
    for row, (name, numbers) in enumerate(values.items()):
        ax.plot(numbers, [row] * len(numbers), "o", color=BLUE, markersize=7, alpha=0.75)
        ax.plot([means[name]] * 2, [row - 0.26, row + 0.26], "-", color="black", linewidth=2)
        difference = "" if name == baseline else f"  ({means[name] - means[baseline]:+.3f})"
        ax.annotate(f"{means[name]:.3f}{difference}", (1.01, row), xycoords=("axes fraction", "data"), va="center", fontsize=9)
        words.append(
            f"{name} {', '.join(f'{v:.3f}' for v in numbers)} (mean {means[name]:.3f}{difference.replace('  (', ', ').rstrip(')')})"
        )
    ax.set_yticks(range(len(values)), list(values))
    legend = "dots: seeds; stroke, number: mean" + ("; hatched: baseline, 2 std either way" if spread else "")
    ax.set(title=title, xlabel=f"{metric} ({legend})", ylabel="setting", ylim=(len(values) - 0.4, -0.6))
    about = f" Two standard deviations of the baseline are {2 * spread:.3f}." if spread else ""
    return set_alt(figure, f"{title}. {metric}, one number for each seed: {'; '.join(words)}.{about}")


def show_by_class(rows: Mapping[str, tuple[float, float, float, int]], title: str, xlabel: str) -> Figure:
    """A number for each class with its interval, and how many objects it rests on.

    Args:
        rows: class -> (value, low, high, objects); NaN where a class has no value.
    """
    if not rows:
        raise ValueError("rows must hold at least one class, got none")
    figure, ax = plt.subplots(figsize=(7.6, 0.5 * len(rows) + 1.4), layout="constrained")
    words = []
    for place, (name, (value, low, high, count)) in enumerate(rows.items()):
        shown = f"{count} object{'' if count == 1 else 's'}"
        if np.isnan(value):
            ax.text(0.5, place, "no value: no object of this class", ha="center", va="center", fontsize=9, color=GREY)
            words.append(f"{name}: no value, {shown}")
        else:
            low, high = (value if np.isnan(end) else end for end in (low, high))
            ax.plot([low, high], [place, place], "-|", color=BLUE, linewidth=2.4, markersize=12)
            ax.plot([value], [place], "D", color=ORANGE, markersize=8, markeredgecolor="black")
            words.append(f"{name}: {value:.3f}, from {low:.3f} to {high:.3f}, {shown}")
        ax.annotate(shown, (1.01, place), xycoords=("axes fraction", "data"), va="center", fontsize=9)
    ax.set_yticks(range(len(rows)), list(rows))
    ax.set(
        xlim=(-0.02, 1.02), ylim=(len(rows) - 0.4, -0.6), title=title, xlabel=f"{xlabel} (diamond), and its 95 % interval", ylabel="class"
    )
    ax.grid(axis="x", alpha=0.3)
    return set_alt(figure, f"{title}. {xlabel} of each class with its interval: {'; '.join(words)}.")


def show_best_of(leaders: Sequence[Sequence[float]], worth: float, title: str, metric: str) -> Figure:
    """The public leader after each submission, and what it has in private: the gap between the lines is what the board pretends.

    Args:
        leaders: (N, 2), N at least 1: public and private score of the leader after each submission, as `best_of_n` gives them, or a mean
            over many boards.
        worth: what every submission is really worth.

    Raises:
        ValueError: for another shape.
    """
    rows = np.asarray(leaders, dtype=np.float64)
    if rows.ndim != 2 or rows.shape[1] != 2 or not len(rows):
        raise ValueError(f"leaders must hold a public and a private score for each submission, shape (N, 2), got {rows.shape}")
    seen, kept = rows.T
    count = np.arange(1, len(rows) + 1)
    figure, ax = plt.subplots(figsize=(7.2, 3.8), layout="constrained")
    ax.fill_between(count, kept, seen, facecolor="#e6e6e6", hatch="//", edgecolor="white", label="what the board pretends")
    ax.plot(count, seen, "-", color=ORANGE, linewidth=2.2, label="public score of the leader")
    ax.plot(count, kept, "--", color=BLUE, linewidth=2.2, label="private score of the same")
    ax.axhline(worth, color="black", linestyle=":", linewidth=1.2, label=f"what each is worth, {worth:.2f}")
    ax.set(title=title, xlabel="submissions, of equal worth", ylabel=metric)
    ax.margins(x=0.01)
    ax.legend(fontsize=8, loc="center right")
    return set_alt(
        figure,
        f"{title}. {metric}: after 1 submission the leader has {seen[0]:.3f} in public and {kept[0]:.3f} in private; "
        f"after {len(rows)} it has {seen[-1]:.3f} in public and {kept[-1]:.3f} in private. Each is worth {worth:.2f}.",
    )
