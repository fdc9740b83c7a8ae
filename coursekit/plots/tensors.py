"""Pictures of tensors: channels, pixels with their numbers, memory, broadcasting, patches. Taught in notebook 01_tensors."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from coursekit.images import to_hwc
from coursekit.plots.images import set_alt

CHANNELS = ("red", "green", "blue")
LINES = ("-", "--", ":")  # a second signal beside the colour


def _shown(image: Tensor) -> np.ndarray:
    """(C, H, W) uint8, or float in 0..1, as matplotlib wants it: (H, W) for one channel, (H, W, 3) for three."""
    pixels = to_hwc(image.detach().cpu())
    return (pixels[:, :, 0] if pixels.shape[2] == 1 else pixels).numpy()


def _name_axes(ax) -> None:
    ax.set_xlabel("column x")
    ax.set_ylabel("row y")


def show_channels(image: Tensor, title: str = "One image, three channels") -> Figure:
    """A colour image beside its three channels, each as a grey image of its own: white where there is much of that colour.

    Args:
        image: uint8 (3, H, W), RGB.

    Raises:
        ValueError: if `image` does not have three channels.
    """
    if image.ndim != 3 or image.shape[0] != 3:
        raise ValueError(f"image must have shape (3, H, W), got {tuple(image.shape)}")
    figure, axes = plt.subplots(1, 4, figsize=(11, 2.8), layout="constrained")
    axes[0].imshow(_shown(image))
    axes[0].set_title("RGB")
    for index, (ax, name) in enumerate(zip(axes[1:], CHANNELS, strict=True)):
        ax.imshow(image[index].numpy(), cmap="gray", vmin=0, vmax=255)
        ax.set_title(f"channel {index}: {name}, mean {image[index].float().mean():.0f}")
    for ax in axes:
        _name_axes(ax)
    figure.suptitle(title)
    means = ", ".join(f"{name} {image[i].float().mean():.0f}" for i, name in enumerate(CHANNELS))
    return set_alt(figure, f"{title}. The colour image, then its channels as grey images. Mean brightness of 255: {means}.")


def show_pixels(image: Tensor, title: str = "Every pixel is a number") -> Figure:
    """A small image with the numbers written into its pixels: one each for grey, three (R, G, B) for colour.

    Args:
        image: (1, H, W) or (3, H, W) uint8, at most 16 pixels high and wide.

    Raises:
        ValueError: if it is larger than can be read.
    """
    if image.ndim != 3 or image.shape[0] not in (1, 3) or max(image.shape[1:]) > 16:
        raise ValueError(f"image must have shape (1 or 3, H, W) with H and W at most 16, got {tuple(image.shape)}")
    _, height, width = image.shape
    cell = 0.62 if image.shape[0] == 3 else 0.5
    figure, ax = plt.subplots(figsize=(max(3.2, cell * width + 1), max(2.4, cell * height + 1)), layout="constrained")
    ax.imshow(_shown(image), cmap="gray", vmin=0, vmax=255)
    for y in range(height):
        for x in range(width):
            values = image[:, y, x].tolist()
            light = sum(values) / len(values) > 127
            text = "\n".join(str(value) for value in values)
            ax.text(x, y, text, ha="center", va="center", fontsize=7, color="black" if light else "white")
    ax.set_xticks(range(width))
    ax.set_yticks(range(height))
    _name_axes(ax)
    ax.set_title(title)
    return set_alt(figure, f"{title}. {height} rows of {width} pixels; the first row holds {image[:, 0].tolist()}.")


def show_memory(tensors: dict[str, Tensor], names: tuple[str, ...] = ("R", "G", "B"), channel_axis: dict[str, int] | None = None) -> Figure:
    """How small images lie in memory: one row of cells for each tensor, in the order of its storage, coloured and lettered by channel.

    Args:
        tensors: title -> an image of at most 24 numbers that owns its whole memory; a view is drawn as the memory it looks at.
        names: one letter for each channel.
        channel_axis: title -> which axis holds the channels; 2 (channels last) where it is not told.

    Raises:
        ValueError: if a tensor is too large to draw.
    """
    figure, axes = plt.subplots(len(tensors), 1, figsize=(10.5, 1.35 * len(tensors) + 0.6), layout="constrained", squeeze=False)
    colours = ("#f4b6ae", "#b9dfb4", "#b5cdf0")
    for ax, (title, tensor) in zip(axes[:, 0], tensors.items(), strict=True):
        if tensor.numel() > 24:
            raise ValueError(f"{title} must hold at most 24 numbers to be drawn, got {tensor.numel()}")
        axis = (channel_axis or {}).get(title, 2)
        memory = torch.as_strided(tensor, (tensor.numel(),), (1,), 0).tolist()
        for index in np.ndindex(*tensor.shape):
            place = sum(i * step for i, step in zip(index, tensor.stride(), strict=True))
            ax.add_patch(plt.Rectangle((place, 0), 1, 1, facecolor=colours[index[axis] % 3], edgecolor="black"))
            ax.text(place + 0.5, 0.62, f"{names[index[axis]]} {memory[place]}", ha="center", va="center", fontsize=9)
            ax.text(place + 0.5, 0.22, ",".join(map(str, index)), ha="center", va="center", fontsize=7, color="#333333")
        ax.set(xlim=(0, tensor.numel()), ylim=(0, 1), yticks=[], xlabel="place in memory")
        ax.set_xticks([i + 0.5 for i in range(tensor.numel())], range(tensor.numel()), fontsize=7)
        ax.set_title(f"{title}: shape {tuple(tensor.shape)}, stride {tensor.stride()}", fontsize=10)
    figure.suptitle("Shape and stride over one row of memory")
    layouts = "; ".join(f"{title}: shape {tuple(t.shape)}, stride {t.stride()}" for title, t in tensors.items())
    return set_alt(figure, f"Memory as a row of cells, each with its channel, its value and its index. {layouts}.")


def _number_grid(ax, values: Tensor, real: np.ndarray, title: str) -> None:
    """Numbers in a grid; those that broadcasting only pretends to have are grey, in brackets and dashed."""
    rows, columns = values.shape
    for row in range(rows):
        for column in range(columns):
            own = bool(real[row, column])
            edge = {"edgecolor": "black", "linestyle": "-"} if own else {"edgecolor": "#888888", "linestyle": "--"}
            ax.add_patch(plt.Rectangle((column, row), 1, 1, facecolor="#dbe9f6" if own else "white", **edge))
            text = f"{values[row, column]:g}" if own else f"({values[row, column]:g})"
            ax.text(column + 0.5, row + 0.5, text, ha="center", va="center", color="black" if own else "#666666")
    ax.set(xlim=(-0.05, columns + 0.05), ylim=(rows + 0.05, -0.05), aspect="equal", xticks=[], yticks=[])
    ax.spines[:].set_visible(False)
    ax.set_title(title, fontsize=10)
    ax.set_xlabel("axis 1")
    ax.set_ylabel("axis 0")


def show_broadcast(a: Tensor, b: Tensor) -> Figure:
    """`a + b` by hand: each input stretched to the common shape, copies that nobody stores in brackets, and the sum.

    Args:
        a: (N, M), where N or M may be 1.
        b: likewise, so that the two fit together.

    Raises:
        ValueError: if they do not fit together, or are not of two dimensions.
    """
    if a.ndim != 2 or b.ndim != 2:
        raise ValueError(f"a and b must have two dimensions, got {tuple(a.shape)} and {tuple(b.shape)}")
    try:
        shape = torch.broadcast_shapes(a.shape, b.shape)
    except RuntimeError as error:
        raise ValueError(f"a and b must fit together, got {tuple(a.shape)} and {tuple(b.shape)}") from error
    figure, axes = plt.subplots(1, 3, figsize=(10, 0.55 * shape[0] + 1.7), layout="constrained")
    for ax, tensor, name in ((axes[0], a, "a"), (axes[1], b, "b")):
        real = np.zeros(shape, dtype=bool)
        real[: tensor.shape[0], : tensor.shape[1]] = True
        _number_grid(ax, tensor.expand(shape), real, f"{name}: {tuple(tensor.shape)} acts as {tuple(shape)}")
    figure.suptitle("Broadcasting: brackets are not stored")
    _number_grid(axes[2], a + b, np.ones(shape, dtype=bool), f"a + b: {tuple(shape)}")
    return set_alt(
        figure, f"Broadcasting: a is {a.tolist()}, b is {b.tolist()}; both are stretched to {tuple(shape)} and give {(a + b).tolist()}."
    )


def show_expected(expected: list[Tensor], got: list[Tensor]) -> Figure | None:
    """What should come out above what did, image by image, each pixel with its number where there is room.

    Args:
        expected: images (1 or 3, H, W) uint8.
        got: likewise, from a learner.

    Returns:
        None where `got` holds something that cannot be shown as an image, such as (2, 3, 3) or floats beyond 1.
    """
    if not got or any(image.ndim != 3 or image.shape[0] not in (1, 3) or min(image.shape) == 0 for image in [*expected, *got]):
        return None
    columns = max(len(expected), len(got))
    figure, axes = plt.subplots(2, columns, figsize=(1.7 * columns + 0.8, 3.6), layout="constrained", squeeze=False)
    top = max(int(image.max()) for image in expected) or 1
    for row, images, name in zip(axes, (expected, got), ("expected", "got"), strict=True):
        for ax in row:
            ax.set_axis_off()
        for index, (ax, image) in enumerate(zip(row, images, strict=False)):
            bright = (
                (image.float() * (255 / top)).clamp(0, 255).to(torch.uint8)
            )  # test images are dark: their largest number is shown white
            ax.imshow(_shown(bright), cmap="gray", vmin=0, vmax=255)
            ax.set_title(f"{name} [{index}]", fontsize=9)
            if image.shape[0] == 1 and image.numel() <= 36:
                for y, x in np.ndindex(*image.shape[1:]):
                    light = bright[0, y, x] > 127
                    ax.text(x, y, f"{image[0, y, x]:g}", ha="center", va="center", fontsize=8, color="black" if light else "white")
    return set_alt(figure, f"Expected {[image.tolist() for image in expected]}, got {[image.tolist() for image in got]}.")


def show_patches(cut: Tensor, title: str = "The image in patches") -> Figure:
    """Patches as `images.patches` gives them, each in its place, with a gap between.

    Args:
        cut: (rows, columns, C, size, size) uint8, at most 12 rows and columns.

    Raises:
        ValueError: if the shape does not fit.
    """
    if cut.ndim != 5 or max(cut.shape[:2]) > 12:
        raise ValueError(f"cut must have shape (rows, columns, C, size, size) with at most 12 rows and columns, got {tuple(cut.shape)}")
    rows, columns = cut.shape[:2]
    figure, axes = plt.subplots(rows, columns, figsize=(0.9 * columns + 0.6, 0.9 * rows + 0.7), layout="constrained", squeeze=False)
    for row in range(rows):
        for column in range(columns):
            ax = axes[row, column]
            ax.imshow(_shown(cut[row, column]), cmap="gray", vmin=0, vmax=255)
            ax.set(xticks=[], yticks=[])
            if row == rows - 1:
                ax.set_xlabel(f"column {column}", fontsize=7)
            if column == 0:
                ax.set_ylabel(f"row {row}", fontsize=7)
    figure.suptitle(title)
    return set_alt(figure, f"{title}: {rows} rows and {columns} columns of patches of {cut.shape[-2]} by {cut.shape[-1]} pixels.")


def show_values(images: dict[str, Tensor], bins: int = 64) -> Figure:
    """How often each value occurs, one picture for each image, one line for each channel.

    Args:
        images: title -> (3, H, W) of any dtype.
        bins: how many columns a histogram has.
    """
    figure, axes = plt.subplots(1, len(images), figsize=(4.4 * len(images), 3), layout="constrained", squeeze=False)
    notes = []
    for ax, (title, image) in zip(axes[0], images.items(), strict=True):
        for values, name, line in zip(image.float().flatten(1), CHANNELS, LINES, strict=True):
            counts, edges = np.histogram(values.numpy(), bins=bins)
            ax.stairs(counts, edges, label=f"{name}: mean {values.mean():.2f}, std {values.std():.2f}", color=name, linestyle=line)
        ax.set(title=title, xlabel="value", ylabel="pixels")
        ax.legend(fontsize=7)
        notes.append(f"{title}: values from {image.min():.2f} to {image.max():.2f}, mean {image.float().mean():.2f}")
    figure.suptitle("How often each value occurs")
    return set_alt(figure, f"Histograms by channel. {'; '.join(notes)}.")


def show_jpeg(original: Tensor, decoded: Tensor, gain: int = 8) -> Figure:
    """A piece of an image, the same after JPEG, and what changed, made `gain` times larger to be seen.

    Args:
        original: uint8 (3, H, W).
        decoded: likewise, of the same shape.

    Raises:
        ValueError: if the shapes differ.
    """
    if original.shape != decoded.shape:
        raise ValueError(f"decoded must have the shape of original, {tuple(original.shape)}, got {tuple(decoded.shape)}")
    error = (original.int() - decoded.int()).abs()
    figure, axes = plt.subplots(1, 3, figsize=(10, 3.3), layout="constrained")
    changed = (error * gain).clamp(max=255).to(torch.uint8)
    for ax, image, title in zip(axes, (original, decoded, changed), ("original", "after JPEG", f"difference x {gain}"), strict=True):
        ax.imshow(_shown(image))
        ax.set_title(title)
        _name_axes(ax)
    return set_alt(
        figure,
        f"An image, the image after JPEG, and their difference: {error.float().mean():.1f} of 255 on average, {error.max()} at most.",
    )


def show_grids(grids: Mapping[str, object], suptitle: str, cell: float = 0.46) -> Figure:
    """Small arrays as tables of numbers, shaded by their value.

    Args:
        grids: title -> (H, W) numbers.
        suptitle: of the whole.
        cell: inches of a cell.
    """
    arrays = {title: np.atleast_2d(torch.as_tensor(values).detach().cpu()).astype(float) for title, values in grids.items()}
    wide = [max(a.shape[1] * cell, 1.6) for a in arrays.values()]
    high = max(a.shape[0] for a in arrays.values()) * cell
    size = (sum(wide) + 0.5 * len(wide), max(high, 0.8) + 1.1)
    figure, axes = plt.subplots(1, len(arrays), figsize=size, layout="constrained", squeeze=False, width_ratios=wide)
    for ax, (title, values) in zip(axes[0], arrays.items(), strict=True):
        low, top = float(values.min()), float(values.max())
        ax.imshow(values, cmap="Blues", vmin=low, vmax=top + 0.8 * (top - low) + 1e-9, interpolation="nearest")
        for (y, x), value in np.ndenumerate(values):
            ax.text(x, y, f"{value:.3g}", ha="center", va="center", fontsize=9)
        ax.set_xticks(np.arange(values.shape[1] + 1) - 0.5, labels=[])
        ax.set_yticks(np.arange(values.shape[0] + 1) - 0.5, labels=[])
        ax.grid(color="black", linewidth=0.5)
        ax.tick_params(length=0)
        ax.set_title(title, fontsize=10)
    figure.suptitle(suptitle)
    words = "; ".join(f"{title}: {values.shape[0]} x {values.shape[1]}" for title, values in arrays.items())
    return set_alt(figure, f"{suptitle}. Tables of numbers. {words}.")
