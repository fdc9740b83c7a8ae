"""Pictures of windows, heat maps, pyramids and enlarged maps. Taught in notebook 14_sliding_window."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from coursekit.plots.boxes import BLUE, GREEN, GREY, ORANGE
from coursekit.plots.images import set_alt, to_picture

MARKS = ("o", "s", "^", "D", "v")


def _picture(ax, image) -> None:
    shown = to_picture(image)
    ax.imshow(shown, cmap="gray", vmin=0, vmax=255, interpolation="nearest", extent=(0, shown.shape[1], shown.shape[0], 0))
    ax.set_axis_off()


def _frame(ax, box, colour: str, style: str = "-", width: float = 1.6) -> None:
    """A box with a dark line under it, so that it shows on any ground."""
    x1, y1, x2, y2 = (float(v) for v in box)
    for line, edge, how in ((width + 1.6, "black", "-"), (width, colour, style)):
        ax.add_patch(Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, edgecolor=edge, linestyle=how, linewidth=line))


def show_windows(image, boxes: Tensor, title: str, first: int = 3) -> Figure:
    """The picture with a dot in the middle of every window, and the first few windows framed.

    Args:
        image: see `to_picture`.
        boxes: (N, 4) ``xyxy`` pixels, in the order in which they are looked at.
        first: windows that get a frame and their number; the last gets one too.
    """
    figure, ax = plt.subplots(figsize=(4.6, 4.9), layout="constrained")
    _picture(ax, image)
    middle = (boxes[:, :2] + boxes[:, 2:]).float() / 2
    ax.plot(*middle.T.tolist(), linestyle="", marker="o", markersize=2.5, color="white", markeredgecolor="black", markeredgewidth=0.4)
    framed = sorted({*range(min(first, len(boxes))), len(boxes) - 1}) if len(boxes) else []
    for place, number in enumerate(framed):
        _frame(ax, boxes[number], (ORANGE, "white", "#56B4E9", "#F0E442")[place % 4], ("-", "--", ":", "-.")[place % 4])
        x, y = middle[number].tolist()
        ax.annotate(f"{number}", (x, y), color="black", fontsize=9, ha="center", va="center", bbox={"facecolor": "white", "pad": 1})
    ax.set_title(title)
    listed = "; ".join(f"window {number} at {boxes[number].tolist()}" for number in framed)
    return set_alt(figure, f"{title}: {len(boxes)} windows, a dot in the middle of each; {listed or 'none'}.")


def extent_of(shape: Sequence[int], window: int, stride: int) -> tuple[float, float, float, float]:
    """(left, right, bottom, top) in pixels at which a map lies over its picture: a cell is ``stride`` wide, around its window's middle.

    Args:
        shape: (..., rows, columns) of the map.
    """
    rows, columns = shape[-2:]
    first = (window - stride) / 2  # the first window's middle is at window / 2, and its cell reaches half a stride to each side
    return first, first + columns * stride, first + rows * stride, first


def show_heat(image, maps: Mapping[str, Tensor], window: int, stride: int, title: str, pixels: bool = False) -> Figure:
    """Heat maps laid over their picture, each cell where the middle of its window is.

    Args:
        image: see `to_picture`.
        maps: name -> (rows, columns) in 0..1.
        window, stride: in pixels, as the maps were made.
        pixels: the maps were enlarged by ``stride`` already: they cover the same part of the picture with finer cells.
    """
    figure, axes = plt.subplots(1, len(maps) + 1, figsize=(2.9 * (len(maps) + 1) + 0.7, 3.4), layout="constrained", squeeze=False)
    size = to_picture(image).shape
    _picture(axes[0, 0], image)
    axes[0, 0].set_title("the picture", fontsize=10)
    words, drawn = [], None
    for ax, (name, heat) in zip(axes[0, 1:], maps.items(), strict=True):
        _picture(ax, image)
        coarse = [side / stride for side in heat.shape] if pixels else heat.shape
        drawn = ax.imshow(
            heat.detach().cpu().numpy(),
            cmap="magma",
            vmin=0,
            vmax=1,
            alpha=0.8,
            interpolation="nearest",
            extent=extent_of(coarse, window, stride),
        )
        ax.set(xlim=(0, size[1]), ylim=(size[0], 0))
        ax.set_title(name, fontsize=10)
        words.append(_hottest(name, heat))
    figure.colorbar(drawn, ax=axes[0, -1], label="score", shrink=0.8)
    figure.suptitle(title)
    return set_alt(figure, f"{title}. {'; '.join(words)}.")


def _hottest(name: str, heat: Tensor) -> str:
    row, column = np.unravel_index(int(heat.argmax()), tuple(heat.shape))
    return f"{name}: {heat.shape[0]} x {heat.shape[1]} cells, highest {float(heat.max()):.2f} in row {row}, column {column}"


def show_pyramid(images: Sequence, window: int, title: str) -> Figure:
    """A picture in several sizes, all drawn at one scale, with the same window in the left upper corner of each."""
    sizes = [to_picture(image).shape for image in images]
    gap, left = 12, 0
    width, height = sum(size[1] + gap for size in sizes) - gap, max(size[0] for size in sizes)
    figure, ax = plt.subplots(figsize=(10, 10 * height / width + 0.8), layout="constrained")
    for image, size in zip(images, sizes, strict=True):
        ax.imshow(to_picture(image), extent=(left, left + size[1], size[0], 0), interpolation="nearest")
        _frame(ax, (left, 0, left + window, window), ORANGE)
        ax.annotate(f"{size[0]} x {size[1]}", (left, size[0]), xytext=(0, -3), textcoords="offset points", va="top", fontsize=9)
        left += size[1] + gap
    ax.set(xlim=(-2, width + 2), ylim=(height + 14, -2))
    ax.set_aspect("equal")
    ax.set_axis_off()
    ax.set_title(title)
    named = ", ".join(f"{size[0]} x {size[1]}" for size in sizes)
    return set_alt(figure, f"{title}. The same picture at {named} pixels, with a window of {window} pixels in the corner of each.")


def show_differences(maps: Mapping[str, Tensor], title: str, label: str = "largest difference") -> Figure:
    """Maps of differences with one colour bar for all, and the highest value of each in its title.

    Args:
        maps: name -> (rows, columns), 0 or more.
    """
    figure, axes = plt.subplots(1, len(maps), figsize=(3.1 * len(maps) + 0.9, 3.4), layout="constrained", squeeze=False)
    highest = max(float(values.max()) for values in maps.values()) or 1.0
    for ax, (name, values) in zip(axes[0], maps.items(), strict=True):
        rows, columns = values.shape
        drawn = ax.imshow(values.detach().cpu().numpy(), cmap="viridis", vmin=0, vmax=highest, interpolation="nearest")
        ax.set(xlabel="column", ylabel="row", xticks=range(0, columns, max(1, columns // 8)), yticks=range(0, rows, max(1, rows // 8)))
        ax.set_title(f"{name}\nhighest {float(values.max()):.2g}", fontsize=10)
    figure.colorbar(drawn, ax=axes[0, -1], label=label, shrink=0.8)
    figure.suptitle(title)
    words = "; ".join(
        f"{name}: highest {float(v.max()):.2g}, {int((v > 1e-4).sum())} of {v.numel()} cells above 0.0001" for name, v in maps.items()
    )
    return set_alt(figure, f"{title}. {words}.")


def show_times(strides: Sequence[int], milliseconds: Mapping[str, Sequence[float]], title: str) -> Figure:
    """Milliseconds against stride, both on logarithmic axes, each line with a style and a mark of its own."""
    figure, ax = plt.subplots(figsize=(7, 4), layout="constrained")
    for (name, line), style, mark, colour in zip(
        milliseconds.items(), ("-", "--", ":", "-."), MARKS, (BLUE, ORANGE, GREEN, GREY), strict=False
    ):
        ax.plot(strides, line, style, marker=mark, color=colour, linewidth=2, label=name)
    ax.set_xscale("log", base=2)
    ax.set_yscale("log")
    ax.set_xticks(list(strides), [str(stride) for stride in strides])
    ax.set(xlabel="stride in pixels", ylabel="milliseconds for one picture", title=title)
    ax.grid(alpha=0.25, which="both")
    ax.legend()
    words = "; ".join(f"{name}: {', '.join(f'{v:.3g}' for v in line)}" for name, line in milliseconds.items())
    return set_alt(figure, f"{title}. Milliseconds at strides {', '.join(map(str, strides))}: {words}.")
