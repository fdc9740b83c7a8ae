"""The sources of coursekit that a grade depends on, kept with the assignment: a regrade next year gives the same marks.

Only sources. No reference reads a file of data (a test holds that).
"""

import hashlib
import os
from pathlib import Path

import coursekit

FOLDER = "frozen"
PACKAGE = Path(coursekit.__file__).parent
PACKED = ("_data", "_notebooks", "_solutions")  # what a wheel holds beside the sources


def sources(package: Path = PACKAGE) -> dict[str, bytes]:
    """Every Python source of a package's folder (the installed one's by default), by the path that it has under ``frozen/``."""
    found = {}
    for path in sorted(package.rglob("*.py")):
        inside = path.relative_to(package)
        if inside.parts[0] not in PACKED and "__pycache__" not in inside.parts:
            found[f"coursekit/{inside.as_posix()}"] = path.read_bytes()
    return found


def hashes(sources: dict[str, bytes]) -> dict[str, str]:
    """SHA-256 of each."""
    return {name: hashlib.sha256(content).hexdigest() for name, content in sources.items()}


def write(folder: Path, sources: dict[str, bytes]) -> None:
    """Write them under ``folder/frozen``, for the owner's eyes only."""
    for name, content in sources.items():
        target = folder / FOLDER / name
        for part in [*reversed(target.relative_to(folder).parents)][1:]:
            (folder / part).mkdir(mode=0o700, exist_ok=True)
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)


def problem(folder: Path, expected: dict[str, str]) -> str | None:
    """One sentence on the first file under ``folder/frozen`` that is not as it was; None if all are."""
    root = folder / FOLDER
    for name, sha256 in expected.items():
        path = root / name
        if path.is_symlink() or not path.is_file():
            return f"{path} is missing: take the copy of the assignment that you kept"
        if hashlib.sha256(path.read_bytes()).hexdigest() != sha256:
            return f"{path} was changed since the assignment was made; its grades would not be the same: take the copy that you kept"
    for path in sorted(root.rglob("*")):
        inside = path.relative_to(root)
        if (path.is_symlink() or not path.is_dir()) and inside.as_posix() not in expected and "__pycache__" not in inside.parts:
            return f"{path} was not there when the assignment was made: take it away"
    return None


def needs_frozen(assignment, package: Path = PACKAGE) -> bool:
    """Do the installed sources differ from those that the assignment was made with?"""
    return assignment.frozen != hashes(sources(package))


def frozen_path(folder: str | Path) -> Path:
    """What to put first on the path of a process that judges by the old sources.

    Args:
        folder: ``DIR/grader``.
    """
    return Path(folder) / FOLDER
