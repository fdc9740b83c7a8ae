"""What a learner has done, in one small file on their own disk. No account, no server. Imports no torch: `coursekit progress` is quick.

The file is ``$COURSEKIT_PROGRESS``, else ``coursekit/progress.json`` in the user's data folder. Several notebooks may write at once.
"""

import contextlib
import json
import os
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from coursekit.files import write_json

_told = False


def progress_file() -> Path:
    """Where progress is kept."""
    if path := os.environ.get("COURSEKIT_PROGRESS"):
        return Path(path).expanduser()
    if sys.platform == "win32":
        base = Path(os.environ.get("APPDATA") or Path.home() / "AppData" / "Roaming")
    else:
        base = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return base / "coursekit" / "progress.json"


def load() -> dict[str, dict[str, Any]]:
    """``{"exercises": {name: {...}}, "predictions": {name: {...}}}``. A file that cannot be read is empty progress, never an error."""
    empty = {"exercises": {}, "predictions": {}}
    try:
        found = json.loads(progress_file().read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return empty
    if not isinstance(found, dict):
        return empty
    for part in empty:
        rows = found.get(part)
        empty[part] = {k: v for k, v in rows.items() if isinstance(v, dict)} if isinstance(rows, dict) else {}
    return empty


@contextlib.contextmanager
def _locked(path: Path, patience: float = 2.0) -> Iterator[None]:
    """One writer at a time, by a lock file that works on every system; one left behind by a crash is taken over."""
    lock, until = path.with_suffix(".lock"), time.monotonic() + patience
    while True:
        try:
            os.close(os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
            break
        except FileExistsError:
            with contextlib.suppress(OSError):
                if time.time() - lock.stat().st_mtime > 10:
                    lock.unlink()
                    continue
            if time.monotonic() > until:
                raise
            time.sleep(0.01)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            lock.unlink()


def _update(change) -> None:
    """Read, change and write the file. Where it cannot be written, learning goes on, and a sentence says so once."""
    global _told
    path = progress_file()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _locked(path):
            if path.exists() and not _is_readable(path):
                os.replace(path, path.with_suffix(f".damaged-{int(time.time())}.json"))
            found = load()
            change(found)
            write_json(path, found)
    except OSError as error:
        if not _told:
            print(f"(Progress cannot be kept in {path}: {error.strerror or error}. Everything else works.)")
        _told = True


def _is_readable(path: Path) -> bool:
    try:
        return isinstance(json.loads(path.read_text(encoding="utf-8")), dict)
    except (OSError, ValueError, RecursionError):
        return False


def _now() -> str:
    return datetime.now().astimezone().isoformat(timespec="seconds")


def note_attempt(name: str, status: str, misconception: str | None = None) -> None:
    """A check was run. A stub that was only run through counts as no attempt; what passed once stays passed."""

    def change(found):
        row = found["exercises"].setdefault(name, {})
        if status != "not attempted":
            row["attempts"] = int(row.get("attempts", 0)) + 1
        if status == "passed":
            row.setdefault("passed", _now())
        row["last"] = status
        if misconception:
            seen = row.setdefault("misconceptions", {})
            seen[misconception] = int(seen.get(misconception, 0)) + 1

    _update(change)


def note_help(name: str, hints: int = 0, solution: bool = False) -> None:
    """A hint or the solution was looked at."""

    def change(found):
        row = found["exercises"].setdefault(name, {})
        row["hints"] = max(hints, int(row.get("hints", 0)))
        if solution:
            row["solution"] = True

    _update(change)


def note_prediction(name: str, choice: str) -> None:
    """A guess was committed."""
    _update(lambda found: found["predictions"].setdefault(name, {}).update(choice=choice, when=_now()))


def note_outcome(name: str, right: bool) -> None:
    """The guess was answered by the notebook."""
    _update(lambda found: found["predictions"].setdefault(name, {}).update(right=right))


def prediction(name: str) -> str | None:
    """The guess that was committed, if any."""
    choice = load()["predictions"].get(name, {}).get("choice")
    return choice if isinstance(choice, str) else None


def progress_rows() -> list[dict[str, Any]]:
    """One row for each exercise there has been anything of, by notebook: name, state, attempts, hints, solution, passed."""
    rows = []
    for name, row in sorted(load()["exercises"].items()):
        state = "passed" if row.get("passed") else ("not attempted" if not row.get("attempts") else "tried")
        rows.append({"name": name, "state": state, **{k: row.get(k) for k in ("attempts", "hints", "solution", "passed", "last")}})
    return rows


def progress_table() -> None:
    """Print the rows as a table; what `coursekit progress` does."""
    from rich.console import Console

    Console().print(as_table())


def as_table():
    """The rows as a rich Table, with the predictions in its caption."""
    from rich.table import Table
    from rich.text import Text

    rows, predictions = progress_rows(), load()["predictions"].values()
    answered = [p for p in predictions if "right" in p]
    table = Table(title="Progress")
    for column in ("Exercise", "State", "Attempts", "Hints", "Passed on"):
        table.add_column(column, justify="right" if column in ("Attempts", "Hints") else "left")
    looks = {"passed": ("✓", "green"), "tried": ("✗", "red"), "not attempted": ("○", "dim")}
    for row in rows:
        symbol, style = looks[row["state"]]
        state = Text(f"{symbol} {row['state']}{' (solution seen)' if row['solution'] else ''}", style=style)
        table.add_row(Text(row["name"]), state, str(row["attempts"] or 0), str(row["hints"] or 0), str(row["passed"] or "")[:10])
    passed = sum(row["state"] == "passed" for row in rows)
    right = sum(bool(p["right"]) for p in answered)
    guesses = f" · predictions: {right} of {len(answered)} right" if answered else ""
    summary = f"{passed} of {len(rows)} passed{guesses}" if rows or answered else "Nothing yet"
    table.caption = f"{summary} · kept in {progress_file()}"
    return table
