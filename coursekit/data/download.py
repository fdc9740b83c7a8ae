"""Getting a file over a bad line: it resumes, shows its progress, is checked by hash on every load, and says what to do when it fails.

pooch keeps the cache: it downloads to a temporary name, compares the hash and renames. What it lacks is resuming, so it is given a
downloader of ours. Proxies are taken from the environment (HTTPS_PROXY, NO_PROXY), as everywhere.
"""

import contextlib
import os
import re
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from ..files import write_text


class DownloadError(OSError):
    """What failed, why, and what can be done about it, in sentences for whoever sits in front of the screen."""


class _GiveUp(Exception):
    """This address will not give the file, however often it is asked."""


class _TryAgain(Exception):
    """This address may give the file at the next try."""


@dataclass(frozen=True)
class RemoteFile:
    """A file somewhere else.

    Args:
        name: what it is called here.
        urls: where it can be had, tried in this order.
        hash: as published, ``"md5:..."``, ``"sha1:..."`` or ``"sha256:..."``. None where nobody published one: then the first
            download writes its own SHA-256 beside the file, and every later load is held to that.
        size: bytes, where known, for the list.
    """

    name: str
    urls: tuple[str, ...]
    hash: str | None = None
    size: int | None = None


def data_home() -> Path:
    """Where downloads are kept: the folder in COURSEKIT_DATA, else the system's cache folder."""
    if os.environ.get("COURSEKIT_DATA"):
        return Path(os.environ["COURSEKIT_DATA"]).expanduser()
    import pooch

    return Path(pooch.os_cache("coursekit"))


def file_hash(path: Path, algorithm: str = "sha256") -> str:
    """``"sha256:..."`` of the file's bytes."""
    import pooch

    return f"{algorithm}:{pooch.file_hash(str(path), alg=algorithm)}"


def known_hash(file: RemoteFile, folder: Path) -> str | None:
    """The hash that the file in `folder` is held to: the published one, else the one of its first download, else None."""
    record = _record(folder / file.name)
    return file.hash or (record.read_text().strip() if record.is_file() else None)


def fetch(file: RemoteFile, folder: Path, attempts: int = 4, pause: float = 1.0, progress: bool = True) -> Path:
    """The file in `folder`, downloaded if it is not there; its hash is compared in any case.

    Args:
        attempts: how often each address is tried before the next one; what has arrived is kept between them, and between calls.
        pause: seconds before the second try; doubled for each further one.

    Raises:
        DownloadError: with the reason and the way out. No file that failed its check stays under the final name.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / file.name
    with locked(folder / f".{file.name}.lock"):
        known = known_hash(file, folder)
        if path.is_file() and known is not None and file_hash(path, known.partition(":")[0]) != known:
            if file.hash is None:
                raise DownloadError(
                    f"{path} is not the file that was downloaded here first: its hash was {known}. "
                    f"If you trust the new one, delete {_record(path).name} beside it; else delete both, and it is fetched again."
                )
            os.replace(path, _damaged(path))  # not deleted: somebody may have brought it here by hand
        if not path.is_file():
            _fetch_from_any(file, path, known, attempts, pause, progress)
            _damaged(path).unlink(missing_ok=True)
        if known is None:
            write_text(_record(path), file_hash(path))
    return path


def _record(path: Path) -> Path:
    """Where the hash of a first download is kept."""
    return path.with_name(path.name + ".sha256")


def _damaged(path: Path) -> Path:
    """What a file is called that failed its check."""
    return path.with_name(path.name + ".damaged")


def _fetch_from_any(file: RemoteFile, path: Path, known: str | None, attempts: int, pause: float, progress: bool) -> None:
    import pooch

    pooch.get_logger().setLevel("WARNING")  # the bar says it already
    part = path.with_name(path.name + ".part")
    reasons = []
    for url in file.urls:
        for _ in range(2):  # a second time only where an old piece may have spoilt the hash
            resumed = part.is_file()
            try:
                pooch.retrieve(url, known, path.name, path.parent, downloader=Resuming(part, attempts, pause, progress))
                return
            except _GiveUp as error:
                reasons.append(f"{url}: {error}")
                break
            except ValueError as error:  # pooch's word for a wrong hash; it has deleted what arrived
                reasons.append(f"{url}: {_hash_reason(error, known)}")
                if not resumed:
                    break
    notes = ""
    if part.is_file():
        notes += f"The {part.stat().st_size / 1e6:.1f} MB that arrived are kept; the next try goes on from there.\n"
    if _damaged(path).is_file():
        notes += f"The file that lay there was not it either, by its hash; it is called {_damaged(path).name} now.\n"
    if file.hash is None and known is not None:
        notes += f"The expected hash is that of the first download here. If the file was renewed, delete {_record(path).name}.\n"
    raise DownloadError(
        f"{file.name} could not be downloaded.\n  " + "\n  ".join(reasons) + f"\n{notes}"
        "Check the connection and try again; behind a proxy, set HTTPS_PROXY. "
        f"Or get the file in any other way (a browser, a colleague) and put it at\n  {path}\nIt is checked and used from there."
    )


def _hash_reason(error: ValueError, known: str | None) -> str:
    got = re.search(r"does not match the known hash: expected \S+ but got (\S+?)\.? ", str(error) + " ")
    return f"what came is not the file we know: its hash is {got[1] if got else 'another'}, expected {known}"


class Resuming:
    """A downloader for pooch that collects into `part`, goes on where it stopped, and tries again when the line or the server fails."""

    def __init__(self, part: Path, attempts: int = 4, pause: float = 1.0, progress: bool = True, timeout: tuple[float, float] = (15, 60)):
        self.part, self.attempts, self.pause, self.progress, self.timeout = part, max(1, attempts), pause, progress, timeout
        self.tag = part.with_name(part.name + ".tag")  # says which version of the file the piece belongs to

    def __call__(self, url: str, output_file: str, pooch=None, check_only: bool = False) -> None:
        """Download `url` whole, then rename to `output_file`."""
        import requests

        problem = None
        for attempt in range(self.attempts):
            if problem is not None:
                time.sleep(min(self.pause * 2 ** (attempt - 1), 60))
            try:
                self._one_try(url)
            except requests.exceptions.SSLError as error:
                raise _GiveUp(f"its certificate is not trusted; set REQUESTS_CA_BUNDLE to your network's ({_short(error)})") from None
            except requests.exceptions.InvalidURL as error:
                raise _GiveUp(_short(error)) from None
            except (requests.exceptions.RequestException, _TryAgain) as error:
                problem = error
                continue
            os.replace(self.part, output_file)
            self.tag.unlink(missing_ok=True)
            return
        raise _GiveUp(f"{_reason(problem)}, {self.attempts} tries")

    def _one_try(self, url: str) -> None:
        import requests

        have = self.part.stat().st_size if self.part.is_file() else 0
        headers = {"Accept-Encoding": "identity"}  # the file's own bytes, so that their count is the file's size
        if have:
            headers["Range"] = f"bytes={have}-"
            if self.tag.is_file():
                headers["If-Range"] = self.tag.read_text()  # a file that changed meanwhile comes whole
        with requests.get(url, headers=headers, stream=True, timeout=self.timeout) as response:
            if response.status_code == 416:  # nothing after what we have: it is whole, or from another version
                if response.headers.get("Content-Range", "").rpartition("/")[2] == str(have):
                    return
                self._forget()
                raise _TryAgain("the piece that was kept does not fit the file")
            if response.status_code in (429, 500, 502, 503, 504):
                raise _TryAgain(f"the server answered {response.status_code}")
            if response.status_code not in (200, 206):
                raise _GiveUp(f"the server answered {response.status_code}{_meaning(response.status_code)}")
            if response.status_code == 206 and not response.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
                self._forget()
                raise _TryAgain("the server sent another part than the one asked for")
            self._receive(response, have if response.status_code == 206 else 0)

    def _receive(self, response, start: int) -> None:
        import requests

        length = response.headers.get("Content-Length", "")
        total = start + int(length) if length.isdigit() else None
        free = shutil.disk_usage(self.part.parent).free
        if total is not None and total - start > free:
            raise _GiveUp(f"it needs {(total - start) / 1e6:.0f} MB on the disk, and {free / 1e6:.0f} MB are free in {self.part.parent}")
        tag = response.headers.get("ETag", "")
        tag = response.headers.get("Last-Modified", "") if not tag or tag.startswith("W/") else tag  # a weak one does not vouch for bytes
        if tag:
            self.tag.write_text(tag)
        else:
            self.tag.unlink(missing_ok=True)
        broken = contextlib.suppress(requests.exceptions.ChunkedEncodingError, requests.exceptions.ConnectionError)
        bar, whole = _bar(self.part.stem, start, total, self.progress), False
        with open(self.part, "ab" if start else "wb") as out, bar as advance, broken:
            for chunk in response.iter_content(32 * 1024):  # small: of a chunk that the line cuts, nothing is kept
                out.write(chunk)
                advance(len(chunk))
            whole = True
        have = self.part.stat().st_size
        if not whole or (total is not None and have != total):
            raise _TryAgain(f"the line broke off after {have / 1e6:.1f}{'' if total is None else f' of {total / 1e6:.1f}'} MB")

    def _forget(self) -> None:
        self.part.unlink(missing_ok=True)
        self.tag.unlink(missing_ok=True)


@contextlib.contextmanager
def _bar(name: str, start: int, total: int | None, shown: bool):
    """A progress bar with size, speed and time left on stderr; gives back the function that moves it."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not shown) as progress:
        task = progress.add_task(name, total=total, completed=start)
        yield lambda count: progress.advance(task, count)


@contextlib.contextmanager
def locked(path: Path):
    """Two processes that want one file wait for each other, where the system can: not on Windows, nor in a folder that is read-only."""
    try:
        import fcntl

        handle = open(path, "w")  # noqa: SIM115  closed by the with below
    except (ImportError, OSError):
        yield
        return
    with handle:
        with contextlib.suppress(OSError):  # some network folders cannot lock
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield  # the lock ends with the handle, also when the process is killed


def _reason(error: Exception | None) -> str:
    import requests

    if isinstance(error, requests.exceptions.ProxyError):
        return f"the proxy named in HTTPS_PROXY or HTTP_PROXY did not answer ({_short(error)})"
    if isinstance(error, requests.exceptions.Timeout):
        return "no answer in time"
    if isinstance(error, requests.exceptions.ConnectionError):
        host = urlsplit(error.request.url).hostname if error.request is not None else "the server"
        return f"no connection to {host} ({_short(error)})"
    return str(error)


def _short(error: Exception) -> str:
    """The innermost reason: requests wraps the plain one in three others."""
    while (inner := getattr(error, "reason", None) or (error.args[0] if error.args else None)) and isinstance(inner, Exception):
        error = inner
    text = str(error)
    return text.rpartition(": ")[2][:120] if ": " in text else text[:120]


def _meaning(status: int) -> str:
    words = {401: "it wants a login", 403: "it does not let us in", 404: "the file is no longer there", 410: "the file was taken away"}
    return f" ({words[status]})" if status in words else ""
