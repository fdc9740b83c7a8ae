"""Minutes instead of epochs."""

import sys
import time
from dataclasses import replace

import pytest
import torch
from torch import nn

from coursekit.training.device import Compute
from coursekit.training.ema import EMA
from coursekit.training.loop import State
from coursekit.yolo import TrainSettings, prepare
from coursekit.yolo.pace import WARM, epochs_within, seconds_per_step


@pytest.mark.parametrize(
    ("seconds", "step", "steps", "expected"), [(60, 0.1, 36, 16), (3.6, 0.1, 36, 1), (7.1, 0.1, 36, 1), (7.3, 0.1, 36, 2), (10, 10, 1, 1)]
)
def test_epochs_that_fit_rounded_down(seconds, step, steps, expected):
    assert epochs_within(seconds, step, steps) == expected


def test_less_than_an_epoch_is_one_sentence():
    with pytest.raises(ValueError, match=r"minutes must be at least 0\.5 here: one epoch takes 30 s"):
        epochs_within(29.0, 1.0, 30)


def test_the_first_steps_do_not_count_and_nothing_is_trained():
    model = nn.Linear(2, 1)
    state = State(model, EMA(model), torch.optim.SGD(model.parameters(), lr=0.1))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    calls = []

    def loss_of(said, target):
        calls.append(time.sleep(0.5 if len(calls) < WARM else 0.02))
        return {"loss": (said - target).square().mean()}

    batches = [(torch.ones(4, 2), torch.zeros(4, 1))] * 8
    seconds = seconds_per_step(state, batches, loss_of, lambda m: torch.optim.SGD(m.parameters(), lr=0.1), Compute("cpu", "float32", 1))
    assert 0.02 <= seconds < 0.5
    assert len(calls) == 8
    assert state.step == 0
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


class Grey:
    """Grey pictures with one box each; counts how often each was decoded."""

    classes = ("thing",)

    def __init__(self, length=4):
        self.reads = [0] * length

    def __len__(self):
        return len(self.reads)

    def __getitem__(self, index):
        self.reads[index] += 1
        box = torch.tensor([[8.0, 8, 24, 24]])
        target = {"boxes": box, "labels": torch.zeros(1, dtype=torch.int64), "image_id": index}
        return torch.full((3, 32, 32), 114, dtype=torch.uint8), {**target, "area": torch.ones(1), "iscrowd": torch.zeros(1)}


SETTINGS = TrainSettings("grey", imgsz=32, batch=2, precision="float32", threads=1, device="cpu", val_split="none", minutes=0.5)


def test_pictures_are_decoded_before_steps_are_timed(monkeypatch):
    """Only the first epoch decodes, so a time with decoding in it would promise too few epochs: a run of 10 minutes ended after 7."""
    pictures, seen = Grey(40), []

    def timed(*arguments):
        seen.append(min(pictures.reads))
        return 0.05

    monkeypatch.setattr(sys.modules["coursekit.yolo.train"], "seconds_per_step", timed)
    prepare(SETTINGS, pictures)
    assert seen == [1]


def test_decoding_ends_where_no_epoch_would_fit_any_more(monkeypatch):
    pictures = Grey(40)
    monkeypatch.setattr(sys.modules["coursekit.yolo.train"], "seconds_per_step", lambda *arguments: 2.0)
    monkeypatch.setattr(Grey, "__getitem__", slow(Grey.__getitem__, 0.05))
    with pytest.raises(ValueError, match=r"minutes must be at least 0\.67 here: one epoch takes 40 s"):
        prepare(replace(SETTINGS, minutes=0.01), pictures)
    assert 0 < sum(map(bool, pictures.reads)) < 20


def slow(function, seconds):
    def slower(*arguments):
        time.sleep(seconds)
        return function(*arguments)

    return slower


def test_minutes_become_a_number_of_epochs_and_change_nothing_else():
    timed = prepare(SETTINGS, Grey())
    assert timed.settings.epochs > 1
    assert timed.settings.minutes == 0
    assert any("0.5 minutes" in note for note in timed.notes)
    plain = prepare(replace(SETTINGS, minutes=0, epochs=timed.settings.epochs), Grey())
    for one, other in zip(timed.state.model.state_dict().values(), plain.state.model.state_dict().values(), strict=True):
        assert torch.equal(one, other)
    assert timed.settings == plain.settings


def test_epochs_and_minutes_contradict():
    with pytest.raises(ValueError, match="epochs or minutes, not both"):
        TrainSettings("x", epochs=3, minutes=1.0)
