import pytest
import torch

from coursekit.boxes import batched_nms, box_iou
from coursekit.metrics.simple import simple_ap
from coursekit.pretend import pretend_detections

TARGET = {"boxes": torch.tensor([[10.0, 20, 60, 80], [100, 100, 140, 150]]), "labels": torch.tensor([1, 4])}
NOTHING = {"boxes": torch.zeros(0, 4), "labels": torch.zeros(0, dtype=torch.int64)}


def dice(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(
    ("target", "copies", "alarms", "count"), [(NOTHING, 6, 0, 0), (NOTHING, 6, 5, 5), (TARGET, 0, 2, 2), (TARGET, 3, 2, 8)]
)
def test_as_many_as_asked_for_best_first_and_inside(target, copies, alarms, count):
    found = pretend_detections(target, 5, dice(), (160, 200), copies=copies, false_alarms=alarms)
    assert len(found) == count
    assert (found.scores.diff() <= 0).all()
    assert ((found.labels >= 0) & (found.labels < 5)).all()
    assert (found.boxes[:, 2:] >= found.boxes[:, :2]).all()
    assert (found.boxes >= 0).all()
    assert (found.boxes <= torch.tensor([200, 160, 200, 160])).all()


def test_the_same_dice_give_the_same_detections_and_others_do_not():
    first, again, other = (pretend_detections(TARGET, 5, dice(seed)) for seed in (1, 1, 2))
    assert torch.equal(first.boxes, again.boxes)
    assert torch.equal(first.scores, again.scores)
    assert not torch.equal(first.boxes, other.boxes)


def test_better_placed_boxes_are_mostly_surer_and_suppression_finds_the_objects():
    found = pretend_detections(TARGET, 5, dice(), copies=40, false_alarms=0, wrong_class=0)
    best = box_iou(found.boxes, TARGET["boxes"]).amax(dim=1)
    assert torch.corrcoef(torch.stack((best, found.scores)))[0, 1] > 0.2
    kept = found[batched_nms(found.boxes, found.scores, found.labels, 0.3)]
    assert simple_ap([TARGET["boxes"]], [kept.boxes], [kept.scores]) > 0.9


def test_a_share_gets_another_class():
    found = pretend_detections(TARGET, 5, dice(), copies=200, false_alarms=0, wrong_class=0.25)
    right = (found.labels == 1) | (found.labels == 4)  # a wrong label may be the other object's: so a little more than 0.75
    assert 0.7 < right.float().mean() < 0.9
    with pytest.raises(ValueError, match="num_classes must be at least 2"):
        pretend_detections(TARGET, 1, dice())
