"""The server's side of the protocol: what is written is read again, and nonsense is told in one sentence."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coursekit.serving.local import _together
from coursekit.serving.protocol import OUTPUTS, InferRequest, model_config, read_request, write_response

SIDES = st.tuples(st.integers(1, 3), st.integers(1, 4), st.integers(1, 4))


def asked(pixels, raw, **more):
    entry = {"name": "pixels", "shape": list(pixels.shape), "datatype": "UINT8"}
    entry |= {"parameters": {"binary_data_size": pixels.size}} if raw else {"data": pixels.tolist()}
    head = json.dumps({"inputs": [entry], **more}).encode()
    return (head + pixels.tobytes(), str(len(head))) if raw else (head, None)


@given(SIDES, st.booleans(), st.integers(0, 2**32 - 1), st.text(max_size=5))
def test_a_request_is_read_as_it_was_meant(sides, raw, seed, name):
    pixels = np.random.default_rng(seed).integers(0, 256, (*sides, 3), np.uint8)
    request = read_request(*asked(pixels, raw, id=name))
    np.testing.assert_array_equal(request.pixels, pixels)
    assert request.pixels.dtype == np.uint8
    assert request.id == name
    assert request.outputs == dict.fromkeys(OUTPUTS, False)


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, dict.fromkeys(OUTPUTS, False)),
        ({"parameters": {"binary_data_output": True}}, dict.fromkeys(OUTPUTS, True)),
        ({"outputs": []}, dict.fromkeys(OUTPUTS, False)),
        ({"outputs": [{"name": "count"}]}, {"count": False}),
        ({"outputs": [{"name": "count", "parameters": {"binary_data": True}}, {"name": "boxes"}]}, {"count": True, "boxes": False}),
        ({"parameters": {"binary_data_output": True}, "outputs": [{"name": "count"}]}, {"count": True}),
        (
            {"parameters": {"binary_data_output": True}, "outputs": [{"name": "boxes", "parameters": {"binary_data": False}}]},
            {"boxes": False},
        ),
    ],
)
def test_which_outputs_are_wanted_and_how(more, expected):
    assert read_request(*asked(np.zeros((1, 1, 1, 3), np.uint8), True, **more)).outputs == expected


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
NAMES = st.sampled_from(["pixels", "boxes", "UINT8", "data", "shape"])
ENTRY = st.fixed_dictionaries(
    {},
    optional={
        "name": NAMES | JSON,
        "shape": st.lists(st.integers(-2, 5), max_size=5) | JSON,
        "datatype": st.just("UINT8") | JSON,
        "data": st.lists(st.integers(-1, 256), max_size=9) | JSON,
        "parameters": st.dictionaries(st.just("binary_data_size"), st.integers(-1, 9) | JSON) | JSON,
    },
)
REQUEST = st.fixed_dictionaries(
    {}, optional={"inputs": st.lists(ENTRY, max_size=2) | JSON, "outputs": st.lists(st.dictionaries(NAMES, JSON)) | JSON, "id": JSON}
)


@given(REQUEST | JSON, st.binary(max_size=9), st.booleans())
def test_nonsense_is_one_sentence(value, tail, told):
    head = json.dumps(value).encode()
    try:
        said = f"shape {read_request(head + tail, str(len(head)) if told else None).pixels.shape}"
    except ValueError as error:
        said = str(error)
    assert 0 < len(said) < 400


@given(st.binary(max_size=60), st.none() | st.text(max_size=4) | st.integers(-3, 70).map(str))
def test_bytes_of_any_kind(body, length):
    with pytest.raises(ValueError, match=r"."):  # none of them is a request
        read_request(body, length)


def outputs(counts, most):
    real = np.arange(most) < np.array(counts)[:, None]
    return {
        "boxes": np.where(real[..., None], 7.5, 0).astype(np.float32).repeat(4, -1),
        "scores": np.where(real, 0.25, 0).astype(np.float32),
        "labels": np.where(real, 3, -1).astype(np.int64),
        "count": np.array(counts, np.int64),
    }


@given(st.lists(st.integers(0, 3), min_size=1, max_size=4), st.sets(st.sampled_from(list(OUTPUTS)), min_size=1))
def test_an_answer_holds_what_was_wanted(counts, raw):
    given_outputs, triton = outputs(counts, 3), pytest.importorskip("tritonclient.http")
    request = InferRequest(np.zeros((1, 1, 1, 3), np.uint8), "", {name: name in raw for name in OUTPUTS})
    body, length = write_response(request, given_outputs)
    result = triton.InferenceServerClient.parse_response_body(body, header_length=length)
    for name, expected in given_outputs.items():
        found = result.as_numpy(name)
        np.testing.assert_array_equal(found, expected)
        assert found.dtype == expected.dtype


def test_without_raw_outputs_the_answer_is_json_alone():
    request = InferRequest(np.zeros((1, 1, 1, 3), np.uint8), "7", {"count": False})
    body, length = write_response(request, outputs([1], 1))
    assert length is None
    assert json.loads(body) == {
        "model_name": "detector",
        "model_version": "1",
        "outputs": [{"name": "count", "datatype": "INT64", "shape": [1], "data": [1]}],
        "id": "7",
    }


def test_pictures_of_several_batches_become_one_answer():
    rows = [
        {name: values[row] for name, values in one.items()}
        for one in (outputs([2, 0], 2), outputs([3], 3))
        for row in range(len(one["count"]))
    ]
    whole, expected = _together(rows), outputs([2, 0, 3], 3)
    for name in OUTPUTS:
        np.testing.assert_array_equal(whole[name], expected[name])
        assert whole[name].dtype == expected[name].dtype
    nothing = _together([{name: values[0] for name, values in outputs([0], 0).items()}])
    assert {name: values.shape for name, values in nothing.items()} == {
        "count": (1,),
        "boxes": (1, 0, 4),
        "scores": (1, 0),
        "labels": (1, 0),
    }


def test_the_config_in_tritons_words():
    config = model_config(("개", 'a"b'), 64, 4, 0.0025)
    assert json.loads(config["parameters"]["classes"]["string_value"]) == ["개", 'a"b']
    assert config["parameters"]["imgsz"]["string_value"] == "64"
    assert config["dynamic_batching"] == {"max_queue_delay_microseconds": 2500}
    assert config["max_batch_size"] == 4
