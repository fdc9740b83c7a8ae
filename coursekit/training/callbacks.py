"""What happens after each epoch besides training: a log, the best weights, and all that resuming needs. Taught in 05_training_loop.

A callback is anything that can be called with an epoch's row, a dict such as ``{"epoch": 3, "val/accuracy": 0.97}``:

    >>> log, best = CsvLog(folder), BestCheckpoint(folder / "best.pt", model)
    >>> fit_classifier(model, train, val, told=lambda row: [log(row), best(row)])
"""

from collections.abc import Iterable
from pathlib import Path

import torch
from torch import nn

from .checkpoint import load_checkpoint, save_checkpoint
from .run import Run


class CsvLog:
    """Keeps ``results.csv`` in a folder up to date: the whole file again after each epoch, so that nobody ever reads half a row.

    Args:
        folder: made where it is missing.
        rows: of epochs that were done before, where a training is resumed.
    """

    def __init__(self, folder: Path | str, rows: Iterable[dict] = ()):
        self.run, self.rows = Run(Path(folder)), [*rows]

    def __call__(self, row: dict) -> None:
        self.rows.append(row)
        self.run.write_results(self.rows)


class BestCheckpoint:
    """Writes the weights down whenever a number is higher than ever before.

    Args:
        path: of the file; the better one replaces it.
        model: whose weights.
        settings: what somebody needs to build the same network, plain values; written beside the weights.
        key: of the row, which number decides. An epoch where it is missing is not looked at.

    ``best`` is the highest value, ``epoch`` the row's epoch that had it.
    """

    def __init__(self, path: Path | str, model: nn.Module, settings: dict | None = None, key: str = "val/accuracy"):
        self.path, self.model, self.settings, self.key = Path(path), model, settings or {}, key
        self.best, self.epoch = -float("inf"), None

    def __call__(self, row: dict) -> None:
        if row.get(self.key, -float("inf")) > self.best:
            self.best, self.epoch = row[self.key], row.get("epoch")
            content = {"settings": self.settings, "weights": self.model.state_dict(), "epoch": self.epoch, self.key: self.best}
            save_checkpoint(self.path, content)


def save_training(
    path: Path | str, model: nn.Module, optimizer: torch.optim.Optimizer, generator: torch.Generator, rows: list[dict]
) -> None:
    """Write down everything that changes while a model is trained, between two epochs.

    Args:
        generator: that orders the batches.
        rows: of the finished epochs.
    """
    parts = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "rows": rows}
    dice = {"generator": generator.get_state(), "global": torch.get_rng_state()}  # the global one is what dropout draws from on a CPU
    save_checkpoint(Path(path), {**parts, "dice": dice})


def load_training(path: Path | str, model: nn.Module, optimizer: torch.optim.Optimizer, generator: torch.Generator) -> list[dict]:
    """Put everything back as it was when `save_training` wrote it, and give the rows of the finished epochs.

    The model goes on with the same weights as if it had never been interrupted: bit for bit on a CPU.

    Raises:
        FileNotFoundError, ValueError: as `load_checkpoint`.
        RuntimeError: torch's own, if the model is another one than was saved.
    """
    saved = load_checkpoint(Path(path), next(model.parameters()).device)
    model.load_state_dict(saved["model"])
    optimizer.load_state_dict(saved["optimizer"])
    generator.set_state(saved["dice"]["generator"].cpu())
    torch.set_rng_state(saved["dice"]["global"].cpu())
    return saved["rows"]
