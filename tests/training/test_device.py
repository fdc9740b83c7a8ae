import pytest
import torch

from coursekit.training import device
from coursekit.training.device import Compute, choose_device, choose_precision, choose_threads


def test_auto_is_the_gpu_where_there_is_one(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert choose_device("auto") == "cuda"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert choose_device("auto") == "cpu"


@pytest.mark.parametrize("name", ["tpu", "cuda:x", ""])
def test_an_unknown_device_is_named(name):
    with pytest.raises(ValueError, match=f"device must be auto, cpu, cuda, cuda:N or mps, got '{name}'"):
        choose_device(name)


@pytest.mark.parametrize("name", ["cuda", "cuda:1", "1"])
def test_a_device_that_is_not_there(monkeypatch, name):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.raises(ValueError, match="is not on this machine, which has 0 CUDA devices; use --device cpu"):
        choose_device(name)


def test_threads():
    assert choose_threads(3) == 3
    assert choose_threads(0) >= 1
    with pytest.raises(ValueError, match="threads must be 0"):
        choose_threads(-1)


def timed(monkeypatch, seconds):
    """A step that takes as long as is said, on a clock of our own."""
    clock = [0.0]
    monkeypatch.setattr(device, "can_use_bfloat16", lambda name: True)
    monkeypatch.setattr(device.time, "perf_counter", lambda: clock[0])

    def step(precision):
        clock[0] += seconds[precision].pop(0)

    return step


def test_the_faster_precision_is_taken_and_the_first_step_not_counted(monkeypatch):
    step = timed(monkeypatch, {"float32": [9, 2, 2, 2], "bfloat16": [99, 1, 3, 3]})
    assert choose_precision("auto", "cpu", step) == ("bfloat16", {"float32": 2, "bfloat16": 1})
    step = timed(monkeypatch, {"float32": [0, 2, 2, 2], "bfloat16": [0, 3, 3, 3]})
    assert choose_precision("auto", "cpu", step)[0] == "float32"


def test_without_the_instructions_nothing_is_timed(monkeypatch):
    monkeypatch.setattr(device, "can_use_bfloat16", lambda name: False)
    assert choose_precision("auto", "cpu", None) == ("float32", {})


def test_what_is_asked_for_is_done():
    assert choose_precision("bfloat16", "cpu", None) == ("bfloat16", {})
    with pytest.raises(ValueError, match="precision must be auto, float32 or bfloat16, got 'fp16'"):
        choose_precision("fp16", "cpu", None)


def test_autocast_is_what_it_says():
    layer, x = torch.nn.Linear(2, 2), torch.zeros(1, 2)
    with Compute("cpu", "bfloat16", 1).autocast():
        assert layer(x).dtype == torch.bfloat16
    with Compute("cpu", "float32", 1).autocast():
        assert layer(x).dtype == torch.float32
