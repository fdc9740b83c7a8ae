"""Grades on their way back into Canvas and Moodle. The platform's own list of the class says who is who; nobody is dropped in silence.

Canvas: the file that its gradebook exports is read, and the same columns come back with one column of points: they are what its importer
asks for (Student, ID, SIS User ID, SIS Login ID, Section). Moodle: its grade import wants one column that names the user (email address,
ID number or username), one of grades, one of feedback, and stops at the first user whom it does not know.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .exports import Standing
from .table import csv_text, number, plain, read_csv

IDENTITY = ("Student", "LastName", "FirstName", "ID", "SIS User ID", "SIS Login ID", "Integration ID", "Root Account", "Section")
HASH = re.compile(r"~[0-9a-f]{8}$")  # what a name gets that could not stay as it came (see `names`)
# names of files: lovelaceada_LATE_123_456_13_boxes, Ada Lovelace_123_assignsubmission_file; and as `intake` cuts them, lovelaceada_123
NUMBERED = (
    re.compile(r"(.*?)(?:_LATE)?_(\d+)(?:_.*)?", re.DOTALL),
    re.compile(r"(.*)_(\d+)", re.DOTALL),
)
MOODLE_IDS = {"email": ("email address", "email", "e-mail"), "idnumber": ("id number", "idnumber"), "username": ("username",)}
MOODLE_HEADS = {"email": "Email address", "idnumber": "ID number", "username": "Username"}


@dataclass
class Person:
    """One line of a class list: its row, what names this person alone (`numbers`: in file names), and what may name others too."""

    row: list[str]
    name: str
    ids: set[str]
    numbers: set[str]
    names: set[str]


@dataclass
class Import:
    """The file to import, and what to know about it.

    Args:
        text: CSV.
        unmatched: students of ours whose points are not in it, each with the reason.
        notes: other sentences.
    """

    text: str
    unmatched: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


# who is who


def pair(students: Iterable[str], people: Sequence[Person]) -> tuple[dict[str, Person], dict[str, str]]:
    """Who of a class list each of our students is.

    By an identifier first (login, SIS id, email, ID number, or the number that the platform put into file names), then by name.
    Where two people fit, or two students are one person, nobody is chosen.

    Returns:
        The people found, and why the others were not.
    """
    found: dict[str, Person] = {}
    why: dict[str, str] = {}
    for student in students:
        fits = _fitting(student, people)
        if len(fits) == 1:
            found[student] = fits[0]
        elif fits:
            why[student] = f"may be {' or '.join(person.name for person in fits)}"
        else:
            why[student] = "is nobody in the list"
    owners: dict[int, list[str]] = {}
    for student, person in found.items():
        owners.setdefault(id(person), []).append(student)
    for students_of_one in owners.values():
        for student in students_of_one if len(students_of_one) > 1 else ():
            others = ", ".join(other for other in students_of_one if other != student)
            why[student] = f"is {found.pop(student).name}, and so is {others}"
    return found, why


def _fitting(student: str, people: Sequence[Person]) -> list[Person]:
    bare = HASH.sub("", student)
    by_file = [match for pattern in NUMBERED if (match := pattern.fullmatch(bare))]
    numbers = {match[2] for match in by_file}
    fits = [person for person in people if _id(student) in person.ids or numbers & person.numbers]
    if fits:
        return fits
    names = {_letters(text) for text in (student, bare, *(match[1] for match in by_file))} - {""}
    return [person for person in people if names & person.names]


def _id(text: str) -> str:
    return text.strip().casefold()


def _letters(name: str) -> str:
    """A name without what platforms drop from it: Lovelace, Ada and lovelaceada are the same."""
    return "".join(c for c in unicodedata.normalize("NFKC", name).casefold() if c.isalnum())


def _person(row: list[str], name: str, in_files: str, ids: Iterable[str], names: Iterable[str]) -> Person:
    known = {_id(plain(text)) for text in [*ids, in_files] if text.strip()}
    known |= {text.partition("@")[0] for text in known if "@" in text}  # a login often is an email address, or its beginning
    turned = [f"{first} {last}" for last, comma, first in (text.partition(",") for text in names) if comma]
    return Person(row, name.strip(), known - {""}, {in_files.strip()} - {""}, {_letters(text) for text in [*names, *turned]} - {""})


# Canvas


def canvas(standings: Sequence[Standing], export: Path | str, column: str | None = None) -> Import:
    """A file for Canvas's gradebook import.

    Args:
        standings: of one assignment, one for each student.
        export: what Canvas's own gradebook exported, for its ids.
        column: the assignment's column in it, its title or its number; None to look for the assignment's name. Where there is none, Canvas
            makes a new assignment of it.

    Raises:
        ValueError: that is no export of Canvas, or the column is not there, not clear, or read only.
    """
    header, rows, separator = read_csv(export)
    missing = {"ID", "Section"} - set(header) | (set() if {"LastName", "FirstName"} <= set(header) else {"Student"} - set(header))
    if missing:
        raise ValueError(f"{export} is no export of Canvas's gradebook: its first line lacks {', '.join(sorted(missing))}")
    identity = [index for index, title in enumerate(header) if title in IDENTITY and index <= header.index("Section")]
    where = _canvas_column(header, rows, standings[0].assignment if standings else "", column, export)
    title = header[where] if where is not None else column or (standings[0].assignment if standings else "")
    possible, people = [], []
    for row in rows:
        if "Points Possible" in row[0]:
            possible = row
        elif any(row[index].strip() for index in identity):  # the line of "Manual Posting" has nothing there
            people.append(_canvas_person(header, row))
    found, why = pair([row.student for row in standings], people)
    made = Import("", why)
    grades = {id(found[row.student]): row for row in standings if row.student in found}
    out_of = max((row.out_of for row in standings), default=0)
    worth = possible[where] if possible and where is not None else number(out_of)
    table: list[list] = [[*(header[index] for index in identity), title], ["    Points Possible", *[""] * (len(identity) - 1), worth]]
    for person in people:
        old = person.row[where] if where is not None else ""
        table.append([*(plain(person.row[index]) for index in identity), _canvas_cell(grades.get(id(person)), old, person, made)])
    absent = [p.name for p in people if id(p) not in grades and p.name not in ("Student, Test", "Test Student")]
    if absent:
        made.notes.append(f"in Canvas, but without a grade here (left as they were): {', '.join(absent)}")
    if where is None:
        made.notes.append(f"{export} has no column for {title!r}: Canvas will ask whether to make a new assignment")
    elif worth and _as_number(worth) not in (None, round(out_of, 2)):
        made.notes.append(f"{title} is out of {worth} in Canvas and out of {number(out_of)} here: the points are not scaled")
    made.text = csv_text(table, separator)
    return made


def _canvas_person(header: list[str], row: list[str]) -> Person:
    cells = {title: row[index] for index, title in enumerate(header) if title in IDENTITY}
    name = cells.get("Student") or f"{cells.get('LastName', '')}, {cells.get('FirstName', '')}"
    ids = [cells.get(title, "") for title in ("SIS User ID", "SIS Login ID", "Integration ID")]
    return _person(row, plain(name), cells["ID"], ids, [plain(name)])


def _canvas_column(header: list[str], rows: list[list[str]], assignment: str, column: str | None, export: Path | str) -> int | None:
    """Where the points go: Canvas's titles are "hw3 (12345)"."""
    wanted = (column or assignment).strip()
    fits = []
    for index in range(header.index("Section") + 1, len(header)):
        titled = re.fullmatch(r"(.*\S)\s*\((\d+)\)", header[index], re.DOTALL)
        same = {header[index], titled[1], titled[2]} if titled and column else {header[index], titled[1]} if titled else {header[index]}
        if wanted.casefold() in {text.casefold() for text in same}:
            fits.append(index)
    if len(fits) > 1:
        raise ValueError(
            f"{export} has several columns for {wanted!r} ({', '.join(header[index] for index in fits)}): name one with --column"
        )
    if not fits:
        if column:
            raise ValueError(f"{export} has no column {column!r}; it has {', '.join(header[header.index('Section') + 1 :]) or 'none'}")
        return None
    if any("Points Possible" in row[0] and "read only" in row[fits[0]] for row in rows):
        raise ValueError(f"the column {header[fits[0]]!r} of {export} is read only in Canvas")
    return fits[0]


def _canvas_cell(row: Standing | None, old: str, person: Person, made: Import) -> float | int | str:
    if row is None:
        return old
    if row.points is None:
        made.unmatched[row.student] = f"has no grade: {row.note}"
        return old
    if old.strip().upper() == "EX":
        made.unmatched[row.student] = f"is excused in Canvas ({person.name}), and stays so"
        return old
    return number(row.points)


def _as_number(text: str) -> float | None:
    try:
        return round(float(str(text).replace(",", ".")), 2)
    except ValueError:
        return None


# Moodle


def moodle(standings: Sequence[Standing], participants: Path | str | None = None, by: str | None = None) -> Import:
    """A file for Moodle's grade import: who, points, feedback.

    Args:
        standings: of one assignment, one for each student.
        participants: a CSV from Moodle that says who is who: the participants, the assignment's grading worksheet, or a grade export, with
            an email address, ID number or username, and names or the worksheet's Identifier. Without it students must be named by one.
        by: ``email``, ``idnumber`` or ``username``: what Moodle is told. None: the first of these that is there.

    Raises:
        ValueError: no such identifier, or not in the file.
    """
    if by is not None and by not in MOODLE_IDS:
        raise ValueError(f"by must be one of {', '.join(MOODLE_IDS)}, got {by!r}")
    students = [row.student for row in standings]
    if participants is None:
        by = by or ("email" if students and all("@" in student for student in students) else "idnumber")
        told, why = {student: student for student in students}, {}
    else:
        by, people = _moodle_people(participants, by)
        found, why = pair(students, [person for person, _ in people])
        name_of = {id(person): value for person, value in people}
        told = {student: name_of[id(person)] for student, person in found.items()}
        why |= {student: f"has no {MOODLE_HEADS[by]} in {participants}" for student, value in told.items() if not value}
    made = Import("", why)
    table: list[list] = [[MOODLE_HEADS[by], standings[0].assignment if standings else "Grade", "Feedback"]]
    for row in standings:
        if row.points is None:
            made.unmatched[row.student] = f"has no grade: {row.note}"
        elif told.get(row.student):
            table.append([told[row.student], number(row.points), feedback_text(row)])
    if any((row.points or 0) > 100 for row in standings):
        made.notes.append("Moodle refuses more than 100 points unless its site allows unlimited grades")
    made.text = csv_text(table)
    return made


def _moodle_people(path: Path | str, by: str | None) -> tuple[str, list[tuple[Person, str]]]:
    header, rows, _ = read_csv(path)
    at = {title.casefold(): index for index, title in enumerate(header)}
    columns = {kind: at[title] for kind, titles in MOODLE_IDS.items() for title in titles if title in at}
    by = by or next((kind for kind in MOODLE_IDS if kind in columns), None)
    if by not in columns:
        wanted = MOODLE_HEADS[by] if by else ", ".join(MOODLE_HEADS.values())
        raise ValueError(f"{path} has no column {wanted}; it has {', '.join(header)}")
    people = []
    for row in rows:
        cell = {title: plain(row[index]) for title, index in at.items()}
        last = cell.get("surname") or cell.get("last name") or ""
        whole = [cell.get("full name", ""), f"{last}, {cell['first name']}" if "first name" in cell else last]
        participant = re.search(r"\d+", cell.get("identifier", ""))
        ids = [plain(row[index]) for index in columns.values()]
        name = next((text for text in whole if text.strip(", ")), plain(row[columns[by]]))
        people.append((_person(row, name, participant[0] if participant else "", ids, whole), plain(row[columns[by]]).strip()))
    return by, people


def feedback_text(row: Standing) -> str:
    """What a student reads, in plain text that is safe where a platform takes it for HTML."""
    lines = [f"{number(row.points)} of {number(row.out_of)} points"]
    if row.grade and row.grade.reason:
        lines.append(row.grade.reason)
    if row.lateness.words:
        lines.append(f"{row.lateness.words} ({number(row.earned)} before)")
    for name, part in row.parts.items():
        said = part.message or (part.status if part.status not in ("passed", "by hand", "to be marked") else "")
        earned = "not marked yet" if part.points is None else f"{number(part.points)} of {number(part.out_of)}"
        lines.append(f"{name}: {earned}" + (f". {said}" if said else ""))
    return "\n".join(lines).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
