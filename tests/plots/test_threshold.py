import matplotlib
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from coursekit.detections import Detections
from coursekit.plots import live
from coursekit.plots.threshold import Tally, drag_threshold, keep, tally, threshold_picture

matplotlib.use("Agg")
CLASSES = ("stop", "yield")
IMAGE = torch.full((3, 40, 60), 128, dtype=torch.uint8)
TARGET = {"boxes": torch.tensor([[0.0, 0, 10, 10], [20, 0, 40, 20]]), "labels": torch.tensor([0, 1])}


def found(*rows):
    """Detections from rows of (x1, y1, x2, y2, score, label)."""
    rows = torch.tensor(rows, dtype=torch.float32).reshape(-1, 6)
    return Detections(rows[:, :4], rows[:, 4], rows[:, 5].to(torch.int64))


RIGHT = (0, 0, 10, 10, 0.9, 0)
DETECTIONS = found(RIGHT, (1, 0, 11, 10, 0.8, 0), (20, 0, 40, 20, 0.4, 1), (50, 30, 60, 40, 0.3, 1), (20, 0, 40, 20, 0.2, 0))


@pytest.mark.parametrize(
    ("detections", "threshold", "expected"),
    [
        (found(), 0.5, Tally(0, 0, 2, 0)),
        (DETECTIONS, 0.95, Tally(0, 0, 2, 0)),
        (DETECTIONS, 0.9, Tally(1, 1, 1, 0)),
        (DETECTIONS, 0.5, Tally(2, 1, 1, 1)),
        (DETECTIONS, 0.4, Tally(3, 2, 0, 1)),
        (DETECTIONS, 0.0, Tally(5, 2, 0, 3)),
        (found((0, 0, 10, 5, 0.9, 0)), 0.5, Tally(1, 1, 1, 0)),
        (found((0, 0, 10, 4, 0.9, 0)), 0.5, Tally(1, 0, 2, 1)),
    ],
    ids=["nothing", "too strict", "score equal", "a double", "both found", "wrong class too", "half overlaps", "less than half"],
)
def test_tally_by_hand(detections, threshold, expected):
    assert tally(detections, TARGET["boxes"], TARGET["labels"], torch.tensor(threshold).item()) == expected


def test_tally_without_truth_counts_only_false_alarms():
    assert tally(found(RIGHT), torch.zeros(0, 4), torch.zeros(0, dtype=torch.int64), 0.5) == Tally(1, 0, 0, 1)


@given(st.lists(st.floats(0, 1, width=32), max_size=8), st.floats(0, 1, width=32), st.floats(0, 1, width=32))
def test_a_higher_threshold_never_keeps_more(scores, a, b):
    detections = found(*[(0, 0, 10, 10, score, 0) for score in scores])
    low, high = sorted([a, b])
    assert len(keep(detections, high)) <= len(keep(detections, low)) <= len(scores)
    assert (keep(detections, low).scores >= low).all()
    counts = tally(detections, TARGET["boxes"], TARGET["labels"], low)
    assert counts.found + counts.missed == 2
    assert counts.found + counts.false_alarms == counts.kept


@pytest.mark.parametrize("threshold", [-0.1, 1.1])
def test_a_threshold_outside_the_range_is_named(threshold):
    with pytest.raises(ValueError, match=r"threshold must be in \[0, 1\]"):
        keep(DETECTIONS, threshold)


def test_the_static_picture_has_a_panel_for_each_threshold_and_says_what_each_finds():
    figure = threshold_picture(IMAGE, DETECTIONS, TARGET, CLASSES, thresholds=(0.1, 0.5))
    titles = [ax.get_title() for ax in figure.axes]
    assert titles == ["threshold 0.10\n2 found · 0 missed · 3 false", "threshold 0.50\n1 found · 1 missed · 1 false"]


def test_without_a_kernel_there_is_the_picture_and_its_words(monkeypatch):
    monkeypatch.setattr(live, "has_kernel", lambda: False)
    shown = drag_threshold(IMAGE, DETECTIONS, TARGET, CLASSES)
    bundle, metadata = shown._repr_mimebundle_()
    assert set(bundle) == {"image/png", "text/plain"}
    assert bundle["image/png"].startswith("iVBOR")  # a PNG file in base64
    assert "1 found, 1 missed, 1 false alarms" in bundle["text/plain"] == repr(shown) == metadata["image/png"]["alt"]


def test_dragging_changes_the_picture_and_the_words(monkeypatch):
    pytest.importorskip("ipywidgets")
    monkeypatch.setattr(live, "has_kernel", lambda: True)
    shown = drag_threshold(IMAGE, DETECTIONS, TARGET, CLASSES)
    assert "application/vnd.jupyter.widget-view+json" in shown._repr_mimebundle_()[0]
    slider, words, picture = shown.make_widget().children
    before = picture.value
    slider.value = 0.85
    assert words.value == "threshold 0.85: 1 box kept: 1 found, 1 missed, 0 false alarms"
    assert picture.value != before
