"""Grading a class: submissions are handed to judge processes, grades come back one by one and are written down at once.

Killed at any moment and started again, it goes on: what stands in the gradebook is done, and everything else is graded again with the same
seeds. Memory does not grow with the class: submissions are read one after the other, and a judge is replaced after some hundred.
"""

import contextlib
import fcntl
import os
import platform
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from coursekit.files import write_text
from coursekit.machine import cpu_quota

from .assignment import Assignment, read_bundle
from .gradebook import Gradebook
from .intake import Intake
from .judges import Desk, Judge, Work, command, environment
from .pool import graded_here
from .records import GRADED, INFRASTRUCTURE, UNGRADABLE, Grade
from .submission import Submission

ENOUGH = 20  # infrastructure errors in a row after which it is the machine, and not a submission
MOST_TEXT = 64 * 1024 * 1024  # characters of answers that are compared with each other


@dataclass
class Summary:
    """What a run did.

    Args:
        graded, ungradable, failed: how many of this run; `failed` met infrastructure errors.
        skipped: how many were graded already.
        reasons: why, of each that is not graded, by student.
        changed: points before and after, of students whose points a regrade changed.
        ignored: files at the top that are no submission.
        out: where everything lies.
    """

    out: Path
    graded: int = 0
    ungradable: int = 0
    failed: int = 0
    skipped: int = 0
    reasons: dict[str, str] = field(default_factory=dict)
    changed: dict[str, tuple[float, float]] = field(default_factory=dict)
    ignored: list[str] = field(default_factory=list)

    def count(self, grade: Grade) -> None:
        """One more."""
        name = {GRADED: "graded", UNGRADABLE: "ungradable", INFRASTRUCTURE: "failed"}[grade.outcome]
        setattr(self, name, getattr(self, name) + 1)
        if grade.outcome != GRADED:
            self.reasons[grade.student] = grade.reason


def grade_all(
    submissions: Path | str,
    bundle: Path | str,
    out: Path | str,
    jobs: int = 0,
    tier: str | None = None,
    trusted: bool = False,
    regrade: bool = False,
    scheduler: str | None = None,
    mtime: bool = False,
    times: Mapping[str, str] | None = None,
    watch: Callable[[int, int, Grade | None], None] | None = None,
    start: Callable[[], Judge] | None = None,
) -> Summary:
    """Grade everything that was handed in and is not graded yet.

    Args:
        submissions: folder or zip.
        bundle: the assignment's ``grader`` folder.
        out: gets ``gradebook.sqlite``, ``feedback/<student>.html`` and ``report.html``.
        jobs: judge processes; as many as there are cores by default.
        tier: of the sandbox; the best that works by default.
        trusted: allow a tier that does not hold hostile code.
        regrade: judge again what is graded already, with the same seeds; the new rows stand beside the old ones.
        scheduler: address of a Dask cluster that does the work, ``tcp://host:8786``.
        mtime, times: when a submission was handed in, see `Intake`.
        watch: called with (done, all, the grade) as grades come.
        start: starts a judge; for tests.

    Raises:
        ValueError, OSError: for what a teacher can mend, in one sentence.
    """
    if platform.system() != "Linux":
        raise ValueError("grading runs on Linux (on Windows: in WSL2)")
    bundle, out = Path(bundle), Path(out)
    assignment = read_bundle(bundle)
    intake = Intake(submissions, assignment, mtime=mtime, times=times)
    _check_out(out, Path(submissions), bundle)
    tier = tier if scheduler or start else trustworthy(tier, trusted)
    with alone(out), Gradebook(out / "gradebook.sqlite") as book:
        _check_book(book, assignment)
        run = Run(assignment, intake, book, Summary(out, ignored=intake.ignored), watch or (lambda *_: None))
        work = run.plan(regrade)
        if scheduler:
            results = _cluster()(scheduler, work, bundle, assignment, tier, trusted)
        else:
            env, log = environment(bundle, assignment), out / "judging.log"
            start = start or (lambda: Judge(command(bundle.resolve(), tier), env, log))
            results = graded_here(work, min(jobs or cpu_quota(), len(intake)), lambda: Desk(start, assignment), log)
        with contextlib.closing(results):
            for item, grade in results:
                run.write_down(item, grade)
        run.finish()
    return run.summary


def _cluster() -> Callable[..., Iterator[tuple[Work, Grade]]]:
    try:
        from .cluster import graded_on_cluster
    except ImportError:
        raise ValueError('grading on a cluster needs Dask: pip install "coursekit[cluster]"') from None
    return graded_on_cluster


def trustworthy(tier: str | None, trusted: bool) -> str:
    """The tier to use.

    Raises:
        ValueError: it does not work here, or holds nothing and nobody said that this is wanted.
    """
    from .probe import best, probe
    from .sandbox import TIERS, TRUSTWORTHY

    if tier is not None and tier not in TIERS:
        raise ValueError(f"tier must be one of {', '.join(TIERS)}, got {tier!r}")
    found = tier or best()
    if problem := next((t.why for t in probe() if t.name == found and not t.works), None):
        raise ValueError(f"the sandbox {found} does not work here: {problem}")
    if found not in TRUSTWORTHY and not trusted:
        asked = "" if tier else "nothing better than "
        raise ValueError(
            f"{asked}the sandbox {found} works here, and it does not hold code that means harm: `coursekit doctor` says what is missing; "
            "for submissions of people you trust, add --i-trust-these-submissions"
        )
    return found


def _check_out(out: Path, submissions: Path, bundle: Path) -> None:
    here, there = out.resolve(), submissions.resolve()
    if here == there or (there.is_dir() and there in here.parents):
        raise ValueError(f"--out {out} lies among the submissions, and would be graded as one: give a folder beside them")
    if here == bundle.resolve() or bundle.resolve() in here.parents:
        raise ValueError(f"--out {out} lies in the assignment's bundle, which nothing may change: give a folder beside it")
    if out.exists() and not out.is_dir():
        raise ValueError(f"--out {out} is a file: give a folder")


def _check_book(book: Gradebook, assignment: Assignment) -> None:
    others = [name for name in book.assignments() if name != assignment.name]
    if others:  # the pages of one would be written over those of the other
        raise ValueError(f"{book.path.parent} holds grades of {others[0]}: give a folder of its own to {assignment.name}")


@contextlib.contextmanager
def alone(out: Path) -> Iterator[None]:
    """Hold the folder for this run. The lock goes with the process, however it ends.

    Raises:
        ValueError: another run holds it.
    """
    if not out.exists():
        out.mkdir(mode=0o700, parents=True)
    file = os.open(out / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            who = os.read(file, 20).decode(errors="replace").strip()
            raise ValueError(f"another `coursekit grade` is at work on {out} (process {who or 'unknown'}): wait for it") from None
        os.ftruncate(file, 0)
        os.write(file, str(os.getpid()).encode())
        yield
    finally:
        os.close(file)


class Run:
    """One run: what is to be done, and what is written down."""

    def __init__(self, assignment: Assignment, intake: Intake, book: Gradebook, summary: Summary, watch: Callable):
        self.assignment, self.intake, self.book, self.summary, self.watch = assignment, intake, book, summary, watch
        self.done, self.failed_in_a_row, self.regrade = 0, 0, False
        self.marker = summary.out / ".regrade"  # lies there while a round is under way
        self.before: dict[str, float] = {}
        self.unwritten: set[str] = set()
        self.texts: dict[str, dict[str, str]] = {}
        self.length = 0

    def plan(self, regrade: bool) -> Iterator[Work]:
        """What is to be graded, read as it is asked for."""
        name, bundle = self.assignment.name, self.assignment.sha256
        again, self.regrade = (self._round() if regrade else 0), regrade
        for submission in self.intake:
            self._keep_text(submission)
            student, sha256 = submission.student, submission.sha256
            there = self.book.has(name, student, sha256, bundle)
            if there and (not again or self.book.has(name, student, sha256, bundle, again)):
                self.summary.skipped += 1
                if not self._page(student).exists():
                    self.unwritten.add(student)
                self._tell(None)
                continue
            attempts = self.book.attempts(name, student)
            attempt = attempts.index(sha256) + 1 if sha256 in attempts else len(attempts) + 1
            yield Work(submission, attempt, again if there else 0)

    def _round(self) -> int:
        """The round of judging the same again: one that was killed in the middle goes on, or a new one begins."""
        name, bundle = self.assignment.name, self.assignment.sha256
        self.before = {grade.student: grade.points for grade in self.book.grades(name)}
        with contextlib.suppress(OSError, ValueError):
            of, number = self.marker.read_text().split()
            if of == bundle:
                return int(number)
        number = self.book.next_round(name, bundle, ())
        write_text(self.marker, f"{bundle} {number}\n")
        return number

    def write_down(self, work: Work, grade: Grade) -> None:
        """A grade: on the student's page, then into the gradebook. Killed in between, the same grade is found and written once more.

        Raises:
            OSError: so many in a row failed that it is the machine.
        """
        failed = grade.outcome == INFRASTRUCTURE
        self.failed_in_a_row = self.failed_in_a_row + 1 if failed else 0
        if not failed or not self._page(grade.student).exists():
            self._write_page(grade)
        if self.book.add(grade, work.regrade):
            self.summary.count(grade)
            before = self.before.get(grade.student)
            if work.regrade and not failed and before is not None and abs(before - grade.points) > 1e-9:
                self.summary.changed[grade.student] = (before, grade.points)
        self._tell(grade)
        if self.failed_in_a_row >= ENOUGH:
            raise OSError(
                f"{ENOUGH} submissions in a row could not be graded: {grade.reason}; mend that and start again, it goes on from here"
            )

    def finish(self) -> None:
        """Pages that somebody removed, and the report of the class."""
        from .report import class_report

        name = self.assignment.name
        grades = self.book.grades(name)
        for grade in grades:
            if grade.student in self.unwritten:
                self._write_page(grade)
        known = {grade.student for grade in grades}
        failed = {grade.student: grade for grade in self.book.errors(name) if grade.student not in known}
        write_text(self.summary.out / "report.html", class_report([*grades, *failed.values()], self._similar(), name))
        if self.regrade and not self.summary.failed:
            self.marker.unlink(missing_ok=True)

    def _tell(self, grade: Grade | None) -> None:
        self.done += 1
        self.watch(self.done, len(self.intake), grade)

    def _page(self, student: str) -> Path:
        from .feedback import feedback_file

        return self.summary.out / "feedback" / feedback_file(student)

    def _write_page(self, grade: Grade) -> None:
        from .feedback import feedback_page

        write_text(self._page(grade.student), feedback_page(grade, self.book.manual(self.assignment.name, grade.student), grade.assignment))

    def _keep_text(self, submission: Submission) -> None:
        """The answers, for comparing them with each other; of a class so large that they fill the memory, none."""
        cells = [cell for each in submission.notebooks.values() for cell in each if cell.exercise and cell.source]
        self.length += sum(len(cell.source) for cell in cells)
        if self.length <= MOST_TEXT:
            self.texts[submission.student] = {cell.exercise: cell.source for cell in cells}
        else:
            self.texts.clear()

    def _similar(self) -> list:
        if self.length > MOST_TEXT or len(self.texts) < 2:
            return []
        from .similarity import similar

        return similar(self.texts, {task.name: [task.solution, task.given] for task in self.assignment.tasks})
