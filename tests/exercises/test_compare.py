"""When two answers are the same, and what is said when they are not."""

import collections

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from coursekit.detections import Detections
from coursekit.exercises.compare import Close, Exact

NAN, INF = float("nan"), float("inf")
Pair = collections.namedtuple("Pair", "a b")


def tensor(*values, **kwargs):
    return torch.tensor(values, **kwargs)


@pytest.mark.parametrize(
    ("expected", "got"),
    [
        (torch.zeros(0, 4), torch.zeros(0, 4)),
        (tensor(1.0), tensor(1.0 + 1e-7)),
        (tensor(1.0), tensor(1.0, dtype=torch.float64)),
        (tensor(1.0), tensor(1.0, dtype=torch.bfloat16)),
        (tensor(1), tensor(1, dtype=torch.int32)),
        (tensor(NAN, INF), tensor(NAN, INF)),
        (tensor(1.0), tensor(1.0, requires_grad=True)),
        (tensor(1.0), torch.nn.Parameter(tensor(1.0))),
        (tensor(1 + 2j), tensor(1 + 2j)),
        (np.array([1.0]), np.array([1.0], dtype=np.float32)),
        (np.array(["a"]), np.array(["a"])),
        (3, 3),
        (3, np.int64(3)),
        (3, torch.tensor(3)),
        (0.5, torch.tensor(0.5)),
        (0.5, np.float32(0.5)),
        (2.0, 2),
        (INF, INF),
        (True, torch.tensor(True)),
        (True, np.True_),
        (None, None),
        ("a", "a"),
        ([1, 2.0], (1, 2.0)),
        ((tensor(1), 2), Pair(tensor(1), 2)),
        ({"a": tensor(1)}, collections.OrderedDict(a=tensor(1))),
        (Detections.empty(), Detections.empty()),
    ],
)
def test_the_same(expected, got):
    assert Close().difference(expected, got) is None


@pytest.mark.parametrize(
    ("expected", "got", "words"),
    [
        (torch.zeros(0, 4), torch.zeros(0), "expected shape (0, 4), got shape (0,)"),
        (tensor(1.0, 2.0), tensor(1.0, 3.0), "at [1] got 3.0, expected 2.0 (1 of 2 values differ)"),
        (tensor(1.0), tensor(NAN), "got nan, expected 1.0"),
        (tensor(NAN), tensor(1.0), "got 1.0, expected nan"),
        (tensor(INF), tensor(-INF), "got -inf, expected inf"),
        (tensor(INF), tensor(1.0), "got 1.0, expected inf"),
        (tensor(1), tensor(1.0), "expected dtype int64 or one of its kind, got dtype float32"),
        (tensor(1), tensor(1, dtype=torch.uint8), "got dtype uint8"),
        (tensor(1), tensor(True), "got dtype bool"),
        (2**60, 2**60 + 1, f"got {2**60 + 1}, expected {2**60}"),
        (tensor(2**60), tensor(2**60 + 1), f"got {2**60 + 1}, expected {2**60}"),
        (np.array([1.0]), tensor(1.0), "`.numpy()` turns a tensor into an array"),
        (np.array(["a"]), np.array(["b"]), "got b, expected a"),
        (3, 3.0, "expected the whole number 3, got 3.0 (a float)"),
        (3, True, "expected the whole number 3, got True"),
        (0.5, None, "got nothing (None). Is there a `return`?"),
        (0.5, "0.5", "a string of length 3"),
        (0.5, torch.tensor([0.5]), "a tensor of shape (1,)"),
        (0.5, np.array([0.5, 0.5]), "expected the number 0.5, got a NumPy array of shape (2,)"),
        (0.5, np.array([0.5]), "got a NumPy array of shape (1,)"),
        (3, np.array([], dtype=int), "got a NumPy array of shape (0,)"),
        (True, 1, "expected True, got the number 1"),
        ("a", "b", "expected 'a', got 'b'"),
        (None, 0, "expected nothing (None), got the number 0"),
        ([1], [1, 2], "expected 1 items, got 2"),
        ([1, [2, tensor(3)]], [1, [2, tensor(4)]], "item 1: item 1: at [0] got 4, expected 3"),
        ([1], {1}, "an object of type set"),
        ({"a": 1}, {"b": 1}, "the key 'a' is missing"),
        ({"a": 1}, {"a": 1, "b": 2}, "a key too many: 'b'"),
        ({"a": 1}, {"a": 2}, "['a']: got 2, expected 1"),
        ({"a": 1}, [1], "expected a dict of length 1, got a list of length 1"),
        (Detections.empty(), {}, "expected Detections, got a dict"),
        (
            Detections(torch.zeros(1, 4), torch.ones(1), torch.zeros(1).long()),
            Detections(torch.zeros(1, 4), torch.zeros(1), torch.zeros(1).long()),
            "scores: at [0] got 0.0, expected 1.0",
        ),
    ],
)
def test_what_differs_is_said(expected, got, words):
    assert words in Close().difference(expected, got)


class Liar:
    @property
    def __class__(self):
        return torch.Tensor


class ShapeLiar(torch.Tensor):
    @property
    def shape(self):
        return torch.Size([1])


class LengthLiar(list):
    def __len__(self):
        return 1


def test_lies_are_not_believed():
    assert "an object of type Liar" in Close().difference(tensor(1.0), Liar())
    assert "got shape (2,)" in Close().difference(tensor(1.0), torch.zeros(2).as_subclass(ShapeLiar))
    assert "expected 1 items, got 2" in Close().difference([1], LengthLiar([1, 2]))


def test_exact_allows_no_rounding_and_same_no_other_dtype():
    assert Exact().difference(tensor(1.0), tensor(1.0 + 1e-6)) is not None
    assert Exact().difference(tensor(NAN), tensor(NAN)) is None
    assert "expected dtype float32, got" in Exact(dtype="same").difference(tensor(1.0), tensor(1.0, dtype=torch.float64))
    assert Close(dtype="any").difference(tensor(1), tensor(1.0)) is None


def test_nan_never():
    assert Close(nan="never").difference(tensor(NAN), tensor(NAN)) is not None


@pytest.mark.parametrize(("setting", "words"), [({"nan": "no"}, "nan must be"), ({"dtype": "no"}, "dtype must be")])
def test_settings_are_checked(setting, words):
    with pytest.raises(ValueError, match=words):
        Close(**setting)


def test_an_exercise_that_returns_what_cannot_be_compared_is_told():
    with pytest.raises(TypeError, match="cannot compare an object of type set"):
        Close().difference({1}, {1})


@given(st.lists(st.floats(width=32), max_size=5), st.integers(0, 4), st.floats(-1, 1, width=32))
def test_like_numpy_allclose(values, index, change):
    expected = np.array(values, dtype=np.float32)
    got = expected.copy()
    if index < len(got):
        got[index] += np.float32(change)
    same = np.allclose(got.astype(np.float64), expected.astype(np.float64), rtol=1e-5, atol=1e-8, equal_nan=True)
    assert (Close().difference(expected, got) is None) == same
