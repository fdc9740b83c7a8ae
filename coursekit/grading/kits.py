"""What the process of a learner's answer gets of an exercise, read off the author's source: all that it needs, nothing that answers it."""

import dataclasses
import functools
import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch

from coursekit.authoring.solved import Solution, definitions_in
from coursekit.exercises import core
from coursekit.exercises.attempt import fresh, parameter_names, unchanged
from coursekit.exercises.core import Exercise
from coursekit.exercises.guard import name_of, unwrap
from coursekit.exercises.limits import quiet_and_undisturbed, same_dice
from coursekit.grading.assignment import Kit
from coursekit.grading.slicing import ROOT, CannotCut, Cut, Imported, Statement, module_path, module_statements, statements_of

PLAIN = (type(None), bool, int, float, complex, str)
LENT = 2500  # characters: a building block that the notebook imports above an exercise comes along if it is small and answers nothing
NOT_LENT = ("notebook", "plots", "exercises", "data", "resources", "files", "machine", "training.device", "training.detector", "pretend")
COMMON = ("numpy", "torch")  # where the notebook imports them, an answer may use them whether or not the author's does


class Ungradable(ValueError):
    """No machine can grade this exercise; the message is why, without a full stop."""


def find(name: str) -> Exercise:
    """The exercise of a cell of a notebook."""
    return core.find(name)


def kit_of(exercise: Exercise, solution: Solution, by_hand: frozenset[str] = frozenset()) -> Kit:
    """The kit of an exercise.

    Args:
        exercise: what is asked.
        solution: the author's, with what stands above it.
        by_hand: exercises that no machine grades: their solutions are set up as if they stood in the text.

    Raises:
        Ungradable: where the answer's process would need what no frame can carry, or what gives the answer away.
    """
    try:
        return _kit(exercise, solution, by_hand)
    except CannotCut as error:
        raise Ungradable(str(error)) from None


def _kit(exercise: Exercise, solution: Solution, by_hand: frozenset[str]) -> Kit:
    cut, above = Cut(), _Above(solution, by_hand)
    kinds = value_kinds(exercise)
    above.follow(cut)
    driver, driver_name = _driver(cut, exercise)
    for kind in kinds - {torch.Tensor, np.ndarray}:
        if kind.__module__.split(".")[0] != ROOT:
            raise Ungradable(f"its values are of a type that only {kind.__module__} has, {kind.__name__}")
        cut.need_name(kind.__module__, kind.__qualname__.split(".")[0])
    _no_answer_among(cut.names(), exercise)
    packages = cut.packages | {p for p in COMMON if p in above.packages} | {"torch"} & {k.__module__ for k in kinds}
    if np.ndarray in kinds or packages - {"numpy"}:
        packages |= {"numpy"}
    _lend(cut, above, exercise, packages)
    names_of, skip = (exercise.drive, 1) if exercise.drive else (exercise.reference, 0)
    most = max((len(arguments) for _, arguments in exercise.draw_cases()), default=0)
    return Kit(
        packages=tuple(sorted(packages)),
        files=cut.files(),
        setup=tuple(s.source for s in above.chosen()),
        needs=tuple(s.name for s in solution.earlier if s.name in above.needs),
        answer=solution.answer,
        driver=driver,
        driver_name=driver_name,
        parameters=tuple(parameter_names(names_of, most, skip)),
        in_place=exercise.in_place,
        watched=tuple(t for t in map(_dotted, [exercise.reference, *exercise.twins]) if _reachable(t, packages, cut)),
        allowed=tuple(t for t in map(_dotted, exercise.allowed) if _reachable(t, packages, cut)),
    )


class _Above:
    """The definitions of a notebook down to an exercise, and those of them that the exercise needs."""

    def __init__(self, solution: Solution, by_hand: frozenset[str]):
        self.solution, self.needs, self.taken = solution, set(), set()
        self.lines: list[tuple[Statement, str | None]] = []
        for definition in solution.above:
            owner = None if definition.exercise in by_hand else definition.exercise
            self.lines += [(statement, owner) for statement in statements_of(definition.text)]
        self.own = [s for text in (solution.solved, solution.student) for s in _definitions(text)]
        self.last = {name: index for index, (statement, _) in enumerate(self.lines) for name in statement.binds}
        self.packages = {i.module.split(".")[0] for statement, _ in self.lines for i in statement.imports.values()}

    def follow(self, cut: Cut) -> None:
        """Go from the exercise's own cell to all that it uses, in the notebook and in coursekit."""
        own_names = {name: s for s in self.own for name in s.binds}
        work = [*self.own, *statements_of(self.solution.answer)]
        while work:
            for name, chain in cut.need_of(work.pop()):
                if name in own_names:
                    if name in own_names[name].imports:
                        cut.need_import(own_names[name].imports[name], chain)
                    continue
                work += self._look_up(name, chain, cut)

    def _look_up(self, name: str, chain: tuple[str, ...], cut: Cut) -> list[Statement]:
        """Take the definition of a name; returns what has to be followed next."""
        index = self.last.get(name)
        if index is None:
            return []  # a builtin, or a result of the notebook that the solution can do without (a test runs it so)
        statement, exercise = self.lines[index]
        if name in statement.imports:
            cut.need_import(statement.imports[name], chain)
        if exercise is None:
            new = index not in self.taken
            self.taken.add(index)
            return [statement] if new else []
        if exercise in self.needs:
            return []
        self.needs.add(exercise)
        earlier = next(s for s in self.solution.earlier if s.name == exercise)
        return [*_definitions(earlier.solved), *statements_of(earlier.answer)]

    def chosen(self) -> list[Statement]:
        """What has to be set up, in the notebook's order; of coursekit.notebook nothing, for which there are stand-ins."""
        found = [self.lines[index][0] for index in sorted(self.taken)]
        return [s for s in found if not any(i.module == f"{ROOT}.notebook" for i in s.imports.values())]


def _definitions(text: str) -> list[Statement]:
    return [statement for source in definitions_in(text) for statement in statements_of(source)]


def _may_be_lent(imported: Imported) -> bool:
    """A function or class of a building block; nothing of pictures, experiments and files."""
    room = imported.module.removeprefix(f"{ROOT}.")
    if imported.name is None or imported.module == room or room in NOT_LENT or room.split(".")[0] in NOT_LENT:
        return False
    if module_path(imported.module) is None:
        return False
    own = [s for s in module_statements(imported.module) if imported.name in s.binds]
    return any(re.search(r"^(def|class) ", s.source, re.MULTILINE) for s in own)


def _lend(cut: Cut, above: _Above, exercise: Exercise, packages: set[str]) -> None:
    """Small blocks that the notebook has imported by then: learners may use them where the author does not."""
    for index, (statement, _) in enumerate(above.lines):
        for name, imported in statement.imports.items():
            if statement.uses or above.last[name] != index or not _may_be_lent(imported):
                continue
            block = Cut()
            try:
                block.need_import(imported, ())
                _no_answer_among(block.names(), exercise)
            except (CannotCut, Ungradable):
                continue
            if block.packages <= packages and sum(map(len, block.files().values())) <= LENT:
                above.taken.add(index)
                for part, kept in block.kept.items():
                    cut.kept.setdefault(part, set()).update(kept)


def _driver(cut: Cut, exercise: Exercise) -> tuple[str | None, str | None]:
    """Source and name of the exercise's driver. Its module is not mounted: it holds cases, misconceptions, perhaps the reference."""
    drive = exercise.drive
    if drive is None:
        return None, None
    module, name = drive.__module__, drive.__qualname__
    if "." in name or getattr(drive, "__closure__", None) or hasattr(drive, "__wrapped__"):
        raise Ungradable("the function that uses the answer holds part of the right answer itself")
    own = Cut()
    own.need_name(module, name)
    text = own.source(module)
    shared = any(i.module == module for kept in own.kept.values() for s in kept for i in s.imports.values())
    for other, kept in own.kept.items():
        if other != module or shared:
            cut.kept.setdefault(other, set()).update(kept)
    cut.packages |= own.packages
    _no_answer_among(own.names(), exercise)
    return text, name


def _no_answer_among(names: set[tuple[str, str]], exercise: Exercise) -> None:
    """Stop where the reference, a twin of it, a wrong answer or the cases would travel along.

    Raises:
        Ungradable: naming what would.
    """
    secret = {"its own reference": [exercise.reference], "what answers it": exercise.twins}
    secret |= {"a known wrong answer": [m.wrong for m in exercise.misconceptions], "its cases": [exercise.cases]}
    for what, functions in secret.items():
        for place in filter(None, map(place_of, functions)):
            if place in names:
                raise Ungradable(f"an answer would need {what}, {'.'.join(place)}")


def place_of(function: str | Callable) -> tuple[str, str] | None:
    """(module, top-level name) of something that coursekit defines; None for anything else."""
    dotted = _dotted(function)
    parts = dotted.split(".")
    if parts[0] != ROOT:
        return None
    for end in range(len(parts) - 1, 0, -1):
        if module_path(".".join(parts[:end])):
            return ".".join(parts[:end]), parts[end]
    return None


def _dotted(function: str | Callable) -> str:
    return function if isinstance(function, str) else name_of(unwrap(function))


def _reachable(dotted: str, packages: set[str], cut: Cut) -> bool:
    place = place_of(dotted)
    return place in cut.names() if place else dotted.split(".")[0] in packages


def value_kinds(exercise: Exercise) -> set[type]:
    """Tensor, array and dataclass types among the arguments and right answers of the public cases.

    Raises:
        Ungradable: for a value that cannot be sent.
    """
    kinds: set[type] = set()
    with quiet_and_undisturbed():
        for index, (label, arguments) in enumerate(exercise.draw_cases()):
            for value in arguments:
                kinds |= set(_kinds(value, f"case {label!r} hands over"))
            same_dice(index)
            expected = exercise.outcome(exercise.reference, tuple(fresh(a) for a in arguments))
            kinds |= set(_kinds(expected, f"case {label!r} is answered by"))
    return kinds


@functools.singledispatch
def _kinds(value: Any, where: str) -> Iterator[type]:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        yield type(value)
        for f in dataclasses.fields(value):
            yield from _kinds(getattr(value, f.name), where)
    elif not isinstance(value, (*PLAIN, np.generic)):
        what = "a function" if callable(value) and hasattr(value, "__name__") else f"an object of type {type(value).__name__}"
        raise Ungradable(f"{where} {what}, which cannot be sent to another process as data")


@_kinds.register
def _(value: torch.Tensor, where: str) -> Iterator[type]:
    if type(value) not in (torch.Tensor, torch.nn.Parameter):
        raise Ungradable(f"{where} a tensor of type {type(value).__name__}")
    yield torch.Tensor


@_kinds.register
def _(value: np.ndarray, where: str) -> Iterator[type]:
    if value.dtype.hasobject:
        raise Ungradable(f"{where} an array of objects")
    yield np.ndarray


@_kinds.register(list)
@_kinds.register(tuple)
def _(value: list | tuple, where: str) -> Iterator[type]:
    for item in value:
        yield from _kinds(item, where)


@_kinds.register
def _(value: dict, where: str) -> Iterator[type]:
    for key, item in value.items():
        if type(key) not in (str, int):
            raise Ungradable(f"{where} a dict with keys of type {type(key).__name__}")
        yield from _kinds(item, where)


def varies(exercise: Exercise) -> bool:
    """Do two seeds give different cases? Where not, a table of known answers would do."""
    first, second = ([_open(arguments) for _, arguments in exercise.draw_cases(seed)] for seed in (1, 2))
    return len(first) != len(second) or not all(unchanged(a, b) for a, b in zip(first, second, strict=True))


def _open(value: Any) -> Any:
    """Dataclasses as dicts, which `unchanged` looks into."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: _open(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, (list, tuple)):
        return [_open(item) for item in value]
    if isinstance(value, dict):
        return {key: _open(item) for key, item in value.items()}
    return value
