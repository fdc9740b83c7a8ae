"""Values over seeds: every seed has its dot, every mean its number, and what is compared is compared with the right row."""

import matplotlib
import matplotlib.pyplot as plt
import pytest

from coursekit.plots.images import get_alt
from coursekit.plots.seeds import show_seeds

matplotlib.use("Agg")


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


def test_every_seed_has_its_dot_and_the_mean_its_number():
    figure = show_seeds({"small": [0.5, 0.7], "large": [0.9]}, "Which?", "accuracy", limits=(0, 1))
    (ax,) = figure.axes
    assert [list(line.get_xdata()) for line in ax.lines if line.get_marker() == "o"] == [[0.5, 0.7], [0.9]]
    assert [list(line.get_xdata()) for line in ax.lines if line.get_linestyle() == "-"] == [[0.6, 0.6], [0.9, 0.9]]
    assert [text.get_text() for text in ax.texts] == ["0.600", "0.900"]
    assert [text.get_text() for text in ax.get_yticklabels()] == ["small", "large"]
    assert ax.get_xlim() == (0, 1)
    assert ax.get_ylabel() == "model"
    assert "small 0.500, 0.700 (mean 0.600); large 0.900 (mean 0.900)" in get_alt(figure)


def test_the_first_name_stands_at_the_top():
    bottom, top = show_seeds({"a": [1.0], "b": [2.0], "c": [3.0]}, "T", "x").axes[0].get_ylim()
    assert bottom > 2 > 0 > top


@pytest.mark.parametrize(
    ("against", "written", "line"),
    [("nothing", ["0.600  (+0.000)", "0.800  (+0.200)"], 0.6), ("dropout", ["0.600  (-0.200)", "0.800  (+0.000)"], 0.8)],
)
def test_rows_tell_what_they_gain_on_one_of_them(against, written, line):
    figure = show_seeds({"nothing": [0.5, 0.7], "dropout": [0.8, 0.8]}, "T", "accuracy", "cure", against=against)
    (ax,) = figure.axes
    assert [text.get_text() for text in ax.texts] == written
    assert [list(drawn.get_xdata()) for drawn in ax.lines if drawn.get_linestyle() == "--"] == [pytest.approx([line, line])]
    assert f"against {against}" in ax.get_xlabel()
    assert written[1] in get_alt(figure)


@pytest.mark.parametrize(
    ("values", "against", "message"),
    [
        ({}, None, "values must hold a number for every name, got {}"),
        ({"a": []}, None, "values must hold a number for every name"),
        ({"a": [1.0]}, "b", r"against must be one of \['a'\], got 'b'"),
    ],
)
def test_what_cannot_be_drawn_is_named(values, against, message):
    with pytest.raises(ValueError, match=message):
        show_seeds(values, "", "", against=against)
