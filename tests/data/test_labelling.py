import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from coursekit.data.formats import read_dataset, write_dataset
from coursekit.data.labelling import STATE, Session, voc_to_yolo
from coursekit.data.records import Annotations, ImageRecord

CLASSES = ("stop", "yield")


@pytest.fixture
def pictures(tmp_path):
    """Three pictures, 40 wide and 30 high."""
    paths = [tmp_path / f"{name}.png" for name in "abc"]
    for shade, path in enumerate(paths):
        Image.new("RGB", (40, 30), (shade, 0, 0)).save(path)
    return paths


# --- voc_to_yolo


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        ([1, 1, 20, 10], [0.5, 0.5, 1, 1]),
        ([1, 1, 10, 10], [0.25, 0.5, 0.5, 1]),
        ([11, 6, 20, 10], [0.75, 0.75, 0.5, 0.5]),
        ([1, 1, 1, 1], [0.025, 0.05, 0.05, 0.1]),
    ],
    ids=["all of it", "left half", "lower right quarter", "one pixel"],
)
def test_voc_to_yolo_by_hand(box, expected):
    torch.testing.assert_close(voc_to_yolo(torch.tensor([box]), 20, 10), torch.tensor([expected]))


def test_voc_to_yolo_of_no_box():
    found = voc_to_yolo(torch.zeros(0, 4, dtype=torch.int64), 20, 10)
    assert found.shape == (0, 4)
    assert found.dtype == torch.float32


def one_pixel(corner, other):
    """VOC writes such a box as one point, and the reader takes that for a click without a drag: see `test_voc.py`."""
    return abs(corner[0] - other[0]) == abs(corner[1] - other[1]) == 1


ends = st.tuples(st.integers(0, 39), st.integers(1, 40)).map(lambda pair: (min(pair), max(pair) + (pair[0] == pair[1])))


boxes_of_sides = st.tuples(ends, ends).filter(lambda xy: not one_pixel(*zip(*xy, strict=True)))


@settings(max_examples=25, deadline=None)
@given(st.lists(boxes_of_sides, min_size=1, max_size=4, unique=True))
def test_voc_to_yolo_equals_the_rooms_own_way_through_files(tmp_path_factory, sides):
    place = tmp_path_factory.mktemp("voc")
    Image.new("RGB", (41, 41)).save(place / "a.png")
    boxes = np.array([[x1, y1, x2, y2] for (x1, x2), (y1, y2) in sides], dtype=np.float32)
    record = ImageRecord(place / "a.png", 1, 41, 41, boxes, np.zeros(len(boxes), np.int64))
    write_dataset(Annotations(("thing",), [record]), place / "voc", "voc")
    write_dataset(read_dataset(place / "voc"), place / "yolo", "yolo")
    lines = (place / "yolo" / "labels" / "train" / "a.txt").read_text().splitlines()
    theirs = torch.tensor([[float(word) for word in line.split()[1:]] for line in lines])
    corners = torch.tensor([[x1 + 1, y1 + 1, x2, y2] for (x1, x2), (y1, y2) in sides])
    torch.testing.assert_close(voc_to_yolo(corners, 41, 41), theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: voc_to_yolo(torch.zeros(4), 2, 2), r"boxes must have shape \(N, 4\), got \(4,\)"),
        (lambda: voc_to_yolo(torch.zeros(1, 4), 0, 2), "width and height must be at least 1, got 0 and 2"),
    ],
)
def test_what_cannot_be_converted_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# --- the session


def test_boxes_are_added_to_the_picture_that_is_shown(pictures):
    session = Session(pictures, CLASSES)
    assert session.add((2, 3, 10, 12), "yield") == (2, 3, 10, 12, 1)
    assert session.go(1) == 1
    assert session.add((10.4, 12, 2, 3.6), 0) == (2, 4, 10, 12, 0)  # clicked from the lower right corner, with fractions
    assert session.boxes == [[(2, 3, 10, 12, 1)], [(2, 4, 10, 12, 0)], []]
    assert session.done == [True, True, False]
    assert str(session) == "picture 2 of 3: 1 box here, 2 in all, 1 picture left"


def test_going_beyond_the_ends_stays(pictures):
    session = Session(pictures, CLASSES)
    assert [session.go(step) for step in (-1, 1, 1, 1, -1)] == [0, 1, 2, 2, 1]


def test_undo_takes_back_one_change_at_a_time_and_shows_its_picture(pictures):
    session = Session(pictures, CLASSES)
    assert session.undo() is False
    session.add((1, 1, 5, 5), 0)
    session.add((2, 2, 6, 6), 1)
    session.remove(0)
    session.go(2)
    session.confirm_empty()
    assert session.done == [True, False, True]
    assert session.undo() is True
    assert (session.place, session.done) == (2, [True, False, False])
    assert session.undo() is True
    assert (session.place, session.boxes[0]) == (0, [(1, 1, 5, 5, 0), (2, 2, 6, 6, 1)])
    assert session.undo() is True
    assert session.undo() is True
    assert (session.boxes, session.done) == ([[], [], []], [False] * 3)


def test_taking_the_last_box_off_leaves_the_picture_undecided(pictures):
    session = Session(pictures, CLASSES)
    session.add((1, 1, 5, 5), 0)
    assert session.remove() == (1, 1, 5, 5, 0)
    assert session.done[0] is False
    session.confirm_empty()
    assert session.done[0] is True


def test_only_what_was_decided_about_is_handed_on(pictures):
    session = Session(pictures, CLASSES)
    session.add((1, 2, 5, 6), "yield")
    session.go(2)
    session.confirm_empty()
    found = session.annotations()
    assert found.classes == CLASSES
    assert [(record.path, record.image_id, len(record)) for record in found.images] == [(pictures[0], 1, 1), (pictures[2], 3, 0)]
    np.testing.assert_array_equal(found.images[0].boxes, [[1, 2, 5, 6]])
    assert found.images[0].labels.tolist() == [1]
    assert found.images[1].boxes.shape == (0, 4)


corner = st.tuples(st.integers(0, 39), st.integers(0, 29))


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(corner, corner, st.integers(0, 1)).filter(
            lambda d: d[0][0] != d[1][0] and d[0][1] != d[1][1] and not one_pixel(d[0], d[1])
        ),
        max_size=5,
        unique=True,
    )
)
def test_what_is_saved_is_read_back_equal_in_every_format(tmp_path_factory, drawn):
    place = tmp_path_factory.mktemp("session")
    Image.new("RGB", (40, 30)).save(place / "a.png")
    session = Session([place / "a.png"], CLASSES)
    session.confirm_empty()
    for (x1, y1), (x2, y2), label in drawn:
        session.add((x1, y1, x2, y2), label)
    places = session.save(place / "labels", formats=("voc", "yolo", "coco"))
    expected = sorted(set(session.boxes[0]))  # the readers keep a box that is drawn twice once
    for format, folder in places.items():
        (record,) = read_dataset(folder, format=format).images
        rows = [(*map(round, box), label) for box, label in zip(record.boxes.tolist(), record.labels.tolist(), strict=True)]
        assert sorted(rows) == expected
        np.testing.assert_allclose(record.boxes, np.rint(record.boxes), atol=1e-4)


def test_a_session_goes_on_where_it_was_saved(pictures, tmp_path):
    session = Session(pictures, CLASSES)
    session.add((1, 2, 5, 6), "yield")
    session.save(tmp_path / "labels")
    again = Session.load(tmp_path / "labels")
    assert (again.boxes, again.done, again.classes, again.pictures) == (session.boxes, session.done, CLASSES, pictures)
    assert again.place == 1  # the first that is not done


def test_saving_again_writes_all_anew(pictures, tmp_path):
    session = Session(pictures, CLASSES)
    session.add((1, 2, 5, 6), 0)
    session.save(tmp_path / "labels")
    session.undo()
    session.go(1)
    session.confirm_empty()
    places = session.save(tmp_path / "labels")
    for folder in places.values():
        assert [record.path.stem for record in read_dataset(folder).images] == ["b"]


def test_other_peoples_folders_are_left_alone(pictures, tmp_path):
    session = Session(pictures, CLASSES)
    session.add((1, 2, 5, 6), 0)
    (tmp_path / "labels" / "voc").mkdir(parents=True)
    (tmp_path / "labels" / "voc" / "mine.txt").write_text("a year of work")
    with pytest.raises(ValueError, match="folder must be new, or one that a session was saved in"):
        session.save(tmp_path / "labels")
    assert (tmp_path / "labels" / "voc" / "mine.txt").read_text() == "a year of work"
    assert not (tmp_path / "labels" / STATE).exists()


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda s: s.add((5, 5, 5, 9), 0), "box must be at least one pixel wide and high"),
        (lambda s: s.add((5, 5, 41, 9), 0), "box must lie in the picture of 40 x 30 pixels"),
        (lambda s: s.add((-1, 5, 4, 9), 0), "box must lie in the picture"),
        (lambda s: s.add((1, 1, 4, 9), "sotp"), "label must be one of stop, yield, got 'sotp'"),
        (lambda s: s.add((1, 1, 4, 9), 2), r"label must lie in 0\.\.1, got 2"),
        (lambda s: s.remove(), "index must be one of the 0 boxes of this picture, got -1"),
        (lambda s: s.save("nowhere"), "there is nothing to save"),
    ],
)
def test_what_cannot_be_done_changes_nothing_and_is_named(pictures, act, message):
    session = Session(pictures, CLASSES)
    with pytest.raises(ValueError, match=message):
        act(session)
    assert session.boxes == [[], [], []]
    assert session.undo() is False


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "folder must hold a session that was saved"),
        ("{", "is not a session that can be read"),
        ("[]", "is not a session that can be read"),
        ("{}", "is not a session that can be read"),
    ],
)
def test_a_session_that_cannot_be_read_is_named(tmp_path, text, message):
    if text is not None:
        (tmp_path / STATE).write_text(text)
    with pytest.raises(ValueError, match=message):
        Session.load(tmp_path)


def test_a_session_cut_short_is_named(pictures, tmp_path):
    stored = {"pictures": [str(path) for path in pictures], "classes": CLASSES, "boxes": [[]], "done": [True]}
    (tmp_path / STATE).write_text(json.dumps(stored))
    with pytest.raises(ValueError, match="it lists 1 of 3 pictures"):
        Session.load(tmp_path)


@pytest.mark.parametrize(("classes", "message"), [((), "classes must be different names"), (("a", "a"), "classes must be different names")])
def test_classes_must_be_names(pictures, classes, message):
    with pytest.raises(ValueError, match=message):
        Session(pictures, classes)


def test_there_must_be_pictures():
    with pytest.raises(ValueError, match="pictures must hold at least one file"):
        Session([], CLASSES)
