import dataclasses
import importlib.util
import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from coursekit.grading.feedback import KINDS, feedback_file, feedback_page, latest
from coursekit.grading.html import STYLE, element, number, page, visible, words
from coursekit.grading.records import INFRASTRUCTURE, UNGRADABLE, Mark

_spec = importlib.util.spec_from_file_location("grading_pages", Path(__file__).with_name("pages.py"))
pages = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(pages)


def by_hand(part="report", points=3.0, comment="A clear question.", out_of=4.0):
    return SimpleNamespace(part=part, points=points, out_of=out_of, comment=comment, marker="t", time="2026-11-27")


# --- the builder


def test_an_element_escapes_text_and_keeps_elements():
    made = element("p", "<b>", element("code", "a & b"), None, ["x", element("br")], class_='"q"')
    assert made == '<p class="&quot;q&quot;">&lt;b&gt;<code>a &amp; b</code>x<br></p>'


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: element("script", "x"), "tag must be one of ours"),
        (lambda: element("p", onclick="x"), "got 'onclick'"),
        (lambda: element("p", style="x"), "got 'style'"),
        (lambda: element("a", href="javascript:alert(1)"), "href must stay on this machine"),
        (lambda: element("a", href="//example.invalid"), "href must stay on this machine"),
        (lambda: element("a", href="feedback/\\x"), "href must stay on this machine"),
        (lambda: element("form", action="https://example.invalid"), "action must stay on this machine"),
    ],
)
def test_an_element_that_no_page_needs_is_our_fault(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("two\nlines\tand a tab\r\n", "two\nlines\tand a tab\n"),
        ("a\x00b\x1b[31m", "a␀b␛[31m"),
        ("\u202egnp.exe", "⟦U+202E⟧gnp.exe"),
        ("pay\u200bpal \ufeff", "pay⟦U+200B⟧pal ⟦U+FEFF⟧"),
        ("\u2028\u3164\ud800", "⟦U+2028⟧⟦U+3164⟧⟦U+D800⟧"),
        ("김민서 \u1112\u1161\u11ab Zoë مرحبا 👩\u200d🔬", "김민서 \u1112\u1161\u11ab Zoë مرحبا 👩\u200d🔬"),
        ("e" + "\u0301" * 40, "e" + "\u0301" * 4),
        ("x" * 301, "x" * 300 + " …"),
    ],
)
def test_what_is_in_a_text_can_be_seen(text, shown):
    assert visible(text) == shown


def test_backticks_become_code_and_a_lonely_one_stays():
    assert words("call `f(<b>)`\nthen") == ["call ", element("code", "f(<b>)"), "", element("br"), "then"]
    assert words("a ` b") == ["a ` b"]


@pytest.mark.parametrize(("value", "shown"), [(3, "3"), (2.5, "2.5"), (2 / 3, "0.67"), (100, "100"), (float("nan"), "?"), (0, "0")])
def test_points_are_written_as_people_do(value, shown):
    assert number(value) == shown


def test_a_page_allows_nothing_but_its_own_style():
    reader = pages.read(page("t", element("p", "x")))
    pages.stays_here(reader)
    for forms, target in ((False, "'none'"), (True, "'self'")):
        policies = [a.get("content", "") for _, a in pages.read(page("t", forms=forms)).elements]
        assert any(f"form-action {target}" in policy for policy in policies)


def test_every_colour_can_be_read_on_its_ground():
    def light(colour):
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        return sum(
            w * (c / 12.92 if c <= 0.04 else ((c + 0.055) / 1.055) ** 2.4) for w, c in zip((0.2126, 0.7152, 0.0722), parts, strict=True)
        )

    found = re.findall(r"--(\w+): (#[0-9a-f]{6})", STYLE)
    for theme in (dict(found[: len(found) // 2]), dict(found[len(found) // 2 :])):
        assert len(theme) == 9
        for ground in ("page", "card"):
            for ink in ("ink", "soft", "good", "bad", "open", "info"):
                high, low = sorted((light(theme[ink]), light(theme[ground])), reverse=True)
                assert (high + 0.05) / (low + 0.05) >= 4.5, (ink, ground, theme)


# --- the student's page


def test_each_exercise_says_what_happened_and_what_to_do():
    text = pages.read(feedback_page(pages.some_grade(), title="Boxes and AP")).text
    assert "5 of 21 points" in text
    for part in (
        "Boxes and AP",
        "Kim Min-seo",
        "At [0, 0] got 0.1765, expected 0.0",
        "How wide is an empty intersection?",
        "The first case that fails: boxes that are apart",
        "tensor([[6., 3., 9., 5.]])",
        "Right in 1 of 3 groups of cases",
        "Your code printed",
        "no cell for this exercise",
        "one cell that does this to all of them",
        "a loop that never ends",
        "torch 2.15.0",
        "namespaces",
        "13.box_iou 62218",
        "abababababababab",
    ):
        assert part in text, part


def test_a_case_that_is_not_public_is_named_by_its_group_only():
    mark = Mark("20.ap_table", 2, 3, "wrong", "A value differs.", "ties in the scores")
    text = pages.read(feedback_page(pages.some_grade(marks=(mark,)))).text
    assert "Every public case is right. A case of the group “ties in the scores”" in text
    assert "The first case that fails" not in text


def test_groups_that_earn_nothing_are_explained_and_no_group_at_all_is_not_listed():
    wrong, none = (("one", True), ("random", False)), (("one", False), ("random", False))
    said = [
        pages.read(feedback_page(pages.some_grade(marks=(Mark("13.nms", points, 4, "wrong", "No.", groups=groups),)))).text
        for points, groups in ((0, wrong), (1, wrong), (0, none))
    ]
    assert ["Right in 1 of 2 groups" in text for text in said] == [True, True, False]
    assert ["They earn points as soon as" in text for text in said] == [True, False, False]


def test_what_a_teacher_should_look_at_is_not_shown_to_the_student():
    mark = dataclasses.replace(pages.some_marks()[0], flags=("imports inspect",))
    text = feedback_page(pages.some_grade(marks=(mark,), notes=("two notebooks; the newer was taken",)))
    assert "imports inspect" not in text
    assert "the newer was taken" not in text


@pytest.mark.parametrize("status", [*KINDS, "a status of next year"])
def test_every_status_has_a_symbol_and_words(status):
    mark = Mark("13.nms", 0, 4, status)
    text = pages.read(feedback_page(pages.some_grade(marks=(mark,)))).text
    assert (KINDS[status].name if status in KINDS else status) in text
    assert any(symbol in text for symbol in "✓✗○→")


@pytest.mark.parametrize(
    ("outcome", "kind_words"), [(UNGRADABLE, "hand that file in again"), (INFRASTRUCTURE, "graded again, and no zero was written down")]
)
def test_without_a_grade_the_reason_and_the_next_step_are_told(outcome, kind_words):
    text = pages.read(feedback_page(pages.some_grade(outcome=outcome, reason="The file is not JSON.", marks=()))).text
    assert "The file is not JSON." in text
    assert kind_words in text
    assert " points" not in text


def test_marks_by_hand_are_added_and_the_last_of_a_part_counts():
    marks = [by_hand(points=1.0, comment="first look"), by_hand("code", 2.0, "", 2.0), by_hand(points=3.0, comment="second look")]
    assert [mark.points for mark in latest(marks)] == [3.0, 2.0]
    text = pages.read(feedback_page(pages.some_grade(), marks)).text
    assert "10 of 27 points" in text
    assert "second look" in text
    assert "first look" not in text


def test_a_mark_by_hand_for_an_exercise_replaces_the_machines():
    text = pages.read(feedback_page(pages.some_grade(), [by_hand("13.box_iou", 2.5, "The idea is right.", 3.0)])).text
    assert "6.5 of 21 points" in text
    assert "Your teacher looked at this and gave 2.5 of 3. The idea is right. At [0, 0] got 0.1765" in text
    assert "Marked by your teacher" not in text


def test_what_no_machine_could_read_may_have_marks_by_hand():
    text = pages.read(feedback_page(pages.some_grade(outcome=UNGRADABLE, reason="A picture.", marks=()), [by_hand()])).text
    assert "A picture." in text
    assert "3 of 4 points" in text


def test_an_empty_grade_makes_a_page():
    assert "0 of 0 points" in pages.read(feedback_page(pages.some_grade(marks=(), versions={}, tier="", submitted=None))).text


# --- nothing that a submission says gets out of its text


def filled(text):
    """Each text that a submission can reach."""
    shown = {text: text, "got": text}
    mark = Mark(text, 1, 2, "wrong", text, text, shown, text, text, ((text, True), (text, False)), text, (text,), 7)
    strange = dataclasses.replace(mark, status=text, shown={})
    grade = pages.some_grade(text, marks=(mark, strange), versions={text: text}, tier=text, assignment=text, submitted=text, started=text)
    return grade, [by_hand(text, comment=text)]


@pytest.mark.parametrize("payload", pages.PAYLOADS, ids=lambda p: ascii(p[:24]))
def test_a_payload_stays_text(payload):
    grade, manual = filled(payload)
    made = feedback_page(grade, manual, payload)
    made.encode()  # also with halves of letters
    reader = pages.read(made)
    pages.stays_here(reader)
    if len(payload) < 1000:  # a longer one is cut, and line breaks of ours behind it with it
        plain = pages.read(feedback_page(*filled("harmless"), "harmless"))
        assert [tag for tag in reader.tags if tag != "wbr"] == [tag for tag in plain.tags if tag != "wbr"]
        assert [sorted(a) for tag, a in reader.elements if tag != "wbr"] == [sorted(a) for tag, a in plain.elements if tag != "wbr"]
    assert len(made) < 120_000
    assert not set(made) & set("\x00\x1b\x85\u202e\u202c\u2028\u200b\ufeff")


@pytest.mark.parametrize("outcome", [UNGRADABLE, INFRASTRUCTURE])
@pytest.mark.parametrize("payload", pages.PAYLOADS[:6])
def test_a_payload_in_a_reason_stays_text(outcome, payload):
    reader, plain = (pages.read(feedback_page(pages.some_grade(outcome=outcome, reason=text, marks=()))) for text in (payload, "harmless"))
    pages.stays_here(reader)
    assert [tag for tag in reader.tags if tag != "wbr"] == [tag for tag in plain.tags if tag != "wbr"]


def test_a_huge_grade_makes_a_page_with_an_end():
    long = "line\n" * 100_000
    mark = Mark("13.nms", 0, 1, "wrong", long, long, {str(i): long for i in range(500)}, long, long, ((long, False),) * 5000, long)
    made = feedback_page(pages.some_grade(marks=(mark,) * 30))
    assert len(made) < 4_000_000


# --- names of files


@pytest.mark.parametrize("student", ["Kim Min-seo", "김민서", "a.b+c@uni", "s123_456", "김~0f0f0f0f"])
def test_an_ordinary_name_is_its_file(student):
    assert feedback_file(student) == f"{student}.html"


@pytest.mark.parametrize(
    "student", ["../../etc/passwd", "..", ".hidden", "", "a/b", "a\\b", "x\x00", "\ud800", "-rf", "a" * 500, "\u202ex", "<b>"]
)
def test_any_other_name_becomes_one_that_stays_in_its_folder(student):
    name = feedback_file(student)
    assert not set(name) & set("/\\<>\x00\u202e\ud800")
    assert not name.startswith((".", "-"))
    assert len(name.encode()) < 120
