"""Drag the confidence threshold and see which boxes stay. Taught in notebook 00_welcome."""

from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib.pyplot as plt
from matplotlib.figure import Figure
from torch import Tensor

from coursekit.boxes import box_iou
from coursekit.detections import Detections
from coursekit.plots.images import set_alt, show_boxes
from coursekit.plots.live import Live, png


@dataclass(frozen=True)
class Tally:
    """What a threshold gives: how many boxes are kept, how many objects they find, how many they miss, and how many point at nothing."""

    kept: int
    found: int
    missed: int
    false_alarms: int

    def __str__(self):
        kept = f"{self.kept} box{'' if self.kept == 1 else 'es'} kept"
        return f"{kept}: {self.found} found, {self.missed} missed, {self.false_alarms} false alarms"


def keep(detections: Detections, threshold: float) -> Detections:
    """The detections whose score is at least `threshold`.

    Raises:
        ValueError: if the threshold is not in [0, 1].
    """
    if not 0 <= threshold <= 1:
        raise ValueError(f"threshold must be in [0, 1], got {threshold}")
    return detections[detections.scores >= threshold]


def tally(detections: Detections, boxes: Tensor, labels: Tensor, threshold: float) -> Tally:
    """Count what a threshold finds.

    A box finds an object of its class when they overlap by half (IoU >= 0.5); each object is found once, best score first.

    Args:
        detections: all of them, as the detector gave them.
        boxes: (N, 4) true boxes, `xyxy` pixels.
        labels: (N,) their classes.
        threshold: in [0, 1].
    """
    kept = keep(detections, threshold)
    free = [True] * len(boxes)
    overlap = box_iou(kept.boxes, boxes)
    for index in kept.scores.argsort(descending=True).tolist():
        fits = [(overlap[index, j].item(), j) for j in range(len(boxes)) if free[j] and labels[j] == kept.labels[index]]
        best, object_ = max(fits, default=(0.0, -1))
        if best >= 0.5:
            free[object_] = False
    found = free.count(False)
    return Tally(len(kept), found, len(boxes) - found, len(kept) - found)


def _draw(ax, image: Tensor, detections: Detections, target: dict, classes: Sequence[str], threshold: float) -> Tally:
    """One picture: what is kept at this threshold, with what it finds and misses in the title."""
    kept = keep(detections, threshold)
    counts = tally(detections, target["boxes"], target["labels"], threshold)
    title = f"threshold {threshold:.2f}\n{counts.found} found · {counts.missed} missed · {counts.false_alarms} false"
    show_boxes(image, kept.boxes, kept.labels, kept.scores, classes=classes, ax=ax, title=title)
    return counts


def threshold_picture(
    image: Tensor, detections: Detections, target: dict, classes: Sequence[str], thresholds: Sequence[float] = (0.05, 0.5, 0.9)
) -> Figure:
    """The same detections at several thresholds, side by side.

    Args:
        image: uint8 (3, H, W).
        detections: all of them, low scores too.
        target: the truth: ``boxes`` (N, 4) and ``labels`` (N,).
        classes: names of the labels.
        thresholds: one picture each.
    """
    figure, axes = plt.subplots(1, len(thresholds), figsize=(4 * len(thresholds), 4.6), layout="constrained", squeeze=False)
    counts = [_draw(ax, image, detections, target, classes, t) for ax, t in zip(axes[0], thresholds, strict=True)]
    words = ". ".join(f"Threshold {t:.2f}: {c}" for t, c in zip(thresholds, counts, strict=True))
    return set_alt(figure, f"One image at {len(thresholds)} confidence thresholds. {words}.")


def drag_threshold(image: Tensor, detections: Detections, target: dict, classes: Sequence[str], start: float = 0.5) -> Live:
    """A slider for the threshold above the image; three thresholds side by side where nothing can be dragged.

    Args: as for `threshold_picture`; `start` is where the slider stands first.
    """

    def render(threshold: float) -> tuple[bytes, str]:
        figure, ax = plt.subplots(figsize=(5, 5.6), layout="constrained")
        counts = _draw(ax, image, detections, target, classes, threshold)
        return png(figure), f"threshold {threshold:.2f}: {counts}"

    def make_widget():
        import ipywidgets

        slider = ipywidgets.FloatSlider(start, min=0.01, max=0.99, step=0.01, description="threshold", layout={"width": "500px"})
        picture, words = render(start)
        shown = ipywidgets.Image(value=picture, format="png", layout={"width": "480px"})  # without a width it grows with the window
        line = ipywidgets.HTML(words)

        def moved(change):
            shown.value, line.value = render(change["new"])

        slider.observe(moved, names="value")
        return ipywidgets.VBox([slider, line, shown], layout={"align_items": "flex-start"})

    words = f"{len(detections)} boxes; at threshold {start:.2f}: {tally(detections, target['boxes'], target['labels'], start)}"
    return Live(make_widget, threshold_picture(image, detections, target, classes), words)
