"""The same demands on every family of variants, for several drawn sets of parameters. `-k 13` runs one notebook's."""

import json
import re

import numpy as np
import pytest

from coursekit.exercises import guard
from coursekit.exercises.attempt import parameter_names
from coursekit.exercises.verdict import judge
from coursekit.grading.variants import build, draw_all, families, find_family, generator_of, pick
from coursekit.grading.variants.family import tells_apart
from coursekit.grading.variants.text import show

FAMILIES = families()
DRAWN = [pytest.param(f, f.draw(np.random.default_rng(seed)), id=f"{f.name}-{seed}") for f in FAMILIES for seed in range(3)]
every_family = pytest.mark.parametrize("family", FAMILIES, ids=lambda f: f.name)
every_draw = pytest.mark.parametrize(("family", "parameters"), DRAWN)


def answer_of(family, parameters, text):
    """The function that a cell defines, and all its names."""
    names = {"__name__": "__main__"}
    exec(compile(text, f"<cell of {family.name}>", "exec"), names)
    return names[family.answer], names


@every_family
def test_there_are_too_many_sets_to_guess(family):
    sets = [json.dumps(parameters) for parameters in family.sets()]
    assert len(set(sets)) == len(sets) >= 90
    drawn = {json.dumps(family.draw(np.random.default_rng(seed))) for seed in range(10)}
    assert drawn <= set(sets)
    assert len(drawn) >= 8


@every_draw
def test_parameters_survive_json_and_are_among_the_sets(family, parameters):
    assert json.loads(json.dumps(parameters)) == parameters
    assert build(family.name, json.loads(json.dumps(parameters))).name == family.name


@every_draw
def test_it_is_complete(family, parameters):
    exercise = family.build(parameters)
    assert len(exercise.misconceptions) >= 3
    assert any(m.name.startswith("public") for m in exercise.misconceptions)
    assert len(exercise.hints) >= 1
    assert exercise.points > 0
    assert all(m.hint.strip()[-1] in ".?!`" for m in exercise.misconceptions)
    for twin in exercise.twins:
        assert guard.resolve(twin, load=True) is not None or twin.startswith("sklearn."), f"{twin} does not exist"
    named = parameter_names(exercise.reference, max(len(a) for _, a in exercise.draw_cases()))
    assert not [name for name in named if name.startswith("arg")]


@every_draw
def test_the_solved_cell_passes_on_any_seed(family, parameters):
    exercise = family.build(parameters)
    answer, _ = answer_of(family, parameters, family.cells(parameters).solved)
    for seed in (None, 1, 2, 3):
        verdict = judge(exercise, answer, seed)
        assert verdict.passed, verdict


@every_draw
def test_the_students_cell_is_not_attempted(family, parameters):
    cells = family.cells(parameters)
    assert cells.cuts == 1
    answer, _ = answer_of(family, parameters, cells.student)
    assert judge(family.build(parameters), answer).status == "not attempted"
    assert answer.__doc__
    assert "###" not in cells.student + cells.solved


@every_draw
def test_cells_need_nothing_but_numpy_and_torch(family, parameters):
    text = family.cells(parameters).solved + "\n" + family.examples(parameters)
    imported = set(re.findall(r"^\s*(?:import|from) (\w+)", text, flags=re.MULTILINE))
    assert imported <= {"math", "numpy", "torch"}


@every_draw
def test_the_examples_hold_for_the_solved_cell_and_not_for_a_wrong_one(family, parameters):
    exercise, examples = family.build(parameters), family.examples(parameters)
    _, names = answer_of(family, parameters, family.cells(parameters).solved)
    exec(examples, names)
    assert examples.count("assert") == 3
    public = next(m for m in exercise.misconceptions if m.name.startswith("public"))
    names[family.answer] = public.wrong
    with pytest.raises(Exception):  # noqa: B017, PT011 - an assert, or a value that cannot be compared
        exec(examples, names)


@every_draw
def test_the_prose_says_what_the_reference_says(family, parameters):
    exercise, prose = family.build(parameters), family.prose(parameters)
    _, arguments = exercise.draw_cases()[0]
    right = exercise.reference(*arguments)
    bold = "".join(re.findall(r"\*\*([^*]+)\*\*", prose))
    for number in np.ravel(right.tolist() if hasattr(right, "tolist") else right).tolist()[:8]:
        assert show(number) in bold, (number, bold)
    assert prose.startswith(f"### Exercise: {family.answer}\n*difficulty ")
    assert re.search(r"\*difficulty [1-5] of 5 · importance [1-5] of 5 · about \d+ minutes\*", prose)
    assert re.search(r"[가-힣]+[^(]*\)", prose)
    for before, line in zip(["", *prose.splitlines()], prose.splitlines(), strict=False):
        begins = re.match(r"- |\d+\. |\||#|    ", line)
        assert not line or begins or not before or before.startswith("#"), "a paragraph is one line: another could begin like a bullet"
        assert not re.match(r"[+*] |[-+]\d", line)


@every_draw
def test_each_mistake_is_rejected_by_its_name(family, parameters):
    exercise = family.build(parameters)
    for mistake in exercise.misconceptions:
        verdict = judge(exercise, mistake.wrong, watched=False)
        assert verdict.status in ("wrong", "error"), (mistake.name, verdict)
        assert verdict.misconception == mistake.name, (mistake.name, verdict)


@pytest.mark.full
@every_family
def test_many_more_sets_hold(family):
    """40 sets: the solved cell passes cases that are not public, each mistake is told by its name, and nearly all sets can be drawn."""
    sets, left_out = list(family.sets()), 0
    places = np.random.default_rng(7).permutation(len(sets))[:40]
    for parameters in (sets[i] for i in places):
        exercise = family.build(parameters)
        if not tells_apart(exercise):
            left_out += 1
            continue
        answer, _ = answer_of(family, parameters, family.cells(parameters).solved)
        assert judge(exercise, answer, 11, watched=False).passed, parameters
        assert {judge(exercise, m.wrong, watched=False).misconception for m in exercise.misconceptions} == {
            m.name for m in exercise.misconceptions
        }
        assert family.prose(parameters)
        assert family.examples(parameters)
    assert len(sets) * (1 - left_out / len(places)) >= 60


@every_draw
def test_cases_are_drawn(family, parameters):
    exercise = family.build(parameters)
    one, again, other = (exercise.draw_cases(seed) for seed in (5, 5, 6))
    assert repr(one) == repr(again)
    drawn = {label for (label, a), (_, b) in zip(one, other, strict=True) if repr(a) != repr(b)}
    assert len(drawn) >= 2, "a share of the points hangs on groups of drawn cases"
    assert len({label for label, _ in one} - drawn) >= 3


@every_draw
def test_the_reference_under_another_name_is_refused(family, parameters):
    exercise = family.build(parameters)
    assert judge(exercise, exercise.reference).status == "refused"
    assert judge(exercise, lambda *arguments: exercise.reference(*arguments)).status == "refused"


def test_the_secret_decides():
    chosen, again = (pick(["13", "20"], 2, b"secret", "hw3") for _ in range(2))
    assert [f.name for f in chosen] == [f.name for f in again]
    assert [f.notebook for f in chosen] == ["13", "13", "20", "20"]
    drawn = draw_all(chosen, b"secret", "hw3")
    assert drawn == draw_all(chosen, b"secret", "hw3")
    assert drawn != draw_all(chosen, b"another", "hw3")
    assert drawn != draw_all(chosen, b"secret", "hw4")
    assert drawn[chosen[0].name] == draw_all(chosen[:1], b"secret", "hw3")[chosen[0].name]


def test_pick_takes_what_there_is_and_refuses_nonsense():
    assert pick(["03"], 2, b"secret") == []
    assert len(pick(["13", "13"], 99, b"secret")) == len(families(["13"]))
    with pytest.raises(ValueError, match="count must be 0 or more, got -1"):
        pick(["13"], -1, b"secret")


def test_every_draw_of_a_secret_can_be_another():
    family = find_family("13.variant_iou")
    drawn = {json.dumps(family.draw(generator_of(bytes([i]), family.name))) for i in range(50)}
    assert len(drawn) > 40


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("13.variant_iuo", "no family of variants '13.variant_iuo'. Did you mean '13.variant_iou'?"),
        ("99.nothing", "There are .*13.variant_iou"),
    ],
)
def test_an_unknown_family_is_one_sentence(name, said):
    with pytest.raises(ValueError, match=said):
        find_family(name)


def test_wrong_parameters_are_one_sentence():
    family = find_family("13.variant_nms")
    good = family.draw(np.random.default_rng(0))
    with pytest.raises(ValueError, match=r"gap of 13.variant_nms must be one of .*, got 7"):
        family.build(good | {"gap": 7})
    with pytest.raises(ValueError, match=r"parameters of 13.variant_nms must be measure, .*got none"):
        family.build({})
    iou = find_family("13.variant_iou")
    with pytest.raises(ValueError, match="do not go together"):
        iou.build({"x": "start-end", "y": "start-end", "order": [1, 0, 2, 3], "below": "union"})


@every_family
def test_notebook_and_module_are_those_of_its_file(family):
    assert family.module.startswith(f"coursekit.grading.variants.v{family.notebook}_")
