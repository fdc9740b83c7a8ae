"""What the readers of all formats share: where things lie in a dataset's folder, and text of unknown encoding."""

import posixpath
import re
from dataclasses import dataclass, field
from pathlib import Path

from .records import Problem


@dataclass
class Layout:
    """A dataset found in a folder, before its annotations are read.

    Args:
        format: ``"voc"``, ``"coco"``, ``"yolo"`` or ``"gtsdb"``.
        root: its folder; no file name may lead out of it.
        splits: what each split is read from (a list of ids, a JSON file, folders). Empty where the dataset has no splits.
        config: what its main file holds, where the format has one (YOLO's data.yaml).
        config_file: that file.
    """

    format: str
    root: Path
    splits: dict[str, object] = field(default_factory=dict)
    config: dict = field(default_factory=dict)
    config_file: Path | None = None

    def relative(self, path: Path) -> str:
        """The path as messages name it."""
        return path.relative_to(self.root).as_posix() if path.is_relative_to(self.root) else str(path)


ALIASES = {"valid": "val", "validation": "val", "dev": "val", "training": "train", "testing": "test"}


def split_folders(root: Path) -> list[Path]:
    """The folders directly in this one that are called like a split."""
    names = {"train", "val", "test", "trainval", *ALIASES}
    return [folder for folder in sorted(root.iterdir()) if folder.is_dir() and folder.name.casefold() in names]


def _common_name(split: str) -> str:
    """val for valid, validation and val2017."""
    name = re.sub(r"[-_]?(19|20)\d\d$", "", split.casefold())
    return ALIASES.get(name, name)


def choose_splits(layout: Layout, split: str | None) -> list[str]:
    """The splits to read. None: all, in order; ``trainval`` is train and val where no list of that name exists.

    Raises:
        ValueError: naming the splits that there are.
    """
    if split in layout.splits:
        return [split]
    if split is None:
        made_of_others = {"trainval"} if {"train", "val"} <= set(layout.splits) else set()
        return [name for name in layout.splits if name not in made_of_others]
    by_common_name = {}
    for name in layout.splits:
        by_common_name.setdefault(_common_name(name), []).append(name)
    wanted = ["train", "val"] if split == "trainval" else [_common_name(split)]
    if all(len(by_common_name.get(name, ())) == 1 for name in wanted):
        return [by_common_name[name][0] for name in wanted]
    have = ", ".join(layout.splits) or "none: it is not split, leave the argument out"
    raise ValueError(f"split must be one that {layout.root} has, got {split!r}; it has {have}")


def leads_outside(name: str, folder: str = ".") -> bool:
    """Whether a file name written in an annotation is absolute, or climbs out of the dataset from this folder of it."""
    name = name.replace("\\", "/")
    return name.startswith("/") or re.match(r"[A-Za-z]:", name) is not None or posixpath.normpath(f"{folder}/{name}").split("/")[0] == ".."


def from_root(name: str, folder: str = ".") -> str:
    """A relative name that is written in this folder of the dataset, as seen from the dataset's root, without ``..``.

    Raises:
        ValueError: where it leads outside; ask `leads_outside` first.
    """
    if leads_outside(name, folder):
        raise ValueError(f"name must stay inside the dataset, got {name!r}")
    return posixpath.normpath(f"{folder}/" + name.replace("\\", "/"))


def last_part(name: str) -> str:
    """The file name of a path of any system."""
    return re.split(r"[\\/]", name.strip())[-1]


def read_text(path: Path, file: str, problems: list[Problem], declared: str | None = None) -> str:
    """The text of a file: UTF-8, UTF-16 with its mark, the declared encoding, else Latin-1, which always fits (and a Problem).

    Raises:
        ValueError: naming a file that cannot be read.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ValueError(f"{path}: cannot be read: {error.strerror or error}") from None
    for encoding in ("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig", declared):
        if encoding:
            try:
                return data.decode(encoding)
            except (UnicodeDecodeError, LookupError):
                pass
    problems.append(Problem(file, "not-utf-8", "the text is not UTF-8", "read as Latin-1; look at its names"))
    return data.decode("latin-1")
