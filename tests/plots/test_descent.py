import matplotlib
import matplotlib.pyplot as plt
import pytest

from coursekit.plots.descent import (
    show_landscapes,
    show_line_panels,
    show_lines,
    show_paths,
    show_schedule_case,
    show_slopes,
)
from coursekit.plots.images import get_alt
from coursekit.training.optimisers import sgd
from coursekit.training.surfaces import SURFACES, VALLEY, descend

matplotlib.use("Agg")


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


def test_slopes_number_the_first_places_and_leave_out_what_is_outside():
    figure = show_slopes(lambda w: w**2, {"small": [3.0, 2.0, 1.0], "explodes": [3.0, -9.0, 30.0]}, (-5, 5), "Two rates")
    small, explodes = figure.axes
    assert [text.get_text() for text in small.texts] == ["0", "1", "2"]
    assert [text.get_text() for text in explodes.texts] == ["0"]
    assert list(small.lines[1].get_ydata()) == [9.0, 4.0, 1.0]
    assert (small.get_xlabel(), small.get_ylabel()) == ("weight", "loss")
    assert "explodes: from 3 to 30 in 2 steps" in get_alt(figure)


def test_paths_are_drawn_until_they_leave_the_picture():
    fine, lost = descend(sgd, VALLEY, 0.05, 20), descend(sgd, VALLEY, 10.0, 400)
    assert not lost[-1].isfinite().all()
    figure = show_paths(VALLEY, {"fine": fine, "lost": lost})
    drawn = {line.get_label(): line for line in figure.axes[0].lines}
    assert len(drawn["fine"].get_xdata()) == 21
    assert len(drawn["lost"].get_xdata()) == 2  # where it began, and the direction in which it left
    low, high = figure.axes[0].get_ylim()
    assert not low <= drawn["lost"].get_ydata()[1] <= high
    assert abs(drawn["lost"].get_ydata()[1]) < 20 * (high - low)  # a line to 10 ** 100 would not be drawn
    assert len({(line.get_color(), line.get_linestyle(), line.get_marker()) for line in (drawn["fine"], drawn["lost"])}) == 2
    assert figure.axes[0].get_xlabel() == "weight 1"
    assert "a narrow valley, lowest 0" in get_alt(figure)


@pytest.mark.parametrize("count", [1, 4, 5])
def test_landscapes_share_a_legend_and_hide_empty_panels(count):
    walks = [(surface, {"SGD": descend(sgd, surface, 0.001, 3)}) for surface in SURFACES[:count]]
    figure = show_landscapes(walks, "Side by side")
    assert [ax.get_title() for ax in figure.axes if ax.axison] == [s.name for s in SURFACES[:count]]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["SGD"]
    assert all(surface.name in get_alt(figure) for surface in SURFACES[:count])


def test_lines_leave_out_what_is_no_number():
    figure = show_lines({"a": ([1, 2, 3], [5.0, float("nan"), 7.0]), "b": ([1], [float("inf")])}, "T", "rate", "loss", log="xy")
    ax = figure.axes[0]
    assert list(ax.lines[0].get_xdata()) == [1.0, 3.0]
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    assert get_alt(figure) == "T. loss over rate: a from 5 to 7; b: no number."
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["a", "b"]


def test_lines_can_go_into_a_picture_that_is_there():
    _, ax = plt.subplots()
    assert show_lines({"a": ([1, 2], [5.0, 6.0])}, "T", "x", "y", ax=ax) is ax.figure
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["a"]


def test_line_panels_stand_on_one_height():
    figure = show_line_panels({"left": {"a": ([0, 1], [1.0, 2.0])}, "right": {"a": ([0, 1], [3.0, 9.0])}}, "Two", "step", "loss")
    left, right = figure.axes
    assert left.get_ylim() == right.get_ylim()
    assert (left.get_title(), right.get_title()) == ("left", "right")
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["a"]
    assert left.get_legend() is right.get_legend() is None
    assert "right: a ends at 9" in get_alt(figure)


def test_a_schedule_shows_what_was_asked_and_what_came():
    figure = show_schedule_case(4, 12, 4, 0.0, 0.96, 1.0)
    assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()] == ["the schedule", "expected 0.960", "got 1.000"]
    assert len(show_schedule_case(0, 1, 0, 0.1, 0.1, None).axes[0].lines) == 2
