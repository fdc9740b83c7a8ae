"""Exercises of notebook 23_deployment about time: latency_percentiles and backoff_schedule."""

import math

import torch

from coursekit.exercises.core import Close, Exercise, Misconception
from coursekit.serving.latency import latency_percentiles

# --- percentiles


def percentile_cases(generator):
    """(label, arguments) for latency_percentiles: seconds, percents. Counts at which each way of rounding falls on another rank."""
    ten = [12.0, 9.0, 11.0, 10.0, 95.0, 9.5, 10.5, 13.0, 11.5, 240.0]
    yield "the ten by hand", (ten, [50, 90, 99])
    yield "p10 of ten: the first", (ten, [10])
    yield "p11 of ten: the second", (ten, [11])
    yield "everybody, and the quickest", (ten, [100, 0])
    yield "one request only", ([0.25], [0, 50, 99, 100])
    yield "p50 of three", ([3.0, 1.0, 2.0], [50])
    yield "p50 of four: no mean of two", ([1.0, 2.0, 4.0, 8.0], [50])
    yield "p55 of a hundred", ([float(i) for i in range(100, 0, -1)], [55, 7, 99])
    yield "p99.9 of two hundred", ([float(i) for i in range(200)], [99.9, 99.5])
    yield "percents in any order", ([4.0, 2.0, 6.0, 8.0, 10.0], [90, 10, 50])
    yield "equal times", ([2.0, 2.0, 2.0, 7.0], [50, 75, 76])
    for count in (7, 23, 60):
        times = torch.rand(count, generator=generator).tolist()
        yield "random", (times, [25, 50, 95])


def _by_rank(seconds, percents, rank):
    ordered = sorted(seconds)
    return [ordered[min(max(rank(percent, len(ordered)), 1), len(ordered)) - 1] for percent in percents]


def percentiles_unsorted(seconds, percents):
    return [seconds[max(1, math.ceil(p * len(seconds) / 100)) - 1] for p in percents]


def percentiles_rank_from_zero(seconds, percents):
    return _by_rank(seconds, percents, lambda p, n: math.ceil(p * n / 100) + 1)


def percentiles_rounded(seconds, percents):
    return _by_rank(seconds, percents, lambda p, n: round(p * n / 100))


def percentiles_cut_off(seconds, percents):
    return _by_rank(seconds, percents, lambda p, n: int(p * n / 100))


def percentiles_by_a_float(seconds, percents):
    return _by_rank(seconds, percents, lambda p, n: math.ceil(p / 100 * n))


def percentiles_between(seconds, percents):
    ordered = torch.tensor(sorted(seconds), dtype=torch.float64)
    return [float(torch.quantile(ordered, p / 100)) for p in percents]


def percentiles_of_n_minus_one(seconds, percents):
    return _by_rank(seconds, percents, lambda p, n: math.ceil(p * (n - 1) / 100) + 1)


def percentiles_from_the_slow_end(seconds, percents):
    ordered = sorted(seconds, reverse=True)
    return [ordered[max(1, math.ceil(p * len(ordered) / 100)) - 1] for p in percents]


def percentiles_shares(seconds, percents):
    return _by_rank(seconds, percents, lambda p, n: math.ceil(p * n))


def percentiles_percents_sorted(seconds, percents):
    return latency_percentiles(seconds, sorted(percents))


def percentiles_zero_wraps(seconds, percents):
    ordered = sorted(seconds)
    return [ordered[math.ceil(p * len(ordered) / 100) - 1] for p in percents]


percentiles_exercise = Exercise(
    name="23.latency_percentiles",
    reference=latency_percentiles,
    cases=percentile_cases,
    compare=Close(),
    misconceptions=[
        Misconception(
            "not-sorted", percentiles_unsorted, "You took the rank in the order in which they were measured. A rank needs an order of size."
        ),
        Misconception("rank-from-zero", percentiles_rank_from_zero, "You are one too far: rank 1 is `ordered[0]`."),
        Misconception(
            "rounded",
            percentiles_rounded,
            "You rounded the rank to the nearest, so sometimes fewer than p % are at or below the answer. Always up.",
        ),
        Misconception("cut-off", percentiles_cut_off, "You cut the rank off, so fewer than p % are at or below the answer. Up, not down."),
        Misconception(
            "rank-by-a-float",
            percentiles_by_a_float,
            "55 / 100 * 100 is 55.000000000000007 in floats, and rounded up 56. Multiply first and divide last.",
        ),
        Misconception(
            "between-two", percentiles_between, "Your value lies between two measured ones: nobody waited that long. Take a measured one."
        ),
        Misconception(
            "n-minus-one", percentiles_of_n_minus_one, "You count steps between values, n - 1 of them. The nearest rank counts values."
        ),
        Misconception("from-the-slow-end", percentiles_from_the_slow_end, "Your p99 is among the quickest: you counted from the slow end."),
        Misconception("share-for-percent", percentiles_shares, "Percents go from 0 to 100. Where did you divide by 100?"),
        Misconception(
            "percents-sorted", percentiles_percents_sorted, "The answers must stand in the order in which the percents were asked for."
        ),
        Misconception(
            "zero-wraps", percentiles_zero_wraps, "For 0 % the rank is 0, and `ordered[-1]` is the slowest. The rank is at least 1."
        ),
    ],
    hints=[
        "Sort. Of n values the answer is number ceil(p · n / 100), counted from 1.",
        "`ordered[max(1, ceil(percent * len(ordered) / 100)) - 1]`, for each percent.",
    ],
    points=2,
    twins=["numpy.percentile", "numpy.quantile", "torch.quantile", "torch.nanquantile", "statistics.quantiles"],
)


# --- when to try again


def backoff_schedule(first: float, longest: float, patience: float) -> list[float]:
    """Seconds to wait before each new try: first, then twice as long each time, none longer than longest; together at most patience."""
    waits, wait = [], min(first, longest)
    while sum(waits) + wait <= patience:
        waits.append(wait)
        wait = min(2 * wait, longest)
    return waits


def backoff_cases(generator):
    """(label, arguments) for backoff_schedule: first, longest, patience. Binary fractions, so sums are exact."""
    yield "the example by hand", (0.125, 1.0, 4.0)
    yield "patience is used up exactly", (1.0, 4.0, 7.0)
    yield "a moment less patience", (1.0, 4.0, 6.875)
    yield "no patience", (0.5, 1.0, 0.0)
    yield "less patience than the first wait", (0.5, 1.0, 0.25)
    yield "just one", (0.5, 1.0, 0.5)
    yield "the first is longer than the longest", (8.0, 2.0, 5.0)
    yield "doubling passes the longest", (0.75, 2.0, 8.0)
    yield "never as long as the longest", (0.25, 64.0, 4.0)
    yield "all equal", (1.0, 1.0, 3.5)
    for _ in range(3):
        a, b, c = torch.randint(1, 9, (3,), generator=generator).tolist()
        yield "random", (a / 8, b / 2, float(c))


def _waits(first, longest, patience, grow=lambda wait, number, first: 2 * wait, cap=True):
    waits, wait = [], min(first, longest) if cap else first
    while sum(waits) + wait <= patience:
        waits.append(wait)
        wait = grow(wait, len(waits), first)
        wait = min(wait, longest) if cap else wait
    return waits


def backoff_constant(first, longest, patience):
    return _waits(first, longest, patience, grow=lambda wait, number, first: wait)


def backoff_linear(first, longest, patience):
    return _waits(first, longest, patience, grow=lambda wait, number, first: wait + first)


def backoff_uncapped(first, longest, patience):
    return _waits(first, longest, patience, cap=False)


def backoff_first_uncapped(first, longest, patience):
    waits, wait = [], first
    while sum(waits) + wait <= patience:
        waits.append(wait)
        wait = min(2 * wait, longest)
    return waits


def backoff_one_too_many(first, longest, patience):
    waits, wait = [], min(first, longest)
    while sum(waits) < patience:
        waits.append(wait)
        wait = min(2 * wait, longest)
    return waits


def backoff_last_cut(first, longest, patience):
    waits = backoff_one_too_many(first, longest, patience)
    over = sum(waits) - patience
    return [*waits[:-1], waits[-1] - over] if waits and over > 0 else waits


def backoff_strict(first, longest, patience):
    waits, wait = [], min(first, longest)
    while sum(waits) + wait < patience:
        waits.append(wait)
        wait = min(2 * wait, longest)
    return waits


def backoff_patience_for_each(first, longest, patience):
    return [min(first * 2**i, longest) for i in range(32) if first * 2**i <= min(patience, longest)]


def backoff_moments(first, longest, patience):
    moments, now = [], 0.0
    for wait in _waits(first, longest, patience):
        now += wait
        moments.append(now)
    return moments


def backoff_stops_at_the_longest(first, longest, patience):
    waits = _waits(first, longest, patience)
    return waits[: waits.index(longest) + 1] if longest in waits else waits


backoff_exercise = Exercise(
    name="23.backoff_schedule",
    reference=backoff_schedule,
    cases=backoff_cases,
    compare=Close(),
    misconceptions=[
        Misconception(
            "constant",
            backoff_constant,
            "You wait equally long each time. A server that is down for a minute is then asked hundreds of times.",
        ),
        Misconception("linear", backoff_linear, "You add the first wait each time. Twice as long, not a little longer."),
        Misconception(
            "no-longest",
            backoff_uncapped,
            "Your waits grow without end: somebody would wait minutes for a server that is back. What is `longest` for?",
        ),
        Misconception("first-not-capped", backoff_first_uncapped, "The first wait, too, may not be longer than `longest`."),
        Misconception("one-too-many", backoff_one_too_many, "Together your waits are longer than `patience`. Look before you append."),
        Misconception("last-one-cut", backoff_last_cut, "You shortened the last wait so that it fits. It should be left out."),
        Misconception("patience-not-reached", backoff_strict, "Patience may be used up to the last moment: equal is allowed."),
        Misconception(
            "patience-for-each", backoff_patience_for_each, "You compared each wait with `patience`. It is for all of them together."
        ),
        Misconception("moments", backoff_moments, "Those are the moments of the tries. Asked for are the waits between them."),
        Misconception(
            "stops-at-the-longest",
            backoff_stops_at_the_longest,
            "You gave up as soon as a wait was as long as it may be. Patience decides when to give up.",
        ),
    ],
    hints=[
        "A loop: while the sum of the waits and the next one is at most patience, append it, and double it.",
        "`wait = min(2 * wait, longest)`.",
    ],
    points=2,
)
