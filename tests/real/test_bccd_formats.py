"""BCCD, as its authors published it: 364 pictures of blood cells in Pascal VOC's format."""

import csv
from collections import Counter

import numpy as np
import pytest

from coursekit.data.check import check_dataset
from coursekit.data.folder import FolderDataset
from coursekit.data.formats import read_dataset, write_dataset


@pytest.mark.parametrize(
    ("split", "pictures", "boxes"),
    [
        (None, 364, {"Platelets": 361, "RBC": 4155 - 2, "WBC": 372}),  # two RBC boxes have no area
        ("train", 205, {"Platelets": 209, "RBC": 2382 - 1, "WBC": 214}),
        ("val", 87, {"Platelets": 83, "RBC": 968 - 1, "WBC": 87}),
        ("trainval", 292, {"Platelets": 292, "RBC": 3350 - 2, "WBC": 301}),
        ("test", 72, {"Platelets": 69, "RBC": 805, "WBC": 71}),
    ],
)
@pytest.mark.parametrize("level", ["bccd", "bccd/BCCD"])
def test_counts_of_each_split(real_data, level, split, pictures, boxes):
    annotations = read_dataset(real_data / level, split)
    assert len(annotations) == pictures
    assert annotations.classes == ("Platelets", "RBC", "WBC")
    assert annotations.count_boxes() == boxes


def test_boxes_without_area_are_reported(real_data):
    problems = read_dataset(real_data / "bccd").problems
    assert [(p.file, p.kind, p.action) for p in problems] == [
        ("Annotations/BloodImage_00338.xml", "zero-area", "left out the box"),
        ("Annotations/BloodImage_00343.xml", "zero-area", "left out the box"),
    ]


def test_the_last_pixel_belongs_to_the_picture(real_data):
    boxes = np.concatenate([record.boxes for record in read_dataset(real_data / "bccd").images])
    assert boxes.min(axis=0).tolist()[:2] == [0, 0]
    assert boxes.max(axis=0).tolist()[2:] == [640, 480]
    assert int(((boxes[:, 2] == 640) | (boxes[:, 3] == 480)).sum()) == 545  # counted apart, from the XML


def test_an_unknown_split_names_those_there_are(real_data):
    with pytest.raises(ValueError, match="got 'dev2'; it has test, train, trainval, val"):
        read_dataset(real_data / "bccd", "dev2")


def test_the_check_reports_the_known_defects_and_no_others(real_data):
    report = check_dataset(real_data / "bccd")
    found = [(problem.kind, problem.file.rpartition("_")[2][:5]) for problem in report.problems]
    near = ["00013", "00020", "00100", "00104", "00251", "00284", "00331", "00403"]
    no_red = [134, 147, 150, 152, 224, 249, 250, 258, 267, 268, 303, 322, 327, 330, 350]  # looked at: forgotten
    no_white = [133, 135, 171, 178, 228, 327]
    assert [entry for entry in found if entry[0] != "usual-class-absent"] == [
        ("zero-area", "00338"),
        ("zero-area", "00343"),
        *(("near-duplicate", stem) for stem in near),
    ]
    assert sorted(int(stem) for kind, stem in found if kind == "usual-class-absent") == sorted(no_red + no_white)
    assert report.exit_code == 1
    assert {split.name: split.pictures for split in report.splits} == {"train": 205, "val": 87, "trainval": 292, "test": 72}
    assert report.sizes["Platelets"]["width"][1] == 39 + 1  # the data's page gives xmax - xmin; both ends belong to the box


@pytest.mark.parametrize("format", ["voc", "coco", "yolo"])
def test_written_and_read_again(real_data, tmp_path, format):
    start = read_dataset(real_data / "bccd", "test")
    write_dataset(start, tmp_path / "out", format, split="test")
    again = read_dataset(tmp_path / "out", "test")
    assert again.problems == []
    assert again.classes == start.classes
    for ours, theirs in zip(again.images, start.images, strict=True):
        assert ours.path.name == theirs.path.name
        np.testing.assert_array_equal(ours.labels, theirs.labels)
        np.testing.assert_allclose(ours.boxes, theirs.boxes, atol=1e-4)


def test_the_splits_share_no_picture_and_samples_are_whole(real_data):
    paths = [{record.path for record in read_dataset(real_data / "bccd", split).images} for split in ("train", "val", "test")]
    assert sum(map(len, paths)) == len(set.union(*paths)) == 364
    dataset = FolderDataset(read_dataset(real_data / "bccd", "test"))
    image, target = dataset[0]
    assert tuple(image.shape) == (3, 480, 640)
    assert len(target["boxes"]) == len(target["labels"]) == len(dataset.annotations.images[0])


def test_boxes_equal_the_authors_own_table(real_data):
    """test.csv holds the same boxes as the XML; its two boxes without area are left out."""
    with (real_data / "bccd" / "test.csv").open(newline="") as file:
        rows = [{key.strip(): value.strip() for key, value in row.items()} for row in csv.DictReader(file)]
    table = Counter(
        (row["filename"], row["cell_type"], *(int(float(row[side])) for side in ("xmin", "ymin", "xmax", "ymax"))) for row in rows
    )
    annotations = read_dataset(real_data / "bccd")
    ours = Counter(
        (record.path.name, annotations.classes[label], int(x1) + 1, int(y1) + 1, int(x2), int(y2))
        for record in annotations.images
        for (x1, y1, x2, y2), label in zip(record.boxes, record.labels, strict=True)
    )
    assert sorted((table - ours).elements()) == [
        ("BloodImage_00338.jpg", "RBC", 504, 337, 504, 337),
        ("BloodImage_00343.jpg", "RBC", 181, 329, 181, 329),
    ]
    assert not ours - table
