"""Known datasets by name: list them, get them, load them. Used in notebook 04_data and by the project of notebook 24.

    >>> folder = get("bccd")                      # downloads once, checks each time
    >>> annotations = load("bccd", split="train") # boxes: Annotations; classes: torchvision's own dataset

What is kept lies in ``data_home()/NAME``: `archives` as they came, and `files` as they were unpacked.
"""

import hashlib
import json
import shlex
import shutil
from pathlib import Path
from urllib.parse import urlsplit

from ..files import write_json
from .cards import CARDS, Card
from .download import DownloadError, data_home, fetch, file_hash, known_hash, locked
from .extract import extract

NAMES = tuple(card.name for card in CARDS)


def card(name: str) -> Card:
    """The card of a dataset.

    Raises:
        ValueError: naming those that there are.
    """
    for one in CARDS:
        if one.name == name:
            return one
    raise ValueError(f"name must be one of {', '.join(NAMES)}, got {name!r}")


def describe(one: Card) -> str:
    """A card as text, for the terminal and for a notebook."""
    how = "by hand, see below" if one.manual else f"{_megabytes(one.size)} from {_host(one)}"
    unhashed = [file.name for file in one.files if file.hash is None]
    lines = [
        f"{one.title} ({one.name}): {one.task}, {one.classes} classes, {one.images}",
        one.about,
        f"licence   {one.licence}",
        f"cite      {one.citation}",
        f"home      {one.home}",
        f"fetched   {how}",
    ]
    if unhashed and one.content:
        lines.append("checked   by the hash of its pictures and annotations")
    elif unhashed:
        lines.append(f"checked   no hash of {', '.join(unhashed)} is published: the first download sets it, and later ones are held to it")
    if one.manual:
        lines.append(f"by hand   {one.manual}")
    return "\n".join(lines)


def print_list() -> None:
    """All cards as a table, a line or two each."""
    from rich.console import Console
    from rich.table import Table

    table = Table("name", "task", "classes", "images", "download", "licence", box=None, pad_edge=False)
    for one in CARDS:
        table.add_row(one.name, one.task, str(one.classes), one.images, "by hand" if one.manual else _megabytes(one.size), one.licence)
    console = Console()
    console.print(table)
    console.print("\nOne card: coursekit data list NAME · fetch it: coursekit data get NAME", soft_wrap=True)


def what_next(one: Card, path: Path) -> str:
    """What can be done with a dataset once it is here."""
    if one.reader == "boxes":
        return f"Look at it: coursekit data check {shlex.quote(str(path))}\nTrain on it: coursekit train --data {shlex.quote(str(path))}"
    return f"In Python: from coursekit.data.catalog import load; load({one.name!r}{f', {one.splits[0]!r}' if one.splits else ''})"


def get(name: str, folder: str | Path | None = None, progress: bool = True) -> Path:
    """The folder of a dataset, downloaded and unpacked if it is not here yet.

    Args:
        name: see ``NAMES``.
        folder: where you have it already: a folder, its archive as you downloaded it, or a folder with all of its archives. It is
            checked and used from there (archives are unpacked under `data_home`).
        progress: show a bar while it downloads.

    Returns:
        The folder (for COCO: the JSON file) that `load` reads, or `coursekit train --data` is given.

    Raises:
        DownloadError: what failed, and what to do about it.
        ValueError: the name is not known, or `folder` does not hold this dataset.
    """
    one = card(name)
    home = data_home() / name
    if folder is not None:
        return _given(one, Path(folder).expanduser(), home)
    if one.files:
        archives = [fetch(file, home / "archives", progress=progress) for file in one.files]
        with locked(home / ".lock"):
            _unpack(one, archives, home, {file.name: known_hash(file, home / "archives") for file in one.files})
    elif not (home / "files").is_dir():
        command = f"coursekit data get {name} --folder PATH" if one.reader else "its own tools: the course has no reader for it"
        raise DownloadError(f"{one.title} cannot be fetched by a program.\n{one.manual}\n{one.home}\nThen go on with {command}")
    return home / "files" / one.root


def load(name: str, split: str | None = None, folder: str | Path | None = None):
    """A dataset, ready to use: `records.Annotations` for boxes, torchvision's dataset of (PIL image, label) for classes.

    Args:
        split: one of the card's `splits`; None takes all, or for classes the first.
        folder: see `get`.
    """
    one = card(name)
    if split is not None and split not in one.splits:
        raise ValueError(f"split must be one of {', '.join(one.splits) or 'none: it is not split'}, got {split!r}")
    return _read(one, get(name, folder), split)


def _read(one: Card, path: Path, split: str | None):
    if one.reader == "boxes":
        from .formats import read_dataset

        return read_dataset(path, split)
    if one.reader.startswith("torchvision."):
        return _torchvision(one, path, split or one.splits[0])
    from . import others

    return getattr(others, one.reader)(path, split)


def _torchvision(one: Card, path: Path, split: str):
    """torchvision's own class over the files that we fetched, where it looks for them. It downloads nothing."""
    import torchvision

    cls = getattr(torchvision.datasets, one.reader.partition(".")[2])
    chosen = {"train": split == "train"} if one.reader in ("torchvision.FashionMNIST", "torchvision.CIFAR10") else {"split": split}
    try:
        return cls(str(path), download=False, **chosen)
    except (RuntimeError, OSError) as error:  # its words for files that are not there
        raise ValueError(f"{path} does not hold {one.title} as torchvision expects it: {error}") from None


def _unpack(one: Card, archives: list[Path], home: Path, source: dict[str, str]) -> None:
    """`files` as the archives say, made anew where it is missing, cut, or from archives with other hashes than `source`."""
    manifest = home / "manifest.json"
    if manifest.is_file() and _is_whole(home / "files", manifest, source):
        return
    _forget(home)
    files = extract(archives, home / "files" / one.under)
    sizes = {(Path(one.under) / path).as_posix(): (home / "files" / one.under / path).stat().st_size for path in files}
    if one.content and one.root and (home / "files" / one.root).is_dir() and content_hash(home / "files" / one.root) != one.content:
        _forget(home)
        raise ValueError(f"{archives[0].name} does not hold the {one.title} that we know: its files have other bytes")
    write_json(manifest, {"archives": source, "files": sizes})


def content_hash(folder: Path) -> str:
    """``"sha256:..."`` over names and bytes of the pictures and annotations in a folder, whatever they were packed in."""
    digest = hashlib.sha256()
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.suffix in (".jpg", ".png", ".xml"))
    for name in names:
        content = (folder / name).read_bytes()
        digest.update(f"{name}\0{len(content)}\0".encode())
        digest.update(content)
    return f"sha256:{digest.hexdigest()}"


def _is_whole(folder: Path, manifest: Path, source: dict[str, str]) -> bool:
    """Whether every file that was unpacked is there with its size. The bytes are vouched for by the archives' hashes."""
    try:
        stored = json.loads(manifest.read_text())
        return stored["archives"] == source and all((folder / name).stat().st_size == size for name, size in stored["files"].items())
    except (OSError, ValueError, KeyError):
        return False


def _given(one: Card, path: Path, home: Path) -> Path:
    """What the user has: unpacked where it is an archive, and looked at before it is believed."""
    if not one.reader:
        raise ValueError(f"the course has no reader for {one.title}; its card says what it is: coursekit data list")
    if not path.exists():
        raise ValueError(f"folder must exist, got {path}")
    if archives := _given_archives(one, path):
        place = home / "given" if one.files else home  # beside what was downloaded, never in its place
        place.mkdir(parents=True, exist_ok=True)
        with locked(place / ".lock"):
            _unpack(one, archives, place, {archive.name: file_hash(archive) for archive in archives})
        try:
            return _looked_at(one, place / "files")
        except ValueError:
            _forget(place)
            raise
    return _looked_at(one, path)


def _given_archives(one: Card, path: Path) -> list[Path]:
    """The archives that a user points to: one file, or a folder that holds all of the card's, whose published hashes must be right."""
    if path.is_file():
        return [] if path.suffix == ".json" else [path]
    archives = [path / file.name for file in one.files]
    if not all(archive.is_file() for archive in archives):
        return []
    for file, archive in zip(one.files, archives, strict=True):
        if file.hash and (got := file_hash(archive, file.hash.partition(":")[0])) != file.hash:
            raise ValueError(f"{archive} is not the file of {one.title} that we know: its hash is {got}, expected {file.hash}")
    return archives


def _looked_at(one: Card, path: Path) -> Path:
    """The folder in which the dataset really begins, once it was read and its pictures counted."""
    problem = None
    for candidate in [path / one.root, path] if path.is_dir() else [path]:
        try:
            count = sum(len(_read(one, candidate, split)) for split in _all_splits(one))
        except ValueError as error:
            problem = problem or error
            continue
        if one.expected and count != one.expected:
            raise ValueError(f"{path} holds {count} pictures, and {one.title} has {one.expected}: it is not whole, or another edition")
        return candidate
    raise ValueError(f"{path} does not hold {one.title}: {problem}")


def _forget(home: Path) -> None:
    (home / "manifest.json").unlink(missing_ok=True)
    shutil.rmtree(home / "files", ignore_errors=True)


def _all_splits(one: Card) -> tuple[str | None, ...]:
    return one.splits if one.reader.startswith("torchvision.") else (None,)


def _megabytes(size: int | None) -> str:
    return "?" if size is None else f"{size / 1e6:.0f} MB" if size < 10**9 else f"{size / 1e9:.1f} GB"


def _host(one: Card) -> str:
    return urlsplit(one.files[0].urls[0]).hostname
