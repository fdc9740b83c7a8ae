"""Exercise of notebook 23_deployment about answering several at once: plan_batches, the rule of dynamic batching."""

import torch

from coursekit.exercises.core import Close, Exercise, Misconception
from coursekit.serving.batcher import plan_batches


def plan_cases(generator):
    """(label, arguments) for plan_batches: arrivals, max_batch, max_wait, seconds. All times are quarters or eighths, so sums are exact."""
    yield "the example by hand", ([0.0, 1.0, 2.0, 2.5, 9.0], 3, 4.0, 5.0)
    yield "one request waits for company in vain", ([1.0], 4, 2.0, 1.0)
    yield "full: nobody waits any longer", ([0.0, 0.5, 0.75], 3, 8.0, 1.0)
    yield "the oldest has waited long enough", ([0.0, 1.0, 3.0], 8, 2.0, 0.25)
    yield "each arrival is later than the one before", ([0.0, 1.0, 2.0, 3.0, 4.0], 8, 1.5, 0.25)
    yield "more are there than fit", ([0.0, 0.0, 0.0, 0.0, 0.0], 2, 1.0, 3.0)
    yield "the server is busy, and meanwhile others come", ([0.0, 1.0, 2.0, 3.0], 8, 0.5, 4.0)
    yield "the timer has run out while it was busy", ([0.0, 0.0, 1.0], 2, 1.0, 6.0)
    yield "just in time for the start", ([0.0, 2.0], 4, 2.0, 1.0)
    yield "a moment too late", ([0.0, 2.125], 4, 2.0, 1.0)
    yield "free at the moment at which the next is due", ([0.0, 1.0, 3.0], 1, 0.0, 2.0)
    yield "no waiting at all", ([0.0, 0.25, 3.0], 4, 0.0, 1.0)
    yield "one at a time", ([0.0, 0.25, 0.5], 1, 5.0, 1.0)
    yield "a server that takes no time", ([0.0, 0.5, 0.5, 2.0], 2, 1.0, 0.0)
    yield "the last ones wait too", ([0.0, 0.25, 4.0, 4.25], 2, 3.0, 0.5)
    yield "the last one waits too", ([0.0, 0.25, 4.0], 2, 3.0, 0.5)
    yield "nobody comes", ([], 4, 1.0, 1.0)
    for most, wait, seconds in ((3, 1.5, 2.0), (4, 0.5, 1.25), (2, 2.0, 0.5)):
        gaps = torch.randint(0, 9, (9,), generator=generator) / 8
        yield "random", (gaps.cumsum(0).tolist(), most, wait, seconds)


def _planned(arrivals, max_batch, max_wait, seconds, due=None, overlap=False, there=lambda arrived, start: arrived <= start, cost=None):
    """The right answer, but for what is given otherwise; due(arrivals, first, max_batch, max_wait, free) is when a batch should start."""

    def by_rule(arrivals, first, max_batch, max_wait, free):
        start = arrivals[first] + max_wait
        return min(start, arrivals[first + max_batch - 1]) if first + max_batch <= len(arrivals) else start

    batches, free, first = [], 0.0, 0
    while first < len(arrivals):
        start = (due or by_rule)(arrivals, first, max_batch, max_wait, free)
        start = start if overlap else max(start, free)
        members = [i for i in range(first, min(first + max_batch, len(arrivals))) if i == first or there(arrivals[i], start)]
        batches.append((start, members))
        free, first = start + (cost(seconds, len(members)) if cost else seconds), first + len(members)
    return batches


def plan_without_waiting(arrivals, max_batch, max_wait, seconds):
    return plan_batches(arrivals, max_batch, 0.0, seconds)


def plan_only_full(arrivals, max_batch, max_wait, seconds):
    return _planned(arrivals, max_batch, max_wait, seconds, due=lambda a, first, most, wait, free: a[min(first + most, len(a)) - 1])


def plan_always_waits(arrivals, max_batch, max_wait, seconds):
    return _planned(arrivals, max_batch, max_wait, seconds, due=lambda a, first, most, wait, free: a[first] + wait)


def plan_overlapping(arrivals, max_batch, max_wait, seconds):
    return _planned(arrivals, max_batch, max_wait, seconds, overlap=True)


def plan_without_limit(arrivals, max_batch, max_wait, seconds):
    batches, free, first = [], 0.0, 0
    while first < len(arrivals):
        start = arrivals[first] + max_wait
        if first + max_batch <= len(arrivals):
            start = min(start, arrivals[first + max_batch - 1])
        start = max(start, free)
        members = [i for i in range(first, len(arrivals)) if arrivals[i] <= start]
        batches.append((start, members))
        free, first = start + seconds, first + len(members)
    return batches


def plan_timer_of_the_newest(arrivals, max_batch, max_wait, seconds):
    def due(a, first, most, wait, free):
        last = first
        while last + 1 < len(a) and last + 1 < first + most and a[last + 1] <= a[last] + wait:
            last += 1
        return a[last] if last + 1 == first + most else a[last] + wait

    return _planned(arrivals, max_batch, max_wait, seconds, due=due)


def plan_timer_when_free(arrivals, max_batch, max_wait, seconds):
    def due(a, first, most, wait, free):
        start = max(a[first], free) + wait
        return min(start, a[first + most - 1]) if first + most <= len(a) else start

    return _planned(arrivals, max_batch, max_wait, seconds, due=due)


def plan_shut_doors(arrivals, max_batch, max_wait, seconds):
    batches, free, first = [], 0.0, 0
    while first < len(arrivals):
        due = arrivals[first] + max_wait
        if first + max_batch <= len(arrivals):
            due = min(due, arrivals[first + max_batch - 1])
        members = [i for i in range(first, min(first + max_batch, len(arrivals))) if arrivals[i] <= due]
        start = max(due, free)
        batches.append((start, members))
        free, first = start + seconds, first + len(members)
    return batches


def plan_not_at_the_start(arrivals, max_batch, max_wait, seconds):
    return _planned(arrivals, max_batch, max_wait, seconds, there=lambda arrived, start: arrived < start)


def plan_knows_the_end(arrivals, max_batch, max_wait, seconds):
    def due(a, first, most, wait, free):
        return min(a[first] + wait, a[min(first + most, len(a)) - 1])

    return _planned(arrivals, max_batch, max_wait, seconds, due=due)


def plan_seconds_each(arrivals, max_batch, max_wait, seconds):
    return _planned(arrivals, max_batch, max_wait, seconds, cost=lambda seconds, size: seconds * size)


plan_exercise = Exercise(
    name="23.plan_batches",
    reference=plan_batches,
    cases=plan_cases,
    compare=Close(),
    misconceptions=[
        Misconception("no-waiting", plan_without_waiting, "Each batch starts as soon as anybody is there. Whom does `max_wait` let in?"),
        Misconception(
            "only-full", plan_only_full, "You wait until the batch is full, however long that takes. What did the oldest one get promised?"
        ),
        Misconception("always-waits", plan_always_waits, "The batch was full, and you went on waiting for the timer. For whom?"),
        Misconception(
            "overlapping", plan_overlapping, "A batch started while the server was still busy with the one before. When is it free?"
        ),
        Misconception("no-limit", plan_without_limit, "More went into a batch than `max_batch`. The others must wait for the next."),
        Misconception(
            "timer-of-the-newest",
            plan_timer_of_the_newest,
            "Each newcomer started the timer again. The first one could wait for ever like that: whose wait counts?",
        ),
        Misconception(
            "timer-when-free",
            plan_timer_when_free,
            "Your timer starts when the server is free. Those who waited while it was busy have waited already.",
        ),
        Misconception(
            "doors-shut-early",
            plan_shut_doors,
            "You chose the members when the batch was due, but the server was busy until later. Who else is there when it *starts*?",
        ),
        Misconception(
            "not-at-the-start",
            plan_not_at_the_start,
            "Somebody came at the very moment of the start, and there was room. Equal counts as reached.",
        ),
        Misconception(
            "knows-the-end", plan_knows_the_end, "Your last batch starts as if the server knew that nobody else comes. It does not."
        ),
        Misconception(
            "seconds-each",
            plan_seconds_each,
            "You counted the seconds once for each request. A whole batch takes them once: that is what it is for.",
        ),
    ],
    hints=[
        "Batch by batch: due when the oldest has waited max_wait, or earlier, when the one arrives that makes it full.",
        "start = max(due, free), where free is when the server was done with the batch before. Only then look who is there.",
        "Members: from the oldest on, at most max_batch, those with arrival <= start. Then free = start + seconds.",
    ],
    points=4,
    equivalent={"batches, free, first = ([], 0.0, 0)": "nobody arrives before 0"},
)
