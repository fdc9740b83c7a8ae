import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from coursekit.data.formats import find_dataset, read_dataset, write_dataset
from coursekit.data.records import Annotations, ImageRecord

NAMES = ["cat", "교통 표지판", "no", "1", "tête-à-tête", "<b> & 'c'", "null", "a, b: {c}"]
picture_names = st.sampled_from(["a", "a b", "사진", "é", "x.y", "000012", "%41", "#1", "train", "images"])


@st.composite
def datasets(draw, whole=True):
    """Class names and pictures with boxes; whole: on whole pixels, which VOC can hold."""
    classes = tuple(draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=4, unique=True)))
    images = []
    for number, name in enumerate(draw(st.lists(picture_names, min_size=1, max_size=3, unique=True))):
        width, height = draw(st.integers(3, 40)), draw(st.integers(3, 40))
        boxes = {}
        for _ in range(draw(st.integers(0, 3))):
            x1, y1 = draw(st.integers(0, width - 2)), draw(st.integers(0, height - 2))
            box = [x1, y1, draw(st.integers(x1 + 2, width)), draw(st.integers(y1 + 1, height))]
            shift = 0 if whole else draw(st.sampled_from([0, 0.25, 1 / 3]))
            boxes[tuple(box)] = [box[0] + shift, box[1], box[2], box[3] - shift]  # a box twice would be reported, and left out
        flags = [draw(st.lists(st.integers(0, 1), min_size=len(boxes), max_size=len(boxes))) for _ in range(2)]
        labels = draw(st.lists(st.integers(0, len(classes) - 1), min_size=len(boxes), max_size=len(boxes)))
        images.append((name, number + 7, width, height, list(boxes.values()), labels, *flags))
    return classes, images


def on_disk(folder, classes, images):
    """Annotations whose pictures exist."""
    folder.mkdir()
    records = []
    for name, image_id, width, height, boxes, labels, difficult, truncated in images:
        path = folder / f"{name}.png"
        Image.new("RGB", (width, height)).save(path)
        records.append(ImageRecord(path, image_id, width, height, boxes, labels, difficult=difficult, truncated=truncated))
    return Annotations(classes, records)


def assert_same(read, written, flags=("difficult", "truncated", "iscrowd"), atol=1e-4):
    assert read.classes == written.classes
    assert [record.path.name for record in read.images] == [record.path.name for record in written.images]
    for ours, theirs in zip(read.images, written.images, strict=True):
        assert (ours.width, ours.height) == (theirs.width, theirs.height)
        assert ours.path.read_bytes() == theirs.path.read_bytes()
        np.testing.assert_array_equal(ours.labels, theirs.labels)
        np.testing.assert_allclose(ours.boxes, theirs.boxes, atol=atol)
        np.testing.assert_allclose(ours.area, theirs.area, rtol=1e-4, atol=1e-3)
        for flag in flags:
            np.testing.assert_array_equal(getattr(ours, flag), getattr(theirs, flag))


def sorted_by_name(annotations):
    return Annotations(annotations.classes, sorted(annotations.images, key=lambda record: record.path.name), annotations.problems)


@settings(max_examples=60, deadline=None)
@given(datasets())
def test_through_all_three_formats_and_back(dataset):
    with tempfile.TemporaryDirectory() as folder:
        start = sorted_by_name(on_disk(Path(folder) / "start", *dataset))
        notes = write_dataset(start, Path(folder) / "voc", "voc")
        voc = read_dataset(Path(folder) / "voc", "train")
        assert_same(voc, start)
        assert notes == voc.problems == []
        assert write_dataset(voc, Path(folder) / "coco", "coco") == []
        coco = read_dataset(Path(folder) / "coco", "train")
        assert_same(coco, start)
        assert [record.image_id for record in coco.images] == [record.image_id for record in voc.images]
        write_dataset(coco, Path(folder) / "yolo", "yolo")
        yolo = sorted_by_name(read_dataset(Path(folder) / "yolo", "train"))
        assert_same(yolo, start, flags=())
        assert yolo.problems == [] or {problem.kind for problem in yolo.problems} == {"missing-annotation"}


@settings(max_examples=40, deadline=None)
@given(datasets(whole=False), st.sampled_from(["coco", "yolo"]))
def test_boxes_between_pixels_survive_coco_and_yolo(dataset, format):
    with tempfile.TemporaryDirectory() as folder:
        start = sorted_by_name(on_disk(Path(folder) / "start", *dataset))
        write_dataset(start, Path(folder) / "out", format)
        assert_same(sorted_by_name(read_dataset(Path(folder) / "out")), start, flags=())


@settings(max_examples=40, deadline=None)
@given(datasets(whole=False))
def test_voc_rounds_to_whole_pixels_and_says_so(dataset):
    with tempfile.TemporaryDirectory() as folder:
        start = on_disk(Path(folder) / "start", *dataset)
        notes = write_dataset(start, Path(folder) / "out", "voc")
        read = read_dataset(Path(folder) / "out", "train")
        between = sum(int((record.boxes % 1 != 0).any(axis=1).sum()) for record in start.images)
        assert [note.detail for note in notes if note.kind == "rounded"] == ([f"{between} boxes"] if between else [])
        for ours, theirs in zip(read.images, start.images, strict=True):
            assert len(ours) == len(theirs)
            assert np.abs(ours.boxes - theirs.boxes).max(initial=0) <= 1


@pytest.fixture
def tiny(tmp_path):
    boxes = [[0, 0, 8, 8], [2, 2, 6, 6]]
    return on_disk(tmp_path / "start", ("b", "a"), [("one", 1, 8, 8, boxes, [0, 1], [0, 1], [0, 0]), ("two", 2, 8, 8, [], [], [], [])])


@pytest.mark.parametrize("format", ["voc", "coco", "yolo"])
class TestWriting:
    def test_splits_of_one_dataset(self, tmp_path, tiny, format):
        write_dataset(tiny, tmp_path / "out", format, split="train")
        write_dataset(tiny, tmp_path / "out", format, split="val")
        assert sorted(find_dataset(tmp_path / "out").splits) == ["train", "val"]
        for split, count in (("train", 2), ("val", 2), ("trainval", 4), (None, 4)):
            read = read_dataset(tmp_path / "out", split)
            assert (len(read), read.classes) == (count, ("b", "a"))
            assert list(read.count_boxes().values()) == [count // 2, count // 2]

    def test_a_split_is_never_overwritten(self, tmp_path, tiny, format):
        write_dataset(tiny, tmp_path / "out", format)
        with pytest.raises(ValueError, match="has a split 'train' already"):
            write_dataset(tiny, tmp_path / "out", format)

    def test_an_interrupted_write_can_be_started_again(self, tmp_path, tiny, format, monkeypatch):
        copy, copied = shutil.copyfile, []

        def interrupted(source, target):
            copied.append(source)
            if len(copied) == 2:
                raise KeyboardInterrupt
            return copy(source, target)

        monkeypatch.setattr(shutil, "copyfile", interrupted)
        with pytest.raises(KeyboardInterrupt):
            write_dataset(tiny, tmp_path / "out", format)
        write_dataset(tiny, tmp_path / "out", format)
        assert [len(record) for record in read_dataset(tmp_path / "out", "train").images] == [2, 0]

    def test_other_classes_are_refused(self, tmp_path, tiny, format):
        write_dataset(tiny, tmp_path / "out", format)
        with pytest.raises(ValueError, match=r"classes must be those that .* has, \['b', 'a'\]"):
            write_dataset(Annotations(("a", "b"), tiny.images), tmp_path / "out", format, split="val")

    def test_pictures_of_one_name_get_different_ones(self, tmp_path, tiny, format):
        one = tiny.images[0]
        other = tmp_path / "other" / "one.png"
        other.parent.mkdir()
        Image.new("RGB", (8, 8), "red").save(other)
        write_dataset(Annotations(("b", "a"), [one, ImageRecord(other, 9, 8, 8, [], [])]), tmp_path / "out", format)
        read = read_dataset(tmp_path / "out")
        assert [(record.path.name, len(record)) for record in read.images] == [("one.png", 2), ("one_2.png", 0)]
        assert read.images[1].path.read_bytes() == other.read_bytes()

    def test_crowds_do_not_become_objects(self, tmp_path, tiny, format):
        record = ImageRecord(tiny.images[0].path, 1, 8, 8, [[0, 0, 8, 8], [1, 1, 3, 3]], [0, 0], area=[40, 4], iscrowd=[1, 0])
        notes = write_dataset(Annotations(("b", "a"), [record]), tmp_path / "out", format)
        (read,) = read_dataset(tmp_path / "out").images
        got = {"boxes": len(read), "crowds": read.iscrowd.tolist(), "difficult": read.difficult.tolist(), "notes": [n.kind for n in notes]}
        assert (
            got
            == {
                "coco": {"boxes": 2, "crowds": [1, 0], "difficult": [0, 0], "notes": []},
                "voc": {"boxes": 2, "crowds": [0, 0], "difficult": [1, 0], "notes": ["no-iscrowd", "no-area"]},
                "yolo": {"boxes": 1, "crowds": [0], "difficult": [0], "notes": ["no-iscrowd", "no-area"]},
            }[format]
        )

    @pytest.mark.parametrize("name", ["", " a", "a\nb", "a  b", "\x07"])
    def test_class_names_that_would_not_come_back(self, tmp_path, tiny, format, name):
        with pytest.raises(ValueError, match="classes must be printable names"):
            write_dataset(Annotations((name, "x"), tiny.images), tmp_path / "out", format)
        assert not (tmp_path / "out").exists()

    @pytest.mark.parametrize("split", ["", "../x", "a/b", "x\n"])
    def test_split_names_that_are_paths(self, tmp_path, tiny, format, split):
        with pytest.raises(ValueError, match="split must be a plain name"):
            write_dataset(tiny, tmp_path / "out", format, split=split)


def test_the_reference_evaluator_reads_what_we_write(tmp_path, tiny):
    coco = pytest.importorskip("pycocotools.coco")
    write_dataset(tiny, tmp_path / "out", "coco")
    truth = coco.COCO(str(tmp_path / "out" / "annotations" / "instances_train.json"))
    assert sorted(truth.getAnnIds()) == [1, 2]  # an id of 0 would read as "unmatched"
    assert truth.loadCats(truth.getCatIds()) == [
        {"id": 1, "name": "b", "supercategory": "object"},
        {"id": 2, "name": "a", "supercategory": "object"},
    ]
    assert [entry["bbox"] for entry in truth.loadAnns(truth.getAnnIds(imgIds=[1]))] == [[0, 0, 8, 8], [2, 2, 4, 4]]
    assert truth.getAnnIds(imgIds=[2]) == []


class TestFinding:
    def test_nothing_there(self, tmp_path):
        (tmp_path / "a" / "b").mkdir(parents=True)
        with pytest.raises(ValueError, match=r"is no dataset that can be read(.|\n)*VOC: (.|\n)*COCO: (.|\n)*YOLO: "):
            find_dataset(tmp_path)

    def test_no_such_folder(self, tmp_path):
        with pytest.raises(ValueError, match=r"path must be a dataset's folder or file, and .*gone does not exist"):
            read_dataset(tmp_path / "gone")

    @pytest.mark.parametrize("format", ["voc", "coco", "yolo"])
    def test_any_level_above(self, tmp_path, tiny, format):
        write_dataset(tiny, tmp_path / "up" / "and" / "up", format)
        for path in ("up", "up/and", "up/and/up"):
            assert find_dataset(tmp_path / path).root == tmp_path / "up" / "and" / "up"

    def test_two_datasets_need_a_choice(self, tmp_path, tiny):
        write_dataset(tiny, tmp_path / "out", "voc")
        write_dataset(tiny, tmp_path / "out", "yolo")
        with pytest.raises(ValueError, match=r"more than one dataset: voc in .*, yolo in .*; give the one to read, or format="):
            read_dataset(tmp_path / "out")
        assert read_dataset(tmp_path / "out", format="yolo").classes == ("b", "a")

    @pytest.mark.parametrize("format", ["voc", "coco", "yolo"])
    def test_classes_choose_order_and_leave_out(self, tmp_path, tiny, format):
        write_dataset(tiny, tmp_path / "out", format)
        both = read_dataset(tmp_path / "out", classes=["a", "b"])
        assert [record.labels.tolist() for record in both.images] == [[1, 0], []]
        only = read_dataset(tmp_path / "out", classes=["a"])
        assert only.count_boxes() == {"a": 1}
        assert [(problem.kind, problem.action) for problem in only.problems] == [("other-class", "left them out")]
        assert only.problems[0].detail == "1 boxes are of class 'b'"

    def test_unknown_format_and_repeated_classes(self, tmp_path, tiny):
        with pytest.raises(ValueError, match="format must be one of voc, coco, yolo, got 'csv'"):
            write_dataset(tiny, tmp_path / "out", "csv")
        write_dataset(tiny, tmp_path / "out")
        with pytest.raises(ValueError, match="classes must be different names"):
            read_dataset(tmp_path / "out", classes=["a", "a"])

    def test_classes_that_the_dataset_lacks(self, tmp_path, tiny):
        write_dataset(tiny, tmp_path / "out")
        read = read_dataset(tmp_path / "out", classes=("zebra", "a"))
        assert read.count_boxes() == {"zebra": 0, "a": 1}
        assert sorted(problem.kind for problem in read.problems) == ["other-class", "unused-class"]
        with pytest.raises(ValueError, match=r"classes must be among b, a, got \['zebra'\]"):
            read_dataset(tmp_path / "out", classes=["zebra"])
