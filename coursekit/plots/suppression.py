"""Pictures of non-maximum suppression, of matching, and of a first average precision. Taught in notebook 13_boxes."""

from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib.pyplot as plt
import torch
from matplotlib.figure import Figure
from torch import Tensor

from coursekit.boxes import box_iou
from coursekit.plots.boxes import BLUE, GREEN, GREY, ORANGE, draw_box, frame, inches_high
from coursekit.plots.images import set_alt, show_boxes


@dataclass(frozen=True)
class Round:
    """One round of greedy NMS, as indices: kept now, kept before, dropped now, dropped before, still waiting."""

    best: int
    kept: tuple[int, ...]
    dropped_now: tuple[int, ...]
    gone: tuple[int, ...]
    waiting: tuple[int, ...]


def rounds_of_nms(boxes: Tensor, scores: Tensor, iou_threshold: float) -> list[Round]:
    """What greedy NMS does, round by round.

    Args: as for `coursekit.boxes.nms`.
    """
    order = scores.argsort(descending=True, stable=True).tolist()
    rounds: list[Round] = []
    kept: list[int] = []
    gone: list[int] = []
    while order:
        best, rest = order[0], order[1:]
        overlap = box_iou(boxes[[best]], boxes[rest])[0].tolist()
        dropped = [index for index, iou in zip(rest, overlap, strict=True) if iou > iou_threshold]
        order = [index for index in rest if index not in dropped]
        rounds.append(Round(best, tuple(kept), tuple(dropped), tuple(gone), tuple(order)))
        kept.append(best)
        gone.extend(dropped)
    return rounds


def show_rounds(boxes: Tensor, scores: Tensor, iou_threshold: float) -> Figure:
    """Greedy NMS, a picture for each round: the new best thick, kept boxes solid, dropped ones dotted with a cross, waiting ones dashed."""
    rounds = rounds_of_nms(boxes, scores, iou_threshold)
    figure, axes = plt.subplots(1, len(rounds), figsize=(3.8 * len(rounds), inches_high(boxes, 3.8)), layout="constrained", squeeze=False)
    words = []
    for number, (ax, now) in enumerate(zip(axes[0], rounds, strict=True), start=1):
        dropped = ", ".join(f"#{i}" for i in now.dropped_now) or "nobody"
        frame(ax, boxes, f"round {number}: keep #{now.best} ({scores[now.best]:.2f})\ndrops {dropped}")
        for index in now.waiting:
            draw_box(ax, boxes[index], f"#{index} {scores[index]:.2f}", ORANGE, "--", 1.5)
        for index in now.dropped_now:
            draw_box(ax, boxes[index], f"× #{index}", GREY, ":", 1.5)
        for index in now.kept:
            draw_box(ax, boxes[index], f"#{index} kept", GREEN, "-", 1.5)
        draw_box(ax, boxes[now.best], f"#{now.best}", BLUE, "-", 3.5)
        words.append(f"round {number} keeps #{now.best} and drops {dropped}")
    return set_alt(figure, f"Non-maximum suppression at IoU {iou_threshold:g}: {'; '.join(words)}.")


def show_before_after(image: Tensor, panels: dict[str, tuple], classes: Sequence[str], suptitle: str) -> Figure:
    """The same image several times, each time with other detections.

    Args:
        image: uint8 (3, H, W).
        panels: title -> (boxes, scores, labels).
        classes: names of the labels.
    """
    figure, axes = plt.subplots(1, len(panels), figsize=(4.6 * len(panels), 5), layout="constrained", squeeze=False)
    for ax, (title, (boxes, scores, labels)) in zip(axes[0], panels.items(), strict=True):
        show_boxes(image, boxes, labels, scores, classes=classes, ax=ax, title=f"{title}: {len(boxes)} boxes")
    figure.suptitle(suptitle)
    return set_alt(figure, f"{suptitle}. " + "; ".join(f"{title}: {len(p[0])} boxes" for title, p in panels.items()) + ".")


def show_matches(truth: Tensor, boxes: Tensor, scores: Tensor, hits: Sequence[bool], title: str) -> Figure:
    """Objects (thick, grey) and the predictions around them: right ones solid with a tick, wrong ones dashed with a cross."""
    everything = torch.cat((truth, boxes))
    figure, ax = plt.subplots(figsize=(7.5, inches_high(everything, 7.5)), layout="constrained")
    frame(ax, everything, title)
    for index, box in enumerate(truth):
        draw_box(ax, box, "", GREY, "-", 5)
        ax.annotate(
            f"object {'ABCDEFGH'[index]}", (box[0].item(), box[3].item()), xytext=(0, -12), textcoords="offset points", color="#444444"
        )
    ranks = scores.argsort(descending=True, stable=True).tolist()
    for rank, index in enumerate(ranks, start=1):
        hit = hits[rank - 1]
        draw_box(ax, boxes[index], f"{'✓' if hit else '✗'} {rank}. {scores[index]:.2f}", BLUE if hit else ORANGE, "-" if hit else "--")
    words = ", ".join(f"{rank} {'right' if hit else 'wrong'}" for rank, hit in enumerate(hits, start=1))
    return set_alt(figure, f"{title}. {len(truth)} objects; predictions by rank: {words}.")


def show_precision(hits: Sequence[bool], objects: int) -> Figure:
    """Precision at each hit as a bar one object wide; the area of the bars is the average precision.

    Args:
        hits: right or wrong for each prediction, best first.
        objects: how many objects there are.
    """
    precisions = [sum(hits[:rank]) / rank for rank in range(1, len(hits) + 1) if hits[rank - 1]]
    area = sum(precisions) / objects
    figure, ax = plt.subplots(figsize=(5.6, 3.8), layout="constrained")
    ax.bar(range(1, len(precisions) + 1), precisions, width=0.96, color=BLUE, alpha=0.35, edgecolor=BLUE, hatch="//")
    for place, value in enumerate(precisions, start=1):
        ax.text(place, value + 0.02, f"{value:.2f}", ha="center")
    for place in range(len(precisions) + 1, objects + 1):
        ax.text(place, 0.02, "never found\n0", ha="center")
    ax.set(xlim=(0.4, objects + 0.6), ylim=(0, 1.15), xticks=range(1, objects + 1))
    ax.set(xlabel="objects, in the order in which they were found", ylabel="precision at that moment")
    ax.set_title(f"AP = mean of the bars = {area:.3f}")
    listed = ", ".join(f"{p:.2f}" for p in precisions) or "none"
    return set_alt(figure, f"Precision at each of {len(precisions)} hits: {listed}. Averaged over {objects} objects: {area:.3f}.")
