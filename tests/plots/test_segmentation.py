import matplotlib
import numpy as np
import pytest
import torch

from coursekit.plots.images import get_alt
from coursekit.plots.segmentation import show_bars, show_edges, show_maps, show_runs, show_segments

matplotlib.use("Agg")
IMAGE = torch.full((3, 12, 16), 90, dtype=torch.uint8)
MAP = np.zeros((12, 16), dtype=np.int64)
MAP[2:8, 3:9] = 2
NAMES = ("stop", "yield")


def test_maps_name_what_is_on_them():
    figure = show_maps(IMAGE, {"truth": MAP, "said": np.zeros_like(MAP)}, NAMES, "Two maps")
    assert [ax.get_title() for ax in figure.axes] == ["picture", "truth", "said"]
    assert "truth: yield; said: background only" in get_alt(figure)
    assert [t.get_text() for t in figure.axes[1].texts] == ["yield"]


def test_edges_count_the_wrong_pixels_of_the_close_up_only():
    said = MAP.copy()
    said[2, 3:6] = 0
    said[11, 15] = 1  # outside of what is enlarged
    figure = show_edges(IMAGE, MAP, {"FCN": said, "truth": MAP}, (1, 1, 11, 10), "Edges")
    assert [ax.get_title() for ax in figure.axes[1:]] == ["FCN\n3 pixels wrong", "truth\n0 pixels wrong"]
    assert "FCN: 3 of 90 pixels wrong" in get_alt(figure)


def test_runs_number_the_pixels_down_the_columns():
    figure = show_runs(np.array([[False, True], [False, True], [True, False]]), [2, 3, 1])
    texts = [t.get_text() for t in figure.axes[0].texts if t.get_text()]
    assert texts[:4] == ["0\n(no. 1)", "1\n(no. 4)", "0\n(no. 2)", "1\n(no. 5)"]
    assert "runs: 2, 3, 1" in figure.axes[0].get_title()
    assert "2, 3, 1" in get_alt(figure)


def test_segments_are_named_and_numbered_and_void_is_counted():
    segments = np.ones((12, 16), dtype=np.int64)
    segments[:, :4], segments[:6, 8:], segments[6:, 8:] = 0, 2, 3
    figure = show_segments(IMAGE, {"found": (segments, np.array([-1, 0, 1, 1]))}, ("backdrop", *NAMES), "Panoptic")
    assert figure.axes[0].get_title() == "found\n2 things, 25.0% void"
    assert "found: stop #1, stop #2, 25.0% void" in get_alt(figure)


@pytest.mark.parametrize("segments", [np.zeros((12, 16), dtype=int), np.ones((12, 16), dtype=int)], ids=["all void", "all stuff"])
def test_segments_without_things_can_be_shown(segments):
    assert "no things" in get_alt(show_segments(IMAGE, {"a": (segments, np.array([-1, 0]))}, ("backdrop",), "Nothing"))


def test_bars_bear_their_values():
    figure = show_bars({"FCN": {"all": 0.5, "edge": 0.25}, "U-Net": {"all": 0.75, "edge": 0.6}}, "Edges", "mIoU")
    ax = figure.axes[0]
    assert [t.get_text() for t in ax.texts] == ["0.50", "0.25", "0.75", "0.60"]
    assert len({p.get_hatch() for p in ax.patches}) == 2
    assert get_alt(figure) == "Edges. FCN: all 0.50, edge 0.25; U-Net: all 0.75, edge 0.60."
