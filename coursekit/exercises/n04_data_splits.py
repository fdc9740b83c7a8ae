"""An exercise of notebook 04_data: who trains and who judges, with every class on both sides. By group: n04_data_groups.py."""

import torch

from coursekit.data.splits import group_split, stratified_split
from coursekit.exercises.core import Exact, Exercise, Misconception


def both_sides(places, count):
    """(training places, held-out places) of the places that are held out, in order."""
    held_out = torch.zeros(count, dtype=torch.bool)
    held_out[places] = True
    return (~held_out).nonzero().flatten(), held_out.nonzero().flatten()


def held_count(share, count):
    """How many of so many are held out."""
    return max(min(max(1, round(share * count)), count - 1), 0)


def split_picture(arguments, expected, got):
    """For a check: what should be held out above what was; None where the answer is no two lists of places."""
    from coursekit.plots.data import show_split

    values = arguments[0]
    good = isinstance(got, (tuple, list)) and len(got) == 2 and isinstance(got[1], torch.Tensor) and got[1].ndim == 1
    if not good or got[1].dtype not in (torch.int64, torch.int32) or not 0 < len(values) <= 24:
        return None
    if len(got[1]) and not 0 <= int(got[1].min()) <= int(got[1].max()) < len(values):
        return None
    names = {int(value): chr(ord("A") + place) for place, value in enumerate(values.unique())}
    rows = {"what should be held out": (values, expected[1]), "what yours holds out": (values, got[1])}
    return show_split(rows, names, "Samples by place, with their class or group", held="out")


def stratified_cases(generator):
    """(label, arguments) for stratified_split: the order is never the stored one, counts that do not divide, classes of one and of two."""

    def labels(*values):
        return torch.tensor(values, dtype=torch.int64)

    yield "six of one class, four of the other", (labels(0, 0, 0, 0, 0, 0, 1, 1, 1, 1), 0.5, labels(9, 2, 7, 6, 0, 4, 1, 8, 5, 3))
    yield "mixed classes", (labels(1, 0, 1, 0, 0, 1, 1, 0), 0.25, labels(3, 6, 1, 0, 7, 5, 2, 4))
    yield "a class of three, and a tenth of it", (labels(0, 0, 0, *[1] * 10), 0.1, labels(12, 5, 2, 9, 0, 3, 1, 10, 4, 6, 7, 8, 11))
    yield "a share that is rounded up", (labels(1, 1, 1, 1, 1, 1), 0.3, labels(4, 1, 0, 5, 2, 3))
    yield "a class of one", (labels(5, 0, 0, 0, 0), 0.5, labels(0, 3, 4, 1, 2))
    yield "a class of two, and nine tenths", (labels(0, 0, *[2] * 10), 0.9, labels(4, 1, 0, 11, 3, 5, 2, 7, 6, 8, 10, 9))
    yield "labels that are no 0, 1, 2", (labels(7, 7, 3, 3, 7, 3), 1 / 3, labels(5, 4, 2, 0, 1, 3))
    yield "no samples", (labels(), 0.5, labels())
    for share in (0.2, 0.3, 0.6):
        picks = torch.randint(0, 3, (20,), generator=generator)
        yield f"random, {share} held out", (picks, share, torch.randperm(20, generator=generator))


def split_at_random(labels, share, order):
    count = round(share * len(order))
    return order[count:], order[:count]


def split_at_random_in_order(labels, share, order):
    return both_sides(order[: round(share * len(order))], len(labels))


def _by_class(labels, places_of):
    chosen = [places_of(label) for label in labels.unique()]
    return both_sides(torch.cat(chosen) if chosen else torch.zeros(0, dtype=torch.int64), len(labels))


def _ordered(labels, order, label):
    return order[labels[order] == label]


def split_in_stored_order(labels, share, order):
    def places_of(label):
        places = (labels == label).nonzero().flatten()
        return places[: held_count(share, len(places))]

    return _by_class(labels, places_of)


def split_sides_swapped(labels, share, order):
    train, held_out = stratified_split(labels, share, order)
    return held_out, train


def split_same_number_of_each(labels, share, order):
    number = round(share * len(labels) / max(1, len(labels.unique())))
    return _by_class(labels, lambda label: _ordered(labels, order, label)[:number])


def split_places_in_the_order(labels, share, order):
    def places_of(label):
        places = (labels[order] == label).nonzero().flatten()
        return places[: held_count(share, len(places))]

    return _by_class(labels, places_of)


def split_rare_class_lost(labels, share, order):
    def places_of(label):
        places = _ordered(labels, order, label)
        return places[: round(share * len(places))]

    return _by_class(labels, places_of)


def split_last_one_taken(labels, share, order):
    def places_of(label):
        places = _ordered(labels, order, label)
        return places[: max(1, round(share * len(places)))]

    return _by_class(labels, places_of)


def split_cut_off(labels, share, order):
    def places_of(label):
        places = _ordered(labels, order, label)
        return places[: max(min(max(1, int(share * len(places))), len(places) - 1), 0)]

    return _by_class(labels, places_of)


def split_not_sorted(labels, share, order):
    train, held_out = [], []
    for label in labels.unique():
        places = _ordered(labels, order, label)
        number = held_count(share, len(places))
        held_out.append(places[:number])
        train.append(places[number:])
    empty = torch.zeros(0, dtype=torch.int64)
    return torch.cat([empty, *train]), torch.cat([empty, *held_out])


LEFT_TO_LUCK = "You took the share of all samples together, so how much each class gives is left to luck. Take it of each class by itself."

stratified_exercise = Exercise(
    name="04.stratified_split",
    reference=stratified_split,
    cases=stratified_cases,
    compare=Exact(),
    twins=("sklearn.model_selection.train_test_split", "sklearn.model_selection.StratifiedShuffleSplit", group_split),
    misconceptions=[
        Misconception("at-random", split_at_random, LEFT_TO_LUCK),
        Misconception("at-random-then-sorted", split_at_random_in_order, LEFT_TO_LUCK),
        Misconception(
            "stored-order",
            split_in_stored_order,
            "You took the first of each class as they are stored. Files are often sorted by day or by place, so those are no sample "
            "of the rest: take them in the order of `order`.",
        ),
        Misconception(
            "sides-swapped",
            split_sides_swapped,
            "The two results changed places: training first, then what is held out.",
        ),
        Misconception(
            "same-number-of-each",
            split_same_number_of_each,
            "You hold out the same number of every class. Stratified means the same share of every class.",
        ),
        Misconception(
            "places-in-the-order",
            split_places_in_the_order,
            "You returned places within `order`, not what stands there. A mask over `labels[order]` picks from `order`: `order[mask]`.",
        ),
        Misconception(
            "rare-class-lost",
            split_rare_class_lost,
            "A tenth of three is 0.3, rounded 0: the rare class is never judged. Nine tenths of two are 1.8, rounded 2: nothing is left "
            "to learn it from. Of two or more at least one is held out, and at least one stays.",
        ),
        Misconception(
            "nothing-left-to-learn",
            split_last_one_taken,
            "All samples of a class were held out, and nothing is left to learn it from. At least one stays.",
        ),
        Misconception(
            "cut-off-not-rounded",
            split_cut_off,
            "`int` cuts off: 0.3 of 6 is 1.8, and should be 2. Use `round`.",
        ),
        Misconception(
            "not-sorted",
            split_not_sorted,
            "The right samples, in another order. Return the places from small to large: a mask over all places gives them so.",
        ),
    ],
    hints=[
        "Make a mask of all False, one for each sample, and set what is held out. At the end `mask.nonzero().flatten()` gives its "
        "places in order.",
        "`order[labels[order] == label]` are the places of one class, in the random order. The first of them are held out.",
        "`count = round(share * len(places))`, then `max(1, count)`, then `min(count, len(places) - 1)`.",
    ],
    points=4,
    picture=split_picture,
)
