"""One call of a learner's answer, seen from outside: what it gave or raised, where in their code, and what it did to its input."""

import copy
import types
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from coursekit.exercises.compare import describe
from coursekit.exercises.limits import OutOfTime
from coursekit.exercises.theirs import Raised, argument_problem, is_stub, parameter_names, raised

__all__ = ["Attempt", "argument_problem", "attempt", "fresh", "is_not_attempted", "not_callable_problem", "parameter_names", "unchanged"]


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
        raised: what it raised instead, in words.
        changed: name of the first argument that it changed, if any.
        error: the exception itself, where it was raised in this process.
    """

    value: Any = None
    raised: Raised | None = None
    changed: str | None = None
    error: BaseException | None = None


def attempt(outcome: Callable, answer: Callable, arguments: tuple, names: list[str], look_for_changes: bool = True) -> Attempt:
    """Call an answer on copies of the arguments. An ``OutOfTime`` or interrupt passes through; anything else raised is noted."""
    given = tuple(fresh(a) for a in arguments)
    try:
        value = outcome(answer, given)
    except (OutOfTime, KeyboardInterrupt):
        raise
    except BaseException as error:  # exit() too: nothing that a learner's code raises may end the notebook
        return Attempt(raised=raised(error), error=error)
    if isinstance(value, types.CoroutineType):
        value.close()
    changed = [n for n, a, b in zip(names, arguments, given, strict=False) if not unchanged(a, b)] if look_for_changes else []
    return Attempt(value=value, changed=changed[0] if changed else None)


def is_not_attempted(answer: Any, tried: Attempt) -> bool:
    """Did the stub answer? It does nothing, or raises NotImplementedError itself (where torch raises one, that is an error)."""
    if tried.raised is not None and tried.raised.kind == "NotImplementedError":
        return tried.raised.stub
    return tried.value is Ellipsis or is_stub(answer)


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
