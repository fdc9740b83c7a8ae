import matplotlib
import matplotlib.pyplot as plt
import pytest
import torch

from coursekit.plots import live
from coursekit.plots.explore_descent import WALKERS, explore_descent, walk, walk_picture
from coursekit.plots.images import get_alt
from coursekit.training.optimisers import sgd
from coursekit.training.surfaces import BOWL, SURFACES, descend

matplotlib.use("Agg")


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


@pytest.mark.parametrize("optimiser", list(WALKERS))
@pytest.mark.parametrize("surface", [s.name for s in SURFACES])
def test_every_choice_of_the_controls_walks_and_is_drawn(surface, optimiser):
    gentle = walk(surface, optimiser, 0.001, 0.5, steps=10)
    assert gentle.path.shape == (11, 2)
    assert gentle.heights[-1] < gentle.heights[0]
    assert "after 10 steps" in str(gentle)
    wild = walk(surface, optimiser, 10**0.5, 0.99, steps=60)
    assert get_alt(walk_picture(wild)) == f"{wild}."


def test_the_words_say_when_it_exploded_and_which_settings_count():
    assert str(walk("a narrow valley", "SGD", 0.5)) == "SGD, rate 0.5 on a narrow valley: exploded"
    assert walk("a bowl", "momentum", 0.01, 0.8).name == "momentum, rate 0.01, momentum 0.80"
    assert walk("a bowl", "RMSprop", 0.01, 0.8).name == "RMSprop, rate 0.01"
    assert torch.equal(walk("a bowl", "SGD", 0.1, steps=7).path, descend(sgd, BOWL, 0.1, 7))


def test_the_height_of_an_explosion_does_not_squeeze_its_first_steps():
    heights = walk_picture(walk("a narrow valley", "SGD", 3.0)).axes[1].lines[0].get_ydata()
    assert 1 < len(heights) < 61
    assert max(heights) < 1e12


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"surface": "a hill"}, "surface must be one of a bowl, a narrow valley"),
        ({"optimiser": "magic"}, "optimiser must be one of SGD, momentum"),
        ({"lr": 0.0}, "lr must be above 0"),
        ({"momentum": 1.0}, r"momentum in \[0, 1\)"),
    ],
)
def test_what_cannot_be_chosen_is_named(wrong, message):
    with pytest.raises(ValueError, match=message):
        walk(**({"surface": "a bowl", "optimiser": "SGD", "lr": 0.1} | wrong))


def test_without_a_kernel_there_is_a_picture_and_words(monkeypatch):
    monkeypatch.setattr(live, "has_kernel", lambda: False)
    bundle, metadata = explore_descent()._repr_mimebundle_()
    assert set(bundle) == {"image/png", "text/plain"}
    assert "momentum, rate 0.03, momentum 0.90 on a narrow valley: after 60 steps" in bundle["text/plain"]
    assert metadata["image/png"]["alt"] == bundle["text/plain"]


def test_moving_a_control_changes_picture_and_words():
    pytest.importorskip("ipywidgets")
    where, who, rate, kept, words, shown = explore_descent().make_widget().children
    before = bytes(shown.value)
    assert before.startswith(b"\x89PNG")
    who.value = "SGD"
    rate.value = 0.5
    assert words.value == "SGD, rate 0.5 on a narrow valley: exploded"
    where.value = "a bowl"
    kept.value = 0.5
    assert "SGD, rate 0.5 on a bowl: after 60 steps" in words.value
    assert bytes(shown.value) != before
