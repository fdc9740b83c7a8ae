import random
import string

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from coursekit.detections import Detections
from coursekit.project import reading
from coursekit.project.submission import public_part, read_submission, submission_rows, write_labels, write_submission

CLASSES = ("stop", "yield")
HEAD = "image_id,class,score,x1,y1,x2,y2\n"


def found(*rows):
    """Rows of (score, label, x1, y1, x2, y2)."""
    table = torch.tensor(rows, dtype=torch.float32).reshape(-1, 6)
    return Detections(table[:, 2:].clone(), table[:, 0].clone(), table[:, 1].long())


def same(first: Detections, second: Detections) -> bool:
    """To the last bit."""
    return all(torch.equal(getattr(first, name), getattr(second, name)) for name in ("boxes", "scores", "labels"))


# --- writing and reading back

float32 = st.floats(-(2.0**99), 2.0**99, width=32)
box = st.tuples(
    st.floats(0, 1, width=32), st.integers(0, 1), float32, float32, st.floats(0, 2.0**99, width=32), st.floats(0, 2.0**99, width=32)
)
names = st.text(st.characters(min_codepoint=33, exclude_categories=("C", "Z")), min_size=1, max_size=12)


@settings(max_examples=120, deadline=None)
@given(st.dictionaries(names, st.lists(box, max_size=5), min_size=1, max_size=5))
def test_what_is_written_is_read_back_to_the_last_bit(tmp_path_factory, told):
    answers = {}
    for name, rows in told.items():
        table = torch.tensor(rows, dtype=torch.float64).reshape(-1, 6).float()
        boxes = torch.cat([table[:, 2:4], torch.maximum(table[:, 2:4], table[:, 2:4] + table[:, 4:])], dim=1)
        answers[name] = Detections(boxes, table[:, 0].clone(), table[:, 1].long())
    path = tmp_path_factory.mktemp("submission") / "s.csv"
    write_submission(path, answers, CLASSES)
    back = read_submission(path, list(answers), CLASSES)
    assert list(back) == list(answers)
    for name, answer in answers.items():
        assert same(back[name], answer[answer.scores.argsort(descending=True, stable=True)])


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(names, st.sampled_from(["stop", "a, b", 'the "best"', "표지판", "=1+1"]), min_size=1, max_size=6))
def test_labels_are_read_back(tmp_path_factory, labels):
    path = write_labels(tmp_path_factory.mktemp("labels") / "s.csv", labels)
    assert read_submission(path, list(labels), ["stop", "a, b", 'the "best"', "표지판", "=1+1"]) == labels


def test_the_largest_and_smallest_numbers_survive(tmp_path):
    limits = np.finfo(np.float32)
    answer = found((float(limits.smallest_subnormal), 0, -float(limits.max), 0.1, float(limits.max), 1 / 3))
    write_submission(tmp_path / "s.csv", {"p": answer}, CLASSES)
    assert same(read_submission(tmp_path / "s.csv", ["p"], CLASSES)["p"], answer)


def test_rows_are_sorted_and_empty_pictures_stay():
    answers = {"b": found((0.25, 0, 1, 2, 3, 4), (0.5, 1, 0, 0, 2.5, 2)), "a": Detections.empty()}
    assert submission_rows(answers, CLASSES) == [
        ["a", "", "", "", "", "", ""],
        ["b", "yield", 0.5, 0.0, 0.0, 2.5, 2.0],
        ["b", "stop", 0.25, 1.0, 2.0, 3.0, 4.0],
    ]
    assert submission_rows({}, CLASSES) == []


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (found((1.5, 0, 0, 0, 1, 1)), r"'p' must have scores in 0\.\.1, got 1\.5"),
        (found((0.5, 7, 0, 0, 1, 1)), r"labels in 0\.\.1, got 7"),
        (found((0.5, 0, 5, 0, 1, 1)), "ends before it begins"),
        (found((0.5, 0, float("nan"), 0, 1, 1)), "finite"),
        (found((float("nan"), 0, 0, 0, 1, 1)), "finite"),
        (found(*[(0.5, 0, 0, 0, 1, 1)] * 1001), "at most 1,000 boxes, got 1,001"),
        ("stop", "must be Detections, got str"),
    ],
    ids=["score", "label", "reversed", "nan", "nan score", "too many", "a name"],
)
def test_what_could_not_be_scored_is_not_written(tmp_path, answer, message):
    with pytest.raises(ValueError, match=message):
        write_submission(tmp_path / "s.csv", {"p": answer}, CLASSES)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["", " p", "p ", "a\nb", "a\tb", "\u202ep"], ids=ascii)
def test_ids_that_no_file_could_hold_are_refused(tmp_path, name):
    with pytest.raises(ValueError, match="must be a printable text"):
        write_labels(tmp_path / "s.csv", {name: "stop"})
    with pytest.raises(ValueError, match="must be a printable text"):
        write_submission(tmp_path / "s.csv", {name: Detections.empty()}, CLASSES)


def test_a_class_that_is_no_name_is_refused(tmp_path):
    with pytest.raises(ValueError, match="class of picture 'p' must be a name, got 3"):
        write_labels(tmp_path / "s.csv", {"p": 3})


# --- hostile files


def read(tmp_path, content, ids=("a", "b"), kind=None):
    path = tmp_path / "s.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_submission(path, ids, CLASSES, kind)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"s\.csv: is empty"),
        (b"\n\n \n", r"s\.csv: is empty"),
        ("image_id,class,score\n", r"s\.csv:1: the first line must be image_id,class,score,x1,y1,x2,y2 or image_id,class, got"),
        ("a,stop,0.5,0,0,1,1\n", r"s\.csv:1: the first line must be"),
        (HEAD.replace(",", ";"), "parted by commas"),
        (HEAD.replace(",", "\t"), "parted by commas"),
        (HEAD.encode("utf-16"), "must be text in UTF-8"),
        (b"PK\x03\x04\x00\x00spreadsheet", "must be text in UTF-8; save it as CSV"),
        (HEAD.encode() + b"a,stop,0.5,0,0,1,1\nb,st\xf6p,0.5,0,0,1,1\n", r"s\.csv:3: must be text in UTF-8, but byte"),
        (HEAD + "a,stop,0.5,0,0,1,1\nzz,stop,0.5,0,0,1,1\n", r"s\.csv:3: column image_id must be a picture that was handed out, got 'zz'"),
        (HEAD + "../../a,stop,0.5,0,0,1,1\n", r"s\.csv:2: column image_id"),
        (HEAD + "a,stop,0.5,0,0,1,1\n", r"s\.csv: column image_id lacks 1 of 2 pictures, 'b'; one without a box needs a row"),
        (HEAD, "lacks 2 of 2 pictures, 'a', 'b'"),
        (HEAD + "a,,,,,,\na,,,,,,\n", r"s\.csv:3: column image_id says that 'a' is without a box, but line 2"),
        (HEAD + "a,stop,0.5,0,0,1,1\na,,,,,,\n", r"s\.csv:3: column image_id says that 'a' is without a box"),
        (HEAD + "a,,,,,,\na,stop,0.5,0,0,1,1\n", r"s\.csv:3: column image_id has a box in 'a', which is without one in line 2"),
        (HEAD + "a,car,0.5,0,0,1,1\n", r"s\.csv:2: column class must be one of stop, yield, got 'car'"),
        (HEAD + "a,Stop,0.5,0,0,1,1\n", "got 'Stop'"),
        (HEAD + "a,0,0.5,0,0,1,1\n", "column class"),
        (HEAD + "a,,0.5,0,0,1,1\n", "column class"),
        (HEAD + '"=cmd|\' /C calc\'!A0",stop,0.5,0,0,1,1\n', "column image_id must be a picture"),
        (HEAD + "a,=HYPERLINK(1),0.5,0,0,1,1\n", "column class must be one of"),
        (HEAD + "a,stop,=1+1,0,0,1,1\n", r"column score must be a finite number such as 12\.5, got '=1\+1'"),
        (HEAD + "a,stop,nan,0,0,1,1\n", "column score must be a finite number"),
        (HEAD + "a,stop,0.5,inf,0,1,1\n", "column x1 must be a finite number"),
        (HEAD + "a,stop,0.5,0,-Infinity,1,1\n", "column y1 must be a finite number"),
        (HEAD + "a,stop,0.5,0,0,1e999,1\n", "column x2 must be a finite number"),
        (HEAD + "a,stop,0.5,0,0,1e39,1\n", "column x2 must be a finite number"),  # float32 cannot hold it
        (HEAD + f"a,stop,0.5,0,0,{'9' * 5000},1\n", "column x2 must be a finite number"),
        (HEAD + "a,stop,1_0,0,0,1,1\n", "column score must be a finite number"),
        (HEAD + "a,stop,０.５,0,0,1,1\n", "column score must be a finite number"),
        (HEAD + "a,stop,,0,0,1,1\n", "column score must be a finite number"),
        (HEAD + 'a,stop,"0,5",0,0,1,1\n', "column score must be a finite number"),
        (HEAD + "a,stop,1.5,0,0,1,1\n", r"column score must lie in 0\.\.1, got 1\.5; is it in percent"),
        (HEAD + "a,stop,-0.1,0,0,1,1\n", r"column score must lie in 0\.\.1, got -0\.1$"),
        (HEAD + "a,stop,0.5,9,0,1,1\n", "column x2 must not be less than x1, got 1 after 9; are these x, y, width"),
        (HEAD + "a,stop,0.5,0,9,1,1\n", "column y2 must not be less than y1"),
        (HEAD + "a,stop,0.5,0,0,1\n", r"s\.csv:2: must have 7 columns as the first line has, got 6"),
        (HEAD + "a,stop,0.5,0,0,1,1,1\n", "must have 7 columns as the first line has, got 8"),
        (HEAD + 'a,"stop,0.5,0,0,1,1\nb,stop,0.5,0,0,1,1\n', r"s\.csv:2: is no CSV"),
        (HEAD + 'a,"' + "x" * 200_000 + '",0.5,0,0,1,1\n', r"s\.csv:2: is no CSV: field larger"),
        (HEAD + "a,stop,0.5,0,0,1,1\n" * 1001, r"s\.csv:1002: column image_id has more than 1,000 boxes in 'a'"),
        ("image_id,class\na,stop\na,stop\nb,stop\n", r"s\.csv:3: column image_id has 'a' a second time; the first is in line 2"),
        ("image_id,class\na,stop\nb,\n", "column class must be one of stop, yield, got ''"),
        ("image_id,class\na,stop\n", "lacks 1 of 2 pictures, 'b'; each needs a row"),
        (HEAD + "\x1b[2Ja,stop,0.5,0,0,1,1\n", r"got '\\x1b\[2Ja'"),  # nothing reaches a terminal
        (HEAD + "x" * 9000 + ",stop,0.5,0,0,1,1\n", "x{40}' …$"),
    ],
    ids=ascii,
)  # fmt: skip
def test_a_file_that_is_wrong_gets_one_sentence(tmp_path, content, message):
    with pytest.raises(ValueError, match=message) as caught:
        read(tmp_path, content)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500 + len(str(tmp_path))


def test_a_box_is_held_against_its_picture(tmp_path):
    sizes = {"a": (100, 50)}
    for box, column in (("100,0,120,9", "x1"), ("0,50,9,60", "y1"), ("-9,0,0,9", "x2"), ("0,-9,9,0", "y2")):
        with pytest.raises(ValueError, match=rf":2: column {column} puts the box .* outside its picture of 100 x 50 pixels"):
            read(tmp_path, f"{HEAD}a,stop,0.5,{box}\n", sizes)
    assert len(read(tmp_path, f"{HEAD}a,stop,0.5,-5,-5,120,60\n", sizes)["a"]) == 1  # half outside is what detectors do


def test_what_is_only_written_otherwise_is_read(tmp_path):
    told = "\ufeffScore , class,IMAGE_ID,x1,y1,x2,y2\r\n\r\n .5 , stop ,a, 1 ,2,+3.0,4e0\r\n,,b,,,,\r\n"
    answer = read(tmp_path, told)
    assert same(answer["a"], found((0.5, 0, 1, 2, 3, 4)))
    assert len(answer["b"]) == 0
    assert len(read(tmp_path, HEAD + "b\na,stop,0.5,0,0,1,1\n")["b"]) == 0  # only the id, without commas
    assert list(read(tmp_path, "image_id,class\rb,stop\ra,yield\r")) == ["a", "b"]  # line ends of an old Mac; the order of ids


def test_the_kind_may_be_asked_for(tmp_path):
    with pytest.raises(ValueError, match="the first line must be image_id,class,score,x1,y1,x2,y2, got 'image_id,class'"):
        read(tmp_path, "image_id,class\na,stop\nb,stop\n", kind="detection")
    with pytest.raises(ValueError, match='kind must be "detection"'):
        read(tmp_path, HEAD, kind="boxes")


def test_a_million_rows_end_where_a_picture_has_too_many(tmp_path):
    with pytest.raises(ValueError, match=":1002: column image_id has more than 1,000 boxes"):
        read(tmp_path, HEAD + "a,stop,0.5,0,0,1,1\n" * 1_000_000)


def test_more_than_can_be_a_submission_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "LARGEST", 1_000_000)
    with open(tmp_path / "s.csv", "wb") as file:
        file.truncate(40 << 30)  # no blocks on the disk
    with pytest.raises(ValueError, match="a submission has at most 1 MB"):
        read_submission(tmp_path / "s.csv", ["a"], CLASSES)
    with pytest.raises(ValueError, match="must be a file"):
        read_submission(tmp_path, ["a"], CLASSES)
    with pytest.raises(FileNotFoundError):
        read_submission(tmp_path / "none.csv", ["a"], CLASSES)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.text(string.printable + "가\ud7ff=", max_size=30), max_size=6), st.randoms(use_true_random=False))
def test_no_text_gives_anything_but_a_sentence(lines, chance: random.Random):
    rows = [HEAD.strip(), *(line if chance.random() < 0.5 else f"a,stop,{line},0,0,1,1" for line in lines)]
    try:
        answer, said = reading.parse("\n".join(rows).encode(), "s.csv", ["a"], CLASSES), "s.csv"
    except ValueError as error:
        answer, said = {"a": None}, str(error)
    assert set(answer) == {"a"}
    assert said.startswith("s.csv")
    assert said.isprintable()


# --- the public part


def test_a_pictures_part_never_changes_when_others_come():
    ids = [f"p{i}" for i in range(400)]
    few, many = public_part(ids[:200], 0.3, "salt"), public_part(reversed(ids), 0.3, "salt")
    assert many & set(ids[:200]) == few
    assert 0.2 < len(many) / 400 < 0.4
    assert public_part(ids, 0.3, "another") != many
    assert public_part(ids, 0.1, "salt") < many  # a larger share only adds
    assert public_part([], 0.3, "salt") == public_part(ids, 0.0, "salt") == set()
    assert public_part(ids, 1.0, "salt") == set(ids)
