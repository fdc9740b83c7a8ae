"""Grading a class with judges that die, hang, lie and are killed. A small program plays the judge, so that no torch is needed."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from coursekit.grading import assignment as assignments
from coursekit.grading import batch, frozen, judges
from coursekit.grading.assignment import Assignment, Kit, Task
from coursekit.grading.gradebook import Gradebook
from coursekit.grading.intake import Submission
from coursekit.grading.judges import CannotStart, Desk, Judge, Lost, Work
from coursekit.grading.pool import graded_here
from coursekit.grading.records import Grade

FAKE = """
import json, os, pathlib, re, sys, time
from coursekit.grading.records import Grade, Mark

folder = pathlib.Path(sys.argv[1])
(folder / f"judge-{os.getpid()}").touch()
print(json.dumps({"ready": {"tier": "fake"}}), flush=True)
for line in sys.stdin:
    request = json.loads(line)
    given, attempt = request["submission"], request["attempt"]
    text = " ".join(c["source"] for cells in given["notebooks"].values() for c in cells)
    log = folder / f"asked-{given['student']}"
    with log.open("a") as file:
        file.write(f"{attempt}\\n")
    first = len(log.read_text().splitlines()) == 1
    said = re.search(r"# (\\w+)( once)?(?: ([.\\d]+))?", text)
    do = said[1] if said and (first or not said[2]) else ""
    if do == "sleep":
        time.sleep(float(said[3]))
    elif do == "die":
        os.kill(os.getpid(), 9)
    elif do == "leave":
        sys.exit(3)
    elif do == "hang":
        time.sleep(1000)
    elif do == "nonsense":
        print("{" * 10, flush=True)
        continue
    elif do == "list":
        print("[]", flush=True)
        continue
    outcome = "infrastructure error" if do == "fault" else "ungradable" if given["problem"] else "graded"
    mark = Mark("20.rank", float(len(text) % 7), 7.0, "wrong", "It is what it is.", seed=attempt)
    grade = Grade("hw", "other" if do == "other" else given["student"], attempt, given["sha256"], sys.argv[2], outcome,
                  given["problem"] or do, (mark,), "fake", notes=tuple(given["notes"]))
    print(json.dumps({"grade": grade.to_json()}), flush=True)
"""

PROGRAM = """
import sys
from pathlib import Path
from coursekit.grading import batch, frozen, judges
fake, notes, submissions, bundle, out = sys.argv[1:]
from coursekit.grading.assignment import read_bundle
sha256 = read_bundle(bundle).sha256
start = lambda: judges.Judge([sys.executable, fake, notes, sha256], log=Path(notes) / "log")
summary = batch.grade_all(submissions, bundle, out, jobs=2, start=start)
assert "torch" not in sys.modules, "the main process must not import torch"
print(summary.graded, summary.skipped)
"""


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    """A bundle of one exercise, made without torch."""
    kit = Kit((), {}, (), (), "rank", None, None, (), False, (), ())
    made = Assignment("hw", "course", b"secret", (Task("20.rank", 7.0, "20_map", "", None, kit, ""),), (), {"20_map": ()}, {})
    folder = tmp_path_factory.mktemp("hw") / "grader"
    folder.mkdir(mode=0o700)
    (folder / assignments.FILE).write_text(assignments._text(dataclasses.replace(made, sha256=assignments.digest(made))))
    (folder / assignments.FILE).chmod(0o600)
    return folder


class School:
    """A class, a bundle, and a judge that does what a submission's comment says."""

    def __init__(self, root: Path, bundle: Path):
        self.root, self.bundle, self.out, self.notes = root, bundle, root / "out", root / "notes"
        self.submissions, self.fake = root / "class", root / "fake.py"
        self.assignment = assignments.read_bundle(bundle)
        self.notes.mkdir()
        self.fake.write_text(FAKE)

    def hand_in(self, **texts):
        for student, text in texts.items():
            path = self.submissions / student / "20_map.ipynb"
            path.parent.mkdir(parents=True, exist_ok=True)
            cell = {"cell_type": "code", "metadata": {}, "source": f"def rank(a):\n    return a  # {text}", "outputs": []}
            path.write_text(json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 4}))

    def start(self):
        return Judge([sys.executable, str(self.fake), str(self.notes), self.assignment.sha256], log=self.notes / "log")

    def grade(self, **options):
        return batch.grade_all(self.submissions, self.bundle, self.out, **{"jobs": 2, "start": self.start, **options})

    def asked(self, student):
        """The attempts that judges were asked about."""
        path = self.notes / f"asked-{student}"
        return [int(line) for line in path.read_text().split()] if path.exists() else []

    def rows(self):
        """What stands in the gradebook, but for times."""
        with Gradebook(self.out / "gradebook.sqlite") as book:
            return sorted((g.student, g.attempt, g.outcome, g.points, g.submission) for g in book.history())

    def program(self):
        self.out.parent.mkdir(exist_ok=True)
        where = [self.fake, self.notes, self.submissions, self.bundle, self.out]
        return subprocess.Popen([sys.executable, "-c", PROGRAM, *map(str, where)], stdout=subprocess.PIPE, text=True)


@pytest.fixture
def school(tmp_path, bundle):
    return School(tmp_path, bundle)


def no_judge():
    raise AssertionError("nothing is to be graded")


def test_a_class_is_graded_and_written_down(school):
    school.hand_in(alice="a", bob="bb", carol="ccc")
    (school.submissions / "dan").mkdir()
    (school.submissions / "readme.txt").write_text("x")
    seen = []
    summary = school.grade(watch=lambda done, of, grade: seen.append((done, of, grade.student)))
    assert (summary.graded, summary.ungradable, summary.failed, summary.skipped) == (3, 1, 0, 0)
    assert summary.reasons == {"dan": "Nothing was handed in: the folder is empty."}
    assert summary.ignored == ["readme.txt"]
    assert [row[:3] for row in school.rows()] == [
        ("alice", 1, "graded"),
        ("bob", 1, "graded"),
        ("carol", 1, "graded"),
        ("dan", 1, "ungradable"),
    ]
    assert sorted(p.name for p in (school.out / "feedback").iterdir()) == [f"{n}.html" for n in ("alice", "bob", "carol", "dan")]
    assert "alice" in (school.out / "report.html").read_text()
    assert ([s[:2] for s in seen], {s[2] for s in seen}) == ([(i, 4) for i in range(1, 5)], {"alice", "bob", "carol", "dan"})
    assert (school.out.stat().st_mode & 0o777, (school.out / "gradebook.sqlite").stat().st_mode & 0o777) == (0o700, 0o600)


def test_what_is_graded_stays_and_what_changed_is_the_next_attempt(school):
    school.hand_in(alice="a", bob="bb")
    school.grade()
    before = school.rows()
    (school.out / "feedback" / "bob.html").unlink()
    assert (school.grade(start=no_judge).skipped, school.rows()) == (2, before)
    assert (school.out / "feedback" / "bob.html").exists()
    school.hand_in(alice="another")
    assert school.grade().skipped == 1
    assert [row[:2] for row in school.rows()] == [("alice", 1), ("alice", 2), ("bob", 1)]
    school.hand_in(alice="a")  # the first one again: graded already
    assert school.grade(start=no_judge).skipped == 2


@pytest.mark.parametrize("what", ["die", "leave", "nonsense", "list", "other", "fault"])
def test_a_judge_that_fails_once_is_replaced(school, what):
    school.hand_in(alice=f"{what} once", bob="bb", carol="c")
    summary = school.grade()
    assert (summary.graded, summary.failed, school.asked("alice")) == (3, 0, [1, 1])


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        ("die", "the judge was killed (signal 9); tried 3 times"),
        ("leave", "the judge ended (exit code 3); tried 3 times"),
        ("nonsense", "the judge answered with something that is no JSON; tried 3 times"),
        ("list", "the judge answered with something that is no grade; tried 3 times"),
        ("other", "the judge answered for another submission; tried 3 times"),
        ("fault", "fault; tried 3 times"),
    ],
)
def test_one_that_always_fails_is_written_down_as_ours_and_tried_again_next_time(school, what, reason):
    school.hand_in(alice=what, bob="bb", carol="c")
    summary = school.grade()
    assert (summary.graded, summary.failed, summary.reasons) == (2, 1, {"alice": reason})
    assert school.rows()[0][:4] == ("alice", 1, "infrastructure error", 0.0)
    school.fake.write_text(FAKE.replace("said[1] if said", "'' if said"))  # mended
    summary = school.grade()
    assert (summary.graded, summary.failed, summary.skipped, school.asked("alice")) == (1, 0, 2, [1, 1, 1, 1])
    assert [row[:3] for row in school.rows()][:2] == [("alice", 1, "graded"), ("alice", 1, "infrastructure error")]


def test_a_judge_that_hangs_is_killed(school):
    submission = Submission("alice", "0" * 64, {"20_map": ()})
    hanging = dataclasses.replace(submission, notes=("x",))
    desk = Desk(
        lambda: Judge([sys.executable, "-c", "print('{\"ready\": {}}', flush=True); import time; time.sleep(99)"]), school.assignment, 0.3
    )
    began = time.monotonic()
    grade = desk.grade(Work(hanging, 1))
    assert (grade.outcome, grade.reason) == ("infrastructure error", "the judge gave no answer within 0 seconds; tried 3 times")
    assert grade.notes == ("x",)
    assert time.monotonic() - began < 10
    assert desk.judge is None


def test_a_judge_that_does_not_read_does_not_hold_us_up(school):
    judge = Judge([sys.executable, "-c", "print('{\"ready\": {}}', flush=True); import time; time.sleep(99)"])
    big = Submission("alice", "0" * 64, {"20_map": ()}, notes=("x" * 4_000_000,))
    try:
        with pytest.raises(Lost, match="gave no answer within 1 seconds"):
            judge.ask(Work(big, 1), 1.0)
    finally:
        judge.kill()


def test_a_judge_that_does_not_start_is_a_sentence(school, monkeypatch):
    monkeypatch.setattr(judges.time, "sleep", lambda _: None)
    school.hand_in(alice="a")
    school.out.mkdir()
    broken = [sys.executable, "-c", "raise SystemExit('no module named torch')"]
    with pytest.raises(CannotStart, match=r"ended \(exit code 1\)"):
        Judge(broken)
    log = school.out / "judging.log"
    with pytest.raises(OSError, match=r"a judge does not start: it ended \(exit code 1\) \(no module named torch; more in "):
        list(
            graded_here(iter([Work(Submission("a", "0", {}), 1)]), 1, lambda: Desk(lambda: Judge(broken, log=log), school.assignment), log)
        )


def test_many_failures_in_a_row_are_the_machines(school, monkeypatch):
    monkeypatch.setattr(batch, "ENOUGH", 3)
    school.hand_in(**{f"s{i:02d}": "fault" for i in range(10)})
    with pytest.raises(OSError, match="3 submissions in a row could not be graded: fault; tried 3 times; mend that and start again"):
        school.grade(jobs=1)
    assert len(school.rows()) == 3


def test_a_judge_is_replaced_after_a_while(school, monkeypatch):
    monkeypatch.setattr(judges, "RECYCLED", 2)
    school.hand_in(**{f"s{i}": "x" for i in range(5)})
    assert school.grade(jobs=1).graded == 5
    assert len(list(school.notes.glob("judge-*"))) == 3


def test_submissions_are_read_as_they_are_needed(school):
    taken, go = [], threading.Event()

    class Slow(Desk):
        def grade(self, work):
            go.wait(20)
            return Grade("hw", work.submission.student, 1, work.submission.sha256, "b")

    def work():
        for i in range(1000):
            taken.append(i)
            yield Work(Submission(str(i), str(i), {}), 1)

    results = graded_here(work(), 2, lambda: Slow(no_judge, school.assignment))
    first = threading.Thread(target=lambda: next(results))
    first.start()
    time.sleep(0.3)
    assert len(taken) == 2
    go.set()
    first.join()
    time.sleep(0.3)
    assert len(taken) <= 1 + 2 * 2 + 2 + 1
    results.close()
    assert len(taken) < 20


# judging again


def test_a_regrade_asks_again_with_the_same_attempt(school):
    school.hand_in(alice="a", bob="bb")
    school.grade()
    school.hand_in(carol="new")
    summary = school.grade(regrade=True)
    assert (summary.graded, summary.changed) == (3, {})
    assert (school.asked("alice"), school.asked("carol")) == ([1, 1], [1])
    school.fake.write_text(FAKE.replace("len(text) % 7", "6.5"))
    summary = school.grade(regrade=True)
    assert summary.changed == {name: (points, 6.5) for name, _, _, points, _ in school.rows() if points != 6.5}
    assert set(summary.changed) == {"alice", "bob", "carol"}


# killed


def same(school, other):
    return [row for row in school.rows() if row[2] != "infrastructure error"] == other.rows()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_killed_at_any_moment_and_started_again_it_ends_the_same(tmp_path, bundle, how):
    (tmp_path / "killed").mkdir()
    (tmp_path / "whole").mkdir()
    killed, whole = School(tmp_path / "killed", bundle), School(tmp_path / "whole", bundle)
    texts = {f"s{i:02d}": f"sleep 0.05 {'x' * (i % 5)}" for i in range(24)}
    for school in (killed, whole):
        school.hand_in(**texts)
    assert whole.grade().graded == 24
    for wanted in (1, 5, 14):
        running = killed.program()
        until = time.monotonic() + 30
        while len(list((killed.out / "feedback").glob("*.html"))) < wanted and running.poll() is None and time.monotonic() < until:
            time.sleep(0.003)
        running.send_signal(how)
        running.wait(30)
    running = killed.program()
    said = running.communicate(timeout=60)[0]
    assert running.returncode == 0
    assert sum(map(int, said.split())) == 24
    assert same(killed, whole)
    assert len(killed.rows()) == 24
    assert all(len(killed.asked(student)) <= 4 for student in texts)
    assert (killed.out / "report.html").exists()


def test_judges_end_when_the_main_process_is_killed(school):
    school.hand_in(**{f"s{i}": "sleep 0.3" for i in range(8)})
    running = school.program()
    until = time.monotonic() + 30
    while not list(school.notes.glob("asked-*")) and time.monotonic() < until:
        time.sleep(0.01)
    running.kill()
    running.wait()
    pids = [int(path.name.partition("-")[2]) for path in school.notes.glob("judge-*")]
    assert pids
    until = time.monotonic() + 10
    while any(map(alive, pids)) and time.monotonic() < until:
        time.sleep(0.05)
    assert not any(map(alive, pids))


def alive(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def test_judges_killed_from_outside_change_nothing(tmp_path, bundle):
    (tmp_path / "shot").mkdir()
    (tmp_path / "whole").mkdir()
    shot, whole = School(tmp_path / "shot", bundle), School(tmp_path / "whole", bundle)
    for school in (shot, whole):
        school.hand_in(**{f"s{i:02d}": f"sleep 0.05 {'x' * (i % 5)}" for i in range(20)})
    whole.grade()
    over = threading.Event()

    def shoot():
        dead = set()
        while not over.wait(0.3):
            for path in set(shot.notes.glob("judge-*")) - dead:
                if len(dead) < 4:  # two judges, three tries each: nobody loses all of theirs
                    dead.add(path)
                    os.kill(int(path.name.partition("-")[2]), signal.SIGKILL)
                    break

    gunman = threading.Thread(target=shoot)
    gunman.start()
    summary = shot.grade()
    over.set()
    gunman.join()
    assert (summary.graded, summary.failed) == (20, 0)
    assert same(shot, whole)
    assert len(list(shot.notes.glob("judge-*"))) > 2


# what a teacher gets wrong


def test_two_runs_on_one_folder(school):
    school.hand_in(alice="a")
    with batch.alone(school.out), pytest.raises(ValueError, match=rf"another `coursekit grade` is at work on .* \(process {os.getpid()}\)"):
        school.grade()
    assert school.grade().graded == 1


def test_wrong_places_are_sentences(school):
    school.hand_in(alice="a")
    for out, message in [
        (school.submissions / "out", "lies among the submissions"),
        (school.submissions, "lies among the submissions"),
        (school.bundle / "out", "lies in the assignment's bundle"),
        (school.fake, "is a file: give a folder"),
    ]:
        with pytest.raises(ValueError, match=message):
            batch.grade_all(school.submissions, school.bundle, out, start=no_judge)
    with pytest.raises(ValueError, match="is the assignment itself"):
        batch.grade_all(school.bundle, school.bundle, school.out, start=no_judge)
    with pytest.raises(FileNotFoundError, match=r"holds no assignment\.json"):
        batch.grade_all(school.submissions, school.submissions, school.out, start=no_judge)
    assert not school.out.exists()


def test_each_assignment_has_a_folder_of_its_own(school):
    school.hand_in(alice="a")
    school.out.mkdir()
    with Gradebook(school.out / "gradebook.sqlite") as book:
        book.add(Grade("hw1", "alice", 1, "0" * 64, "b"))
    with pytest.raises(ValueError, match="holds grades of hw1: give a folder of its own to hw"):
        school.grade(start=no_judge)


def test_grading_runs_on_linux(school, monkeypatch):
    monkeypatch.setattr(batch.platform, "system", lambda: "Darwin")
    with pytest.raises(ValueError, match=r"grading runs on Linux \(on Windows: in WSL2\)"):
        school.grade()


def test_a_sandbox_that_holds_nothing_is_refused(monkeypatch):
    from coursekit.grading import probe

    tiers = (probe.Tier("namespaces", False, "no"), probe.Tier("landlock", False, "too old"), probe.Tier("rlimits", True))
    monkeypatch.setattr(probe, "probe", lambda: tiers)
    with pytest.raises(ValueError, match=r"nothing better than the sandbox rlimits works here.*--i-trust-these-submissions"):
        batch.trustworthy(None, trusted=False)
    assert batch.trustworthy(None, trusted=True) == "rlimits"
    with pytest.raises(ValueError, match="the sandbox landlock does not work here: too old"):
        batch.trustworthy("landlock", trusted=True)
    with pytest.raises(ValueError, match="tier must be one of namespaces, landlock, rlimits, got 'docker'"):
        batch.trustworthy("docker", trusted=True)


# what a judge is started with


def test_a_judge_imports_what_the_assignment_was_made_with(bundle, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(["", ".", "relative", "/opt/abs"]))
    found = dataclasses.replace(assignments.read_bundle(bundle), frozen=frozen.hashes(frozen.sources()))
    ours, more = judges.environment(bundle, found)["PYTHONPATH"].split(os.pathsep)
    assert (Path(ours, "coursekit", "grading", "judging.py").exists(), more) == (True, "/opt/abs")
    assert not ours.endswith("frozen")
    older = dataclasses.replace(found, frozen={**found.frozen, "coursekit/boxes.py": "0" * 64})
    assert judges.environment(bundle, older)["PYTHONPATH"].split(os.pathsep)[0] == str(bundle.resolve() / "frozen")


def test_nothing_is_imported_from_where_a_teacher_happens_to_be(tmp_path):
    (tmp_path / "torch.py").write_text("raise SystemExit('hostile')")
    (tmp_path / "coursekit.py").write_text("raise SystemExit('hostile')")
    line = judges.command("nowhere", None)
    done = subprocess.run([*line[:2], "-c", "import coursekit; print(coursekit.__file__)"], cwd=tmp_path, capture_output=True, text=True)
    assert "hostile" not in done.stdout + done.stderr
    assert line[1:4] == ["-P", "-m", "coursekit.grading.judging"]


# the command


def coursekit(*words):
    return subprocess.run([sys.executable, "-m", "coursekit.cli", "grade", *map(str, words)], capture_output=True, text=True, timeout=120)


def test_the_command_says_what_is_wrong_in_one_sentence(school):
    school.hand_in(alice="a")
    places = ["--assignment", school.bundle, "--out", school.out]
    for words, sentence in [
        ([school.root / "none", *places], f"coursekit: there is no folder or zip {school.root / 'none'}\n"),
        ([school.submissions, "--assignment", school.root, "--out", school.out], f"coursekit: {school.root} holds no assignment.json\n"),
        ([school.submissions, *places, "--submitted", "x"], "coursekit: --submitted is auto or mtime, got 'x'\n"),
    ]:
        done = coursekit(*words)
        assert (done.returncode, done.stderr) == (2, sentence)


def test_the_command_shows_what_was_done(school, monkeypatch, capsys):
    import typer

    from coursekit.cli import grade as command

    school.hand_in(alice="a", bob="fault", **{"[red]carol": "x"})
    real = batch.grade_all
    monkeypatch.setattr(batch, "grade_all", lambda *given, **more: real(*given, **more, start=school.start))
    monkeypatch.setenv("COLUMNS", "200")
    with pytest.raises(typer.Exit) as ended:
        command.grade(school.submissions, school.bundle, school.out)
    said = capsys.readouterr().out
    assert ended.value.exit_code == 1
    assert "2  graded" in said
    assert "1  not graded, our fault" in said
    assert "bob: fault; tried 3 times" in said
    assert str(school.out / "report.html") in said
