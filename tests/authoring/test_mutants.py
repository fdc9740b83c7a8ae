"""Mutants of notebook solutions: what is made, and that a check's gaps are found. `make full` prints the table of the real ones."""

import sys
from pathlib import Path

import pytest

from coursekit.authoring import mutants as module
from coursekit.authoring.mutants import NEEDED, Score, score_notebook
from coursekit.authoring.mutate import mutants
from coursekit.authoring.solved import solutions_in
from coursekit.exercises.core import Close, Exercise

SOURCES = sorted((Path(__file__).parents[2] / "solutions").glob("[0-9][0-9]_*.py"))

ANSWER = '''def answer(a, b):
    """Doc with 1 + 1."""
    if len(a) > 3:
        raise ValueError("too long")
    assert b >= 0
    total = a[0] + b * 2.0
    total = pick(total, b)
    return -total if a[0] < b else total
'''


def made(text, lines=None):
    return {m.after for m in mutants(text, frozenset(lines or range(1, 99)))}


def test_each_kind_of_mutant_is_made():
    assert made(ANSWER) >= {
        "total = a[0] - b * 2.0",
        "total = a[1] + b * 2.0",
        "total = a[0] + b / 2.0",
        "total = a[0] + b * 4.0",
        "total = pick(b, total)",
        "drop: total = pick(total, b)",
        "return total if a[0] < b else total",
        "return -total if a[0] <= b else total",
    }


def test_guards_and_docstrings_are_left_alone():
    assert not {m for m in made(ANSWER) if "raise" in m or "len(a)" in m or "assert" in m or "Doc" in m}


def test_only_the_solutions_lines_change():
    assert made(ANSWER, [7]) == {"total = pick(b, total)", "drop: total = pick(total, b)"}


@pytest.mark.parametrize("text", ["", "x = y\n", "def f(a: Tensor[1]) -> Tensor[2]:\n    return a\n", "z = torch.maximum(a, b)\n"])
def test_nothing_to_change(text):
    assert made(text) <= {"drop: x = y", "drop: z = torch.maximum(a, b)"}


def test_no_two_mutants_are_the_same():
    texts = [m.text for m in mutants(ANSWER, frozenset(range(99)))]
    assert len(texts) == len(set(texts))
    assert all(compile(t, "x", "exec") for t in texts)


SOURCE = """# %%
from coursekit.notebook import check, start
start("13_boxes")
import math
TWO = 2
noise = [math.sin(i) for i in range(10**12)]

# %%
def helper(x):
    return x * TWO

# %% exercise="13.box_iou"
def double(x):
    ### BEGIN SOLUTION
    return helper(x) + 0 * math.pi
    ### STUDENT
    # return x
    ### END SOLUTION


double = check("13.box_iou", double)
"""


def test_a_solution_is_found_without_running_the_notebook(tmp_path):
    path = tmp_path / "13_boxes.py"
    path.write_text(SOURCE)
    found = solutions_in(path)["13.box_iou"]
    assert found.run(found.solved)(4) == 8
    assert found.run(found.student)(4) == 4
    assert found.own_stub
    assert found.solved.split("\n")[min(found.lines) - 1].strip() == "return helper(x) + 0 * math.pi"
    assert len(found.lines) == 1


WORKER = """# %%
from coursekit.notebook import check, start
start("13_boxes")

# %% exercise="13.box_area"
def count(n):
    ### BEGIN SOLUTION
    total = 0
    while n > 0:
        total = total + 2
        n = n - 1
    return total
    ### END SOLUTION

count = check("13.box_area", count)
"""


def double(n):
    return 2 * n


def test_a_gap_in_the_cases_is_found(tmp_path, monkeypatch):
    """Run in this process, where the exercise can be a made-up one: cases that never leave 0 and 1 let mutants live."""
    path = tmp_path / "13_boxes.py"
    path.write_text(WORKER)
    exercise = Exercise(name="13.box_area", reference=double, cases=lambda g: [("none", (0,))], compare=Close(), seconds=0.2)
    monkeypatch.setattr(module, "find", lambda name: exercise)
    monkeypatch.setattr(module, "_run_worker", in_this_process)
    gaps = score_notebook(path, tmp_path / "cache")[0]
    assert "total = total + 3" in {after for _, _, after in gaps.survived}
    assert gaps.rate < NEEDED

    better = Exercise(name="13.box_area", reference=double, cases=lambda g: [("three", (3,)), ("none", (0,))], compare=Close(), seconds=0.2)
    monkeypatch.setattr(module, "find", lambda name: better)
    (tmp_path / "cache" / "13.box_area.json").unlink()
    assert score_notebook(path, tmp_path / "cache")[0].rate == 1.0
    monkeypatch.setattr(module, "_run_worker", None)  # now from the cache
    assert score_notebook(path, tmp_path / "cache")[0].rate == 1.0


def in_this_process(path, todo, passed):
    from coursekit.exercises.verdict import judge

    for name in todo:
        solution, exercise = solutions_in(path)[name], module.find(name)
        for mutant in mutants(solution.solved, solution.lines):
            passed[name].append(module._passes(judge, exercise, solution, mutant, solution.namespace()))
    return True


HANGS_AT_THE_THIRD = """
import json, sys, time
for i in range(json.loads(sys.argv[-1])["13.x"], 4):
    time.sleep(60 if i == 2 else 0)
    print("mutant 13.x", "passed" if i % 2 else "rejected", flush=True)
print("done", flush=True)
"""


def test_a_process_that_hangs_is_killed_and_the_rest_goes_on(monkeypatch):
    real = module.subprocess.Popen

    def stand_in(command, **settings):
        return real([sys.executable, "-c", HANGS_AT_THE_THIRD, command[-1]], **settings)

    monkeypatch.setattr(module.subprocess, "Popen", stand_in)
    monkeypatch.setattr(module, "STARTING", 5.0)
    monkeypatch.setattr(module, "PATIENCE", 1.0)
    assert module._run(Path("x"), {"13.x": 4}) == {"13.x": [False, True, False, True]}


def test_listed_equivalents_are_left_out_of_the_count():
    found = mutants("def f(a):\n    return a + 1\n", frozenset([2]))
    exercise = Exercise(name="13.x", reference=double, cases=lambda g: [], equivalent={"return a - 1": "a reason"})
    score = module._score(exercise, found, [m.after == "return a - 1" for m in found])
    assert (score.total, score.equivalent, score.rate) == (len(found) - 1, 1, 1.0)
    assert Score("13.y").rate == 1.0


@pytest.mark.full
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("path", SOURCES, ids=lambda p: p.stem)
def test_checks_reject_mutants_of_the_notebooks_solutions(path):
    scores = score_notebook(path)
    total, rejected = sum(s.total for s in scores), sum(s.rejected for s in scores)
    assert rejected >= NEEDED * total, [m for s in scores for m in s.survived]
