"""Training on a GPU: the same run, nothing that is waited for within a step, and a real card's precision, memory and bands."""

import contextlib

import pytest
import torch
import yaml

from coursekit.authoring.pretended import PretendedGPU
from coursekit.data.loader import Batches, CachedDataset
from coursekit.data.transforms import Augment
from coursekit.training.device import Compute
from coursekit.training.ema import EMA
from coursekit.training.loop import State, train_epoch
from coursekit.yolo import YOLO, TrainSettings, load, new_run, prepare, resume, train, validate
from coursekit.yolo.loss import detection_loss
from coursekit.yolo.samples import ready
from coursekit.yolo.train import make_optimizer


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


def test_what_the_loss_gets_lies_there_and_was_not_waited_for(gpu):
    batches = list(Batches(CachedDataset(Squares(), (64, 64)), 4, seed=0, pin=True).epoch(0))
    with waiting_is_an_error():
        there = list(ready(batches, gpu))
    for (images, truth), (expected, targets) in zip(there, batches, strict=True):
        assert {images.device.type, *(value.device.type for t in truth for value in t.values())} == {"cuda"}
        assert torch.equal(images.cpu(), expected)
        for one, target in zip(truth, targets, strict=True):
            assert torch.equal(one["boxes"].cpu(), target["boxes"])
            assert torch.equal(one["labels"].cpu(), target["labels"])
            assert one["labels"].dtype == torch.int64


def test_batches_made_there_are_those_of_the_cpu_and_wait_for_nothing(gpu):
    augment = Augment(vertical=0.5, brightness=0.0, contrast=0.0, saturation=0.0, hue=0.0)
    here, there = (Batches(CachedDataset(Squares(), (64, 64), device=device), 4, augment=augment) for device in ("cpu", gpu))
    assert there.dataset.device == "cuda"
    there.dataset.fill()  # pictures are copied the first time
    with waiting_is_an_error():
        made = list(there.epoch(0))
    for (images, targets), (expected, same) in zip(made, here.epoch(0), strict=True):
        assert images.device.type == "cuda"
        assert (images.cpu().int() - expected.int()).abs().max() <= 1
        assert [t["boxes"].tolist() for t in targets] == [t["boxes"].tolist() for t in same]


@pytest.mark.parametrize(("cache", "free", "expected"), [("auto", 2**30, "gpu"), ("auto", 1000, "ram"), ("ram", 2**30, "ram")])
def test_pictures_are_kept_where_there_is_room_and_a_resumed_run_stays_there(gpu, tmp_path, monkeypatch, cache, free, expected):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda *device: (free, 2**30))
    prepared = prepare(settings(tmp_path, gpu, cache=cache, epochs=1), Squares(), Squares(4))
    assert prepared.compute.pictures == expected
    assert any("room for the pictures" in note for note in prepared.notes) == (cache == "auto" and expected == "ram")
    run = new_run(prepared)
    train(prepared, run)
    assert yaml.safe_load((run.folder / "args.yaml").read_text())["resolved"]["pictures"] == expected
    assert resume(run.folder, Squares(), Squares(4))[0].compute.pictures == expected
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda *device: (1000, 2**30))
    again, _ = resume(run.folder, Squares(), Squares(4))
    assert again.compute.pictures == "ram"
    assert any("differ by a grey level" in note for note in again.notes) == (expected == "gpu")


def test_a_gpu_without_room_is_said_where_it_was_asked_for(gpu, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda *device: (1000, 2**30))
    with pytest.raises(ValueError, match=r"cannot be kept on a GPU, they take 0 MiB, more than 0\.4 of what is free; use cache ram"):
        prepare(settings(tmp_path, gpu, cache="gpu"), Squares(), Squares(4))


def steps_of(device, precision="float32", count=3):
    """State, batches that lie on the device, and how to compute: what the loop needs and nothing that must be waited for."""
    torch.manual_seed(0)
    model = YOLO(2).to(device, memory_format=torch.channels_last)
    state = State(model, EMA(model), make_optimizer(model, 1e-3, 0.05))
    batches = list(ready(Batches(CachedDataset(Squares(), (64, 64)), 4, seed=0).epoch(0), device))
    return state, (batches * count)[:count], Compute(device, precision, 1)


def go(state, batches, compute):
    return train_epoch(state, batches, detection_loss, lambda step: 1e-3, compute, 10.0, lambda: None)


def test_no_step_waits_for_the_gpu(gpu):
    state, batches, compute = steps_of(gpu)
    go(state, batches, compute)  # the first steps may make what is kept
    before = state.step
    with waiting_is_an_error():
        go_without_end(state, batches, compute)
    assert state.step == before + 3


@contextlib.contextmanager
def waiting_is_an_error():
    """A real GPU's torch raises; a pretended GPU counts, and is asked at the end."""
    watch = next((mode for mode in torch.overrides._get_current_function_mode_stack() if isinstance(mode, PretendedGPU)), None)
    if watch:
        watch.waits.clear()
        yield
        assert watch.waits == {}
        return
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


def go_without_end(state, batches, compute):
    """The steps of an epoch without what it says at its end, where it must wait."""

    class End(Exception):
        pass

    def then_end():
        yield from batches
        raise End

    with pytest.raises(End):
        go(state, then_end(), compute)


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
