import math

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from coursekit.plots.images import get_alt
from coursekit.plots.losses import (
    show_minus_log,
    show_one_answer,
    show_passes,
    show_saddle,
    show_staircase,
    show_step_sizes,
    show_walks,
)

matplotlib.use("Agg")


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


def test_one_answer_marks_the_lowest_point_of_each_loss():
    figure = show_one_answer([1, 2, 9], [1, 2, 4], {"MSE": [22, 16.7, 11], "MAE": [3, 2.7, 3.3]}, "Three values")
    assert [ax.get_title() for ax in figure.axes] == ["MSE: lowest at 4", "MAE: lowest at 2"]
    mark = figure.axes[0].lines[1]
    assert (mark.get_xdata()[0], mark.get_ydata()[0]) == (4, 11)
    assert all(ax.get_xlabel() and ax.get_ylabel() for ax in figure.axes)
    assert get_alt(figure) == "Three values. Values 1, 2, 9: MSE is lowest at 4; MAE is lowest at 2."


def test_a_curve_that_is_too_short_is_named():
    with pytest.raises(ValueError, match="MSE must have a value for each of the 3 answers, got 2"):
        show_one_answer([1], [1, 2, 3], {"MSE": [1, 2]}, "")


def test_minus_log_names_the_points():
    figure = show_minus_log((0.5, 0.1))
    assert [text.get_text() for text in figure.axes[0].texts] == ["p = 0.5: 0.69", "p = 0.1: 2.30"]
    curve = figure.axes[0].lines[0]
    np.testing.assert_allclose(curve.get_ydata(), -np.log(curve.get_xdata()))
    assert "p 0.1: 2.30" in get_alt(figure)


@pytest.mark.parametrize("p", [0.0, 1.5])
def test_a_probability_outside_its_range_is_named(p):
    with pytest.raises(ValueError, match=r"marked must lie in \(0, 1\]"):
        show_minus_log((p,))


CHAIN = [("inputs", [("x", 2, -18), ("w", 3, -12)]), ("product", [("z", 6, -6)]), ("loss", [("L", 9, 1)])]


def test_passes_write_value_and_slope_at_every_node_and_join_them_as_told():
    figure = show_passes(CHAIN, ["all", "own"], "A chain", edges={(1, 0, 0): "w = 4"})
    texts = [text.get_text() for text in figure.axes[0].texts]
    for wanted in ("inputs", "x = 2", "slope -18", "w = 3", "slope -12", "z = 6", "L = 9", "slope 1", "w = 4"):
        assert wanted in texts
    arrows = [text for text in figure.axes[0].texts if getattr(text, "arrow_patch", None)]
    assert len(arrows) == 3  # two into the product, one into the loss
    assert "z = 6, slope -6" in get_alt(figure)


def test_own_joins_only_what_stands_beside_each_other():
    pair = [("a", 1, 1), ("b", 2, 2)]
    figure = show_passes([("before", pair), ("after", pair)], ["own"], "ReLU")
    assert len([text for text in figure.axes[0].texts if getattr(text, "arrow_patch", None)]) == 2


def test_a_gap_without_a_word_is_named():
    with pytest.raises(ValueError, match="one word for each of the 2 gaps, got 1"):
        show_passes(CHAIN, ["all"], "")


def test_step_sizes_name_the_best_step_of_each_dtype():
    figure = show_step_sizes([1e-1, 1e-3, 1e-6], {"float64": [1e-2, 1e-6, 1e-10], "float32": [1e-2, 1e-4, 0.3]}, "Too large, too small")
    legend = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert legend == ["float64 is best at h = 1e-06 with 1e-10", "float32 is best at h = 1e-03 with 1e-04"]
    assert figure.axes[0].get_xscale() == figure.axes[0].get_yscale() == "log"
    assert legend[1] in get_alt(figure)


def test_walks_name_where_each_begins_and_ends():
    figure = show_walks(lambda w: w**2, -2, 2, [[2.0, 1.0, 0.5], [-1.0, -0.25]], "Two walks")
    assert "from 2 to 0.50, from -1 to -0.25" in get_alt(figure)
    assert len(figure.axes[0].get_legend().get_texts()) == 2
    ends = [line for line in figure.axes[0].lines if line.get_marker() == "x"]
    assert [line.get_xdata()[0] for line in ends] == [0.5, -0.25]


def test_a_saddle_shows_each_walk_on_the_surface_and_over_the_steps():
    walk = torch.tensor([[1.0, 0.0], [0.5, 0.0], [0.0, 0.0]], requires_grad=True)
    figure = show_saddle(lambda a, b: a**2 + (b**2 - 1) ** 2, {"on the ridge": walk}, "A saddle")
    assert get_alt(figure) == "A saddle. on the ridge: loss from 2.00 to 1.00."
    assert [round(float(v), 2) for v in figure.axes[1].lines[0].get_ydata()] == [2.0, 1.25, 1.0]


def test_the_staircase_counts_its_steps():
    figure = show_staircase([0, 1, 2, 3], [0.5, 0.5, 0.7, 0.7], [1.0, 0.9, 0.8, 0.75], "One weight")
    assert "accuracy takes 2 values between 0.50 and 0.70" in get_alt(figure)
    assert figure.axes[0].lines[0].get_drawstyle() == "steps-mid"
    assert not math.isnan(figure.axes[1].lines[0].get_ydata()[0])
