"""A batch in parts: the same step as whole, the number of parts found, said and kept."""

import importlib.util
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch
import yaml

from coursekit.training.device import Compute
from coursekit.training.distributed import shared_total
from coursekit.training.ema import EMA
from coursekit.training.loop import State, backward
from coursekit.training.parts import backward_in_parts, backward_within_memory
from coursekit.yolo import TrainSettings, new_run, prepare, resume, train
from coursekit.yolo.loss import detection_loss
from coursekit.yolo.model import YOLO

spec = importlib.util.spec_from_file_location("together", Path(__file__).parent / "together.py")
together = importlib.util.module_from_spec(spec)
spec.loader.exec_module(together)
Crowded, freeze_norms = together.Crowded, together.freeze_norms  # picture i holds i objects, so that no two parts hold the same number

CPU = Compute("cpu", "float32", 1)
LOSS = partial(detection_loss, normaliser=shared_total)


def a_state():
    torch.manual_seed(0)
    model = YOLO(2, "n")
    model.train()
    freeze_norms(model)
    return State(model, EMA(model), torch.optim.SGD(model.parameters(), lr=0.01))


def a_batch(pictures):
    samples = [Crowded(9)[index] for index in range(1, pictures + 1)]
    return torch.stack([image for image, _ in samples]), [{name: t[name] for name in ("boxes", "labels")} for _, t in samples]


def gradients(state):
    found = [parameter.grad.clone() for parameter in state.model.parameters() if parameter.grad is not None]
    state.optimizer.zero_grad()
    return found


@pytest.mark.parametrize(("pictures", "parts"), [(4, 2), (4, 4), (6, 4), (5, 2), (3, 3)])
def test_the_parts_make_the_gradient_and_the_losses_of_the_whole(pictures, parts):
    state, (images, truth) = a_state(), a_batch(pictures)
    whole = backward(state, state.model, images, truth, LOSS, CPU)
    wanted = gradients(state)
    losses = backward_in_parts(parts, state.model, state.model, images, truth, LOSS, CPU)
    for name, value in whole.items():
        torch.testing.assert_close(losses[name], value.detach(), rtol=1e-5, atol=1e-6, msg=name)
    for one, other in zip(gradients(state), wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5 * float(other.abs().max()) + 1e-7)


def test_the_mean_of_the_parts_losses_would_be_another_loss():
    state, (images, truth) = a_state(), a_batch(4)
    whole = backward(state, state.model, images, truth, LOSS, CPU)["loss"].item()
    halves = [LOSS(state.model(images[part]), truth[part])["loss"].item() for part in (slice(0, 2), slice(2, 4))]
    assert abs(sum(halves) / 2 - whole) > 1e-3 * whole


def small_memory(state, largest):
    """The model as on a card that holds ``largest`` pictures."""

    def forward(images):
        if len(images) > largest:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return state.model(images)

    return forward


@pytest.mark.parametrize(("largest", "parts", "said"), [(8, 1, 0), (4, 2, 1), (3, 4, 2), (1, 8, 3)])
def test_the_batch_is_divided_until_it_fits(largest, parts, said):
    state, (images, truth), sentences = a_state(), a_batch(8), []
    for _ in range(2):  # the second step knows
        backward_within_memory(state, small_memory(state, largest), images, truth, LOSS, CPU, sentences.append)
        found = gradients(state)
    assert (state.parts, len(sentences)) == (parts, said)
    assert all(f"{8 // 2 ** (number + 1)} at a time" in sentence for number, sentence in enumerate(sentences))
    backward(state, state.model, images, truth, LOSS, CPU)
    for one, other in zip(found, gradients(state), strict=True):  # nothing is left of the tries that failed
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5 * float(other.abs().max()) + 1e-7)


def test_what_does_not_fit_alone_either_is_said():
    state, (images, truth) = a_state(), a_batch(3)
    with pytest.raises(torch.OutOfMemoryError, match="out of memory"):
        backward_within_memory(state, small_memory(state, 0), images, truth, LOSS, CPU, lambda sentence: None)


def test_another_error_is_not_taken_for_memory():
    state, (images, truth) = a_state(), a_batch(4)

    def broken(images):
        raise RuntimeError("sizes do not match")

    with pytest.raises(RuntimeError, match="sizes do not match"):
        backward_within_memory(state, broken, images, truth, LOSS, CPU)
    assert state.parts == 1


def loss_on_a_small_card(raw, truth, **more):
    """`detection_loss` where memory holds two pictures."""
    if len(truth) > 2:
        raise torch.OutOfMemoryError("CUDA out of memory")
    return detection_loss(raw, truth, **more)


def test_a_training_goes_on_in_parts_says_so_and_keeps_them_when_resumed(tmp_path, monkeypatch):
    given = {"model": "n", "imgsz": 64, "epochs": 3, "batch": 4, "precision": "float32", "threads": 1, "device": "cpu"}
    settings = TrainSettings("crowded", project=str(tmp_path), val_split="none", **given)

    def prepared_with(settings):
        prepared = prepare(settings, Crowded())
        freeze_norms(prepared.state.model)
        return prepared

    whole = prepared_with(replace(settings, name="whole"))
    train(whole, new_run(whole))
    monkeypatch.setattr(sys.modules[train.__module__], "detection_loss", loss_on_a_small_card)
    prepared, said = prepared_with(settings), []
    run = new_run(prepared)

    class Enough(Exception):
        pass

    def stop(row):
        if row["epoch"] == 2:
            raise Enough

    with pytest.raises(Enough):
        train(prepared, run, told=stop, say=said.append)
    assert len(said) == 1
    assert "the 4 pictures of a step go through the network 2 at a time" in said[0]
    assert yaml.safe_load((run.folder / "args.yaml").read_text())["resolved"]["parts"] == 2
    again, same = resume(run.folder, Crowded())
    freeze_norms(again.state.model)
    assert again.state.parts == 2
    train(again, same, say=said.append)
    assert len(said) == 1
    ours, wanted = (one.state.model.state_dict() for one in (again, whole))
    for name, value in wanted.items():
        torch.testing.assert_close(ours[name], value, rtol=0, atol=1e-5, msg=name)  # they moved by 5e-3


def test_timing_a_few_steps_finds_the_parts_and_notes_it(tmp_path, monkeypatch):
    monkeypatch.setattr(sys.modules[train.__module__], "detection_loss", loss_on_a_small_card)
    given = {"model": "n", "imgsz": 64, "minutes": 5, "batch": 4, "precision": "float32", "threads": 1, "device": "cpu"}
    prepared = prepare(TrainSettings("crowded", project=str(tmp_path), val_split="none", **given), Crowded())
    assert prepared.state.parts == 2
    assert sum("2 at a time" in note for note in prepared.notes) == 1
