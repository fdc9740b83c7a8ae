"""Pictures of notebook 12_transfer: vectors on a plane, nearest neighbours, accuracy against the number of images."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from coursekit.plots.images import COLOURS, set_alt, show_images, to_picture
from coursekit.plots.live import Live, png

MARKS = "os^Dv*P<>X"


def on_a_plane(vectors: Tensor) -> Tensor:
    """(N, D) -> (N, 2): the two directions in which they differ most (principal components); the first has the larger spread.

    Raises:
        ValueError: for fewer than two vectors, or vectors of one number.
    """
    if vectors.ndim != 2 or len(vectors) < 2 or vectors.shape[1] < 2:
        raise ValueError(f"vectors must be (N, D), N and D at least 2, got {tuple(vectors.shape)}")
    centred = (vectors - vectors.mean(dim=0)).double()
    _, _, directions = torch.linalg.svd(centred, full_matrices=False)
    # a direction may as well point the other way: let its largest number be positive, so that the picture is the same everywhere
    largest = directions[:2].gather(1, directions[:2].abs().argmax(dim=1, keepdim=True))
    return (centred @ (directions[:2] * torch.sign(largest)).T).float()


def show_embeddings(parts: Mapping[str, Tensor], labels: Tensor, classes: Sequence[str], suptitle: str) -> Figure:
    """The same images as points, once for each kind of vector.

    Args:
        parts: title -> (N, D); more than two numbers each are brought onto a plane by `on_a_plane`.
        labels: (N,). classes: their names.
    """
    figure, axes = plt.subplots(1, len(parts), figsize=(4.2 * len(parts), 3.9), squeeze=False, layout="constrained")
    for ax, (title, vectors) in zip(axes[0], parts.items(), strict=True):
        points = (vectors if vectors.shape[1] == 2 else on_a_plane(vectors)).detach().cpu().numpy()
        for k, name in enumerate(classes):
            mine = points[(labels == k).cpu().numpy()]
            colour = COLOURS[k % (len(COLOURS) - 1)]  # the last one is white
            ax.plot(mine[:, 0], mine[:, 1], MARKS[k % len(MARKS)], color=colour, markeredgecolor="black", markeredgewidth=0.4, label=name)
        ax.set_title(title)
        ax.set_xlabel("first direction")
        ax.set_ylabel("second direction")
    axes[0][-1].legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize=8)
    figure.suptitle(suptitle)
    return set_alt(figure, f"{suptitle}. {len(labels)} images of {len(classes)} classes as points, for: {', '.join(parts)}.")


def nearest(queries: Tensor, library: Tensor, count: int) -> Tensor:
    """(Q, D) and (N, D) -> (Q, count) int64: places of the nearest vectors, nearest first.

    Raises:
        ValueError: if there are fewer than ``count``.
    """
    if not 1 <= count <= len(library):
        raise ValueError(f"count must lie in 1..{len(library)}, got {count}")
    return torch.cdist(queries, library).topk(count, dim=1, largest=False).indices


def show_neighbours(queries: Tensor, library: Tensor, places: Tensor, right: Tensor, suptitle: str) -> Figure:
    """Each query image at the left of a row, then the images at its places; a tick or a cross says whether the class is the same.

    Args:
        queries: (Q, 3, H, W) uint8. library: (N, 3, H, W). places: (Q, K). right: (Q, K) bool.
    """
    images, titles = [], []
    for query, row, hits in zip(queries, places, right, strict=True):
        images += [query, *library[row]]
        titles += ["query", *("✓" if hit else "✗" for hit in hits.tolist())]
    share = right.float().mean()
    alt = f"{suptitle}: {len(queries)} rows of a query and its {places.shape[1]} nearest images; {share:.0%} are of the same class."
    return show_images(torch.stack(images), titles, columns=places.shape[1] + 1, suptitle=suptitle, size=1.25, alt=alt)


def show_by_count(counts: Sequence[int], results: Mapping[str, Sequence[Sequence[float]]], title: str) -> Figure:
    """Accuracy against images of each class, a line for each way to train: the mean over seeds, and a bar from the least to the most.

    Args:
        counts: images of each class, ascending.
        results: name -> for each count the accuracies of its seeds.

    Raises:
        ValueError: if a line has not as many places as counts.
    """
    for name, rows in results.items():
        if len(rows) != len(counts):
            raise ValueError(f"results must hold {len(counts)} places for {name!r}, got {len(rows)}")
    figure, ax = plt.subplots(figsize=(6.5, 3.8), layout="constrained")
    for number, (name, rows) in enumerate(results.items()):
        means = np.array([np.mean(row) for row in rows])
        low, high = (np.array([edge(row) for row in rows]) for edge in (min, max))
        style = {
            "marker": MARKS[number % len(MARKS)],
            "linestyle": ("-", "--", ":", "-.")[number % 4],
            "color": COLOURS[(4, 5, 2, 6)[number % 4]],
        }
        ax.errorbar(counts, means, yerr=[means - low, high - means], capsize=3, label=name, **style)
    ax.set_xscale("log")
    ax.set_xticks(counts, [str(count) for count in counts])
    ax.minorticks_off()
    ax.set_xlabel("images of each class")
    ax.set_ylabel("test accuracy")
    ax.set_title(title)
    ax.grid(alpha=0.3)
    ax.legend()
    words = "; ".join(
        f"{name}: " + ", ".join(f"{count}: {np.mean(row):.2f}" for count, row in zip(counts, rows, strict=True))
        for name, rows in results.items()
    )
    return set_alt(figure, f"{title}. Mean test accuracy by images of each class. {words}.")


def probe_at(
    vectors: Tensor, labels: Tensor, test_vectors: Tensor, test_labels: Tensor, count: int, num_classes: int
) -> tuple[float, Tensor]:
    """Accuracy of a linear probe on the first ``count`` images of each class, and which test images are right (M,) bool."""
    from coursekit.training.transfer import linear_probe

    places = torch.cat([(labels == k).nonzero()[:count, 0] for k in range(num_classes)])
    scores = linear_probe(vectors[places], labels[places], test_vectors, num_classes)
    right = scores.argmax(dim=1) == test_labels
    return float(right.float().mean()), right


def drag_count(
    vectors: Tensor, labels: Tensor, test_vectors: Tensor, test_images: Tensor, test_labels: Tensor, classes: Sequence[str]
) -> Live:
    """A slider for the images of each class, and the first mistakes of a linear probe trained on so many; 1, 5 and 20 where nothing moves.

    Args:
        vectors: (N, D) of the training images, with (N,) labels; test_vectors (M, D) of the (M, 3, H, W) test images.
    """
    most = int(labels.bincount(minlength=len(classes)).min())

    def draw(axes, count: int) -> float:
        accuracy, right = probe_at(vectors, labels, test_vectors, test_labels, count, len(classes))
        wrong = (~right).nonzero()[: len(axes) - 1, 0].tolist()
        axes[0].text(
            0, 0.5, f"{count} of each class\n\naccuracy {accuracy:.2f}\n\nfirst mistakes →\n(named: the truth)", fontsize=9, va="center"
        )
        for ax in axes:
            ax.set_axis_off()
        for ax, place in zip(axes[1:], wrong, strict=False):
            ax.imshow(to_picture(test_images[place]))
            ax.set_title(classes[int(test_labels[place])], fontsize=8)
        return accuracy

    def render(count: int) -> tuple[bytes, str]:
        figure, axes = plt.subplots(1, 7, figsize=(9.5, 1.7), layout="constrained")
        accuracy = draw(axes, count)
        return png(figure), f"{count} image{'' if count == 1 else 's'} of each class: accuracy {accuracy:.3f}"

    def make_widget():
        import ipywidgets

        slider = ipywidgets.IntSlider(min(5, most), min=1, max=most, description="images", layout={"width": "500px"})
        picture, words = render(slider.value)
        shown, line = ipywidgets.Image(value=picture, format="png", layout={"width": "760px"}), ipywidgets.HTML(words)

        def moved(change) -> None:
            shown.value, line.value = render(change["new"])

        slider.observe(moved, names="value")
        return ipywidgets.VBox([slider, line, shown], layout={"align_items": "flex-start"})

    counts = sorted({1, min(5, most), most})
    figure, axes = plt.subplots(len(counts), 7, figsize=(9.5, 1.7 * len(counts)), layout="constrained", squeeze=False)
    found = {count: draw(row, count) for count, row in zip(counts, axes, strict=True)}
    words = "A linear probe on the backbone's features: " + ", ".join(f"{c} of each class {a:.2f}" for c, a in found.items())
    return Live(make_widget, set_alt(figure, words), words)
