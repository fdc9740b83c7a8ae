"""One student's submission, read: its notebooks' cells, a hash of its bytes, and notes on what was odd about its files."""

import dataclasses
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .assignment import Assignment, source_hash
from .cells import Cell, Found, Wanted, answered, assign, read_notebook, read_script
from .handed_in import LARGEST_FILE, MEGABYTE, Node, Unreadable, files_below
from .names import natural, shown
from .papers import Paper, Scorer, is_paper, papers_of

MOST_FILES = 2_000
LARGEST = 200 * MEGABYTE
MOST_NOTES = 12


@dataclass(frozen=True)
class Submission:
    """What one student handed in.

    Args:
        student: a name that is safe to store, to show and to name files after.
        sha256: of the bytes of all notebooks handed in, whatever they are called and in whatever order they lie.
        notebooks: cells in order, by the notebook's name in the assignment, ``13_boxes``.
        submitted: UTC, ISO 8601, where known.
        notes: what was odd about the files, a sentence each without a full stop.
        problem: one sentence on why it cannot be graded, or None.
        papers: what lies beside the notebooks, where it was asked for: for marking by hand only.
    """

    student: str
    sha256: str
    notebooks: dict[str, tuple[Cell, ...]]
    submitted: str | None = None
    notes: tuple[str, ...] = ()
    problem: str | None = None
    papers: tuple[Paper, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """For the process that grades, which gets no papers."""
        record = dataclasses.asdict(dataclasses.replace(self, papers=()))
        del record["papers"]
        return record

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> "Submission":
        notebooks = {name: tuple(Cell(**cell) for cell in cells) for name, cells in record["notebooks"].items()}
        return cls(**{**record, "notebooks": notebooks, "notes": tuple(record.get("notes", ()))})


def is_notebook(name: str) -> bool:
    """Also where a browser hung something on."""
    return name.lower().endswith((".ipynb", ".ipynb.json", ".ipynb.txt"))


def is_script(name: str) -> bool:
    return name.lower().endswith(".py")


@dataclass(frozen=True)
class File:
    """A notebook among a student's files.

    Args:
        answers: names of the assignment's exercises that it says something about.
        touched: some cell is not as it was handed out.
        rank: sorts the newest and last one to the end.
    """

    name: str
    cells: tuple[Found, ...]
    answers: frozenset[str]
    touched: bool
    rank: tuple


class Reader:
    """Reads submissions to one assignment.

    Args:
        papers: look also at what lies beside the notebooks.
        scorer: what says something about a project's submission.csv.
    """

    def __init__(self, assignment: Assignment, papers: bool = False, scorer: Scorer | None = None):
        self.papers, self.scorer = papers, scorer
        self.wanted: dict[str, list[Wanted]] = {}
        for task in assignment.tasks:
            self.wanted.setdefault(task.notebook, []).append(Wanted(task.name, task.kit.answer))
        self.released = frozenset(h for hashes in assignment.released.values() for h in hashes)

    def nothing(self, name: str) -> str:
        """A hash that stands for a submission without anything to hash."""
        return hashlib.sha256(b"nothing\0" + name.encode("utf-8", "surrogatepass")).hexdigest()

    def with_time(self, submission: Submission, submitted: str | None) -> Submission:
        return dataclasses.replace(submission, submitted=submitted)

    def read(self, student: str, nodes: Sequence[Node], late: bool = False) -> Submission:
        """A submission, whatever the files are: what cannot be read is noted, and only where nothing can be is it a problem."""
        notes = ["handed in late, says the learning platform"] if late else []
        digests, others, beside, files, left = [], [], [], [], LARGEST
        problems = []
        for path, node in files_below(list(nodes), MOST_FILES):
            name = shown(path.rpartition("/")[2])
            if self.papers and is_paper(path):
                beside.append((path, node))
                continue
            if not (is_notebook(path) or is_script(path) or node.zipped or node.problem):
                others.append(name)
                continue
            try:
                raw = self._bytes(node, left)
                digests.append(hashlib.sha256(raw).hexdigest())
                left -= len(raw)
                files.append(self._file(name, node, raw))
            except Unreadable as problem:
                problems.append(f"{name} {problem}")
                digests.append(hashlib.sha256(f"{name}\0{problem}".encode("utf-8", "surrogatepass")).hexdigest())
        notebooks = self._notebooks(files, notes)
        scripts = [file.name for file in files if is_script(file.name) and not file.answers]
        if scripts and notebooks:
            notes.append(f"{', '.join(scripts[:3])} lies beside the notebook, which cannot import it here")
        sha256 = (
            hashlib.sha256("\n".join(sorted(set(digests))).encode()).hexdigest() if digests else self.nothing("\n".join(sorted(others)))
        )
        papers = papers_of(beside, self.scorer)
        reason = None if notebooks or papers else self._reason(problems, files, others)
        notes += problems if notebooks else []
        return Submission(student, sha256, notebooks, None, tuple(notes[:MOST_NOTES]), reason, papers)

    def _bytes(self, node: Node, left: int) -> bytes:
        if node.problem or node.read is None:
            raise Unreadable(node.problem or "lies too deep")
        if node.zipped:
            raise Unreadable("is a zip inside a zip, which is not opened")
        if left <= 0:
            raise Unreadable(f"is not read: there are more than {LARGEST // MEGABYTE} MB of files")
        return node.read(min(LARGEST_FILE, max(left, MEGABYTE)))

    def _file(self, name: str, node: Node, raw: bytes) -> File:
        cells = tuple(read_script(raw) if is_script(name) else read_notebook(raw))
        answers = self._answers(cells, name)
        touched = any(cell.kind == "code" and source_hash(cell.source) not in self.released for cell in cells)
        when = int((node.time or 0) // 2)  # a zip counts in steps of two seconds
        return File(name, cells, answers, touched, (not is_script(name), touched, when, natural(name)))

    def _answers(self, cells: Sequence[Found], file: str) -> frozenset[str]:
        """What a file answers. A name that two notebooks ask for, such as ``decode``, counts for the one that the rest of it is of."""
        by_stem = {stem: answered(cells, wanted) for stem, wanted in self.wanted.items()}
        asked = [want.answer for wanted in self.wanted.values() for want in wanted]
        shared = {want.name: want.answer for wanted in self.wanted.values() for want in wanted if asked.count(want.answer) > 1}
        claims = {claim for cell in cells for claim in cell.claims}
        for answer in set(shared.values()):
            names = {name for name in shared if shared[name] == answer}
            own = {
                stem: (len(there - set(shared)), len(there & claims), _called(file, stem))
                for stem, there in by_stem.items()
                if there & names
            }
            for stem in own:
                if own[stem] < max(own.values()):
                    by_stem[stem] = by_stem[stem] - names
        return frozenset().union(*by_stem.values())

    def _notebooks(self, files: Sequence[File], notes: list[str]) -> dict[str, tuple[Cell, ...]]:
        notebooks = {}
        for stem, wanted in self.wanted.items():
            names = {want.name for want in wanted}
            those = [file for file in files if file.answers & names] or [f for f in files if is_notebook(f.name) and _called(f.name, stem)]
            if not those:
                continue
            cells = [cell for file in self._chosen(those, names, stem, notes) for cell in file.cells]
            notebooks[stem], more = assign(cells, wanted, self.released)
            notes += more
        return notebooks

    def _chosen(self, files: Sequence[File], names: set[str], stem: str, notes: list[str]) -> list[File]:
        """The newest file, and those that answer other exercises than it does: a notebook that was cut in two."""
        ranked = sorted(files, key=lambda file: file.rank, reverse=True)
        chosen, seen, left_out = [ranked[0]], set(ranked[0].answers & names), []
        for file in ranked[1:]:
            theirs = file.answers & names
            if theirs and file.touched and not theirs & seen:
                chosen.append(file)
                seen |= theirs
            elif is_notebook(file.name):
                left_out.append(file.name)
        if len(chosen) > 1:
            notes.append(f"{stem} was handed in as {len(chosen)} files, read one after the other")
        if left_out:
            notes.append(f"{len(left_out) + 1} files hold {stem}: {ranked[0].name}, the newest, counts, and not {', '.join(left_out[:3])}")
        return sorted(chosen, key=lambda file: natural(file.name))

    def _reason(self, problems: list[str], files: Sequence[File], others: list[str]) -> str:
        """Why there is nothing to grade."""
        if problems:
            more = f" ({len(problems) - 1} more like it)" if len(problems) > 1 else ""
            return f"{problems[0]}{more}."
        if files:
            return f"{files[0].name} holds no exercise of this assignment."
        if others:
            return f"There is no notebook among what was handed in: {', '.join(others[:3])}{' …' if len(others) > 3 else ''}."
        return "Nothing was handed in: the folder is empty."


def _called(file: str, stem: str) -> bool:
    return stem.casefold() in file.casefold()
