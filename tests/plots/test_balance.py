import matplotlib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coursekit.metrics.ranking import pr_curve
from coursekit.plots import live
from coursekit.plots.balance import AtThreshold, at_threshold, balance_explorer, balance_picture, curves_at_share
from coursekit.plots.images import get_alt

matplotlib.use("Agg")
TRUTH = np.array([1, 1, 0, 1, 0, 1, 0, 0, 0, 0], dtype=bool)
SCORES = np.array([0.9, 0.8, 0.7, 0.7, 0.5, 0.4, 0.3, 0.3, 0.2, 0.1])


@pytest.fixture(autouse=True)
def close_figures():
    yield
    matplotlib.pyplot.close("all")


@pytest.mark.parametrize(
    ("threshold", "share", "expected"),
    [
        (1.0, 0.5, AtThreshold(0, 0, 500, 500, 0, 0, 1.0, 0.5)),
        (0.7, 0.4, AtThreshold(300, 100, 100, 500, 0.75, 1 / 6, 0.75, 0.8)),
        (0.7, 0.1, AtThreshold(75, 150, 25, 750, 0.75, 1 / 6, 1 / 3, 0.825)),
        (0.0, 0.01, AtThreshold(10, 990, 0, 0, 1, 1, 0.01, 0.01)),
    ],
    ids=["nothing called", "its own mix", "one in ten", "all called"],
)
def test_counts_by_hand(threshold, share, expected):
    got = at_threshold(TRUTH, SCORES, threshold, share)
    for name, value in vars(expected).items():
        assert getattr(got, name) == pytest.approx(value), name


@settings(deadline=None)
@given(st.sampled_from([0.0, *SCORES, 1.0]), st.floats(0.01, 0.99))
def test_the_four_counts_add_up_and_the_mix_moves_neither_recall_nor_fpr(threshold, share):
    state, own = at_threshold(TRUTH, SCORES, threshold, share), at_threshold(TRUTH, SCORES, threshold, 0.4)
    assert state.matrix.sum() == pytest.approx(1000)
    assert state.matrix[1].sum() == pytest.approx(1000 * share)
    assert (state.recall, state.fpr) == (own.recall, own.fpr)
    if share < 0.4 and state.hits + state.alarms:
        assert state.precision <= own.precision + 1e-12


def test_at_its_own_mix_the_curve_is_the_pr_curve():
    _, recall, precision = curves_at_share(TRUTH, SCORES, 0.4)
    expected_recall, expected_precision, _ = pr_curve(TRUTH, SCORES)
    np.testing.assert_allclose(recall[1:], expected_recall)
    np.testing.assert_allclose(precision[1:], expected_precision)
    assert (recall[0], precision[0]) == (0, 1)


@pytest.mark.parametrize(
    ("truth", "share", "message"),
    [
        (TRUTH, 0, r"share must be in \(0, 1\), got 0"),
        (TRUTH, 1, r"share must be in \(0, 1\), got 1"),
        (np.ones(10), 0.5, "truth must hold both kinds, got 10 true of 10"),
        (np.zeros(10), 0.5, "truth must hold both kinds, got 0 true of 10"),
    ],
)
def test_what_does_not_fit_is_named(truth, share, message):
    with pytest.raises(ValueError, match=message):
        at_threshold(truth, SCORES, 0.5, share)


def test_the_picture_has_a_row_a_mix_and_says_both():
    figure = balance_picture(TRUTH, SCORES, 0.7, [0.5, 0.01], ["other", "eight"])
    assert len(figure.axes) == 8
    titles = [ax.get_title() for ax in figure.axes]
    assert titles[:4] == ["threshold 0.70, 50% positive", "of 1000 images", "PR: precision 0.82", "ROC: recall 0.75, FPR 0.17"]
    assert titles[6:] == ["PR: precision 0.04", "ROC: recall 0.75, FPR 0.17"]
    assert "With 1% positive: of 1000 images 8 hits, 165 false alarms" in get_alt(figure)
    figure.canvas.draw()


def test_without_a_kernel_there_is_the_picture_and_its_words(monkeypatch):
    monkeypatch.setattr(live, "has_kernel", lambda: False)
    bundle, metadata = balance_explorer(TRUTH, SCORES, 0.7)._repr_mimebundle_()
    assert set(bundle) == {"image/png", "text/plain"}
    assert "50% positive: of 1000 images 375 hits" in bundle["text/plain"] == metadata["image/png"]["alt"]


def test_both_sliders_change_picture_and_words():
    pytest.importorskip("ipywidgets")
    threshold, balance, words, image = balance_explorer(TRUTH, SCORES, 0.7).make_widget().children
    first = image.value
    assert "precision 0.82, recall 0.75" in words.value
    balance.value = "1 : 99"
    assert "precision 0.04, recall 0.75" in words.value
    second = image.value
    threshold.value = 0.75
    assert "precision 1.00, recall 0.50" in words.value
    assert len({first, second, image.value}) == 3
