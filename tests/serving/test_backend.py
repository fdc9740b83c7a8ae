"""What runs inside Triton, without Triton: requests joined by size, answers split, each mistake told to whom it belongs."""

import json
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coursekit.serving import backend
from coursekit.serving.backend import OUTPUTS, answer_together, check_pixels, plan_calls


def pictures(count=1, height=4, width=5, value=0):
    return np.full((count, height, width, 3), value, np.uint8)


def run(pixels):
    """Stands for the network: the first pixel of each picture is its score."""
    score = pixels[:, :1, 0, 0].astype(np.float32)
    return {
        "boxes": np.zeros((len(pixels), 1, 4), np.float32),
        "scores": score,
        "labels": score.astype(np.int64),
        "count": score[:, 0] * 0 + 1,
    }


@pytest.mark.parametrize(
    ("pixels", "message"),
    [
        (pictures().astype(np.float32), r"pixels must be uint8 \(B, H, W, 3\), got float32 \(1, 4, 5, 3\)"),
        (pictures()[0], r"pixels must be uint8 \(B, H, W, 3\), got uint8 \(4, 5, 3\)"),
        (pictures()[..., :2], r"got uint8 \(1, 4, 5, 2\)"),
        (pictures(0), r"at least one picture of at least one pixel, got shape \(0, 4, 5, 3\)"),
        (pictures(1, 0), r"at least one picture of at least one pixel, got shape \(1, 0, 5, 3\)"),
        (np.broadcast_to(np.uint8(0), (1, 2**13, 2**13, 3)), r"pixels must be at most 33554432 in one request, got 67108864"),
    ],
    ids=["float", "one picture alone", "two colours", "no picture", "no pixel", "absurdly large"],
)
def test_what_cannot_be_run(pixels, message):
    with pytest.raises(ValueError, match=message):
        check_pixels(pixels)


def test_what_can():
    assert check_pixels(pictures(2)).shape == (2, 4, 5, 3)
    assert check_pixels(pictures(1, 1, 1)).shape == (1, 1, 1, 3)
    assert check_pixels(np.broadcast_to(np.uint8(0), (2, 2**12, 2**12, 3))).shape[0] == 2


@pytest.mark.parametrize(
    ("shapes", "calls"),
    [
        ([], []),
        ([(1, 4, 4, 3)], [[0]]),
        ([(1, 4, 4, 3), (2, 4, 4, 3)], [[0, 1]]),
        ([(1, 4, 4, 3), (1, 4, 5, 3), (1, 4, 4, 3), (1, 5, 4, 3)], [[0, 2], [1], [3]]),
        ([(1, 2**12, 2**12, 3)] * 3, [[0, 1], [2]]),
        ([(1, 2**12, 2**12, 3), (1, 4, 4, 3), (2, 2**12, 2**12, 3), (1, 4, 4, 3)], [[0], [1, 3], [2]]),
    ],
    ids=["none", "one", "one size", "sizes", "too large together", "large between small"],
)
def test_who_goes_together(shapes, calls):
    assert plan_calls(shapes) == calls


SHAPES = st.lists(st.tuples(st.integers(1, 4), st.sampled_from([1, 3, 2**12]), st.sampled_from([1, 3, 2**11]), st.just(3)), max_size=12)


@given(SHAPES)
def test_each_goes_once_with_its_own_size_and_never_more_than_fit(shapes):
    calls = plan_calls(shapes)
    assert sorted(place for call in calls for place in call) == list(range(len(shapes)))
    for call in calls:
        assert call == sorted(call)
        assert len({shapes[place][1:] for place in call}) == 1
        assert len(call) == 1 or sum(np.prod(shapes[place][:3]) for place in call) <= backend.MOST_PIXELS


@given(st.lists(st.tuples(st.integers(1, 3), st.integers(1, 2), st.integers(1, 2), st.integers(0, 255)), max_size=8))
def test_together_everyone_gets_what_they_would_get_alone(asked):
    requests = [pictures(*one) for one in asked]
    for one, answer in zip(requests, answer_together(run, requests), strict=True):
        assert answer.keys() == set(OUTPUTS)
        for name, values in run(one).items():
            np.testing.assert_array_equal(answer[name], values)


def test_requests_of_one_size_are_one_call():
    sizes = []
    answer_together(lambda pixels: sizes.append(len(pixels)) or run(pixels), [pictures(2), pictures(1), pictures(1, 9), pictures(3)])
    assert sizes == [6, 1]


def test_a_picture_that_breaks_the_network_breaks_no_other_request():
    def fragile(pixels):
        if (pixels == 13).any():
            raise RuntimeError("thirteen")
        return run(pixels)

    first, bad, last = answer_together(fragile, [pictures(value=1), pictures(value=13), pictures(2, value=2)])
    assert first["scores"].tolist() == [[1]]
    assert last["scores"].tolist() == [[2], [2]]
    assert isinstance(bad, RuntimeError)
    assert answer_together(fragile, [pictures(value=13)])[0].args == ("thirteen",)


class Triton:
    """Stands for Triton's own module: what the backend asks of it, no more."""

    class TritonError(Exception):
        INVALID_ARG = "invalid"

        def __init__(self, message, code="internal"):
            self.message, self.code = message, code

    @staticmethod
    def InferenceResponse(tensors, error=None):
        return SimpleNamespace(values={tensor.name: tensor.values for tensor in tensors}, error=error)

    @staticmethod
    def Tensor(name, values):
        return SimpleNamespace(name=name, values=values)

    @staticmethod
    def get_input_tensor_by_name(request, name):
        return SimpleNamespace(as_numpy=lambda: request[name])


NETWORK = """<ir_version: 10, opset_import: ["": 18]> g (uint8[B, H, W, 3] pixels)
=> (float[B, K, 4] boxes, float[B, K] scores, int64[B, K] labels, int64[B] count)
<int64[3] inner = {1, 2, 3}, int64[1] second = {1}, int64[2] more = {1, 2}, int64[3] four = {1, 1, 4}> {
    floats = Cast<to = 1>(pixels)
    mean = ReduceMean<keepdims = 0>(floats, inner)
    scores = Unsqueeze(mean, second)
    high = Unsqueeze(mean, more)
    boxes = Expand(high, four)
    labels = Cast<to = 7>(scores)
    count = Cast<to = 7>(mean)
}"""


@pytest.fixture
def served(tmp_path, monkeypatch):
    """The backend as Triton makes it, over a network that gives the mean of a picture for everything."""
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    monkeypatch.setitem(sys.modules, "triton_python_backend_utils", Triton)
    (tmp_path / "1").mkdir()
    onnx.save(onnx.parser.parse_model(NETWORK), tmp_path / "1" / "model.onnx")
    parameters = {"threads": {"string_value": "1"}, "imgsz": {"string_value": "32"}}
    model = backend.TritonPythonModel()
    arguments = {"model_config": json.dumps({"parameters": parameters}), "model_repository": str(tmp_path), "model_version": "1"}
    model.initialize(arguments)
    yield model
    model.finalize()


def test_no_requests_no_answers(served):
    assert served.execute([]) == []


def test_bad_requests_among_good_ones_get_their_own_errors(served):
    requests = [pictures(2, value=7), pictures(1, 0), pictures().astype(np.float32), pictures(1, 9, 9, value=3), pictures(value=8)]
    answers = served.execute([{"pixels": pixels} for pixels in requests])
    assert [None if answer.error is None else answer.error.code for answer in answers] == [None, "invalid", "invalid", None, None]
    assert "at least one pixel" in answers[1].error.message
    assert [answers[place].values["scores"].tolist() for place in (0, 3, 4)] == [[[7], [7]], [[3]], [[8]]]
    assert {name: values.shape for name, values in answers[0].values.items()} == {
        "boxes": (2, 1, 4),
        "scores": (2, 1),
        "labels": (2, 1),
        "count": (2,),
    }
    assert all(answers[1].values == {} for _ in range(1))


def test_what_the_runtime_says_is_told_and_the_next_request_answered(served, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(served, "run", lambda pixels: 1 / 0)
        [answer] = served.execute([{"pixels": pictures()}])
        assert (answer.error.message, answer.error.code) == ("ZeroDivisionError: division by zero", "internal")
    assert served.execute([{"pixels": pictures()}])[0].error is None
