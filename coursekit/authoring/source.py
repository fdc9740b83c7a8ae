"""Reading a notebook's source: jupytext's py:percent, with exercise cells and solution markers. Every mistake in it is one sentence.

# %% exercise="13.box_iou"
def box_iou(boxes1, boxes2):
    \"\"\"(N, 4) and (M, 4) -> (N, M).\"\"\"
    ### BEGIN SOLUTION
    ...                         cut from the student's edition
    ### STUDENT
    # return boxes1             optional: what stands there instead, in comments (a bug to find, a start to complete)
    ### END SOLUTION
"""

import re
from dataclasses import dataclass
from pathlib import Path

BEGIN, STUDENT, END = "### BEGIN SOLUTION", "### STUDENT", "### END SOLUTION"
STUB = ("# your code here", "raise NotImplementedError")


class SourceError(ValueError):
    """A notebook's source cannot be built; the message begins with file and line."""


@dataclass(frozen=True)
class Cell:
    """One cell of a source.

    Args:
        kind: ``code`` or ``markdown``.
        text: its source, markers included.
        line: where its first line stands in the file, counted from 1.
        exercise: ``13.box_iou``, if it is one.
        tags: its tags.
    """

    kind: str
    text: str
    line: int
    exercise: str | None = None
    tags: tuple[str, ...] = ()


def read_cells(path: Path) -> list[Cell]:
    """The cells of a source file, each with the line at which it begins.

    Raises:
        SourceError: naming file and line.
    """
    try:
        import jupytext
    except ImportError:
        raise SourceError('building needs jupytext: pip install "coursekit[grading]"') from None

    text = path.read_text(encoding="utf-8")
    heads = [number for number, line in enumerate(text.split("\n"), 1) if re.match(r"# %%", line)]
    if not heads:
        raise SourceError(f"{path}:1: there is no cell; a cell begins with `# %%`")
    for number, line in enumerate(text.split("\n")[: heads[0] - 1], 1):
        if line.strip() and not line.startswith("#"):
            raise SourceError(f"{path}:{number}: this stands before the first `# %%`")
    body = "\n".join(text.split("\n")[heads[0] - 1 :])
    notebook = jupytext.reads(body, fmt="py:percent")
    if len(notebook.cells) != len(heads):
        raise SourceError(f"{path}:{heads[0]}: {len(heads)} lines begin with `# %%` but {len(notebook.cells)} cells were read")
    return [_cell(path, cell, line) for cell, line in zip(notebook.cells, heads, strict=True)]


def _cell(path: Path, cell, line: int) -> Cell:
    known = {"exercise", "tags", "title", "lines_to_next_cell", "lines_to_end_of_cell_marker"}
    if unknown := sorted(set(cell.metadata) - known):
        raise SourceError(f"{path}:{line}: a cell knows exercise= and tags=, got {unknown[0]}=")
    if cell.cell_type not in ("code", "markdown"):
        raise SourceError(f"{path}:{line}: a cell is code or [markdown], got [{cell.cell_type}]")
    for number, written in enumerate(cell.source.split("\n"), line + 1):
        if cell.cell_type == "code" and re.match(r"# (#{2,} |<details)", written):
            raise SourceError(f"{path}:{number}: prose in a code cell; `# %% [markdown]` is missing above it")
        if cell.cell_type == "markdown" and re.search(r"<summary>[^<]*`", written):
            raise SourceError(f"{path}:{number}: a <summary> shows backticks as they are; write <code> there")
    return Cell(cell.cell_type, cell.source, line, cell.metadata.get("exercise"), tuple(cell.metadata.get("tags", ())))


@dataclass(frozen=True)
class Regions:
    """The lines of a cell, sorted by who sees them."""

    solved: str
    student: str
    cuts: int


def split_solution(path: Path, cell: Cell) -> Regions:
    """Solved and student text of a code cell. Markers are in neither.

    Raises:
        SourceError: for markers that do not pair up.
    """
    solved, student, cuts, began, own = [], [], 0, None, None
    for offset, line in enumerate(cell.text.split("\n")):
        word, here = line.strip(), f"{path}:{cell.line + 1 + offset}"
        if word == BEGIN:
            if began:
                raise SourceError(f"{here}: {BEGIN} inside another one, which began in line {began}")
            began, own, indent = cell.line + 1 + offset, None, line[: len(line) - len(line.lstrip())]
        elif word == STUDENT:
            if not began:
                raise SourceError(f"{here}: {STUDENT} outside a solution")
            own = []
        elif word == END:
            if not began:
                raise SourceError(f"{here}: {END} without {BEGIN} before it")
            student += _stub(own, indent, here)
            began, cuts = None, cuts + 1
        elif began and own is not None:
            if word and not word.startswith("#"):
                raise SourceError(f"{here}: what students get must stand in comments, got {word!r}")
            own.append(line)
        else:
            solved.append(line)
            if not began:
                student.append(line)
    if began:
        raise SourceError(f"{path}:{began}: {BEGIN} has no {END} in its cell")
    return Regions("\n".join(solved), "\n".join(student), cuts)


def _stub(own: list[str] | None, indent: str, here: str) -> list[str]:
    """What students get in place of a solution."""
    if own is not None:
        return [re.sub(r"^(\s*)# ?", r"\1", line) for line in own]
    if not indent:
        raise SourceError(f"{here}: a solution outside a function needs {STUDENT} and what students get, or their notebook would stop")
    return [indent + line for line in STUB]
