"""What a window and a stride give, by hand and anywhere a slider can go; the picture where there is no slider."""

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from coursekit.plots import live
from coursekit.plots.images import get_alt
from coursekit.plots.sliding_stride import best_fit, slide_stride, stride_picture

IMAGE, BOX = torch.full((3, 128, 128), 90, dtype=torch.uint8), (48, 16, 80, 48)


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


@pytest.mark.parametrize(
    ("size_hw", "window", "stride", "box", "count", "best", "iou"),
    [
        ((10, 10), 16, 4, (0, 0, 8, 8), (0, 0), None, 0.0),
        ((128, 128), 32, 4, BOX, (25, 25), BOX, 1.0),
        ((128, 128), 32, 32, BOX, (4, 4), (32, 0, 64, 32), 256 / 1792),  # half a stride away in both: 16 x 16 of 32 x 32 shared
        ((128, 128), 16, 4, BOX, (29, 29), (48, 16, 64, 32), 0.25),  # a window too small
        ((64, 128), 32, 16, (4, 4, 36, 36), (3, 7), (0, 0, 32, 32), 784 / 1264),
    ],
)
def test_the_best_window_by_hand(size_hw, window, stride, box, count, best, iou):
    fit = best_fit(size_hw, window, stride, box)
    assert ((fit.rows, fit.columns), fit.best, fit.iou) == (count, best, pytest.approx(iou))


def test_the_words_say_whether_it_is_enough():
    assert str(best_fit((128, 128), 32, 4, BOX)) == "25 x 25 = 625 windows; best IoU 1.00, enough to count as found at 0.5"
    assert str(best_fit((128, 128), 32, 32, BOX)) == "4 x 4 = 16 windows; best IoU 0.14, too little to count as found at 0.5"
    assert str(best_fit((8, 8), 32, 4, BOX)).startswith("0 x 0 = 0 windows; best IoU 0.00")


@given(st.integers(8, 128), st.integers(1, 32), st.integers(0, 90), st.integers(0, 90), st.integers(4, 38))
def test_half_the_stride_never_fits_worse(window, stride, x, y, side):
    box = (x, y, x + side, y + side)
    coarse, fine = best_fit((128, 128), window, 2 * stride, box), best_fit((128, 128), window, stride, box)
    assert fine.iou >= coarse.iou - 1e-6
    assert fine.rows * fine.columns >= coarse.rows * coarse.columns >= 1


def test_the_static_picture_says_what_each_stride_gives():
    figure = stride_picture(IMAGE, BOX, 32, (4, 32))
    titles = [ax.get_title() for ax in figure.axes]
    assert titles == ["window 32, stride 4\n625 windows · best IoU 1.00", "window 32, stride 32\n16 windows · best IoU 0.14"]
    assert "Stride 32: 4 x 4 = 16 windows; best IoU 0.14, too little" in get_alt(figure)


def test_without_a_kernel_there_is_the_picture_and_its_words(monkeypatch):
    monkeypatch.setattr(live, "has_kernel", lambda: False)
    bundle, metadata = slide_stride(IMAGE, BOX)._repr_mimebundle_()
    assert set(bundle) == {"image/png", "text/plain"}
    assert bundle["text/plain"].startswith("window 32, stride 16: 7 x 7 = 49 windows")
    assert metadata["image/png"]["alt"] == bundle["text/plain"]


def test_sliding_changes_the_picture_and_the_words():
    pytest.importorskip("ipywidgets")
    window, stride, words, picture = slide_stride(IMAGE, BOX).make_widget().children
    before = picture.value
    stride.value = 32
    assert words.value == "window 32, stride 32: 4 x 4 = 16 windows; best IoU 0.14, too little to count as found at 0.5"
    assert picture.value != before
    window.value = 128
    assert "1 x 1 = 1 windows" in words.value
