"""Files that the course ships: weights, small data, notebooks. The one way to them, in a checkout and in an installed wheel."""

from pathlib import Path

PACKAGE = Path(__file__).parent


def _folder(packed: str, in_checkout: str) -> Path:
    """The folder as the wheel holds it, else as the checkout that an editable install points to holds it."""
    folder = PACKAGE / packed
    return folder if folder.is_dir() else PACKAGE.parent / in_checkout


def resource(name: str) -> Path:
    """Path of a file that the course ships, such as ``"signs_n.safetensors"``.

    Raises:
        FileNotFoundError: naming what there is instead.
    """
    folder = _folder("_data", "data")
    path = folder / name
    if not path.is_file():
        have = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
        raise FileNotFoundError(f"the course ships no file {name!r}; it ships {', '.join(have) or 'none'}")
    return path


def solutions_folder() -> Path:
    """The folder of the notebooks' sources, from which `solution()` reads."""
    return _folder("_solutions", "solutions")


def notebooks_folder() -> Path:
    """The folder of the student notebooks as they were built. Read it; learners edit copies (`coursekit start`)."""
    return _folder("_notebooks", "notebooks")
