"""Which boxes are asked, and which few are proposed."""

import pytest
import torch
import torchvision
from hypothesis import given, settings
from hypothesis import strategies as st

from coursekit.two_stage.proposals import choose_proposals, draw_owners, head_targets, recall_at, rpn_targets


def boxes(*rows):
    return torch.tensor(rows, dtype=torch.float32).reshape(-1, 4)


def ints(*values):
    return torch.tensor(values, dtype=torch.int64)


@pytest.mark.parametrize(
    ("owner", "draws", "count", "share", "expected"),
    [
        ([], [], 4, 0.5, []),
        ([-1, -1, -1], [0.5, 0.1, 0.9], 2, 0.5, [-1, -1, -2]),  # nothing there: background fills everything
        ([0, 1, 0, 2], [0.9, 0.1, 0.4, 0.6], 4, 0.5, [-2, 1, 0, -2]),  # at most half have an object, whatever is free
        ([0, -1, -1, -1], [0.0, 0.3, 0.2, 0.1], 4, 0.5, [0, -1, -1, -1]),  # too few objects: background fills up
        ([0, 1, -1, -2, -1], [0.1, 0.2, 0.9, 0.0, 0.3], 3, 0.5, [0, -2, -1, -2, -1]),  # ignored are never drawn; half of 3 is 1
        ([3, -1], [0.5, 0.5], 1, 0.0, [-2, -1]),
        ([3, -1], [0.5, 0.5], 1, 1.0, [3, -2]),
        ([-1, -1, -1], [0.5, 0.5, 0.5], 2, 0.5, [-1, -1, -2]),  # equal draws: the earlier
    ],
)
def test_draw_owners_by_hand(owner, draws, count, share, expected):
    given_owner = ints(*owner)
    assert draw_owners(given_owner, torch.tensor(draws, dtype=torch.float32), count, share).tolist() == expected
    assert given_owner.tolist() == owner


@given(st.lists(st.integers(-2, 3), max_size=30), st.integers(1, 20), st.sampled_from([0.0, 0.25, 0.5, 1.0]), st.integers(0, 9))
@settings(max_examples=60, deadline=None)
def test_a_sample_is_part_of_what_was_there_and_as_torchvision_counts_it(owner, count, share, seed):
    owner = ints(*owner)
    drawn = draw_owners(owner, torch.rand(len(owner), generator=torch.Generator().manual_seed(seed)), count, share)
    asked = drawn != -2
    assert torch.equal(drawn[asked], owner[asked])
    sampler = torchvision.models.detection._utils.BalancedPositiveNegativeSampler(count, share)
    labels = torch.where(owner >= 0, 1.0, torch.where(owner == -1, 0.0, -1.0))
    positive, negative = sampler([labels])
    assert int((drawn >= 0).sum()) == int(positive[0].sum())
    assert int((drawn == -1).sum()) == int(negative[0].sum())


def test_rpn_targets_by_hand():
    anchors = boxes([0, 0, 10, 10], [0, 0, 10, 8], [0, 0, 10, 5], [40, 40, 50, 50], [0, 0, 10, 2])
    truth = boxes([0, 0, 10, 10])  # IoU 1, .8, .5, 0, .2
    draws = torch.tensor([0.5, 0.1, 0.2, 0.3, 0.4])
    assert rpn_targets(anchors, truth, draws, count=5).tolist() == [0, 0, -2, -1, -1]
    assert rpn_targets(anchors, truth, draws, count=2).tolist() == [-2, 0, -2, -1, -2]
    assert rpn_targets(anchors, boxes(), draws, count=2).tolist() == [-2, -1, -1, -2, -2]
    assert rpn_targets(anchors[3:], boxes([44, 44, 60, 60]), draws[3:], count=2).tolist() == [0, -1]  # poor, and the best there is


def test_head_targets_have_no_middle_and_no_second_best():
    proposals, truth = boxes([0, 0, 10, 10], [0, 0, 10, 5], [0, 0, 10, 4]), boxes([0, 0, 10, 10])
    assert head_targets(proposals, truth, torch.rand(3), count=2, positive_share=1.0).tolist() == [0, 0, -2]
    assert head_targets(proposals, truth, torch.rand(3), count=4, positive_share=0.5).tolist() == [0, 0, -1]
    assert head_targets(proposals[2:], truth, torch.rand(1)).tolist() == [-1]


def test_choose_proposals_by_hand():
    found = boxes([0, 0, 10, 10], [0, 0, 10, 9], [30, 30, 90, 90], [70, 5, 80, 15], [5, 5, 5.5, 40], [20, 0, 30, 10])
    scores = torch.tensor([0.5, 0.9, 0.4, 0.8, 0.7, 0.3])
    kept, said = choose_proposals(found, scores, (48, 64), before=6, after=6)
    # cut off: the fourth lies outside; too thin: the fifth; suppressed: the first
    assert kept.tolist() == [[0, 0, 10, 9], [30, 30, 64, 48], [20, 0, 30, 10]]
    assert said.tolist() == pytest.approx([0.9, 0.4, 0.3])
    assert choose_proposals(found, scores, (48, 64), before=4, after=6)[0].tolist() == [[0, 0, 10, 9]]  # of four, three fall
    assert len(choose_proposals(found, scores, (48, 64), before=6, after=2)[0]) == 2
    assert choose_proposals(boxes(), torch.zeros(0), (48, 64), 5, 5)[0].shape == (0, 4)


@given(st.integers(0, 40), st.integers(1, 50), st.integers(1, 20), st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_choose_proposals_equals_torchvisions_filter(count, before, after, seed):
    generator = torch.Generator().manual_seed(seed)
    corners = torch.rand(count, 2, generator=generator) * 80 - 10
    found = torch.cat([corners, corners + torch.rand(count, 2, generator=generator) * 40], dim=1)
    logits = torch.randn(count, generator=generator)
    rpn = torchvision.models.detection.rpn.RegionProposalNetwork(
        None, None, 0.7, 0.3, 64, 0.5, {"training": before, "testing": before}, {"training": after, "testing": after}, 0.7
    ).eval()
    rpn.min_size = 1.0
    theirs, said = rpn.filter_proposals(found[None], logits, [(64, 72)], [count])
    ours, scores = choose_proposals(found, logits.sigmoid(), (64, 72), before, after)
    torch.testing.assert_close(ours, theirs[0])
    torch.testing.assert_close(scores, said[0])


def test_recall_at_by_hand():
    truth = boxes([0, 0, 10, 10], [40, 40, 50, 50])
    own = boxes([0, 0, 10, 4], [0, 0, 10, 5], [40, 40, 50, 50])
    assert recall_at([own, boxes()], [truth, boxes([1, 1, 5, 5])], [0, 1, 2, 3, 100]) == pytest.approx([0, 0, 1 / 3, 2 / 3, 2 / 3])
    assert recall_at([own], [boxes()], [1]) == [0]
    assert recall_at([], [], [1]) == [0]


def test_what_does_not_fit_is_named():
    with pytest.raises(ValueError, match=r"owner and draws must have one shape \(A,\), got \(2,\) and \(3,\)"):
        draw_owners(ints(0, 1), torch.rand(3), 2, 0.5)
    with pytest.raises(ValueError, match="count must be at least 1 and positive_share in"):
        draw_owners(ints(0), torch.rand(1), 0, 2)
    with pytest.raises(ValueError, match="before and after must be at least 1, got 0 and 3"):
        choose_proposals(boxes(), torch.zeros(0), (8, 8), 0, 3)
    with pytest.raises(ValueError, match=r"scores must have shape \(1,\), one for each box, got \(2,\)"):
        choose_proposals(boxes([0, 0, 1, 1]), torch.zeros(2), (8, 8), 1, 1)
    with pytest.raises(ValueError, match="truths must be one for each of the 1 pictures, got 0"):
        recall_at([boxes()], [], [1])
