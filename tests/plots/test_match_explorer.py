import matplotlib
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coursekit.metrics.match_table import match_table
from coursekit.plots import live
from coursekit.plots.images import get_alt
from coursekit.plots.match_explorer import grow, growing_picture, match_explorer, steps_picture
from coursekit.plots.pr_explorer import at_confidence

matplotlib.use("Agg")
A, B, FAR = [0, 0, 10, 10], [30, 0, 40, 10], [80, 80, 90, 90]
ROWS = match_table({"a": {"truth": [A, B], "boxes": [A, FAR, B], "scores": [0.9, 0.8, 0.7]}})
WRONG_FIRST = match_table({"b": {"truth": [A], "boxes": [FAR, A, A], "scores": [0.9, 0.8, 0.7]}})


@pytest.fixture(autouse=True)
def close_figures():
    yield
    matplotlib.pyplot.close("all")


@pytest.mark.parametrize(
    ("rows", "truths", "count", "right", "wrong", "missed", "recall", "precision"),
    [
        ([], 0, 0, 0, 0, 0, 0.0, 1.0),
        (ROWS, 2, 0, 0, 0, 2, 0.0, 1.0),
        (ROWS, 2, 1, 1, 0, 1, 0.5, 1.0),
        (ROWS, 2, 2, 1, 1, 1, 0.5, 0.5),
        (ROWS, 2, 3, 2, 1, 0, 1.0, 2 / 3),
        (ROWS, 4, 3, 2, 1, 2, 0.5, 2 / 3),
        (WRONG_FIRST, 1, 1, 0, 1, 1, 0.0, 0.0),
        (WRONG_FIRST, 1, 3, 1, 2, 0, 1.0, 1 / 3),
    ],
    ids=["no table", "before the first", "right", "wrong", "right again", "never found", "wrong first", "a duplicate"],
)
def test_the_state_by_hand(rows, truths, count, right, wrong, missed, recall, precision):
    state = grow(rows, truths, count)
    assert (state.count, state.right, state.wrong, state.missed) == (count, right, wrong, missed)
    assert (state.recall, state.precision) == (pytest.approx(recall), pytest.approx(precision))
    assert len(state.curve) == count
    assert state.newest is (rows[count - 1] if count else None)


@pytest.mark.parametrize(
    ("rows", "truths", "count", "words"),
    [
        (ROWS, 2, 0, "nothing read yet"),
        (ROWS, 2, 1, "number 1: score 0.90, image a, IoU 1.00 with truth 1: TP, found it; the curve goes right"),
        (ROWS, 2, 2, "FP, touches no truth; the curve goes down"),
        (WRONG_FIRST, 1, 1, "FP, touches no truth; the curve lies at 0"),
        (WRONG_FIRST, 1, 3, "FP, taken by number 2; the curve goes down. 3 of 3 read: 1 right, 2 wrong, 0 still missed"),
    ],
)
def test_it_says_why(rows, truths, count, words):
    assert words in str(grow(rows, truths, count))


@given(st.lists(st.booleans(), max_size=8), st.integers(1, 8))
def test_every_state_is_that_of_the_table_and_of_a_threshold_there(verdicts, missed):
    """Scores fall, so reading k predictions is the same as keeping those with the score of the k-th."""
    images = {
        str(n): {"truth": [A] if hit else [], "boxes": [A], "scores": [0.9 - 0.1 * n if n else 0.95]} for n, hit in enumerate(verdicts)
    }
    images["without predictions"] = {"truth": [A] * missed, "boxes": [], "scores": []}
    truths = sum(verdicts) + missed
    rows = match_table(images)
    for count in range(1, len(rows) + 1):
        state, kept = grow(rows, truths, count), at_confidence(rows, truths, rows[count - 1].score)
        assert (state.right, state.wrong, state.missed) == (kept.right, kept.wrong, kept.missed)
        assert (state.recall, state.precision) == (pytest.approx(kept.recall), pytest.approx(kept.precision))
        assert state.curve[-1] == (pytest.approx(rows[count - 1].recall), pytest.approx(rows[count - 1].precision))


@pytest.mark.parametrize(
    ("truths", "count", "message"), [(2, 4, "from 0 to the 3 rows of the table, got 4"), (2, -1, "got -1"), (1, 2, "right rows, 2, got 1")]
)
def test_bad_arguments_are_named(truths, count, message):
    with pytest.raises(ValueError, match=message):
        grow(ROWS, truths, count)


def test_the_picture_greys_what_is_to_come_and_frames_the_newest():
    figure = growing_picture(ROWS, 2, 2)
    cells = figure.axes[0].tables[0].get_celld()
    assert cells[2, 6].get_text().get_color() != cells[3, 6].get_text().get_color()
    assert cells[2, 0].get_linewidth() > cells[1, 0].get_linewidth()
    assert "FP, touches no truth" in figure.get_suptitle()
    assert "recall 0.50, precision 0.50" in get_alt(figure)


@pytest.mark.parametrize(("rows", "truths", "moments"), [([], 0, 1), (ROWS, 2, 3)])
def test_the_moments_stand_side_by_side(rows, truths, moments):
    figure = steps_picture(rows, truths, (1, 2, 3, 50))
    assert sum(bool(ax.get_title()) for ax in figure.axes) == moments
    assert f"at {moments} moments" in get_alt(figure)


def test_right_and_wrong_have_marks_of_their_own():
    right, wrong = (steps_picture(ROWS, 2, (count,)).axes[0].lines[-1].get_marker() for count in (1, 2))
    assert right != wrong


def test_without_a_kernel_there_is_a_picture_and_words():
    shown, _ = match_explorer(ROWS, 2)._repr_mimebundle_()
    assert set(shown) == {"image/png", "text/plain"}
    assert "1 of 3 read: 1 right, 0 wrong, 1 still missed" in shown["text/plain"]


def test_the_buttons_read_one_more_and_stop_at_both_ends(monkeypatch):
    pytest.importorskip("ipywidgets")
    monkeypatch.setattr(live, "has_kernel", lambda: True)
    controls, words, image = match_explorer(ROWS, 2).make_widget().children
    slider, back, on = controls.children
    before = image.value
    on.click()
    assert slider.value == 2
    assert image.value != before
    assert "touches no truth" in words.value
    for _ in range(5):
        on.click()
    assert slider.value == 3
    for _ in range(5):
        back.click()
    assert slider.value == 0
    assert "nothing read yet" in words.value
