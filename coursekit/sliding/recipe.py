"""A sliding-window detector from scenes to boxes, in one call. Taught in notebook 14_sliding_window.

>>> find = train(small_world("train", 320))
>>> measure_detector(find, small_world("validation", 100)).summary["AP50"]
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..boxes import box_iou, fast_batched_nms
from ..data.labelled import Labelled
from ..detections import Detections
from ..training.classifier import fit_classifier
from .dense import STRIDE, WINDOW, WindowNet, convolutional
from .heatmap import cells_to_boxes
from .pyramid import pyramid, scales_for
from .windows import crops, windows

MARGIN = 4  # pixels of a window around its sign: a sign fills 32 of 40
SMALLEST, LARGEST = 14, 70  # pixels of the signs in scenes of 128
SCALES = tuple(scales_for(SMALLEST, LARGEST, WINDOW - 2 * MARGIN, step=1.15))
GOOD, BAD = 0.65, 0.45  # a window with this IoU with a sign shows it; below that one it is background; between them nobody knows
POSITIVES, NEAR, FAR, HARD = 16, 8, 16, 16  # windows of each kind that a scene gives, at the most
EPOCHS, LR = 4, 3e-3


@dataclass(frozen=True)
class Slider:
    """A detector made of a classifier: ``slider(images)`` looks at every window of every size.

    Args:
        dense: from (N, 3, h, w) to logits (N, K + 1, rows, columns), the last class background; see `convolutional`.
        scales: of the pyramid.
        stride: from one window to the next in pixels of a level, a multiple of the network's own.
        threshold: lower scores are not reported.
        iou_threshold: of the suppression.
        most: boxes of a picture that go into the suppression, at the most.
    """

    dense: nn.Module
    scales: Sequence[float] = SCALES
    stride: int = STRIDE
    threshold: float = 0.001
    iou_threshold: float = 0.3
    most: int = 500

    def __post_init__(self):
        if self.stride < STRIDE or self.stride % STRIDE:
            raise ValueError(f"stride must be a multiple of the network's own, {STRIDE}, got {self.stride}")

    @torch.no_grad()
    def __call__(self, images: Tensor) -> list[Detections]:
        """uint8 (N, 3, H, W) -> what is found in each, best first, in its pixels."""
        found = [[] for _ in images]
        for level in pyramid(images, self.scales, WINDOW):
            heat = self.dense(level.image).softmax(dim=1)[:, :-1, :: self.stride // STRIDE, :: self.stride // STRIDE]  # (N, K, r, c)
            for own, maps in zip(found, heat, strict=True):
                labels, rows, columns = torch.where(maps >= self.threshold)
                boxes = cells_to_boxes(torch.stack((rows, columns), dim=1), WINDOW, self.stride, MARGIN, level.scale_hw)
                own.append((boxes, maps[labels, rows, columns], labels))
        none = Detections.empty(images.device)
        return [self._suppress(*map(torch.cat, zip(*own, strict=True))) if own else none for own in found]

    def _suppress(self, boxes: Tensor, scores: Tensor, labels: Tensor) -> Detections:
        order = scores.argsort(descending=True, stable=True)[: self.most]
        boxes, scores, labels = boxes[order], scores[order], labels[order]
        return Detections(boxes, scores, labels)[fast_batched_nms(boxes, scores, labels, self.iou_threshold)]


def label_windows(boxes: Tensor, truth_boxes: Tensor, truth_labels: Tensor, background: int) -> Tensor:
    """What each window shows: the class of the sign it fits, ``background``, or -1 where it is neither one nor the other.

    Args:
        boxes: (N, 4) ``xyxy``, where a window's sign would be: without its margin.
        truth_boxes, truth_labels: (M, 4) and (M,), the signs.

    Returns:
        (N,) int64.
    """
    if not len(truth_boxes):
        return torch.full((len(boxes),), background)
    best, which = box_iou(boxes, truth_boxes).max(dim=1)
    unsure = torch.where(best < BAD, background, -1)
    return torch.where(best >= GOOD, truth_labels[which], unsure)


def cut_windows(samples, seed: int = 0, scales: Sequence[float] = SCALES, hard_of: nn.Module | None = None) -> Labelled:
    """Windows of scenes with their labels, cut from the very grid that will be slid over: signs, near misses and plain background.

    Args:
        samples: map-style, of (uint8 (3, H, W), target), with ``classes``.
        seed: of the choice.
        hard_of: a dense network. Instead of all that, the background windows that it is surest to be signs: its false alarms.

    Returns:
        uint8 (N, 3, 40, 40), with one class more than the samples: ``"background"``, the last.
    """
    generator = torch.Generator().manual_seed(seed)
    classes = (*samples.classes, "background")
    pixels, labels = [torch.zeros(0, 3, WINDOW, WINDOW, dtype=torch.uint8)], [torch.zeros(0, dtype=torch.int64)]
    for index in range(len(samples)):
        image, target = samples[index]
        levels = [(level, *_grid_of(level, target, len(classes) - 1, hard_of)) for level in pyramid(image, scales, WINDOW)]
        if not levels:
            continue
        shown, overlap, alarm = (torch.cat([entry[place] for entry in levels]) for place in (2, 3, 4))
        if hard_of is None:
            chosen = _some_of_each(shown, overlap, len(classes) - 1, generator)
        else:
            alarm = torch.where(shown == len(classes) - 1, alarm, -1.0)
            chosen = alarm.argsort(descending=True, stable=True)[:HARD]
            chosen = chosen[alarm[chosen] > 0.05]
        is_chosen, start = torch.zeros(len(shown), dtype=torch.bool), 0
        is_chosen[chosen] = True
        for level, boxes, own, *_ in levels:
            here = is_chosen[start : start + len(boxes)]
            start += len(boxes)
            pixels += crops(level.image, boxes[here], 64)
            labels.append(own[here])
    return Labelled(torch.cat(pixels), torch.cat(labels), classes)


def _grid_of(level, target: dict, background: int, dense: nn.Module | None) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Of each window of a level: its box there, what it shows, its best IoU with a sign, and how sure a network is that it is one."""
    boxes = windows(level.size_hw, WINDOW, STRIDE)
    objects = level.undo(boxes + torch.tensor([MARGIN, MARGIN, -MARGIN, -MARGIN]))
    truth = target["boxes"]
    overlap = box_iou(objects, truth).amax(dim=1) if len(truth) else torch.zeros(len(boxes))
    alarm = torch.zeros(len(boxes))
    if dense is not None:
        device = next(dense.parameters()).device
        with torch.no_grad():
            alarm = dense(level.image[None].to(device)).softmax(dim=1)[0, :-1].amax(dim=0).flatten().cpu()
    return boxes, label_windows(objects, truth, target["labels"], background), overlap, alarm


def _some_of_each(shown: Tensor, overlap: Tensor, background: int, generator: torch.Generator) -> Tensor:
    """Places of a few windows with a sign, of a few that nearly have one, and of a few without."""
    empty = shown == background
    kinds = ((shown >= 0) & ~empty, POSITIVES), (empty & (overlap > 0.1), NEAR), (empty & (overlap <= 0.1), FAR)
    chosen = []
    for kind, most in kinds:
        there = torch.where(kind)[0]
        chosen.append(there[torch.randperm(len(there), generator=generator)[:most]])
    return torch.cat(chosen)


def train(samples, seed: int = 0, epochs: int | None = None, device: str = "cpu") -> Slider:
    """A classifier trained on windows of these scenes, trained on with its own false alarms, and made to slide densely.

    Args:
        samples: a `SignScenes` or `CachedDataset` with ``classes``.
        seed: of weights, windows and order.
        epochs: of each of the two trainings.
        device: to train and to find on.

    Returns:
        ``find(images)``: uint8 (N, 3, H, W) on the device -> one `Detections` each, all scores above 0.001.
    """
    epochs = EPOCHS if epochs is None else epochs
    with torch.random.fork_rng(devices=[]):  # the caller's dice stay as they lie
        torch.manual_seed(seed)
        model = WindowNet(len(samples.classes) + 1).to(device)
        cut = cut_windows(samples, seed)
        fit_classifier(model, cut, epochs=epochs, lr=LR, seed=seed)
        hard = cut_windows(samples, seed, hard_of=convolutional(model))
        both = Labelled(torch.cat((cut.images, hard.images)), torch.cat((cut.labels, hard.labels)), cut.classes)
        fit_classifier(model, both, epochs=epochs, lr=LR, seed=seed + 1)
        return Slider(convolutional(model))
