"""The benchmark of serving: its bookkeeping, and two of its rows on a few pictures."""

import os
import sys

import numpy as np
import pytest
import torch

SAME = {"p50_ms": 1.0, "p99_ms": 2.0, "pictures_per_second": 30.0, "errors": 0}


@pytest.fixture
def bench(benchmark_program, monkeypatch):
    module = benchmark_program("serving")
    monkeypatch.setattr(module, "CLIENTS", (1, 8))
    monkeypatch.setattr(module, "BATCHES", (1, 16))
    return module


@pytest.fixture
def folder(bench, shipped_onnx, sign_scenes, tmp_path):
    """As `prepare` leaves it, with 16 scenes."""
    samples = sign_scenes[:16]
    np.save(tmp_path / "pictures.npy", np.stack([picture.permute(1, 2, 0).numpy() for picture, _ in samples]))
    torch.save([target for _, target in samples], tmp_path / "targets.pt")
    for confidence in (bench.SURE, bench.ALL):
        (tmp_path / f"float-{confidence}.onnx").write_bytes(shipped_onnx(confidence=confidence).read_bytes())
    return tmp_path


@pytest.mark.parametrize("row", ["onnx", "local"])
def test_a_row_has_all_its_figures(bench, folder, row):
    found = bench.measure(row, folder, threads=1, requests=16, repeat=1)
    assert found["AP"] > 0.6
    assert set(found["clients"]) == {1, 8}
    assert set(found["batches"]) == {1, 16} == set(found["first_answer_seconds"])
    for one in (*found["clients"].values(), *found["batches"].values()):
        assert one["errors"] == 0
        assert one["pictures_per_second"] > 0
    if sys.platform == "linux":
        assert found["peak_bytes"] > 50e6
    text = bench.table([{"name": "A", **found}, {"name": "B", "skipped": "there is none"}]).splitlines()
    assert text[2].startswith("| A | ")
    assert text[2].count("|") == text[0].count("|") == text[1].count("|")
    assert text[3] == "| B | there is none |"


def test_without_triton_its_rows_say_so(bench, monkeypatch, tmp_path):
    monkeypatch.setenv("COURSEKIT_TRITON", str(tmp_path))
    assert "Triton" in bench.in_child("triton-grpc", tmp_path, None)["skipped"]


def test_of_two_turns_the_better_counts_figure_by_figure_and_errors_add_up(bench):
    worse = {"p50_ms": 0.5, "p99_ms": 9.0, "pictures_per_second": 20.0, "errors": 2}
    expected = {"p50_ms": 0.5, "p99_ms": 2.0, "pictures_per_second": 30.0, "errors": 2}
    assert bench.better(SAME, worse) == bench.better(worse, SAME) == expected


def test_rows_measured_anew_replace_the_old_ones_if_nothing_else_changed(bench):
    def content(beside="nothing", threads=2, **rows):
        facts = {"settings": {"threads": threads, "beside": beside}, "machine": {"cpu": "a"}}
        return facts | {"rows": [{"row": row, "AP": value} for row, value in rows.items()]}

    old = content(eager=1, local=2) | {"profile": 5}
    both = bench.merged(old, content("much", onnx=4, local=3))
    assert both["rows"] == [{"row": "eager", "AP": 1}, {"row": "onnx", "AP": 4}, {"row": "local", "AP": 3}]
    assert (both["profile"], both["settings"]["beside"]) == (5, "much")
    with pytest.raises(SystemExit, match="the settings of the results are others"):
        bench.merged(old, content(threads=1))


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not tell")
def test_memory_is_that_of_the_processes_together(bench):
    mine = bench.peak_bytes([os.getpid()])
    assert mine > 20e6
    assert bench.peak_bytes([os.getpid(), os.getpid()]) == pytest.approx(2 * mine, rel=0.2)
    assert bench.peak_bytes([2**30]) is None  # there is no such process
    assert os.getpid() in sys.modules["serving_rows"].group(os.getpgid(0))
