"""Pictures of networks that learn: activations, decision regions, small networks with their numbers, curves. For 05_training_loop."""

from collections.abc import Callable, Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from coursekit.plots.images import set_alt

LINES = ("-", "--", ":", "-.")
MARKS = ("o", "s", "^", "D")
PAPER = {"facecolor": "white", "edgecolor": "none", "pad": 1}  # under a number that stands on a line
INKS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")  # of images.COLOURS, those that show on white


def values_and_slopes(function: Callable[[Tensor], Tensor], x: Tensor) -> tuple[Tensor, Tensor]:
    """A function of one number and its derivative by autograd, at each x.

    Args:
        function: works element by element.
        x: (N,) floats.
    """
    x = x.detach().clone().requires_grad_()
    y = function(x)
    (slopes,) = torch.autograd.grad(y.sum(), x)
    return y.detach(), slopes


def show_activations(functions: Mapping[str, Callable[[Tensor], Tensor]], reach: float = 5.0) -> Figure:
    """Activations on the left, their derivatives on the right, with the steepest slope of each in the legend.

    Args:
        functions: name -> function, element by element; at most four.
        reach: they are drawn from -reach to reach.

    Raises:
        ValueError: for more than can be told apart, or none.
    """
    if not 1 <= len(functions) <= len(INKS):
        raise ValueError(f"functions must be 1 to {len(INKS)}, got {len(functions)}")
    x = torch.linspace(-reach, reach, 401)
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
    said = []
    for (name, function), ink, line in zip(functions.items(), INKS, LINES, strict=False):
        values, slopes = values_and_slopes(function, x)
        left.plot(x, values, line, color=ink, linewidth=2, label=name)
        right.plot(x, slopes, line, color=ink, linewidth=2, label=f"{name}: at most {slopes.max():.2f}")
        said.append(f"{name} goes from {values.min():.2f} to {values.max():.2f}, its slope is at most {slopes.max():.2f}")
    left.set(title="activation", xlabel="input z", ylabel="output")
    right.set(title="its derivative", xlabel="input z", ylabel="slope", ylim=(-0.05, 1.75))
    for ax in (left, right):
        ax.axvline(0, color="#999999", linewidth=0.8)
        ax.axhline(0, color="#999999", linewidth=0.8)
        ax.legend(fontsize=8, loc="upper left")
    left.set_ylim(-1.2, 3.4)
    figure.suptitle("What a neuron passes on, and what comes back through it")
    return set_alt(figure, f"Activations and their derivatives from -{reach:g} to {reach:g}. {'; '.join(said)}.")


def show_regions(
    models: Mapping[str, Callable[[Tensor], Tensor]], points: Tensor, labels: Tensor, title: str = "What each says where"
) -> Figure:
    """The plane as models of two classes see it, one panel each: above 0 is class 1, and how many points each gets right.

    Args:
        models: name -> function of (N, 2) that gives (N,) or (N, 1) numbers, above 0 for class 1.
        points: (N, 2).
        labels: (N,) 0 or 1.
    """
    low, high = points.amin(dim=0) - 0.5, points.amax(dim=0) + 0.5
    xs, ys = torch.linspace(float(low[0]), float(high[0]), 161), torch.linspace(float(low[1]), float(high[1]), 161)
    grid = torch.stack(torch.meshgrid(xs, ys, indexing="xy"), dim=-1)  # (161, 161, 2)
    figure, axes = plt.subplots(1, len(models), figsize=(3.9 * len(models), 3.7), layout="constrained", squeeze=False)
    said = []
    for ax, (name, model) in zip(axes[0], models.items(), strict=True):
        with torch.no_grad():
            score = model(grid.reshape(-1, 2)).reshape(len(ys), len(xs))
            right = int(((model(points).reshape(-1) > 0).long() == labels).sum())
        ax.contourf(xs, ys, score > 0, levels=[-0.5, 0.5, 1.5], colors=["#dbe9f6", "#fbe3d2"])
        if (score > 0).any() and (score <= 0).any():
            ax.contour(xs, ys, score, levels=[0], colors="black", linewidths=1.5)
        for value, mark, ink in ((0, "o", INKS[0]), (1, "^", INKS[1])):
            few = points[labels == value]
            ax.scatter(few[:, 0], few[:, 1], marker=mark, color=ink, edgecolors="black", linewidths=0.6, s=55, label=f"class {value}")
        ax.set(title=f"{name}: {right} of {len(points)} right", xlabel="x1", ylabel="x2")
        said.append(f"{name} gets {right} of {len(points)} right")
    axes[0, 0].legend(fontsize=8, loc="lower left")
    figure.suptitle(title)
    return set_alt(figure, f"{title}. {'; '.join(said)}.")


def show_small_network(weights: Sequence[Tensor], biases: Sequence[Tensor], title: str = "A network with its numbers") -> Figure:
    """Neurons as circles with their bias, connections as lines with their weight; the inputs stand on the left.

    Args:
        weights: for each layer (out, in), at most 4 neurons a layer.
        biases: for each layer (out,).

    Raises:
        ValueError: if a layer has more neurons than can be read.
    """
    sizes = [weights[0].shape[1], *(len(w) for w in weights)]
    if max(sizes) > 4:
        raise ValueError(f"weights must have at most 4 neurons a layer to be drawn, got {sizes}")
    figure, ax = plt.subplots(figsize=(2.6 * len(sizes), 1.15 * max(sizes) + 1.2), layout="constrained")
    place = [[(2.2 * layer, (count - 1) / 2 - row) for row in range(count)] for layer, count in enumerate(sizes)]
    for layer, weight in enumerate(weights):
        for to, row in enumerate(weight.tolist()):
            for start, value in enumerate(row):
                (x1, y1), (x2, y2) = place[layer][start], place[layer + 1][to]
                ax.plot([x1, x2], [y1, y2], "-" if value >= 0 else "--", color="#555555", zorder=1)
                share = 0.3 if (start + to) % 2 else 0.62  # crossing lines do not carry their numbers at the crossing
                at = (x1 + share * (x2 - x1), y1 + share * (y2 - y1))
                ax.text(*at, f"{value:g}", ha="center", va="center", fontsize=9, zorder=2, bbox=PAPER)
    for layer, row in enumerate(place):
        for number, (x, y) in enumerate(row):
            ax.add_patch(plt.Circle((x, y), 0.34, facecolor="#dbe9f6" if layer else "white", edgecolor="black", zorder=3))
            text = f"x{number + 1}" if layer == 0 else f"{biases[layer - 1][number].item():+g}"
            ax.text(x, y, text, ha="center", va="center", fontsize=9, zorder=4)
    ax.set(xlim=(-0.6, 2.2 * (len(sizes) - 1) + 0.6), ylim=(-max(sizes) / 2 - 0.1, max(sizes) / 2 + 0.1), aspect="equal", title=title)
    ax.set_axis_off()
    numbers = "; ".join(
        f"layer {i + 1}: weights {w.tolist()}, biases {b.tolist()}" for i, (w, b) in enumerate(zip(weights, biases, strict=True))
    )
    return set_alt(figure, f"{title}. Lines carry weights (dashed: negative), circles carry biases. {numbers}.")


def show_history(runs: Mapping[str, list[dict]], title: str = "How the training went", top: float | None = None) -> Figure:
    """Loss and accuracy over the epochs, of training and validation; the best validation epoch has a ring around it.

    Args:
        runs: name -> rows as `fit_classifier` gives them: ``train/loss`` and ``train/accuracy``, and ``val/...`` where measured.
            At most four.
        top: end of the axis of losses; what is higher is cut off.

    Raises:
        ValueError: for more than can be told apart, or none.
    """
    if not 1 <= len(runs) <= len(INKS):
        raise ValueError(f"runs must be 1 to {len(INKS)}, got {len(runs)}")
    figure, axes = plt.subplots(1, 2, figsize=(10.5, 3.7), layout="constrained")
    said = []
    for (name, rows), ink, mark in zip(runs.items(), INKS, MARKS, strict=False):
        for ax, key in zip(axes, ("loss", "accuracy"), strict=True):
            for split, line, width in (("train", "--", 1.4), ("val", "-", 2.0)):
                drawn = [(row["epoch"], row[f"{split}/{key}"]) for row in rows if f"{split}/{key}" in row]
                if not drawn:
                    continue
                epochs, values = zip(*drawn, strict=True)
                style = {"color": ink, "linewidth": width, "marker": mark if split == "val" else None, "markersize": 4}
                label = f"{name}, {split}" if len(runs) > 1 else split
                ax.plot(epochs, values, line, markevery=max(1, len(rows) // 10), label=label, **style)
                if split == "val" and not np.isnan(values).all():
                    best = int(np.nanargmin(values) if key == "loss" else np.nanargmax(values))
                    ring = {"markerfacecolor": "none", "markeredgecolor": ink, "markeredgewidth": 1.6}
                    ax.plot(epochs[best], values[best], "o", markersize=11, **ring)
        last = rows[-1] if rows else {}
        said.append(f"{name}: " + ", ".join(f"{key} {last[key]:.3f}" for key in last if "/" in key))
    for ax, key in zip(axes, ("loss", "accuracy"), strict=True):
        ax.set(title=key, xlabel="epoch", ylabel=key)
        ax.grid(alpha=0.3)
    if axes[0].lines:
        figure.legend(*axes[0].get_legend_handles_labels(), fontsize=8, loc="outside right upper")  # over no curve
    axes[0].set_ylim(bottom=0, top=top)
    figure.suptitle(f"{title} (ring: best on validation)")
    return set_alt(figure, f"{title}. Loss and accuracy over the epochs. At the end, {'; '.join(said)}.")
