import matplotlib
import matplotlib.pyplot as plt
import pytest
import torch

from coursekit.models.lenet import LeNet, shapes_of
from coursekit.plots.convolution import (
    show_answer,
    show_field,
    show_maps,
    show_network,
    show_signals,
    show_steps,
    show_taps,
)
from coursekit.plots.images import get_alt

matplotlib.use("Agg")
STEP = torch.tensor([[1.0, 1, 5, 5], [1, 1, 5, 5], [1, 1, 5, 5], [1, 1, 1, 1]])
COLUMNS = torch.tensor([[-1.0, 0, 1]] * 3)


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


def texts(ax):
    return [text.get_text() for text in ax.texts]


def test_signals_stand_below_each_other_from_where_they_start():
    figure = show_signals({"in": torch.arange(5.0), "out": torch.zeros(3)}, "A title", starts={"out": 1})
    assert [list(ax.lines[0].get_xdata()) for ax in figure.axes] == [[0, 1, 2, 3, 4], [1, 2, 3]]
    assert "out: 3 numbers from 0.00 to 0.00" in get_alt(figure)


def test_steps_write_the_sum_of_each_window_above_it():
    figure = show_steps(STEP, COLUMNS)
    titles = [ax.get_title() for ax in figure.axes]
    assert titles == [
        "[0, 0]:  15 - 3 = 12",
        "[0, 1]:  15 - 3 = 12",
        "[1, 0]:  11 - 3 = 8",
        "[1, 1]:  11 - 3 = 8",
        "what comes out: 2 x 2",
    ]
    assert texts(figure.axes[-1]) == ["12", "12", "8", "8"]
    assert texts(figure.axes[0])[:4] == ["1", "× -1", "1", "× 0"]
    assert "gives [[12.0, 12.0], [8.0, 8.0]]" in get_alt(figure)


@pytest.mark.parametrize(
    ("how", "squares"),
    [
        ({}, [0, 1, 2, 1, 2, 3]),
        ({"stride": 2}, [0, 1, 2]),
        ({"padding": 1}, [-1, 0, 1, 0, 1, 2, 1, 2, 3, 2, 3, 4]),
        ({"padding": 1, "dilation": 2}, [-1, 1, 3, 0, 2, 4]),
    ],
)
def test_taps_stand_where_the_output_looks(how, squares):
    figure = show_taps({"one": how}, size=4, kernel=3)
    drawn = [patch.get_x() for patch in figure.axes[0].patches[2:]]  # the first two are the padding
    assert drawn == pytest.approx([place + 0.1 for place in squares])
    assert figure.axes[0].get_title() == f"one: {len(squares) // 3} numbers"


def test_an_answer_stands_beside_what_was_expected():
    figure = show_answer({"image": STEP}, torch.tensor([[1.0]]), torch.tensor([[2.5]]))
    assert [ax.get_title() for ax in figure.axes] == ["image", "expected", "got"]
    assert texts(figure.axes[2]) == ["2.5"]


@pytest.mark.parametrize("got", [None, torch.zeros(3), torch.zeros(0, 2), torch.zeros(20, 2)])
def test_an_answer_that_is_no_small_grid_is_not_drawn(got):
    assert show_answer({"image": STEP}, STEP, got) is None


def test_maps_are_white_where_they_are_highest_and_name_their_range():
    figure = show_maps(torch.stack([STEP, -STEP, torch.zeros(4, 4)]), "Maps", columns=2)
    assert [ax.get_title() for ax in figure.axes][:3] == ["map 0\n1 to 5", "map 1\n-5 to -1", "map 2\n0 to 0"]
    assert figure.axes[0].images[0].get_clim() == (1, 5)
    assert figure.axes[2].images[0].get_clim() == (0, 1)
    same = show_maps({"a": STEP}, "Maps", limits=(0, 10))
    assert same.axes[0].images[0].get_clim() == (0, 10)


def test_a_field_is_framed_and_its_reach_told():
    gradient = torch.zeros(8, 8)
    gradient[2:5, 3:6] = 1
    figure = show_field(gradient, (2, 3, 3), "Where it looks")
    assert "Computed: 3 x 3 pixels; the gradient is not 0 on 3 x 3 pixels." in get_alt(figure)
    frame = figure.axes[0].patches[0]
    assert (frame.get_x(), frame.get_y(), frame.get_width()) == (3, 2, 3)


def test_a_network_is_drawn_with_its_shapes():
    figure = show_network(shapes_of(LeNet(), torch.zeros(1, 1, 32, 32)), "LeNet")
    assert texts(figure.axes[0])[0] == "image\n1 @ 32x32\n1,024 numbers"
    assert texts(figure.axes[0])[-1] == "Linear\n10 numbers"
    assert "Conv2d 6 x 28 x 28" in get_alt(figure)


def test_too_many_windows_are_named():
    with pytest.raises(ValueError, match="at most 9 windows, got 16"):
        show_steps(torch.zeros(6, 6), COLUMNS)
