"""Exercises of notebook 10_efficient: channel shuffle, and the planted bug in a stopwatch."""

import statistics

import torch

from coursekit.exercises.core import Close, Exact, Exercise, Misconception
from coursekit.models.efficient import typical_seconds
from coursekit.models.layers import channel_shuffle

# --- channel_shuffle


def shuffle_cases(generator):
    """(label, arguments) for channel_shuffle: each channel full of its own number, groups that are not the square root."""

    def numbered(channels, height=1, width=2):
        return torch.arange(channels).float()[None, :, None, None].expand(1, channels, height, width).contiguous()

    yield "six channels, two groups", (numbered(6), 2)
    yield "six channels, three groups", (numbered(6), 3)
    yield "four channels, two groups", (numbered(4), 2)
    yield "one group", (numbered(4), 1)
    yield "as many groups as channels", (numbered(5), 5)
    yield "two images, a map", (torch.arange(2 * 8 * 2 * 3).float().reshape(2, 8, 2, 3), 4)
    yield "random", (torch.randn(2, 12, 3, 2, generator=generator), 3)


def shuffle_nothing(x, groups):
    return x.clone()


def shuffle_the_other_way(x, groups):
    return channel_shuffle(x, x.shape[1] // groups)


def shuffle_reversed(x, groups):
    return x.unflatten(1, (groups, -1)).flip(1).flatten(1, 2)


def shuffle_within_groups(x, groups):
    return x.unflatten(1, (groups, -1)).flip(2).flatten(1, 2)


def shuffle_random(x, groups):
    return x[:, torch.randperm(x.shape[1], generator=torch.Generator().manual_seed(0))]


def shuffle_over_images(x, groups):
    count = len(x)
    mixed = x.flatten(0, 1).unflatten(0, (groups, -1)).transpose(0, 1).flatten(0, 1)
    return mixed.unflatten(0, (count, -1))


channel_shuffle_exercise = Exercise(
    name="10.channel_shuffle",
    reference=channel_shuffle,
    cases=shuffle_cases,
    compare=Exact(),
    misconceptions=[
        Misconception(
            "nothing-moved",
            wrong=shuffle_nothing,
            hint="The channels are where they were: reshaping there and back changes nothing. What must happen in between?",
        ),
        Misconception(
            "the-other-way",
            wrong=shuffle_the_other_way,
            hint="You cut into C / groups parts. Cut into `groups` parts first; then the two axes change places.",
        ),
        Misconception(
            "groups-reversed",
            wrong=shuffle_reversed,
            hint="The groups changed their order and stayed together. Deal the channels out like cards.",
        ),
        Misconception(
            "within-the-groups", wrong=shuffle_within_groups, hint="Channels moved only inside their group, so no group has seen another."
        ),
        Misconception(
            "at-random",
            wrong=shuffle_random,
            hint="It is called shuffle, and nothing in it is random: first of each group, second of each group, and so on.",
        ),
        Misconception(
            "over-the-images", wrong=shuffle_over_images, hint="Channels of one image landed in another. Keep the first axis out of it."
        ),
    ],
    hints=[
        "(N, C, H, W) as (N, groups, C / groups, H, W): `x.unflatten(1, (groups, -1))`.",
        "Exchange axes 1 and 2, then flatten them again.",
    ],
    points=2,
    twins=["torch.nn.functional.channel_shuffle", "torch.nn.ChannelShuffle", "torchvision.models.shufflenetv2.channel_shuffle"],
    equivalent={"return x.reshape(n, groups, c // groups, h, w).transpose(2, 1).reshape(n, c, h, w)": "the same two axes"},
)


# --- the planted bug: a stopwatch


class Machine:
    """A clock, and a call that takes as long as the next number of a list says; after the list it goes on with its last number."""

    def __init__(self, durations):
        self.durations, self.now, self.calls = durations, 0.0, 0

    def run(self) -> None:
        self.now += self.durations[min(self.calls, len(self.durations) - 1)]
        self.calls += 1

    def clock(self) -> float:
        return self.now


def drive_stopwatch(answer, durations, warmup, repeats):
    """What the stopwatch says of a machine whose calls take known times, and how often it called."""
    machine = Machine(durations)
    return {"seconds": answer(machine.run, warmup, repeats, machine.clock), "calls": machine.calls}


def stopwatch_cases(generator):
    """(label, arguments) for typical_seconds: durations, warmup, repeats."""
    yield "slow at first", ([9.0, 5.0, 1.0, 1.0, 1.0, 1.0], 2, 3)
    yield "another program in between", ([1.0, 1.0, 2.0, 3.0, 50.0, 4.0], 1, 5)
    yield "an even number of times", ([7.0, 1.0, 2.0, 4.0, 9.0], 1, 4)
    yield "no warm-up asked for", ([3.0, 1.0, 2.0], 0, 3)
    yield "once", ([5.0, 2.0], 1, 1)
    yield "random", (torch.rand(12, generator=generator).mul(9).tolist(), 3, 7)


def _timed(run, clock):
    began = clock()
    run()
    return clock() - began


def watch_with_the_warmup(run, warmup, repeats, clock):
    times = [_timed(run, clock) for _ in range(warmup + repeats)]
    return sum(times) / len(times)


def watch_without_warmup(run, warmup, repeats, clock):
    return statistics.median(_timed(run, clock) for _ in range(repeats))


def watch_mean(run, warmup, repeats, clock):
    for _ in range(warmup):
        run()
    return statistics.mean(_timed(run, clock) for _ in range(repeats))


def watch_fastest(run, warmup, repeats, clock):
    for _ in range(warmup):
        run()
    return min(_timed(run, clock) for _ in range(repeats))


def watch_median_of_all(run, warmup, repeats, clock):
    return statistics.median(_timed(run, clock) for _ in range(warmup + repeats))


def watch_sum(run, warmup, repeats, clock):
    for _ in range(warmup):
        run()
    return sum(_timed(run, clock) for _ in range(repeats))


def watch_upper_middle(run, warmup, repeats, clock):
    for _ in range(warmup):
        run()
    return sorted(_timed(run, clock) for _ in range(repeats))[repeats // 2]


def watch_from_one_beginning(run, warmup, repeats, clock):
    for _ in range(warmup):
        run()
    began, times = clock(), []
    for _ in range(repeats):
        run()
        times.append(clock() - began)
    return statistics.median(times)


def watch_warmup_from_the_repeats(run, warmup, repeats, clock):
    return statistics.median([_timed(run, clock) for _ in range(repeats)][warmup:])


typical_seconds_exercise = Exercise(
    name="10.typical_seconds",
    reference=typical_seconds,
    cases=stopwatch_cases,
    compare=Close(rtol=1e-6, atol=1e-6),
    drive=drive_stopwatch,
    misconceptions=[
        Misconception(
            "warm-up-counted",
            wrong=watch_with_the_warmup,
            hint="That is the planted bug. The first calls are slow for reasons of their own, and one slow call drags a mean "
            "along. What should not be "
            "timed, and which middle is deaf to one outlier?",
        ),
        Misconception(
            "no-warm-up",
            wrong=watch_without_warmup,
            hint="The first calls went into the result. Call `warmup` times first and do not look at the clock.",
        ),
        Misconception(
            "mean",
            wrong=watch_mean,
            hint="The warm-up is right. But one call in which another program was busy drags the mean along. Which middle does "
            "not listen to it?",
        ),
        Misconception(
            "fastest", wrong=watch_fastest, hint="The fastest is what the machine can do at best. Asked is what is usual: the median."
        ),
        Misconception(
            "warm-up-in-the-median", wrong=watch_median_of_all, hint="The median is right, but the warm-up calls are among its numbers."
        ),
        Misconception(
            "one-beginning",
            wrong=watch_from_one_beginning,
            hint="Your times grow from call to call: all of them are counted from the same beginning. Look at the clock before each call.",
        ),
        Misconception(
            "warm-up-from-the-repeats",
            wrong=watch_warmup_from_the_repeats,
            hint="The warm-up calls come in addition: in all there are warmup + repeats calls, and `repeats` times to take the median of.",
        ),
        Misconception("sum", wrong=watch_sum, hint="That is the time of all calls together."),
        Misconception(
            "upper-middle", wrong=watch_upper_middle, hint="Of an even number of times the median is the mean of the two in the middle."
        ),
    ],
    hints=[
        "Two loops: one that only calls, one that times each call.",
        "`statistics.median(times)`, with one entry for each of the `repeats` calls.",
    ],
    points=2,
)
