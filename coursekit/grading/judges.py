"""Judge processes as the main process sees them: started, asked one submission at a time, replaced when they die or hang.

The main process imports no torch and runs no learner's code; what a judge answers is JSON of bounded length.
"""

import contextlib
import json
import os
import selectors
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import coursekit

from . import frozen
from .assignment import Assignment
from .records import INFRASTRUCTURE, Grade
from .submission import Submission

STARTING = 180.0  # seconds until a judge says that it is ready: importing torch on a busy machine
BASE, EACH = 60.0, 60.0  # seconds for a submission, and for each of its exercises; a judge has tighter limits of its own
LONGEST_ANSWER = 64 * 1024 * 1024
TRIES = 3
RECYCLED = 250  # submissions after which a judge is replaced: whatever a library leaks stays small


class Lost(Exception):
    """A judge died, hung or spoke nonsense; the message says which."""


class CannotStart(Lost):
    """A judge never got ready."""


@dataclass(frozen=True)
class Work:
    """A submission to grade: its attempt's number, and the round of judging the same again (0: the first)."""

    submission: Submission
    attempt: int
    regrade: int = 0

    @property
    def line(self) -> bytes:
        """What a judge is sent."""
        return json.dumps({"submission": self.submission.to_json(), "attempt": self.attempt}).encode() + b"\n"


def command(bundle: Path | str, tier: str | None) -> list[str]:
    """Starts a judge. -P: a file called torch.py in the folder where a teacher happens to be must not be imported."""
    return [sys.executable, "-P", "-m", "coursekit.grading.judging", str(bundle), *(["--tier", tier] if tier else [])]


def environment(bundle: Path | str, assignment: Assignment) -> dict[str, str]:
    """A judge's: the coursekit of this process, or, where that is not what the assignment was made with, the one kept in the bundle."""
    ours = frozen.frozen_path(bundle).resolve() if frozen.needs_frozen(assignment) else Path(coursekit.__file__).parent.parent
    more = [p for p in os.environ.get("PYTHONPATH", "").split(os.pathsep) if os.path.isabs(p)]
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(ours), *more]), "OMP_NUM_THREADS": "1", "PYTHONUTF8": "1"}


class Judge:
    """One judge process. One thread asks it and lets it go; any other may only shoot it.

    Args:
        arguments: its command line.
        env: its environment.
        log: file that gets what it says on stderr; nothing of a learner's does.

    Raises:
        CannotStart: it did not get ready.
    """

    def __init__(self, arguments: list[str], env: dict[str, str] | None = None, log: Path | None = None):
        self.asked, self._buffer = 0, bytearray()
        with open(log, "ab") if log else contextlib.nullcontext(subprocess.DEVNULL) as errors:
            self.process = subprocess.Popen(
                arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, env=env, cwd="/", bufsize=0, start_new_session=True
            )
        for pipe in (self.process.stdin, self.process.stdout):
            os.set_blocking(pipe.fileno(), False)
        try:
            ready = self._exchange(b"", STARTING).get("ready")
            if not isinstance(ready, dict):
                raise Lost("did not say that it is ready")
        except Lost as problem:
            self.kill()
            raise CannotStart(str(problem)) from None
        self.tier = str(ready.get("tier", ""))

    def ask(self, work: Work, seconds: float) -> Grade:
        """Its grade for one submission.

        Raises:
            Lost: none came in time, or one that cannot be right.
        """
        self.asked += 1
        try:
            grade = Grade.from_json(self._exchange(work.line, seconds)["grade"])
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise Lost(f"answered with something that is no grade ({type(error).__name__})") from None
        if (grade.student, grade.submission, grade.attempt) != (work.submission.student, work.submission.sha256, work.attempt):
            raise Lost("answered for another submission")
        return grade

    def _exchange(self, line: bytes, seconds: float) -> dict[str, Any]:
        """Send a line while reading, and give back the next line that comes."""
        deadline, pending = time.monotonic() + seconds, memoryview(line)
        stdin, stdout = self.process.stdin, self.process.stdout
        with selectors.DefaultSelector() as selector:
            selector.register(stdout, selectors.EVENT_READ)
            if pending:
                selector.register(stdin, selectors.EVENT_WRITE)
            while True:
                left = deadline - time.monotonic()
                if left <= 0:
                    raise Lost(f"gave no answer within {seconds:.0f} seconds")
                for key, _ in selector.select(min(left, 1.0)):
                    if key.fileobj is stdin:
                        pending = pending[self._write(pending) :]
                        if not pending:
                            selector.unregister(stdin)
                    elif answer := self._read():
                        return answer

    def _write(self, pending: memoryview) -> int:
        try:
            return os.write(self.process.stdin.fileno(), pending[:65536])
        except BlockingIOError:
            return 0
        except (OSError, ValueError):  # ValueError: another thread closed it
            raise Lost(self._how_it_ended()) from None

    def _read(self) -> dict[str, Any] | None:
        try:
            piece = os.read(self.process.stdout.fileno(), 1 << 20)
        except BlockingIOError:
            return None
        except (OSError, ValueError):
            raise Lost(self._how_it_ended()) from None
        if not piece:
            raise Lost(self._how_it_ended())
        start = len(self._buffer)
        self._buffer += piece
        end = self._buffer.find(b"\n", start)
        if end < 0:
            if len(self._buffer) > LONGEST_ANSWER:
                raise Lost("answered without end")
            return None
        line, self._buffer = bytes(self._buffer[:end]), self._buffer[end + 1 :]
        try:
            answer = json.loads(line)
        except (ValueError, RecursionError):
            raise Lost("answered with something that is no JSON") from None
        if not isinstance(answer, dict):
            raise Lost("answered with something that is no grade")
        return answer

    def _how_it_ended(self) -> str:
        try:
            code = self.process.wait(5)
        except subprocess.TimeoutExpired:
            return "closed its pipe"
        return f"was killed (signal {-code})" if code < 0 else f"ended (exit code {code})"

    def shoot(self) -> None:
        """From another thread: whoever waits for an answer sees that it ended."""
        with contextlib.suppress(OSError):
            self.process.kill()

    def kill(self) -> None:
        """End it at once. Its sandboxed processes end because nobody listens to them any more."""
        with contextlib.suppress(OSError):
            self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            with contextlib.suppress(OSError):
                pipe.close()

    def close(self) -> None:
        """Let it end by itself, so that it tidies up; within a few seconds."""
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(10)
        self.kill()


class Desk:
    """Where one thread has its submissions graded: holds a judge, replaces it, and tries again.

    Args:
        start: starts a judge.
        assignment: for what an infrastructure error is written down with.
        seconds: for one submission.
    """

    def __init__(self, start: Callable[[], Judge], assignment: Assignment, seconds: float | None = None):
        self.start, self.assignment, self.judge = start, assignment, None
        self.seconds = seconds or BASE + EACH * len(assignment.tasks)
        self.closed = False

    def grade(self, work: Work) -> Grade:
        """A grade in every case: where `TRIES` judges failed, an infrastructure error.

        Raises:
            CannotStart: no judge gets ready.
            Lost: the desk was closed meanwhile.
        """
        reasons = []
        for _ in range(TRIES):
            if self.judge is None or self.judge.asked >= RECYCLED:
                self.leave()
                self.judge = self._started()
            try:
                grade = self.judge.ask(work, self.seconds)
            except Lost as problem:
                if self.closed:
                    raise
                reasons.append(f"the judge {problem}")
                self.leave(kill=True)
                continue
            if grade.outcome != INFRASTRUCTURE:
                return grade
            reasons.append(grade.reason)
            self.leave(kill=True)  # its sandbox may be what is broken
        return self.failed(work, reasons[-1])

    def failed(self, work: Work, reason: str) -> Grade:
        """What is written down where nobody could grade it."""
        return Grade(
            assignment=self.assignment.name,
            student=work.submission.student,
            attempt=work.attempt,
            submission=work.submission.sha256,
            bundle=self.assignment.sha256,
            outcome=INFRASTRUCTURE,
            reason=f"{reason}; tried {TRIES} times",
            started=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            submitted=work.submission.submitted,
            notes=work.submission.notes,
        )

    def _started(self) -> Judge:
        """A judge that is ready. One may die at its start because the machine was short of memory for a moment."""
        for pause in (0.5, 2.0, None):
            if self.closed:
                raise Lost("was closed")
            try:
                return self.start()
            except CannotStart:
                if pause is None or self.closed:
                    raise
                time.sleep(pause)
        raise AssertionError("unreachable")

    def leave(self, kill: bool = False) -> None:
        """Let the judge go."""
        judge, self.judge = self.judge, None
        if judge is not None:
            judge.kill() if kill else judge.close()

    def close(self) -> None:
        """From another thread: stop at once."""
        self.closed = True
        judge = self.judge
        if judge is not None:
            judge.shoot()
