"""Judges at work side by side on this machine: a thread for each, which only waits for it."""

import contextlib
import queue
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from .judges import CannotStart, Desk, Work
from .records import Grade


def graded_here(work: Iterator[Work], jobs: int, desk: Callable[[], Desk], log: Path | None = None) -> Iterator[tuple[Work, Grade]]:
    """Grades as they come, from judges on this machine, a thread for each. Closing the iterator ends them all.

    Raises:
        OSError: no judge gets ready.
    """
    results: queue.Queue = queue.Queue(maxsize=2 * jobs)
    taking, stopped = threading.Lock(), threading.Event()
    desks = [desk() for _ in range(jobs)]

    def put(result: object) -> None:
        while not stopped.is_set():
            with contextlib.suppress(queue.Full):
                results.put(result, timeout=0.2)
                return

    def serve(own: Desk) -> None:
        try:
            while not stopped.is_set():
                with taking:
                    item = next(work, None)
                if item is None:
                    break
                put((item, own.grade(item)))
        except BaseException as error:
            put(error)
        finally:
            with contextlib.suppress(Exception):
                own.leave(kill=stopped.is_set())
            put(None)

    threads = [threading.Thread(target=serve, args=(own,), daemon=True) for own in desks]
    try:
        for thread in threads:
            thread.start()
        left = len(threads)
        while left:
            result = results.get()
            if result is None:
                left -= 1
            elif isinstance(result, CannotStart):
                raise OSError(f"a judge does not start: it {result}{_last_line(log)}")
            elif isinstance(result, BaseException):
                raise result
            else:
                yield result
    finally:
        stopped.set()
        for own in desks:
            own.close()
        for thread in threads:
            if thread.is_alive():
                thread.join(20)


def _last_line(log: Path | None) -> str:
    try:
        lines = log.read_text(errors="replace").strip().splitlines() if log else []
    except OSError:
        lines = []
    return f" ({lines[-1][:300]}; more in {log})" if lines else ""
