"""Partial credit: a share for what is right, nothing for what is no solution. Answers are asked in this process here: they are ours."""

import math
from collections import Counter

import numpy as np
import pytest
import torch

from coursekit.exercises.attempt import Attempt, attempt
from coursekit.exercises.core import Close, Exercise, exercises_of
from coursekit.exercises.limits import quiet_and_undisturbed, same_dice
from coursekit.exercises.verdict import Verdict, agree
from coursekit.grading.examination import Outcome
from coursekit.grading.inside import wire
from coursekit.grading.judge import groups_of
from coursekit.grading.known import Known
from coursekit.grading.points import Group, earned, filled, is_trivial

NOT_BY_MACHINE = {"02.numerical_gradient", "04.folder_dataset", "05.train_epoch", "05.evaluate", "09.count_parameters"}
IN_SHORT = ("01", "07", "13", "14", "19", "20")


def drawn(passed, trivial=False):
    return Group("random", passed, True, trivial)


def fixed(passed, trivial=False):
    return Group("by hand", passed, False, trivial)


@pytest.mark.parametrize(
    ("groups", "points"),
    [
        ([], 0),
        ([drawn(True), fixed(True)], 4),
        ([drawn(True, trivial=True), fixed(True, trivial=True)], 4),  # all is all
        ([drawn(False), fixed(False)], 0),
        ([drawn(False), fixed(True), fixed(True)], 0),  # known beforehand
        ([drawn(True), fixed(False)], 2),
        ([drawn(True), *[fixed(True)] * 6, fixed(False)], 3.5),
        ([drawn(True), drawn(True), fixed(False)], 2.66),  # rounded down
        ([drawn(True, trivial=True), fixed(True), fixed(False)], 0),
        ([drawn(True), drawn(True, trivial=True), fixed(False)], 2),  # what is easy counts neither way
        ([fixed(True), fixed(False)], 2),  # where nothing is drawn
        ([fixed(True), fixed(False), fixed(False)], 0),
        ([drawn(True), drawn(False), *[fixed(True)] * 8], 2),  # not lifted by what is known beforehand
        ([fixed(True, trivial=True), fixed(False)], 0),
    ],
)
def test_points_of_groups(groups, points):
    assert earned(4, groups) == points


def exercise(compare=None, reference=lambda x: x, **more):
    return Exercise("13.made_up", reference, lambda g: [("one", (1,))], compare or Close(), **more)


@pytest.mark.parametrize(
    ("cases", "trivial"),
    [
        ([((torch.ones(2), 3), torch.ones(2))], True),  # an input
        ([((5, torch.ones(2)), torch.ones(2))], True),
        ([(([torch.ones(2), torch.zeros(2)],), torch.tensor([[1.0, 1.0], [0.0, 0.0]]))], True),  # a list of tensors, stacked
        ([((5,), torch.zeros(3, 2))], True),
        ([((5,), torch.ones(3, 2, dtype=torch.int64))], True),
        ([((5,), torch.zeros(0, 4))], True),
        ([((5,), [torch.zeros(2), 0.0])], True),
        ([((5,), {"a": np.zeros(2), "b": False})], True),
        ([((5,), True), ((6,), True)], True),
        ([((5,), True), ((6,), False)], False),
        ([((5,), None)], True),
        ([((5,), math.nan)], True),
        ([((5,), 6)], False),
        ([((5,), torch.tensor([0.0, 1.0]))], False),
        ([((5,), "car")], False),
        ([((5,), np.array(["car"]))], False),
    ],
)
def test_what_is_had_without_work(cases, trivial):
    assert is_trivial(exercise(), cases) is trivial


def test_an_answer_known_from_the_public_cases_is_no_work_either():
    assert is_trivial(exercise(), [((5,), 6), ((9,), 6)], known=[3, 6])
    assert not is_trivial(exercise(), [((5,), 6), ((9,), 7)], known=[3, 6])


def test_of_a_driven_answer_what_the_driver_makes_of_doing_nothing():
    driven = exercise(drive=lambda answer, x: answer(x) * 2)
    assert is_trivial(driven, [((5,), 10)])
    assert not is_trivial(driven, [((5,), 20)])


def test_filled_keeps_the_form():
    assert filled({"a": (1.5, True), "b": torch.ones(2, dtype=torch.int64)}, 0) == {"a": (0.0, False), "b": pytest.approx(torch.zeros(2))}


# --- on exercises


def points_for(known: Known, answer, seed: int = 5, out_of: float = 100.0) -> float:
    """What an answer of ours earns; `answer` takes the arguments, or the driver's place."""
    cases = [*known.public, *known.secret(seed)]
    outcome = Outcome(Verdict(known.exercise.name, "wrong", ""), cases)
    for place, case in enumerate(cases):
        expected = known.expected[place] if case.public else known.expect(case)
        with quiet_and_undisturbed():
            same_dice(case.index)
            try:
                got = attempt(known.exercise.outcome, answer, case.arguments, [], False)
            except KeyboardInterrupt:
                got = Attempt()
        outcome.expected.append(expected)
        outcome.passed.append(got.raised is None and agree(known.exercise.compare, expected, got))
    return earned(out_of, groups_of(known, outcome))


KNOWN: dict[str, Known] = {}


def known_of(found: Exercise) -> Known:
    return KNOWN.setdefault(found.name, Known(found))


def param(found: Exercise):
    return pytest.param(found, id=found.name, marks=[] if found.name[:2] in IN_SHORT else pytest.mark.full)


EVERY = [e for n in range(23) for e in exercises_of(f"{n:02}") if e.name not in NOT_BY_MACHINE]
every_exercise = pytest.mark.parametrize("found", [param(e) for e in EVERY])


@every_exercise
def test_the_right_answer_earns_all(found):
    assert points_for(known_of(found), found.reference) == 100


@every_exercise
def test_answers_that_do_nothing_earn_nothing(found):
    known = known_of(found)
    rights = [said.value for said in known.expected]
    lazy = {f"constant {value!r}": lambda *_, value=value, **__: value for value in (0, 1, None, True, [], math.nan, *rights[:3])}
    for place in range(max(len(case.arguments) for case in known.public)):
        lazy[f"argument {place}"] = lambda *given, place=place, **__: given[min(place, len(given) - 1)] if given else None
    if found.drive is None:
        lazy |= {f"filled with {n}": by_form(known, n) for n in (0, 1)}
    assert {what: points for what, answer in lazy.items() if (points := points_for(known, answer))} == {}


def by_form(known: Known, number: int):
    """Knows the form of the right answer, but no more."""

    def answer(*arguments):
        return filled(known.exercise.outcome(known.exercise.reference, arguments), number)

    return answer


@every_exercise
def test_a_table_of_public_answers_earns_nothing(found):
    known = known_of(found)
    if found.drive is not None:
        pytest.skip("it is no function of what is asked")
    assert known.secret(5), "where nothing is drawn, a table of answers is a right one"
    table = {wire.pack(case.arguments): said.value for case, said in zip(known.public, known.expected, strict=True)}
    often = Counter(wire.pack(value) for value in table.values()).most_common(1)[0][0]
    usual = next(value for value in table.values() if wire.pack(value) == often)
    for default in (None, 0, usual):
        assert points_for(known, lambda *given, default=default: table.get(wire.pack(given), default)) == 0


@every_exercise
def test_a_right_answer_that_misses_one_edge_case_earns_most(found):
    known = known_of(found)
    counts = Counter(case.label for case in known.public)
    alone = [case for case in known.public if case.fixed and counts[case.label] == 1]
    if found.drive is not None or not alone or not known.secret(5):
        pytest.skip("it has no fixed case beside drawn ones")
    missed = wire.pack(alone[0].arguments)

    def answer(*given):
        return "missed" if wire.pack(given) == missed else found.reference(*given)

    assert 50 <= points_for(known, answer) < 100


@pytest.mark.parametrize("name", ["13.box_iou", "13.nms", "20.pr_curve"])
def test_a_mistake_earns_less_than_all_whatever_the_seed(name):
    found = next(e for e in exercises_of(name[:2]) if e.name == name)
    for mistake in found.misconceptions:
        assert all(points_for(known_of(found), mistake.wrong, seed) < 100 for seed in (1, 2))


def test_a_label_that_only_the_secret_draw_has_is_not_told():
    found = Exercise("13.made_up", lambda x: x, lambda g: [(f"by {torch.randint(1000, (1,), generator=g).item()}", (1,))])
    known = Known(found)
    cases = [*known.public, *known.secret(5)]
    outcome = Outcome(Verdict("13.made_up", "passed", ""), cases, [True] * 2, known.expected * 2)
    assert [group.label for group in groups_of(known, outcome)] == [known.public[0].label, "drawn for you"]
