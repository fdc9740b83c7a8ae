"""An SQLite file that grows and never changes: two tables of JSON records in a hash chain. `gradebook` says what stands in them.

Every row holds the hash of the row before and of itself. Triggers refuse UPDATE, DELETE and any INSERT that is not the next row, so that a
slip cannot change a grade; whoever goes round them (it is their file) breaks the chain, and `verify` names the first row that does not fit.
Who rewrites the whole chain is found by a hash that was noted before: `verify(noted)`.

A row is one transaction, with SQLite's rollback journal and its strictest syncing: after a kill or a power cut it is there whole or not at
all. No write-ahead log: it needs shared memory, which network file systems (where home folders live) do not have.
"""

import contextlib
import hashlib
import json
import os
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .records import INFRASTRUCTURE

SCHEMA = 1
APPLICATION = int.from_bytes(b"ckgb", "big")  # SQLite's own field for "whose file is this"
FIRST = "0" * 64  # stands for the hash before the first row

COLUMNS = {
    "grades": ("assignment", "student", "submission", "bundle", "regrade", "attempt", "outcome", "points", "out_of"),
    "manual": ("assignment", "student", "part", "points", "out_of"),
}
_TABLES = f"""
CREATE TABLE grades (id INTEGER PRIMARY KEY AUTOINCREMENT, assignment TEXT NOT NULL, student TEXT NOT NULL, submission TEXT NOT NULL,
    bundle TEXT NOT NULL, regrade INTEGER NOT NULL, attempt INTEGER NOT NULL, outcome TEXT NOT NULL, points REAL NOT NULL,
    out_of REAL NOT NULL, record TEXT NOT NULL, before TEXT NOT NULL, hash TEXT NOT NULL);
CREATE UNIQUE INDEX once ON grades (assignment, student, submission, bundle, regrade) WHERE outcome <> '{INFRASTRUCTURE}';
CREATE INDEX grades_of ON grades (assignment, student);
CREATE TABLE manual (id INTEGER PRIMARY KEY AUTOINCREMENT, assignment TEXT NOT NULL, student TEXT NOT NULL, part TEXT NOT NULL,
    points REAL NOT NULL, out_of REAL NOT NULL, record TEXT NOT NULL, before TEXT NOT NULL, hash TEXT NOT NULL);
CREATE INDEX manual_of ON manual (assignment, student);
"""
# INSERT OR REPLACE deletes the row in its way without asking the DELETE trigger, so the INSERT trigger looks for such a row first
_TAKEN = f"""OR (NEW.outcome <> '{INFRASTRUCTURE}' AND EXISTS (SELECT 1 FROM grades
    WHERE assignment = NEW.assignment AND student = NEW.student AND submission = NEW.submission AND bundle = NEW.bundle
    AND regrade = NEW.regrade AND outcome <> '{INFRASTRUCTURE}'))"""
_TRIGGERS = """
CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table}
    BEGIN SELECT RAISE(ABORT, 'the gradebook only grows: no row is changed'); END;
CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table}
    BEGIN SELECT RAISE(ABORT, 'the gradebook only grows: no row is deleted'); END;
CREATE TRIGGER {table}_next BEFORE INSERT ON {table}
    WHEN NEW.id IS NOT coalesce((SELECT max(id) FROM {table}), 0) + 1
    OR NEW.before IS NOT coalesce((SELECT hash FROM {table} ORDER BY id DESC LIMIT 1), '{first}') {taken}
    BEGIN SELECT RAISE(ABORT, 'the gradebook only grows: a new row comes after the last, once'); END;
"""


class Ledger:
    """The file. Safe to use from several threads; a second process waits its turn.

    Args:
        path: made with mode 0600 where it is missing.
        create: False, for looking only: refuse a missing or empty file instead of making it, and refuse to write.

    Raises:
        FileNotFoundError: nothing there, and `create` is False.
        ValueError: the file is no gradebook, or one of another schema.
        OSError: it cannot be opened, written or locked.
    """

    def __init__(self, path: Path | str, create: bool = True):
        self.path = Path(path)
        self._lock = threading.RLock()
        if self.path.is_dir():
            raise ValueError(f"{self.path} is a folder, not a gradebook; the gradebook is the file gradebook.sqlite in it")
        if create:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(FileExistsError):  # private from its first moment on
                os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        elif not self.path.exists():
            raise FileNotFoundError(f"there is no gradebook {self.path}; coursekit grade makes one")
        with self._speaking():
            address = f"{self.path.absolute().as_uri()}?mode=rw"  # where writing is not allowed, SQLite opens it for reading
            self._db = sqlite3.connect(address, uri=True, timeout=30, isolation_level=None, check_same_thread=False)
            try:
                self._open(create)
            except BaseException:
                self._db.close()
                raise

    def __enter__(self):
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def close(self) -> None:
        """Let the file go. What was added is on the disk already."""
        self._db.close()

    def head(self) -> str:
        """Hash of the newest grade: note it, and `verify` finds a chain that was written anew since. Empty where there is none."""
        row = self.ask("SELECT hash FROM grades ORDER BY id DESC LIMIT 1")
        return row[0][0] if row else ""

    def verify(self, noted: str = "") -> str | None:
        """One sentence on the first thing that does not fit, or None where the chain holds.

        Args:
            noted: a hash that `head` gave earlier, or its beginning; a chain that no longer contains it was written anew.
        """
        damage = self.ask("PRAGMA integrity_check(1)")[0][0]
        if damage != "ok":
            return f"the file is damaged: {' '.join(damage.split())}"
        hashes: list[str] = []
        for table in COLUMNS:
            with self._speaking():
                problem = self._broken_link(table, hashes)
            if problem:
                return problem
        if noted.strip() and not any(own.startswith(noted.strip().lower()) for own in hashes):
            return f"no row has the hash {noted.strip()} that was noted: rows were removed or written anew"
        there = {row[0] for row in self.ask("SELECT name FROM sqlite_master WHERE type = 'trigger'")}
        gone = sorted({f"{table}_{name}" for table in COLUMNS for name in ("no_update", "no_delete", "next")} - there)
        return f"the triggers that keep rows as they are were removed: {', '.join(gone)}" if gone else None

    def _broken_link(self, table: str, hashes: list[str]) -> str | None:
        last, before = 0, FIRST
        for row in self._db.execute(f"SELECT id, before, {', '.join(COLUMNS[table])}, record, hash FROM {table} ORDER BY id"):
            number, content, own = row[0], row[2:-1], row[-1]
            if number != last + 1:
                return f"row {last + 1} of {table} is missing"
            if row[1] != before or own != _hash(table, number, before, content):
                return f"row {number} of {table} ({content[1]}, {content[0]}) is not as it was written, or follows another row than it did"
            last, before = number, own
            hashes.append(own)
        written = self.ask("SELECT seq FROM sqlite_sequence WHERE name = ?", table)
        if written and written[0][0] != last:
            return f"row {last + 1} of {table} is missing: {written[0][0]} were written"
        return None

    # SQLite

    def ask(self, query: str, *values) -> list[tuple]:
        """All rows of a SELECT."""
        with self._speaking():
            return self._db.execute(query, tuple(map(as_text, values))).fetchall()

    def append(self, table: str, values: tuple, record: dict[str, Any]) -> None:
        """The next row of a table; inside of a `transaction`."""
        last = self._db.execute(f"SELECT id, hash FROM {table} ORDER BY id DESC LIMIT 1").fetchone()
        number, before = (last[0] + 1, last[1]) if last else (1, FIRST)
        content = (*map(as_text, values), json.dumps(record, allow_nan=False, separators=(",", ":")))
        row = (number, before, *content, _hash(table, number, before, content))
        self._db.execute(
            f"INSERT INTO {table} (id, before, {', '.join(COLUMNS[table])}, record, hash) VALUES ({', '.join('?' * len(row))})", row
        )

    def record(self, table: str, number: int) -> dict[str, Any]:
        """The JSON of one row."""
        try:
            return json.loads(self.ask(f"SELECT record FROM {table} WHERE id = ?", number)[0][0])
        except (ValueError, TypeError, RecursionError):
            raise ValueError(f"row {number} of {table} in {self.path} cannot be read; coursekit gradebook verify says more") from None

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """All that is written inside, or nothing of it."""
        with self._speaking():
            self._db.execute("BEGIN IMMEDIATE")  # the lock first: what is read inside stays true until the commit
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    def _open(self, create: bool) -> None:
        self._db.execute("PRAGMA synchronous = EXTRA")
        application, schema = (self._db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version"))
        if application == 0 and schema == 0 and not self._db.execute("SELECT 1 FROM sqlite_master").fetchone():
            if not create:
                raise ValueError(f"{self.path} is empty: nothing was graded into it yet")
            self._make_tables()
        elif application != APPLICATION:
            raise ValueError(f"{self.path} is an SQLite file, but no gradebook of coursekit")
        elif schema != SCHEMA:
            raise ValueError(
                f"{self.path} is a gradebook of schema {schema}, this coursekit reads schema {SCHEMA}: use the one that wrote it"
            )
        if not create:
            self._db.execute("PRAGMA query_only = ON")
        elif self.path.stat().st_mode & 0o077:
            self.path.chmod(0o600)

    def _make_tables(self) -> None:
        triggers = "".join(_TRIGGERS.format(table=table, first=FIRST, taken=_TAKEN if table == "grades" else "") for table in COLUMNS)
        with self.transaction():
            if self._db.execute("SELECT 1 FROM sqlite_master").fetchone():
                return  # another process was quicker
            for statement in _statements(_TABLES + triggers):
                self._db.execute(statement)
            self._db.execute(f"PRAGMA application_id = {APPLICATION}")
            self._db.execute(f"PRAGMA user_version = {SCHEMA}")

    @contextlib.contextmanager
    def _speaking(self) -> Iterator[None]:
        """One thread at a time, and SQLite's errors as sentences."""
        with self._lock:
            try:
                yield
            except sqlite3.OperationalError as error:
                raise OSError(f"the gradebook {self.path} cannot be used: {error}") from None
            except sqlite3.IntegrityError as error:
                raise ValueError(f"the gradebook {self.path} refused a row: {error}") from None
            except sqlite3.DatabaseError as error:
                raise ValueError(f"{self.path} is no gradebook: {error}") from None


def _statements(script: str) -> Iterator[str]:
    """One statement at a time: `executescript` would commit between them."""
    part = ""
    for line in script.splitlines():
        part += line + "\n"
        if sqlite3.complete_statement(part):
            yield part
            part = ""


def as_text(value):
    """A name as SQLite can hold it: a file name that was no UTF-8 keeps its odd bytes as escapes."""
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value


def _hash(table: str, number: int, before: str, content: tuple) -> str:
    return hashlib.sha256(json.dumps([table, number, before, *content], default=repr).encode()).hexdigest()
