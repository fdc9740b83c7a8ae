"""Parts that may move, at a price."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from coursekit.classic.parts import FACE, drawn_face, part_score, placed, response, spread

FITS = np.array([[1.0, 0, 0, 0], [0, 2, 0, 9], [0, 0, 0, 0]])


@pytest.mark.parametrize(
    ("x", "y", "cost", "reach", "expected"),
    [
        (1, 1, 1.0, 0, (2.0, 0, 0)),
        (1, 1, 1.0, 1, (2.0, 0, 0)),
        (1, 1, 1.0, 2, (5.0, 2, 0)),
        (1, 1, 2.0, 2, (2.0, 0, 0)),
        (3, 1, 1.0, 2, (9.0, 0, 0)),
        (0, 0, 0.5, 1, (1.0, 0, 0)),
        (2, 0, 1.0, 1, (7.0, 1, 1)),
        (0, 2, 0.0, 3, (9.0, 3, -1)),
        (0, 2, 5.0, 3, (0.0, 0, 0)),
    ],
    ids=["rigid", "near", "far is worth it", "far is too dear", "at home", "corner", "diagonal costs two", "free", "all too dear"],
)
def test_part_score_by_hand(x, y, cost, reach, expected):
    assert part_score(FITS, x, y, cost, reach) == expected


def test_of_equal_scores_the_cheapest_move_wins():
    assert part_score(np.array([[1.0, 0, 2]]), 1, 0, 1.0, 1) == (1.0, 1, 0)
    assert part_score(np.array([[0.0, 1]]), 0, 0, 1.0, 1) == (0.0, 0, 0)


@settings(deadline=None, max_examples=40)
@given(arrays(np.int64, st.tuples(st.integers(1, 5), st.integers(1, 5)), elements=st.integers(-5, 5)), st.integers(0, 3), st.integers(0, 2))
def test_the_transform_is_the_score_at_every_anchor(fits, reach, cost):
    moved = spread(fits, cost, reach)
    for y, x in np.ndindex(fits.shape):
        assert moved[y, x] == part_score(fits, x, y, cost, reach)[0]
    assert (moved >= fits).all()  # staying is free


def test_response_equals_scipys_correlation():
    from scipy.signal import correlate2d

    image, template = np.random.default_rng(0).random((9, 11)), FACE[0].template
    np.testing.assert_allclose(response(image, template), correlate2d(image, template, "valid"), atol=1e-12)


def test_filters_ignore_even_light():
    for part in FACE:
        assert abs(part.template.sum()) < 1e-12
        assert abs(response(np.full((30, 30), 0.7), part.template)).max() < 1e-12


def test_a_moved_part_is_found_and_costs_its_move():
    moves = {"left eye": (-1, 1), "mouth": (2, 0)}
    still, moved = drawn_face(), drawn_face(moves)
    assert [p[1:] for p in placed(still, FACE, 4, 4, 0.02, 3)] == [(0, 0)] * 4
    found = placed(moved, FACE, 4, 4, 0.02, 3)
    assert [p[1:] for p in found] == [(-1, 1), (0, 0), (0, 0), (2, 0)]
    best = placed(still, FACE, 4, 4, 0.02, 3)
    assert found[0][0] == pytest.approx(best[0][0] - 0.02 * 2)
    assert found[3][0] == pytest.approx(best[3][0] - 0.02 * 4)
    rigid = placed(moved, FACE, 4, 4, 0.02, 0)
    assert sum(p[0] for p in rigid) < sum(p[0] for p in found) - 0.3


def test_a_part_that_the_face_does_not_have_is_named():
    with pytest.raises(ValueError, match=r"moves must name parts of the face .*, got 'ear'"):
        drawn_face({"ear": (1, 0)})
