import math

import matplotlib
import matplotlib.pyplot as plt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coursekit.plots.images import get_alt
from coursekit.plots.three_logits import logits_picture, render, shares, three_logits

matplotlib.use("Agg")
CLASSES = ("stop", "yield", "parking")


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


@pytest.mark.parametrize(
    ("logits", "label", "probabilities", "loss"),
    [
        ((0,), 0, (1,), 0),
        ((0, 0, 0), 1, (1 / 3, 1 / 3, 1 / 3), math.log(3)),
        ((2, 1, 0), 0, (0.665241, 0.244728, 0.090031), 0.407606),
        ((2, 1, 0), 2, (0.665241, 0.244728, 0.090031), 2.407606),
    ],
    ids=["one class", "no idea", "right", "wrong"],
)
def test_shares_by_hand(logits, label, probabilities, loss):
    got = shares(logits, label)
    assert got.probabilities == pytest.approx(probabilities, abs=1e-6)
    assert got.loss == pytest.approx(loss, abs=1e-6)


@given(st.lists(st.integers(-12, 12).map(lambda v: v / 2), min_size=3, max_size=3), st.integers(0, 2))
def test_wherever_the_sliders_stand_the_loss_is_minus_log_p(logits, label):
    got = shares(logits, label)
    assert sum(got.probabilities) == pytest.approx(1)
    assert got.loss == pytest.approx(-math.log(got.probabilities[label]), abs=1e-12)


def test_a_very_small_probability_is_not_written_as_nought():
    assert str(shares((-5.5, 1, 4), 0)) == "probabilities 7.13e-05, 0.047, 0.953; loss -log(7.13e-05) = 9.549"
    assert "-log(7.13e-05) = 9.549" in logits_picture((-5.5, 1, 4), 0, CLASSES).get_suptitle()


def test_the_axis_of_the_logits_stands_still_while_they_grow():
    limits = {logits_picture(logits, 0, CLASSES).axes[0].get_ylim() for logits in ((2, 1, 0), (6, 0, 0), (0.5, 0, 0))}
    assert len(limits) == 1


def test_a_label_that_is_no_class_is_named():
    with pytest.raises(ValueError, match=r"label must lie in 0\.\.2, got 3"):
        shares((0, 0, 0), 3)
    with pytest.raises(ValueError, match="classes must be one for each of the 3 logits, got 2"):
        logits_picture((0, 0, 0), 1, ("a", "b"))


def test_the_picture_stars_and_hatches_the_right_class():
    figure = logits_picture((2, 1, 0), 1, CLASSES)
    assert [ax.get_title() for ax in figure.axes] == ["logits z", "exp(z)", "probabilities"]
    assert [label.get_text() for label in figure.axes[0].get_xticklabels()] == ["stop", "yield *", "parking"]
    assert [bar.get_hatch() for bar in figure.axes[2].patches] == [None, "//", None]
    assert "yield is right" in get_alt(figure)
    assert "= 1.408" in figure.get_suptitle()


def test_without_a_kernel_there_is_a_picture_and_words():
    bundle, metadata = three_logits()._repr_mimebundle_()
    assert set(bundle) == {"image/png", "text/plain"}
    assert "loss -log(0.665) = 0.408" in bundle["text/plain"] == metadata["image/png"]["alt"]


def test_dragging_changes_picture_and_words():
    pytest.importorskip("ipywidgets")
    widget = three_logits().make_widget()
    *sliders, line, shown = widget.children
    assert [s.value for s in sliders] == [2, 1, 0]
    before = bytes(shown.value)
    sliders[0].value = -6
    assert bytes(shown.value) != before
    assert line.value == render((-6, 1, 0), 0, CLASSES)[1]
