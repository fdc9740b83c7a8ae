"""What can be told of a learner's function by looking at it, and of what it raised: is it still the stub, where in their code did it fail?

The grader's sandbox loads this file too (`grading/inside/watch.py`), also where there is no torch: it imports nothing of ours.
"""

import ast
import dis
import inspect
import linecache
import sysconfig
import types
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

NOT_THEIRS = tuple({str(Path(sysconfig.get_paths()[k]).resolve()) for k in ("stdlib", "purelib", "platlib")})
OURS = str(Path(__file__).resolve().parents[1])
BARE = {"RESUME", "NOP", "CACHE", "PUSH_NULL", "LOAD_GLOBAL", "LOAD_NAME", "LOAD_CONST", "PRECALL", "CALL", "RAISE_VARARGS"}
BARE |= {"COPY_FREE_VARS", "MAKE_CELL", "LOAD_COMMON_CONSTANT"}


@dataclass(frozen=True)
class Raised:
    """An exception in words; the object itself stays where it was raised.

    Args:
        kind: name of its type.
        text: first line of what it says.
        line: (number, source) of the deepest line of the learner's that it went through.
        stub: it is the NotImplementedError of the stub, or of a line like it.
        left_over: and code stands before that line.
    """

    kind: str
    text: str = ""
    line: tuple[int, str] | None = None
    stub: bool = False
    left_over: bool = False


def raised(error: BaseException) -> Raised:
    """What is to be known of an exception."""
    try:
        text = str(error).strip().split("\n")[0]
    except Exception:  # a learner's own exception class
        text = ""
    code = _deepest(error) if isinstance(error, NotImplementedError) else None
    stub = code is not None and not is_library(code.co_filename)
    left_over = code is not None and any(step.opname not in BARE for step in dis.get_instructions(code))
    return Raised(type(error).__name__, text, their_line(error), stub, left_over)


def _deepest(error: BaseException) -> types.CodeType | None:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace.tb_frame.f_code if trace is not None else None


def is_stub(function: Any) -> bool:
    """Is the body only a docstring and ``...``, ``pass`` or ``return None``? A class: are all its methods but ``__init__``?"""
    if isinstance(function, type):
        methods = [m for n, m in vars(function).items() if isinstance(m, types.FunctionType) and n != "__init__"]
        return bool(methods) and all(is_stub(m) for m in methods)
    code = getattr(function, "__code__", None)
    if code is None:
        return False
    steps = [s for s in dis.get_instructions(code) if s.opname not in ("RESUME", "NOP", "COPY_FREE_VARS", "MAKE_CELL", "CACHE")]
    names = {s.opname for s in steps}
    constants = [s.argval for s in steps if s.opname in ("LOAD_CONST", "RETURN_CONST")]
    return names <= {"LOAD_CONST", "RETURN_CONST", "RETURN_VALUE"} and constants == [None]


def only_raises(function: Any) -> bool:
    """Is the body only a docstring and ``raise NotImplementedError``? A class: are all its methods but ``__init__``, or stubs?"""
    if isinstance(function, type):
        methods = [m for n, m in vars(function).items() if isinstance(m, types.FunctionType) and n != "__init__"]
        return bool(methods) and all(is_stub(m) or only_raises(m) for m in methods)
    code = getattr(function, "__code__", None)
    return code is not None and "NotImplementedError" in code.co_names and all(s.opname in BARE for s in dis.get_instructions(code))


def their_line(error: BaseException) -> tuple[int, str] | None:
    """(line number, source line) of the deepest line of the learner's own code that the error went through."""
    found, trace = None, error.__traceback__
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        theirs = file.startswith("<ipython-input") or not (file.startswith("<") or is_library(file))
        if theirs or file == "<stdin>":
            found = trace.tb_lineno, linecache.getline(file, trace.tb_lineno).strip()
        trace = trace.tb_next
    return found


def is_library(file: str) -> bool:
    """Is this file of ours, of Python's or of an installed package?"""
    try:
        path = str(Path(file).resolve())
    except OSError:
        return False
    return path.startswith((OURS, *NOT_THEIRS)) or "/site-packages/" in path


def argument_problem(answer: Callable, arguments: tuple, names: list[str]) -> str | None:
    """A sentence where the answer cannot take the arguments of the exercise at all."""
    try:
        signature = inspect.signature(answer)
    except (ValueError, TypeError):
        return None  # some functions written in C do not say
    try:
        signature.bind(*arguments)
    except TypeError:
        theirs = ", ".join(signature.parameters) or "none"
        wanted = ", ".join(names)
        return f"It is called with {len(arguments)} argument{'s' * (len(arguments) != 1)} ({wanted}), but yours takes: {theirs}."
    return None


def parameter_names(function: Callable, count: int, skip: int = 0) -> list[str]:
    """Names to show beside the inputs."""
    try:
        names = [p.name for p in inspect.signature(function).parameters.values() if p.kind is not p.KEYWORD_ONLY]
    except (ValueError, TypeError):
        names = []
    names = names[skip:]
    return [names[i] if i < len(names) else f"argument {i + 1}" for i in range(count)]


def defines(node: ast.stmt) -> bool:
    """Does this statement only define something, an import, function, class or plain constant: no training, no picture, no check?"""
    if isinstance(node, (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return True
    value = node.value if isinstance(node, (ast.Assign, ast.AnnAssign)) else None
    if value is None:
        return False
    try:
        ast.literal_eval(value)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):  # a learner's may be anything
        return False
    return True
