import matplotlib
import matplotlib.pyplot as plt
import pytest
import torch

from coursekit.models.convolution import KERNELS, named_kernel
from coursekit.plots import live
from coursekit.plots.images import get_alt
from coursekit.plots.kernels import kernel_editor, render, respond, show_kernels, show_responses

matplotlib.use("Agg")
EDGE = torch.zeros(6, 8, dtype=torch.uint8)
EDGE[:, 4:] = 255  # dark, then bright


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


def test_an_edge_is_white_from_dark_to_bright_and_black_the_other_way():
    bright = respond(EDGE, named_kernel("sobel_x"))
    assert bright.values[0].tolist() == [0, 0, 4, 4, 0, 0]
    assert bright.grey[0].tolist() == [0, 0, 255, 255, 0, 0]
    assert respond(EDGE.flip(1), named_kernel("sobel_x")).grey.max() == 0
    assert respond(EDGE, named_kernel("sobel_y")).values.abs().max() == 0


@pytest.mark.parametrize(
    ("kernel", "words"),
    [
        (named_kernel("identity"), "add up to 1: an even surface stays as it is"),
        (named_kernel("sobel_x"), "white because above 1: 33%; the numbers add up to 0: an even surface turns black"),
        (torch.full((3, 3), 0.5), "add up to 4.5: an even surface gets 4.5 times as bright"),
        (-named_kernel("identity"), "shown black because below 0: 50%"),
    ],
)
def test_the_words_say_what_happens(kernel, words):
    assert words in str(respond(EDGE, kernel))


@pytest.mark.parametrize(
    ("image", "kernel", "message"),
    [
        (EDGE, torch.zeros(3), r"kernel must have shape \(3, 3\), got \(3,\)"),
        (EDGE[None], torch.zeros(3, 3), r"image must have shape \(H, W\)"),
        (EDGE[:2], torch.zeros(3, 3), "at least 3, got"),
    ],
)
def test_what_does_not_fit_is_named(image, kernel, message):
    with pytest.raises(ValueError, match=message):
        respond(image, kernel)


def test_kernels_carry_their_numbers():
    figure = show_kernels({"a": named_kernel("sobel_x")}, "Kernels")
    assert [t.get_text() for t in figure.axes[0].texts] == ["-1", "0", "1", "-2", "0", "2", "-1", "0", "1"]
    nearly = show_kernels({"a": torch.tensor([[-0.0004, 1 / 9]])}, "Kernels")
    assert [t.get_text() for t in nearly.axes[0].texts] == ["0", "0.11"]
    assert "Kernels: 1 kernels. a [[-1.0, 0.0, 1.0]" in get_alt(figure)
    assert not show_kernels(torch.zeros(2, 5, 5), "Many", numbers=False).axes[0].texts


def test_without_a_kernel_there_is_a_picture_and_words(monkeypatch):
    monkeypatch.setattr(live, "has_kernel", lambda: False)
    bundle, metadata = kernel_editor(EDGE)._repr_mimebundle_()
    assert set(bundle) == {"image/png", "text/plain"}
    assert bundle["text/plain"].startswith("The kernel sobel_x on a photograph: values from 0.00 to 4.00")
    assert metadata["image/png"]["alt"] == bundle["text/plain"]
    assert "outline: values from" in get_alt(show_responses(EDGE))


def test_editing_a_number_and_choosing_a_name_change_picture_and_words():
    pytest.importorskip("ipywidgets")
    names, grid, line, shown = kernel_editor(EDGE).make_widget().children
    assert [cell.value for cell in grid.children] == [-1, 0, 1, -2, 0, 2, -1, 0, 1]
    before = bytes(shown.value)
    assert before.startswith(b"\x89PNG")
    grid.children[4].value = 3
    assert "add up to 3" in line.value
    assert bytes(shown.value) != before
    names.value = "blur"
    assert [cell.value for cell in grid.children] == [0.1111] * 9  # a ninth, as long as its field
    assert line.value == render(EDGE, named_kernel("blur"))[1]


def test_an_unknown_name_is_told():
    with pytest.raises(ValueError, match=f"one of {', '.join(KERNELS)}"):
        kernel_editor(EDGE, start="canny")
