"""Beds, measured with a network that knows the truth: what each fault does to boxes can be foretold by hand."""

import json
import math

import pytest
import torch
from torch import nn

from coursekit.clinic import detector, steps
from coursekit.clinic.chart import PROBES, chart
from coursekit.clinic.patients import PATIENTS
from coursekit.clinic.ward import Clinic
from coursekit.data.signs import SignScenes
from coursekit.detections import Detections
from coursekit.resources import resource
from coursekit.yolo.decode import boxes_to_sides, cell_centres
from coursekit.yolo.model import Raw
from coursekit.yolo.predict import load_shipped

SIZE, CLASSES = 64, ("stop", "yield", "parking")


def target(*rows):
    rows = torch.tensor(rows, dtype=torch.float32).reshape(-1, 5)
    boxes = rows[:, :4]
    return {
        "boxes": boxes,
        "labels": rows[:, 4].long(),
        "area": (boxes[:, 2:] - boxes[:, :2]).prod(dim=1),
        "iscrowd": torch.zeros(len(rows), dtype=torch.int64),
    }


ONE, TWO = target((8, 8, 40, 40, 0)), target((4, 4, 28, 28, 1), (36, 36, 60, 60, 2))


class Oracle(nn.Module):
    """Says the truth of each picture, which it knows by the brightness of its first pixel."""

    def __init__(self, targets):
        super().__init__()
        self.targets = targets

    def forward(self, batch):
        centres, strides = cell_centres((SIZE, SIZE), (8, 16, 32))
        logits = torch.full((len(batch), len(centres), len(CLASSES)), -9.0)
        sides = torch.zeros(len(batch), len(centres), 4)
        for number, picture in enumerate(batch):
            truth = self.targets[round(float(picture[0, 0, 0]) * 255)]
            for box, label in zip(truth["boxes"], truth["labels"], strict=True):
                middle = (box[:2] + box[2:]) / 2
                cell = int((centres[strides == 8] - middle).abs().sum(dim=1).argmin())  # of the fine map
                logits[number, cell, label] = 3.0 + float(label)
                sides[number, cell] = boxes_to_sides(box[None], centres[cell : cell + 1], strides[cell : cell + 1])[0]
        return Raw(logits, sides, centres, strides)


class Scenes:
    """Black pictures, each with its number in the first pixel."""

    classes = CLASSES

    def __init__(self, targets):
        self.targets = targets

    def __len__(self):
        return len(self.targets)

    def __getitem__(self, index):
        picture = torch.zeros(3, SIZE, SIZE, dtype=torch.uint8)
        picture[:, 0, 0] = index
        return picture, self.targets[index]


@pytest.fixture(scope="module")
def oracle():
    targets = [ONE, TWO, target()]
    return Clinic(Oracle(targets), Scenes(targets))


@pytest.mark.parametrize("number", [1, 2, 3, 4, 5, 6, 7, 12])
def test_a_repaired_bed_finds_everything(oracle, number):
    measured = oracle.healthy(number)
    assert measured["AP"] == pytest.approx(1.0)
    assert measured.unknown == 0


def test_a_bed_is_not_looked_through_twice_but_a_repair_is(oracle):
    assert oracle.find(3) is oracle.find(3)
    assert oracle.chart(3) is oracle.chart(3)
    assert oracle.chart(3) is not oracle.healthy(3)
    calls = []

    def repair(*arguments):
        calls.append(1)
        return steps.to_boxes(*arguments)

    assert oracle.chart(3, repair).numbers == oracle.chart(3, repair).numbers
    assert len(calls) == 6


def test_without_stride_boxes_are_points_near_their_centres(oracle):
    assert oracle.chart(3)["AP"] == 0
    assert oracle.chart(3)["relative size"] == pytest.approx(1 / 8, abs=0.05)


def test_across_classes_one_of_the_two_names_is_lost(oracle):
    assert oracle.chart(4).by_class["sign"] == pytest.approx(1.0)
    assert max(oracle.chart(4).by_class[name] for name in CLASSES) <= 0


def test_labels_one_off_are_wrong_names_on_right_boxes(oracle):
    measured = oracle.chart(6)
    assert measured["AP"] <= 0
    assert measured.unknown == 1  # the last class has no next one
    assert measured["AP50 without names"] > 0.5


def test_sorted_apart_is_good_for_one_object_alone(oracle):
    measured = oracle.chart(7)
    assert measured["AP50 one object"] == pytest.approx(1.0)
    assert measured["AP50 several"] <= 0


def test_a_bed_whose_training_is_broken_cannot_be_looked_through(oracle):
    with pytest.raises(ValueError, match="number must be a bed whose weights are the shipped ones, got 8"):
        oracle.chart(8)


def test_seeing_nothing_is_refused():
    with pytest.raises(ValueError, match="frames must hold at least one frame"):
        detector.see(Oracle([ONE]), [])


def test_background_is_the_chance_that_all_answers_are_no():
    every = detector.with_background(torch.tensor([[0.0, 0.0]]))
    assert every.tolist() == [[0.25, 0.5, 0.5]]


def test_the_healthy_steps_give_what_the_engine_gives():
    """But that a cell speaks for one class here, and may speak for several there: so it is asked what is sure."""
    from coursekit.yolo.predict import predict

    model, scenes = load_shipped(), SignScenes(2, seed=210)
    pictures = [scenes[index][0] for index in range(2)]
    ours = detector.tell(detector.see(model, [detector.camera(picture) for picture in pictures]), floor=0.5)
    theirs = predict(model, pictures, confidence=0.5)
    for one, other in zip(ours, theirs, strict=True):
        assert torch.equal(one.labels, other.labels)
        assert torch.allclose(one.scores, other.scores, atol=1e-4)
        assert torch.allclose(one.boxes.clamp(0, 256), other.boxes, atol=0.05)


# --- the chart


def test_a_chart_of_nothing_found():
    measured = chart([Detections.empty()], [ONE], CLASSES)
    assert measured["AP"] == 0
    assert measured["recall"] == 0
    assert math.isnan(measured["lowest score"])
    assert math.isnan(measured["relative size"])
    assert set(measured.numbers) == set(PROBES)
    assert json.loads(json.dumps(measured.to_dict(), allow_nan=False))["numbers"]["relative size"] is None


def test_a_chart_by_hand():
    boxes = torch.tensor([[8.0, 8, 40, 40], [8, 8, 40, 40], [0, 0, 5, 5]])
    found = Detections(boxes, torch.tensor([0.9, 0.3, 0.1]), torch.tensor([0, 1, 9]))
    measured = chart([found], [ONE], CLASSES)
    assert measured.unknown == 1
    assert measured["boxes per object"] == 2.0
    assert measured["AP50 without names"] == pytest.approx(1.0)
    assert measured["lowest score"] == pytest.approx(0.3)
    assert measured["relative size"] == 1.0
    assert measured["recall"] == 1.0
    assert measured.by_class == {"stop": pytest.approx(1.0)}
    assert json.loads(json.dumps(measured.to_dict()))["numbers"]["AP"] == 1.0


def test_a_chart_wants_one_for_one():
    with pytest.raises(ValueError, match="found must have one entry for each of the 1 targets, got 0"):
        chart([], [ONE], CLASSES)


# --- what was measured beforehand


@pytest.fixture(scope="module")
def figures():
    return json.loads(resource("clinic.json").read_text())


@pytest.mark.parametrize("who", PATIENTS, ids=lambda who: f"bed-{who.number}")
def test_every_bed_was_measured_and_is_ill(figures, who):
    sick, healthy = (figures["beds"][str(who.number)][kind]["numbers"] for kind in ("sick", "healthy"))
    assert set(sick) == set(healthy) == set(PROBES)
    assert healthy["AP"] - sick["AP"] > 0.02
    if who.trained:
        runs = figures["trained"][str(who.number)]
        assert all(len(runs[kind]["AP"]) == 3 for kind in ("sick", "healthy"))
        assert all(h - s > 0.02 for s, h in zip(runs["sick"]["AP"], runs["healthy"]["AP"], strict=True))


def test_the_file_is_what_the_benchmark_wrote(figures):
    from pathlib import Path

    results = json.loads((Path(__file__).parents[2] / "benchmarks" / "results" / "clinic.json").read_text())
    del results["machine"]
    assert results == figures


def test_the_healthy_steps_are_what_the_clinic_takes():
    assert all(callable(getattr(steps, who.step)) for who in PATIENTS)
