"""Which cell answers, by hand and by property."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from coursekit.grid import cell_centres, cell_of, collisions, covered_cells, encode_targets


def boxes(*rows):
    return torch.tensor(rows, dtype=torch.float32).reshape(-1, 4)


@pytest.mark.parametrize(
    ("rows", "stride", "expected"),
    [
        ([], 16, []),
        ([[24, 8, 64, 56]], 16, [[2, 2]]),
        ([[40, 2, 60, 22]], 16, [[0, 3]]),  # centre (50, 12): row 0, column 3
        ([[0, 0, 32, 32]], 16, [[1, 1]]),  # on the corner of four cells: the right lower one
        ([[31, 15, 32, 16]], 16, [[0, 1]]),
        ([[40, 2, 60, 22], [0, 0, 2, 2]], 8, [[1, 6], [0, 0]]),
    ],
)
def test_the_cell_of_a_centre_by_hand(rows, stride, expected):
    got = cell_of(boxes(*rows), stride)
    assert got.dtype == torch.int64
    assert got.shape == (len(rows), 2)
    assert got.tolist() == expected


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([], []),
        ([[0, 0, 9, 9]], [False]),
        ([[0, 0, 8, 8], [16, 0, 24, 8]], [False, False]),
        ([[0, 0, 8, 8], [6, 6, 14, 14]], [True, True]),
        ([[0, 0, 8, 8], [20, 20, 28, 28], [4, 4, 14, 14], [1, 1, 4, 4]], [True, False, True, True]),
        ([[0, 0, 8, 8], [0, 0, 128, 128]], [False, False]),  # overlapping is not colliding
    ],
)
def test_collisions_by_hand(rows, expected):
    got = collisions(boxes(*rows), 16)
    assert got.dtype == torch.bool
    assert got.tolist() == expected


def test_cell_centres_are_x_then_y():
    centres = cell_centres(2, 3, 16)
    assert centres.shape == (2, 3, 2)
    assert centres[1, 2].tolist() == [40, 24]
    assert centres[0, 0].tolist() == [8, 8]


@pytest.mark.parametrize(
    ("box", "shrink", "expected"),
    [
        ([24, 8, 64, 56], 0.0, [(2, 2)]),
        ([24, 8, 64, 56], 0.5, [(1, 2), (2, 2)]),  # from (34, 20) to (54, 44): the centres (40, 24) and (40, 40)
        ([24, 8, 64, 56], 1.0, [(1, 2), (1, 3), (2, 2), (2, 3)]),
        ([1, 1, 3, 3], 1.0, [(0, 0)]),  # no centre lies inside, and it is seen all the same
        ([0, 0, 64, 64], 0.25, [(2, 2)]),  # 24 and 40 lie on the edge of the region: outside
    ],
)
def test_covered_cells_by_hand(box, shrink, expected):
    covered = covered_cells(torch.tensor(box, dtype=torch.float32), (64, 64), 16, shrink)
    assert covered.shape == (4, 4)
    assert [tuple(cell) for cell in covered.nonzero().tolist()] == expected


whole = st.integers(0, 60)


@given(whole, whole, st.integers(1, 64), st.integers(1, 64), st.sampled_from([0.0, 0.3, 0.5, 1.0]), st.sampled_from([4, 8, 16]))
def test_every_box_in_the_image_is_covered_and_comes_back_from_each_of_its_cells(x, y, w, h, shrink, stride):
    box = torch.tensor([[x, y, min(x + w, 64), min(y + h, 96)]], dtype=torch.float32)
    coverage, corners = encode_targets(box, torch.tensor([1]), 3, (96, 64), stride, shrink)
    row, column = (coverage[1] == 1).nonzero(as_tuple=True)
    assert len(row) >= 1
    assert coverage[[0, 2]].sum() == 0
    centre = cell_centres(96 // stride, 64 // stride, stride)[row, column]
    back = centre.repeat(1, 2) + corners[:, row, column].T * stride
    torch.testing.assert_close(back, box.expand_as(back), rtol=0, atol=1e-4)
    more, less = (covered_cells(box[0], (96, 64), stride, s) for s in (1.0, shrink))
    assert bool((more | ~less).all())  # a smaller region covers no other cells


def test_no_objects_no_coverage():
    coverage, corners = encode_targets(boxes(), torch.zeros(0, dtype=torch.int64), 2, (32, 48), 16)
    assert coverage.shape == (2, 2, 3)
    assert corners.shape == (4, 2, 3)
    assert coverage.sum() == corners.abs().sum() == 0


@pytest.mark.parametrize("order", [[0, 1], [1, 0]])
def test_a_cell_wanted_by_two_goes_to_the_smaller_whatever_the_order(order):
    both, labels = boxes([0, 0, 64, 64], [32, 32, 44, 44])[order], torch.tensor([0, 1])[order]
    coverage, corners = encode_targets(both, labels, 2, (64, 64), 16, 0.5)
    assert coverage[:, 2, 2].tolist() == [0, 1]
    assert corners[:, 2, 2].tolist() == [-0.5, -0.5, 0.25, 0.25]
    assert coverage[0].sum() == 3  # the larger one keeps the rest of its region
    assert coverage.sum(dim=0).max() == 1


def test_of_two_of_one_size_the_last_wins():
    coverage, _ = encode_targets(boxes([0, 0, 10, 10], [2, 2, 12, 12]), torch.tensor([0, 1]), 2, (32, 32), 16)
    assert coverage[:, 0, 0].tolist() == [0, 1]


def test_a_centre_outside_the_image_wraps_around_to_no_cell():
    coverage, _ = encode_targets(boxes([-20, 4, -10, 12], [40, 4, 60, 12]), torch.tensor([0, 0]), 1, (32, 32), 16, 0.0)
    assert coverage.sum() == 0


def test_what_does_not_fit_is_named():
    with pytest.raises(ValueError, match=r"size_hw must be multiples of stride 16, got \(40, 64\)"):
        encode_targets(boxes(), torch.zeros(0), 1, (40, 64), 16)
    with pytest.raises(ValueError, match=r"labels must have shape \(1,\), one for each box, got \(2,\)"):
        encode_targets(boxes([0, 0, 1, 1]), torch.zeros(2), 1, (64, 64), 16)
