import numpy as np
import pytest

from coursekit.data.records import Annotations, ImageRecord, Problem, shortened


def record(boxes=(), labels=(), image_id=1, **more):
    return ImageRecord("a.png", image_id, 10, 8, boxes, labels, **more)


def test_no_objects_is_never_missing():
    empty = record()
    assert (empty.boxes.shape, empty.boxes.dtype, len(empty)) == ((0, 4), np.float32, 0)
    for name in ("labels", "area", "iscrowd", "difficult", "truncated"):
        assert getattr(empty, name).shape == (0,)


def test_what_is_not_given_is_filled_in():
    one = record([[0, 0, 4, 3]], [0])
    assert (one.area.tolist(), one.iscrowd.tolist(), one.difficult.tolist(), one.truncated.tolist()) == ([12], [0], [0], [0])
    assert (one.area.dtype, one.iscrowd.dtype, one.labels.dtype) == (np.float32, np.int64, np.int64)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"boxes": [[0, 0, 1]]}, r"a\.png: boxes must have shape \(N, 4\), got \(1, 3\)"),
        ({"labels": [0, 1]}, r"a\.png: labels must have shape \(1,\), got \(2,\)"),
        ({"area": [[1.0]]}, r"a\.png: area must have shape \(1,\), got \(1, 1\)"),
        ({"iscrowd": []}, r"a\.png: iscrowd must have shape \(1,\), got \(0,\)"),
        ({"width": 0}, r"a\.png: width and height must be at least 1, got 0 x 8"),
    ],
)
def test_a_wrong_field_is_named(change, message):
    with pytest.raises(ValueError, match=message):
        ImageRecord(**({"path": "a.png", "image_id": 1, "width": 10, "height": 8, "boxes": [[0, 0, 1, 1]], "labels": [0]} | change))


def test_counts_in_the_order_of_the_classes():
    images = [record([[0, 0, 1, 1], [0, 0, 2, 2]], [2, 2]), record(image_id=2), record([[0, 0, 1, 1]], [0], image_id=3)]
    assert Annotations(["b", "a", "c"], images).count_boxes() == {"b": 1, "a": 0, "c": 2}
    assert Annotations(["b"], []).count_boxes() == {"b": 0}


@pytest.mark.parametrize(
    ("classes", "images", "message"),
    [
        (["a", "a"], [], "classes must be different names"),
        (["a"], [record([[0, 0, 1, 1]], [1])], r"a\.png: labels must lie in 0\.\.0, got \[1\]"),
        (["a"], [record([[0, 0, 1, 1]], [-1])], r"labels must lie in 0\.\.0, got \[-1\]"),
        (["a"], [record(), record()], "image_id must be different for every picture, got 1 more than once"),
    ],
)
def test_annotations_that_contradict_themselves(classes, images, message):
    with pytest.raises(ValueError, match=message):
        Annotations(classes, images)


def test_a_summary_counts_what_was_fixed_and_what_is_a_note():
    fixed, note = Problem("a", "zero-area", "", ""), Problem("a", "tiny", "", "", note=True)
    assert Annotations(["a"], []).summary() == ""
    assert Annotations(["a"], [], [note]).summary() == "1 note: tiny 1"
    assert Annotations(["a"], [], [fixed, note, fixed]).summary() == "2 problems and 1 note: zero-area 2, tiny 1"


def test_what_files_hold_cannot_break_a_message():
    problem = Problem("a\x1b[31m\n.xml", "unknown-class", "half a letter \ud800", "left out")
    assert str(problem).isprintable()
    str(problem).encode("utf-8")


def test_a_problem_reads_as_a_sentence():
    assert str(Problem("a.xml", "zero-area", "object 3", "left out the box")) == "a.xml: zero-area: object 3 (left out the box)"


@pytest.mark.parametrize(
    ("text", "most", "expected"),
    [("", 10, ""), ("abcdefghij", 10, "abcdefghij"), ("abcdefghijk", 10, "ab ... jk"), ("abcdefghijk", 11, "abcdefghijk")],
    ids=["empty", "as long as it may be", "one too many", "exactly"],
)
def test_a_long_text_keeps_its_beginning_and_its_end(text, most, expected):
    assert shortened(text, most) == expected
    assert len(shortened(text, most)) <= most


def test_a_problem_of_a_file_that_holds_anything_can_still_be_read():
    problem = Problem("data.yaml", "missing-split", "train is " + "x" * 5000, "left out the split")
    assert len(str(problem)) < 400
    assert problem.detail.startswith("train is xxx")
