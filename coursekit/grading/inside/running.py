"""Running a learner's cells in the sandbox: a statement at a time, whatever fails is noted and the next one goes on.

The names that a notebook of this course uses (`check`, `hint`, `at` …) are stand-ins here: nothing in this process decides about points.
"""

import __future__

import ast
import builtins
import contextlib
import linecache
import re
import sys
import time
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

from . import watch

limits, theirs = watch.load().limits, watch.load().theirs

STATEMENT = 2.0  # seconds
LEVELS = ("smoke", "quick", "full")
KEPT_MAGICS = ("time", "timeit", "capture", "prun")  # the lines below them are Python
AT_MARGIN = re.compile(r"^()(?:[%!].*|\?{1,2}[\w.]+\s*|[\w.]+\s*\?{1,2}\s*)$", re.MULTILINE)
ANYWHERE = re.compile(r"^([ \t]*)(?:[%!].*|\?{1,2}[\w.]+\s*|[\w.]+\s*\?{1,2}\s*)$", re.MULTILINE)
TAKEN = re.compile(r"^([ \t]*)(\w[\w., ]*)=[ \t]*[%!].*$", re.MULTILINE)  # files = !ls


def parse(source: str) -> list[ast.stmt]:
    """The statements of a cell; lines that are magics, shell commands or questions are left out, and line numbers stay.

    Raises:
        SyntaxError, ValueError: for what is no Python.
    """
    head, newline, rest = source.partition("\n")
    if head.lstrip().startswith("%%"):
        word = head.lstrip()[2:].split(" ")[0].strip()
        source = f"pass{newline}{rest}" if word in KEPT_MAGICS else "pass"
    try:
        return ast.parse(source).body
    except SyntaxError as error:
        found = error
    source = TAKEN.sub(r"\1\2= None", source)
    for pattern in (AT_MARGIN, ANYWHERE):  # inside brackets a line may begin with %, and be Python
        with contextlib.suppress(SyntaxError):
            return ast.parse(pattern.sub(r"\1pass", source)).body
    raise found


class Runner:
    """Runs source in one namespace.

    Args:
        names: the namespace.
        seconds: for everything; when they are over, only definitions are still run.
    """

    def __init__(self, names: dict[str, Any], seconds: float):
        self.names, self.deadline, self.flags, self.notes = names, time.monotonic() + seconds, 0, []

    def run(self, source: str, file: str, only_definitions: bool = False) -> None:
        """One cell. What it raises, and where, is noted as (file, line, kind, text)."""
        linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
        try:
            nodes = parse(source)
        except SyntaxError as error:
            self.note(file, error.lineno, error)
            return
        except (ValueError, MemoryError, RecursionError, OverflowError) as error:
            self.note(file, 0, error)
            return
        for node in nodes:
            left = self.deadline - time.monotonic()
            if theirs.defines(node) or not (only_definitions or left <= 0):
                self._statement(node, file, min(STATEMENT, max(left, 0.5)))

    def _statement(self, node: ast.stmt, file: str, seconds: float) -> None:
        try:
            code = compile(ast.Module([node], []), file, "exec", flags=self.flags, dont_inherit=True)
            if isinstance(node, ast.ImportFrom) and node.module == "__future__":
                for name in node.names:
                    self.flags |= getattr(__future__, name.name).compiler_flag
            limits.call_within(seconds, lambda: exec(code, self.names))
        except BaseException as error:  # exit() and interrupts too: one statement fails, the rest of the notebook goes on
            line = theirs.their_line(error)
            self.note(file, line[0] if line else getattr(node, "lineno", 0), error)

    def note(self, file: str, line: int | None, error: BaseException) -> None:
        if len(self.notes) < 50:
            kind = "time" if isinstance(error, limits.OutOfTime) else type(error).__name__
            text = str(error.msg) if isinstance(error, SyntaxError) else theirs.raised(error).text
            self.notes.append((file, int(line or 0), kind[:80], text[:300]))


class Anything:
    """Answers to every name and every call with itself: `get_ipython().run_line_magic(...)` does nothing."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __call__(self, *_: Any, **__: Any) -> Any:
        return self


def stand_ins(check: Callable) -> dict[str, Any]:
    """What `coursekit.notebook` gives a notebook, and what Jupyter itself does."""

    def nothing(*_: Any, **__: Any) -> None:
        return None

    def at(**values: Any) -> Any:
        return next((values[name] for name in LEVELS if name in values), None)

    quiet = dict.fromkeys(("start", "hint", "predict", "reveal", "band", "solution", "display"), nothing)
    return {**quiet, "check": check, "at": at, "level": lambda: "smoke", "get_ipython": Anything}


def new_main(names: dict[str, Any]) -> dict[str, Any]:
    """The namespace of a fresh `__main__` that holds these names; `coursekit.notebook` is made of them too."""
    main = types.ModuleType("__main__")
    main.__dict__.update(names)
    sys.modules["__main__"] = main
    try:
        import coursekit
    except ImportError:
        coursekit = sys.modules["coursekit"] = types.ModuleType("coursekit")
        coursekit.__path__ = []
    coursekit.__dict__.setdefault("__version__", "0")
    theirs.OURS = next(iter(coursekit.__path__), theirs.OURS)
    theirs.NOT_THEIRS = (*theirs.NOT_THEIRS, str(Path(__file__).resolve().parent))
    coursekit.notebook = sys.modules["coursekit.notebook"] = types.ModuleType("coursekit.notebook")
    coursekit.notebook.__dict__.update({name: value for name, value in names.items() if name not in ("display", "get_ipython")})

    def leave(*_: Any) -> None:
        raise SystemExit

    builtins.exit = builtins.quit = leave
    return main.__dict__
