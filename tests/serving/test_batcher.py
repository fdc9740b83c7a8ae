"""Dynamic batching: the rule on given times, and the threads that follow it."""

import math
import threading
from concurrent.futures import CancelledError, wait

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coursekit.serving.batcher import Batcher, Request, Waiting, plan_batches

LONG = 20.0  # seconds: what takes so long is broken, however busy the machine


@pytest.mark.parametrize(
    ("arrivals", "max_batch", "max_wait", "seconds", "expected"),
    [
        pytest.param([], 4, 1, 1, [], id="nobody"),
        pytest.param([3.0], 4, 2, 1, [(5.0, [0])], id="one waits in vain"),
        pytest.param([3.0], 1, 2, 1, [(3.0, [0])], id="a batch of one is full at once"),
        pytest.param([0, 1, 2, 3], 2, 9, 1, [(1, [0, 1]), (3, [2, 3])], id="full before the wait is over"),
        pytest.param([0, 1, 5], 4, 2, 1, [(2, [0, 1]), (7, [2])], id="wait over before full"),
        pytest.param([0, 2], 4, 2, 1, [(2, [0, 1])], id="at the very moment of the start goes along"),
        pytest.param([0, 1, 2, 3, 4], 4, 0, 10, [(0, [0]), (10, [1, 2, 3, 4])], id="no wait: a busy server makes company"),
        pytest.param([0, 1, 2, 3, 4, 5], 2, 0, 10, [(0, [0]), (10, [1, 2]), (20, [3, 4]), (30, [5])], id="no more than fit"),
        pytest.param([0, 1.5, 2], 2, 1, 1, [(1, [0]), (2, [1, 2])], id="free at the moment it fills"),
        pytest.param([0, 0, 0], 2, 1, 0, [(0, [0, 1]), (1, [2])], id="all at once, and no time to serve"),
        pytest.param([0, 0, 0], 8, 0, 5, [(0, [0, 1, 2])], id="together without waiting"),
        pytest.param([0, 1, 9], 8, 5, 7, [(5, [0, 1]), (14, [2])], id="the wait is counted from the arrival"),
        pytest.param([0, 6], 8, 5, 20, [(5, [0]), (25, [1])], id="the wait is over while the server is busy"),
    ],
)
def test_the_rule_by_hand(arrivals, max_batch, max_wait, seconds, expected):
    assert plan_batches(arrivals, max_batch, max_wait, seconds) == expected


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (([1, 0], 2, 1, 1), "arrivals must be finite times that never fall"),
        (([math.nan], 2, 1, 1), "arrivals must be finite"),
        (([0], 0, 1, 1), "max_batch must be a whole number of at least 1, got 0"),
        (([0], 1.5, 1, 1), "max_batch must be a whole number of at least 1, got 1.5"),
        (([0], True, 1, 1), "max_batch must be a whole number of at least 1, got True"),
        (([0], 1, -1, 1), "max_wait must be finite and at least 0 seconds, got -1"),
        (([0], 1, math.inf, 1), "max_wait must be finite"),
        (([0], 1, 1, math.nan), "seconds must be finite and at least 0, got nan"),
    ],
)
def test_what_is_out_of_range_is_named(arguments, said):
    with pytest.raises(ValueError, match=said):
        plan_batches(*arguments)


TIMES = st.lists(st.integers(0, 60), max_size=40).map(lambda times: [time / 4 for time in sorted(times)])  # quarters add up exactly
KNOBS = st.tuples(st.integers(1, 6), st.integers(0, 12).map(lambda n: n / 4), st.integers(0, 12).map(lambda n: n / 4))


@given(TIMES, KNOBS)
def test_each_once_in_order_none_too_early_none_too_late(arrivals, knobs):
    max_batch, max_wait, seconds = knobs
    batches, free = plan_batches(arrivals, *knobs), -math.inf
    assert [i for _, members in batches for i in members] == list(range(len(arrivals)))
    for start, members in batches:
        assert 1 <= len(members) <= max_batch
        assert start >= max(free, arrivals[members[-1]])  # nobody is served before arriving, nor by a busy server
        assert start <= max(free, arrivals[members[0]] + max_wait)  # nobody waits longer than allowed while the server is free
        if start < arrivals[members[0]] + max_wait:
            assert len(members) == max_batch  # started early only because it was full
        if len(members) < max_batch:
            assert members[-1] + 1 == len(arrivals) or arrivals[members[-1] + 1] > start  # room is left only where nobody else was there
        if len(members) == max_batch:
            assert start == max(
                free, arrivals[members[0]] if max_wait == 0 else min(arrivals[members[-1]], arrivals[members[0]] + max_wait)
            )
        free = start + seconds


@given(TIMES, KNOBS)
def test_the_queue_follows_the_rule(arrivals, knobs):
    """`Waiting` with a clock of our own makes exactly the batches of `plan_batches`."""
    max_batch, max_wait, seconds = knobs
    waiting, batches, free, coming = Waiting(max_batch, max_wait), [], -math.inf, list(enumerate(arrivals))
    while coming or waiting.due() is not None:
        due = math.inf if waiting.due() is None else max(free, waiting.due())
        if coming and coming[0][1] <= due:
            number, now = coming.pop(0)
            waiting.add(Request(number, now))
        else:
            batches.append((due, [request.item for request in waiting.take()]))
            free = due + seconds
    # the queue learns of one arrival after the other: those of one moment fill a batch before it is asked
    assert batches == plan_batches(arrivals, *knobs)


@given(st.lists(st.tuples(st.integers(0, 20), st.sampled_from("abc")), max_size=30), st.integers(1, 4), st.integers(0, 5))
def test_keys_never_mix_and_none_is_forgotten(items, max_batch, max_wait):
    waiting = Waiting(max_batch, max_wait)
    for number, (time, key) in enumerate(sorted(items, key=lambda item: item[0])):
        waiting.add(Request((number, key), time), key)
    batches = list(iter(waiting.take, []))
    assert waiting.due() is None
    assert sorted(request.item[0] for batch in batches for request in batch) == list(range(len(items)))
    for batch in batches:
        assert len(batch) <= max_batch
        assert len({request.item[1] for request in batch}) == 1
    for key in "abc":
        numbers = [request.item[0] for batch in batches for request in batch if request.item[1] == key]
        assert numbers == sorted(numbers)


def test_a_full_queue_of_one_size_does_not_starve_another():
    waiting = Waiting(max_batch=2, max_wait=1)
    waiting.add(Request("rare", 0.5), "b")
    for time in range(8):
        waiting.add(Request(time, time), "a")
    order = [[request.item for request in waiting.take()] for _ in range(5)]
    assert order == [[0, 1], ["rare"], [2, 3], [4, 5], [6, 7]]


class Gate:
    """A function that works on a batch only when it is let."""

    def __init__(self):
        self.batches, self.started, self.open = [], threading.Semaphore(0), threading.Semaphore(0)

    def __call__(self, items):
        self.batches.append(list(items))
        self.started.release()
        assert self.open.acquire(timeout=LONG)
        return [10 * item for item in items]

    def let(self, times=100):
        self.open.release(times)


def test_what_arrives_while_it_works_goes_together():
    gate = Gate()
    with Batcher(gate, max_batch=4, max_wait=0) as batcher:
        futures = [batcher.submit(0)]
        assert gate.started.acquire(timeout=LONG)
        futures += [batcher.submit(i) for i in range(1, 10)]
        gate.let()
        assert [future.result(LONG) for future in futures] == [10 * i for i in range(10)]
    assert gate.batches == [[0], [1, 2, 3, 4], [5, 6, 7, 8], [9]]
    assert batcher.sizes == {1: 2, 4: 2}


def test_eight_threads_each_get_their_own_answers():
    with Batcher(lambda items: [item * item for item in items], max_batch=5, max_wait=0.001) as batcher:
        got = {}

        def ask(first):
            futures = [(i, batcher.submit(i)) for i in range(first, first + 50)]
            got.update({i: future.result(LONG) for i, future in futures})

        threads = [threading.Thread(target=ask, args=(50 * n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(LONG)
    assert got == {i: i * i for i in range(400)}
    assert sum(size * count for size, count in batcher.sizes.items()) == 400
    assert max(batcher.sizes) <= 5


def test_an_error_reaches_its_batch_and_no_other():
    def run(items):
        if "bad" in items:
            raise OSError("no such file")
        return items

    gate = threading.Event()
    with Batcher(lambda items: (gate.wait(LONG), run(items))[1], max_batch=2, max_wait=0) as batcher:
        first = batcher.submit("first")
        while batcher.sizes[1] == 0:  # until it works on the first one alone
            threading.Event().wait(0.001)
        futures = [batcher.submit(item) for item in ("good", "bad", "fine", "well")]
        gate.set()
        assert first.result(LONG) == "first"
        assert [type(future.exception(LONG)) for future in futures] == [OSError, OSError, type(None), type(None)]
        assert futures[2].result() == "fine"


@pytest.mark.parametrize(
    ("run", "error", "said"),
    [
        (lambda items: items[1:], ValueError, "run must give one answer for each of 1 items, got 0"),
        (lambda items: None, TypeError, "NoneType"),
        (lambda items: (1 / 0 for _ in items), ZeroDivisionError, "zero"),
        (lambda items: (_ for _ in ()).throw(SystemExit("bye")), SystemExit, "bye"),
    ],
    ids=["too few", "no list", "late", "exit"],
)
def test_a_run_that_misbehaves_hangs_nobody(run, error, said):
    with Batcher(run, max_wait=0) as batcher:
        for _ in range(2):  # the thread lives on
            with pytest.raises(error, match=said):
                batcher.submit(1).result(LONG)


def test_an_item_without_a_key_is_its_senders_affair():
    with Batcher(lambda items: items, max_wait=0, key=len) as batcher:
        good = batcher.submit("ab")
        with pytest.raises(TypeError, match="len"):
            batcher.submit(3)
        assert good.result(LONG) == "ab"


def test_sizes_of_pictures_stay_apart():
    gate = Gate()
    with Batcher(gate, max_batch=8, max_wait=0, key=lambda item: item % 2) as batcher:
        first = batcher.submit(100)
        assert gate.started.acquire(timeout=LONG)
        futures = [batcher.submit(i) for i in range(6)]
        gate.let()
        assert [future.result(LONG) for future in [first, *futures]] == [1000, 0, 10, 20, 30, 40, 50]
    assert gate.batches == [[100], [0, 2, 4], [1, 3, 5]]


def test_closing_answers_those_who_wait():
    batcher = Batcher(lambda items: items, max_batch=8, max_wait=3600)
    futures = [batcher.submit(i) for i in range(11)]
    batcher.close()
    assert [future.result(0) for future in futures] == list(range(11))
    assert batcher.sizes[3] == 1
    batcher.close()  # again is no error
    with pytest.raises(RuntimeError, match="closed and takes no more"):
        batcher.submit(1)


def test_closing_on_a_run_that_hangs_fails_every_future():
    gate = Gate()
    batcher = Batcher(gate, max_batch=1, max_wait=0)
    futures = [batcher.submit(i) for i in range(3)]
    assert gate.started.acquire(timeout=LONG)
    batcher.close(patience=0.01)
    for future in futures:
        with pytest.raises(RuntimeError, match=r"closed, and there was no answer within 0\.01 s"):
            future.result(0)
    gate.let()  # what comes too late disturbs nobody
    batcher._thread.join(LONG)
    assert not batcher._thread.is_alive()


def test_closing_in_a_callback():
    batcher = Batcher(lambda items: items, max_wait=0)
    future = batcher.submit(1)
    closed = threading.Event()
    future.add_done_callback(lambda _: (batcher.close(), closed.set()))
    assert closed.wait(LONG)
    batcher._thread.join(LONG)
    assert not batcher._thread.is_alive()


def test_a_cancelled_item_is_not_run():
    gate = Gate()
    with Batcher(gate, max_batch=8, max_wait=0) as batcher:
        first = batcher.submit(0)
        assert gate.started.acquire(timeout=LONG)
        given_up, kept = batcher.submit(1), batcher.submit(2)
        assert given_up.cancel()
        gate.let()
        done, _ = wait([first, given_up, kept], LONG)
        assert len(done) == 3
        with pytest.raises(CancelledError):
            given_up.result(0)
    assert gate.batches == [[0], [2]]


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 3), max_size=30), st.integers(1, 5))
def test_threads_and_keys_whatever_comes(items, max_batch):
    seen = []

    def run(batch):
        seen.append(list(batch))
        return batch

    with Batcher(run, max_batch=max_batch, max_wait=0.0005, key=lambda item: item[1]) as batcher:
        futures = [batcher.submit(item) for item in enumerate(items)]
        assert [future.result(LONG) for future in futures] == list(enumerate(items))
    assert sorted(item for batch in seen for item in batch) == list(enumerate(items))
    assert all(len(batch) <= max_batch and len({key for _, key in batch}) == 1 for batch in seen)
