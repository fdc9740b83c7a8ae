import math

import pytest
import torch
from torch import nn

from coursekit.training.ema import EMA


def test_by_hand():
    model = nn.Linear(1, 1, bias=False)
    nn.init.constant_(model.weight, 0.0)
    ema = EMA(model, decay=0.9, tau=10)
    nn.init.constant_(model.weight, 1.0)
    expected = 0.0
    for step in (1, 2, 3):
        keep = 0.9 * (1 - math.exp(-step / 10))
        expected = keep * expected + (1 - keep) * 1.0
        ema.update(model, step)
        assert ema.model.weight.item() == pytest.approx(expected)


def test_late_steps_move_by_one_minus_decay():
    model = nn.Linear(1, 1, bias=False)
    nn.init.constant_(model.weight, 0.0)
    ema = EMA(model, decay=0.99, tau=10)
    nn.init.constant_(model.weight, 1.0)
    ema.update(model, 10_000)
    assert ema.model.weight.item() == pytest.approx(0.01)


def test_running_statistics_are_averaged_and_counters_copied():
    model = nn.BatchNorm1d(2)
    ema = EMA(model, decay=0.5, tau=1e-9)
    model(torch.randn(8, 2) + 4)
    before, now = ema.model.running_mean.clone(), model.running_mean
    ema.update(model, 1)
    torch.testing.assert_close(ema.model.running_mean, (before + now) / 2)
    assert ema.model.num_batches_tracked == 1


def test_the_copy_is_for_measuring_only_and_the_model_is_left_alone():
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)).train()
    ema = EMA(model)
    assert not ema.model.training
    assert model.training
    assert not any(p.requires_grad for p in ema.model.parameters())
    assert all(p.requires_grad for p in model.parameters())
    weight = model[0].weight.clone()
    ema.update(model, 1)
    torch.testing.assert_close(model[0].weight, weight)
