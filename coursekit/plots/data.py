"""Pictures of data sets: what is in them, how it is split, and what leaks. Taught in notebook 04_data."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from coursekit.plots.boxes import BLUE, GREEN, GREY, ORANGE
from coursekit.plots.images import set_alt, to_picture

PAPER = 235  # between the pictures of a sheet


def _tile(image: Tensor, side: int) -> np.ndarray:
    """(side, side, 3) uint8: the image as it is shown, enlarged without smoothing and centred on paper."""
    pixels = to_picture(image)
    pixels = np.repeat(pixels[..., None], 3, axis=2) if pixels.ndim == 2 else pixels
    scale = max(1, side // max(pixels.shape[:2]))
    pixels = pixels.repeat(scale, axis=0).repeat(scale, axis=1)
    step = -(-max(pixels.shape[:2]) // side)  # larger than a tile: every second or third pixel
    pixels = pixels[::step, ::step]
    tile = np.full((side, side, 3), PAPER, dtype=np.uint8)
    top, left = ((side - length) // 2 for length in pixels.shape[:2])
    tile[top : top + pixels.shape[0], left : left + pixels.shape[1]] = pixels
    return tile


def contact_sheet(
    rows: Mapping[str, Sequence[Tensor]], title: str, tile: int = 48, ylabel: str = "labelled as", xlabel: str = "place in its class"
) -> Figure:
    """Many images at a glance: a row for each class, columns numbered from 0.

    Args:
        rows: class name -> its images, uint8 (C, H, W), of any size; a row may be shorter than another.
        title: of the sheet.
        tile: side of a picture on the sheet in pixels; smaller pictures are enlarged by whole numbers.
        ylabel, xlabel: what rows and columns are.

    Raises:
        ValueError: if there is no image at all.
    """
    columns = max((len(images) for images in rows.values()), default=0)
    if not columns:
        raise ValueError("rows must hold at least one image, got none")
    pitch = tile + 2
    sheet = np.full((len(rows) * pitch, columns * pitch, 3), 255, dtype=np.uint8)
    for row, images in enumerate(rows.values()):
        for column, image in enumerate(images):
            sheet[row * pitch : row * pitch + tile, column * pitch : column * pitch + tile] = _tile(image, tile)
    width = min(12.0, 1.6 + 0.62 * columns)
    figure, ax = plt.subplots(figsize=(width, 0.9 + (width - 1.6) * len(rows) / columns), layout="constrained")
    ax.imshow(sheet, interpolation="nearest")
    ax.set_yticks([row * pitch + tile / 2 for row in range(len(rows))], list(rows))
    ax.set_xticks([column * pitch + tile / 2 for column in range(columns)], range(columns), fontsize=8)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    ax.set(title=title, xlabel=xlabel, ylabel=ylabel)
    words = ", ".join(f"{name} {len(images)}" for name, images in rows.items())
    return set_alt(figure, f"{title}. A sheet of pictures in rows: {words}.")


def by_class(images: Sequence[Tensor], labels: Sequence[int], classes: Sequence[str], most: int) -> dict[str, list[Tensor]]:
    """Up to ``most`` images of each class, in their order, for `contact_sheet`."""
    rows: dict[str, list[Tensor]] = {name: [] for name in classes}
    for image, label in zip(images, labels, strict=True):
        if len(rows[classes[int(label)]]) < most:
            rows[classes[int(label)]].append(image)
    return rows


def show_balance(counts: Mapping[str, Sequence[float]], classes: Sequence[str], title: str, xlabel: str = "pictures") -> Figure:
    """How many of each class, bars beside each other for several splits or several ways to draw; told apart by hatching and name.

    Args:
        counts: name of the split -> a number for each class.
        classes: their names.

    Raises:
        ValueError: if a split has not one number for each class.
    """
    for name, values in counts.items():
        if len(values) != len(classes):
            raise ValueError(f"counts[{name!r}] must have one number for each of the {len(classes)} classes, got {len(values)}")
    height = 0.8 / max(1, len(counts))
    figure, ax = plt.subplots(figsize=(8, 1.2 + 0.28 * len(classes) * max(1, len(counts)) ** 0.7), layout="constrained")
    for index, ((name, values), colour, hatch) in enumerate(
        zip(counts.items(), (BLUE, ORANGE, GREEN, GREY), ("", "//", "..", "xx"), strict=False)
    ):
        places = [row + (index - (len(counts) - 1) / 2) * height for row in range(len(classes))]
        bars = ax.barh(places, [float(v) for v in values], height, label=name, color=colour, hatch=hatch, edgecolor="white")
        ax.bar_label(bars, labels=[f" {float(v):g}" for v in values], fontsize=8)
    ax.set_yticks(range(len(classes)), list(classes))
    ax.invert_yaxis()
    ax.margins(x=0.12)
    ax.set(title=title, xlabel=xlabel, ylabel="class")
    if len(counts) > 1:
        ax.legend()
    words = "; ".join(
        f"{name}: " + ", ".join(f"{c} {float(v):g}" for c, v in zip(classes, values, strict=True)) for name, values in counts.items()
    )
    return set_alt(figure, f"{title}. {xlabel} of each class. {words}.")


def show_split(
    rows: Mapping[str, tuple[Sequence[int], Sequence[int]]], names: Sequence[str] | Mapping[int, str], title: str, held: str = "val"
) -> Figure:
    """Samples as cells in a row, with their class or group, those that are held out hatched and marked.

    Args:
        rows: title of the row -> (the class or group of each sample, the places that are held out).
        names: what a class or group is called, by its number; a letter or two.
        held: what the held-out part is called.
    """
    length = max(len(values) for values, _ in rows.values())
    figure, axes = plt.subplots(
        len(rows), 1, figsize=(min(11, 1 + 0.62 * length), 1.25 * len(rows) + 0.6), layout="constrained", squeeze=False
    )
    words = []
    for ax, (row, (values, places)) in zip(axes[:, 0], rows.items(), strict=True):
        chosen = {int(place) for place in places}
        for place, value in enumerate(values):
            out = place in chosen
            ax.add_patch(
                plt.Rectangle((place, 0), 1, 1, facecolor="#f6d7c3" if out else "#dbe9f6", edgecolor="black", hatch="//" if out else None)
            )
            paper = {"facecolor": "white", "edgecolor": "none", "pad": 1.5}
            ax.text(place + 0.5, 0.62, names[int(value)], ha="center", va="center", bbox=paper)
            ax.text(place + 0.5, 0.22, held if out else "train", ha="center", va="center", fontsize=8, bbox=paper)
        ax.set(xlim=(0, length), ylim=(0, 1), yticks=[], title=row)
        ax.set_xticks([place + 0.5 for place in range(len(values))], range(len(values)), fontsize=8)
        shown = [names[int(values[place])] for place in sorted(chosen)]
        words.append(f"{row}: {held} gets places {sorted(chosen)}, {', '.join(shown) or 'none'}")
    axes[-1, 0].set_xlabel("place")
    figure.suptitle(title)
    return set_alt(figure, f"{title}. {'; '.join(words)}.")


def show_neighbours(
    asked: Sequence[Tensor], found: Sequence[Tensor], right: Sequence[bool], title: str, words: Sequence[str] = ()
) -> Figure:
    """Images of the test set above the training image that is nearest to each, and whether its label was right.

    Args:
        asked, found: as many images in one as in the other, at most 10.
        right: one answer each.
        words: what stands under each pair; "right" or "wrong" where it is not given.
    """
    words = list(words) or ["✓ right" if good else "✗ wrong" for good in right]
    count = len(asked)
    figure, axes = plt.subplots(2, count, figsize=(1.25 * count + 0.7, 3.5), layout="constrained", squeeze=False)
    for row, images, name in zip(axes, (asked, found), ("asked", "nearest\nin training"), strict=True):
        for ax, image in zip(row, images, strict=True):
            ax.imshow(to_picture(image), cmap="gray", vmin=0, vmax=255, interpolation="nearest")
            ax.set(xticks=[], yticks=[])
        row[0].set_ylabel(name)
    for ax, text, good in zip(axes[1], words, right, strict=True):
        ax.set_xlabel(text, color=GREEN if good else ORANGE, fontweight="bold", fontsize=9)
    figure.suptitle(title)
    return set_alt(figure, f"{title}. {count} test images, each above its nearest training image: {', '.join(words)}.")


def show_scores(scores: Mapping[str, Sequence[float]], title: str, ylabel: str = "accuracy", chance: float | None = None) -> Figure:
    """A mean and its single runs, side by side: a bar for each way, a dot for each seed.

    Args:
        scores: name -> one number a seed, in 0..1.
        chance: what guessing reaches, as a dotted line.
    """
    figure, ax = plt.subplots(figsize=(1.6 + 1.7 * len(scores), 3.4), layout="constrained")
    for place, (values, hatch) in enumerate(zip(scores.values(), ("", "//", "..", "xx"), strict=False)):
        mean = float(np.mean(values))
        ax.bar(place, mean, 0.6, color=(BLUE, ORANGE, GREEN, GREY)[place % 4], hatch=hatch, edgecolor="white")
        ax.plot([place + 0.22] * len(values), values, "o", color="black", markerfacecolor="white", markersize=5)
        ax.text(place - 0.08, mean / 2, f"{mean:.2f}", ha="center", va="center", bbox={"facecolor": "white", "edgecolor": "none", "pad": 2})
    if chance is not None:
        ax.axhline(chance, color="black", linestyle=":", label=f"guessing: {chance:.2f}")
        ax.legend()
    ax.set_xticks(range(len(scores)), list(scores))
    ax.set(ylim=(0, 1.05), title=title, ylabel=ylabel, xlabel="a dot is one seed")
    words = "; ".join(f"{name}: mean {np.mean(values):.2f}, from {min(values):.2f} to {max(values):.2f}" for name, values in scores.items())
    return set_alt(figure, f"{title}. {words}.")


def show_survey(sizes: Sequence[tuple[int, int]], brightness: Sequence[float], title: str) -> Figure:
    """Every picture as a point: width against height, and how bright it is; what stands apart wants to be looked at.

    Args:
        sizes: (width, height) of each picture.
        brightness: mean of all its pixels, 0..255.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.4), layout="constrained")
    widths, heights = zip(*sizes, strict=True)
    left.plot(widths, heights, "o", color=BLUE, markersize=4, alpha=0.5)
    left.set(title="sizes", xlabel="width in pixels", ylabel="height in pixels")
    left.set_aspect("equal", adjustable="datalim")
    values = torch.as_tensor(brightness, dtype=torch.float32)
    right.hist(values.tolist(), bins=32, range=(0, 255), color=BLUE, edgecolor="white")
    right.set(title="brightness", xlabel="mean of all pixels, 0 black to 255 white", ylabel="pictures")
    figure.suptitle(title)
    ranges = f"widths {min(widths)} to {max(widths)}, heights {min(heights)} to {max(heights)}"
    return set_alt(
        figure, f"{title}. {len(sizes)} pictures: {ranges}; brightness {values.min():.0f} to {values.max():.0f}, mean {values.mean():.0f}."
    )
