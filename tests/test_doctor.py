import importlib.metadata

import pytest

from coursekit import doctor, machine


def test_the_report_of_this_machine_has_every_row():
    rows = doctor.report()
    names = [row.name for row in rows]
    assert {"Python", "coursekit", "torch", "torchvision", "jupyterlab", "processor", "GPU"} <= set(names)
    assert all(row.verdict in doctor.MARKS for row in rows)
    assert all(row.advice for row in rows if row.verdict != "ok"), "a row that is not ok says what to do"


def test_a_missing_package_is_bad_and_says_how_to_mend_it(monkeypatch):
    def version(name):
        if name == "jupyterlab":
            raise importlib.metadata.PackageNotFoundError(name)
        return "2.10.1+cpu" if name == "torch" else "9.9"

    monkeypatch.setattr(importlib.metadata, "version", version)
    rows = {row.name: row for row in doctor.package_rows()}
    assert rows["jupyterlab"].verdict == "bad"
    assert "pip install" in rows["jupyterlab"].advice
    assert rows["torch"].verdict == "bad", "2.10 is older than 2.11, though not as text"
    assert rows["numpy"].verdict == "ok"


@pytest.mark.parametrize(
    ("cores", "flags", "memory", "slow"),
    [
        (2, {"avx2"}, 8 << 30, set()),
        (1, {"avx2"}, 8 << 30, {"processor"}),
        (4, {"sse4_1"}, 8 << 30, {"vector instructions"}),
        (4, set(), None, set()),
        (4, {"avx512f"}, 2 << 30, {"memory"}),
    ],
    ids=["a laptop", "one core", "an old processor", "a system that tells nothing", "little memory"],
)
def test_what_will_be_slow(monkeypatch, cores, flags, memory, slow):
    monkeypatch.setattr(machine, "cpu_quota", lambda: cores)
    monkeypatch.setattr(machine, "cpu_flags", lambda: flags)
    monkeypatch.setattr(machine, "memory_limit", lambda: memory)
    assert {row.name for row in doctor.machine_rows() if row.verdict == "slow"} == slow


def test_render_shows_words_beside_signs_and_takes_brackets_as_text(capsys):
    doctor.render([doctor.Row("x", "[red]value[/red]", "bad", "mend it")])
    out = capsys.readouterr().out
    assert "✗ bad" in out
    assert "[red]value[/red]" in out
