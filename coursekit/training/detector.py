"""A small detector of any kind, from random weights to its AP, in one call each. Used by notebooks 14_sliding_window to 18_two_stage.

Every detector of the course is trained and measured on the same small world, so that their numbers may stand in one table:

    >>> training, validation = small_world("train", 320), small_world("validation", 100)
    >>> fitted = fit_detector(model, training, loss_of, epochs=12)
    >>> measured = measure_detector(fitted.model.find, validation)
    >>> measured.summary["AP"], measured.milliseconds
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

import torch
from torch import Tensor, nn

from ..boxes import clip_boxes_to_image
from ..data.loader import Batches, CachedDataset
from ..data.signs import SignScenes
from ..data.transforms import Augment
from ..detections import Detections
from ..metrics.detection import CocoResult, evaluate_samples
from .device import Compute
from .ema import EMA
from .loop import State, train_epoch
from .schedule import warmup_cosine

SIZE, NAMES = 128, ("stop", "priority_road", "no_entry", "keep_right")
SEEDS = {"train": 0, "validation": 1}


def small_world(split: str, length: int, **knobs) -> SignScenes:
    """Easy scenes of 128 pixels with up to three signs of four classes; the pictures that notebook 19_yolo trains on, too.

    Args:
        split: ``"train"`` or ``"validation"``: other seeds.
        length: number of scenes. knobs: as `SignScenes` takes them; ``difficulty`` and ``size`` too.
    """
    if split not in SEEDS:
        raise ValueError(f"split must be one of {', '.join(SEEDS)}, got {split!r}")
    return SignScenes(length, **{"seed": SEEDS[split], "size": SIZE, "difficulty": "easy", "classes": NAMES} | knobs)


@dataclass(frozen=True)
class Fitted:
    """A trained detector.

    Args:
        model: the average of the weights, in eval mode, on the device it was trained on.
        last: the weights of the last step.
        history: the mean of each part of the loss, one dict an epoch.
        seconds: that the training took.
    """

    model: nn.Module
    last: nn.Module
    history: list[dict[str, float]]
    seconds: float


def fit_detector(
    model: nn.Module,
    samples,
    loss_of: Callable[[nn.Module, Tensor, list[dict]], dict[str, Tensor]],
    epochs: int,
    batch: int = 8,
    lr: float = 2e-3,
    weight_decay: float = 0.05,
    mosaic: float = 0.5,
    seed: int = 0,
    device: str = "cpu",
    told: Callable[[dict], None] = lambda row: None,
) -> Fitted:
    """AdamW with a warm-up over a tenth of the steps, then a cosine; averaged weights; mosaics but for the last 15 % of the epochs.

    Args:
        model: takes uint8 (N, 3, H, W) itself; what has ``requires_grad`` False stays as it is.
        samples: map-style, of one size: a `SignScenes`, or a `CachedDataset` that other trainings share.
        loss_of: ``loss_of(model, images, targets)`` with uint8 images and one dict of boxes and labels each -> the parts of the loss by
            name; the one called ``loss`` is what is minimised. In train mode.
        told: called after each epoch with its row of ``history``.
        seed: of order and augmentation; weights are drawn before, by whoever made the model.
    """
    begin, compute = time.perf_counter(), Compute(device, "float32", torch.get_num_threads())
    cached = samples if isinstance(samples, CachedDataset) else CachedDataset(samples, samples[0][0].shape[1:])
    batches = Batches(cached, batch, seed)
    model = model.to(device)
    trained = [p for p in model.parameters() if p.requires_grad]
    state = State(model, EMA(model, decay=0.98, tau=60.0), torch.optim.AdamW(trained, lr, betas=(0.9, 0.99), weight_decay=weight_decay))
    total, history = epochs * len(batches), []
    for epoch in range(epochs):
        batches.augment = Augment(mosaic=mosaic if epoch < 0.85 * epochs else 0.0, horizontal=0.0)  # a mirrored arrow is another sign
        row = train_epoch(
            state,
            ((images.to(device), [_on(target, device) for target in targets]) for images, targets in batches.epoch(epoch)),
            lambda images, targets: loss_of(model, images, targets),
            lambda step: lr * warmup_cosine(step, total, max(1, total // 10)),
            compute,
            clip=10.0,
            tick=lambda: None,
            forward=lambda images: images,  # the loss calls the model: some detectors want the targets as well
        )
        history.append(row)
        told(row)
    return Fitted(state.ema.model.eval(), model.eval(), history, time.perf_counter() - begin)


def _on(target: dict, device: str) -> dict:
    return {name: value.to(device) if isinstance(value, Tensor) else value for name, value in target.items()}


@dataclass(frozen=True)
class Measured:
    """What a detector is worth.

    Args:
        summary: COCO's twelve numbers by name, ``"AP"`` and ``"AP50"`` among them.
        result: all that `coursekit.metrics.detection` says.
        found, targets: for each picture.
        milliseconds: for one picture alone, the median.
    """

    summary: dict[str, float]
    result: CocoResult
    found: list[Detections]
    targets: list[dict]
    milliseconds: float


@torch.no_grad()
def measure_detector(
    find: Callable[[Tensor], Sequence[Detections]], samples, classes: Sequence[str] = NAMES, device: str = "cpu", timed: int = 20
) -> Measured:
    """AP over ``samples``, and the time of one picture from uint8 to boxes, which are cut at the picture's edges as the truth is.

    Args:
        find: ``find(images)``, uint8 (N, 3, H, W) -> one `Detections` each, of all scores above about 0.001: a threshold costs AP.
        samples: map-style, of (uint8 (3, H, W), target).
        timed: pictures whose time is taken; each picture is looked at alone, as a camera would give it.
    """
    found, targets, seconds = [], [], []
    find(samples[0][0][None].to(device))  # the first call pays for what later ones find ready
    for index in range(len(samples)):
        image, target = samples[index]
        begin = time.perf_counter()
        (one,) = find(image[None].to(device))
        one = Detections(
            clip_boxes_to_image(one.boxes.cpu(), tuple(image.shape[1:])), one.scores.cpu(), one.labels.cpu()
        )  # waits for a GPU
        seconds.append(time.perf_counter() - begin)
        found.append(one)
        targets.append(target)
    result = evaluate_samples(targets, found, classes)
    return Measured(result.summary, result, found, targets, 1000 * median(seconds[:timed]))
