"""The folder of a training run: what people look for, where they look for it.

runs/detect/train2/
    args.yaml           every setting, as it was resolved
    results.csv         a row for each epoch
    curves.json         precision-recall curves and the confusion matrix of the last validation
    weights/last.pt     the averaged weights after the last epoch, to load and use
    weights/best.pt     likewise of the epoch with the highest AP on the validation split, where there is one
    checkpoint.pt       all that resuming needs
"""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import torch
import yaml

from ..files import write_atomically, write_text
from .checkpoint import load_checkpoint, save_checkpoint


class Run:
    """One run folder.

    Args:
        folder: existing or not; made when something is written.
        describe: ``describe(model) -> dict`` of what a weights file holds beside and including the weights.
        extra: kept in the checkpoint beside the state, such as the settings that a resumed run must use again.
    """

    def __init__(self, folder: Path, describe: Callable[[torch.nn.Module], dict] | None = None, extra: dict | None = None):
        self.folder = Path(folder)
        self.describe = describe or (lambda model: {"weights": model.state_dict()})
        self.extra = extra or {}

    @classmethod
    def create(cls, project: Path | str = "runs/detect", name: str = "train", **more) -> "Run":
        """A new folder: ``name``, or where that is taken ``name2``, ``name3`` and so on. Two runs never share one."""
        number = 1
        try:
            Path(project).mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError):
            raise ValueError(f"project must be a folder, got {project}, which is a file or lies in one") from None
        while True:
            folder = Path(project) / (name if number == 1 else f"{name}{number}")
            try:
                folder.mkdir()
            except FileExistsError:
                number += 1
                continue
            return cls(folder, **more)

    @property
    def last(self) -> Path:
        return self.folder / "weights" / "last.pt"

    @property
    def best(self) -> Path:
        return self.folder / "weights" / "best.pt"

    @property
    def checkpoint(self) -> Path:
        return self.folder / "checkpoint.pt"

    def save(self, state, better: bool = False) -> None:
        """After an epoch: weights to use, results so far, and last the checkpoint, which says that the epoch is done."""
        self.last.parent.mkdir(parents=True, exist_ok=True)
        if state.rows:
            weights = self.describe(state.ema.model)
            save_checkpoint(self.last, weights)
            if better:
                save_checkpoint(self.best, weights)
        self.write_results(state.rows)
        save_checkpoint(self.checkpoint, {"state": state.to_dict(), **self.extra})

    def save_within_epoch(self, state) -> None:
        """Only the checkpoint, so that little of a long epoch is lost. Weights that are no numbers any more are not written."""
        if all(weight.isfinite().all() for weight in state.model.parameters()):
            save_checkpoint(self.checkpoint, {"state": state.to_dict(), **self.extra})

    def load(self, device="cpu") -> dict:
        """The checkpoint as a dict: ``state`` and what was given as ``extra``."""
        return load_checkpoint(self.checkpoint, device)

    def write_results(self, rows: list[dict]) -> None:
        """``results.csv``; written whole each time, so that a resumed run leaves no epoch twice."""
        columns = list(dict.fromkeys(name for row in rows for name in row))

        def write(path):
            with open(path, "w", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, columns)
                writer.writeheader()
                writer.writerows({k: f"{v:.6g}" if isinstance(v, float) else v for k, v in row.items()} for row in rows)

        write_atomically(self.folder / "results.csv", write)

    def write_settings(self, settings: dict) -> None:
        """``args.yaml``."""
        text = yaml.safe_dump(settings, sort_keys=False, allow_unicode=True)
        write_text(self.folder / "args.yaml", text)

    def write_json(self, name: str, content) -> None:
        """``name`` with ``content``, such as the curves that pictures are drawn from."""
        write_text(self.folder / name, json.dumps(content))


def latest_run(project: Path | str = "runs/detect", name: str | None = None) -> Path:
    """The folder of the run of ``project`` that was worked on last, or of the run called ``name``.

    Raises:
        FileNotFoundError: if there is none, saying where was looked.
    """
    folders = [Path(project) / name] if name else sorted(Path(project).glob("*"))
    found = [folder for folder in folders if (folder / "checkpoint.pt").is_file()]
    if not found:
        raise FileNotFoundError(f"there is no run in {Path(project) / (name or '')}; `coursekit train` makes one")
    return max(found, key=lambda folder: (folder / "checkpoint.pt").stat().st_mtime_ns)
