"""What an exercise is. One object describes it; the notebook's check, the tests of that check and the grade are all made from it.

    iou = Exercise(
        name="13.box_iou", reference=box_iou, cases=iou_cases, compare=Close(atol=1e-6), points=3,
        misconceptions=[Misconception("no-clamp", wrong=iou_without_clamp, hint="How wide is an empty intersection?")],
        hints=["Draw both boxes.", "The shared box starts at the larger of the two left edges."],
        twins=["torchvision.ops.box_iou"],
    )

The exercises of notebook 13 are the module-level variables of ``coursekit/exercises/n13_boxes.py``; nothing has to be registered.
"""

import difflib
import importlib
import pkgutil
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import ModuleType

import torch

from coursekit.exercises.compare import Close, Exact

__all__ = ["Close", "Exact", "Exercise", "Misconception", "UnknownExercise", "exercises_in", "exercises_of", "find", "modules"]

Case = tuple[str, tuple]  # (label, arguments)


@dataclass(frozen=True)
class Misconception:
    """A mistake that people make, and what to tell them.

    Args:
        name: short and stable, such as ``"no-clamp"``: class reports count it.
        wrong: stands where the answer would (a class if the answer is a class), and makes the mistake.
        hint: one or two sentences that say what went wrong and ask the question that mends it.
    """

    name: str
    wrong: Callable
    hint: str


@dataclass(frozen=True, eq=False)
class Exercise:
    """One exercise.

    Args:
        name: ``"NN.short_name"``, NN the notebook's number.
        reference: the right answer; a building block of coursekit wherever there is one.
        cases: given a ``torch.Generator``, yields (label, arguments): pointed cases first, then random ones.
            The same generator state must give the same cases.
        compare: a ``Close`` or ``Exact``: what counts as the same answer.
        misconceptions: known wrong answers, no two of which agree on every case.
        hints: from mild to strong.
        points: what it is worth in a grade.
        drive: for answers that are no pure function: ``drive(answer, *arguments)`` uses the answer as its user would and returns
            what can be compared.
        twins: functions or classes, or their dotted names, that an answer may not merely call; the reference is always one of them.
        allowed: functions or dotted names inside which a twin may be called, such as a block of another exercise that happens to use it.
        picture: ``picture(arguments, expected, got) -> Figure`` of a failing case.
        in_place: the answer is meant to change its arguments. Without it, an answer that does is told so.
        seconds: how long one check may take before it is stopped.
        equivalent: for the mutant tests: a mutated line that gives the same answers as the right one, and why that is no gap in the cases.

    Raises:
        ValueError: naming the field that cannot be right.
    """

    name: str
    reference: Callable
    cases: Callable[[torch.Generator], Iterable[Case]]
    compare: Close = field(default_factory=Close)
    misconceptions: Sequence[Misconception] = ()
    hints: Sequence[str] = ()
    points: int = 1
    drive: Callable | None = None
    twins: Sequence[str | Callable] = ()
    allowed: Sequence[str | Callable] = ()
    picture: Callable | None = None
    in_place: bool = False
    seconds: float = 5.0
    equivalent: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self):
        if not re.fullmatch(r"\d\d\.[a-z]\w*", self.name):
            raise ValueError(f'name must look like "13.box_iou", got {self.name!r}')
        for label in ("hints", "twins", "allowed"):
            if isinstance(getattr(self, label), str):
                raise ValueError(f"{label} of {self.name} must be a list, got one string: put it in [ ]")
        names = [m.name for m in self.misconceptions]
        if len(set(names)) != len(names):
            raise ValueError(f"misconceptions of {self.name} must have different names, got {names}")

    @property
    def short_name(self) -> str:
        """``box_iou`` of ``13.box_iou``."""
        return self.name.partition(".")[2]

    def draw_cases(self, seed: int | None = None) -> list[Case]:
        """The cases of one seed, as (label, arguments). Without a seed: the public ones, the same at every check."""
        generator = torch.Generator().manual_seed(zlib.crc32(self.name.encode()) if seed is None else seed)
        return [(label, tuple(arguments)) for label, arguments in self.cases(generator)]

    def outcome(self, answer: Callable, arguments: tuple):
        """What an answer gives for the arguments of one case."""
        return self.drive(answer, *arguments) if self.drive else answer(*arguments)


class UnknownExercise(LookupError):
    """There is no exercise of that name; the message says which there are."""


def modules() -> Iterator[ModuleType]:
    """Every ``nNN_topic`` module of this folder, in order."""
    from coursekit import exercises

    for found in sorted(pkgutil.iter_modules(exercises.__path__), key=lambda m: m.name):
        if re.fullmatch(r"n\d\d_\w+", found.name):
            yield importlib.import_module(f"coursekit.exercises.{found.name}")


def exercises_in(module: ModuleType) -> list[Exercise]:
    """The exercises of one module, in the order in which they stand there."""
    found = {id(value): value for value in vars(module).values() if isinstance(value, Exercise)}
    return list(found.values())


def exercises_of(number: str) -> list[Exercise]:
    """The exercises of one notebook, ``"13"``; empty where it has none."""
    from coursekit import exercises

    names = [m.name for m in pkgutil.iter_modules(exercises.__path__) if re.fullmatch(rf"n{re.escape(number)}_\w+", m.name)]
    found = [e for name in sorted(names) for e in exercises_in(importlib.import_module(f"coursekit.exercises.{name}"))]
    return list(dict.fromkeys(found))  # one module may import another's


def find(name: str | Exercise) -> Exercise:
    """The exercise of that name, found by its notebook's file.

    Raises:
        UnknownExercise: with the names that there are.
    """
    if isinstance(name, Exercise):
        return name
    there = {e.name: e for e in exercises_of(str(name)[:2])}
    if name in there:
        return there[name]
    close = difflib.get_close_matches(str(name), there, n=1)
    guess = f" Did you mean {close[0]!r}?" if close else f" There {'are ' + ', '.join(there) if there else 'are none for that notebook'}."
    raise UnknownExercise(f"there is no exercise {name!r}.{guess}")
