"""The whole batch at once, as a GPU likes it, decides what image by image decides, and its loss has the same gradients."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from coursekit.yolo.assign import assign
from coursekit.yolo.assign_batch import assign_batch, owned_boxes
from coursekit.yolo.decode import cell_centres
from coursekit.yolo.loss import detection_loss, loss_without_waiting
from coursekit.yolo.model import Raw


def situation(counts, seed, classes=3, size=64):
    """What a half-trained network may say, and the truth, of len(counts) images."""
    generator = torch.Generator().manual_seed(seed)
    centres, strides = cell_centres((size, size), (8, 16, 32))
    shape = (len(counts), len(centres))
    logits = torch.randn(*shape, classes, generator=generator) - 1
    sides = torch.rand(*shape, 4, generator=generator) * 4
    truth = []
    for count in counts:
        corner = torch.rand(count, 2, generator=generator) * size * 0.8
        side = torch.rand(count, 2, generator=generator) * size * 0.6
        labels = torch.randint(0, classes, (count,), generator=generator)
        truth.append({"boxes": torch.cat((corner, corner + side), dim=1), "labels": labels})
    return Raw(logits, sides, centres, strides), truth


SITUATIONS = st.tuples(st.lists(st.integers(0, 6), min_size=1, max_size=4), st.integers(0, 2**31))


def one_by_one(raw, truth):
    boxes = torch.cat(
        [raw.centres - raw.sides[..., :2] * raw.strides[:, None], raw.centres + raw.sides[..., 2:] * raw.strides[:, None]], dim=2
    )
    scores = raw.logits.sigmoid()
    return boxes, scores, [assign(s, b, raw.centres, t["boxes"], t["labels"]) for s, b, t in zip(scores, boxes, truth, strict=True)]


@settings(max_examples=60, deadline=None)
@given(SITUATIONS)
def test_it_decides_what_one_image_after_the_other_decides(given_):
    raw, truth = situation(*given_)
    boxes, scores, plans = one_by_one(raw, truth)
    owner, targets = assign_batch(scores, boxes, raw.centres, truth)
    assert torch.equal(owner, torch.stack([plan.owner for plan in plans]))
    torch.testing.assert_close(targets, torch.stack([plan.targets for plan in plans]), rtol=1e-4, atol=1e-6)
    expected = [
        t["boxes"][plan.owner.clamp(min=0)] * (plan.owner >= 0)[:, None] if len(t["boxes"]) else None
        for t, plan in zip(truth, plans, strict=True)
    ]
    for got, wanted in zip(owned_boxes(truth, owner), expected, strict=True):
        assert torch.equal(got, torch.zeros_like(got) if wanted is None else wanted)


@settings(max_examples=25, deadline=None)
@given(SITUATIONS, st.booleans())
def test_its_loss_and_gradients_are_those_of_the_one_to_read(given_, divided):
    answers = []
    for loss_of in (detection_loss, loss_without_waiting):
        raw, truth = situation(*given_)
        raw.logits.requires_grad_(True)
        raw.sides.requires_grad_(True)
        losses = loss_of(raw, truth, normaliser=(lambda total: total + 3) if divided else None)
        losses["loss"].backward()
        answers.append([losses["loss"].detach(), losses["class"], losses["box"], raw.logits.grad, raw.sides.grad])
    torch.testing.assert_close(answers[1], answers[0], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("counts", [(0,), (0, 0), (0, 2), (2, 0), (1,)], ids=str)
def test_images_without_objects(counts):
    raw, truth = situation(counts, 0)
    _, _, plans = one_by_one(raw, truth)
    boxes, scores, _ = one_by_one(raw, truth)
    owner, _ = assign_batch(scores, boxes, raw.centres, truth)
    assert (
        [(row >= 0).any().item() for row in owner] == [(plan.owner >= 0).any().item() for plan in plans] == [count > 0 for count in counts]
    )
