"""What a class gets: no answers, valid metadata, and in words what counts."""

import nbformat
import pytest

from coursekit.authoring.convert import checksum
from coursekit.authoring.solved import solutions_in
from coursekit.grading.assignment import make, read_bundle, source_hash
from coursekit.grading.rubric import checked, read_rubric
from coursekit.resources import solutions_folder

RUBRIC = """
title: Report
notebook: "20"
parts:
  - id: method
    title: What did you measure, and how?
    points: 4
    levels:
      - {points: 4, text: all of it}
      - {points: 2, text: half of it}
  - {id: surprise.1, title: 'What surprised you?', points: 2.5}
  - {id: 20.rank, title: How it is written, points: 2, exercise: 20.rank}
"""


@pytest.fixture(scope="module")
def with_everything(tmp_path_factory):
    """Notebooks 13 and 20 with two variants and free answers."""
    out = tmp_path_factory.mktemp("release") / "hw"
    (out.parent / "rubric.yaml").write_text(RUBRIC)
    rubric = read_rubric(out.parent / "rubric.yaml")
    make(["13", "20"], out, points={"13.giou": 2.5}, variants=["13.variant_nms", "20.variant_ap"], rubrics=[rubric])
    return out


def read(folder, stem):
    return nbformat.read(folder / "release" / f"{stem}.ipynb", as_version=4)


def exercise_cells(notebook, name):
    return [c for c in notebook.cells if c.metadata.get("coursekit", {}).get("exercise") == name]


@pytest.fixture(params=["13_boxes", "20_map"])
def notebook(with_everything, request):
    return read(with_everything, request.param)


def test_it_is_a_class_edition_without_answers(notebook):
    text = "\n".join(cell.source for cell in notebook.cells)
    assert 'edition="class"' in text
    assert "BEGIN SOLUTION" not in text
    assert notebook.metadata.coursekit.edition == "class"
    stem = notebook.metadata.coursekit.notebook
    for name, solution in solutions_in(solutions_folder() / f"{stem}.py").items():
        (stub,) = [c for c in exercise_cells(notebook, name) if not c.metadata.nbgrader.grade]
        assert stub.source == solution.student
        cut = [line for n, line in enumerate(solution.solved.split("\n"), 1) if n in solution.lines and len(line.strip()) > 30]
        assert not [line for line in cut if line in stub.source and line not in solution.student]


def test_the_first_lines_say_what_counts(with_everything):
    about = read(with_everything, "13_boxes").cells[1]
    assert about.cell_type == "markdown"
    assert "**Assignment hw.**" in about.source
    assert "| `13.giou` | 2.5 |" in about.source
    assert "| `13.variant_nms` | 4 |" in about.source
    assert "20." not in about.source
    assert "A passed check is not the grade" in about.source
    other = read(with_everything, "20_map").cells[1].source
    assert "| What surprised you? (read by a person) | 2.5 |" in other
    assert "| How it is written (read by a person) | 2 |" in other
    assert "`20.rank`" not in other  # a person marks it instead


def test_points_of_the_assignment_stand_in_the_locked_cells(with_everything):
    (check,) = [c for c in exercise_cells(read(with_everything, "13_boxes"), "13.giou") if c.metadata.nbgrader.grade]
    assert check.source == 'check("13.giou", giou, strict=True)'
    assert check.metadata.nbgrader.points == 2.5
    assert (check.metadata.deletable, check.metadata.editable) == (False, False)


def test_metadata_is_nbgraders_and_ids_are_unique(notebook):
    ids = [cell.metadata.nbgrader.grade_id for cell in notebook.cells if "nbgrader" in cell.metadata]
    assert len(ids) == len(set(ids)) > 5
    assert len({cell.id for cell in notebook.cells}) == len(notebook.cells)
    for cell in notebook.cells:
        if cell.metadata.get("nbgrader", {}).get("grade"):
            assert cell.metadata.nbgrader.checksum == checksum(cell.source, cell.cell_type, cell.metadata.nbgrader)


def test_nbgraders_own_validator_accepts_it(notebook):
    reason = "nbgrader is not installed, which is fine"
    nbgraderformat = pytest.importorskip("nbgrader.nbgraderformat", reason=reason)
    utils = pytest.importorskip("nbgrader.utils", reason=reason)
    nbgraderformat.MetadataValidator().validate_nb(notebook)
    for cell in notebook.cells:
        if cell.metadata.get("nbgrader", {}).get("grade"):
            assert cell.metadata.nbgrader.checksum == utils.compute_checksum(cell)


@pytest.mark.parametrize(("stem", "name"), [("13_boxes", "13.variant_nms"), ("20_map", "20.variant_ap")])
def test_a_variant_is_text_stub_and_public_cases(with_everything, stem, name):
    notebook, task = read(with_everything, stem), read_bundle(with_everything / "grader").task(name)
    place = next(i for i, c in enumerate(notebook.cells) if c.get("id") == f"{name.replace('.', '-')}-text")
    prose, stub, check = notebook.cells[place : place + 3]
    assert task.name.partition(".")[2] in prose.source
    assert (stub.metadata.nbgrader.solution, stub.metadata.nbgrader.grade) == (True, False)
    assert "raise NotImplementedError" in stub.source
    assert (check.metadata.nbgrader.locked, check.metadata.nbgrader.points) == (True, task.points)
    names = {}
    exec(task.solution, names)
    exec(check.source, names)  # our answer passes the public cases
    exec(stub.source, names)
    with pytest.raises(NotImplementedError):
        exec(check.source, names)


def test_free_answers_are_cells_that_a_person_marks(with_everything):
    notebook = read(with_everything, "20_map")
    answers = [c for c in notebook.cells if "answer" in c.metadata.get("coursekit", {})]
    assert [c.metadata.coursekit.answer for c in answers] == ["method", "surprise.1"]
    assert [c.id for c in answers] == ["answer-method", "answer-surprise-1"]
    for cell, points in zip(answers, (4, 2.5), strict=True):
        flags = cell.metadata.nbgrader
        assert (cell.cell_type, flags.grade, flags.solution, flags.locked, flags.points) == ("markdown", True, True, False, points)
    asked = notebook.cells[notebook.cells.index(answers[0]) - 1].source
    assert asked == "### What did you measure, and how? (4 points)\n\n- 4: all of it\n- 2: half of it"
    assert not [c for c in read(with_everything, "13_boxes").cells if "answer" in c.metadata.get("coursekit", {})]


def test_a_rubric_of_another_notebook_is_refused(tmp_path):
    rubric = checked({"notebook": "13", "parts": [{"id": "a", "points": 1}]})
    with pytest.raises(ValueError, match=r"the rubric is for notebook 13, which is not part of this assignment \(20\)"):
        make(["20"], tmp_path / "hw", rubrics=[rubric])
    assert not (tmp_path / "hw").exists()


def test_a_part_whose_cell_stands_there_gets_no_second_one(tmp_path):
    make(["20"], tmp_path / "one")
    (own,) = [c.id for c in read(tmp_path / "one", "20_map").cells if c.cell_type == "markdown"][2:3]
    make(["20"], tmp_path / "two", rubrics=[checked({"parts": [{"id": "a", "points": 1, "cell": own}]})])
    assert len(read(tmp_path / "two", "20_map").cells) == len(read(tmp_path / "one", "20_map").cells)


def test_hashes_are_of_every_code_cell_as_handed_out(with_everything, notebook):
    stem = notebook.metadata.coursekit.notebook
    released = read_bundle(with_everything / "grader").released[stem]
    assert released == tuple(source_hash(c.source) for c in notebook.cells if c.cell_type == "code")


def test_practice_is_named_and_gives_no_points(tmp_path):
    make(["02"], tmp_path / "hw")
    notebook = read(tmp_path / "hw", "02_losses")
    assert "For practice, without points: `02.numerical_gradient`." in notebook.cells[1].source
    (check,) = [c for c in exercise_cells(notebook, "02.numerical_gradient") if c.metadata.nbgrader.grade]
    assert check.metadata.nbgrader.points == 0
