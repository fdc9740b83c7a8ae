"""Notebook 24 on a folder of one's own: a learner changes one line, and every cell below works on their pictures, boxes or classes."""

from pathlib import Path

import nbformat
import pytest

from coursekit.authoring.convert import convert
from coursekit.authoring.rehearse import rehearse
from coursekit.data.image_folder import write_image_folder
from coursekit.data.signs import SignCrops, write_signs

SOURCE = Path(__file__).parents[2] / "solutions" / "24_project.py"
NAMES = ("stop", "yield", "no_entry")


def boxes(folder):
    """A set in YOLO's format that is split already, without a test part."""
    options = {"format": "yolo", "size": 96, "difficulty": "easy", "classes": NAMES}
    for split, length, seed in (("train", 40, 1), ("val", 16, 2)):
        write_signs(folder, length, seed=seed, split=split, **options)


def classes(folder):
    """A folder for each class, with one picture twice and one under two classes."""
    crops = SignCrops(90, seed=3, size=40, classes=NAMES)
    write_image_folder((crops[i] for i in range(90)), NAMES, folder)
    (folder / "stop" / "copy.png").write_bytes((folder / "stop" / "00001.png").read_bytes())
    (folder / "stop" / "doubtful.png").write_bytes((folder / "yield" / "00002.png").read_bytes())


@pytest.mark.full
@pytest.mark.parametrize("make", [boxes, classes], ids=["boxes", "classes"])
def test_one_line_changed_and_it_works_on_a_folder_of_ones_own(make, tmp_path):
    folder = tmp_path / "my pictures"
    make(folder)
    notebook = convert(SOURCE, "solved")
    (cell,) = (cell for cell in notebook.cells if cell.source.startswith("MY_DATA = None"))
    cell.source = cell.source.replace("MY_DATA = None", f"MY_DATA = {str(folder)!r}", 1)
    path = tmp_path / "24_project.ipynb"
    nbformat.write(notebook, path)
    before = sorted((file, file.stat().st_size) for file in folder.rglob("*"))
    found = rehearse(path, "smoke", tmp_path / "place")
    assert found.good, found.said
    assert sorted((file, file.stat().st_size) for file in folder.rglob("*")) == before, "the original stays as it is"
    kept = {file.name for file in (tmp_path / "place").rglob("project/**/*") if file.is_file()}
    assert {"data_card.json", "baseline.json", "ablation.json", "ap_report.json", "report.md", "submission.csv"} <= kept
