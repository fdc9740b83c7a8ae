"""Pictures of windows and heat maps: where a cell lies over its picture, and what somebody hears who cannot see it."""

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import pytest
import torch

from coursekit.plots.images import get_alt
from coursekit.plots.sliding import (
    extent_of,
    show_differences,
    show_heat,
    show_pyramid,
    show_times,
    show_windows,
)
from coursekit.sliding.windows import windows

IMAGE = torch.full((3, 24, 40), 90, dtype=torch.uint8)


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


@pytest.mark.parametrize(
    ("shape", "window", "stride", "expected"),
    [
        ((0, 0), 8, 4, (2, 2, 2, 2)),
        ((1, 1), 8, 8, (0, 8, 8, 0)),
        ((2, 3), 8, 4, (2, 14, 10, 2)),
        ((5, 2, 3), 8, 4, (2, 14, 10, 2)),
    ],
)
def test_a_map_lies_over_the_middles_of_its_windows(shape, window, stride, expected):
    assert extent_of(shape, window, stride) == expected


def test_windows_are_dots_and_the_first_ones_have_frames_and_numbers():
    figure = show_windows(IMAGE, windows((24, 40), 8, 4), "All windows", first=2)
    (ax,) = figure.axes
    assert [text.get_text() for text in ax.texts] == ["0", "1", "44"]
    assert len(ax.lines[0].get_xdata()) == 45
    assert get_alt(figure) == (
        "All windows: 45 windows, a dot in the middle of each; window 0 at [0, 0, 8, 8]; window 1 at [4, 0, 12, 8]; "
        "window 44 at [32, 16, 40, 24]."
    )


def test_no_windows_are_a_picture_too():
    assert get_alt(show_windows(IMAGE, torch.zeros(0, 4), "None")) == "None: 0 windows, a dot in the middle of each; none."


def test_heat_lies_over_the_picture_and_the_hottest_cell_is_named():
    heat = torch.zeros(5, 9)
    heat[3, 4] = 0.75
    figure = show_heat(IMAGE, {"stop": heat}, 8, 4, "Heat")
    picture, over = figure.axes[1].images
    assert tuple(picture.get_extent()) == (0, 40, 24, 0)
    assert tuple(over.get_extent()) == (2, 38, 22, 2)
    assert figure.axes[1].get_xlim() == (0, 40)
    assert get_alt(figure) == "Heat. stop: 5 x 9 cells, highest 0.75 in row 3, column 4."


def test_an_enlarged_map_covers_what_the_small_one_did():
    figure = show_heat(IMAGE, {"enlarged": torch.zeros(20, 36)}, 8, 4, "Heat", pixels=True)
    assert tuple(figure.axes[1].images[1].get_extent()) == (2, 38, 22, 2)


def test_a_pyramid_has_one_window_for_each_size():
    figure = show_pyramid([IMAGE, IMAGE[:, ::2, ::2]], 8, "Sizes")
    (ax,) = figure.axes
    assert [text.get_text() for text in ax.texts] == ["24 x 40", "12 x 20"]
    assert [tuple(image.get_extent()) for image in ax.images] == [(0, 40, 24, 0), (52, 72, 12, 0)]
    assert "24 x 40, 12 x 20 pixels" in get_alt(figure)


def test_differences_share_one_scale_and_say_how_many_cells_differ():
    figure = show_differences({"middle": torch.zeros(2, 3), "border": torch.tensor([[0.0, 0.5], [2.0, 0.0]])}, "Padding")
    assert [image.get_clim() for ax in figure.axes[:2] for image in ax.images] == [(0, 2), (0, 2)]
    assert figure.axes[1].get_title() == "border\nhighest 2"
    assert get_alt(figure) == ("Padding. middle: highest 0, 0 of 6 cells above 0.0001; border: highest 2, 2 of 4 cells above 0.0001.")


def test_times_are_lines_told_apart_by_style_and_mark():
    figure = show_times([4, 8], {"crops": [100.0, 25.0], "dense": [2.0, 2.0]}, "Time")
    lines = figure.axes[0].lines
    assert len({(line.get_linestyle(), line.get_marker()) for line in lines}) == 2
    assert get_alt(figure) == "Time. Milliseconds at strides 4, 8: crops: 100, 25; dense: 2, 2."
    assert [label.get_text() for label in figure.axes[0].get_xticklabels()] == ["4", "8"]
