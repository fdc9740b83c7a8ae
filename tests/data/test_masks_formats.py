"""The layouts in which the project's data sets come from their owners and mirrors are recognised as they are."""

import zipfile

import numpy as np
import pytest
import torch
from PIL import Image

from coursekit.data import catalog
from coursekit.data.check import check_dataset
from coursekit.data.formats import find_dataset, read_dataset
from coursekit.data.gtsrb import Gtsrb
from coursekit.data.masks import MASK_CLASSES

# The first annotation of Face Mask Detection has this form; numbers and names of the pictures here are our own.
KAGGLE = """<annotation>
    <folder>images</folder>
    <filename>maksssksksss{n}.png</filename>
    <size>
        <width>64</width>
        <height>48</height>
        <depth>3</depth>
    </size>
    <segmented>0</segmented>
    <object>
        <name>{name}</name>
        <pose>Unspecified</pose>
        <truncated>0</truncated>
        <occluded>0</occluded>
        <difficult>0</difficult>
        <bndbox>
            <xmin>11</xmin>
            <ymin>6</ymin>
            <xmax>20</xmax>
            <ymax>18</ymax>
        </bndbox>
    </object>
</annotation>"""

ROBOFLOW = """<annotation>
	<folder></folder>
	<filename>{stem}.jpg</filename>
	<path>{stem}.jpg</path>
	<source>
		<database>roboflow.com</database>
	</source>
	<size><width>64</width><height>48</height><depth>3</depth></size>
	<segmented>0</segmented>
	<object>
		<name>{name}</name>
		<pose>Unspecified</pose>
		<truncated>0</truncated>
		<difficult>0</difficult>
		<occluded>0</occluded>
		<bndbox><xmin>11</xmin><xmax>20</xmax><ymin>6</ymin><ymax>18</ymax></bndbox>
	</object>
</annotation>"""


def picture(path, number=0, mode="RGB", size=(64, 48)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (number, 99, 50)).convert(mode).save(path)


@pytest.fixture
def kaggle(tmp_path):
    """Face Mask Detection as its archive unpacks: images and annotations, half of the pictures RGBA."""
    root = tmp_path / "face-mask-detection"
    for n, name in enumerate((*MASK_CLASSES, "with_mask")):
        picture(root / "images" / f"maksssksksss{n}.png", n, "RGBA" if n % 2 else "RGB")
        (root / "annotations").mkdir(exist_ok=True)
        (root / "annotations" / f"maksssksksss{n}.xml").write_text(KAGGLE.format(n=n, name=name))
    return root


@pytest.mark.parametrize("entry", [".", "..", "annotations"])
def test_face_mask_detection_as_it_is_unpacked(kaggle, entry):
    layout = find_dataset((kaggle / entry).resolve())
    assert (layout.format, layout.root, layout.splits) == ("voc", kaggle, {})
    annotations = read_dataset((kaggle / entry).resolve(), classes=MASK_CLASSES)
    assert annotations.classes == MASK_CLASSES
    assert annotations.problems == []
    assert [(record.path.name, record.labels.tolist(), record.boxes.tolist()) for record in annotations.images] == [
        (f"maksssksksss{n}.png", [label], [[10, 5, 20, 18]]) for n, label in enumerate((0, 1, 2, 0))
    ]
    assert [(p.kind, p.detail) for p in check_dataset(kaggle).problems] == [("not-rgb", "2 pictures are RGBA, this is the first")]


def test_face_mask_detection_as_it_is_downloaded(kaggle, tmp_path, monkeypatch):
    monkeypatch.setenv("COURSEKIT_DATA", str(tmp_path / "home"))
    with zipfile.ZipFile(tmp_path / "archive (1).zip", "w") as archive:
        for path in sorted(kaggle.rglob("*.*")):
            archive.write(path, path.relative_to(kaggle).as_posix())
    with pytest.raises(ValueError, match="holds 4 pictures, and Face Mask Detection has 853"):
        catalog.get("face-mask", folder=tmp_path / "archive (1).zip")
    with pytest.raises(ValueError, match="holds 4 pictures, and Face Mask Detection has 853"):  # the real one is as large as its card says
        catalog.get("face-mask", folder=kaggle)


def test_a_roboflow_export(tmp_path):
    for split, count in (("train", 3), ("valid", 2), ("test", 1)):
        for n in range(count):
            stem = f"maksssksksss{n}_png.rf.{split}0a1b2c3d{n}"
            picture(tmp_path / split / f"{stem}.jpg", 20 * n + 60 * count)
            (tmp_path / split / f"{stem}.xml").write_text(ROBOFLOW.format(stem=stem, name=MASK_CLASSES[n]))
    for name in ("README.dataset.txt", "README.roboflow.txt"):
        (tmp_path / name).write_text("Exported ...\n")
    assert find_dataset(tmp_path).format == "voc"
    assert {split: len(read_dataset(tmp_path, split)) for split in ("train", "val", "test", "trainval", None)} == {
        "train": 3, "val": 2, "test": 1, "trainval": 5, None: 6
    }  # fmt: skip
    annotations = read_dataset(tmp_path, "train", classes=MASK_CLASSES)
    assert [record.boxes.tolist() for record in annotations.images] == [[[10, 5, 20, 18]]] * 3
    assert [record.labels.tolist() for record in annotations.images] == [[0], [1], [2]]
    assert check_dataset(tmp_path).problems == []


@pytest.fixture
def gtsdb(tmp_path):
    root = tmp_path / "FullIJCNN2013"
    for n in (0, 1, 599, 600):
        picture(root / f"{n:05d}.ppm", n % 251)
    picture(root / "14" / "00000.ppm", size=(9, 9))
    (root / "gt.txt").write_text("00000.ppm;4;11;35;46;11\n00000.ppm;40;1;63;47;40\n00600.ppm;5;6;7;8;14\n")
    (root / "ReadMe.txt").write_text("readme")
    return root


def test_gtsdb_is_a_dataset_like_any(gtsdb):
    layout = find_dataset(gtsdb.parent)
    assert (layout.format, layout.root) == ("gtsdb", gtsdb)
    train, test, everything = (read_dataset(gtsdb, split) for split in ("train", "test", None))
    assert [record.path.name for record in train.images] == ["00000.ppm", "00001.ppm", "00599.ppm"]
    assert train.images[0].boxes.tolist() == [[4, 11, 36, 47], [40, 1, 64, 48]]
    assert [train.classes[k] for k in train.images[0].labels] == ["priority at next crossing", "roundabout"]
    assert len(train.images[1]) == 0  # a picture that no line names holds no sign
    assert [record.path.name for record in test.images] == ["00600.ppm"]
    assert (len(everything), everything.classes) == (4, train.classes)
    report = check_dataset(gtsdb)
    assert [(split.name, split.pictures, split.empty) for split in report.splits] == [("train", 3, 2), ("test", 1, 0)]
    assert {problem.kind for problem in report.problems} == {"unused-class"}
    with pytest.raises(ValueError, match=r"split must be one that .* has, got 'val'; it has train, test"):
        read_dataset(gtsdb, "val")


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("00000.ppm;4;11;64;46;11", "past-edge"),
        ("00000.ppm;4;11;35;46;43", "unknown-class"),
        ("00000.ppm;4;11;35;46", "bad-line"),
        ("00000.ppm;4;11;x;46;11", "bad-line"),
        ("00077.ppm;4;11;35;46;11", "bad-picture"),
        ("../00000.ppm;4;11;35;46;11", "bad-picture"),
    ],
)
def test_a_wrong_line_of_gtsdb_is_told(gtsdb, line, kind):
    (gtsdb / "gt.txt").write_text(f"{line}\n00001.ppm;4;11;35;46;11\n\n")
    assert [problem.kind for problem in check_dataset(gtsdb).problems if not problem.note] == [kind]


HEAD = "Filename;Width;Height;Roi.X1;Roi.Y1;Roi.X2;Roi.Y2;ClassId\n"
MIRROR = "Width,Height,Roi.X1,Roi.Y1,Roi.X2,Roi.Y2,ClassId,Path\n"


def owners(root):
    for label, count in ((0, 3), (14, 2)):
        folder = root / "GTSRB" / "Final_Training" / "Images" / f"{label:05d}"
        lines = [f"0000{n // 2}_0000{n % 2}.ppm;29;30;5;6;24;25;{label}\n" for n in range(count)]
        for line in lines:
            picture(folder / line.partition(";")[0], label, size=(29, 30))
        (folder / f"GT-{label:05d}.csv").write_text(HEAD + "".join(lines))
    picture(root / "GTSRB" / "Final_Test" / "Images" / "00000.ppm", 16, size=(29, 30))
    (root / "GT-final_test.csv").write_text(f"{HEAD}00000.ppm;29;30;5;6;24;25;16\n")
    return root


def mirrors(root):
    rows = {"Train": [("Train/0/00000_00000_00000.png", 0), ("Train/0/00000_00000_00001.png", 0), ("Train/0/00000_00001_00000.png", 0)]}
    rows["Train"] += [("Train/14/00014_00000_00000.png", 14), ("Train/14/00014_00000_00001.png", 14)]
    rows["Test"] = [("Test/00000.png", 16)]
    for split, pictures in rows.items():
        for name, label in pictures:
            picture(root / name, label, size=(29, 30))
        (root / f"{split}.csv").write_text(MIRROR + "".join(f"29,30,5,6,24,25,{label},{name}\n" for name, label in pictures))
    return root


@pytest.mark.parametrize("make", [owners, mirrors])
def test_gtsrb_in_both_layouts(tmp_path, make):
    root = make(tmp_path)
    train, test = Gtsrb(root), Gtsrb(root, "test")
    assert (len(train), train.labels.tolist()) == (5, [0, 0, 0, 14, 14])
    assert (len(test), test.labels.tolist(), test.tracks) == (1, [16], [""])
    assert (train.classes[14], len(train.classes)) == ("stop", 43)
    image, label = train[3]
    assert (image.shape, image.dtype, label) == ((3, 30, 29), torch.uint8, 14)
    assert image[0].float().mean() == 14
    np.testing.assert_array_equal(train.boxes, [[5, 6, 25, 26]] * 5)
    assert train.tracks == ["00000/00000", "00000/00000", "00000/00001", "00014/00000", "00014/00000"]
    assert Gtsrb(root, transform=lambda image: image.float().mean())[0][0].ndim == 0


def test_a_list_without_boxes_still_has_classes(tmp_path):
    picture(tmp_path / "a.png")
    (tmp_path / "Test.csv").write_text("ClassId,Path\n3,a.png\n")
    dataset = Gtsrb(tmp_path, "test")
    assert (dataset.labels.tolist(), dataset.boxes.tolist()) == ([3], [[-1, -1, -1, -1]])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "columns must hold Filename or Path, and ClassId; got none"),
        ("Path,Label\na.png,3\n", "columns must hold Filename or Path, and ClassId; got Path, Label"),
        ("Path,ClassId\na.png,43\n", "Train.csv, line 2: ClassId must be a number from 0 to 42, got '43'"),
        ("Path,ClassId\na.png,3\na.png,-1\n", "Train.csv, line 3: ClassId must be a number from 0 to 42, got '-1'"),
        ("Path,ClassId\na.png\n", "line 2: ClassId must be a number from 0 to 42, got ''"),
        ("Path,ClassId\nb.png,3\n", "line 2: there is no picture 'b.png'"),
        ("Path,ClassId\n../a.png,3\n", "line 2: the picture must lie in the dataset's folder, got '../a.png'"),
        ("Path,ClassId\n/etc/passwd,3\n", "line 2: the picture must lie in the dataset's folder"),
    ],
)
def test_a_wrong_list_of_gtsrb_is_named_with_its_line(tmp_path, text, words):
    picture(tmp_path / "a.png")
    (tmp_path / "Train.csv").write_text(text)
    with pytest.raises(ValueError, match=words):
        Gtsrb(tmp_path)


def test_what_is_no_gtsrb_is_one_sentence(tmp_path):
    with pytest.raises(ValueError, match=r"root must hold GTSRB's lists \(GT-00000.csv in a folder for each class, or Train.csv\)"):
        Gtsrb(tmp_path)
    with pytest.raises(ValueError, match=r"root must hold GTSRB's lists \(GT-final_test.csv or Test.csv\)"):
        Gtsrb(tmp_path, "test")
    with pytest.raises(ValueError, match="split must be 'train' or 'test', got 'val'"):
        Gtsrb(tmp_path, "val")
