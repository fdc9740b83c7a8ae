"""Variants through the real sandbox and judge: our solution earns all points, an untouched stub none, the public answer none."""

import dataclasses

import pytest

from coursekit.grading.assignment import make
from coursekit.grading.cells import Cell
from coursekit.grading.intake import Submission
from coursekit.grading.judge import judge_submission
from coursekit.grading.variants import families, find_family

NAMES = [family.name for family in families()]
BOX_IOU = """import torch

def variant_iou(boxes1, boxes2):
    start = torch.maximum(boxes1[:, None, :2], boxes2[None, :, :2])
    end = torch.minimum(boxes1[:, None, 2:], boxes2[None, :, 2:])
    shared = (end - start).clamp(min=0).prod(dim=2)
    area1, area2 = ((b[:, 2:] - b[:, :2]).prod(dim=1) for b in (boxes1, boxes2))
    union = area1[:, None] + area2[None] - shared
    return torch.where(union > 0, shared / union, 0.0)
"""


@pytest.fixture(scope="module")
def variants(tmp_path_factory):
    """An assignment with every family, cut down to the variants."""
    out = tmp_path_factory.mktemp("variants") / "all"
    made = make(sorted({name[:2] for name in NAMES}), out, variants=NAMES)
    return dataclasses.replace(made, tasks=tuple(task for task in made.tasks if "variant" in task.name))


def submit(assignment, sources):
    """A grade of notebooks that hold these cells."""
    notebooks = {task.notebook: () for task in assignment.tasks}
    for task in assignment.tasks:
        if task.name in sources:
            cell = Cell(kind="code", source=sources[task.name], exercise=task.name, id=task.name.replace(".", "-"))
            notebooks[task.notebook] = (*notebooks[task.notebook], cell)
    return Submission("mina", "0" * 64, notebooks, None, (), None)


def test_every_solution_earns_all_points(variants, sandbox):
    assert sorted(task.name for task in variants.tasks) == sorted(NAMES)
    sources = {task.name: find_family(task.name).cells(task.parameters).solved for task in variants.tasks}
    grade = judge_submission(variants, submit(variants, sources), 1, sandbox)
    assert {m.exercise: m.message for m in grade.marks if m.points != m.out_of} == {}
    assert grade.points > 0


def test_an_untouched_stub_earns_nothing(variants, sandbox):
    sources = {task.name: find_family(task.name).cells(task.parameters).student for task in variants.tasks}
    grade = judge_submission(variants, submit(variants, sources), 1, sandbox)
    assert {m.status for m in grade.marks} == {"not attempted"}
    assert grade.points == 0


def test_the_public_answer_is_told_what_it_is(variants, sandbox):
    grade = judge_submission(variants, submit(variants, {"13.variant_iou": BOX_IOU}), 1, sandbox)
    mark = next(m for m in grade.marks if m.exercise == "13.variant_iou")
    assert mark.points == 0
    assert mark.misconception == "public-iou"
