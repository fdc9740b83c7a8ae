"""The table of detectors as a picture: every number in its words, nothing missing in silence."""

import itertools

import matplotlib.pyplot as plt
import pytest

from coursekit.plots.detectors import show_detectors
from coursekit.plots.images import get_alt

TABLE = {
    "slow and good": {"AP": [0.5, 0.7], "AP50": [0.8, 0.9], "milliseconds": [100.0, 120.0]},
    "fast": {"AP": [0.2], "AP50": [0.4], "milliseconds": [2.5]},
}


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


def test_the_words_hold_every_mean_and_the_marks_every_seed():
    figure = show_detectors(TABLE, "Two detectors")
    assert get_alt(figure) == (
        "Two detectors. Means over the seeds: slow and good: AP 0.600, AP50 0.850, 110 ms; fast: AP 0.200, AP50 0.400, 2.5 ms."
    )
    left, right = figure.axes
    assert sorted(x for line in left.lines for x in line.get_xdata()) == [0.2, 0.4, 0.5, 0.7, 0.8, 0.9]
    assert sorted(x for line in right.lines for x in line.get_xdata()) == [2.5, 110.0]
    assert [label.get_text() for label in left.get_yticklabels()] == list(TABLE)
    assert left.get_xlabel()
    assert right.get_xlabel()


@pytest.mark.parametrize(
    "milliseconds", [(2.5, 110), (6.76, 13), (47, 53), (0.8, 900)], ids=["far apart", "near", "nearly equal", "three powers of ten"]
)
def test_the_times_on_the_axis_are_plain_numbers_and_do_not_overlap(milliseconds):
    table = {f"detector {m}": {"AP": [0.0], "AP50": [0.1], "milliseconds": [m]} for m in milliseconds}
    figure = show_detectors(table, "t")
    figure.canvas.draw()
    right = figure.axes[1]
    low, high = right.get_xlim()
    labels = [label for label in right.get_xticklabels(which="both") if label.get_text() and low <= label.get_position()[0] <= high]
    assert len(labels) >= 3
    assert [float(label.get_text()) for label in labels] == pytest.approx([label.get_position()[0] for label in labels])
    boxes = [label.get_window_extent() for label in labels]
    assert all(before.x1 + 2 < after.x0 for before, after in itertools.pairwise(boxes))


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({}, "at least one detector"),
        ({"a": {"AP": [0.1], "AP50": [], "milliseconds": [1.0]}}, "'a' lacks AP50"),
        ({"a": {"AP": [0.1]}}, "'a' lacks AP50, milliseconds"),
    ],
    ids=["empty", "no numbers", "no column"],
)
def test_what_is_missing_is_said(table, message):
    with pytest.raises(ValueError, match=message):
        show_detectors(table, "t")
