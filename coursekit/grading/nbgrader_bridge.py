"""Scores written into an nbgrader gradebook, for teachers who look at them in formgrader. No dependency: nbgrader is imported only here.

nbgrader's own autograder runs what students wrote with the rights of whoever grades, and believes it. Here it decides nothing: it is told.
"""

import contextlib
import os
import shutil
import sqlite3
import stat
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC
from pathlib import Path

from .exports import Part, Standing
from .late import parse_time
from .table import number

DATABASE = "gradebook.db"


@dataclass
class Written:
    """What went over.

    Args:
        students: whose scores are in nbgrader's gradebook now.
        left_out: students whose are not, each with the reason.
        notes: other sentences.
    """

    students: list[str] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def write_scores(standings: Sequence[Standing], course: Path | str) -> Written:
    """Write standings into the nbgrader course at a folder; writing them again changes nothing.

    An exercise 13.box_iou goes to the locked cell that the class edition has for it, 13-box_iou-check, as its automatic score, and its
    message to the answer's comment. Marks given by hand become manual scores; a score that somebody gave in formgrader stays. What lateness
    takes off becomes nbgrader's late penalty. Where a student's notebooks lie in the course's ``submitted`` folder, they are copied to
    ``autograded`` without being run, because that is where formgrader looks.

    Args:
        standings: of one assignment, one for each student.
        course: the folder that holds ``gradebook.db``.

    Raises:
        ValueError: nbgrader is not installed, this is no gradebook of it, or it does not know the assignment.
    """
    course = Path(course)
    database = course / DATABASE
    _look(database)
    try:
        from nbgrader.api import Gradebook, MissingEntry
    except ImportError:
        raise ValueError("nbgrader is not installed here: pip install nbgrader, or use another export") from None
    written = Written()
    if not standings:
        return written
    name = standings[0].assignment
    with warnings.catch_warnings(), Gradebook(f"sqlite:///{database.absolute()}") as book:
        warnings.simplefilter("ignore")  # SQLAlchemy's, on how nbgrader uses it
        try:
            assignment = book.find_assignment(name)
        except MissingEntry:
            there = ", ".join(repr(known.name) for known in book.assignments) or "none"
            raise ValueError(
                f"nbgrader's gradebook has no assignment {name!r} (it has {there}): run nbgrader generate_assignment {name}"
            ) from None
        cells = {cell.name: notebook.name for notebook in assignment.notebooks for cell in (*notebook.grade_cells, *notebook.task_cells)}
        for row in standings:
            if row.points is None:
                written.left_out[row.student] = f"has no grade: {row.note}"
                continue
            _one_student(book, cells, row, course, written)
    return written


def _look(database: Path) -> None:
    """Without nbgrader, which puts its tables into any SQLite file that it opens."""
    if not database.is_file():
        raise ValueError(f"{database.parent} holds no {DATABASE}: run nbgrader generate_assignment there first")
    try:
        look = sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)
        try:
            tables = {row[0] for row in look.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        finally:
            look.close()
    except sqlite3.DatabaseError as error:
        raise ValueError(f"{database} is no gradebook of nbgrader: {error}") from None
    if not {"alembic_version", "submitted_assignment", "grade"} <= tables:
        raise ValueError(f"{database} is no gradebook of nbgrader")


def _one_student(book, cells: dict[str, str], row: Standing, course: Path, written: Written) -> None:
    time = row.grade.submitted if row.grade else None
    timestamp = {"timestamp": parse_time(time).astimezone(UTC).replace(tzinfo=None)} if time else {}
    timestamp |= _copied(row, course, written)
    book.update_or_create_student(row.student)
    submission = book.update_or_create_submission(row.assignment, row.student, **timestamp)
    for name, part in row.parts.items():
        dashed = name.replace(".", "-")
        cell = next((cell for cell in (f"{dashed}-check", dashed, name) if cell in cells), None)
        if cell is None:
            _say(written, f"nbgrader knows no cell for {name}: its points are not there")
        elif part.points is not None:
            _one_cell(book, cell, dashed, cells[cell], row, part, written)
    for index, notebook in enumerate(sorted(submission.notebooks, key=lambda notebook: notebook.name)):
        notebook.late_submission_penalty = row.taken_off if index == 0 else 0.0
    book.db.commit()
    written.students.append(row.student)


def _one_cell(book, cell: str, answer: str, notebook: str, row: Standing, part: Part, written: Written) -> None:
    from nbgrader.api import MissingEntry

    grade = book.find_grade(cell, notebook, row.assignment, row.student)
    if part.status == "by hand":
        grade.manual_score = part.points
    else:
        grade.auto_score = part.points
        if grade.manual_score is not None:
            _say(written, f"{row.student}: the score that {cell} was given by hand in nbgrader stays ({number(grade.manual_score)})")
    grade.needs_manual_grade = False
    if grade.max_score != part.out_of:
        _say(written, f"{cell} is out of {number(grade.max_score)} in nbgrader and of {number(part.out_of)} here: points are not scaled")
    with contextlib.suppress(MissingEntry):  # the answer's cell may be none of nbgrader's
        book.find_comment(answer, notebook, row.assignment, row.student).auto_comment = part.message or None


def _say(written: Written, sentence: str) -> None:
    if sentence not in written.notes:
        written.notes.append(sentence)


def _copied(row: Standing, course: Path, written: Written) -> dict[str, str]:
    """Notebooks to where formgrader looks for them; gives back the time that nbgrader noted when it collected them."""
    if Path(row.student).name != row.student or Path(row.assignment).name != row.assignment:
        return {}  # no folder's name
    source, target = (course / step / row.student / row.assignment for step in ("submitted", "autograded"))
    if not source.is_dir() or source.is_symlink():
        _say(written, "formgrader shows notebooks only of students whose work lies in the course's folder submitted")
        return {}
    target.mkdir(parents=True, exist_ok=True)
    for path in sorted(source.iterdir()):
        if path.suffix in (".ipynb", ".txt") and stat.S_ISREG(path.lstat().st_mode):  # a link may lead anywhere
            shutil.copyfile(path, target / path.name, follow_symlinks=False)
    noted = target / "timestamp.txt"
    if not noted.is_file() or os.path.getsize(noted) > 200:
        return {}
    try:
        from nbgrader.utils import parse_utc

        return {"timestamp": parse_utc(noted.read_text().strip())}
    except (ValueError, OverflowError):
        return {}
