import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest

from coursekit.plots.fitting import (
    PANELS,
    shares_a_mean,
    show_activations,
    show_curves,
    show_fits,
    show_map,
    show_norm_axes,
)
from coursekit.plots.images import get_alt

matplotlib.use("Agg")


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


def test_fits_show_the_points_the_truth_and_the_curve_in_every_panel():
    x = np.linspace(0, 1, 5)
    figure = show_fits((x, x), {"degree 1\nright": (x, x), "degree 4": (x, x**2)}, (x, x), "Fits")
    assert [ax.get_title() for ax in figure.axes] == ["degree 1\nright", "degree 4"]
    assert [len(ax.lines) for ax in figure.axes] == [3, 3]
    assert "degree 1, right; degree 4" in get_alt(figure)


def test_a_curve_of_several_seeds_is_its_mean_with_a_band_from_lowest_to_highest():
    figure = show_curves([1, 2], {"a": [[1, 3], [3, 7]], "b": [0, 0]}, "T", "x", "y")
    ax = figure.axes[0]
    assert ax.lines[0].get_ydata().tolist() == [2, 5]
    corners = ax.collections[0].get_paths()[0].vertices
    assert (corners[:, 1].min(), corners[:, 1].max()) == (1, 7)
    assert len(ax.collections) == 1  # b has one seed: no band
    assert ax.lines[0].get_linestyle() != ax.lines[1].get_linestyle()
    assert "a: from 2 at 1 to 5 at 2." in get_alt(figure)


def test_a_curve_that_explodes_ends_with_a_cross_where_it_was_last_a_number():
    figure = show_curves([1, 2, 3], {"run": [1.0, 100.0, float("nan")]}, "T", "x", "y", log_y=True)
    assert figure.axes[0].lines[-1].get_xydata().tolist() == [[2, 100]]
    assert "then infinite or NaN" in get_alt(figure)
    assert "no finite value" in get_alt(show_curves([1], {"run": [float("inf")]}, "T", "x", "y"))


def test_a_curve_of_another_length_is_named():
    with pytest.raises(ValueError, match="run must hold 2 values, one for each x, got 3"):
        show_curves([1, 2], {"run": [1, 2, 3]}, "T", "x", "y")


def test_map_frames_the_smallest_of_each_row_and_leaves_nan_empty():
    figure = show_map([[2.0, 1.0], [5000.0, float("nan")]], [8, 12], [0, 1], "T", "degree", "points")
    ax = figure.axes[0]
    assert [text.get_text() for text in ax.texts] == ["2.00", "1.00", "≫"]
    assert [round(patch.get_x() + 0.47) for patch in ax.patches] == [1, 0]
    assert "points 8: smallest 1.00 at 1" in get_alt(figure)


def test_activations_name_the_size_of_each_layer():
    figure = show_activations({"small": {"layer 1": np.ones(4) * 2, "layer 2": np.zeros((2, 2))}}, "T")
    assert [ax.get_title() for ax in figure.axes] == ["layer 1: size 2", "layer 2: size 0"]
    beyond = show_activations({"large": {"layer 1": np.ones(4), "layer 2": np.array([1.0, 9.0])}}, "T")
    assert "50% beyond the edge" in beyond.axes[1].get_title()


@pytest.mark.parametrize(("kind", "expected"), [("batch norm", 4), ("layer norm", 6), ("group norm, 2 groups", 3)])
def test_what_shares_a_mean(kind, expected):
    assert sum(shares_a_mean(kind, n, c, 6) for n in range(4) for c in range(6)) == expected


def test_the_block_is_hatched_where_a_mean_is_shared():
    figure = show_norm_axes(samples=4, channels=6)
    assert [ax.get_title().split("\n")[0] for ax in figure.axes] == list(PANELS)
    hatched = [sum(patch.get_hatch() == "//" for patch in ax.patches) for ax in figure.axes]
    assert hatched == [4 + 4 + 1, 6 + 1, 3 + 1]  # front, and of those at the edges the top and the side
    with pytest.raises(ValueError, match="kind must be one of batch norm, layer norm"):
        shares_a_mean("instance norm", 0, 0, 6)
