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


@pytest.mark.parametrize("what", ["precision", "recall", "f1"])
def test_a_line_a_class_and_the_mean_by_confidence(result, what):
    curves = confidence_curves(result)
    figure = pictures.show_by_confidence(curves, what)
    assert len(figure.axes[0].lines) == len(curves.names) + 1
    best, value = curves.best
    assert what != "f1" or f"the mean is {value:.2f} at {best:.2f}, its highest" in get_alt(figure)
    assert figure.axes[0].get_ylabel().lower() == what


def test_pictures_of_an_evaluation(result, tmp_path):
    report = pictures.save_confidence_and_errors(tmp_path / "run", result)
    assert report.count == analyse_errors(result).count
    four = {"p_curve.png", "r_curve.png", "f1_curve.png", "errors.png"}
    assert {path.name for path in (tmp_path / "run").iterdir()} == four
    pictures.save_pictures(tmp_path / "all", result)
    written = list((tmp_path / "all").iterdir())
    assert {path.name for path in written} == four | {"pr_curve.png", "confusion_matrix.png"}
    assert all(path.read_bytes()[:4] == b"\x89PNG" for path in written)
    assert not matplotlib.pyplot.get_fignums()


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


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        ([("start", 0.5)], "from 0.5000 to 0.5000. Nothing was changed"),
        ([("start", 0.5), ("plus_one", 0.55), ("limit", 0.55), ("area", 0.52)], "+5.00 points; limit +0.00 points; area -3.00 points"),
    ],
    ids=["nothing", "up, nowhere, down"],
)
def test_a_ladder_says_what_each_step_adds(steps, words):
    figure = pictures.show_ladder(steps, "Ladder")
    assert words in get_alt(figure)
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == [name for name, _ in steps]
    assert figure.axes[0].get_xlabel()


def test_a_ladder_without_a_start_is_refused():
    with pytest.raises(ValueError, match="steps must hold at least the start"):
        pictures.show_ladder([], "Ladder")
