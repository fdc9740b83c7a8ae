"""Pictures of anchors, of what they answer for, and of where a loss comes from. Taught in notebook 17_one_stage.

Maps, objects and kinds of anchor are told apart by line style and by name, never by colour alone.
"""

import itertools
from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from coursekit.one_stage.anchors import base_anchors
from coursekit.one_stage.focal import focal_loss
from coursekit.plots.boxes import BLUE, GREEN, GREY, ORANGE, draw_box, frame
from coursekit.plots.images import set_alt, to_picture

STYLES = ((BLUE, "-"), (ORANGE, "--"), (GREEN, "-."), ("#CC79A7", ":"))
DASHES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))
HATCHES = ("", "//", "..", "xx")


def _picture_axes(ax, size_hw: tuple[int, int], title: str) -> None:
    height, width = size_hw
    ax.set(xlim=(0, width), ylim=(height, 0), xlabel="x in pixels", ylabel="y in pixels", aspect="equal")
    ax.set_title(title, fontsize=10)


def show_anchors(image: Tensor, strides: Sequence[int], sizes: Sequence[Sequence[float]], ratios: Sequence[float]) -> Figure:
    """One panel for each map: its cells as a grid over the image, a dot in the centre of each, and the anchors of the middle one.

    Args:
        image: uint8 (3, H, W), sides multiples of the strides.
        strides, sizes, ratios: as for `make_anchors`. A line style for each ratio.
    """
    height, width = image.shape[1:]
    figure, axes = plt.subplots(1, len(strides), figsize=(4.2 * len(strides), 5.0), layout="constrained", squeeze=False)
    counts = []
    for ax, stride, group in zip(axes[0], strides, sizes, strict=True):
        rows, columns = height // stride, width // stride
        counts.append(rows * columns * len(group) * len(ratios))
        _picture_axes(ax, (height, width), f"stride {stride}: {rows} x {columns} cells,\n{counts[-1]} anchors")
        ax.imshow(to_picture(image), extent=(0, width, height, 0), alpha=0.55)
        ax.set_xticks(range(0, width + 1, stride), minor=True)
        ax.set_yticks(range(0, height + 1, stride), minor=True)
        ax.grid(which="minor", color="white", linewidth=0.6)
        x, y = np.meshgrid((np.arange(columns) + 0.5) * stride, (np.arange(rows) + 0.5) * stride)
        ax.plot(x.ravel(), y.ravel(), ".", color="black", markersize=2)
        centre = torch.tensor([columns // 2 + 0.5, rows // 2 + 0.5] * 2) * stride
        for number, box in enumerate(base_anchors(group, ratios) + centre):
            colour, line = STYLES[number // len(group) % len(STYLES)]
            draw_box(ax, box, color=colour, style=line)
    handles = [plt.Line2D([], [], color=c, linestyle=s, label=f"height / width {r:g}") for (c, s), r in zip(STYLES, ratios, strict=False)]
    axes[0][0].legend(handles=handles, loc="lower left", fontsize=8)
    figure.suptitle("The anchors of one cell on each map; every other cell has the same")
    listed = "; ".join(f"stride {stride}: {count} anchors" for stride, count in zip(strides, counts, strict=True))
    return set_alt(figure, f"Cells and the anchors of the middle cell on {len(strides)} maps. {listed}.")


def show_matching(image: Tensor, truth: Tensor, anchors: Tensor, match: Tensor, per_level: Sequence[int], strides: Sequence[int]) -> Figure:
    """One panel for each map: the objects (thick), the anchors that answer for one (solid) and those that are ignored (dotted).

    Args:
        image: uint8 (3, H, W). truth: (M, 4). anchors: (A, 4). match: (A,) from `match_anchors`.
        per_level: how many of the anchors belong to each map, fine to coarse.

    Raises:
        ValueError: if they do not add up to A.
    """
    if sum(per_level) != len(anchors):
        raise ValueError(f"per_level must add up to the {len(anchors)} anchors, got {sum(per_level)}")
    height, width = image.shape[1:]
    figure, axes = plt.subplots(1, len(strides), figsize=(4.2 * len(strides), 4.8), layout="constrained", squeeze=False)
    words = []
    for ax, stride, of_map, says in zip(axes[0], strides, anchors.split(list(per_level)), match.split(list(per_level)), strict=True):
        answering, ignored = says >= 0, says == -2
        counts = f"{int(answering.sum())} answer, {int(ignored.sum())} are ignored"
        words.append(f"stride {stride}: {counts}, {int((says == -1).sum())} are background")
        _picture_axes(ax, (height, width), f"stride {stride}\n{counts}")
        ax.imshow(to_picture(image), extent=(0, width, height, 0))
        for box in truth:
            draw_box(ax, box, color="white", width=4)
            draw_box(ax, box, color="black", width=1.5)
        for box in of_map[ignored]:
            draw_box(ax, box, color=GREY, style=":", width=1.2)
        for box, owner in zip(of_map[answering], says[answering].tolist(), strict=True):
            colour, line = STYLES[owner % len(STYLES)]
            draw_box(ax, box, color=colour, style=line, width=1.8)
    figure.suptitle("Which anchors answer: a line style for each object; dotted grey is ignored; all others are background")
    return set_alt(figure, f"{len(truth)} objects and their anchors. " + "; ".join(words) + ".")


def level_shares(sizes: Tensor, anchors: Tensor, match: Tensor, per_level: Sequence[int]) -> Tensor:
    """For each object the share of its anchors on each map.

    Args:
        sizes: (M,), one number for each object, only for its length. match: (A,) indices of the objects. per_level: adds up to A.

    Returns:
        (M, levels) float; rows add up to 1, or to 0 for an object that has none.
    """
    level = torch.arange(len(per_level)).repeat_interleave(torch.tensor(list(per_level)))  # (A,)
    counts = torch.zeros(len(sizes), len(per_level))
    positive = match >= 0
    counts.index_put_((match[positive], level[positive]), torch.ones(int(positive.sum())), accumulate=True)
    return counts / counts.sum(dim=1, keepdim=True).clamp(min=1)


def show_levels_by_size(sizes: Tensor, shares: Tensor, strides: Sequence[int], edges: Sequence[float]) -> Figure:
    """Stacked bars: of objects of each size, which maps answer.

    Args:
        sizes: (M,) in pixels. shares: (M, levels) of `level_shares`. edges: of the groups, in pixels.
    """
    figure, ax = plt.subplots(figsize=(7, 3.6), layout="constrained")
    words = []
    for place, (low, high) in enumerate(itertools.pairwise(edges)):
        group = shares[(sizes >= low) & (sizes < high)]
        mean = group.mean(dim=0) if len(group) else torch.zeros(len(strides))
        bottom = 0.0
        for (colour, _), hatch, stride, part in zip(STYLES, HATCHES, strides, mean.tolist(), strict=False):
            label = f"stride {stride}" if place == 0 else None
            ax.bar(place, part, 0.7, bottom, color=colour, alpha=0.6, hatch=hatch, edgecolor="black", label=label)
            bottom += part
        words.append(
            f"{low:g} to {high:g} pixels: " + ", ".join(f"{part:.0%} at stride {s}" for s, part in zip(strides, mean, strict=True))
        )
    names = [f"{low:g}-{high:g}\n({int(((sizes >= low) & (sizes < high)).sum())})" for low, high in itertools.pairwise(edges)]
    ax.set_xticks(range(len(names)), names)
    ax.set(title="Coarse maps answer for large objects", xlabel="size of the object in pixels (objects)", ylabel="share of its anchors")
    ax.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1, 1))
    return set_alt(figure, "Share of the anchors of an object on each map, by its size. " + "; ".join(words) + ".")


def show_focal(gammas: Sequence[float] = (0, 0.5, 1, 2, 5)) -> Figure:
    """The loss of one entry against the probability that the network gives to what is true, for some gammas, without alpha."""
    p = torch.linspace(0.005, 0.999, 200)
    figure, axes = plt.subplots(1, 2, figsize=(10, 3.8), layout="constrained")
    at_09 = []
    for number, gamma in enumerate(gammas):
        loss = focal_loss(torch.logit(p), torch.ones_like(p), alpha=None, gamma=float(gamma))
        name = f"gamma {gamma:g}" + (": cross-entropy" if gamma == 0 else "")
        for ax in axes:
            ax.plot(p, loss, linestyle=DASHES[number % len(DASHES)], linewidth=2, label=name)
        at_09.append(f"{focal_loss(torch.logit(torch.tensor([0.9])), torch.ones(1), None, float(gamma)).item():.2g} for gamma {gamma:g}")
    axes[0].set(title="The loss of one entry", ylim=(0, 5))
    axes[1].set(title="The same, on a logarithmic axis", yscale="log", ylim=(1e-7, 10))
    for ax in axes:
        ax.set(xlabel="p_t, probability given to what is true", ylabel="loss")
        ax.grid(alpha=0.25)
    axes[0].legend(fontsize=8)
    return set_alt(figure, f"Focal loss against p_t. At p_t = 0.9 the loss is {', '.join(at_09)}.")


def show_shares(rows: Mapping[str, Mapping[str, float]], title: str) -> Figure:
    """Lying bars, one for each loss: from whom it comes.

    Args:
        rows: name of the loss -> shares by name, as from `shares_of_loss`.
    """
    figure, ax = plt.subplots(figsize=(8.5, 0.8 + 0.75 * len(rows)), layout="constrained")
    for place, shares in enumerate(rows.values()):
        left = 0.0
        for ((colour, _), hatch), (name, share) in zip(zip(STYLES, HATCHES, strict=True), shares.items(), strict=False):
            ax.barh(place, share, 0.6, left, color=colour, alpha=0.55, hatch=hatch, edgecolor="black", label=name if place == 0 else None)
            if share > 0.06:
                paper = {"facecolor": "white", "edgecolor": "none", "pad": 1}
                ax.text(left + share / 2, place, f"{share:.0%}", ha="center", va="center", fontsize=9, bbox=paper)
            left += share
    ax.set_yticks(range(len(rows)), list(rows))
    ax.set(title=title, xlabel="share of the loss", xlim=(0, 1))
    ax.invert_yaxis()
    ax.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1, 1))
    words = "; ".join(f"{name}: " + ", ".join(f"{part} {share:.0%}" for part, share in shares.items()) for name, shares in rows.items())
    return set_alt(figure, f"{title}. {words}.")


def anchors_per_level(size_hw: tuple[int, int], strides: Sequence[int], per_cell: int) -> list[int]:
    """How many anchors each map has: for splitting what `make_anchors` gives."""
    return [size_hw[0] // stride * (size_hw[1] // stride) * per_cell for stride in strides]


def show_boxes_of_delta(anchor: Sequence[float], deltas: Sequence[float], box: Sequence[float]) -> Figure:
    """An anchor, the box that its four numbers mean, and the way between the centres."""
    figure, ax = plt.subplots(figsize=(5.2, 4.2), layout="constrained")
    frame(ax, torch.tensor([list(anchor), list(box)]), "dx {:.2f}, dy {:.2f}, dw {:.2f}, dh {:.2f}".format(*deltas))
    draw_box(ax, anchor, "anchor", GREY, "--")
    draw_box(ax, box, "box", BLUE, "-", 2.5, at_end=True)
    (x1, y1), (x2, y2) = (((b[0] + b[2]) / 2, (b[1] + b[3]) / 2) for b in (anchor, box))
    ax.annotate("", (x2, y2), (x1, y1), arrowprops={"arrowstyle": "->", "color": ORANGE, "linewidth": 2})
    return set_alt(
        figure, f"Anchor {tuple(anchor)} and box {tuple(round(v, 1) for v in box)}, the deltas {tuple(round(d, 2) for d in deltas)}."
    )
