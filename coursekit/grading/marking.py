"""Marking by hand: which answer belongs to which part of a rubric, what is marked already, and what comes next. Pages: `marking_page`."""

import functools
import hashlib
import json
import re
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from coursekit.files import write_text
from coursekit.grading.assignment import Assignment
from coursekit.grading.feedback import feedback_file, feedback_page
from coursekit.grading.gradebook import Gradebook, ManualMark
from coursekit.grading.html import number
from coursekit.grading.marking_papers import machine_help, shown_of
from coursekit.grading.papers import Paper
from coursekit.grading.submission import Submission
from coursekit.grading.table import csv_text, plain, read_csv, write_csv
from coursekit.grading.table import number as plainly
from coursekit.resources import notebooks_folder

EMPTY = ("*Write your answer here.*", "")
MOST_CELLS, LONGEST = 20, 40_000  # of one answer
COLUMNS = ("student", "part", "title", "out of", "points", "comment", "answer")


@dataclass(frozen=True)
class Part:
    """One part of a rubric.

    Args:
        id: what its marks are stored under.
        title, points, levels: as in the file; levels are (points, text) pairs.
        exercise: whose cell is shown, if it is about one.
        cell: id of the cell with the answer.
        report: what of the project's papers is shown; see `rubric`.
    """

    id: str
    title: str
    points: float
    levels: tuple[tuple[float, str], ...]
    exercise: str | None
    cell: str
    report: str | None = None

    @classmethod
    def of(cls, record: dict[str, Any]) -> "Part":
        levels = tuple((float(level["points"]), level["text"]) for level in record.get("levels") or ())
        cell = record.get("cell") or f"answer-{re.sub(r'[^a-zA-Z0-9_-]', '-', record['id'])}"[:64]
        title, points = record.get("title") or record["id"], float(record["points"])
        return cls(record["id"], title, points, levels, record.get("exercise"), cell, record.get("report"))


@dataclass(frozen=True)
class Piece:
    """A cell of an answer, ``markdown`` or ``code``; or a section of the report.

    Args:
        pictures: places of those among the student's papers that it shows.
    """

    kind: str
    text: str
    pictures: tuple[int, ...] = ()


@dataclass
class Desk:
    """Everything that is marked in one sitting.

    Args:
        name: of the assignment.
        parts: of its rubrics.
        answers: by student and part, in the order in which they are marked.
        problems: why a submission could not be read, by student.
        book: where marks go.
        marker: who marks.
        anonymous: students are numbers, in an order that says nothing.
        drafts: comments that still lack points, by student and part.
        papers: what each student handed in beside the notebook.
        helps: what a machine can say about a part, by student and part; never a mark.
    """

    name: str
    parts: tuple[Part, ...]
    answers: dict[str, dict[str, tuple[Piece, ...]]]
    problems: dict[str, str]
    book: Gradebook
    marker: str = ""
    anonymous: bool = False
    drafts: dict[tuple[str, str], str] = field(default_factory=dict)
    papers: dict[str, tuple[Paper, ...]] = field(default_factory=dict)
    helps: dict[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self):
        if self.anonymous:
            self.answers = dict(sorted(self.answers.items(), key=lambda item: hashlib.sha256(f"{self.name}\0{item[0]}".encode()).digest()))
        self.students = list(self.answers)

    def shown_name(self, student: str) -> str:
        return f"Submission {self.students.index(student) + 1}" if self.anonymous else student

    def marks(self) -> dict[tuple[str, str], ManualMark]:
        """What is marked already, by student and part."""
        return {(mark.student, mark.part): mark for mark in self.book.manual(self.name)}

    def give(self, student: str, part: Part, points: float, comment: str) -> bool:
        """Write a mark down at once, unless exactly that stands there already."""
        self.drafts.pop((student, part.id), None)
        now = next((mark for mark in self.book.manual(self.name, student) if mark.part == part.id), None)
        if now is not None and (now.points, now.out_of, now.comment) == (points, part.points, comment):
            return False
        self.book.add_manual(ManualMark(self.name, student, part.id, points, part.points, comment, self.marker))
        return True

    def open_parts(self, student: str) -> list[int]:
        """Places of the parts that this student has no mark for."""
        done = {mark.part for mark in self.book.manual(self.name, student)}
        return [i for i, part in enumerate(self.parts) if part.id not in done]

    def next_unmarked(self, after: int = -1) -> int | None:
        """Place of the next student who lacks a mark, going round; None where all is marked."""
        marks = self.marks()
        count = len(self.students)
        for step in range(1, count + 1):
            place = (after + step) % count
            if any((self.students[place], part.id) not in marks for part in self.parts):
                return place
        return None

    def progress(self) -> tuple[int, int]:
        """Marks given, and marks to give."""
        marks = self.marks()
        return sum((s, p.id) in marks for s in self.students for p in self.parts), len(self.students) * len(self.parts)


def desk(
    assignment: Assignment,
    submissions: Iterable[Submission],
    book: Gradebook,
    rubrics: Sequence[dict] | None = None,
    marker: str = "",
    anonymous: bool = False,
) -> Desk:
    """Lay out what is to be marked. Of each submission only the answers that a rubric asks for are kept.

    Raises:
        ValueError: the assignment has no rubric, two of its rubrics name a part alike, or nobody handed in.
    """
    parts = tuple(Part.of(part) for rubric in (assignment.rubrics if rubrics is None else rubrics) for part in rubric["parts"])
    if not parts:
        raise ValueError(f"assignment {assignment.name} has no rubric: give one with --rubric FILE, or make the assignment with one")
    names = [part.id for part in parts]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise ValueError(f"parts of rubrics must have different ids, but {twice!r} stands there twice")
    answers, problems, papers, helps = {}, {}, {}, {}
    for submission in submissions:
        student, papers[submission.student] = submission.student, submission.papers
        answers[student] = {part.id: answer_to(part, submission, parts) for part in parts}
        helps |= {(student, part): said for part, said in machine_help([(p.id, p.report) for p in parts], submission.papers).items()}
        if submission.problem:
            problems[student] = submission.problem
    if not answers:
        raise ValueError("there is nothing to mark: no submission was found")
    return Desk(assignment.name, parts, answers, problems, book, marker, anonymous, papers=papers, helps=helps)


def answer_to(part: Part, submission: Submission, parts: Sequence[Part]) -> tuple[Piece, ...]:
    """The cells that answer a part: those of its exercise; else the cell of its id, or what stands under its heading, and what follows it
    up to the next question. Cells that are as they were handed out are no answer. Then what the project's report says about it."""
    return (*_in_cells(part, submission, parts), *(Piece(*shown) for shown in shown_of(part.report, submission.papers)))


def _in_cells(part: Part, submission: Submission, parts: Sequence[Part]) -> tuple[Piece, ...]:
    cells = [cell for notebook in submission.notebooks.values() for cell in notebook]
    prose = frozenset().union(*map(prose_of, submission.notebooks))
    if part.exercise:
        found = [cell for cell in cells if cell.exercise == part.exercise and cell.source.strip()]
        return tuple(Piece("code", cell.source[:LONGEST]) for cell in found[:MOST_CELLS])
    begin = next((i for i, cell in enumerate(cells) if cell.id == part.cell), None)
    if begin is None:
        heading = next((i for i, cell in enumerate(cells) if _asks(cell.source, part)), None)
        if heading is None:
            return ()
        begin = heading + 1
    pieces = []
    others = [other for other in parts if other is not part]
    for cell in cells[begin : begin + MOST_CELLS]:
        if cell.exercise or any(cell.id == other.cell or _asks(cell.source, other) for other in others):
            break
        text = cell.source.strip()
        if cell.kind == "markdown" and text not in EMPTY and text in prose:
            break  # the course's own words go on
        if text not in EMPTY and not _asks(cell.source, part):
            pieces.append(Piece("code" if cell.kind == "code" else "markdown", cell.source[:LONGEST]))
    return tuple(pieces)


@functools.cache
def prose_of(stem: str) -> frozenset[str]:
    """The markdown cells of a notebook as everybody gets it: what still stands there word for word is nobody's answer."""
    path = notebooks_folder() / f"{stem}.ipynb"
    if not re.fullmatch(r"\d\d_\w+", stem) or not path.is_file():
        return frozenset()
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return frozenset("".join(cell["source"]).strip() for cell in cells if cell["cell_type"] == "markdown")


def _asks(source: str, part: Part) -> bool:
    """Is this the question, as a class edition asks it?"""
    first = source.lstrip().partition("\n")[0]
    return first.startswith("#") and first.lstrip("# ").startswith(part.title)


# marks in a spreadsheet


def write_sheet(path: Path | str, desk: Desk) -> int:
    """A CSV with a line for each student and part, what is marked already filled in; returns how many lines."""
    marks, rows = desk.marks(), [COLUMNS]
    for student in desk.students:
        for part in desk.parts:
            mark = marks.get((student, part.id))
            answer = "\n\n".join(piece.text for piece in desk.answers[student][part.id])[:5000]
            given = (plainly(mark.points), mark.comment) if mark else ("", "")
            rows.append((desk.shown_name(student), part.id, part.title, plainly(part.points), *given, answer))
    write_csv(path, csv_text(rows))
    return len(rows) - 1


def read_sheet(path: Path | str, desk: Desk) -> list[tuple[str, Part, float, str]]:
    """The marks of a sheet: (student, part, points, comment) of every line with points. Nothing is written down yet.

    Raises:
        ValueError: naming file, line and column; then nothing of it counts.
    """
    head, rows, _ = read_csv(path)
    columns = {name.strip().lower(): i for i, name in enumerate(head)}
    if missing := [name for name in ("student", "part", "points") if name not in columns]:
        raise ValueError(f"{path}: the column {missing[0]!r} is missing; there are {', '.join(head)[:200]}")
    students = {desk.shown_name(s): s for s in desk.students}
    parts = {part.id: part for part in desk.parts}
    given: dict[tuple[str, str], tuple[str, Part, float, str]] = {}
    for place, row in enumerate(rows, 2):
        cells = {name: plain(row[i]).strip() for name, i in columns.items() if i < len(row)}
        where = f"{path}: row {place}"
        if not cells["points"]:
            continue
        if cells["student"] not in students:
            raise ValueError(f"{where}: student must be one of those who handed in, got {cells['student'][:60]!r}")
        if cells["part"] not in parts:
            raise ValueError(f"{where}: part must be one of {', '.join(parts)}, got {cells['part'][:60]!r}")
        student, part = students[cells["student"]], parts[cells["part"]]
        if (student, part.id) in given:
            raise ValueError(f"{where}: {cells['student']!r} has a mark for {part.id} further up already")
        try:
            points = points_in(cells["points"], part)
        except ValueError as error:
            raise ValueError(f"{where}: {error}") from None
        given[student, part.id] = (student, part, points, cells.get("comment", ""))
    return list(given.values())


def points_in(text: str, part: Part) -> float:
    """Points as people type them, also with a comma.

    Raises:
        ValueError: no number, below 0, or more than twice what the part is worth: a slip of the hand.
    """
    try:
        points = float(text.strip().replace(",", "."))
    except ValueError:
        points = -1.0
    if not 0 <= points <= 2 * part.points:
        raise ValueError(
            f"points for {part.id} must be a number from 0 to {number(part.points)} (a bonus up to as much again), got {text[:40]!r}"
        )
    return points


# merging into what students get


def refresh_feedback(book: Gradebook, assignment: str, folder: Path | str, title: str = "") -> int:
    """Write the pages of all students who were marked by hand anew, with the marks; returns how many."""
    by_hand: dict[str, list[ManualMark]] = {}
    for mark in book.manual(assignment):
        by_hand.setdefault(mark.student, []).append(mark)
    written = 0
    for grade in book.grades(assignment):
        if grade.student in by_hand:
            write_text(Path(folder) / feedback_file(grade.student), feedback_page(grade, by_hand[grade.student], title))
            written += 1
    return written
