"""Damaged annotation files: whatever the bytes are, the readers give annotations or a ValueError, never another exception."""

import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image

from coursekit.data.check import check_dataset
from coursekit.data.formats import read_dataset, write_dataset
from coursekit.data.records import Annotations, ImageRecord

MAIN = {
    "voc": ("Annotations/a.xml", "ImageSets/Main/train.txt", "classes.txt"),
    "coco": ("annotations/instances_train.json",),
    "yolo": ("data.yaml", "labels/train/a.txt"),
}


def write(folder, format):
    for name in "ab":
        Image.new("RGB", (20, 10)).save(folder / f"{name}.png")
    boxes = [[0, 0, 20, 10], [1, 2, 3, 5]]
    images = [ImageRecord(folder / "a.png", 1, 20, 10, boxes, [0, 1]), ImageRecord(folder / "b.png", 2, 20, 10, boxes, [1, 1])]
    write_dataset(Annotations(("cat", "표지판"), images), folder / "data", format)
    return folder / "data"


def assert_usable_or_refused(root, format):
    try:
        annotations = read_dataset(root, format=format)
    except ValueError as error:
        assert len(str(error)) < 2000  # noqa: PT017  a sentence, not a dump of the file
        return
    for record in annotations.images:
        assert (record.boxes[:, 2:] > record.boxes[:, :2]).all()
        assert (record.boxes >= 0).all()
        assert (record.boxes <= [record.width, record.height] * 2).all()
    for problem in annotations.problems:
        str(problem).encode("utf-8")  # can be written
        assert problem.file
        assert problem.action


@st.composite
def damage(draw):
    """A function of bytes: a few cuts, insertions and replacements."""
    pieces = st.binary(max_size=6) | st.sampled_from(
        [b"null", b"-1", b"1e999", b"[", b"{", b"\xff\xfe", b"<object>", b"\n", b" ", b"NaN", b"\0"]
    )
    edits = draw(st.lists(st.tuples(st.floats(0, 1), st.integers(0, 12), pieces), min_size=1, max_size=4))

    def apply(data):
        for where, cut, piece in edits:
            at = int(where * len(data))
            data = data[:at] + piece + data[at + cut :]
        return data

    return apply


@pytest.mark.parametrize(("format", "file"), [(format, file) for format, files in MAIN.items() for file in files])
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(change=damage())
def test_damaged_bytes(format, file, change):
    with tempfile.TemporaryDirectory() as folder:
        root = write(Path(folder), format)
        (root / file).write_bytes(change((root / file).read_bytes()))
        assert_usable_or_refused(root, format)


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from([1, 0, "a.png", "\ud800", "x" * 5000, "a\0b", "1"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
LEAVES = [
    ("images",), ("annotations",), ("categories",), ("images", 0), ("annotations", 0), ("categories", 0), ("images", 0, "id"),
    ("images", 0, "file_name"), ("images", 0, "width"), ("annotations", 0, "image_id"), ("annotations", 0, "category_id"),
    ("annotations", 0, "bbox"), ("annotations", 0, "bbox", 2), ("annotations", 0, "area"), ("annotations", 0, "iscrowd"),
    ("categories", 0, "id"), ("categories", 0, "name"),
]  # fmt: skip


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(LEAVES), anything)
def test_json_that_holds_anything_anywhere(path, value):
    with tempfile.TemporaryDirectory() as folder:
        root = write(Path(folder), "coco")
        file = root / MAIN["coco"][0]
        data = json.loads(file.read_text(encoding="utf-8"))
        inner = data
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = value
        file.write_text(json.dumps(data), encoding="utf-8")
        assert_usable_or_refused(root, "coco")


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(["path", "train", "val", "names", "nc", "kpt_shape"]), anything)
@example("train", "x" * 5000)
@example("val", ["x" * 5000] * 3)
def test_yaml_that_holds_anything_anywhere(key, value):
    with tempfile.TemporaryDirectory() as folder:
        root = write(Path(folder), "yolo")
        file = root / "data.yaml"
        file.write_text(file.read_text(encoding="utf-8") + f"{key}: {json.dumps(value)}\n", encoding="utf-8")
        assert_usable_or_refused(root, "yolo")


@pytest.mark.parametrize("format", MAIN)
def test_folders_in_the_place_of_files(tmp_path, format):
    root = write(tmp_path, format)
    for name in ("b.xml", "x.json", "b.yaml", "b.txt", "c.png"):
        for folder in ("", "Annotations", "JPEGImages", "annotations", "train", "images/train", "labels/train", "ImageSets/Main"):
            if (root / folder).is_dir() and not (root / folder / name).exists():
                (root / folder / name).mkdir()
    assert len(read_dataset(root, "train", format=format)) == 2
    assert check_dataset(root, format=format).splits[0].pictures == 2
