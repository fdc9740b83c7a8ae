"""Starting from what another training learnt: with other classes, with the backbone frozen or not. Taught in notebook 19_yolo.

model, notes = start_from("runs/detect/train/weights/last.pt", classes=("cat", "dog"))
"""

import torch

from .model import YOLO
from .predict import load

STARTS = ("scratch", "finetune", "frozen")


def choose_start(start: str, weights: str) -> str:
    """``scratch``, ``finetune`` or ``frozen``; ``auto`` is ``finetune`` where there are weights.

    Raises:
        ValueError: for another word, or one that contradicts the weights.
    """
    if start not in ("auto", *STARTS):
        raise ValueError(f"start must be auto, {', '.join(STARTS)}, got {start!r}")
    if start == "scratch" and weights:
        raise ValueError(f"start scratch contradicts weights {weights}; leave one out")
    if start in ("finetune", "frozen") and not weights:
        raise ValueError(f"start {start} needs weights to start from; give --weights")
    return ("finetune" if weights else "scratch") if start == "auto" else start


@torch.no_grad()
def start_from(weights: str, classes: tuple[str, ...]) -> tuple[YOLO, list[str]]:
    """A model for ``classes`` that knows what the weights know.

    Everything is taken over but the last layer's channels of classes that the weights have never seen: these begin as in a new
    network. A class that both know, by its name, keeps its channels wherever it stands in the list.

    Args:
        weights: a weights file of ours, or the name of a shipped one, see `load`.

    Returns:
        The model, of the size that the weights have, and sentences on what was kept and what is new.
    """
    source = load(weights).train()
    source.requires_grad_(True)
    kept = [name for name in classes if name in source.classes]
    new = [name for name in classes if name not in source.classes]
    notes = [f"starts from {weights} (size {source.size})"]
    if tuple(classes) == source.classes:
        return source, notes
    model = YOLO(len(classes), source.size)
    last = [branch[-1] for branch in model.head.classes]
    ours = {id(tensor) for layer in last for tensor in layer.state_dict(keep_vars=True).values()}
    theirs = source.state_dict()
    for name, tensor in model.state_dict(keep_vars=True).items():
        if id(tensor) not in ours:
            tensor.copy_(theirs[name])
    for layer, old in zip(last, (branch[-1] for branch in source.head.classes), strict=True):
        for name in kept:
            here, there = classes.index(name), source.classes.index(name)
            layer.weight[here], layer.bias[here] = old.weight[there], old.bias[there]
    notes.append(f"classes kept: {', '.join(kept) or 'none'}; new: {', '.join(new) or 'none'}")
    return model, notes
