"""Pictures of what a detector's doctor looks at: samples, predictions, losses, numbers side by side. Taught in notebook 21_bug_clinic."""

import math
from collections.abc import Sequence

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from coursekit.plots.boxes import BLUE, GREEN, ORANGE
from coursekit.plots.images import set_alt, show_boxes

STYLES = ((BLUE, "-", "o"), (ORANGE, "--", "s"), (GREEN, ":", "^"))


def show_predictions(
    pictures: Sequence,
    found: Sequence,
    targets: Sequence[dict],
    classes: Sequence[str],
    title: str,
    confidence: float = 0.25,
    most: int = 6,
) -> Figure:
    """Truth above, predictions below, one column for each picture.

    Args:
        pictures: uint8 (3, H, W) each. found: one `Detections` each. targets: one dict each.
        classes: names of the labels; a label without a name is shown as its number.
        confidence: boxes that are less sure are not drawn. most: nor are more than this many, the surest first.

    Raises:
        ValueError: where the three are not of one length.
    """
    if not len(pictures) == len(found) == len(targets):
        raise ValueError(f"pictures, found and targets must be one for one, got {len(pictures)}, {len(found)} and {len(targets)}")
    figure, axes = plt.subplots(2, len(pictures), figsize=(3.3 * len(pictures), 7.2), layout="constrained", squeeze=False)
    counts = []
    for column, (picture, one, target) in enumerate(zip(pictures, found, targets, strict=True)):
        show_boxes(picture, target["boxes"], target["labels"], classes=classes, ax=axes[0, column], title="truth")
        sure = one[one.scores >= confidence]
        shown = sure[:most]
        highest = int(shown.labels.max()) if len(shown) else -1
        names = [*classes, *(f"label {k}" for k in range(len(classes), highest + 1))]  # a label without a name can be drawn too
        more = f", the first {most} drawn" if len(sure) > most else ""
        words = f"said: {len(sure)} box{'' if len(sure) == 1 else 'es'}{more}"
        show_boxes(picture, shown.boxes, shown.labels, shown.scores, names, ax=axes[1, column], title=words)
        for ax in axes[:, column]:
            ax.set(xlim=(0, picture.shape[2]), ylim=(picture.shape[1], 0))
        counts.append(f"{len(sure)} said where {len(target['boxes'])} are")
    figure.suptitle(title)
    return set_alt(figure, f"{title}. Truth above, predictions of at least {confidence:g} below: {'; '.join(counts)}.")


def show_samples(samples: Sequence[tuple], titles: Sequence[str], title: str) -> Figure:
    """Training samples with their boxes as the network is given them.

    Args:
        samples: (uint8 (3, H, W), boxes (N, 4)) each.

    Raises:
        ValueError: where titles are not one for each sample.
    """
    if len(samples) != len(titles) or not samples:
        raise ValueError(f"titles must be one for each of the {len(samples)} samples, and at least one, got {len(titles)}")
    figure, axes = plt.subplots(1, len(samples), figsize=(2.9 * len(samples), 3.5), layout="constrained", squeeze=False)
    for ax, (picture, boxes), words in zip(axes[0], samples, titles, strict=True):
        show_boxes(picture, boxes, ax=ax, title=words)
    figure.suptitle(title)
    return set_alt(figure, f"{title}: {len(samples)} training samples with their boxes, titled {', '.join(titles)}.")


def show_losses(curves: dict[str, Sequence[float]], title: str, xlabel: str, logarithmic: bool = False) -> Figure:
    """Loss curves in one picture, told apart by line and mark.

    Args:
        curves: name -> one number for each step or epoch, from 1. At most three names.

    Raises:
        ValueError: for no curves, or more than three.
    """
    if not 1 <= len(curves) <= len(STYLES):
        raise ValueError(f"curves must hold one to {len(STYLES)} names, got {len(curves)}")
    figure, ax = plt.subplots(figsize=(6.4, 3.4), layout="constrained")
    words = []
    for (name, values), (colour, line, mark) in zip(curves.items(), STYLES, strict=False):
        every = max(1, len(values) // 8)
        ax.plot(range(1, len(values) + 1), values, line, color=colour, marker=mark, markevery=every, markersize=4, label=name)
        words.append(f"{name} from {values[0]:.3g} to {values[-1]:.3g}")
    if logarithmic:
        ax.set_yscale("log")
    else:
        ax.set_ylim(bottom=0)
    ax.set(xlabel=xlabel, ylabel="loss", title=title)
    ax.legend()
    return set_alt(figure, f"{title}: {'; '.join(words)}.")


def show_bars(values: dict[str, Sequence[float]], names: Sequence[str], title: str, ylabel: str) -> Figure:
    """Groups of bars, such as AP by class for two detectors.

    Args:
        values: name of a detector -> one number for each of ``names``. At most three.

    Raises:
        ValueError: where there are not as many numbers as names, or more than three detectors.
    """
    if not 1 <= len(values) <= len(STYLES) or any(len(row) != len(names) for row in values.values()):
        raise ValueError(f"values must hold one to {len(STYLES)} rows of {len(names)} numbers, got {[len(row) for row in values.values()]}")
    figure, ax = plt.subplots(figsize=(max(5.5, 0.62 * len(names) + 1.6), 3.6), layout="constrained")
    width, hatches = 0.8 / len(values), ("", "//", "..")
    for place, (name, row) in enumerate(values.items()):
        at = [position + (place - (len(values) - 1) / 2) * width for position in range(len(names))]
        heights = [0 if math.isnan(value) else value for value in row]
        ax.bar(at, heights, width, color=STYLES[place][0], edgecolor="white", hatch=hatches[place], label=name)
    ax.set_xticks(range(len(names)), names, rotation=40, ha="right")
    ax.set(ylabel=ylabel, title=title, ylim=(0, None))
    ax.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))  # beside the bars, which may be as high as the picture
    words = "; ".join(f"{name}: {', '.join(f'{n} {v:.2f}' for n, v in zip(names, row, strict=True))}" for name, row in values.items())
    return set_alt(figure, f"{title}. {ylabel}. {words}.")
