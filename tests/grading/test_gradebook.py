"""The gradebook only grows, keeps every row once, holds what was written, and survives a kill at any moment."""

import json
import os
import random
import re
import signal
import sqlite3
import stat
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coursekit.grading.gradebook import Gradebook, ManualMark
from coursekit.grading.records import GRADED, INFRASTRUCTURE, UNGRADABLE, Grade, Mark

BUNDLE, NEWER = "b" * 64, "c" * 64


def grade(student="ada", submission="s1", attempt=1, points=3.0, bundle=BUNDLE, outcome=GRADED, assignment="hw1", **more):
    marks = (Mark("13.box_iou", points, 5.0, "passed" if points == 5 else "wrong", groups=(("touching", True),), shown={"got": "1"}),)
    return Grade(
        assignment, student, attempt, submission, bundle, outcome, marks=marks, tier="landlock", versions={"torch": "2.15"}, **more
    )


@pytest.fixture
def book(tmp_path):
    with Gradebook(tmp_path / "out" / "gradebook.sqlite") as book:
        yield book


def raw(book):
    return sqlite3.connect(book.path)


def test_what_was_written_comes_back_whole(book):
    one = grade(submitted="2026-11-26T10:00:00+00:00", notes=("a symlink was left out",), seconds=0.25)
    assert book.add(one)
    assert book.grades() == [one]
    assert Gradebook(book.path, create=False).grades("hw1") == [one]


def test_a_submission_is_graded_once_by_a_bundle(book):
    assert book.add(grade(points=3.0))
    assert not book.add(grade(points=5.0))
    assert [g.points for g in book.grades(which="all")] == [3.0]
    assert book.has("hw1", "ada", "s1", BUNDLE)
    assert not book.has("hw1", "ada", "s1", NEWER)
    assert not book.has("hw2", "ada", "s1", BUNDLE)


def test_a_regrade_appends_and_the_newest_counts(book):
    book.add(grade(points=3.0))
    assert book.add(grade(points=4.0), regrade=1)
    assert not book.add(grade(points=5.0), regrade=1)
    assert book.grades()[0].points == 4.0
    assert book.add(grade(points=2.0, bundle=NEWER))
    assert [g.points for g in book.grades(which="all")] == [2.0]
    assert [g.points for g in book.history()] == [3.0, 4.0, 2.0]
    assert book.attempts("hw1", "ada") == ["s1"]


def test_rounds_of_regrading_are_finished_before_a_new_one_begins(book):
    present = [("ada", "s1"), ("bob", "s2")]
    for student, submission in present:
        book.add(grade(student, submission))
    assert book.next_round("hw1", BUNDLE, present) == 1
    book.add(grade("ada", "s1"), regrade=1)
    assert book.next_round("hw1", BUNDLE, present) == 1
    book.add(grade("bob", "s2"), regrade=1)
    assert book.next_round("hw1", BUNDLE, present) == 2


def test_an_infrastructure_error_is_never_a_grade(book):
    lost = grade(outcome=INFRASTRUCTURE, reason="the judge was killed", points=0.0)
    assert book.add(lost)
    assert book.add(lost)
    assert not book.has("hw1", "ada", "s1", BUNDLE)
    assert book.grades(which="all") == []
    assert book.errors() == [lost]
    assert book.attempts("hw1", "ada") == ["s1"], "its place as first attempt is kept, and so its seed"
    assert book.add(grade(points=5.0))
    assert book.errors() == []
    assert book.grades()[0].points == 5.0
    assert len(book.history()) == 3


def test_ungradable_is_a_grade_of_nothing(book):
    empty = Grade("hw1", "ada", 1, "s1", BUNDLE, UNGRADABLE, reason="no notebook in it")
    book.add(empty)
    assert book.has("hw1", "ada", "s1", BUNDLE)
    assert book.grades() == [empty]
    assert book.grades()[0].points == 0


def test_last_and_best(book):
    for number, points in enumerate([2.0, 5.0, 3.0, 5.0], 1):
        book.add(grade(submission=f"s{number}", attempt=number, points=points))
    assert [g.submission for g in book.grades(which="last")] == ["s4"]
    assert [g.submission for g in book.grades(which="best")] == ["s2"], "the earlier of two equal ones"
    assert [g.submission for g in book.grades(which="all")] == ["s1", "s2", "s3", "s4"]
    assert book.attempts("hw1", "ada") == ["s1", "s2", "s3", "s4"]
    with pytest.raises(ValueError, match="which must be one of last, best, all, got 'first'"):
        book.grades(which="first")


def test_manual_marks(book):
    book.add_manual(ManualMark("hw1", "ada", "report", 3, 10, "short", "mx"))
    book.add_manual(ManualMark("hw1", "ada", "talk", 5, 5, time="2026-11-26T10:00:00+00:00"))
    book.add_manual(ManualMark("hw1", "ada", "report", 8, 10, "much better", "mx"))
    assert [(m.part, m.points) for m in book.manual("hw1", "ada")] == [("report", 8), ("talk", 5)]
    assert [m.points for m in book.manual("hw1", "ada", history=True)] == [3, 5, 8]
    assert book.manual("hw1", "bob") == []
    assert book.manual()[0].time.endswith("+00:00")
    assert book.assignments() == ["hw1"]


@pytest.mark.parametrize("points", [float("nan"), float("inf"), -1])
def test_points_are_numbers(book, points):
    with pytest.raises(ValueError, match="points of a manual mark must be a number from 0"):
        ManualMark("hw1", "ada", "report", points, 10)
    if points != -1:
        with pytest.raises(ValueError, match=r"points must be finite, got (nan|inf) of 5.0 for 13.box_iou of 'ada'"):
            book.add(grade(points=points))
        assert book.history() == []


# nobody else reads it, nothing changes it


@pytest.mark.skipif(os.name == "nt", reason="modes are POSIX")
def test_only_its_owner_can_open_it(book, tmp_path):
    assert stat.S_IMODE(book.path.stat().st_mode) == 0o600
    old = os.umask(0)
    try:
        Gradebook(tmp_path / "other.sqlite").close()
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "other.sqlite").stat().st_mode) == 0o600
    book.path.chmod(0o644)
    Gradebook(book.path).close()
    assert stat.S_IMODE(book.path.stat().st_mode) == 0o600


ATTEMPTS_TO_CHANGE = [
    "UPDATE grades SET points = 5",
    "UPDATE grades SET record = '{}' WHERE id = 1",
    "DELETE FROM grades",
    "DELETE FROM grades WHERE id = 2",
    "INSERT OR REPLACE INTO grades SELECT * FROM grades WHERE id = 1",
    "INSERT OR REPLACE INTO grades SELECT id + 1, assignment, student, submission, bundle, regrade, attempt, outcome, 99, out_of, record,"
    " hash, 'x' FROM grades WHERE id = 2",
    "INSERT INTO grades SELECT 9, assignment, student, 'new', bundle, 0, 1, outcome, 5, 5, record, hash, 'x' FROM grades WHERE id = 2",
    "INSERT INTO grades SELECT id + 1, assignment, student, 'new', bundle, 0, 1, outcome, 5, 5, record, 'y', 'x' FROM grades WHERE id = 2",
    "INSERT INTO grades (assignment, student, submission, bundle, regrade, attempt, outcome, points, out_of, record, before, hash)"
    " SELECT assignment, student, 'new', bundle, 0, 1, outcome, 5, 5, record, hash, 'x' FROM grades WHERE id = 2",
    "UPDATE manual SET points = 5",
    "DELETE FROM manual",
    "INSERT OR REPLACE INTO manual SELECT * FROM manual",
]


@pytest.mark.parametrize("statement", ATTEMPTS_TO_CHANGE)
def test_sql_cannot_change_a_row(book, statement):
    book.add(grade())
    book.add(grade("bob"))
    book.add_manual(ManualMark("hw1", "ada", "report", 3, 10))
    with raw(book) as other, pytest.raises(sqlite3.IntegrityError, match="the gradebook only grows"):
        other.execute(statement)
    assert len(book.history()) == 2
    assert book.verify() is None


def fall(book, *statements):
    """Go round the triggers, as somebody with the file and a SQLite shell can."""
    other = raw(book)
    other.executescript("".join(f"DROP TRIGGER {t}_{n};" for t in ("grades", "manual") for n in ("no_update", "no_delete", "next")))
    for statement in statements:
        other.execute(statement)
    other.commit()
    other.close()


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE grades SET points = 5 WHERE id = 2", r"row 2 of grades \(bob, hw1\) is not as it was written"),
        ("UPDATE grades SET record = replace(record, '3.0', '5.0') WHERE id = 3", r"row 3 of grades \(cy, hw1\)"),
        ("UPDATE grades SET student = 'eve' WHERE id = 1", r"row 1 of grades \(eve, hw1\)"),
        ("UPDATE grades SET points = 'many' WHERE id = 1", "row 1 of grades"),
        ("DELETE FROM grades WHERE id = 2", "row 2 of grades is missing"),
        ("DELETE FROM grades WHERE id = 3", "row 3 of grades is missing: 3 were written"),
        ("UPDATE manual SET points = 10", "row 1 of manual"),
        ("SELECT 1", "the triggers that keep rows as they are were removed: grades_next"),
    ],
)
def test_verify_names_the_first_row_that_does_not_fit(book, statement, said):
    for student in ("ada", "bob", "cy"):
        book.add(grade(student))
    book.add_manual(ManualMark("hw1", "ada", "report", 3, 10))
    assert book.verify() is None
    fall(book, statement)
    assert re.match(said, book.verify())


def test_a_chain_that_was_written_anew_lacks_the_hash_that_was_noted(book, tmp_path):
    book.add(grade())
    noted = book.head()
    book.add(grade("bob"))
    assert book.verify(noted) is None
    assert book.verify(noted[:12].upper()) is None
    with Gradebook(tmp_path / "forged.sqlite") as forged:
        forged.add(grade(points=5.0))
        assert forged.verify() is None
        assert forged.verify(noted) == f"no row has the hash {noted} that was noted: rows were removed or written anew"


def test_a_damaged_page_is_found(book):
    for number in range(60):
        book.add(grade(f"student {number}"))
    book.close()
    content = bytearray(book.path.read_bytes())
    content[5000:9000] = os.urandom(4000)
    book.path.write_bytes(content)
    said = ""
    try:
        with Gradebook(book.path, create=False) as broken:
            said = broken.verify()
    except (ValueError, OSError) as error:
        said = str(error)
    assert said


# files that are no gradebook


def other_schema(path):
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 7")


def other_sqlite(path):
    path.unlink()
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE recipes (cake TEXT)")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda path: path.write_text("student,points\nada,5\n" * 100), "is no gradebook: file is not a database"),
        (lambda path: path.write_bytes(b""), "is empty: nothing was graded into it yet"),
        (other_schema, "is a gradebook of schema 7, this coursekit reads schema 1: use the one that wrote it"),
        (other_sqlite, "is an SQLite file, but no gradebook of coursekit"),
    ],
)
def test_a_file_that_is_no_gradebook_is_one_sentence(book, spoil, said):
    book.close()
    spoil(book.path)
    before = book.path.read_bytes()
    with pytest.raises(ValueError, match=said):
        Gradebook(book.path, create=False)
    if before:
        with pytest.raises(ValueError, match=said):
            Gradebook(book.path)
        assert book.path.read_bytes() == before


def test_nothing_there_or_a_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no gradebook .*nowhere.sqlite; coursekit grade makes one"):
        Gradebook(tmp_path / "nowhere.sqlite", create=False)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ValueError, match=r"is a folder, not a gradebook; the gradebook is the file gradebook.sqlite in it"):
        Gradebook(tmp_path)


def test_looking_writes_nothing(book):
    book.add(grade())
    before = book.path.read_bytes()
    with Gradebook(book.path, create=False) as looking:
        assert looking.grades()
        with pytest.raises(OSError, match="readonly"):
            looking.add(grade("bob"))
    assert book.path.read_bytes() == before


def test_a_row_from_a_later_coursekit_is_one_sentence(book):
    book.add(grade())
    record = json.dumps({**grade().to_json(), "smell": "roses"})
    fall(book, f"UPDATE grades SET record = '{record}'")
    with pytest.raises(ValueError, match=r"row 1 of grades in .* is no grade \(.*smell.*\); coursekit gradebook verify says more"):
        book.grades()


# two at once, and none at all


def test_threads_share_it(book):
    def write(start):
        for number in range(start, start + 20):
            book.add(grade(f"student {number}"))

    threads = [threading.Thread(target=write, args=(start,)) for start in (0, 10, 20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(book.history()) == 40
    assert book.verify() is None


def test_two_open_it_at_once(book):
    with Gradebook(book.path) as second:
        for number in range(10):
            assert (book, second)[number % 2].add(grade(f"student {number}"))
            assert not (second, book)[number % 2].add(grade(f"student {number}"))
        assert second.verify() is None


WRITER = """
import sys
from coursekit.grading.gradebook import Gradebook
from coursekit.grading.records import Grade, Mark
book = Gradebook(sys.argv[1])
for number in range(int(sys.argv[2]), 100000):
    mark = Mark("13.box_iou", 1.0, 5.0, "wrong", message="x" * 6000)
    book.add(Grade("hw1", f"student {number}", 1, "s", "b", marks=(mark,)))
    print(number, flush=True)
"""


def test_killed_at_any_moment_a_row_is_there_whole_or_not_at_all(tmp_path):
    path, dice = tmp_path / "gradebook.sqlite", random.Random(0)
    start = 0
    for _ in range(12):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path), str(start)], stdout=subprocess.PIPE, text=True)
        if dice.random() < 0.7:
            assert writer.stdout.readline()
            time.sleep(dice.random() * 0.02)
        else:
            time.sleep(dice.random() * 0.3)  # while it starts, or makes the tables
        writer.send_signal(signal.SIGKILL)
        said = [int(line) for line in writer.communicate()[0].splitlines() if line.strip()]
        with Gradebook(path) as book:
            assert book.verify() is None
            there = [g.student for g in book.history()]
        assert there == [f"student {number}" for number in range(len(there))]
        assert len(there) > max(said, default=-1), "what was acknowledged is there"
        start = len(there)
    assert start > 10
    for left in tmp_path.iterdir():  # a journal of a row that was cut off may lie there until the next one is written
        assert stat.S_IMODE(left.stat().st_mode) == 0o600
    with Gradebook(path) as book:
        assert book.add(grade())
    assert {left.name for left in tmp_path.iterdir()} == {"gradebook.sqlite"}


# any history


NAMES = st.text(min_size=1, max_size=12) | st.sampled_from(
    ["ada", "bob", "Ö", "عمر", "O'Brien; DROP TABLE grades", "a\x00b", "\udcff.ipynb"]
)
ROWS = st.lists(
    st.tuples(
        st.sampled_from(["ada", "bob"]),
        st.integers(1, 3),  # the attempt, and with it the submission
        st.sampled_from([BUNDLE, NEWER]),
        st.integers(0, 1),  # regrade
        st.integers(0, 5),  # points
        st.sampled_from([GRADED, GRADED, UNGRADABLE, INFRASTRUCTURE]),
        st.booleans(),  # whether the writer breaks off in the middle
    ),
    max_size=12,
)


@settings(max_examples=25, deadline=None)
@given(st.lists(NAMES, min_size=1, max_size=5, unique=True))
def test_any_name_is_kept(names):
    with tempfile.TemporaryDirectory() as folder, Gradebook(Path(folder) / "g.sqlite") as book:
        for name in names:
            assert book.add(grade(name, name, assignment=name))
            assert book.has(name, name, name, BUNDLE)
            assert len(book.attempts(name, name)) == 1
            book.add_manual(ManualMark(name, name, name, 1, 2, name, name))
            assert [g.student for g in book.grades(name)] == [name]
            assert book.manual(name, name)[0].comment == name
        assert book.verify() is None
        assert sorted(g.student for g in book.grades()) == sorted(names)


class Stop(Exception):
    """What a kill in the middle of a transaction looks like from inside."""


class Breaking(Gradebook):
    breaks = False

    def append(self, *given):
        super().append(*given)
        if self.breaks:
            raise Stop


@settings(max_examples=40, deadline=None)
@given(ROWS)
def test_last_best_and_once_on_any_history_with_breaks(rows):
    added, newest = set(), {}
    with tempfile.TemporaryDirectory() as folder, Breaking(Path(folder) / "g.sqlite") as book:
        for student, attempt, bundle, regrade, points, outcome, book.breaks in rows:
            one, key = grade(student, f"s{attempt}", attempt, float(points), bundle, outcome), (student, attempt, bundle, regrade)
            new = outcome == INFRASTRUCTURE or key not in added
            if book.breaks and new:
                with pytest.raises(Stop):
                    book.add(one, regrade)
                continue
            assert book.add(one, regrade) == new
            if new and outcome != INFRASTRUCTURE:
                added.add(key)
                newest.setdefault(student, {})[attempt] = points
        assert [g.points for g in book.grades(which="last")] == [newest[s][max(newest[s])] for s in sorted(newest)]
        assert [g.points for g in book.grades(which="best")] == [max(newest[s].values()) for s in sorted(newest)]
        assert [(g.student, g.attempt, g.points) for g in book.grades(which="all")] == [
            (s, a, newest[s][a]) for s in sorted(newest) for a in sorted(newest[s])
        ]
        assert all(book.has("hw1", student, f"s{attempt}", bundle, regrade) for student, attempt, bundle, regrade in added)
        assert book.verify() is None
