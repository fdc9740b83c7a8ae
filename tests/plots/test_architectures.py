"""Diagrams and rankings of notebook 09: every block can be drawn, and the words say what is in it."""

import matplotlib
import matplotlib.pyplot as plt
import pytest

from coursekit.plots.architectures import BLOCKS, show_blocks, show_two_rankings
from coursekit.plots.images import get_alt

matplotlib.use("Agg")


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


@pytest.mark.parametrize("name", BLOCKS)
def test_each_block_is_drawn_with_its_words(name):
    figure = show_blocks([name])
    assert name in get_alt(figure)
    assert "\n" not in get_alt(figure)
    assert {text.get_text() for text in figure.axes[0].texts} - {""} == {text for _, _, text in BLOCKS[name][0]}


def test_all_of_them_and_none():
    assert len(show_blocks().axes) == len(BLOCKS)
    for names in ([], ["Transformer"]):
        with pytest.raises(ValueError, match="names must be some of VGG"):
            show_blocks(names)


def test_rankings_say_both_numbers():
    figure = show_two_rankings({"A": 70.0, "B": 76.13}, {"A": [0.8, 0.9], "B": [0.5]}, "Two rankings")
    assert get_alt(figure) == "Two rankings. A: published 70.0 %, here 0.850; B: published 76.1 %, here 0.500."
    with pytest.raises(ValueError, match="must have the same names"):
        show_two_rankings({"A": 70.0}, {"B": [0.5]}, "Two rankings")
