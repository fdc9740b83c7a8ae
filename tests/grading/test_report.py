import dataclasses
import importlib.util
import random
from pathlib import Path
from types import SimpleNamespace

import pytest

from coursekit.grading.records import INFRASTRUCTURE, UNGRADABLE, Mark
from coursekit.grading.report import class_report

_spec = importlib.util.spec_from_file_location("grading_pages_of_report", Path(__file__).with_name("pages.py"))
pages = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(pages)


def pair(first="Ana", second="Ben", text="def box_iou(a, b):\n    return a"):
    passages = tuple(SimpleNamespace(exercise="13.box_iou", first=text, second=text, first_line=3, second_line=5) for _ in range(5))
    return SimpleNamespace(first=first, second=second, share=0.93, tokens=120, passages=passages)


def a_class(count=22):
    """14 of 22 forgot the clamp."""
    grades = []
    for i in range(count):
        convert, iou, *rest = pages.some_marks()
        if i >= 14:
            iou = Mark("13.box_iou", 3, 3, "passed", "All 30 cases agree.")
        grades.append(pages.some_grade(f"student{i:03d}", marks=(convert, iou, *rest)))
    return grades


def test_the_class_in_words():
    grades = [*a_class(), pages.some_grade("Zed", outcome=UNGRADABLE, reason="The zip holds no notebook.", marks=())]
    grades.append(pages.some_grade("Yan", outcome=INFRASTRUCTURE, reason="The judge process ended twice.", marks=()))
    reader = pages.read(class_report(grades, title="Boxes"))
    pages.stays_here(reader)
    text = reader.text
    for part in (
        "24 submissions : 22 graded, 1 ungradable, 1 infrastructure error",
        "Median 24 %, mean 27 %; 0 of 22 got everything.",
        "20–29 %: 14; 30–39 %: 8",
        "14 of 22 in 13.box_iou: no clamp",
        "How wide is an empty intersection?",
        "The zip holds no notebook.",
        "The judge process ended twice.",
        "boxes that are apart (14)",
    ):
        assert part in text, (part, text)
    assert text.index("The zip holds no notebook.") < text.index("How the points are spread") < text.index("22 students")


def test_the_hardest_exercise_stands_first_and_the_untried_are_not_counted_as_tried():
    easy, hard = Mark("13.a", 3, 3, "passed"), Mark("13.b", 0, 3, "not attempted")
    grades = [pages.some_grade(str(i), marks=(easy, hard if i else dataclasses.replace(hard, points=1, status="wrong"))) for i in range(4)]
    text = pages.read(class_report(grades)).text
    table = text[text.index("the hardest first") :]
    assert table.index("13.b") < table.index("13.a")
    assert "13.b 8 % 1 0 3 not attempted" in table
    assert "13.a 100 % 4 4" in table


def test_the_last_attempt_of_a_student_counts():
    first = pages.some_grade("Ana", marks=(Mark("13.a", 0, 2, "wrong"),))
    second = pages.some_grade("Ana", attempt=2, marks=(Mark("13.a", 2, 2, "passed"),))
    assert class_report([first, second]) == class_report([second, first])
    text = pages.read(class_report([second, first])).text
    assert "1 submission " in text
    assert "Median 100 %" in text


def test_names_link_to_the_students_page():
    reader = pages.read(class_report([pages.some_grade("김 민서"), pages.some_grade("../x")]))
    links = {a["href"] for tag, a in reader.elements if tag == "a"}
    assert "feedback/%EA%B9%80%20%EB%AF%BC%EC%84%9C.html" in links
    assert all(link.startswith("feedback/") and ".." not in link for link in links)


def test_flags_and_notes_are_for_the_teachers_eye():
    mark = dataclasses.replace(pages.some_marks()[0], flags=("imports inspect",))
    text = pages.read(class_report([pages.some_grade(marks=(mark,), notes=("saved by Colab",))])).text
    assert "Nothing here took a point away" in text
    assert "imports inspect" in text
    assert "saved by Colab" in text


def test_similar_passages_stand_side_by_side_as_evidence():
    reader = pages.read(class_report(a_class(4), [pair()]))
    assert "Evidence, not proof" in reader.text
    assert "Ana and Ben : 93 % of the shorter one, 120 words of code" in reader.text
    assert reader.tags.count("pre") == 6  # of five passages three are shown


def test_no_submission_at_all():
    assert "Nothing was handed in yet." in pages.read(class_report([])).text


@pytest.mark.parametrize("payload", pages.PAYLOADS, ids=lambda p: ascii(p[:24]))
def test_a_payload_stays_text(payload):
    def made(text):
        mark = Mark(text, 1, 2, "wrong", text, text, {text: text}, text, text, ((text, False),), text, (text,))
        other = dataclasses.replace(mark, status=text, misconception=None)
        graded = pages.some_grade(text, marks=(mark, other), notes=(text,), tier=text, bundle=text, started=text)
        lost = [pages.some_grade(f"{kind}{text}", outcome=kind, reason=text, marks=()) for kind in (UNGRADABLE, INFRASTRUCTURE)]
        return class_report([graded, *lost], [pair(text, text, text)], text)

    page = made(payload)
    page.encode()
    reader, plain = pages.read(page), pages.read(made("harmless"))
    pages.stays_here(reader)
    assert reader.tags == plain.tags
    assert [sorted(a) for _, a in reader.elements] == [sorted(a) for _, a in plain.elements]
    assert len(page) < 100_000


def test_a_thousand_students_fit_on_a_page():
    dice = random.Random(1)
    names = [f"{n:02d}.exercise_{i}" for n in (13, 20) for i in range(10)]
    grades = []
    for i in range(1000):
        marks = tuple(
            Mark(n, dice.randint(0, 3), 3, "wrong", "no", "a case", {}, f"mistake-{dice.randint(0, 20)}", "Why? " * 20, flags=("odd",) * 3)
            for n in names
        )
        grades.append(pages.some_grade(f"A student with a name {i}", marks=marks, notes=("a note",) * 5))
    page = class_report(grades, [pair(text="x = 1\n" * 1000)] * 500)
    print(f"{len(page.encode()) / 1e6:.2f} MB")
    assert len(page.encode()) < 3_000_000
    assert "A student with a name 999" in page
