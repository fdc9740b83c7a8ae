import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pytest

from coursekit.plots.classic_regions import grouped_labels, mean_colours, show_grouping, show_recall
from coursekit.plots.images import get_alt

LABELS = np.array([[0, 0, 1, 1], [2, 2, 3, 3]])
MERGES = [(0, 2), (1, 3), (4, 5)]


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


@pytest.mark.parametrize(
    ("steps", "expected"),
    [(0, [[0, 0, 1, 1], [2, 2, 3, 3]]), (1, [[4, 4, 1, 1], [4, 4, 3, 3]]), (2, [[4, 4, 5, 5]] * 2), (3, [[6] * 4] * 2)],
)
def test_segments_after_some_merges(steps, expected):
    assert grouped_labels(LABELS, MERGES, steps).tolist() == expected


def test_a_region_has_its_mean_colour_and_a_line_around_it():
    image = np.zeros((2, 4, 3), np.uint8)
    image[:, :2] = [[[10, 0, 0], [30, 0, 0]]] * 2
    painted = mean_colours(image, grouped_labels(LABELS, MERGES, 2))
    assert painted[:, :2].tolist() == [[[20, 0, 0]] * 2] * 2
    assert not painted[:, 2].any()


def test_grouping_shows_as_many_regions_as_it_says():
    figure = show_grouping(np.zeros((2, 4, 3), np.uint8), LABELS, MERGES, (9, 2), "Grouping")
    assert [ax.get_title() for ax in figure.axes] == ["picture", "4 regions", "2 regions"]
    assert get_alt(figure) == "Grouping: the picture, then 4, 2 regions in their mean colours."


def test_recall_curves_differ_by_more_than_colour():
    figure = show_recall([1, 10], {"a": [0.1, 0.5], "b": [0.0, 0.25]}, "Recall")
    lines = figure.axes[0].lines
    assert len({(line.get_linestyle(), line.get_marker()) for line in lines}) == 2
    assert get_alt(figure) == "Recall. At 1, 10 proposals: a 0.10, 0.50; b 0.00, 0.25."
