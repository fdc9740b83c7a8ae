import csv
import json
import os

import pytest
import torch
import yaml

from coursekit.training.ema import EMA
from coursekit.training.loop import State
from coursekit.training.run import Run, latest_run


def state_of(rows=(), best=-1.0):
    model = torch.nn.Linear(1, 1)
    return State(model, EMA(model), torch.optim.SGD(model.parameters(), lr=0.1), epoch=len(rows), rows=list(rows), best=best)


def test_a_taken_name_gets_a_number(tmp_path):
    names = [Run.create(tmp_path / "runs" / "detect", "train").folder.name for _ in range(3)]
    assert names == ["train", "train2", "train3"]


def test_results_are_whole_and_empty_where_nothing_was_measured(tmp_path):
    Run(tmp_path).write_results(
        [{"epoch": 1, "time": 0.5, "train/loss": 1 / 3}, {"epoch": 2, "time": 0.5, "train/loss": 0.25, "val/AP": 0.5}]
    )
    with open(tmp_path / "results.csv", newline="") as file:
        assert list(csv.reader(file)) == [
            ["epoch", "time", "train/loss", "val/AP"],
            ["1", "0.5", "0.333333", ""],
            ["2", "0.5", "0.25", "0.5"],
        ]


def test_weights_appear_with_the_first_epoch_and_best_only_when_better(tmp_path):
    run = Run(tmp_path / "a", extra={"settings": {"lr": 0.1}})
    run.save(state_of())
    assert run.checkpoint.is_file()
    assert not run.last.exists()
    run.save(state_of([{"epoch": 1}]))
    assert run.last.is_file()
    assert not run.best.exists()
    run.save(state_of([{"epoch": 1}], 0.5), better=True)
    assert run.best.is_file()
    assert run.load()["settings"] == {"lr": 0.1}


def test_settings_and_json_can_be_read_by_anyone(tmp_path):
    Run(tmp_path).write_settings({"data": "사진", "lr": 0.002})
    assert yaml.safe_load((tmp_path / "args.yaml").read_text(encoding="utf-8")) == {"data": "사진", "lr": 0.002}
    Run(tmp_path).write_json("curves.json", {"a": [1, 2]})
    assert json.loads((tmp_path / "curves.json").read_text()) == {"a": [1, 2]}


def test_the_latest_run_is_the_one_worked_on_last(tmp_path):
    for age, name in enumerate(["train10", "train2", "train"]):
        run = Run(tmp_path / name)
        run.save(state_of())
        os.utime(run.checkpoint, (1e9 - age, 1e9 - age))
    (tmp_path / "predict").mkdir()
    assert latest_run(tmp_path).name == "train10"
    assert latest_run(tmp_path, "train2").name == "train2"


@pytest.mark.parametrize("name", [None, "train7"])
def test_no_run_is_said(tmp_path, name):
    with pytest.raises(FileNotFoundError, match=r"there is no run in .*; `coursekit train` makes one"):
        latest_run(tmp_path, name)
