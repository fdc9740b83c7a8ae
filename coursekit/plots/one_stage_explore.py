"""One object to move among the anchors of one map: which of them match? Taught in notebook 17_one_stage."""

from dataclasses import dataclass

import matplotlib.pyplot as plt
import torch
from matplotlib.figure import Figure
from torch import Tensor

from coursekit.boxes import box_iou
from coursekit.one_stage.anchors import make_anchors
from coursekit.one_stage.matching import match_anchors
from coursekit.plots.boxes import BLUE, GREY, ORANGE, draw_box
from coursekit.plots.images import set_alt
from coursekit.plots.live import Live, png

SIDE, RATIOS = 64, (0.5, 1.0, 2.0)


@dataclass(frozen=True)
class Scene:
    """What one map of anchors says about one object.

    Args:
        box: (4,) the object. anchors: (A, 4), one for each cell. match: (A,), 0, -1 or -2. best: the highest IoU.
    """

    box: Tensor
    anchors: Tensor
    match: Tensor
    best: float

    def __str__(self):
        answer, ignored = int((self.match == 0).sum()), int((self.match == -2).sum())
        rescued = " Nobody reaches 0.5: the best is kept." if 0 < self.best < 0.5 else ""
        return (
            f"{answer} of {len(self.match)} anchors answer for the object, {ignored} are ignored, "
            f"{len(self.match) - answer - ignored} are background; the best IoU is {self.best:.2f}.{rescued}"
        )


def scene(x, y, width: float, height: float, stride: int, size: float, ratio: float) -> Scene:
    """Match one object, given by its centre and size in pixels, with one anchor a cell in an image of 64 pixels.

    Args:
        x, y, width, height: of the object, which ends where the image ends. stride: of the map, a divisor of 64.
        size, ratio: of the anchors, see `make_anchors`.
    """
    box = torch.tensor([x - width / 2, y - height / 2, x + width / 2, y + height / 2], dtype=torch.float32).clamp(0, SIDE)
    anchors = make_anchors((SIDE, SIDE), (stride,), [[size]], [ratio])
    return Scene(box, anchors, match_anchors(anchors, box[None]), box_iou(box[None], anchors).max().item())


def draw(one: Scene) -> Figure:
    """The object thick, answering anchors solid, ignored ones dotted, a small dot in the centre of every cell."""
    figure, ax = plt.subplots(figsize=(4.8, 4.9), layout="constrained")
    ax.set(xlim=(-12, SIDE + 12), ylim=(SIDE + 12, -12), xlabel="x in pixels", ylabel="y in pixels, downwards", aspect="equal")
    answer, ignored = int((one.match == 0).sum()), int((one.match == -2).sum())
    ax.set_title(f"anchors that answer (solid): {answer}; ignored (dotted): {ignored}", fontsize=10)
    draw_box(ax, (0, 0, SIDE, SIDE), color=GREY, width=1)
    centres = (one.anchors[:, :2] + one.anchors[:, 2:]) / 2
    ax.plot(*centres.T, ".", color=GREY, markersize=3)
    for box in one.anchors[one.match == -2]:
        draw_box(ax, box, color=ORANGE, style=":", width=1.5)
    for box in one.anchors[one.match == 0]:
        draw_box(ax, box, color=BLUE, width=1.5)
    draw_box(ax, one.box, "object", "black", "-", 3)
    return set_alt(figure, str(one))


def explore_matching(x=30, y=34, width=20, height=20, stride=8, size=24, ratio=1.0) -> Live:
    """Sliders for the object and for the anchors above the picture; the picture alone where nothing can be moved.

    Args:
        x, y, width, height: the object at first, in pixels. stride: 4, 8, 16 or 32. size: 8 to 64. ratio: 0.5, 1 or 2.
    """
    names = ("x", "y", "width", "height", "stride", "size", "ratio")

    def make_widget():
        import ipywidgets

        def slider(name, value, low, high):
            return ipywidgets.IntSlider(value=value, min=low, max=high, description=name, layout={"width": "420px"})

        def buttons(name, value, options):
            return ipywidgets.ToggleButtons(value=value, options=options, description=name, style={"button_width": "60px"})

        controls = [
            slider("x", x, 0, SIDE),
            slider("y", y, 0, SIDE),
            slider("width", width, 4, SIDE),
            slider("height", height, 4, SIDE),
            buttons("stride", stride, (4, 8, 16, 32)),
            slider("size", size, 8, SIDE),
            buttons("ratio", ratio, RATIOS),
        ]
        now = scene(x, y, width, height, stride, size, ratio)
        shown = ipywidgets.Image(value=png(draw(now)), format="png", layout={"width": "460px"})
        line = ipywidgets.HTML(str(now))

        def moved(_):
            now = scene(**dict(zip(names, (c.value for c in controls), strict=True)))
            shown.value, line.value = png(draw(now)), str(now)

        for each in controls:
            each.observe(moved, names="value")
        return ipywidgets.VBox([*controls, line, shown], layout={"align_items": "flex-start"})  # else the picture is stretched

    first = scene(x, y, width, height, stride, size, ratio)
    words = f"An object of {width} x {height} pixels at ({x}, {y}), anchors of size {size}, ratio {ratio:g}, stride {stride}: {first}"
    return Live(make_widget, draw(first), words)
