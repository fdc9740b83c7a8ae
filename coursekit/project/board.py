"""The board of a competition: every submission, with its time, name, hash and public score. It only grows. Used by notebook 24_project.

keep/board.csv             time,name,sha256,metric,pictures,low,high,public
keep/submissions/HASH.csv  what was handed in, so that the private scores can be told at the end and never before
"""

import csv
import hashlib
import io
import os
import re
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ..files import write_bytes
from .reading import read_bytes, shown
from .scoring import Competition, Score

FILE = "board.csv"
COLUMNS = ("time", "name", "sha256", "metric", "pictures", "low", "high", "public")
NAME = re.compile(r"\w[\w .()'&-]{0,59}")  # begins with a letter or digit: no spreadsheet takes it for a formula
LARGEST = 50_000_000


@dataclass(frozen=True)
class Entry:
    """One submission.

    Args:
        time: when it came, UTC, ISO 8601.
        name: who handed it in.
        sha256: of the file.
        metric, pictures, low, high, public: as in `scoring.Score`.
        private: on the private part; None until the end.
    """

    time: str
    name: str
    sha256: str
    metric: str
    pictures: int
    low: float
    high: float
    public: float
    private: float | None = None


def add_to_board(keep: Path | str, path: Path | str, name: str, draws: int = 200) -> Score:
    """Score a submission and write it down. One that cannot be read is not written down.

    Args:
        keep: the folder with the hidden labels.
        path: of the submission.
        name: who hands it in: letters, digits, blanks and . _ - ( ) ' &, at most 60.

    Raises:
        ValueError: naming what is wrong with the name or the submission.
    """
    keep, name = Path(keep), " ".join(name.split())
    if not NAME.fullmatch(name):
        raise ValueError(f"name must begin with a letter or digit and hold letters, digits, blanks and . _ - ( ) ' &, got {shown(name)}")
    raw = read_bytes(Path(path))
    score = Competition.read(keep).score_bytes(raw, str(path), draws=draws)
    digest = hashlib.sha256(raw).hexdigest()
    now = datetime.now(UTC).isoformat(timespec="seconds")
    numbers = (repr(score.low), repr(score.high), repr(score.public))
    with _locked(keep / FILE) as file:
        write_bytes(keep / "submissions" / f"{digest}.csv", raw)
        _append(file, [now, name, digest, score.metric, score.pictures, *numbers])
    return score


def read_board(keep: Path | str) -> list[Entry]:
    """Every submission, in the order in which they came; none where there is no board yet.

    Raises:
        ValueError: naming the file and line that was changed by hand.
    """
    path = Path(keep) / FILE
    if not path.exists():
        return []
    if path.stat().st_size > LARGEST:
        raise ValueError(f"{path}: a board has at most {LARGEST // 1_000_000} MB")
    rows = list(csv.reader(io.StringIO(path.read_text(encoding="utf-8"), newline="")))
    if not rows or tuple(rows[0]) != COLUMNS:
        raise ValueError(f"{path}:1: the first line must be {','.join(COLUMNS)}")
    entries = []
    for line, row in enumerate(rows[1:], 2):
        try:
            time, name, digest, metric, pictures, low, high, public = row
            entries.append(Entry(time, name, digest, metric, int(pictures), float(low), float(high), float(public)))
        except ValueError:
            raise ValueError(f"{path}:{line}: is no row of a board: {shown(','.join(row), 60)}") from None
    return entries


def ranking(entries: list[Entry], final: bool = False) -> list[Entry]:
    """The best of each name, best first; of equal scores the earlier. Public until the end.

    Args:
        final: by the private score, of the submission that each had *chosen by the public score*: nobody may choose by what nobody knew.
    """
    best: dict[str, Entry] = {}
    for entry in entries:
        if entry.name not in best or entry.public > best[entry.name].public:
            best[entry.name] = entry
    key = (lambda entry: -(entry.private or 0.0)) if final else (lambda entry: -entry.public)
    return sorted(best.values(), key=key)


def final_board(keep: Path | str) -> list[Entry]:
    """Every submission with its private score. Once, at the end.

    Raises:
        ValueError: naming a submission that is not there any more, or was changed.
    """
    keep, competition, known = Path(keep), Competition.read(keep), {}
    entries = read_board(keep)
    for entry in entries:
        if entry.sha256 in known:
            continue
        path = keep / "submissions" / f"{entry.sha256}.csv" if re.fullmatch(r"[0-9a-f]{64}", entry.sha256) else None
        raw = read_bytes(path) if path is not None and path.is_file() else b""
        if hashlib.sha256(raw).hexdigest() != entry.sha256:
            raise ValueError(f"the submission {entry.sha256[:12]} of {entry.name} is not in {keep / 'submissions'} as it was handed in")
        known[entry.sha256] = competition.score_bytes(raw, str(path), private=True, draws=0).private
    fields = ((entry, known[entry.sha256]) for entry in entries)
    return [Entry(**{**vars(entry), "private": private}) for entry, private in fields]


def _append(file, row: list) -> None:
    """One line at the end, at once and for good."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    if file.seek(0, os.SEEK_END) == 0:
        writer.writerow(COLUMNS)
    writer.writerow(row)
    file.write(out.getvalue().encode())
    file.flush()
    os.fsync(file.fileno())


@contextmanager
def _locked(path: Path):
    """The board, open for one more line. Two who hand in at the same time wait for each other, where the system has such locks."""
    with open(path, "ab", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        try:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX)  # until the file is closed
        except ImportError:
            pass
        yield file
