"""Going on from what another training learnt. Taught in notebook 12_transfer.

Works on any model with ``features(images)``, ``backbone`` and ``head``, as those of `coursekit.models` have. The detector's own way is
`coursekit.yolo.finetune`.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn


def freeze(module: nn.Module) -> nn.Module:
    """Let a part of a network be as it is: its weights get no gradient, its normalisations keep their averages.

    Without the second, a "frozen" batch normalisation goes on learning: in train mode it normalises by the batch, and moves its running
    averages with each. So the part stays in eval mode, also when ``train()`` is called on the network around it.

    Returns:
        The module itself.
    """
    module.requires_grad_(False).eval()
    module.train = lambda mode=True: module  # found before the class's own method; its children are not reached either
    return module


def replace_head(model: nn.Module, num_classes: int) -> nn.Module:
    """The same network with a new, random last layer for other classes, in place of the old one.

    Args:
        model: with a linear layer called ``head``.
        num_classes: at least 1.

    Returns:
        The model itself; everything but its head is as it was.

    Raises:
        ValueError: if num_classes is below 1, or the head is no linear layer.
    """
    if num_classes < 1:
        raise ValueError(f"num_classes must be at least 1, got {num_classes}")
    if not isinstance(getattr(model, "head", None), nn.Linear):
        raise ValueError(f"model must have a linear layer called head, got {type(getattr(model, 'head', None)).__name__}")
    old = model.head
    model.head = nn.Linear(old.in_features, num_classes, bias=old.bias is not None).to(old.weight)
    return model


def parameter_groups(model: nn.Module, lr: float, backbone_factor: float = 0.1) -> list[dict]:
    """Groups for an optimiser: the new head at ``lr``, everything that has learnt before at ``lr * backbone_factor``.

    What is frozen (``requires_grad`` False) is in neither group. A group without parameters is left out.

    Args:
        model: with a part called ``head``.
        lr: above 0.
        backbone_factor: 0 or more, usually 0.01 to 0.3.

    Returns:
        ``[{"params": [...], "lr": lr * backbone_factor}, {"params": [...], "lr": lr}]``.

    Raises:
        ValueError: for rates that are none, or where nothing is left to learn.
    """
    if not lr > 0 or not backbone_factor >= 0:
        raise ValueError(f"lr must be above 0 and backbone_factor at least 0, got {lr} and {backbone_factor}")
    head = {id(parameter) for parameter in model.head.parameters()}
    groups = [{"params": [], "lr": lr * backbone_factor}, {"params": [], "lr": lr}]
    for parameter in model.parameters():
        if parameter.requires_grad:
            groups[id(parameter) in head]["params"].append(parameter)
    groups = [group for group in groups if group["params"]]
    if not groups:
        raise ValueError("model must have something left to learn: every parameter is frozen")
    return groups


@torch.no_grad()
def features(model: Callable[[Tensor], Tensor], images: Tensor, batch: int = 256) -> Tensor:
    """What ``model.features`` makes of the images, batch by batch, in eval mode: (N, C, H, W) -> (N, D) on the model's device."""
    was_training, device = model.training, next(model.parameters()).device
    model.eval()
    found = [model.features(part.to(device)) for part in images.split(batch)]
    model.train(was_training)
    return torch.cat(found)


def linear_probe(train_features: Tensor, train_labels: Tensor, test_features: Tensor, num_classes: int, ridge: float = 1.0) -> Tensor:
    """Scores of the best linear layer on top of fixed features, in one step: least squares on one-hot labels, with a ridge.

    No learning rate, no epochs, no luck: the quickest honest question to a backbone. The offset is found first, from the means, and is
    not punished by the ridge.

    Args:
        train_features: (N, D) float, N at least 1. train_labels: (N,) int64.
        test_features: (M, D).
        ridge: above 0; the larger, the smaller the weights.

    Returns:
        (M, num_classes); ``argmax`` of a row is the answer. Equal to ``sklearn.linear_model.Ridge(alpha=ridge)`` on one-hot labels.

    Raises:
        ValueError: if shapes do not fit, ridge is not above 0, or a label is out of range.
    """
    if train_features.ndim != 2 or len(train_features) == 0 or train_labels.shape != train_features.shape[:1]:
        raise ValueError(f"train_features must be (N, D) with N labels, got {tuple(train_features.shape)} and {tuple(train_labels.shape)}")
    if test_features.ndim != 2 or test_features.shape[1] != train_features.shape[1]:
        raise ValueError(f"test_features must be (M, {train_features.shape[1]}), got {tuple(test_features.shape)}")
    if not ridge > 0:
        raise ValueError(f"ridge must be above 0, got {ridge}")
    if not 0 <= int(train_labels.min()) <= int(train_labels.max()) < num_classes:
        raise ValueError(f"train_labels must lie in 0..{num_classes - 1}, got {int(train_labels.min())}..{int(train_labels.max())}")
    x = train_features.to(torch.float64)
    y = torch.nn.functional.one_hot(train_labels, num_classes).to(torch.float64)
    mean_x, mean_y = x.mean(dim=0), y.mean(dim=0)
    centred = x - mean_x  # (N, D)
    gram = centred.T @ centred + ridge * torch.eye(x.shape[1], dtype=torch.float64, device=x.device)  # (D, D)
    weights = torch.linalg.solve(gram, centred.T @ (y - mean_y))  # (D, K)
    return ((test_features.to(torch.float64) - mean_x) @ weights + mean_y).to(train_features.dtype)
