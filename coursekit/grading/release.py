"""What a class gets: the class edition of the chosen notebooks, with the assignment's points, its variants and its free answers."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbformat import NotebookNode, validate
from nbformat.v4 import new_code_cell, new_markdown_cell

from coursekit.authoring.convert import checksum, convert, nbgrader_flags, write_text
from coursekit.authoring.solved import Definition, Solution, definitions_in, solutions_in
from coursekit.exercises.core import Exercise
from coursekit.files import write_bytes
from coursekit.grading.assignment import Task, source_hash
from coursekit.project.report_words import TOPICS

if TYPE_CHECKING:
    from coursekit.grading.variants import Family

_REPORT = dict.fromkeys(TOPICS, "what your `report.md` says about this") | {
    "all": "your whole `report.md`",
    "submission": "your `submission.csv` and what it scores",
}
Drawn = list[tuple["Family", dict[str, Any]]]


def draw_variants(secret: bytes, name: str, numbers: Sequence[str], variants: int | Sequence[str]) -> Drawn:
    """Families of these notebooks and the parameters that the secret gives them.

    Args:
        secret: of the assignment. name: its name.
        numbers: of its notebooks.
        variants: how many of each notebook (all that it has, if those are fewer), or the families' names.

    Raises:
        ValueError: for a family that there is not, or of another notebook.
    """
    if not variants:
        return []
    from coursekit.grading.variants import draw_all, find_family, pick

    if isinstance(variants, int):
        chosen = pick(numbers, variants, secret, name)
    else:
        chosen = [find_family(family) for family in dict.fromkeys(variants)]
    for family in chosen:
        if family.notebook not in numbers:
            raise ValueError(f"{family.name} belongs to notebook {family.notebook}, which is not part of this assignment")
    parameters = draw_all(chosen, secret, name)
    return [(family, parameters[family.name]) for family in chosen]


def variant_solutions(path: Path, drawn: Drawn) -> Iterator[tuple[Exercise, Solution, dict[str, Any]]]:
    """The variants of one notebook, each with our solution. They stand at its end, after everything."""
    mine = [(family, parameters) for family, parameters in drawn if family.notebook == path.name[:2]]
    if not mine:
        return
    last = list(solutions_in(path).values())[-1]
    above = (*last.above, *(Definition(text, last.name) for text in definitions_in(last.solved)))
    for family, parameters in mine:
        cell = family.cells(parameters)
        earlier = (*last.earlier, last)
        solution = Solution(family.name, cell.solved, cell.student, frozenset(), (), "", family.answer, False, above, earlier)
        yield family.build(parameters), solution, parameters


def notebooks(
    name: str, paths: Sequence[Path], tasks: Sequence[Task], left_out: dict[str, str], drawn: Drawn, rubrics: Sequence[dict]
) -> dict[str, NotebookNode]:
    """The notebooks to hand out, by stem.

    Args:
        name: of the assignment.
        paths: sources of the notebooks.
        tasks: what is graded. left_out: what no machine grades, and why.
        drawn: variants. rubrics: free answers; one that names no notebook goes into the last.

    Raises:
        ValueError: for a rubric of another notebook.
    """
    numbers = [path.name[:2] for path in paths]
    for rubric in rubrics:
        if (rubric.get("notebook") or numbers[-1])[:2] not in numbers:
            raise ValueError(
                f"the rubric is for notebook {rubric['notebook']}, which is not part of this assignment ({', '.join(numbers)})"
            )
    worth = {task.name: task.points for task in tasks}
    made = {}
    for path in paths:
        number = path.name[:2]
        notebook = convert(path, "class")
        for cell in notebook.cells:
            exercise = cell.metadata.get("coursekit", {}).get("exercise")
            if exercise and cell.metadata.nbgrader.grade:
                _set_points(cell, worth.get(exercise, 0.0))
        own = [(family, parameters) for family, parameters in drawn if family.notebook == number]
        if own:
            notebook.cells.append(new_markdown_cell("## Exercises of this assignment", id="exercises-of-this-assignment"))
        for family, parameters in own:
            notebook.cells += _variant(family, parameters, worth[family.name])
        mine = [r for r in rubrics if (r.get("notebook") or paths[-1].name)[:2] == number]
        for rubric in mine:
            notebook.cells += _free_answers(rubric, {cell.id for cell in notebook.cells})
        notebook.cells.insert(1, _about(name, path.stem, tasks, left_out, mine))
        notebook.metadata.coursekit["assignment"] = name
        validate(notebook)
        made[path.stem] = notebook
    return made


def hashes(notebooks: dict[str, NotebookNode]) -> dict[str, tuple[str, ...]]:
    """By notebook, the `source_hash` of every code cell."""
    return {stem: tuple(source_hash(c.source) for c in n.cells if c.cell_type == "code") for stem, n in notebooks.items()}


def write(folder: Path, notebooks: dict[str, NotebookNode]) -> None:
    """Write them into a folder."""
    for stem, notebook in notebooks.items():
        write_bytes(folder / f"{stem}.ipynb", write_text(notebook).encode())


def _about(name: str, stem: str, tasks: Sequence[Task], left_out: dict[str, str], rubrics: Sequence[dict]) -> NotebookNode:
    """What counts, and what a passed check does not mean."""
    by_hand = [part for rubric in rubrics for part in rubric["parts"]]
    instead = {part["id"] for part in by_hand}  # a part that is named like an exercise takes its place
    rows = [f"| `{task.name}` | {task.points:g} |" for task in tasks if task.notebook == stem and task.name not in instead]
    rows += [f"| {part['title'].replace('|', '/')} (read by a person) | {part['points']:g} |" for part in by_hand]
    practice = [f"`{exercise}`" for exercise in left_out if exercise[:2] == stem[:2]]
    lines = [
        f"**Assignment {name}.** What counts here:",
        "",
        "| exercise | points |",
        "|---|---|",
        *rows,
        "",
        "A passed check is not the grade: your answers are graded elsewhere, on the cases that you see here and on others. An answer that "
        "follows the text passes both. It may use Python, NumPy, PyTorch where this notebook does, your earlier answers and what the text "
        "hands you; the rest of coursekit and other packages are not there. Hand in this notebook as it is: cells may be added, outputs "
        "do not matter.",
    ]
    if practice:
        lines += ["", f"For practice, without points: {', '.join(practice)}."]
    return new_markdown_cell("\n".join(lines), id="assignment")


def _variant(family: "Family", parameters: dict[str, Any], points: float) -> list[NotebookNode]:
    """Text, stub and public cases of one variant."""
    own = family.name.replace(".", "-")
    prose = new_markdown_cell(family.prose(parameters), id=f"{own}-text")
    stub = new_code_cell(family.cells(parameters).student, id=own)
    stub.metadata["coursekit"] = NotebookNode(exercise=family.name)
    stub.metadata["nbgrader"] = nbgrader_flags(stub, own, solution=True)
    check = new_code_cell(family.examples(parameters), id=f"{own}-check")
    check.metadata["coursekit"] = NotebookNode(exercise=family.name)
    check.metadata["deletable"], check.metadata["editable"] = False, False
    check.metadata["nbgrader"] = nbgrader_flags(check, f"{own}-check", solution=False, points=points)
    return [prose, stub, check]


def _free_answers(rubric: dict, there: set[str]) -> list[NotebookNode]:
    """A question and a cell for the answer to each part that a person marks; nbgrader calls them manually graded.

    Parts about an exercise's code, and those whose cell stands in the notebook already (``there``), get none.
    """
    cells = []
    for part in rubric["parts"]:
        grade_id = part.get("cell") or "answer-" + re.sub(r"[^a-zA-Z0-9_-]", "-", part["id"])
        if part.get("exercise") or grade_id in there:
            continue
        levels = [f"- {level['points']:g}: {level['text']}" for level in part.get("levels") or []]
        place = ["", f"Shown to the marker: {_REPORT[part['report']]}. Without it, write here."] if part.get("report") else []
        title = f"### {part['title']} ({part['points']:g} points)"
        question = new_markdown_cell("\n".join([title, *place, *([""] if levels else []), *levels]))
        question.id = f"text-{grade_id}"[:64]
        answer = new_markdown_cell("*Write your answer here.*", id=grade_id[:64])
        answer.metadata["coursekit"] = NotebookNode(answer=part["id"])
        answer.metadata["nbgrader"] = nbgrader_flags(answer, grade_id, solution=True, points=float(part["points"]))
        cells += [question, answer]
    return cells


def _set_points(cell: NotebookNode, points: float) -> None:
    cell.metadata.nbgrader.points = points
    cell.metadata.nbgrader.checksum = checksum(cell.source, cell.cell_type, cell.metadata.nbgrader)
