"""Pictures of notebook 11_augmentation: what a change does to pixels and boxes, and what it does to accuracy."""

import math
from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from coursekit.boxes import box_iou
from coursekit.data.affine import affine_matrix, warp_image
from coursekit.data.batch_augment import AugmentBatch
from coursekit.plots.images import set_alt, show_boxes, show_images
from coursekit.plots.live import Live, png

MARKS = ("o", "s", "^", "D", "v", "P")


def show_answer_boxes(expected: Sequence, got: object) -> Figure:
    """Two results (image, boxes, ...) side by side: what should come out, and what came.

    ``got`` may be anything; what of it is no image with boxes is left out.
    """
    figure, axes = plt.subplots(1, 2, figsize=(7, 3.6), layout="constrained")
    show_boxes(expected[0], expected[1], ax=axes[0], title="expected")
    try:
        show_boxes(got[0], got[1], ax=axes[1], title="yours")
    except (TypeError, ValueError, IndexError, KeyError):
        axes[1].set_axis_off()
        axes[1].set_title("yours is no image with boxes", fontsize=10)
    return set_alt(figure, f"Left: the image as expected, with {len(expected[1])} boxes. Right: the answer.")


def show_boxed(images: Sequence[Tensor], boxes: Sequence[Tensor], titles: Sequence[str], suptitle: str, columns: int = 3) -> Figure:
    """Images side by side, each with its boxes.

    Raises:
        ValueError: where there are not as many boxes or titles as images, or none.
    """
    if not images or len(images) != len(boxes) or len(images) != len(titles):
        raise ValueError(f"images, boxes and titles must be as many, and some, got {len(images)}, {len(boxes)} and {len(titles)}")
    columns = min(columns, len(images))
    rows = math.ceil(len(images) / columns)
    figure, axes = plt.subplots(rows, columns, figsize=(3.1 * columns, 3.3 * rows), squeeze=False, layout="constrained")
    for ax in axes.flat:
        ax.set_axis_off()
    for ax, image, found, title in zip(axes.flat, images, boxes, titles, strict=False):
        show_boxes(image, found, ax=ax, title=title)
    figure.suptitle(suptitle)
    counts = ", ".join(f"{title}: {len(found)} boxes" for title, found in zip(titles, boxes, strict=True))
    return set_alt(figure, f"{suptitle}. {counts}.")


def turned_box(degrees: float, size: int = 120, width: int = 60, height: int = 40) -> tuple[Tensor, Tensor, Tensor]:
    """A white rectangle with a grey ellipse in it, turned by ``degrees`` about the middle of a dark image.

    Returns:
        image (1, size, size) uint8; the box (1, 4) around its four turned corners; and the tight box (1, 4) of the ellipse that fills
        the rectangle, turned likewise: what a round object would need.
    """
    image = torch.full((1, size, size), 60, dtype=torch.uint8)
    middle, half_w, half_h = size / 2, width / 2, height / 2
    top, left = int(middle - half_h), int(middle - half_w)
    image[:, top : top + height, left : left + width] = 230
    ys, xs = torch.meshgrid(torch.arange(size) + 0.5, torch.arange(size) + 0.5, indexing="ij")
    image[:, ((xs - middle) / half_w) ** 2 + ((ys - middle) / half_h) ** 2 <= 1] = 170
    turn = math.radians(degrees)
    cos, sin = abs(math.cos(turn)), abs(math.sin(turn))
    hull = half_w * cos + half_h * sin, half_w * sin + half_h * cos
    tight = math.hypot(half_w * cos, half_h * sin), math.hypot(half_w * sin, half_h * cos)
    boxes = [torch.tensor([[middle - w, middle - h, middle + w, middle + h]]) for w, h in (hull, tight)]
    return warp_image(image, affine_matrix((size, size), degrees), fill=60), *boxes


def show_turned(degrees: Sequence[float] = (0, 10, 20, 45)) -> Figure:
    """The box around a turned rectangle, and how much of it a round object needs."""
    found = [turned_box(value) for value in degrees]
    ious = [box_iou(hull, tight).item() for _, hull, tight in found]
    titles = [f"{value:g}°: IoU {iou:.2f}" for value, iou in zip(degrees, ious, strict=True)]
    figure, axes = plt.subplots(1, len(found), figsize=(2.6 * len(found), 3.0), layout="constrained", squeeze=False)
    for ax, (image, hull, tight), title in zip(axes[0], found, titles, strict=True):
        show_boxes(image, torch.cat([hull, tight]), torch.tensor([0, 1]), classes=("corners", "ellipse"), ax=ax, title=title)
    figure.suptitle("The box around the turned corners is larger than what a round object needs")
    return set_alt(
        figure, f"A rectangle turned by several angles, with the box of its corners and that of its ellipse: {', '.join(titles)}."
    )


def at_strength(images: Tensor, strength: float, seed: int = 0, **amounts) -> Tensor:
    """(N, C, H, W) uint8 changed by `AugmentBatch` at that strength; the same seed draws the same directions at every strength."""
    return AugmentBatch(torch.Generator().manual_seed(seed), strength=strength, **amounts)(images)


def strength_picture(images: Tensor, strengths: Sequence[float] = (0, 0.5, 1, 2), **amounts) -> Figure:
    """The same images at several strengths, a row for each."""
    rows = [at_strength(images, strength, **amounts) for strength in strengths]
    titles = [f"strength {strength:g}" if i == 0 else "" for strength in strengths for i in range(len(images))]
    return show_images(
        torch.cat(rows),
        titles,
        columns=len(images),
        size=1.25,
        suptitle="The same images, changed more and more",
        alt=f"{len(images)} images at the strengths {', '.join(f'{s:g}' for s in strengths)}: a row for each.",
    )


def drag_strength(images: Tensor, **amounts) -> Live:
    """A slider for the strength, and another draw at a press; four strengths below each other where nothing can be dragged.

    Args:
        images: (N, C, H, W) uint8. amounts: of `AugmentBatch`, at strength 1.
    """

    def render(strength: float, seed: int) -> bytes:
        changed = at_strength(images, strength, seed, **amounts)
        return png(show_images(changed, [""] * len(images), columns=6, size=1.3, suptitle=f"strength {strength:.2f}"))

    def make_widget():
        import ipywidgets

        slider = ipywidgets.FloatSlider(1.0, min=0, max=4, step=0.25, description="strength", layout={"width": "500px"})
        again = ipywidgets.Button(description="draw again")
        shown = ipywidgets.Image(value=render(1.0, 0), format="png", layout={"width": "640px"})
        seed = [0]

        def moved(_change) -> None:
            shown.value = render(slider.value, seed[0])

        def pressed(_button) -> None:
            seed[0] += 1
            moved(None)

        slider.observe(moved, names="value")
        again.on_click(pressed)
        return ipywidgets.VBox([ipywidgets.HBox([slider, again]), shown], layout={"align_items": "flex-start"})

    words = f"{len(images)} images changed at random; the slider sets how strongly, from 0 (not at all) to 4"
    return Live(make_widget, strength_picture(images[:6], **amounts), words)


def show_by_strength(strengths: Sequence[float], results: Sequence[Sequence[float]], title: str) -> Figure:
    """Accuracy against the strength of augmentation: each seed a mark, the mean a line."""
    figure, ax = plt.subplots(figsize=(6, 3.2), layout="constrained")
    means = [float(np.mean(values)) for values in results]
    for number in range(max(map(len, results))):
        points = [(s, values[number]) for s, values in zip(strengths, results, strict=True) if number < len(values)]
        ax.plot(*zip(*points, strict=True), MARKS[number % len(MARKS)], color="#0072B2", label=f"seed {number}")
    ax.plot(strengths, means, "-", color="#D55E00", label="mean")
    ax.set_xlabel("strength of the augmentation")
    ax.set_ylabel("test accuracy")
    ax.set_title(title)
    ax.grid(alpha=0.3)
    ax.legend(fontsize=8)
    words = ", ".join(f"{s:g}: {mean:.3f}" for s, mean in zip(strengths, means, strict=True))
    return set_alt(figure, f"{title}. Mean test accuracy by strength: {words}.")
