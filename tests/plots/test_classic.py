import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from coursekit.classic.haar import PATTERNS, Haar
from coursekit.plots.classic import (
    show_features,
    show_found,
    show_gradients,
    show_hog,
    show_lookups,
    show_patterns,
    show_survivors,
    show_templates,
    strokes,
)
from coursekit.plots.images import get_alt

RANDOM = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


def test_lookups_say_the_sum_and_the_four_numbers():
    figure = show_lookups(np.arange(12).reshape(3, 4), (1, 0, 3, 2))
    assert figure.axes[0].get_title() == "image: the box sums to 14"
    assert get_alt(figure) == "The box (1, 0, 3, 2) sums to 14; its four look-ups are +18 -0 -4 +0."
    with pytest.raises(ValueError, match=r"image must be at most 12 x 12 pixels, got \(13, 2\)"):
        show_lookups(np.zeros((13, 2)), (0, 0, 1, 1))


def test_patterns_name_their_lookups():
    figure = show_patterns()
    assert [ax.get_title() for ax in figure.axes] == [f"{n}\n{k} look-ups" for n, k in zip(PATTERNS, (6, 6, 8, 8, 9), strict=True)]
    assert "type-4 9" in get_alt(figure)


def test_features_are_drawn_where_they_lie():
    figure = show_features(RANDOM.random((25, 25)), [Haar("type-3-x", 2, 4, 5, 6)], ["first"], "Features")
    corners = [patch.get_xy() for patch in figure.axes[0].patches]
    assert corners == [(2, 4), (7, 4), (12, 4)]
    assert [bool(patch.get_hatch()) for patch in figure.axes[0].patches] == [True, False, True]  # not by colour alone
    assert get_alt(figure) == "Features. type-3-x at (2, 4), cells of 5 by 6."


def test_survivors_are_counted():
    boxes = np.array([[0, 0, 5, 5], [5, 5, 9, 9]])
    figure = show_survivors(np.zeros((10, 10), np.uint8), boxes, np.array([[True, True], [True, False], [False, False]]), "Cascade")
    assert [ax.get_title() for ax in figure.axes] == ["all windows\n2 = 100.0%", "after stage 1\n1 = 50.0%", "after stage 2\n0 = 0.0%"]
    assert [sum(len(c.get_paths()) for c in ax.collections) for ax in figure.axes] == [0, 1, 0]
    assert get_alt(figure) == "Cascade. Windows that are left: all windows 2; after stage 1 1; after stage 2 0."


def test_gradients_have_four_panels():
    figure = show_gradients(np.eye(5), np.zeros((5, 5)), 2 * np.eye(5))
    assert [ax.get_title() for ax in figure.axes] == ["image", "gx: right minus left", "gy: below minus above", "length"]
    assert "largest difference is 2" in get_alt(figure)


def test_a_stroke_lies_along_the_edge():
    cells = np.zeros((1, 2, 9))
    cells[0, 1, 0] = 3.0  # a gradient to the right is an upright edge
    ((x1, y1, x2, y2, strength),) = strokes(cells, 8)
    assert strength == 1
    assert ((x1 + x2) / 2, (y1 + y2) / 2) == pytest.approx((12, 4))
    assert abs(y2 - y1) > 5 * abs(x2 - x1)
    assert strokes(np.zeros((2, 2, 9)), 8) == []


def test_hog_and_templates_are_drawn_as_strokes():
    cells = RANDOM.random((3, 4, 9))
    figure = show_hog(RANDOM.random((24, 32)), cells, 8, "Edges")
    assert figure.axes[1].get_title() == "3 x 4 cells of 8 pixels"
    assert len(figure.axes[1].collections[0].get_segments()) == 3 * 4 * 9
    assert get_alt(figure).startswith("Edges: the image, and for each of 3 by 4 cells")
    figure = show_templates({"wanted": cells, "unwanted": 0 * cells}, 8, "Weights")
    assert [len(ax.collections[0].get_segments()) for ax in figure.axes] == [108, 0]
    assert "wanted, unwanted" in get_alt(figure)


def test_found_boxes_have_their_scores():
    image = torch.zeros(1, 20, 20, dtype=torch.uint8)
    ours, theirs = (image, torch.tensor([[1.0, 1, 9, 9]]), torch.tensor([0.7])), (image, np.zeros((0, 4)), None)
    figure = show_found({"ours": ours, "theirs": theirs}, "Both")
    assert [t.get_text() for t in figure.axes[0].texts] == ["0.70"]
    assert get_alt(figure) == "ours: 0.70 at 1, 1, 9, 9. theirs: no boxes."
