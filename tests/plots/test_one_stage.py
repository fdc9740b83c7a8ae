import matplotlib
import matplotlib.pyplot as plt
import pytest
import torch

from coursekit.one_stage.anchors import make_anchors
from coursekit.one_stage.matching import match_anchors
from coursekit.plots.images import get_alt
from coursekit.plots.one_stage import (
    anchors_per_level,
    level_shares,
    show_anchors,
    show_boxes_of_delta,
    show_focal,
    show_levels_by_size,
    show_matching,
    show_shares,
)

matplotlib.use("Agg")
STRIDES, SIZES = (8, 16), [[16], [32]]


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


@pytest.fixture
def image():
    return torch.zeros(3, 32, 64, dtype=torch.uint8)


def test_anchors_are_drawn_once_a_map(image):
    figure = show_anchors(image, STRIDES, SIZES, (0.5, 1.0, 2.0))
    assert [len(ax.patches) for ax in figure.axes] == [3, 3]
    assert "4 x 8 cells,\n96 anchors" in figure.axes[0].get_title()
    assert get_alt(figure).endswith("stride 8: 96 anchors; stride 16: 24 anchors.")


def test_matching_is_drawn_and_said(image):
    anchors = make_anchors((32, 64), STRIDES, SIZES, [1.0])
    truth = torch.tensor([[0.0, 0, 32, 32]])
    per_level = anchors_per_level((32, 64), STRIDES, 1)
    assert per_level == [32, 8]
    figure = show_matching(image, truth, anchors, match_anchors(anchors, truth), per_level, STRIDES)
    assert "stride 8: 0 answer, 0 are ignored, 32 are background" in get_alt(figure)
    assert "stride 16: 4 answer" in get_alt(figure)
    with pytest.raises(ValueError, match="per_level must add up to the 40 anchors, got 32"):
        show_matching(image, truth, anchors, match_anchors(anchors, truth), [32], STRIDES)


def test_matching_without_objects(image):
    anchors = make_anchors((32, 64), STRIDES, SIZES, [1.0])
    none = torch.zeros(0, 4)
    figure = show_matching(image, none, anchors, match_anchors(anchors, none), [32, 8], STRIDES)
    assert get_alt(figure).startswith("0 objects")


@pytest.mark.parametrize(
    ("match", "expected"),
    [
        ([-1, -2, -1], [[0, 0], [0, 0]]),
        ([0, 1, 1], [[1, 0], [0.5, 0.5]]),
        ([0, -2, 0], [[0.5, 0.5], [0, 0]]),
    ],
    ids=["nobody", "two objects", "one on both maps"],
)
def test_shares_of_the_maps(match, expected):
    shares = level_shares(torch.tensor([10.0, 20.0]), torch.zeros(3, 4), torch.tensor(match), [2, 1])
    assert shares.tolist() == expected


def test_levels_by_size_are_said():
    sizes, shares = torch.tensor([10.0, 12.0, 40.0]), torch.tensor([[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]])
    figure = show_levels_by_size(sizes, shares, STRIDES, (8, 16, 32, 64))
    assert "8 to 16 pixels: 75% at stride 8, 25% at stride 16" in get_alt(figure)
    assert "16 to 32 pixels: 0% at stride 8, 0% at stride 16" in get_alt(figure)
    assert "32 to 64 pixels: 0% at stride 8, 100% at stride 16" in get_alt(figure)


def test_focal_curves():
    figure = show_focal((0, 2))
    assert "0.11 for gamma 0, 0.0011 for gamma 2" in get_alt(figure)
    assert [len(ax.lines) for ax in figure.axes] == [2, 2]
    assert len(show_focal().axes[0].lines) == 5


def test_shares_are_said():
    rows = {"cross-entropy": {"objects": 0.25, "easy": 0.75}, "focal": {"objects": 0.98, "easy": 0.02}}
    figure = show_shares(rows, "From whom")
    assert get_alt(figure) == "From whom. cross-entropy: objects 25%, easy 75%; focal: objects 98%, easy 2%."
    assert len(figure.axes[0].patches) == 4


def test_a_delta_is_drawn():
    figure = show_boxes_of_delta((8, 8, 24, 24), (0.5, 0, 0, 0), (16, 8, 32, 24))
    assert figure.axes[0].get_title() == "dx 0.50, dy 0.00, dw 0.00, dh 0.00"
    assert "Anchor (8, 8, 24, 24)" in get_alt(figure)
