import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pytest

from coursekit.classic.parts import FACE, drawn_face
from coursekit.plots.classic_parts import show_maps, show_placed
from coursekit.plots.images import get_alt


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


def test_moved_parts_have_an_arrow_and_both_scores():
    figure = show_placed({"still": drawn_face(), "moved": drawn_face({"mouth": (2, 1)})}, FACE, 0.02, 3, "Faces")
    arrows = [[t for t in ax.texts if t.arrow_patch is not None] for ax in figure.axes]
    assert [len(a) for a in arrows] == [0, 1]
    assert len(figure.axes[0].patches) == 8
    assert figure.axes[0].get_title().startswith("still\nrigid ")
    assert "moved: rigid" in get_alt(figure)


def test_maps_mark_the_highest_place():
    scores = np.zeros((4, 6))
    scores[1, 5] = 2
    figure = show_maps({"fits": scores, "flat": scores - 1}, "Maps")
    assert figure.axes[0].get_title() == "fits\nhighest 2.00 at (5, 1)"
    assert get_alt(figure) == "Maps. fits: highest 2.00 at (5, 1); flat: highest 1.00 at (5, 1)."
