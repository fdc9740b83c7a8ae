"""Frames and values between judge and worker: what exercises use survives, whatever else comes is a WireError and nothing worse."""

import contextlib
import json
import socket
import struct
import subprocess
import sys
import threading
import time
import tracemalloc
from collections import OrderedDict, namedtuple
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from coursekit.detections import Detections
from coursekit.exercises.attempt import attempt
from coursekit.exercises.core import exercises_in, modules
from coursekit.exercises.limits import quiet_and_undisturbed, same_dice
from coursekit.grading.examination import _classes
from coursekit.grading.inside import bounds, wire

NOT_BY_MACHINE = {"02.numerical_gradient", "04.folder_dataset", "05.train_epoch", "05.evaluate", "09.count_parameters"}
EXERCISES = list({e.name: e for m in modules() for e in exercises_in(m)}.values())
GRADABLE = [e for e in EXERCISES if e.name not in NOT_BY_MACHINE]


def same(a, b, layout: bool = True) -> bool:
    """The same to the last bit, types included; of tensors also how they lie in memory, which `view` minds."""
    if type(a) is not type(b) and not isinstance(a, torch.Tensor):
        return False
    if isinstance(a, torch.Tensor):
        rows = a.detach().clone().is_contiguous() if layout else b.is_contiguous()
        alike = (a.dtype, a.shape, a.requires_grad, rows) == (b.dtype, b.shape, b.requires_grad, b.is_contiguous())
        wide = torch.complex128 if a.is_complex() else torch.float64
        return alike and same(a.detach().to(wide).numpy(), b.detach().to(wide).numpy())
    if isinstance(a, (np.ndarray, np.generic)):
        equal = a.tolist() == b.tolist() or np.array_equal(a, b, equal_nan=a.dtype.kind in "fc")
        return a.dtype == b.dtype and a.shape == b.shape and equal
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(same(one, other, layout) for one, other in zip(a, b, strict=True))
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[key], b[key], layout) for key in a)
    if hasattr(a, "__dataclass_fields__"):
        return all(same(getattr(a, name), getattr(b, name)) for name in a.__dataclass_fields__)
    return repr(a) == repr(b)


def round_trip(value, classes=None):
    return wire.unpack(wire.pack(value), classes)


# --- what exercises use


@pytest.mark.parametrize("exercise", GRADABLE, ids=lambda e: e.name)
def test_every_case_and_right_answer_survives(exercise):
    with quiet_and_undisturbed():
        for index, (label, arguments) in enumerate(exercise.draw_cases()):
            assert same(arguments, round_trip(arguments, _classes(arguments))), label
            same_dice(index)
            right = attempt(exercise.outcome, exercise.reference, arguments, [], False).value
            assert same(right, round_trip(right, _classes(right)), layout=False), label


def test_all_but_five_exercises_are_gradable():
    assert {e.name for e in EXERCISES} >= NOT_BY_MACHINE
    assert len(GRADABLE) == len(EXERCISES) - 5 >= 146


VALUES = {
    "nothing": None,
    "truth": True,
    "integers": [0, -1, 2**63, -(2**63), 2**64, -(10**200)],
    "floats": (0.1, -0.0, float("inf"), float("-inf"), float("nan"), 5e-324),
    "text": 'a"\\\n\x00é 과적합 \U0001f4e6',
    "keys": {2: "b", 1: "a", "1": None, (1, "x"): []},
    "empty": [[], (), {}, ""],
    "detections": Detections(torch.zeros(1, 4), torch.ones(1), torch.zeros(1, dtype=torch.int64)),
    "numpy scalars": [np.float32(0.1), np.int64(-3), np.bool_(True), np.uint8(255), np.str_("car"), np.float64("nan")],
    "string array": np.array([["a", "bcd"], ["", "é"]]),
    "no strings": np.array([], dtype="U5"),
    "big-endian": np.arange(3, dtype=">i4").astype("i4"),
    "complex": [np.array([1 + 2j, 3]), torch.tensor(1 - 1j).reshape(1), np.complex64(2j)],
    **{f"array {t}": np.array([[0, 1], [1, 0]]).astype(t) for t in bounds.PLAIN},
    **{f"tensor {t}": torch.tensor([[0, 1], [1, 0]]).to(getattr(torch, t)) for t in (*bounds.PLAIN, "bfloat16")},
    "scalars": [torch.tensor(1.5), torch.tensor(True), np.array(2.5), torch.tensor(0.5, dtype=torch.bfloat16)],
    "empty tensors": [torch.zeros(0, 4), torch.zeros(3, 0, 2, dtype=torch.int64), np.zeros((0, 4), dtype=bool)],
    "gradient": torch.ones(2, requires_grad=True),
    "turned": [torch.arange(24).reshape(2, 3, 4).permute(2, 0, 1), torch.arange(6).reshape(2, 3).T, torch.arange(10)[::2]],
    "gaps": np.arange(10)[::3],
    "not a number": torch.tensor([float("nan"), -0.0]),
}


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES.keys())
def test_values_survive(value):
    assert same(value, round_trip(value, {"Detections": Detections}))


plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**80), 2**80) | st.floats() | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=5) | st.integers(), inner, max_size=4)
    ),
    max_leaves=20,
)


@settings(deadline=None)
@given(plain)
def test_any_plain_value_survives(value):
    assert same(value, round_trip(value))


def test_the_same_value_gives_the_same_bytes():
    value = {"a": torch.rand(2, 3), "b": [np.arange(3), 1.5]}
    assert wire.pack(value) == wire.pack(round_trip(value))


def test_what_is_sent_is_a_copy_that_may_be_written_to():
    before = torch.zeros(2)
    round_trip(before).add_(1)
    round_trip(np.zeros(2)).fill(1)
    assert before.sum() == 0


# --- what a learner may hand over


class Liar(torch.Tensor):
    def __torch_function__(self, *_, **__):
        raise RuntimeError("asked")

    shape = property(lambda self: (7, 7))


class LyingArray(np.ndarray):
    def __array_finalize__(self, _):
        pass

    def astype(self, *_, **__):
        raise RuntimeError("asked")

    nbytes = property(lambda self: 1 / 0)


class LyingList(list):
    def __iter__(self):
        raise RuntimeError("asked")


class LyingDict(dict):
    def items(self):
        raise RuntimeError("asked")


Pair = namedtuple("Pair", "a b")
SUBCLASSES = [
    (torch.ones(2).as_subclass(Liar), torch.ones(2)),
    (torch.nn.Parameter(torch.ones(2)), torch.ones(2, requires_grad=True)),
    (np.ones(2).view(LyingArray), np.ones(2)),
    (LyingList([1, 2]), [1, 2]),
    (LyingDict(a=1), {"a": 1}),
    (OrderedDict(a=1), {"a": 1}),
    (Pair(1, 2), (1, 2)),
    (torch.tensor([3, 1]).max(dim=0), (torch.tensor(3), torch.tensor(0))),
    ({np.int64(3): 1}, {3: 1}),
    ("a\ud800", "a?"),
]


@pytest.mark.parametrize(("value", "arrives"), SUBCLASSES, ids=lambda v: type(v).__name__)
def test_a_subclass_arrives_as_the_plain_thing_and_has_no_say(value, arrives):
    assert same(arrives, round_trip(value))


class Money(float):
    pass


class Pretender:
    __class__ = property(lambda self: torch.Tensor)


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (Money(1.5), "Money"),
        (Pretender(), "Pretender"),
        (len, "builtin_function_or_method"),
        ({1, 2}, "set"),
        (b"x", "bytes"),
        (torch.nn.Linear(1, 1), "Linear"),
        (type("a b\n<script>", (), {})(), "object"),
        (torch.eye(2).to_sparse(), "tensor_without_plain_values"),
        (torch.zeros(2, device="meta"), "tensor_without_plain_values"),
        (np.array([{}, 1], dtype=object), "O_array"),
        (Detections(torch.zeros(0, 4), torch.zeros(0), torch.zeros(0, dtype=torch.int64)), "Detections"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_of_what_is_no_plain_data_only_the_name_arrives(value, name):
    got = round_trip(value)
    assert type(got).__name__ == name
    assert type(got).__module__ == "theirs"


def test_a_generator_arrives_as_an_empty_one():
    assert list(round_trip(n for n in range(3))) == []


def endless():
    value = []
    value.append(value)
    return value


@pytest.mark.parametrize(
    "value",
    [
        endless(),
        torch.zeros(1).expand(10**12),
        "a" * (2 << 20),
        list(range(200_000)),
        10**2000,
        [torch.zeros(1)] * 5000,
        np.zeros((1,) * 20),
        dict.fromkeys(range(3000)),
    ],
    ids=["in itself", "expanded", "text", "items", "digits", "tensors", "axes", "keys"],
)
def test_too_much_is_too_large(value):
    with pytest.raises(wire.TooLarge):
        wire.pack(value)


# --- hostile bytes


def payload(tree, block: bytes = b"", length: int | None = None) -> bytes:
    body = tree if isinstance(tree, bytes) else json.dumps(tree).encode()
    return struct.pack(">I", len(body) if length is None else length) + body + block


def tensors(**arrays) -> bytes:
    return safetensors.numpy.save({name.strip("_"): np.asarray(array) for name, array in arrays.items()})


def header(text: str, data: bytes = b"") -> bytes:
    return struct.pack("<Q", len(text)) + text.encode() + data


ONE = tensors(_0=np.zeros(4, dtype="float32"))
ATTACKS = {
    "nothing": b"",
    "short": b"\0\0",
    "length past the end": payload(b"1", length=50),
    "length of 4 GB": payload(b"1", length=2**32 - 1),
    "no JSON": payload(b"\xff\xfe"),
    "NaN": payload(b"NaN"),
    "Infinity": payload(b"-Infinity"),
    "a bare float": payload(b"1.5"),
    "float that overflows": payload(["f", "0x1p99999"]),
    "float in words": payload(["f", "one"]),
    "JSON object": payload(b'{"a": 1}'),
    "deep": payload(b"[" * 100_000),
    "deep and closed": payload(b"[" * 100_000 + b"]" * 100_000),
    "deep values": payload(eval('["l",' * 60 + "1" + "]" * 60)),
    "long integer": payload(b"1" * 5000),
    "long hex integer": payload(["i", "f" * 5000]),
    "no hex": payload(["i", "0x10"]),
    "spaces in hex": payload(["i", " 1_0"]),
    "lone surrogate": payload(b'"\\ud800"'),
    "surrogate in a key": payload(["d", ["\ud800", 1]]),
    "surrogate in a type's name": payload(["X", "\ud800"]),
    "unknown kind": payload(["pickle", "x"]),
    "empty list": payload([]),
    "kind is a list": payload([["l"]]),
    "kind is null": payload([None]),
    "key twice": payload(["d", ["a", 1], ["a", 2]]),
    "keys that are equal": payload(["d", [1, 1], [True, 2]]),
    "key that is a list": payload(["d", [["l"], 1]]),
    "key that is a tensor": payload(["d", [["T", 0, "float32", [], False], 1]], ONE),
    "pair of three": payload(["d", ["a", 1, 2]]),
    "too many parts": payload(["f", "1", "2"]),
    "too few parts": payload(["f"]),
    "many nodes": payload(["l", *[None] * 150_000]),
    "no tensor there": payload(["T", 0, "float32", [], False]),
    "tensor nobody asked for": payload(None, ONE),
    "one tensor twice": payload(["l", ["A", 0, "float32"], ["A", 0, "float32"]], ONE),
    "negative index": payload(["A", -1, "float32"], ONE),
    "index is true": payload(["A", False, "float32"], ONE),
    "another dtype than stored": payload(["A", 0, "int32"], ONE),
    "a dtype that nobody has": payload(["A", 0, "object"], ONE),
    "dtype is a list": payload(["A", 0, ["float32"]], ONE),
    "bfloat16 for NumPy": payload(["A", 0, "bfloat16"], tensors(_0=np.zeros(2, dtype="int16"))),
    "complex without pairs": payload(["A", 0, "complex64"], tensors(_0=np.zeros((2, 3), dtype="float32"))),
    "complex tensor without pairs": payload(["T", 0, "complex64", [], False], tensors(_0=np.zeros(3, dtype="float32"))),
    "complex number without axis": payload(["N", 0, "complex64"], tensors(_0=np.zeros((), dtype="float32"))),
    "truth value of 2": payload(["A", 0, "bool"], header('{"0":{"dtype":"BOOL","shape":[1],"data_offsets":[0,1]}}', b"\2")),
    "scalar with axes": payload(["N", 0, "float32"], ONE),
    "gradient of integers": payload(["T", 0, "int64", [], True], tensors(_0=np.zeros(2, dtype="int64"))),
    "order of other axes": payload(["T", 0, "float32", [1, 0], False], ONE),
    "order that is no order": payload(["T", 0, "float32", [0, 0], False], ONE),
    "order of strings": payload(["T", 0, "float32", ["a"], False], ONE),
    "grad is 1": payload(["T", 0, "float32", [], 1], ONE),
    "strings that do not fill": payload(["S", [3], 1, "a"]),
    "wide strings": payload(["S", [2], 10**9, "a", "b"]),
    "string past its width": payload(["S", [1], 1, "abc"]),
    "negative shape": payload(["S", [-1], 1, "a"]),
    "huge shape of no strings": payload(["S", [0, 2**62], 1]),
    "shape of 40 axes": payload(["S", [1] * 40, 1, "a"]),
    "name that is no name": payload(["X", "a b"]),
    "name that is long": payload(["X", "a" * 61]),
    "dataclass with other fields": payload(["D", "Detections", ["boxes", 1]]),
    "dataclass with fields of dunder": payload(["D", "Detections", ["__class__", 1], ["scores", 1], ["labels", 1]]),
    "dataclass without a name": payload(["D"]),
    "not safetensors": payload(["A", 0, "float32"], b"PK\3\4" + b"\0" * 50),
    "header of 4 GB": payload(["A", 0, "float32"], struct.pack("<Q", 2**32) + b"{}"),
    "header of 2**64": payload(["A", 0, "float32"], struct.pack("<Q", 2**64 - 1) + b"{}"),
    "shape that lies": payload(["A", 0, "float32"], header('{"0":{"dtype":"F32","shape":[1000000],"data_offsets":[0,4]}}', b"\0" * 4)),
    "shape that overflows": payload(
        ["A", 0, "float32"], header('{"0":{"dtype":"F32","shape":[4294967296,4294967296,4294967296],"data_offsets":[0,0]}}')
    ),
    "empty with a huge axis": payload(
        ["A", 0, "float32"], header('{"0":{"dtype":"F32","shape":[0,9223372036854775807,9],"data_offsets":[0,0]}}')
    ),
    "offsets that overlap": payload(
        ["l", ["A", 0, "uint8"], ["A", 1, "uint8"]],
        header('{"0":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"1":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}', b"abc"),
    ),
    "float8": payload(["A", 0, "float8"], header('{"0":{"dtype":"F8_E4M3","shape":[1],"data_offsets":[0,1]}}', b"a")),
    "many axes": payload(["A", 0, "uint8"], header(f'{{"0":{{"dtype":"U8","shape":{[1] * 30},"data_offsets":[0,1]}}}}', b"a")),
    "flood of empty tensors": payload(
        ["l", *(["A", n, "uint8"] for n in range(20_000))],
        header("{" + ",".join(f'"{n}":{{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}' for n in range(20_000)) + "}"),
    ),
    "keys of one hash": payload(["d", *([["i", f"{(2**61 - 1) * k:x}"], 0] for k in range(8, 40_000))]),  # half a minute to put into a dict
    "pickle": b"\x80\x04cposix\nsystem\n(S'true'\ntR.",
}


@pytest.mark.parametrize("hostile", ATTACKS.values(), ids=ATTACKS.keys())
def test_hostile_bytes_are_a_wire_error(hostile):
    with pytest.raises(wire.WireError):
        wire.unpack(hostile, {"Detections": Detections})


def test_a_tensor_named_twice_is_there_once():
    twice = header('{"0":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"0":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}', b"a")
    with contextlib.suppress(wire.WireError):
        assert wire.unpack(payload(["A", 0, "uint8"], twice)).tolist() == [97]


PLAIN = (type(None), bool, int, float, complex, str, torch.Tensor, np.ndarray, Detections)


def is_plain(value) -> bool:
    if type(value) in (list, tuple):
        return all(map(is_plain, value))
    if type(value) is dict:
        return all(type(key) in (str, int) for key in value) and all(map(is_plain, value.values()))
    return type(value) in PLAIN or isinstance(value, np.generic)


def harmless(data: bytes) -> bool:
    """A WireError, or a value of plain kinds only."""
    try:
        return is_plain(wire.unpack(data, {"Detections": Detections}))
    except wire.WireError:
        return True


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_a_value_or_a_wire_error(data):
    assert harmless(data)


nodes = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=4)
    | st.sampled_from(["float32", "bool", "bfloat16", "complex64", "int64", "U8"]),
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.tuples(st.sampled_from("ifltdDTANSsX"), inner, inner).map(list)
        | st.tuples(st.sampled_from("TANX"), st.integers(-1, 1), inner, inner, inner).map(list)
    ),
    max_leaves=15,
)


@settings(deadline=None, max_examples=300)
@given(nodes, st.sampled_from([b"", ONE, tensors(_0=np.ones((2, 2), dtype="int16"), _1=np.ones((), dtype="bool"))]))
def test_any_tree_is_a_value_or_a_wire_error(tree, block):
    assert harmless(payload(tree, block))


GOOD = wire.pack({"a": [torch.rand(2, 3), np.arange(3)], "b": (1.5, "text", np.array(["x", "yz"]))})


@settings(deadline=None, max_examples=300)
@given(st.lists(st.tuples(st.integers(0, len(GOOD) - 1), st.integers(0, 255)), min_size=1, max_size=6), st.integers(0, len(GOOD)))
def test_a_damaged_payload_is_a_value_or_a_wire_error(changes, cut):
    data = bytearray(GOOD)
    for place, byte in changes:
        data[place] = byte
    assert harmless(bytes(data))
    assert harmless(bytes(data[:cut]))


def test_hostile_bytes_cost_no_more_memory_than_they_weigh():
    flood = payload(b"[" + b"[]," * 600_000 + b"[]]")
    tracemalloc.start()
    with pytest.raises(wire.WireError):
        wire.unpack(flood)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 150e6


# --- frames


@pytest.fixture
def ends():
    a, b = socket.socketpair()
    yield a, b
    a.close()
    b.close()


def test_a_frame_arrives(ends):
    data = bytes(range(256)) * 2000
    thread = threading.Thread(target=wire.send, args=(ends[0], b"V", data))
    thread.start()
    assert wire.receive(ends[1], time.monotonic() + 5) == (b"V", data)
    thread.join()


def test_a_length_over_the_limit_is_refused_before_anything_is_allocated(ends):
    ends[0].sendall(struct.pack(">cI", b"V", 2**32 - 1))
    with pytest.raises(wire.WireError, match="4294967295 bytes was announced, at most 1000"):
        wire.receive(ends[1], time.monotonic() + 5, limit=1000)


def test_memory_grows_with_what_came_not_with_what_was_announced(ends):
    ends[0].sendall(struct.pack(">cI", b"V", 60 << 20) + b"x" * 100)
    tracemalloc.start()
    with pytest.raises(wire.Silence, match="100 of 62914560 bytes came in time"):
        wire.receive(ends[1], time.monotonic() + 0.1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1e6


def test_bytes_that_dribble_in_do_not_extend_the_deadline(ends):
    done = threading.Event()

    def dribble():
        for byte in struct.pack(">cI", b"V", 1000) + bytes(1000):
            if done.wait(0.02):
                return
            ends[0].send(bytes([byte]))

    thread = threading.Thread(target=dribble)
    thread.start()
    began = time.monotonic()
    with pytest.raises(wire.Silence):
        wire.receive(ends[1], began + 0.3)
    assert time.monotonic() - began < 2
    done.set()
    thread.join()


def test_silence_and_a_deadline_that_is_over(ends):
    with pytest.raises(wire.Silence, match="0 of 5 bytes"):
        wire.receive(ends[1], time.monotonic() + 0.05)
    with pytest.raises(wire.Silence):
        wire.receive(ends[1], time.monotonic() - 1)


@pytest.mark.parametrize("sent", [b"", b"V\0", b"V\0\0\0\x09abc"])
def test_an_end_in_the_middle(ends, sent):
    ends[0].sendall(sent)
    ends[0].close()
    with pytest.raises(wire.Closed, match="the other side ended"):
        wire.receive(ends[1], time.monotonic() + 5)


def test_somebody_who_does_not_read(ends):
    with pytest.raises(wire.Silence, match="did not read"):
        wire.send(ends[0], b"J", bytes(20 << 20), time.monotonic() + 0.2)
    ends[1].close()
    with pytest.raises(wire.Closed):
        wire.send(ends[0], b"J", bytes(20 << 20), time.monotonic() + 5)


# --- without torch

ALONE = """
import sys
sys.path.insert(0, sys.argv[1])


import inside.wire as wire, inside.worker, numpy
value = [numpy.arange(3), {"a": (1.5, numpy.array(["x"]))}]
assert repr(wire.unpack(wire.pack(value))) == repr(value)
try:
    wire.unpack(bytes.fromhex(sys.argv[2]))
except wire.WireError as error:
    print(error, "torch" in sys.modules, "coursekit" in sys.modules)
"""


def test_it_works_without_torch_and_without_coursekit():
    folder = str(Path(wire.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", ALONE, folder, wire.pack(torch.ones(1)).hex()], capture_output=True, text=True, check=True, cwd=folder
    )
    assert done.stdout.strip() == "there is no torch here False False"
