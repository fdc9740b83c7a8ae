"""Training from end to end, on a world so small that an epoch takes a second: coloured squares on grey."""

import csv
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from functools import partial

import pytest
import torch

from coursekit.training.device import OutOfMemory
from coursekit.training.loop import NonFiniteLoss
from coursekit.yolo import TrainSettings, load, new_run, prepare, resume, train, validate
from coursekit.yolo.settings import choose_epochs
from coursekit.yolo.train import make_optimizer


class Squares:
    """Red and blue squares on grey."""

    classes = ("red", "blue")

    def __init__(self, length=8, seed=0):
        self.length, self.seed = length, seed

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        generator = torch.Generator().manual_seed(self.seed * 1000 + index)
        image = torch.full((3, 48, 64), 114, dtype=torch.uint8)
        side, x, y, label = (int(torch.randint(low, high, (), generator=generator)) for low, high in ((12, 24), (0, 40), (0, 24), (0, 2)))
        image[:, y : y + side, x : x + side] = torch.tensor([[220, 30, 30], [30, 30, 220]])[label].to(torch.uint8)[:, None, None]
        box = torch.tensor([[x, y, x + side, y + side]], dtype=torch.float32)
        area, crowd = torch.tensor([float(side * side)]), torch.zeros(1, dtype=torch.int64)
        return image, {"boxes": box, "labels": torch.tensor([label]), "image_id": index, "area": area, "iscrowd": crowd}


@pytest.fixture
def settings(tmp_path):
    return TrainSettings(
        "squares",
        model="n",
        imgsz=64,
        epochs=3,
        batch=4,
        precision="float32",
        threads=1,
        device="cpu",
        project=str(tmp_path / "runs"),
        val_every=3,
    )


def run_it(settings, told=lambda row: None):
    prepared = prepare(settings, Squares(), Squares(4, seed=1))
    run = new_run(prepared)
    train(prepared, run, told=told)
    return prepared, run


def results_without_time(run):
    with open(run.folder / "results.csv", newline="") as file:
        return [{name: value for name, value in row.items() if name != "time"} for row in csv.DictReader(file)]


def assert_same_weights(a, b):
    for (name, one), other in zip(a.state_dict().items(), b.state_dict().values(), strict=True):
        assert torch.equal(one, other), name


def test_same_seed_same_run_other_seed_other_run_and_a_stopped_run_goes_on_as_if_nothing_had_been(settings):
    whole, whole_run = run_it(settings)
    again, again_run = run_it(settings)
    assert results_without_time(whole_run) == results_without_time(again_run)
    assert_same_weights(whole.state.ema.model, again.state.ema.model)

    _, other_run = run_it(replace(settings, seed=1, epochs=1))
    assert results_without_time(other_run)[0]["train/loss"] != results_without_time(whole_run)[0]["train/loss"]

    class Stop(Exception):
        pass

    def stop(row):
        if row["epoch"] == 2:
            raise Stop

    with pytest.raises(Stop):
        run_it(settings, stop)
    folder = again_run.folder.parent / "train4"
    torch.manual_seed(999)  # whatever happens in between
    resumed, run = resume(folder, Squares(), Squares(4, seed=1))
    assert resumed.state.epoch == 2
    train(resumed, run)
    assert_same_weights(resumed.state.model, whole.state.model)
    assert_same_weights(resumed.state.ema.model, whole.state.ema.model)
    assert results_without_time(run) == results_without_time(whole_run)


def test_what_a_run_folder_holds_and_that_its_weights_are_the_averaged_ones(settings):
    prepared, run = run_it(replace(settings, epochs=1))
    names = {path.relative_to(run.folder).as_posix() for path in run.folder.rglob("*") if path.is_file()}
    assert names == {"args.yaml", "results.csv", "checkpoint.pt", "weights/last.pt", "weights/best.pt"}
    model = load(run.last)
    assert_same_weights(model, prepared.state.ema.model)
    assert (model.classes, model.imgsz, model.training) == (("red", "blue"), 64, False)
    assert [row["epoch"] for row in results_without_time(run)] == ["1"]
    assert {"lr", "train/loss", "train/class", "train/box", "val/AP", "val/AP50"} <= set(results_without_time(run)[0])


KILLED = """
import os, signal, sys
import torch
sys.path.insert(0, sys.argv[2])
from test_train import Squares, TrainSettings, new_run, prepare, train
from coursekit.training import checkpoint, loop
when, precision, threads = sys.argv[3], sys.argv[4], int(sys.argv[5])
die = lambda: os.kill(os.getpid(), signal.SIGKILL)
steps, writes, save = [], [], torch.save

def half_written(state, path):
    writes.append(path)
    if len(writes) == 9:  # of a few files for each epoch
        with open(path, "wb") as file:
            file.write(b"half")
        die()
    save(state, path)

def tick():
    steps.append(1)
    if when == "within an epoch" and len(steps) == 8:  # of 2 an epoch; what is known of the 7th is on the disk
        die()

if when == "while a file is written":
    torch.save = half_written
if when == "within an epoch":
    loop.SAVE_EVERY = 0.0  # each step
settings = TrainSettings("squares", model="n", imgsz=64, epochs=20, batch=4, precision=precision, threads=threads, device="cpu",
                         project=sys.argv[1], val_split="none", val_every=3)
prepared = prepare(settings, Squares())
train(prepared, new_run(prepared), tick, told=lambda row: print(row["epoch"], flush=True))
"""


@pytest.mark.full
@pytest.mark.parametrize(
    ("when", "precision", "threads"),
    [
        ("somewhere", "float32", 1),
        ("somewhere", "bfloat16", 2),
        ("while a file is written", "float32", 1),
        ("within an epoch", "float32", 1),
        ("within an epoch", "bfloat16", 2),
    ],
)
def test_killed_at_any_moment_and_resumed_ends_with_the_same_weights(tmp_path, settings, when, precision, threads):
    settings = replace(settings, epochs=20, project=str(tmp_path), val_split="none", precision=precision, threads=threads)
    script = [sys.executable, "-c", KILLED, str(tmp_path), os.path.dirname(__file__), when, precision, str(threads)]
    child = subprocess.Popen(script, stdout=subprocess.PIPE, text=True)
    if when == "somewhere":
        for _ in range(3):
            child.stdout.readline()
        time.sleep(0.15)  # within a step, or a write
        child.send_signal(signal.SIGKILL)
    child.wait(timeout=120)
    assert child.returncode == -signal.SIGKILL
    resumed, run = resume(tmp_path / "train", Squares())
    assert 2 <= resumed.state.epoch < 20
    assert (resumed.state.done > 0) == (when == "within an epoch")
    train(resumed, run)
    prepared = prepare(settings, Squares())
    train(prepared, new_run(prepared))
    assert_same_weights(prepared.state.ema.model, resumed.state.ema.model)


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
    ],
)
def test_out_of_memory_says_what_to_lower(settings, monkeypatch, error):
    def full(raw, truth, **_):
        raise error

    monkeypatch.setattr(sys.modules["coursekit.yolo.train"], "detection_loss", full)
    prepared = prepare(replace(settings, val_split="none"), Squares())
    with pytest.raises(OutOfMemory, match="batch 4, imgsz 64 and model n; lower --batch first, then --imgsz, then --model"):
        train(prepared, new_run(prepared))


def test_other_errors_are_not_taken_for_memory(settings, monkeypatch):
    def wrong(raw, truth, **_):
        raise RuntimeError("sizes do not match")

    monkeypatch.setattr(sys.modules["coursekit.yolo.train"], "detection_loss", wrong)
    prepared = prepare(replace(settings, val_split="none"), Squares())
    with pytest.raises(RuntimeError, match="sizes do not match"):
        train(prepared, new_run(prepared))


def test_a_loss_that_is_no_number_stops_and_shows_its_parts(settings, monkeypatch):
    module = sys.modules["coursekit.yolo.train"]

    def broken(raw, truth, **_):
        return {"loss": raw.logits.sum() * float("nan"), "class": torch.tensor(0.5), "box": torch.tensor(float("nan"))}

    monkeypatch.setattr(module, "detection_loss", broken)
    prepared = prepare(replace(settings, val_split="none"), Squares())
    with pytest.raises(NonFiniteLoss, match=r"the loss is not finite at step 0 \(loss nan, class 0\.5, box nan, gradient nan\); lower lr"):
        module.train(prepared, new_run(prepared))


def test_a_network_that_is_translated_first_makes_the_same_steps(settings, monkeypatch):
    plain, _ = run_it(replace(settings, epochs=1))
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="eager"))  # the way there, without minutes in a compiler
    translated, _ = run_it(replace(settings, epochs=1, compile=True))
    assert translated.state.rows[0]["train/loss"] == pytest.approx(plain.state.rows[0]["train/loss"], rel=1e-5)


def test_resuming_on_other_data_is_refused(settings):
    _, run = run_it(replace(settings, epochs=1))
    with pytest.raises(ValueError, match=r"the data of .* has changed since it was started"):
        resume(run.folder, Squares(12), Squares(4, seed=1))


def test_measuring_on_other_classes_is_refused(settings):
    prepared, _ = run_it(replace(settings, epochs=1))
    other = Squares()
    other.classes = ("cat", "dog")
    with pytest.raises(ValueError, match="the model knows red, blue; the data has cat, dog"):
        validate(prepared.state.ema.model, other)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": "x"}, "model must be one of n, s, m, got 'x'"),
        ({"imgsz": 0}, "imgsz must be at least 32, got 0"),
        ({"batch": 0}, "batch must be at least 1, got 0"),
        ({"epochs": -1}, "epochs must be at least 0, got -1"),
        ({"seed": -1}, "seed must be at least 0, got -1"),
        ({"mosaic": 1.5}, r"mosaic must lie in 0\.\.1, got 1\.5"),
        ({"lr": 0.0}, r"lr must be above 0, got 0\.0"),
        ({"lr": float("nan")}, "lr must be a finite number, got nan"),
        ({"ema_decay": 1.0}, r"ema_decay must be at least 0 and below 1, got 1\.0"),
        ({"scale_max": 0.1}, "scale_max must be at least scale_min"),
        ({"cache": "disk"}, "cache must be auto, ram or gpu, got 'disk'"),
        ({"cache": "gpu", "tile": 64}, "cache gpu is for whole pictures, got tile 64"),
    ],
)
def test_a_bad_setting_is_one_sentence(change, message):
    with pytest.raises(ValueError, match=message):
        TrainSettings("signs", **change)


def test_pictures_cannot_be_kept_on_a_gpu_that_is_not_there(settings):
    with pytest.raises(ValueError, match="cache gpu: the pictures cannot be kept on a GPU, there is none; use cache ram"):
        prepare(replace(settings, cache="gpu"), Squares())


@pytest.mark.parametrize(("epochs", "pictures", "expected"), [(7, 100, 7), (0, 292, 79), (0, 1, 300), (0, 10_000_000, 20)])
def test_epochs_from_the_size_of_the_data(epochs, pictures, expected):
    assert choose_epochs(epochs, pictures) == expected


def test_a_folder_that_is_no_checkpoint(tmp_path):
    torch.save({"weights": {}}, tmp_path / "a.pt")
    with pytest.raises(ValueError, match=r"a\.pt holds no detector of coursekit"):
        load(tmp_path / "a.pt")


def test_weight_decay_is_for_kernels_only():
    model = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2))
    kernels, others = make_optimizer(model, 0.1, 0.05).param_groups
    assert (len(kernels["params"]), kernels["weight_decay"]) == (1, 0.05)
    assert (len(others["params"]), others["weight_decay"]) == (3, 0.0)
