import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from coursekit.plots.data import by_class, contact_sheet, show_balance, show_neighbours, show_scores, show_split, show_survey
from coursekit.plots.images import get_alt

matplotlib.use("Agg")


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


def picture(value, height=8, width=8, channels=3):
    return torch.full((channels, height, width), value, dtype=torch.uint8)


def test_a_sheet_has_a_row_for_each_class_and_its_pictures_in_their_places():
    figure = contact_sheet({"stop": [picture(10), picture(20, 4, 8, 1)], "yield": [picture(30)]}, "Signs", tile=8)
    (ax,) = figure.axes
    sheet = np.asarray(ax.images[0].get_array())
    assert sheet.shape == (20, 20, 3)
    assert (sheet[0:8, 0:8] == 10).all()
    assert (sheet[2:6, 10:18] == 20).all()  # half as high: centred
    assert (sheet[10:18, 0:8] == 30).all()
    assert [label.get_text() for label in ax.get_yticklabels()] == ["stop", "yield"]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["0", "1"]
    assert "stop 2, yield 1" in get_alt(figure)


@pytest.mark.parametrize(("height", "width"), [(3, 3), (8, 8), (9, 5), (40, 30), (1, 100)])
def test_pictures_of_any_size_fit_their_tile(height, width):
    sheet = np.asarray(contact_sheet({"a": [picture(0, height, width)]}, "t", tile=8).axes[0].images[0].get_array())
    assert sheet.shape == (10, 10, 3)
    assert (sheet[:8, :8] == 0).any()
    assert (sheet[8:] == 255).all()


def test_rows_are_filled_in_order_up_to_so_many():
    rows = by_class([picture(v) for v in range(5)], [1, 0, 1, 1, 0], ("a", "b"), most=2)
    assert [[int(image[0, 0, 0]) for image in images] for images in rows.values()] == [[1, 4], [0, 2]]


def test_balance_writes_its_numbers_beside_the_bars():
    figure = show_balance({"train": [6, 2], "val": [3, 1]}, ("stop", "yield"), "Signs")
    (ax,) = figure.axes
    assert [bar.get_width() for bar in ax.patches] == [6, 2, 3, 1]
    assert {text.get_text().strip() for text in ax.texts} == {"6", "2", "3", "1"}
    assert len({bar.get_hatch() for bar in ax.patches}) == 2  # not by colour alone
    assert "train: stop 6, yield 2" in get_alt(figure)


def test_a_split_marks_what_is_held_out():
    figure = show_split({"by hand": ([0, 0, 1, 1], [1, 2])}, ["A", "B"], "Ten labels")
    (ax,) = figure.axes
    assert [text.get_text() for text in ax.texts] == ["A", "train", "A", "val", "B", "val", "B", "train"]
    assert [bool(cell.get_hatch()) for cell in ax.patches] == [False, True, True, False]
    assert "val gets places [1, 2], A, B" in get_alt(figure)


def test_neighbours_stand_below_what_was_asked():
    figure = show_neighbours([picture(1), picture(2)], [picture(3), picture(4)], [True, False], "Nearest")
    shown = [int(np.asarray(ax.images[0].get_array()).max()) for ax in figure.axes]
    assert shown == [1, 2, 3, 4]
    assert [ax.get_xlabel() for ax in figure.axes[2:]] == ["✓ right", "✗ wrong"]


def test_scores_show_the_mean_and_each_seed():
    figure = show_scores({"at random": [0.9, 1.0], "by sign": [0.2, 0.4]}, "Leak", chance=0.1)
    (ax,) = figure.axes
    assert [bar.get_height() for bar in ax.patches] == pytest.approx([0.95, 0.3])
    assert [len(line.get_xdata()) for line in ax.lines[:2]] == [2, 2]
    assert "at random: mean 0.95, from 0.90 to 1.00" in get_alt(figure)


def test_a_survey_has_a_point_for_each_picture():
    figure = show_survey([(24, 24), (80, 60)], [10.0, 200.0], "Folder")
    assert [axis.get_title() for axis in figure.axes] == ["sizes", "brightness"]
    assert list(figure.axes[0].lines[0].get_xdata()) == [24, 80]
    assert "widths 24 to 80, heights 24 to 60; brightness 10 to 200" in get_alt(figure)


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda: contact_sheet({}, "t"), "rows must hold at least one image"),
        (lambda: contact_sheet({"a": []}, "t"), "rows must hold at least one image"),
        (lambda: show_balance({"train": [1]}, ("a", "b"), "t"), r"counts\['train'\] must have one number for each of the 2 classes"),
    ],
)
def test_what_cannot_be_drawn_is_named(draw, message):
    with pytest.raises(ValueError, match=message):
        draw()
