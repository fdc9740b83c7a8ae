import matplotlib
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from coursekit.plots.images import get_alt
from coursekit.plots.two_stage import show_asked, show_cost
from coursekit.plots.two_stage_rois import hill, move_a_box, show_reading, show_slide_reading, what_rois_read

matplotlib.use("Agg")


def test_cost_says_both_numbers_and_refuses_nothing():
    figure = show_cost({"each crop": (2000.0, 30.5), "one map": (40, 2)}, "Who crops", ("million multiply-adds", "milliseconds"))
    assert get_alt(figure).startswith("Who crops. each crop: 2,000 million multiply-adds and 30.5 milliseconds; one map: 40 million")
    assert [ax.get_xscale() for ax in figure.axes] == ["log", "log"]
    for rows in ({}, {"free": (0, 1)}):
        with pytest.raises(ValueError, match="rows must hold two numbers above 0"):
            show_cost(rows, "", ("a", "b"))


def test_asked_counts_who_is_asked():
    anchors = torch.tensor([[0.0, 0, 8, 8], [8, 8, 16, 16], [2, 2, 9, 9], [20, 20, 30, 30]])
    figure = show_asked(torch.zeros(3, 32, 32), anchors, torch.tensor([0, -1, -2, -1]), anchors[:1], "Who is asked")
    assert get_alt(figure) == "Who is asked. Of 4 anchors: 1 object, 2 background, 1 not asked."
    none = show_asked(torch.zeros(3, 32, 32), anchors[:0], torch.zeros(0, dtype=torch.int64), anchors[:0], "Nobody")
    assert "Of 0 anchors" in get_alt(none)


def test_a_box_on_the_cells_is_read_alike_in_the_mean_and_half_a_cell_on_only_align_moves():
    ramp = (torch.arange(8.0) + 0.5).expand(1, 8, 8)
    first, second = (what_rois_read(ramp, (16 + shift, 16, 32 + shift, 32)) for shift in (0, 3))
    assert first.cells == second.cells == (2, 2, 4, 4)
    assert torch.equal(first.pooled, second.pooled)
    assert first.aligned.mean().item() == pytest.approx(3)
    assert second.aligned.mean().item() == pytest.approx(3 + 3 / 8)
    assert "RoI pool takes columns 2 to 4, rows 2 to 4" in str(first)
    assert first.points.mean(dim=0).tolist() == pytest.approx([24, 24])
    assert first.points.shape == (16, 2)


@given(st.integers(0, 36), st.integers(0, 36))
@settings(max_examples=20, deadline=None)
def test_align_follows_every_pixel_of_a_ramp(x, y):
    """Wherever the slider can go and no point leaves the map, align's mean is the box's middle."""
    ramp = (torch.arange(8.0) + 0.5).mul(8).expand(1, 8, 8)
    read = what_rois_read(ramp, (x, y, x + 28, y + 28))
    inside = x >= 4 and x + 28 <= 60
    assert not inside or read.aligned.mean().item() == pytest.approx(x + 14, abs=1e-3)
    assert read.pooled.shape == read.aligned.shape == (2, 2)


def test_the_picture_shows_both_and_says_so():
    figure = show_reading(hill(), (17, 14, 45, 42), "Look")
    assert [ax.get_title().splitlines()[0] for ax in figure.axes] == ["RoI pool reads", "RoI align reads"]
    assert get_alt(figure).startswith("Look. A box (17.0, 14.0, 45.0, 42.0) on a map with cells of 8 pixels. RoI pool takes columns 2 to 6")
    assert hill().argmax().item() == 3 * 8 + 4  # the cell with (34, 30) in it


def test_a_sliding_box_climbs_stairs_by_pool_and_a_slope_by_align():
    alt = get_alt(show_slide_reading(hill(), (8, 14, 36, 42), range(17)))
    pool, align = (int(part.split(" different")[0].split()[-1]) for part in alt.split(" gives ")[1:])
    assert pool <= 6
    assert align == 17


def test_without_a_kernel_there_is_a_picture_and_words():
    bundle, metadata = move_a_box()._repr_mimebundle_()
    assert set(bundle) == {"image/png", "text/plain"}
    assert "RoI pool takes columns 2 to 6, rows 2 to 5" in bundle["text/plain"]
    assert metadata["image/png"]["alt"] == bundle["text/plain"]


def test_moving_changes_picture_and_words():
    pytest.importorskip("ipywidgets")
    left, top, line, shown = move_a_box().make_widget().children
    before, words = bytes(shown.value), line.value
    left.value = left.max
    assert bytes(shown.value) != before
    assert line.value != words
    assert (left.max, top.max) == (36, 36)
