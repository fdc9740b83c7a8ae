"""One training and one measuring for all small detectors: the same world, the same sums, nothing decided by the clock."""

import pytest
import torch
from torch import nn

from coursekit.data.loader import CachedDataset
from coursekit.data.signs import SignScenes
from coursekit.detections import Detections
from coursekit.training.detector import NAMES, SIZE, fit_detector, measure_detector, small_world
from coursekit.training.transfer import freeze
from coursekit.yolo import YOLO, detection_loss
from coursekit.yolo.decode import detections
from coursekit.yolo.predict import load_shipped
from coursekit.yolo.val import validate


def yolo_loss(model, images, targets):
    return detection_loss(model(images), targets)


def trained(seed=0, epochs=2, count=16):
    torch.manual_seed(0)
    return fit_detector(YOLO(len(NAMES)), small_world("train", count), yolo_loss, epochs, seed=seed)


def test_the_world_is_that_of_notebook_19_and_its_splits_differ():
    train, validation = small_world("train", 3), small_world("validation", 3)
    assert train[0][0].shape == (3, SIZE, SIZE)
    assert train.classes == NAMES
    assert not torch.equal(train[0][0], validation[0][0])
    assert small_world("train", 2, size=96)[0][0].shape == (3, 96, 96)
    with pytest.raises(ValueError, match="split must be one of train, validation, got 'test'"):
        small_world("test", 1)


def test_same_seed_same_history_and_another_seed_another():
    first, again, other = trained(), trained(), trained(seed=1)
    assert first.history == again.history != other.history
    assert len(first.history) == 2
    assert not first.model.training
    assert not first.last.training


def test_a_cached_set_is_taken_as_it_is():
    cached = CachedDataset(small_world("train", 16), (SIZE, SIZE))
    torch.manual_seed(0)
    assert fit_detector(YOLO(len(NAMES)), cached, yolo_loss, 2).history == trained().history


def test_what_is_frozen_stays():
    torch.manual_seed(0)
    model = YOLO(len(NAMES))
    freeze(model.backbone)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    after = fit_detector(model, small_world("train", 8), yolo_loss, 1).last.state_dict()
    same = {name for name, value in after.items() if torch.equal(value, before[name])}
    assert {name for name in before if name.startswith("backbone.")} <= same
    assert any(not name.startswith("backbone.") for name in before.keys() - same)


def test_a_loss_that_wants_the_targets_gets_what_the_augmentation_made_of_them():
    seen = []

    class Counts(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(()))

    def loss_of(model, images, targets):
        assert model.training
        seen.append((tuple(images.shape), images.dtype, [t["boxes"].shape[1] for t in targets]))
        return {"loss": (model.weight - 1).square(), "other": model.weight.detach()}

    fitted = fit_detector(Counts(), small_world("train", 9), loss_of, epochs=3, batch=4)
    assert seen == [((4, 3, SIZE, SIZE), torch.uint8, [4] * 4)] * 6
    assert [set(row) for row in fitted.history] == [{"loss", "other"}] * 3


def test_perfect_answers_have_ap_1_and_no_answers_0():
    samples = small_world("validation", 6)
    truths = iter([samples[0][1], *(samples[i][1] for i in range(6))])  # the first is asked for twice: a warm-up

    def perfect(images):
        truth = next(truths)
        return [Detections(truth["boxes"], torch.ones(len(truth["boxes"])), truth["labels"])]

    measured = measure_detector(perfect, samples)
    assert measured.summary["AP"] == pytest.approx(1)
    assert measured.milliseconds > 0
    assert len(measured.found) == len(measured.targets) == 6
    assert measure_detector(lambda images: [Detections.empty()], samples).summary["AP"] == 0


def test_the_shipped_detector_is_measured_as_its_own_validation_measures_it():
    """Its boxes reach over the edges of a picture by a pixel or two, which costs .02 AP where they are not cut."""
    model = load_shipped()
    samples = SignScenes(12, seed=3, size=model.imgsz, classes=model.classes)
    measured = measure_detector(lambda images: detections(model(images), 0.001), samples, model.classes)
    expected = validate(model, samples)
    assert expected.summary["AP"] > 0.5
    assert measured.summary == pytest.approx(expected.summary, abs=1e-6)
    outside = [(detections(model(samples[i][0][None]), 0.001)[0].boxes < 0).any() for i in range(12)]
    assert any(outside)
