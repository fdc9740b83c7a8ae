"""Unpacking archives from strangers. An archive is data, and none of its names is trusted.

What can be wrong: ``../`` and absolute paths (files written outside the folder), links that point out of it, devices, two members of
one name, a few kilobytes that unpack to terabytes, a file cut short, a password. Each is one sentence that names the culprit.
"""

import gzip
import lzma
import os
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO

CHUNK = 1024 * 1024
RATIO = 200  # no picture or annotation file packs this well; a bomb packs a thousand times


def extract(archives: Path | list[Path], folder: Path, max_bytes: int = 40 * 10**9, max_files: int = 1_000_000) -> list[PurePosixPath]:
    """Unpack a .zip, .tar, .tar.gz/.bz2/.xz or a single .gz, or several into one folder: all of it or nothing.

    Args:
        folder: is made; must not exist, or be empty.
        max_bytes: most that may come out of one archive.
        max_files: most members in all.

    Returns:
        The files, relative to `folder`, in the archives' order.

    Raises:
        ValueError: naming the archive, the member and what is wrong with it. Nothing is left behind then.
    """
    if folder.exists() and any(folder.iterdir()):
        raise ValueError(f"folder must be new or empty, and {folder} holds files")
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = folder.with_name(f"{folder.name}.{os.getpid()}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    files: dict[str, PurePosixPath] = {}
    try:
        partial.mkdir()
        for archive in [archives] if isinstance(archives, Path) else archives:
            _extract_into(archive, partial, files, max_bytes, max_files)
        if folder.exists():
            folder.rmdir()
        os.replace(partial, folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return list(files.values())


def _extract_into(archive: Path, folder: Path, files: dict[str, PurePosixPath], max_bytes: int, max_files: int) -> None:
    size = archive.stat().st_size
    if size == 0:
        raise ValueError(f"{archive.name} is empty: 0 bytes")
    try:
        _write_members(archive, folder, files, min(max_bytes, max(RATIO * size, 64 * 1024 * 1024)), max_files)
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile, RuntimeError) as error:
        raise ValueError(f"{archive.name} cannot be unpacked: {error or type(error).__name__}") from None


def _write_members(archive: Path, folder: Path, files: dict[str, PurePosixPath], limit: int, max_files: int) -> None:
    for name, source in _members(archive):
        inside = _checked(archive, name)
        key = str(inside).casefold()  # on Windows and macOS two spellings are one file
        if key in files:
            raise ValueError(f"{archive.name} holds {name!r} twice")
        if len(files) >= max_files:
            raise ValueError(f"{archive.name} holds more than {max_files} files")
        files[key] = inside
        target = folder / inside
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with open(target, "xb") as out:
                limit -= _copy(source, out, limit, archive)
        except (FileExistsError, NotADirectoryError, IsADirectoryError):
            raise ValueError(f"{archive.name} uses {name!r} both as a file and as a folder") from None


def _copy(source: IO[bytes], out: IO[bytes], limit: int, archive: Path) -> int:
    """Bytes written. What a header says about its size is not believed; they are counted as they come."""
    written = 0
    while chunk := source.read(CHUNK):
        written += len(chunk)
        if written > limit:
            raise ValueError(f"{archive.name} unpacks to far more than its size lets expect: it may be a bomb, and is not unpacked")
        out.write(chunk)
    return written


def _members(archive: Path) -> Iterator[tuple[str, IO[bytes]]]:
    """Name and stream of each regular file. Folders are made as they are needed; everything else is refused."""
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as zipped:
            for info in zipped.infolist():
                kind = stat.S_IFMT(info.external_attr >> 16)
                if info.is_dir():
                    continue
                if kind not in (0, stat.S_IFREG):
                    raise ValueError(f"{archive.name} holds {info.filename!r}, which is a link or device and no file")
                with zipped.open(info) as source:
                    yield info.filename, source
    elif _is_tar(archive):
        with tarfile.open(archive, "r:*") as tarred:
            for member in tarred:
                if member.isdir():
                    continue
                if not member.isreg():
                    raise ValueError(f"{archive.name} holds {member.name!r}, which is a link or device and no file")
                yield member.name, tarred.extractfile(member)
    elif archive.suffix == ".gz":
        with gzip.open(archive) as source:
            yield archive.stem, source
    else:
        raise ValueError(f"{archive.name} is no .zip, .tar or .gz file, or is damaged at its start")


def _is_tar(archive: Path) -> bool:
    try:
        return tarfile.is_tarfile(archive)
    except (EOFError, zlib.error, OSError):  # a gz file cut short
        return False


def _checked(archive: Path, name: str) -> PurePosixPath:
    """The member's name as a path that stays inside the folder."""
    plain = name.replace("\\", "/")
    path = PurePosixPath(plain)
    outside = path.is_absolute() or ".." in path.parts or ":" in plain.partition("/")[0] or "\0" in plain
    if outside or not path.parts:
        raise ValueError(f"{archive.name} holds {name!r}, which would be written outside its folder")
    return path
