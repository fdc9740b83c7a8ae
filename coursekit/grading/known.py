"""What the judge knows of an exercise before anybody answers: cases, right answers, and what each known mistake says. Computed once."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from coursekit.exercises.attempt import Attempt, attempt
from coursekit.exercises.core import Exercise
from coursekit.exercises.limits import quiet_and_undisturbed, same_dice

from .assignment import Task
from .inside import wire
from .inside.running import Runner


@dataclass(frozen=True)
class Case:
    """One question.

    Args:
        index: in its draw; the dice are thrown by it.
        label: its group.
        arguments: ready to use, never handed to an answer themselves.
        public: one of those that the notebook's check asks.
        fixed: the same for every seed.
    """

    index: int
    label: str
    arguments: tuple
    public: bool
    fixed: bool


class Known:
    """One exercise, looked at once for all submissions.

    Args:
        exercise: whose reference is never called on anything that a learner's process sent.
        given: the answer that was handed out, where it does something already.
    """

    def __init__(self, exercise: Exercise, given: Callable | None = None):
        self.exercise, self.given = exercise, given
        self.fixed: set[bytes] | None = None
        drawn = [self._draw(seed) for seed in (None, 1, 2)]
        self.fixed = {_bytes(case) for case in drawn[0]}.intersection(*({_bytes(case) for case in cases} for cases in drawn[1:]))
        self.public = self._draw(None)
        self.expected = [self.expect(case) for case in self.public]
        self._mistakes: dict[tuple[int, int], Attempt] = {}

    def _draw(self, seed: int | None) -> list[Case]:
        with quiet_and_undisturbed():
            cases = self.exercise.draw_cases(seed)
        found = [Case(index, label, arguments, seed is None, False) for index, (label, arguments) in enumerate(cases)]
        if self.fixed is None:
            return found
        return [Case(c.index, c.label, c.arguments, c.public, _bytes(c) in self.fixed) for c in found]

    def secret(self, seed: int) -> list[Case]:
        """The cases of a seed, without those that are the same for every one."""
        return [case for case in self._draw(seed) if not case.fixed]

    def expect(self, case: Case, function: Any = None) -> Attempt:
        """What the reference says to a case, or a function of ours that is wrong.

        Raises:
            RuntimeError: if the reference fails: the exercise is broken, not the answer.
        """
        with quiet_and_undisturbed():
            same_dice(case.index)
            said = attempt(self.exercise.outcome, function or self.exercise.reference, case.arguments, [], False)
        if function is None and said.raised is not None:
            raise RuntimeError(f"the reference of {self.exercise.name} failed on {case.label!r}") from said.error
        return said

    def mistake(self, place: int, function: Any) -> Attempt:
        """What a known wrong answer says to the public case at this place."""
        key = (id(function), place)  # the exercise holds on to it
        if key not in self._mistakes:
            self._mistakes[key] = self.expect(self.public[place], function)
        return self._mistakes[key]


def _bytes(case: Case) -> bytes:
    return case.label.encode() + b"\0" + wire.pack(case.arguments)


_KNOWN: dict[tuple[str, str], Known] = {}


def known(task: Task, earlier: Sequence[Task] = ()) -> Known:
    """What is known of a task's exercise, whoever's assignment it is.

    Args:
        earlier: the tasks whose answers it uses.
    """
    key = task.name, json.dumps(task.parameters, sort_keys=True)
    if key not in _KNOWN:
        if len(_KNOWN) >= 200:
            _KNOWN.pop(next(iter(_KNOWN)))
        _KNOWN[key] = Known(task.exercise, _handed_out(task, earlier))
    return _KNOWN[key]


def _handed_out(task: Task, earlier: Sequence[Task]) -> Callable | None:
    """The answer that stands in the cell already: the author's own text, so it may run here."""
    if not task.given:
        return None
    runner = Runner({"__name__": "__main__"}, 10.0)
    for text in (*task.kit.setup, *(other.solution for other in earlier), task.given):
        runner.run(text, f"<{task.name} as handed out>", only_definitions=True)
    return eval(task.kit.answer, runner.names)
