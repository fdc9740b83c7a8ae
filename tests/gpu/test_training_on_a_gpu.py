"""Training on a GPU: the same run, nothing that is waited for within a step, and a real card's precision, memory and bands."""

import pytest
import torch

from coursekit.authoring.pretended import PretendedGPU
from coursekit.data.loader import Batches, CachedDataset
from coursekit.training.device import Compute
from coursekit.training.ema import EMA
from coursekit.training.loop import State, train_epoch
from coursekit.yolo import YOLO, TrainSettings, load, new_run, prepare, resume, train, validate
from coursekit.yolo.loss import detection_loss
from coursekit.yolo.train import make_optimizer, ready


class Squares:
    """Red and blue squares on grey, one or two to a picture, and one picture without."""

    classes = ("red", "blue")

    def __init__(self, length=8):
        self.length = length

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        generator = torch.Generator().manual_seed(index)
        image, count = torch.full((3, 64, 64), 114, dtype=torch.uint8), index % 3
        x, y = (torch.randint(0, 30, (count,), generator=generator) for _ in range(2))
        side, labels = torch.randint(16, 30, (count,), generator=generator), torch.randint(0, 2, (count,), generator=generator)
        for left, top, length, label in zip(x.tolist(), y.tolist(), side.tolist(), labels.tolist(), strict=True):
            colour = torch.tensor([[220, 30, 30], [30, 30, 220]])[label].to(torch.uint8)
            image[:, top : top + length, left : left + length] = colour[:, None, None]
        boxes = torch.stack([x, y, x + side, y + side], dim=1).float()
        extra = {"image_id": index, "area": (side * side).float(), "iscrowd": torch.zeros(count, dtype=torch.int64)}
        return image, {"boxes": boxes, "labels": labels, **extra}


def settings(tmp_path, device, **more):
    fixed = {"model": "n", "imgsz": 64, "batch": 4, "precision": "float32", "threads": 1, "project": str(tmp_path / "runs")}
    return TrainSettings("squares", **fixed | {"epochs": 2, "device": device, "val_every": 2} | more)


def run_it(settings):
    prepared = prepare(settings, Squares(), Squares(4))
    run = new_run(prepared)
    return train(prepared, run), run


def test_a_run_is_that_of_the_cpu_and_its_files_are_read_anywhere(gpu, tmp_path):
    here, _ = run_it(settings(tmp_path, "cpu"))
    there, run = run_it(settings(tmp_path, gpu))
    assert {value.device.type for value in there.ema.model.state_dict().values()} == {"cuda"}
    assert there.rows[-1]["train/loss"] == pytest.approx(here.rows[-1]["train/loss"], rel=2e-2)
    model = load(run.last)
    assert {value.device.type for value in model.state_dict().values()} == {"cpu"}
    assert set(validate(model, Squares(4)).summary) == set(validate(there.ema.model, Squares(4)).summary)


def test_a_stopped_run_goes_on_there(gpu, tmp_path):
    prepared = prepare(settings(tmp_path, gpu), Squares(), Squares(4))
    run = new_run(prepared)

    class Stop(Exception):
        pass

    def told(row):
        raise Stop

    with pytest.raises(Stop):
        train(prepared, run, told=told)
    again, run = resume(run.folder, Squares(), Squares(4))
    assert again.compute.device == "cuda"
    assert again.state.epoch == 1
    assert train(again, run).epoch == 2


def steps_of(device, precision="float32", count=3):
    """State, batches that lie on the device, and how to compute: what the loop needs and nothing that must be waited for."""
    torch.manual_seed(0)
    model = YOLO(2).to(device, memory_format=torch.channels_last)
    state = State(model, EMA(model), make_optimizer(model, 1e-3, 0.05))
    batches = list(ready(Batches(CachedDataset(Squares(), (64, 64)), 4, seed=0).epoch(0), device))
    return state, (batches * count)[:count], Compute(device, precision, 1)


def go(state, batches, compute, tick=lambda: None):
    return train_epoch(state, batches, detection_loss, lambda step: 1e-3, compute, 10.0, tick)


def test_no_step_waits_for_the_gpu(gpu):
    state, batches, compute = steps_of(gpu)
    go(state, batches, compute)  # the first steps may make what is kept
    watch = next((mode for mode in torch.overrides._get_current_function_mode_stack() if isinstance(mode, PretendedGPU)), None)
    seen = []

    def tick():
        seen.append(dict(watch.waits) if watch else None)

    if watch:
        watch.waits.clear()
    else:
        torch.cuda.set_sync_debug_mode("error")
    try:
        generator = (batch for batch in batches)
        state.model.train()
        go_without_end(state, generator, compute, tick)
    finally:
        if not watch:
            torch.cuda.set_sync_debug_mode("default")
    assert seen == [{} if watch else None] * 3


def go_without_end(state, batches, compute, tick):
    """The steps of an epoch without what it says at its end, where it must wait."""

    class End(Exception):
        pass

    def then_end():
        yield from batches
        raise End

    with pytest.raises(End):
        go(state, then_end(), compute, tick)


def test_losses_are_those_of_the_cpu(gpu):
    here, there = (go(*steps_of(device)) for device in ("cpu", gpu))
    assert there == pytest.approx(here, rel=2e-2)


@pytest.fixture
def card():
    if not torch.cuda.is_available():
        pytest.skip("this machine has no GPU")
    return "cuda"


@pytest.mark.gpu
def test_bfloat16_learns_what_float32_learns(card):
    precise = go(*steps_of(card, count=60))
    rough = go(*steps_of(card, "bfloat16", count=60))
    assert rough["loss"] == pytest.approx(precise["loss"], rel=0.1)


@pytest.mark.gpu
def test_memory_does_not_grow_from_step_to_step(card):
    state, batches, compute = steps_of(card, count=40)
    go(state, batches[:10], compute)
    torch.cuda.synchronize()
    before = torch.cuda.memory_allocated()
    go(state, batches, compute)
    torch.cuda.synchronize()
    assert torch.cuda.memory_allocated() <= before + 2**20


@pytest.mark.gpu
def test_squares_are_learnt_on_the_card(card, tmp_path):
    prepared = prepare(settings(tmp_path, card, epochs=60, precision="auto", val_every=60, mosaic=0.0), Squares(32), Squares(32))
    assert prepared.compute.precision == ("bfloat16" if torch.cuda.is_bf16_supported() else "float32")
    assert train(prepared, new_run(prepared)).rows[-1]["val/AP50"] > 0.5
