"""The grid detector trained as the course compares it with the others. Taught in notebook 16_grid_detector."""

import torch

from ..training.detector import fit_detector
from .loss import grid_loss
from .model import GridDetector


def train(samples, seed: int = 0, epochs: int = 20, device: str = "cpu"):
    """Train on scenes such as `coursekit.training.detector.small_world` gives.

    Args:
        samples: map-style, of one size, with ``classes``.
        seed: of weights, order and augmentation.

    Returns:
        ``find(images)``, uint8 (N, 3, H, W) on ``device`` -> one `Detections` each, of all scores above about 0.001.
    """
    torch.manual_seed(seed)
    model = GridDetector(len(samples.classes), stride=8).to(memory_format=torch.channels_last)
    return fit_detector(model, samples, grid_loss, epochs, seed=seed, device=device).model.find
