"""`make gpu` as far as a CPU can prove it: it skips in one sentence, survives what fails, stops in time and goes on."""

import json
import sys

import nbformat
import pytest
import torch
from nbformat.v4 import new_code_cell, new_notebook

from coursekit.authoring import gpu, gpu_bench
from coursekit.authoring.gpu_report import Report, Row
from coursekit.authoring.rehearse import Rehearsal

PASSES = "from coursekit.notebook import band, start\nstart('90_good')\nband('AP on two scenes', 0.75, at_least=0.5)"
MISSES = "assert 0.25 >= 0.5, 'AP on two scenes is 0.25'"  # the same without torch, which takes seconds to import
MENDED = "from coursekit.recorded import record\nrecord('memory', allocated=7, reserved=9)"


def notebook(folder, name, *cells):
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.ipynb"
    nbformat.write(new_notebook(cells=[new_code_cell(c) for c in cells]), path)
    return path


@pytest.fixture
def call(tmp_path, monkeypatch):
    """``call("--only", "13")``: exit code and report of a rehearsal on the CPU, of the notebooks in ``tmp_path / "solved"``."""
    monkeypatch.chdir(tmp_path)

    def run(*words, solved=tmp_path / "solved"):
        fixed = ["--without-gpu", "--level", "quick", "--solved", solved, "--out", tmp_path / "out", "--place", tmp_path / "place"]
        code = gpu.main([str(word) for word in (*fixed, *words)])
        return code, json.loads((tmp_path / "out/gpu-report.json").read_text()) if (tmp_path / "out").is_dir() else None

    return run


def test_without_a_gpu_it_is_skipped_in_one_sentence(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(gpu, "card", lambda: None)
    assert gpu.main(["--out", str(tmp_path)]) == 0
    assert capsys.readouterr().out == "skipped: torch sees no CUDA device on this machine, so there is nothing to prove on a GPU here.\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.full
def test_a_notebook_that_fails_stops_no_other_and_each_has_its_reason(call, tmp_path):
    notebook(tmp_path / "solved", "90_good", PASSES)
    notebook(tmp_path / "solved", "91_bad", MISSES)
    code, report = call("--only", "notebooks")
    assert code == 1
    rows = {row["name"]: row for row in report["rows"]}
    assert [rows[name]["state"] for name in rows] == ["passed", "failed"]
    assert rows["90_good"]["bands"] == [{"name": "AP on two scenes", "value": 0.75, "at_least": 0.5, "at_most": None, "inside": True}]
    assert rows["91_bad"]["reason"] == "AssertionError: AP on two scenes is 0.25"
    assert "torch" in rows["90_good"]["packages"]
    text = (tmp_path / "out/gpu-report.md").read_text()
    assert "1 of 2 notebooks passed, 1 failed." in text
    assert "no figure of a GPU" in text
    # mended, it goes on with what did not pass, and with nothing else
    notebook(tmp_path / "solved", "91_bad", MENDED)
    code, after = call("--only", "90", "91", "--resume")
    again = {row["name"]: row for row in after["rows"]}
    assert code == 0
    assert [again["91_bad"][name] for name in ("state", "reason", "allocated", "reserved")] == ["passed", "", 7, 9]
    assert again["90_good"] == rows["90_good"]
    assert len(after["commands"]) == 2


@pytest.mark.full
def test_time_that_is_up_is_said_and_the_rest_is_begun_by_the_next_call(call, tmp_path, monkeypatch):
    notebook(tmp_path / "solved", "90_good", PASSES)
    code, report = call("--only", "90", "--limit-seconds", "1")
    assert code == 3
    assert [(row["state"], row["reason"]) for row in report["rows"]] == [("cut off", "time was up before it began")]
    monkeypatch.setattr(gpu, "SHORTEST", 0.1)
    notebook(tmp_path / "solved", "90_good", "import time; time.sleep(60)")
    code, report = call("--only", "90", "--limit-seconds", "10", "--resume")
    (row,) = report["rows"]
    assert code == 3
    assert row["state"] == "cut off"
    assert row["reason"].endswith("because the time of this call was up")
    notebook(tmp_path / "solved", "90_good", MENDED)
    code, report = call("--only", "90", "--resume")
    assert code == 0
    assert [row["state"] for row in report["rows"]] == ["passed"]


def test_what_was_cut_off_in_the_middle_comes_first(tmp_path):
    report = Report(tmp_path, {}, rows=[Row("notebook", "01_a", "passed"), Row("notebook", "03_c", "cut off", seconds=9.0)])
    parts = [gpu.Part("notebook", name) for name in ("01_a", "02_b", "03_c")]
    assert [part.name for part in gpu.in_order(parts, report)] == ["03_c", "02_b"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "there is no notebook in"),
        (["--only", "77"], "only must name parts of the report, got 77"),
    ],
)
def test_a_call_that_cannot_work_is_one_sentence(call, capsys, tmp_path, words, message):
    code, report = call(*words)
    assert code == 2
    assert report is None
    assert message in capsys.readouterr().err


def test_a_report_of_another_machine_is_not_gone_on_with(call, capsys, tmp_path):
    Report(tmp_path / "out", {"card": "another one"}).write()
    notebook(tmp_path / "solved", "90_good", PASSES)
    code, report = call("--only", "90", "--resume")
    assert code == 2
    assert "card was another one, is none" in capsys.readouterr().err
    assert report["rows"] == []


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ([], ["tests", "13_boxes", "throughput", "bccd"]),
        (["13"], ["13_boxes"]),
        (["13_boxes", "bccd"], ["13_boxes", "bccd"]),
        (["notebooks"], ["13_boxes"]),
        (["benchmarks"], ["throughput", "bccd"]),
        (["tests"], ["tests"]),
        (["th"], []),  # the first two letters of a benchmark are no number
    ],
)
def test_words_name_parts(words, meant):
    parts = [("tests", "tests"), ("notebook", "13_boxes"), ("benchmark", "throughput"), ("benchmark", "bccd")]
    assert [name for kind, name in parts if gpu.Part(kind, name).called(words)] == meant


@pytest.mark.parametrize(
    ("said", "cut_off", "state", "reason"),
    [
        ("", False, "failed", "it said nothing"),
        ("x\n\x1b[31mValueError: batch is 0\x1b[0m\nshort summary", False, "failed", "ValueError: batch is 0"),
        ("E   torch.OutOfMemoryError: CUDA out of memory. Tried", False, "failed", "torch.OutOfMemoryError: CUDA out of memory. Tried"),
        (
            "ModuleNotFoundError: No module named 'onnx.helper'\n1 failed",
            False,
            "not run",
            "needs onnx.helper, which is not installed here",
        ),
        (
            "ValueError: export to ONNX needs onnx and onnxruntime; install with: pip install 'coursekit[export]'",
            False,
            "not run",
            "needs onnx and onnxruntime, which is not installed here",
        ),
        ("...\nstopped after 600 s", False, "failed", "stopped after 600 s"),
        ("...\nstopped after 9 s", True, "cut off", "stopped after 9 s, because the time of this call was up"),
    ],
)
def test_why_it_did_not_pass_is_one_sentence(said, cut_off, state, reason):
    row = gpu.notebook_row(Rehearsal("13_boxes", False, 1.0, 60, said), [], "full", cut_off)
    assert (row.state, row.reason) == (state, reason)


@pytest.mark.parametrize(
    ("name", "level", "budget"), [("13_boxes", "full", 60.0), ("15_classic", "full", None), ("13_boxes", "smoke", None)]
)
def test_a_notebook_has_a_minute_at_full_but_for_those_of_the_cpu(name, level, budget):
    row = gpu.notebook_row(Rehearsal(name, True, 61.0, 300), [{"kind": "memory", "allocated": 5, "reserved": 8}], level, False)
    assert (row.budget, row.late, row.allocated, row.reserved) == (budget, budget is not None, 5, 8)


GPU_TEST = """
import pytest
pytestmark = pytest.mark.gpu
def test_one(): assert {}
def test_two(): pytest.skip("no card")
"""


@pytest.mark.parametrize(
    ("body", "state", "counts"),
    [
        ("True", "passed", {"passed": 1, "failed": 0, "skipped": 1}),
        ("1 == 2", "failed", {"passed": 0, "failed": 1, "skipped": 1}),
        ("pytest.skip('none here')", "not run", {"passed": 0, "failed": 0, "skipped": 2}),
    ],
)
def test_tests_for_a_gpu_are_counted(tmp_path, body, state, counts):
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = gpu: needs one\n")
    (tmp_path / "test_of_gpu.py").write_text(GPU_TEST.format(body))
    (tmp_path / "test_of_cpu.py").write_text("def test_not_asked(): assert False\n")
    row = gpu.run_tests(tmp_path, tmp_path / "place", 60)
    assert (row.state, row.figures) == (state, [counts]), row.said


def test_files_are_those_with_the_mark_or_with_a_conftest_that_has_it(tmp_path):
    for name, text in {"a/test_a.py": "pytest.mark.gpu", "a/test_b.py": "", "b/conftest.py": "pytest.mark.gpu", "b/test_c.py": ""}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert [path.name for path in gpu.files_for_a_gpu(tmp_path)] == ["test_a.py", "test_c.py"]


def test_no_tests_for_a_gpu_is_said(tmp_path):
    row = gpu.run_tests(tmp_path, tmp_path, 60)
    assert row.state == "not run"
    assert "there are no tests for a GPU" in row.reason


def test_a_benchmark_keeps_its_figures_where_it_fails_later(tmp_path, monkeypatch):
    program = "from coursekit.recorded import record; record('figure', batch=8, speed=1.5); raise ValueError('lost')"
    monkeypatch.setattr(gpu, "patiently", lambda command, seconds: real([sys.executable, "-c", program], seconds))
    row = gpu.run_benchmark(gpu.Part("benchmark", "throughput"), "cpu", tmp_path, "smoke", tmp_path, 60)
    assert (row.state, row.reason) == ("failed", "ValueError: lost")
    assert row.figures == [{"batch": 8, "speed": 1.5}]


real = gpu.patiently


def test_blood_cells_that_are_not_there_are_said(tmp_path):
    row = gpu.run_benchmark(gpu.Part("benchmark", "bccd"), "cpu", tmp_path / "none", "smoke", tmp_path, 60)
    assert row.state == "not run"
    assert "--bccd says where" in row.reason


@pytest.mark.parametrize(
    ("intervals", "length"),
    [([], 0), ([(0, 2)], 2), ([(0, 2), (1, 3)], 3), ([(5, 6), (0, 2)], 3), ([(0, 9), (1, 2), (3, 4)], 9), ([(0, 1), (1, 2)], 2)],
)
def test_overlapping_intervals_count_once(intervals, length):
    assert gpu_bench.covered(intervals) == length


class Noise:
    """Pictures that cost nothing to draw."""

    classes, size = ("one",), 64

    def __init__(self, length, seed=0):
        self.length = length

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        target = {"boxes": torch.tensor([[8.0, 8.0, 40.0, 40.0]]), "labels": torch.zeros(1, dtype=torch.int64), "image_id": index}
        image = torch.randint(0, 256, (3, 64, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(index))
        return image, target | {"area": torch.tensor([1024.0]), "iscrowd": torch.zeros(1, dtype=torch.int64)}


@pytest.mark.parametrize("name", ["throughput", "compile", "predict", "signs"])
def test_a_benchmark_runs_on_a_cpu_and_claims_nothing_of_a_gpu(name, tmp_path, monkeypatch):
    monkeypatch.setenv(gpu.VARIABLE, str(tmp_path / "record.jsonl"))
    monkeypatch.setattr(gpu_bench, "SignScenes", Noise)
    assert gpu_bench.main([name, "--device", "cpu", "--level", "smoke"]) == 0
    figures = gpu.read_records(tmp_path / "record.jsonl")
    assert figures
    for figure in figures:
        assert figure["pictures_per_second"] > 0
        assert [figure.get(key) for key in ("peak_mib", "share_gpu_busy", "utilisation_percent")] == [None] * 3


@pytest.mark.parametrize("there", [True, False])
def test_the_peer_is_measured_where_it_is_installed(tmp_path, monkeypatch, there):
    monkeypatch.setattr(gpu, "PEER", "torch" if there else "no_such_package")
    assert [part.name for part in gpu.all_parts(tmp_path) if part.called(["peer"])] == ["peer"] * there


PEER_SPEED = "import sys; print('a warning'); print('{\"model\": \"' + sys.argv[2] + '\", \"train float32\": 0.5}')"
PEER_ROWS = """
import json, sys
from pathlib import Path
given = sys.argv[1:]
assert given[given.index("--device") + 1] == "cpu" and given[given.index("--ours") + 1] == "--peers", given
rows = [{"who": "yolov8n", "minutes": 0.05, "seed": 0, "AP": 0.25, "AP interval": [0.2, 0.3]}]
Path(given[given.index("--out") + 1]).write_text(json.dumps({"rows": rows}))
"""


def test_what_the_programs_of_the_peer_say_is_recorded(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(gpu.VARIABLE, str(tmp_path / "record.jsonl"))
    (tmp_path / "benchmarks/peers").mkdir(parents=True)
    (tmp_path / "benchmarks/peers/ultralytics_speed.py").write_text(PEER_SPEED)
    (tmp_path / "benchmarks/train.py").write_text(PEER_ROWS)
    assert gpu_bench.main(["peer", "--device", "cpu", "--level", "smoke"]) == 0
    speed, row = gpu.read_records(tmp_path / "record.jsonl")
    assert speed == {"kind": "figure", "batch": 4, "model": "cpu", "train float32": 0.5}
    assert row == {"kind": "figure", "who": "yolov8n", "minutes": 0.05, "seed": 0, "AP": 0.25}
    (tmp_path / "benchmarks/train.py").write_text("raise SystemExit('no weights')")
    assert gpu_bench.main(["peer", "--device", "cpu", "--level", "smoke"]) == 2
    assert "train.py failed: no weights" in capsys.readouterr().err


def test_a_benchmark_without_its_data_is_one_sentence(tmp_path, capsys):
    assert gpu_bench.main(["bccd", "--device", "cpu", "--level", "smoke", "--bccd", str(tmp_path / "none")]) == 2
    assert capsys.readouterr().err.count("\n") == 1
