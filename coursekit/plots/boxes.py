"""Pictures of boxes and of their overlap. Taught in notebook 13_boxes.

Two boxes are told apart by line style and by name, never by colour alone.
"""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import torch
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from coursekit.boxes import box_convert, box_iou, generalized_box_iou
from coursekit.plots.images import set_alt, show_boxes

BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#777777"  # Okabe and Ito: told apart by colour-blind eyes too


def draw_box(
    ax,
    box,
    name: str = "",
    color: str = BLUE,
    style: str = "-",
    width: float = 2,
    hatch: str | None = None,
    at_end: bool = False,
    line: int = 0,
) -> None:
    """One box as a rectangle with its name in the left upper corner (`at_end`: the right lower one).

    A box without area is a cross. `line`: how many lines below the corner the name stands, where another box has its name there.
    """
    x1, y1, x2, y2 = (float(v) for v in box)
    ax.add_patch(Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, edgecolor=color, linestyle=style, linewidth=width, hatch=hatch))
    if x1 == x2 or y1 == y2:
        ax.plot([(x1 + x2) / 2], [(y1 + y2) / 2], marker="x", color=color, markersize=9)
    if name:
        place = (
            {"xy": (x2, y2), "xytext": (-3, 3), "ha": "right", "va": "bottom"}
            if at_end
            else {"xy": (x1, y1), "xytext": (3, -3 - 12 * line), "va": "top"}
        )
        paper = {"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 0.5}  # lines of other boxes may run beneath
        ax.annotate(name, textcoords="offset points", color=color, fontsize=9, fontweight="bold", bbox=paper, **place)


def frame(ax, boxes: Tensor, title: str = "") -> None:
    """Axes around some boxes as an image has them: y grows downwards, one step as long in x as in y."""
    low = boxes.reshape(-1, 2).amin(dim=0) if len(boxes) else torch.zeros(2)
    high = boxes.reshape(-1, 2).amax(dim=0) if len(boxes) else torch.ones(2)
    margin = max(1.0, 0.08 * (high - low).max().item())
    ax.set_xlim(low[0].item() - margin, high[0].item() + margin)
    ax.set_ylim(high[1].item() + margin, low[1].item() - margin)
    ax.set_aspect("equal")
    ax.grid(alpha=0.25)
    ax.set(xlabel="x in pixels", ylabel="y in pixels, downwards")
    ax.set_title(title)


def inches_high(boxes: Tensor, width: float) -> float:
    """How high a picture of some boxes must be, if it is `width` inches wide and one step is as long in x as in y."""
    low, high = boxes.reshape(-1, 2).amin(dim=0), boxes.reshape(-1, 2).amax(dim=0)
    margin = max(1.0, 0.08 * (high - low).max().item())
    ratio = ((high - low)[1] + 2 * margin) / ((high - low)[0] + 2 * margin)
    return min(6.0, max(1.6, (width - 0.7) * ratio.item())) + 0.9  # names of the axes, and the title


def show_pair(a, b, title: str = "", ax=None, hull: bool = True) -> Figure:
    """Two boxes, what they share (hatched) and the hull around both (dotted).

    Args:
        a, b: four numbers each, ``xyxy`` pixels.
        title: the two overlaps where it is empty.
        hull: draw the hull.
    """
    a, b = (torch.as_tensor(box, dtype=torch.float32).reshape(1, 4) for box in (a, b))
    both = torch.cat((a, b))
    iou, giou = box_iou(a, b).item(), generalized_box_iou(a, b).item()
    if ax is None:
        _, ax = plt.subplots(figsize=(4.6, 4.2), layout="constrained")
    frame(ax, both, title or f"IoU {iou:.2f}, GIoU {giou:.2f}")
    start, end = torch.maximum(a[0, :2], b[0, :2]), torch.minimum(a[0, 2:], b[0, 2:])
    if hull:
        around = torch.cat((both[:, :2].amin(dim=0), both[:, 2:].amax(dim=0)))
        draw_box(ax, around, color=GREY, style=":")
    if (end > start).all():
        draw_box(ax, torch.cat((start, end)), color=GREEN, width=0.5, hatch="///")
    draw_box(ax, a[0], "A", BLUE, "-")
    draw_box(ax, b[0], "B", ORANGE, "--", at_end=True)
    shared = (end - start).clamp(min=0).tolist()
    words = f"Box A {_numbers(a[0])} and box B {_numbers(b[0])}: they share {shared[0]:g} by {shared[1]:g} pixels"
    return set_alt(ax.figure, f"{words}; IoU {iou:.2f}, GIoU {giou:.2f}.")


def show_pairs(pairs: Sequence[tuple], suptitle: str) -> Figure:
    """Several pairs side by side, each with its IoU and GIoU."""
    figure, axes = plt.subplots(1, len(pairs), figsize=(2.6 * len(pairs), 2.2), layout="constrained", squeeze=False)
    everything, values = torch.tensor(pairs, dtype=torch.float32).reshape(-1, 4), []
    for ax, (a, b) in zip(axes[0], pairs, strict=True):
        show_pair(a, b, ax=ax)
        frame(ax, everything, ax.get_title())  # the same scale in every picture
        ax.set_ylabel("y" if ax is axes[0, 0] else "")
        values.append(ax.get_title())
    figure.suptitle(suptitle)
    return set_alt(figure, f"{suptitle}. Pairs of boxes from left to right: {'; '.join(values)}.")


def show_formats(box, size: tuple[int, int]) -> Figure:
    """One box on an empty image, and the numbers that files and libraries write down for it.

    Args:
        box: four numbers, ``xyxy`` pixels.
        size: (height, width) of the image.
    """
    box = torch.as_tensor(box, dtype=torch.float32)
    height, width = size
    x1, y1, x2, y2 = box.tolist()
    cx, cy, w, h = box_convert(box[None], "xyxy", "cxcywh")[0].tolist()
    figure, (ax, table) = plt.subplots(1, 2, figsize=(11, 3.8), width_ratios=(1, 1.15), layout="constrained")
    frame(ax, torch.tensor([[0.0, 0.0, width, height]]), f"One box in an image {width} wide and {height} high")
    draw_box(ax, (0, 0, width, height), color=GREY, width=1)
    draw_box(ax, box, color=BLUE)
    ax.plot([cx], [cy], marker="+", color=ORANGE, markersize=12)
    ax.annotate(f"x1, y1 = {x1:g}, {y1:g}", (x1, y1), xytext=(0, 4), textcoords="offset points", fontsize=9)
    ax.annotate(f"x2, y2 = {x2:g}, {y2:g}", (x2, y2), xytext=(0, -4), textcoords="offset points", fontsize=9, ha="right", va="top")
    ax.annotate(f"cx, cy = {cx:g}, {cy:g}", (cx, cy), xytext=(0, 7), textcoords="offset points", fontsize=9, ha="center")
    lines = [
        f"{'xyxy':9}{_numbers((x1, y1, x2, y2)):27}two corners",
        f"{'xywh':9}{_numbers((x1, y1, w, h)):27}corner and size",
        f"{'cxcywh':9}{_numbers((cx, cy, w, h)):27}centre and size",
        f"{'COCO':9}{_numbers((x1, y1, w, h)):27}xywh",
        f"{'YOLO':9}{_numbers(round(v, 3) for v in (cx / width, cy / height, w / width, h / height)):27}cxcywh over image size",
        f"{'VOC':9}{_numbers((x1 + 1, y1 + 1, x2, y2)):27}first, last pixel, from 1",
    ]
    table.text(0, 0.9, "\n\n".join(lines), transform=table.transAxes, va="top", family="monospace", fontsize=9.5)
    table.set_axis_off()
    table.set_title("What files and libraries write for it")
    return set_alt(figure, "One box, written down: " + "; ".join(" ".join(line.split()) for line in lines) + ".")


def show_readings(image: Tensor, readings: dict[str, Tensor], suptitle: str) -> Figure:
    """The same image several times, each time with the boxes as somebody read them.

    Args:
        image: uint8 (3, H, W).
        readings: title -> (N, 4) ``xyxy`` pixels.
    """
    figure, axes = plt.subplots(1, len(readings), figsize=(4.2 * len(readings), 4.6), layout="constrained", squeeze=False)
    for ax, (title, boxes) in zip(axes[0], readings.items(), strict=True):
        show_boxes(image, boxes, ax=ax, title=title)
        ax.set_xlim(0, image.shape[2])
        ax.set_ylim(image.shape[1], 0)
    figure.suptitle(suptitle)
    words = "; ".join(f"{title}: {len(boxes)} boxes, the first {_numbers(boxes[0])}" for title, boxes in readings.items() if len(boxes))
    return set_alt(figure, f"{suptitle}. {words}.")


def show_slide(
    shifts: Sequence[float], values: dict[str, Sequence[float]], title: str, xlabel: str = "moved by (pixels)", ylabel: str = "overlap"
) -> Figure:
    """Measures of overlap while one box slides past the other, or anything else over anything: a line each, told apart by style."""
    figure, ax = plt.subplots(figsize=(7, 3.6), layout="constrained")
    for (name, line), style, color in zip(values.items(), ("-", "--", ":", "-."), (BLUE, ORANGE, GREEN, GREY), strict=False):
        ax.plot(shifts, line, style, color=color, linewidth=2, label=name)
    ax.axhline(0, color=GREY, linewidth=0.8)
    ax.set(xlabel=xlabel, ylabel=ylabel, title=title)
    ax.legend()
    ends = "; ".join(f"{name} from {float(line[0]):.2f} to {float(line[-1]):.2f}" for name, line in values.items())
    return set_alt(figure, f"{title}. {xlabel} from {shifts[0]:g} to {shifts[-1]:g}: {ends}.")


def pair_of_a_case(boxes1: Tensor, boxes2: Tensor, expected, got) -> Figure | None:
    """For a check: the first pair on which two (N, M) answers differ; None where there is no pair to show."""
    if len(boxes1) == 0 or len(boxes2) == 0:
        return None
    i = j = 0
    values = ""
    if isinstance(got, Tensor) and isinstance(expected, Tensor) and got.shape == expected.shape and not got.is_complex():
        different = ~torch.isclose(got.double(), expected.double(), rtol=1e-5, atol=1e-6)
        if different.any():
            i, j = different.nonzero()[0].tolist()
        values = f"\nexpected {expected[i, j].item():.4g}, got {got[i, j].item():.4g}"
    return show_pair(boxes1[i], boxes2[j], title=f"A = boxes1[{i}], B = boxes2[{j}]{values}")


def kept_of_a_case(boxes: Tensor, scores: Tensor, expected: Tensor, got, labels: Tensor | None = None) -> Figure | None:
    """For a check of NMS: what should stay beside what stayed; None where there is no box, or the answer is no list of indices."""
    good = isinstance(got, Tensor) and got.ndim == 1 and not got.is_floating_point() and got.dtype != torch.bool
    if len(boxes) == 0 or not good or (got.numel() and not 0 <= int(got.min()) <= int(got.max()) < len(boxes)):
        return None
    figure, axes = plt.subplots(1, 2, figsize=(8.4, inches_high(boxes, 4.2)), layout="constrained")
    for ax, kept, title in zip(axes, (expected.tolist(), got.tolist()), ("should stay", "yours keeps"), strict=True):
        show_kept(ax, boxes, scores, kept, f"{title}: {kept}", labels)
    return set_alt(figure, f"{len(boxes)} boxes. Should stay, best first: {expected.tolist()}. Yours keeps: {got.tolist()}.")


def show_kept(ax, boxes: Tensor, scores: Tensor, kept: Sequence[int], title: str, labels: Tensor | None = None) -> None:
    """Boxes that stay with a solid line and their number and score, those that go dotted and thin."""
    frame(ax, boxes, title)
    named: dict[tuple, int] = {}
    for index in [i for i in range(len(boxes)) if i not in kept] + list(kept):
        stays, corner = index in kept, tuple(boxes[index, :2].tolist())
        name = f"#{index} {scores[index]:.2f}" + (f" c{labels[index]}" if labels is not None else "") if stays else f"#{index}"
        line = named[corner] = named.get(corner, -1) + 1  # boxes that share a corner write their names below each other
        draw_box(ax, boxes[index], name, BLUE if stays else GREY, "-" if stays else ":", 2.2 if stays else 1.2, line=line)


def _numbers(box) -> str:
    return "(" + ", ".join(f"{float(v):g}" for v in box) + ")"
