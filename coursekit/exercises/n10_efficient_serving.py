"""Exercise of notebook 10_efficient: choose_batch, how many images a server should answer at once."""

import torch

from coursekit.exercises.core import Exact, Exercise, Misconception
from coursekit.models.efficient import choose_batch


def batch_cases(generator):
    """(label, arguments) for choose_batch: sizes, seconds, limit. Numbers so round that shares of a best are exact."""
    yield "it bends at 4", ([1, 2, 4, 8], [1.0, 1.25, 2.0, 3.90625], 9.0)  # 1, 1.6, 2, 2.048 images a second
    yield "the best is too slow", ([1, 2, 4, 8], [1.0, 1.5, 2.5, 4.0], 2.0)  # 1, 1.33; 1.6 and 2 come too late
    yield "exactly at the limit", ([1, 4], [1.0, 2.0], 2.0)
    yield "larger is no better at all", ([1, 2, 4], [1.0, 2.0, 4.0], 10.0)
    yield "larger is worse", ([1, 2, 4], [1.0, 2.5, 6.0], 10.0)
    yield "nine tenths exactly", ([9, 20], [1.0, 2.0], 5.0)  # 9 and 10 a second
    yield "a little less than nine tenths", ([17, 40], [2.0, 4.0], 5.0)  # 8.5 and 10 a second
    yield "nothing is quick enough", ([1, 2], [3.0, 5.0], 2.0)
    yield "sizes in any order", ([8, 2, 4, 1], [4.0, 1.0, 2.0, 1.0], 9.0)  # 2, 2, 2 and 1 image a second
    yield "one size only", ([16], [0.5], 1.0)
    for _ in range(3):
        steps = torch.randint(1, 9, (6,), generator=generator).cumsum(0)
        seconds = ((8 * steps + 1) / 64).tolist()  # so that no rate is nine tenths of another, where rounding would decide
        yield "random", ([1, 2, 4, 8, 16, 32], seconds, seconds[int(torch.randint(2, 6, (), generator=generator))])


def batch_of_the_best(sizes, seconds, limit):
    fitting = [(b / s, -b) for b, s in zip(sizes, seconds, strict=True) if s <= limit]
    return -max(fitting)[1] if fitting else None


def batch_without_limit(sizes, seconds, limit):
    return choose_batch(sizes, seconds, float("inf"))


def batch_largest(sizes, seconds, limit):
    return max((b for b, s in zip(sizes, seconds, strict=True) if s <= limit), default=None)


def batch_smallest(sizes, seconds, limit):
    return min((b for b, s in zip(sizes, seconds, strict=True) if s <= limit), default=None)


def batch_best_of_all(sizes, seconds, limit):
    best = max(b / s for b, s in zip(sizes, seconds, strict=True))
    return min((b for b, s in zip(sizes, seconds, strict=True) if s <= limit and b / s >= 0.9 * best), default=None)


def batch_limit_excluded(sizes, seconds, limit):
    return choose_batch(*zip(*[(b, s) for b, s in zip(sizes, seconds, strict=True) if s != limit] or [(1, limit + 1)], strict=True), limit)


def batch_more_than_nine_tenths(sizes, seconds, limit):
    fitting = [(b, b / s) for b, s in zip(sizes, seconds, strict=True) if s <= limit]
    best = max((rate for _, rate in fitting), default=0.0)
    return min((b for b, rate in fitting if rate > 0.9 * best), default=None)


def batch_limit_an_image(sizes, seconds, limit):
    fitting = [(b, b / s) for b, s in zip(sizes, seconds, strict=True) if s / b <= limit]
    best = max((rate for _, rate in fitting), default=0.0)
    return min((b for b, rate in fitting if rate >= 0.9 * best), default=None)


def batch_last_that_reaches(sizes, seconds, limit):
    fitting = [(b, b / s) for b, s in zip(sizes, seconds, strict=True) if s <= limit]
    best = max((rate for _, rate in fitting), default=0.0)
    return max((b for b, rate in fitting if rate >= 0.9 * best), default=None)


choose_batch_exercise = Exercise(
    name="10.choose_batch",
    reference=choose_batch,
    cases=batch_cases,
    compare=Exact(),
    misconceptions=[
        Misconception(
            "the-best-itself",
            wrong=batch_of_the_best,
            hint="That is the one with the most images a second. A smaller one comes within a tenth of it and answers sooner.",
        ),
        Misconception(
            "no-limit", wrong=batch_without_limit, hint="Your batch answers later than the limit allows. Leave such out before you compare."
        ),
        Misconception(
            "largest", wrong=batch_largest, hint="You took the largest within the limit. Past the bend a larger one only waits longer."
        ),
        Misconception(
            "smallest",
            wrong=batch_smallest,
            hint="You took the smallest within the limit. How many images a second does it do, next to the best?",
        ),
        Misconception(
            "best-of-all",
            wrong=batch_best_of_all,
            hint="You compare with a batch that is too slow to be used. Look for the best among those within the limit.",
        ),
        Misconception("limit-excluded", wrong=batch_limit_excluded, hint="A batch that takes just the limit is still in time."),
        Misconception("more-than-nine-tenths", wrong=batch_more_than_nine_tenths, hint="Nine tenths exactly are enough."),
        Misconception(
            "limit-an-image",
            wrong=batch_limit_an_image,
            hint="You hold seconds *an image* against the limit. But the first image waits until the whole batch is done.",
        ),
        Misconception(
            "last-that-reaches",
            wrong=batch_last_that_reaches,
            hint="Of those that come within a tenth of the best you took the largest. The smallest answers sooner.",
        ),
    ],
    hints=[
        "First leave out what takes longer than the limit. Then images a second: size / seconds.",
        "best = the largest of these; the answer is the smallest size whose rate is at least 0.9 · best.",
    ],
    points=2,
    equivalent={"best = max(rates.values(), default=1)": "without a batch in time there is nothing to compare with it"},
)
