import matplotlib
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coursekit.plots.two_boxes import overlap, render, two_boxes

matplotlib.use("Agg")


@pytest.mark.parametrize(
    ("a", "b", "width", "height", "shared", "union", "hull", "iou", "giou"),
    [
        ((0, 0, 0, 0), (0, 0, 0, 0), 0, 0, 0, 0, 0, 0, 0),
        ((0, 0, 4, 2), (2, 0, 6, 2), 2, 2, 4, 12, 12, 1 / 3, 1 / 3),
        ((0, 0, 1, 1), (3, 3, 5, 5), -2, -2, 0, 5, 25, 0, -0.8),
        ((0, 0, 2, 2), (2, 0, 4, 2), 0, 2, 0, 8, 8, 0, 0),
    ],
    ids=["no area", "half over each other", "apart", "edges touch"],
)
def test_overlap_by_hand(a, b, width, height, shared, union, hull, iou, giou):
    got = overlap(a, b)
    assert (got.width, got.height, got.shared, got.union, got.hull) == (width, height, shared, union, hull)
    assert (got.iou, got.giou) == (pytest.approx(iou), pytest.approx(giou))


def test_the_words_say_when_boxes_are_apart():
    assert "a negative side: apart" in str(overlap((0, 0, 1, 1), (3, 3, 5, 5)))
    assert "negative" not in str(overlap((0, 0, 4, 2), (2, 0, 6, 2)))
    assert "IoU 4 / 12 = 0.333" in str(overlap((0, 0, 4, 2), (2, 0, 6, 2)))


ends = st.tuples(st.integers(0, 12), st.integers(0, 12)).map(sorted)


@given(ends, ends, ends, ends)
def test_overlap_agrees_with_itself_anywhere_a_slider_can_go(ax, ay, bx, by):
    a, b = (ax[0], ay[0], ax[1], ay[1]), (bx[0], by[0], bx[1], by[1])
    got = overlap(a, b)
    assert 0 <= got.shared <= got.union <= got.hull
    assert -1 <= got.giou <= got.iou <= 1
    assert got.iou == pytest.approx(got.shared / got.union if got.union else 0)


def test_without_a_kernel_there_is_a_picture_and_words():
    bundle, metadata = two_boxes()._repr_mimebundle_()
    assert set(bundle) == {"image/png", "text/plain"}
    assert "IoU 6 / 48" in bundle["text/plain"]
    assert metadata["image/png"]["alt"] == bundle["text/plain"]


def test_dragging_changes_picture_and_words():
    pytest.importorskip("ipywidgets")
    widget = two_boxes().make_widget()
    *sliders, line, shown = widget.children
    assert [s.value for s in sliders] == [(1, 7), (2, 6), (4, 10), (4, 9)]
    before = bytes(shown.value)
    assert before.startswith(b"\x89PNG")
    sliders[2].value = (8, 12)
    assert "apart" in line.value
    assert bytes(shown.value) != before
    assert render((1, 2, 7, 6), (8, 4, 12, 9), 12)[1] == line.value
