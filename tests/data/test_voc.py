"""Hostile Pascal VOC: each mistake is fixed and counted, or an error that names the file."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from coursekit.data.formats import read_dataset

WIDTH, HEIGHT = 64, 48


def xml(*objects, filename="a.png", size=(WIDTH, HEIGHT), extra="", declaration=""):
    """An annotation: objects are (name, xmin, ymin, xmax, ymax)."""
    body = "".join(
        f"<object><name>{name}</name>{extra}<bndbox><xmin>{x1}</xmin><ymin>{y1}</ymin><xmax>{x2}</xmax><ymax>{y2}</ymax></bndbox></object>"
        for name, x1, y1, x2, y2 in objects
    )
    sides = "" if size is None else f"<size><width>{size[0]}</width><height>{size[1]}</height><depth>3</depth></size>"
    return f"{declaration}<annotation><filename>{filename}</filename>{sides}{body}</annotation>"


@pytest.fixture
def make(tmp_path):
    """make({"a": xml}, pictures=["a.png"], lists={"train": "a\\n"}) -> the dataset's folder."""

    def write(files, pictures=("a.png",), lists=None, picture_folder="JPEGImages", **save):
        for folder in ("Annotations", picture_folder, "ImageSets/Main"):
            (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        for stem, text in files.items():
            (tmp_path / "Annotations" / f"{stem}.xml").write_bytes(text if isinstance(text, bytes) else text.encode())
        for name in pictures:
            Image.new("RGB", (WIDTH, HEIGHT)).save(tmp_path / picture_folder / name, **save)
        for name, text in (lists or {}).items():
            (tmp_path / "ImageSets" / "Main" / f"{name}.txt").write_text(text, encoding="utf-8")
        return tmp_path

    return write


def kinds(annotations):
    return [problem.kind for problem in annotations.problems]


GOOD = ("cat", 1, 1, 10, 10)


class TestCoordinates:
    def test_counted_from_one_both_ends_included(self, make):
        (record,) = read_dataset(make({"a": xml(("cat", 1, 1, WIDTH, HEIGHT), ("cat", 5, 6, 7, 9))})).images
        np.testing.assert_array_equal(record.boxes, [[0, 0, WIDTH, HEIGHT], [4, 5, 7, 9]])
        np.testing.assert_array_equal(record.area, [WIDTH * HEIGHT, 12])
        assert record.boxes.dtype == np.float32
        assert record.labels.dtype == np.int64

    @pytest.mark.parametrize(
        ("box", "kind", "expected"),
        [
            ((5, 5, 5, 5), "zero-area", None),  # a click without a drag
            ((5, 5, 5, 9), None, [4, 4, 5, 9]),  # one pixel wide, by the letter of the format
            ((0, 1, 9, 9), "past-edge", [0, 0, 9, 9]),  # a tool that counts from 0
            ((5, 5, WIDTH + 1, 9), "past-edge", [4, 4, WIDTH, 9]),
            ((-20, -20, 9, 9), "past-edge", [0, 0, 9, 9]),
            ((9, 20, 5, 10), "inverted", [4, 9, 9, 20]),
            ((70, 5, 80, 9), "outside", None),
            ((-9, -9, -2, -2), "outside", None),
            (("nan", 1, 5, 5), "not-a-number", None),
            ((1, 1, "inf", 5), "not-a-number", None),
            (("", 1, 5, 5), "not-a-number", None),
            (("1e999", 1, 5, 5), "not-a-number", None),
            (("2.5", "1.0", "5.5", "9.25"), None, [1.5, 0, 5.5, 9.25]),
        ],
        ids=str,
    )
    def test_each_box_is_fixed_or_left_out_and_counted(self, make, box, kind, expected):
        annotations = read_dataset(make({"a": xml(GOOD, ("cat", *box))}))
        problems = [problem for problem in annotations.problems if not problem.note]
        assert [problem.kind for problem in problems] == ([kind] if kind else [])
        assert annotations.images[0].boxes[1:].tolist() == ([expected] if expected else [])
        for problem in problems:
            assert problem.file == "Annotations/a.xml"
            assert "object 1" in problem.detail

    def test_a_tool_that_counts_from_zero_is_suspected(self, make):
        annotations = read_dataset(make({"a": xml(("cat", 0, 4, 9, 9), ("cat", 4, 0, 9, 9), GOOD)}))
        assert [(p.kind, p.note) for p in annotations.problems] == [("counts-from-0", True), ("past-edge", False), ("past-edge", False)]
        assert annotations.problems[0].detail.startswith("2 boxes have xmin or ymin 0")

    def test_a_box_twice(self, make):
        annotations = read_dataset(make({"a": xml(GOOD, GOOD, ("dog", *GOOD[1:]))}))
        assert kinds(annotations) == ["duplicate"]
        assert annotations.count_boxes() == {"cat": 1, "dog": 1}  # another class is another object

    def test_no_objects_is_a_picture_without_boxes(self, make):
        (record,) = read_dataset(make({"a": xml()})).images
        assert (record.boxes.shape, record.labels.shape, record.area.shape) == ((0, 4), (0,), (0,))

    def test_object_without_a_box(self, make):
        text = xml(GOOD).replace("</annotation>", "<object><name>cat</name><part><bndbox/></part></object></annotation>")
        annotations = read_dataset(make({"a": text}))
        assert kinds(annotations) == ["bad-entry"]

    def test_flags(self, make):
        text = xml(GOOD, extra="<difficult> 1 </difficult><truncated>0</truncated>").replace(
            "</annotation>", xml(("cat", 2, 2, 9, 9), extra="<truncated>1</truncated>").partition("</size>")[2]
        )
        (record,) = read_dataset(make({"a": text})).images
        assert record.difficult.tolist() == [1, 0]
        assert record.truncated.tolist() == [0, 1]

    @pytest.mark.parametrize("size", [(0, 0), (100, 100), (HEIGHT, WIDTH)])
    def test_stated_size_against_the_picture(self, make, size):
        annotations = read_dataset(make({"a": xml(("cat", 1, 1, 60, 40), size=size)}))
        assert kinds(annotations) == ["wrong-size"]
        assert (annotations.images[0].width, annotations.images[0].height) == (WIDTH, HEIGHT)
        assert annotations.images[0].boxes.tolist() == [[0, 0, 60, 40]]

    @pytest.mark.parametrize("size", [None, ("x", "")])
    def test_no_stated_size_is_no_problem(self, make, size):
        assert kinds(read_dataset(make({"a": xml(GOOD, size=size)}))) == []


class TestRotation:
    """The picture is stored 64 x 48 and shown turned clockwise, 48 x 64. The box is the left 10 columns as stored."""

    @pytest.fixture
    def exif(self):
        exif = Image.Exif()
        exif[0x0112] = 6
        return exif

    def test_boxes_drawn_on_the_stored_picture_turn_with_it(self, make, exif):
        annotations = read_dataset(make({"a": xml(("cat", 1, 1, 10, HEIGHT), size=(WIDTH, HEIGHT))}, exif=exif))
        (record,) = annotations.images
        assert (record.width, record.height) == (HEIGHT, WIDTH)
        assert record.boxes.tolist() == [[0, 0, HEIGHT, 10]]  # the left edge is the top now
        assert [(problem.kind, problem.note) for problem in annotations.problems] == [("exif-rotation", False)]

    def test_boxes_drawn_on_the_displayed_picture_stay(self, make, exif):
        annotations = read_dataset(make({"a": xml(("cat", 1, 1, HEIGHT, 10), size=(HEIGHT, WIDTH))}, exif=exif))
        assert annotations.images[0].boxes.tolist() == [[0, 0, HEIGHT, 10]]
        assert [(problem.kind, problem.note) for problem in annotations.problems] == [("exif-rotation", True)]


class TestClasses:
    def test_sorted_over_all_splits(self, make):
        files = {"a": xml(("zebra", 1, 1, 5, 5)), "b": xml(("ant", 1, 1, 5, 5), filename="b.png")}
        root = make(files, pictures=["a.png", "b.png"], lists={"train": "a\n", "val": "b\n"})
        assert read_dataset(root, "train").classes == read_dataset(root, "val").classes == ("ant", "zebra")
        assert read_dataset(root, "train").images[0].labels.tolist() == [1]

    def test_stored_order_wins_and_others_are_unknown(self, make):
        root = make({"a": xml(GOOD, ("dog", 1, 1, 5, 5), ("emu", 1, 1, 6, 6))})
        (root / "classes.txt").write_text("dog\ncat\n")
        annotations = read_dataset(root)
        assert annotations.classes == ("dog", "cat")
        assert annotations.images[0].labels.tolist() == [1, 0]
        assert [(p.kind, p.detail) for p in annotations.problems] == [
            ("unknown-class", "object 2 is of class 'emu', which is not among dog, cat")
        ]

    def test_spaces_and_missing_names(self, make):
        annotations = read_dataset(make({"a": xml(("\n stop  sign ", 1, 1, 5, 5), ("", 1, 1, 6, 6))}))
        assert annotations.classes == ("stop sign",)
        assert kinds(annotations) == ["unknown-class"]


class TestFiles:
    def test_missing_picture(self, make):
        annotations = read_dataset(make({"a": xml(GOOD), "b": xml(GOOD, GOOD, filename="b.png")}))
        assert [(p.file, p.kind, p.action) for p in annotations.problems] == [
            ("Annotations/b.xml", "missing-image", "left out its 2 boxes")
        ]

    def test_missing_annotation(self, make):
        root = make({"a": xml(GOOD)}, pictures=["a.png", "b.png"], lists={"train": "a\nb\n"})
        assert [(p.file, p.kind) for p in read_dataset(root).problems] == [("JPEGImages/b.png", "missing-annotation")]
        assert [(p.file, p.kind) for p in read_dataset(root, "train").problems] == [("ImageSets/Main/train.txt", "missing-annotation")]

    def test_nothing_usable_is_an_error_that_shows_why(self, make):
        with pytest.raises(ValueError, match=r"no usable picture; 1 problems, the first:\n  Annotations/a.xml: missing-image"):
            read_dataset(make({"a": xml(GOOD)}, pictures=[]))

    @pytest.mark.parametrize("content", [b"", b"not a picture"])
    def test_bad_picture(self, make, content):
        root = make({"a": xml(GOOD), "b": xml(GOOD, filename="b.png")})
        (root / "JPEGImages" / "b.png").write_bytes(content)
        annotations = read_dataset(root)
        assert [(p.file, p.kind, p.action) for p in annotations.problems] == [
            ("Annotations/b.xml", "bad-picture", "left out the picture and its 1 boxes")
        ]
        assert "b.png" in annotations.problems[0].detail

    @pytest.mark.parametrize(
        ("stem", "picture", "filename"),
        [
            ("a", "a.JPG", "a.jpg"),
            ("a b (1)", "a b (1).png", "a b (1).png"),
            ("사진", "사진.png", "사진.jpeg"),
            ("e\u0301", "\u00e9.png", "e\u0301.png"),  # an accent stored apart, as macOS does
            ("a", "other.png", "other.png"),
            ("a", "other.png", r"C:\data\other.png"),
            ("a", "a.png", "/etc/passwd"),
            ("a", "a.png", "../../../secret.png"),
            ("a", "a.png", ""),
        ],
    )  # fmt: skip
    def test_the_picture_is_found(self, make, stem, picture, filename):
        root = make({stem: xml(GOOD, filename=filename)}, pictures=[picture])
        annotations = read_dataset(root)
        assert [record.path for record in annotations.images] == [root / "JPEGImages" / picture]
        outside = filename.startswith(("C:", "/", ".."))
        assert kinds(annotations) == (["path-outside"] if outside else [])

    def test_a_filename_that_is_not_there_is_noted(self, make):
        annotations = read_dataset(make({"a": xml(GOOD, filename="IMG_2041.png")}))
        assert [record.path.name for record in annotations.images] == ["a.png"]
        assert [(p.kind, p.detail, p.note) for p in annotations.problems] == [
            ("other-picture", "<filename> names IMG_2041.png, which is not there", True)
        ]

    @pytest.mark.parametrize(
        ("written", "padded"), [("cat ", True), (" cat", True), ("black  cat", True), ("\n  cat\n ", False), ("cat", False)]
    )
    def test_blanks_in_a_class_are_told(self, make, written, padded):
        annotations = read_dataset(make({"a": xml((written, 1, 1, 10, 10))}))
        name = " ".join(written.split())
        assert annotations.classes == (name,)
        told = [("padded-name", f"object 0 is of class {written!r}", f"read as {name!r}", False)] if padded else []
        assert [(p.kind, p.detail, p.action, p.note) for p in annotations.problems] == told

    def test_a_file_name_never_leads_out_of_the_dataset(self, make, tmp_path):
        root = make({"ok": xml(GOOD, filename="ok.png"), "a": xml(GOOD, filename="../secret.png")}, pictures=["ok.png"])
        Image.new("RGB", (WIDTH, HEIGHT)).save(root / "secret.png")
        annotations = read_dataset(root)
        assert [record.path.name for record in annotations.images] == ["ok.png"]
        assert kinds(annotations) == ["path-outside", "missing-image"]

    def test_two_annotations_of_one_picture(self, make):
        annotations = read_dataset(make({"a": xml(GOOD), "b": xml(("cat", 2, 2, 9, 9))}))
        assert kinds(annotations) == ["duplicate-image"]
        assert annotations.images[0].boxes.tolist() == [[0, 0, 10, 10], [1, 1, 9, 9]]

    def test_which_of_two_pictures(self, make):
        annotations = read_dataset(make({"a": xml(GOOD, filename="b.png")}, pictures=["a.png", "b.png"]))
        assert annotations.images[0].path.name == "a.png"
        assert kinds(annotations) == ["other-picture", "missing-annotation"]
        assert read_dataset(make({"a": xml(GOOD, filename="a.bmp")}, pictures=["a.bmp"])).images[0].path.name == "a.bmp"


class TestText:
    @pytest.mark.parametrize(
        "text",
        [
            '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><annotation><filename>&b;</filename></annotation>',
            '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><annotation><filename>&a;</filename></annotation>',
        ],
        ids=["a billion laughs", "another file"],
    )
    def test_entities_are_refused(self, make, text):
        annotations = read_dataset(make({"a": xml(GOOD), "b": text}, pictures=["a.png", "b.png"]))
        assert next((p.file, p.kind, p.action) for p in annotations.problems) == (
            "Annotations/b.xml",
            "forbidden-xml",
            "left out the picture",
        )
        assert len(annotations) == 1

    @pytest.mark.parametrize("text", [b"", b"<annotation>", b"{}", b"\0\0\0\0", xml(GOOD)[:-20].encode(), b"<a>\x01</a>"])
    def test_not_xml(self, make, text):
        annotations = read_dataset(make({"a": xml(GOOD), "b": text}, pictures=["a.png", "b.png"]))
        assert next((p.file, p.kind, p.action) for p in annotations.problems) == ("Annotations/b.xml", "unreadable", "left out the picture")

    @pytest.mark.parametrize(
        ("encoding", "declared", "name", "problems"),
        [
            ("utf-8", False, "표지판", []),
            ("utf-8-sig", True, "표지판", []),
            ("utf-16", True, "표지판", []),
            ("euc-kr", True, "표지판", []),
            ("iso-8859-1", True, "gâteau", []),
            ("iso-8859-1", False, "gâteau", ["not-utf-8"]),
        ],
    )
    def test_encodings(self, make, encoding, declared, name, problems):
        declaration = f'<?xml version="1.0" encoding="{encoding.removesuffix("-sig")}"?>\n' if declared else ""
        annotations = read_dataset(make({"a": xml((name, 1, 1, 5, 5), declaration=declaration).encode(encoding)}))
        assert annotations.classes == (name,)
        assert kinds(annotations) == problems


class TestLayouts:
    def test_lists_in_their_order_without_those_of_classes(self, make):
        files = {stem: xml(GOOD, filename=f"{stem}.png") for stem in ("a", "b 1", "c")}
        lists = {"train": "c\n\na.png\n", "val": "b 1\r\n", "cat_train": "a -1\nc  1\n", "my_own": "a\na\n"}
        root = make(files, pictures=["a.png", "b 1.png", "c.png"], lists=lists)
        assert [record.path.stem for record in read_dataset(root, "train").images] == ["c", "a"]
        assert [record.path.stem for record in read_dataset(root, "validation").images] == ["b 1"]
        assert [record.path.stem for record in read_dataset(root, "trainval").images] == ["c", "a", "b 1"]
        assert kinds(read_dataset(root, "my_own")) == ["duplicate-image"]
        with pytest.raises(ValueError, match=r"split must be one that .* has, got 'cat_train'; it has my_own, train, val"):
            read_dataset(root, "cat_train")

    @pytest.mark.parametrize(("pictures", "annotations"), [("images", "annotations"), (".", "."), ("imgs", "xmls")])
    def test_folders_as_people_call_them(self, tmp_path, pictures, annotations):
        for folder in (pictures, annotations):
            (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / annotations / "a.xml").write_text(xml(GOOD))
        Image.new("RGB", (WIDTH, HEIGHT)).save(tmp_path / pictures / "a.png")
        annotations = read_dataset(tmp_path)
        assert (len(annotations), annotations.problems) == (1, [])
        with pytest.raises(ValueError, match="it has none: it is not split"):
            read_dataset(tmp_path, "train")

    def test_the_folder_of_the_xml_files(self, make):
        root = make({"a": xml(GOOD)}, lists={"train": "a\n"})
        assert read_dataset(root / "Annotations", "train").images[0].path == root / "JPEGImages" / "a.png"

    def test_a_folder_for_each_split(self, tmp_path):
        for split in ("train", "valid"):
            (tmp_path / split).mkdir()
            (tmp_path / split / "a.xml").write_text(xml(GOOD))
            Image.new("RGB", (WIDTH, HEIGHT)).save(tmp_path / split / "a.png")
        assert [record.path for record in read_dataset(tmp_path, "val").images] == [tmp_path / "valid" / "a.png"]
        assert len(read_dataset(tmp_path)) == 2
        assert Path(read_dataset(tmp_path / "valid").images[0].path) == tmp_path / "valid" / "a.png"
