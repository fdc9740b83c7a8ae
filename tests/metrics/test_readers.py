import numpy as np
import pytest

from coursekit.metrics.readers import read_folders


@pytest.fixture
def folders(tmp_path):
    """Write files of truth and of detections, given as name=text; return the two folders."""

    def write(truth: dict, found: dict):
        for folder, files in (("truth", truth), ("found", found)):
            (tmp_path / folder).mkdir()
            for name, text in files.items():
                (tmp_path / folder / name).write_text(text, encoding="utf-8")
        return tmp_path / "truth", tmp_path / "found"

    return write


def xml(*objects, size=(200, 100)):
    """VOC XML of (name, xmin, ymin, xmax, ymax, difficult)."""
    things = "".join(
        f"<object><name>{name}</name><difficult>{difficult}</difficult><bndbox><xmin>{a}</xmin><ymin>{b}</ymin>"
        f"<xmax>{c}</xmax><ymax>{d}</ymax></bndbox></object>"
        for name, a, b, c, d, difficult in objects
    )
    return f"<annotation><size><width>{size[0]}</width><height>{size[1]}</height></size>{things}</annotation>"


def test_text_on_both_sides(folders):
    paths = folders(
        {"b.txt": "sign 0 0 9 9\n\nno entry 5 5 14 9 difficult\n", "a.txt": ""},
        {"b.txt": "no entry 0.5 5 5 14 9\n"},
    )
    inputs = read_folders(*paths)
    assert inputs.images == ("a", "b")  # an empty file is an image
    assert inputs.names == ("no entry", "sign")
    assert inputs.truths.xywh.tolist() == [[0, 0, 10, 10], [5, 5, 10, 5]]
    assert inputs.truths.difficult.tolist() == [False, True]
    assert inputs.truths.area.tolist() == [100, 50]
    assert (inputs.found.score.tolist(), inputs.found.category.tolist(), inputs.found.image.tolist()) == ([0.5], [0], [1])


@pytest.mark.parametrize(
    ("box_format", "text", "inclusive", "expected"),
    [
        ("xyxy", "10 20 29 39", True, [10, 20, 20, 20]),
        ("xyxy", "10 20 29 39", False, [10, 20, 19, 19]),
        ("xywh", "10 20 19 19", True, [10, 20, 20, 20]),
        ("cxcywh", "0.1 0.3 0.1 0.2", False, [10, 20, 20, 20]),
        ("cxcywh", "0.1 0.3 0.1012 0.2", True, [10, 20, 21, 21]),  # 20.24 wide, in whole pixels 20, and one for the last
    ],
)
def test_box_formats(folders, box_format, text, inclusive, expected):
    paths = folders({"a.xml": xml(("sign", 1, 2, 3, 4, 0))}, {"a.txt": f"0 0.5 {text}"})
    inputs = read_folders(*paths, box_format, ["sign"], inclusive)
    np.testing.assert_allclose(inputs.found.xywh, [expected])
    assert inputs.names == ("sign",)


def test_xml_truth(folders):
    inputs = read_folders(*folders({"a.xml": xml(("sign", 1, 2, 10, 4, 1), ("car", 3, 3, 3, 3, 0)), "b.xml": xml()}, {}))
    assert inputs.truths.xywh.tolist() == [[1, 2, 10, 3], [3, 3, 1, 1]]
    assert inputs.truths.difficult.tolist() == [True, False]
    assert len(inputs.images) == 2
    assert len(inputs.found) == 0


BOMB = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><annotation>&b;</annotation>'
BAD = {
    "words": ({"a.txt": "sign one two 3 4"}, {}, r"a.txt line 1: expected 'class left top right bottom'"),
    "no class": ({"a.txt": "1 2 3 4"}, {}, "a.txt line 1: expected"),
    "score missing": ({"a.txt": "sign 1 2 3 4"}, {"a.txt": "\n0.5 1 2 3 4"}, "a.txt line 2: expected 'class score left"),
    "xywh read as xyxy": ({"a.txt": "sign 30 40 5 5"}, {}, "a.txt line 1: .* end before they begin; is this --box-format xywh"),
    "not xml": ({"a.xml": "<annotation"}, {}, "a.xml is not a Pascal VOC annotation"),
    "xml without box": ({"a.xml": "<annotation><object><name>x</name></object></annotation>"}, {}, "a.xml is not a Pascal VOC annotation"),
    "xml bomb": ({"a.xml": BOMB}, {}, "a.xml is not a Pascal VOC annotation .EntitiesForbidden"),
    "no truth": ({}, {"a.txt": ""}, "must hold .xml or .txt files of truth"),
    "another image": ({"a.txt": ""}, {"b.txt": ""}, "has 1 files without a file of truth, the first b.txt"),
    "two truths": ({"a.txt": "", "a.xml": xml()}, {}, "one file of truth an image, got two for a"),
}


@pytest.mark.parametrize("what", BAD)
def test_bad_files_are_named(folders, what):
    truth, found, message = BAD[what]
    with pytest.raises(ValueError, match=message):
        read_folders(*folders(truth, found))


def test_yolo_boxes_need_the_size_of_the_image(folders):
    paths = folders({"a.txt": "sign 0.1 0.1 0.1 0.1"}, {})
    with pytest.raises(ValueError, match="cxcywh needs truth in XML"):
        read_folders(*paths, "cxcywh")


def test_class_numbers_need_names_enough(folders):
    with pytest.raises(ValueError, match="class numbers must be below 1, the number of names, got 1"):
        read_folders(*folders({"a.txt": "1 0 0 5 5"}, {}), names=["sign"])


def test_unknown_box_format(folders):
    with pytest.raises(ValueError, match="box_format must be one of xyxy, xywh, cxcywh, got 'ltrb'"):
        read_folders(*folders({"a.txt": ""}, {}), "ltrb")
