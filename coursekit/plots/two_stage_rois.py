"""What RoI pool and RoI align read of a small map, side by side, while the box moves. Taught in notebook 18_two_stage."""

from dataclasses import dataclass

import matplotlib.pyplot as plt
import torch
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from coursekit.plots.boxes import BLUE, ORANGE, draw_box
from coursekit.plots.images import set_alt
from coursekit.plots.live import Live, png
from coursekit.two_stage.roi import bins, roi_align, roi_pool, round_half_up, sample_points

STRIDE, SIDE, BINS = 8, 8, 2  # pixels a cell, cells a side of the map, bins a side of what is read


@dataclass(frozen=True)
class Reading:
    """What the two operations read for one box.

    Args:
        cells: first and last column and row that RoI pool takes: x1, y1, x2, y2 in cells, both ends included.
        pooled, aligned: (S, S) each.
        points: (P, 2), x and y in pixels, where RoI align reads.
    """

    cells: tuple[int, int, int, int]
    pooled: Tensor
    aligned: Tensor
    points: Tensor

    def __str__(self):
        x1, y1, x2, y2 = self.cells
        grids = [" / ".join(" ".join(f"{v:.2f}" for v in row) for row in grid.tolist()) for grid in (self.pooled, self.aligned)]
        return f"RoI pool takes columns {x1} to {x2}, rows {y1} to {y2} and reads {grids[0]}; RoI align reads {grids[1]}"


def hill(x: float = 34.0, y: float = 30.0, wide: float = 12.0) -> Tensor:
    """A map of 8 x 8 cells, (1, 8, 8), whose values are a round hill around a place given in pixels: a network that has seen something."""
    middles = (torch.arange(SIDE) + 0.5) * STRIDE
    return torch.exp(-((middles - x).square()[None, :] + (middles - y).square()[:, None]) / (2 * wide**2))[None]


def what_rois_read(features: Tensor, box, stride: int = STRIDE, output_size: int = BINS) -> Reading:
    """Read one box by both operations.

    Args:
        features: (1, H, W).
        box: four numbers, ``xyxy`` in pixels.
        stride: pixels a cell. output_size: bins in a row and column.
    """
    boxes = torch.as_tensor(box, dtype=torch.float32).reshape(1, 4)
    cells = tuple(round_half_up(boxes[0] / stride).tolist())
    pooled = roi_pool(features, boxes, output_size, 1 / stride)[0, 0]
    aligned = roi_align(features, boxes, output_size, 1 / stride)[0, 0]
    x1, y1, x2, y2 = boxes[0] / stride - 0.5
    y, x = sample_points(y1, y2, output_size, 2, True), sample_points(x1, x2, output_size, 2, True)
    points = torch.stack([x.repeat(len(y)), y.repeat_interleave(len(x))], dim=1)
    return Reading(cells, pooled, aligned, (points + 0.5) * stride)


def show_reading(features: Tensor, box, title: str = "", stride: int = STRIDE, output_size: int = BINS) -> Figure:
    """The map twice: what RoI pool makes of the box (whole cells, dashed), and where RoI align reads (points); and what each says."""
    reading = what_rois_read(features, box, stride, output_size)
    height, width = features.shape[1:]
    figure, axes = plt.subplots(1, 2, figsize=(8.6, 4.8), layout="constrained")
    for ax, name, grid in zip(axes, ("RoI pool", "RoI align"), (reading.pooled, reading.aligned), strict=True):
        extent = (0, width * stride, height * stride, 0)
        ax.imshow(features[0].numpy(), cmap="Greys", vmin=0, vmax=1.6 * float(features.max()), extent=extent)
        ax.set_xticks(range(0, width * stride + 1, stride))
        ax.set_yticks(range(0, height * stride + 1, stride))
        ax.grid(color="white", linewidth=0.8)
        draw_box(ax, box, color=BLUE, width=2.5)
        numbers = "\n".join("  ".join(f"{v:.2f}" for v in row) for row in grid.tolist())
        ax.set(xlabel=f"x in pixels, a cell is {stride}", ylabel="y in pixels, downwards", title=f"{name} reads\n{numbers}")
    x1, y1, x2, y2 = reading.cells
    for top, bottom in bins(y1, y2, output_size, height):
        for left, right in bins(x1, x2, output_size, width):
            place = (left * stride, top * stride)
            size = ((right - left) * stride, (bottom - top) * stride)
            axes[0].add_patch(Rectangle(place, *size, fill=False, edgecolor=ORANGE, linestyle="--", linewidth=2))
    axes[1].plot(*reading.points.T.numpy(), "o", color=ORANGE, markersize=6, markeredgecolor="black")
    if title:
        figure.suptitle(title)
    words = f"{title}. " if title else ""
    return set_alt(figure, f"{words}A box {tuple(float(v) for v in box)} on a map with cells of {stride} pixels. {reading}.")


def show_slide_reading(features: Tensor, box, shifts, stride: int = STRIDE) -> Figure:
    """The mean of what each operation reads while the box slides to the right, pixel by pixel: one climbs stairs, one a slope.

    Args:
        features: (1, H, W). box: where it begins, ``xyxy`` pixels. shifts: pixels that it is moved.
    """
    shifts = [float(shift) for shift in shifts]
    readings = [what_rois_read(features, torch.as_tensor(box) + torch.tensor([shift, 0, shift, 0]), stride) for shift in shifts]
    figure, ax = plt.subplots(figsize=(7, 3.4), layout="constrained")
    lines = {"RoI pool": [r.pooled.mean().item() for r in readings], "RoI align": [r.aligned.mean().item() for r in readings]}
    for (name, values), style, color in zip(lines.items(), ("-", "--"), (ORANGE, BLUE), strict=True):
        ax.plot(shifts, values, style, color=color, linewidth=2, label=name)
    ax.set(
        xlabel=f"box moved to the right, pixels (a cell is {stride})", ylabel="mean of what is read", title="One box slides over the map"
    )
    ax.legend()
    steps = {name: len({round(v, 5) for v in values}) for name, values in lines.items()}
    counted = " and ".join(f"{name} gives {count} different answers" for name, count in steps.items())
    return set_alt(figure, f"One box slides over the map in {len(shifts)} places: {counted}.")


def move_a_box(box=(17, 14, 45, 42), features: Tensor | None = None) -> Live:
    """Two sliders that move the box; the picture alone where nothing can be dragged.

    Args:
        box: where it stands first, ``xyxy`` whole pixels.
        features: (1, 8, 8); a `hill` if not given.
    """
    features = hill() if features is None else features
    x1, y1, x2, y2 = box
    wide, high, side = x2 - x1, y2 - y1, SIDE * STRIDE

    def render(x: int, y: int) -> tuple[bytes, str]:
        moved = (x, y, x + wide, y + high)
        return png(show_reading(features, moved)), str(what_rois_read(features, moved))

    def make_widget():
        import ipywidgets

        def slider(name, start, length):
            return ipywidgets.IntSlider(start, min=0, max=side - length, description=name, layout={"width": "420px"})

        sliders = [slider("left", x1, wide), slider("top", y1, high)]
        picture, words = render(x1, y1)
        shown = ipywidgets.Image(value=picture, format="png", layout={"width": "780px"})
        line = ipywidgets.HTML(words)

        def moved(_):
            shown.value, line.value = render(*(s.value for s in sliders))

        for each in sliders:
            each.observe(moved, names="value")
        return ipywidgets.VBox([*sliders, line, shown], layout={"align_items": "flex-start"})

    return Live(make_widget, show_reading(features, box), f"A box over a small map. {what_rois_read(features, box)}.")
