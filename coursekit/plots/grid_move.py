"""Move an object over the grid and see what each cell is told. Taught in notebook 16_grid_detector."""

from dataclasses import dataclass

import matplotlib.pyplot as plt
import torch
from matplotlib.figure import Figure
from torch import Tensor

from coursekit.grid import cell_of, covered_cells, encode_targets
from coursekit.plots.grid import draw_grid, draw_target
from coursekit.plots.images import set_alt
from coursekit.plots.live import Live, png

SIZE, OTHER = 128, (80.0, 48.0, 104.0, 72.0)


@dataclass(frozen=True)
class Told:
    """What the grid is told of two objects, A that moves and B that stands.

    Args:
        boxes: (2, 4), A and B.
        cell: row and column of A's centre.
        wanted: cells that A asks for, kept: those that it gets. others: cells that B gets.
        corners: what the cell of A's centre is told: x1, y1, x2, y2 from its own centre, in strides.
        coverage, target: (2, rows, columns) and (4, rows, columns), as `encode_targets` gives them.
    """

    boxes: Tensor
    cell: tuple[int, int]
    wanted: int
    kept: int
    others: int
    corners: tuple[float, ...]
    coverage: Tensor
    target: Tensor

    def __str__(self):
        lost = f", {self.wanted - self.kept} of them lost to B" if self.kept < self.wanted else ""
        corners = ", ".join(f"{value:+.2f}" for value in self.corners)
        return (
            f"A's centre lies in row {self.cell[0]}, column {self.cell[1]}; A wants {_cells(self.wanted)}{lost}; "
            f"B has {_cells(self.others)}. "
            f"The cell of A's centre is told ({corners}) strides"
        )


def _cells(count: int) -> str:
    return f"{count} cell{'' if count == 1 else 's'}"


def told(x: float, y: float, side: float, stride: int = 16, shrink: float = 0.5, other=OTHER, size: int = SIZE) -> Told:
    """The target for an object A of class 0 with its centre at (x, y), beside an object B of class 1.

    Args:
        x, y: centre of A in pixels. side: of A, a square.
        stride, shrink: as for `encode_targets`.
        other: B, four numbers ``xyxy``. size: of the square image.
    """
    boxes = torch.tensor([[x - side / 2, y - side / 2, x + side / 2, y + side / 2], other], dtype=torch.float32)
    coverage, target = encode_targets(boxes, torch.tensor([0, 1]), 2, (size, size), stride, shrink)
    row, column = cell_of(boxes[:1], stride)[0].tolist()
    wanted = int(covered_cells(boxes[0], (size, size), stride, shrink).sum())
    kept, others = (int(n) for n in coverage.sum(dim=(1, 2)))
    return Told(boxes, (row, column), wanted, kept, others, tuple(target[:, row, column].tolist()), coverage, target)


def _draw(ax, what: Told, stride: int, title: str, size: int = SIZE) -> None:
    ax.set_facecolor("#bbbbbb")
    draw_grid(ax, (size, size), stride)
    draw_target(ax, what.boxes, what.coverage, what.target, stride)
    ax.set_aspect("equal")
    ax.set_title(title, fontsize=10)


def render(x: float, y: float, side: float, stride: int, shrink: float) -> tuple[bytes, str]:
    """The picture for one place, as PNG, and the same in words."""
    what = told(x, y, side, stride, shrink)
    figure, ax = plt.subplots(figsize=(4.8, 4.9), layout="constrained")
    _draw(ax, what, stride, f"A (0) wants {_cells(what.wanted)}, gets {what.kept}; B (1) gets {what.others}")
    return png(figure), str(what)


def three_places(stride: int = 16, shrink: float = 0.5) -> Figure:
    """A alone, A across B, and A of one cell in B's own cell."""
    places = {"apart": (34, 34, 44), "A is larger and reaches into B": (76, 56, 52), "A is smaller, in B's cell": (90, 58, 12)}
    figure, axes = plt.subplots(1, 3, figsize=(12.5, 4.7), layout="constrained")
    said = []
    for ax, (name, (x, y, side)) in zip(axes, places.items(), strict=True):
        what = told(x, y, side, stride, shrink)
        _draw(ax, what, stride, f"{name}:\nA (0) wants {_cells(what.wanted)}, gets {what.kept}; B (1) gets {what.others}")
        said.append(f"{name}: {what}")
    figure.suptitle("An object moves over the grid, and the target with it")
    return set_alt(figure, f"An object A at three places of a grid, beside an object B. {'. '.join(said)}.")


def move_object(stride: int = 16, shrink: float = 0.5) -> Live:
    """Sliders for the place and the side of A and for the region above the picture; three places side by side where nothing can be dragged.

    Args:
        stride: pixels a cell. shrink: where its slider stands first.
    """

    def make_widget():
        import ipywidgets

        def slider(kind, value, low, high, step, name):
            return kind(value=value, min=low, max=high, step=step, description=name, layout={"width": "420px"})

        whole, part = ipywidgets.IntSlider, ipywidgets.FloatSlider
        sliders = [
            slider(whole, 34, 8, SIZE - 8, 1, "A: x"),
            slider(whole, 34, 8, SIZE - 8, 1, "A: y"),
            slider(whole, 44, 8, 96, 2, "A: side"),
            slider(part, shrink, 0.0, 1.0, 0.1, "shrink"),
        ]

        def drawn():
            x, y, side, share = (s.value for s in sliders)
            return render(x, y, side, stride, share)

        picture, words = drawn()
        shown, line = ipywidgets.Image(value=picture, format="png", layout={"width": "460px"}), ipywidgets.HTML(words)

        def moved(_):
            shown.value, line.value = drawn()

        for each in sliders:
            each.observe(moved, names="value")
        return ipywidgets.VBox([*sliders, line, shown], layout={"align_items": "flex-start"})

    return Live(make_widget, three_places(stride, shrink), f"A grid of {stride} pixels a cell. {told(34, 34, 44, stride, shrink)}")
