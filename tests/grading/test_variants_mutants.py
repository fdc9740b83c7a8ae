"""Small wrong versions of a variant's solution, made by machine, are rejected: 95 % at least, for a drawn set of each family."""

import numpy as np
import pytest
import torch

from coursekit.authoring.mutate import mutants
from coursekit.authoring.source import BEGIN, END
from coursekit.exercises.verdict import judge
from coursekit.grading.variants import families


def solution_lines(stub: str) -> frozenset[int]:
    """Line numbers, in the solved cell, of what stands between the markers."""
    lines = [line.strip() for line in stub.split("\n")]
    return frozenset(range(lines.index(BEGIN) + 1, lines.index(END)))


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("family", families(), ids=lambda f: f.name)
def test_mutants_of_the_solution_are_rejected(family, seed):
    parameters = family.draw(np.random.default_rng(seed))
    exercise, solved = family.build(parameters), family.cells(parameters).solved
    object.__setattr__(exercise, "seconds", 1.0)  # a loop without end
    survived, rejected = [], 0
    for mutant in mutants(solved, solution_lines(family.stub(parameters))):
        if mutant.after in exercise.equivalent:
            continue
        if _passes(exercise, mutant.text, family.answer):
            survived.append((mutant.what, mutant.after))
        else:
            rejected += 1
    assert rejected >= 15
    assert rejected / (rejected + len(survived)) >= 0.95, (parameters, survived)


def _passes(exercise, text: str, name: str) -> bool:
    names = {"__name__": "__main__", "torch": torch}
    try:
        exec(compile(text, "<mutant>", "exec"), names)
    except Exception:
        return False
    return judge(exercise, names[name], watched=False, diagnose=False).passed
