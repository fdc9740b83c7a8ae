"""One submission, exercise by exercise: what its answers are asked is drawn here, and what they say is compared here.

A worker answers for one exercise; it is asked and never believed. Whatever it sends is data or the end of its exercise. Anything that goes
wrong on this side raises: that is an infrastructure error, never a zero.
"""

import re
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

from coursekit.exercises.compare import describe
from coursekit.exercises.display import brief, cut
from coursekit.exercises.verdict import Verdict

from .assignment import Assignment, Task, source_hash, versions
from .examination import BrokeOff, Examination, Outcome
from .known import Known, known
from .points import Group, earned, is_trivial
from .records import UNGRADABLE, Grade, Mark, seed_of
from .submission import Submission

LONGEST = 1200  # characters of a message


class Sandbox(Protocol):
    """What is needed of `coursekit.grading.sandbox.Sandbox`."""

    tier: str

    def start(self, packages: tuple[str, ...], files: dict[str, str]) -> Any: ...


def judge_submission(assignment: Assignment, submission: Submission, attempt: int, sandbox: Sandbox) -> Grade:
    """Grade one submission. What it contains cannot make this raise.

    Args:
        attempt: 1 for the first submission of this student.
        sandbox: where its code runs.

    Raises:
        Exception: for faults of ours (sandbox, exercise); the caller calls it an infrastructure error.
    """
    began, cpu = time.monotonic(), time.process_time()
    marks, passed, spent = [], set(), 0.0
    for task in assignment.tasks:
        seed = seed_of(assignment.secret, assignment.course, assignment.name, submission.student, task.name, attempt)
        if submission.problem or task.notebook not in submission.notebooks:
            message = submission.problem or f"There is no notebook {task.notebook} in what you handed in."
            marks.append(Mark(task.name, 0.0, task.points, "missing", message, seed=seed))
            continue
        earlier = [other for name in task.kit.needs for other in assignment.tasks if other.name == name]
        job = _job(assignment, task, submission, [(other, other.name not in passed) for other in earlier])
        mark, seconds = _judge_task(task, Examination(task, known(task, earlier), job, seed), sandbox)
        marks.append(_untouched(mark) if _as_handed_out(assignment, task, submission) else mark)
        spent += seconds
        if mark.status == "passed":
            passed.add(task.name)
    return Grade(
        assignment=assignment.name,
        student=submission.student,
        attempt=attempt,
        submission=submission.sha256,
        bundle=assignment.sha256,
        **({"outcome": UNGRADABLE, "reason": submission.problem} if submission.problem else {}),
        marks=tuple(marks),
        tier=sandbox.tier,
        versions=versions(),
        started=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        submitted=submission.submitted,
        seconds=round(time.monotonic() - began, 3),
        cpu_seconds=round(time.process_time() - cpu + spent, 3),
        notes=submission.notes,
    )


def _as_handed_out(assignment: Assignment, task: Task, submission: Submission) -> bool:
    """Was nothing done to its cell? A planted bug is an answer of a kind, but not the learner's."""
    released = assignment.released.get(task.notebook, ())
    own = [cell for cell in submission.notebooks[task.notebook] if cell.exercise == task.name]
    return bool(own) and all(source_hash(cell.source) in released for cell in own)


def _untouched(mark: Mark) -> Mark:
    if mark.status not in ("wrong", "error"):
        return mark
    bare = Mark(mark.exercise, 0.0, mark.out_of, "not attempted", "The cell is as it was handed out.", seed=mark.seed)
    return _with_time(bare, mark.seconds)


def _job(assignment: Assignment, task: Task, submission: Submission, earlier: Sequence[tuple[Task, bool]]) -> dict[str, Any]:
    """What a worker is told: the kit, the learner's cells, and our answers to earlier exercises, with whether theirs needs replacing."""
    kit, released = task.kit, set(assignment.released.get(task.notebook, ()))
    code = [cell for cell in submission.notebooks[task.notebook] if cell.kind == "code"]
    modules = [name.removesuffix(".py").replace("/", ".") for name, text in kit.files.items() if "dataclass" in text]
    return {
        "exercise": task.name,
        "setup": list(kit.setup),
        "modules": modules,
        "driver": kit.driver,
        "driver_name": kit.driver_name,
        "answer": kit.answer,
        "parameters": list(kit.parameters),
        "in_place": kit.in_place,
        "watched": list(kit.watched),
        "allowed": list(kit.allowed),
        "cells": [[n, c.source, c.exercise is None and source_hash(c.source) in released] for n, c in enumerate(code, 1)],
        "own_cells": [n for n, c in enumerate(code, 1) if c.exercise == task.name],
        "fallbacks": [[other.name, other.solution, other.kit.answer, lend] for other, lend in earlier],
    }


def _judge_task(task: Task, asked: Examination, sandbox: Sandbox) -> tuple[Mark, float]:
    """The mark of one exercise, and the CPU time that its worker took."""
    began = time.monotonic()
    with sandbox.start(task.kit.packages, task.kit.files) as worker:
        try:
            outcome = asked.run(worker.sock)
        except BrokeOff as broken:
            outcome = broken
        ended = worker.kill()
    if isinstance(outcome, BrokeOff):
        how = "" if ended.how == "killed by us" else f" ({ended.how})"
        status, message = ("too slow", str(outcome)) if outcome.slow else ("broke off", f"{outcome}{how}")
        mark = Mark(task.name, 0.0, task.points, status, message, flags=tuple(asked.flags), seed=asked.seed)
    else:
        mark = mark_of(task, asked.known, outcome, asked)
    return _with_time(mark, time.monotonic() - began), ended.cpu_seconds


def _with_time(mark: Mark, seconds: float) -> Mark:
    return Mark.from_json({**{name: getattr(mark, name) for name in mark.__dataclass_fields__}, "seconds": round(seconds, 3)})


def mark_of(task: Task, it: Known, outcome: Outcome, asked: Examination) -> Mark:
    """The mark for what a worker said."""
    verdict, groups = outcome.verdict, groups_of(it, outcome)
    points = 0.0 if verdict.status in ("refused", "unusable", "not attempted", "missing") else earned(task.points, groups)
    shown = _shown(verdict)
    if verdict.line:
        shown[f"in your line {verdict.line[0]}"] = cut(verdict.line[1], 300)
    return Mark(
        task.name,
        points,
        task.points,
        verdict.status,
        cut(_one_line(verdict.message), LONGEST),
        case=verdict.case,
        shown=shown,
        misconception=verdict.misconception,
        hint=verdict.hint,
        groups=tuple((group.label, group.passed) for group in groups),
        printed="" if verdict.passed else _printable(verdict.printed),
        flags=tuple(asked.flags),
        seed=asked.seed,
    )


def _shown(verdict: Verdict) -> dict[str, str]:
    """The failing case in words."""
    if verdict.case is None or not verdict.inputs:
        return {}
    values = {**verdict.inputs, "expected": verdict.expected} | ({"got": verdict.got} if verdict.status == "wrong" else {})
    return {name: _in_words(value) for name, value in values.items()}


def _in_words(value: Any) -> str:
    try:
        return brief(value)
    except Exception:  # strange but plain data, such as integers of a thousand digits
        return describe(value)


def _one_line(text: str) -> str:
    return re.sub(r"\s+", " ", _printable(text))


def _printable(text: str) -> str:
    """Without control characters, which no page or table wants."""
    return "".join(c for c in text if c in "\n\t" or c.isprintable())


def groups_of(it: Known, outcome: Outcome) -> list[Group]:
    """Cases by label, in the order in which the labels first come. A label that only a secret draw has could tell of its numbers."""
    by_label: dict[str, list[int]] = {}
    public = {case.label for case in it.public}
    for place, case in enumerate(outcome.cases):
        by_label.setdefault(case.label if case.label in public else "drawn for you", []).append(place)
    partly = outcome.passed and not all(outcome.passed)
    return [_group(it, outcome, label, places, partly and any(outcome.passed)) for label, places in by_label.items()]


def _group(it: Known, outcome: Outcome, label: str, places: Sequence[int], partly: bool) -> Group:
    passed = all(outcome.passed[place] for place in places)
    drawn = [place for place in places if not outcome.cases[place].public]
    trivial = False
    if partly and passed:  # only where a share is to be computed
        known_answers = [said.value for said in it.expected] if drawn else []
        cases = [(outcome.cases[place].arguments, outcome.expected[place].value) for place in drawn or places]
        trivial = is_trivial(it.exercise, cases, known_answers, it.given)
    return Group(label, passed, bool(drawn), trivial)
