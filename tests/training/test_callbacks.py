import csv

import pytest
import torch
from torch import nn

from coursekit.training.callbacks import BestCheckpoint, CsvLog, load_training, save_training
from coursekit.training.checkpoint import load_checkpoint


def rows_of(folder):
    with open(folder / "results.csv", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_log_is_whole_after_each_epoch(tmp_path):
    log = CsvLog(tmp_path / "run")
    log({"epoch": 0, "train/loss": 1.5})
    assert rows_of(tmp_path / "run") == [{"epoch": "0", "train/loss": "1.5"}]
    log({"epoch": 1, "train/loss": 0.25, "val/accuracy": 0.5})
    assert rows_of(tmp_path / "run")[1] == {"epoch": "1", "train/loss": "0.25", "val/accuracy": "0.5"}
    assert rows_of(tmp_path / "run")[0]["val/accuracy"] == ""


def test_a_resumed_log_keeps_the_rows_from_before(tmp_path):
    CsvLog(tmp_path, [{"epoch": 0, "a": 1}])({"epoch": 1, "a": 2})
    assert [row["epoch"] for row in rows_of(tmp_path)] == ["0", "1"]


@pytest.mark.parametrize(
    ("values", "best_epoch"),
    [([0.5], 0), ([0.5, 0.7, 0.6], 1), ([0.5, 0.5], 0), ([float("nan"), 0.1], 1), ([-2.0, -1.0], 1)],
    ids=["one", "falls again", "a tie: the first", "nan", "negative"],
)
def test_the_best_epochs_weights_are_on_the_disk(tmp_path, values, best_epoch):
    model = nn.Linear(1, 1)
    best = BestCheckpoint(tmp_path / "best.pt", model, {"sizes": [1, 1]})
    for epoch, value in enumerate(values):
        model.weight.data.fill_(float(epoch))
        best({"epoch": epoch, "val/accuracy": value})
    saved = load_checkpoint(tmp_path / "best.pt")
    assert saved["weights"]["weight"].item() == saved["epoch"] == best.epoch == best_epoch
    assert saved["val/accuracy"] == best.best == values[best_epoch]
    assert saved["settings"] == {"sizes": [1, 1]}


def test_an_epoch_that_was_not_measured_is_not_looked_at(tmp_path):
    best = BestCheckpoint(tmp_path / "best.pt", nn.Linear(1, 1))
    best({"epoch": 0})
    assert not (tmp_path / "best.pt").exists()


def make(seed=0):
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 2))
    return model, torch.optim.AdamW(model.parameters(), lr=0.05), torch.Generator().manual_seed(seed)


def epochs(model, optimizer, generator, count, rows):
    data = torch.Generator().manual_seed(9)
    inputs, labels = torch.randn(20, 3, generator=data), torch.randint(0, 2, (20,), generator=data)
    for _ in range(count):
        for places in torch.randperm(20, generator=generator).split(8):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(inputs[places]), labels[places])
            loss.backward()
            optimizer.step()
        rows.append({"epoch": len(rows), "loss": loss.item()})


def same(first, second):
    return all(torch.equal(value, second.state_dict()[name]) for name, value in first.state_dict().items())


@pytest.mark.parametrize("stop_after", [0, 1, 3])
def test_a_resumed_training_ends_with_the_weights_of_an_uninterrupted_one(tmp_path, stop_after):
    whole, rows = make(), []
    epochs(*whole, 5, rows)
    begun, first_rows = make(), []
    epochs(*begun, stop_after, first_rows)
    save_training(tmp_path / "a.pt", *begun, first_rows)
    again = make(seed=7)  # another process: other weights, other dice
    resumed_rows = load_training(tmp_path / "a.pt", *again)
    assert resumed_rows == first_rows
    epochs(*again, 5 - stop_after, resumed_rows)
    assert same(whole[0], again[0])
    assert resumed_rows == rows


@pytest.mark.parametrize("forgotten", ["optimizer", "generator"])
def test_without_one_of_its_parts_a_resumed_training_ends_elsewhere(tmp_path, forgotten):
    whole = make()
    epochs(*whole, 4, [])
    begun = make()
    epochs(*begun, 2, [])
    save_training(tmp_path / "a.pt", *begun, [])
    model, optimizer, generator = make(seed=7)
    load_training(tmp_path / "a.pt", model, optimizer, generator)
    if forgotten == "optimizer":
        optimizer = torch.optim.AdamW(model.parameters(), lr=0.05)
    else:
        generator = torch.Generator().manual_seed(7)
    epochs(model, optimizer, generator, 2, [])
    assert not same(whole[0], model)


def test_another_network_is_refused(tmp_path):
    save_training(tmp_path / "a.pt", *make(), [])
    other = nn.Linear(3, 2)
    with pytest.raises(RuntimeError, match="Missing key"):
        load_training(tmp_path / "a.pt", other, torch.optim.AdamW(other.parameters()), torch.Generator())


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no checkpoint"):
        load_training(tmp_path / "none.pt", *make())
