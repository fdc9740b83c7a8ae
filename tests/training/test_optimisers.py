from functools import partial
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from coursekit.training.optimisers import adagrad, adam, adam_l2, adamw, nesterov, rmsprop, sgd, sgd_momentum, update

calm = settings(deadline=None)  # a busy machine is no failure

ADAM_START = (0.0, 0.0, 0)
TWINS = [  # ours, what it remembers at first, torch's with the same settings
    pytest.param(sgd, 0.0, partial(torch.optim.SGD, lr=0.05), id="sgd"),
    pytest.param(sgd_momentum, 0.0, partial(torch.optim.SGD, lr=0.05, momentum=0.9), id="sgd_momentum"),
    pytest.param(partial(sgd_momentum, momentum=0.5), 0.0, partial(torch.optim.SGD, lr=0.05, momentum=0.5), id="momentum 0.5"),
    pytest.param(nesterov, 0.0, partial(torch.optim.SGD, lr=0.05, momentum=0.9, nesterov=True), id="nesterov"),
    pytest.param(adagrad, 0.0, partial(torch.optim.Adagrad, lr=0.05), id="adagrad"),
    pytest.param(rmsprop, 0.0, partial(torch.optim.RMSprop, lr=0.05), id="rmsprop"),
    pytest.param(partial(rmsprop, decay=0.9), 0.0, partial(torch.optim.RMSprop, lr=0.05, alpha=0.9), id="rmsprop 0.9"),
    pytest.param(adam, ADAM_START, partial(torch.optim.Adam, lr=0.05), id="adam"),
    pytest.param(
        partial(adam, betas=(0.5, 0.8), eps=0.1),
        ADAM_START,
        partial(torch.optim.Adam, lr=0.05, betas=(0.5, 0.8), eps=0.1),
        id="adam, betas",
    ),
    pytest.param(adam_l2, ADAM_START, partial(torch.optim.Adam, lr=0.05, weight_decay=0.01), id="adam_l2"),
    pytest.param(adamw, ADAM_START, partial(torch.optim.AdamW, lr=0.05, weight_decay=0.01), id="adamw"),
    pytest.param(partial(adamw, decay=0.5), ADAM_START, partial(torch.optim.AdamW, lr=0.05, weight_decay=0.5), id="adamw 0.5"),
]
ALL = [pytest.param(*p.values[:2], id=p.id) for p in TWINS]


def quadratic(seed):
    """A loss with curvatures from 0.1 to 10 in six directions, and its lowest place."""
    generator = torch.Generator().manual_seed(seed)
    turned, _ = torch.linalg.qr(torch.randn(6, 6, generator=generator, dtype=torch.float64))
    matrix = turned @ torch.diag(torch.logspace(-1, 1, 6, dtype=torch.float64)) @ turned.T
    goal = torch.randn(6, generator=generator, dtype=torch.float64)
    return lambda w: (w - goal) @ matrix @ (w - goal) / 2


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize(("step", "state", "twin"), TWINS)
def test_three_hundred_steps_equal_torch_optim(step, state, twin, seed):
    loss = quadratic(seed)
    weights = torch.zeros(6, dtype=torch.float64)
    parameter = torch.nn.Parameter(weights.clone())
    optimizer = twin([parameter])
    for _ in range(300):
        leaf = weights.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(loss(leaf), leaf)
        weights, state = step(weights, gradient, state, 0.05)
        parameter.grad = gradient.clone()  # ours to both: RMSprop's to and fro at the bottom would blow rounding up from step to step
        optimizer.step()
        assert (weights - parameter.detach()).abs().max() <= 1e-9
    assert weights.isfinite().all()


@pytest.mark.parametrize(("step", "state", "twin"), TWINS)
def test_on_a_changing_rate_and_gradients_of_every_size_equal_torch_optim(step, state, twin):
    generator = torch.Generator().manual_seed(3)
    weights = torch.randn(4, 3, generator=generator, dtype=torch.float64)
    parameter = torch.nn.Parameter(weights.clone())
    optimizer = twin([parameter])
    for number in range(60):
        size = 10.0 ** torch.randint(-4, 3, (4, 3), generator=generator)
        gradient = torch.randn(4, 3, generator=generator, dtype=torch.float64) * size * (number % 7 != 3)  # every seventh is all zeros
        rate = 0.05 / (1 + number // 20)
        weights, state = step(weights, gradient, state, rate)
        optimizer.param_groups[0]["lr"] = rate
        parameter.grad = gradient.clone()
        optimizer.step()
        torch.testing.assert_close(weights, parameter.detach(), rtol=1e-9, atol=1e-9)


ONE = torch.tensor([1.0])


@pytest.mark.parametrize(
    ("step", "state", "gradients", "expected"),
    [
        (sgd, 0.0, [], 1.0),
        (sgd, 0.0, [2.0], 0.8),
        (sgd_momentum, 0.0, [1.0, 1.0, 1.0], 1 - 0.1 * (1 + 1.9 + 2.71)),
        (nesterov, 0.0, [1.0], 1 - 0.1 * 1.9),
        (adagrad, 0.0, [3.0, 4.0], 1 - 0.1 - 0.1 * 4 / 5),
        (partial(rmsprop, decay=0.75), 0.0, [3.0], 1 - 0.1 * 3 / 1.5),
        (adam, ADAM_START, [7.0], 0.9),
        (adam, ADAM_START, [-0.003], 1.1),
        (adamw, ADAM_START, [7.0], 0.999 - 0.1),
        (adam_l2, ADAM_START, [7.0], 0.9),
    ],
    ids=["none", "sgd", "momentum", "nesterov", "adagrad 3-4-5", "rmsprop", "adam", "adam, tiny and negative", "adamw", "adam_l2"],
)
def test_by_hand(step, state, gradients, expected):
    weights = ONE
    for gradient in gradients:
        weights, state = step(weights, torch.tensor([gradient]), state, 0.1)
    assert weights.item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(("step", "state"), ALL)
def test_nothing_that_is_handed_in_changes(step, state):
    weights, gradient = torch.tensor([1.0, -2.0]), torch.tensor([0.5, 0.25])
    weights, state = step(weights, gradient, state, 0.1)
    held = [t for t in (weights, gradient, *(state if isinstance(state, tuple) else (state,))) if isinstance(t, torch.Tensor)]
    before = [t.clone() for t in held]
    step(weights, gradient, state, 0.1)
    assert all(torch.equal(t, b) for t, b in zip(held, before, strict=True))


@pytest.mark.parametrize(("step", "state"), ALL)
def test_no_weights_and_no_slope_are_no_trouble(step, state):
    empty, _ = step(torch.zeros(0), torch.zeros(0), state, 0.1)
    assert empty.shape == (0,)
    still, _ = step(torch.zeros(2), torch.zeros(2), state, 0.1)
    assert torch.equal(still, torch.zeros(2))  # not 0 / 0


@pytest.mark.parametrize(("step", "state"), ALL)
def test_a_column_of_rates_makes_as_many_walks_as_one_after_another(step, state):
    generator = torch.Generator().manual_seed(1)
    gradients = torch.randn(5, 3, generator=generator)
    rates = [0.001, 0.1, 3.0]
    together, kept = torch.ones(3, 3), state
    for gradient in gradients:
        together, kept = step(together, gradient, kept, torch.tensor(rates)[:, None])
    for row, rate in zip(together, rates, strict=True):
        alone, kept = torch.ones(3), state
        for gradient in gradients:
            alone, kept = step(alone, gradient, kept, rate)
        torch.testing.assert_close(row, alone)


gradient = st.floats(1e-3, 1e3) | st.floats(-1e3, -1e-3)


@calm
@given(st.lists(gradient, min_size=1, max_size=6))
def test_adams_first_step_is_the_rate_whatever_the_gradient(values):
    values = torch.tensor(values, dtype=torch.float64)
    moved, (_, _, count) = adam(torch.zeros_like(values), values, ADAM_START, 0.01)
    torch.testing.assert_close(moved, -0.01 * values.sign(), rtol=1e-4, atol=0.0)
    assert count == 1


@calm
@given(gradient, st.integers(2, 40))
def test_adagrads_steps_die_and_rmsprops_do_not(value, steps):
    slope = torch.tensor([value], dtype=torch.float64)
    places = {}
    for name, step in (("adagrad", adagrad), ("rmsprop", partial(rmsprop, decay=0.5))):
        weights, state, path = torch.zeros(1, dtype=torch.float64), 0.0, [0.0]
        for _ in range(steps):
            weights, state = step(weights, slope, state, 0.1)
            path.append(weights.item())
        places[name] = [abs(b - a) for a, b in pairwise(path)]
    assert places["adagrad"] == pytest.approx([0.1 / k**0.5 for k in range(1, steps + 1)], rel=1e-5)
    assert all(length >= 0.1 * (1 - 1e-4) for length in places["rmsprop"])


def test_under_a_constant_slope_momentum_goes_one_over_one_minus_momentum_times_as_fast():
    weights, velocity = torch.zeros(1, dtype=torch.float64), 0.0
    for _ in range(400):
        before = weights
        weights, velocity = sgd_momentum(weights, torch.ones(1, dtype=torch.float64), velocity, 0.01, 0.9)
    assert (before - weights).item() == pytest.approx(0.01 / (1 - 0.9))


def test_the_textbook_form_differs_only_where_the_rate_changes():
    """Rate in the velocity: v = m v + lr g; w -= v. Equal until the rate falls, and then slower to obey."""
    ours, velocity, book, speed = torch.zeros(1), 0.0, torch.zeros(1), 0.0
    for rate in (0.1, 0.1, 0.1):
        ours, velocity = sgd_momentum(ours, ONE, velocity, rate)
        speed = 0.9 * speed + rate * ONE
        book = book - speed
    torch.testing.assert_close(ours, book)
    ours2, _ = sgd_momentum(ours, ONE, velocity, 0.001)
    speed = 0.9 * speed + 0.001 * ONE
    assert (ours - ours2).item() < 0.02 * speed.item()


def test_adamw_shrinks_every_weight_alike_and_l2_does_not():
    """Gradients that cancel out, a hundred times a hundred larger for one weight than for the other."""
    for step, alike in ((partial(adamw, decay=0.5), True), (partial(adam_l2, decay=0.5), False)):
        weights, state = torch.ones(2, dtype=torch.float64), ADAM_START
        for number in range(200):
            weights, state = step(weights, torch.tensor([100.0, 0.01], dtype=torch.float64) * (-1) ** number, state, 0.01)
        assert (abs(weights[0] - weights[1]).item() < 0.05) == alike
        assert weights[0].item() == pytest.approx((1 - 0.005) ** 200 if alike else 1.0, abs=0.05)


def test_update_steps_every_tensor_with_its_own_state():
    parameters, gradients = [torch.ones(2), torch.ones(1, 3)], [torch.ones(2), torch.full((1, 3), 2.0)]
    parameters, states = update(parameters, gradients, [0.0, 0.0], sgd_momentum, 0.1)
    parameters, states = update(parameters, gradients, states, sgd_momentum, 0.1)
    torch.testing.assert_close(parameters, [torch.full((2,), 1 - 0.29), torch.full((1, 3), 1 - 0.58)])
    torch.testing.assert_close(states, [torch.full((2,), 1.9), torch.full((1, 3), 3.8)])


def test_update_says_what_is_missing():
    with pytest.raises(ValueError, match="parameters, gradients and states must be equally many, got 2, 2 and 1"):
        update([ONE, ONE], [ONE, ONE], [0.0], sgd, 0.1)
