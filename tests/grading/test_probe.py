"""Which tiers hold is found out by running them, and said in one row of the doctor."""

import platform
import time

import pytest

from coursekit import doctor
from coursekit.grading import probe as probing
from coursekit.grading.probe import Tier, best, probe

on_linux = pytest.mark.skipif(platform.system() != "Linux", reason="grading runs on Linux")


@pytest.fixture
def tiers(monkeypatch):
    """``tiers(("namespaces", False, "why"), …)``: what a probe is to find."""

    def find(*rows):
        monkeypatch.setattr(probing, "probe", lambda: tuple(Tier(*row) for row in rows))

    return find


@on_linux
def test_each_tier_is_tried_and_quickly():
    probe.cache_clear()
    started = time.process_time()
    found = probe()
    assert [tier.name for tier in found] == ["namespaces", "landlock", "rlimits"]
    assert all(tier.works or tier.why for tier in found)
    assert found[2].works
    assert time.process_time() - started < 0.5
    assert probe() is found


@on_linux
def test_a_tier_in_which_forbidden_things_work_does_not_hold(monkeypatch):
    import coursekit.grading.sandbox as sandboxes

    monkeypatch.setattr(sandboxes, "TRUSTWORTHY", sandboxes.TIERS)  # as if limits alone were to be trusted
    tier = probing._try("rlimits")
    assert not tier.works
    assert "a worker in it could read a file of the grader" in tier.why


@on_linux
def test_a_tier_that_cannot_be_set_up_says_why(monkeypatch):
    import coursekit.grading.sandbox as sandboxes

    def refused(*_):
        raise sandboxes.SandboxError("OSError: [Errno 1] unshare: Operation not permitted")

    monkeypatch.setattr(sandboxes.Zygote, "__init__", refused)
    assert probing._try("namespaces") == Tier("namespaces", False, "OSError: [Errno 1] unshare: Operation not permitted")


def test_the_best_that_works_is_chosen(tiers):
    tiers(("namespaces", False, "no"), ("landlock", True), ("rlimits", True))
    assert best() == "landlock"
    tiers(("namespaces", False, "grading runs on Linux"), ("landlock", False, "no"), ("rlimits", False, "no"))
    with pytest.raises(OSError, match="no sandbox for grading works here: grading runs on Linux"):
        best()


def test_outside_linux_nothing_works_and_a_sentence_says_so(monkeypatch):
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    probe.cache_clear()
    try:
        assert {tier.why for tier in probe()} == {"grading runs on Linux (on Windows: in WSL2)"}
        assert doctor.sandbox_rows() == []
    finally:
        probe.cache_clear()


@on_linux
@pytest.mark.parametrize(
    ("rows", "value", "verdict"),
    [
        ((("namespaces", True), ("landlock", True), ("rlimits", True)), "namespaces ✓ landlock ✓", "ok"),
        ((("namespaces", False, "x"), ("landlock", True), ("rlimits", True)), "namespaces ✗ landlock ✓", "ok"),
        ((("namespaces", False, "x"), ("landlock", False, "y"), ("rlimits", True)), "namespaces ✗ landlock ✗", "slow"),
    ],
)
def test_the_doctor_says_what_holds(tiers, rows, value, verdict):
    tiers(*rows)
    (row,) = doctor.sandbox_rows()
    assert (row.name, row.value, row.verdict) == ("sandbox for grading", value, verdict)
    assert (verdict == "ok") == (row.advice == "" or "namespaces" in row.advice)


@on_linux
def test_the_doctor_never_fails_for_the_sandbox(monkeypatch):
    def broken():
        raise RuntimeError("no /tmp")

    monkeypatch.setattr(probing, "probe", broken)
    (row,) = doctor.sandbox_rows()
    assert row.verdict == "slow"
    assert "no /tmp" in row.value
