"""Files that break the rules: what happens is written in coursekit/metrics/coco_json.py, and held here."""

import copy

import numpy as np
import pytest

from coursekit.metrics.coco_json import to_coco
from coursekit.metrics.detection import coco_evaluate


def files(**changes):
    """A ground truth of two boxes in images 1 and 2, and the two detections that find them."""
    annotations = [
        {"id": 1, "image_id": 1, "category_id": 7, "bbox": [0, 0, 10, 10], "area": 100, "iscrowd": 0},
        {"id": 2, "image_id": 2, "category_id": 7, "bbox": [5, 5, 20, 20], "area": 400, "iscrowd": 0},
    ]
    truth = {"images": [{"id": 1}, {"id": 2}], "categories": [{"id": 7, "name": "sign"}], "annotations": annotations}
    found = [{"image_id": a["image_id"], "category_id": 7, "bbox": list(a["bbox"]), "score": 0.9} for a in annotations]
    return truth | changes, found


def test_nothing_is_changed_in_what_the_caller_passes():
    truth, found = files()
    before = copy.deepcopy((truth, found))
    coco_evaluate(truth, found)
    assert (truth, found) == before


@pytest.mark.parametrize("ids", [(0, 1), ("0", "1"), ("a", "b"), (5, 5), (None, "x")], ids=str)
def test_annotation_ids_play_no_part(ids):
    truth, found = files()
    for annotation, new in zip(truth["annotations"], ids, strict=True):
        annotation["id"] = new
    assert coco_evaluate(truth, found).summary["AP"] == pytest.approx(1.0)


def test_an_annotation_id_may_be_missing():
    truth, found = files()
    del truth["annotations"][0]["id"]
    assert coco_evaluate(truth, found).summary["AP"] == pytest.approx(1.0)


@pytest.mark.parametrize(("ids", "word"), [((0, 1), "annotation id 0"), ((5, 5), "1 annotations repeat the id of another")])
def test_ids_that_mislead_pycocotools_are_noted(ids, word):
    truth, found = files()
    for annotation, new in zip(truth["annotations"], ids, strict=True):
        annotation["id"] = new
    assert any(word in note for note in coco_evaluate(truth, found).notes)


def test_id_0_costs_pycocotools_a_true_positive(pycocotools):
    truth, found = files(info={})
    truth["annotations"][0]["id"] = 0
    assert pycocotools(truth, found).stats[0] < 0.6
    assert coco_evaluate(truth, found).summary["AP"] == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("in_images", "in_annotations", "in_detections"),
    [(str, str, str), (str, int, int), (int, str, int), (int, int, str), (int, int, float), (np.int64, int, np.int64)],
)
def test_image_ids_may_be_text_or_numbers(in_images, in_annotations, in_detections):
    truth, found = files()
    for rows, field, kind in (
        (truth["images"], "id", in_images),
        (truth["annotations"], "image_id", in_annotations),
        (found, "image_id", in_detections),
    ):
        for row in rows:
            row[field] = kind(row[field])
    assert coco_evaluate(truth, found).summary["AP"] == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("first", "second", "ap"),
    [(9, 10, 1.0), ("9", "10", 0.5), (9, "10", 1.0), ("9", 10, 1.0), ("cat", 10, 0.5), ("007", "7", 1.0)],
    ids=str,
)
def test_ties_between_images_follow_the_documented_order(first, second, ap):
    """Equal scores: the right detection is in the first image, the wrong one in the second. 1 if the first is looked at first."""
    truth = files()[0] | {"images": [{"id": second}, {"id": first}]}
    truth["annotations"] = [truth["annotations"][0] | {"image_id": first}]
    found = [{"image_id": i, "category_id": 7, "bbox": [0, 0, 10, 10], "score": 0.9} for i in (second, first)]
    assert coco_evaluate(truth, found).summary["AP"] == pytest.approx(ap)


def test_writing_and_reading_gives_the_same_numbers(make_problem):
    for seed in range(20):
        result = coco_evaluate(*make_problem(seed))
        again = coco_evaluate(*to_coco(result.inputs))
        assert again.summary == result.summary
        assert again.inputs.truths.area.tolist() == result.inputs.truths.area.tolist()


def test_missing_area_is_that_of_the_box_and_noted():
    truth, found = files()
    del truth["annotations"][1]["area"]
    result = coco_evaluate(truth, found)
    assert result.inputs.truths.area.tolist() == [100, 400]
    assert result.notes == ("1 annotations have no area: width x height of the box is taken",)


def test_missing_iscrowd_is_0():
    truth, found = files()
    for annotation in truth["annotations"]:
        del annotation["iscrowd"]
    assert coco_evaluate(truth, found).summary["AP"] == pytest.approx(1.0)


def test_truth_of_unlisted_images_and_categories_is_left_out_and_noted():
    truth, found = files()
    truth["annotations"] += [truth["annotations"][0] | {"image_id": 99}, truth["annotations"][0] | {"category_id": 8}]
    result = coco_evaluate(truth, [*found, found[0] | {"category_id": 8}])
    assert result.summary["AP"] == pytest.approx(1.0)
    assert [note.partition(":")[0] for note in result.notes[:3]] == [
        "1 annotations are of images that `images` does not list",
        "1 annotations are of categories that `categories` does not list",
        "1 detections are of categories that `categories` does not list",
    ]


def test_detections_may_sit_in_a_dict():
    truth, found = files()
    assert coco_evaluate(truth, {"annotations": found}).summary["AP"] == pytest.approx(1.0)


def test_a_detection_may_state_its_own_area():
    truth, found = files()
    wrong = {"image_id": 1, "category_id": 7, "bbox": [100, 0, 40, 40], "score": 0.95}  # 1600: medium, so no small error
    measured = wrong | {"area": 900}
    assert coco_evaluate(truth, [*found, measured]).summary["APs"] == pytest.approx(1.0)
    assert coco_evaluate(truth, [*found, measured], detection_areas=True).summary["APs"] == pytest.approx(2 / 3)
    assert coco_evaluate(truth, [*found, wrong], detection_areas=True).summary["APs"] == pytest.approx(1.0)


def edit(where, value, part="found"):
    """A change to the first detection (or the first annotation, or the file)."""

    def apply(truth, found):
        row = {"found": found, "truth": truth["annotations"], "images": truth["images"]}[part][0]
        if value is KeyError:
            del row[where]
        else:
            row[where] = value
        return truth, found

    return apply


BAD = {
    "unknown image": (edit("image_id", 99), "1 of 2 detections are of images that the ground truth does not list, the first of image 99"),
    "NaN score": (edit("score", float("nan")), "detection number 1 .image 1. has score nan, expected a finite number"),
    "infinite score": (edit("score", float("inf")), "has score inf"),
    "no score": (edit("score", KeyError), "detection number 1 must have a number as score, got None"),
    "score in words": (edit("score", "high"), "must have a number as score, got 'high'"),
    "no box": (edit("bbox", KeyError), r"detection number 1 must have bbox \[x, y, width, height\], got None"),
    "three numbers": (edit("bbox", [1, 2, 3]), r"must have bbox \[x, y, width, height\], got \[1, 2, 3\]"),
    "words in the box": (edit("bbox", [1, 2, 3, "wide"], "truth"), r"annotation number 1 must have bbox"),
    "NaN box": (edit("bbox", [0, 0, 1, float("nan")]), "has box .*nan.*expected four finite numbers"),
    "negative width": (edit("bbox", [0, 0, -1, 2], "truth"), "truth number 1 .*without a negative width or height"),
    "no image id": (edit("image_id", KeyError), "must have image_id"),
    "image id is a list": (edit("image_id", [1]), "image_id must be a number or a string, got a list or a dict"),
    "image without id": (edit("id", KeyError, "images"), r"images\[0\] must have an id that is a number or a string, got None"),
    "image id true": (edit("id", True, "images"), r"images\[0\] must have an id that is a number or a string, got True"),
    "area in words": (edit("area", "big", "truth"), "annotation number 1 must have a number as area, got 'big'"),
}


@pytest.mark.parametrize("what", BAD)
def test_what_is_malformed_is_named(what):
    change, message = BAD[what]
    with pytest.raises(ValueError, match=message):
        coco_evaluate(*change(*files()))


@pytest.mark.parametrize(
    ("truth", "found", "message"),
    [
        ([], [], "ground_truth must be a dict with images, categories and annotations, got list"),
        ({"images": [], "annotations": []}, [], "ground_truth must have a list of dicts under 'categories', got nothing"),
        ({"images": {}, "categories": [], "annotations": []}, [], "under 'images', got dict"),
        (files()[0], "x", "detections must be a list of dicts"),
        (files()[0], [1], "detections must be a list of dicts"),
        (files()[0], {}, "detections must have a list of dicts under 'annotations', got nothing"),
    ],
)
def test_what_is_no_coco_json_is_named(truth, found, message):
    with pytest.raises(ValueError, match=message):
        coco_evaluate(truth, found)
