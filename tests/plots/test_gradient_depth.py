import matplotlib
import matplotlib.pyplot as plt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coursekit.plots import live
from coursekit.plots.gradient_depth import ACTIVATIONS, CEILING, FLOOR, INITS, Profile, drag_depth, profile, show_profiles

matplotlib.use("Agg")


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


@pytest.mark.parametrize(
    ("settings_", "verdict"),
    [
        ((1, "sigmoid", "Xavier"), "alive"),
        ((20, "sigmoid", "Xavier"), "vanished"),
        ((20, "ReLU", "std 0.05"), "vanished"),
        ((20, "ReLU", "He"), "alive"),
        ((20, "ReLU", "He x 2"), "exploded"),
        ((20, "ReLU", "std 0.05", True), "alive"),
    ],
)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_what_becomes_of_the_gradient(settings_, verdict, seed):
    settings_ = settings_ if len(settings_) == 4 else (*settings_, False)
    found = profile(*settings_, seed=seed)
    assert found.verdict == verdict, found
    assert len(found.norms) == settings_[0] + 1


@settings(deadline=None, max_examples=15)
@given(st.integers(1, 30), st.sampled_from(list(ACTIVATIONS)), st.sampled_from(list(INITS)), st.booleans())
def test_wherever_the_controls_go_there_is_a_profile_and_the_same_one_again(depth, activation, init, batch_norm):
    found = profile(depth, activation, init, batch_norm)
    assert len(found.norms) == depth + 1
    assert all(norm >= 0 for norm in found.norms)
    assert profile.__wrapped__(depth, activation, init, batch_norm) == found


def test_profile_says_what_it_is():
    found = Profile(2, "ReLU, He", (0.5, 0.7, 1.0))
    assert str(found) == "ReLU, He, 2 hidden layers: first layer 0.5, last 1, ratio 0.5 (alive)"
    assert Profile(1, "x", (1e-9, 1.0)).verdict == "vanished"
    assert Profile(1, "x", (1e-9, 1e-9)).verdict == "vanished"  # equally dead: the ratio says nothing
    assert Profile(1, "x", (1e9, 1.0)).verdict == "exploded"
    assert Profile(1, "x", (float("nan"), 1.0)).verdict == "NaN"
    assert str(Profile(1, "x", (0.0, 0.0))) == "x, 1 hidden layers: first layer 0, last 0, ratio nan (vanished)"


@pytest.mark.parametrize(
    ("arguments", "message"), [((3, "softmax"), "activation must be one of sigmoid"), ((3, "ReLU", "zeros"), "init must be one")]
)
def test_what_is_not_known_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        profile(*arguments)


def test_the_axis_stays_where_it_is_and_holds_every_point():
    figure = show_profiles([Profile(1, "a", (1e-30, 1.0)), Profile(1, "b", (float("nan"), 1e30))])
    ax = figure.axes[0]
    assert ax.get_ylim() == (FLOOR, CEILING)
    assert [line.get_ydata().tolist() if hasattr(line.get_ydata(), "tolist") else list(line.get_ydata()) for line in ax.lines] == [
        [FLOOR, 1.0],
        [CEILING, CEILING],
    ]
    assert ax.lines[0].get_linestyle() != ax.lines[1].get_linestyle()


def test_without_a_kernel_there_are_five_networks_in_one_picture(monkeypatch):
    monkeypatch.setattr(live, "has_kernel", lambda: False)
    bundle, metadata = drag_depth()._repr_mimebundle_()
    assert set(bundle) == {"image/png", "text/plain"}
    assert bundle["text/plain"].count("20 hidden layers") == 5
    assert metadata["image/png"]["alt"] == bundle["text/plain"]


def test_dragging_changes_picture_and_words():
    pytest.importorskip("ipywidgets")
    widget = drag_depth().make_widget()
    depth, activation, weights, norm, line, shown = widget.children
    assert "sigmoid, Xavier, 20 hidden layers" in line.value
    before = bytes(shown.value)
    assert before.startswith(b"\x89PNG")
    depth.value = 5
    assert "5 hidden layers" in line.value
    activation.value, weights.value, norm.value = "ReLU", "He", True
    assert line.value.startswith("ReLU, He, batch norm, 5 hidden layers")
    assert bytes(shown.value) != before
