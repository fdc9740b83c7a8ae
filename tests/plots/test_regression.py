import matplotlib
import numpy as np
import pytest

from coursekit.metrics.regression import mae, mape, mse
from coursekit.plots.images import get_alt
from coursekit.plots.regression import best_constant, show_constant_guesses, show_predictions

matplotlib.use("Agg")
TRUTH = [2, 4, 10, 20, 50]
GUESSES = [2, 4, 10, 17.2, 50]


@pytest.fixture(autouse=True)
def close_figures():
    yield
    matplotlib.pyplot.close("all")


@pytest.mark.parametrize(("measure", "best"), [(mae, 10), (mse, 17.2), (mape, 2)], ids=["MAE: median", "MSE: mean", "MAPE: the lowest"])
def test_the_best_constant_by_hand(measure, best):
    found, values = best_constant(TRUTH, measure, GUESSES)
    assert found == best
    assert len(values) == len(GUESSES)
    assert values.min() == measure(TRUTH, np.full(5, best))


def test_of_equal_constants_the_smallest_counts():
    assert best_constant([1, 3], mae, [3, 2, 1])[0] == 1


def test_a_panel_a_measure_with_its_lowest_point_in_title_and_words():
    figure = show_constant_guesses(TRUTH, {"MAE": mae, "MAPE": mape}, GUESSES, unit="m")
    assert [ax.get_title() for ax in figure.axes] == ["lowest MAE at 10", "lowest MAPE at 2"]
    assert [ax.get_xlabel() for ax in figure.axes] == ["guess for all (m)"] * 2
    assert "MAPE is lowest at 2, where it is 0.632" in get_alt(figure)
    figure.canvas.draw()


def test_predictions_beside_their_errors():
    figure = show_predictions(np.array(TRUTH), np.array([3, 4, 8, 22, 40]), "Five signs", "m")
    left, right = figure.axes
    assert (left.get_xlabel(), left.get_ylabel(), right.get_xlabel()) == ("true (m)", "predicted (m)", "predicted minus true (m)")
    assert get_alt(figure) == "Five signs: 5 values. Errors from -10 to 2, -1.8 on average."
    figure.canvas.draw()
