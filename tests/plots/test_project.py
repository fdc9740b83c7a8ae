"""Pictures of a project: what is compared is drawn, in words too, and the best of many submissions is told apart from a good one."""

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from coursekit.plots.images import get_alt
from coursekit.plots.project import Mended, best_of, show_ablation, show_best_of, show_by_class, show_mended

matplotlib.use("Agg")


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


def picture(side=20):
    return torch.zeros(3, side, side, dtype=torch.uint8)


# as written, and as used


def test_what_was_written_stands_above_what_is_used():
    figure = show_mended(
        [
            Mended(picture(), "past the edge", [[5, 5, 30, 15]], [[5, 5, 20, 15]]),
            Mended(picture(), "twice", [[1, 1, 9, 9]] * 2, [[1, 1, 9, 9]]),
        ]
    )
    above, other, below, _ = figure.axes
    assert [patch.get_bbox().extents.tolist() for patch in above.patches] == [[5, 5, 30, 15]] * 2  # the box, and the dark line under it
    assert [patch.get_bbox().extents.tolist() for patch in below.patches] == [[5, 5, 20, 15]] * 2
    assert (above.get_title(), other.get_title()) == ("past the edge", "twice")
    assert "past the edge: 1 boxes written, 1 used; twice: 2 boxes written, 1 used" in get_alt(figure)
    assert above.get_xlim()[1] > 20, "what lies outside must be seen"


def test_a_box_without_area_is_marked_where_it_lies():
    above, below = show_mended([Mended(picture(), "no area", [[4, 6, 4, 6]], [])]).axes
    assert [(line.get_xdata()[0], line.get_ydata()[0]) for line in above.lines] == [(4, 6)]
    assert not below.patches


def test_nothing_to_show_is_said():
    with pytest.raises(ValueError, match="cases must hold at least one picture, got none"):
        show_mended([])


# what noise is


def test_an_ablation_shades_the_baselines_own_spread():
    figure = show_ablation({"baseline": [0.5, 0.6, 0.7], "wider": [0.8]}, "baseline", "T", "macro-F1")
    (ax,) = figure.axes
    (span,) = ax.patches
    assert span.get_bbox().extents[[0, 2]].tolist() == pytest.approx([0.4, 0.8])  # 0.6 ± 2 · 0.1
    assert [text.get_text() for text in ax.texts] == ["0.600", "0.800  (+0.200)"]
    assert "wider 0.800 (mean 0.800, +0.200)" in get_alt(figure)
    assert "Two standard deviations of the baseline are 0.200" in get_alt(figure)


def test_one_seed_has_no_spread_to_shade():
    (ax,) = show_ablation({"baseline": [0.5], "wider": [0.8]}, "baseline", "T", "AP").axes
    assert not ax.patches
    assert ax.get_legend() is None


@pytest.mark.parametrize(
    ("values", "baseline", "message"),
    [
        ({}, "a", r"baseline must be one of \[\], got 'a'"),
        ({"a": [1.0]}, "b", r"baseline must be one of \['a'\], got 'b'"),
        ({"a": [1.0], "b": []}, "a", "values must hold a number for every setting"),
    ],
)
def test_an_ablation_that_cannot_be_drawn_is_named(values, baseline, message):
    with pytest.raises(ValueError, match=message):
        show_ablation(values, baseline, "T", "AP")


# for whom


def test_each_class_has_its_interval_and_its_count():
    figure = show_by_class({"worn": (0.8, 0.7, 0.9, 120), "badly worn": (float("nan"), float("nan"), float("nan"), 0)}, "T", "AP50")
    (ax,) = figure.axes
    assert [list(line.get_xdata()) for line in ax.lines] == [[0.7, 0.9], [0.8]]
    assert [text.get_text() for text in ax.texts] == ["120 objects", "no value: no object of this class", "0 objects"]
    assert "worn: 0.800, from 0.700 to 0.900, 120 objects; badly worn: no value, 0 objects" in get_alt(figure)


def test_a_value_without_an_interval_is_a_point():
    (ax,) = show_by_class({"worn": (0.8, float("nan"), float("nan"), 1)}, "T", "AP50").axes
    assert list(ax.lines[0].get_xdata()) == [0.8, 0.8]
    assert ax.texts[0].get_text() == "1 object"


def test_no_class_is_said():
    with pytest.raises(ValueError, match="rows must hold at least one class, got none"):
        show_by_class({}, "T", "AP50")


# how a leaderboard fools


def test_one_submission_is_what_it_is():
    assert [line.tolist() for line in best_of([0.5], [0.25])] == [[0.5], [0.25]]


def test_in_the_end_the_best_public_one_is_kept_whatever_the_order():
    seen, kept = best_of([0.1, 0.9, 0.5], [0.7, 0.2, 0.3])
    assert (seen[-1], kept[-1]) == (pytest.approx(0.9), pytest.approx(0.2))
    assert (np.diff(seen) >= 0).all()
    assert seen[0] == pytest.approx(0.5, abs=0.1)  # the mean of one drawn at random


def test_of_equal_scores_the_first_is_kept():
    _, kept = best_of([0.5, 0.5], [0.0, 1.0], orders=400)
    assert kept[0] == kept[1] == pytest.approx(0.5, abs=0.1)  # a tie changes nothing, in each order


def test_the_same_seed_gives_the_same_lines():
    scores = np.random.default_rng(0).random((2, 12))
    assert all(np.array_equal(one, other) for one, other in zip(best_of(*scores, seed=3), best_of(*scores, seed=3), strict=True))


@pytest.mark.parametrize(("public", "private"), [([], []), ([0.1, 0.2], [0.1])])
def test_scores_of_different_submissions_are_refused(public, private):
    with pytest.raises(ValueError, match="public and private must be the scores of the same submissions, at least one"):
        best_of(public, private)


def test_the_picture_of_it_says_both_ends():
    figure = show_best_of([0.1, 0.9, 0.5], [0.7, 0.2, 0.3], "T", "AP50")
    (ax,) = figure.axes
    assert [line.get_label() for line in ax.lines] == [
        "best public score so far",
        "private score of that submission",
        "mean private score of all",
    ]
    assert "after 3 the best public score is 0.900, and the same submission has 0.200 in private" in get_alt(figure)
