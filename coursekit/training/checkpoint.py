"""Writing down a training so that nothing is lost, whatever happens. Taught in notebook 05_training_loop."""

import os
import pickle
from pathlib import Path

import torch


def write_atomically(path: Path, write) -> None:
    """Call ``write(temporary_path)``, then rename: a reader sees the old file or the new one, never half of one.

    Args:
        path: the file to make; its folder must exist.
        write: called with a path beside it, writes the whole file there.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        write(temporary)
        with open(temporary, "r+b") as file:  # Windows flushes only what is open for writing
            os.fsync(file.fileno())  # on the disk before the name points to it
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


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
