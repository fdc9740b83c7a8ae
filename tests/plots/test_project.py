"""Pictures of a project: what is compared is drawn, in words too, and the best of many submissions is told apart from a good one."""

import matplotlib
import matplotlib.pyplot as plt
import pytest
import torch

from coursekit.plots.images import get_alt
from coursekit.plots.project import Mended, show_ablation, show_best_of, show_by_class, show_mended

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
    assert "std" not in ax.get_xlabel()


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


def test_the_leaders_line_and_what_it_is_worth_are_told_apart():
    figure = show_best_of([[0.5, 0.7], [0.9, 0.2], [0.9, 0.2]], 0.6, "T", "AP50")
    (ax,) = figure.axes
    seen, kept, worth = ax.lines
    assert [list(seen.get_ydata()), list(kept.get_ydata())] == [[0.5, 0.9, 0.9], [0.7, 0.2, 0.2]]
    assert [list(seen.get_xdata()), worth.get_ydata()[0]] == [[1, 2, 3], 0.6]
    assert len({line.get_linestyle() for line in ax.lines}) == 3
    assert "after 3 it has 0.900 in public and 0.200 in private. Each is worth 0.60" in get_alt(figure)


@pytest.mark.parametrize(("leaders", "shape"), [([], r"\(0,\)"), ([0.5, 0.7], r"\(2,\)"), ([[0.5, 0.7, 0.1]], r"\(1, 3\)")])
def test_leaders_of_another_shape_are_refused(leaders, shape):
    with pytest.raises(ValueError, match=f"leaders must hold a public and a private score for each submission, shape .N, 2., got {shape}"):
        show_best_of(leaders, 0.5, "T", "AP")
