"""The metadata is what nbgrader itself accepts. Only where nbgrader is installed: it is no dependency of ours."""

import pytest

from coursekit.authoring.convert import checksum, convert

SOURCE = """# %%
from coursekit.notebook import check, start
start("13_boxes")

# %% exercise="13.box_iou"
def box_iou(boxes1, boxes2):
    ### BEGIN SOLUTION
    return 1
    ### END SOLUTION

box_iou = check("13.box_iou", box_iou)
"""


@pytest.mark.parametrize("edition", ["self-study", "class", "solved"])
def test_nbgraders_own_validator_accepts_it(tmp_path, edition):
    reason = "nbgrader is not installed, which is fine"
    nbgraderformat = pytest.importorskip("nbgrader.nbgraderformat", reason=reason)
    utils = pytest.importorskip("nbgrader.utils", reason=reason)
    path = tmp_path / "13_boxes.py"
    path.write_text(SOURCE)
    notebook = convert(path, edition)
    nbgraderformat.MetadataValidator().validate_nb(notebook)
    for cell in notebook.cells:
        if "nbgrader" in cell.metadata:
            assert checksum(cell.source, cell.cell_type, cell.metadata.nbgrader) == utils.compute_checksum(cell)
