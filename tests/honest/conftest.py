"""A class of honest people, graded once through the real pipeline: intake, judges, sandbox, gradebook."""

import copy
import dataclasses
import io
import json
import zipfile
from pathlib import Path

import pytest

from coursekit.grading import assignment as assignments
from coursekit.grading.batch import grade_all
from coursekit.grading.gradebook import Gradebook
from coursekit.grading.probe import probe
from coursekit.grading.sandbox import TRUSTWORTHY

EXERCISES = ("13.box_convert", "13.box_iou", "13.giou", "20.pr_curve", "20.ap_at_points", "20.rank")


class Paper:
    """What somebody hands in: the notebooks as they were handed out, every exercise solved, to be changed from there.

    Attributes:
        notebooks: cells by notebook, as in a file of nbformat 4.5.
        ours: the author's cell of each exercise.
    """

    def __init__(self, released: dict[str, dict], ours: dict[str, str]):
        self.files, self.ending, self.zipped = copy.deepcopy(released), "ipynb", False
        self.notebooks = {stem: content["cells"] for stem, content in self.files.items()}
        self.ours = ours
        self.stubs = {name: self.source(name) for name in ours}
        for name in ours:
            self.put(name, ours[name])

    def find(self, name: str) -> tuple[list, int]:
        """The cells of an exercise's notebook, and where its own stands."""
        for cells in self.notebooks.values():
            for place, cell in enumerate(cells):
                if cell["metadata"].get("coursekit", {}).get("exercise") == name and "check" not in cell["id"]:
                    return cells, place
        raise KeyError(name)

    def source(self, name: str) -> str:
        """What stands in an exercise's cell."""
        cells, place = self.find(name)
        return cells[place]["source"]

    def put(self, name: str, source: str) -> None:
        """Write into an exercise's cell."""
        cells, place = self.find(name)
        cells[place]["source"] = source

    def answer(self, name: str, source: str) -> None:
        """Write a definition into it, with the check that the notebook has below."""
        short = name.partition(".")[2]
        self.put(name, f'{source}\n\n\n{short} = check("{name}", {short})')

    def above(self, name: str, *sources: str) -> None:
        """Insert code cells."""
        cells, place = self.find(name)
        cells[place:place] = [code(source) for source in sources]

    def below(self, name: str, *sources: str) -> None:
        """Insert code cells."""
        cells, place = self.find(name)
        cells[place + 1 : place + 1] = [code(source) for source in sources]

    def only(self, stem: str) -> None:
        """Hand in one notebook of the two."""
        self.files = {stem: self.files[stem]}

    def write(self, folder: Path) -> None:
        """Lay it into a student's folder."""
        folder.mkdir(parents=True)
        written = {f"{stem}.{self.ending}": self._text(content).encode() for stem, content in self.files.items()}
        if self.zipped:
            out = io.BytesIO()
            with zipfile.ZipFile(out, "w") as archive:
                for name, content in written.items():
                    archive.writestr(f"homework/{name}", content)
            written = {"homework.zip": out.getvalue()}
        for name, content in written.items():
            (folder / name).write_bytes(content)

    def _text(self, content: dict) -> str:
        if self.ending == "ipynb":
            return json.dumps(content)
        parts = []
        for cell in content["cells"]:
            is_code = cell["cell_type"] == "code"
            parts.append(f"# %%\n{cell['source']}" if is_code else "# %% [markdown]\n# " + cell["source"].replace("\n", "\n# "))
        return "\n\n".join(parts)


def code(source: str) -> dict:
    return {"cell_type": "code", "metadata": {}, "source": source, "outputs": [], "execution_count": 3}


@pytest.fixture(scope="session")
def homework(tmp_path_factory) -> Path:
    """An assignment of six exercises of two notebooks."""
    out = tmp_path_factory.mktemp("homework") / "hw"
    made = assignments.make(["13", "20"], out, name="hw")
    few = dataclasses.replace(made, tasks=tuple(task for task in made.tasks if task.name in EXERCISES))
    few = dataclasses.replace(few, sha256=assignments.digest(few))
    (out / "grader" / assignments.FILE).write_text(assignments._text(few), encoding="utf-8")
    return out


@pytest.fixture(scope="session")
def paper(homework):
    """A fresh paper."""
    found = assignments.read_bundle(homework / "grader")
    released = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in (homework / "release").glob("*.ipynb")}
    for content in released.values():
        for cell in content["cells"]:
            cell["source"] = "".join(cell["source"])
    ours = {task.name: task.solution for task in found.tasks}
    return lambda: Paper(released, ours)


@pytest.fixture(scope="session")
def grade_class(homework, tmp_path_factory):
    """``grade_class(folder)``: everything in it graded, by student."""
    if not any(tier.works for tier in probe() if tier.name in TRUSTWORTHY):
        pytest.skip("no sandbox that can be trusted works here: " + "; ".join(f"{tier.name}: {tier.why}" for tier in probe()))

    def grade(folder: Path) -> dict:
        out = tmp_path_factory.mktemp("graded")
        summary = grade_all(folder, homework / "grader", out, jobs=2)
        assert summary.failed == 0, summary.reasons
        with Gradebook(out / "gradebook.sqlite") as book:
            return {grade.student: grade for grade in book.grades()}

    return grade
