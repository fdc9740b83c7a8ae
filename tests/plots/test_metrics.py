import matplotlib
import numpy as np
import pytest

from coursekit.metrics.curves import confidence_curves, confusion_matrix, pr_curves, reliability
from coursekit.metrics.detection import evaluate_samples
from coursekit.metrics.errors import analyse_errors
from coursekit.metrics.match_table import match_table
from coursekit.plots import metrics as pictures
from coursekit.plots.images import get_alt

matplotlib.use("Agg")
A, B, FAR = [0, 0, 10, 10], [30, 0, 40, 10], [80, 80, 90, 90]
IMAGES = {"a": {"truth": [A, B], "boxes": [A, FAR, B], "scores": [0.9, 0.8, 0.7]}}


@pytest.fixture(autouse=True)
def close_figures():
    yield
    matplotlib.pyplot.close("all")


@pytest.fixture(params=["found", "nothing"])
def result(request):
    boxes = np.array([A, FAR, B], float) if request.param == "found" else np.zeros((0, 4))
    said = {"boxes": boxes, "scores": np.array([0.9, 0.8, 0.7])[: len(boxes)], "labels": np.array([0, 1, 1])[: len(boxes)]}
    return evaluate_samples([{"boxes": np.array([A, B], float), "labels": [0, 0]}], [said], ["sign", "car"])


def test_every_picture_has_a_title_axes_names_and_words(result):
    figures = [
        pictures.show_pr_curves(pr_curves(result)),
        pictures.show_confidence_curves(confidence_curves(result)),
        pictures.show_errors(analyse_errors(result)),
        pictures.show_confusion(confusion_matrix(result.inputs), result.inputs.names),
        pictures.show_reliability(*reliability(result)),
    ]
    for figure in figures:
        [ax] = figure.axes
        assert ax.get_title()
        assert ax.get_xlabel()
        assert len(get_alt(figure)) > 20
        figure.canvas.draw()


def test_the_words_hold_the_numbers(result):
    report = analyse_errors(result)
    assert f"{report.ap:.3f}" in get_alt(pictures.show_errors(report))
    matrix = confusion_matrix(result.inputs)
    assert f"{np.trace(matrix)} of 2 objects" in get_alt(pictures.show_confusion(matrix, result.inputs.names))


def test_match_table_says_right_and_wrong_in_words_and_colour():
    rows = match_table(IMAGES)
    figure = pictures.show_match_table(rows)
    cells = figure.axes[0].tables[0].get_celld()
    assert [cells[n, 5].get_text().get_text() for n in (1, 2, 3)] == ["✓ TP", "✗ FP", "✓ TP"]
    assert cells[1, 0].get_facecolor() != cells[2, 0].get_facecolor()
    assert "number 2, score 0.80: wrong, touches no truth" in get_alt(figure)
    assert "No predictions" in get_alt(pictures.show_match_table([]))


@pytest.mark.parametrize("points", [None, np.linspace(0, 1, 11)])
def test_curve(points):
    rows = match_table(IMAGES)
    figure = pictures.show_curve([row.recall for row in rows], [row.precision for row in rows], points=points)
    assert "ends at recall 1.00, precision 0.67" in get_alt(figure)
    assert "nothing was predicted" in get_alt(pictures.show_curve([], [], points=points))


def test_boxes_without_pixels():
    figure = pictures.show_truth_and_found(IMAGES)
    assert "a: 2 true and 3 predicted" in get_alt(figure)
    assert len(figure.axes[0].patches) == 5
