"""Writing down a training so that nothing is lost, whatever happens. Taught in notebook 05_training_loop."""

import pickle
from pathlib import Path

import torch

from ..files import write_atomically


def save_checkpoint(path: Path, state: dict) -> None:
    """Write ``state`` (tensors, numbers, strings, lists and dicts of them) to ``path``, atomically."""
    write_atomically(path, lambda temporary: torch.save(state, temporary))


def load_checkpoint(path: Path, device="cpu") -> dict:
    """Read what `save_checkpoint` wrote. Only tensors and plain values are read, so a file from a stranger can run nothing.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is no checkpoint, or damaged.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no checkpoint {path}")
    try:
        return torch.load(path, map_location=device, weights_only=True)
    except (RuntimeError, EOFError, pickle.UnpicklingError, KeyError) as error:
        why = (str(error) or type(error).__name__).splitlines()[0][:120]
        raise ValueError(f"{path} is not a checkpoint that can be read: {why}") from None
