"""Writing files so that nobody ever sees half of one. Every file that coursekit writes for keeps goes through here."""

import json
import os
from collections.abc import Callable
from pathlib import Path


def write_atomically(path: Path | str, write: Callable[[Path], object]) -> None:
    """Let ``write(temporary)`` make the whole file beside its place, then rename it: a reader sees the old file or the new one.

    Args:
        path: the file to make. Its folder is made where it is missing.
        write: called with a path in the same folder; if it raises, the old file stays and nothing else is left behind.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        write(temporary)
        with open(temporary, "rb+") as file:  # Windows flushes only what is open for writing
            os.fsync(file.fileno())  # on the disk before the name points to it
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_bytes(path: Path | str, content: bytes) -> None:
    """Bytes, all or nothing."""
    write_atomically(path, lambda temporary: temporary.write_bytes(content))


def write_text(path: Path | str, content: str) -> None:
    """Text in UTF-8 with the line ends it has, all or nothing."""
    write_bytes(path, content.encode())


def write_json(path: Path | str, value) -> None:
    """A value as JSON that a person can read, all or nothing.

    Raises:
        ValueError: for NaN and infinity, which JSON does not have.
    """
    write_text(path, json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n")
