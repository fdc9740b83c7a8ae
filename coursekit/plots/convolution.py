"""Pictures of windows that slide: by hand, along one axis, through a network. Taught in notebook 07_convolution."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from coursekit.models.convolution import conv2d_loops, output_size
from coursekit.plots.images import set_alt

INK, MARK, GREY = "#0072B2", "#D55E00", "#777777"  # Okabe and Ito


def show_signals(signals: Mapping[str, Tensor], title: str, starts: Mapping[str, int] | None = None) -> Figure:
    """Signals above each other on one time axis.

    Args:
        signals: name -> (L,) numbers.
        starts: name -> place of its first number, so that a shorter result stands below the middle of its windows; 0 where it is not told.
    """
    figure, axes = plt.subplots(len(signals), 1, figsize=(9, 1.45 * len(signals) + 0.5), layout="constrained", sharex=True, squeeze=False)
    for ax, (name, values) in zip(axes[:, 0], signals.items(), strict=True):
        first = (starts or {}).get(name, 0)
        ax.plot(range(first, first + len(values)), values.tolist(), color=INK, drawstyle="steps-mid", linewidth=1.3)
        ax.axhline(0, color=GREY, linewidth=0.6)
        ax.set_title(name, fontsize=9, loc="left")
        ax.set_ylabel("value")
    axes[-1, 0].set_xlabel("place")
    figure.suptitle(title)
    ranges = "; ".join(f"{name}: {len(v)} numbers from {v.min():.2f} to {v.max():.2f}" for name, v in signals.items())
    return set_alt(figure, f"{title}. {ranges}.")


def _numbers(ax, values: Tensor, title: str = "", window: tuple[int, int, int, int] | None = None, taps: Tensor | None = None) -> None:
    """Numbers in a grid of cells; a window (top, left, height, width) is framed, and its taps stand small below its numbers."""
    rows, columns = values.shape
    inside = np.zeros((rows, columns), dtype=bool)
    if window is not None:
        top, left, height, width = window
        inside[top : top + height, left : left + width] = True
    for y, x in np.ndindex(rows, columns):
        face = "#dbe9f6" if inside[y, x] else "white"
        ax.add_patch(Rectangle((x, y), 1, 1, facecolor=face, edgecolor="#999999", linewidth=0.8))
        ax.text(
            x + 0.5, y + (0.36 if inside[y, x] and taps is not None else 0.5), f"{values[y, x]:.4g}", ha="center", va="center", fontsize=10
        )
        if inside[y, x] and taps is not None:
            ax.text(x + 0.5, y + 0.77, f"× {taps[y - top, x - left]:.3g}", ha="center", va="center", fontsize=8, color=MARK)
    if window is not None:
        ax.add_patch(Rectangle((left, top), width, height, fill=False, edgecolor=INK, linewidth=2.5))
    ax.set(xlim=(-0.05, columns + 0.05), ylim=(rows + 0.05, -0.05), aspect="equal")
    ax.set_xticks(np.arange(columns) + 0.5, range(columns), fontsize=7)
    ax.set_yticks(np.arange(rows) + 0.5, range(rows), fontsize=7)
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0)
    ax.set_title(title, fontsize=9)


def show_steps(image: Tensor, kernel: Tensor, title: str = "One window after another") -> Figure:
    """Every window of a small image with the kernel laid on it, and what comes out.

    Args:
        image: (H, W), small enough for at most 9 windows.
        kernel: (h, w).

    Raises:
        ValueError: if there are more windows than can be shown.
    """
    result = conv2d_loops(image.float(), kernel.float())
    if result.numel() > 9:
        raise ValueError(f"image must give at most 9 windows, got {result.numel()}")
    (height, width), (rows, columns) = kernel.shape, result.shape
    widths = [image.shape[1]] * result.numel() + [max(columns, 3)]
    figure, axes = plt.subplots(1, len(widths), figsize=(0.55 * sum(widths) + 0.6, 2.9), width_ratios=widths, layout="constrained")
    for ax, (y, x) in zip(axes, np.ndindex(rows, columns), strict=False):
        products = image[y : y + height, x : x + width] * kernel
        plus, minus = products.clamp(min=0).sum(), -products.clamp(max=0).sum()
        _numbers(ax, image, f"[{y}, {x}]:  {plus:.4g} - {minus:.4g} = {result[y, x]:.4g}", (y, x, height, width), kernel)
        ax.set_xlabel("column x")
    axes[0].set_ylabel("row y")
    _numbers(axes[-1], result, f"what comes out: {rows} x {columns}")
    axes[-1].set_xlabel("column x")
    figure.suptitle(title)
    return set_alt(figure, f"{title}. The image {image.tolist()} under the kernel {kernel.tolist()} gives {result.tolist()}.")


def show_taps(settings: Mapping[str, dict], size: int = 8, kernel: int = 3, title: str = "Which pixels each output looks at") -> Figure:
    """Along one axis: a row for each output, a square for each pixel that it looks at. Padding is hatched.

    Args:
        settings: name -> keyword arguments of `output_size` beside size and kernel: stride, padding, dilation.
        size: pixels.
        kernel: taps.
    """
    figure, axes = plt.subplots(1, len(settings), figsize=(3.1 * len(settings), 3.1), layout="constrained", squeeze=False)
    notes = []
    for ax, (name, how) in zip(axes[0], settings.items(), strict=True):
        stride, padding, dilation = how.get("stride", 1), how.get("padding", 0), how.get("dilation", 1)
        count = output_size(size, kernel, stride, padding, dilation)
        for first, wide in ((-padding, padding), (size, padding)):
            ax.add_patch(Rectangle((first, -0.3), wide, count + 0.6, facecolor="#eeeeee", edgecolor="#bbbbbb", hatch="//", linewidth=0))
        for i in range(count):
            for j in range(kernel):
                place = i * stride + j * dilation - padding
                ax.add_patch(Rectangle((place + 0.1, i + 0.1), 0.8, 0.8, facecolor=INK))
        ax.set(xlim=(-2.2, size + 2.2), ylim=(max(count, 6) + 0.4, -0.4), xlabel="pixel of the input", ylabel="number of the output")
        ax.set_xticks(np.arange(size) + 0.5, range(size), fontsize=8)
        ax.set_yticks(np.arange(count) + 0.5, range(count), fontsize=8)
        ax.set_title(f"{name}: {count} numbers", fontsize=9)
        notes.append(f"{name}: {count} numbers")
    figure.suptitle(title)
    return set_alt(figure, f"{title}; {size} pixels, {kernel} taps. {'; '.join(notes)}.")


def show_answer(inputs: Mapping[str, Tensor], expected: Tensor, got: Tensor) -> Figure | None:
    """What went in, what should come out and what did, as numbers; None where it cannot be drawn.

    Args:
        inputs: title -> (H, W).
        expected: (rows, columns).
        got: of a learner, whatever it is.
    """
    grids = {**inputs, "expected": expected, "got": got}
    if any(not isinstance(g, Tensor) or g.ndim != 2 or not g.numel() or max(g.shape) > 12 for g in grids.values()):
        return None
    widths = [g.shape[1] + 1 for g in grids.values()]
    figure, axes = plt.subplots(
        1,
        len(grids),
        figsize=(0.45 * sum(widths) + 1, 0.5 * max(len(g) for g in grids.values()) + 1.1),
        width_ratios=widths,
        layout="constrained",
    )
    for ax, (name, grid) in zip(axes, grids.items(), strict=True):
        _numbers(ax, grid, name)
    return set_alt(figure, "; ".join(f"{name} {grid.tolist()}" for name, grid in grids.items()))


def show_maps(maps: Tensor | Mapping[str, Tensor], title: str, columns: int = 6, size: float = 1.7, limits: tuple | None = None) -> Figure:
    """Feature maps as grey pictures, white where a map is highest; each name says from what to what it goes.

    Args:
        maps: (M, H, W), or name -> (H, W).
        columns: maps in a row.
        size: inches that each takes.
        limits: (black, white) for all of them; each map's own lowest and highest where it is not told.
    """
    named = dict(maps) if isinstance(maps, Mapping) else {f"map {i}": m for i, m in enumerate(maps)}
    columns = min(columns, len(named))
    rows = -(-len(named) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(size * columns, (size + 0.38) * rows + 0.2), layout="constrained", squeeze=False)
    for ax in axes.flat:
        ax.set_axis_off()
    for ax, (name, values) in zip(axes.flat, named.items(), strict=False):
        values = values.detach().cpu().float()
        low, high = limits or (values.min().item(), values.max().item())
        ax.imshow(values.numpy(), cmap="gray", vmin=low, vmax=high if high > low else low + 1)
        ax.set_axis_on()  # a frame, or a white border could not be told from the page
        ax.set(xticks=[], yticks=[])
        ax.set_title(f"{name}\n{values.min():.2g} to {values.max():.2g}", fontsize=8)
    figure.suptitle(title)
    ranges = ", ".join(f"{name} {v.min():.2g} to {v.max():.2g}" for name, v in named.items())
    return set_alt(figure, f"{title}. {len(named)} maps of {tuple(next(iter(named.values())).shape)}: {ranges}.")


def show_field(gradient: Tensor, frame: tuple[int, int, int], title: str) -> Figure:
    """Where one place of a map looks: brightness is the gradient, dashed the field that was computed.

    Args:
        gradient: (H, W), not negative.
        frame: top, left and side of the computed field, in pixels.
    """
    top, left, side = frame
    figure, ax = plt.subplots(figsize=(4.8, 4.2), layout="constrained")
    drawn = ax.imshow(gradient.cpu().numpy(), cmap="magma", extent=(0, gradient.shape[1], gradient.shape[0], 0))
    ax.add_patch(Rectangle((left, top), side, side, fill=False, edgecolor="white", linestyle="--", linewidth=2))
    figure.colorbar(drawn, ax=ax, label="how much a pixel moves the output")
    ax.set(xlabel="column x", ylabel="row y", title=title)
    touched = (gradient > 0).nonzero()
    reach = (touched.amax(dim=0) - touched.amin(dim=0) + 1).tolist() if len(touched) else [0, 0]
    return set_alt(figure, f"{title}. Computed: {side} x {side} pixels; the gradient is not 0 on {reach[0]} x {reach[1]} pixels.")


def show_network(shapes: Sequence[tuple[str, tuple[int, ...]]], title: str) -> Figure:
    """A network from left to right: maps as stacks of squares, as wide as they are, vectors as bars.

    Args:
        shapes: (layer, shape of one image behind it), (C, H, W) or (n,).
    """
    figure, ax = plt.subplots(figsize=(1.2 * len(shapes) + 0.3, 2.05), layout="constrained")
    largest = max(shape[-1] for _, shape in shapes if len(shape) == 3)
    for place, (name, shape) in enumerate(shapes):
        x = place * 1.25
        if len(shape) == 3:
            side = 0.85 * shape[2] / largest
            for layer in reversed(range(min(shape[0], 16))):
                shift = 0.022 * layer
                corner = (x - side / 2 + shift, -side / 2 + shift)
                ax.add_patch(Rectangle(corner, side, side, facecolor="#dbe9f6", edgecolor=INK, linewidth=0.8))
        else:
            tall = 0.15 + 0.75 * shape[0] / max(s[0] for _, s in shapes if len(s) == 1)
            ax.add_patch(Rectangle((x - 0.05, -tall / 2), 0.1, tall, facecolor="#f3d9c4", edgecolor=MARK, linewidth=0.8))
        numbers = f"{np.prod(shape):,} numbers" if len(shape) == 3 else f"{shape[0]}"
        inner = f"{shape[0]} @ {shape[1]}x{shape[2]}\n{numbers}" if len(shape) == 3 else f"{numbers} numbers"
        ax.text(x, -0.62, f"{name}\n{inner}", ha="center", va="top", fontsize=7.5)
    ax.set(xlim=(-0.7, (len(shapes) - 1) * 1.25 + 0.7), ylim=(-1.02, 0.72), aspect="equal")
    ax.set_axis_off()
    ax.set_title(title)
    return set_alt(figure, f"{title}. " + ", ".join(f"{name} {' x '.join(map(str, shape))}" for name, shape in shapes) + ".")
