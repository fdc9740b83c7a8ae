import torch

from coursekit.yolo import STRIDES, assign
from coursekit.yolo.assign import centres_inside
from coursekit.yolo.decode import cell_centres

CENTRES, CELL_STRIDES = cell_centres((64, 64), STRIDES)  # 64 + 16 + 4 cells


def boxes(*rows):
    return torch.tensor(rows, dtype=torch.float32).reshape(-1, 4)


def everywhere(box, classes=2, score=0.5):
    """Every cell predicts this one box."""
    return torch.full((len(CENTRES), classes), score), boxes(box).repeat(len(CENTRES), 1)


def test_no_objects_is_all_background():
    scores, predicted = everywhere([0, 0, 8, 8])
    plan = assign(scores, predicted, CENTRES, boxes(), torch.zeros(0, dtype=torch.int64))
    assert (plan.owner == -1).all()
    assert plan.targets.shape == (84, 2)
    assert plan.targets.sum() == 0


def test_inside_is_strict_and_small_boxes_are_widened():
    centres = torch.tensor([[4.0, 4.0], [12.0, 4.0], [20.0, 4.0]])
    assert centres_inside(centres, boxes([4, 0, 20, 8], [11, 3, 13, 5])).tolist() == [[False, True, False], [False, True, False]]
    assert centres_inside(centres, boxes([7, 3, 9, 5])).tolist() == [[True, True, False]]  # 2 pixels wide, widened to 16: from 0 to 16
    assert centres_inside(centres, boxes()).shape == (0, 3)


def test_only_cells_inside_and_at_most_top_of_them():
    truth = boxes([0, 0, 40, 40])
    scores, predicted = everywhere([0, 0, 40, 40])
    plan = assign(scores, predicted, CENTRES, truth, torch.tensor([1]), top=10)
    positive = plan.owner >= 0
    assert positive.sum() == 10
    assert centres_inside(CENTRES, truth)[0][positive].all()
    assert (plan.targets[positive, 1] > 0.999).all()  # perfect boxes: be fully sure
    assert plan.targets[:, 0].sum() == 0
    assert plan.targets[~positive].sum() == 0


def test_an_object_of_two_pixels_gets_cells():
    scores, predicted = everywhere([30, 30, 34, 34])
    plan = assign(scores, predicted, CENTRES, boxes([31, 31, 33, 33]), torch.tensor([0]))
    assert (plan.owner == 0).sum() >= 4


def test_the_cell_that_frames_best_is_told_to_be_surest_and_as_sure_as_its_box_is_good():
    truth = boxes([0, 0, 32, 32])
    scores, predicted = everywhere([0, 0, 32, 16])
    predicted[0] = torch.tensor([0.0, 0, 32, 28])  # IoU 0.875, same width, centre 2 px off
    plan = assign(scores, predicted, CENTRES, truth, torch.tensor([0]))
    assert plan.targets[:, 0].argmax() == 0
    assert 0.85 < plan.targets[0, 0] < 0.875  # CIoU is a little less than IoU
    others = plan.targets[1:, 0].max()
    assert 0 < others < 0.1  # IoU 0.5 against 0.875, to the sixth power


def test_a_cell_wanted_by_two_goes_to_the_one_it_frames_better():
    truth = boxes([0, 0, 40, 40], [8, 8, 32, 32])
    scores, predicted = everywhere([8, 8, 32, 32])
    plan = assign(scores, predicted, CENTRES, truth, torch.tensor([0, 1]), top=50)
    inside_small = centres_inside(CENTRES, truth)[1]
    assert (plan.owner[inside_small] == 1).all()
    left_over = centres_inside(CENTRES, truth)[0] & ~inside_small
    assert (plan.owner[left_over] == 0).all()
    assert (plan.targets > 0).sum(dim=1).max() == 1  # never two classes in one cell


def test_the_more_confident_of_equal_boxes_is_chosen():
    truth = boxes([0, 0, 40, 40])
    scores, predicted = everywhere([0, 0, 40, 40], score=0.1)
    scores[18, 0] = 0.9  # the centre (20, 20)
    plan = assign(scores, predicted, CENTRES, truth, torch.tensor([0]), top=1)
    assert (plan.owner >= 0).nonzero().tolist() == [[18]]


def test_an_object_that_nothing_frames_asks_for_nothing():
    scores, predicted = everywhere([60, 60, 64, 64])
    plan = assign(scores, predicted, CENTRES, boxes([0, 0, 20, 20]), torch.tensor([0]))
    assert plan.targets.tolist() == torch.zeros(84, 2).tolist()


def test_a_hopeless_start_still_has_a_best_cell():
    """A box of 4 pixels, predictions of 64: IoU .004, to the sixth power 4e-15; what is left must not be rounded to nothing."""
    scores, predicted = everywhere([0, 0, 64, 64])
    plan = assign(scores, predicted, CENTRES, boxes([30, 30, 34, 34]), torch.tensor([0]))
    assert plan.targets.max().item() == torch.tensor(16 / 4096).item()


def test_more_top_than_cells():
    centres = CENTRES[-4:]
    plan = assign(torch.full((4, 1), 0.5), boxes([0, 0, 64, 64]).repeat(4, 1), centres, boxes([0, 0, 64, 64]), torch.tensor([0]), top=10)
    assert (plan.owner == 0).all()
