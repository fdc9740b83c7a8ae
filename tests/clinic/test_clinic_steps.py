"""The steps as they should be, held to the engine and the libraries; and as the patients have them, wrong in one place each."""

import inspect

import pytest
import torch
import torchvision
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from coursekit.clinic import patients, steps
from coursekit.clinic.detector import camera
from coursekit.clinic.diagnoses import DIAGNOSES
from coursekit.data.geometric import horizontal_flip
from coursekit.yolo.decode import cell_centres, sides_to_boxes
from coursekit.yolo.head import Head


def test_a_frame_and_the_camera_undo_each_other():
    picture = torch.randint(256, (3, 5, 7), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    assert camera(picture).shape == (5, 7, 3)
    assert torch.equal(steps.prepare_frame(camera(picture)), picture)


def test_the_camera_is_opencv(tmp_path):
    import cv2
    import numpy as np

    picture = torch.randint(256, (3, 5, 7), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    path = str(tmp_path / "frame.png")
    cv2.imwrite(path, camera(picture).numpy())
    assert np.array_equal(cv2.imread(path), camera(picture).numpy())
    assert np.array_equal(cv2.cvtColor(cv2.imread(path), cv2.COLOR_BGR2RGB), picture.permute(1, 2, 0).numpy())


def test_a_batch_lies_between_black_and_white_whatever_its_brightest_pixel():
    dark = torch.full((3, 2, 2), 51, dtype=torch.uint8)
    assert torch.allclose(steps.prepare_batch([dark, dark]), torch.full((2, 3, 2, 2), 0.2))


def test_boxes_are_the_engines():
    generator = torch.Generator().manual_seed(0)
    centres, strides = cell_centres((64, 96), (8, 16, 32))
    sides = torch.rand(len(centres), 4, generator=generator) * 3
    assert torch.equal(steps.to_boxes(sides, centres, strides), sides_to_boxes(sides, centres, strides))


@pytest.mark.parametrize("count", [0, 1, 30])
def test_suppression_is_torchvisions(count):
    generator = torch.Generator().manual_seed(count)
    corners = torch.rand(count, 2, generator=generator) * 40
    boxes = torch.cat([corners, corners + 20], dim=1)
    scores, labels = torch.rand(count, generator=generator), torch.randint(0, 3, (count,), generator=generator)
    kept = torchvision.ops.batched_nms(boxes, scores, labels, 0.5)
    assert steps.suppress(boxes, scores, labels, 0.5).nonzero()[:, 0].tolist() == sorted(kept.tolist())


def test_class_loss_is_torchs():
    logits, targets = torch.randn(2, 5, 3), torch.rand(2, 5, 3)
    expected = F.binary_cross_entropy_with_logits(logits, targets, reduction="sum") / targets.sum()
    assert torch.allclose(steps.class_loss(logits, targets), expected)
    assert torch.allclose(steps.class_loss(logits, torch.zeros(2, 5, 3)), F.softplus(logits).sum())  # without objects: divided by 1


@given(st.integers(0, 6), st.booleans())
def test_augment_mirrors_as_the_engine_does(count, mirrored):
    generator = torch.Generator().manual_seed(count)
    picture = torch.randint(256, (3, 6, 9), generator=generator, dtype=torch.uint8)
    start = torch.rand(count, 2, generator=generator) * 4
    boxes = torch.cat([start, start + 1], dim=1)
    got = steps.augment(picture, boxes, mirrored, 1.0)
    expected = horizontal_flip(picture, {"boxes": boxes}) if mirrored else (picture, {"boxes": boxes})
    assert torch.equal(got[0], expected[0])
    assert torch.allclose(got[1], expected[1]["boxes"])


def test_mirroring_twice_is_nothing():
    picture, boxes = torch.arange(18, dtype=torch.uint8).reshape(1, 3, 6).expand(3, 3, 6), torch.tensor([[1.0, 0, 3, 2]])
    again = steps.augment(*steps.augment(picture, boxes, True, 1.0), True, 1.0)
    assert torch.equal(again[0], picture)
    assert torch.equal(again[1], boxes)


@given(st.integers(-4, 4), st.integers(-4, 4))
def test_a_nudged_box_stays_inside_and_the_stored_one_stands_still(dx, dy):
    picture, boxes = torch.zeros(3, 8, 10, dtype=torch.uint8), torch.tensor([[1.0, 2.0, 9.0, 7.0]])
    _, moved = steps.nudge(picture, boxes, dx, dy)
    assert boxes.tolist() == [[1.0, 2.0, 9.0, 7.0]]
    assert (moved >= 0).all()
    assert (moved <= torch.tensor([10.0, 8, 10, 8])).all()


def test_a_nudged_pixel_moves_with_its_box():
    picture = torch.zeros(3, 8, 10, dtype=torch.uint8)
    picture[:, 3, 4] = 9
    image, boxes = steps.nudge(picture, torch.tensor([[4.0, 3.0, 5.0, 4.0]]), 2, -1)
    (x1, y1, _, _) = boxes[0].int().tolist()
    assert image[0, y1, x1] == 9


def test_pick_keeps_what_belongs_together_and_the_earlier_of_equals():
    boxes, scores, labels = torch.arange(12.0).reshape(3, 4), torch.tensor([0.5, 0.9, 0.5]), torch.tensor([7, 8, 9])
    picked = steps.pick(boxes, scores, labels, 2)
    assert [value.tolist() for value in picked] == [[[4.0, 5, 6, 7], [0.0, 1, 2, 3]], [pytest.approx(0.9), 0.5], [8, 7]]


@pytest.mark.parametrize(("purpose", "kept"), [("show", 2), ("measure", 3)])
def test_what_is_delivered_depends_on_the_purpose(purpose, kept):
    scores = torch.tensor([0.9, 0.25, 0.001])
    assert len(steps.deliver(torch.zeros(3, 4), scores, torch.zeros(3, dtype=torch.int64), purpose)[0]) == kept


@pytest.mark.parametrize("training", [True, False])
def test_looking_leaves_a_model_as_it_was(training):
    model = nn.Sequential(nn.BatchNorm1d(2), nn.Dropout(0.5)).train(training)
    batch = torch.tensor([[1.0, 2.0], [3.0, 8.0]])
    alone = steps.look(model, batch[:1])
    assert torch.equal(alone, steps.look(model, batch)[:1])
    assert model.training == model[0].training == training
    assert model[0].num_batches_tracked == 0


def test_a_step_forgets_the_gradients_before_it():
    model = nn.Linear(1, 1, bias=False)
    nn.init.ones_(model.weight)
    optimiser = torch.optim.SGD(model.parameters(), lr=0.5)
    model.weight.grad = torch.full((1, 1), 5.0)  # somebody left one
    loss = steps.training_step(model, optimiser, torch.ones(1, 1), 0.0, lambda m, x, t: (m(x) - t).square().sum())
    assert loss == 1.0
    assert model.weight.item() == pytest.approx(0.0)  # 1 - 0.5 * 2


def test_there_are_twelve_patients_with_a_fault_each_that_is_in_the_list():
    assert [who.number for who in patients.PATIENTS] == list(range(1, 13))
    assert len({who.fault for who in patients.PATIENTS}) == 12
    assert {who.fault for who in patients.PATIENTS} < set(DIAGNOSES)
    assert len({who.name for who in patients.PATIENTS}) == 12


@pytest.mark.parametrize("who", patients.PATIENTS, ids=lambda who: f"bed-{who.number}")
def test_a_patients_step_is_called_as_the_healthy_one_is(who):
    healthy = getattr(steps, who.step)
    assert list(inspect.signature(inspect.unwrap(who.broken)).parameters) == list(inspect.signature(inspect.unwrap(healthy)).parameters)


@pytest.mark.parametrize("number", [0, 13, "3"])
def test_a_bed_that_is_not_there(number):
    with pytest.raises(ValueError, match=f"number must be 1 to 12, got {number!r}"):
        patients.patient(number)


def test_the_head_gives_logits_which_is_what_the_class_loss_takes():
    logits, _ = Head(8, 2, levels=1)([torch.zeros(1, 8, 2, 2)])
    assert logits.min() < 0  # a first bias of -log(99): no probability
