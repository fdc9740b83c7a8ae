"""The comparison with ultralytics goes on where it was stopped: a row that is written down is not measured again."""

import json
import sys

import pytest


@pytest.fixture
def train(benchmark_program, monkeypatch, tmp_path):
    module = benchmark_program("train")
    (tmp_path / "results").mkdir()
    monkeypatch.setattr(module, "HERE", tmp_path)
    monkeypatch.setattr(module, "export", lambda *_: {})
    path = tmp_path / "results" / "train_signs.json"
    module.asked = []

    def measure(key, arguments, folder, truth, epochs):
        module.asked.append((*key, epochs))
        who, minutes, seed = key
        numbers = {"AP": 0.5, "AP50": 0.6, "AP interval": [0, 1], "AP50 interval": [0, 1], "epochs": 7, "seconds": 1.0}
        return {"who": who, "minutes": minutes, "seed": seed, **numbers}

    monkeypatch.setattr(module, "measure", measure)

    def run(*words):
        module.asked.clear()
        monkeypatch.setattr(sys, "argv", ["train.py", "signs", "--work", str(tmp_path / "work"), *words])
        module.main()
        return list(module.asked)

    module.run, module.path = run, path
    return module


def test_what_is_written_down_is_not_measured_again(train):
    first = train.run("--minutes", "2", "--seeds", "0", "--peers", "yolov8n")
    assert first == [("coursekit s", 2.0, 0, None), ("yolov8n", 2.0, 0, None)]
    assert train.run("--minutes", "2", "--seeds", "0", "1", "--peers", "yolov8n") == [("coursekit s", 2.0, 1, None)]
    rows = json.loads(train.path.read_text())["rows"]
    assert [(row["who"], row["minutes"], row["seed"]) for row in rows] == [
        ("coursekit s", 2.0, 0),
        ("coursekit s", 2.0, 1),
        ("yolov8n", 2.0, 0),
    ]


def test_same_epochs_gives_later_seeds_the_epochs_of_the_first(train):
    asked = train.run("--minutes", "5", "--seeds", "0", "1", "--same-epochs", "--peers")
    assert asked == [("coursekit s", 5.0, 0, None), ("coursekit s", 5.0, 1, 7)]


def test_the_peers_have_no_run_of_one_minute(train):
    assert train.run("--minutes", "1", "--seeds", "0") == [("coursekit s", 1.0, 0, None)]
    assert train.run("--minutes", "1", "--seeds", "0", "--peers-from", "0", "--peers", "yolov8n", "--ours") == [("yolov8n", 1.0, 0, None)]


def test_what_is_measured_on_a_gpu_is_written_beside(train):
    train.run("--minutes", "2", "--seeds", "0", "--peers")
    before = train.path.read_text()
    assert train.run("--minutes", "2", "--seeds", "0", "--peers", "--device", "cuda") == [("coursekit s", 2.0, 0, None)]
    assert train.path.with_name("train_signs_cuda.json").is_file()
    assert train.path.read_text() == before


def test_a_run_that_was_stopped_is_not_scored_in_place_of_the_new_one(benchmark_program, monkeypatch, tmp_path):
    module, stopped = benchmark_program("train"), tmp_path / "ours/coursekit-s-2-0"
    stopped.mkdir(parents=True)

    class Started(Exception):
        pass

    def start(command, check):
        assert not stopped.exists()  # or the new run would be written to coursekit-s-2-02
        raise Started

    monkeypatch.setattr(module.subprocess, "run", start)
    with pytest.raises(Started):
        module.ours(tmp_path, tmp_path / "results/coursekit-s-2-0.json", [])
