"""One call of a learner's answer, seen from outside: what it gave or raised, where in their code, and what it did to its input."""

import copy
import dis
import inspect
import linecache
import sysconfig
import types
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from coursekit.exercises.compare import describe
from coursekit.exercises.limits import OutOfTime

NOT_THEIRS = tuple({str(Path(sysconfig.get_paths()[k]).resolve()) for k in ("stdlib", "purelib", "platlib")})
OURS = str(Path(__file__).resolve().parents[1])


def fresh(value: Any) -> Any:
    """A copy to hand over, so that an answer cannot change what the next case and the report show."""
    if isinstance(value, torch.Tensor) and type(value) is torch.Tensor:
        return value.detach().clone().requires_grad_(value.requires_grad)
    if isinstance(value, np.ndarray):
        return value.copy()
    if isinstance(value, torch.Generator):
        return value.clone_state()
    if type(value) in (list, tuple):
        return type(value)(fresh(v) for v in value)
    if type(value) is dict:
        return {k: fresh(v) for k, v in value.items()}
    if value is None or isinstance(value, (int, float, str, types.FunctionType, type)):
        return value
    return copy.deepcopy(value)


def unchanged(before: Any, after: Any) -> bool:
    """Do both hold the same bits? Looks into tensors, arrays, lists, tuples and dicts; anything else counts as unchanged."""
    if isinstance(before, torch.Tensor):
        if not isinstance(after, torch.Tensor) or before.shape != after.shape or before.dtype != after.dtype:
            return False
        same = before.detach() == after.detach()
        return bool((same | ((before != before) & (after != after))).all())
    if isinstance(before, np.ndarray):
        return before.shape == after.shape and np.array_equal(before, after, equal_nan=before.dtype.kind in "fc")
    if isinstance(before, (list, tuple)):
        return len(before) == len(after) and all(unchanged(a, b) for a, b in zip(before, after, strict=True))
    if isinstance(before, dict):
        return list(before) == list(after) and all(unchanged(v, after[k]) for k, v in before.items())
    if isinstance(before, (int, float, str)):
        return type(before) is type(after) and (before == after or before != before)
    return True


@dataclass
class Attempt:
    """What came of one call.

    Args:
        value: what it returned.
        error: what it raised instead.
        changed: name of the first argument that it changed, if any.
    """

    value: Any = None
    error: BaseException | None = None
    changed: str | None = None


def attempt(outcome: Callable, answer: Callable, arguments: tuple, names: list[str], look_for_changes: bool = True) -> Attempt:
    """Call an answer on copies of the arguments. An ``OutOfTime`` or interrupt passes through; anything else raised is noted."""
    given = tuple(fresh(a) for a in arguments)
    try:
        value = outcome(answer, given)
    except (OutOfTime, KeyboardInterrupt):
        raise
    except BaseException as error:  # exit() too: nothing that a learner's code raises may end the notebook
        return Attempt(error=error)
    if isinstance(value, types.CoroutineType):
        value.close()
    changed = [n for n, a, b in zip(names, arguments, given, strict=False) if not unchanged(a, b)] if look_for_changes else []
    return Attempt(value=value, changed=changed[0] if changed else None)


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


def their_line(error: BaseException) -> tuple[int, str] | None:
    """(line number, source line) of the deepest line of the learner's own code that the error went through."""
    found, trace = None, error.__traceback__
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        theirs = file.startswith("<ipython-input") or not (file.startswith("<") or _is_library(file))
        if theirs or file == "<stdin>":
            found = trace.tb_lineno, linecache.getline(file, trace.tb_lineno).strip()
        trace = trace.tb_next
    return found


def _is_library(file: str) -> bool:
    try:
        path = str(Path(file).resolve())
    except OSError:
        return False
    return path.startswith((OURS, *NOT_THEIRS))


def is_not_attempted(answer: Any, tried: Attempt) -> bool:
    """Did the stub answer? It does nothing, or raises NotImplementedError itself (where torch raises one, that is an error)."""
    if isinstance(tried.error, NotImplementedError):
        trace = tried.error.__traceback__
        while trace.tb_next is not None:
            trace = trace.tb_next
        return not _is_library(trace.tb_frame.f_code.co_filename)
    return tried.value is Ellipsis or is_stub(answer)


def still_raises(tried: Attempt) -> bool:
    """Did somebody write code and leave the stub's `raise NotImplementedError` standing after it?"""
    if not isinstance(tried.error, NotImplementedError):
        return False
    trace = tried.error.__traceback__
    while trace.tb_next is not None:
        trace = trace.tb_next
    bare = {"RESUME", "NOP", "CACHE", "PUSH_NULL", "LOAD_GLOBAL", "LOAD_NAME", "LOAD_CONST", "PRECALL", "CALL", "RAISE_VARARGS"}
    bare |= {"COPY_FREE_VARS", "MAKE_CELL", "LOAD_COMMON_CONSTANT"}
    return any(step.opname not in bare for step in dis.get_instructions(trace.tb_frame.f_code))


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


def not_callable_problem(answer: Any, reference: Callable, name: str) -> str | None:
    """A sentence where the answer is no function, or no class where a class is wanted."""
    what = "class" if isinstance(reference, type) else "function"
    if isinstance(reference, type) and not isinstance(answer, type) and isinstance(answer, (torch.nn.Module, torch.optim.Optimizer)):
        return f"Hand over the class itself, `{type(answer).__name__}`, not an object made from it."
    if callable(answer):
        return None
    if answer is None:
        return f"There is nothing to check: the answer is None. Run the cell that defines the {what}, and hand over its name, `{name}`."
    return f"Hand over the {what} itself, `{name}` without parentheses: what came is {describe(answer)}."


def parameter_names(function: Callable, count: int, skip: int = 0) -> list[str]:
    """Names to show beside the inputs."""
    try:
        names = [p.name for p in inspect.signature(function).parameters.values() if p.kind is not p.KEYWORD_ONLY]
    except (ValueError, TypeError):
        names = []
    names = names[skip:]
    return [names[i] if i < len(names) else f"argument {i + 1}" for i in range(count)]
