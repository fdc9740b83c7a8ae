"""A kit holds all that an answer needs, and nothing that answers its exercise. `-k 13` runs one notebook's."""

import ast
import dataclasses
import functools
import importlib
import inspect
import re
from pathlib import Path

import pytest
import torch

from coursekit import boxes
from coursekit.authoring.solved import Solution, solutions_in
from coursekit.exercises.core import Close, Exercise, find
from coursekit.exercises.verdict import judge
from coursekit.grading import kits
from coursekit.grading.kits import Ungradable, kit_of, place_of, varies
from coursekit.grading.slicing import statements_of
from coursekit.resources import solutions_folder

PATHS = {path.name[:2]: path for path in sorted(solutions_folder().glob("[0-9][0-9]_*.py"))}
NOTEBOOKS = [pytest.param(n, marks=() if n in ("13", "20") else pytest.mark.full) for n in PATHS]
every_notebook = pytest.mark.parametrize("number", NOTEBOOKS)


@functools.cache
def kits_in(number):
    """Solution and kit (or the reason why there is none) of each exercise of a notebook."""
    found, left_out = {}, set()
    for name, solution in solutions_in(PATHS[number]).items():
        try:
            found[name] = solution, kit_of(find(name), solution, frozenset(left_out))
        except Ungradable as error:
            left_out.add(name)
            found[name] = solution, str(error)
    return found


def kit(name):
    return kits_in(name[:2])[name][1]


def exercise_of(reference, name="13.made_up", **more):
    def cases(generator):
        yield "one", (torch.rand(2, 4, generator=generator),)

    return Exercise(name=name, reference=reference, cases=cases, compare=Close(), **more)


def solution_of(text, above=""):
    from coursekit.authoring.solved import Definition, definitions_in

    definitions = tuple(Definition(d) for d in definitions_in(above))
    return Solution("13.made_up", text, text, frozenset(), (), "", "made_up", False, definitions)


def test_the_kit_of_giou_has_the_area_and_not_the_answer():
    found = kit("13.giou")
    assert found.needs == ("13.box_iou",)
    assert found.packages == ("numpy", "torch")
    assert list(found.files) == ["coursekit/boxes.py"]
    defined = {n.name for n in ast.parse(found.files["coursekit/boxes.py"]).body if isinstance(n, ast.FunctionDef)}
    assert defined == {"box_area", "_as_boxes"}
    assert sorted(found.setup) == ["from coursekit.boxes import box_area", "from torch import Tensor", "import torch"]
    assert found.parameters == ("boxes1", "boxes2")
    assert (found.answer, found.driver, found.in_place) == ("giou", None, False)


@pytest.mark.parametrize(
    ("name", "needs"),
    [
        ("13.box_convert", ()),
        ("13.batched_nms", ("13.box_iou", "13.nms")),
        ("13.tidy_up", ("13.box_convert", "13.box_iou", "13.nms", "13.batched_nms")),
        ("20.coco_map", ("20.match_detections", "20.pr_curve", "20.ap_at_points", "20.rank")),
    ],
)
def test_earlier_answers_are_needed_in_order(name, needs):
    assert kit(name).needs == needs


def test_small_blocks_that_the_notebook_imports_are_lent():
    lent = kit("13.nms")
    assert "from coursekit.boxes import box_area" in lent.setup  # nobody needs it there, but the notebook has it
    assert "fast_nms" not in "".join([*lent.setup, *lent.files.values()])  # which answers it
    assert "box_iou" not in lent.files["coursekit/boxes.py"]
    assert "coursekit/training/device.py" not in kit("07.max_pool2d").files  # nothing to build with
    assert "channel_statistics" not in "".join(kit("04.standardise").files.values())


def test_numpy_exercises_need_no_torch():
    assert kit("20.pr_curve").packages == ("numpy",)


def test_names_to_watch_are_those_that_can_be_imported():
    watched = kit("07.conv2d").watched
    assert any(name.startswith("torch.") for name in watched)
    assert not [name for name in watched if name.startswith("coursekit")]
    assert kit("13.nms").watched == ()  # its twins are torchvision's, which is not there


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("02.numerical_gradient", "hands over a function, which cannot be sent"),
        ("04.folder_dataset", "hands over a function, which cannot be sent"),
        ("05.train_epoch", "hands over a function, which cannot be sent"),
        ("05.evaluate", "hands over a function, which cannot be sent"),
        ("09.count_parameters", "hands over an object of type Linear, which cannot be sent"),
        ("21.suppress", "holds part of the right answer itself"),
    ],
)
def test_what_no_machine_can_grade_is_said(name, reason):
    assert reason in kit(name)


def test_a_driver_comes_with_what_it_uses_and_no_more():
    found = kit("05.train_step")
    defined = {n.name for n in ast.parse(found.driver).body if isinstance(n, ast.FunctionDef)}
    assert defined == {"drive_train_step"} == {found.driver_name}
    assert "class Tiny" in found.files["coursekit/exercises/n05_training_loop.py"]  # which it imports
    assert not re.search(r"_cases|Misconception|Exercise\(", found.driver + "".join(found.files.values()))


# --- what may never be in one


def made_up(x):
    """Only here to be a name."""


@pytest.mark.parametrize(
    ("reference", "above", "reason"),
    [
        (boxes.box_area, "from coursekit.boxes import box_area", "its own reference, coursekit.boxes.box_area"),
        (boxes.box_area, "from coursekit.boxes import generalized_box_iou as box_area", "its own reference"),  # which calls it
        (boxes.box_area, "from coursekit import boxes\ndef box_area(b): return boxes.box_area(b)", "its own reference"),
        (boxes.box_area, "from coursekit import boxes\ndef box_area(b): return getattr(boxes, 'box_' + 'area')(b)", "its own reference"),
        (boxes.box_area, "def box_area(b):\n    from coursekit.boxes import box_iou\n    return box_iou(b, b)", "its own reference"),
    ],
)
def test_an_answer_that_would_need_the_reference_cannot_be_graded(reference, above, reason):
    with pytest.raises(Ungradable, match=reason):
        kit_of(exercise_of(reference), solution_of("def made_up(x): return box_area(x)", above))


def test_an_answer_that_would_need_a_twin_cannot_be_graded():
    with pytest.raises(Ungradable, match=r"what answers it, coursekit\.boxes\.box_area"):
        kit_of(
            exercise_of(made_up, twins=[boxes.box_area]),
            solution_of("def made_up(x): return box_area(x)", "from coursekit.boxes import box_area"),
        )


def test_a_driver_that_holds_on_to_something_cannot_be_sent():
    fault = "secret"

    def drive(answer, x):
        return fault

    with pytest.raises(Ungradable, match="holds part of the right answer"):
        kit_of(exercise_of(boxes.box_area, drive=drive), solution_of("def made_up(x): return x"))


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (max, "hands over a function"),
        (object(), "an object of type object"),
        ({(1, 2): 3}, "a dict with keys of type tuple"),
        ([torch.Generator()], "an object of type Generator"),
    ],
)
def test_values_that_no_frame_carries_are_named(value, reason):
    exercise = Exercise("13.made_up", reference=made_up, cases=lambda generator: [("one", (value,))])
    with pytest.raises(Ungradable, match=reason):
        kit_of(exercise, solution_of("def made_up(x): pass"))


def test_cases_that_ignore_the_seed_are_noticed():
    assert varies(find("13.box_iou"))
    assert not varies(Exercise("13.made_up", reference=made_up, cases=lambda generator: [("one", (1,))]))


@every_notebook
def test_no_kit_holds_its_reference(number):
    """Neither the text, nor a definition of that name cut out of its module; nor cases and wrong answers."""
    for name, (_, found) in kits_in(number).items():
        if isinstance(found, str):
            continue
        exercise = find(name)
        sources = [*found.files.values(), found.driver or ""]
        text = inspect.getsource(exercise.reference).strip()
        assert not [s for s in sources if text in s], name
        for function in [exercise.reference, exercise.cases, *(m.wrong for m in exercise.misconceptions)]:
            if place_of(function) is None or "<" in function.__qualname__:
                continue
            module, short = place_of(function)
            path = f"{module.replace('.', '/')}.py"
            assert not re.search(rf"^(def|class) {short}\b", found.files.get(path, ""), re.MULTILINE), (name, short)
            if exercise.drive and exercise.drive.__module__ == module:
                assert not re.search(rf"^(def|class) {short}\b", found.driver, re.MULTILINE), (name, short)


@every_notebook
def test_nothing_that_comes_along_answers_the_exercise(number):
    """Each function and class of a kit's files is handed in as the answer."""
    passed = []
    for name, (_, found) in kits_in(number).items():
        for path in [] if isinstance(found, str) else found.files:
            module = importlib.import_module(path.removesuffix(".py").removesuffix("/__init__").replace("/", "."))
            for short in {name for s in statements_of(found.files[path]) for name in s.binds}:
                if callable(block := getattr(module, short)):
                    passed += [(name, short)] if judge(find(name), block, watched=False, diagnose=False).passed else []
    assert passed == []


@pytest.mark.full
def test_how_many_exercises_a_machine_can_grade():
    reasons = {name: found for number in PATHS for name, (_, found) in kits_in(number).items() if isinstance(found, str)}
    functions = {"02.numerical_gradient", "04.folder_dataset", "05.train_epoch", "05.evaluate", "09.count_parameters"}
    assert {name for name in reasons if name[:2] != "21"} == functions


# --- through the judge


@every_notebook
def test_the_authors_solutions_pass_in_the_sandbox(number, sandbox):
    """All of them in one notebook, and each alone where everything else is missing: then earlier answers are ours."""
    from coursekit.grading.cells import Cell
    from coursekit.grading.judge import judge_submission
    from coursekit.grading.submission import Submission

    every = tasks_of(number)
    if not every:
        pytest.skip("nothing in this notebook can be graded by machine")
    assignment = assignment_of(every)
    cells = {t.name: Cell("code", t.solution, t.name, t.name) for t in every}
    stem = every[0].notebook
    grade = judge_submission(assignment, Submission("s", "0" * 64, {stem: tuple(cells.values())}), 1, sandbox)
    assert [(m.exercise, m.message) for m in grade.marks if m.status != "passed"] == []
    assert grade.points == grade.out_of
    for task in every:
        if task.kit.needs:
            lent = [t for t in every if t.name in task.kit.needs]
            alone = dataclasses.replace(assignment, tasks=(*lent, task))
            mark = judge_submission(alone, Submission("s", "0" * 64, {stem: (cells[task.name],)}), 1, sandbox).marks[-1]
            assert mark.status == "passed", (task.name, mark.message)


def tasks_of(number):
    from coursekit.grading.assignment import Task

    path: Path = PATHS[number]
    return [
        Task(name, 1.0, path.stem, "", None, found, solution.solved)
        for name, (solution, found) in kits_in(number).items()
        if not isinstance(found, str)
    ]


def assignment_of(tasks):
    from coursekit.grading.assignment import Assignment

    return Assignment("t", "c", b"s" * 32, tuple(tasks), (), {}, {})


def test_the_module_of_kits_says_what_it_finds():
    with pytest.raises(LookupError, match=r"Did you mean '13\.box_iou'"):
        kits.find("13.box_iuo")
