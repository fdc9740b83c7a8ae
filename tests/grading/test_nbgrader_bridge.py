"""Scores in an nbgrader gradebook, as formgrader shows them. The tests with nbgrader itself run where it is installed."""

import json
import os
import sqlite3
import sys
from pathlib import Path

import pytest

from coursekit.grading.exports import collect
from coursekit.grading.gradebook import Gradebook, ManualMark
from coursekit.grading.late import LatePolicy, parse_time
from coursekit.grading.nbgrader_bridge import write_scores
from coursekit.grading.records import INFRASTRUCTURE, UNGRADABLE, Grade, Mark

POLICY = LatePolicy(parse_time("2026-11-30T23:59Z"), percent=10)


@pytest.fixture
def standings(tmp_path):
    def marks(points):
        return (Mark("13.box_iou", points, 5.0, "wrong", "You did not clamp."), Mark("20.voc_ap", 2.0, 2.0, "passed"))

    with Gradebook(tmp_path / "gradebook.sqlite") as book:
        book.add(Grade("hw1", "ada", 1, "a", "b", marks=marks(3.5), submitted="2026-12-01T12:00:00+00:00"))
        book.add(Grade("hw1", "bob", 1, "a", "b", UNGRADABLE, "no JSON"))
        book.add(Grade("hw1", "cy", 1, "a", "b", INFRASTRUCTURE, "killed"))
        book.add_manual(ManualMark("hw1", "ada", "report", 8, 10))
        return collect(book, "hw1", policy=POLICY)


def test_a_folder_that_is_no_course(standings, tmp_path):
    with pytest.raises(ValueError, match=r"holds no gradebook.db: run nbgrader generate_assignment there first"):
        write_scores(standings, tmp_path)
    (tmp_path / "gradebook.db").write_text("student,score\n" * 100)
    with pytest.raises(ValueError, match=r"gradebook.db is no gradebook of nbgrader: file is not a database"):
        write_scores(standings, tmp_path)


def test_another_database_is_left_as_it_is(standings, tmp_path):
    with sqlite3.connect(tmp_path / "gradebook.db") as other:
        other.execute("CREATE TABLE cakes (name TEXT)")
    before = (tmp_path / "gradebook.db").read_bytes()
    with pytest.raises(ValueError, match=r"gradebook.db is no gradebook of nbgrader$"):
        write_scores(standings, tmp_path)
    assert (tmp_path / "gradebook.db").read_bytes() == before


def test_without_nbgrader_it_says_so(standings, tmp_path, monkeypatch):
    with sqlite3.connect(tmp_path / "gradebook.db") as db:
        for table in ("alembic_version", "submitted_assignment", "grade"):
            db.execute(f"CREATE TABLE {table} (id TEXT)")
    monkeypatch.setitem(sys.modules, "nbgrader", None)
    monkeypatch.setitem(sys.modules, "nbgrader.api", None)
    with pytest.raises(ValueError, match="nbgrader is not installed here: pip install nbgrader, or use another export"):
        write_scores(standings, tmp_path)


def test_the_class_edition_has_the_cells_that_scores_go_to(hw3, assignment):
    there = set()
    for path in (hw3 / "release").glob("*.ipynb"):
        there |= {cell.get("metadata", {}).get("nbgrader", {}).get("grade_id") for cell in json.loads(path.read_text())["cells"]}
    for task in assignment.tasks:
        assert f"{task.name.replace('.', '-')}-check" in there


# with nbgrader


def cells(name, points):
    from nbformat.v4 import new_code_cell

    flags = {"schema_version": 3, "solution": True, "grade": False, "locked": False, "task": False, "grade_id": name}
    answer = new_code_cell("def f():\n    ### BEGIN SOLUTION\n    return 1\n    ### END SOLUTION", metadata={"nbgrader": flags})
    flags = {**flags, "solution": False, "grade": True, "locked": True, "grade_id": f"{name}-check", "points": points, "cell_type": "code"}
    return [answer, new_code_cell("assert True", metadata={"nbgrader": flags})]


@pytest.fixture
def course(tmp_path, monkeypatch):
    """A course as `nbgrader generate_assignment hw1` leaves it, with ada's work collected."""
    pytest.importorskip("nbgrader", reason="nbgrader is not installed, which is fine")
    import nbformat
    from nbformat.v4 import new_notebook
    from nbgrader.apps import NbGraderAPI
    from nbgrader.coursedir import CourseDirectory
    from traitlets.config import Config

    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")  # nbgrader calls alembic
    root = tmp_path / "course"
    config = Config()
    config.CourseDirectory.root = str(root)
    config.CourseDirectory.db_url = f"sqlite:///{root}/gradebook.db"
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    for stem, cell in (("13_boxes", cells("13-box_iou", 5)), ("20_map", cells("20-voc_ap", 3))):
        (root / "source" / "hw1").mkdir(parents=True, exist_ok=True)
        nbformat.write(new_notebook(cells=cell, metadata=kernel), root / "source" / "hw1" / f"{stem}.ipynb")
    api = NbGraderAPI(CourseDirectory(config=config), config=config)
    result = api.generate_assignment("hw1")
    assert result["success"], result["log"]
    handed_in = root / "submitted" / "ada" / "hw1"
    handed_in.mkdir(parents=True)
    for released in (root / "release" / "hw1").glob("*.ipynb"):
        (handed_in / released.name).write_bytes(released.read_bytes())
    (handed_in / "timestamp.txt").write_text("2026-12-01 12:00:00 UTC")
    (handed_in / "secret.txt").symlink_to("/etc/passwd")
    return root, api


def test_nbgrader_shows_our_scores(course, standings):
    root, api = course
    written = write_scores(standings, root)
    assert written.students == ["ada", "bob"]
    assert written.left_out == {"cy": "has no grade: not graded yet, infrastructure error: killed"}
    assert "nbgrader knows no cell for report: its points are not there" in written.notes
    assert "20-voc_ap-check is out of 3 in nbgrader and of 2 here: points are not scaled" in written.notes
    with api.gradebook as book:
        ada = book.find_submission("hw1", "ada")
        assert (ada.score, ada.max_score, ada.needs_manual_grade, ada.late_submission_penalty) == (5.5, 8, False, pytest.approx(1.35))
        assert book.find_grade("13-box_iou-check", "13_boxes", "hw1", "ada").auto_score == 3.5
        assert book.find_comment("13-box_iou", "13_boxes", "hw1", "ada").comment == "You did not clamp."
        assert book.find_submission("hw1", "bob").score == 0
    rows = {row["student"]: row for row in api.get_submissions("hw1")}
    assert (rows["ada"]["score"], rows["ada"]["autograded"]) == (5.5, True)
    assert [row["score"] for row in api.get_notebook_submissions("hw1", "13_boxes")] == [3.5], "what formgrader's page of a notebook lists"
    there = root / "autograded" / "ada" / "hw1"
    assert {path.name for path in there.iterdir()} == {"13_boxes.ipynb", "20_map.ipynb", "timestamp.txt"}, "a link is not followed"


def test_twice_is_once_and_what_a_person_gave_stays(course, standings):
    root, api = course
    write_scores(standings, root)
    with api.gradebook as book:
        book.find_grade("13-box_iou-check", "13_boxes", "hw1", "ada").manual_score = 4.0
        book.db.commit()
    written = write_scores(standings, root)
    assert "ada: the score that 13-box_iou-check was given by hand in nbgrader stays (4)" in written.notes
    with api.gradebook as book:
        assert book.find_submission("hw1", "ada").score == 6
        assert len(book.assignment_submissions("hw1")) == 2


def test_an_assignment_that_nbgrader_does_not_know(course, standings, tmp_path):
    root, _ = course
    with Gradebook(tmp_path / "other.sqlite") as book:
        book.add(Grade("hw2", "ada", 1, "a", "b"))
        with pytest.raises(
            ValueError, match=r"nbgrader's gradebook has no assignment 'hw2' \(it has 'hw1'\): run nbgrader generate_assignment hw2"
        ):
            write_scores(collect(book), root)


def test_a_student_whose_name_is_a_path(course, tmp_path):
    root, _ = course
    with Gradebook(tmp_path / "other.sqlite") as book:
        book.add(Grade("hw1", "../../ada", 1, "a", "b", marks=(Mark("13.box_iou", 1.0, 5.0, "wrong"),)))
        assert write_scores(collect(book), root).students == ["../../ada"]
    assert not (root / "autograded").exists()
