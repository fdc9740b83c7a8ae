"""Seconds by operator: sums of made-up notes by hand, multiply-adds beside those of notebook 10."""

import json

import numpy as np
import pytest
import torch
from torch import nn

from coursekit.models.cost import layer_costs
from coursekit.serving.profile import OperatorTime, Profile, multiply_adds, profile_eager, profile_onnx, summarise


def run(begin, *nodes):
    """Notes of one run that begins at ``begin`` microseconds: (name, kind, microseconds) of each operator."""
    events, at = [], begin
    for name, kind, took in nodes:
        events.append({"cat": "Node", "name": f"{name}_kernel_time", "ts": at, "dur": took, "args": {"op_name": kind}})
        at += took
    return [*events, {"cat": "Session", "name": "model_run", "ts": begin, "dur": at - begin}]


def test_sums_are_medians_over_the_runs_that_count():
    nodes = [
        [("network/a_nchwc", "Conv", took), ("network/b", "Conv", 10), ("letterbox/c", "Resize", 20), ("odd", "ReorderInput", 10)]
        for took in (9000, 30, 50, 40)
    ]
    events = [{"cat": "Session", "name": "session_initialization", "ts": 0, "dur": 9}]
    for number, one in enumerate(nodes):
        events += run(10_000 * (number + 1), *one)
    found = summarise(events, warmup=1, work={"network/a": 700, "network/b": 300, "unknown": 5})
    assert [(row.kind, row.calls, row.multiply_adds) for row in found.rows] == [("Conv", 2, 1000), ("Resize", 1, 0), ("ReorderInput", 1, 0)]
    assert [row.seconds for row in found.rows] == pytest.approx([50e-6, 20e-6, 10e-6])
    assert [row.share for row in found.rows] == pytest.approx([50 / 80, 20 / 80, 10 / 80])
    assert found.seconds == pytest.approx(80e-6)
    assert found.parts == pytest.approx({"letterbox": 20e-6, "network": 50e-6, "other": 10e-6})
    assert [row.kind for row in found.free] == ["Resize", "ReorderInput"]
    assert found.free_share == pytest.approx(30 / 80)


@pytest.mark.parametrize("warmup", [0, 1])
def test_without_a_run_that_counts_there_is_nothing_to_sum(warmup):
    with pytest.raises(ValueError, match=f"events must hold more runs than the {warmup} that do not count"):
        summarise(run(0, ("a", "Conv", 1)) * warmup, warmup)


@pytest.mark.parametrize(
    ("kind", "inputs", "output", "expected"),
    [
        ("Conv", [[1, 3, 8, 8], [4, 3, 3, 3], [4]], [2, 4, 6, 6], 2 * 4 * 6 * 6 * 27),
        ("Conv", [[1, 4, 8, 8], [4, 1, 3, 3]], [1, 4, 6, 6], 4 * 6 * 6 * 9),  # depthwise
        ("MatMul", [[5, 7], [7, 3]], [5, 3], 5 * 3 * 7),
        ("Gemm", [[5, 7], [7, 3], [3]], [5, 3], 5 * 3 * 7),
        ("Concat", [[5, 7], [5, 3]], [5, 10], 0),
        ("Shape", [[5, 7]], [2], 0),
    ],
)
def test_multiply_adds_from_shapes(kind, inputs, output, expected):
    notes = {"op_name": kind, "input_type_shape": [{"float": one} for one in inputs], "output_type_shape": [{"float": output}]}
    assert multiply_adds(notes) == expected


def test_a_table_that_a_person_can_read():
    rows = [OperatorTime("Conv", 2, 3e-3, 0.75, 5_000_000), OperatorTime("Concat", 1, 1e-3, 0.25, 0)]
    found = Profile(rows, 4e-3, {})
    assert str(found).splitlines() == [
        "operator                   calls       ms   share  M multiply-adds",
        "Conv                           2    3.000   75.0%              5.0",
        "Concat                         1    1.000   25.0%              0.0",
        "25% of 4.00 ms goes to operators without a multiply-add.",
    ]
    assert found.table(most=1).splitlines()[2].split() == ["1", "other", "kinds", "1", "1.000", "25.0%", "0.0"]


@pytest.fixture(scope="module")
def pixels():
    return np.random.default_rng(0).integers(0, 256, (1, 256, 256, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def work(shipped):
    return sum(cost.multiply_adds for cost in layer_costs(shipped, (3, 256, 256)))


@pytest.mark.parametrize("optimise", [False, True])
def test_the_network_has_the_multiply_adds_of_notebook_10_however_it_is_run(shipped_onnx, pixels, work, optimise):
    found = profile_onnx(shipped_onnx(), pixels, runs=2, warmup=1, optimise=optimise)
    assert sum(row.multiply_adds for row in found.rows) == work
    by_kind = {row.kind: row for row in found.rows}
    assert by_kind["Conv"].calls == 70
    assert by_kind["Conv"].multiply_adds == work
    assert {"NonMaxSuppression", "TopK", "Reshape", "Concat"} <= {row.kind for row in found.free}
    assert sum(row.share for row in found.rows) == pytest.approx(1)
    assert found.rows == sorted(found.rows, key=lambda row: -row.seconds)
    assert found.parts.keys() >= {"letterbox", "network", "suppress", "undo"}
    assert sum(found.parts.values()) == pytest.approx(found.seconds, rel=0.5)  # medians of sums, and sums of medians
    assert ("Sigmoid" in by_kind and by_kind["Sigmoid"].calls == 65) or optimise  # else joined with its multiplication


def test_integers_do_the_same_multiply_adds(shipped_onnx, pixels, work, tmp_path):
    from coursekit.serving.quantise import quantise_onnx

    path = quantise_onnx(shipped_onnx(), tmp_path / "int8.onnx", [torch.from_numpy(pixels[0]).permute(2, 0, 1)])
    found = profile_onnx(path, pixels, runs=1, warmup=0)
    assert sum(row.multiply_adds for row in found.rows) == work
    kinds = {row.kind: row for row in found.rows}
    assert kinds["QLinearConv"].multiply_adds > 0.9 * work


def test_it_leaves_nothing_behind_and_refuses_what_it_cannot_run(shipped_onnx, pixels, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="runs must be at least 1, got 0"):
        profile_onnx(shipped_onnx(), pixels, runs=0)
    with pytest.raises(ValueError, match="warmup must be at least 0, got -1"):
        profile_eager(lambda: None, warmup=-1)
    with pytest.raises(FileNotFoundError, match="there is no file"):
        profile_onnx("none.onnx", pixels)
    profile_onnx(shipped_onnx(), pixels, runs=1, warmup=0)
    assert list(tmp_path.iterdir()) == []


def test_eager_operators_by_name():
    network = nn.Sequential(nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.Conv2d(4, 2, 1)).eval()
    calls = []

    def call():
        calls.append(network(torch.rand(2, 3, 8, 8)))

    found = profile_eager(call, runs=3, warmup=2)
    assert len(calls) == 5
    rows = {row.kind: row for row in found.rows}
    assert (rows["convolution"].calls, rows["convolution"].multiply_adds) == (2, 2 * 36 * (4 * 27 + 2 * 4))
    assert rows["native_batch_norm"].multiply_adds == 0
    assert (rows["relu"].calls, rows["rand"].calls) == (1, 1)
    assert all(row.seconds > 0 for row in found.rows)
    assert found.parts == {}
    json.dumps([vars(row) for row in found.rows])  # plain numbers, for a results file
