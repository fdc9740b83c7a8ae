"""BCCD, as its authors published it: 364 pictures of blood cells in Pascal VOC's format."""

import numpy as np
import pytest

from coursekit.data.formats import read_dataset


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
