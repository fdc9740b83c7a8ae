from itertools import pairwise

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
