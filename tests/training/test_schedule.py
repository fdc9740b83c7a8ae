import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from coursekit.training.schedule import step_decay, training_steps, warmup_cosine

calm = settings(deadline=None)  # a busy machine is no failure


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (0, 0.25),
        (1, 0.5),
        (3, 1.0),  # warm-up of 4 is done
        (7, 0.01 + 0.99 / 2),  # half of the 8 steps after it
        (11, 0.01),  # the last step
    ],
)
def test_by_hand(step, expected):
    assert warmup_cosine(step, total=12, warmup=4) == pytest.approx(expected)


def test_the_cosine_is_torch_s():
    """Ours gives step 0 one step's worth of progress, torch's begins at the top: ours is theirs, one step on."""
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], lr=1.0)
    theirs = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=20, eta_min=0.01)
    for step in range(20):
        optimizer.step()
        theirs.step()
        assert warmup_cosine(step, 20, 0) == pytest.approx(optimizer.param_groups[0]["lr"])


@calm
@given(st.integers(1, 300), st.data())
def test_up_then_down_and_never_outside(total, data):
    warmup = data.draw(st.integers(0, total - 1))
    rates = [warmup_cosine(step, total, warmup) for step in range(total)]
    assert rates[:warmup] == sorted(rates[:warmup])
    assert rates[warmup:] == sorted(rates[warmup:], reverse=True)
    assert all(0 < rate <= 1 for rate in rates)
    assert rates[-1] == pytest.approx(0.01)


@pytest.mark.parametrize("step", [-1, 12])
def test_a_step_outside_is_named(step):
    with pytest.raises(ValueError, match=rf"step must lie in 0\.\.11, got {step}"):
        warmup_cosine(step, 12, 4)


@pytest.mark.parametrize(
    ("samples", "batch", "epochs", "drop_last", "expected"),
    [
        (0, 5, 10, False, 0),
        (100, 5, 0, False, 0),
        (100, 5, 10, False, 200),
        (100, 5, 10, True, 200),
        (103, 5, 10, False, 210),  # a last batch of 3 in every epoch
        (103, 5, 10, True, 200),
        (7, 10, 3, False, 3),
        (7, 10, 3, True, 0),
        (10, 4, 2, False, 6),  # 4 + 4 + 2, twice: batches do not reach across epochs
    ],
)
def test_steps_by_hand(samples, batch, epochs, drop_last, expected):
    assert training_steps(samples, batch, epochs, drop_last) == expected


@calm
@given(st.integers(1, 60), st.integers(1, 20), st.integers(0, 3), st.booleans())
def test_steps_are_as_many_as_a_dataloader_of_torch_gives_batches(samples, batch, epochs, drop_last):
    loader = torch.utils.data.DataLoader(range(samples), batch_size=batch, drop_last=drop_last)
    assert training_steps(samples, batch, epochs, drop_last) == epochs * len(loader)
    assert type(training_steps(samples, batch, epochs, drop_last)) is int


@pytest.mark.parametrize(
    ("samples", "batch", "epochs", "message"),
    [
        (-1, 5, 1, "samples must be at least 0, got -1"),
        (9, 0, 1, "batch must be at least 1, got 0"),
        (9, 5, -2, "epochs must be at least 0, got -2"),
    ],
)
def test_impossible_numbers_of_steps_are_named(samples, batch, epochs, message):
    with pytest.raises(ValueError, match=message):
        training_steps(samples, batch, epochs)


@calm
@given(st.integers(1, 30), st.floats(0.05, 1.0))
def test_the_staircase_is_torch_s(every, factor):
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], lr=1.0)
    theirs = torch.optim.lr_scheduler.StepLR(optimizer, every, factor)
    for step in range(65):
        assert step_decay(step, every, factor) == pytest.approx(optimizer.param_groups[0]["lr"])
        optimizer.step()
        theirs.step()


@pytest.mark.parametrize(("step", "every"), [(-1, 5), (3, 0)])
def test_an_impossible_stair_is_named(step, every):
    with pytest.raises(ValueError, match=f"step must be at least 0 and every at least 1, got {step} and {every}"):
        step_decay(step, every)
