"""How this course trains a two-stage detector: from samples to a function that finds. Taught in notebook 18_two_stage; benchmarks use it.

>>> find = train(small_world("train", 320), seed=0)
>>> measure_detector(find, small_world("validation", 100)).summary["AP"]
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from ..detections import Detections
from ..models.resnet import ResNet
from ..models.signs_backbone import load_backbone, signs_network
from ..one_stage.pyramid import PyramidBackbone
from ..training.detector import NAMES, Fitted, fit_detector
from ..training.transfer import freeze
from .detector import TwoStage, two_stage_loss
from .with_torchvision import faster_rcnn

KINDS = ("two-stage", "torchvision faster r-cnn")
STARTS = ("scratch", "frozen", "fine-tuned", "weaker")
EPOCHS = 12


def first_network(start: str) -> ResNet:
    """The classifier under the detector, by how it begins.

    Args:
        start: ``"scratch"``: random weights. ``"fine-tuned"`` and ``"frozen"``: the course's backbone, which knows ten signs; frozen, it
            stays as it is. ``"weaker"``: random weights and half of the channels.

    Raises:
        ValueError: for another word.
    """
    if start not in STARTS:
        raise ValueError(f"start must be one of {', '.join(STARTS)}, got {start!r}")
    if start in ("frozen", "fine-tuned"):
        return load_backbone()
    return signs_network(width=0.125 if start == "weaker" else 0.25)


def fit_two_stage(
    samples, seed: int = 0, epochs: int = EPOCHS, device: str = "cpu", start: str = "scratch", classes: int = len(NAMES), **options
) -> Fitted:
    """Our detector, trained.

    Args:
        samples: as `coursekit.training.detector.fit_detector` takes them.
        seed: of weights, order, augmentation, and of which boxes are asked.
        start: see `first_network`.
        options: of `TwoStage`.
    """
    torch.manual_seed(seed)
    backbone = PyramidBackbone(first_network(start))
    model = TwoStage(backbone, classes, **options).to(memory_format=torch.channels_last)
    if start == "frozen":
        freeze(backbone.stages)  # the pyramid on top learns: it is new
    loss_of = partial(two_stage_loss, generator=torch.Generator().manual_seed(seed))
    return fit_detector(model, samples, loss_of, epochs, seed=seed, device=device)


def fit_torchvision(
    samples, seed: int = 0, epochs: int = EPOCHS, device: str = "cpu", start: str = "scratch", classes: int = len(NAMES)
) -> Fitted:
    """torchvision's Faster R-CNN on the same backbone, trained by the same loop. Arguments as for `fit_two_stage`."""
    torch.manual_seed(seed)
    backbone = PyramidBackbone(first_network(start), named=True)
    model = faster_rcnn(backbone, classes, samples[0][0].shape[-1]).to(memory_format=torch.channels_last)
    if start == "frozen":
        freeze(backbone.stages)
    return fit_detector(model, samples, lambda m, x, targets: m(x, targets), epochs, seed=seed, device=device)


def train(
    samples, seed: int = 0, epochs: int = EPOCHS, device: str = "cpu", kind: str = "two-stage", start: str = "scratch"
) -> Callable[[Tensor], list[Detections]]:
    """A trained detector: ``find(images)``, uint8 (N, 3, H, W) on ``device`` -> one `Detections` each, scores above 0.001.

    Args:
        kind: ``"two-stage"``, ours, or ``"torchvision faster r-cnn"``.
        start: see `first_network`.

    Raises:
        ValueError: for another kind.
    """
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {kind!r}")
    fit = fit_two_stage if kind == "two-stage" else fit_torchvision
    return fit(samples, seed, epochs, device, start).model.find
