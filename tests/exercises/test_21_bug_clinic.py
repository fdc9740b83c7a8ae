"""A repair without its diagnosis, a diagnosis without its repair, what students get, and right repairs written otherwise."""

from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from coursekit.authoring.solved import solutions_in
from coursekit.boxes import batched_nms
from coursekit.clinic import steps
from coursekit.clinic.diagnoses import DIAGNOSES, treatment
from coursekit.clinic.patients import PATIENTS
from coursekit.exercises.check import card_of
from coursekit.exercises.core import exercises_of, find
from coursekit.exercises.verdict import judge

SOURCE = Path(__file__).parents[2] / "solutions" / "21_bug_clinic.py"
every_patient = pytest.mark.parametrize("who", PATIENTS, ids=lambda who: f"bed-{who.number}")


def of(who):
    return find(f"21.{who.step}")


def other(function):
    """The same function, as somebody else's."""
    return lambda *arguments: function(*arguments)


def healthy(who):
    return getattr(steps, who.step)


def test_there_is_an_exercise_for_every_patient():
    assert sorted(exercise.name for exercise in exercises_of("21")) == sorted(f"21.{who.step}" for who in PATIENTS)


@every_patient
@pytest.mark.parametrize("diagnosis", ["not yet", "overfitting"])
def test_a_right_repair_with_a_wrong_diagnosis_hears_which_half_is_right(who, diagnosis):
    verdict = judge(of(who), treatment(other(healthy(who)), diagnosis), watched=False)
    assert (verdict.status, verdict.case, verdict.misconception) == ("wrong", "the diagnosis", "wrong-diagnosis")
    text = card_of(of(who), verdict).text()
    assert "The repair is right" in text
    assert not any(name in text for name in DIAGNOSES)  # nothing gives the right one away


@every_patient
def test_a_right_diagnosis_with_the_broken_code_hears_which_half_is_right(who):
    verdict = judge(of(who), treatment(other(who.broken), who.fault))
    assert (verdict.status, verdict.misconception) == ("wrong", "named-but-not-mended")
    assert "The diagnosis is right." in verdict.hint


@every_patient
def test_both_halves_together_pass(who):
    assert judge(of(who), treatment(other(healthy(who)), who.fault), watched=False).passed


@every_patient
def test_a_repair_that_carries_no_diagnosis_at_all(who):
    assert judge(of(who), other(healthy(who)), watched=False).misconception == "wrong-diagnosis"


@every_patient
def test_a_wrong_repair_is_known_under_either_diagnosis(who):
    names = [m.name for m in of(who).misconceptions]
    wrong = [name for name in names[3:] if not name.endswith("-and-misdiagnosed")]
    assert len(wrong) >= 3
    assert names[3:] == [name + end for name in wrong for end in ("", "-and-misdiagnosed")]


@every_patient
@pytest.mark.skipif(not SOURCE.exists(), reason="the notebook has no source yet")
def test_what_students_get_is_the_patients_step(who):
    found = solutions_in(SOURCE)[f"21.{who.step}"]
    verdict = judge(of(who), found.run(found.student, label="stub"))
    assert verdict.misconception == "untouched", verdict


def mirrored_by_hand(picture, boxes, mirrored, gain):
    picture = (picture.float() * gain).clamp(0, 255).to(torch.uint8)
    if not mirrored:
        return picture, boxes
    boxes = boxes.clone()
    boxes[:, [0, 2]] = picture.shape[2] - boxes[:, [2, 0]]
    return picture.flip(-1), boxes


def looked_by_flag(model, batch):
    before = model.training
    with torch.no_grad():
        said = model.train(False)(batch)
    model.train(before)
    return said


def stepped(model, optimiser, images, targets, loss_of):
    for parameter in model.parameters():
        parameter.grad = None
    loss = loss_of(model, images, targets)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 10.0)
    optimiser.step()
    return loss.item()


def stays_by_batched_nms(boxes, scores, labels, iou_threshold):
    stays = torch.zeros(len(boxes), dtype=torch.bool)
    stays[batched_nms(boxes, scores, labels, iou_threshold)] = True
    return stays


def nudged_on_a_copy(picture, boxes, dx, dy):
    height, width = picture.shape[1:]
    boxes = boxes.clone()
    boxes += torch.tensor([dx, dy, dx, dy], dtype=boxes.dtype)
    boxes[:, 0::2].clamp_(0, width)
    boxes[:, 1::2].clamp_(0, height)
    return torch.roll(picture, (dy, dx), dims=(1, 2)), boxes


def delivered(boxes, scores, labels, purpose):
    if purpose == "measure":
        return boxes[:100], scores[:100], labels[:100]
    sure = scores >= 0.25
    return boxes[sure], scores[sure], labels[sure]


def minus_one(scores):
    real = scores.clone()
    real[:, 0] = -1.0
    score, label = real.max(dim=1)
    return score, label - 1


RIGHT = {
    1: [lambda frame: frame[:, :, [2, 1, 0]].permute(2, 0, 1), lambda frame: torch.stack(frame.unbind(2)[::-1])],
    2: [lambda pictures: torch.stack(pictures).div(255.0), lambda pictures: torch.stack([p / 255 for p in pictures])],
    3: [
        lambda sides, centres, strides: torch.cat(
            [centres - sides[:, :2] * strides.unsqueeze(1), centres + sides[:, 2:] * strides.unsqueeze(1)], dim=1
        )
    ],
    4: [stays_by_batched_nms],
    5: [looked_by_flag],
    6: [minus_one],
    7: [lambda b, s, t, limit: tuple(x[s.argsort(descending=True, stable=True)[:limit]] for x in (b, s, t))],
    8: [mirrored_by_hand],
    9: [lambda z, t: F.binary_cross_entropy_with_logits(z, t, reduction="none").sum() / max(1.0, float(t.sum()))],
    10: [stepped],
    11: [nudged_on_a_copy],
    12: [delivered],
}


@pytest.mark.parametrize(("number", "place"), [(number, place) for number, answers in RIGHT.items() for place in range(len(answers))])
def test_right_repairs_written_otherwise_pass(number, place):
    who = PATIENTS[number - 1]
    verdict = judge(of(who), treatment(RIGHT[number][place], who.fault))
    assert verdict.passed, verdict
