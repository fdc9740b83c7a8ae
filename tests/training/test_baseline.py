import math

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.dummy import DummyClassifier
from sklearn.neighbors import NearestCentroid as Twin

from coursekit.data.labelled import Labelled
from coursekit.training.baseline import MajorityClass, NearestCentroid
from coursekit.training.classifier import batches, evaluate


def of(pixels, labels, classes="abc"):
    images = torch.tensor(pixels, dtype=torch.uint8).reshape(len(labels), 1, 1, -1)
    return Labelled(images, torch.tensor(labels, dtype=torch.int64), tuple(classes))


def test_the_majority_by_hand():
    train = of([[0]] * 6, [2, 1, 1, 1, 0, 1])
    model = MajorityClass(train)
    logits = model(torch.zeros(4, 1, 1, 1, dtype=torch.uint8))
    assert logits.argmax(dim=1).tolist() == [1, 1, 1, 1]
    torch.testing.assert_close(logits[0].exp(), torch.tensor([2 / 9, 5 / 9, 2 / 9]))  # one added to each count
    assert evaluate(model, batches(train, 4))["accuracy"] == pytest.approx(4 / 6)


@settings(deadline=None)  # the first call sets up much
@given(st.lists(st.integers(0, 2), min_size=1, max_size=12))
def test_the_majority_equals_scikit_learns_dummy(labels):
    train = of([[0]] * len(labels), labels)
    twin = DummyClassifier(strategy="most_frequent").fit([[0]] * len(labels), labels)
    said = MajorityClass(train)(train.images).argmax(dim=1)
    assert said.tolist() == twin.predict([[0]] * len(labels)).tolist()  # of equally frequent ones the first, there too


def test_with_even_classes_the_majoritys_loss_is_that_of_knowing_nothing():
    train = of([[0]] * 6, [0, 1, 2, 0, 1, 2])
    assert evaluate(MajorityClass(train), batches(train, 6))["loss"] == pytest.approx(math.log(3), rel=1e-6)


def test_the_nearest_centroid_by_hand():
    train = of([[0, 0], [0, 20], [200, 200]], [0, 0, 1], "ab")  # mean images (0, 10) and (200, 200)
    model = NearestCentroid(train)
    torch.testing.assert_close(model.centroids * 255, torch.tensor([[0.0, 10.0], [200.0, 200.0]]))
    logits = model(torch.tensor([[[[0, 40]]], [[[255, 90]]]], dtype=torch.uint8))
    torch.testing.assert_close(logits[0, 0] * 255**2, torch.tensor(-900.0))
    assert logits.argmax(dim=1).tolist() == [0, 1]


@pytest.mark.filterwarnings("ignore:self.within_class_std_dev_", "ignore:invalid value encountered")
@settings(deadline=None)  # the first call sets up much
@given(st.lists(st.tuples(*[st.integers(0, 255)] * 3), min_size=6, max_size=20), st.integers(0, 1000))
def test_the_nearest_centroid_equals_scikit_learns(rows, seed):
    assume(len(set(rows)) > 1)  # scikit-learn refuses a training set of one image
    labels = torch.cat([torch.arange(3), torch.randint(0, 3, (len(rows) - 3,), generator=torch.Generator().manual_seed(seed))]).tolist()
    train = of(rows, labels)
    other = torch.randint(0, 256, (9, 1, 1, 3), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)
    model = NearestCentroid(train)
    twin = Twin().fit(train.images.flatten(1).double() / 255, labels)
    logits = model(other)
    best = logits.sort(dim=1).values
    clear = best[:, -1] - best[:, -2] > 1e-4  # a tie is decided by the last bit in either
    said = torch.tensor(twin.predict(other.flatten(1).double() / 255))
    assert torch.equal(logits.argmax(dim=1)[clear], said[clear])


def test_what_has_no_image_is_named():
    with pytest.raises(ValueError, match="train must hold an image of every class, got none of b"):
        NearestCentroid(of([[0], [1]], [0, 2]))
    with pytest.raises(ValueError, match="train must hold at least one image, got none"):
        MajorityClass(Labelled(torch.zeros(0, 1, 1, 1, dtype=torch.uint8), torch.zeros(0, dtype=torch.int64), ("a",)))
