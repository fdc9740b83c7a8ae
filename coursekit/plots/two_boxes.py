"""Two boxes to drag, with IoU and GIoU beside them. Taught in notebook 13_boxes."""

from dataclasses import dataclass

import matplotlib.pyplot as plt
import torch

from coursekit.boxes import box_area, box_iou, generalized_box_iou
from coursekit.plots.boxes import show_pair
from coursekit.plots.live import Live, png


@dataclass(frozen=True)
class Overlap:
    """What two boxes have in common, in pixels and square pixels. A negative width or height means: apart by so much."""

    width: float
    height: float
    shared: float
    union: float
    hull: float
    iou: float
    giou: float

    def __str__(self):
        apart = " (a negative side: apart, so the shared area is 0)" if min(self.width, self.height) < 0 else ""
        return (
            f"bottom_right - top_left = ({self.width:g}, {self.height:g}){apart}; shared {self.shared:g}, union {self.union:g}, "
            f"hull {self.hull:g}; IoU {self.shared:g} / {self.union:g} = {self.iou:.3f}; GIoU {self.giou:.3f}"
        )


def overlap(a, b) -> Overlap:
    """Measure two boxes.

    Args:
        a, b: four numbers each, ``xyxy`` pixels.
    """
    a, b = (torch.as_tensor(box, dtype=torch.float32).reshape(1, 4) for box in (a, b))
    width, height = (torch.minimum(a[0, 2:], b[0, 2:]) - torch.maximum(a[0, :2], b[0, :2])).tolist()
    shared = max(width, 0) * max(height, 0)
    around = torch.cat((torch.minimum(a[:, :2], b[:, :2]), torch.maximum(a[:, 2:], b[:, 2:])), dim=1)
    union = (box_area(a) + box_area(b)).item() - shared
    return Overlap(width, height, shared, union, box_area(around).item(), box_iou(a, b).item(), generalized_box_iou(a, b).item())


def render(a, b, size: int) -> tuple[bytes, str]:
    """The picture for one position of the boxes, as PNG, and the same in words. The axes stay where they are while boxes move."""
    figure, ax = plt.subplots(figsize=(4.8, 4.6), layout="constrained")
    show_pair(a, b, ax=ax)
    ax.set_xlim(-0.5, size + 0.5)
    ax.set_ylim(size + 0.5, -0.5)
    return png(figure), str(overlap(a, b))


def two_boxes(a=(1, 2, 7, 6), b=(4, 4, 10, 9), size: int = 12) -> Live:
    """Four sliders, from where to where each box goes in x and in y, above the picture; the picture alone where nothing can be dragged.

    Args:
        a, b: where the boxes stand first: four whole numbers each, ``xyxy``, from 0 to `size`.
        size: side of the image in pixels.
    """

    def make_widget():
        import ipywidgets

        def slider(name, low, high):
            return ipywidgets.IntRangeSlider(value=(low, high), min=0, max=size, description=name, layout={"width": "420px"})

        sliders = [
            slider(f"{name}: {axis}", *map(int, ends))
            for name, box in (("A", a), ("B", b))
            for axis, ends in zip("xy", _ends(box), strict=True)
        ]
        picture, words = render(a, b, size)
        shown, line = ipywidgets.Image(value=picture, format="png"), ipywidgets.HTML(words)

        def moved(_):
            (ax1, ax2), (ay1, ay2), (bx1, bx2), (by1, by2) = (s.value for s in sliders)
            shown.value, line.value = render((ax1, ay1, ax2, ay2), (bx1, by1, bx2, by2), size)

        for each in sliders:
            each.observe(moved, names="value")
        return ipywidgets.VBox([*sliders, line, shown])

    return Live(make_widget, show_pair(a, b), f"Two boxes, A {tuple(a)} and B {tuple(b)}: {overlap(a, b)}")


def _ends(box):
    """(x1, x2) and (y1, y2) of a box."""
    x1, y1, x2, y2 = box
    return (x1, x2), (y1, y2)
