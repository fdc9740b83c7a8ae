"""Dynamic batching: requests arrive one by one, and are answered several at a time. Taught in notebook 23_deployment.

`plan_batches` is the rule, on arrival times that are given; `Waiting` is the same rule on arrivals that come as they like; `Batcher` puts
a clock and a thread to it. Inference servers do the same (Triton: ``dynamic_batching``, with ``max_queue_delay_microseconds``).
"""

import math
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Hashable
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain, pairwise


def plan_batches(arrivals: list[float], max_batch: int, max_wait: float, seconds: float) -> list[tuple[float, list[int]]]:
    """Which requests go together, and when, on one server that works on one batch at a time.

    A batch starts as soon as the server is free and one of two things is true: ``max_batch`` requests wait, or the oldest of those that
    wait has waited ``max_wait`` seconds. It takes the oldest, at most ``max_batch``. Equal times count as reached: who arrives at the very
    moment at which a batch starts goes along if there is room, and a server that becomes free at that moment is free. The server does
    not know that no more requests will come: the last ones wait their ``max_wait`` too.

    Args:
        arrivals: when each request arrives, in seconds, in this order (never falling).
        max_batch: at least 1.
        max_wait: at least 0; with 0 nobody waits for company, and only those go together that a busy server made wait.
        seconds: how long the server works on a batch of any size, at least 0.

    Returns:
        For each batch when it starts, and the indices of its requests: each request once, in their order. [] without requests.

    Raises:
        ValueError: naming the argument that is out of its range.
    """
    _check(max_batch, max_wait)
    if not seconds >= 0 or math.isinf(seconds):
        raise ValueError(f"seconds must be finite and at least 0, got {seconds}")
    if any(not math.isfinite(time) for time in arrivals) or any(b < a for a, b in pairwise(arrivals)):
        raise ValueError("arrivals must be finite times that never fall")
    batches, free, first = [], -math.inf, 0
    while first < len(arrivals):
        start = arrivals[first] + max_wait
        if first + max_batch <= len(arrivals):
            start = min(start, arrivals[first + max_batch - 1])  # the moment at which the batch is full
        start = max(start, free)
        members = [i for i in range(first, min(first + max_batch, len(arrivals))) if arrivals[i] <= start]
        batches.append((start, members))
        free, first = start + seconds, first + len(members)
    return batches


def _check(max_batch: int, max_wait: float) -> None:
    if isinstance(max_batch, bool) or not isinstance(max_batch, int) or max_batch < 1:
        raise ValueError(f"max_batch must be a whole number of at least 1, got {max_batch!r}")
    if not max_wait >= 0 or math.isinf(max_wait):
        raise ValueError(f"max_wait must be finite and at least 0 seconds, got {max_wait}")


@dataclass
class Request:
    """One item that waits for its answer."""

    item: object
    arrived: float
    future: Future = field(default_factory=Future)


class Waiting:
    """The requests that wait, by key, since only those of one key may go together. Knows the rule of `plan_batches`, but no clock."""

    def __init__(self, max_batch: int, max_wait: float):
        _check(max_batch, max_wait)
        self.max_batch, self.max_wait = max_batch, max_wait
        self._queues: dict[Hashable, deque[Request]] = {}

    def add(self, request: Request, key: Hashable = None) -> None:
        self._queues.setdefault(key, deque()).append(request)

    def due(self) -> float | None:
        """The time from which a free server should start a batch; None where nobody waits."""
        return min((self._due(queue) for queue in self._queues.values()), default=None)

    def take(self) -> list[Request]:
        """Take out the batch that is due first, the oldest of its key; [] where nobody waits."""
        if not self._queues:
            return []
        key = min(self._queues, key=lambda key: (self._due(self._queues[key]), self._queues[key][0].arrived))
        queue = self._queues[key]
        batch = [queue.popleft() for _ in range(min(self.max_batch, len(queue)))]
        if not queue:
            del self._queues[key]
        return batch

    def _due(self, queue: deque[Request]) -> float:
        due = queue[0].arrived + self.max_wait
        return min(due, queue[self.max_batch - 1].arrived) if len(queue) >= self.max_batch else due


class Batcher:
    """Answers single items by a function that works on many, in batches as `plan_batches` tells. Many threads may submit.

        with Batcher(detect, max_batch=8, max_wait=0.005) as batcher:
            futures = [batcher.submit(picture) for picture in pictures]
            found = [future.result() for future in futures]

    Args:
        run: a list of items -> as many answers, in this order. Called by one thread, with one batch at a time.
        max_batch: most items of a batch.
        max_wait: seconds that an item waits for company while ``run`` is free.
        key: of an item; only items of equal keys go together, such as pictures of one size. None: all of them.

    Attributes:
        sizes: how many batches there were of each size.

    Raises:
        ValueError: for max_batch or max_wait out of their range.
    """

    def __init__(
        self,
        run: Callable[[list], list],
        max_batch: int = 8,
        max_wait: float = 0.005,
        key: Callable[[object], Hashable] | None = None,
    ):
        self.sizes: Counter[int] = Counter()
        self._run, self._key = run, key or (lambda item: None)
        self._waiting, self._running = Waiting(max_batch, max_wait), []
        self._changed, self._closed = threading.Condition(), False
        self._thread = threading.Thread(target=self._serve, name="batcher", daemon=True)
        self._thread.start()

    def submit(self, item) -> Future:
        """Queue one item; its future gets the answer, or the error that ``run`` raised on its batch (only what was in that batch gets it).

        Raises:
            RuntimeError: after `close`. And what ``key`` raises on the item: then nobody else is touched.
        """
        key = self._key(item)
        with self._changed:
            if self._closed:
                raise RuntimeError("this batcher is closed and takes no more items")
            request = Request(item, time.monotonic())
            self._waiting.add(request, key)
            self._changed.notify_all()
        return request.future

    def close(self, patience: float = 10.0) -> None:
        """Take no more items, run at once what waits, and fail what has no answer after ``patience`` seconds: no future waits for ever."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if threading.current_thread() is not self._thread:  # a callback of a future runs in the thread itself
            self._thread.join(patience)
        else:
            return
        with self._changed:
            left = [*self._running, *chain.from_iterable(iter(self._waiting.take, []))] if self._thread.is_alive() else []
        _fail(left, RuntimeError(f"the batcher was closed, and there was no answer within {patience:g} s"))

    def __enter__(self) -> "Batcher":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def _serve(self) -> None:
        while batch := self._next():
            live = [request for request in batch if _begin(request.future)]
            if live:
                self.sizes[len(live)] += 1
                self._answer(live)

    def _next(self) -> list[Request]:
        """Wait until a batch is due, and take it; [] once the batcher is closed and nobody waits."""
        with self._changed:
            self._running = []
            while True:
                due = self._waiting.due()
                left = 60.0 if due is None else due - time.monotonic()
                if self._closed or (due is not None and left <= 0):
                    self._running = self._waiting.take()
                    return self._running
                self._changed.wait(min(left, 60.0))

    def _answer(self, batch: list[Request]) -> None:
        try:
            answers = list(self._run([request.item for request in batch]))
            if len(answers) != len(batch):
                raise ValueError(f"run must give one answer for each of {len(batch)} items, got {len(answers)}")
        except BaseException as error:  # whatever it was, somebody waits for it in another thread
            _fail(batch, error)
            return
        for request, answer in zip(batch, answers, strict=True):
            with suppress(InvalidStateError):  # close() gave up on it meanwhile
                request.future.set_result(answer)


def _begin(future: Future) -> bool:
    """Mark it as being worked on; False where its owner cancelled it, or close() gave up on it."""
    try:
        return future.set_running_or_notify_cancel()
    except InvalidStateError:
        return False


def _fail(batch: list[Request], error: BaseException) -> None:
    for request in batch:
        with suppress(InvalidStateError):
            request.future.set_exception(error)
