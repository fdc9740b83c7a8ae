"""Assignments and submissions that tests of grading share; each is made once."""

from collections.abc import Mapping
from pathlib import Path

import nbformat
import pytest

from coursekit.grading.assignment import Assignment, make, read_bundle


@pytest.fixture(scope="session")
def hw3(tmp_path_factory) -> Path:
    """The folder of an assignment of notebooks 13 and 20, with release/ and grader/."""
    out = tmp_path_factory.mktemp("hw3") / "hw3"
    make(["13", "20"], out, name="hw3", points={"13.box_iou": 5})
    return out


@pytest.fixture(scope="session")
def bundle(hw3) -> Path:
    """Its grader's folder."""
    return hw3 / "grader"


@pytest.fixture(scope="session")
def assignment(bundle) -> Assignment:
    """The assignment of notebooks 13 and 20."""
    return read_bundle(bundle)


@pytest.fixture(scope="session")
def small(tmp_path_factory) -> Path:
    """The folder of an assignment of notebook 20 alone, which needs no torch but for one exercise."""
    out = tmp_path_factory.mktemp("small") / "small"
    make(["20"], out)
    return out


@pytest.fixture(scope="session")
def sandbox():
    """The real one, at the best tier that works here; tests that need it skip where none that can be trusted does."""
    from coursekit.grading.probe import probe
    from coursekit.grading.sandbox import TRUSTWORTHY, Sandbox

    if not any(tier.works for tier in probe() if tier.name in TRUSTWORTHY):
        pytest.skip("no sandbox that can be trusted works here: " + "; ".join(f"{tier.name}: {tier.why}" for tier in probe()))
    with Sandbox() as it:
        yield it


@pytest.fixture(scope="session")
def submission_of():
    """``submission_of(release, target, {"13.box_iou": code, ...})``: a notebook as somebody hands it in.

    Exercises that are not named stay stubs; ``"13.box_iou": None`` deletes the cell. Returns the notebook's path.
    """
    return write_submission


def write_submission(release: Path, target: Path, answers: Mapping[str, str | None]) -> Path:
    """Put code into the exercise cells of a handed-out notebook.

    Args:
        release: the notebook as it was handed out.
        target: file to write.
        answers: exercise to source of its whole cell.
    """
    notebook = nbformat.read(release, as_version=4)
    cells = []
    for cell in notebook.cells:
        exercise = cell.metadata.get("coursekit", {}).get("exercise")
        if exercise in answers and not cell.metadata.nbgrader.grade:
            if answers[exercise] is None:
                continue
            cell.source = answers[exercise]
        cells.append(cell)
    notebook.cells = cells
    target.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, target)
    return target


@pytest.fixture(scope="session")
def right_answers(assignment) -> dict[str, str]:
    """The author's cell for every exercise of hw3."""
    return {task.name: task.solution for task in assignment.tasks}


@pytest.fixture(scope="session")
def workers():
    """The best sandbox that works here, kept open: importing torch into it takes seconds."""
    from coursekit.grading.sandbox import Sandbox

    with Sandbox() as opened:
        yield opened
