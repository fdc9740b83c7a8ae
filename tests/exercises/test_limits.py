"""An alarm stops what does not end, wherever it goes off. What the checks do with that, test_verdict.py asks."""

import signal
import sys

import pytest

from coursekit.exercises.limits import OutOfTime, call_within


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="there is no alarm on this system")
def test_an_alarm_that_goes_off_in_a_finaliser_is_nobodys_error(monkeypatch):
    class Slow:
        def __del__(self):
            for _ in range(2_000):
                pass

    def deaf():
        while True:
            try:  # noqa: SIM105  (a deaf loop as people write it)
                Slow()
            except BaseException:
                pass

    reported = []
    monkeypatch.setattr(sys, "unraisablehook", reported.append)
    hook = sys.unraisablehook
    with pytest.raises(OutOfTime):
        call_within(0.2, deaf)
    assert reported == []
    assert sys.unraisablehook == hook
