"""An exercise of notebook 04_data: who trains and who judges, with no group on both sides."""

import torch

from coursekit.data.splits import group_split
from coursekit.exercises.core import Exact, Exercise, Misconception
from coursekit.exercises.n04_data_splits import both_sides, held_count, split_picture


def group_cases(generator):
    """(label, arguments) for group_split: groups of different size and mixed order; names of groups are no places."""

    def whole(*values):
        return torch.tensor(values, dtype=torch.int64)

    yield "two groups", (whole(0, 0, 1, 1), 0.5, whole(1, 0))
    yield "three signs, three frames each", (whole(0, 0, 0, 1, 1, 1, 2, 2, 2), 1 / 3, whole(2, 0, 1))
    yield "groups of different size", (whole(4, 4, 4, 4, 4, 4, 9, 2, 2, 7), 0.5, whole(9, 4, 2, 7))
    yield "frames that are mixed", (whole(3, 1, 2, 3, 1, 2, 1, 3), 1 / 3, whole(2, 3, 1))
    yield "a tenth of three groups", (whole(5, 5, 6, 6, 8), 0.1, whole(6, 8, 5))
    yield "nine tenths of two groups", (whole(0, 1, 1, 1), 0.9, whole(0, 1))
    yield "one group alone", (whole(3, 3, 3), 0.5, whole(3))
    for share in (0.25, 0.6):
        groups = torch.randint(0, 8, (24,), generator=generator) * 3
        found = groups.unique()
        yield f"random, {share} held out", (groups, share, found[torch.randperm(len(found), generator=generator)])


def group_by_samples(groups, share, order):
    places = torch.cat([torch.zeros(0, dtype=torch.int64), *((groups == group).nonzero().flatten() for group in order)])
    return both_sides(places[: held_count(share, len(groups))], len(groups))


def group_until_enough_samples(groups, share, order):
    chosen, count = [], 0
    for group in order[:-1]:
        if count >= share * len(groups):
            break
        chosen.append(group)
        count += int((groups == group).sum())
    held_out = torch.isin(groups, torch.tensor(chosen, dtype=torch.int64))
    return both_sides(held_out, len(groups))


def group_in_stored_order(groups, share, order):
    return group_split(groups, share, groups.unique())


def group_names_taken_for_places(groups, share, order):
    return both_sides(order[: held_count(share, len(order))] % len(groups), len(groups))


def group_sides_swapped(groups, share, order):
    train, held_out = group_split(groups, share, order)
    return held_out, train


def group_one_frame_of_each(groups, share, order):
    firsts = [(groups == group).nonzero()[0, 0] for group in order[: held_count(share, len(order))]]
    return both_sides(torch.stack(firsts) if firsts else torch.zeros(0, dtype=torch.int64), len(groups))


def group_none_held_out(groups, share, order):
    return both_sides(torch.isin(groups, order[: round(share * len(order))]), len(groups))


def group_none_left(groups, share, order):
    return both_sides(torch.isin(groups, order[: max(1, round(share * len(order)))]), len(groups))


def group_the_groups(groups, share, order):
    number = held_count(share, len(order))
    return order[number:].sort().values, order[:number].sort().values


group_exercise = Exercise(
    name="04.group_split",
    reference=group_split,
    cases=group_cases,
    compare=Exact(),
    twins=("sklearn.model_selection.GroupShuffleSplit", "sklearn.model_selection.GroupKFold"),
    misconceptions=[
        Misconception(
            "a-group-cut-in-two",
            group_by_samples,
            "You counted samples, so one group was cut in two: some of its frames train and the others judge. That is the leak itself.",
        ),
        Misconception(
            "until-enough-samples",
            group_until_enough_samples,
            "You took whole groups until there were enough samples. That is sensible too, but `share` is to be a share of the groups.",
        ),
        Misconception(
            "stored-order",
            group_in_stored_order,
            "You took the smallest numbers. Take the groups as `order` draws them.",
        ),
        Misconception(
            "groups-taken-for-places",
            group_names_taken_for_places,
            "You used a group's number as the place of a sample. `torch.isin(groups, chosen)` asks for each sample whether its group "
            "was chosen.",
        ),
        Misconception(
            "sides-swapped",
            group_sides_swapped,
            "The two results changed places: training first, then what is held out.",
        ),
        Misconception(
            "one-of-each",
            group_one_frame_of_each,
            "You held out one sample of each chosen group; its twins stayed in training. All of a group go together.",
        ),
        Misconception(
            "none-held-out",
            group_none_held_out,
            "A tenth of three groups is 0.3, rounded 0, and nothing was held out; nine tenths of two are 1.8, rounded 2, and nothing is "
            "left to learn from. At least one is held out, and at least one stays.",
        ),
        Misconception(
            "none-left",
            group_none_left,
            "Every group was held out, and nothing is left to learn from. At least one stays.",
        ),
        Misconception(
            "groups-not-places",
            group_the_groups,
            "You returned the groups. Wanted are the places of their samples.",
        ),
    ],
    hints=[
        "How many groups are there? `len(order)`. The first few of `order` are held out.",
        "`torch.isin(groups, order[:count])` is a mask over the samples. Its `nonzero().flatten()` gives their places.",
        "`count = max(1, round(share * len(order)))`, and then `min(count, len(order) - 1)`.",
    ],
    points=3,
    picture=split_picture,
)
