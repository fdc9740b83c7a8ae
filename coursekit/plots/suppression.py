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
from coursekit.plots.live import Live, png


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


@dataclass(frozen=True)
class Suppressed:
    """What two thresholds make of some boxes, as indices.

    Args:
        kept: best first.
        dropped: (index, by whom, IoU of the two) of each box that NMS dropped, in the order in which they fell.
        unsure: those below the confidence threshold, which NMS never saw.
    """

    kept: tuple[int, ...]
    dropped: tuple[tuple[int, int, float], ...]
    unsure: tuple[int, ...]

    def __str__(self):
        fell = ", ".join(f"#{index} to #{by} (IoU {iou:.2f})" for index, by, iou in self.dropped) or "none"
        unsure = ", ".join(f"#{index}" for index in self.unsure) or "none"
        return f"{len(self.kept)} stay: {', '.join(f'#{i}' for i in self.kept) or 'none'}; dropped: {fell}; too unsure: {unsure}"


def suppress(boxes: Tensor, scores: Tensor, iou_threshold: float, confidence: float = 0.0) -> Suppressed:
    """Confidence threshold, then greedy NMS.

    Args:
        boxes, scores, iou_threshold: as for `coursekit.boxes.nms`, of one class.
        confidence: a score of at least this stays in the game.

    Raises:
        ValueError: if a threshold is not in [0, 1].
    """
    for name, value in (("iou_threshold", iou_threshold), ("confidence", confidence)):
        if not 0 <= value <= 1:
            raise ValueError(f"{name} must be in [0, 1], got {value}")
    sure = torch.where(scores >= confidence)[0]
    rounds = rounds_of_nms(boxes[sure], scores[sure], iou_threshold)
    overlap, place = box_iou(boxes, boxes), sure.tolist()
    dropped = [(place[i], place[r.best], float(overlap[place[i], place[r.best]])) for r in rounds for i in r.dropped_now]
    unsure = torch.where(scores < confidence)[0].tolist()
    return Suppressed(tuple(place[r.best] for r in rounds), tuple(dropped), tuple(unsure))


def draw_suppressed(ax, boxes: Tensor, scores: Tensor, iou_threshold: float, confidence: float) -> Suppressed:
    """Those that stay solid, dropped ones dotted with a cross, unsure ones thin and without a name."""
    state = suppress(boxes, scores, iou_threshold, confidence)
    frame(ax, boxes, f"IoU {iou_threshold:.2f}, confidence {confidence:.2f}\n{len(state.kept)} of {len(boxes)} stay")
    for index in state.unsure:
        draw_box(ax, boxes[index], "", GREY, ":", 0.8)
    for index, _, _ in state.dropped:
        draw_box(ax, boxes[index], f"× #{index}", ORANGE, ":", 1.5)
    for index in reversed(state.kept):
        draw_box(ax, boxes[index], f"#{index} {scores[index]:.2f}", BLUE, "-", 2.2)
    return state


def suppression_picture(boxes: Tensor, scores: Tensor, thresholds: Sequence[tuple[float, float]]) -> Figure:
    """The same boxes under several pairs (IoU threshold, confidence), side by side."""
    figure, axes = plt.subplots(
        1, len(thresholds), figsize=(3.9 * len(thresholds), 0.4 + inches_high(boxes, 3.9)), layout="constrained", squeeze=False
    )
    states = [draw_suppressed(ax, boxes, scores, *pair) for ax, pair in zip(axes[0], thresholds, strict=True)]
    figure.suptitle("Two thresholds: solid stays, dotted with × was dropped, thin is too unsure", fontsize=10)
    words = ". ".join(f"IoU {iou:.2f}, confidence {c:.2f}: {state}" for (iou, c), state in zip(thresholds, states, strict=True))
    return set_alt(figure, f"{len(boxes)} boxes under {len(thresholds)} pairs of thresholds. {words}.")


def drag_suppression(boxes: Tensor, scores: Tensor, iou_threshold: float = 0.5, confidence: float = 0.0) -> Live:
    """Two sliders, for the IoU threshold of NMS and for the confidence, above the picture; three pairs side by side where nothing moves.

    Args: as for `suppress`; where the sliders stand first.
    """

    def render(iou: float, sure: float) -> tuple[bytes, str]:
        figure, ax = plt.subplots(figsize=(5.2, 0.5 + inches_high(boxes, 5.2)), layout="constrained")
        state = draw_suppressed(ax, boxes, scores, iou, sure)
        return png(figure), str(state)

    def make_widget():
        import ipywidgets

        iou, sure = (
            ipywidgets.FloatSlider(value, min=0, max=1, step=0.05, description=name, layout={"width": "420px"})
            for name, value in (("IoU", iou_threshold), ("confidence", confidence))
        )
        picture, words = render(iou_threshold, confidence)
        shown, line = ipywidgets.Image(value=picture, format="png"), ipywidgets.HTML(words)

        def moved(_):
            shown.value, line.value = render(round(iou.value, 2), round(sure.value, 2))

        for slider in (iou, sure):
            slider.observe(moved, names="value")
        return ipywidgets.VBox([iou, sure, line, shown], layout={"align_items": "flex-start"})

    pairs = [(0.1, confidence), (iou_threshold, confidence), (0.9, confidence)]
    words = f"IoU threshold {iou_threshold:.2f}, confidence {confidence:.2f}: {suppress(boxes, scores, iou_threshold, confidence)}"
    return Live(make_widget, suppression_picture(boxes, scores, pairs), words)


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
