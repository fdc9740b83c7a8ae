import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from coursekit.yolo import STRIDES, Raw, detections, soft_nms
from coursekit.yolo.decode import boxes_to_sides, cell_centres, decode, sides_to_boxes


def raw_of(sides, scores, size=(32, 64)):
    """A Raw of one image; scores (A, C) in (0, 1)."""
    centres, strides = cell_centres(size, STRIDES)
    return Raw(torch.logit(scores)[None], sides[None], centres, strides)


def quiet(size=(32, 64), classes=2):
    centres, _ = cell_centres(size, STRIDES)
    return torch.zeros(len(centres), 4), torch.full((len(centres), classes), 1e-6)


def test_centres_by_hand():
    centres, strides = cell_centres((32, 64), STRIDES)
    assert centres[0].tolist() == [4, 4]
    assert centres[1].tolist() == [12, 4]  # x runs first
    assert centres[8].tolist() == [4, 12]
    assert centres[32].tolist() == [8, 8]  # the first of stride 16
    assert centres[-1].tolist() == [48, 16]  # the last of stride 32
    assert strides.tolist() == [8.0] * 32 + [16.0] * 8 + [32.0] * 2


def test_sides_to_boxes_by_hand():
    box = sides_to_boxes(torch.tensor([[1.0, 0.5, 2.0, 1.5]]), torch.tensor([[12.0, 20.0]]), torch.tensor([8.0]))
    assert box.tolist() == [[12 - 8, 20 - 4, 12 + 16, 20 + 12]]


@given(st.integers(0, 10_000))
def test_boxes_to_sides_is_the_way_back(seed):
    generator = torch.Generator().manual_seed(seed)
    centres, strides = cell_centres((64, 96), STRIDES)
    sides = torch.rand(2, len(centres), 4, generator=generator) * 9
    torch.testing.assert_close(boxes_to_sides(sides_to_boxes(sides, centres, strides), centres, strides), sides, atol=1e-4, rtol=1e-4)


def test_nothing_above_the_threshold_is_an_empty_answer():
    [found] = detections(raw_of(*quiet()))
    assert found.boxes.shape == (0, 4)
    assert len(found) == 0


def test_a_box_is_found_with_its_class_and_score():
    sides, scores = quiet()
    sides[9], scores[9, 1] = torch.tensor([1.0, 1, 1, 1]), 0.9  # the centre (12, 12) at stride 8
    [found] = detections(raw_of(sides, scores))
    assert found.boxes.tolist() == [[4, 4, 20, 20]]
    assert found.labels.tolist() == [1]
    assert found.scores.tolist() == pytest.approx([0.9])


def test_suppression_stays_within_a_class_and_best_comes_first():
    sides, scores = quiet()
    sides[9:11] = torch.tensor([[1.0, 1, 2, 1], [2.0, 1, 1, 1]])  # the same box from two cells
    scores[9] = torch.tensor([0.6, 0.7])
    scores[10] = torch.tensor([0.8, 1e-6])
    [found] = detections(raw_of(sides, scores))
    assert found.labels.tolist() == [0, 1]
    assert found.scores.tolist() == pytest.approx([0.8, 0.7])


def test_limit_keeps_the_best():
    sides, scores = quiet()
    sides[:32], scores[:32, 0] = 0.4, torch.linspace(0.3, 0.9, 32)  # small boxes that do not touch
    [found] = detections(raw_of(sides, scores), limit=3)
    assert found.scores.tolist() == pytest.approx(torch.linspace(0.3, 0.9, 32)[-3:].flip(0).tolist())


def test_decode_gives_pixels_and_probabilities():
    sides, scores = quiet()
    boxes, probabilities = decode(raw_of(sides, scores))
    assert boxes.shape == (1, 42, 4)
    assert ((probabilities >= 0) & (probabilities <= 1)).all()


def test_soft_nms_by_hand():
    boxes = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 5], [50, 50, 60, 60]])
    scores, keep = soft_nms(boxes, torch.tensor([0.9, 0.8, 0.3]), torch.zeros(3, dtype=torch.int64))
    assert scores.tolist() == pytest.approx([0.9, 0.8 * torch.tensor(-0.25 / 0.5).exp().item(), 0.3])  # IoU 0.5, squared, by sigma
    assert keep.tolist() == [0, 1, 2]


def test_soft_nms_leaves_other_classes_alone_and_drops_what_falls_below():
    boxes = torch.tensor([[0.0, 0, 10, 10]]).repeat(3, 1)
    scores, keep = soft_nms(boxes, torch.tensor([0.9, 0.8, 0.7]), torch.tensor([0, 0, 1]), floor=0.2)
    assert keep.tolist() == [0, 2]
    assert scores[2].item() == pytest.approx(0.7)


def test_soft_nms_of_nothing():
    scores, keep = soft_nms(torch.zeros(0, 4), torch.zeros(0), torch.zeros(0, dtype=torch.int64))
    assert scores.shape == (0,)
    assert keep.shape == (0,)


@given(st.integers(0, 1000))
def test_soft_nms_with_a_tiny_sigma_is_nms_of_zero_overlap(seed):
    generator = torch.Generator().manual_seed(seed)
    corner = torch.randint(0, 12, (8, 2), generator=generator).float()
    boxes = torch.cat([corner, corner + torch.randint(1, 6, (8, 2), generator=generator)], dim=1)
    scores, labels = torch.rand(8, generator=generator) * 0.9 + 0.1, torch.zeros(8, dtype=torch.int64)
    from coursekit.boxes import batched_nms

    _, keep = soft_nms(boxes, scores, labels, sigma=1e-9)
    assert keep.tolist() == batched_nms(boxes, scores, labels, 0.0).tolist()
