"""A batch on a real Dask cluster: a scheduler and two worker processes, one of them shot in the middle."""

import contextlib
import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("distributed", reason="the extra cluster is not installed")

from coursekit.grading import assignment as assignments
from coursekit.grading import batch, cluster
from coursekit.grading.gradebook import Gradebook

FAKE = """
import json, os, pathlib, sys, time
from coursekit.grading.records import Grade, Mark

notes, bundle = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
(notes / f"judge-{os.getpid()}").write_text(f"{os.getppid()} {bundle} {bundle.stat().st_mode & 0o777:o}")
sha256 = json.loads((bundle / "assignment.json").read_text())["sha256"]
print(json.dumps({"ready": {"tier": "fake"}}), flush=True)
for line in sys.stdin:
    request = json.loads(line)
    given = request["submission"]
    with (notes / f"asked-{given['student']}").open("a") as file:
        file.write(f"{os.getppid()}\\n")
    time.sleep(0.15)
    mark = Mark("20.rank", float(len(given["sha256"].strip("0")) % 7), 7.0, "wrong")
    grade = Grade("hw", given["student"], request["attempt"], given["sha256"], sha256, marks=(mark,))
    print(json.dumps({"grade": grade.to_json()}), flush=True)
"""


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    kit = assignments.Kit((), {}, (), (), "rank", None, None, (), False, (), ())
    task = assignments.Task("20.rank", 7.0, "20_map", "", None, kit, "")
    made = assignments.Assignment("hw", "course", b"secret", (task,), (), {"20_map": ()}, {})
    folder = tmp_path_factory.mktemp("hw") / "grader"
    folder.mkdir(mode=0o700)
    (folder / assignments.FILE).write_text(assignments._text(dataclasses.replace(made, sha256=assignments.digest(made))))
    (folder / assignments.FILE).chmod(0o600)
    return folder


@pytest.fixture
def dask(tmp_path):
    """The scheduler's address and its two workers."""
    where, log = tmp_path / "scheduler.json", (tmp_path / "dask.log").open("wb")
    env = {**os.environ, "DASK_DISTRIBUTED__WORKER__DAEMON": "False", "PYTHONPATH": str(Path(assignments.__file__).parents[2])}

    def run(module, *words):
        line = [sys.executable, "-m", f"distributed.cli.{module}", *words]
        return subprocess.Popen(line, stdout=log, stderr=log, env=env, start_new_session=True)

    started = [run("dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(where))]
    try:
        for name in ("one", "two"):
            words = ["--scheduler-file", str(where), "--no-nanny", "--no-dashboard", "--nthreads", "1", "--name", name]
            started.append(run("dask_worker", *words, "--local-directory", str(tmp_path / name)))
        until = time.monotonic() + 60
        while not where.exists() and time.monotonic() < until:
            time.sleep(0.05)
        yield json.loads(where.read_text())["address"], started[1:]
    finally:
        for process in started:
            with contextlib.suppress(OSError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        log.close()


def hand_in(folder, count):
    cell = {"cell_type": "code", "metadata": {}, "outputs": []}
    for i in range(count):
        path = folder / f"s{i:02d}" / "20_map.ipynb"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps({"cells": [{**cell, "source": f"def rank(a):\n    return {i}"}], "metadata": {}, "nbformat": 4}))


def test_a_lost_workers_submissions_are_graded_elsewhere_once(tmp_path, bundle, dask, monkeypatch):
    address, workers = dask
    hand_in(tmp_path / "class", 24)
    notes = tmp_path / "notes"
    notes.mkdir()
    (tmp_path / "fake.py").write_text(FAKE)
    judge = [sys.executable, str(tmp_path / "fake.py"), str(notes)]
    real = cluster.graded_on_cluster
    monkeypatch.setattr(cluster, "graded_on_cluster", lambda *given: real(*given, judge=judge))
    shot = []

    def watch(done, everything, grade):
        if done == 6:
            workers[0].kill()
            shot.append(workers[0].pid)

    summary = batch.grade_all(tmp_path / "class", bundle, tmp_path / "out", scheduler=address, watch=watch)
    assert (summary.graded, summary.failed, shot) == (24, 0, [workers[0].pid])
    with Gradebook(tmp_path / "out" / "gradebook.sqlite") as book:
        rows = [grade.student for grade in book.history()]
    assert sorted(rows) == [f"s{i:02d}" for i in range(24)]
    places = {path.name: path.read_text().split() for path in notes.glob("judge-*")}
    assert {int(place[0]) for place in places.values()} == {worker.pid for worker in workers}  # judges are children of Dask's workers
    assert {place[2] for place in places.values()} == {"700"}
    asked = {path.name: path.read_text().split() for path in notes.glob("asked-*")}
    twice = [student for student, by in asked.items() if len(by) > 1]
    assert all(by[-1] == str(workers[1].pid) for student, by in asked.items() if student in twice)
    folders = [Path(place[1]) for place in places.values() if int(place[0]) == workers[1].pid]
    until = time.monotonic() + 10
    while any(folder.exists() for folder in folders) and time.monotonic() < until:
        time.sleep(0.05)
    assert not any(folder.exists() for folder in folders)  # the bundle went from the worker that lives
    assert batch.grade_all(tmp_path / "class", bundle, tmp_path / "out", scheduler=address).skipped == 24


def test_a_bundle_travels_as_bytes_and_stays_private(tmp_path, bundle):
    (tmp_path / "there").mkdir(mode=0o700)
    cluster.unpack(cluster.packed(bundle), tmp_path / "there")
    assert assignments.read_bundle(tmp_path / "there") == assignments.read_bundle(bundle)
    modes = {path.stat().st_mode & 0o777 for path in (tmp_path / "there").rglob("*")}
    assert modes == {0o600}


def test_no_scheduler_is_a_sentence(tmp_path, bundle, monkeypatch):
    hand_in(tmp_path / "class", 1)
    real = cluster.Client
    monkeypatch.setattr(cluster, "Client", lambda *given, **more: real(*given, **{**more, "timeout": 0.5}))
    for address in ("tcp://127.0.0.1:9", "nonsense://x"):
        with pytest.raises(OSError, match=f"no Dask scheduler answers at {address}"):
            batch.grade_all(tmp_path / "class", bundle, tmp_path / "out", scheduler=address)


def test_without_dask_it_says_what_to_install(tmp_path, bundle, monkeypatch):
    hand_in(tmp_path / "class", 1)
    monkeypatch.setitem(sys.modules, "coursekit.grading.cluster", None)
    with pytest.raises(ValueError, match=r'grading on a cluster needs Dask: pip install "coursekit\[cluster\]"'):
        batch.grade_all(tmp_path / "class", bundle, tmp_path / "out", scheduler="tcp://127.0.0.1:9")
