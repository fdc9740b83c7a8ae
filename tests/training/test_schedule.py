import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from coursekit.training.schedule import warmup_cosine


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
