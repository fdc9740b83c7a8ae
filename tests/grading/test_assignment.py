"""Making an assignment, and reading the grader's side of it back: nothing of it changes unnoticed."""

import dataclasses
import json
import os
import random
import shutil
import stat
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from coursekit.cli import app
from coursekit.grading.assignment import Assignment, Task, digest, make, read_bundle, source_hash

run = CliRunner().invoke


@pytest.fixture
def copy(bundle, tmp_path):
    """A copy of the grader's folder to damage."""
    return shutil.copytree(bundle, tmp_path / "grader")


def test_it_holds_every_exercise_of_its_notebooks(assignment):
    assert (assignment.name, assignment.course, len(assignment.secret)) == ("hw3", "Pixels to Boxes", 32)
    names = [task.name for task in assignment.tasks]
    assert names[:3] == ["13.box_convert", "13.box_iou", "13.giou"]
    assert {name[:2] for name in names} == {"13", "20"}
    assert assignment.left_out == {}
    assert set(assignment.released) == {"13_boxes", "20_map"}
    assert set(assignment.versions) == {"coursekit", "python", "numpy", "torch"}


def test_points_are_the_exercises_own_unless_told_otherwise(assignment):
    assert assignment.task("13.box_iou").points == 5
    assert assignment.task("13.giou").points == assignment.task("13.giou").exercise.points
    assert assignment.points == sum(task.points for task in assignment.tasks)


def test_a_task_finds_its_exercise(assignment):
    task = assignment.task("20.rank")
    assert (task.exercise.name, task.notebook, task.module, task.drawn) == ("20.rank", "20_map", "coursekit.exercises.n20_map", True)
    with pytest.raises(ValueError, match=r"has no exercise '20\.rnk'; did you mean 20\.rank\?"):
        assignment.task("20.rnk")


def test_what_is_read_is_what_was_made(bundle, assignment):
    assert read_bundle(bundle) == assignment
    assert Assignment.from_json(json.loads(json.dumps(assignment.to_json()))) == assignment


def test_only_its_owner_can_look_at_the_graders_side(bundle):
    for path in [bundle, *bundle.rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_every_assignment_has_a_secret_of_its_own(assignment, small):
    other = read_bundle(small / "grader")
    assert other.secret != assignment.secret
    assert other.name == "small"  # the folder's


def test_reading_one_imports_no_torch(bundle):
    code = f"import sys; from coursekit.grading.assignment import read_bundle; read_bundle({str(bundle)!r}); print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


# --- a grade depends on all of it


def changed_task(assignment, **fields):
    first = assignment.tasks[0]
    kit = {name: fields.pop(name) for name in list(fields) if name in {f.name for f in dataclasses.fields(first.kit)}}
    first = dataclasses.replace(first, kit=dataclasses.replace(first.kit, **kit), **fields)
    return dataclasses.replace(assignment, tasks=(first, *assignment.tasks[1:]))


@pytest.mark.parametrize(
    "change",
    [
        lambda a: dataclasses.replace(a, secret=b"x" * 32),
        lambda a: dataclasses.replace(a, name="hw4"),
        lambda a: dataclasses.replace(a, rubrics=({"parts": []},)),
        lambda a: dataclasses.replace(a, versions={**a.versions, "torch": "0"}),
        lambda a: dataclasses.replace(a, frozen={**a.frozen, "coursekit/boxes.py": "0"}),
        lambda a: dataclasses.replace(a, released={}),
        lambda a: dataclasses.replace(a, tasks=a.tasks[:-1]),
        lambda a: changed_task(a, points=9.0),
        lambda a: changed_task(a, solution="pass"),
        lambda a: changed_task(a, parameters={"format": "xywh"}),
        lambda a: changed_task(a, packages=()),
        lambda a: changed_task(a, files={"coursekit/boxes.py": ""}),
        lambda a: changed_task(a, setup=()),
    ],
)
def test_its_hash_covers_what_a_grade_depends_on(assignment, change):
    assert assignment.sha256 == digest(assignment)
    assert digest(change(assignment)) != assignment.sha256


@pytest.mark.parametrize("seed", range(25))
def test_a_changed_byte_is_noticed(copy, seed):
    dice, path = random.Random(seed), copy / "assignment.json"
    content = bytearray(path.read_bytes())
    place = dice.randrange(len(content))
    content[place] = dice.choice([c for c in b' \n0a,:{}[]"\\\x00\xff' if c != content[place]])
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"assignment\.json was changed since the assignment was made|is of format"):
        read_bundle(copy)


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"format": 1}', b"null", b"\xff\xfe", b"[" * 100_000, b'{"format": 2}'])
def test_something_else_in_its_place_is_refused(copy, content):
    (copy / "assignment.json").write_bytes(content)
    with pytest.raises(ValueError, match=r"assignment\.json (was changed|is of format)"):
        read_bundle(copy)


def test_a_change_in_the_frozen_sources_is_named(copy):
    path = copy / "frozen" / "coursekit" / "boxes.py"
    path.write_text(path.read_text() + "\n")
    with pytest.raises(ValueError, match=r"frozen/coursekit/boxes\.py was changed"):
        read_bundle(copy)


def test_a_frozen_source_that_is_gone_is_named(copy):
    (copy / "frozen" / "coursekit" / "boxes.py").unlink()
    with pytest.raises(ValueError, match=r"frozen/coursekit/boxes\.py is missing"):
        read_bundle(copy)


def test_a_source_that_was_not_there_is_named(copy):
    (copy / "frozen" / "coursekit" / "sitecustomize.py").write_text("")
    with pytest.raises(ValueError, match=r"sitecustomize\.py was not there"):
        read_bundle(copy)


@pytest.mark.skipif(os.name == "nt", reason="links need a right there")
def test_a_link_in_place_of_a_source_is_named(copy, tmp_path):
    path = copy / "frozen" / "coursekit" / "boxes.py"
    path.rename(tmp_path / "boxes.py")
    path.symlink_to(tmp_path / "boxes.py")
    with pytest.raises(ValueError, match=r"boxes\.py is missing"):
        read_bundle(copy)


def test_the_other_folder_is_pointed_out(hw3, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"did you mean .*grader\?"):
        read_bundle(hw3)
    with pytest.raises(FileNotFoundError, match=r"holds no assignment\.json$"):
        read_bundle(tmp_path)


# --- making one


@pytest.mark.parametrize(
    ("numbers", "more", "message"),
    [
        (["99"], {}, "there is no notebook '99'; did you mean"),
        (["131"], {}, "there is no notebook '131'; did you mean 1[13]"),
        ([], {}, "needs at least one notebook"),
        (["20"], {"points": {"20.rnk": 1}}, r"points for '20\.rnk', which is not in this assignment; did you mean 20\.rank\?"),
        (["20"], {"points": {"13.nms": 1}}, r"points for '13\.nms', which is not in this assignment"),
        (["20"], {"points": {"20.rank": -1}}, r"points of 20\.rank must be 0 or more, got -1"),
        (["20"], {"points": {"20.rank": float("nan")}}, r"points of 20\.rank must be 0 or more, got nan"),
        (["20"], {"name": "a/b"}, "the name of an assignment"),
        (["20"], {"name": "-x"}, "the name of an assignment"),
        (["20"], {"variants": ["13.variant_iou"]}, r"13\.variant_iou belongs to notebook 13, which is not part"),
        (["20"], {"variants": ["20.variant_app"]}, "no family of variants '20.variant_app'"),
        (["02"], {"points": {"02.numerical_gradient": 1}}, r"02\.numerical_gradient cannot be graded by machine: case .* function"),
        (["21"], {}, r"nothing in notebook 21 can be graded\. 21\.prepare_frame, .* cannot be graded by machine"),
    ],
)
def test_what_cannot_be_made_is_one_sentence(tmp_path, numbers, more, message):
    with pytest.raises(ValueError, match=message):
        make(numbers, tmp_path / "hw", **more)
    assert not (tmp_path / "hw").exists()


def test_it_is_never_written_over_another(small):
    before = {path: path.read_bytes() for path in small.rglob("*") if path.is_file()}
    with pytest.raises(FileExistsError, match="an assignment is never written over another one"):
        make(["20"], small)
    assert {path: path.read_bytes() for path in small.rglob("*") if path.is_file()} == before


def test_a_folder_without_sources_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="no sources of notebooks in"):
        make(["20"], tmp_path / "hw", sources=tmp_path)


def test_variants_are_tasks_of_their_own(tmp_path):
    made = make(["13", "20"], tmp_path / "hw", variants=["13.variant_nms", "20.variant_ap"], points={"13.variant_nms": 7})
    task = made.task("13.variant_nms")
    assert isinstance(task.parameters, dict)
    assert (task.points, task.notebook, task.module) == (7, "13_boxes", "coursekit.grading.variants.v13_nms")
    assert task.exercise.name == "13.variant_nms"
    assert task.kit.answer == "variant_nms"
    assert read_bundle(tmp_path / "hw" / "grader") == made
    assert {name[:2] for name in (t.name for t in made.tasks if t.parameters is not None)} == {"13", "20"}


def test_what_no_machine_grades_stays_for_practice(tmp_path):
    made = make(["02"], tmp_path / "hw")
    assert list(made.left_out) == ["02.numerical_gradient"]
    assert "02.numerical_gradient" not in [task.name for task in made.tasks]


@pytest.mark.parametrize("more", ["", " ", "\n", "\n\n", "\r\n"])
def test_blanks_at_ends_of_lines_are_no_change(more):
    assert source_hash("def f():\n    return 1") == source_hash(f"def f():{more.strip(chr(10) + chr(13))}\n    return 1{more}")
    assert source_hash("def f():\n    return 1") == source_hash("def f():\r\n    return 1")
    assert source_hash("def f():\n    return 1") != source_hash("def f():\n    return 2")


def test_surrogates_in_a_cell_have_a_hash_too():
    assert source_hash("'\ud800'") != source_hash("''")


# --- the command


def test_the_command_makes_and_shows_one(tmp_path, monkeypatch):
    monkeypatch.setattr("coursekit.grading.kits.varies", lambda exercise: exercise.name != "07.output_size")
    out = tmp_path / "hw7"
    made = run(app, ["assignment", "make", "07", "--points", "07.conv2d=6", "--name", "hw7b", "--out", str(out)])
    assert made.exit_code == 0, made.output
    assert "Assignment hw7b: 6 exercises" in made.output
    assert "07.output_size: its cases are the same for everybody" in made.output
    shown = run(app, ["assignment", "show", str(out / "grader")], terminal_width=200)
    assert shown.exit_code == 0, shown.output
    assert "hw7b" in shown.output
    assert "07.conv2d" in shown.output
    assert "07.output_size: its cases are the same for everybody" in shown.output
    assert read_bundle(out / "grader").task("07.conv2d").points == 6
    again = run(app, ["assignment", "make", "07", "--out", str(out)])
    assert isinstance(again.exception, FileExistsError)


def test_the_command_reads_a_rubric(tmp_path):
    (tmp_path / "report.yaml").write_text("parts:\n  - {id: method, title: Method, points: 4}\n")
    made = run(app, ["assignment", "make", "20", "--rubric", str(tmp_path / "report.yaml"), "--out", str(tmp_path / "hw")])
    assert made.exit_code == 0, made.output
    assert read_bundle(tmp_path / "hw" / "grader").rubrics[0]["parts"][0]["title"] == "Method"
    assert "marked by hand" in run(app, ["assignment", "show", str(tmp_path / "hw" / "grader")], terminal_width=200).output


def test_the_command_draws_variants(tmp_path):
    made = run(app, ["assignment", "make", "13", "--variants", "13.variant_nms", "--out", str(tmp_path / "hw")])
    assert made.exit_code == 0, made.output
    assert read_bundle(tmp_path / "hw" / "grader").task("13.variant_nms").parameters


@pytest.mark.parametrize("text", ["13.box_iou", "13.box_iou=", "13.box_iou=x", "=3x"])
def test_points_that_cannot_be_read_are_shown(tmp_path, text):
    result = run(app, ["assignment", "make", "13", "--points", text, "--out", str(tmp_path / "hw")])
    assert isinstance(result.exception, ValueError)
    assert str(result.exception) == f'--points takes an exercise and a number, such as "13.box_iou=5", got {text!r}'


def test_tasks_go_through_json(assignment):
    for task in assignment.tasks:
        assert Task.from_json(json.loads(json.dumps(dataclasses.asdict(task)))) == task
