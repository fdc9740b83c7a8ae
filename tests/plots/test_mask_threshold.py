import matplotlib
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from coursekit.metrics.segmentation import mask_iou
from coursekit.plots import live
from coursekit.plots.mask_threshold import Cut, cut, drag_mask_threshold, mask_threshold_picture

matplotlib.use("Agg")
IMAGE = torch.full((3, 2, 4), 128, dtype=torch.uint8)
PROBABILITIES = np.array([[0.1, 0.5, 0.9, 1.0], [0.0, 0.4, 0.6, 0.2]])
TRUTH = np.array([[False, True, True, False], [False, True, True, False]])


@pytest.mark.parametrize(
    ("threshold", "expected", "iou"),
    [(0.0, Cut(8, 4, 8), 1 / 2), (0.4, Cut(5, 4, 5), 4 / 5), (0.5, Cut(4, 3, 5), 3 / 5), (0.95, Cut(1, 0, 5), 0.0)],
    ids=["everything", "equal is enough", "half", "too strict"],
)
def test_cut_by_hand(threshold, expected, iou):
    result = cut(PROBABILITIES, TRUTH, threshold)
    assert result == expected
    assert result.iou == pytest.approx(iou)


def test_two_empty_masks_have_iou_0():
    assert cut(np.zeros((2, 2)), np.zeros((2, 2), dtype=bool), 0.5).iou == 0


@given(arrays(np.float32, (3, 4), elements=st.floats(0, 1, width=32)), arrays(bool, (3, 4)), st.floats(0, 1))
def test_the_iou_is_that_of_the_masks(probabilities, truth, threshold):
    assert cut(probabilities, truth, threshold).iou == pytest.approx(mask_iou((probabilities >= threshold)[None], truth[None])[0, 0])


@pytest.mark.parametrize("threshold", [-0.1, 1.1])
def test_a_threshold_outside_the_range_is_named(threshold):
    with pytest.raises(ValueError, match=r"threshold must be in \[0, 1\]"):
        cut(PROBABILITIES, TRUTH, threshold)


def test_shapes_that_differ_are_named():
    with pytest.raises(ValueError, match=r"truth must have the shape of probabilities, \(2, 4\), got \(1, 4\)"):
        cut(PROBABILITIES, TRUTH[:1], 0.5)


def test_the_picture_has_the_map_and_a_panel_for_each_threshold():
    figure = mask_threshold_picture(IMAGE, PROBABILITIES, TRUTH, thresholds=(0.4, 0.5))
    titles = [ax.get_title() for ax in figure.axes if ax.get_title()]
    assert titles == ["probability", "threshold 0.40\n5 pixels, IoU 0.80", "threshold 0.50\n4 pixels, IoU 0.60"]


def test_without_a_kernel_there_is_the_picture_and_its_words(monkeypatch):
    monkeypatch.setattr(live, "has_kernel", lambda: False)
    bundle, metadata = drag_mask_threshold(IMAGE, PROBABILITIES, TRUTH)._repr_mimebundle_()
    assert set(bundle) == {"image/png", "text/plain"}
    assert "IoU = 3 / 5 = 0.60" in bundle["text/plain"] == metadata["image/png"]["alt"]


def test_dragging_changes_the_picture_and_the_words(monkeypatch):
    pytest.importorskip("ipywidgets")
    monkeypatch.setattr(live, "has_kernel", lambda: True)
    slider, words, picture = drag_mask_threshold(IMAGE, PROBABILITIES, TRUTH).make_widget().children
    before = picture.value
    slider.value = 0.4
    assert words.value == "threshold 0.40: 5 pixels in the mask, IoU = 4 / 5 = 0.80"
    assert picture.value != before
