"""Pictures of images with boxes and masks on them. Used from notebook 01_tensors on.

Every figure has a title and an alternative text; a class is told by its colour, its line style and its name, never by colour alone.
"""

import math

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.text import Text

# Okabe and Ito's colours, which colour-blind readers can tell apart (jfly.uni-koeln.de/color), with a line style each
COLOURS = ("#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7", "#FFFFFF")
LINES = ("-", "--", ":", "-.")


def _array(values) -> np.ndarray:
    """A tensor, wherever it lives, or anything like an array, as an array."""
    return values.detach().cpu().numpy() if hasattr(values, "detach") else np.asarray(values)


def to_picture(image) -> np.ndarray:
    """An image as Matplotlib shows it.

    Args:
        image: (3, H, W), (1, H, W), (H, W, 3) or (H, W) tensor or array; uint8 0..255, or floats in 0..1 (values outside are cut).

    Returns:
        (H, W, 3) or (H, W) uint8.

    Raises:
        ValueError: naming the shape or the kind that came.
    """
    array = _array(image)
    channels_first = array.ndim == 3 and array.shape[0] in (1, 3)
    if channels_first and (array.shape[2] not in (1, 3) or hasattr(image, "detach")):  # a tensor is CHW where both would do
        array = array.transpose(1, 2, 0)
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[..., 0]
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] != 3):
        raise ValueError(f"image must have shape (3, H, W), (1, H, W), (H, W, 3) or (H, W), got {tuple(array.shape)}")
    if array.dtype == np.uint8:
        return array
    if array.dtype == bool or np.issubdtype(array.dtype, np.floating):
        return (np.nan_to_num(array.astype(np.float32)).clip(0, 1) * 255 + 0.5).astype(np.uint8)
    raise ValueError(f"image must be uint8 in 0..255 or float in 0..1, got {array.dtype}")


def set_alt(figure: Figure, text: str) -> Figure:
    """Give a figure a text alternative: what someone hears who cannot see it. `get_alt` reads it back."""
    if not text.strip():
        raise ValueError("text must say what the figure shows, got an empty string")
    figure.coursekit_alt = text
    figure.set_label(text)
    return figure


def get_alt(figure: Figure) -> str:
    """The text alternative of a figure, "" where it has none."""
    return getattr(figure, "coursekit_alt", "")


def show_images(images, titles=None, columns: int = 4, suptitle: str | None = None, alt: str | None = None, size: float = 2.2) -> Figure:
    """Images side by side.

    Args:
        images: a list of images, or a batch (N, 3, H, W); see `to_picture`.
        titles: one for each image.
        columns: images in a row.
        suptitle: title of the whole.
        alt: text alternative; made from the titles where it is not given.
        size: inches that each image takes.

    Returns:
        The figure.

    Raises:
        ValueError: where there are no images, or not as many titles.
    """
    images = list(images)
    if not images:
        raise ValueError("images must hold at least one image, got none")
    titles = [str(i) for i in range(len(images))] if titles is None else [str(t) for t in titles]
    if len(titles) != len(images):
        raise ValueError(f"titles must be one for each of the {len(images)} images, got {len(titles)}")
    columns = min(columns, len(images))
    rows = math.ceil(len(images) / columns)
    figure, axes = plt.subplots(rows, columns, figsize=(size * columns, (size + 0.3) * rows), squeeze=False, layout="constrained")
    for axis in axes.flat:
        axis.set_axis_off()
    for axis, image, title in zip(axes.flat, images, titles, strict=False):
        axis.imshow(to_picture(image), cmap="gray", vmin=0, vmax=255, interpolation="nearest")
        axis.set_title(title, fontsize=9)
    if suptitle:
        figure.suptitle(suptitle)
    return set_alt(figure, alt or f"{suptitle or 'Images'}: {len(images)} pictures, titled {', '.join(titles)}.")


class _Caption(Text):
    """A name that stays inside its axes and off the names before it: it moves when it is drawn, for only then is its size known."""

    def __init__(self, ax: Axes, x: float, y: float, text: str, colour: str, **options):
        frame = {"facecolor": colour, "edgecolor": "black", "linewidth": 0.5, "pad": 1.2}
        super().__init__(x, y, text, fontsize=8, color="black", bbox=frame, clip_on=False, **options)
        self.before = [other for other in ax.texts if isinstance(other, _Caption)]
        self.extent = None
        self.set_in_layout(False)
        ax.add_artist(self)

    def draw(self, renderer) -> None:
        place = self.get_position()
        pad = 3 * renderer.points_to_pixels(1)
        extent = self.get_window_extent(renderer).padded(pad)
        room = self.axes.get_window_extent(renderer)
        right = max(room.x0 - extent.x0, 0) or min(room.x1 - extent.x1, 0)
        up = max(room.y0 - extent.y0, 0) or min(room.y1 - extent.y1, 0)
        extent = extent.translated(right, up)
        for _ in self.before:  # step down below whatever is in the way, as long as there is room
            hit = next((other.extent for other in self.before if other.extent is not None and other.extent.overlaps(extent)), None)
            if hit is None or hit.y0 - extent.height < room.y0:
                break
            up += hit.y0 - extent.y1
            extent = extent.translated(0, hit.y0 - extent.y1 - 1)  # one pixel apart, so that they no longer overlap
            up -= 1
        self.extent = extent
        x, y = self.axes.transData.transform(place)
        self.set_position(self.axes.transData.inverted().transform((x + right, y + up)))
        super().draw(renderer)
        self.set_position(place)


def _style(label: int) -> tuple[str, str]:
    return COLOURS[label % len(COLOURS)], LINES[(label // len(COLOURS) + label) % len(LINES)]


def _captions(count: int, labels, scores, classes, what: str = "boxes") -> list[str]:
    for name, value in (("labels", labels), ("scores", scores)):
        if value is not None and len(value) != count:
            raise ValueError(f"{name} must be one for each of the {count} {what}, got {len(value)}")
    labels = None if labels is None else [int(label) for label in labels]
    if labels and classes is not None and not 0 <= min(labels) <= max(labels) < len(classes):
        raise ValueError(f"labels must lie in 0..{len(classes) - 1}, the places in classes, got {sorted(set(labels))}")
    names = [""] * count if labels is None else [str(label) if classes is None else classes[label] for label in labels]
    if scores is None:
        return names
    return [f"{name} {float(score):.2f}".strip() for name, score in zip(names, scores, strict=True)]


def show_boxes(
    image, boxes, labels=None, scores=None, classes=None, ax: Axes | None = None, title: str | None = None, alt: str | None = None
) -> Axes:
    """An image with its boxes, each with the name of its class and its score.

    Args:
        image: see `to_picture`.
        boxes: (N, 4) ``xyxy`` pixels, tensor or array.
        labels: (N,) whole numbers.
        scores: (N,) in 0..1.
        classes: names that labels are places in.
        ax: axes to draw on; new ones where it is not given.
        title: of the picture.
        alt: text alternative, made from what is shown where it is not given.

    Returns:
        The axes; their figure has the text alternative.

    Raises:
        ValueError: naming the argument that does not fit.
    """
    picture = to_picture(image)
    boxes = _array(boxes).astype(np.float64)
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise ValueError(f"boxes must have shape (N, 4), got {boxes.shape}")
    captions = _captions(len(boxes), labels, scores, classes)
    if ax is None:
        _, ax = plt.subplots(figsize=(5, 5), layout="constrained")
    ax.imshow(picture, cmap="gray", vmin=0, vmax=255, interpolation="nearest", extent=(0, picture.shape[1], picture.shape[0], 0))
    for i, box in enumerate(boxes):
        _draw_box(ax, box, captions[i], _style(0 if labels is None else int(labels[i])))
    ax.set_axis_off()
    title = f"{len(boxes)} box{'' if len(boxes) == 1 else 'es'}" if title is None else title
    ax.set_title(title, fontsize=10)
    found = "; ".join(f"{caption or 'a box'} at {', '.join(f'{v:.0f}' for v in box)}" for caption, box in zip(captions, boxes, strict=True))
    set_alt(ax.figure, alt or f"{get_alt(ax.figure)} {title}: {found or 'no boxes'}.".strip())
    return ax


def _draw_box(ax: Axes, box, caption: str, style) -> None:
    x1, y1, x2, y2 = box
    colour, line = style
    # a dark line under the coloured one, so that it shows on any background
    ax.add_patch(Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, edgecolor="black", linewidth=3))
    ax.add_patch(Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, edgecolor=colour, linewidth=1.6, linestyle=line))
    if caption:
        _Caption(ax, x1, y1, caption, colour, ha="left", va="bottom")


def show_masks(image, masks, labels=None, classes=None, ax: Axes | None = None, title: str | None = None, alt: str | None = None) -> Axes:
    """An image with its masks laid over it, each with an outline and its name.

    Args:
        image: see `to_picture`.
        masks: (N, H, W) booleans, one for each object; or (H, W) whole numbers, 0 for background, one number for each object or class.
        labels: (N,) whole numbers; by default 0, 1, 2 ...
        classes: names that labels are places in.
        ax, title, alt: as for `show_boxes`.

    Returns:
        The axes; their figure has the text alternative.

    Raises:
        ValueError: where a mask has another size than the image, or labels do not fit.
    """
    picture = to_picture(image)
    masks = _array(masks)
    if masks.ndim == 2 and masks.dtype != bool:
        values = [v for v in np.unique(masks) if v > 0]
        labels = [int(v) - 1 for v in values] if labels is None else labels
        masks = np.stack([masks == v for v in values]) if values else np.zeros((0, *masks.shape), dtype=bool)
    if masks.ndim != 3 or masks.shape[1:] != picture.shape[:2]:
        raise ValueError(f"masks must have shape (N, {picture.shape[0]}, {picture.shape[1]}) as the image, got {masks.shape}")
    labels = list(range(len(masks))) if labels is None else labels
    captions = _captions(len(masks), labels, None, classes, "masks")
    if ax is None:
        _, ax = plt.subplots(figsize=(5, 5), layout="constrained")
    ax.imshow(picture, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    for mask, label, caption in zip(masks.astype(bool), labels, captions, strict=True):
        if not mask.any():
            continue
        colour, line = _style(int(label))
        rgb = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
        ax.imshow(np.dstack([np.broadcast_to(c, mask.shape) for c in rgb] + [mask * 0.5]), interpolation="nearest")
        if not mask.all():
            ax.contour(mask, levels=[0.5], colors="black", linestyles=line, linewidths=1)
        y, x = (int(v.mean()) for v in np.nonzero(mask))
        _Caption(ax, x, y, caption, colour, ha="center", va="center")
    ax.set_axis_off()
    title = f"{len(masks)} mask{'' if len(masks) == 1 else 's'}" if title is None else title
    ax.set_title(title, fontsize=10)
    set_alt(ax.figure, alt or f"{get_alt(ax.figure)} {title}: {', '.join(captions) or 'no masks'}.".strip())
    return ax
