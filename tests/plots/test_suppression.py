import matplotlib
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from coursekit.boxes import nms
from coursekit.plots import live
from coursekit.plots.images import get_alt
from coursekit.plots.suppression import drag_suppression, suppress, suppression_picture

matplotlib.use("Agg")


def boxes(*rows):
    return torch.tensor(rows, dtype=torch.float32).reshape(-1, 4)


THREE = boxes([0, 0, 4, 4], [0, 1, 4, 5], [0, 2, 4, 6])  # neighbours overlap by 0.6, the ends by a third
SCORES = torch.tensor([0.9, 0.8, 0.7])


@pytest.fixture(autouse=True)
def close_figures():
    yield
    matplotlib.pyplot.close("all")


@pytest.mark.parametrize(
    ("iou", "confidence", "kept", "dropped", "unsure"),
    [
        (0.5, 0.0, (0, 2), ((1, 0),), ()),
        (0.1, 0.0, (0,), ((1, 0), (2, 0)), ()),
        (0.9, 0.0, (0, 1, 2), (), ()),
        (0.5, 0.75, (0,), ((1, 0),), (2,)),
        (0.5, 0.8, (0,), ((1, 0),), (2,)),
        (0.5, 1.0, (), (), (0, 1, 2)),
    ],
    ids=["a staircase", "low", "high", "confidence", "confidence equal", "nobody sure"],
)
def test_by_hand(iou, confidence, kept, dropped, unsure):
    state = suppress(THREE, SCORES, iou, confidence)
    assert (state.kept, state.unsure) == (kept, unsure)
    assert tuple((index, by) for index, by, _ in state.dropped) == dropped
    assert all(overlap > iou for _, _, overlap in state.dropped)


def test_no_boxes():
    state = suppress(boxes(), torch.zeros(0), 0.5)
    assert (state.kept, state.dropped, state.unsure) == ((), (), ())
    assert "0 stay: none; dropped: none" in str(state)


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6), st.integers(0, 4)), max_size=8), st.sampled_from([0.25, 0.5, 0.75]))
def test_it_keeps_what_nms_keeps_of_the_sure_and_accounts_for_every_box(rows, threshold):
    found = boxes(*[[x, y, x + 4, y + 4] for x, y, _ in rows])
    scores = torch.tensor([s / 4 for _, _, s in rows])
    state = suppress(found, scores, threshold, 0.5)
    sure = torch.where(scores >= 0.5)[0]
    assert list(state.kept) == sure[nms(found[sure], scores[sure], threshold)].tolist()
    assert sorted([*state.kept, *state.unsure, *(index for index, _, _ in state.dropped)]) == list(range(len(rows)))


@pytest.mark.parametrize(("iou", "confidence", "message"), [(1.5, 0, "iou_threshold must be in"), (0.5, -1, "confidence must be in")])
def test_bad_thresholds_are_named(iou, confidence, message):
    with pytest.raises(ValueError, match=message):
        suppress(THREE, SCORES, iou, confidence)


def test_the_picture_says_who_fell_to_whom():
    figure = suppression_picture(THREE, SCORES, [(0.5, 0.0), (0.9, 0.0)])
    assert "2 stay: #0, #2; dropped: #1 to #0 (IoU 0.60)" in get_alt(figure)
    assert "IoU 0.90, confidence 0.00: 3 stay" in get_alt(figure)
    assert [ax.get_title().splitlines()[1] for ax in figure.axes] == ["2 of 3 stay", "3 of 3 stay"]


def test_without_a_kernel_there_is_a_picture_and_words():
    shown, _ = drag_suppression(THREE, SCORES)._repr_mimebundle_()
    assert set(shown) == {"image/png", "text/plain"}
    assert "2 stay: #0, #2" in shown["text/plain"]


def test_sliders_redraw(monkeypatch):
    pytest.importorskip("ipywidgets")
    monkeypatch.setattr(live, "has_kernel", lambda: True)
    iou, sure, words, image = drag_suppression(THREE, SCORES).make_widget().children
    before = image.value
    iou.value = 0.9
    assert image.value != before
    assert "3 stay" in words.value
    sure.value = 0.75
    assert "too unsure: #2" in words.value
