"""The written world of faces: the real set's layout, its kinds of mistakes, and that every one of them is found."""

import dataclasses
import subprocess
import sys
from collections import Counter
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from coursekit.cli import app
from coursekit.data.check import check_dataset
from coursekit.data.formats import find_dataset, read_dataset
from coursekit.data.masks import FOUND_AS, MASK_CLASSES, Defect, MaskScenes, missed, write_masks
from coursekit.data.masks.defects import _CHANGES, Sheet
from coursekit.data.records import Problem
from coursekit.data.signs.geometry import Dice

SMALL = {"size": 96, "seed": 5}


@pytest.fixture(scope="module")
def flawed(tmp_path_factory):
    """(folder, what was planted, what the check says) of 40 pictures."""
    folder = tmp_path_factory.mktemp("masks") / "flawed"
    planted = write_masks(folder, 40, **SMALL)
    return folder, planted, check_dataset(folder)


def files(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_without_defects_it_reads_back_exactly(tmp_path):
    assert write_masks(tmp_path, 12, defects=False, **SMALL) == []
    assert check_dataset(tmp_path).problems == []
    back = read_dataset(tmp_path, classes=MASK_CLASSES)
    scenes = MaskScenes(12, **SMALL)
    assert [record.path.name for record in back.images] == sorted(f"maksssksksss{i}.png" for i in range(12))
    for record in back.images:
        scene = scenes.scene(int(record.path.stem.removeprefix("maksssksksss")))
        np.testing.assert_array_equal(record.boxes, scene.boxes)
        np.testing.assert_array_equal(record.labels, scene.labels)
        assert (record.width, 72 <= record.height <= 96) == (96, True)
        np.testing.assert_array_equal(np.asarray(Image.open(record.path)), scene.image[: record.height])
    assert len({record.height for record in back.images}) > 3


def test_the_layout_is_the_real_sets(tmp_path):
    write_masks(tmp_path, 3, defects=False, **SMALL)
    assert sorted(files(tmp_path)) == [
        f"{part}/maksssksksss{i}.{end}" for part, end in (("annotations", "xml"), ("images", "png")) for i in range(3)
    ]
    root = ElementTree.parse(tmp_path / "annotations" / "maksssksksss0.xml").getroot()
    assert [child.tag for child in root][:4] == ["folder", "filename", "size", "segmented"]
    assert [child.tag for child in root.find("object")] == ["name", "pose", "truncated", "occluded", "difficult", "bndbox"]
    assert find_dataset(tmp_path).format == "voc"


def test_none_at_all_is_an_empty_layout(tmp_path):
    assert write_masks(tmp_path, 0, defects=False, **SMALL) == []
    assert files(tmp_path) == {}


def test_one_of_each_kind_is_planted_and_found(flawed):
    folder, planted, report = flawed
    assert [defect.kind for defect in planted] == list(FOUND_AS)
    assert missed(planted, report.problems) == []
    assert all((folder / defect.file).is_file() for defect in planted)
    assert len({defect.file for defect in planted}) == len(planted)


@pytest.mark.parametrize("kind", FOUND_AS)
def test_each_is_told_by_its_own_kind_and_no_other(flawed, kind):
    """A finder that is deaf to one kind misses just the defects of that kind."""
    _, planted, report = flawed
    deaf = [problem for problem in report.problems if problem.kind != FOUND_AS[kind]]
    assert {defect.kind for defect in missed(planted, deaf)} == {other for other, found in FOUND_AS.items() if found == FOUND_AS[kind]}


def test_nothing_else_is_told(flawed):
    """A clean world with mistakes in it: every problem in the report is one of those planted."""
    _, planted, report = flawed
    wanted = Counter(FOUND_AS[defect.kind] for defect in planted)
    assert Counter(problem.kind for problem in report.problems) == wanted


@pytest.mark.parametrize("kind", FOUND_AS)
def test_what_is_left_after_reading_is_right(flawed, kind):
    """The reader's fixes bring back the true boxes, or leave the picture out."""
    folder, planted, _ = flawed
    defect = next(defect for defect in planted if defect.kind == kind)
    number = int("".join(filter(str.isdigit, defect.file.split()[0])))
    records = {record.path.stem.split()[0]: record for record in read_dataset(folder).images}
    record = records.get(f"maksssksksss{number}")
    if kind in ("missing-picture", "missing-xml", "cut-xml"):
        assert record is None
        return
    scene = MaskScenes(40, **SMALL).scene(number)
    if kind != "one-too-wide":  # without a face at the edge the true side is not known any more
        np.testing.assert_allclose(record.boxes, scene.boxes, atol=0.01)
    assert len(record.labels) == len(scene.labels)
    if kind not in ("png-named-jpg",):
        with Image.open(record.path) as picture:
            assert picture.format == ("JPEG" if kind == "exif-rotation" else "PNG")


def test_the_same_seed_writes_the_same_bytes(tmp_path):
    one, two, other = (write_masks(tmp_path / name, 24, seed=seed, size=64) for name, seed in (("a", 1), ("b", 1), ("c", 2)))
    assert one == two != other
    assert files(tmp_path / "a") == files(tmp_path / "b")


@pytest.mark.parametrize("seed", range(4))
def test_small_sets_have_room_for_all(tmp_path, seed):
    planted = write_masks(tmp_path / "small", 30, seed=seed, size=64)
    assert missed(planted, check_dataset(tmp_path / "small").problems) == []


def test_large_sets_have_more_of_what_sits_in_boxes(tmp_path):
    planted = write_masks(tmp_path, 300, size=64, most=2)
    counts = Counter(defect.kind for defect in planted)
    assert {kind: count for kind, count in counts.items() if count > 1} == dict.fromkeys(
        ("one-too-wide", "past-edge", "zero-area", "blank-in-class"), 2
    )
    assert missed(planted, check_dataset(tmp_path).problems) == []


def test_splits_are_lists_and_a_copy_lies_in_another(tmp_path):
    planted = write_masks(tmp_path, 40, splits={"train": 70, "val": 30}, **SMALL)
    report = check_dataset(tmp_path)
    assert missed(planted, report.problems) == []
    lists = {
        name: (tmp_path / "ImageSets" / "Main" / f"{name}.txt").read_text(encoding="utf-8").split("\n")[:-1] for name in ("train", "val")
    }
    assert not set(lists["train"]) & set(lists["val"])
    assert sorted(lists["train"] + lists["val"]) == sorted(path.stem for path in (tmp_path / "annotations").iterdir())
    assert 24 <= len(lists["train"]) <= 30
    (copies,) = [problem for problem in report.problems if problem.kind == "same-picture"]
    assert {f" in {name}" in copies.file + copies.detail for name in ("train", "val")} == {True}


def test_the_command_line_says_it_too(flawed):
    folder, _, report = flawed
    result = CliRunner().invoke(app, ["data", "check", str(folder)])
    assert result.exit_code == 1
    assert all(problem.kind in result.output for problem in report.problems)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"length": 10}, "length must leave a picture for each of 17 defects, got 10"),
        ({"length": 30, "most": 0}, "length must leave a picture for each of 17 defects, got 30; 'one-too-wide' found no place"),
        ({"length": 3, "splits": {"train": 70, "val": 20}}, "splits must be percentages that add up to 100"),
        ({"length": 3, "splits": {"train": 120, "val": -20}}, "splits must be percentages that add up to 100"),
        ({"length": 3, "size": 5}, "size must be a whole number of at least 64, got 5"),
        ({"length": 3, "fog": 1}, "a knob must be one of"),
    ],
)
def test_bad_arguments_are_named_and_nothing_is_written(tmp_path, options, words):
    with pytest.raises(ValueError, match=words):
        write_masks(tmp_path, **{"size": 64, **options})
    assert files(tmp_path) == {}


def test_a_folder_in_use_is_left_alone(tmp_path):
    write_masks(tmp_path, 1, size=64, defects=False)
    before = files(tmp_path)
    with pytest.raises(ValueError, match="folder must not hold images and annotations yet"):
        write_masks(tmp_path, 2, size=64, defects=False)
    assert files(tmp_path) == before


def test_missed_looks_at_kind_and_file():
    defect = Defect("annotations/a7.xml", "zero-area", "")
    right = Problem("annotations/a7.xml", "zero-area", "object 0", "left out")
    assert missed([], []) == []
    assert missed([defect], [right]) == []
    assert missed([defect], []) == [defect]
    assert missed([defect], [dataclasses.replace(right, kind="past-edge")]) == [defect]
    assert missed([defect], [dataclasses.replace(right, file="annotations/a8.xml")]) == [defect]


def test_turning_a_picture_and_its_boxes_keeps_them_together():
    """A white block on black, annotated, turned as a telephone does: the block is where the box says, in the stored picture."""
    image = Image.new("RGB", (30, 20))
    image.paste((255, 255, 255), (4, 6, 12, 9))
    sheet = Sheet("a", image, [["with_mask", 5, 7, 12, 9]])
    _CHANGES["exif-rotation"][1]([sheet], sheet, Dice(1))
    _, x1, y1, x2, y2 = sheet.objects[0]
    rows, columns = np.nonzero(np.asarray(sheet.image)[..., 0])
    assert (columns.min() + 1, rows.min() + 1, columns.max() + 1, rows.max() + 1) == (x1, y1, x2, y2)


def test_writing_needs_no_torch(tmp_path):
    code = f"import sys; from coursekit.data.masks import write_masks; write_masks({str(tmp_path / 'm')!r}, 24, size=64)\n"
    code += "print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "False"
