"""Pictures of notebook 09_architectures: the blocks as diagrams, and two rankings of the same networks."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from coursekit.plots.images import set_alt

MARKS = "os^Dv*P<>X"
Boxes = Sequence[tuple[float, float, str]]  # x and y of the middle, text
Arrows = Sequence[tuple[tuple[float, float], tuple[float, float], str]]  # from, to, "straight", "left" or "right"

BLOCKS: dict[str, tuple[Boxes, Arrows]] = {
    "VGG: one after another": (
        [(0, 4, "3x3, ReLU"), (0, 2.6, "3x3, ReLU"), (0, 1.2, "pool 2x2")],
        [
            ((0, 5), (0, 4.4), "straight"),
            ((0, 3.6), (0, 3), "straight"),
            ((0, 2.2), (0, 1.6), "straight"),
            ((0, 0.8), (0, 0.2), "straight"),
        ],
    ),
    "Inception: side by side": (
        [
            (-2.1, 3, "1x1"),
            (-0.7, 3.6, "1x1"),
            (-0.7, 2.4, "3x3"),
            (0.7, 3.6, "1x1"),
            (0.7, 2.4, "5x5"),
            (2.1, 3.6, "pool"),
            (2.1, 2.4, "1x1"),
            (0, 0.9, "concatenate"),
        ],
        [
            *(((0, 5), (x, 4 if x > -2 else 3.4), "straight") for x in (-2.1, -0.7, 0.7, 2.1)),
            *(((x, 3.2), (x, 2.8), "straight") for x in (-0.7, 0.7, 2.1)),
            *(((x, 2 if x > -2 else 2.6), (x / 3, 1.3), "straight") for x in (-2.1, -0.7, 0.7, 2.1)),
            ((0, 0.5), (0, 0), "straight"),
        ],
    ),
    "ResNet: added to the input": (
        [(0, 4, "3x3, ReLU"), (0, 2.6, "3x3"), (0, 1.2, "+, then ReLU")],
        [
            ((0, 5), (0, 4.4), "straight"),
            ((0, 3.6), (0, 3), "straight"),
            ((0, 2.2), (0, 1.6), "straight"),
            ((0, 0.8), (0, 0.2), "straight"),
            ((0.1, 4.8), (0.9, 1.2), "right"),
        ],
    ),
    "DenseNet: put behind it": (
        [(0, 4, "3x3, ReLU:\nfew channels"), (0, 2.6, "concatenate"), (0, 1.2, "next 3x3 sees all")],
        [
            ((0, 5), (0, 4.4), "straight"),
            ((0, 3.6), (0, 3), "straight"),
            ((0, 2.2), (0, 1.6), "straight"),
            ((0, 0.8), (0, 0.2), "straight"),
            ((0.1, 4.9), (0.95, 2.6), "right"),
        ],
    ),
    "SE: each channel times a gate": (
        [(-0.9, 4, "mean of each channel"), (-0.9, 2.9, "small layer, ReLU"), (-0.9, 1.9, "layer, sigmoid"), (0.9, 0.8, "times")],
        [
            ((0.9, 5), (-0.5, 4.4), "straight"),
            ((-0.9, 3.6), (-0.9, 3.3), "straight"),
            ((-0.9, 2.5), (-0.9, 2.3), "straight"),
            ((-0.9, 1.5), (0.5, 1.0), "straight"),
            ((0.9, 5), (0.9, 1.2), "straight"),
            ((0.9, 0.4), (0.9, 0), "straight"),
        ],
    ),
}


def _draw(ax: Axes, boxes: Boxes, arrows: Arrows) -> None:
    for start, end, way in arrows:
        bend = {"straight": "arc3", "left": "arc3,rad=0.5", "right": "arc3,rad=-0.6"}[way]
        ax.annotate("", end, start, arrowprops={"arrowstyle": "-|>", "connectionstyle": bend, "color": "black"})
    for x, y, text in boxes:
        ax.text(
            x,
            y,
            text,
            ha="center",
            va="center",
            fontsize=8,
            bbox={"boxstyle": "round,pad=0.35", "facecolor": "#DCEBF7", "edgecolor": "#0072B2"},
        )
    ax.set(xlim=(-3, 3), ylim=(-0.1, 5.2))
    ax.set_axis_off()


def show_blocks(names: Sequence[str] | None = None) -> Figure:
    """Diagrams of what the families are built of, side by side; data flows downwards.

    Args:
        names: of `BLOCKS`; all by default.

    Raises:
        ValueError: for a name that is not there.
    """
    names = list(BLOCKS) if names is None else list(names)
    unknown = [name for name in names if name not in BLOCKS]
    if unknown or not names:
        raise ValueError(f"names must be some of {', '.join(BLOCKS)}, got {unknown or names}")
    figure, axes = plt.subplots(1, len(names), figsize=(2.7 * len(names), 3.4), layout="constrained", squeeze=False)
    for ax, name in zip(axes[0], names, strict=True):
        _draw(ax, *BLOCKS[name])
        ax.set_title(name, fontsize=9)
    words = "; ".join(f"{name}: {', '.join(text.replace(chr(10), ' ') for _, _, text in BLOCKS[name][0])}" for name in names)
    return set_alt(figure, f"Diagrams of blocks, from top to bottom. {words}.")


def show_two_rankings(published: Mapping[str, float], here: Mapping[str, Sequence[float]], title: str) -> Figure:
    """Published accuracy against that measured here, each network a mark with a bar over its seeds.

    Args:
        published: name -> percent. here: name -> accuracies in 0..1, one a seed.

    Raises:
        ValueError: if the names differ.
    """
    if set(published) != set(here) or not here:
        raise ValueError(f"published and here must have the same names, and some, got {sorted(published)} and {sorted(here)}")
    figure, ax = plt.subplots(figsize=(7, 4.2), layout="constrained")
    words = []
    for number, (name, values) in enumerate(here.items()):
        mean = sum(values) / len(values)
        error = [[mean - min(values)], [max(values) - mean]]
        ax.errorbar(published[name], mean, yerr=error, fmt=MARKS[number % len(MARKS)], capsize=3, markersize=8, label=name)
        words.append(f"{name}: published {published[name]:.1f} %, here {mean:.3f}")
    ax.set_xlabel("published ImageNet top-1 accuracy, percent")
    ax.set_ylabel("test accuracy here")
    ax.set_title(title)
    ax.grid(alpha=0.3)
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize=8)
    return set_alt(figure, f"{title}. {'; '.join(words)}.")
