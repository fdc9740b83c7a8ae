import matplotlib
import matplotlib.pyplot as plt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from coursekit.plots.images import get_alt
from coursekit.plots.training import (
    show_activations,
    show_history,
    show_regions,
    show_small_network,
    values_and_slopes,
)

matplotlib.use("Agg")
XOR = torch.tensor([[0.0, 0], [0, 1], [1, 0], [1, 1]])
LABELS = torch.tensor([0, 1, 1, 0])


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


def rows(*values):
    names = ("train/loss", "train/accuracy", "val/loss", "val/accuracy")
    return [{"epoch": epoch, "lr": 0.1, **dict(zip(names, four, strict=False))} for epoch, four in enumerate(values)]


@settings(deadline=None)  # the first call sets up much
@given(st.lists(st.floats(-4, 4, width=32), min_size=1, max_size=8))
def test_slopes_are_the_derivative_by_hand(numbers):
    x = torch.tensor(numbers)
    values, slopes = values_and_slopes(torch.sigmoid, x)
    torch.testing.assert_close(values, torch.sigmoid(x))
    torch.testing.assert_close(slopes, torch.sigmoid(x) * (1 - torch.sigmoid(x)))
    assert not x.requires_grad


def test_activations_stand_beside_their_derivatives_and_say_how_steep_they_are():
    figure = show_activations({"sigmoid": torch.sigmoid, "tanh": torch.tanh})
    left, right = figure.axes
    assert (left.get_title(), right.get_title()) == ("activation", "its derivative")
    legend = [text.get_text() for text in right.get_legend().get_texts()]
    assert legend == ["sigmoid: at most 0.25", "tanh: at most 1.00"]
    drawn = [line for line in left.lines if line.get_label() in ("sigmoid", "tanh")]
    assert len({line.get_linestyle() for line in drawn}) == 2  # not told apart by colour alone
    assert "sigmoid goes from 0.01 to 0.99, its slope is at most 0.25" in get_alt(figure)


def test_regions_count_what_each_model_gets_right():
    figure = show_regions({"x1 or x2": lambda p: p.sum(dim=1) - 0.5, "nothing": lambda p: torch.full((len(p), 1), -1.0)}, XOR, LABELS)
    assert [ax.get_title() for ax in figure.axes] == ["x1 or x2: 3 of 4 right", "nothing: 2 of 4 right"]
    assert "x1 or x2 gets 3 of 4 right" in get_alt(figure)


def test_a_small_network_carries_every_number():
    weights, biases = [torch.tensor([[1.0, 1], [1, 1]]), torch.tensor([[1.0, -2]])], [torch.tensor([0.0, -1]), torch.tensor([-0.5])]
    figure = show_small_network(weights, biases)
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert sorted(texts) == sorted(["1"] * 5 + ["-2", "x1", "x2", "+0", "-1", "-0.5"])
    dashed = [line for line in figure.axes[0].lines if line.get_linestyle() == "--"]
    assert len(dashed) == 1  # the negative weight
    assert "[[1.0, -2.0]]" in get_alt(figure)


def test_history_draws_both_splits_and_rings_the_best():
    figure = show_history({"mlp": rows((2.0, 0.2, 2.1, 0.1), (1.0, 0.6, 1.2, 0.7), (0.5, 0.9, 1.3, 0.6))})
    loss, accuracy = figure.axes
    rings = [line.get_xydata().tolist() for ax in (loss, accuracy) for line in ax.lines if len(line.get_xdata()) == 1]
    assert rings == [[[1.0, 1.2]], [[1.0, 0.7]]]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["train", "val"]
    assert show_history({"mlp": rows((50.0, 0.2), (1.0, 0.4))}, top=3).axes[0].get_ylim() == (0.0, 3.0)
    assert "mlp: train/loss 0.500, train/accuracy 0.900, val/loss 1.300, val/accuracy 0.600" in get_alt(figure)


def test_history_without_validation_or_without_epochs():
    figure = show_history({"a": rows((2.0, 0.2), (1.0, 0.4)), "none": []})
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["a, train"]
    assert show_history({"none": []}).legends == []
    nan = float("nan")
    assert show_history({"a": rows((1.0, 0.5, nan, nan))}).axes[0].get_title() == "loss"


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda: show_activations({}), "functions must be 1 to 4, got 0"),
        (lambda: show_history({key: [] for key in "abcde"}), "runs must be 1 to 4, got 5"),
        (lambda: show_small_network([torch.zeros(5, 2)], [torch.zeros(5)]), r"at most 4 neurons a layer to be drawn, got \[2, 5\]"),
    ],
)
def test_what_cannot_be_drawn_is_named(draw, message):
    with pytest.raises(ValueError, match=message):
        draw()
