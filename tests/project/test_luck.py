import pytest
import torch

from coursekit.project.luck import best_of_n, lead_by_luck, lucky_board


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_nobody_leads_an_empty_board():
    assert best_of_n(torch.zeros(0), torch.zeros(0)).shape == (0, 2)


def test_of_equals_the_earlier_leads():
    rows = best_of_n(torch.tensor([0.5, 0.5, 0.75, 0.25]), torch.tensor([0.1, 0.2, 0.3, 0.4]))
    assert rows.tolist() == torch.tensor([[0.5, 0.1], [0.5, 0.1], [0.75, 0.3], [0.75, 0.3]]).tolist()


def test_a_lead_is_luck_and_stays_behind():
    curve = lead_by_luck(40, 100, 0.7, 0.3, generator())
    public, private = curve.T
    assert (public.diff() >= 0).all()
    assert public[-1] - 0.7 > 0.1  # forty equally good ones: the leader looks ten points better than it is
    assert (private - 0.7).abs().max() < 0.02  # and is as good as all others


def test_the_fewer_public_pictures_the_more_luck():
    few, many = (lead_by_luck(20, 400, 0.7, share, generator())[-1, 0] for share in (0.05, 0.8))
    assert few > many + 0.05


def test_both_parts_have_a_picture():
    for share in (0.0001, 0.9999):
        public, private = lucky_board(3, 2, 1.0, share, generator())
        assert public.tolist() == private.tolist() == [1.0] * 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 10, 0.5, 0.5), "n must be at least 1"),
        ((1, 1, 0.5, 0.5), "pictures at least 2"),
        ((1, 10, 1.5, 0.5), r"skill must lie in 0\.\.1"),
        ((1, 10, 0.5, 0.0), "share between 0 and 1"),
    ],
)
def test_arguments_that_do_not_fit(arguments, message):
    with pytest.raises(ValueError, match=message):
        lucky_board(*arguments, generator())
