import io
import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from rich.console import Console
from typer.testing import CliRunner

from coursekit.cli import app
from coursekit.data.check import check_dataset, near_duplicates
from coursekit.data.formats import write_dataset
from coursekit.data.records import Annotations, ImageRecord, summarize
from coursekit.data.report import render


@pytest.fixture
def make(tmp_path):
    """make([(boxes, labels), ...]) -> the folder of a dataset; pictures of noise, so that no two are the same."""

    def write(contents, classes=("cat", "dog"), split="train", format="voc", mode="RGB", suffix=".png"):
        generator = np.random.default_rng(len(contents) + sum(map(ord, split)))
        records = []
        for number, (boxes, labels) in enumerate(contents):
            path = tmp_path / "pictures" / f"{split}{number}{suffix}"
            path.parent.mkdir(exist_ok=True)
            Image.fromarray(generator.integers(0, 256, (40, 60, 3), dtype=np.uint8)).convert(mode).save(path, "PNG")
            records.append(ImageRecord(path, number, 60, 40, boxes, labels))
        write_dataset(Annotations(classes, records), tmp_path / "data", format, split)
        return tmp_path / "data"

    return write


GOOD = ([[0, 0, 10, 10], [20, 20, 60, 40]], [0, 1])


@pytest.mark.parametrize("format", ["voc", "coco", "yolo"])
def test_a_clean_dataset(make, format):
    make([GOOD, ([], [])], split="train", format=format)
    report = check_dataset(make([GOOD], split="val", format=format))
    assert [(split.name, split.pictures, split.empty, split.boxes) for split in report.splits] == [
        ("train", 2, 1, {"cat": 1, "dog": 1}),
        ("val", 1, 0, {"cat": 1, "dog": 1}),
    ]
    assert report.sizes["dog"] == {"width": [40, 40, 40], "height": [20, 20, 20]}
    assert (report.problems, report.exit_code, report.format) == ([], 0, format)
    assert "No problems found." in printed(report)


def kinds(report):
    return [(problem.kind, problem.note) for problem in report.problems]


def test_fixes_come_first_and_set_the_exit_code(make):
    root = make([([[0, 0, 10, 10], [0, 0, 10, 11], [5, 5, 6, 6]], [0, 0, 1])])
    report = check_dataset(root)
    assert kinds(report) == [("zero-area", False), ("near-duplicate", True), ("unused-class", True)]
    assert report.exit_code == 1
    assert summarize(report.problems) == "1 problem and 2 notes: zero-area 1, near-duplicate 1, unused-class 1"


def test_notes_alone_are_no_failure(make):
    report = check_dataset(make([([[0, 0, 10, 10], [0, 0, 1, 10]], [0, 1])], classes=("cat", "Cat ".strip() + "s")))
    assert kinds(report) == [("tiny", True)]
    assert report.exit_code == 0


@pytest.mark.parametrize(
    ("names", "similar"), [(("cat", "Cat"), True), (("stop sign", "stop_sign"), True), (("a", "b"), False), (("+", "-"), False)]
)
def test_classes_that_differ_by_spelling(make, names, similar):
    assert [kind for kind, _ in kinds(check_dataset(make([GOOD], classes=names)))] == (["similar-classes"] if similar else [])


@pytest.mark.parametrize(
    ("names", "counts", "noted"),
    [
        (("mask_weared_incorrect", "mask_worn_incorrect"), (29, 1), True),
        (("mask_weared_incorrect", "mask_worn_incorrect"), (1, 29), True),
        (("platelets", "platelet"), (30, 3), True),
        (("platelets", "platelet"), (30, 4), False),  # too many for a slip of the finger
        (("platelets", "platelet"), (26, 3), False),  # so small a set has rare classes
        (("platelets", "platelet"), (30, 0), False),  # that is told as unused
        (("with_mask", "without_mask"), (40, 9), False),
        (("speed 30", "speed 50"), (40, 1), False),  # numbers are not misspelt
        (("bend left", "bend right"), (40, 1), False),
    ],
)
def test_a_rare_class_with_nearly_the_name_of_another(make, names, counts, noted):
    def picture(label):
        return [[k, k, k + 20, k + 20] for k in range(0, 5, 5)], [label]

    contents = [picture(label) for label, count in enumerate(counts) for _ in range(count)]
    problems = [p for p in check_dataset(make(contents, classes=names)).problems if p.kind == "similar-classes"]
    assert [p.note for p in problems] == [True] * noted
    assert all(repr(name) in p.detail for p in problems for name in names)


@pytest.mark.parametrize(
    ("name", "odd"),
    [("a.png", False), ("a-1_b(2)+~.png", False), ("a b.png", True), ("사진.png", True), ("né.png", True), ("a#b.png", True)],
)
def test_file_names_at_which_other_tools_stumble(make, name, odd):
    root = make([GOOD])
    stem = name.removesuffix(".png")
    for folder, suffix in (("JPEGImages", ".png"), ("Annotations", ".xml")):
        (root / folder / f"train0{suffix}").rename(root / folder / f"{stem}{suffix}")
    xml = root / "Annotations" / f"{stem}.xml"
    xml.write_text(xml.read_text().replace("train0.png", name), encoding="utf-8")
    (root / "ImageSets" / "Main" / "train.txt").write_text(f"{stem}\n", encoding="utf-8")
    assert [(p.kind, p.file, p.note) for p in check_dataset(root).problems] == [("odd-name", f"JPEGImages/{name}", True)] * odd


def test_a_picture_twice_in_a_set_without_splits(tmp_path):
    for name in ("a", "b", "c"):
        Image.new("RGB", (60, 40), "red" if name == "b" else "blue").save(tmp_path / f"{name}.png")
        (tmp_path / f"{name}.xml").write_text(
            f"<annotation><filename>{name}.png</filename><size><width>60</width><height>40</height></size><object><name>cat</name><bndbox>"
            "<xmin>1</xmin><ymin>1</ymin><xmax>9</xmax><ymax>9</ymax></bndbox></object></annotation>"
        )
    assert [(p.kind, p.file, p.detail) for p in check_dataset(tmp_path).problems] == [
        ("same-picture", "a.png", "the same picture as c.png")
    ]


def test_a_picture_in_two_splits(make):
    root = make([GOOD, ([], [])], split="train")
    make([GOOD], split="test")
    (root / "JPEGImages" / "test0.png").write_bytes((root / "JPEGImages" / "train1.png").read_bytes())
    (problem,) = check_dataset(root).problems
    assert (problem.kind, problem.file) == ("same-picture", "JPEGImages/train1.png in train")
    assert problem.detail == "the same picture as JPEGImages/test0.png in test"


def test_one_list_that_holds_another(make):
    root = make([GOOD], split="train")
    lists = root / "ImageSets" / "Main"
    (lists / "trainval.txt").write_text("train0\n")
    assert check_dataset(root).problems == []  # trainval is made of train and val
    (lists / "test.txt").write_text("train0\n")
    assert kinds(check_dataset(root)) == [("same-picture", True)]


def test_what_no_list_names_is_checked_too(make):
    root = make([GOOD, ([[1, 1, 2, 2]], [0])])
    (root / "ImageSets" / "Main" / "train.txt").write_text("train0\n")
    report = check_dataset(root)
    assert [problem.file for problem in report.problems] == ["Annotations/train1.xml"]
    assert [split.pictures for split in report.splits] == [1]


def test_pictures_are_decoded(make):
    root = make([GOOD, GOOD, GOOD], mode="L", suffix=".jpg")
    path = root / "JPEGImages" / "train1.jpg"
    path.write_bytes(path.read_bytes()[:-200])
    report = check_dataset(root)
    assert kinds(report) == [("bad-picture", False), ("not-rgb", True), ("wrong-suffix", True), ("wrong-suffix", True)]
    assert report.problems[0].file == "JPEGImages/train1.jpg"
    assert report.problems[1].detail.startswith("2 pictures are L")
    assert "it is a PNG named .jpg" in report.problems[2].detail


def test_a_split_that_cannot_be_read_does_not_hide_the_others(make):
    root = make([GOOD], format="yolo")
    with (root / "data.yaml").open("a") as file:
        file.write("val: images/gone\n")
    report = check_dataset(root)
    assert [(problem.kind, problem.action) for problem in report.problems] == [("unreadable", "left out val")]
    assert [split.name for split in report.splits] == ["train"]


@pytest.mark.parametrize(("pictures", "without", "noted"), [(49, 1, 0), (50, 1, 1), (60, 3, 3), (60, 4, 0), (50, 0, 0)])
def test_a_class_that_nearly_all_have(make, pictures, without, noted):
    cat = ([[0, 0, 10, 10]], [0])
    report = check_dataset(make([cat] * (pictures - without) + [([], [])] * without, classes=("cat",)))
    assert kinds(report) == [("usual-class-absent", True)] * noted


def test_near_duplicates():
    rows = [[0, 0, 10, 10], [0, 0, 10, 9], [0, 0, 10, 8], [0, 0, 10, 9.5], [0, 0, 10, 9.4]]
    record = ImageRecord("a", 1, 20, 20, rows, [0, 0, 0, 1, 0], iscrowd=[0, 0, 0, 0, 1])
    assert near_duplicates(record) == [(0, 1, 0.9), (1, 2, pytest.approx(8 / 9))]  # 0 and 2: exactly 0.8, which is not more
    assert near_duplicates(ImageRecord("a", 1, 20, 20, [], [])) == []


def printed(report, limit=20):
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(render(report, limit))
    return console.export_text()


def test_what_a_person_sees(make):
    points = [[n, n, n + 1, n + 1] for n in range(5)]
    report = check_dataset(make([([*points, [0, 0, 9, 9]], [0] * 6)], classes=("[bold]", "x")))
    text = printed(report, limit=3)
    assert "[bold]" in text
    assert "problem: zero-area, 5, left out the box" in text
    assert text.count("Annotations/train0.xml: object") == 3
    assert "and 2 more" in text
    assert "5 problems and 1 note" in text


class TestCommand:
    def test_tables_and_exit_code(self, make):
        clean = CliRunner().invoke(app, ["data", "check", str(make([GOOD]))])
        assert (clean.exit_code, "No problems found." in clean.stdout) == (0, True)
        bad = CliRunner().invoke(app, ["data", "check", str(make([([[1, 1, 2, 2]], [0])], split="val"))])
        assert (bad.exit_code, "zero-area" in bad.stdout) == (1, True)

    def test_json(self, make, tmp_path):
        root = make([([[1, 1, 2, 2]], [0])])
        result = CliRunner().invoke(app, ["data", "check", str(root), "--json", "-"])
        report = json.loads(result.stdout)
        assert (report["exit_code"], report["counts"], report["classes"]) == (1, {"zero-area": 1, "unused-class": 2}, ["cat", "dog"])
        assert report["problems"][0]["file"] == "Annotations/train0.xml"
        result = CliRunner().invoke(app, ["data", "check", str(root), "--json", str(tmp_path / "report.json")])
        assert "zero-area" in result.stdout
        assert json.loads((tmp_path / "report.json").read_text(encoding="utf-8")) == report

    def test_what_cannot_be_read_is_one_sentence(self, tmp_path):
        command = [sys.executable, "-m", "coursekit.cli", "data", "check", str(tmp_path)]
        result = subprocess.run(command, capture_output=True, text=True)
        assert (result.returncode, result.stdout) == (2, "")
        assert result.stderr.startswith("coursekit: ")
        assert "is no dataset that can be read" in result.stderr


def test_reading_and_checking_import_no_torch():
    code = "import coursekit.data.check, coursekit.data.report, coursekit.data.formats, sys; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "False"
