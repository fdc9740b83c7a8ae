"""The benchmark of part 2's detectors: its own rules; the recipes have tests of their own."""

import sys

import pytest
import torch

from coursekit.detections import Detections
from coursekit.training.detector import small_world


@pytest.fixture
def detectors(benchmark_program, monkeypatch, tmp_path):
    module = benchmark_program("detectors")
    monkeypatch.setattr(module, "KEPT", tmp_path / "build" / "kept.jsonl")
    written = {}
    monkeypatch.setattr(module, "write_results", lambda name, content: written.update({name: content}))
    module.written = written
    monkeypatch.setattr(module, "TRAINING", 2)
    monkeypatch.setattr(module, "VALIDATION", 3)
    monkeypatch.setattr(module, "TIMED", 2)
    return module


def test_each_seed_is_measured_once_and_kept(detectors, monkeypatch):
    asked = []

    def recipe(samples, seed):
        asked.append((len(samples), seed))
        return lambda images: [Detections.empty()]

    monkeypatch.setattr(detectors, "recipes", lambda: {"nothing": recipe, "nothing twice": recipe})
    threads = torch.get_num_threads()
    monkeypatch.setattr(sys, "argv", ["detectors.py", "--seeds", "0"])
    detectors.main()
    monkeypatch.setattr(sys, "argv", ["detectors.py", "--seeds", "0", "1"])
    detectors.main()
    torch.set_num_threads(threads)
    assert asked == [(2, 0), (2, 0), (2, 1), (2, 1)]
    rows = detectors.written["detectors"]["rows"]
    assert [(row["detector"], row["seed"], row["AP"]) for row in rows] == [
        ("nothing", 0, 0.0),
        ("nothing twice", 0, 0.0),
        ("nothing", 1, 0.0),
        ("nothing twice", 1, 0.0),
    ]
    assert all(row["milliseconds"] >= 0 for row in rows)
    assert "nothing twice" in detectors.table(rows)


def test_detectors_take_turns_with_every_picture(detectors):
    order = []
    finders = {name: lambda images, name=name: order.append(name) for name in ("a", "b")}
    detectors.in_turns(finders, small_world("validation", 2), 4)
    assert order == ["a", "b"] * 7  # three rounds to warm up, four that count
