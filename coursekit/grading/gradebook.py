"""The gradebook: what was decided, in one file that only grows. Only the main process opens it; no sandbox and no judge ever sees it."""

import dataclasses
import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from .ledger import Ledger, as_text
from .records import INFRASTRUCTURE, Grade

WHICH = ("last", "best", "all")
_COUNTS = f"outcome <> '{INFRASTRUCTURE}'"


@dataclass(frozen=True)
class ManualMark:
    """What somebody gave by hand for one part of one student's work. A part that is named like an exercise replaces the machine's mark.

    Args:
        assignment, student: as in `Grade`.
        part: "report", or an exercise's name.
        points, out_of: finite, not negative; more than `out_of` is a bonus.
        comment: to the learner.
        marker: who gave it.
        time: UTC, ISO 8601; the gradebook fills it in where it is empty.
    """

    assignment: str
    student: str
    part: str
    points: float
    out_of: float
    comment: str = ""
    marker: str = ""
    time: str = ""

    def __post_init__(self):
        for name in ("points", "out_of"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) >= 0):
                raise ValueError(f"{name} of a manual mark must be a number from 0, got {getattr(self, name)!r}")


class Gradebook(Ledger):
    """The grades of an assignment, or of several. What it takes and raises when opened: see `Ledger`."""

    def add(self, grade: Grade, regrade: int = 0) -> bool:
        """Append a grade, once.

        Args:
            grade: of one submission. An infrastructure error is kept as a note and never counts: `has` stays False.
            regrade: 0 for the first judging with this bundle; 1, 2 ... for each round of judging the same again (`next_round`).

        Returns:
            False if this submission was graded by this bundle in this round already: nothing is added then.

        Raises:
            ValueError: a mark's points are not finite.
        """
        for mark in grade.marks:
            if not (math.isfinite(mark.points) and math.isfinite(mark.out_of)):
                raise ValueError(f"points must be finite, got {mark.points} of {mark.out_of} for {mark.exercise} of {grade.student!r}")
        key = (grade.assignment, grade.student, grade.submission, grade.bundle, regrade)
        values = (*key, grade.attempt, grade.outcome, float(grade.points), float(grade.out_of))
        with self.transaction():
            if grade.outcome != INFRASTRUCTURE and self.has(*key):
                return False
            self.append("grades", values, grade.to_json())
        return True

    def has(self, assignment: str, student: str, submission: str, bundle: str, regrade: int = 0) -> bool:
        """Whether this submission is graded by this bundle (in this round). An infrastructure error is no grade."""
        where = f"assignment = ? AND student = ? AND submission = ? AND bundle = ? AND regrade = ? AND {_COUNTS}"
        return bool(self.ask(f"SELECT 1 FROM grades WHERE {where}", assignment, student, submission, bundle, regrade))

    def attempts(self, assignment: str, student: str) -> list[str]:
        """Hashes of what a student handed in, in order of the attempt. One that only met infrastructure errors keeps its place."""
        where = "assignment = ? AND student = ? GROUP BY submission ORDER BY min(attempt), min(id)"
        return [row[0] for row in self.ask(f"SELECT submission FROM grades WHERE {where}", assignment, student)]

    def next_round(self, assignment: str, bundle: str, present: Iterable[tuple[str, str]]) -> int:
        """The regrade number to work on: the newest round as long as it lacks something (it was killed in the middle), else one more.

        Args:
            present: (student, submission) of all that is to be judged again.
        """
        query = f"SELECT regrade, student, submission FROM grades WHERE assignment = ? AND bundle = ? AND {_COUNTS}"
        rows = self.ask(query, assignment, bundle)
        newest = max((row[0] for row in rows), default=0)
        done = {row[1:] for row in rows if row[0] == newest}
        wanted = {(as_text(student), as_text(submission)) for student, submission in present}
        return newest if newest and wanted - done else newest + 1

    def assignments(self) -> list[str]:
        """Names of all assignments that something is written down for."""
        return [row[0] for row in self.ask("SELECT assignment FROM grades UNION SELECT assignment FROM manual ORDER BY 1")]

    def grades(self, assignment: str | None = None, which: str = "last") -> list[Grade]:
        """What counts, by assignment, student and attempt. Of an attempt that was judged again only the newest judging counts.

        Args:
            assignment: its name; None for all.
            which: ``last`` attempt of each student, ``best`` (most points; the earlier of two equal ones), or ``all`` of them.
        """
        if which not in WHICH:
            raise ValueError(f"which must be one of {', '.join(WHICH)}, got {which!r}")
        where, values = _where(assignment=assignment)
        newest: dict[tuple[str, str], dict[str, tuple]] = {}
        query = f"SELECT id, assignment, student, submission, attempt, points FROM grades WHERE {where} AND {_COUNTS} ORDER BY id"
        for row in self.ask(query, *values):
            newest.setdefault((row[1], row[2]), {})[row[3]] = row
        chosen: list[int] = []
        for person in sorted(newest):
            attempts = sorted(newest[person].values(), key=lambda row: (row[4], row[0]))
            if which == "last":
                attempts = attempts[-1:]
            elif which == "best":
                attempts = [max(attempts, key=lambda row: row[5])]
            chosen += [row[0] for row in attempts]
        return [self._grade(number) for number in chosen]

    def history(self, assignment: str | None = None) -> list[Grade]:
        """Every row ever written, in order: infrastructure errors too, and what was judged again since."""
        where, values = _where(assignment=assignment)
        return [self._grade(row[0]) for row in self.ask(f"SELECT id FROM grades WHERE {where} ORDER BY id", *values)]

    def errors(self, assignment: str | None = None) -> list[Grade]:
        """Submissions that met an infrastructure error and have no grade by that bundle: to be judged again. The newest error of each."""
        where, values = _where(assignment=assignment)
        key = "assignment, student, submission, bundle"
        graded = set(self.ask(f"SELECT {key} FROM grades WHERE {where} AND {_COUNTS}", *values))
        query = f"SELECT max(id), {key} FROM grades WHERE {where} AND NOT {_COUNTS} GROUP BY {key} ORDER BY assignment, student, max(id)"
        return [self._grade(row[0]) for row in self.ask(query, *values) if row[1:] not in graded]

    def add_manual(self, mark: ManualMark) -> None:
        """Append a mark given by hand. The newest of a part counts."""
        mark = dataclasses.replace(mark, time=mark.time or datetime.now(UTC).isoformat(timespec="seconds"))
        values = (mark.assignment, mark.student, mark.part, float(mark.points), float(mark.out_of))
        with self.transaction():
            self.append("manual", values, dataclasses.asdict(mark))

    def manual(self, assignment: str | None = None, student: str | None = None, history: bool = False) -> list[ManualMark]:
        """Marks given by hand, in order: the newest of each part, or with `history` every one that was ever given."""
        where, values = _where(assignment=assignment, student=student)
        rows = self.ask(f"SELECT id FROM manual WHERE {where} ORDER BY id", *values)
        marks = [ManualMark(**self.record("manual", row[0])) for row in rows]
        if history:
            return marks
        return list({(mark.assignment, mark.student, mark.part): mark for mark in marks}.values())

    def _grade(self, number: int) -> Grade:
        record = self.record("grades", number)
        try:
            return Grade.from_json(record)
        except (TypeError, AttributeError, ValueError) as error:
            raise ValueError(f"row {number} of grades in {self.path} is no grade ({error}); coursekit gradebook verify says more") from None


def _where(**values: str | None) -> tuple[str, list[str]]:
    """SQL for "all of these are so", leaving out what is None."""
    given = {name: value for name, value in values.items() if value is not None}
    return " AND ".join(f"{name} = ?" for name in given) or "1", list(given.values())
