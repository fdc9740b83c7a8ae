"""Percentiles by a table and beside NumPy; load tests with a clock that only moves when it is told to."""

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coursekit.serving.latency import Load, latency_percentiles, load_test


@pytest.mark.parametrize(
    ("seconds", "percents", "expected"),
    [
        ([3.0], (0, 50, 100), [3.0, 3.0, 3.0]),
        ([4.0, 1.0, 3.0, 2.0], (0, 25, 26, 50, 75, 76, 100), [1.0, 1.0, 2.0, 2.0, 3.0, 4.0, 4.0]),  # unsorted
        ([2.0, 2.0, 2.0, 9.0], (50, 75, 76), [2.0, 2.0, 9.0]),  # ties
        ([1.0, 2.0, 3.0], (99, 1), [3.0, 1.0]),  # percents in any order; p99 of few is the largest
        (list(range(1, 101)), (50, 55, 90, 99, 99.5), [50, 55, 90, 99, 100]),  # 55 / 100 * 100 > 55 in floats
        (list(range(1, 1001)), (99.9, 0.1, 0.11), [999, 1, 2]),
        ([1.0], (), []),
    ],
)
def test_nearest_rank(seconds, percents, expected):
    before = list(seconds)
    assert latency_percentiles(seconds, percents) == expected
    assert seconds == before


@given(st.lists(st.integers(0, 20), min_size=1, max_size=60), st.integers(0, 100))
def test_it_is_the_smallest_value_that_so_many_do_not_exceed(seconds, percent):
    (value,) = latency_percentiles(seconds, (percent,))
    enough = [one for one in seconds if 100 * sum(other <= one for other in seconds) >= percent * len(seconds)]
    assert value == min(enough)


@given(st.lists(st.floats(0, 1e3), min_size=1, max_size=50), st.integers(0, 64))
def test_it_is_numpys_inverted_cdf(seconds, part):
    percent = part * 1.5625  # 64ths, which floats can divide exactly
    assert latency_percentiles(seconds, [percent]) == [np.percentile(seconds, percent, method="inverted_cdf")]


@pytest.mark.parametrize(
    ("seconds", "percents", "says"),
    [
        ([], (50,), "seconds must hold at least one value, got none"),
        ([1.0], (50, 101), "percents must lie in 0..100, got 101"),
        ([1.0], (-1,), "percents must lie in 0..100, got -1"),
        ([1.0], (float("nan"),), "percents must lie in 0..100, got nan"),
    ],
)
def test_percentiles_refuse(seconds, percents, says):
    with pytest.raises(ValueError, match=says.replace(".", r"\.")):
        latency_percentiles(seconds, percents)


class Pretend:
    """A detector on a clock of its own: request i takes ``takes[i]`` seconds, and fails where that is negative."""

    def __init__(self, takes):
        self.takes, self.now, self.seen = list(takes), 0.0, []

    def clock(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds

    def __call__(self, pictures):
        takes = self.takes[len(self.seen)]
        self.seen.append(list(pictures))
        self.now += abs(takes)
        if takes < 0:
            raise RuntimeError("out of paper\nand more")

    def load(self, pictures=("a",), **settings):
        return load_test(self, pictures, clock=self.clock, sleep=self.sleep, **settings)


def test_a_closed_loop_sends_one_after_the_other_and_warm_up_does_not_count():
    pretend = Pretend([9, -9, 1, 2, 3, 4])
    load = pretend.load(pictures=["a", "b", "c"], requests=4, warmup=2)
    assert (load.latencies, load.seconds, load.errors) == ([1, 2, 3, 4], 10, 0)
    assert load.throughput == 0.4
    assert load.percentiles((50, 99)) == [2, 4]
    assert pretend.seen == [["a"], ["b"], ["a"], ["b"], ["c"], ["a"]]  # what is counted begins at the first again


def test_a_pause_is_in_one_latency_of_a_closed_loop_and_in_all_that_was_due_meanwhile_of_an_open_one():
    takes = [0.25, 4, 0.25, 0.25, 0.25, 0.25, 0.25, 0.25]
    assert Pretend(takes).load(requests=8, warmup=0).latencies == takes
    opened = Pretend(takes).load(requests=8, warmup=0, rate=1.0)
    assert opened.latencies == [0.25, 4, 3.25, 2.5, 1.75, 1, 0.25, 0.25]  # due at 0, 1, 2 ...; answered at .25, 5, 5.25 ...
    assert opened.seconds == 7.25


def test_an_open_loop_that_keeps_up_measures_what_the_answers_take():
    load = Pretend([0.5] * 4).load(requests=4, warmup=0, rate=0.5)
    assert (load.latencies, load.seconds) == ([0.5] * 4, 6.5)


def test_errors_are_counted_and_have_no_latency():
    load = Pretend([1, -2, 3, -2]).load(requests=4, warmup=0)
    assert (load.latencies, load.errors, load.seconds) == ([1, 3], 2, 8)
    assert load.reasons == {"RuntimeError: out of paper": 2}
    assert load.throughput == 0.25
    nothing = Pretend([-1]).load(requests=1, warmup=0)
    assert str(nothing) == "no answer; 1 errors"
    with pytest.raises(ValueError, match="at least one value"):
        nothing.percentiles()


def test_one_client_works_in_the_thread_that_calls_and_several_do_not():
    seen = set()
    load_test(lambda pictures: seen.add(threading.get_ident()), ["a"], clients=1, requests=3, rate=1e6)
    assert seen == {threading.get_ident()}
    seen.clear()
    load_test(lambda pictures: seen.add(threading.get_ident()), ["a"], clients=2, requests=3)
    assert threading.get_ident() not in seen


def test_a_request_of_several_pictures_counts_as_so_many():
    pretend = Pretend([2, 2])
    load = pretend.load(pictures=["a", "b", "c"], requests=2, warmup=0, batch=2)
    assert pretend.seen == [["a", "b"], ["c", "a"]]
    assert load.throughput == 1.0


def test_eight_clients_wait_at_the_same_time_and_every_request_is_sent_once():
    together, lock, seen = threading.Barrier(8, timeout=60), threading.Lock(), []

    def detect(pictures):
        with lock:
            seen.append(pictures[0])
        together.wait()  # goes on only when eight are in here

    load = load_test(detect, range(40), clients=8, requests=40, warmup=8)
    assert (len(load.latencies), load.errors) == (40, 0)
    assert sorted(seen) == sorted([*range(8), *range(40)])


def test_no_more_threads_than_requests_and_no_more_requests_at_once_than_clients():
    inside, most, lock = [0], [0], threading.Lock()

    def detect(pictures):
        with lock:
            inside[0] += 1
            most[0] = max(most[0], inside[0])
        threading.Event().wait(0.002)
        with lock:
            inside[0] -= 1

    load_test(detect, ["a"], clients=3, requests=30, warmup=0, rate=1e6)
    assert 1 <= most[0] <= 3


def test_what_it_says_in_one_line():
    assert str(Load([0.010, 0.020], 0.5, errors=1)) == "p50 10.0 ms, p99 20.0 ms, 4.0 pictures/s, 1 errors"


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"pictures": []}, "pictures must hold at least one picture, got none"),
        ({"clients": 0}, "clients must be at least 1, got 0"),
        ({"requests": 0}, "requests must be at least 1, got 0"),
        ({"warmup": -1}, "warmup must be at least 0, got -1"),
        ({"batch": 0}, "batch must be at least 1, got 0"),
        ({"rate": 0}, "rate must be above 0 requests a second, or None, got 0"),
    ],
)
def test_a_load_test_refuses(settings, says):
    with pytest.raises(ValueError, match=says):
        load_test(lambda pictures: None, **{"pictures": ["a"], **settings})
