"""Exports: everybody is there, the points are right, no cell is a formula, and names come back as they were."""

import csv
import io
import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coursekit.grading.exports import as_csv, as_json, collect, distribution, gradescope, write_gradescope
from coursekit.grading.gradebook import Gradebook, ManualMark
from coursekit.grading.late import LatePolicy, parse_time
from coursekit.grading.lms import canvas, moodle
from coursekit.grading.records import INFRASTRUCTURE, UNGRADABLE, Grade, Mark
from coursekit.grading.table import csv_text, is_formula, number, plain, read_csv, safe, write_csv

BOXES, MAP = "13.box_iou", "20.voc_ap"
POLICY = LatePolicy(parse_time("2026-11-30T23:59Z"), percent=10)
NASTY = [
    "=1+1",
    "+1",
    "-1",
    "@x",
    "\tx",
    "\rx",
    "\nx",
    " =1",
    "＝1",
    "'=1",
    "''=1",
    "Müller, Jürgen",
    'Ann "Nan" Lee',
    "a\nb",
    "عمر، علي",
    "'t Hooft",
    "",
]
ANY = st.text(max_size=20) | st.sampled_from(NASTY)


def mark(name=BOXES, points=3.0, out_of=5.0, **more):
    more = {"message": "Boxes that do not touch got an overlap.", "hint": "What is the width of nothing?", **more}
    return Mark(name, points, out_of, "passed" if points == out_of else "wrong", seed=424242, **more)


def grade(student, *marks, attempt=1, **more):
    more = {"submitted": "2026-11-30T12:00:00+00:00", "assignment": "hw1", "bundle": "b", **more}
    return Grade(student=student, attempt=attempt, submission=f"{student}-{attempt}", marks=marks or (mark(), mark(MAP, 2.0, 2.0)), **more)


@pytest.fixture
def book(tmp_path):
    with Gradebook(tmp_path / "gradebook.sqlite") as book:
        yield book


@pytest.fixture
def full(book):
    """ada: two attempts, the second worse and late; bob: a broken file; cy: an infrastructure error; di: only a mark by hand."""
    book.add(grade("ada", mark(points=5.0), mark(MAP, 2.0, 2.0)))
    book.add(
        grade("ada", mark(points=1.0), mark(MAP, 2.0, 2.0, flags=("same text as eve",)), attempt=2, submitted="2026-12-02T12:00:00+00:00")
    )
    book.add(Grade("hw1", "bob", 1, "bob-1", "b", UNGRADABLE, "the notebook is no JSON"))
    book.add(Grade("hw1", "cy", 1, "cy-1", "b", INFRASTRUCTURE, "the judge was killed"))
    book.add_manual(ManualMark("hw1", "ada", "report", 6, 10, "clear"))
    book.add_manual(ManualMark("hw1", "di", "report", 10, 10, "on paper"))
    return book


def table(text):
    rows = list(csv.reader(io.StringIO(text, newline="")))
    return [dict(zip(rows[0], row, strict=True)) for row in rows[1:]]


# cells


@given(ANY)
def test_no_cell_is_a_formula_and_every_text_comes_back(text):
    cell = safe(text)
    assert not is_formula(cell)
    assert cell[:1] not in "=+-@\t\r" or cell == ""
    assert plain(cell) == text


@given(st.lists(st.lists(ANY | st.integers() | st.floats(0, 100), min_size=2, max_size=4), min_size=1, max_size=4))
def test_rows_come_back(rows):
    read = list(csv.reader(io.StringIO(csv_text(rows), newline="")))
    assert [[plain(cell) for cell in row] for row in read] == [
        [cell if isinstance(cell, str) else str(cell) for cell in row] for row in rows
    ]


@pytest.mark.parametrize(("value", "shown"), [(3.0, 3), (10 / 3, 3.33), (0.1 + 0.2, 0.3), (None, ""), (0, 0), (2.999, 3)])
def test_numbers(value, shown):
    assert number(value) == shown
    assert isinstance(number(value), type(shown))


def test_files_are_read_back(tmp_path):
    path = tmp_path / "x.csv"
    write_csv(path, csv_text([["Student", "n"], ["عمر\udcff", 3]]))
    assert path.read_bytes().startswith(b"\xef\xbb\xbf")
    assert read_csv(path) == (["Student", "n"], [["عمر\\udcff", "3"]], ",")
    path.write_text("a;b,c;d\n1;2;3\n\n;;\n4\n")
    assert read_csv(path) == (["a", "b,c", "d"], [["1", "2", "3"], ["4", "", ""]], ";")


# standings


def test_nobody_is_left_out_and_an_infrastructure_error_is_no_zero(full):
    rows = {row.student: row for row in collect(full, "hw1")}
    assert {name: (row.points, row.out_of) for name, row in rows.items()} == {
        "ada": (9, 17),
        "bob": (0, 17),
        "cy": (None, 17),
        "di": (10, 17),
    }
    assert rows["cy"].note == "not graded yet, infrastructure error: the judge was killed"
    assert rows["bob"].note == "ungradable: the notebook is no JSON"
    assert rows["ada"].note == f"{MAP}: same text as eve"
    assert rows["di"].note == "nothing was handed in"
    assert rows["bob"].parts["report"].status == "to be marked"


def test_which_attempt_counts_and_what_lateness_takes_off(full):
    last = collect(full, "hw1", "last", POLICY)[0]
    assert (last.grade.attempt, last.earned, last.taken_off, last.points) == (2, 9, 1.8, 7.2)
    assert last.lateness.words == "2 days late: 20 % off"
    best = collect(full, "hw1", "best", POLICY)[0]
    assert (best.grade.attempt, best.points, best.taken_off) == (1, 13, 0)
    assert [row.student for row in collect(full, "hw1", "all")] == ["ada", "ada", "bob", "cy", "di"]
    told = collect(full, "hw1", "last", POLICY, {"ada": "2026-11-30T10:00Z"})[0]
    assert told.points == 9
    assert full.grades("hw1")[0].points == 3, "nothing of this is stored"


def test_best_is_best_after_lateness(book):
    book.add(grade("ada", mark(points=4.0)))
    book.add(grade("ada", mark(points=4.4), attempt=2, submitted="2026-12-02T12:00:00+00:00"))
    assert [collect(book, which="best", policy=policy)[0].grade.attempt for policy in (None, POLICY)] == [2, 1]


def test_a_mark_by_hand_replaces_the_machines(book):
    book.add(grade("ada"))
    book.add_manual(ManualMark("hw1", "ada", BOXES, 4.5, 5, "the comparison was too strict", "mx"))
    row = collect(book)[0]
    assert (row.points, row.out_of) == (6.5, 7)
    assert row.parts[BOXES].message == "the comparison was too strict"


def test_partial_marks_of_an_attempt_that_waits_are_not_given_out(book):
    book.add(Grade("hw1", "cy", 1, "cy-1", "b", INFRASTRUCTURE, "killed"))
    book.add_manual(ManualMark("hw1", "cy", "report", 5, 10))
    assert collect(book)[0].points is None


def test_no_such_assignment_says_which_there_are(full):
    with pytest.raises(ValueError, match=r"has no assignment 'hw2'; it has 'hw1'"):
        collect(full, "hw2")


def test_distribution(book):
    assert distribution(collect(book)) == "no grades yet, 0 waiting"
    for student, points in (("a", 5.0), ("b", 5.0), ("c", 0.0)):
        book.add(grade(student, mark(points=points)))
    book.add(Grade("hw1", "d", 1, "d-1", "b", INFRASTRUCTURE, "killed"))
    assert distribution(collect(book)) == "3 graded · mean 67% · median 100% · 0% to 100% · 0 %|▄        █|100 % · 1 not graded yet"


# csv and json


def test_csv_says_before_and_after(full):
    rows = table(as_csv(collect(full, "hw1", policy=POLICY)))
    ada, bob, cy, _ = rows
    assert [ada[k] for k in ("Points", "Out of", "Before lateness", "Taken off", "Lateness", BOXES, "report")] == [
        "7.2", "17", "9", "1.8", "2 days late: 20 % off", "1", "6",
    ]  # fmt: skip
    assert [cy[k] for k in ("Outcome", "Points", "Before lateness")] == ["not graded", "", ""]
    assert [bob[k] for k in ("Outcome", "Points", BOXES, "report")] == ["ungradable", "0", "0", ""]


@settings(max_examples=40, deadline=None)
@given(st.lists(ANY.filter(bool), min_size=1, max_size=4, unique=True), ANY.filter(bool))
def test_any_name_of_student_and_exercise(names, exercise):
    with tempfile.TemporaryDirectory() as folder, Gradebook(Path(folder) / "g.sqlite") as book:
        for name in names:
            book.add(grade(name, mark(exercise), assignment=exercise, reason=exercise, notes=(exercise,)))
        standings = collect(book)
        text = as_csv(standings)
        for row in csv.reader(io.StringIO(text, newline="")):
            assert not any(is_formula(cell) for cell in row)
        rows = list(csv.reader(io.StringIO(text, newline="")))
        assert sorted(plain(row[1]) for row in rows[1:]) == sorted(names)
        assert plain(rows[0][10]) == exercise
        assert [row["student"] for row in json.loads(as_json(book, standings))["standings"]] == sorted(names)
        written = write_gradescope(standings, Path(folder) / "gs")
        assert len({str(path).casefold() for path in written.values()}) == len(names)
        for path in written.values():
            assert path.parent.parent == Path(folder) / "gs"
            assert json.loads(path.read_text())["score"] == 3


def test_json_has_every_row(full):
    value = json.loads(as_json(full, collect(full, "hw1", policy=POLICY), "hw1"))
    assert [row["points"] for row in value["standings"]] == [7.2, 0, None, 10]
    assert [Grade.from_json(row) for row in value["history"]] == full.history()
    assert [row["points"] for row in value["manual"]] == [6, 10]
    assert value["gradebook"]["head"] == full.head()


# Gradescope


def test_gradescope(full):
    row = collect(full, "hw1", policy=POLICY)[0]
    result = gradescope(row, "after_published")
    assert result["score"] == 7.2
    assert result["output"] == "9 of 17 points".replace("9", "7.2") + "\n2 days late: 20 % off (9 before, 1.8 taken off)"
    boxes, voc, report = result["tests"]
    assert boxes == {
        "name": BOXES, "score": 1.0, "max_score": 5.0, "status": "failed", "visibility": "after_published", "output_format": "text",
        "output": "Boxes that do not touch got an overlap.\nWhat is the width of nothing?",
    }  # fmt: skip
    assert voc["status"] == "passed"
    assert (report["score"], report["output"]) == (6, "clear")
    assert "424242" not in json.dumps(result), "with the seed hidden cases could be drawn again"
    assert "eve" not in json.dumps(result), "what is for the teacher stays there"


def test_gradescope_files(full, tmp_path):
    written = write_gradescope(collect(full, "hw1"), tmp_path / "gs")
    assert sorted(written) == ["ada", "bob", "di"]
    bob = json.loads((tmp_path / "gs" / "bob" / "results.json").read_text())
    assert (bob["score"], bob["output"]) == (0, "0 of 17 points\nthe notebook is no JSON")
    assert [test["max_score"] for test in bob["tests"]] == [5, 2, 10]
    with pytest.raises(ValueError, match="'cy' has no grade yet: not graded yet, infrastructure error"):
        gradescope(collect(full, "hw1")[2])
    with pytest.raises(ValueError, match="visibility must be one of visible, hidden, after_due_date, after_published, got 'never'"):
        gradescope(collect(full, "hw1")[0], "never")


@pytest.mark.parametrize("student", ["../../etc/passwd", "..", ".", "a/b", "A", "CON", "x" * 300, "a\x00b"])
def test_gradescope_stays_in_its_folder(book, tmp_path, student):
    for name in ("a", student):
        book.add(grade(name))
    written = write_gradescope(collect(book), tmp_path / "gs")
    assert len({path.parent.name.casefold() for path in written.values()}) == 2
    assert {path.parent.parent for path in written.values()} == {tmp_path / "gs"}
    assert set(tmp_path.iterdir()) == {tmp_path / "gs", book.path}


# Canvas

CANVAS = """\ufeffStudent,ID,SIS User ID,SIS Login ID,Section,hw1 (777),Old (778),hw1 Current Score
,,,,,Manual Posting,,
    Points Possible,,,,,7,10,(read only)
"Lovelace, Ada",101,S-1,ada@uni.edu,A,,9,
"Müller, Jürgen",102,S-2,jm,A,4,8,
"Lee, Ann",103,S-3,alee,B,EX,7,
"Lee, Ann",104,S-4,alee2,B,,6,
"Away, Never",105,S-5,na,B,,,
"Student, Test",106,,x,A,,,
"""


@pytest.fixture
def export(tmp_path):
    path = tmp_path / "canvas.csv"
    path.write_text(CANVAS, encoding="utf-8")
    return path


def test_canvas_takes_its_own_export_as_the_list(book, export):
    for student in ("ada", "MüllerJürgen_102", "alee", "lee ann", "eve"):
        book.add(grade(student))
    made = canvas(collect(book), export)
    rows = list(csv.reader(io.StringIO(made.text, newline="")))
    assert rows == [
        ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "hw1 (777)"],
        ["    Points Possible", "", "", "", "", "7"],
        ["Lovelace, Ada", "101", "S-1", "ada@uni.edu", "A", "5"],
        ["Müller, Jürgen", "102", "S-2", "jm", "A", "5"],
        ["Lee, Ann", "103", "S-3", "alee", "B", "EX"],
        ["Lee, Ann", "104", "S-4", "alee2", "B", ""],
        ["Away, Never", "105", "S-5", "na", "B", ""],
        ["Student, Test", "106", "", "x", "A", ""],
    ]
    assert made.unmatched == {
        "lee ann": "may be Lee, Ann or Lee, Ann",
        "eve": "is nobody in the list",
        "alee": "is excused in Canvas (Lee, Ann), and stays so",
    }
    assert made.notes == ["in Canvas, but without a grade here (left as they were): Lee, Ann, Away, Never"]


@pytest.mark.parametrize(
    "student",
    [
        "ada",
        "ADA",
        "ada@uni.edu",
        "S-1",
        "101",
        "Lovelace, Ada",
        "Ada Lovelace",
        "lovelaceada",
        "lovelaceada_101",
        "lovelaceada_LATE_101_9_13_boxes",
        "love_lace_101",
        "x_y_101~0123abcd",
        "Ada Lovelace~0123abcd",
    ],
)
def test_ways_to_be_found(book, export, student):
    book.add(grade(student))
    made = canvas(collect(book), export)
    assert '"Lovelace, Ada","101","S-1","ada@uni.edu","A",5' in made.text
    assert made.unmatched == {}


@pytest.mark.parametrize("student", ["10", "1011", "lovelace_1", "Adam", "S", "x_1", "lovelaceada_S-1"])
def test_what_is_nobody(book, export, student):
    book.add(grade(student))
    assert canvas(collect(book), export).unmatched == {student: "is nobody in the list"}


def test_two_that_are_one_are_both_named(book, export):
    book.add(grade("ada", mark(points=5.0)))
    book.add(grade("lovelaceada_101"))
    made = canvas(collect(book), export)
    assert made.unmatched == {
        "ada": "is Lovelace, Ada, and so is lovelaceada_101",
        "lovelaceada_101": "is Lovelace, Ada, and so is ada",
    }
    assert '"Lovelace, Ada","101","S-1","ada@uni.edu","A",""' in made.text


def test_canvas_without_a_grade_keeps_what_was_there(book, export):
    book.add(grade("ada"))
    book.add(Grade("hw1", "jm", 1, "jm-1", "b", INFRASTRUCTURE, "killed"))
    made = canvas(collect(book), export)
    assert '"jm","A","4"' in made.text
    assert made.unmatched == {"jm": "has no grade: not graded yet, infrastructure error: killed"}


def test_a_new_column_and_other_points(book, export):
    book.add(grade("ada", assignment="hw9"))
    made = canvas(collect(book), export)
    assert made.text.splitlines()[0].endswith(',"hw9"')
    assert made.text.splitlines()[1].endswith(",7")
    assert made.notes[-1] == f"{export} has no column for 'hw9': Canvas will ask whether to make a new assignment"
    made = canvas(collect(book), export, "778")
    assert made.text.splitlines()[0].endswith(',"Old (778)"')
    assert made.notes[-1] == "Old (778) is out of 10 in Canvas and out of 7 here: the points are not scaled"


@pytest.mark.parametrize(
    ("change", "column", "said"),
    [
        (("ID,SIS User", "Number,SIS User"), None, "is no export of Canvas's gradebook: its first line lacks ID"),
        (("Section", "Group"), None, "its first line lacks Section"),
        (("Old (778)", "HW1 (778)"), None, r"has several columns for 'hw1' \(hw1 \(777\), HW1 \(778\)\): name one with --column"),
        (("", ""), "hw7", r"has no column 'hw7'; it has hw1 \(777\), Old \(778\)"),
        (("", ""), "hw1 Current Score", "is read only in Canvas"),
    ],
)
def test_exports_that_are_wrong(book, export, change, column, said):
    export.write_text(CANVAS.replace(*change) if change[0] else CANVAS, encoding="utf-8")
    book.add(grade("ada"))
    with pytest.raises(ValueError, match=said):
        canvas(collect(book), export, column)


def test_canvas_of_a_country_with_decimal_commas_and_two_names(book, tmp_path):
    path = tmp_path / "canvas.csv"
    path.write_text("LastName;FirstName;ID;SIS Login ID;Section;hw1 (777)\n    Points Possible;;;;;7,00\nLovelace;Ada;101;al;A;1,5\n")
    book.add(grade("Ada Lovelace"))
    made = canvas(collect(book), path)
    assert made.text.splitlines()[2] == '"Lovelace";"Ada";"101";"al";"A";5'
    assert made.notes == []


@settings(max_examples=30, deadline=None)
@given(st.lists(ANY.filter(lambda name: name.strip()), min_size=1, max_size=4, unique=True))
def test_nobody_is_dropped_whatever_the_names(names):
    with tempfile.TemporaryDirectory() as folder, Gradebook(Path(folder) / "g.sqlite") as book:
        export = Path(folder) / "canvas.csv"
        rows = [["Student", "ID", "SIS Login ID", "Section"], *([name, str(900 + n), f"login{n}", "A"] for n, name in enumerate(names))]
        write_csv(export, csv_text(rows))
        for n, name in enumerate(names):
            book.add(grade(f"login{n}", mark(points=float(n))))
            book.add(grade(name, mark(points=0.0), assignment="by name"))
        made = canvas(collect(book, "hw1"), export)
        assert made.unmatched == {}
        read = list(csv.reader(io.StringIO(made.text, newline="")))[2:]
        assert [row[-1] for row in read] == [str(n) for n in range(len(names))]
        assert not any(is_formula(cell) for row in read for cell in row)
        made = canvas(collect(book, "by name"), export)
        placed = sum(row[-1] != "" for row in list(csv.reader(io.StringIO(made.text, newline="")))[2:])
        assert placed + len(made.unmatched) == len(names)


# Moodle

WORKSHEET = """Identifier,Full name,Email address,ID number,Status,Grade
Participant 5501,Ada Lovelace,ada@uni.edu,7001,Submitted,
Participant 5502,"=cmd|calc",evil@uni.edu,,Submitted,
"""


def test_moodle_says_who_by_the_worksheet(full, tmp_path):
    path = tmp_path / "sheet.csv"
    path.write_text(WORKSHEET)
    full.add(grade("=cmd|calc_5502"))
    made = moodle(collect(full, "hw1", policy=POLICY), path)
    rows = list(csv.reader(io.StringIO(made.text, newline="")))
    assert rows[0] == ["Email address", "hw1", "Feedback"]
    assert [row[:2] for row in rows[1:]] == [["evil@uni.edu", "5"], ["ada@uni.edu", "7.2"]]
    assert rows[2][2].startswith(f"7.2 of 17 points\n2 days late: 20 % off (9 before)\n{BOXES}: 1 of 5. Boxes that do not touch")
    assert made.unmatched == {
        "bob": "is nobody in the list",
        "di": "is nobody in the list",
        "cy": "has no grade: not graded yet, infrastructure error: the judge was killed",
    }


def test_moodle_by_id_number(book, tmp_path):
    path = tmp_path / "sheet.csv"
    path.write_text(WORKSHEET)
    for student in ("Ada Lovelace_5501", "evil@uni.edu"):
        book.add(grade(student))
    made = moodle(collect(book), path, "idnumber")
    assert [row[:2] for row in csv.reader(io.StringIO(made.text, newline=""))] == [["ID number", "hw1"], ["7001", "5"]]
    assert made.unmatched == {"evil@uni.edu": f"has no ID number in {path}"}


def test_moodle_without_a_list_takes_students_by_their_names(book):
    book.add(grade("ada@uni.edu"))
    assert moodle(collect(book)).text.startswith('"Email address","hw1","Feedback"\r\n"ada@uni.edu",5,')
    book.add(grade("7002"))
    assert moodle(collect(book)).text.startswith('"ID number"')
    assert moodle(collect(book), by="username").text.startswith('"Username"')


def test_feedback_is_text_also_where_it_is_taken_for_html(book):
    book.add(grade("ada", mark(message="got <script>alert(1)</script> & more", hint=None)))
    text = moodle(collect(book)).text
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; more" in text
    assert "<" not in text


def test_feedback_says_what_became_of_an_exercise_without_a_message(book):
    book.add(grade("ada", Mark(BOXES, 0.0, 5.0, "missing"), Mark(MAP, 2.0, 2.0, "passed")))
    text = moodle(collect(book)).text
    assert f'{BOXES}: 0 of 5. missing\n{MAP}: 2 of 2"' in text


def test_moodle_refuses(book, tmp_path):
    book.add(grade("ada", mark(points=150.0, out_of=200.0)))
    assert moodle(collect(book)).notes == ["Moodle refuses more than 100 points unless its site allows unlimited grades"]
    (tmp_path / "x.csv").write_text("Name,Grade\nada,1\n")
    with pytest.raises(ValueError, match=r"x.csv has no column Email address, ID number, Username; it has Name, Grade"):
        moodle(collect(book), tmp_path / "x.csv")
    with pytest.raises(ValueError, match="by must be one of email, idnumber, username, got 'face'"):
        moodle(collect(book), by="face")
