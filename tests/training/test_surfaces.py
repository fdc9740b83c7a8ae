from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from coursekit.training.optimisers import adam, sgd, sgd_momentum
from coursekit.training.surfaces import BOWL, SADDLE, SURFACES, TWO_MINIMA, VALLEY, best_walk, descend

calm = settings(deadline=None)  # a busy machine is no failure

surfaces = pytest.mark.parametrize("surface", SURFACES, ids=lambda s: s.name)


@surfaces
def test_the_minima_are_where_it_says(surface):
    minima = torch.tensor(surface.minima, dtype=torch.float64)
    assert surface.gradient(minima).abs().max() < 1e-3
    for dx, dy in ((0.1, 0), (-0.1, 0), (0, 0.1), (0, -0.1)):
        assert (surface(minima + torch.tensor([dx, dy])) > surface(minima)).all()
    assert surface.lowest() == pytest.approx(surface(minima).min().item())


@surfaces
def test_start_and_minima_are_in_view(surface):
    left, right, low, high = surface.view
    for x, y in (surface.start, *surface.minima):
        assert left < x < right
        assert low < y < high


@surfaces
@calm
@given(x=st.floats(-2, 2), y=st.floats(-2, 2))
def test_the_gradient_equals_finite_differences(surface, x, y):
    point, h = torch.tensor([x, y], dtype=torch.float64), 1e-5
    sides = torch.eye(2, dtype=torch.float64) * h
    slopes = (surface(point + sides) - surface(point - sides)) / (2 * h)  # one row for x, one for y
    torch.testing.assert_close(surface.gradient(point), slopes, rtol=1e-5, atol=1e-5)


def test_what_the_names_promise():
    assert torch.equal(SADDLE.gradient(torch.zeros(2, dtype=torch.float64)), torch.zeros(2, dtype=torch.float64))
    across, along = VALLEY(torch.tensor([[0.0, 1.0], [1.0, 0.0]])).tolist()
    assert across == 25 * along
    left, right = TWO_MINIMA(torch.tensor(TWO_MINIMA.minima)).tolist()
    assert left < right - 0.5


@calm
@given(st.floats(0.01, 1.9), st.integers(0, 12))
def test_a_walk_down_the_bowl_by_hand(lr, steps):
    path = descend(sgd, BOWL, lr, steps)
    assert path.shape == (steps + 1, 2)
    for number in range(steps + 1):
        assert path[number].tolist() == pytest.approx([(1 - lr) ** number * w for w in BOWL.start], abs=1e-9)


@pytest.mark.parametrize(("lr", "explodes"), [(0.079, False), (0.081, True)])
def test_the_steepest_curvature_sets_the_limit(lr, explodes):
    """Two over 25 is 0.08."""
    path = descend(sgd, VALLEY, lr, 300)
    assert (VALLEY(path[-1]) > VALLEY(path[0])).item() == explodes


@pytest.mark.parametrize(("lr", "explodes"), [(0.15, False), (0.154, True)])
def test_momentum_moves_the_limit_to_two_times_one_plus_momentum_over_the_curvature(lr, explodes):
    """2 * 1.9 / 25 is 0.152."""
    path = descend(partial(sgd_momentum, momentum=0.9), VALLEY, lr, 600)
    assert (VALLEY(path[-1]) > VALLEY(path[0])).item() == explodes


@pytest.mark.parametrize(("step", "state"), [(sgd, 0.0), (sgd_momentum, 0.0), (adam, (0.0, 0.0, 0))], ids=["sgd", "momentum", "adam"])
@surfaces
def test_several_rates_at_once_are_the_same_walks(surface, step, state):
    rates = [0.001, 0.01, 0.03]
    together = descend(step, surface, torch.tensor(rates)[:, None], 20, state=state)
    assert together.shape == (21, 3, 2)
    for column, rate in enumerate(rates):
        alone = descend(step, surface, torch.tensor([rate]), 20, state=state)
        torch.testing.assert_close(together[:, column], alone, equal_nan=True)


def test_the_best_walk_is_the_one_that_ends_lowest_and_explosions_do_not_count():
    rate, path = best_walk(sgd, BOWL, [0.01, 1.0, 1.9, 50.0], 10)
    assert rate == 1.0
    assert BOWL(path[-1]).item() == 0.0
    rate, _ = best_walk(partial(sgd_momentum, momentum=0.9), VALLEY, [1e-5, 1e-3, 1e9], 400)
    assert rate == 1e-3


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: descend(sgd, BOWL, 0.1, -1), "steps must be at least 0, got -1"),
        (lambda: descend(sgd, BOWL, 0.1, 1, start=[1.0, 2.0, 3.0]), r"start must end in two coordinates, \(..., 2\), got shape \(3,\)"),
        (lambda: descend(sgd, BOWL, 0.1, 1, start=1.0), r"start must end in two coordinates, \(..., 2\), got shape \(\)"),
        (lambda: best_walk(sgd, BOWL, [], 5), "rates must hold at least one, got none"),
        (lambda: best_walk(sgd, BOWL, [1e9], 400), "rates must hold one that does not explode"),
    ],
)
def test_what_cannot_be_walked_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
