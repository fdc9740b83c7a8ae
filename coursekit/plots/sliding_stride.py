"""Choose window and stride, and see how many windows there are and how well the best of them fits. Taught in notebook 14_sliding_window."""

from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib.pyplot as plt
import torch
from matplotlib.figure import Figure
from torch import Tensor

from coursekit.boxes import box_iou
from coursekit.plots.images import set_alt
from coursekit.plots.live import Live, png
from coursekit.plots.sliding import _frame, _picture
from coursekit.sliding.windows import grid, windows


@dataclass(frozen=True)
class Fit:
    """What a window and a stride give: how many windows, and the one that fits best.

    Args:
        rows, columns: of the windows.
        best: four numbers, ``xyxy``; None where there is no window.
        iou: of the best window with the object.
    """

    rows: int
    columns: int
    best: tuple[int, int, int, int] | None
    iou: float

    def __str__(self):
        verdict = "enough to count as found" if self.iou >= 0.5 else "too little to count as found"
        return f"{self.rows} x {self.columns} = {self.rows * self.columns} windows; best IoU {self.iou:.2f}, {verdict} at 0.5"


def best_fit(size_hw: tuple[int, int], window: int, stride: int, box) -> Fit:
    """The window that overlaps an object best; of equal ones the first.

    Args:
        size_hw: (height, width) of the picture.
        window, stride: in pixels.
        box: four numbers, ``xyxy`` pixels.
    """
    boxes, (rows, columns) = windows(size_hw, window, stride), grid(size_hw, window, stride)
    if not len(boxes):
        return Fit(0, 0, None, 0.0)
    overlap = box_iou(boxes, torch.as_tensor(box, dtype=torch.float32).reshape(1, 4))[:, 0]
    place = int(overlap.argmax())
    return Fit(rows, columns, tuple(boxes[place].tolist()), overlap[place].item())


def _draw(ax, image: Tensor, box, window: int, stride: int) -> Fit:
    """The object solid, the best window dashed, a dot in the middle of every window."""
    fit = best_fit(image.shape[1:], window, stride, box)
    _picture(ax, image)
    middle = windows(image.shape[1:], window, stride)[:, :2].float() + window / 2
    ax.plot(*middle.T.tolist(), linestyle="", marker="o", markersize=2.2, color="white", markeredgecolor="black", markeredgewidth=0.4)
    _frame(ax, box, "#56B4E9", "-", 2)
    if fit.best is not None:
        _frame(ax, fit.best, "#E69F00", "--", 2)
    ax.set_title(f"window {window}, stride {stride}\n{fit.rows * fit.columns} windows · best IoU {fit.iou:.2f}", fontsize=10)
    return fit


def stride_picture(image: Tensor, box, window: int = 32, strides: Sequence[int] = (4, 16, 32)) -> Figure:
    """One object at several strides, side by side: solid its box, dashed the window that fits it best."""
    figure, axes = plt.subplots(1, len(strides), figsize=(3.6 * len(strides), 4.2), layout="constrained", squeeze=False)
    fits = [_draw(ax, image, box, window, stride) for ax, stride in zip(axes[0], strides, strict=True)]
    words = ". ".join(f"Stride {stride}: {fit}" for stride, fit in zip(strides, fits, strict=True))
    return set_alt(figure, f"A window of {window} pixels at {len(strides)} strides. {words}.")


def slide_stride(image: Tensor, box, window: int = 32, stride: int = 16) -> Live:
    """Sliders for window and stride above the picture; three strides side by side where nothing can be dragged.

    Args:
        image: uint8 (3, H, W).
        box: the object, four numbers ``xyxy``.
        window, stride: where the sliders stand first.
    """

    def render(window: int, stride: int) -> tuple[bytes, str]:
        figure, ax = plt.subplots(figsize=(4.6, 5.1), layout="constrained")
        fit = _draw(ax, image, box, window, stride)
        return png(figure), f"window {window}, stride {stride}: {fit}"

    def make_widget():
        import ipywidgets

        top = min(image.shape[1:])
        sliders = [
            ipywidgets.IntSlider(value, min=low, max=high, description=name, layout={"width": "440px"}, continuous_update=False)
            for name, value, low, high in (("window", window, 8, top), ("stride", stride, 1, 64))
        ]
        picture, words = render(window, stride)
        shown, line = ipywidgets.Image(value=picture, format="png", layout={"width": "440px"}), ipywidgets.HTML(words)

        def moved(_):
            shown.value, line.value = render(*(slider.value for slider in sliders))

        for slider in sliders:
            slider.observe(moved, names="value")
        return ipywidgets.VBox([*sliders, line, shown], layout={"align_items": "flex-start"})

    words = f"window {window}, stride {stride}: {best_fit(image.shape[1:], window, stride, box)}"
    return Live(make_widget, stride_picture(image, box, window), words)
