import pytest
import torch

from coursekit.detections import Detections


def three():
    return Detections(torch.arange(12.0).reshape(3, 4), torch.tensor([0.9, 0.5, 0.1]), torch.tensor([2, 0, 1]))


def test_empty_has_length_0_and_can_be_indexed():
    assert len(Detections.empty()) == 0
    assert Detections.empty()[torch.zeros(0, dtype=torch.bool)].boxes.shape == (0, 4)


@pytest.mark.parametrize(
    ("index", "labels"),
    [([], []), (1, [0]), (-1, [1]), (slice(2), [2, 0]), ([2, 0], [1, 2]), (torch.tensor([True, False, True]), [2, 1])],
    ids=["none", "one", "last", "slice", "list", "mask"],
)
def test_index(index, labels):
    some = three()[index]
    assert some.labels.tolist() == labels
    assert some.boxes.shape == (len(labels), 4)
    assert len(some.scores) == len(labels)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"boxes": torch.zeros(4)}, r"boxes must have shape \(N, 4\), got \(4,\)"),
        ({"scores": torch.zeros(2)}, r"scores must have shape \(3,\)"),
        ({"labels": torch.zeros(3, 1, dtype=torch.int64)}, r"labels must have shape \(3,\)"),
        ({"boxes": torch.zeros(3, 4, dtype=torch.int64)}, "must be floats"),
        ({"labels": torch.zeros(3)}, "labels must be int64, got torch.float32"),
    ],
)
def test_bad_fields_are_named(change, sentence):
    with pytest.raises(ValueError, match=sentence):
        Detections(**{**three().to_dict(), **change})
