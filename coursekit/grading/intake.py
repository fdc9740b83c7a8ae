"""What came back from a class, one submission after the other: folders, zips, and the ways in which Canvas and Moodle name things.

    alice/13_boxes.ipynb, alice/anything/20_map.ipynb, alice.zip, alice--13_boxes.ipynb, alice.ipynb
    Canvas:   kimdana_12345_67890_13_boxes.ipynb, kimdana_LATE_12345_67890_13_boxes-1.ipynb
    Moodle:   Dana Kim_1234_assignsubmission_file_/13_boxes.ipynb, or without folders Dana Kim_1234_assignsubmission_file_13_boxes.ipynb

A folder of these, or a zip of them, with or without a folder around. Which notebook a file is, its cells decide, not its name.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from .assignment import FILE, Assignment
from .handed_in import Node, Unreadable, files_below, is_junk, tree_at
from .names import distinct, safe_name, shown
from .papers import Scorer, is_paper
from .submission import MOST_FILES, Reader, Submission, is_notebook, is_script

__all__ = ["Intake", "Submission", "submissions_in"]

MOODLE = re.compile(r"(?s)(.+)_(\d+)_assignsubmission_(?:file|onlinetext)_?(.*)")
LONGEST = 400  # characters; longer names are taken as they are, and follow no platform's pattern
CANVAS = re.compile(r"(?s)([^_]+)_(LATE_)?(\d+)_(\d+)(?:_(.+)|$)")


@dataclass
class Owner:
    """What belongs to one student, before it is read."""

    raw: str
    nodes: list[Node] = field(default_factory=list)
    late: bool = False


class Intake:
    """The submissions at a place. Iterating reads them one after the other, so that thousands need no more memory than one.

    Args:
        path: a folder, a zip, or one notebook.
        assignment: whose exercises are looked for.
        mtime: take a file's own time as the time of handing in. Copying changes it, so it must be asked for.
        times: when each student handed in, ISO 8601 with a zone, by name or number; it counts before everything else.
        papers: look also at what lies beside the notebooks, for marking by hand; scorer: see `papers.papers_of`.

    Raises:
        FileNotFoundError, ValueError: if there is nothing there, or no submission in it.
    """

    def __init__(
        self,
        path: Path | str,
        assignment: Assignment,
        mtime: bool = False,
        times: Mapping[str, str] | None = None,
        papers: bool = False,
        scorer: Scorer | None = None,
    ):
        path, self.papers, self.scorer = Path(path), papers, scorer
        _refuse_bundle(path)
        self.assignment, self.mtime, self.times = assignment, mtime, dict(times or {})
        self.zipped = path.is_file()
        self.stems = tuple(dict.fromkeys(task.notebook for task in assignment.tasks))
        self.ignored: list[str] = []
        try:
            root = _root(tree_at(path), self.stems, self.zipped)
            self.owners = self._named(_owners(root, self.stems, self.ignored, papers))
        except Unreadable as problem:
            raise ValueError(f"{path} {problem}") from None
        if not self.owners:
            more = f"; it holds {', '.join(self.ignored[:3])}" if self.ignored else ""
            wanted = f"folders or zips of students, or notebooks named student--{self.stems[0]}.ipynb"
            raise ValueError(f"there is no submission in {path}: expected {wanted}{more}")

    def __len__(self) -> int:
        return len(self.owners)

    def __iter__(self) -> Iterator[Submission]:
        reader = Reader(self.assignment, self.papers, self.scorer)
        for student, owner in self.owners.items():
            try:
                submission = reader.read(student, owner.nodes, owner.late)
                yield reader.with_time(submission, self._submitted(student, owner))
            except (Exception, RecursionError) as error:  # whatever a file can be made to do to us, the others are graded
                yield Submission(student, reader.nothing(owner.raw), {}, problem=f"It could not be read ({type(error).__name__}).")

    def _named(self, found: dict[str, Owner]) -> dict[str, Owner]:
        """By safe name. Two whose safe names are the same, as with letters that are written in two ways, are kept apart."""
        named: dict[str, Owner] = {}
        for raw in sorted(found, key=lambda raw: (safe_name(raw) != raw, raw)):
            name = safe_name(raw)
            named[name if name not in named else distinct(name, raw)] = found[raw]
        return dict(sorted(named.items()))

    def _submitted(self, student: str, owner: Owner) -> str | None:
        numbers = [part for part in student.split("_")[-1:] if part.isdigit()]
        for name in (student, owner.raw, *numbers):
            if name in self.times:
                return datetime.fromisoformat(self.times[name]).astimezone(UTC).isoformat(timespec="seconds")
        known = [node.time for node in owner.nodes if node.time is not None and (node.children is None or node.zipped)]
        if self.mtime or self.zipped:  # a zip of the learning platform holds the times of handing in
            known += [t for node in owner.nodes if node.is_folder and (t := _newest(node)) is not None]
            if known:
                return datetime.fromtimestamp(max(known), UTC).isoformat(timespec="seconds")
        return None


def submissions_in(path: Path | str, assignment: Assignment, **options) -> Iterator[Submission]:
    """Every submission at a place, in order of the students' names. Arguments and errors are those of `Intake`."""
    yield from Intake(path, assignment, **options)


def _refuse_bundle(path: Path) -> None:
    if any((folder / FILE).is_file() for folder in (path, path / "grader")) and path.is_dir():
        raise ValueError(f"{path} is the assignment itself: give the folder or zip of what the students handed in")


def _newest(folder: Node) -> float | None:
    """Of all files in a folder."""
    return max((node.time for _, node in files_below([folder], MOST_FILES) if node.time is not None and not node.problem), default=None)


# who handed in what


def _children(node: Node) -> list[Node]:
    return [child for child in node.children() if not is_junk(child.name)]


def _root(node: Node, stems: tuple[str, ...], zipped: bool) -> Node:
    """Leave out folders that only wrap in a zip that the teacher names; what one student handed in could look like a class, too.

    Raises:
        Unreadable: where a folder's only folder looks like one: whose it is only the teacher knows.
    """
    for _ in range(4):
        inside = _children(node)
        if len(inside) != 1 or not inside[0].is_folder or MOODLE.fullmatch(inside[0].name[:LONGEST]) or not _is_class(inside[0], stems):
            break
        if not zipped:
            name = shown(inside[0].name)
            raise Unreadable(
                f"holds one folder, {name}, with several submissions in it: if they are the class's, give the folder {name}; "
                "if it is one student's, put the notebooks directly into it"
            )
        node = inside[0]
    return node


def _is_class(node: Node, stems: tuple[str, ...]) -> bool:
    """Does this look like what several students handed in, and not like one student's folder?"""
    try:
        inside = _children(node)
    except Unreadable:
        return False
    folders = [n for n in inside if n.is_folder]
    files = [n for n in inside if n.children is None and is_notebook(n.name)]
    marked = any(MOODLE.fullmatch(n.name) or CANVAS.fullmatch(n.name) or "--" in n.name for n in inside if len(n.name) <= LONGEST)
    strangers = [n for n in files if len(n.name) > LONGEST or _without_stem(_bare(n.name), stems) is None]
    only = len(inside) == 1 and bool(folders) and _is_class(folders[0], stems)
    return marked or only or len(folders) >= 2 or (len(files) >= 2 and len(strangers) == len(files)) or _zips(inside) >= 2


def _zips(nodes: list[Node]) -> int:
    return sum(node.zipped for node in nodes)


def _owners(root: Node, stems: tuple[str, ...], ignored: list[str], papers: bool) -> dict[str, Owner]:
    """By raw name. Notebooks without any student's name are those of one student whose folder this is, unless there are others."""
    found: dict[str, Owner] = {}
    owned = [(node, _owner(node, stems, papers)) for node in _children(root)]
    several = any(whose and whose[0] for _, whose in owned)
    for node, whose in owned:
        if whose is None or (several and not whose[0]):
            ignored.append(shown(node.name))
            continue
        raw, late = whose[0] or root.name, whose[1]
        owner = found.setdefault(raw, Owner(raw))
        owner.nodes.append(node)
        owner.late |= late
    return found


def _owner(node: Node, stems: tuple[str, ...], papers: bool) -> tuple[str, bool] | None:
    """(student, marked as late) of something at the top; None for what is no submission, no name where it only names the notebook."""
    if len(node.name) > LONGEST:
        return node.name, False
    if match := MOODLE.fullmatch(node.name):
        return f"{match[1]}_{match[2]}", False
    if node.is_folder:
        return node.name, False
    name = _bare(node.name)
    known = CANVAS.fullmatch(name)
    if known and min(len(known[3]), len(known[4])) > 1:
        return f"{known[1]}_{known[3]}", bool(known[2])
    beside = papers and is_paper(node.name) and "--" in node.name  # alice--report.md; without a name it is anybody's
    if not (is_notebook(node.name) or is_script(node.name) or node.zipped or node.problem or beside):
        return None
    if "--" in name:
        return name.rpartition("--")[0] or name, False
    student = _without_stem(name, stems)
    if student is None:
        return name, False
    known = CANVAS.fullmatch(student)
    if known:
        return f"{known[1]}_{known[3]}", bool(known[2])
    return student, False


def _bare(name: str) -> str:
    """A file's name without its ending."""
    return re.sub(r"(?i)(\.ipynb(\.json|\.txt)?|\.py|\.zip|\.json)$", "", name)


def _without_stem(name: str, stems: tuple[str, ...]) -> str | None:
    """What stands before the notebook's own name: a student, or nothing; None where it is not named like a notebook."""
    behind = r"[-_ ]*(?:copy|solved|final)?[-_ ]*\(?\d{0,3}\)?"
    for stem in stems:
        match = re.fullmatch(rf"(?si)(?:copy of )?(.*?)[-_ ]*{re.escape(stem)}{behind}", name)
        if match:
            return match[1]
    return None
