"""What grading says: the mark of one exercise and the grade of one submission. Plain data that goes through JSON and back."""

import dataclasses
import hashlib
import hmac
from dataclasses import dataclass
from typing import Any

GRADED, UNGRADABLE, INFRASTRUCTURE = "graded", "ungradable", "infrastructure error"
OUTCOMES = (GRADED, UNGRADABLE, INFRASTRUCTURE)


@dataclass(frozen=True)
class Mark:
    """One exercise of one submission.

    Args:
        exercise: ``"13.box_iou"``.
        points: earned, from 0 to `out_of`.
        out_of: what it is worth in this assignment.
        status: a verdict's (``passed``, ``wrong``, ``error``, ``not attempted``, ``refused``, ``unusable``, ``too slow``), or ``missing``
            where the submission has no such exercise, or ``broke off`` where the sandboxed process ended or spoke nonsense.
        message: one or two sentences to the learner.
        case: label of the first failing case.
        shown: inputs, expected and got of that case in words, by name; empty where the case is not a public one.
        misconception: name of the mistake that explains every answer.
        hint: what to tell the learner about it.
        groups: (label, passed) of each group of cases, in order.
        printed: the beginning of what the answer printed.
        flags: what a teacher may want to look at by eye; evidence, never a deduction.
        seed: of the drawn cases, so that the same can be asked again.
        seconds: wall clock.
    """

    exercise: str
    points: float
    out_of: float
    status: str
    message: str = ""
    case: str | None = None
    shown: dict[str, str] = dataclasses.field(default_factory=dict)
    misconception: str | None = None
    hint: str | None = None
    groups: tuple[tuple[str, bool], ...] = ()
    printed: str = ""
    flags: tuple[str, ...] = ()
    seed: int = 0
    seconds: float = 0.0

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> "Mark":
        groups = tuple((str(name), bool(passed)) for name, passed in record.get("groups", ()))
        return cls(**{**record, "groups": groups, "flags": tuple(record.get("flags", ()))})


@dataclass(frozen=True)
class Grade:
    """One submission, judged once.

    Args:
        assignment: its name.
        student: as the submission's folder or file names them.
        attempt: 1 for the first submission of this student, 2 for the next that differs.
        submission: SHA-256 of what was handed in.
        bundle: SHA-256 of all that the grade depends on.
        outcome: ``graded``, ``ungradable`` (the reason says why; worth 0, and a teacher looks at it), or ``infrastructure error`` (ours:
            graded again, never a zero).
        reason: one sentence where it is not graded.
        marks: one for each exercise of the assignment.
        tier: the sandbox it ran in.
        versions: of coursekit, python, numpy, torch.
        started: UTC, ISO 8601, seconds.
        submitted: UTC, ISO 8601, where known.
        seconds: wall clock of judging.
        cpu_seconds: of judge and sandboxed processes together.
        notes: what was odd about the files, for the teacher.
    """

    assignment: str
    student: str
    attempt: int
    submission: str
    bundle: str
    outcome: str = GRADED
    reason: str = ""
    marks: tuple[Mark, ...] = ()
    tier: str = ""
    versions: dict[str, str] = dataclasses.field(default_factory=dict)
    started: str = ""
    submitted: str | None = None
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    notes: tuple[str, ...] = ()

    def __post_init__(self):
        if self.outcome not in OUTCOMES:
            raise ValueError(f"outcome must be one of {', '.join(OUTCOMES)}, got {self.outcome!r}")

    @property
    def points(self) -> float:
        return sum(mark.points for mark in self.marks)

    @property
    def out_of(self) -> float:
        return sum(mark.out_of for mark in self.marks)

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> "Grade":
        marks = tuple(Mark.from_json(mark) for mark in record.get("marks", ()))
        return cls(**{**record, "marks": marks, "notes": tuple(record.get("notes", ()))})


def seed_of(secret: bytes, course: str, assignment: str, student: str, exercise: str, attempt: int) -> int:
    """The seed of what one student is asked: nobody can foretell it without the secret, and with it anybody can repeat it."""
    parts = "\x00".join((course, assignment, student, exercise, str(attempt)))
    return int.from_bytes(hmac.new(secret, parts.encode(), hashlib.sha256).digest()[:6], "big")
