import pytest
import torch
import torchvision
from hypothesis import given
from hypothesis import strategies as st

from coursekit.yolo import YOLO, assign, assign_by_centre, complete_iou, detection_loss, detections
from coursekit.yolo.decode import decode
from coursekit.yolo.loss import BOX_GAIN, CLASS_GAIN


def boxes(*rows):
    return torch.tensor(rows, dtype=torch.float32).reshape(-1, 4)


NOTHING = {"boxes": torch.zeros(0, 4), "labels": torch.zeros(0, dtype=torch.int64)}


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (boxes(), boxes(), []),
        (boxes([0, 0, 4, 2]), boxes([0, 0, 4, 2]), [1.0]),
        (boxes([0, 0, 2, 2]), boxes([2, 0, 4, 2]), [-4 / 20]),  # no overlap; centres 2 apart, hull 4 x 2
        (boxes([0, 0, 2, 2]), boxes([0, 0, 4, 4]), [1 / 4 - 2 / 32]),  # the same shape: only overlap and centres
    ],
    ids=["none", "same", "edges touch", "one in the other"],
)
def test_complete_iou_by_hand(a, b, expected):
    assert complete_iou(a, b).tolist() == pytest.approx(expected, abs=1e-5)


@given(st.integers(0, 10_000))
def test_complete_iou_equals_torchvision(seed):
    corners = torch.rand(2, 6, 2, 2, generator=torch.Generator().manual_seed(seed)).sort(dim=2).values * 50
    a, b = corners.flatten(2) + torch.tensor([0, 0, 1.0, 1.0])
    torch.testing.assert_close(complete_iou(a, b), 1 - torchvision.ops.complete_box_iou_loss(a, b), atol=1e-5, rtol=1e-5)


def test_boxes_apart_are_pulled_together():
    a = boxes([0, 0, 2, 2]).requires_grad_()
    complete_iou(a, boxes([10, 0, 12, 2])).sum().backward()
    assert a.grad[0, 0] + a.grad[0, 2] > 0.01  # moving right raises it, though the IoU is 0 and flat


def test_boxes_without_area_give_finite_gradients():
    a = boxes([3, 3, 3, 3]).requires_grad_()
    complete_iou(a, boxes([3, 3, 3, 3])).sum().backward()
    assert a.grad.isfinite().all()


def test_the_loss_is_the_weighted_sum_of_its_parts():
    torch.manual_seed(0)
    raw = YOLO(2, "n")(torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8))
    losses = detection_loss(raw, [{"boxes": boxes([8, 8, 40, 40]), "labels": torch.tensor([1])}, NOTHING])
    assert losses["loss"].item() == pytest.approx(CLASS_GAIN * losses["class"].item() + BOX_GAIN * losses["box"].item(), rel=1e-5)
    assert losses["box"] > 0


def test_images_without_objects_teach_silence():
    torch.manual_seed(0)
    model = YOLO(2, "n")
    losses = detection_loss(model(torch.zeros(2, 3, 64, 64, dtype=torch.uint8)), [NOTHING, NOTHING])
    losses["loss"].backward()
    assert losses["box"] == 0
    assert losses["class"] > 0
    assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())


def test_objects_are_looked_up_in_their_own_image():
    """The second image's object must be compared with the second image's boxes, also when the first image has none or many."""
    torch.manual_seed(0)
    model = YOLO(1, "n").eval()
    image = torch.randint(0, 256, (1, 3, 64, 64), dtype=torch.uint8)
    one = {"boxes": boxes([10, 12, 50, 44]), "labels": torch.tensor([0])}
    two = {"boxes": boxes([0, 0, 30, 30], [20, 20, 60, 60]), "labels": torch.tensor([0, 0])}
    twice = model(image.expand(2, -1, -1, -1))
    separate = [detection_loss(model(image), [t]) for t in (two, one)]
    from coursekit.yolo.assign import assign
    from coursekit.yolo.decode import decode

    predicted, scores = decode(model(image))
    sizes = [assign(scores[0], predicted[0], twice.centres, t["boxes"], t["labels"]).targets.sum().clamp(min=1) for t in (two, one)]
    together = detection_loss(twice, [two, one])
    total = (sizes[0] + sizes[1]) if sum(sizes) > 2 else torch.tensor(1.0)
    expected = sum(part["box"] * size for part, size in zip(separate, sizes, strict=True)) / total
    assert together["box"].item() == pytest.approx(expected.item(), rel=0.02)


def test_one_batch_is_learned_by_heart():
    """Two pictures, two kinds of squares: after some tiny steps they are found where they are."""
    torch.manual_seed(0)
    images = torch.full((2, 3, 64, 64), 114, dtype=torch.uint8)
    images[0, 0, 8:32, 8:32] = 255
    images[1, 2, 24:56, 16:48] = 255
    truth = [
        {"boxes": boxes([8, 8, 32, 32]), "labels": torch.tensor([0])},
        {"boxes": boxes([16, 24, 48, 56]), "labels": torch.tensor([1])},
    ]
    model = YOLO(2, "n").train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    seen = []
    for _ in range(80):
        losses = detection_loss(model(images), truth)
        losses["loss"].backward()
        optimizer.step()
        optimizer.zero_grad()
        seen.append(losses["loss"].item())
    assert seen[-1] < seen[0] / 5
    with torch.no_grad():
        found = detections(model(images), confidence=0.3)  # in train mode: 80 steps are too few for the running averages
    for one, wanted in zip(found, truth, strict=True):
        assert one.labels[0] == wanted["labels"][0]
        assert torchvision.ops.box_iou(one.boxes[:1], wanted["boxes"]).item() > 0.7


def test_another_assignment_can_be_asked_for():
    torch.manual_seed(0)
    raw = YOLO(2, "n")(torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8))
    one = {"boxes": boxes([8, 8, 40, 40]), "labels": torch.tensor([1])}
    losses = detection_loss(raw, [one, NOTHING], assign=assign_by_centre)
    answering = [18, 19, 26, 27]  # the 4 cells of stride 8 within 12 pixels of (24, 24): 20 and 28 on both axes
    framed = complete_iou(decode(raw)[0][0, answering], one["boxes"].expand(4, 4))
    assert losses["box"].item() == pytest.approx((1 - framed).mean().item())  # the target is 1: each counts alike
    targets = torch.zeros_like(raw.logits)
    targets[0, answering, 1] = 1
    said = raw.logits.sigmoid()
    wrong = torch.where(targets == 1, said, 1 - said).log().sum() / -4
    assert losses["class"].item() == pytest.approx(wrong.item(), rel=1e-4)


def test_task_alignment_is_the_rule_unless_another_is_asked_for():
    torch.manual_seed(0)
    raw = YOLO(2, "n")(torch.randint(0, 256, (1, 3, 64, 64), dtype=torch.uint8))
    truth = [{"boxes": boxes([8, 8, 40, 40]), "labels": torch.tensor([1])}]
    usual = detection_loss(raw, truth)
    assert detection_loss(raw, truth, assign=lambda *arguments, strides: assign(*arguments)) == usual
    assert detection_loss(raw, truth, assign=assign_by_centre) != usual
