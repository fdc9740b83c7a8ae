"""Small sets of labelled images: what is in them, that splits are apart, and that a request that cannot be met says so."""

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_digits

from coursekit.data import labelled
from coursekit.data.labelled import Labelled, from_samples, labelled_images, resized


def few(count=6, classes=("a", "b", "c")):
    images = torch.arange(count * 4, dtype=torch.uint8).reshape(count, 1, 2, 2)
    return Labelled(images, torch.arange(count) % len(classes), classes)


def as_rows(images):
    return {bytes(row) for row in images.flatten(1).numpy()}


@pytest.mark.parametrize(("name", "shape", "classes"), [("digits", (1, 8, 8), 10), ("faces", (1, 25, 25), 2)])
def test_three_splits_have_everything_once_and_every_class(name, shape, classes):
    parts = [labelled_images(name, split) for split in labelled.SPLITS]
    assert all(part.images.shape[1:] == shape and len(part.classes) == classes for part in parts)
    assert sum(map(len, parts)) == {"digits": 1797, "faces": 200}[name]
    whole = torch.cat([part.labels for part in parts]).bincount()
    for part, share in zip(parts, (0.7, 0.15, 0.15), strict=True):
        assert (part.labels.bincount(minlength=classes) - whole * share).abs().max() <= 1.5  # by its share in each split
    again = labelled_images(name, "val")
    assert torch.equal(again.images, parts[1].images)


def test_digits_are_scikit_learns_with_the_ink_in_white():
    theirs = load_digits()
    mine = torch.cat([labelled_images("digits", split).images for split in labelled.SPLITS])
    expected = np.round(theirs.images / 16 * 255).astype(np.uint8).reshape(-1, 64)
    assert as_rows(mine) == {bytes(row) for row in expected}
    first = labelled_images("digits", "train")
    place = next(i for i in range(len(theirs.images)) if bytes(expected[i]) == bytes(first.images[0].flatten().numpy()))
    assert first.labels[0] == theirs.target[place]


def test_signs_of_the_splits_are_drawn_from_different_seeds():
    train, val = (labelled_images("signs", split, size=16, length=32) for split in ("train", "val"))
    assert train.images.shape == val.images.shape == (32, 3, 16, 16)
    assert not as_rows(train.images) & as_rows(val.images)
    assert train.labels.bincount().tolist() == [2] * 16


def test_a_size_and_a_length():
    small = labelled_images("digits", "test", size=32, length=5)
    assert small.images.shape == (5, 1, 32, 32)
    assert small.images.dtype == torch.uint8


def test_resized_keeps_a_flat_image_flat_and_a_right_size_as_it_is():
    flat = torch.full((2, 1, 5, 7), 200, dtype=torch.uint8)
    assert torch.equal(resized(flat, 12), torch.full((2, 1, 12, 12), 200, dtype=torch.uint8))
    same = few().images
    assert resized(same, 2) is same


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "digits", "split": "all"}, "split must be one of train, val, test, got 'all'"),
        ({"name": "digits", "size": 0}, "size must be at least 1, got 0"),
        ({"name": "digits", "length": 0}, "length must be at least 1, got 0"),
        ({"name": "mnist"}, "name must be one of digits, faces, signs, fashion-mnist, cifar-10, gtsrb, oxford-pet, got 'mnist'"),
        ({"name": "bccd"}, "name must be one of digits"),  # boxes, not labels
    ],
)
def test_what_cannot_be_is_said(arguments, message):
    with pytest.raises(ValueError, match=message):
        labelled_images(**arguments)


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (torch.zeros(2, 1, 3, 3), torch.zeros(2, dtype=torch.int64), r"images must be uint8 \(N, C, H, W\), got torch.float32"),
        (torch.zeros(2, 3, 3, dtype=torch.uint8), torch.zeros(2, dtype=torch.int64), "images must be uint8"),
        (torch.zeros(2, 1, 3, 3, dtype=torch.uint8), torch.zeros(3, dtype=torch.int64), r"labels must be int64 \(2,\)"),
        (torch.zeros(2, 1, 3, 3, dtype=torch.uint8), torch.tensor([0, 3]), r"labels must lie in 0..2, got 0..3"),
        (torch.zeros(2, 1, 3, 3, dtype=torch.uint8), torch.tensor([-1, 0]), r"labels must lie in 0..2, got -1..0"),
    ],
)
def test_labelled_refuses_what_does_not_fit_together(images, labels, message):
    with pytest.raises(ValueError, match=message):
        Labelled(images, labels, ("a", "b", "c"))


def test_some_of_them():
    data = few()
    assert len(data[:0]) == 0
    assert data[2].images.flatten().tolist() == [8, 9, 10, 11]
    assert data[-1].images.flatten().tolist() == [20, 21, 22, 23]
    assert data[data.labels == 1].labels.tolist() == [1, 1]
    assert data[torch.tensor([4, 0])].labels.tolist() == [1, 0]


@pytest.mark.parametrize(("count", "expected"), [(0, []), (1, [0, 1, 2]), (2, [0, 1, 2, 0, 1, 2]), (9, [0, 1, 2, 0, 1, 2])])
def test_per_class_keeps_the_first_of_each_in_their_order(count, expected):
    found = few().per_class(count)
    assert found.labels.tolist() == expected
    assert found.images[:, 0, 0, 0].tolist() == [4 * k for k in range(len(expected))]


def test_from_samples_stacks_what_a_data_set_gives():
    data = few()
    samples = [(data.images[i], int(data.labels[i])) for i in range(len(data))]
    assert torch.equal(from_samples(samples, data.classes).images, data.images)


class Pretended:
    """As torchvision gives them: (PIL image, label), numbered so that each can be told."""

    def __init__(self, count, size=(6, 4)):
        self.count, self.size = count, size

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        return Image.new("RGB", self.size, (index % 256, index // 256, 0)), index % 3


@pytest.fixture
def pretended(monkeypatch):
    """The catalog gives 400 training images and 10 others, and says what it was asked for."""
    asked = []

    def load(name, split, folder):
        asked.append((name, split, folder))
        return Pretended(10 if split == "test" else 400)

    monkeypatch.setattr("coursekit.data.catalog.load", load)
    return asked


def numbers(data):
    return (data.images[:, 0, 0, 0].int() + 256 * data.images[:, 1, 0, 0].int()).tolist()


@pytest.mark.parametrize(("name", "train"), [("gtsrb", "train"), ("oxford-pet", "trainval")])
def test_a_set_of_the_catalog_is_held_out_track_by_track(pretended, name, train):
    parts = {split: labelled_images(name, split, folder="mine") for split in labelled.SPLITS}
    assert [asked[1] for asked in pretended] == [train, train, "test"]
    assert pretended[0][2] == "mine"
    assert numbers(parts["val"]) == [*range(150, 180), *range(330, 360)]
    assert sorted(numbers(parts["train"]) + numbers(parts["val"])) == list(range(400))
    assert len(parts["test"]) == 10
    assert parts["train"].images.shape[1:] == (3, 32, 32)  # theirs are of many sizes


def test_a_set_of_one_size_keeps_it_and_stops_at_its_length(pretended):
    found = labelled_images("cifar-10", "train", length=7)
    assert found.images.shape == (7, 3, 4, 6)
    assert numbers(found) == list(range(7))
    assert labelled_images("cifar-10", "train", size=8, length=2).images.shape == (2, 3, 8, 8)
