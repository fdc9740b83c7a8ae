import os

import pytest

from coursekit import machine


@pytest.mark.parametrize(
    ("text", "expected"),
    [("max 100000\n", 8), ("200000 100000\n", 2), ("50000 100000\n", 1), ("150000 100000\n", 1), ("6400000 100000\n", 8)],
    ids=["no limit", "two cores", "half a core is one", "one and a half is one", "more than there are"],
)
def test_quota_of_a_container(monkeypatch, tmp_path, text, expected):
    file = tmp_path / "cpu.max"
    file.write_text(text)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    monkeypatch.setattr(machine, "Path", lambda _: file)
    assert machine.cpu_quota() == expected


def test_what_the_system_does_not_tell_is_empty(monkeypatch, tmp_path):
    monkeypatch.setattr(machine, "Path", lambda _: tmp_path / "missing")
    assert machine.cpu_flags() == set()
    assert machine.cpu_name()
    assert machine.cpu_quota() >= 1


def test_this_machine():
    assert 1 <= machine.cpu_quota() <= os.cpu_count()
    assert machine.memory_limit() is None or machine.memory_limit() > 2**27
