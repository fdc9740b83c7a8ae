"""`coursekit gradebook`: what a teacher types and reads."""

import csv
import json
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from coursekit.cli import app, main
from coursekit.grading.gradebook import Gradebook, ManualMark
from coursekit.grading.records import INFRASTRUCTURE, Grade, Mark

LATE = ("--due", "2026-11-30T23:59Z", "--late", "percent=10,floor=50")


def grade(student, points=3.0, assignment="hw1", submitted="2026-12-01T12:00:00+00:00", **more):
    marks = (Mark("13.box_iou", points, 5.0, "wrong", "You did not clamp."), Mark("20.voc_ap", 2.0, 2.0, "passed"))
    return Grade(assignment, student, 1, f"{student}-1", "b", marks=marks, submitted=submitted, **more)


@pytest.fixture
def book(tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("NO_COLOR", "1")
    with Gradebook(tmp_path / "out" / "gradebook.sqlite") as book:
        book.add(grade("ada", 5.0, submitted="2026-11-30T12:00:00+00:00"))
        book.add(grade("عمر, علي", 3.0))
        book.add(Grade("hw1", "cy", 1, "cy-1", "b", INFRASTRUCTURE, "the judge was killed"))
        book.add_manual(ManualMark("hw1", "ada", "report", 8, 10, "clear"))
    return book.path


def run(*words):
    return CliRunner().invoke(app, ["gradebook", *map(str, words)])


def run_main(monkeypatch, capsys, *words):
    """As a shell would: errors are one sentence and exit code 2."""
    monkeypatch.setattr(sys, "argv", ["coursekit", "gradebook", *map(str, words)])
    with pytest.raises(SystemExit) as end:
        main()
    return end.value.code, capsys.readouterr()


def cells(output, student):
    line = next(line for line in output.splitlines() if f" {student} " in line)
    return [cell.strip() for cell in line.strip().strip("│").split("│")]


def test_show(book):
    result = run("show", book)
    assert result.exit_code == 0
    assert cells(result.output, "ada") == ["ada", "1", "15", "17", ""]
    assert cells(result.output, "cy") == ["cy", "", "not graded", "17", "not graded yet, infrastructure error: the judge was killed"]
    assert "2 graded · mean 59% · median 59% · 29% to 88%" in result.output
    assert "1 not graded yet" in result.output


def test_show_says_what_lateness_took(book):
    result = run("show", book.parent, "--parts", *LATE)
    assert cells(result.output, "عمر, علي") == ["عمر, علي", "1", "3", "2", "", "5", "0.5", "4.5", "17", "1 day late: 10 % off", ""]
    assert "Before" in result.output
    assert "Taken off" in result.output


def test_show_obeys_no_name(tmp_path):
    with Gradebook(tmp_path / "g.sqlite") as opened:
        opened.add(grade("\x1b[31mred[/]\u202e[bold]x"))
    output = run("show", tmp_path / "g.sqlite").output
    assert "\x1b" not in output
    assert "\u202e" not in output
    assert "[bold]x" in output


def test_csv_to_a_file_and_to_standard_output(book, tmp_path):
    assert run("csv", book, "--out", tmp_path / "grades.csv", *LATE).exit_code == 0
    rows = list(csv.DictReader((tmp_path / "grades.csv").read_text(encoding="utf-8-sig").splitlines()))
    assert [(row["Student"], row["Points"]) for row in rows] == [("ada", "15"), ("cy", ""), ("عمر, علي", "4.5")]
    assert "عمر" in run("csv", book).output


def test_times_from_a_file(book, tmp_path):
    (tmp_path / "times.csv").write_text("student,submitted\nada,2026-12-05T00:00Z\nzoe,2026-12-05T00:00Z\n")
    result = run("csv", book, "--times", tmp_path / "times.csv", *LATE)
    assert '"5 days late: 50 % off"' in result.output
    assert "times.csv: the gradebook knows nobody called zoe" in result.output


def test_json(book):
    value = json.loads(run("json", book).stdout)
    assert [row["points"] for row in value["standings"]] == [15, None, 5]


def test_canvas(book, tmp_path):
    export = tmp_path / "canvas.csv"
    export.write_text('Student,ID,SIS Login ID,Section,hw1 (7)\n    Points Possible,,,,17\n"Lovelace, Ada",1,ada,A,\n', encoding="utf-8")
    result = run("canvas", book, "--canvas", export, "--out", tmp_path / "up.csv")
    assert result.exit_code == 1
    assert "left out: cy is nobody in the list" in result.output
    assert "left out: عمر, علي is nobody in the list" in result.output
    assert '"Lovelace, Ada","1","ada","A",15' in (tmp_path / "up.csv").read_text(encoding="utf-8")


def test_moodle(book, tmp_path):
    (tmp_path / "who.csv").write_text("Full name,Email address\nada,ada@uni.edu\nعمر علي,omar@uni.edu\ncy,cy@uni.edu\n", encoding="utf-8")
    result = run("moodle", book, "--participants", tmp_path / "who.csv", "--out", tmp_path / "up.csv")
    assert result.output.strip() == "left out: cy has no grade: not graded yet, infrastructure error: the judge was killed"
    assert [row[0] for row in csv.reader((tmp_path / "up.csv").read_text(encoding="utf-8-sig").splitlines()) if "@" in row[0]] == [
        "ada@uni.edu",
        "omar@uni.edu",
    ]


def test_gradescope(book, tmp_path):
    result = run("gradescope", book, "--out", tmp_path / "gs", "--visibility", "after_published")
    assert result.exit_code == 1
    assert "2 students" in result.output
    assert json.loads((tmp_path / "gs" / "ada" / "results.json").read_text())["tests"][0]["visibility"] == "after_published"


def test_verify(book):
    result = run("verify", book)
    assert result.exit_code == 0
    head = result.output.split()[-1]
    assert run("verify", book, "--noted", head).exit_code == 0
    result = run("verify", book, "--noted", "abc123")
    assert (result.exit_code, result.output) == (1, "no row has the hash abc123 that was noted: rows were removed or written anew\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("show", "NOWHERE"), "there is no gradebook NOWHERE; coursekit grade makes one"),
        (("show", "FOLDER"), "is a folder, not a gradebook; the gradebook is the file gradebook.sqlite in it"),
        (("csv", "TEXT"), "is no gradebook: file is not a database"),
        (("csv", "BOOK", "--assignment", "hw7"), "has no assignment 'hw7'; it has 'hw1'"),
        (("csv", "BOOK", "--late", "percent=10"), "a late policy needs the time when work was due"),
        (("csv", "BOOK", "--due", "2026-11-30T23:59"), "--due must have a time zone"),
        (("csv", "BOOK", "--times", "NOWHERE"), "No such file"),
        (("canvas", "BOOK", "--canvas", "TEXT"), "is no export of Canvas's gradebook: its first line lacks"),
        (("nbgrader", "BOOK", "FOLDER"), "holds no gradebook.db: run nbgrader generate_assignment there first"),
    ],
)
def test_what_is_wrong_is_one_sentence(book, tmp_path, monkeypatch, capsys, words, said):
    (tmp_path / "text.csv").write_text("a,b\n1,2\n" * 100)
    (tmp_path / "folder").mkdir()
    paths = {"BOOK": book, "TEXT": tmp_path / "text.csv", "FOLDER": tmp_path / "folder", "NOWHERE": "NOWHERE"}
    monkeypatch.chdir(tmp_path)
    code, printed = run_main(monkeypatch, capsys, *(paths.get(word, word) for word in words))
    assert code == 2
    assert printed.out == ""
    assert said in printed.err
    assert printed.err.count("\n") == 1


def test_several_assignments_need_a_name(book, monkeypatch, capsys, tmp_path):
    with Gradebook(book) as opened:
        opened.add(grade("ada", assignment="hw2"))
    code, printed = run_main(monkeypatch, capsys, "moodle", book)
    assert (code, printed.err.split(": ", 1)[1]) == (
        2,
        f"the gradebook {book} holds several assignments ('hw1', 'hw2'): choose one with --assignment\n",
    )
    assert run("moodle", book, "--assignment", "hw2").exit_code == 0
    shown = run("show", book).output
    assert "hw1" in shown
    assert "hw2" in shown


def test_it_needs_no_torch(book):
    program = "import sys; from coursekit.cli import app; app(sys.argv[1:], standalone_mode=False); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", program, "gradebook", "csv", str(book)], check=True, capture_output=True)
