import matplotlib
import numpy as np
import pytest

from coursekit.metrics.calibration import reliability
from coursekit.plots import classification as pictures
from coursekit.plots.images import get_alt

matplotlib.use("Agg")
TRUTH = np.array([1, 1, 0, 1, 0, 1, 0, 0, 0, 0], dtype=bool)
SCORES = np.array([0.9, 0.8, 0.7, 0.7, 0.5, 0.4, 0.3, 0.3, 0.2, 0.1])
MATRIX = np.array([[3, 1, 1], [1, 2, 0], [0, 1, 1]])


@pytest.fixture(autouse=True)
def close_figures():
    yield
    matplotlib.pyplot.close("all")


@pytest.mark.parametrize("matrix", [MATRIX, np.zeros((3, 3), dtype=int)], ids=["ten signs", "no sample"])
def test_confusion_matrix_has_the_truth_in_its_rows_and_leaves_zeros_empty(matrix):
    figure = pictures.show_confusion_matrix(matrix, ["stop", "yield", "parking"])
    [ax] = figure.axes
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("predicted", "truth")
    written = {text.get_position()[::-1]: text.get_text() for text in ax.texts}  # (row, column)
    assert written == {place: str(count) for place, count in np.ndenumerate(matrix) if count}
    assert f"{np.trace(matrix)} of {matrix.sum()} were right" in get_alt(figure)
    figure.canvas.draw()


def test_confusion_matrix_says_the_most_frequent_mistake():
    figure = pictures.show_confusion_matrix(np.array([[3, 0], [2, 1]]), ["a", "b"])
    assert "most often b was called a, 2 times" in get_alt(figure)


def test_confusion_matrix_wants_a_name_a_row():
    with pytest.raises(ValueError, match=r"matrix must have shape \(2, 2\), one row a name, got \(3, 3\)"):
        pictures.show_confusion_matrix(MATRIX, ["a", "b"])


def test_parts_of_a_sample_are_written_with_a_decimal():
    _, ax = matplotlib.pyplot.subplots()
    pictures.draw_confusion(ax, np.array([[700.4, 3.0], [0.0, 9.26]]), ["no", "yes"])
    assert [text.get_text() for text in ax.texts] == ["700", "3", "9.3"]


@pytest.mark.parametrize(("threshold", "words"), [(0.7, "3 of 4 found, 1 false alarms of 6"), (2, "0 of 4 found, 0 false alarms of 6")])
def test_scores_say_what_the_threshold_finds(threshold, words):
    figure = pictures.show_scores(TRUTH, SCORES, threshold, ["other", "face"])
    assert words in figure.axes[0].get_title()
    assert words in get_alt(figure)
    assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()] == ["other", "face"]
    figure.canvas.draw()


def test_scores_of_one_kind_alone_can_be_drawn():
    figure = pictures.show_scores(np.ones(3, dtype=bool), np.array([-2.0, 0.5, 3.0]), 0.5)
    assert "2 of 3 found, 0 false alarms of 0" in get_alt(figure)


def test_pr_and_roc_stand_side_by_side_with_their_areas():
    figure = pictures.show_pr_and_roc({"good": (TRUTH, SCORES), "reversed": (TRUTH, -SCORES)})
    left, right = figure.axes
    assert (left.get_xlabel(), left.get_ylabel(), right.get_xlabel(), right.get_ylabel()) == (
        "recall",
        "precision",
        "false positive rate",
        "recall",
    )
    assert "good: AP 0.854, area under ROC 0.896, 40.0% true" in get_alt(figure)
    assert {line.get_linestyle() for line in left.lines[:4]} == {"-", "--"}  # told apart without colour
    figure.canvas.draw()


def test_reliability_leaves_empty_bins_out_and_says_the_error():
    one = reliability([0.9] * 5 + [0.6] * 5, [1, 1, 1, 0, 0] * 2)
    figure = pictures.show_reliability_panels({"before": one, "nothing": reliability([], [])})
    assert [ax.get_title() for ax in figure.axes] == ["before\nECE 0.150", "nothing\nECE 0.000"]
    assert len(figure.axes[0].patches) == 2
    assert "0.60: 0.60, 0.90: 0.60" in get_alt(figure)
    figure.canvas.draw()


def test_long_names_of_few_classes_stand_upright_so_that_they_do_not_overlap():
    for names, turned in ((["stop", "yield", "parking"], 0), (["with_mask_on", "without_mask", "other"], 90)):
        (ax,) = pictures.show_confusion_matrix(MATRIX, names).axes
        assert {label.get_rotation() for label in ax.get_xticklabels()} == {turned}
