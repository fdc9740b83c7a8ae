"""The judge process: `python -m coursekit.grading.judging DIR/grader [--tier landlock]`. A submission a line in, a grade a line out.

It holds the secret, the cases and the references, and starts the sandboxed processes; what they print goes nowhere. Whatever goes wrong
here becomes an infrastructure error for that one submission, which is graded again.

    stdin   {"submission": {...}, "attempt": 1}
    stdout  {"ready": {"tier": ...}}, then {"grade": {...}} for each line
"""

import argparse
import contextlib
import json
import os
import sys
import traceback
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, TextIO

from .assignment import Assignment, read_bundle
from .records import INFRASTRUCTURE, Grade
from .submission import Submission


def main(arguments: list[str] | None = None) -> None:
    """Read a bundle, then judge what comes until there is no more."""
    parser = argparse.ArgumentParser(prog="python -m coursekit.grading.judging", description=__doc__.split("\n")[0])
    parser.add_argument("bundle", help="folder of the grader's bundle, DIR/grader")
    parser.add_argument("--tier", default=None, help="of the sandbox; the best that works here without")
    options = parser.parse_args(arguments)
    out = _own_stdout()
    import torch

    from .sandbox import Sandbox

    torch.set_num_threads(1)
    assignment = read_bundle(options.bundle)
    with Sandbox(options.tier) as sandbox:
        _say(out, {"ready": {"tier": sandbox.tier, "bundle": assignment.sha256}})
        judge_lines(assignment, sandbox, sys.stdin, out)


def _own_stdout() -> TextIO:
    """The real stdout for grades alone; whatever else prints, prints to stderr."""
    sys.stdout.flush()
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return out


def _say(out: TextIO, message: dict[str, Any]) -> None:
    out.write(json.dumps(message, ensure_ascii=True) + "\n")
    out.flush()


def judge_lines(assignment: Assignment, sandbox: Any, lines: Iterable[str], out: TextIO) -> None:
    """A grade for each line, in order."""
    for line in lines:
        if line.strip():
            _say(out, {"grade": judge_line(assignment, sandbox, line).to_json()})


def judge_line(assignment: Assignment, sandbox: Any, line: str) -> Grade:
    """The grade of one line; an infrastructure error where anything of ours fails."""
    student, sha256, attempt = "", "", 0
    try:
        request = json.loads(line)
        attempt = int(request["attempt"])
        submission = Submission.from_json(request["submission"])
        student, sha256 = submission.student, submission.sha256
        from .judge import judge_submission

        return judge_submission(assignment, submission, attempt, sandbox)
    except Exception as error:
        with contextlib.suppress(OSError):
            traceback.print_exc(file=sys.stderr)
        return Grade(
            assignment=assignment.name,
            student=student,
            attempt=attempt,
            submission=sha256,
            bundle=assignment.sha256,
            outcome=INFRASTRUCTURE,
            reason=f"{type(error).__name__}: {error}"[:500],
            tier=getattr(sandbox, "tier", ""),
            started=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        )


if __name__ == "__main__":
    main()
