"""The trusted end: marks and sentences for honest answers, and nothing for a worker that lies, whatever it sends."""

import dataclasses
import io
import json
import platform
import re
import socket
import struct
import subprocess
import sys
import threading
import time
from types import SimpleNamespace

import pytest

if platform.system() != "Linux":
    pytest.skip("grading runs on Linux", allow_module_level=True)

from coursekit.exercises.core import find
from coursekit.exercises.verdict import judge
from coursekit.grading import examination
from coursekit.grading.cells import Cell
from coursekit.grading.inside import wire
from coursekit.grading.judge import judge_submission
from coursekit.grading.judging import judge_line, judge_lines
from coursekit.grading.known import known
from coursekit.grading.records import INFRASTRUCTURE, UNGRADABLE, Grade
from coursekit.grading.submission import Submission

TORCH = "import torch\n"
IOU = """def box_iou(boxes1, boxes2):
    top, low = torch.max(boxes1[:, None, :2], boxes2[:, :2]), torch.min(boxes1[:, None, 2:], boxes2[:, 2:])
    shared = (low - top){clamp}.prod(dim=2)
    area1, area2 = (boxes1[:, 2:] - boxes1[:, :2]).prod(dim=1), (boxes2[:, 2:] - boxes2[:, :2]).prod(dim=1)
    union = area1[:, None] + area2 - shared
    return {result}
"""
RIGHT = TORCH + IOU.format(clamp=".clamp(min=0)", result="torch.where(union > 0, shared / union, torch.zeros_like(union))")


def handed_in(*cells: str, name: str = "13.box_iou", notebook: str = "13_boxes", student: str = "dana") -> Submission:
    """One notebook whose last cell answers the exercise."""
    code = [Cell("code", source, name if n == len(cells) else None) for n, source in enumerate(cells, 1)]
    return Submission(student, "0" * 64, {notebook: tuple(code)})


def only(assignment, *names: str):
    """The assignment with these exercises alone."""
    return dataclasses.replace(assignment, tasks=tuple(t for t in assignment.tasks if t.name in names))


def mark_for(assignment, sandbox, *cells: str, name: str = "13.box_iou", **more):
    grade = judge_submission(only(assignment, name), handed_in(*cells, name=name, **more), 1, sandbox)
    (mark,) = grade.marks
    assert mark.exercise == name
    return mark


# --- honest


def test_everything_right_earns_everything_and_the_same_again(assignment, workers, right_answers):
    notebooks = {}
    for task in assignment.tasks:
        notebooks.setdefault(task.notebook, []).append(Cell("code", right_answers[task.name], task.name))
    submission = Submission("dana", "1" * 64, {name: tuple(cells) for name, cells in notebooks.items()}, "2026-11-26T10:00:00Z", ("odd",))
    first, again, other = (judge_submission(assignment, submission, attempt, workers) for attempt in (1, 1, 2))
    assert [m.message for m in first.marks if m.status != "passed"] == []
    assert first.points == first.out_of == assignment.points
    assert (first.tier, first.bundle, first.submission) == (workers.tier, assignment.sha256, "1" * 64)
    assert (first.submitted, first.notes) == ("2026-11-26T10:00:00Z", ("odd",))
    assert first.cpu_seconds > 0
    assert Grade.from_json(json.loads(json.dumps(first.to_json()))) == first
    assert [dataclasses.replace(m, seconds=0) for m in first.marks] == [dataclasses.replace(m, seconds=0) for m in again.marks]
    assert all(m.seed != n.seed for m, n in zip(first.marks, other.marks, strict=True))


AS_IN_THE_NOTEBOOK = {
    "right": RIGHT,
    "no clamp": TORCH + IOU.format(clamp="", result="shared / union"),
    "not a number": TORCH + IOU.format(clamp=".clamp(min=0)", result="shared / union"),
    "nothing returned": TORCH + "def box_iou(boxes1, boxes2):\n    boxes1 + 1",
    "stub": "def box_iou(boxes1, boxes2):\n    raise NotImplementedError",
    "docstring": "def box_iou(boxes1, boxes2):\n    '''To do.'''",
    "ellipsis": "def box_iou(boxes1, boxes2):\n    x = 1\n    return ...",
    "stub left over": RIGHT.replace("    return", "    raise NotImplementedError\n    return"),
    "raises": RIGHT.replace("    union", "    boxes1[99]\n    union"),
    "exit": TORCH + "def box_iou(boxes1, boxes2):\n    raise SystemExit",
    "recursion": TORCH + "def box_iou(boxes1, boxes2):\n    return box_iou(boxes1, boxes2)",
    "two arguments too many": TORCH + "def box_iou(boxes1, boxes2, c, d):\n    return boxes1",
    "a value": TORCH + "box_iou = torch.ones(2)",
    "none": "box_iou = None",
    "changes its input": RIGHT.replace("    union", "    boxes1 += 1\n    union"),
    "a list": RIGHT.replace("torch.zeros_like(union))", "torch.zeros_like(union)).tolist()"),
    "a generator": RIGHT.replace("    return", "    yield"),
    "integers": RIGHT.replace("torch.zeros_like(union))", "torch.zeros_like(union)).long()"),
    "an object": TORCH + "class Thing: pass\ndef box_iou(boxes1, boxes2):\n    return Thing()",
    "prints": TORCH + "def box_iou(boxes1, boxes2):\n    print('here', len(boxes1))\n    return boxes1",
}


@pytest.mark.parametrize("source", AS_IN_THE_NOTEBOOK.values(), ids=AS_IN_THE_NOTEBOOK.keys())
def test_the_learner_is_told_what_check_says(assignment, workers, source):
    mark = mark_for(assignment, workers, source)
    names = {"__name__": "__main__"}
    exec(compile(source, "<ipython-input-1>", "exec"), names)
    verdict = judge(find("13.box_iou"), names["box_iou"])
    assert (mark.status, mark.case, mark.misconception, mark.hint) == (verdict.status, verdict.case, verdict.misconception, verdict.hint)
    if not verdict.passed:
        assert mark.message == re.sub(r"\s+", " ", verdict.message)
        assert mark.printed == verdict.printed
    assert mark.points == (5 if verdict.passed else mark.points)
    assert mark.points < 5 or verdict.passed
    if verdict.inputs:
        assert set(verdict.inputs) | {"expected"} <= set(mark.shown)


def test_a_half_right_answer_earns_a_part(assignment, workers):
    mark = mark_for(assignment, workers, AS_IN_THE_NOTEBOOK["not a number"])
    assert 0 < mark.points < 5
    assert not all(passed for _, passed in mark.groups)


def test_the_line_that_failed_is_shown(assignment, workers):
    mark = mark_for(assignment, workers, "x = 1", AS_IN_THE_NOTEBOOK["raises"])
    assert mark.shown["in your line 6"] == "boxes1[99]"


@pytest.mark.parametrize(
    ("source", "status", "message"),
    [
        ("def box_iou(boxes1, boxes2:\n    pass", "error", r"There is no `box_iou` .*line 1: SyntaxError: '\(' was never closed"),
        ("x = 1", "unusable", "There is no `box_iou` in what you handed in"),
        ("raise ValueError('no')\n", "error", "Its cell stopped in line 1: ValueError: no"),
        (TORCH + "from torchvision.ops import box_iou", "error", "ModuleNotFoundError: No module named 'torchvision'"),
        ("import os\nos._exit(0)", "broke off", "The process that ran your cells ended"),
        (TORCH + "import os\ndef box_iou(a, b):\n    os._exit(0)", "broke off", r"ended, or was ended, before .*\(exit 0\)"),
        (TORCH + "def box_iou(a, b):\n    return torch.zeros(1).expand(10**12)", "wrong", "gave back far more"),
        (TORCH + "def box_iou(a, b):\n    return {object(): 1}", "wrong", "Expected a tensor .* got a dict"),
    ],
)
def test_what_goes_wrong_is_said(assignment, workers, source, status, message):
    mark = mark_for(assignment, workers, source)
    assert (mark.status, mark.points) == (status, 0)
    assert re.search(message, mark.message), mark.message


def test_a_loop_without_end_is_stopped_and_nothing_more_is_asked(assignment, workers, monkeypatch):
    it = known(assignment.task("13.box_iou"))
    monkeypatch.setattr(it, "exercise", dataclasses.replace(it.exercise, seconds=0.5))
    began = time.monotonic()
    mark = mark_for(assignment, workers, "def box_iou(boxes1, boxes2):\n    while True: pass")
    assert (mark.status, mark.points) == ("too slow", 0)
    assert mark.message.startswith("It was stopped after 0.5 seconds")
    assert time.monotonic() - began < 3


def test_numpy_twins_are_refused_where_they_can_be_reached(assignment, workers):
    source = "import numpy as np\ndef ap_area(recall, precision):\n    return np.trapezoid(precision, recall)"
    task = assignment.task("20.ap_area")
    watched = dataclasses.replace(task, kit=dataclasses.replace(task.kit, watched=("numpy.trapezoid",)))
    changed = dataclasses.replace(assignment, tasks=(watched,))
    (mark,) = judge_submission(changed, handed_in(source, name=task.name, notebook=task.notebook), 1, workers).marks
    assert (mark.status, mark.points) == ("refused", 0)
    assert "Here `numpy.trapezoid` does the work" in mark.message


def test_missing_notebook_missing_cell_and_no_notebook_at_all(assignment, workers):
    assert mark_for(assignment, workers, RIGHT, notebook="20_map").status == "missing"
    empty = Submission("dana", "0" * 64, {"13_boxes": (Cell("code", "x = 1"), Cell("markdown", RIGHT))})
    (mark,) = judge_submission(only(assignment, "13.box_iou"), empty, 1, workers).marks
    assert (mark.status, mark.message) == ("missing", "There is no `box_iou` in what you handed in.")
    broken = Submission("dana", "0" * 64, {}, problem="13_boxes.ipynb is damaged.")
    grade = judge_submission(assignment, broken, 1, workers)
    assert (grade.outcome, grade.reason, grade.points) == (UNGRADABLE, "13_boxes.ipynb is damaged.", 0)
    assert grade.out_of == assignment.points


def test_who_has_not_solved_an_earlier_exercise_is_lent_ours(assignment, workers, right_answers):
    cells = tuple(Cell("code", right_answers[n] if n == "13.nms" else "def box_iou(a, b): ...", n) for n in ("13.box_iou", "13.nms"))
    some = only(assignment, "13.box_iou", "13.nms")
    iou, nms = judge_submission(some, Submission("dana", "0" * 64, {"13_boxes": cells}), 1, workers).marks
    assert (iou.status, nms.status, nms.points) == ("not attempted", "passed", nms.out_of)


@pytest.mark.parametrize("change", ["", "  # read", "\n\nrank_again = 1"])
def test_a_planted_bug_handed_back_earns_nothing_although_some_cases_pass(assignment, workers, change):
    task = next(task for task in assignment.tasks if task.name == "20.rank")
    assert "def rank" in task.given
    mark = mark_for(assignment, workers, task.given + change, name="20.rank", notebook="20_map")
    assert mark.points == 0
    if not change:
        assert (mark.status, mark.message) == ("not attempted", "The cell is as it was handed out.")


def test_a_later_exercise_is_judged_by_itself_where_only_some_earlier_ones_are_solved(assignment, workers, right_answers):
    solved = ("13.box_convert", "13.box_iou", "13.nms", "13.tidy_up")
    cells = tuple(Cell("code", right_answers[name], name) for name in solved)
    grade = judge_submission(only(assignment, *solved, "13.batched_nms"), Submission("dana", "0" * 64, {"13_boxes": cells}), 1, workers)
    statuses = {mark.exercise: mark.status for mark in grade.marks}
    assert statuses == dict.fromkeys(solved, "passed") | {"13.batched_nms": "missing"}


def test_what_catches_the_eye_is_a_flag_and_costs_nothing(assignment, workers):
    mark = mark_for(assignment, workers, "import gc, sys\nsys.setprofile(None)", RIGHT)
    assert mark.flags == ("gc", "setprofile")
    assert mark.points == 5


def test_cells_handed_out_are_not_run_again(assignment, workers):
    from coursekit.grading.assignment import source_hash

    cell = "import torch\nraise KeyboardInterrupt\nwhile True:\n    pass"
    released = {**assignment.released, "13_boxes": (source_hash(cell),)}
    began = time.monotonic()
    mark = mark_for(dataclasses.replace(assignment, released=released), workers, cell, RIGHT.removeprefix(TORCH))
    assert mark.status == "passed"
    assert time.monotonic() - began < 5


# --- secrets stay closed

NOSY = """
import torch, functools
SEEN = []
def box_iou(boxes1, boxes2):
    SEEN.append(boxes1.tolist())
    print("SECRET", SEEN)
    if len(SEEN) > {count}:
        {do}
    return right(boxes1, boxes2)
"""


@pytest.mark.parametrize(
    "do",
    [
        "raise ValueError('SECRET' + str(SEEN[-1]))",
        "raise type('SECRET' + str(int(sum(map(sum, SEEN[-1])))), (Exception,), {})",
        "return boxes1 + 1000",
        "return str(SEEN)",
        "boxes1 += 1",
    ],
)
def test_nothing_of_a_secret_case_comes_back(assignment, workers, do):
    count = len(known(assignment.task("13.box_iou")).public)
    mark = mark_for(assignment, workers, RIGHT.replace("def box_iou", "def right"), NOSY.format(count=count, do=do))
    assert mark.status in ("wrong", "error")
    assert "were drawn for you" in mark.message
    said = json.dumps(dataclasses.asdict(mark))
    assert "SECRET" not in said
    assert (mark.printed, mark.shown, mark.case) == ("", {}, None)
    assert mark.points < 5


def test_a_table_of_the_public_cases_earns_nothing(assignment, workers):
    it = known(assignment.task("13.box_iou"))
    values = [(case.arguments[0], case.arguments[1], said.value) for case, said in zip(it.public, it.expected, strict=True)]
    rows = [(a.tolist(), b.tolist(), right.tolist(), list(right.shape)) for a, b, right in values]
    table = (
        f"import torch\nROWS = {rows!r}\ndef box_iou(a, b):\n    for x, y, r, shape in ROWS:\n"
        "        if a.tolist() == x and b.tolist() == y:\n            return torch.tensor(r).reshape(shape)\n"
        "    return torch.zeros(len(a), len(b))"
    )
    mark = mark_for(assignment, workers, table)
    assert (mark.status, mark.points) == ("wrong", 0)
    assert "All cases of the check pass, but" in mark.message


# --- a worker that lies


class Scripted:
    """A sandbox whose workers do what a function says with their end of the socket."""

    tier = "none"

    def __init__(self, script):
        self.script, self.killed = script, 0

    def start(self, packages, files):
        ours, theirs = socket.socketpair()
        threading.Thread(target=self._run, args=(theirs,), daemon=True).start()
        return _Puppet(self, ours)

    def _run(self, sock):
        try:
            self.script(sock)
        except (OSError, wire.WireError):
            pass
        finally:
            sock.close()


class _Puppet:
    def __init__(self, sandbox, sock):
        self.sandbox, self.sock = sandbox, sock

    def kill(self):
        self.sock.close()
        self.sandbox.killed += 1
        return SimpleNamespace(how="SIGSYS", cpu_seconds=0.5, peak_bytes=0)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()


READY = {"found": True, "callable": True, "class": False, "object": None, "stub": False, "twin": None, "notes": []}


def prepared(sock, ready=READY, flags=()):
    wire.receive(sock, None)
    for kind, value in ((b"P", {"fault": ""}), (b"F", list(flags)), (b"R", ready)):
        wire.send(sock, kind, value if isinstance(value, bytes) else wire.pack(value))


def answering(reply):
    """A script that answers each case with these bytes."""

    def script(sock):
        prepared(sock)
        while True:
            wire.receive(sock, None)
            sock.sendall(reply)

    return script


def frame(value, kind: bytes = b"V") -> bytes:
    body = value if isinstance(value, bytes) else wire.pack(value)
    return struct.pack(">cI", kind, len(body)) + body


LIES = {
    "hangs up": b"",
    "another kind": frame({"value": 1}, b"R"),
    "no dict": frame([1, 2]),
    "empty dict": frame({}),
    "garbage": frame(b"\xff" * 100),
    "pickle": frame(b"\x80\x04cposix\nsystem\n(S'true'\ntR."),
    "4 GB announced": struct.pack(">cI", b"V", 2**32 - 1),
    "40 MB announced": struct.pack(">cI", b"V", 40 << 20),
    "printed is no text": frame({"value": 1, "printed": 3}),
    "changed is a list": frame({"value": 1, "changed": [1]}),
    "borrowed is a list": frame({"value": 1, "borrowed": [1]}),
    "raised is too short": frame({"raised": ["E"]}),
    "raised is a number": frame({"raised": 7}),
    "kind is no text": frame({"raised": [1, "", None, False, False]}),
    "line is no line": frame({"raised": ["E", "", [1], False, False]}),
    "line is words": frame({"raised": ["E", "", ["a", "b"], False, False]}),
    "not a number in JSON": frame(struct.pack(">I", 3) + b"NaN"),
}


@pytest.mark.parametrize("reply", LIES.values(), ids=LIES.keys())
def test_a_lie_ends_the_exercise(assignment, reply):
    sandbox = Scripted(answering(reply) if reply else prepared)
    mark = mark_for(assignment, sandbox, RIGHT)
    assert (mark.status, mark.points) == ("broke off", 0)
    assert sandbox.killed


ODD = {
    "large": {"large": "x"},
    "slow": {"slow": True},
    "a thousand digits": {"value": 10**999},
    "strings": {"value": __import__("numpy").array(["a"])},
    "nothing": {"value": None},
    "deep": {"value": [[[[[[[[[[1]]]]]]]]]]},
    "an exception of markup": {
        "raised": ["<script>", "\x1b[31m<b>\x00" * 300, [10**18, "<i>" * 999], False, False],
        "printed": "\x07" * 9,
    },
    "twin of markup": {"value": 1, "borrowed": "<script>" * 100},
    "changed of markup": {"value": 1, "changed": "<script>" * 100},
}


@pytest.mark.parametrize("value", ODD.values(), ids=ODD.keys())
def test_odd_answers_are_wrong_answers(assignment, value):
    mark = mark_for(assignment, Scripted(answering(frame(value))), RIGHT)
    assert mark.points == 0
    assert mark.status in ("wrong", "error", "refused", "too slow")
    assert len(json.dumps(dataclasses.asdict(mark))) < 20_000
    assert all(c.isprintable() or c in "\n\t" for text in (mark.message, mark.printed, *mark.shown.values()) for c in text)


@pytest.mark.parametrize(
    ("ready", "status"),
    [
        ([1], "broke off"),
        (b"\xff", "broke off"),
        ({}, "unusable"),
        ({"found": 1}, "unusable"),
        ({"found": True, "callable": 1, "answer": 10**999}, "unusable"),
        ({"found": False, "notes": 3}, "unusable"),
        ({"found": False, "notes": [[1, 2], "x", [1, "2", "a", "b"], [True, 1, "a", "b"]]}, "unusable"),
        ({"found": False, "notes": [[1, 1, "E" * 9999, "t" * 99999]]}, "error"),
        ({**READY, "twin": "<b>" * 1000}, "refused"),
        ({**READY, "unfit": "x" * 10**6}, "unusable"),
    ],
)
def test_lies_about_the_answer_itself(assignment, ready, status):
    mark = mark_for(assignment, Scripted(lambda sock: prepared(sock, ready)), RIGHT)
    assert mark.points == 0
    assert mark.status == status
    assert len(mark.message) < 1300


@pytest.mark.parametrize("flags", [b"\xff", ["x" * 10**6] * 500, [1, None, []], {"a": 1}])
def test_lies_about_flags(assignment, flags):
    def script(sock):
        wire.receive(sock, None)
        wire.send(sock, b"P", wire.pack({"fault": ""}))
        wire.send(sock, b"F", flags if isinstance(flags, bytes) else wire.pack(flags))
        wire.send(sock, b"R", wire.pack({**READY, "twin": "x"}))

    mark = mark_for(assignment, Scripted(script), RIGHT)
    assert mark.points == 0
    assert len(mark.flags) <= 30
    assert all(len(flag) <= 80 for flag in mark.flags)


def test_silence_costs_no_more_than_the_time_of_the_exercise(assignment, monkeypatch):
    monkeypatch.setattr(examination, "GRACE", 0.1)
    task = assignment.task("13.box_iou")
    monkeypatch.setattr(known(task), "exercise", dataclasses.replace(known(task).exercise, seconds=0.3))

    def script(sock):
        prepared(sock)
        wire.receive(sock, None)
        for byte in frame({"value": 1}) * 50:  # dribbles
            time.sleep(0.05)
            sock.sendall(bytes([byte]))

    began = time.monotonic()
    mark = mark_for(assignment, Scripted(script), RIGHT)
    assert (mark.status, mark.points) == ("too slow", 0)
    assert time.monotonic() - began < 3


def test_answers_that_fill_the_judges_memory_end_the_exercise(assignment, monkeypatch):
    monkeypatch.setattr(examination, "REPLY", 1 << 20)
    import numpy as np

    mark = mark_for(assignment, Scripted(answering(frame({"value": np.zeros(100_000, dtype="uint8")}))), RIGHT)
    assert (mark.status, mark.points) == ("broke off", 0)
    assert "far larger" in mark.message


# --- ours is not theirs


def test_a_fault_of_ours_is_no_zero(assignment):
    def faulty(sock):
        wire.receive(sock, None)
        wire.send(sock, b"P", wire.pack({"fault": "the driver does not load"}))

    for script, message in ((faulty, "the driver does not load"), (lambda sock: None, "did not start")):
        with pytest.raises(RuntimeError, match=message):
            mark_for(assignment, Scripted(script), RIGHT)


def line_for(submission: Submission, attempt: int = 1) -> str:
    return json.dumps({"submission": submission.to_json(), "attempt": attempt})


def test_a_line_in_is_a_grade_out_whatever_happens(assignment, workers):
    one, out = only(assignment, "13.box_iou"), io.StringIO()
    lines = [line_for(handed_in(RIGHT)), "\n", "no JSON", json.dumps({"attempt": 1}), line_for(handed_in(RIGHT, student="kim"), 3)]
    judge_lines(one, workers, lines, out)
    grades = [Grade.from_json(json.loads(line)["grade"]) for line in out.getvalue().splitlines()]
    assert [g.outcome for g in grades] == ["graded", INFRASTRUCTURE, INFRASTRUCTURE, "graded"]
    assert [(g.student, g.attempt, g.points) for g in (grades[0], grades[3])] == [("dana", 1, 5), ("kim", 3, 5)]


def test_a_sandbox_that_fails_is_an_infrastructure_error(assignment, capsys):
    class Broken:
        tier = "landlock"

        def start(self, packages, files):
            raise OSError("no more processes")

    grade = judge_line(assignment, Broken(), line_for(handed_in(RIGHT)))
    assert (grade.outcome, grade.reason, grade.marks) == (INFRASTRUCTURE, "OSError: no more processes", ())
    assert (grade.student, grade.submission, grade.tier, grade.bundle) == ("dana", "0" * 64, "landlock", assignment.sha256)


def test_the_judge_is_a_program(small):
    submission = handed_in("print('to stdout')\ndef rank(scores): ...", name="20.rank", notebook="20_map")
    done = subprocess.run(
        [sys.executable, "-m", "coursekit.grading.judging", str(small / "grader")],
        input=line_for(submission) + "\n",
        capture_output=True,
        text=True,
        timeout=120,
    )
    ready, grade = (json.loads(line) for line in done.stdout.splitlines())
    assert ready["ready"]["tier"] in ("namespaces", "landlock", "rlimits")
    assert grade["grade"]["outcome"] == "graded", done.stderr
    assert {m["status"] for m in grade["grade"]["marks"]} <= {"missing", "not attempted", "unusable"}
