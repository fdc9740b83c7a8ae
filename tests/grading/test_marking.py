import http.client
import importlib.util
import re
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlencode

import nbformat
import pytest
from typer.testing import CliRunner

from coursekit.cli import app
from coursekit.grading import marking
from coursekit.grading.assignment import make, read_bundle
from coursekit.grading.cells import Cell
from coursekit.grading.gradebook import Gradebook, ManualMark
from coursekit.grading.html import element
from coursekit.grading.intake import submissions_in
from coursekit.grading.markdown import markdown
from coursekit.grading.marking import Part, answer_to, desk, points_in, read_sheet, refresh_feedback, write_sheet
from coursekit.grading.marking_page import MarkingServer, overview, save, student_page
from coursekit.grading.rubric import checked
from coursekit.grading.submission import Submission

_spec = importlib.util.spec_from_file_location("grading_pages_of_marking", Path(__file__).with_name("pages.py"))
pages = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(pages)

RUBRIC = checked(
    {
        "title": "Report",
        "parts": [
            {
                "id": "question",
                "title": "A question worth asking",
                "points": 4,
                "levels": [{"points": 4, "text": "clear"}, {"points": 1.5, "text": "vague"}],
            },
            {"id": "limits", "title": "What your numbers do not say", "points": 3},
            {"id": "20.pr_curve", "title": "How it is written", "points": 2, "exercise": "20.pr_curve"},
        ],
    }
)


def answers(question="Is it dark?", limits="Night.", code="def pr_curve(): pass"):
    cells = [
        Cell("markdown", "# 20 AP", None, "c1"),
        Cell("code", code, "20.pr_curve", "c2"),
        Cell("markdown", "### A question worth asking (4 points)\n\n- 4: clear", None, "answer-question-text"),
        Cell("markdown", question, None, "answer-question"),
        Cell("markdown", "### What your numbers do not say (3 points)", None, "answer-limits-text"),
        Cell("markdown", limits, None, "answer-limits"),
    ]
    return {"20_map": tuple(cells)}


def handed_in(student="Ana", **texts):
    return Submission(student, "ab" * 32, answers(**texts))


@pytest.fixture
def laid_out(tmp_path):
    """``laid_out(submissions, ...)``: a desk for an assignment hw3."""

    def make_desk(submissions=None, **options):
        assignment = SimpleNamespace(name="hw3", rubrics=(RUBRIC,))
        there = [handed_in(name) for name in ("Ana", "Ben", "Cem")] if submissions is None else submissions
        return desk(assignment, there, Gradebook(tmp_path / "gradebook.sqlite"), marker="me", **options)

    return make_desk


# --- which answer belongs to which part


def texts_of(part, submission):
    parts = [Part.of(record) for record in RUBRIC["parts"]]
    return [piece.text for piece in answer_to(parts[part], submission, parts)]


def test_an_answer_is_found_by_its_cell():
    assert texts_of(0, handed_in()) == ["Is it dark?"]
    assert texts_of(1, handed_in()) == ["Night."]
    assert texts_of(2, handed_in()) == ["def pr_curve(): pass"]


def test_cells_that_were_added_below_belong_to_it_and_ids_may_be_lost():
    cells = list(answers()["20_map"])
    cells.insert(4, Cell("code", "print(3)", None, "new"))
    cells.insert(5, Cell("markdown", "So it is.", None, "new2"))
    lost = [Cell(cell.kind, cell.source, cell.exercise, "") for cell in cells]
    for those in (cells, lost):
        submission = Submission("Ana", "", {"20_map": tuple(those)})
        assert texts_of(0, submission) == ["Is it dark?", "print(3)", "So it is."]
        assert texts_of(1, submission) == ["Night."]


def test_an_answer_ends_where_the_courses_own_words_go_on(monkeypatch):
    monkeypatch.setattr(marking, "prose_of", lambda stem: frozenset({"### Mark yourself", "*Write your answer here.*"}))
    cells = list(answers(question="*Write your answer here.*")["20_map"][:4])
    cells += [Cell("markdown", "In a cell of my own.", None, "new"), Cell("markdown", "### Mark yourself\n", None, "x")]
    submission = Submission("Ana", "", {"20_map": (*cells, Cell("markdown", "What I think of it.", None, "y"))})
    assert texts_of(0, submission) == ["In a cell of my own."]


def test_the_courses_own_words_are_known():
    assert any("COCO" in text for text in marking.prose_of("20_map"))
    assert marking.prose_of("../20_map") == marking.prose_of("99_none") == frozenset()


@pytest.mark.parametrize("text", ["*Write your answer here.*", "", "  \n"])
def test_what_was_handed_out_is_no_answer(text):
    assert texts_of(0, handed_in(question=text)) == []


def test_a_submission_without_anything_has_no_answers():
    assert texts_of(0, Submission("Ana", "", {}, problem="It is empty.")) == []


# --- marks


def test_marks_are_appended_and_say_who_is_next(laid_out):
    book = laid_out()
    assert book.progress() == (0, 9)
    assert book.next_unmarked() == 0
    for part in book.parts:
        assert book.give("Ana", part, part.points, "good")
    assert not book.give("Ana", book.parts[0], 4.0, "good")
    assert book.give("Ana", book.parts[0], 3.0, "on second thought")
    assert book.progress() == (3, 9)
    assert book.next_unmarked(0) == 1
    assert book.open_parts("Ana") == []
    assert [(m.part, m.points, m.out_of, m.marker) for m in book.book.manual("hw3", "Ana", history=True)][-1] == (
        "question",
        3.0,
        4.0,
        "me",
    )
    assert len(book.book.manual("hw3", "Ana", history=True)) == 4


def test_without_a_rubric_or_a_submission_it_says_so(laid_out, tmp_path):
    with pytest.raises(ValueError, match="there is nothing to mark"):
        laid_out([])
    with pytest.raises(ValueError, match="hw3 has no rubric: give one with --rubric FILE"):
        laid_out(rubrics=[])
    with pytest.raises(ValueError, match="'question' stands there twice"):
        laid_out(rubrics=[RUBRIC, RUBRIC])


@pytest.mark.parametrize(("text", "points"), [("2", 2.0), (" 2,5 ", 2.5), ("0", 0.0), ("8", 8.0)])
def test_points_as_people_type_them(text, points):
    assert points_in(text, Part.of(RUBRIC["parts"][0])) == points


@pytest.mark.parametrize("text", ["", "two", "-1", "8.1", "nan", "inf", "1e9", "²", "=1+1"])
def test_points_that_are_none(text):
    with pytest.raises(ValueError, match="points for question must be a number from 0 to 4"):
        points_in(text, Part.of(RUBRIC["parts"][0]))


def test_anonymous_marking_shows_no_name_and_keeps_its_order(laid_out):
    book = laid_out(anonymous=True)
    shown = overview(book, "/t") + "".join(student_page(book, i, "/t") for i in range(3))
    assert not re.search("Ana|Ben|Cem", shown)
    assert "Submission 2" in shown
    assert book.students == laid_out(anonymous=True).students


def test_marks_reach_the_students_page(laid_out, tmp_path):
    book = laid_out()
    book.book.add(pages.some_grade("Ana"))
    book.book.add(pages.some_grade("Ben"))
    book.give("Ana", book.parts[0], 3.0, "I would read on.")
    assert refresh_feedback(book.book, "hw3", tmp_path / "feedback") == 1
    text = (tmp_path / "feedback" / "Ana.html").read_text(encoding="utf-8")
    assert "I would read on." in text
    assert "8 of 25 points" in pages.read(text).text


# --- a spreadsheet


def test_a_sheet_goes_out_and_comes_back(laid_out, tmp_path):
    book = laid_out([handed_in("Ana", question='=HYPERLINK("x")'), handed_in("-Ben"), handed_in("김민서")])
    book.give("Ana", book.parts[1], 2.5, "=1+1")
    sheet = tmp_path / "marks.csv"
    assert write_sheet(sheet, book) == 9
    text = sheet.read_text(encoding="utf-8-sig")
    assert "\"'=HYPERLINK" in text
    assert '"\'-Ben"' in text
    assert read_sheet(sheet, book) == [("Ana", book.parts[1], 2.5, "=1+1")]
    filled = text.replace('"\'-Ben","question","A question worth asking",4,"",""', '"\'-Ben","question","x",4,1.5,"vague"')
    sheet.write_text(
        filled.replace('"김민서","limits","What your numbers do not say",3,""', '"김민서","limits","",3,"2,5"'), encoding="utf-8"
    )
    assert [(s, p.id, n, c) for s, p, n, c in read_sheet(sheet, book)] == [
        ("Ana", "limits", 2.5, "=1+1"),
        ("-Ben", "question", 1.5, "vague"),
        ("김민서", "limits", 2.5, ""),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("student,points\nAna,1\n", "the column 'part' is missing; there are student, points"),
        ("student;part;points\nZoe;question;1\n", "row 2: student must be one of those who handed in, got 'Zoe'"),
        ("student,part,points\nAna,quest,1\n", "row 2: part must be one of question, limits, 20.pr_curve, got 'quest'"),
        ("student,part,points\nAna,question,1\nBen,question,much\n", "row 3: points for question must be a number from 0 to 4"),
        ("student,part,points\nAna,question,1\nAna,question,2\n", "row 3: 'Ana' has a mark for question further up already"),
    ],
)
def test_a_sheet_that_is_wrong_is_refused_whole(laid_out, tmp_path, text, message):
    sheet = tmp_path / "marks.csv"
    sheet.write_text(text)
    book = laid_out()
    with pytest.raises(ValueError, match=message):
        read_sheet(sheet, book)
    assert book.progress()[0] == 0


# --- markdown


def test_a_minimal_subset_is_shown():
    text = "# Title\nSome *soft* and **loud** words, `a<b`.\n\n- one\n- two\n  more\n\n"
    text += "1. first\n\n```python\nx < 1\n```\n| a | b |\n|---|---|\nlast"
    made = "".join(markdown(text))
    assert made == "".join(
        [
            element("h4", "Title"),
            element("p", "Some ", element("em", "soft"), " and ", element("strong", "loud"), " words, ", element("code", "a<b"), "."),
            element("ul", element("li", "one"), element("li", "two\nmore")),
            element("ol", element("li", "first")),
            element("pre", "x < 1", tabindex="0"),
            element("pre", "| a | b |\n|---|---|", tabindex="0"),
            element("p", "last"),
        ]
    )


def test_a_table_is_one():
    made = "".join(markdown("| | AP50 |\n|---|---:|\n| *no* mosaic | 0.66 ± 0.01 |\n| a \\| b | <b> |"))
    head = element("thead", element("tr", element("th", scope="col"), element("th", "AP50", scope="col")))
    first = element("tr", element("td", element("em", "no"), " mosaic"), element("td", "0.66 ± 0.01"))
    second = element("tr", element("td", "a | b"), element("td", "<b>"))
    assert made == element("div", element("table", head, element("tbody", first, second)), class_="wide")


@pytest.mark.parametrize(
    "text", ["| a |\n| b |\n| c |", "| a |\n|---|", "| a |", "|" * 9000 + "\n|---|\n| a |"], ids=["no rule", "no row", "a line", "huge"]
)
def test_what_is_no_table_stays_as_it_was_typed(text):
    assert "".join(markdown(text)) == element("pre", text, tabindex="0")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("[here](javascript:alert(1))", "here"),
        ("[here](https://example.invalid/x)", "here (https://example.invalid/x)"),
        ("![a cat](https://example.invalid/track.png)", "[picture: a cat]"),
        ("2 * 3 * 4 and *args", "2 * 3 * 4 and *args"),
        ("`` ` ``", "`"),
    ],
)
def test_links_and_pictures_are_words(text, shown):
    reader = pages.read("".join(markdown(text)))
    assert shown in reader.text
    assert "a" not in reader.tags
    assert "img" not in reader.tags


@pytest.mark.parametrize("text", ["*" * 50_000, "[" * 50_000, "`" * 50_001, "- " * 20_000, "#" * 40_000, "![](" * 10_000, "1. \n" * 10_000])
def test_no_text_takes_long(text):
    began = time.process_time()
    made = "".join(markdown(text))
    assert time.process_time() - began < 5  # a pattern that tries everything would take minutes
    assert pages.read(made).tags


@pytest.mark.parametrize("payload", pages.PAYLOADS, ids=lambda p: ascii(p[:24]))
def test_a_payload_stays_text(laid_out, payload):
    dressed = "\n\n".join(
        [payload, f"# {payload}", f"- {payload}", f"`{payload}`", f"**{payload}**", f"[{payload}]({payload})", f"```\n{payload}"]
    )
    submission = handed_in(payload, question=dressed, limits=payload, code=payload)
    lost = Submission(f"{payload}2", "", {}, problem=payload)
    book = laid_out([submission, lost])
    book.give(payload, book.parts[0], 1.0, payload[:5000])
    for made in (
        overview(book, "/t"),
        student_page(book, 0, "/t", payload, {"comment1": payload, "points1": payload}),
        student_page(book, 1, "/t"),
    ):
        made.encode()
        reader = pages.read(made)
        pages.stays_here(reader)
        assert not {"a", "h3", "iframe", "img", "svg"} & set(reader.tags[reader.tags.index("form") :]) if "form" in reader.tags else True


# --- the local page


class Browser:
    """Sends requests to a server as a browser would, or as a stranger."""

    def __init__(self, server):
        self.server, self.port = server, server.server_address[1]

    def ask(self, path="/", form=None, **headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        body = urlencode(form) if form is not None else None
        if form is not None:
            headers = {"Content-Type": "application/x-www-form-urlencoded", "Origin": f"http://127.0.0.1:{self.port}"} | headers
        headers = {name.replace("_", "-"): value for name, value in headers.items() if value is not None}
        connection.request("POST" if form is not None else "GET", f"{self.server.home}{path}", body, headers)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return SimpleNamespace(status=answer.status, text=text, headers=answer.headers)


@pytest.fixture
def browser(laid_out):
    server = MarkingServer(laid_out())
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield Browser(server)
    server.shutdown()
    thread.join()
    server.server_close()


def test_it_listens_here_only_and_sends_strict_headers(browser):
    assert browser.server.server_address[0] == "127.0.0.1"
    answer = browser.ask("/1")
    assert answer.status == 200
    pages.stays_here(pages.read(answer.text))
    assert "script-src 'none'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "same-origin"


def test_a_mark_is_saved_at_once_and_the_next_part_comes(browser):
    book = browser.server.desk
    answer = browser.ask("/1", {"save": "0:1.5", "comment0": "Say why.\r\nMore.", "points0": "", "comment1": "later"})
    assert answer.status == 303
    assert answer.headers["Location"].endswith("/1#part1")
    (mark,) = book.book.manual("hw3")
    assert (mark.student, mark.part, mark.points, mark.comment) == ("Ana", "question", 1.5, "Say why.\nMore.")
    assert "later" in browser.ask("/1").text  # a comment without points is not lost
    browser.ask(
        "/1", {"save": "all", "points0": "1.5", "comment0": "Say why.\nMore.", "points1": "2,5", "comment1": "later", "points2": "2"}
    )
    assert len(book.book.manual("hw3", history=True)) == 3
    assert browser.ask("/2", {"save": "0:4"}).headers["Location"].endswith("/2#part1")
    text = pages.read(browser.ask("/").text).text
    assert "4 of 9 marks given" in text


def test_after_the_last_part_the_next_student_comes_and_then_the_list(browser):
    everything = {"points0": "4", "points1": "3", "points2": "2"}
    homes = [browser.ask(f"/{n}", everything).headers["Location"].removeprefix(browser.server.home) for n in (2, 3, 1)]
    assert homes == ["/3", "/1", "/"]
    assert "Everything is marked." in browser.ask("/").text


def test_what_is_wrong_is_said_and_nothing_typed_is_lost(browser):
    answer = browser.ask("/1", {"save": "all", "points0": "lots", "comment0": "keep <me>", "points1": "3"})
    assert answer.status == 422
    text = pages.read(answer.text).text
    assert "Not saved: points for question must be a number from 0 to 4" in text
    assert "keep <me>" in text
    assert [mark.part for mark in browser.server.desk.book.manual("hw3")] == ["limits"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "example.invalid"}, 403),  # DNS rebinding
        ({"Host": "127.0.0.1"}, 403),
        ({"Origin": "https://example.invalid"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": None}, 403),
        ({"Content_Length": "99999999"}, 413),
        ({"Content_Length": "-1"}, 413),
        ({"Content_Length": "x"}, 413),
    ],
)
def test_marks_from_elsewhere_are_refused(browser, headers, status):
    assert browser.ask("/1", {"save": "0:4"}, **headers).status == status
    assert browser.server.desk.progress()[0] == 0


@pytest.mark.parametrize("path", ["/0", "/4", "/x", "/1e0", "/²", "/999999999999", "/../1", "/favicon.ico"])
def test_what_there_is_not_is_not_found(browser, path):
    assert browser.ask(path.encode().decode("latin-1") if path.isascii() else "/%C2%B2").status == 404


def test_without_the_token_there_is_nothing(browser):
    connection = http.client.HTTPConnection("127.0.0.1", browser.port, timeout=10)
    for path in ("/", "/1", f"/{browser.server.token[:-1]}/1", f"/{'x' * 32}/", "//", f"{browser.server.home.upper()}/"):
        connection.request("GET", path)
        answer = connection.getresponse()
        assert answer.status == 403, path
        assert b"Ana" not in answer.read()
        connection.close()
    assert len(browser.server.token) >= 32
    assert browser.server.token != MarkingServer(browser.server.desk).token


def test_two_windows_at_once_lose_nothing(browser):
    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(lambda n: browser.ask(f"/{n % 3 + 1}", {"save": f"0:{n % 5}", "comment0": f"{n}"}).status, range(24)))
    assert done == [303] * 24
    assert len(browser.server.desk.book.manual("hw3", history=True)) == 24
    assert browser.server.desk.progress()[0] == 3


def test_a_form_of_nothing_saves_nothing(laid_out):
    book = laid_out()
    assert save(book, 0, {}) is None
    assert save(book, 0, {"save": "9:4", "points7": "1"}) is None
    assert book.progress()[0] == 0


# --- the command


@pytest.fixture(scope="module")
def with_report(tmp_path_factory):
    """An assignment of notebook 20 with a rubric, and two who handed in."""
    out = tmp_path_factory.mktemp("with_report")
    make(["20"], out / "hw", rubrics=[RUBRIC])
    for student, text in (("ana", "Is it dark?"), ("ben", "*Write your answer here.*")):
        notebook = nbformat.read(out / "hw" / "release" / "20_map.ipynb", as_version=4)
        for cell in notebook.cells:
            if cell.id == "answer-question":
                cell.source = text
        (out / "in" / student).mkdir(parents=True)
        nbformat.write(notebook, out / "in" / student / "20_map.ipynb")
    return out


def test_a_class_edition_asks_and_the_answer_is_found(with_report):
    bundle = read_bundle(with_report / "hw" / "grader")
    ids = {cell.id for cell in nbformat.read(with_report / "hw" / "release" / "20_map.ipynb", as_version=4).cells}
    assert {"answer-question", "answer-limits"} < ids
    assert not any("answer-20" in name for name in ids)  # that part is about the code of an exercise
    parts = [Part.of(part) for part in bundle.rubrics[0]["parts"]]
    found = {s.student: [p.text for p in answer_to(parts[0], s, parts)] for s in submissions_in(with_report / "in", bundle)}
    assert found == {"ana": ["Is it dark?"], "ben": []}


def test_the_command_writes_a_sheet_and_reads_it_back(with_report, tmp_path):
    where = [str(with_report / "in"), "--assignment", str(with_report / "hw" / "grader"), "--gradebook", str(tmp_path / "gradebook.sqlite")]
    sheet = tmp_path / "marks.csv"
    wrote = CliRunner().invoke(app, ["mark", *where, "--sheet", str(sheet)])
    assert wrote.exit_code == 0, wrote.output
    assert "6 lines to mark" in wrote.output
    text = sheet.read_text(encoding="utf-8-sig")
    sheet.write_text(text.replace('"A question worth asking",4,"",""', '"A question worth asking",4,3,"why?"', 1), encoding="utf-8")
    for said in ("1 marks written down, 0 were there already; 1 of 6 are given", "0 marks written down, 1 were there already"):
        result = CliRunner().invoke(app, ["mark", *where, "--sheet", str(sheet), "--marker", "me"])
        assert said in " ".join(result.output.split())
    assert Gradebook(tmp_path / "gradebook.sqlite").manual("hw") == [
        ManualMark("hw", "ana", "question", 3.0, 4.0, "why?", "me", Gradebook(tmp_path / "gradebook.sqlite").manual("hw")[0].time)
    ]


def test_the_command_serves_until_it_is_interrupted(with_report, tmp_path):
    command = [sys.executable, "-u", "-m", "coursekit.cli", "mark", str(with_report / "in"), "--no-browser"]
    command += ["--assignment", str(with_report / "hw" / "grader"), "--gradebook", str(tmp_path / "gradebook.sqlite")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            first = process.stdout.readline()
            found = re.search(r"2 submissions, 3 parts each: http://127\.0\.0\.1:(\d+)(/\S+/)", first)
            assert found, first + process.stdout.read()
            connection = http.client.HTTPConnection("127.0.0.1", int(found[1]), timeout=10)
            connection.request("GET", found[2])
            assert "0 of 6 marks given" in connection.getresponse().read().decode()
            connection.close()
            process.send_signal(2)
            rest, _ = process.communicate(timeout=20)
        finally:
            process.kill()
    assert "0 of 6 marks are given." in rest
    assert process.returncode == 0
