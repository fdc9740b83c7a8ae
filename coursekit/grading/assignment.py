"""An assignment: what a learner gets, and, apart from it, everything that a grade depends on.

    DIR/release/*.ipynb                    to hand out
    DIR/grader/assignment.json             tasks, kits, the secret, hashes; only its owner can read it
    DIR/grader/frozen/coursekit/**/*.py    the references as they were on the day

Reading one imports no torch: the process that writes the gradebook needs none.
"""

import dataclasses
import difflib
import hashlib
import json
import os
import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import coursekit

if TYPE_CHECKING:
    from coursekit.exercises.core import Exercise

FORMAT = 1
COURSE = "Pixels to Boxes"
FILE = "assignment.json"


@dataclass(frozen=True)
class Kit:
    """All that the process of a learner's answer gets of an exercise: nothing that anybody may not know.

    Args:
        packages: third-party packages that may be imported.
        files: modules of coursekit that may be imported, path to source, cut down to what is needed.
        setup: the author's definitions above the exercise that it needs, a statement each, in order; a failing one is passed over.
        needs: earlier exercises of the notebook whose answers this one uses, in order.
        answer: the expression that the notebook hands to check.
        driver: source of the exercise's ``drive`` and of what it uses.
        driver_name: what the driver is called there.
        parameters: names of the arguments of a case.
        in_place: the answer is meant to change its arguments.
        watched: dotted names of twins that can be imported with all this.
        allowed: dotted names inside which a twin may be called.
    """

    packages: tuple[str, ...]
    files: dict[str, str]
    setup: tuple[str, ...]
    needs: tuple[str, ...]
    answer: str
    driver: str | None
    driver_name: str | None
    parameters: tuple[str, ...]
    in_place: bool
    watched: tuple[str, ...]
    allowed: tuple[str, ...]

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> "Kit":
        return cls(**{name: tuple(value) if isinstance(value, list) else value for name, value in record.items()})


@dataclass(frozen=True)
class Task:
    """One exercise of an assignment.

    Args:
        name: ``"13.box_iou"``.
        points: what it is worth here.
        notebook: ``"13_boxes"``.
        module: where the exercise is defined.
        parameters: of a variant; None for an exercise of the course.
        kit: what a learner's process gets.
        solution: the author's solved cell, which later exercises fall back on.
        drawn: do its cases vary with the seed? Where not, a table of answers could pass.
        given: what students get in its cell, where that does something already (a bug to find): what it can do earns nothing.
    """

    name: str
    points: float
    notebook: str
    module: str
    parameters: dict[str, Any] | None
    kit: Kit
    solution: str
    drawn: bool = True
    given: str = ""

    @property
    def exercise(self) -> "Exercise":
        """The exercise itself: reference, cases, comparer. Only for a process that no answer runs in."""
        if self.parameters is not None:
            from coursekit.grading import variants

            return variants.build(self.name, self.parameters)
        from coursekit.exercises.core import find

        return find(self.name)

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> "Task":
        return cls(**{**record, "kit": Kit.from_json(record["kit"])})


@dataclass(frozen=True)
class Assignment:
    """What is graded, and everything that a grade depends on.

    Args:
        name: ``"hw3"``.
        course: its name, which seeds depend on.
        secret: from which seeds are derived.
        tasks: what is graded, in order.
        rubrics: of what is marked by hand.
        released: by notebook, the `source_hash` of every code cell that was handed out.
        versions: of coursekit, python, numpy and torch when it was made.
        left_out: exercises of these notebooks that no machine grades, and why.
        frozen: SHA-256 of each source under ``frozen/``.
        sha256: of everything above.
    """

    name: str
    course: str
    secret: bytes
    tasks: tuple[Task, ...]
    rubrics: tuple[dict, ...]
    released: dict[str, tuple[str, ...]]
    versions: dict[str, str]
    left_out: dict[str, str] = field(default_factory=dict)
    frozen: dict[str, str] = field(default_factory=dict)
    sha256: str = ""

    @property
    def points(self) -> float:
        """Of all tasks; what is marked by hand comes on top."""
        return sum(task.points for task in self.tasks)

    def task(self, name: str) -> Task:
        """The task of that name.

        Raises:
            ValueError: with the nearest name that there is.
        """
        found = {task.name: task for task in self.tasks}
        if name not in found:
            raise ValueError(f"assignment {self.name} has no exercise {name!r}{nearest(name, found)}")
        return found[name]

    def to_json(self) -> dict[str, Any]:
        record = dataclasses.asdict(self)
        return {"format": FORMAT, **record, "secret": self.secret.hex()}

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> "Assignment":
        record = {name: value for name, value in record.items() if name != "format"}
        record["secret"] = bytes.fromhex(record["secret"])
        record["tasks"] = tuple(Task.from_json(task) for task in record["tasks"])
        record["rubrics"] = tuple(record["rubrics"])
        record["released"] = {name: tuple(hashes) for name, hashes in record["released"].items()}
        return cls(**record)


def source_hash(source: str) -> str:
    """SHA-256 of a cell's source as `Assignment.released` holds it; blanks at the ends of lines and of the cell do not count."""
    lines = source.replace("\r\n", "\n").rstrip().split("\n")
    return hashlib.sha256("\n".join(line.rstrip() for line in lines).encode("utf-8", "surrogatepass")).hexdigest()


def digest(assignment: Assignment) -> str:
    """SHA-256 over everything but itself."""
    record = {**assignment.to_json(), "sha256": ""}
    return hashlib.sha256(json.dumps(record, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def _text(assignment: Assignment) -> str:
    return json.dumps(assignment.to_json(), indent=1, ensure_ascii=False) + "\n"


def nearest(name: str, there: Iterable[str]) -> str:
    """What else a name could have been, to end a sentence with."""
    close = difflib.get_close_matches(name, list(there), n=1, cutoff=0.4)
    return f"; did you mean {close[0]}?" if close else f"; there are {', '.join(there)}"


def make(
    numbers: Sequence[str],
    out: str | Path,
    name: str | None = None,
    points: Mapping[str, float] | None = None,
    variants: int | Sequence[str] = 0,
    rubrics: Sequence[dict] = (),
    sources: str | Path | None = None,
) -> Assignment:
    """Make an assignment of some notebooks.

    Args:
        numbers: of the notebooks, ``"13"``.
        out: folder that gets ``release/`` and ``grader/``.
        name: of the assignment; the folder's name without.
        points: of an exercise, where it is not worth its own.
        variants: how many families of variants to draw for these notebooks, or their names.
        rubrics: of what is marked by hand, as `coursekit.grading.rubric` reads them.
        sources: folder of the notebooks' sources; the course's own without.

    Returns:
        The assignment, as `read_bundle` reads it.

    Raises:
        ValueError: for a notebook, exercise or family that there is not (with the nearest), points below 0, or nothing to grade.
        FileExistsError: where there is an assignment already.
    """
    from coursekit.grading import frozen, making, release

    out = Path(out)
    for folder in (out / "release", out / "grader"):
        if folder.exists():
            raise FileExistsError(f"{folder} exists already, and an assignment is never written over another one: give another folder")
    name = name or out.resolve().name
    if not re.fullmatch(r"[\w.-]{1,60}", name) or name.startswith((".", "-")):
        raise ValueError(f"the name of an assignment is up to 60 letters, digits, dots, hyphens and underscores, got {name!r}")
    paths = making.sources_of(numbers, sources)
    secret = secrets.token_bytes(32)
    drawn = release.draw_variants(secret, name, [path.name[:2] for path in paths], variants)
    tasks, left_out = making.tasks_of(paths, drawn)
    tasks = making.with_points(tasks, dict(points or {}), left_out)
    if not tasks:
        raise ValueError(" ".join([f"nothing in notebook {', '.join(numbers)} can be graded.", *why_left_out(left_out)]))
    sources_now = frozen.sources()
    notebooks = release.notebooks(name, paths, tasks, left_out, drawn, rubrics)
    assignment = Assignment(
        name, COURSE, secret, tuple(tasks), tuple(rubrics), release.hashes(notebooks), versions(), left_out, frozen.hashes(sources_now)
    )
    assignment = dataclasses.replace(assignment, sha256=digest(assignment))
    release.write(out / "release", notebooks)
    _write(out / "grader", assignment, sources_now)
    return assignment


def why_left_out(left_out: Mapping[str, str]) -> list[str]:
    """A sentence for each reason why no machine grades some exercises."""
    names: dict[str, list[str]] = {}
    for name, reason in left_out.items():
        names.setdefault(reason, []).append(name)
    return [f"{', '.join(those)} cannot be graded by machine: {reason}." for reason, those in names.items()]


def versions() -> dict[str, str]:
    """Of what a grade depends on and we do not freeze."""
    import platform
    from importlib.metadata import version

    return {"coursekit": coursekit.__version__, "python": platform.python_version(), "numpy": version("numpy"), "torch": version("torch")}


def _write(folder: Path, assignment: Assignment, sources: dict[str, bytes]) -> None:
    """The grader's side: nobody else may read the secret."""
    from coursekit.grading import frozen

    folder.mkdir(mode=0o700, parents=True)
    frozen.write(folder, sources)
    descriptor = os.open(folder / FILE, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(_text(assignment))


def read_bundle(folder: str | Path) -> Assignment:
    """Read the grader's side of an assignment.

    Args:
        folder: ``DIR/grader``.

    Raises:
        FileNotFoundError: if it is no such folder.
        ValueError: naming what was changed, added or taken away since it was made.
    """
    folder = Path(folder)
    path = folder / FILE
    if not path.is_file():
        there = (folder / "grader" / FILE).is_file()
        raise FileNotFoundError(f"{folder} holds no {FILE}" + (f": did you mean {folder / 'grader'}?" if there else ""))
    changed = ValueError(
        f"{path} was changed since the assignment was made, so its grades would not be the same: take the copy that you kept"
    )
    try:
        text = path.read_bytes().decode("utf-8")
        record = json.loads(text)
        if record.get("format") != FORMAT:
            raise ValueError(f"{path} is of format {record.get('format')!r}, and this coursekit reads {FORMAT}")
        assignment = Assignment.from_json(record)
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError, KeyError, TypeError, AttributeError):
        raise changed from None
    if _text(assignment) != text or digest(assignment) != assignment.sha256:
        raise changed
    from coursekit.grading import frozen

    if problem := frozen.problem(folder, assignment.frozen):
        raise ValueError(problem)
    return assignment
