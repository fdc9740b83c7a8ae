"""Honest submissions of every shape that people hand in, graded once through the real pipeline, each rightly."""

import importlib.util
from pathlib import Path

import pytest

_spec = importlib.util.spec_from_file_location("honest_shapes", Path(__file__).with_name("shapes.py"))
_shapes = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_shapes)
FULL, SHAPES, EXPECTED = _shapes.FULL, _shapes.SHAPES, _shapes.EXPECTED


@pytest.fixture(scope="session")
def graded(paper, grade_class, tmp_path_factory):
    """Everybody's grade."""
    folder = tmp_path_factory.mktemp("honest") / "class"
    for name, change in SHAPES.items():
        one = paper()
        change(one)
        one.write(folder / name)
    return grade_class(folder)


def test_there_are_enough_shapes():
    assert len(SHAPES) >= 20


@pytest.mark.parametrize("name", SHAPES)
def test_it_is_graded_rightly(graded, name):
    grade, expected = graded[name], EXPECTED[name]
    assert grade.outcome == "graded", grade.reason
    said = {mark.exercise: (mark.points, mark.status, mark.message) for mark in grade.marks}
    for exercise, points in FULL.items():
        if exercise not in expected:
            assert said[exercise][:2] == (points, "passed"), said[exercise]
            continue
        assert said[exercise][0] < points, said[exercise]
        assert said[exercise][1] == (expected[exercise] or said[exercise][1]), said[exercise]
        assert said[exercise][2] or said[exercise][1] == "not attempted", "a learner is told why"


def test_a_mistake_is_named_and_a_part_earns_a_part(graded):
    marks = {mark.exercise: mark for mark in graded["a_wrong_earlier_answer_costs_only_itself"].marks}
    assert marks["13.box_iou"].misconception
    assert marks["13.box_iou"].hint
    partly = {mark.exercise: mark.points for mark in graded["partly_right"].marks}
    assert 0 < partly["13.box_iou"] < FULL["13.box_iou"]


def test_what_was_handed_out_earns_nothing(graded):
    assert graded["as_it_was_handed_out"].points == 0
