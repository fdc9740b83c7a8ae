import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from coursekit.yolo import STRIDES, assign, assign_by_centre
from coursekit.yolo.assign import centres_inside, suiting_stride
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


def by_centre(truth, labels=None, classes=2, **rule):
    labels = torch.zeros(len(truth), dtype=torch.int64) if labels is None else torch.tensor(labels)
    nothing_is_asked = torch.zeros(len(CENTRES), 4)
    return assign_by_centre(torch.rand(len(CENTRES), classes), nothing_is_asked, CENTRES, truth, labels, strides=CELL_STRIDES, **rule)


def owned(plan, number):
    """Centres and strides of the cells of one object."""
    mine = plan.owner == number
    return sorted(map(tuple, CENTRES[mine].tolist())), set(CELL_STRIDES[mine].tolist())


def test_by_centre_of_no_objects_is_all_background():
    plan = by_centre(boxes())
    assert plan.owner.tolist() == [-1] * 84
    assert plan.targets.tolist() == torch.zeros(84, 2).tolist()


def test_by_centre_takes_the_nine_cells_around_the_middle():
    plan = by_centre(boxes([0, 4, 56, 52]), [1])  # its middle, (28, 28), is the centre of a cell; 1.5 strides are 12 pixels
    expected = [(x, y) for x in (20.0, 28.0, 36.0) for y in (20.0, 28.0, 36.0)]
    assert owned(plan, 0) == (expected, {8.0})
    assert plan.targets.sum() == 9
    assert (plan.targets[plan.owner == 0] == torch.tensor([0.0, 1.0])).all()  # fully sure, of its own class


def test_by_centre_stays_inside_the_object():
    plan = by_centre(boxes([18, 4, 38, 52]))
    assert {x for x, _ in owned(plan, 0)[0]} == {20.0, 28.0, 36.0}
    plan = by_centre(boxes([20, 4, 36, 52]))  # the edges run through centres, and inside is strict
    assert {x for x, _ in owned(plan, 0)[0]} == {28.0}


@pytest.mark.parametrize(
    ("side", "reach", "stride"), [(8, 4, 8), (32, 4, 8), (33, 4, 16), (64, 4, 16), (32, 1, 32), (64, 1, 32), (64, 8, 8)]
)
def test_by_centre_the_longer_side_chooses_the_map(side, reach, stride):
    wide = by_centre(boxes([0, 20, side, 30]), reach=reach)
    tall = by_centre(boxes([20, 0, 30, side]), reach=reach)
    assert owned(wide, 0)[1] == owned(tall, 0)[1] == {stride}


def test_by_centre_a_cell_wanted_by_two_goes_to_the_smaller():
    plan = by_centre(boxes([0, 0, 56, 56], [20, 20, 36, 36]), [0, 1])  # both have their middle at (28, 28)
    assert owned(plan, 1)[0] == [(28.0, 28.0)]
    assert len(owned(plan, 0)[0]) == 8
    assert (plan.owner == by_centre(boxes([0, 0, 56, 56], [20, 20, 36, 36])).owner).all()  # whatever the labels
    turned = by_centre(boxes([20, 20, 36, 36], [0, 0, 56, 56]), [1, 0])  # and whatever the order
    assert turned.targets.tolist() == plan.targets.tolist()


@given(
    st.lists(st.tuples(st.floats(0, 63), st.floats(0, 63), st.floats(0.1, 64), st.floats(0.1, 64)), min_size=1, max_size=6),
    st.sampled_from([2.0, 4.0, 8.0]),
)
def test_by_centre_leaves_no_object_without_a_cell_unless_a_smaller_one_took_it(rows, reach):
    truth = boxes(*((x, y, min(x + w, 64), min(y + h, 64)) for x, y, w, h in rows))
    labels = [number % 2 for number in range(len(truth))]
    plan = by_centre(truth, labels, reach=reach)
    area = (truth[:, 2:] - truth[:, :2]).prod(dim=1)
    for number in range(len(truth)):
        alone = by_centre(truth[number : number + 1], [0], reach=reach).owner == 0
        assert alone.any()  # alone, every object has cells, the tiny, the thin and those at the edge too
        assert len(CELL_STRIDES[alone].unique()) == 1  # of one map
        taken = plan.owner[alone]
        assert (area[taken] <= area[number]).all()
    for number, owner in enumerate(plan.owner.tolist()):  # a cell has one owner and is told its class, or silence
        expected = [float(owner >= 0 and labels[owner] == label) for label in (0, 1)]
        assert plan.targets[number].tolist() == expected


def test_the_suiting_stride_is_that_of_the_finest_map_that_reaches():
    rows = boxes([0, 0, 64, 3], [0, 0, 3, 64.5], [0, 0, 128, 128], [0, 0, 500, 1], [5, 5, 6, 6])
    assert suiting_stride(rows, CELL_STRIDES).tolist() == [8, 16, 16, 32, 8]
    assert suiting_stride(rows, CELL_STRIDES, reach=4.0).tolist() == [16, 32, 32, 32, 8]
    assert suiting_stride(boxes(), CELL_STRIDES).shape == (0,)
