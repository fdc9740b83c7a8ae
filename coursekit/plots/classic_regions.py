"""Pictures of segments, of their grouping, and of recall. Taught in notebook 15_classic."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from coursekit.plots.boxes import BLUE, GREEN, GREY, ORANGE
from coursekit.plots.images import set_alt, to_picture

LOOKS = ((BLUE, "-", "o"), (ORANGE, "--", "s"), (GREEN, "-.", "^"), (GREY, ":", "D"))  # colour, line, mark


def grouped_labels(labels: np.ndarray, merges: Sequence[tuple[int, int]], steps: int) -> np.ndarray:
    """The segments after the first ``steps`` merges: (H, W) whole numbers, as `coursekit.classic.selective_search.group` counts them."""
    count = int(labels.max()) + 1
    owner = np.arange(count + len(merges))
    for number, (i, j) in enumerate(merges[:steps]):
        owner[(owner == owner[i]) | (owner == owner[j])] = count + number
    return owner[labels]


def mean_colours(image: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Each segment in its mean colour, with a black line where two meet. (H, W, 3) uint8 -> (H, W, 3) uint8."""
    _, flat = np.unique(labels.ravel(), return_inverse=True)
    sizes = np.bincount(flat)
    colour = np.stack([np.bincount(flat, image[..., k].ravel()) / sizes for k in range(3)], axis=1)
    painted = colour[flat].reshape(image.shape).round().astype(np.uint8)
    edge = np.zeros(labels.shape, dtype=bool)
    edge[:, 1:] |= labels[:, 1:] != labels[:, :-1]
    edge[1:] |= labels[1:] != labels[:-1]
    painted[edge] = 0
    return painted


def show_grouping(image, labels: np.ndarray, merges: Sequence[tuple[int, int]], left: Sequence[int], title: str) -> Figure:
    """The picture, then its segments as they are merged, down to few.

    Args:
        image: see `to_picture`; of three channels.
        labels: (H, W) segments, numbered from 0.
        left: how many regions are left in each picture, such as (80, 30, 10, 4).
    """
    picture, count = to_picture(image), int(labels.max()) + 1
    figure, axes = plt.subplots(1, len(left) + 1, figsize=(2.9 * (len(left) + 1), 3.4), layout="constrained")
    axes[0].imshow(picture)
    axes[0].set_title("picture", fontsize=10)
    for ax, regions in zip(axes[1:], left, strict=True):
        regions = min(regions, count)
        ax.imshow(mean_colours(picture, grouped_labels(labels, merges, count - regions)), interpolation="nearest")
        ax.set_title(f"{regions} regions", fontsize=10)
    for ax in axes:
        ax.set_axis_off()
    figure.suptitle(title)
    return set_alt(figure, f"{title}: the picture, then {', '.join(str(min(n, count)) for n in left)} regions in their mean colours.")


def show_recall(counts: Sequence[int], curves: Mapping[str, Sequence[float]], title: str) -> Figure:
    """Recall against the number of proposals, which grows by factors.

    Args:
        counts: numbers of proposals, above 0.
        curves: name -> one share of 0..1 for each count.
    """
    figure, ax = plt.subplots(figsize=(7.5, 4.2), layout="constrained")
    for number, (name, values) in enumerate(curves.items()):
        colour, line, mark = LOOKS[number % len(LOOKS)]
        ax.plot(counts, values, color=colour, linestyle=line, marker=mark, markersize=5, label=name)
    ax.set_xscale("log")
    ax.set_xticks(list(counts), [str(c) for c in counts])
    ax.minorticks_off()
    ax.set(title=title, xlabel="proposals for each picture", ylabel="share of objects met at IoU 0.5", ylim=(-0.02, 1.02))
    ax.grid(alpha=0.3)
    ax.legend(loc="upper left")
    said = "; ".join(f"{name} {', '.join(f'{v:.2f}' for v in values)}" for name, values in curves.items())
    return set_alt(figure, f"{title}. At {', '.join(map(str, counts))} proposals: {said}.")
