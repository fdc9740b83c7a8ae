"""The checks are themselves tested: the same demands on every exercise that exists. `-k 13` runs one notebook's."""

import re
import statistics
import time
from pathlib import Path

import pytest
import torch

from coursekit.authoring.solved import solutions_in
from coursekit.exercises import guard
from coursekit.exercises.attempt import parameter_names
from coursekit.exercises.core import exercises_in, exercises_of, modules
from coursekit.exercises.verdict import judge

SOURCES = sorted((Path(__file__).parents[2] / "solutions").glob("[0-9][0-9]_*.py"))
NUMBERS = sorted({re.match(r".*\.n(\d\d)_", m.__name__)[1] for m in modules()})
EXERCISES = [e for number in NUMBERS for e in exercises_of(number)]
MISTAKES = [pytest.param(e, m, id=f"{e.name}-{m.name}") for e in EXERCISES for m in e.misconceptions]
every_exercise = pytest.mark.parametrize("exercise", EXERCISES, ids=lambda e: e.name)


@pytest.fixture(scope="module")
def solutions():
    """The solved and the student's answer of every exercise cell, by name."""
    return {name: found for path in SOURCES for name, found in solutions_in(path).items()}


def test_no_two_exercises_share_a_name():
    every = {id(e): e.name for m in modules() for e in exercises_in(m)}
    assert sorted(every.values()) == sorted(set(every.values()))
    assert len(every) == len(EXERCISES)


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: p.stem)
def test_a_notebook_asks_each_of_its_exercises_once(path):
    assert sorted(solutions_in(path)) == sorted(e.name for e in exercises_of(path.name[:2]))


@every_exercise
def test_it_is_complete(exercise):
    assert len(exercise.misconceptions) >= 3
    assert len(exercise.hints) >= 1
    assert exercise.points > 0
    assert all(m.hint and m.hint.strip()[-1] in ".?!`" for m in exercise.misconceptions)
    for twin in exercise.twins:
        assert guard.resolve(twin, load=True) is not None, f"{twin} does not exist"


@every_exercise
def test_each_input_of_a_verdict_has_its_own_name(exercise):
    named_by, skip = (exercise.drive, 1) if exercise.drive else (exercise.reference, 0)
    names = parameter_names(named_by, max(len(arguments) for _, arguments in exercise.draw_cases()), skip)
    assert not [name for name in names if name.startswith("arg")], f"write the parameters of {named_by.__name__} out"


@every_exercise
@pytest.mark.parametrize("seed", [None, 1, 2, 3])
def test_the_reference_passes_on_any_seed(exercise, seed):
    verdict = judge(exercise, exercise.reference, seed, watched=False)
    assert verdict.passed, verdict


@every_exercise
def test_the_same_seed_gives_the_same_cases(exercise):
    first, again = exercise.draw_cases(5), exercise.draw_cases(5)
    assert [label for label, _ in first] == [label for label, _ in again]
    assert all(isinstance(label, str) and label for label, _ in first)
    for (_, arguments), (_, same) in zip(first, again, strict=True):
        for a, b in zip(arguments, same, strict=True):
            if isinstance(a, torch.Tensor):
                assert torch.equal(a.nan_to_num(), b.nan_to_num())


@every_exercise
def test_the_notebooks_solution_passes(exercise, solutions):
    if exercise.name not in solutions:
        pytest.skip("its notebook has no source yet")
    verdict = judge(exercise, solutions[exercise.name].run(solutions[exercise.name].solved))
    assert verdict.passed, verdict


@every_exercise
def test_the_stub_is_not_attempted(exercise, solutions):
    if exercise.name not in solutions:
        pytest.skip("its notebook has no source yet")
    found = solutions[exercise.name]
    verdict = judge(exercise, found.run(found.student, label="stub"))
    if found.own_stub:
        assert not verdict.passed  # a bug to find, or a start to complete
    else:
        assert verdict.status == "not attempted", verdict


@every_exercise
def test_an_answer_that_only_imports_is_refused(exercise):
    for borrowed in [exercise.reference, *(guard.resolve(t, load=True) for t in exercise.twins)]:
        assert judge(exercise, borrowed).status == "refused", borrowed
        if isinstance(borrowed, type) or exercise.drive is not None:
            continue
        verdict = judge(exercise, lambda *arguments, inner=borrowed: inner(*arguments))
        unfit = any(word in verdict.message for word in ("argument", "parameter of"))  # such as batched_nms(boxes, scores, idxs, ...)
        another_shape = borrowed is not exercise.reference and unfit
        assert verdict.status == "refused" or another_shape, (borrowed, verdict)


@pytest.mark.parametrize(("exercise", "mistake"), MISTAKES)
def test_each_mistake_is_rejected_by_its_name(exercise, mistake):
    verdict = judge(exercise, mistake.wrong, watched=False)
    assert verdict.status in ("wrong", "error"), verdict
    assert verdict.misconception == mistake.name, verdict
    assert verdict.hint == mistake.hint


def test_checks_answer_at_once():
    """Median 50 ms, 2 s at the very most, passing or failing; in CPU time of this process, so that a busy machine does not count."""
    took = {}
    for exercise in EXERCISES:
        for label, answer in [("reference", exercise.reference), *((m.name, m.wrong) for m in exercise.misconceptions[:1])]:
            started = time.process_time()
            judge(exercise, answer, watched=False)
            took[f"{exercise.name} {label}"] = time.process_time() - started
    slowest = max(took, key=took.get)
    print(f"median {1000 * statistics.median(took.values()):.1f} ms, slowest {slowest} {1000 * took[slowest]:.0f} ms")
    assert statistics.median(took.values()) <= 0.05
    assert took[slowest] <= 2.0, slowest
