"""Asking one worker: the protocol's trusted end. What comes back becomes values, sentences and truth values, or ends the exercise."""

import dataclasses
import socket
import time
from dataclasses import dataclass, field
from typing import Any

from coursekit.exercises import verdict as verdicts
from coursekit.exercises.attempt import Attempt, not_callable_problem
from coursekit.exercises.theirs import Raised
from coursekit.exercises.verdict import Verdict

from .assignment import Task
from .inside import wire
from .known import Case, Known

START, CELLS, GRACE = 60.0, 20.0, 2.0  # seconds until our own set-up is loaded; until the cells have run; on top of an answer's own time
PATIENCE = 3  # an exercise may take this many times what its check may
REPLY = 32 << 20  # bytes of one reply, and of all replies of an exercise together: they are kept until the end
SLOW = 2  # cases that take too long, and the exercise is over
HIDDEN = "What was asked stays closed; the cases of the check show the same kind."
BUILTIN_ERRORS = {name for name, kind in vars(__import__("builtins")).items() if isinstance(kind, type) and issubclass(kind, BaseException)}


class BrokeOff(Exception):
    """The worker ended, fell silent or sent nonsense; the message is for the learner.

    Args:
        slow: it only took too long.
    """

    def __init__(self, message: str, slow: bool = False):
        super().__init__(message)
        self.slow = slow


@dataclass
class Answer:
    """What is to be said of one case.

    Args:
        attempt: as the notebook's check sees it.
        printed: the beginning of what it printed.
        borrowed: the library function that did the work.
        slow: it was stopped.
        odd: what is wrong with the answer as a thing, if it cannot be compared at all.
    """

    attempt: Attempt
    printed: str = ""
    borrowed: str | None = None
    slow: bool = False
    odd: str = ""


@dataclass
class Outcome:
    """What became of an exercise.

    Args:
        verdict: as the notebook would give it, and of secret cases only what may be told.
        cases: asked ones.
        passed: which of them agreed.
        expected: what we say to each.
    """

    verdict: Verdict
    cases: list[Case] = field(default_factory=list)
    passed: list[bool] = field(default_factory=list)
    expected: list[Attempt] = field(default_factory=list)


class Seen:
    """Some cases and the answers to them, in the shape that `coursekit.exercises.verdict` examines."""

    def __init__(self, exercise: Any, names: tuple[str, ...], cases: list[Case], expect: Any, stub: bool):
        self.exercise, self.names, self.expect = exercise, list(names), expect
        self.cases = [(case.label, case.arguments) for case in cases]
        self.answer = (lambda: None) if stub else len  # all that is asked of it here is whether it is still the stub


class Examination:
    """One exercise of one submission.

    Args:
        task: which.
        known: what is known of its exercise.
        job: for the worker.
        seed: of the secret cases.
    """

    def __init__(self, task: Task, known: Known, job: dict[str, Any], seed: int):
        self.task, self.known, self.job, self.seed, self.flags = task, known, job, seed, []
        self.exercise, self.short = known.exercise, known.exercise.short_name
        self.ready: dict[str, Any] = {}

    def run(self, sock: socket.socket) -> Outcome:
        """Ask everything.

        Raises:
            BrokeOff: where the worker does not play along.
            RuntimeError: where our own set-up does not load in it.
        """
        self.sock = sock
        self._start()
        if verdict := self._at_sight():
            return Outcome(verdict)
        return self._ask_all()

    # --- until it is ready

    def _start(self) -> None:
        job = {**self.job, "count": len(self.known.public[0].arguments) if self.known.public else 0}
        try:
            packed = wire.pack(job)
        except wire.TooLarge:
            raise BrokeOff("There is more code in your notebook than can be run here: take out what is not yours to hand in.") from None
        try:
            wire.send(self.sock, b"J", packed, time.monotonic() + START)
            prepared = wire.unpack(self._frame(b"P", START))
        except wire.WireError as error:  # no line of the learner's has run
            raise RuntimeError(f"the worker of {self.task.name} did not start: {error}") from error
        if fault := prepared["fault"]:
            raise RuntimeError(f"the kit of {self.task.name} does not work: {fault}")
        try:
            flags = wire.unpack(self._frame(b"F", CELLS))
            self.ready = wire.unpack(self._frame(b"R", CELLS))
        except wire.Silence:
            raise BrokeOff("Your cells took too long to run.", slow=True) from None
        except wire.WireError:
            raise BrokeOff("The process that ran your cells ended in the middle of them.") from None
        self.flags = [text[:80] for text in flags if type(text) is str][:30] if type(flags) is list else []
        if type(self.ready) is not dict:
            raise BrokeOff("The process that ran your cells spoke nonsense.")

    def _frame(self, wanted: bytes, seconds: float) -> bytes:
        kind, payload = wire.receive(self.sock, time.monotonic() + seconds, REPLY)
        if kind != wanted:
            raise wire.WireError(f"expected {wanted!r}, got {kind!r}")
        return payload

    def _at_sight(self) -> Verdict | None:
        """What is to be said before anything is asked."""
        ready, name = self.ready, self.task.name
        if "large" in ready or ready.get("found") is not True:
            return self._not_there()
        if ready.get("callable") is not True:
            answer = Ellipsis if ready.get("ellipsis") is True else ready.get("answer")
            problem = not_callable_problem(answer, self.exercise.reference, self.short)
            return Verdict(name, "unusable", (problem or "The answer is no function.") + self._stopped())
        wants_class = isinstance(self.exercise.reference, type)
        if wants_class and ready.get("class") is not True and type(ready.get("object")) is str:
            return Verdict(name, "unusable", f"Hand over the class itself, `{ready['object'][:60]}`, not an object made from it.")
        if type(ready.get("twin")) is str:
            return Verdict(name, "refused", verdicts.borrowed(self.exercise, ready["twin"][:100]))
        if type(ready.get("unfit")) is str:
            return Verdict(name, "unusable", ready["unfit"][:400] + " Keep the first line of the stub as it was.")
        return None

    def _not_there(self) -> Verdict:
        stopped, there = self._stopped(), bool(self.job["own_cells"])
        if stopped:
            return Verdict(self.task.name, "error", f"There is no `{self.short}` after your cells have run.{stopped}")
        status = "unusable" if there else "missing"
        return Verdict(self.task.name, status, f"There is no `{self.short}` in what you handed in.")

    def _stopped(self) -> str:
        """The first thing that failed in the exercise's own cell, as a sentence. Nothing secret was there when it happened."""
        notes = self.ready.get("notes")
        for note in notes if type(notes) is list else []:
            if type(note) is not list or [type(part) for part in note] != [int, int, str, str] or note[0] not in self.job["own_cells"]:
                continue
            _, line, kind, text = note
            if kind == "time":
                return f" A statement of its cell (line {line}) took too long and was stopped."
            return f" Its cell stopped in line {line}: {kind[:80]}{': ' + text[:300] if text else ''}."
        return ""

    # --- cases

    def _ask_all(self) -> Outcome:
        asked, slow = Outcome(Verdict(self.task.name, "passed", "")), 0
        self.deadline, self.kept = time.monotonic() + PATIENCE * self.exercise.seconds, 0
        answers: list[Answer] = []
        cases = [*self.known.public, *self.known.secret(self.seed)]
        for place, case in enumerate(cases):
            expected = self.known.expected[place] if case.public else self.known.expect(case)
            answer = self._ask(case, expected)
            if answer.borrowed:
                return Outcome(Verdict(self.task.name, "refused", verdicts.borrowed(self.exercise, answer.borrowed)))
            asked.cases.append(case)
            asked.expected.append(expected)
            asked.passed.append(self._agrees(expected, answer))
            answers.append(answer)
            slow += answer.slow
            if slow >= SLOW:
                break
            if place == 0 and self._untouched(answers):
                break
        asked.verdict = self._verdict(asked, answers)
        rest = cases[len(asked.cases) :]  # whoever ends it early, by being slow where they do not know the answer, has not answered these
        asked.cases += rest
        asked.passed += [False] * len(rest)
        asked.expected += [Attempt()] * len(rest)
        return asked

    def _ask(self, case: Case, expected: Attempt) -> Answer:
        """Put one case to the worker."""
        left = min(self.exercise.seconds, self.deadline - time.monotonic())
        if left <= 0:
            raise BrokeOff(verdicts.too_slow(self.exercise), slow=True)
        request = {"index": case.index, "arguments": case.arguments, "seconds": left}
        try:
            wire.send(self.sock, b"C", wire.pack(request), time.monotonic() + left + GRACE)
            frame = self._frame(b"V", left + GRACE)
            self.kept += len(frame)
            if self.kept > REPLY:
                raise BrokeOff("Your answers are far larger, all together, than what the exercise asks for.")
            reply = wire.unpack(frame, _classes(expected.value))
        except wire.Silence:
            raise BrokeOff(verdicts.too_slow(self.exercise), slow=True) from None
        except wire.WireError:
            raise BrokeOff("The process that ran your answer ended, or was ended, before it had answered everything.") from None
        try:
            return _answer(reply)
        except (KeyError, TypeError, ValueError, IndexError):
            raise BrokeOff("The process that ran your answer spoke nonsense.") from None

    def _agrees(self, expected: Attempt, answer: Answer) -> bool:
        if answer.slow or answer.odd or answer.attempt.raised is not None or answer.attempt.changed is not None:
            return False
        return verdicts.agree(self.exercise.compare, expected, answer.attempt)

    def _seen(self, cases: list[Case], expect: Any) -> Seen:
        return Seen(self.exercise, self.task.kit.parameters, cases, expect, self.ready.get("stub") is True)

    def _untouched(self, answers: list[Answer]) -> bool:
        """Did the stub answer the first case?"""
        verdict = self._failure(self.known.public[:1], answers, 0, self._expect_public)
        return verdict is not None and verdict.status == "not attempted"

    def _expect_public(self, place: int, function: Any = None) -> Attempt:
        return self.known.expected[place] if function is None else self.known.mistake(place, function)

    def _failure(self, cases: list[Case], answers: list[Answer], place: int, expect: Any) -> Verdict | None:
        """What the notebook would say to one case."""
        answer = answers[place]
        if answer.slow:
            return Verdict(self.task.name, "too slow", verdicts.too_slow(self.exercise), case=cases[place].label)
        if answer.odd:
            return Verdict(self.task.name, "wrong", answer.odd, case=cases[place].label)
        try:
            return verdicts.failure_of(self._seen(cases, expect), place, answer.attempt)
        except Exception as error:  # data that no comparison was made for, such as numbers against strings
            message = f"Your answer gave something that cannot be compared with ours ({type(error).__name__})."
            return Verdict(self.task.name, "wrong", message, case=cases[place].label)

    def _verdict(self, asked: Outcome, answers: list[Answer]) -> Verdict:
        public = [place for place, case in enumerate(asked.cases) if case.public]
        failed = [place for place in public if not asked.passed[place]]
        if not failed:
            return self._of_secret(asked, answers, len(public))
        cases, place = self.known.public, failed[0]
        verdict = self._failure(cases, answers, place, self._expect_public)
        if verdict.status in ("wrong", "error"):
            verdict.message += self._stopped()
            if len(public) == len(cases):
                self._diagnose(verdict, cases, [answers[p] for p in public], self._expect_public)
        verdict.printed = "".join(answers[p].printed for p in public[: place + 1])[:4000]
        return verdict

    def _diagnose(self, verdict: Verdict, cases: list[Case], answers: list[Answer], expect: Any) -> None:
        if any(answer.slow or answer.odd for answer in answers):
            return
        mistake = verdicts.diagnose(self._seen(cases, expect), [answer.attempt for answer in answers])
        if mistake:
            verdict.misconception, verdict.hint = mistake.name, mistake.hint

    def _of_secret(self, asked: Outcome, answers: list[Answer], count: int) -> Verdict:
        """All public cases pass. Of the others nothing is told that could carry one of them out: no value, no text of the answer's."""
        failed = [place for place in range(count, len(answers)) if not asked.passed[place]]
        if not failed:
            return Verdict(self.task.name, "passed", f"All {len(asked.cases)} cases agree.")
        first, cases = failed[0], asked.cases[count:]
        if answers[first].slow:
            return Verdict(self.task.name, "too slow", verdicts.too_slow(self.exercise))
        labels = {case.label for case in self.known.public}
        kinds = list(dict.fromkeys(asked.cases[p].label for p in failed if asked.cases[p].label in labels))
        where = f" Those that fail: {', '.join(kinds)}." if kinds else ""
        message = f"All cases of the check pass, but {len(failed)} of {len(cases)} that were drawn for you do not.{where} {HIDDEN}"
        raised = answers[first].attempt.raised
        if raised is not None:
            message += f" Your code raised {raised.kind if raised.kind in BUILTIN_ERRORS else 'an exception'} there."
        verdict = Verdict(self.task.name, "error" if raised is not None else "wrong", message)
        if len(answers) - count == len(cases):
            expect = lambda place, function=None: self.known.expect(cases[place], function)  # noqa: E731
            self._diagnose(verdict, cases, answers[count:], expect)
        return verdict


def _classes(value: Any) -> dict[str, type]:
    """The dataclasses in a right answer: the only ones that may be built of what a worker sends."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        found = {type(value).__name__: type(value)}
        for f in dataclasses.fields(value):
            found |= _classes(getattr(value, f.name))
        return found
    items = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ()
    return {name: kind for item in items for name, kind in _classes(item).items()}


def _text(value: Any, longest: int) -> str:
    if type(value) is not str:
        raise TypeError("text was expected")
    return value[:longest]


def _answer(reply: Any) -> Answer:
    """A reply, looked at field by field.

    Raises:
        TypeError, KeyError, ValueError, IndexError: for any other shape than a worker's of ours.
    """
    if type(reply) is not dict:
        raise TypeError("a reply is a dict")
    printed = _text(reply.get("printed", ""), 4000)
    borrowed = reply.get("borrowed")
    borrowed = None if borrowed is None else _text(borrowed, 100)
    if "large" in reply:
        return Answer(Attempt(), printed, borrowed, odd="Your answer gave back far more than the exercise asks for.")
    if reply.get("slow") is True:
        return Answer(Attempt(), printed, borrowed, slow=True)
    if "raised" in reply:
        kind, text, line, stub, left_over = reply["raised"]
        line = None if line is None else (int(line[0]), _text(line[1], 300))
        raised = Raised(_text(kind, 80), _text(text, 500).split("\n")[0], line, stub is True, left_over is True)
        return Answer(Attempt(raised=raised), printed, borrowed)
    changed = reply.get("changed")
    value = Ellipsis if reply.get("ellipsis") is True else reply["value"]
    return Answer(Attempt(value=value, changed=None if changed is None else _text(changed, 60)), printed, borrowed)
