"""The sources as they were: next year's coursekit changes no mark of this year's assignment."""

import os
import shutil
import subprocess
import sys

import pytest

from coursekit.exercises.core import exercises_in, modules
from coursekit.grading import frozen
from coursekit.grading.frozen import PACKAGE, frozen_path, needs_frozen


@pytest.fixture
def next_year(tmp_path):
    """A copy of the installed package in which IoU clamps nothing any more."""
    copy = tmp_path / "site" / "coursekit"
    shutil.copytree(PACKAGE, copy, ignore=lambda folder, names: [n for n in names if n == "__pycache__" or n in frozen.PACKED])
    path = copy / "boxes.py"
    path.write_text(path.read_text().replace("(bottom_right - top_left).clamp(min=0)", "(bottom_right - top_left)"))
    return copy


def test_the_same_sources_need_no_others(assignment, bundle):
    assert not needs_frozen(assignment, frozen_path(bundle) / "coursekit")


def test_another_source_is_noticed(assignment, next_year):
    assert needs_frozen(assignment, next_year)


def test_every_source_is_kept_and_nothing_else(bundle, assignment):
    kept = {p.relative_to(bundle / "frozen").as_posix() for p in (bundle / "frozen").rglob("*") if p.is_file()}
    assert kept == set(assignment.frozen)
    assert {"coursekit/boxes.py", "coursekit/exercises/n13_boxes_iou.py", "coursekit/grading/variants/__init__.py"} <= kept
    assert all(name.endswith(".py") for name in kept)


def test_the_frozen_reference_judges_although_another_is_installed(bundle, next_year, assignment):
    code = """
import sys
import coursekit
from coursekit.exercises.core import find
from coursekit.exercises.verdict import judge
names = {}
exec(sys.stdin.read().split("box_iou = check")[0], names)
print(coursekit.__file__, judge(find("13.box_iou"), names["box_iou"]).passed)
"""
    answer = "import torch\nfrom torch import Tensor\n" + assignment.task("13.box_iou").solution
    found = {}
    for name, paths in {"old": [frozen_path(bundle), next_year.parent], "new": [next_year.parent]}.items():
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths)), "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run([sys.executable, "-P", "-c", code], input=answer, env=environment, capture_output=True, text=True, check=True)
        found[name] = done.stdout.split()
    assert found["old"] == [str(frozen_path(bundle) / "coursekit" / "__init__.py"), "True"]
    assert found["new"] == [str(next_year / "__init__.py"), "False"]


@pytest.mark.full
@pytest.mark.usefixtures("sandbox")
def test_a_regrade_with_next_years_coursekit_gives_the_same_marks(hw3, bundle, next_year, right_answers, submission_of, tmp_path):
    from coursekit.grading.gradebook import Gradebook

    submission_of(hw3 / "release" / "13_boxes.ipynb", tmp_path / "handed_in" / "anna" / "13_boxes.ipynb", right_answers)
    grades = []
    for year, package in (("this", PACKAGE), ("next", next_year)):
        out = tmp_path / year
        command = [sys.executable, "-P", "-m", "coursekit.cli", "grade", tmp_path / "handed_in", "--assignment", bundle, "--out", out]
        environment = {**os.environ, "PYTHONPATH": str(package.parent)}
        done = subprocess.run([*map(str, command), "--jobs", "1"], env=environment, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        grades += Gradebook(out / "gradebook.sqlite").grades()
    first, again = ([(m.exercise, m.points, m.seed) for m in grade.marks] for grade in grades)
    assert first == again
    assert sum(points for name, points, _ in first if name[:2] == "13") == sum(m.out_of for m in grades[0].marks if m.exercise[:2] == "13")


@pytest.mark.full
def test_no_reference_reads_a_file_of_the_course(monkeypatch):
    """Only sources are frozen, so nothing that a mark depends on may lie beside them."""

    def refuse(name):
        raise AssertionError(f"an exercise reads {name}")

    for module in [m for name, m in sys.modules.items() if name.startswith("coursekit") and hasattr(m, "resource")]:
        monkeypatch.setattr(module, "resource", refuse)
    asked = 0
    for exercise in {id(e): e for module in modules() for e in exercises_in(module)}.values():
        for _, arguments in exercise.draw_cases(3):
            exercise.outcome(exercise.reference, arguments)
            asked += 1
    assert asked > 1000
