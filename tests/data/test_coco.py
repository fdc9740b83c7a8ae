"""Hostile COCO JSON: each mistake is fixed and counted, or an error that names the file."""

import json

import numpy as np
import pytest
from PIL import Image

from coursekit.data.coco import categories_of
from coursekit.data.formats import read_dataset

WIDTH, HEIGHT = 64, 48
CATEGORIES = [{"id": 1, "name": "cat"}, {"id": 7, "name": "dog"}]


def image(image_id=1, file_name="a.png", width=WIDTH, height=HEIGHT, **more):
    return {"id": image_id, "file_name": file_name, "width": width, "height": height, **more}


def box(*bbox, image_id=1, category_id=1, **more):
    return {"id": 1, "image_id": image_id, "category_id": category_id, "bbox": list(bbox), "area": 50.0, "iscrowd": 0, **more}


GOOD = box(0, 0, 10, 10)


@pytest.fixture
def make(tmp_path):
    """make(images, annotations, categories) -> the dataset's folder, with a picture for each plain file name."""

    def write(images=None, annotations=(), categories=CATEGORIES, file="annotations/instances_train.json", pictures=("train/a.png",)):
        data = {"images": [image()] if images is None else images, "annotations": list(annotations), "categories": categories}
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text(json.dumps(data), encoding="utf-8")
        for name in pictures:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (WIDTH, HEIGHT)).save(tmp_path / name)
        return tmp_path

    return write


def kinds(annotations, notes=True):
    return [problem.kind for problem in annotations.problems if notes or not problem.note]


class TestBoxes:
    def test_corner_and_size_from_zero(self, make):
        (record,) = read_dataset(make(annotations=[box(1.5, 2, 3, 4, area=7.5), box(0, 0, WIDTH, HEIGHT, area=9, iscrowd=1)])).images
        np.testing.assert_array_equal(record.boxes, [[1.5, 2, 4.5, 6], [0, 0, WIDTH, HEIGHT]])
        np.testing.assert_array_equal(record.area, [7.5, 9])  # of the masks, not of the boxes
        assert record.iscrowd.tolist() == [0, 1]

    @pytest.mark.parametrize(
        ("bbox", "kind", "expected"),
        [
            ([5, 5, 0, 9], "zero-area", None),
            ([5, 5, 9, 1e-9], "zero-area", None),
            ([60, 5, 5, 9], "past-edge", [60, 5, 64, 14]),
            ([-3, -3, 9, 9], "past-edge", [0, 0, 6, 6]),
            ([60, 5, 4.001, 9], None, [60, 5, 64, 14]),  # a rounding error, not a mistake
            ([9, 20, -4, -10], "inverted", [5, 10, 9, 20]),
            ([70, 5, 9, 9], "outside", None),
            ([float("nan"), 1, 5, 5], "not-a-number", None),
            ([1, 1, float("inf"), 5], "not-a-number", None),
            (["x", 1, 5, 5], "not-a-number", None),
            ([None, 1, 5, 5], "not-a-number", None),
            ([True, 1, 5, 5], "not-a-number", None),
            ([10**400, 1, 5, 5], "not-a-number", None),
            (["3", "4", "5", "6"], None, [3, 4, 8, 10]),
            ([1, 2, 3], "bad-entry", None),
            ([], "bad-entry", None),
        ],
        ids=str,
    )  # fmt: skip
    def test_each_box_is_fixed_or_left_out_and_counted(self, make, bbox, kind, expected):
        annotations = read_dataset(make(annotations=[GOOD, box(*bbox)]))
        assert kinds(annotations) == ([kind] if kind else [])
        assert annotations.images[0].boxes[1:].tolist() == ([expected] if expected else [])
        assert all(problem.file == "annotations/instances_train.json" for problem in annotations.problems)

    @pytest.mark.parametrize(
        "entry", [None, 5, [], {}, {"bbox": [1, 2, 3, 4]}, {"image_id": 1}, {"image_id": 1, "bbox": {"x": 1}}], ids=str
    )
    def test_entries_that_are_none(self, make, entry):
        assert kinds(read_dataset(make(annotations=[GOOD, entry]))) == ["bad-entry"]

    @pytest.mark.parametrize(
        ("area", "expected", "kind"),
        [
            (150, 150, None),
            ("12", 12, None),
            (500, 500, None),  # more than the box: a mask's outline may be drawn coarsely
            (0, 200, "bad-area"),
            (-5, 200, "bad-area"),
            (float("nan"), 200, "bad-area"),
            (1e300, 200, "bad-area"),  # more than the picture
            (None, 200, "no-area"),
        ],
    )
    def test_area(self, make, area, expected, kind):
        annotations = read_dataset(make(annotations=[box(1, 1, 10, 20, area=area)]))
        assert annotations.images[0].area.tolist() == [expected]
        assert kinds(annotations) == ([kind] if kind else [])

    def test_area_of_a_clipped_box_is_no_more_than_what_is_left(self, make):
        (record,) = read_dataset(make(annotations=[box(60, 0, 10, 10, area=90), box(60, 0, 10, 10, area=20, category_id=7)])).images
        assert record.area.tolist() == [40, 20]

    def test_missing_areas_and_masks_are_counted(self, make):
        bare = {key: value for key, value in GOOD.items() if key not in ("area", "iscrowd")}
        masks = [
            box(1, 1, 5, 5, segmentation=[[1, 1, 5, 1, 5, 5]]),
            box(2, 2, 5, 5, segmentation={"size": [48, 64], "counts": "abc"}, iscrowd=1),
        ]
        annotations = read_dataset(make(annotations=[bare, *masks]))
        assert [(p.kind, p.detail, p.note) for p in annotations.problems] == [
            ("no-area", "1 annotations have no area", True),
            ("masks-ignored", "2 annotations have a mask", True),
        ]
        assert len(annotations.images[0]) == 3

    def test_a_crowd_and_an_object_may_have_the_same_box(self, make):
        annotations = read_dataset(make(annotations=[GOOD, GOOD, {**GOOD, "iscrowd": 1}]))
        assert kinds(annotations) == ["duplicate"]
        assert annotations.images[0].iscrowd.tolist() == [0, 1]


class TestIds:
    def test_categories_with_gaps_in_the_order_of_their_ids(self, make):
        categories = [{"id": 90, "name": "z"}, {"id": 3, "name": "y"}, {"id": 0, "name": "x"}]
        annotations = read_dataset(
            make(annotations=[box(0, 0, 5, 5, category_id=90), box(0, 0, 5, 6, category_id=0)], categories=categories)
        )
        assert annotations.classes == ("x", "y", "z")
        assert annotations.images[0].labels.tolist() == [2, 0]

    @pytest.mark.parametrize("category", [5, None, "cat", [1]])
    def test_unknown_category(self, make, category):
        annotations = read_dataset(make(annotations=[GOOD, box(0, 0, 5, 5, category_id=category)]))
        assert kinds(annotations) == ["unknown-class"]
        assert "a.png" in annotations.problems[0].detail

    def test_text_and_numbers_are_the_same_id(self, make):
        annotations = read_dataset(make(images=[image("1")], annotations=[box(0, 0, 5, 5, image_id=1, category_id="7")]))
        assert annotations.images[0].labels.tolist() == [1]

    def test_text_ids_are_numbered(self, make):
        images = [image("b", "b.png"), image("a", "a.png")]
        annotations = read_dataset(make(images, [box(0, 0, 5, 5, image_id="a")], pictures=["train/a.png", "train/b.png"]))
        assert [(record.path.name, record.image_id, len(record)) for record in annotations.images] == [("b.png", 1, 0), ("a.png", 2, 1)]
        assert kinds(annotations) == ["renumbered"]
        assert annotations.problems[0].note

    def test_ids_that_two_splits_share_are_numbered(self, make):
        make(images=[image(0)])
        root = make(images=[image(0, "b.png")], file="annotations/instances_val.json", pictures=["val/b.png"])
        assert [record.image_id for record in read_dataset(root, "val").images] == [0]
        assert [record.image_id for record in read_dataset(root).images] == [1, 2]

    def test_an_id_of_two_images_and_an_image_twice(self, make):
        images = [image(1), image(1, "b.png"), image(2, "a.png")]
        annotations = read_dataset(make(images, [GOOD, box(1, 1, 5, 5, image_id=2)], pictures=["train/a.png", "train/b.png"]))
        assert kinds(annotations) == ["duplicate-id", "duplicate-image"]
        assert annotations.images[0].boxes.tolist() == [[0, 0, 10, 10], [1, 1, 6, 6]]

    def test_annotations_of_an_unknown_image(self, make):
        annotations = read_dataset(make(annotations=[GOOD, box(0, 0, 1, 1, image_id=99), box(0, 0, 1, 1, image_id=99)]))
        assert [(p.kind, p.detail) for p in annotations.problems] == [
            ("unknown-image", "2 annotations are on image id 99, which is not among the images")
        ]

    def test_a_name_with_two_ids_and_an_id_with_two_names(self, make):
        twice = [{"id": 1, "name": "cat"}, {"id": 2, "name": " cat "}, {"name": "no id"}]
        annotations = read_dataset(make(annotations=[GOOD, box(1, 1, 5, 5, category_id=2)], categories=twice))
        assert annotations.count_boxes() == {"cat": 2}
        assert kinds(annotations) == ["bad-entry", "duplicate-category"]
        root = make(annotations=[GOOD], categories=[{"id": 1, "name": "cat"}, {"id": 1, "name": "dog"}])
        with pytest.raises(ValueError, match=r"instances_train\.json: category id 1 is both 'cat' and 'dog'"):
            read_dataset(root)

    def test_a_label_means_the_same_in_each_split(self, make):
        make(annotations=[GOOD], categories=[{"id": 1, "name": "cat"}])
        root = make(annotations=[box(0, 0, 5, 5, category_id=7)], file="annotations/instances_val.json", pictures=["val/a.png"])
        for split in ("train", "val", None):
            assert read_dataset(root, split).classes == ("cat", "dog")


class TestPictures:
    def test_missing(self, make):
        annotations = read_dataset(make([image(), image(2, "gone.png")], [GOOD, box(0, 0, 5, 5, image_id=2)]))
        assert [(p.kind, p.action) for p in annotations.problems] == [("missing-image", "left out its 1 boxes")]
        assert "gone.png" in annotations.problems[0].detail

    @pytest.mark.parametrize("entry", [None, {}, {"id": 3}, {"id": 3, "file_name": 5}, {"file_name": "a.png"}], ids=str)
    def test_entries_that_are_none(self, make, entry):
        assert kinds(read_dataset(make([image(), entry]))) == ["bad-entry"]

    @pytest.mark.parametrize("side", [0, -1, None, "x", float("nan"), 10**400])
    def test_size_that_is_none(self, make, side):
        annotations = read_dataset(make([image(width=side)]))
        assert kinds(annotations) == ["wrong-size"]
        assert annotations.images[0].width == WIDTH

    @pytest.mark.parametrize(
        ("file_name", "place"),
        [
            ("a b.png", "train/a b.png"),
            ("사진.png", "images/사진.png"),
            ("train/a.PNG", "images/train/a.png"),
            ("a.png", "annotations/a.png"),
            ("../train/a.png", "train/a.png"),
            ("sub\\a.png", "train/sub/a.png"),
            ("/absolute/train/a.png", "train/a.png"),
        ],
    )
    def test_found_where_people_keep_them(self, make, file_name, place):
        root = make(pictures=[place])
        make([image(file_name=file_name.replace("/absolute", str(root)))], pictures=[])
        annotations = read_dataset(root)
        assert [record.path.resolve() for record in annotations.images] == [root / place]
        assert annotations.problems == []

    @pytest.mark.parametrize("file_name", ["/etc/a.png", "../../a.png", "x/../../../a.png", r"C:\pictures\a.png", r"..\..\a.png"])
    def test_names_that_lead_out(self, make, file_name):
        root = make([image(file_name=file_name)])
        annotations = read_dataset(root)
        assert [record.path for record in annotations.images] == [root / "train" / "a.png"]
        assert kinds(annotations) == ["path-outside"]

    def test_a_name_never_leads_out_of_the_dataset(self, make, tmp_path):
        root = make([image(), image(2, "../../secret.png")], pictures=["train/a.png", "../secret.png"]).resolve()
        annotations = read_dataset(root)
        assert [record.path.name for record in annotations.images] == ["a.png"]
        assert kinds(annotations) == ["path-outside", "missing-image"]

    @pytest.mark.parametrize("name", ["../secret.png", "ROOT/../secret.png", "ROOT/train/../../secret.png", "../train/../../secret.png"])
    def test_neither_do_roundabout_ones(self, make, tmp_path, name):
        root = make(images=[image()], pictures=["set/train/a.png", "secret.png"], file="set/annotations/instances_train.json") / "set"
        make([image(), image(2, name.replace("ROOT", str(root)))], pictures=[], file="set/annotations/instances_train.json")
        annotations = read_dataset(root)
        assert [record.path.name for record in annotations.images] == ["a.png"]
        assert "missing-image" in kinds(annotations)

    def test_two_dots_in_a_name_are_no_way_up(self, make):
        root = make([image(file_name="a..b.png")], pictures=["train/a..b.png"])
        assert read_dataset(root).problems == []


class TestFiles:
    @pytest.mark.parametrize(
        ("content", "text"),
        [
            (b"", "the file is empty"),
            (b"{", "not valid JSON"),
            (b"[]", "expected an object with images, annotations and categories, got a list"),
            (b'{"images": [], "annotations": []}', "it has no categories"),
            (b'{"images": {}, "categories": [{"id": 1, "name": "a"}]}', "images must be a list, got a dict"),
            (b'{"images": ' + b"[" * 100_000, "nested too deeply"),
        ],
    )
    def test_unreadable_is_an_error_that_names_the_file(self, tmp_path, content, text):
        (tmp_path / "truth.json").write_bytes(content)
        with pytest.raises(ValueError, match=rf"truth\.json: .*{text}"):
            read_dataset(tmp_path / "truth.json")

    @pytest.mark.parametrize(("encoding", "problem"), [("utf-8-sig", []), ("utf-16", []), ("latin-1", ["not-utf-8"])])
    def test_encodings(self, make, encoding, problem):
        root = make(annotations=[GOOD], categories=[{"id": 1, "name": "gâteau"}])
        file = root / "annotations" / "instances_train.json"
        file.write_bytes(json.dumps(json.loads(file.read_text()), ensure_ascii=False).encode(encoding))
        annotations = read_dataset(root)
        assert len(annotations.classes) == 1
        assert annotations.count_boxes()[annotations.classes[0]] == 1
        assert set(kinds(annotations)) >= set(problem)

    def test_categories_without_reading_the_whole_file(self, tmp_path):
        (tmp_path / "a.json").write_text(
            '{"images": [{"file_name": "\\"categories\\": 5"}], "categories" : [{"id": 1, "name": "a]"}], "x": broken'
        )
        assert categories_of(tmp_path / "a.json") == [{"id": 1, "name": "a]"}]


class TestLayouts:
    def test_a_json_in_each_folder(self, make):
        for split in ("train", "valid", "test"):
            make(annotations=[GOOD], file=f"{split}/_annotations.coco.json", pictures=[f"{split}/a.png"])
        root = make(annotations=[GOOD], file="train/_annotations.coco.json")
        assert [record.path for record in read_dataset(root, "val").images] == [root / "valid" / "a.png"]
        assert len(read_dataset(root)) == 3
        assert len(read_dataset(root / "test")) == 1
        with pytest.raises(ValueError, match="it has test, train, valid"):
            read_dataset(root, "dev2")

    def test_years_captions_and_results_beside(self, make):
        make(annotations=[GOOD], file="annotations/captions_val2017.json")
        root = make(annotations=[GOOD], file="annotations/instances_val2017.json", pictures=["val2017/a.png"])
        (root / "annotations" / "results.json").write_text("[]")
        assert len(read_dataset(root, "val2017")) == len(read_dataset(root, "val")) == len(read_dataset(root)) == 1
        assert len(read_dataset(root / "annotations" / "instances_val2017.json")) == 1
        assert len(read_dataset(root / "annotations")) == 1

    def test_trainval_is_not_read_on_top_of_its_parts(self, make):
        for split in ("train", "val", "trainval"):
            root = make(
                [image(file_name=f"{split[-3:]}.png")],
                [GOOD],
                file=f"annotations/{split}.json",
                pictures=["images/ain.png", "images/val.png"],
            )
        annotations = read_dataset(root)
        assert (len(annotations), kinds(annotations)) == (2, ["renumbered"])
        assert len(read_dataset(root, "trainval")) == 1

    def test_one_file_beside_its_pictures(self, make):
        root = make(annotations=[GOOD], file="truth.json", pictures=["a.png"])
        assert read_dataset(root).count_boxes() == read_dataset(root / "truth.json").count_boxes() == {"cat": 1, "dog": 0}
