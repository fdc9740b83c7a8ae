"""Grading a class: ours and nbgrader's on the same notebooks, with five NumPy and torch exercises, one after the other in one run.

    python benchmarks/grading.py

Ours: `coursekit grade` on a thousand submissions, with its sandbox, on every core; what a submission costs, and the memory of the main
process and the judges over the run. nbgrader: `nbgrader autograde` on some of the same submissions, as class editions whose strict
checks decide, in an environment of its own (made where it is missing), with kernels of this Python. It holds no hostile code, and
asks each answer fewer cases.
"""

import argparse
import json
import os
import re
import resource
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from common import environment, machine, write_results

from coursekit.grading.assignment import make, read_bundle

HERE = Path(__file__).parent
NBGRADER = "nbgrader==0.9.6"
CHOSEN = {"13_boxes": ("13.box_convert", "13.box_iou", "13.nms"), "20_map": ("20.match_detections", "20.ap_at_points")}
WRONG = {
    "13.box_iou": "def box_iou(boxes1, boxes2):\n    return boxes1 @ boxes2.T\n",
    "20.ap_at_points": "def ap_at_points(*given):\n    return 0.5\n",
}
WARM = 20  # submissions that are left out of the medians: judges start, and learn what is right


def sources(folder: Path) -> None:
    """The notebooks' sources, cut down to imports and the chosen exercises, so that both graders run the same and nothing else."""
    folder.mkdir()
    for stem, names in CHOSEN.items():
        cells = re.split(r"(?m)^(?=# %%)", (HERE.parent / "solutions" / f"{stem}.py").read_text(encoding="utf-8"))
        code = [cell for cell in cells if cell.startswith("# %%") and "[markdown]" not in cell.split("\n")[0]]
        kept = [code[0], next(cell for cell in code[1:] if "\nimport " in cell)]
        kept += [cell for cell in code if any(f'exercise="{name}"' in cell.split("\n")[0] for name in names)]
        (folder / f"{stem}.py").write_text("".join(kept), encoding="utf-8")


def hand_in(release: Path, folder: Path, answers: dict[str, str]) -> None:
    """Somebody's notebooks."""
    folder.mkdir(parents=True)
    for path in sorted(release.glob("*.ipynb")):
        notebook = json.loads(path.read_text(encoding="utf-8"))
        for cell in notebook["cells"]:
            exercise = cell["metadata"].get("coursekit", {}).get("exercise")
            if exercise in answers and not cell["metadata"]["nbgrader"]["grade"]:
                cell["source"] = answers[exercise]
        (folder / path.name).write_text(json.dumps(notebook), encoding="utf-8")


def answers_of(place: int, right: dict[str, str]) -> dict[str, str]:
    """Every fourth student has everything, one fails two, one stops half-way, one has it all with a blank line more."""
    kinds = (right, {**right, **WRONG}, {n: right[n] for n in list(right)[:2]}, {n: text + "\n" for n, text in right.items()})
    return kinds[place % 4]


def run(command: Sequence[str | Path], **more) -> tuple[float, float]:
    """Wall and CPU seconds of a program and all that it waited for."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, **more)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.monotonic() - began, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


class Memory(threading.Thread):
    """Resident memory of the main process and of the largest judge, once a second, in MB."""

    def __init__(self):
        super().__init__(daemon=True)
        self.rows: list[tuple[float, float, float]] = []
        self.began, self.over = time.monotonic(), threading.Event()

    def run(self) -> None:
        while not self.over.wait(1.0):
            main, judges = 0.0, [0.0]
            for folder in Path("/proc").glob("[0-9]*"):
                try:
                    line = (folder / "cmdline").read_bytes()
                    held = int((folder / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
                except (OSError, IndexError):
                    continue
                if b"coursekit.cli\0grade" in line:
                    main = max(main, held)
                elif b"coursekit.grading.judging" in line:
                    judges.append(held)
            self.rows.append((time.monotonic() - self.began, main, max(judges)))

    def over_time(self, parts: int = 10) -> list[dict]:
        """The largest of each part of the run."""
        found = []
        for part in range(parts):
            rows = self.rows[part * len(self.rows) // parts : (part + 1) * len(self.rows) // parts]
            if rows:
                found.append({"until": round(rows[-1][0]), "main": round(max(r[1] for r in rows)), "judge": round(max(r[2] for r in rows))})
        return found


def ours(home: Path, students: int, jobs: int) -> dict:
    from coursekit.grading.gradebook import Gradebook

    right = {task.name: task.solution for task in read_bundle(home / "hw" / "grader").tasks}
    for place in range(students):
        hand_in(home / "hw" / "release", home / "submissions" / f"s{place:05}", answers_of(place, right))
    memory = Memory()
    memory.start()
    command = ["grade", home / "submissions", "--assignment", home / "hw" / "grader", "--out", home / "out", "--jobs", str(jobs)]
    wall, cpu = run([sys.executable, "-m", "coursekit.cli", *command])
    memory.over.set()
    with Gradebook(home / "out" / "gradebook.sqlite") as book:
        grades = book.grades()
    assert len(grades) == students
    shares = [sum(g.points for g in grades[kind::4]) / sum(g.out_of for g in grades[kind::4]) for kind in range(4)]
    assert shares[0] == shares[3] == 1, shares
    return {
        "submissions": students,
        "jobs": jobs,
        "tier": grades[0].tier,
        "cpu_median": round(median(g.cpu_seconds for g in grades[WARM:]), 3),
        "cpu_mean_of_everything": round(cpu / students, 3),
        "wall": round(wall, 1),
        "wall_per_submission": round(wall / students, 3),
        "shares": [round(share, 2) for share in shares],
        "memory_mb": memory.over_time(),
    }


def nbgraders(home: Path, envs: Path, students: int) -> dict:
    python = environment(envs / "nbgrader", [NBGRADER])
    kernel = (
        python.parents[1] / "share" / "jupyter" / "kernels" / "python3" / "kernel.json"
    )  # notebooks run with this Python, as in a class
    argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    kernel.parent.mkdir(parents=True, exist_ok=True)
    kernel.write_text(json.dumps({"argv": argv, "display_name": "Python 3", "language": "python"}))
    course = home / "nbgrader"
    (course / "source").mkdir(parents=True)
    shutil.copytree(home / "hw" / "release", course / "source" / "hw")
    for place in range(students):
        shutil.copytree(home / "submissions" / f"s{place:05}", course / "submitted" / f"s{place:05}" / "hw")
    (course / "nbgrader_config.py").write_text("c = get_config()\nc.ExecutePreprocessor.timeout = 120\n")
    # its programs are looked for on PATH
    env = {**os.environ, "PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}", "JUPYTER_PATH": "", "HOME": str(home)}
    quiet = {"cwd": course, "env": env, "stderr": subprocess.DEVNULL}
    run([python.parent / "nbgrader", "generate_assignment", "hw", "--create"], **quiet)
    wall, cpu = run([python.parent / "nbgrader", "autograde", "hw"], **quiet)
    with sqlite3.connect(course / "gradebook.db") as book:
        points = [row[0] for row in book.execute("select sum(auto_score) from grade group by notebook_id")]
    return {
        "version": NBGRADER,
        "submissions": students,
        "cpu_per_submission": round(cpu / students, 2),
        "wall_per_submission": round(wall / students, 2),
        "notebooks_with_points": sum(bool(p) for p in points),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--students", type=int, default=1000)
    parser.add_argument("--nbgrader-students", type=int, default=8)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--envs", type=Path, default=HERE.parent / "build" / "bench-envs")
    arguments = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="coursekit-bench-"))
    try:
        sources(home / "sources")
        make([stem[:2] for stem in CHOSEN], home / "hw", name="hw", sources=home / "sources")
        found = {
            "ours": ours(home, arguments.students, arguments.jobs),
            "nbgrader": nbgraders(home, arguments.envs, arguments.nbgrader_students),
        }
    finally:
        shutil.rmtree(home, ignore_errors=True)
    mine, theirs = found["ours"], found["nbgrader"]
    found["ratio"] = {
        "cpu": round(theirs["cpu_per_submission"] / mine["cpu_mean_of_everything"], 1),
        "wall": round(theirs["wall_per_submission"] / mine["wall_per_submission"], 1),
    }
    print(f"{'':<12}{'submissions':>12}{'CPU s each':>12}{'wall s each':>12}")
    for name, it, cpu in (("coursekit", mine, mine["cpu_mean_of_everything"]), ("nbgrader", theirs, theirs["cpu_per_submission"])):
        print(f"{name:<12}{it['submissions']:>12}{cpu:>12.3f}{it['wall_per_submission']:>12.3f}")
    print(f"{'ratio':<24}{found['ratio']['cpu']:>12}{found['ratio']['wall']:>12}")
    print(f"median CPU of ours after warm-up {mine['cpu_median']} s, sandbox {mine['tier']}, {mine['jobs']} judges")
    for row in mine["memory_mb"]:
        print(f"until {row['until']:>4} s: main {row['main']} MB, largest judge {row['judge']} MB")
    write_results("grading", found | {"machine": machine()})


if __name__ == "__main__":
    main()
