"""Partial credit. All groups of cases passed: all points. Else a share, made so that what is no solution earns nothing.

A group is the cases of one label. Cases that are the same for every seed can be known beforehand, so they count only beside a group of
drawn ones that passes too (where nothing is drawn, half of the groups must pass); and a group that a constant, an input given back, or
zeros would pass counts for nobody.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from coursekit.exercises.compare import Close
from coursekit.exercises.core import Exercise

CONSTANTS = (0, 1, -1, 0.0, 1.0, True, False, None, "", [], {}, math.nan, math.inf)


@dataclass(frozen=True)
class Group:
    """The cases of one label.

    Args:
        label: theirs.
        passed: every one of them.
        drawn: some of them depend on the secret seed.
        trivial: an answer that does nothing would pass them.
    """

    label: str
    passed: bool
    drawn: bool
    trivial: bool = False


def earned(out_of: float, groups: Sequence[Group]) -> float:
    """Points for these groups, from 0 to `out_of`, rounded down to hundredths."""
    if not groups:
        return 0.0
    if all(group.passed for group in groups):
        return float(out_of)
    counting = [group for group in groups if group.passed and not group.trivial]
    failed = [group for group in groups if not group.passed]
    if any(group.drawn for group in groups):  # a table of the fixed ones lifts nobody above what they can do with those that were drawn
        able = sum(group.drawn for group in counting)
        share = able / max(1, able + sum(group.drawn for group in failed))
    else:  # nothing depends on the seed: any constant is the right answer to some case, but not to most
        share = 1.0 if len(counting) >= len(failed) else 0.0
    share = min(share, len(counting) / (len(counting) + len(failed)))
    return math.floor(100 * out_of * share + 1e-9) / 100


def is_trivial(exercise: Exercise, cases: Sequence[tuple[tuple, Any]], known: Sequence[Any] = (), given: Callable | None = None) -> bool:
    """Would an answer that does nothing pass all of these?

    Args:
        cases: (arguments, right answer) of one group.
        known: further constants to try, such as the right answers to public cases.
        given: what was handed out, with its planted bug.
    """
    return any(
        all(_same(exercise.compare, right, answer(arguments, right)) for arguments, right in cases)
        for answer in _lazy(exercise, cases, known, given)
    )


def _lazy(
    exercise: Exercise, cases: Sequence[tuple[tuple, Any]], known: Sequence[Any], given: Callable | None
) -> Iterator[Callable[[tuple, Any], Any]]:
    """Answers without work, each a function of the arguments and the form of the right answer."""
    if given is not None:
        yield lambda arguments, _: _outcome(exercise, given, arguments)
    if exercise.drive is not None:  # what the driver makes of functions that do nothing
        for function in (lambda *_, **__: None, lambda *given, **__: given[0], lambda *given, **__: given[-1]):
            yield lambda arguments, _, function=function: _outcome(exercise, function, arguments)
    else:
        for place in range(max(len(arguments) for arguments, _ in cases)):
            yield lambda arguments, _, place=place: arguments[place] if place < len(arguments) else NOTHING
            yield lambda arguments, _, place=place: stacked(arguments[place]) if place < len(arguments) else NOTHING
    yield lambda _, right: filled(right, 0)
    yield lambda _, right: filled(right, 1)
    for constant in (*CONSTANTS, *known):
        yield lambda _, __, constant=constant: constant


NOTHING = object()


def stacked(value: Any) -> Any:
    """A list of tensors in one, as they are: that is a list given back."""
    try:
        return torch.stack(value)
    except (TypeError, RuntimeError):
        return NOTHING


def _outcome(exercise: Exercise, function: Callable, arguments: tuple) -> Any:
    from coursekit.exercises.attempt import fresh

    try:
        return exercise.outcome(function, tuple(fresh(a) for a in arguments))
    except Exception:
        return NOTHING


def filled(value: Any, number: int) -> Any:
    """The same form, and this number everywhere."""
    if isinstance(value, torch.Tensor):
        return torch.full_like(value.detach(), number)
    if isinstance(value, np.ndarray):
        return np.full_like(value, number) if value.dtype.kind in "fiubc" else value[:0]
    if isinstance(value, (bool, np.bool_)):
        return bool(number)
    if isinstance(value, (int, float, np.number)):
        return type(value)(number)
    if type(value) in (list, tuple):
        return type(value)(filled(item, number) for item in value)
    if type(value) is dict:
        return {key: filled(item, number) for key, item in value.items()}
    return NOTHING


def _same(compare: Close, right: Any, got: Any) -> bool:
    if got is NOTHING:
        return False
    try:
        return compare.difference(right, got) is None
    except Exception:
        return False
