import json

import pytest
import torch

from coursekit.data.data_card import data_card
from coursekit.data.image_folder import write_colleagues_folder, write_image_folder
from coursekit.data.labelled import Labelled
from coursekit.data.signs import write_signs


def labelled(counts, seed=0, size=(4, 6), classes=("a", "b", "c")):
    """A set with so many images of each class, all different."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
    images = torch.randint(0, 256, (len(labels), 1, *size), generator=generator, dtype=torch.uint8)
    return Labelled(images, labels, classes)


def test_an_empty_set_has_a_card_as_well():
    card = data_card(labelled([0, 0, 0]), "nothing")
    assert card.pictures == {"all": 0}
    assert card.sizes == {}
    assert card.imbalance != card.imbalance  # NaN
    assert "the set has no a, no b, no c" in card.problems


def test_counts_sizes_and_balance_of_splits():
    card = data_card({"train": labelled([40, 20, 25]), "test": labelled([20, 40, 35], seed=1)}, "toy", "made here", "CC0", "at random")
    assert (card.task, card.classes) == ("classification", ("a", "b", "c"))
    assert card.pictures == {"train": 85, "test": 95}
    assert card.counts == {"train": {"a": 40, "b": 20, "c": 25}, "test": {"a": 20, "b": 40, "c": 35}}
    assert card.sizes == {"width": (6, 6, 6), "height": (4, 4, 4)}
    assert card.imbalance == 1.0
    assert (card.problems, card.missing) == ((), ())
    assert json.loads(json.dumps(card.to_dict()))["licence"] == "CC0"


def test_what_is_found_is_put_after_what_was_known():
    train = labelled([60, 30, 0])
    card = data_card(
        {"train": train, "test": Labelled(train.images[:12], train.labels[:12], train.classes)}, "leaky", problems=["taken at night"]
    )
    assert card.problems == (
        "taken at night",
        "12 pictures are in train and in test: what is tested was trained on",
        "train has no c",
        "test has no b, no c",
        "test has fewer than 20 pictures of a: a score for them is mostly luck",
    )
    assert card.imbalance == pytest.approx(72 / 30)


def test_a_picture_that_lies_there_twice_is_counted():
    one = labelled([30, 30, 30])
    twice = Labelled(torch.cat([one.images, one.images[:2]]), torch.cat([one.labels, one.labels[:2]]), one.classes)
    assert data_card(twice, "toy").problems == ("2 pictures lie a second time in the set",)


def test_what_nobody_answered_is_said_in_the_markdown():
    card = data_card(labelled([30, 10, 30]), "toy | set")
    text = card.to_markdown()
    assert card.missing == ("source", "licence", "split_by")
    assert text.startswith("# Data card: toy \\| set\n")
    assert "| pictures | 70 |" in text
    assert "| sizes | width 6; height 4 |" in text
    assert "| licence | **not stated**: without one you may not pass it on |" in text
    assert "| split by | **not stated** |" in text
    assert "| b | 10 |" in text
    assert "| balance | the largest class has 3.0 times the pictures of the smallest |" in text
    assert "- classes are uneven: 30 pictures of a, 10 of b" in text


def test_a_clean_set_asks_whether_anybody_looked():
    assert "- none found. Has anybody looked?" in data_card(labelled([30, 30, 30]), "toy").to_markdown()


def test_the_colleagues_folder_is_seen_through_as_far_as_counting_can(tmp_path):
    card = data_card(write_colleagues_folder(tmp_path / "signs"), "signs")
    assert card.pictures == {"all": 115}
    assert card.counts["all"]["stop"] == 40
    assert 24 <= card.sizes["width"][0] < card.sizes["width"][1] < card.sizes["width"][2] <= 80
    problems = " · ".join(card.problems)
    assert "1 picture lies a second time in the set" in problems
    assert "kinds of pixel are mixed: 114 RGB, 1 L" in problems
    assert "classes are uneven: 40 pictures of stop, 4 of parking" in problems
    assert "00017" not in problems  # a wrong label is found by eyes alone


def test_a_folder_of_splits(tmp_path):
    for split, count in (("train", 30), ("val", 20)):
        part = labelled([count] * 3, seed=count)
        write_image_folder(zip(part.images, part.labels.tolist(), strict=True), part.classes, tmp_path / split)
    card = data_card(tmp_path, "toy")
    assert card.pictures == {"train": 90, "val": 60}
    assert card.problems == ()


def test_train_may_be_the_name_of_a_class(tmp_path):
    part = labelled([20, 20], classes=("bus", "train"))
    card = data_card(write_image_folder(zip(part.images, part.labels.tolist(), strict=True), part.classes, tmp_path), "vehicles")
    assert card.classes == ("bus", "train")
    assert card.pictures == {"all": 40}


@pytest.mark.parametrize("format", ["voc", "coco", "yolo"])
def test_a_folder_of_boxes(tmp_path, format):
    write_signs(tmp_path, 6, seed=3, format=format, split="train", size=96, classes=["stop", "yield"], smallest=40)
    card = data_card(tmp_path, "signs")
    assert card.task == "detection"
    assert card.classes == ("stop", "yield")
    assert card.pictures == {"train": 6}
    assert card.sizes["width"] == (96, 96, 96)
    assert 8 <= card.sizes["box width"][0] <= card.sizes["box width"][2] <= 96
    assert "## Boxes of each class" in card.to_markdown()


@pytest.mark.parametrize(
    ("data", "name", "message"),
    [
        (lambda place: labelled([1, 1, 1]), " ", "name must say what the set is called"),
        (lambda place: {}, "toy", "data must be a folder, a Labelled set, or a dict of those"),
        (lambda place: {"train": 3}, "toy", "data must be a folder, a Labelled set"),
        (lambda place: place / "nowhere", "toy", "data must be a folder that exists"),
        (lambda place: place, "toy", "data must be a folder of boxes or of a folder for each class"),
        (
            lambda place: {"a": labelled([1, 1, 1]), "b": labelled([1, 1], classes=("x", "y"))},
            "toy",
            "the splits must have the same classes",
        ),
    ],
)
def test_what_has_no_card_is_named(tmp_path, data, name, message):
    with pytest.raises(ValueError, match=message):
        data_card(data(tmp_path), name)
