"""Where each student stands, and that as CSV, JSON and Gradescope's results.json. Canvas and Moodle: `lms`.

A standing brings together what the gradebook keeps apart: the attempt that counts, marks given by hand, lateness, and who has no grade yet.
"""

import hashlib
import json
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from coursekit.files import write_text

from .gradebook import Gradebook, ManualMark
from .late import Lateness, LatePolicy, lateness
from .records import UNGRADABLE, Grade, Mark
from .table import csv_text, number, write_csv

VISIBILITIES = ("visible", "hidden", "after_due_date", "after_published")
BARS = " ▁▂▃▄▅▆▇█"


@dataclass(frozen=True)
class Part:
    """One exercise or one part marked by hand.

    Args:
        points: None where it is still to be marked.
        out_of: what it is worth.
        message: to the learner.
        status: a mark's, or ``by hand``, or ``to be marked``.
    """

    points: float | None
    out_of: float
    message: str = ""
    status: str = ""


@dataclass(frozen=True)
class Standing:
    """One student in one assignment, or one attempt of theirs.

    Args:
        grade: the attempt; None where nothing is graded.
        parts: by name, in order.
        lateness: of that attempt.
        note: for the teacher: why there is no grade, what else is to be known.
        waiting: it met an infrastructure error and is to be judged again.
    """

    assignment: str
    student: str
    grade: Grade | None
    parts: dict[str, Part] = field(default_factory=dict)
    lateness: Lateness = field(default_factory=Lateness)
    note: str = ""
    waiting: bool = False

    @property
    def earned(self) -> float:
        """Points before lateness."""
        return round(sum(part.points or 0 for part in self.parts.values()), 6)

    @property
    def out_of(self) -> float:
        return round(sum(part.out_of for part in self.parts.values()), 6)

    @property
    def points(self) -> float | None:
        """What counts; None where nothing is graded: an infrastructure error is no zero."""
        if self.waiting or (self.grade is None and not any(part.status == "by hand" for part in self.parts.values())):
            return None
        return self.lateness.after(self.earned)

    @property
    def taken_off(self) -> float:
        return round(self.earned - self.lateness.after(self.earned), 6)


# what counts


def collect(
    book: Gradebook,
    assignment: str | None = None,
    which: str = "last",
    policy: LatePolicy | None = None,
    times: Mapping[str, str] | None = None,
) -> list[Standing]:
    """Where everybody stands, by assignment and student; nobody of whom the gradebook knows is left out.

    Args:
        assignment: its name; None for all in the gradebook.
        which: ``last``, ``best`` (after lateness; the earlier of two equal ones) or ``all`` attempts.
        policy: what lateness costs; None for nothing.
        times: when each student handed in, instead of what the gradebook says.

    Raises:
        ValueError: no such assignment; the message has those that there are.
    """
    there = book.assignments()
    if assignment is not None and assignment not in there:
        raise ValueError(f"the gradebook {book.path} has no assignment {assignment!r}; it has {', '.join(map(repr, there)) or 'none yet'}")
    standings: list[Standing] = []
    for name in there if assignment is None else [assignment]:
        standings += _of_assignment(book, name, which, policy, times or {})
    return standings


def _of_assignment(book: Gradebook, name: str, which: str, policy: LatePolicy | None, times: Mapping[str, str]) -> list[Standing]:
    by_hand: dict[str, dict[str, ManualMark]] = {}
    for mark in book.manual(name):
        by_hand.setdefault(mark.student, {})[mark.part] = mark
    attempts: dict[str, list[Grade]] = {}
    for grade in book.grades(name, "all" if which == "best" else which):
        attempts.setdefault(grade.student, []).append(grade)
    errors = {grade.student: grade for grade in book.errors(name)}
    exercises = {mark.exercise: mark.out_of for grades in attempts.values() for grade in grades for mark in grade.marks}
    extra = {m.part: m.out_of for marks in by_hand.values() for m in marks.values() if m.part not in exercises}
    standings = []
    for student in sorted({*attempts, *by_hand, *errors}):
        rows = []
        for grade in attempts.get(student, [None]):
            parts = _parts(grade, by_hand.get(student, {}), exercises, extra)
            late = lateness(times.get(student) or grade.submitted, policy) if grade else Lateness()
            error = errors.get(student)
            rows.append(Standing(name, student, grade, parts, late, _note(grade, error), waiting=error is not None and grade is None))
        standings += [max(rows, key=lambda row: row.points or 0)] if which == "best" else rows
    return standings


def _parts(
    grade: Grade | None, by_hand: Mapping[str, ManualMark], exercises: Mapping[str, float], extra: Mapping[str, float]
) -> dict[str, Part]:
    marks = {mark.exercise: mark for mark in grade.marks} if grade else {}
    parts: dict[str, Part] = {}
    for name, out_of in exercises.items():
        if name in by_hand:
            parts[name] = Part(by_hand[name].points, by_hand[name].out_of, by_hand[name].comment, "by hand")
        elif name in marks:
            parts[name] = Part(marks[name].points, marks[name].out_of, message_of(marks[name]), marks[name].status)
        elif grade is None or grade.outcome == UNGRADABLE:  # worth what it is worth to the others, so that the total is out of the same
            parts[name] = Part(0.0 if grade else None, out_of, "", "ungradable" if grade else "not graded")
    for name, out_of in extra.items():
        mark = by_hand.get(name)
        parts[name] = Part(mark.points, mark.out_of, mark.comment, "by hand") if mark else Part(None, out_of, "", "to be marked")
    return parts


def _note(grade: Grade | None, error: Grade | None) -> str:
    notes = []
    if error:
        notes.append(f"{'a newer attempt is ' if grade else ''}not graded yet, infrastructure error: {error.reason or 'no reason given'}")
    elif grade is None:
        notes.append("nothing was handed in")
    if grade:
        notes += [f"ungradable: {grade.reason}"] if grade.outcome == UNGRADABLE else []
        notes += [*grade.notes, *(f"{mark.exercise}: {flag}" for mark in grade.marks for flag in mark.flags)]
    return "; ".join(notes)


def message_of(mark: Mark) -> str:
    """What a learner is told about an exercise, as plain text."""
    shown = [f"{name}: {value}" for name, value in mark.shown.items()]
    case = [f"The case: {mark.case}"] if mark.case and shown else []
    return "\n".join(filter(None, [mark.message, *case, *shown, mark.hint]))


def distribution(standings: Sequence[Standing]) -> str:
    """One line on how a class did: mean, median, range, and a bar for each tenth."""
    shares = [row.points / row.out_of for row in standings if row.points is not None and row.out_of]
    waiting = sum(row.points is None for row in standings)
    if not shares:
        return f"no grades yet, {waiting} waiting"
    tenths = [0] * 10
    for share in shares:
        tenths[min(9, int(share * 10 + 1e-9))] += 1
    bars = "".join(BARS[-(-count * 8 // max(tenths))] for count in tenths)
    mean, median = statistics.mean(shares), statistics.median(shares)
    rest = f" · {waiting} not graded yet" if waiting else ""
    return f"{len(shares)} graded · mean {mean:.0%} · median {median:.0%} · {min(shares):.0%} to {max(shares):.0%} · 0 %|{bars}|100 %{rest}"


# formats


def as_csv(standings: Sequence[Standing]) -> str:
    """One row for each standing: what counts, what it was before lateness, each part, and what a teacher should know."""
    names = list({name: None for row in standings for name in row.parts})
    head = ["Assignment", "Student", "Attempt", "Outcome", "Points", "Out of", "Before lateness", "Taken off", "Lateness", "Submitted"]
    rows: list[list] = [[*head, *names, "Note"]]
    for row in standings:
        known = row.points is not None
        points = [number(row.points), number(row.out_of), number(row.earned if known else None), number(row.taken_off if known else None)]
        who = [row.assignment, row.student, row.grade.attempt if row.grade else "", row.grade.outcome if row.grade else "not graded"]
        parts = [number(row.parts[name].points) if name in row.parts else "" for name in names]
        rows.append([*who, *points, row.lateness.words, (row.grade.submitted if row.grade else "") or "", *parts, row.note])
    return csv_text(rows)


def as_json(book: Gradebook, standings: Sequence[Standing], assignment: str | None = None) -> str:
    """All of it: what counts, and every row that was ever written."""
    value = {
        "gradebook": {"head": book.head(), "assignments": book.assignments()},
        "standings": [_standing(row) for row in standings],
        "history": [grade.to_json() for grade in book.history(assignment)],
        "manual": [vars(mark) for mark in book.manual(assignment, history=True)],
    }
    return json.dumps(value, indent=1, allow_nan=False) + "\n"


def _standing(row: Standing) -> dict[str, Any]:
    who = {"assignment": row.assignment, "student": row.student, "attempt": row.grade.attempt if row.grade else None}
    points = {"points": row.points, "out_of": row.out_of, "before_lateness": row.earned, "taken_off": row.taken_off}
    late = {"days_late": row.lateness.days, "lateness": row.lateness.words}
    return {**who, **points, **late, "parts": {name: vars(part) for name, part in row.parts.items()}, "note": row.note}


def gradescope(row: Standing, visibility: str = "visible") -> dict[str, Any]:
    """One student's ``results.json`` (its autograder documentation, Output format). Only what a learner may read: no seed.

    Raises:
        ValueError: no grade yet, or no such visibility.
    """
    if visibility not in VISIBILITIES:
        raise ValueError(f"visibility must be one of {', '.join(VISIBILITIES)}, got {visibility!r}")
    if row.points is None:
        raise ValueError(f"{row.student!r} has no grade yet: {row.note}")
    reason = row.grade.reason if row.grade and row.grade.outcome == UNGRADABLE else ""
    lines = [f"{number(row.points)} of {number(row.out_of)} points", reason, row.lateness.words and _late_line(row)]
    result = {
        "score": round(row.points, 4),
        "output": "\n".join(filter(None, lines)),
        "output_format": "text",
        "test_output_format": "text",
        "visibility": visibility,
        "stdout_visibility": "hidden",
        "extra_data": {"assignment": row.assignment, "attempt": row.grade.attempt if row.grade else None},
        "tests": [_test(name, part, visibility) for name, part in row.parts.items()],
    }
    if row.grade:
        result["execution_time"] = round(row.grade.seconds, 3)
        result["extra_data"] |= {"submission": row.grade.submission, "bundle": row.grade.bundle, "tier": row.grade.tier}
    return result


def _late_line(row: Standing) -> str:
    return f"{row.lateness.words} ({number(row.earned)} before, {number(row.taken_off)} taken off)"


def _test(name: str, part: Part, visibility: str) -> dict[str, Any]:
    test = {"name": name, "score": round(part.points or 0, 4), "max_score": part.out_of, "output": part.message, "output_format": "text"}
    test["visibility"] = visibility
    if part.status != "by hand" and part.points is not None:
        test["status"] = "passed" if part.points == part.out_of else "failed"
    if part.points is None:
        test["output"] = "Not marked yet."
    return test


def write_gradescope(standings: Iterable[Standing], folder: Path | str, visibility: str = "visible") -> dict[str, Path]:
    """``FOLDER/STUDENT/results.json`` for everybody who has a grade, and ``students.csv``, which says whose folder is whose."""
    written: dict[str, Path] = {}
    taken: set[str] = set()
    for row in standings:
        if row.points is None:
            continue
        path = Path(folder) / _folder(row.student, taken) / "results.json"
        write_text(path, json.dumps(gradescope(row, visibility), indent=1, allow_nan=False) + "\n")
        written[row.student] = path
    whose = [[name, path.parent.name] for name, path in written.items()]
    write_csv(Path(folder) / "students.csv", csv_text([["Student", "Folder"], *whose]))
    return written


def _folder(student: str, taken: set[str]) -> str:
    """A folder's name for anybody; two students never share one, not even where capitals do not count."""
    name = "".join(c if c.isalnum() or c in "-_. " else "_" for c in student)[:60].strip(". ") or "_"
    if name != student or name.casefold() in taken:
        name += "~" + hashlib.sha256(student.encode("utf-8", "backslashreplace")).hexdigest()[:8]
    taken.add(name.casefold())
    return name
