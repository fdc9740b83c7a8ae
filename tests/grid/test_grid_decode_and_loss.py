"""Maps to boxes, and the two losses, against hand-worked numbers and torch's and torchvision's own."""

import math

import pytest
import torch
import torchvision
from torch.nn import functional as F

from coursekit.grid import box_loss, coverage_loss, decode, detections, encode_targets, grid_loss


def test_decode_by_hand_on_a_grid_that_is_not_square():
    coverage, corners = torch.zeros(2, 2, 3), torch.zeros(4, 2, 3)
    coverage[1, 1, 2], coverage[0, 0, 0], coverage[1, 0, 1] = 0.9, 0.5, 0.49
    corners[:, 1, 2] = torch.tensor([-1.0, -0.5, 0.5, 1.0])
    boxes, scores, labels = decode(coverage, corners, 16, 0.5)
    assert boxes.tolist() == [[8, 8, 8, 8], [24, 16, 48, 40]]
    assert scores.tolist() == [0.5, pytest.approx(0.9)]
    assert labels.tolist() == [0, 1]
    assert labels.dtype == torch.int64


def test_nothing_above_the_threshold_is_an_empty_answer():
    boxes, scores, labels = decode(torch.zeros(2, 2, 3), torch.zeros(4, 2, 3), 16, 0.1)
    assert (boxes.shape, scores.shape, labels.shape) == ((0, 4), (0,), (0,))
    assert len(detections(torch.full((1, 2, 2, 3), -9.0), torch.zeros(1, 4, 2, 3), 16, 0.1)[0]) == 0


@pytest.mark.parametrize("shrink", [0.0, 0.5])
def test_what_was_encoded_comes_back(shrink):
    truth, labels = torch.tensor([[4.0, 6, 40, 30], [50, 70, 64, 90], [70, 10, 126, 66]]), torch.tensor([1, 0, 1])
    coverage, corners = encode_targets(truth, labels, 2, (96, 128), 16, shrink)
    (found,) = detections(torch.where(coverage > 0, 9.0, -9.0)[None], corners[None], 16, 0.5)
    order = found.boxes[:, 0].argsort()
    torch.testing.assert_close(found.boxes[order], truth, rtol=0, atol=1e-4)
    assert found.labels[order].tolist() == labels.tolist()


def test_a_box_that_ends_before_it_begins_is_not_heard():
    corners = torch.tensor([[-1.0, -1, 1, 1], [1, -1, -1, 1], [-1, 0.5, 1, 0.5]]).T.reshape(1, 4, 1, 3)
    (found,) = detections(torch.full((1, 1, 1, 3), 3.0), corners, 16, 0.5)
    assert found.boxes.tolist() == [[-8, -8, 24, 24]]


def test_suppression_is_torchvisions():
    generator = torch.Generator().manual_seed(0)
    logits, corners = torch.randn(2, 3, 4, 5, generator=generator), torch.rand(2, 4, 4, 5, generator=generator)
    corners = corners * torch.tensor([-2.0, -2, 2, 2])[:, None, None] + torch.tensor([-0.1, -0.1, 0.1, 0.1])[:, None, None]
    for image, found in enumerate(detections(logits, corners, 16, 0.4, 0.3)):
        boxes, scores, labels = decode(logits[image].sigmoid(), corners[image], 16, 0.4)
        moved = boxes + 1000 * labels[:, None]  # classes apart
        kept = torchvision.ops.nms(moved, scores, 0.3)
        assert torch.equal(found.boxes, boxes[kept])
        assert torch.equal(found.labels, labels[kept])


def test_coverage_loss_by_hand():
    coverage = torch.tensor([1.0, 1, 0, 0]).reshape(1, 1, 2, 2)
    assert coverage_loss(torch.zeros(1, 1, 2, 2), coverage).item() == pytest.approx(4 * math.log(2) / 2)
    assert coverage_loss(torch.zeros(1, 1, 2, 2), torch.zeros(1, 1, 2, 2)).item() == pytest.approx(4 * math.log(2))  # divided by 1
    sure = torch.tensor([100.0, -100, -100, -100]).reshape(1, 1, 2, 2)
    assert coverage_loss(sure, coverage).item() == pytest.approx(50)  # and no overflow
    assert torch.isfinite(coverage_loss(1e4 * sure, coverage))


def test_coverage_loss_is_torchs_sum_over_the_covered():
    generator = torch.Generator().manual_seed(1)
    for _ in range(5):
        logits = torch.randn(3, 2, 4, 5, generator=generator) * 3
        coverage = (torch.rand(3, 2, 4, 5, generator=generator) > 0.8).float()
        expected = F.binary_cross_entropy_with_logits(logits, coverage, reduction="sum") / coverage.sum()
        torch.testing.assert_close(coverage_loss(logits, coverage), expected)


def test_box_loss_by_hand_counts_the_covered_cells_alone():
    corners, target, covered = torch.zeros(1, 4, 2, 2), torch.zeros(1, 4, 2, 2), torch.zeros(1, 2, 2, dtype=torch.bool)
    covered[0, 0, 1] = covered[0, 1, 1] = True
    corners[0, :, 0, 1] = torch.tensor([1.0, -1, 2, 0])  # mean 1
    corners[0, :, 1, 1] = 3.0
    corners[0, :, 0, 0] = 99.0  # nobody asked
    assert box_loss(corners, target, covered).item() == 2
    assert box_loss(corners, target, torch.zeros_like(covered)).item() == 0


def test_box_loss_is_torchs_l1_of_the_covered_cells():
    generator = torch.Generator().manual_seed(2)
    for _ in range(5):
        corners, target = torch.randn(2, 2, 4, 3, 5, generator=generator).unbind()
        covered = torch.rand(2, 3, 5, generator=generator) > 0.5
        where = covered[:, None].expand_as(corners)
        torch.testing.assert_close(box_loss(corners, target, covered), F.l1_loss(corners[where], target[where]))


def test_the_parts_are_added_with_their_weight_and_teach_both_maps():
    class Says(torch.nn.Module):
        stride = 16

        def __init__(self):
            super().__init__()
            self.maps = torch.nn.ParameterList([torch.zeros(1, 2, 2, 2), torch.zeros(1, 4, 2, 2)])

        def forward(self, images):
            return tuple(self.maps)

    truth = [{"boxes": torch.tensor([[2.0, 2, 12, 14]]), "labels": torch.tensor([1])}]
    model = Says()
    parts = grid_loss(model, torch.zeros(1, 3, 32, 32, dtype=torch.uint8), truth, weight=3.0)
    assert list(parts) == ["loss", "coverage", "box"]
    assert parts["coverage"].item() == pytest.approx(8 * math.log(2))
    assert parts["box"].item() == pytest.approx((6 + 6 + 4 + 6) / 16 / 4)
    assert parts["loss"].item() == pytest.approx(parts["coverage"].item() + 3 * parts["box"].item())
    parts["loss"].backward()
    said, where = (p.grad for p in model.maps)
    assert (said != 0).all()
    assert where[0, :, 0, 0].sign().tolist() == [1, 1, -1, -1]
    assert where.abs().sum() == where[0, :, 0, 0].abs().sum()
    empty = [{"boxes": torch.zeros(0, 4), "labels": torch.zeros(0, dtype=torch.int64)}]
    assert grid_loss(model, torch.zeros(1, 3, 32, 32, dtype=torch.uint8), empty)["box"].item() == 0
