"""Drag the threshold over a map of probabilities, and see the mask and its IoU. Taught in notebook 22_segmentation."""

from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from coursekit.plots.images import _array, set_alt, to_picture
from coursekit.plots.live import Live, png


@dataclass(frozen=True)
class Cut:
    """What a threshold makes of a map, in pixels: in the mask, shared with the truth, in the union; and their ratio."""

    pixels: int
    shared: int
    union: int

    @property
    def iou(self) -> float:
        """Shared over union; 0 where both are empty."""
        return self.shared / self.union if self.union else 0.0

    def __str__(self):
        return f"{self.pixels} pixels in the mask, IoU = {self.shared} / {self.union} = {self.iou:.2f}"


def cut(probabilities, truth, threshold: float) -> Cut:
    """Compare the pixels of at least ``threshold`` with the truth.

    Args:
        probabilities: (H, W) in 0..1.
        truth: (H, W) bool.
        threshold: in [0, 1].

    Raises:
        ValueError: if the threshold lies outside, or the shapes differ.
    """
    if not 0 <= threshold <= 1:
        raise ValueError(f"threshold must be in [0, 1], got {threshold}")
    probabilities, truth = _array(probabilities), _array(truth).astype(bool)
    if probabilities.shape != truth.shape:
        raise ValueError(f"truth must have the shape of probabilities, {probabilities.shape}, got {truth.shape}")
    mask = probabilities >= threshold
    return Cut(int(mask.sum()), int((mask & truth).sum()), int((mask | truth).sum()))


def _draw(ax, image, probabilities, truth, threshold: float) -> Cut:
    """The picture, darkened off the mask, with the outline of the truth."""
    picture, mask = to_picture(image).astype(np.float32), _array(probabilities) >= threshold
    ax.imshow((picture * np.where(mask, 1.0, 0.35)[..., None]).astype(np.uint8), interpolation="nearest")
    truth = _array(truth).astype(bool)
    if truth.any() and not truth.all():
        ax.contour(truth, levels=[0.5], colors="#F0E442", linestyles="--", linewidths=1.5)
    result = cut(probabilities, truth, threshold)
    ax.set_axis_off()
    ax.set_title(f"threshold {threshold:.2f}\n{result.pixels} pixels, IoU {result.iou:.2f}", fontsize=10)
    return result


def mask_threshold_picture(image, probabilities, truth, thresholds: Sequence[float] = (0.1, 0.5, 0.9)) -> Figure:
    """The map of probabilities, and the mask at several thresholds.

    Args:
        image: see `to_picture`.
        probabilities, truth: as for `cut`.
        thresholds: one picture each.
    """
    figure, axes = plt.subplots(1, len(thresholds) + 1, figsize=(3.4 * (len(thresholds) + 1), 4.2), layout="constrained")
    shown = axes[0].imshow(_array(probabilities), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    axes[0].set_axis_off()
    axes[0].set_title("probability", fontsize=10)
    figure.colorbar(shown, ax=axes[0], shrink=0.7)
    cuts = [_draw(ax, image, probabilities, truth, t) for ax, t in zip(axes[1:], thresholds, strict=True)]
    figure.suptitle("Bright: in the mask. Dashed: the true outline")
    words = ". ".join(f"Threshold {t:.2f}: {c}" for t, c in zip(thresholds, cuts, strict=True))
    return set_alt(figure, f"A map of probabilities cut at {len(thresholds)} thresholds. {words}.")


def drag_mask_threshold(image, probabilities, truth, start: float = 0.5) -> Live:
    """A slider above the picture; three thresholds side by side where nothing can be dragged.

    Args: as for `mask_threshold_picture`; `start` is where the slider stands first.
    """

    def render(threshold: float) -> tuple[bytes, str]:
        figure, ax = plt.subplots(figsize=(4.6, 5.2), layout="constrained")
        result = _draw(ax, image, probabilities, truth, threshold)
        return png(figure), f"threshold {threshold:.2f}: {result}"

    def make_widget():
        import ipywidgets

        slider = ipywidgets.FloatSlider(start, min=0.01, max=0.99, step=0.01, description="threshold", layout={"width": "500px"})
        picture, words = render(start)
        shown = ipywidgets.Image(value=picture, format="png", layout={"width": "440px"})
        line = ipywidgets.HTML(words)

        def moved(change):
            shown.value, line.value = render(change["new"])

        slider.observe(moved, names="value")
        return ipywidgets.VBox([slider, line, shown], layout={"align_items": "flex-start"})

    return Live(
        make_widget, mask_threshold_picture(image, probabilities, truth), f"threshold {start:.2f}: {cut(probabilities, truth, start)}"
    )
