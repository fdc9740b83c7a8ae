import math

import pytest
import torch
from torch import nn
from torchvision.models.detection.retinanet import RetinaNetHead

from coursekit.models.signs_backbone import signs_network
from coursekit.one_stage.anchors import make_anchors
from coursekit.one_stage.matching import match_anchors
from coursekit.one_stage.retina import Head, Raw, RetinaNet, box_loss, classification_loss, detections, retina_loss, to_rows


def boxes(*rows):
    return torch.tensor(rows, dtype=torch.float32).reshape(-1, 4)


def test_to_rows_by_hand():
    """Two anchors a cell, two values each: the first channel is the first anchor's first value, everywhere."""
    x = torch.arange(2 * 2 * 1 * 3).reshape(1, 4, 1, 3)
    assert to_rows(x, 2).tolist() == [[[0, 3], [6, 9], [1, 4], [7, 10], [2, 5], [8, 11]]]


def test_to_rows_goes_row_by_row():
    x = torch.arange(6.0).reshape(1, 1, 2, 3)
    assert to_rows(x, 1).flatten().tolist() == [0, 1, 2, 3, 4, 5]
    with pytest.raises(ValueError, match=r"x must have shape \(N, K \* 4, H, W\), got \(1, 6, 2, 2\)"):
        to_rows(torch.zeros(1, 6, 2, 2), 4)


def test_the_rows_of_a_head_are_in_the_order_of_the_anchors():
    """A head that says where its cell is must say it beside the anchors of this cell."""
    size, strides, sizes = (32, 48), (8, 16), [[8, 12], [16, 24]]
    anchors = make_anchors(size, strides, sizes, [1.0, 2.0])
    maps = []
    for stride in strides:
        y, x = torch.meshgrid(torch.arange(size[0] // stride), torch.arange(size[1] // stride), indexing="ij")
        maps.append(torch.stack([x, y, x, y] * 4).float().add(0.5).mul(stride)[None])  # (1, 4 anchors * 4, H, W)
    said = torch.cat([to_rows(m, 4) for m in maps], dim=1)[0]
    torch.testing.assert_close(said[:, :2], (anchors[:, :2] + anchors[:, 2:]) / 2)


def random_raw(generator, anchors, classes=3, images=2):
    logits = torch.randn(images, len(anchors), classes, generator=generator) * 2 - 2
    return Raw(logits, torch.randn(images, len(anchors), 4, generator=generator) * 0.3, anchors)


@pytest.mark.parametrize("truth", [[], [[4, 4, 30, 34]], [[4, 4, 30, 34], [20, 10, 60, 60], [50, 2, 56, 10]]], ids=len)
def test_retina_loss_equals_torchvisions_head(truth):
    anchors = make_anchors((64, 64), (8, 16, 32), [[16, 22], [32, 45], [64, 90]])
    raw = random_raw(torch.Generator().manual_seed(len(truth)), anchors)
    targets = [
        {"boxes": boxes(*truth), "labels": torch.arange(len(truth)) % 3},
        {"boxes": boxes([8, 8, 40, 40]), "labels": torch.tensor([2])},
    ]
    matches = [match_anchors(anchors, target["boxes"]) for target in targets]
    head = RetinaNetHead(8, 6, 3)
    said = {"cls_logits": raw.logits, "bbox_regression": raw.deltas}
    theirs = head.compute_loss(targets, said, [anchors, anchors], matches)
    ours = retina_loss(raw, targets)
    torch.testing.assert_close(ours["classes"], theirs["classification"])
    torch.testing.assert_close(ours["boxes"], theirs["bbox_regression"])
    torch.testing.assert_close(ours["loss"], ours["classes"] + ours["boxes"])


def test_ignored_anchors_do_not_count():
    logits = torch.tensor([[3.0], [-3.0], [5.0]])
    with_it = classification_loss(logits, torch.tensor([0, -1, -2]), torch.tensor([0]))
    torch.testing.assert_close(with_it, classification_loss(logits[:2], torch.tensor([0, -1]), torch.tensor([0])))


def test_the_loss_is_divided_by_the_positives():
    logits = torch.zeros(4, 1)
    one = classification_loss(logits, torch.tensor([0, -1, -1, -1]), torch.tensor([0]), None, 0)
    two = classification_loss(logits, torch.tensor([0, 0, -1, -1]), torch.tensor([0]), None, 0)
    none = classification_loss(logits, torch.tensor([-1, -1, -1, -1]), torch.zeros(0, dtype=torch.int64), None, 0)
    assert one.item() == none.item() == pytest.approx(4 * math.log(2))
    assert two.item() == pytest.approx(2 * math.log(2))


def test_box_loss_by_hand():
    anchors = boxes([0, 0, 4, 4], [0, 0, 4, 4], [8, 8, 9, 9])
    said = boxes([0.5, 0, 0, 0], [0, 0, 0, 0], [9, 9, 9, 9])
    truth = boxes([2, 0, 6, 4])
    assert box_loss(said, anchors, torch.tensor([0, 0, -1]), truth).item() == pytest.approx(0.25)  # 0 and 0.5, two positives
    assert box_loss(said, anchors, torch.tensor([-1, -2, -1]), boxes()).item() == 0


def test_at_the_start_every_class_has_the_prior():
    torch.manual_seed(0)
    model = RetinaNet(3, signs_network(), channels=16).eval()
    with torch.no_grad():
        raw = model(torch.randint(0, 256, (2, 3, 64, 96), dtype=torch.uint8))
    assert raw.logits.shape == (2, len(raw.anchors), 3)
    assert raw.deltas.shape == (2, len(raw.anchors), 4)
    assert len(raw.anchors) == (8 * 12 + 4 * 6 + 2 * 3) * 6
    assert raw.logits.sigmoid().mean().item() == pytest.approx(0.01, rel=0.3)


def test_detections_by_hand():
    anchors = boxes([0, 0, 10, 10], [1, 0, 11, 10], [40, 40, 50, 50], [-4, -4, 6, 6])
    logits = torch.tensor([[[3.0, -9], [2.0, -9], [-9, 1.0], [-9, 0.5]]])
    found = detections(Raw(logits, torch.zeros(1, 4, 4), anchors), (48, 48))[0]
    assert found.labels.tolist() == [0, 1, 1]
    torch.testing.assert_close(found.boxes, boxes([0, 0, 10, 10], [40, 40, 48, 48], [0, 0, 6, 6]))  # the second is a duplicate
    torch.testing.assert_close(found.scores, torch.tensor([3.0, 1.0, 0.5]).sigmoid())


def test_detections_of_an_anchor_that_speaks_for_two_classes_and_of_none():
    anchors = boxes([0, 0, 10, 10])
    both, none = torch.tensor([[[1.0, 2.0]]]), torch.full((1, 1, 2), -9.0)
    assert detections(Raw(both, torch.zeros(1, 1, 4), anchors), (48, 48))[0].labels.tolist() == [1, 0]
    assert len(detections(Raw(none, torch.zeros(1, 1, 4), anchors), (48, 48))[0]) == 0


def test_no_more_than_the_limit_are_kept():
    anchors = make_anchors((64, 64), (8,), [[6]], [1.0])
    raw = Raw(torch.rand(1, 64, 1), torch.zeros(1, 64, 4), anchors)
    found = detections(raw, (64, 64), limit=10)[0]
    assert len(found) == 10
    torch.testing.assert_close(found.scores, raw.logits.sigmoid().flatten().sort(descending=True).values[:10])


def test_one_picture_can_be_learnt_by_heart():
    """Loss falls and the object is found: forward, matching, both losses and decoding agree about order and scale."""
    torch.manual_seed(0)
    model = RetinaNet(2, signs_network(), channels=16, depth=1)
    images = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8)
    targets = [
        {"boxes": boxes([6, 10, 30, 36]), "labels": torch.tensor([1])},
        {"boxes": boxes([20, 24, 60, 62]), "labels": torch.tensor([0])},
    ]
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(60):
        loss = retina_loss(model(images), targets)["loss"]
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 10.0)
        optimizer.step()
    found = detections(model(images), (64, 64))  # still in train mode: the batch's own statistics
    for one, target in zip(found, targets, strict=True):
        assert one.labels[0] == target["labels"][0]
        assert (one.boxes[0] - target["boxes"][0]).abs().max() < 6


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: RetinaNet(0), "num_classes must be at least 1 and sizes as many on each map, got 0"),
        (lambda: RetinaNet(2, sizes=[[8], [16, 20], [32]]), r"got 2 and \[1, 2, 1\]"),
    ],
    ids=["no classes", "uneven sizes"],
)
def test_the_argument_is_named(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_a_head_without_depth():
    assert Head(8, 2, 3, depth=0)([torch.zeros(1, 8, 2, 2)]).shape == (1, 8, 3)
