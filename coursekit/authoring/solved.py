"""The answer that a notebook's own source gives to an exercise, without running the notebook.

Only what defines something is executed: imports, functions, classes and plain constants above the exercise, then its own cell.
"""

import ast
import contextlib
import linecache
from dataclasses import dataclass
from pathlib import Path
from types import CodeType
from typing import Any

from coursekit.authoring.source import BEGIN, END, Cell, SourceError, read_cells, split_solution
from coursekit.exercises.theirs import defines


@dataclass(frozen=True)
class Definition:
    """One statement of a notebook that only defines something.

    Args:
        text: its source.
        exercise: the exercise in whose cell it stands, solved; None elsewhere.
    """

    text: str
    exercise: str | None = None


@dataclass(frozen=True)
class Solution:
    """An exercise cell, solved and as students get it.

    Args:
        name: the exercise's.
        solved: the cell's text without markers.
        student: what students get.
        lines: numbers of the solved text's lines, from 1, that are the solution.
        before: definitions that stand above it, one code object each.
        before_text: their source, which a cache depends on.
        answer: the expression that the notebook hands to check.
        own_stub: students get something else than a stub there.
        above: what stands in ``before``, with the exercise that each definition is from.
        earlier: the solutions of the exercises above it, in order.
    """

    name: str
    solved: str
    student: str
    lines: frozenset[int]
    before: tuple[CodeType, ...]
    before_text: str
    answer: str
    own_stub: bool
    above: tuple[Definition, ...] = ()
    earlier: tuple["Solution", ...] = ()

    def namespace(self) -> dict[str, Any]:
        """What is defined above the exercise. A definition that needs the notebook's results is left out."""
        names: dict[str, Any] = {"__name__": "__main__"}
        for code in self.before:
            with contextlib.suppress(Exception):
                exec(code, names)
        return names

    def run(self, text: str, names: dict[str, Any] | None = None, label: str = "solution") -> Any:
        """The answer that this text of the cell gives."""
        names = dict(self.namespace() if names is None else names)
        file = f"<{label} of {self.name}>"
        linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
        for node in ast.parse(text).body:
            if defines(node):
                exec(compile(ast.Module([node], []), file, "exec"), names)
        return eval(self.answer, names)


def solutions_in(path: Path) -> dict[str, Solution]:
    """The solution of every exercise of a source, by name.

    Raises:
        SourceError: for a source that cannot be read.
    """
    cells = [c for c in read_cells(path) if c.kind == "code"]
    texts = [split_solution(path, c) for c in cells]
    answers = _answers(path, cells)
    found, before, before_text, above = {}, [], [], []
    for cell, text in zip(cells, texts, strict=True):
        if cell.exercise:
            if cell.exercise not in answers:
                raise SourceError(f"{path}:{cell.line}: exercise {cell.exercise} is never checked")
            lines = _solution_lines(cell.text)
            own = any(line.strip() == "### STUDENT" for line in cell.text.split("\n"))
            found[cell.exercise] = Solution(
                cell.exercise,
                text.solved,
                text.student,
                lines,
                tuple(before),
                "\n".join(before_text),
                answers[cell.exercise],
                own,
                tuple(above),
                tuple(found.values()),
            )
        for node in _parse(text.solved):
            if defines(node):
                before.append(compile(ast.Module([node], []), path.name, "exec"))
                before_text.append(ast.unparse(node))
                above.append(Definition(_lines_of(text.solved, node), cell.exercise))
    return found


def definitions_in(text: str) -> list[str]:
    """The source of each statement of a cell that only defines something."""
    return [_lines_of(text, node) for node in _parse(text) if defines(node)]


def _lines_of(text: str, node: ast.stmt) -> str:
    """The source of one statement, decorators and comments included."""
    first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
    return "\n".join(text.split("\n")[first - 1 : node.end_lineno])


def _parse(text: str) -> list[ast.stmt]:
    try:
        return ast.parse(text).body
    except SyntaxError:  # a magic
        return []


def _answers(path: Path, cells: list[Cell]) -> dict[str, str]:
    """What the notebook hands to each check, as source. An exercise's own cell counts first: elsewhere a wrong answer may be shown off."""
    found = {}
    for cell in sorted(cells, key=lambda cell: cell.exercise is None):
        for node in _parse(cell.text):
            for call in ast.walk(node):
                if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "check" and len(call.args) > 1):
                    continue
                if isinstance(call.args[0], ast.Constant):
                    found.setdefault(call.args[0].value, ast.unparse(call.args[1]))
    return found


def _solution_lines(text: str) -> frozenset[int]:
    """Line numbers in the solved text that stand between the markers."""
    lines, number, inside, student = set(), 0, False, False
    for line in text.split("\n"):
        word = line.strip()
        if word == BEGIN:
            inside, student = True, False
        elif word == END:
            inside = False
        elif word == "### STUDENT":
            student = True
        elif not (inside and student):
            number += 1
            if inside:
                lines.add(number)
    return frozenset(lines)
