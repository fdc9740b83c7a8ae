"""The report of `make gpu`: what is put is on the disk, what is on the disk can be gone on with, and a person can read it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coursekit.authoring.gpu_report import STATES, Report, Row, summary, to_markdown

MACHINE = {"card": "a card", "level": "full", "torch": "2.11.0"}
BANDS = [
    {"name": "AP | all", "value": 0.612345, "at_least": 0.5, "at_most": None, "inside": True},
    {"name": "loss", "value": None, "at_least": None, "at_most": 2.0, "inside": False},
]

words = st.text(max_size=12)
numbers = st.none() | st.floats(0, 1e9)
rows = st.builds(
    Row,
    st.sampled_from(["notebook", "tests", "benchmark"]),
    words,
    st.sampled_from([state for state in STATES if state != "running"]),
    seconds=numbers,
    budget=numbers,
    allocated=st.none() | st.integers(0, 2**40),
    figures=st.lists(st.dictionaries(words, numbers | words, max_size=3), max_size=2),
    reason=words,
)


@given(some=st.lists(rows, max_size=4, unique_by=lambda row: (row.kind, row.name)))
def test_what_was_put_comes_back(tmp_path_factory, some):
    folder = tmp_path_factory.mktemp("report")
    report = Report.open(folder, MACHINE, "make gpu", "today")
    report.write()
    for row in some:
        report.put(row)
    again = Report.read(folder)
    assert again.rows == some
    assert (again.machine, again.commands) == (MACHINE, ["today  make gpu"])
    assert (folder / "gpu-report.md").read_bytes() == to_markdown(report).encode()


def test_a_row_takes_the_place_of_the_one_before(tmp_path):
    report = Report(tmp_path, MACHINE)
    report.put(Row("notebook", "13_boxes", "running"))
    report.put(Row("benchmark", "13_boxes", "passed"))  # another kind is another part
    report.put(Row("notebook", "13_boxes", "passed", seconds=3.0))
    assert [(row.kind, row.state) for row in report.rows] == [("notebook", "passed"), ("benchmark", "passed")]


def test_what_was_running_when_it_was_killed_is_cut_off(tmp_path):
    Report(tmp_path, MACHINE).put(Row("notebook", "13_boxes", "running"))
    assert Report.read(tmp_path).get("notebook", "13_boxes").state == "cut off"


@pytest.mark.parametrize("text", ["", "{", "[]", '{"rows": [{"kind": 1}]}', '{"rows": []}', '{"rows": [], "machine": {}}'])
def test_a_file_that_is_no_report_is_named(tmp_path, text):
    (tmp_path / "gpu-report.json").write_text(text)
    with pytest.raises(ValueError, match=r"gpu-report\.json is no report of make gpu"):
        Report.open(tmp_path, MACHINE, resume=True)


def test_figures_of_two_machines_are_not_mixed(tmp_path):
    Report(tmp_path, MACHINE).write()
    with pytest.raises(ValueError, match=r"torch was 2\.11\.0, is 2\.12\.0\); give another --out"):
        Report.open(tmp_path, MACHINE | {"torch": "2.12.0"}, resume=True)
    assert Report.open(tmp_path, MACHINE | {"torch": "2.12.0"}).rows == []  # not asked to go on: a fresh one


def test_a_state_that_is_none_is_refused():
    with pytest.raises(ValueError, match="state must be one of passed, failed"):
        Row("notebook", "13_boxes", "fine")


def test_it_reads_as_a_table(tmp_path):
    report = Report(tmp_path, MACHINE | {"cudnn": None}, ["2026-01-01  make gpu"])
    report.rows = [
        Row("notebook", "13_boxes", "passed", 3.04, 60.0, bands=BANDS, allocated=3 * 2**20),
        Row("notebook", "05_training_loop", "passed", 61.0, 60.0),
        Row("notebook", "23_deployment", "not run", reason="needs onnx, which is not installed here"),
        Row("tests", "tests", "passed", 2.0, figures=[{"passed": 3, "failed": 0, "skipped": 1}]),
        Row("benchmark", "bccd", "passed", 9.0, figures=[{"batch": 8, "AP50": 0.5}, {"batch": 32, "precision": "a|b"}]),
    ]
    lines = to_markdown(report).splitlines()
    assert "- cudnn: None" not in lines
    assert "  - `2026-01-01  make gpu`" in lines
    boxes = "| 13_boxes | ✓ passed | 3.0 | 60 | 3 | 1 of 2 inside |"
    assert lines.index("| 05_training_loop | ✓ passed | 61.0 (over) | 60 |  |  |") < lines.index(boxes)
    assert "| 13_boxes | AP \\| all | 0.6123 | >= 0.5 |" in lines
    assert "| 13_boxes | loss | ✗ no number | <= 2 |" in lines
    assert "| tests | ✓ passed | 2.0 | 3 | 0 | 1 |" in lines
    assert lines[lines.index("| batch | AP50 | precision |") + 2 :][:2] == ["| 8 | 0.5 |  |", "| 32 |  | a\\|b |"]
    assert lines[-1] == "- 23_deployment, not run: needs onnx, which is not installed here"
    assert summary(report) == "2 of 3 notebooks passed, 1 not run; over their seconds: 05_training_loop."
