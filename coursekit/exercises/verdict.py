"""The verdict on one answer: passed, not attempted, wrong (and which mistake it is), refused, too slow ... Shows nothing.

The tests of the checks and the mutant runs use it too, so it returns data; `display` makes it readable.
"""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from coursekit.exercises import guard
from coursekit.exercises.attempt import (
    Attempt,
    argument_problem,
    attempt,
    is_not_attempted,
    not_callable_problem,
    parameter_names,
)
from coursekit.exercises.compare import Close
from coursekit.exercises.core import Case, Exercise, Misconception
from coursekit.exercises.limits import OutOfTime, call_within, quiet_and_undisturbed, same_dice


@dataclass
class Verdict:
    """What a check found.

    Args:
        name: the exercise's.
        status: ``passed``, ``not attempted``, ``wrong`` (another value, or the input changed), ``error`` (the learner's code raised),
            ``refused`` (ours or a library's under another name), ``unusable`` (no function, or other arguments), ``too slow``, ``stopped``.
        message: one or two sentences.
        case: label of the first failing case.
        inputs: its arguments by name.
        expected: the right answer to it.
        got: the learner's.
        misconception: name of the one mistake that agrees with the answer on every case.
        hint: what to tell the learner about it.
        printed: the beginning of what the answer printed.
        line: (number, source) of the learner's line that raised.
    """

    name: str
    status: str
    message: str
    case: str | None = None
    inputs: dict[str, Any] = field(default_factory=dict)
    expected: Any = None
    got: Any = None
    misconception: str | None = None
    hint: str | None = None
    printed: str = ""
    line: tuple[int, str] | None = None

    @property
    def passed(self) -> bool:
        return self.status == "passed"


class Examiner:
    """Puts the cases of one exercise to one answer, within its time."""

    def __init__(self, exercise: Exercise, answer: Callable, seed: int | None = None, watched: bool = True):
        self.exercise, self.answer = exercise, answer
        self.cases: list[Case] = exercise.draw_cases(seed)
        self.deadline = time.monotonic() + exercise.seconds
        twins = [exercise.reference, *exercise.twins] if watched else []
        self.watch, self.modules = guard.Watch(twins, exercise.allowed, exercise.drive), len(sys.modules)
        names_of, skip = (exercise.drive, 1) if exercise.drive else (exercise.reference, 0)
        self.names = parameter_names(names_of, max((len(a) for _, a in self.cases), default=0), skip)

    def ask(self, index: int) -> Attempt:
        """What the answer says to one case.

        Raises:
            OutOfTime: when the time for the whole check is up.
        """
        same_dice(index)
        look = not self.exercise.in_place and self.exercise.drive is None

        def outcome(answer, given):
            left = self.deadline - time.monotonic()
            if left <= 0:
                raise OutOfTime
            return call_within(left, lambda: self.watch.run(lambda: self.exercise.outcome(answer, given)))

        result = attempt(outcome, self.answer, self.cases[index][1], self.names, look)
        if len(sys.modules) != self.modules:  # it imported something, perhaps a twin
            self.modules = len(sys.modules)
            self.watch.look_up()
        return result

    def expect(self, index: int, function: Callable | None = None) -> Attempt:
        """What the reference, or a misconception, says to it."""
        same_dice(index)
        return attempt(self.exercise.outcome, function or self.exercise.reference, self.cases[index][1], [], False)


def agree(compare: Close, expected: Attempt, got: Attempt) -> bool:
    """Do two calls come to the same: the same value, or the same kind of exception?"""
    if expected.raised is not None or got.raised is not None:
        return expected.raised is not None and got.raised is not None and expected.raised.kind == got.raised.kind
    try:
        return compare.difference(expected.value, got.value) is None
    except Exception:  # a wrong answer may return what no exercise compares
        return False


def judge(exercise: Exercise, answer: Any, seed: int | None = None, watched: bool = True, diagnose: bool = True) -> Verdict:
    """Examine an answer. A verdict comes back whatever the answer does; only a fault in the exercise itself raises.

    Args:
        exercise: what was asked.
        answer: what was handed over, whatever it is.
        seed: of the cases; the public ones without.
        watched: refuse what is borrowed. Tests of our own wrong answers, which may be made of the right one, leave it out.
        diagnose: look for the misconception that explains a wrong answer.
    """
    if refusal := _refuse_at_sight(exercise, answer, watched):
        return refusal
    with quiet_and_undisturbed() as printed:
        examiner = Examiner(exercise, answer, seed, watched)
        try:
            verdict = _examine(examiner, diagnose)
        except OutOfTime:
            verdict = Verdict(exercise.name, "too slow", too_slow(exercise))
        except KeyboardInterrupt:
            verdict = Verdict(exercise.name, "stopped", "The check was interrupted before it was done.")
    verdict.printed = "" if verdict.passed else printed.kept
    return verdict


def too_slow(exercise: Exercise) -> str:
    return (
        f"It was stopped after {exercise.seconds:g} seconds; ours needs a small part of one. "
        "Is there a loop that never ends, or one over every element that a single tensor operation could do?"
    )


def _refuse_at_sight(exercise: Exercise, answer: Any, watched: bool) -> Verdict | None:
    if problem := not_callable_problem(answer, exercise.reference, exercise.short_name):
        return Verdict(exercise.name, "unusable", problem)
    if not watched:
        return None
    if guard.is_one_of(answer, [exercise.reference]):
        return Verdict(
            exercise.name,
            "refused",
            f"This is our own `{exercise.short_name}`, which `check` lends you until yours passes. "
            f"Run the cell with your own `{exercise.short_name}` first, then check.",
        )
    if twin := guard.is_one_of(answer, exercise.twins):
        return Verdict(exercise.name, "refused", borrowed(exercise, twin))
    return None


def borrowed(exercise: Exercise, twin: str) -> str:
    ours = twin == guard.name_of(exercise.reference)
    whose = "our own solution" if ours else f"`{twin}`"
    return (
        f"Here {whose} does the work. It is good to know that it exists, and you may use it from the next exercise on; "
        "this once, write the steps yourself."
    )


def _examine(examiner: Examiner, diagnosed: bool) -> Verdict:
    exercise = examiner.exercise
    if exercise.drive is None and (problem := argument_problem(examiner.answer, examiner.cases[0][1], examiner.names)):
        return Verdict(exercise.name, "unusable", problem + " Keep the first line of the stub as it was.")
    tried: list[Attempt] = []
    failure = None
    for index in range(len(examiner.cases)):
        tried.append(examiner.ask(index))
        if examiner.watch.seen:
            return Verdict(exercise.name, "refused", borrowed(exercise, examiner.watch.seen[0]))
        failure = failure_of(examiner, index, tried[-1])
        if failure:
            break
    if failure is None:
        return Verdict(exercise.name, "passed", f"All {len(tried)} cases agree.")
    if diagnosed and failure.status in ("wrong", "error") and (mistake := diagnose(examiner, tried)):
        failure.misconception, failure.hint = mistake.name, mistake.hint
    return failure


def failure_of(examiner: Examiner, index: int, tried: Attempt) -> Verdict | None:
    """What is wrong with the answer to one case; None where it is right."""
    exercise, (label, arguments) = examiner.exercise, examiner.cases[index]
    expected = examiner.expect(index)
    if expected.raised is not None:
        raise RuntimeError(f"the reference of {exercise.name} failed on {label!r}") from expected.error
    if tried.raised is not None:
        if is_not_attempted(examiner.answer, tried):
            rest = "The line `raise NotImplementedError` is still there: it ends the function. Take it out once your code is complete."
            return Verdict(exercise.name, "not attempted", rest if tried.raised.left_over else "")
        verdict = _raised(examiner, index, tried)
    else:
        problem = exercise.compare.difference(expected.value, tried.value)
        if problem is None and tried.changed is None:
            return None
        if problem and is_not_attempted(examiner.answer, tried):
            return Verdict(exercise.name, "not attempted", "")
        mutated = f"Your function changed its input `{tried.changed}`; whoever calls it still needs that. Work on a copy (`.clone()`)."
        message = " ".join(filter(None, [problem and problem[0].upper() + problem[1:] + ".", tried.changed and mutated]))
        verdict = Verdict(exercise.name, "wrong", message, got=tried.value)
    verdict.case, verdict.expected = label, expected.value
    verdict.inputs = dict(zip(examiner.names, arguments, strict=False))
    return verdict


def _raised(examiner: Examiner, index: int, tried: Attempt) -> Verdict:
    """The learner's code raised: say what, and where in their code."""
    kind, text, line = tried.raised.kind, tried.raised.text, tried.raised.line
    what = f"{kind}{': ' + text if text else ''}"
    if kind == "SystemExit":
        what = "it called exit(); return the result instead"
    elif kind == "RecursionError":
        what = "it calls itself without end (RecursionError). When does it stop?"
    elif kind == "NotImplementedError":
        what += " (a library's, not the stub's)"
    message = f"Your code raised {what}" if kind not in ("SystemExit", "RecursionError") else f"Your code did not finish: {what}"
    if line is None:
        message = f"Using your answer the way the exercise says failed with {what}"
        if "NoneType" in text:
            message += ". Is there a `return`?"
    return Verdict(examiner.exercise.name, "error", message, line=line)


def diagnose(examiner: Examiner, tried: list[Attempt]) -> Misconception | None:
    """The one misconception that agrees with the answer on every case, if exactly one does."""
    suspects = list(examiner.exercise.misconceptions)
    for index in range(len(examiner.cases)):
        if not suspects:
            return None
        if index == len(tried):
            try:
                tried.append(examiner.ask(index))
            except OutOfTime:
                return None
        suspects = [m for m in suspects if agree(examiner.exercise.compare, examiner.expect(index, m.wrong), tried[index])]
    return suspects[0] if len(suspects) == 1 else None
