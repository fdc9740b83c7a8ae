"""A reader of notebooks that takes anything: the right cells, or one sentence."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coursekit.grading.assignment import source_hash
from coursekit.grading.cells import LONGEST_CELL, MOST_CELLS, Found, Wanted, assign, read_notebook, read_script
from coursekit.grading.handed_in import Unreadable

IOU, NMS = Wanted("13.box_iou", "box_iou"), Wanted("13.nms", "nms")
STUB = 'def box_iou(a, b):\n    raise NotImplementedError\n\n\nbox_iou = check("13.box_iou", box_iou)'
ANSWER = STUB.replace("raise NotImplementedError", "return a")


def notebook(*sources, **more):
    cells = [{"cell_type": "code", "metadata": {}, "source": source, "outputs": []} for source in sources]
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 4, **more}).encode()


def code(*sources):
    return [Found("code", source) for source in sources]


def chosen(cells, wanted=(IOU, NMS), released=(STUB,)):
    """The sources that count, by exercise."""
    got, _ = assign(cells, wanted, frozenset(map(source_hash, released)))
    return {cell.exercise: cell.source for cell in got if cell.exercise}


# reading

OLD = {
    "nbformat": 3,
    "worksheets": [{"cells": [{"cell_type": "code", "input": ["a = 1\n", "b = 2"]}, {"cell_type": "heading", "source": "T"}]}],
}
COLAB = {
    "cells": [{"cell_type": "code", "metadata": {"id": "Xy1", "colab": {"base_uri": "x"}}, "source": ["a = 1\n", "b = 2"]}],
    "nbformat": 4,
}
VSCODE = {"cells": [{"cell_type": "code", "metadata": {"vscode": {"languageId": "python"}}, "source": "a = 1\nb = 2", "id": "e2"}]}


@pytest.mark.parametrize(
    "raw",
    [
        json.dumps(OLD).encode(),
        json.dumps(COLAB).encode(),
        json.dumps(VSCODE).encode(),
        notebook("a = 1\r\nb = 2"),
        notebook(["a = 1\n", "b = 2"]),
        notebook(["a = 1\n", 7, None, "b = 2"]),
        b"\xef\xbb\xbf" + notebook("a = 1\nb = 2"),
        notebook("a = 1\nb = 2").decode().encode("utf-16"),
        notebook("a = 1\nb = 2").replace(b'"outputs": []', b'"outputs": NaN'),
        notebook("a = 1\nb = 2").replace(b'"metadata": {}', b'"metadata": "x"'),
        json.dumps({"cells": [None, 3, [], {"cell_type": 5, "source": 3}, {"cell_type": "code", "source": "a = 1\nb = 2"}]}).encode(),
    ],
)
def test_one_cell_in_every_dress(raw):
    cells = [cell for cell in read_notebook(raw) if cell.kind == "code"]
    assert [cell.source for cell in cells] == ["a = 1\nb = 2"]


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        (b"", "is empty"),
        (b" \n ", "is empty"),
        (b"<!DOCTYPE html><html>", "is a web page and no notebook: download the notebook itself"),
        (b"{", "is damaged in line 1: it is no JSON, which a notebook is"),
        (notebook("a")[:-9], "is damaged in line 1: it is no JSON, which a notebook is"),
        (b"[" * 200_000, "is nested deeper than any notebook is"),
        (b'{"cells": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "is nested deeper than any notebook is"),
        (b'{"nbformat": ' + b"9" * 5000 + b"}", "is damaged: it is no JSON, which a notebook is"),
        (b"[]", "is JSON, but no notebook"),
        (b"3", "is JSON, but no notebook"),
        (b"{}", "is JSON, but holds no list of cells"),
        (b'{"cells": {"a": 1}}', "is JSON, but holds no list of cells"),
        (b'{"cells": []}', "holds no cells"),
        (b'{"cells": [{}, {"cell_type": "code"}]}', "holds no cells"),
        (b'{"worksheets": [1, {"cells": 2}]}', "holds no cells"),
        (notebook(*["a"] * (MOST_CELLS + 1)), f"has {MOST_CELLS + 1} cells; at most {MOST_CELLS} are read"),
        (notebook(*["a" * 400_000] * 11), "holds more than 4 million characters of text"),
        (b"[" + b"0," * 3_000_001 + b"0]", "has more parts than any notebook has"),
    ],
)
def test_what_is_no_notebook_is_a_sentence(raw, sentence):
    with pytest.raises(Unreadable) as raised:
        read_notebook(raw)
    assert str(raised.value) == sentence


def test_an_endless_cell_is_left_out_and_the_others_are_read():
    first, second = read_notebook(notebook("x" * (LONGEST_CELL + 1), "a = 1"))
    assert (first.source, second.source) == ("# a cell of this length is not read", "a = 1")


def test_half_a_character_can_be_written_down():
    (cell,) = read_notebook(b'{"cells": [{"cell_type": "code", "source": "a = \'\\ud800\'", "id": "\\udfff"}]}')
    assert json.loads(json.dumps(cell.source).encode()) == "a = '?'"
    assert cell.id == "?"


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["code", "markdown", "13.box_iou", STUB]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["cells", "worksheets", "cell_type", "source", "input", "metadata", "id", "coursekit", "nbgrader"]), inner
        )
    ),
    max_leaves=20,
)


@given(json_values)
def test_any_json_gives_cells_or_a_sentence(value):
    try:
        cells = read_notebook(json.dumps(value).encode())
    except Unreadable:
        return
    assign(cells, (IOU, NMS), frozenset())
    assert cells
    assert all(isinstance(cell.source, str) for cell in cells)


@given(st.binary(max_size=300))
def test_any_bytes_give_cells_or_a_sentence(raw):
    for read in (read_notebook, read_script):
        try:
            cells = read(raw)
        except Unreadable:
            continue
        assert cells


def test_a_script_is_read_cell_by_cell():
    text = "# %% [markdown]\n# # Boxes\n# two\n\n# %%\na = 1\n\n# %% more\nb = 2\n# In[3]:\nc = 3\n"
    assert [(c.kind, c.source) for c in read_script(text.encode())] == [
        ("markdown", "# Boxes\ntwo"),
        ("code", "a = 1"),
        ("code", "b = 2"),
        ("code", "c = 3"),
    ]
    assert [c.source for c in read_script(b"a = 1\r\nb = 2\r\n")] == ["a = 1\nb = 2"]


# which cell answers


@pytest.mark.parametrize(
    "source",
    [
        "def box_iou(a, b): return a",
        "async def box_iou(a, b): return a",
        "class box_iou:\n    pass",
        "box_iou = lambda a, b: a",
        "box_iou: Callable = partial(f, 1)",
        "from mine import box_iou",
        "from mine import f as box_iou",
        "%%time\ndef box_iou(a, b): return a",
        "def box_iou(a, b:\n    syntax error",
        'out = check("13.box_iou", my_iou)',
        "check( '13.box_iou' , my_iou)",
    ],
)
def test_a_cell_is_known_by_what_it_says(source):
    assert chosen(code("x = 1", source, "y = 2")) == {"13.box_iou": source}


@pytest.mark.parametrize(
    "source", ["box_iou == 3", "print(box_iou(a, b))", "my_box_iou = 3", "def box_iou_2(): pass", "# def box_iou", "import box_iou2"]
)
def test_a_cell_that_only_uses_it_answers_nothing(source):
    assert chosen(code(source)) == {}


def test_metadata_counts_only_where_no_text_does():
    forged = Found("code", "x = 1", claims=("13.box_iou",))
    assert chosen([forged]) == {"13.box_iou": "x = 1"}
    assert chosen([*code(ANSWER), forged]) == {"13.box_iou": ANSWER}
    assert chosen([Found("markdown", ANSWER, claims=("13.box_iou",))]) == {}


@pytest.mark.parametrize(
    "metadata",
    [{"coursekit": {"exercise": "13.box_iou"}}, {"nbgrader": {"grade_id": "13-box_iou", "points": 999}}, {"coursekit": [], "nbgrader": 3}],
)
def test_what_metadata_claims_is_read_whatever_it_is(metadata):
    raw = json.dumps({"cells": [{"cell_type": "code", "metadata": metadata, "source": "def box_iou(", "id": "13-box_iou"}]}).encode()
    assert chosen(read_notebook(raw)) == {"13.box_iou": "def box_iou("}


def test_a_locked_check_is_no_answer():
    cell = {"cell_type": "code", "metadata": {"coursekit": {"exercise": "13.nms"}, "nbgrader": {"grade_id": "13-nms-check"}}}
    locked = 'check("13.nms", nms, strict=True)'
    cells = read_notebook(json.dumps({"cells": [{**cell, "source": locked}]}).encode())
    assert chosen(cells, released=(locked,)) == {}


def test_of_two_answers_the_last_counts_and_both_stay():
    second = ANSWER.replace("return a", "return b")
    cells, notes = assign(code(ANSWER, second), [IOU], frozenset())
    assert [(c.source, c.exercise) for c in cells] == [(ANSWER, None), (second, "13.box_iou")]
    assert notes == ["13.box_iou is answered in 2 cells; the last one counts"]


def test_a_stub_below_the_answer_does_not_undo_it():
    cells, _ = assign(code("h = 1", ANSWER, STUB, "z = 2"), [IOU, NMS], frozenset([source_hash(STUB)]))
    assert [(c.source, c.exercise) for c in cells] == [("h = 1", None), (ANSWER, "13.box_iou"), ("z = 2", None)]


def test_a_stub_alone_stays():
    assert chosen(code(STUB)) == {"13.box_iou": STUB}
    assert chosen(code(STUB, "print(1)")) == {"13.box_iou": STUB}


def test_merged_cells_answer_both():
    both = ANSWER + "\n\ndef nms(a):\n    return a"
    cells, _ = assign(code(both), [IOU, NMS], frozenset())
    assert [(c.source, c.exercise) for c in cells] == [(both, "13.box_iou"), ("", "13.nms")]


def test_a_cell_cut_in_two_is_the_half_that_defines():
    definition, _, check = ANSWER.rpartition("\n\n\n")
    assert chosen(code(definition, check)) == {"13.box_iou": definition}


def test_a_class_that_is_handed_over_by_another_name():
    wanted = Wanted("04.dataset", "MyDataset")
    assert chosen(code("class MyDataset:\n    pass", "x = 1"), [wanted]) == {"04.dataset": "class MyDataset:\n    pass"}
