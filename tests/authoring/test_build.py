"""Notebooks are what their sources build. Sources here are small; the real ones are built by `coursekit build --check`."""

import hashlib
import json

import nbformat
import pytest

import coursekit
from coursekit.authoring import SourceError, build
from coursekit.authoring.convert import convert, write_text

SOURCE = '''# %% [markdown]
# # Boxes (상자)

# %%
from coursekit.notebook import check, start
start("13_boxes")

# %% exercise="13.box_iou"
def box_iou(boxes1, boxes2):
    """Doc."""
    ### BEGIN SOLUTION
    secret = 1
    return secret
    ### END SOLUTION


box_iou = check("13.box_iou", box_iou)

# %% tags=["train"]
print("same")

# %%
print("same")
'''


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "solutions").mkdir()
    return tmp_path / "solutions"


@pytest.fixture
def source(folder):
    path = folder / "13_boxes.py"
    path.write_text(SOURCE, encoding="utf-8")
    return path


def cells_of(path, edition="self-study"):
    return convert(path, edition).cells


def test_students_get_a_stub_and_no_solution(source):
    text = write_text(convert(source))
    assert "secret" not in text
    assert "SOLUTION" not in text
    stub = next(c.source for c in cells_of(source) if "def box_iou" in c.source)
    assert stub == (
        'def box_iou(boxes1, boxes2):\n    """Doc."""\n    # your code here\n    raise NotImplementedError\n\n\n'
        'box_iou = check("13.box_iou", box_iou)'
    )


def test_the_solved_edition_has_the_solution_without_markers(source):
    solved = write_text(convert(source, "solved"))
    assert "return secret" in solved
    assert "###" not in solved


def test_metadata_is_nbgraders_third_schema(source):
    cell = next(c for c in cells_of(source) if "def box_iou" in c.source)
    assert cell.metadata.nbgrader == {
        "schema_version": 3,
        "grade": False,
        "solution": True,
        "locked": False,
        "task": False,
        "grade_id": "13-box_iou",
    }
    assert cell.metadata.coursekit == {"exercise": "13.box_iou"}


def test_a_class_edition_has_a_locked_cell_that_raises(source):
    cells = cells_of(source, "class")
    locked = [c for c in cells if c.metadata.get("nbgrader", {}).get("locked")]
    assert [c.source for c in locked] == ['check("13.box_iou", box_iou, strict=True)']
    flags = locked[0].metadata.nbgrader
    assert (flags.grade, flags.solution, flags.grade_id) == (True, False, "13-box_iou-check")
    text = locked[0].source + "code" + "True" + "False" + "True" + "13-box_iou-check" + str(float(flags.points))
    assert flags.checksum == hashlib.md5(text.encode()).hexdigest()
    assert any('edition="class"' in c.source for c in cells)


def test_a_class_edition_does_not_give_a_planted_bug_away(source):
    folded = "# %% [markdown]\n# <details><summary>What it was, and how to prove it</summary>\n#\n# The clamp.\n# </details>\n#\n# Next.\n"
    source.write_text(SOURCE + "\n" + folded, encoding="utf-8")
    assert "The clamp" in cells_of(source)[-1].source
    assert cells_of(source, "class")[-1].source == "Next."


def test_it_states_what_it_was_built_for(source):
    notebook = convert(source)
    assert f'start("13_boxes", built_for="{coursekit.__version__}")' in notebook.cells[1].source
    assert notebook.metadata.coursekit["version"] == coursekit.__version__
    assert notebook.metadata.kernelspec["name"] == "python3"


def test_it_is_valid_and_stores_no_output(source):
    notebook = convert(source, "solved")
    nbformat.validate(notebook)
    assert all(c.outputs == [] and c.execution_count is None for c in notebook.cells if c.cell_type == "code")
    assert "widgets" not in notebook.metadata


def test_ids_do_not_change_with_other_cells(source):
    before = {c.source: c.id for c in cells_of(source)}
    source.write_text("# %% [markdown]\n# Something new\n\n" + SOURCE.replace("# # Boxes", "# # More boxes"), encoding="utf-8")
    after = {c.source: c.id for c in cells_of(source)}
    kept = set(before) & set(after)
    assert len(kept) >= 3
    assert all(before[text] == after[text] for text in kept)


def test_ids_are_unique_and_the_same_each_time(source):
    ids = [c.id for c in cells_of(source)]
    assert len(set(ids)) == len(ids)
    assert ids == [c.id for c in cells_of(source)]


def test_a_cell_that_is_marked_by_hand_keeps_its_id_whatever_it_says(source):
    text = source.read_text()
    for answer in ("*Write your answer here.*", "SGD, since it was the baseline of everybody"):
        source.write_text(text + f'\n# %% [markdown] tags=["answer-optimiser"]\n# {answer}\n')
        assert [c.id for c in cells_of(source)][-1] == "answer-optimiser"


def test_tags_are_kept(source):
    assert [c.metadata.tags for c in cells_of(source) if "tags" in c.metadata] == [["train"]]


def test_students_may_get_something_else_than_a_stub(source):
    source.write_text(
        SOURCE.replace("    ### END", "    ### STUDENT\n    # flag = 1\n    # if flag:\n    #     return 7\n    ### END"), encoding="utf-8"
    )
    stub = next(c.source for c in cells_of(source) if "def box_iou" in c.source)
    assert "    flag = 1\n    if flag:\n        return 7\n" in stub
    assert "NotImplementedError" not in stub
    solved = next(c.source for c in cells_of(source, "solved") if "def box_iou" in c.source)
    assert "flag" not in solved


# building a folder


def test_build_writes_both_editions_once(source):
    assert build() == ["notebooks/13_boxes.ipynb"]
    assert json.loads((source.parent.parent / "build/solved/13_boxes.ipynb").read_text())["metadata"]["coursekit"]["edition"] == "solved"
    assert build() == []


def test_check_writes_nothing_and_names_what_is_stale(source):
    out = source.parent.parent / "notebooks"
    assert build(check=True) == ["notebooks/13_boxes.ipynb"]
    assert not out.exists()
    build()
    assert build(check=True) == []
    source.write_text(SOURCE.replace("# # Boxes", "# # Other boxes"), encoding="utf-8")
    assert build(check=True) == ["notebooks/13_boxes.ipynb"]


def test_a_notebook_edited_by_hand_is_stale(source):
    build()
    path = source.parent.parent / "notebooks/13_boxes.ipynb"
    path.write_text(path.read_text().replace("same", "edited"))
    assert build(check=True) == ["notebooks/13_boxes.ipynb"]
    build()
    assert "edited" not in path.read_text()


def test_a_notebook_whose_source_is_gone_goes_too(source):
    build()
    source.rename(source.with_name("13_other.py"))
    other = source.with_name("13_other.py")
    other.write_text(SOURCE.replace("13_boxes", "13_other"), encoding="utf-8")
    (source.parent.parent / "notebooks/mine.ipynb").write_text("{}")
    assert build(check=True) == ["notebooks/13_other.ipynb", "notebooks/13_boxes.ipynb", "notebooks/mine.ipynb"]
    build()
    assert sorted(p.name for p in (source.parent.parent / "notebooks").iterdir()) == ["13_other.ipynb", "mine.ipynb"]


def test_only_some(source):
    source.with_name("20_map.py").write_text(SOURCE.replace("13_boxes", "20_map"), encoding="utf-8")
    assert build(only=["13"]) == ["notebooks/13_boxes.ipynb"]


def test_one_bad_source_does_not_stop_the_others(source):
    source.with_name("20_map.py").write_text("# %%\nx = (\n", encoding="utf-8")
    with pytest.raises(SourceError, match=r"20_map\.py:"):
        build()
    assert (source.parent.parent / "notebooks/13_boxes.ipynb").is_file()


def test_outside_a_checkout_it_says_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match="no folder solutions"):
        build()


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("    ### END SOLUTION\n", "", r"13_boxes\.py:11: ### BEGIN SOLUTION has no ### END SOLUTION"),
        ("    ### BEGIN SOLUTION\n", "", r"13_boxes\.py:13: ### END SOLUTION without ### BEGIN SOLUTION"),
        ("    secret = 1\n", "    ### BEGIN SOLUTION\n", r"13_boxes\.py:12: ### BEGIN SOLUTION inside another"),
        ("    secret = 1\n", "    ### STUDENT\n    x = 1\n", r"13_boxes\.py:13: what students get must stand in comments"),
        ('print("same")\n\n# %%', "### STUDENT\n\n# %%", r"13_boxes\.py:20: ### STUDENT outside a solution"),
        (
            'exercise="13.box_iou"',
            'exercise="13.box_uoi"',
            r"13_boxes\.py:8: there is no exercise '13.box_uoi'\. Did you mean '13.box_iou'",
        ),
        ('exercise="13.box_iou"', 'exercise="20.box_iou"', r"13_boxes\.py:8: exercise '20.box_iou' does not belong to 13_boxes"),
        (' exercise="13.box_iou"', "", r'13_boxes\.py:8: a solution needs a cell marked exercise="'),
        ('tags=["train"]', 'exercise="13.box_iou"', r"13_boxes\.py:19: exercise 13.box_iou stands here already, in line 8"),
        ('check("13.box_iou", box_iou)', "box_iou", "exercise 13.box_iou is never checked"),
        ('start("13_boxes")', 'start("14_boxes")', r'13_boxes\.py:4: this notebook must call start\("13_boxes"\)'),
        ('start("13_boxes")', "", r'13_boxes\.py:1: no cell calls start\("13_boxes"\)'),
        ('print("same")', "print(", r"13_boxes\.py:\d+: .*was never closed"),
        ('tags=["train"]', 'colour="red"', r"13_boxes\.py:19: a cell knows exercise= and tags=, got colour="),
        ('print("same")', 'print("same")\n\n# ## Summary', r"13_boxes\.py:22: prose in a code cell; `# %% \[markdown\]` is missing"),
        ("# %% [markdown]\n", "# %% [markdown]\n# <summary>Why `x`?</summary>\n", r"13_boxes\.py:2: a <summary> shows backticks"),
        ("# %% [markdown]\n", "import torch\n# %% [markdown]\n", r"13_boxes\.py:1: this stands before the first"),
    ],
)
def test_a_mistake_in_a_source_is_one_sentence_with_file_and_line(source, old, new, words):
    assert old in SOURCE
    source.write_text(SOURCE.replace(old, new), encoding="utf-8")
    with pytest.raises(SourceError, match=words) as found:
        convert(source)
    assert "\n" not in str(found.value)


def test_a_source_without_cells(folder):
    (folder / "13_boxes.py").write_text("x = 1\n")
    with pytest.raises(SourceError, match="there is no cell"):
        convert(folder / "13_boxes.py")
