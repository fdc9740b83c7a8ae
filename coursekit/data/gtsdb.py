"""German Traffic Sign Detection Benchmark: ``gt.txt`` with ``00000.ppm;774;411;815;446;11`` beside 00000.ppm to 00899.ppm.

The first 600 pictures train, the last 300 test, as in its competition. Source: its ReadMe.txt.
"""

from pathlib import Path

from .layout import Layout, choose_splits
from .others import read_gtsdb
from .records import Annotations


def find(root: Path) -> Layout | None:
    """A GTSDB whose top folder is this: pictures with a number for a name, and the list of their signs."""
    numbered = root.is_dir() and (root / "gt.txt").is_file() and any(path.stem.isdigit() for path in root.glob("*.ppm"))
    return Layout("gtsdb", root, {"train": root, "test": root}) if numbered else None


def read(layout: Layout, split: str | None = None) -> Annotations:
    """Read it. See `formats.read_dataset` for the arguments."""
    names = choose_splits(layout, split)
    return read_gtsdb(layout.root, names[0] if len(names) == 1 else None)
