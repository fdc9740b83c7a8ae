"""Trainings whose one step may be a patient's: by heart on one batch, or on the small world. Taught in notebook 21_bug_clinic."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from ..data.loader import CachedDataset
from ..detections import Detections
from ..training.detector import NAMES, SIZE
from ..yolo.assign import assign
from ..yolo.decode import decode, detections
from ..yolo.loss import CLASS_GAIN, detection_loss
from ..yolo.model import YOLO, Raw
from . import steps


def new_model(seed: int = 0) -> YOLO:
    """The engine's small detector for the classes of the small world, its weights drawn from this seed."""
    torch.manual_seed(seed)
    model = YOLO(len(NAMES)).to(memory_format=torch.channels_last)
    model.classes, model.imgsz = NAMES, SIZE
    return model


def loss_with(class_loss: Callable = steps.class_loss) -> Callable:
    """The detector's loss with another class part: ``loss_of(model, images, targets)`` -> its parts by name, ``loss`` among them.

    The box part, and which cell answers for which object, are the engine's.
    """

    def loss_of(model, images: Tensor, targets: list[dict]) -> dict[str, Tensor]:
        raw = model(images)
        still = Raw(raw.logits.detach(), raw.sides, raw.centres, raw.strides)
        parts = detection_loss(still, targets)  # only the box part of it has a slope
        boxes, scores = decode(still)
        plans = [assign(s, b.detach(), raw.centres, t["boxes"], t["labels"]) for s, b, t in zip(scores, boxes, targets, strict=True)]
        what = class_loss(raw.logits, torch.stack([plan.targets for plan in plans]))
        loss = parts["loss"] - CLASS_GAIN * parts["class"] + CLASS_GAIN * what
        return {"loss": loss, "class": what.detach(), "box": parts["box"]}

    return loss_of


def mirroring(augment: Callable = steps.augment, seed: int = 0) -> Callable:
    """The engine's loss on pictures of which every second one, by chance, is mirrored by ``augment`` first."""
    generator = torch.Generator().manual_seed(seed)

    def loss_of(model, images: Tensor, targets: list[dict]) -> dict[str, Tensor]:
        pairs = []
        for image, target in zip(images.cpu(), targets, strict=True):
            chance = torch.rand(2, generator=generator).tolist()
            picture, boxes = augment(image, target["boxes"].cpu(), chance[0] < 0.5, 0.8 + 0.4 * chance[1])
            pairs.append((picture, {**target, "boxes": boxes.to(images.device)}))
        return detection_loss(model(torch.stack([picture for picture, _ in pairs]).to(images.device)), [target for _, target in pairs])

    return loss_of


class Nudged(CachedDataset):
    """Samples kept in memory, and moved by up to ``most`` pixels whenever they are asked for.

    Args:
        dataset: map-style, of pictures of one size. nudge: see `steps.nudge`. seed: of the movements.
    """

    def __init__(self, dataset, nudge: Callable = steps.nudge, most: int = 4, seed: int = 0):
        super().__init__(dataset, tuple(dataset[0][0].shape[1:]))
        self.nudge, self.most, self.generator = nudge, most, torch.Generator().manual_seed(seed)

    def __getitem__(self, index: int) -> tuple[Tensor, dict]:
        image, target = super().__getitem__(index)
        dx, dy = (torch.randint(2 * self.most + 1, (2,), generator=self.generator) - self.most).tolist()
        image, boxes = self.nudge(image, target["boxes"], dx, dy)
        return image, {**target, "boxes": boxes}


def overfit(
    images: Tensor,
    targets: list[dict],
    loss_of: Callable | None = None,
    training_step: Callable = steps.training_step,
    steps_: int = 60,
    seed: int = 0,
    lr: float = 2e-3,
) -> tuple[YOLO, list[float]]:
    """Learn one batch by heart: a new model, trained on nothing else. What works brings the loss far down.

    Args:
        images: (B, 3, H, W) uint8. targets: B dicts.
        loss_of: ``loss_of(model, images, targets)`` -> dict of parts, ``loss`` among them.
        training_step: see `steps.training_step`.

    Returns:
        The model in eval mode, and the loss before each step.
    """
    model = new_model(seed).to(images.device).train()
    optimiser = torch.optim.AdamW(model.parameters(), lr=lr, betas=(0.9, 0.99))
    parts = loss_of or engine_loss
    total = lambda *arguments: parts(*arguments)["loss"]  # noqa: E731
    losses = [training_step(model, optimiser, images, targets, total) for _ in range(steps_)]
    return settle(model, images), losses


@torch.no_grad()
def settle(model: YOLO, images: Tensor) -> YOLO:
    """Set the averages of batch normalisation to what these images give, which after a few dozen steps they are not yet; then eval mode."""
    norms = [(part, part.momentum) for part in model.modules() if isinstance(part, nn.BatchNorm2d)]
    for part, _ in norms:
        part.momentum = 1.0  # forget everything before
    model.train()(images)
    for part, momentum in norms:
        part.momentum = momentum
    return model.eval()


def engine_loss(model, images: Tensor, targets: list[dict]) -> dict[str, Tensor]:
    """The engine's own loss in the form that `fit_detector` and `overfit` take."""
    return detection_loss(model(images), targets)


@torch.no_grad()
def find(model: YOLO, images: Tensor) -> list[Detections]:
    """What a model in eval mode finds, every score above 0.001."""
    return [Detections(one.boxes.cpu(), one.scores.cpu(), one.labels.cpu()) for one in detections(model(images), confidence=0.001)]
