"""How long an answer takes while others ask too. Taught in notebook 23_deployment.

An average hides those who waited. Servers are therefore judged by percentiles: p50 is what half of the users saw at worst, p99 what 99
of 100 saw at worst.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil


def latency_percentiles(seconds: Sequence[float], percents: Sequence[float] = (50, 90, 99)) -> list[float]:
    """Percentiles by the nearest rank: for each percent the smallest value that at least so many per cent of all do not exceed.

    Of n sorted values it is number ceil(percent * n / 100), counted from 1; for 0 per cent the smallest. So it is always a value that was
    really measured, never one between two: with fewer than 100 values, p99 is the largest. The same as NumPy's ``method="inverted_cdf"``.

    Args:
        seconds: what was measured, at least one value, in any order; it is left as it is.
        percents: each in 0..100, in any order; the answer has theirs.

    Raises:
        ValueError: where there is no value, or a percent outside 0..100.
    """
    ordered = sorted(seconds)
    if not ordered:
        raise ValueError("seconds must hold at least one value, got none")
    for percent in percents:
        if not 0 <= percent <= 100:
            raise ValueError(f"percents must lie in 0..100, got {percent}")
    # exact, since 55 / 100 * 100 is more than 55 in floating point, and rounded up it would be one rank too many
    ranks = [max(1, ceil(Fraction(str(percent)) * len(ordered) / 100)) for percent in percents]
    return [ordered[rank - 1] for rank in ranks]


@dataclass(frozen=True)
class Load:
    """What `load_test` measured.

    Args:
        latencies: seconds of each request that was answered, in the order in which they were due.
        seconds: from the first moment to the last answer.
        errors: how many requests failed.
        batch: pictures in a request.
        reasons: how often each error came, by its first line.
    """

    latencies: list[float]
    seconds: float
    errors: int = 0
    batch: int = 1
    reasons: dict[str, int] = field(default_factory=dict)

    @property
    def throughput(self) -> float:
        """Pictures answered in a second; requests that failed do not count."""
        return self.batch * len(self.latencies) / self.seconds if self.seconds > 0 else 0.0

    def percentiles(self, percents: Sequence[float] = (50, 90, 99)) -> list[float]:
        """`latency_percentiles` of the requests that were answered."""
        return latency_percentiles(self.latencies, percents)

    def __str__(self):
        if not self.latencies:
            return f"no answer; {self.errors} errors"
        p50, p99 = (1e3 * value for value in self.percentiles((50, 99)))
        return f"p50 {p50:.1f} ms, p99 {p99:.1f} ms, {self.throughput:.1f} pictures/s, {self.errors} errors"


def load_test(
    detect: Callable[[list], object],
    pictures: Sequence,
    clients: int = 1,
    requests: int = 100,
    warmup: int = 5,
    rate: float | None = None,
    batch: int = 1,
    clock: Callable[[], float] = time.perf_counter,
    sleep: Callable[[float], None] = time.sleep,
) -> Load:
    """Send requests to a detector from several threads, and take the time of each.

    Closed loop (``rate`` None): each client sends its next request as soon as it has the last answer, as `clients` patient users would. A
    slow server is then asked less often, which flatters it: while it stands still for a second nobody asks, and that second is in one
    latency only. This is called *coordinated omission*.

    Open loop (``rate`` given): request i is due at i / rate seconds, whether or not the others are answered, as with users who do not
    know of each other. Its latency counts from the moment at which it was due, so that waiting for a free client is in it: standing still
    for a second then shows in everything that was due in that second. Where the server is slower than the rate, latencies grow and grow.

    Args:
        detect: takes a list of pictures; what it gives back is thrown away. Called from several threads at once. An exception counts as
            an error and does not stop the test.
        pictures: at least one; request i sends ``batch`` of them, and begins again at the first after the last.
        clients: threads, the most requests at one time. One alone works in the thread that calls: PyTorch has a team of helpers for each
            thread that asks it, and where there are more helpers than cores they no longer wait awake; a picture may then take twice as
            long.
        requests: how many are counted.
        warmup: requests before that, closed loop by the same number of clients; neither they nor their errors are counted.
        rate: requests a second, or None.
        clock, sleep: what tells and passes the time.

    Raises:
        ValueError: where there is no picture, or a number is out of its range.
    """
    _check(pictures, clients, requests, warmup, rate, batch)

    def send(number: int) -> None:
        detect([pictures[(number * batch + place) % len(pictures)] for place in range(batch)])

    _Requests(send, None, clock, sleep).run(clients, warmup)
    counted = _Requests(send, rate, clock, sleep)
    seconds = counted.run(clients, requests)
    latencies = [counted.latencies[number] for number in sorted(counted.latencies)]
    return Load(latencies, seconds, counted.reasons.total(), batch, dict(counted.reasons))


class _Requests:
    """Requests of one run, handed out to threads one after the other."""

    def __init__(self, send: Callable[[int], None], rate: float | None, clock, sleep):
        self.send, self.rate, self.clock, self.sleep = send, rate, clock, sleep
        self.latencies: dict[int, float] = {}
        self.reasons: Counter[str] = Counter()
        self.lock, self.next, self.stopped = threading.Lock(), 0, False

    def run(self, clients: int, requests: int) -> float:
        """Send them all; the seconds from the start to the last answer."""
        self.began = self.ended = self.clock()
        if clients == 1:
            self._client(requests)
            return self.ended - self.began
        threads = [threading.Thread(target=self._client, args=(requests,), daemon=True) for _ in range(min(clients, requests))]
        try:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        finally:
            self.stopped = True  # somebody pressed Ctrl-C: no more requests
        return self.ended - self.began

    def _client(self, requests: int) -> None:
        while True:
            with self.lock:
                number, self.next = self.next, self.next + 1
            if number >= requests or self.stopped:
                return
            due = self._wait(number)
            try:
                self.send(number)
                error = None
            except Exception as raised:
                error = f"{type(raised).__name__}: {raised}".splitlines()[0][:200]
            now = self.clock()
            with self.lock:
                self.ended = max(self.ended, now)
                if error is None:
                    self.latencies[number] = now - due
                else:
                    self.reasons[error] += 1

    def _wait(self, number: int) -> float:
        """The moment from which this request's latency counts; not before it has come."""
        now = self.clock()
        if self.rate is None:
            return now
        due = self.began + number / self.rate
        if due > now:
            self.sleep(due - now)
        return due


def _check(pictures: Sequence, clients: int, requests: int, warmup: int, rate: float | None, batch: int) -> None:
    if len(pictures) == 0:
        raise ValueError("pictures must hold at least one picture, got none")
    for name, value, least in (("clients", clients, 1), ("requests", requests, 1), ("warmup", warmup, 0), ("batch", batch, 1)):
        if value < least:
            raise ValueError(f"{name} must be at least {least}, got {value}")
    if rate is not None and not rate > 0:
        raise ValueError(f"rate must be above 0 requests a second, or None, got {rate}")
