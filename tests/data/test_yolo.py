"""Hostile YOLO txt and data.yaml: each mistake is fixed and counted, or an error that names the file."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from coursekit.data.formats import find_dataset, read_dataset
from coursekit.data.yolo import label_path

WIDTH, HEIGHT = 100, 50
YAML = "train: images/train\nnames: [cat, dog]\n"
WHOLE = "0 0.5 0.5 1 1"


@pytest.fixture
def make(tmp_path):
    """make({"a": "0 .5 .5 1 1"}) -> the dataset's folder; a label of None is no file."""

    def write(labels=None, yaml=YAML, images="images/train", **save):
        for stem, text in ({"a": WHOLE} if labels is None else labels).items():
            picture = tmp_path / images / f"{stem}.png"
            picture.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (WIDTH, HEIGHT)).save(picture, **save)
            if text is not None:
                label_path(picture).parent.mkdir(parents=True, exist_ok=True)
                label_path(picture).write_bytes(text if isinstance(text, bytes) else text.encode())
        if yaml is not None:
            (tmp_path / "data.yaml").write_text(yaml, encoding="utf-8")
        return tmp_path

    return write


def kinds(annotations):
    return [problem.kind for problem in annotations.problems]


def test_two_pictures_that_share_a_label_file_are_said(make):
    folder = make({"a": WHOLE, "b": WHOLE})
    Image.new("RGB", (WIDTH, HEIGHT)).save(folder / "images/train/a.jpg")  # a.jpg beside a.png: both mean labels/train/a.txt
    annotations = read_dataset(folder)
    assert [(p.kind, p.file) for p in annotations.problems] == [("shared-label", "labels/train/a.txt")]
    assert "a.jpg and a.png share this label file" in annotations.problems[0].detail
    assert [len(record) for record in annotations.images] == [1, 1, 1]


class TestLines:
    def test_fractions_of_the_picture(self, make):
        (record,) = read_dataset(make({"a": f"{WHOLE}\n1 0.25 0.5 0.1 0.2\n"})).images
        np.testing.assert_allclose(record.boxes, [[0, 0, WIDTH, HEIGHT], [20, 20, 30, 30]], atol=1e-5)
        assert record.labels.tolist() == [0, 1]

    @pytest.mark.parametrize(
        ("line", "kind", "expected"),
        [
            ("0 0.5 0.5 0 0.5", "zero-area", None),
            ("0 0.5 0.5 1.0004 0.5", "past-edge", [0, 12.5, 100, 37.5]),
            ("0 1.0004 0.5 0.1 0.5", "past-edge", [95.04, 12.5, 100, 37.5]),
            ("0 0.5000005 0.5 1 0.5", None, [0, 12.5, 100, 37.5]),  # the sixth decimal, rounded
            ("0 -0.1 0.5 0.4 0.5", "past-edge", [0, 12.5, 10, 37.5]),
            ("0 0.5 0.5 -0.2 0.5", "inverted", [40, 12.5, 60, 37.5]),
            ("0 1.5 0.5 0.1 0.5", "outside", None),
            ("0 nan 0.5 0.1 0.5", "not-a-number", None),
            ("0 0.5 0.5 inf 0.5", "not-normalised", None),
            ("0 50 25 100 50", "not-normalised", None),  # pixels
            ("2 0.5 0.5 0.2 0.2", "unknown-class", None),
            ("-1 0.5 0.5 0.2 0.2", "bad-line", None),
            ("0.5 0.5 0.5 0.2 0.2", "bad-line", None),
            ("cat 0.5 0.5 0.2 0.2", "bad-line", None),
            ("1.0 0.5 0.5 0.2 0.2", None, [40, 20, 60, 30]),
            ("0 0.5 0.5 0.2", "bad-line", None),
            ("0,0.5,0.5,0.2,0.2", "bad-line", None),
            ("0 0.5 x 0.2 0.2", "not-a-number", None),
            ("0\t0.5  0.5 0.2 0.2\t", None, [40, 20, 60, 30]),
            ("0 0.5 0.5 0.2 0.2 0.93", "extra-value", [40, 20, 60, 30]),
            ("0 0.1 0.2 0.3 0.2 0.2 0.6", "masks-ignored", [10, 10, 30, 30]),
            ("0 0.1 0.2 0.3 0.2 0.3 0.6 0.1 0.6", "masks-ignored", [10, 10, 30, 30]),
            ("0 0.1 0.2 0.3 0.2 0.3 0.6 0.1", "bad-line", None),
            ("0 10 20 30 20 30 60", "not-normalised", None),
            (WHOLE, "duplicate", None),
        ],
    )
    def test_each_line_is_fixed_or_left_out_and_counted(self, make, line, kind, expected):
        annotations = read_dataset(make({"a": f"{WHOLE}\n\n{line}\n"}))
        assert kinds(annotations) == ([kind] if kind else [])
        np.testing.assert_allclose(annotations.images[0].boxes[1:], [expected] if expected else np.zeros((0, 4)), atol=1e-3)
        assert all(problem.file == "labels/train/a.txt" for problem in annotations.problems)
        assert all("line 3" in problem.detail for problem in annotations.problems if kind != "masks-ignored")

    def test_keypoints_are_not_polygons(self, make):
        annotations = read_dataset(make({"a": "0 0.5 0.5 0.2 0.2 0.1 0.1 2 0.9 0.9 1\n"}, yaml=YAML + "kpt_shape: [2, 3]\n"))
        np.testing.assert_allclose(annotations.images[0].boxes, [[40, 20, 60, 30]], atol=1e-5)

    @pytest.mark.parametrize(
        ("text", "problems"), [(b"\xef\xbb\xbf" + WHOLE.encode(), []), (WHOLE.encode() + b"\n# caf\xe9", ["not-utf-8", "bad-line"])]
    )
    def test_encodings(self, make, text, problems):
        annotations = read_dataset(make({"a": text}))
        assert len(annotations.images[0]) == 1
        assert kinds(annotations) == problems

    def test_turned_pictures(self, make):
        exif = Image.Exif()
        exif[0x0112] = 8
        annotations = read_dataset(make({"a": "0 0.5 0.25 1 0.5"}, exif=exif))
        (record,) = annotations.images
        assert (record.width, record.height) == (HEIGHT, WIDTH)
        assert record.boxes.tolist() == [[0, 0, 50, 50]]
        assert [(p.kind, p.note) for p in annotations.problems] == [("exif-rotation", True)]


class TestFiles:
    def test_no_file_and_an_empty_file_are_background(self, make):
        annotations = read_dataset(make({"a": WHOLE, "b": "", "c": None, "d": "\n"}))
        assert [(record.path.name, record.boxes.shape) for record in annotations.images] == [
            ("a.png", (1, 4)), ("b.png", (0, 4)), ("c.png", (0, 4)), ("d.png", (0, 4)),
        ]  # fmt: skip
        assert annotations.problems == []

    def test_no_labels_at_all_is_suspicious(self, make):
        annotations = read_dataset(make({"a": None, "b": None}))
        assert kinds(annotations) == ["missing-annotation"]
        assert "the first would be labels/train/a.txt" in annotations.problems[0].detail

    def test_labels_without_a_picture(self, make):
        root = make({"a": WHOLE})
        (root / "labels" / "train" / "b.txt").write_text(WHOLE)
        (root / "labels" / "train" / "classes.txt").write_text("cat\ndog\n")
        assert [(p.file, p.kind) for p in read_dataset(root).problems] == [("labels/train/b.txt", "missing-image")]

    def test_a_picture_that_is_none(self, make):
        root = make({"a": WHOLE, "b": WHOLE})
        (root / "images" / "train" / "b.png").write_bytes(b"")
        annotations = read_dataset(root)
        assert [(p.file, p.kind) for p in annotations.problems] == [("labels/train/b.txt", "bad-picture")]
        assert len(annotations) == 1

    @pytest.mark.parametrize("stem", ["a b", "사진", "images", "x.y"])
    def test_names(self, make, stem):
        (record,) = read_dataset(make({stem: WHOLE})).images
        assert (record.path.stem, len(record)) == (stem, 1)

    @pytest.mark.parametrize(
        ("picture", "label"),
        [
            ("d/images/a.jpg", "d/labels/a.txt"),
            ("images/x/images/train/a.b.png", "images/x/labels/train/a.b.txt"),
            ("d/pics/a.jpg", "d/pics/a.txt"),
            ("d/images", "d/images.txt"),
            ("d/my_images/a.jpg", "d/my_images/a.txt"),
        ],
    )
    def test_where_labels_lie(self, picture, label):
        assert label_path(Path(picture)) == Path(label)


class TestYaml:
    @pytest.mark.parametrize(
        ("names", "classes"),
        [
            ("[cat, dog]", ("cat", "dog")),
            ("{1: dog, 0: cat}", ("cat", "dog")),
            ("{'0': cat, '1': dog}", ("cat", "dog")),
            ("[no, 1.50]", ("no", "1.50")),  # YAML's own reading is False and 1.5
            ("[null, 2024-01-01]", ("null", "2024-01-01")),
            ("[' 표지판  x ', dog]", ("표지판 x", "dog")),
            ("{0: cat, 5: dog}", ("cat", "dog")),
        ],
    )
    def test_names(self, make, names, classes):
        assert read_dataset(make(yaml=f"train: images/train\nnames: {names}\n")).classes == classes

    def test_numbers_with_gaps(self, make):
        annotations = read_dataset(make({"a": f"5{WHOLE[1:]}\n3{WHOLE[1:]}"}, yaml="train: images/train\nnames: {0: cat, 5: dog}\n"))
        assert annotations.images[0].labels.tolist() == [1]
        assert kinds(annotations) == ["unknown-class"]

    @pytest.mark.parametrize("names", ["", "[]", "cat", "{a: cat}", "{0: [cat]}", "{-1: cat}", "[[a], b]"])
    def test_names_that_are_none(self, make, names):
        with pytest.raises(ValueError, match=r"data\.yaml: names must be a list of names"):
            read_dataset(make(yaml=f"train: images/train\nnames: {names}\n"))

    def test_aliases_cannot_fill_the_memory(self, make):
        levels = "".join(f"x{i}: &x{i} [{', '.join(['*x' + str(i - 1)] * 9)}]\n" for i in range(1, 30))
        with pytest.raises(ValueError, match="names must be a list") as error:
            read_dataset(make(yaml=f"x0: &x0 [a]\n{levels}train: images/train\nnames: *x29\n"))
        assert len(str(error.value)) < 500

    @pytest.mark.parametrize("nc", ["3", "x", "1"])
    def test_a_count_that_disagrees(self, make, nc):
        assert kinds(read_dataset(make(yaml=f"{YAML}nc: {nc}\n"))) == ["wrong-count"]
        assert kinds(read_dataset(make(yaml=f"{YAML}nc: 2\n"))) == []

    def test_a_name_twice(self, make):
        annotations = read_dataset(make({"a": WHOLE + "\n1 0.5 0.5 0.1 0.1"}, yaml="train: images/train\nnames: [cat, cat]\n"))
        assert annotations.count_boxes() == {"cat": 2}
        assert kinds(annotations) == ["duplicate-category"]

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("names: [a\n", r"data\.yaml: not valid YAML"),
            ("train: images/train\nnames: [a]\npath: [x]\n", r"data\.yaml: path must be one folder, got a list"),
            ("train: {a: b}\nnames: [a]\n", r"data\.yaml: train must be a folder"),
            ("train: data.yaml\nnames: [a]\n", "must be folders or .txt lists"),
        ],
    )
    def test_unreadable(self, make, text, message):
        with pytest.raises(ValueError, match=message):
            read_dataset(make(yaml=text))

    def test_another_tools_yaml_is_no_matter(self, make):
        root = make()
        (root / "a.yaml").write_text("x: [")
        (root / "b.yaml").write_text("names: [no dataset]")
        assert read_dataset(root).classes == ("cat", "dog")

    def test_a_split_that_does_not_exist(self, make):
        root = make(yaml=YAML + "val: images/val\ntest:\n")
        assert kinds(read_dataset(root)) == ["missing-split"]
        with pytest.raises(ValueError, match=r"val is .*images/val, which does not exist"):
            read_dataset(root, "val")
        with pytest.raises(ValueError, match="got 'test'; it has train, val"):
            read_dataset(root, "test")


class TestSplits:
    def test_path_and_lists_of_folders(self, make, tmp_path):
        make({"a": WHOLE}, images="set/images/one", yaml=None)
        make({"b": WHOLE}, images="set/images/two", yaml=None)
        (tmp_path / "data.yaml").write_text("path: set\ntrain: [images/one, images/two]\nval: images/two/\nnames: [cat]\n")
        assert [record.path.name for record in read_dataset(tmp_path, "train").images] == ["a.png", "b.png"]
        assert kinds(read_dataset(tmp_path)) == ["duplicate-image"]
        assert len(read_dataset(tmp_path / "data.yaml", "val")) == 1

    def test_one_level_too_many_as_exports_have_it(self, make):
        root = make(images="train/images", yaml="train: ../train/images\nnames: [cat]\n")
        assert len(read_dataset(root)) == 1

    def test_text_lists(self, make, tmp_path):
        root = make({"a b": WHOLE, "c": WHOLE}, yaml="train: train.txt\nnames: [cat]\n")
        absolute = tmp_path / "images" / "train" / "c.png"
        (root / "train.txt").write_text(f"./images/train/a b.png\n{absolute}\n\nimages/train/gone.png\n../../secret.png\n{absolute}\n")
        annotations = read_dataset(root)
        assert [record.path.name for record in annotations.images] == ["a b.png", "c.png"]
        assert kinds(annotations) == ["missing-image", "path-outside", "duplicate-image"]

    @pytest.mark.parametrize("name", ["../secret.png", "x/../../../secret.png", r"..\secret.png", "lists/../../secret.png"])
    def test_names_in_a_list_never_lead_out(self, make, tmp_path, name):
        root = make({"a": WHOLE}, images="set/images", yaml=None) / "set"
        (root / "data.yaml").write_text("train: lists/train.txt\nnames: [cat]\n")
        (root / "lists").mkdir()
        (root / "lists" / "train.txt").write_text(f"../images/a.png\nimages/a.png\n{name}\n")
        Image.new("RGB", (4, 4)).save(tmp_path / "secret.png")
        annotations = read_dataset(root)
        assert [record.path for record in annotations.images] == [root / "images" / "a.png"]
        assert kinds(annotations)[0] in ("path-outside", "missing-image")
        assert kinds(annotations)[1:] == ["duplicate-image"]

    @pytest.mark.parametrize("folder", ["images", "images/train", "train/images"])
    def test_without_yaml(self, make, folder):
        root = make({"a": "0 .5 .5 1 1\n7 .5 .5 1 1\n"}, images=folder, yaml=None)
        annotations = read_dataset(root)
        assert annotations.classes == ("0", "7")
        assert annotations.images[0].labels.tolist() == [0, 1]
        assert kinds(annotations) == ["no-names"]
        assert list(find_dataset(root).splits) == (["all"] if folder == "images" else ["train"])

    def test_classes_without_yaml(self, make):
        root = make({"a": "1 .5 .5 1 1"}, images="images", yaml=None)
        (root / "labels" / "classes.txt").write_text("cat\n표지판\n", encoding="utf-8")
        annotations = read_dataset(root)
        assert annotations.count_boxes() == {"cat": 0, "표지판": 1}
        assert annotations.problems == []
