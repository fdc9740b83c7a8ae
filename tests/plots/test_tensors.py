import matplotlib
import matplotlib.pyplot as plt
import pytest
import torch

from coursekit.images import patches
from coursekit.plots.images import get_alt
from coursekit.plots.tensors import (
    show_broadcast,
    show_channels,
    show_expected,
    show_grids,
    show_jpeg,
    show_memory,
    show_patches,
    show_pixels,
    show_values,
)

matplotlib.use("Agg")
SMALL = torch.arange(18, dtype=torch.uint8).reshape(3, 2, 3)


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


def texts(ax):
    return [text.get_text() for text in ax.texts]


def test_channels_are_three_grey_pictures_beside_the_colour_one():
    figure = show_channels(torch.stack([torch.full((4, 6), v, dtype=torch.uint8) for v in (10, 20, 30)]))
    assert [ax.get_title() for ax in figure.axes] == [
        "RGB",
        "channel 0: red, mean 10",
        "channel 1: green, mean 20",
        "channel 2: blue, mean 30",
    ]
    assert figure.axes[2].images[0].get_array().mean() == 20
    assert all(ax.get_xlabel() == "column x" and ax.get_ylabel() == "row y" for ax in figure.axes)


def test_pixels_carry_their_numbers_in_a_colour_that_can_be_read():
    figure = show_pixels(torch.tensor([[[0, 255]]], dtype=torch.uint8))
    black, white = figure.axes[0].texts
    assert (black.get_text(), black.get_color()) == ("0", "white")
    assert (white.get_text(), white.get_color()) == ("255", "black")
    assert texts(show_pixels(SMALL).axes[0])[0] == "0\n6\n12"  # R, G, B of the first pixel


def test_memory_draws_a_view_as_the_memory_it_looks_at():
    hwc = torch.arange(12).reshape(2, 2, 3)
    figure = show_memory({"loaded": hwc, "view": hwc.permute(2, 0, 1)}, channel_axis={"view": 0})
    loaded, view = (texts(ax)[0::2] for ax in figure.axes)
    assert sorted(loaded) == sorted(view)  # the same memory, the same letters on it
    assert loaded[:4] == ["R 0", "G 1", "B 2", "R 3"]
    assert "stride (1, 6, 3)" in figure.axes[1].get_title()
    copy = show_memory({"copy": hwc.permute(2, 0, 1).contiguous()}, channel_axis={"copy": 0})
    assert texts(copy.axes[0])[0:8:2] == ["R 0", "R 3", "R 6", "R 9"]


def test_broadcast_brackets_what_nobody_stores():
    figure = show_broadcast(torch.tensor([[0], [10]]), torch.tensor([[1, 2, 3]]))
    assert texts(figure.axes[0]) == ["0", "(0)", "(0)", "10", "(10)", "(10)"]
    assert texts(figure.axes[1]) == ["1", "2", "3", "(1)", "(2)", "(3)"]
    assert texts(figure.axes[2]) == ["1", "2", "3", "11", "12", "13"]


def test_patches_stand_in_their_rows_and_columns():
    figure = show_patches(patches(SMALL.repeat(1, 2, 2), 2, 2))
    assert len(figure.axes) == 2 * 3
    assert figure.axes[0].get_ylabel() == "row 0"


def test_expected_stands_above_got_with_numbers_and_the_largest_is_white():
    figure = show_expected([torch.tensor([[[0, 50]]], dtype=torch.uint8)], [torch.tensor([[[50], [7]]], dtype=torch.uint8)])
    above, below = figure.axes
    assert (above.get_title(), below.get_title()) == ("expected [0]", "got [0]")
    assert texts(above) == ["0", "50"]
    assert texts(below) == ["50", "7"]
    assert above.images[0].get_array().max() == 255


@pytest.mark.parametrize("got", [[], [torch.zeros(2, 3, 4)], [torch.zeros(3, 4)], [torch.zeros(3, 0, 4)]])
def test_an_answer_that_is_no_image_is_not_drawn(got):
    assert show_expected([SMALL], got) is None


def test_values_name_mean_and_spread_of_each_channel():
    figure = show_values({"one": SMALL, "two": SMALL / 255})
    assert [ax.get_title() for ax in figure.axes] == ["one", "two"]
    legend = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert legend[0] == "red: mean 2.50, std 1.87"


def test_jpeg_shows_the_difference_enlarged():
    figure = show_jpeg(SMALL, SMALL + 2, gain=10)
    assert (figure.axes[2].images[0].get_array() == 20).all()


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda: show_channels(torch.zeros(1, 2, 2)), r"image must have shape \(3, H, W\)"),
        (lambda: show_pixels(torch.zeros(1, 20, 2)), "at most 16"),
        (lambda: show_memory({"big": torch.zeros(5, 5, 3)}), "big must hold at most 24 numbers"),
        (lambda: show_broadcast(torch.zeros(2, 2), torch.zeros(3, 3)), "a and b must fit together"),
        (lambda: show_broadcast(torch.zeros(2), torch.zeros(3, 3)), "two dimensions"),
        (lambda: show_patches(torch.zeros(2, 2, 3)), "cut must have shape"),
        (lambda: show_jpeg(SMALL, SMALL[:, :1]), "decoded must have the shape of original"),
    ],
)
def test_what_cannot_be_drawn_is_named(draw, message):
    with pytest.raises(ValueError, match=message):
        draw()


def test_grids_show_their_numbers():
    figure = show_grids({"a": [[0, 1.5]], "b": torch.tensor([[2], [3]])}, "Numbers")
    assert [[t.get_text() for t in ax.texts] for ax in figure.axes] == [["0", "1.5"], ["2", "3"]]
    assert get_alt(figure) == "Numbers. Tables of numbers. a: 1 x 2; b: 2 x 1."
