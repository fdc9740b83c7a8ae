"""`make gpu`: every notebook, the tests for a GPU and the benchmarks on a machine that has one, in one report.

    python -m coursekit.authoring.gpu                                    all of it; on a machine without CUDA one sentence, and 0
    python -m coursekit.authoring.gpu --limit-seconds 560 --resume       as much as fits; the next call goes on where this one stopped
    python -m coursekit.authoring.gpu --only 13 19 tests throughput      some of it
    python -m coursekit.authoring.gpu --without-gpu --level smoke --out build/gpu    the whole way on a CPU, to try it out

Exit code: 0 where all that was asked for passed, 1 where something failed, 2 for a call that cannot work, 3 where time was up.
"""

import argparse
import contextlib
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from xml.etree import ElementTree

from coursekit.authoring.gpu_report import Report, Row, summary
from coursekit.authoring.rehearse import Rehearsal, _kill_all, rehearse
from coursekit.level import LEVELS
from coursekit.machine import cpu_name, cpu_quota
from coursekit.recorded import VARIABLE, read_records

BUDGET, PATIENCE = 60.0, 600.0  # seconds that a notebook should take, and that any part may take
SLOW = ("15", "23")  # classic detectors and serving have their work on the CPU
BENCHMARKS = ("throughput", "compile", "predict", "bccd", "signs")
PEER = "ultralytics"  # where it is installed it is measured, too
SHORTEST = 15.0  # with less time left nothing is begun
PACKAGES = ("torch", "torchvision", "numpy", "coursekit")
ROOT = Path(__file__).parents[2]


def card() -> dict | None:
    """The first GPU in words, or None where torch sees none."""
    import torch

    if not torch.cuda.is_available():
        return None
    facts = torch.cuda.get_device_properties(0)
    return {
        "card": torch.cuda.get_device_name(0),
        "memory": f"{facts.total_memory / 2**30:.1f} GiB",
        "capability": f"{facts.major}.{facts.minor}",
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version(),
    }


def machine(level: str, gpu: dict | None) -> dict:
    """What all figures of a report have in common."""
    versions = {name: metadata.version(name) for name in PACKAGES}
    head = gpu or {"card": "none: a rehearsal on the CPU, with no figure of a GPU in it"}
    return {**head, "level": level, "python": platform.python_version(), **versions, "cpu": cpu_name(), "cores": cpu_quota()}


@dataclass(frozen=True)
class Part:
    """Something to run: ``kind`` and ``name`` of its row, and the notebook's file where it is one."""

    kind: str
    name: str
    path: Path | None = None

    def called(self, words: list[str]) -> bool:
        """Is it meant by one of these words? ``13``, ``13_boxes``, ``notebooks``, ``tests``, ``benchmarks``, ``bccd``."""
        mine = (
            {self.name, self.name[:2], f"{self.kind}s", self.kind} if self.kind == "notebook" else {self.name, f"{self.kind}s", self.kind}
        )
        return not words or bool(mine & set(words))


def all_parts(solved: Path) -> list[Part]:
    """The tests first, since they say in a minute whether the rest is worth beginning."""
    notebooks = [Part("notebook", path.stem, path) for path in sorted(solved.glob("[0-9][0-9]_*.ipynb"))]
    benchmarks = [*BENCHMARKS, *(["peer"] if find_spec(PEER) else [])]
    return [Part("tests", "tests"), *notebooks, *(Part("benchmark", name) for name in benchmarks)]


@contextlib.contextmanager
def recording(place: Path):
    """Let everything started inside write down what it measures: gives the file, empty at first."""
    place.mkdir(parents=True, exist_ok=True)
    file = (place / "record.jsonl").resolve()
    file.unlink(missing_ok=True)
    cores = str(cpu_quota())  # one part after another: each may have all of them
    ours = {VARIABLE: str(file)} | {name: os.environ.get(name) or cores for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")}
    before = {name: os.environ.get(name) for name in ours}
    os.environ.update(ours)
    try:
        yield file
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.__setitem__(name, value)


def run_notebook(part: Part, level: str, place: Path, patience: float) -> Row:
    """Under nbval, in a process of its own; the row holds what `coursekit.notebook.band` was told."""
    with recording(place / part.name) as file:
        found = rehearse(part.path, level, place, patience=patience)
        said = read_records(file)
    return notebook_row(found, said, level, cut_off=patience < PATIENCE)


def notebook_row(found: Rehearsal, said: list[dict], level: str, cut_off: bool) -> Row:
    """The row of a notebook that ran, failed or was stopped."""
    row = Row("notebook", found.name, "passed" if found.good else "failed", round(found.seconds, 2))
    row.budget = BUDGET if level == "full" and found.name[:2] not in SLOW else None
    row.bands = [{name: value for name, value in line.items() if name != "kind"} for line in said if line["kind"] == "band"]
    memory = [line for line in said if line["kind"] == "memory"]
    row.allocated, row.reserved = (max((line[name] for line in memory), default=None) for name in ("allocated", "reserved"))
    row.packages = sorted({name for line in said if line["kind"] == "imported" for name in line["names"]})
    if not found.good:
        explain(row, found.said, cut_off)
    return row


def explain(row: Row, said: str, cut_off: bool) -> None:
    """Give a row that did not pass its state, its reason and the end of what was said."""
    said = re.sub(r"\x1b\[[0-9;]*m", "", said)
    missing = re.search(r"No module named '([\w.]+)'", said) or re.search(r"needs ([\w, ]+); install with", said)
    errors = [line.strip() for line in said.splitlines() if re.match(r"\s*(E\s+)?[\w.]*(Error|Exception|Timeout|Interrupt)\b.*:", line)]
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    if missing:
        row.state, row.reason = "not run", f"needs {missing[1]}, which is not installed here"
    elif lines and lines[-1].startswith("stopped after"):
        row.state = "cut off" if cut_off else "failed"
        row.reason = f"{lines[-1]}{', because the time of this call was up' if cut_off else ''}"
    else:
        row.state, row.reason = "failed", (errors or lines or ["it said nothing"])[-1].removeprefix("E ").strip()[:300]
    row.said = "\n".join(said.splitlines()[-40:])


def patiently(command: list, seconds: float, **more) -> tuple[int, str]:
    """Exit code and output of a command, which is killed with all that it started when ``seconds`` are over."""
    words = [str(word) for word in command]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True, **more)
    try:
        said, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        _kill_all(process)
        said = f"{process.communicate()[0]}\nstopped after {seconds:g} s"
    return process.returncode, said


def run_tests(tests: Path, place: Path, patience: float) -> Row:
    """Those marked with ``@pytest.mark.gpu``. That every one of them skips is no pass."""
    row, begin = Row("tests", "tests", "passed"), time.monotonic()
    files = files_for_a_gpu(tests)
    if not files:
        row.state, row.reason = "not run", f"there are no tests for a GPU in {tests}: run this in a checkout"
        return row
    place.mkdir(parents=True, exist_ok=True)
    report = place / "tests.xml"
    report.unlink(missing_ok=True)
    options = ["-q", "-m", "gpu", "-p", "no:cacheprovider", "-p", "no:xdist", f"--junitxml={report}"]
    code, said = patiently([sys.executable, "-m", "pytest", *options, *files], patience)
    row.seconds = round(time.monotonic() - begin, 2)
    row.figures = [count_tests(report.read_text(encoding="utf-8"))] if report.is_file() else []
    if code != 0:
        explain(row, said, patience < PATIENCE)
    elif not row.figures or not row.figures[0]["passed"]:
        row.state, row.reason = "not run", "every test for a GPU skipped"
    return row


def files_for_a_gpu(tests: Path) -> list[Path]:
    """Test files that use the mark, or whose folder's conftest.py does: the others need not even be imported."""
    marked = [path for path in tests.rglob("*.py") if "mark.gpu" in path.read_text(encoding="utf-8")]
    folders = {path.parent for path in marked if path.name == "conftest.py"}
    return [path for path in sorted(tests.rglob("test_*.py")) if path in marked or path.parent in folders]


def count_tests(junit: str) -> dict[str, int]:
    """passed, failed and skipped of a report in JUnit's XML, which pytest wrote here a moment ago."""
    suites = ElementTree.fromstring(junit).iter("testsuite")
    counts = {"tests": 0, "failures": 0, "errors": 0, "skipped": 0}
    for suite in suites:
        counts = {name: many + int(suite.get(name, 0)) for name, many in counts.items()}
    failed = counts["failures"] + counts["errors"]
    return {"passed": counts["tests"] - failed - counts["skipped"], "failed": failed, "skipped": counts["skipped"]}


def run_benchmark(part: Part, device: str, bccd: Path, level: str, place: Path, patience: float) -> Row:
    """A process of its own; each figure counts as soon as it is measured, also where a later one fails."""
    row, begin = Row("benchmark", part.name, "passed"), time.monotonic()
    if part.name in ("bccd", "peer") and not bccd.is_dir():
        row.state, row.reason = "not run", f"there is no folder {bccd}; --bccd says where the blood cells lie"
        return row
    with recording(place / part.name) as file:
        command = [sys.executable, "-m", "coursekit.authoring.gpu_bench", part.name, "--device", device, "--bccd", bccd, "--level", level]
        code, said = patiently(command, patience)
        lines = read_records(file)
    row.seconds = round(time.monotonic() - begin, 2)
    row.figures = [{name: value for name, value in line.items() if name != "kind"} for line in lines if line["kind"] == "figure"]
    if code != 0:
        explain(row, said, patience < PATIENCE)
    return row


def run_all(report: Report, parts: list[Part], options, seconds: float | None) -> list[Row]:
    """One part after another; a row is on the disk before the next one begins, and says "running" while it lasts."""
    begin, rows, place = time.monotonic(), [], Path(options.place)
    device = "cpu" if options.without_gpu else "cuda"
    for part in parts:
        left = PATIENCE if seconds is None else min(PATIENCE, seconds - (time.monotonic() - begin))
        if left < SHORTEST:
            rows.append(Row(part.kind, part.name, "cut off", reason="time was up before it began"))
        else:
            report.put(Row(part.kind, part.name, "running"))
            if part.kind == "notebook":
                rows.append(run_notebook(part, options.level, place, left))
            elif part.kind == "tests":
                rows.append(run_tests(Path(options.tests), place, left))
            else:
                rows.append(run_benchmark(part, device, Path(options.bccd), options.level, place, left))
        report.put(rows[-1])
        row = rows[-1]
        print(f"{row.state:8} {row.name:24} {row.seconds or 0:7.1f} s  {row.reason}", flush=True)
    return rows


def in_order(parts: list[Part], report: Report) -> list[Part]:
    """What is left to do: what was cut off in the middle first, since now it has the whole time."""
    left = [part for part in parts if (row := report.get(part.kind, part.name)) is None or not row.finished]
    halfway = [part for part in left if (row := report.get(part.kind, part.name)) and row.state == "cut off" and row.seconds]
    return halfway + [part for part in left if part not in halfway]


def parser() -> argparse.ArgumentParser:
    """The command line."""
    words = argparse.ArgumentParser(prog="python -m coursekit.authoring.gpu", description="Prove the course on a GPU: one report.")
    words.add_argument("--out", default="benchmarks/results", help="folder of gpu-report.json and gpu-report.md")
    words.add_argument("--only", nargs="+", default=[], help="numbers of notebooks, notebooks, tests, benchmarks, " + ", ".join(BENCHMARKS))
    words.add_argument("--resume", action="store_true", help="go on with the report that lies there")
    words.add_argument("--limit-seconds", type=float, help="stop in time, and keep what was measured")
    words.add_argument("--level", choices=LEVELS, default="full")
    words.add_argument("--solved", default="build/solved", help="folder of the solved notebooks")
    words.add_argument("--tests", default="tests", help="folder of the tests")
    words.add_argument("--bccd", default=str(ROOT.parent / "shared/data/bccd"), help="folder of the blood cells")
    words.add_argument("--place", default=str(Path(tempfile.gettempdir()) / "coursekit-gpu"), help="folder to run in")
    words.add_argument("--without-gpu", action="store_true", help="the same on the CPU, to try it out")
    return words


def main(arguments: list[str] | None = None) -> int:
    """See the head of this module for the exit code."""
    options = parser().parse_args(arguments)
    gpu = None if options.without_gpu else card()
    if gpu is None and not options.without_gpu:
        print("skipped: torch sees no CUDA device on this machine, so there is nothing to prove on a GPU here.")
        return 0
    try:
        if options.solved == "build/solved" and Path("solutions").is_dir() and find_spec("jupytext"):
            from coursekit.authoring import build

            build()
        wanted = [part for part in all_parts(Path(options.solved)) if part.called(options.only)]
        if not any(part.kind == "notebook" for part in wanted) and not options.only:
            raise ValueError(f"there is no notebook in {options.solved}: run `coursekit build` first")
        if not wanted:
            raise ValueError(f"only must name parts of the report, got {' '.join(options.only)}")
        command = " ".join(["python -m coursekit.authoring.gpu", *(sys.argv[1:] if arguments is None else arguments)])
        report = Report.open(options.out, machine(options.level, gpu), command, f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC", options.resume)
    except (ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    rows = run_all(report, in_order(wanted, report), options, options.limit_seconds)
    print(f"{summary(report)} The report is {report.folder}/gpu-report.md")
    if any(row.state in ("failed", "not run") for row in rows):
        return 1
    return 3 if any(row.state == "cut off" for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
