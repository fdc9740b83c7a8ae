"""Running somebody's function so that it cannot hang the notebook, flood it, or leave its dice and switches changed.

The grader's sandbox loads this file too (`grading/inside/watch.py`), also where there is no torch: it imports nothing of ours.
"""

import contextlib
import ctypes
import io
import random
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

try:
    import torch
except ImportError:
    torch = None


class OutOfTime(BaseException):
    """Raised inside the learner's code when its time is up. A BaseException: `except Exception` must not swallow it."""


def call_within(seconds: float, call: Callable[[], Any]) -> Any:
    """The result of ``call()``.

    Raises:
        OutOfTime: if it takes longer. Pure Python is stopped anywhere; one long library call is stopped when it returns.
    """
    if threading.current_thread() is threading.main_thread() and hasattr(signal, "setitimer"):
        return _with_alarm(max(seconds, 0.001), call)
    return _with_watchdog(max(seconds, 0.001), call)


def _inside(call: Callable[[], Any]) -> Any:
    """A frame to recognise: only what runs above it may be interrupted, so that the alarm never hits our own code."""
    return call()


def _runs_inside(frame) -> bool:
    if frame is not None and frame.f_code is _inside.__code__:
        return False
    while frame is not None and frame.f_code is not _inside.__code__:
        frame = frame.f_back
    return frame is not None


def _ignore(_) -> None:
    """In place of the hook that reports what nobody can catch: the alarm may go off in a finaliser, and then in the report of that."""


def _with_alarm(seconds: float, call: Callable[[], Any]) -> Any:
    rings = 0

    def ring(_, frame):
        nonlocal rings
        rings += 1
        if rings == 5:  # a bare `except:` in an endless loop swallows the first ones; ring so often that one lands outside its `try`
            signal.setitimer(signal.ITIMER_REAL, 1e-4, 2e-5)
        if _runs_inside(frame) and frame.f_code is not _ignore.__code__:
            raise OutOfTime

    reports, sys.unraisablehook = sys.unraisablehook, _ignore
    before = signal.signal(signal.SIGALRM, ring)
    started = time.monotonic()
    left_before, interval_before = signal.setitimer(signal.ITIMER_REAL, seconds, 0.05)
    try:
        return _inside(call)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        if rings:  # one that another thread took from the system may still be on its way: let it come here, not to somebody else's handler
            time.sleep(0.005)
        signal.signal(signal.SIGALRM, before)
        sys.unraisablehook = reports
        if left_before:  # somebody else's alarm, such as a test runner's: give it back what is left
            signal.setitimer(signal.ITIMER_REAL, max(0.001, left_before - (time.monotonic() - started)), interval_before)


def _with_watchdog(seconds: float, call: Callable[[], Any]) -> Any:
    """Where there is no alarm (Windows, or not the main thread): a second thread throws the exception into this one."""
    me, finished = threading.get_ident(), threading.Event()

    def watch():
        wait = seconds
        while not finished.wait(wait):
            wait = 0.05
            if _runs_inside(sys._current_frames().get(me)):
                ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(me), ctypes.py_object(OutOfTime))

    dog = threading.Thread(target=watch, daemon=True)
    dog.start()
    try:
        return _inside(call)
    finally:
        with contextlib.suppress(OutOfTime):  # one may still be on its way
            finished.set()
            dog.join()
            time.sleep(0)


class Printed(io.TextIOBase):
    """Takes what is printed and keeps the beginning: a print in a loop of a million must not flood the page."""

    KEEP = 4000

    def __init__(self):
        self.kept, self.lines = "", 0

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self.lines += text.count("\n")
        if len(self.kept) < self.KEEP:
            self.kept += text[: self.KEEP - len(self.kept)]
        return len(text)


@contextlib.contextmanager
def quiet_and_undisturbed() -> Iterator[Printed]:
    """Prints and warnings go into the yielded object; random states, default dtype and gradient mode are put back after."""
    states = torch.get_rng_state(), np.random.get_state(), random.getstate()  # noqa: NPY002
    dtype, gradients = torch.get_default_dtype(), torch.is_grad_enabled()
    printed = Printed()
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            warnings.simplefilter("ignore")
            yield printed
    finally:
        torch.set_rng_state(states[0])
        np.random.set_state(states[1])  # noqa: NPY002
        random.setstate(states[2])
        torch.set_default_dtype(dtype)
        torch.set_grad_enabled(gradients)


def same_dice(seed: int) -> None:
    """Give the global generators a known state, so that an answer that draws from them gives the same at every check."""
    if torch is not None:
        torch.default_generator.manual_seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    random.seed(seed)
