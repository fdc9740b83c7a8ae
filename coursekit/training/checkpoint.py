"""Writing down a training so that nothing is lost, whatever happens. Taught in notebook 05_training_loop."""

from pathlib import Path

import torch

from ..files import write_atomically


def save_checkpoint(path: Path, state: dict) -> None:
    """Write ``state`` (tensors, numbers, strings, lists and dicts of them) to ``path``, atomically.

    Raises:
        OSError: if the disk is full; the file that was there before is kept.
    """

    def write(temporary: Path) -> None:
        try:
            torch.save(state, temporary)
        except RuntimeError as error:  # how torch says that the disk is full
            if "inline_container" not in str(error) and "iostream" not in str(error):
                raise
            raise OSError(f"{path} could not be written (is the disk full?); what was there before is kept") from error

    write_atomically(path, write)


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
    except Exception as error:  # bytes that are no checkpoint raise anything
        torchs_own = isinstance(error, RuntimeError | OSError)  # the others speak of pickle's insides
        why = str(error).splitlines()[0][:120] if torchs_own and str(error) else "it is damaged, or of another program"
        raise ValueError(f"{path} is not a checkpoint that can be read: {why}") from None
