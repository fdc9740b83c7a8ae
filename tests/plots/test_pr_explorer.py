import matplotlib
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coursekit.metrics.match_table import match_table
from coursekit.plots import live
from coursekit.plots.images import get_alt
from coursekit.plots.pr_explorer import Kept, at_confidence, explorer_picture, pr_explorer

matplotlib.use("Agg")
A, B, FAR = [0, 0, 10, 10], [30, 0, 40, 10], [80, 80, 90, 90]
ROWS = match_table({"a": {"truth": [A, B], "boxes": [A, FAR, B], "scores": [0.9, 0.8, 0.7]}})


@pytest.mark.parametrize(
    ("rows", "truths", "confidence", "expected"),
    [
        ([], 0, 0.5, Kept(0, 0, 0, 0, 1.0, 0.0)),
        (ROWS, 2, 1.0, Kept(0, 0, 0, 2, 1.0, 0.0)),
        (ROWS, 2, 0.9, Kept(1, 1, 0, 1, 1.0, 0.5)),
        (ROWS, 2, 0.8, Kept(2, 1, 1, 1, 0.5, 0.5)),
        (ROWS, 2, 0.0, Kept(3, 2, 1, 0, 2 / 3, 1.0)),
        (ROWS, 4, 0.0, Kept(3, 2, 1, 2, 2 / 3, 0.5)),
    ],
    ids=["nothing at all", "nothing kept", "score equal", "one wrong", "all", "never found"],
)
def test_counts_by_hand(rows, truths, confidence, expected):
    assert at_confidence(rows, truths, confidence) == expected


@given(st.floats(0, 1), st.floats(0, 1))
def test_recall_never_falls_as_confidence_falls(a, b):
    low, high = (at_confidence(ROWS, 2, c) for c in sorted([a, b]))
    assert low.recall >= high.recall
    assert low.kept >= high.kept
    assert low.right + low.missed == 2


@pytest.mark.parametrize(("truths", "confidence", "message"), [(2, 1.5, r"in \[0, 1\], got 1.5"), (1, 0.5, "right rows, 2, got 1")])
def test_bad_arguments_are_named(truths, confidence, message):
    with pytest.raises(ValueError, match=message):
        at_confidence(ROWS, truths, confidence)


def test_picture_greys_what_is_not_yet_counted():
    figure = explorer_picture(ROWS, 2, 0.8)
    cells = figure.axes[0].tables[0].get_celld()
    assert cells[2, 6].get_text().get_color() != cells[3, 6].get_text().get_color()
    assert "1 right, 1 wrong, 1 missed" in figure.get_suptitle()
    assert "recall 0.50" in get_alt(figure)
    matplotlib.pyplot.close(figure)


def test_without_a_kernel_there_is_a_picture_and_words():
    shown, _ = pr_explorer(ROWS, 2, 0.8)._repr_mimebundle_()
    assert set(shown) == {"image/png", "text/plain"}
    assert "2 predictions kept: 1 right, 1 wrong" in shown["text/plain"]


def test_the_slider_redraws(monkeypatch):
    pytest.importorskip("ipywidgets")
    monkeypatch.setattr(live, "has_kernel", lambda: True)
    slider, words, image = pr_explorer(ROWS, 2, 0.8).make_widget().children
    before = image.value
    slider.value = 0.7
    assert image.value != before
    assert "3 predictions kept" in words.value
