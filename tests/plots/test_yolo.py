from itertools import pairwise

import numpy as np
import pytest
import torch

from coursekit.plots import yolo
from coursekit.plots.images import get_alt
from coursekit.yolo.decode import cell_centres

IMAGE = torch.zeros(3, 64, 96, dtype=torch.uint8)


def test_levels_put_each_cell_where_it_looks():
    scores = torch.zeros(96 + 24 + 6, 2)
    scores[96 + 7, 1] = 0.8  # stride 16, row 1, column 1
    figure = yolo.show_levels(IMAGE, scores)
    maps = [ax.images[1].get_array() for ax in figure.axes[:3]]
    assert [m.shape for m in maps] == [(8, 12), (4, 6), (2, 3)]
    assert maps[1][1, 1] == pytest.approx(0.8)
    assert "0.80 at stride 16" in get_alt(figure)


def test_levels_of_another_image_are_refused():
    with pytest.raises(ValueError, match="scores must have 126 rows for an image of 64x96, got 5"):
        yolo.show_levels(IMAGE, torch.zeros(5, 2))


@pytest.mark.parametrize(
    ("boxes", "owned", "words"), [(torch.zeros(0, 4), [], "none"), (torch.tensor([[8.0, 8, 40, 40]]), [3, 4], "2 for object 0")]
)
def test_owners_are_counted_in_words(boxes, owned, words):
    centres, strides = cell_centres((64, 96), (8, 16, 32))
    owner = torch.full((len(centres),), -1)
    owner[owned] = 0
    assert words in get_alt(yolo.show_owners(IMAGE, boxes, owner, centres, strides))


def test_curves_differ_in_more_than_colour():
    figure = yolo.show_curves({"a": ([0, 1], [0.0, 0.5]), "b": ([0, 1], [1.0, 0.2])}, "title", "step", "IoU")
    assert len({line.get_linestyle() for line in figure.axes[0].lines}) == 2
    assert "a ends at 0.5; b ends at 0.2" in get_alt(figure)


def test_epochs_are_marked_at_whole_numbers_only():
    ticks = yolo.show_curves({"loss": (range(1, 4), [3.0, 2.0, 1.5])}, "title", "epoch", "loss").axes[0].get_xticks()
    assert all(tick == int(tick) for tick in ticks)
    assert any(t != int(t) for t in yolo.show_curves({"loss": ([1.0, 2.0, 3.0], [3, 2, 1])}, "title", "rate", "loss").axes[0].get_xticks())


def test_a_table_shows_every_seed():
    figure = yolo.show_table({"with": [0.5, 0.6], "without": [0.1, 0.2]}, "title", "AP")
    assert sum(len(line.get_xdata()) for line in figure.axes[0].lines) == 4
    assert "with 0.550, without 0.150" in get_alt(figure)


def test_long_names_of_a_table_are_broken_so_that_they_stand_beside_each_other():
    rows = {"fine map starts small": [0.5], "all of it": [0.6], "task on one map, 4 strides": [0.4], "x": [0.1], "y": [0.1], "z": [0.2]}
    figure = yolo.show_table(rows, "title", "AP")
    figure.canvas.draw()
    boxes = [label.get_window_extent() for label in figure.axes[0].get_xticklabels()]
    assert all(left.x1 < right.x0 for left, right in pairwise(boxes))


def minutes(who, after, seed, ap):
    return {"who": who, "minutes": after, "seed": seed, "AP": ap, "AP interval": [ap - 0.02, ap + 0.03]}


def test_ap_by_minutes_has_a_line_each_with_its_interval_and_further_seeds_as_dots():
    rows = [minutes("ours", 10, 0, 0.6), minutes("ours", 1, 0, 0.5), minutes("ours", 1, 1, 0.52), minutes("theirs", 10, 0, 0.55)]
    figure = yolo.show_minutes(rows, "AP by minutes")
    (ax,) = figure.axes
    assert [line.get_text() for line in ax.get_legend().get_texts()] == ["ours", "theirs"]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["1", "10"]
    assert len({container[0].get_linestyle() for container in ax.containers}) == 2
    assert "ours 0.500 after 1, 0.600 after 10; theirs 0.550 after 10" in get_alt(figure)
    dots = [line for line in ax.lines if line.get_marker() == "."]
    assert [list(line.get_ydata()) for line in dots] == [[0.52], []]


def test_ap_by_minutes_of_nothing_is_refused():
    with pytest.raises(ValueError, match="rows must hold at least one measurement"):
        yolo.show_minutes([], "title")


def test_two_confusion_matrices_say_how_many_are_right():
    good, bad = np.array([[3, 0, 1], [0, 2, 0], [0, 1, 0]]), np.array([[0, 2, 0], [3, 0, 1], [0, 1, 0]])
    figure = yolo.show_two_runs(good, bad, ["stop", "yield"], ("as it is", "labels shifted"))
    assert "as it is: 5 of 6 objects" in get_alt(figure)
    assert "labels shifted: 0 of 6" in get_alt(figure)
    assert [ax.get_xlabel() for ax in figure.axes] == ["true", "true"]
