import pytest
import torch

from coursekit.clinic import patients, steps, training
from coursekit.training.detector import NAMES, small_world
from coursekit.yolo.loss import detection_loss


@pytest.fixture(scope="module")
def batch():
    samples = [small_world("train", 8)[index] for index in (0, 1)]
    return torch.stack([image for image, _ in samples]), [target for _, target in samples]


def test_the_loss_with_its_own_class_part_is_the_engines_and_has_its_slope(batch):
    images, targets = batch
    slopes = []
    for loss_of in (training.engine_loss, training.loss_with()):
        model = training.new_model()
        parts = loss_of(model, images, targets)
        parts["loss"].backward()
        slopes.append((parts, [parameter.grad.clone() for parameter in model.parameters()]))
    (theirs, slope), (ours, other) = slopes
    for name in theirs:
        assert torch.allclose(theirs[name], ours[name], rtol=1e-4), name
    for a, b in zip(slope, other, strict=True):
        assert torch.allclose(a, b, rtol=1e-3, atol=1e-4)


def test_with_the_double_sigmoid_the_class_part_cannot_fall_below_its_floor(batch):
    images, targets = batch
    parts = training.loss_with(patients.class_loss)(training.new_model(), images, targets)
    model = training.new_model()
    cells = model(images).logits.numel()
    assert parts["class"] > 0.69 * cells / 40  # ln 2 for every answer, and fewer than 40 targets to share it


def test_mirroring_gives_the_network_what_augment_gives(batch):
    images, targets = batch
    seen = []

    def augment(picture, boxes, mirrored, gain):
        seen.append((mirrored, gain))
        return steps.augment(picture, boxes, mirrored, gain)

    loss_of = training.mirroring(augment, seed=0)
    parts = loss_of(training.new_model(), images, targets)
    assert parts["loss"].isfinite()
    assert len(seen) == 2
    assert all(0.8 <= gain <= 1.2 for _, gain in seen)
    again = training.mirroring(steps.augment, seed=0)(training.new_model(), images, targets)
    assert torch.equal(parts["loss"], again["loss"])


def test_a_nudged_sample_is_another_one_each_time_and_the_stored_one_stays():
    nudged = training.Nudged(small_world("train", 3), seed=0)
    index = next(i for i in range(3) if len(nudged[i][1]["boxes"]))
    stored = small_world("train", 3)[index][1]["boxes"]
    boxes = [nudged[index][1]["boxes"] for _ in range(6)]
    assert len({tuple(b.flatten().tolist()) for b in boxes}) > 1
    assert all((b - stored).abs().max() <= 4 for b in boxes)


def test_with_the_patients_nudge_the_stored_one_wanders():
    nudged = training.Nudged(small_world("train", 3), patients.nudge, seed=0)
    index = next(i for i in range(3) if len(nudged[i][1]["boxes"]))
    stored = small_world("train", 3)[index][1]["boxes"]
    for _ in range(40):
        _, target = nudged[index]
    assert (target["boxes"] - stored).abs().max() > 4


def test_learning_by_heart_brings_the_loss_down_and_gives_the_same_again(batch):
    images, targets = batch
    model, losses = training.overfit(images, targets, steps_=8)
    again = training.overfit(images, targets, steps_=8)[1]
    assert losses == again
    assert losses[-1] < losses[0]
    assert not model.training
    found = training.find(model, images)
    assert len(found) == 2
    assert model.classes == NAMES


def test_the_engines_loss_is_the_engines(batch):
    images, targets = batch
    model = training.new_model().eval()
    with torch.no_grad():
        assert torch.equal(training.engine_loss(model, images, targets)["loss"], detection_loss(model(images), targets)["loss"])
