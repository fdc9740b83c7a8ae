"""A one-stage detector from scenes to boxes in one call, as notebook 17_one_stage trains it and the benchmarks compare it."""

from collections.abc import Callable

import torch
from torch import Tensor

from ..detections import Detections
from ..models.signs_backbone import load_backbone, signs_network
from ..training.detector import fit_detector
from .retina import RetinaNet, retina_loss
from .with_torchvision import torchvision_retina, torchvision_ssd

KINDS = ("retina", "torchvision retina", "torchvision ssd")


def train(
    samples, seed: int = 0, epochs: int = 12, device: str = "cpu", kind: str = "retina", pretrained: bool = True
) -> Callable[[Tensor], list[Detections]]:
    """A detector, trained.

    Args:
        samples: map-style, square pictures of one size with ``classes``: `coursekit.training.detector.small_world`.
        kind: one of ``KINDS``: our RetinaNet, or one of torchvision's on the same backbone.
        pretrained: begin with the backbone that the course ships, which knows ten kinds of signs; otherwise with random weights.
        seed: of the new weights, the order and the augmentation.

    Returns:
        ``find(images)``: uint8 (N, 3, H, W) on ``device`` -> N `Detections` of all scores above 0.001.

    Raises:
        ValueError: for another kind.
    """
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {kind!r}")
    torch.manual_seed(seed)
    network, classes, side = load_backbone() if pretrained else signs_network(), len(samples.classes), samples[0][0].shape[-1]
    if kind == "retina":
        model = RetinaNet(classes, network)
        fitted = fit_detector(model, samples, lambda m, x, targets: retina_loss(m(x), targets), epochs, seed=seed, device=device)
    else:
        make = torchvision_retina if kind == "torchvision retina" else torchvision_ssd
        fitted = fit_detector(make(classes, network, side), samples, lambda m, x, targets: m(x, targets), epochs, seed=seed, device=device)
    return fitted.model.find
