"""What a learner sees and gets back."""

import warnings

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from coursekit.exercises import check as check_module
from coursekit.exercises import display, hints, progress
from coursekit.exercises.check import CheckFailed, check
from coursekit.exercises.core import Exercise, UnknownExercise, find, modules
from coursekit.exercises.display import Card, brief


def right(first, second):
    return torch.relu(torch.minimum(first[:, 1], second[:, 1]) - torch.maximum(first[:, 0], second[:, 0]))


def wrong(first, second):
    return torch.minimum(first[:, 1], second[:, 1]) - torch.maximum(first[:, 0], second[:, 0])


def stub(first, second):
    raise NotImplementedError


def test_a_passing_answer_comes_back(overlap_exercise, capsys):
    assert check(overlap_exercise, right) is right
    assert capsys.readouterr().out.startswith("✓ 13.overlap passed. All 7 cases agree.")


@pytest.mark.parametrize("answer", [stub, wrong, None, 3])
def test_until_it_passes_ours_comes_back(overlap_exercise, answer, capsys):
    assert check(overlap_exercise, answer) is overlap_exercise.reference
    assert capsys.readouterr().out[0] in "○✗"


def test_a_failing_case_is_shown_in_full(overlap_exercise, capsys):
    check(overlap_exercise, wrong)
    assert capsys.readouterr().out.rstrip().split("\n") == [
        "✗ 13.overlap: apart",
        "  At [0] got -2.0, expected 0.0.",
        "  How long is an empty overlap?",
        "  first: tensor([[0., 1.]])",
        "  second: tensor([[3., 5.]])",
        "  expected: tensor([0.])",
        "  got: tensor([-2.])",
        '  `hint("13.overlap")` for more',
    ]


def test_an_error_shows_their_line_and_no_traceback(overlap_exercise, capsys):
    def answer(first, second):
        print("debugging")
        return first + torch.ones(7)

    check(overlap_exercise, answer)
    out = capsys.readouterr().out
    assert "Traceback" not in out
    assert "in your line" in out
    assert "return first + torch.ones(7)" in out
    assert "it printed: debugging" in out


def test_strict_raises_the_plain_message(overlap_exercise):
    assert check(overlap_exercise, right, strict=True) is right
    with pytest.raises(CheckFailed, match=r"13\.overlap: apart\n  At \[0\] got -2\.0, expected 0\.0"):
        check(overlap_exercise, wrong, strict=True)
    with pytest.raises(AssertionError, match="not attempted"):
        check(overlap_exercise, stub, strict=True)
    with pytest.raises(AssertionError, match="no exercise"):
        check("13.no_such_thing", right, strict=True)


def test_an_unknown_name_is_a_sentence(capsys):
    assert check("77.nothing", right) is right
    assert "there is no exercise '77.nothing'. There are none for that notebook." in capsys.readouterr().out


def test_a_broken_exercise_does_not_stop_the_learner(overlap_exercise, capsys):
    def cases(generator):
        yield "impossible", (1, 2)

    broken = Exercise(name="13.broken", reference=lambda a, b: a / 0, cases=cases)
    assert check(broken, right) is right
    assert "our fault, not yours" in capsys.readouterr().out


def test_warnings_of_an_answer_do_not_reach_the_page(overlap_exercise, recwarn):
    def answer(first, second):
        warnings.warn("old", DeprecationWarning, stacklevel=1)
        return right(first, second)

    assert check(overlap_exercise, answer) is answer
    assert not recwarn.list


def test_a_class_that_passes_is_named_as_its_writer_named_it(overlap_exercise):
    class Overlap:
        pass

    passed = check_module.judge(overlap_exercise, right)
    assert "Your own `overlap` is used" in check_module.card_of(overlap_exercise, passed).text()
    assert "Your own `Overlap` is used" in check_module.card_of(overlap_exercise, passed, own=Overlap.__name__).text()


def test_a_picture_is_drawn_of_the_failing_case(overlap_exercise, monkeypatch):
    shown = []
    monkeypatch.setattr(display, "in_notebook", lambda: True)
    monkeypatch.setattr(display, "show", shown.append)
    object.__setattr__(overlap_exercise, "picture", lambda arguments, expected, got: plt.figure())
    assert check(overlap_exercise, wrong) is overlap_exercise.reference
    assert shown[0].picture.startswith(b"\x89PNG")
    assert "apart" in shown[0].alternative
    assert '<img alt="apart: At [0] got' in shown[0].html()


def test_a_picture_that_cannot_be_drawn_is_left_out(overlap_exercise, monkeypatch):
    shown = []
    monkeypatch.setattr(display, "in_notebook", lambda: True)
    monkeypatch.setattr(display, "show", shown.append)
    object.__setattr__(overlap_exercise, "picture", lambda arguments, expected, got: 1 / 0)
    check(overlap_exercise, wrong)
    assert shown[0].picture is None


def test_what_a_learner_prints_is_never_html(overlap_exercise):
    def answer(first, second):
        print("<script>alert(1)</script>")
        raise ValueError("<img src=x onerror=alert(1)>`<b>`")

    verdict = check_module.judge(overlap_exercise, answer)
    page = check_module.card_of(overlap_exercise, verdict).html()
    assert "<script" not in page
    assert "<img" not in page
    assert "<b>`" not in page
    assert "&lt;script&gt;" in page


def test_html_says_it_in_words_symbol_and_colour_and_loads_nothing():
    page = Card("bad", "title", ["row `code`", ("label", "a < b")]).html()
    assert "✗" in page
    assert display.COLOURS["bad"] in page
    assert "<code>code</code>" in page
    assert "a &lt; b" in page
    assert "http" not in page
    assert "background" not in page  # the page's own, so that it reads on a dark theme


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", ""),
        ("the *right* class", "the <em>right</em> class"),
        ("of *all classes*: `a * b`", "of <em>all classes</em>: <code>a * b</code>"),
        ("*minus* or *plus*.", "<em>minus</em> or <em>plus</em>."),
        ("*a* and `*b*`", "<em>a</em> and <code>*b*</code>"),
        ("2 * 3 * 4 = 24", "2 * 3 * 4 = 24"),
        ("w*h*c", "w*h*c"),
        ("f(*args, **kwargs) and *more", "f(*args, **kwargs) and *more"),
        ("an odd ` and *this*", "an odd ` and *this*"),
        ("*<b>*", "*&lt;b&gt;*"),
    ],
)
def test_words_between_stars_are_emphasised_and_sums_are_left_alone(text, shown):
    assert display.code(text) == shown


def _luminance(colour):
    parts = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("mood", display.COLOURS)
@pytest.mark.parametrize("background", ["#ffffff", "#111111"])
def test_colours_can_be_seen_on_light_and_dark(mood, background):
    light, dark = sorted((_luminance(display.COLOURS[mood]), _luminance(background)), reverse=True)
    assert (light + 0.05) / (dark + 0.05) >= 3


SNAKE: list = []
SNAKE.append(SNAKE)


class Shy:
    def __repr__(self):
        raise RuntimeError


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "None"),
        (torch.arange(3), "tensor([0, 1, 2])"),
        (torch.zeros(100, 100), "shape (100, 100), torch.float32: tensor([[0., 0.,"),
        (Shy(), "an object of type Shy"),
        (SNAKE, "[[[...]]]"),
        ([torch.ones(1), 2], "[tensor([1.]), 2]"),
        ([torch.ones(2, 2), 2], "[tensor([[1., 1.],\n         [1., 1.]]),\n 2]"),
        ((8,), "(8,)"),
        ([("a.png", 0), ("b.png", 1)], "[('a.png', 0), ('b.png', 1)]"),
        (["x" * 30] * 3, ",\n '"),
        (np.float64(20), "20.0"),
        (np.float32(0.5), "np.float32(0.5)"),
        ("x" * 5000, "..."),
        ({"boxes": torch.ones(1)}, "{'boxes': tensor([1.])}"),
    ],
    ids=[
        "none",
        "small",
        "large",
        "shy",
        "snake",
        "list",
        "over lines",
        "tuple of one",
        "pairs",
        "too wide",
        "number",
        "float32",
        "long",
        "dict",
    ],
)
def test_values_are_shown_briefly(value, words):
    assert words in brief(value)
    assert len(brief(value)) <= 700


# hints and solutions


@pytest.fixture
def found(overlap_exercise, monkeypatch):
    monkeypatch.setattr(hints, "find", lambda name: overlap_exercise)
    monkeypatch.setattr(hints, "_steps", {})
    monkeypatch.setattr(hints, "_edition", "self-study")


def test_hints_come_in_steps(found, capsys):
    heads = []
    for _ in range(4):
        hints.hint("13.overlap")
        heads.append(capsys.readouterr().out.split("\n")[:2])
    assert heads[0] == ["→ 13.overlap: hint 1 of 2", "  Draw two intervals."]
    assert heads[1] == ["→ 13.overlap: hint 2 of 2", "  The overlap starts at the larger start."]
    assert heads[2][0] == '→ 13.overlap: these were all the hints. `solution("13.overlap")` shows ours.'
    assert heads[3] == heads[0]
    assert progress.load()["exercises"]["13.overlap"]["hints"] == 2


def test_a_class_edition_leaves_the_strongest_hint_out(found, capsys):
    hints.set_edition("class")
    heads = []
    for _ in range(3):
        hints.hint("13.overlap")
        heads.append(capsys.readouterr().out.rstrip("\n").split("\n"))
    assert heads[0] == heads[2] == ["→ 13.overlap: hint 1 of 1", "  Draw two intervals."]
    assert heads[1] == ["→ 13.overlap: these were all the hints.", "  1. Draw two intervals."]
    assert progress.load()["exercises"]["13.overlap"]["hints"] == 1


SOURCE = '''# %% exercise="13.overlap_more"
def other():
    pass

# %% exercise="13.overlap"
def overlap(first, second):
    """Doc."""
    ### BEGIN SOLUTION
    return 1
    ### STUDENT
    # return 2
    ### END SOLUTION


overlap = check("13.overlap", overlap)
'''


def test_the_solution_is_the_notebooks_own(found, capsys, tmp_path, monkeypatch):
    (tmp_path / "13_overlap.py").write_text(SOURCE)
    monkeypatch.setattr(hints, "solutions_folder", lambda: tmp_path)
    hints.solution("13.overlap")
    out = capsys.readouterr().out
    assert "def overlap(first, second):\n" in out
    assert "return 1" in out
    for absent in ("check(", "###", "other", "return 2"):
        assert absent not in out
    assert progress.load()["exercises"]["13.overlap"]["solution"] is True


def test_a_class_edition_shows_no_solution(found, capsys, tmp_path, monkeypatch):
    (tmp_path / "13_overlap.py").write_text(SOURCE)
    monkeypatch.setattr(hints, "solutions_folder", lambda: tmp_path)
    hints.set_edition("class")
    hints.solution("13.overlap")
    assert "solutions come from your teacher" in capsys.readouterr().out


def test_an_installation_without_solutions_says_so(found, capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(hints, "solutions_folder", lambda: tmp_path / "gone")
    hints.solution("13.overlap")
    assert "not part of this installation" in capsys.readouterr().out


@pytest.mark.parametrize("function", [hints.hint, hints.solution])
def test_a_wrong_name_is_a_sentence(function, capsys):
    function("13.box_uoi")
    assert "no exercise '13.box_uoi'" in capsys.readouterr().out


# the Exercise type


def test_exercises_are_found_by_their_file():
    assert find("13.box_iou").name == "13.box_iou"
    assert any(m.__name__.endswith("n13_boxes") for m in modules())
    with pytest.raises(UnknownExercise, match=r"Did you mean '13\.box_iou'"):
        find("13.box_uoi")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": "box_iou"}, 'name must look like "13.box_iou"'),
        ({"twins": "torch.softmax"}, "twins of 13.x must be a list"),
        ({"hints": "one"}, "hints of 13.x must be a list"),
    ],
)
def test_an_exercise_that_cannot_be_right_is_refused(change, words):
    with pytest.raises(ValueError, match=words):
        Exercise(**{"name": "13.x", "reference": right, "cases": lambda g: [], **change})


def test_misconceptions_have_different_names(overlap_exercise):
    with pytest.raises(ValueError, match="different names"):
        Exercise(name="13.x", reference=right, cases=lambda g: [], misconceptions=[overlap_exercise.misconceptions[0]] * 2)


def test_public_cases_are_the_same_at_each_check_and_a_seed_gives_others(overlap_exercise):
    first, again, other = (overlap_exercise.draw_cases(seed) for seed in (None, None, 1))
    assert all(torch.equal(a, b) for (_, x), (_, y) in zip(first, again, strict=True) for a, b in zip(x, y, strict=True))
    assert not torch.equal(first[-1][1][0], other[-1][1][0])
