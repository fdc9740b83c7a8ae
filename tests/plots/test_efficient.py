"""Pictures of notebook 10: what they count, what they say, and that the sliders' logic needs no browser."""

import matplotlib
import matplotlib.pyplot as plt
import pytest

from coursekit.plots.efficient import (
    compare,
    drag_separable,
    separable_picture,
    show_bars,
    show_throughput,
    show_work_against_time,
)
from coursekit.plots.images import get_alt

matplotlib.use("Agg")


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


@pytest.mark.parametrize(
    ("setting", "parameters"),
    [((3, 64, 3), (1728, 27, 192)), ((3, 1, 3), (27, 27, 3)), ((8, 8, 1), (64, 8, 64))],
    ids=["the plan's example", "separable costs more", "nothing to look around"],
)
def test_compare_by_hand(setting, parameters):
    found = compare(*setting, size=10)
    assert found.parameters == parameters
    assert found.multiply_adds == tuple(p * 100 for p in parameters)
    assert found.ratio == pytest.approx(parameters[0] / (parameters[1] + parameters[2]))


def test_a_separable_one_that_costs_more_says_so():
    assert str(compare(256, 1, 3, 32)).endswith("1.11 times as many multiply-adds")
    assert str(compare(64, 64, 3, 32)).endswith("7.9 times fewer multiply-adds")
    assert "1.11 times as many" in separable_picture([(256, 1, 3)]).axes[0].get_title()


def test_the_ratio_is_the_papers():
    """One over 1 / out + 1 / kernel squared: arXiv 1704.04861, section 3.1."""
    assert compare(32, 64, 3, 7).ratio == pytest.approx(1 / (1 / 64 + 1 / 9))


def test_pictures_say_their_numbers():
    assert "3 to 64 channels, 3x3: regular 1,728 weights; separable 27 + 192 = 219" in get_alt(separable_picture([(3, 64, 3)]))
    assert get_alt(show_bars({"a": 2.0, "b": 0.5}, "Bars", "ms")) == "Bars. ms: a 2, b 0.5."
    assert "4 M in 2.0 ms" in get_alt(show_work_against_time({"a": 4.0, "b": 9.0}, {"a": 2.0, "b": 3.0}, "Work"))
    assert "a: 1: 10, 4: 30" in get_alt(show_throughput([1, 4], {"a": [10, 30]}, {"a": [100, 133]}))
    with pytest.raises(ValueError, match="must have the same names"):
        show_work_against_time({"a": 1.0}, {"b": 1.0}, "Work")


def test_the_sliders_recompute():
    pytest.importorskip("ipywidgets")
    shown = drag_separable(3, 64, 3)
    assert repr(shown).startswith("3 to 64 channels, 3x3: regular 1,728 weights")
    row, line, picture = shown.make_widget().children
    before = picture.value
    row.children[1].value = 128
    assert "regular 3,456 weights; separable 27 + 384 = 411" in line.value
    assert picture.value != before
