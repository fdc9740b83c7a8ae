import matplotlib
import matplotlib.pyplot as plt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coursekit.plots.images import get_alt
from coursekit.plots.one_stage_explore import draw, explore_matching, scene

matplotlib.use("Agg")


@pytest.mark.parametrize(
    ("arguments", "answer", "ignored", "best"),
    [
        ((32, 32, 32, 32, 32, 32, 1.0), 4, 0, 0.14),
        ((16, 16, 32, 32, 32, 32, 1.0), 1, 0, 1.0),
        ((20, 20, 8, 8, 8, 8, 1.0), 1, 0, 1.0),
        ((24, 20, 8, 8, 8, 8, 1.0), 2, 0, 0.33),
        ((200, 200, 8, 8, 8, 8, 1.0), 0, 0, 0.0),
    ],
    ids=["between four coarse cells: ties", "on its anchor", "on a small one", "between two cells", "out of reach"],
)
def test_scene_by_hand(arguments, answer, ignored, best):
    one = scene(*arguments)
    assert int((one.match == 0).sum()) == answer
    assert int((one.match == -2).sum()) == ignored
    assert one.best == pytest.approx(best, abs=0.005)


def test_an_object_ends_where_the_image_ends():
    assert scene(56, 4, 64, 20, 8, 24, 1.0).box.tolist() == [24, 0, 64, 14]


def test_the_words_say_that_the_best_is_kept():
    assert "Nobody reaches 0.5: the best is kept." in str(scene(32, 32, 32, 32, 32, 32, 1.0))
    assert "Nobody" not in str(scene(16, 16, 32, 32, 32, 32, 1.0))
    assert "Nobody" not in str(scene(200, 200, 8, 8, 8, 8, 1.0))


side = st.integers(4, 64)


@settings(max_examples=40)
@given(
    st.integers(0, 64),
    st.integers(0, 64),
    side,
    side,
    st.sampled_from((4, 8, 16, 32)),
    st.integers(8, 64),
    st.sampled_from((0.5, 1.0, 2.0)),
)
def test_wherever_a_slider_can_go_somebody_answers_or_nobody_touches(x, y, width, height, stride, size, ratio):
    one = scene(x, y, width, height, stride, size, ratio)
    assert len(one.match) == (64 // stride) ** 2
    assert ((one.match == 0).any()) == (one.best > 0)


def test_the_picture_shows_what_matches():
    one = scene(24, 20, 8, 8, 8, 8, 1.0)
    figure = draw(one)
    assert len(figure.axes[0].patches) == 4  # the image, two anchors, the object
    assert get_alt(figure) == str(one)
    plt.close(figure)


def test_without_a_kernel_there_is_a_picture_and_words():
    bundle, metadata = explore_matching()._repr_mimebundle_()
    assert set(bundle) == {"image/png", "text/plain"}
    assert "anchors answer for the object" in bundle["text/plain"]
    assert metadata["image/png"]["alt"] == bundle["text/plain"]


def test_moving_a_slider_changes_picture_and_words():
    pytest.importorskip("ipywidgets")
    widget = explore_matching(20, 20, 8, 8, 8, 8).make_widget()
    *controls, line, shown = widget.children
    before = bytes(shown.value)
    assert before.startswith(b"\x89PNG")
    assert shown.layout.width == "460px"  # and not as wide as the page, which a box does to a picture without a width
    assert line.value.startswith("1 of 64 anchors answer")
    controls[0].value = 24
    assert line.value.startswith("2 of 64 anchors answer")
    assert bytes(shown.value) != before
