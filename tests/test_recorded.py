"""What a notebook measures reaches the file that its runner names, line by line, and nothing else happens."""

import json
import sys
import types

import numpy as np
import pytest

from coursekit.notebook import band
from coursekit.recorded import VARIABLE, read_records, record, watch_cells


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, str(tmp_path / "record.jsonl"))
    return tmp_path / "record.jsonl"


def test_without_the_variable_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.chdir(tmp_path)
    record("band", name="AP", value=0.5)
    assert list(tmp_path.iterdir()) == []


def test_lines_are_plain_json_with_null_for_what_is_no_number(file):
    record("figure", value=float("nan"), top=float("inf"), of=np.float32(0.5), name="정확도")
    assert file.read_text(encoding="utf-8") == '{"kind": "figure", "value": null, "top": null, "of": 0.5, "name": "정확도"}\n'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, []),
        ("", []),
        ('{"a": 1}\n', [{"a": 1}]),
        ('{"a": 1}\n{"a": ', [{"a": 1}]),  # killed in the middle of a line
    ],
)
def test_reading_takes_what_is_whole(file, text, expected):
    if text is not None:
        file.write_text(text)
    assert read_records(file) == expected


def test_a_damaged_line_in_the_middle_is_named(file):
    file.write_text("{\n{}\n")
    with pytest.raises(ValueError, match="holds no JSON in line 1"):
        read_records(file)


@pytest.mark.parametrize(("level", "value", "inside"), [("smoke", 0.1, None), ("quick", 0.6, True), ("quick", 0.4, False)])
def test_a_band_is_recorded_also_where_it_is_missed(file, monkeypatch, level, value, inside):
    monkeypatch.setenv("COURSEKIT_LEVEL", level)
    if inside is False:
        with pytest.raises(AssertionError):
            band("AP", value, at_least=0.5)
    else:
        band("AP", value, at_least=0.5)
    assert read_records(file) == [{"kind": "band", "name": "AP", "value": value, "at_least": 0.5, "at_most": None, "inside": inside}]


def test_after_each_cell_new_packages_and_a_new_peak_of_memory_are_told_once(file, monkeypatch):
    called = []
    events = types.SimpleNamespace(register=lambda when, what: called.append((when, what)))
    shell = types.SimpleNamespace(events=events)
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: shell))
    peak = iter([100, 100, 300])
    cuda = types.SimpleNamespace(is_available=lambda: True, max_memory_allocated=lambda: next(peak), max_memory_reserved=lambda: 512)
    monkeypatch.setitem(sys.modules, "torch", types.SimpleNamespace(cuda=cuda))
    watch_cells()
    ((when, after_cell),) = called
    assert when == "post_run_cell"
    after_cell()
    monkeypatch.setitem(sys.modules, "quite_a_new_package", types.ModuleType("quite_a_new_package"))
    after_cell()
    after_cell()
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [line["allocated"] for line in lines if line["kind"] == "memory"] == [100, 300]
    imported = [line["names"] for line in lines if line["kind"] == "imported"]
    assert "coursekit" in imported[0]
    assert imported[1:] == [["quite_a_new_package"]]


def test_outside_a_notebook_there_is_nothing_to_watch(file, monkeypatch):
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: None))
    watch_cells()
    assert not file.exists()
