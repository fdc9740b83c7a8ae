"""One source file to one notebook: student, class or solved edition. No outputs, and cell ids that only change with their cell."""

import ast
import hashlib
import re
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

import coursekit
from coursekit.authoring.source import Cell, SourceError, read_cells, split_solution
from coursekit.exercises.core import Exercise, UnknownExercise, find

EDITIONS = ("self-study", "class", "solved")
ANSWER = re.compile(r"<details><summary>What it was.*?</details>\n*", re.DOTALL)  # folded away beneath a planted bug: a class finds it


def convert(path: Path, edition: str = "self-study") -> NotebookNode:
    """Build the notebook of a source.

    Args:
        path: ``solutions/NN_topic.py``.
        edition: ``"self-study"``, ``"class"`` (a locked strict check after each exercise) or ``"solved"``.

    Raises:
        SourceError: with file and line.
        ValueError: for another edition.
    """
    if edition not in EDITIONS:
        raise ValueError(f"edition must be one of {', '.join(EDITIONS)}, got {edition!r}")
    cells, source = [], read_cells(path)
    _check_exercises(path, source)
    started = False
    for cell in source:
        if cell.kind == "markdown":
            text = ANSWER.sub("", cell.text) if edition == "class" else cell.text
            cells.append(new_markdown_cell(text, metadata=_tags(cell)))
            continue
        regions = split_solution(path, cell)
        text = regions.solved if edition == "solved" else regions.student
        if bool(regions.cuts) != bool(cell.exercise):
            problem = "an exercise cell needs ### BEGIN SOLUTION" if cell.exercise else 'a solution needs a cell marked exercise="..."'
            raise SourceError(f"{path}:{cell.line}: {problem}")
        text, found = _start(path, cell, text, edition)
        started = started or found
        _check_python(path, cell, text)
        cells.append(new_code_cell(text, metadata=_tags(cell)))
        if cell.exercise:
            exercise = find(cell.exercise)
            _mark_exercise(cells[-1], exercise)
            if edition == "class":
                cells.append(_locked_cell(exercise))
    if not started:
        raise SourceError(f'{path}:1: no cell calls start("{path.stem}")')
    return _notebook(path, cells, edition)


def _notebook(path: Path, cells: list[NotebookNode], edition: str) -> NotebookNode:
    _give_ids(cells)
    notebook = new_notebook(cells=cells)
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    notebook.metadata = NotebookNode(
        coursekit={"notebook": path.stem, "edition": edition, "version": coursekit.__version__},
        kernelspec={"display_name": "Python 3", "language": "python", "name": "python3"},
        language_info={"name": "python"},
    )
    nbformat.validate(notebook)
    return notebook


def write_text(notebook: NotebookNode) -> str:
    """The file's text, as Jupyter itself would save it."""
    return nbformat.writes(notebook, version=nbformat.NO_CONVERT).rstrip("\n") + "\n"


def _tags(cell: Cell) -> dict:
    return {"tags": list(cell.tags)} if cell.tags else {}


def _check_exercises(path: Path, cells: list[Cell]) -> None:
    """Every exercise exists, belongs to this notebook, stands here once, and is checked somewhere."""
    seen: dict[str, int] = {}
    everything = "\n".join(c.text for c in cells if c.kind == "code")
    for cell in (c for c in cells if c.exercise):
        here, name = f"{path}:{cell.line}", cell.exercise
        if not isinstance(name, str) or name[:2] != path.name[:2]:
            raise SourceError(f"{here}: exercise {name!r} does not belong to {path.stem}")
        if name in seen:
            raise SourceError(f"{here}: exercise {name} stands here already, in line {seen[name]}")
        seen[name] = cell.line
        try:
            find(name)
        except UnknownExercise as error:
            raise SourceError(f"{here}: {error}") from None
        if not re.search(rf"""\bcheck\(\s*["']{re.escape(name)}["']""", everything):
            raise SourceError(f'{here}: exercise {name} is never checked: {find(name).short_name} = check("{name}", ...)')


def _start(path: Path, cell: Cell, text: str, edition: str) -> tuple[str, bool]:
    """Fill in what the notebook was built for."""
    call = re.search(r"^start\(([^)]*)\)", text, flags=re.MULTILINE)
    if not call:
        return text, False
    if call[1].strip("\"'") != path.stem:
        raise SourceError(f'{path}:{cell.line}: this notebook must call start("{path.stem}"), got start({call[1]})')
    more = ', edition="class"' if edition == "class" else ""
    filled = f'start("{path.stem}", built_for="{coursekit.__version__}"{more})'
    return text[: call.start()] + filled + text[call.end() :], True


def _check_python(path: Path, cell: Cell, text: str) -> None:
    if re.search(r"^\s*[%!]", text, flags=re.MULTILINE):
        return  # a magic; only IPython can read it
    try:
        ast.parse(text)
    except SyntaxError as error:
        raise SourceError(f"{path}:{cell.line + (error.lineno or 1)}: {error.msg} (in what the notebook will hold)") from None


def _give_ids(cells: list[NotebookNode]) -> None:
    """From each cell's own text: jupytext makes new ids at each read, and a running number would change with every edit above.

    A cell tagged ``answer-limits`` is called that: there a learner writes what a rubric marks by hand, and its text will change.
    """
    seen: dict[str, int] = {}
    for cell in cells:
        exercise = cell.metadata.get("coursekit", {}).get("exercise")
        answer = next((tag for tag in cell.metadata.get("tags", ()) if tag.startswith("answer-")), None)
        if exercise:
            name = exercise.replace(".", "-") + ("-check" if cell.metadata.nbgrader.grade else "")
        elif answer:
            name = answer
        else:
            name = hashlib.sha256(f"{cell.cell_type}\n{cell.source}".encode()).hexdigest()[:12]
        seen[name] = seen.get(name, 0) + 1
        cell.id = name if seen[name] == 1 else f"{name}-{seen[name]}"


# nbgrader's metadata, schema version 3, for teachers who use it; ours stands beside it, because theirs allows no other key


def _mark_exercise(cell: NotebookNode, exercise: Exercise) -> None:
    cell.metadata["coursekit"] = NotebookNode(exercise=exercise.name)
    cell.metadata["nbgrader"] = nbgrader_flags(cell, exercise.name.replace(".", "-"), solution=True)


def _locked_cell(exercise: Exercise) -> NotebookNode:
    """The cell that nbgrader grades. It raises with the plain message where the answer is not right."""
    cell = new_code_cell(f'check("{exercise.name}", {exercise.short_name}, strict=True)')
    cell.metadata["coursekit"] = NotebookNode(exercise=exercise.name)
    cell.metadata["deletable"], cell.metadata["editable"] = False, False
    cell.metadata["nbgrader"] = nbgrader_flags(cell, f"{exercise.name.replace('.', '-')}-check", solution=False, points=exercise.points)
    return cell


def nbgrader_flags(cell: NotebookNode, grade_id: str, solution: bool, points: float | None = None) -> NotebookNode:
    """nbgrader's metadata of a cell, schema version 3; one with points is graded."""
    grade = points is not None
    flags = {"schema_version": 3, "grade": grade, "solution": solution, "locked": not solution, "task": False, "grade_id": grade_id}
    if grade:
        flags |= {"points": points, "cell_type": cell.cell_type}
        flags["checksum"] = checksum(cell.source, cell.cell_type, flags)
    return NotebookNode(flags)


def checksum(source: str, cell_type: str, flags: dict) -> str:
    """nbgrader's: how it notices that a locked cell was changed."""
    parts = [source, cell_type, str(flags["grade"]), str(flags["solution"]), str(flags["locked"]), flags["grade_id"]]
    if flags["grade"]:
        parts.append(str(float(flags["points"])))
    return hashlib.md5("".join(parts).encode()).hexdigest()
