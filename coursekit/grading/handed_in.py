"""What was handed in as a tree of folders and files, from a disk or a zip, read as data: nothing is unpacked, no link is followed.

Everything here may have been made to harm: links to the answers, pipes that never end, zips of a few kilobytes that hold terabytes,
names that climb out of their folder. A file that is not read says why in one sentence; the others are read all the same.
"""

import calendar
import io
import os
import stat
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from .names import natural, shown

MEGABYTE = 1024 * 1024
LARGEST_FILE = 50 * MEGABYTE  # a notebook with all its pictures; larger ones are told to be saved without outputs
LARGEST_ZIP = 200 * MEGABYTE  # one that lies among the submissions
DIRECTORY = {False: 64 * MEGABYTE, True: 2 * MEGABYTE}  # a zip's table of contents: the class's, a student's
RATIO = 250  # no notebook packs this well once it is large; a bomb packs a thousand times
DEPTH = 8
JUNK = {"__macosx", ".ipynb_checkpoints", ".ds_store", "thumbs.db", "desktop.ini", ".git", "__pycache__", ".venv", "venv", "node_modules"}


class Unreadable(ValueError):
    """Something that was handed in cannot be read; the message is one sentence without a full stop that says why."""


@dataclass(frozen=True)
class Node:
    """A file (`read`), a folder (`children`), or neither (`problem`).

    Args:
        name: its last part, as it came.
        time: seconds since 1970, if known.
        size: bytes that it says it has.
        read: ``read(limit)``: its bytes. Raises Unreadable.
        children: what lies in it. Raises Unreadable.
        problem: why it is not looked at.
        zipped: it is a zip, and `children` is what the zip holds.
    """

    name: str
    time: float | None = None
    size: int = 0
    read: Callable[[int], bytes] | None = None
    children: Callable[[], list["Node"]] | None = None
    problem: str = ""
    zipped: bool = False

    @property
    def is_folder(self) -> bool:
        return self.children is not None and not self.zipped


def is_junk(name: str) -> bool:
    """What systems and editors leave behind."""
    return name.casefold() in JUNK or name.startswith("._")


def tree_at(path: Path) -> Node:
    """The tree of a folder, a zip or a single file that a teacher names.

    Raises:
        FileNotFoundError, ValueError: if there is none, or it is none of these.
    """
    if path.is_dir():
        return Node(path.resolve().name, children=lambda: _listing(path, ()))
    if not path.exists():
        raise FileNotFoundError(f"there is no folder or zip {path}")
    if not path.is_file():
        raise ValueError(f"submissions must be a folder or a zip, and {path} is neither")
    if zipfile.is_zipfile(path):
        return _opened(_BoundedFile(path), path.stem, inner=False)
    if path.suffix.lower() == ".zip":
        raise ValueError(f"{path} is damaged: it ends before a zip's table of contents")
    folder = path.parent
    return Node(path.stem, children=lambda: [n for n in _listing(folder, ()) if n.name == path.name])


# folders


def _listing(root: Path, parts: tuple[str, ...]) -> list[Node]:
    try:
        folder = _open_folder(root, parts)
    except OSError as error:
        raise Unreadable(f"the folder {shown('/'.join(parts))} cannot be opened ({error.strerror})") from None
    try:
        with os.scandir(folder) as entries:
            nodes = [_node(root, parts, entry) for entry in entries if not is_junk(entry.name)]
    finally:
        os.close(folder)
    return sorted(nodes, key=lambda node: natural(node.name))


def _node(root: Path, parts: tuple[str, ...], entry: os.DirEntry) -> Node:
    here = (*parts, entry.name)
    try:
        found = entry.stat(follow_symlinks=False)
    except OSError as error:
        return Node(entry.name, problem=f"cannot be looked at ({error.strerror})")
    if stat.S_ISLNK(found.st_mode):
        return Node(entry.name, found.st_mtime, problem="is a link to another place, which is not followed")
    if stat.S_ISDIR(found.st_mode):
        return Node(entry.name, found.st_mtime, children=lambda: _listing(root, here))
    if not stat.S_ISREG(found.st_mode):
        return Node(entry.name, found.st_mtime, problem="is a pipe, socket or device and no file")
    return with_zip(Node(entry.name, found.st_mtime, found.st_size, read=lambda limit: _read_file(root, here, limit)))


def _open_folder(root: Path, parts: tuple[str, ...]) -> int:
    """A descriptor of a folder, reached step by step, so that no step is a link."""
    folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    for part in parts:
        try:
            inside = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
        finally:
            os.close(folder)
        folder = inside
    return folder


def _read_file(root: Path, parts: tuple[str, ...], limit: int) -> bytes:
    try:
        folder = _open_folder(root, parts[:-1])
        try:  # O_NONBLOCK: a pipe that took the file's place must not hold us up
            file = os.open(parts[-1], os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
        finally:
            os.close(folder)
        with open(file, "rb") as opened:
            if not stat.S_ISREG(os.fstat(opened.fileno()).st_mode):
                raise Unreadable("is no regular file")
            return _bounded(opened, limit)
    except OSError as error:
        raise Unreadable(f"cannot be opened ({error.strerror})") from None


def _bounded(opened, limit: int) -> bytes:
    """Everything, counted as it comes: what a header says about a size is not believed."""
    pieces, total = [], 0
    while piece := opened.read(min(MEGABYTE, limit + 1 - total)):
        pieces.append(piece)
        total += len(piece)
        if total > limit:
            raise Unreadable(f"is larger than the {limit // MEGABYTE} MB that are read; saved without outputs it is small")
    return b"".join(pieces)


# zips


class _BoundedFile(io.FileIO):
    """zipfile reads a whole table of contents at once, as long as the file says that it is: not here."""

    limit = DIRECTORY[False]

    def read(self, size: int = -1) -> bytes:
        if size > self.limit:
            raise Unreadable("is a zip with far too long a table of contents")
        return super().read(size)


class _BoundedBytes(io.BytesIO):
    def read(self, size: int | None = -1) -> bytes:
        if size is not None and size > DIRECTORY[True]:
            raise Unreadable("is a zip with far too long a table of contents")
        return super().read(size)


def with_zip(node: Node) -> Node:
    """The node; if it is called .zip, what it holds are its children."""
    if not node.name.lower().endswith(".zip") or node.read is None:
        return node
    read = node.read

    def children() -> list[Node]:
        raw = read(LARGEST_ZIP)
        return _opened(_BoundedBytes(raw), node.name[:-4], inner=True).children()

    return Node(node.name, node.time, node.size, read=read, children=children, zipped=True)


def _opened(file, name: str, inner: bool) -> Node:
    try:
        archive = zipfile.ZipFile(file)
        infos = archive.infolist()
    except Unreadable:
        raise
    except Exception as error:  # zipfile raises many things over damaged files
        raise Unreadable(f"is no zip that can be read ({type(error).__name__})") from None
    top: dict = {}
    for info in infos:
        _plant(top, archive, info, inner)
    return Node(name, children=lambda: _branches(top))


def _plant(top: dict, archive: zipfile.ZipFile, info: zipfile.ZipInfo, inner: bool) -> None:
    """Put a member into the tree. Steps upwards, drive letters and roots are dropped: a name is only a name here."""
    parts = [p for p in info.filename.replace("\\", "/").split("/") if p not in ("", ".", "..")]
    if not parts or len(parts) > 3 * DEPTH or any(is_junk(p) for p in parts):
        return
    here = top
    for part in parts[:-1]:
        below = here.get(part)
        here = below if isinstance(below, dict) else here.setdefault(part + "/" * (part in here), {})
    if info.is_dir():
        here.setdefault(parts[-1], {})
    else:
        taken = isinstance(here.get(parts[-1]), dict)  # a folder of that name
        here[parts[-1] + "/" * taken] = _member(archive, info, parts[-1], inner)  # of two files of one name the last counts


def _branches(level: dict) -> list[Node]:
    nodes = []
    for key, value in level.items():
        name = key.rstrip("/")
        nodes.append(Node(name, children=lambda value=value: _branches(value)) if isinstance(value, dict) else value)
    return sorted(nodes, key=lambda node: natural(node.name))


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: str, inner: bool) -> Node:
    when = _zip_time(info)
    if problem := _member_problem(info):
        return Node(name, when, problem=problem)
    if inner and name.lower().endswith(".zip"):
        return Node(name, when, problem="is a zip inside a zip, which is not opened")
    return with_zip(Node(name, when, info.file_size, read=lambda limit: _read_member(archive, info, limit)))


def _member_problem(info: zipfile.ZipInfo) -> str:
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG):
        return "is a link or device inside a zip and no file"
    if info.flag_bits & 0x1:
        return "needs a password"
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return "is packed in a way that is not read (stored and deflated are)"  # the others cannot be unpacked piece by piece
    if info.file_size > 4 * MEGABYTE and info.file_size > RATIO * max(info.compress_size, 1):
        return "packs smaller than any notebook can: it may be a bomb, and is not unpacked"
    return ""


def _read_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, limit: int) -> bytes:
    try:
        with archive.open(info) as opened:
            return _bounded(opened, limit)
    except Unreadable:
        raise
    except Exception as error:  # a damaged or lying member: BadZipFile, zlib.error, EOFError, struct.error ...
        raise Unreadable(f"is damaged inside its zip ({type(error).__name__})") from None


def _zip_time(info: zipfile.ZipInfo) -> float | None:
    """A zip's clock has no zone; this machine's is taken. 1980 means that nobody wrote one."""
    if info.date_time[0] <= 1980:
        return None
    try:
        calendar.timegm((*info.date_time, 0, 0, 0))
        return time.mktime((*info.date_time, 0, 0, -1))
    except (ValueError, OverflowError):
        return None


def files_below(nodes: list[Node], most: int, inside_zip: bool = False, depth: int = 0) -> Iterator[tuple[str, Node]]:
    """(path, file or problem) of everything below these nodes, zips among them opened; at most `most`."""
    left = most
    for node in nodes:
        if left <= 0:
            return
        if node.children is None or depth > DEPTH:
            yield node.name, node
            left -= 1
            continue
        try:
            children = [child for child in node.children() if not is_junk(child.name)]
        except Unreadable as problem:
            yield node.name, Node(node.name, node.time, node.size, problem=str(problem))
            left -= 1
            continue
        for path, found in files_below(children, left, inside_zip or node.zipped, depth + 1):
            yield f"{node.name}/{path}", found
            left -= 1
