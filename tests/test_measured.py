"""What the notebook shows of the benchmarks is what the benchmarks wrote."""

import json

import pytest

from coursekit.resources import resource


@pytest.fixture
def pack(benchmark_program):
    return benchmark_program("pack")


def test_the_packed_figures_are_those_of_the_results(pack):
    assert json.loads(resource("measured.json").read_text()) == pack.packed(), "run python benchmarks/pack.py"


def test_seeds_and_maps_are_gathered_by_variant(pack):
    def row(variant, ap, small, large, on="scenes", decay=0.9):
        return {"on": on, "decay": decay, "epochs": 3, "variant": variant, "AP": ap, "answers": {"small": small, "large": large}}

    rows = [row("a", 0.5, [1, 0, 0, 2], [0, 4, 0, 0]), row("b", 0.1, [0] * 4, [0] * 4), row("a", 0.7, [1, 0, 0, 0], [0, 0, 3, 0])]
    others = [row("a", 0.9, [9] * 4, [9] * 4, on="bccd"), row("a", 0.9, [9] * 4, [9] * 4, decay=0.8)]
    gathered = pack.of_ablations([*rows, *others], "scenes", ("a", "c"), 0.9)
    assert gathered == {"epochs": 3, "AP": {"a": [0.5, 0.7]}, "answers": {"a": [2, 4, 3, 2]}}


def test_rows_within_minutes_keep_what_the_picture_needs(pack):
    numbers = {"AP": 0.5, "AP50": 0.6, "AP interval": [0.4, 0.6], "AP50 interval": [0.5, 0.7], "seconds": 9.0, "epochs": 2, "parameters": 7}
    row = {"minutes": 2.0, "seed": 0, **numbers}
    content = {"rows": [{"who": "theirs", "ultralytics": "8.4", **row}, {"who": "ours", "threads": 2, **row}], "imgsz": 320}
    gathered = pack.of_minutes(content | {"machine": {"cores": 2}})
    assert [r["who"] for r in gathered["rows"]] == ["ours", "theirs"]
    assert gathered["rows"][0] == {"who": "ours", **row}
    assert (gathered["imgsz"], gathered["ultralytics"], gathered["cores"]) == (320, "8.4", 2)
    assert pack.of_minutes({"rows": [], "imgsz": 320, "machine": {"cores": 2}})["rows"] == []


def test_detectors_are_gathered_by_name_one_number_a_seed(pack):
    numbers = {"AP": 0.5, "AP50": 0.6, "AP75": 0.4, "milliseconds": 2.0, "seconds": 30.0}
    rows = [
        {"detector": "grid", "seed": 0, **numbers},
        {"detector": "YOLO", "seed": 0, **numbers},
        {"detector": "grid", "seed": 1, **numbers, "AP": 0.7},
    ]
    gathered = pack.of_detectors({"rows": rows})
    assert list(gathered) == ["grid", "YOLO"]
    assert gathered["grid"] == {"AP": [0.5, 0.7], "AP50": [0.6] * 2, "AP75": [0.4] * 2, "milliseconds": [2.0] * 2, "seconds": [30.0] * 2}


def test_ways_to_serve_keep_what_the_table_needs(pack):
    def load(p50):
        return {"p50_ms": p50, "p90_ms": 9.0, "p99_ms": 2 * p50, "pictures_per_second": 100.0, "errors": 0}

    measured = {"name": "int8", "clients": {"1": load(5.0), "8": load(40.0)}, "peak_bytes": 71_600_000, "AP": 0.8}
    rows = [measured, {"name": "Triton", "skipped": "it is not here"}, {**measured, "name": "ONNX", "peak_bytes": None}]
    gathered = pack.of_serving({"rows": rows, "settings": {"threads": 2}})
    figures = {"p50": 5.0, "p99": 10.0, "p50 of 8": 40.0, "p99 of 8": 80.0, "pictures/s": 100.0, "AP": 0.8}
    assert gathered == {"threads": 2, "rows": [{"way": "int8", "MB": 72, **figures}, {"way": "ONNX", "MB": None, **figures}]}
