import matplotlib
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from coursekit.grid import encode_targets
from coursekit.plots import grid as pictures
from coursekit.plots.grid_move import move_object, render, three_places, told
from coursekit.plots.images import get_alt

matplotlib.use("Agg")

IMAGE = torch.zeros(3, 48, 64, dtype=torch.uint8)
BOXES = torch.tensor([[2.0, 2, 30, 30], [40, 20, 60, 44]])


@pytest.mark.parametrize(
    ("boxes", "words"), [(BOXES[:0], "no objects"), (BOXES, "object 0 in row 1, column 1; object 1 in row 2, column 3")]
)
def test_cells_are_named_in_words_and_axes(boxes, words):
    figure = pictures.show_cells(IMAGE, boxes, 16)
    assert words in get_alt(figure)
    (ax,) = figure.axes
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("column", "row")
    assert [t.get_text() for t in ax.get_xticklabels()] == ["0", "1", "2", "3"]
    assert len([p for p in ax.patches if p.get_hatch()]) == len(boxes)  # told by hatching too


def test_each_objects_cells_are_counted():
    labels = torch.tensor([0, 1])
    panels = {f"shrink {s}": (*encode_targets(BOXES, labels, 2, (48, 64), 16, s), 16) for s in (0.0, 1.0)}
    figure = pictures.show_targets(IMAGE, BOXES, panels, "Two rules")
    assert "shrink 0.0: 1 for object 0, 1 for object 1; shrink 1.0: 4 for object 0, 2 for object 1" in get_alt(figure)
    assert [ax.get_title() for ax in figure.axes] == ["shrink 0.0: 2 cells answer", "shrink 1.0: 6 cells answer"]


def test_maps_lie_over_the_scene():
    coverage = torch.zeros(2, 3, 4)
    coverage[1, 2, 3] = 0.75
    figure = pictures.show_maps(IMAGE, {"truth": coverage, "said": coverage / 2}, "Coverage")
    assert figure.axes[1].images[1].get_array()[2, 3] == pytest.approx(0.75)
    assert "truth at most 0.75, said at most 0.38" in get_alt(figure)


def test_losses_are_shown_apart_and_added():
    history = [{"loss": 5.0, "coverage": 4.0, "box": 0.5}, {"loss": 2.0, "coverage": 1.5, "box": 0.25}]
    figure = pictures.show_losses(history, 2.0, "Losses")
    left, right = figure.axes
    assert [line.get_ydata().tolist() for line in left.lines] == [[4, 1.5], [0.5, 0.25]]
    assert len({line.get_linestyle() for line in left.lines}) == 2
    top = right.collections[1].get_paths()[0].vertices[:, 1]
    assert top.max() == pytest.approx(5)  # 4 + 2 * 0.5
    assert "coverage 4 to 1.5, box 0.5 to 0.25; the box loss counts 2 times" in get_alt(figure)


def test_recall_differs_in_more_than_colour():
    figure = pictures.show_recall(["small", "large"], [3, 5], {"a": [0.5, 1.0], "b": [0.25, float("nan")]}, "Recall", "size")
    lines = figure.axes[0].lines
    assert len({(line.get_linestyle(), line.get_marker()) for line in lines}) == 2
    assert "small, large: a 0.50, 1.00; b 0.25, nan" in get_alt(figure)
    assert figure.axes[0].get_xticklabels()[1].get_text() == "large\n(5 objects)"


# --- the widget


@pytest.mark.parametrize(
    ("place", "cell", "wanted", "kept", "others"),
    [
        ((34, 34, 44, 16, 0.5), (2, 2), 4, 4, 1),
        ((34, 34, 44, 16, 0.0), (2, 2), 1, 1, 1),
        ((90, 58, 12, 16, 0.5), (3, 5), 1, 1, 0),  # smaller than B and in its only cell: B is lost
        ((90, 58, 60, 16, 0.0), (3, 5), 1, 0, 1),  # larger than B: A is lost
    ],
)
def test_what_the_grid_is_told_by_hand(place, cell, wanted, kept, others):
    got = told(*place)
    assert (got.cell, got.wanted, got.kept, got.others) == (cell, wanted, kept, others)


def test_the_words_say_what_is_lost():
    assert "lost to B" in str(told(90, 58, 60, 16, 0.0))
    assert "B has 0 cells" in str(told(90, 58, 12, 16, 0.5))
    assert "row 2, column 2; A wants 4 cells; B has 1 cell" in str(told(34, 34, 44))


@given(st.integers(8, 120), st.integers(8, 120), st.integers(4, 48).map(lambda n: 2 * n), st.sampled_from([0.0, 0.3, 0.5, 1.0]))
def test_anywhere_a_slider_can_go_somebody_is_told(x, y, side, shrink):
    got = told(x, y, side, 16, shrink)
    assert 0 <= got.kept <= got.wanted
    assert got.kept + got.others >= 1
    assert got.coverage.sum(dim=0).max() <= 1


def test_without_a_kernel_there_is_a_picture_and_words():
    bundle, metadata = move_object()._repr_mimebundle_()
    assert set(bundle) == {"image/png", "text/plain"}
    assert "row 2, column 2" in metadata["image/png"]["alt"]
    assert "A is smaller" in get_alt(three_places())


def test_dragging_changes_picture_and_words():
    pytest.importorskip("ipywidgets")
    widget = move_object().make_widget()
    *sliders, line, shown = widget.children
    before = bytes(shown.value)
    sliders[0].value = 90
    assert bytes(shown.value) != before
    assert line.value == render(90, 34, 44, 16, 0.5)[1]
