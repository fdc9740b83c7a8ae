"""What lies beside a notebook, made to harm or not: it is shown to who marks, as text and as pixels, and nothing else happens."""

import http.client
import importlib.util
import io
import os
import struct
import zipfile
import zlib
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from coursekit.data.signs import SignCrops
from coursekit.grading import papers as room
from coursekit.grading.gradebook import Gradebook
from coursekit.grading.handed_in import Unreadable
from coursekit.grading.intake import submissions_in
from coursekit.grading.marking import desk
from coursekit.grading.marking_page import MarkingServer, student_page
from coursekit.grading.papers import Paper, is_paper, own_name, shrunk
from coursekit.grading.rubric import checked, read_rubric
from coursekit.grading.submission import Submission
from coursekit.project.competition import make_competition
from coursekit.project.report import report_template
from coursekit.project.report_words import TOPICS
from coursekit.resources import resource

_spec = importlib.util.spec_from_file_location("grading_pages_of_papers", Path(__file__).with_name("pages.py"))
pages = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(pages)

RUBRIC = read_rubric(resource("project_rubric.yaml"))
REPORT = report_template("detection").replace("## Results (결과)", "## Results (결과)\n\nAP 0.5 as ![the curve](pr.png) shows.")


def picture(width=40, height=30, kind="PNG", **options):
    out = io.BytesIO()
    Image.fromarray(np.full((height, width, 3), 200, np.uint8)).save(out, kind, **options)
    return out.getvalue()


@pytest.fixture(scope="module")
def assignment():
    """Enough of an assignment of notebook 24 to read submissions to it."""
    task = SimpleNamespace(notebook="24_project", name="24.best_of_n", kit=SimpleNamespace(answer="best_of_n"))
    return SimpleNamespace(name="project", tasks=(task,), released={}, rubrics=(RUBRIC,))


@pytest.fixture
def handed(tmp_path, assignment):
    """``handed({"report.md": ...})``: the submission of one student whose folder holds these files; `inside` is the folder."""
    folder = tmp_path / "in" / "ana"
    folder.mkdir(parents=True)
    (tmp_path / "in" / "ben").mkdir()
    (tmp_path / "in" / "ben" / "report.md").write_text("# Ben's")

    def read(files=None, scorer=None):
        for name, content in (files or {}).items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        return next(s for s in submissions_in(tmp_path / "in", assignment, papers=True, scorer=scorer) if s.student == "ana")

    read.inside = folder
    return read


def names(submission):
    return [(paper.kind, paper.name) for paper in submission.papers]


# --- what is found


def test_the_papers_of_a_project(handed):
    found = handed(
        {
            "report.md": REPORT,
            "pr.png": picture(),
            "run/args.yaml": "lr: 0.1",
            "steps/ablation.json": "{}",
            "submission.csv": "a",
            "b.py": "",
        }
    )
    assert names(found) == [
        ("report", "report.md"),
        ("submission", "submission.csv"),
        ("text", "run/args.yaml"),
        ("text", "steps/ablation.json"),
        ("picture", "pr.png"),
    ]
    assert found.papers[0].text == REPORT
    assert found.problem is None  # a report instead of a notebook is something to mark


def test_grading_by_machine_sees_none_of_it(handed, assignment, tmp_path):
    handed({"report.md": REPORT})
    (found,) = [s for s in submissions_in(tmp_path / "in", assignment) if s.student == "ana"]
    assert found.papers == ()
    assert "There is no notebook among what was handed in" in found.problem
    papers = Submission("ana", "", {}, papers=(Paper("a", "picture", picture=b"x"),))
    assert Submission.from_json(papers.to_json()).papers == ()


@pytest.mark.parametrize(
    ("files", "report"),
    [
        ({"README.md": "a", "notes/report.md": "b", "Report-1.md": "c"}, "Report-1.md"),
        ({"README.md": "a", "mine.md": "b"}, "mine.md"),
        ({"README.md": "a"}, None),
        ({"one.md": "a", "two.md": "b"}, None),
        ({"보고서.md": "a", "two.md": "b"}, "보고서.md"),
        ({"final_report.txt": "a"}, "final_report.txt"),
    ],
)
def test_which_text_is_the_report(handed, files, report):
    assert next((paper.name for paper in handed(files).papers if paper.kind == "report"), None) == report


@pytest.mark.parametrize(
    ("path", "own"),
    [
        ("kimdana_12345_67890_report.md", "report.md"),
        ("kimdana_LATE_12345_67890_report-1.md", "report-1.md"),
        ("Dana Kim_1234_assignsubmission_file_report.md", "report.md"),
        ("Dana Kim_1234_assignsubmission_file_/steps/report.md", "steps/report.md"),
        ("alice--report.md", "report.md"),
        ("alice/report.md", "report.md"),
        ("alice.zip/x/report.md", "x/report.md"),
        ("report.md", "report.md"),
    ],
)
def test_names_do_not_say_whose_they_are(path, own):
    assert own_name(path) == own


def test_flat_files_of_a_platform_belong_to_their_students(tmp_path, assignment):
    for name in ("kimdana_111_222_report.md", "kimdana_111_223_pr.png", "alice--report.md", "README.md"):
        (tmp_path / name).write_bytes(picture() if name.endswith("png") else b"# Report")
    found = {s.student: [paper.name for paper in s.papers] for s in submissions_in(tmp_path, assignment, papers=True)}
    assert found == {"kimdana_111": ["report.md", "pr.png"], "alice": ["report.md"]}


def test_only_texts_and_pictures():
    assert is_paper("a/REPORT.MD")
    assert not [
        name for name in ("a.svg", "a.html", "a.pdf", "a.ipynb.json", "a.md.exe", "a.gif", "a.webp", "a.docx", "a.js") if is_paper(name)
    ]


# --- what is made to harm


def test_links_are_not_followed(handed, tmp_path):
    (tmp_path / "secret.md").write_text("the answers")
    (handed.inside / "report.md").symlink_to(tmp_path / "secret.md")
    (handed.inside / "steps").symlink_to(tmp_path)
    (handed.inside / "a.png").symlink_to("/dev/zero")
    found = handed()
    assert "the answers" not in str(found)
    assert [paper.note for paper in found.papers if paper.name == "report.md"] == ["is a link to another place, which is not followed"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes with names")
def test_a_pipe_does_not_hold_us_up(handed):
    os.mkfifo(handed.inside / "report.md")
    assert [paper.note for paper in handed().papers] == ["is a pipe, socket or device and no file"]


def test_a_zip_that_climbs_or_bursts(handed):
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("../../../report.md", "# climbed")
        archive.writestr("/etc/args.yaml", "a: 1")
        archive.writestr("steps/bomb.json", b"0" * 6_000_000)
    found = handed({"all.zip": held.getvalue()})
    assert {(paper.name, paper.text[:9]) for paper in found.papers} == {
        ("all.zip/report.md", "# climbed"),
        ("all.zip/etc/args.yaml", "a: 1"),
        ("all.zip/steps/bomb.json", ""),
    }
    assert "it may be a bomb" in found.papers[-1].note or "larger than" in found.papers[-1].note


def test_large_files_and_many_of_them(handed):
    with open(handed.inside / "report.md", "wb") as file:
        file.truncate(40 << 30)  # no blocks on the disk
    with open(handed.inside / "a.png", "wb") as file:
        file.truncate(9 << 20)
    found = handed({f"t{i}.txt": "x" for i in range(60)} | {f"p{i}.png": picture() for i in range(30)} | {"long.txt": "y" * 900_000})
    assert "is larger than the 1 MB" in next(paper.note for paper in found.papers if paper.name == "report.md")
    assert "is larger than the 8 MB" in next(paper.note for paper in found.papers if paper.name == "a.png")
    assert sum(paper.kind == "picture" for paper in found.papers) == room.MOST_PICTURES
    assert sum(paper.kind == "text" for paper in found.papers) == room.MOST_TEXTS
    assert all(len(paper.text) <= room.LONGEST for paper in found.papers if paper.kind == "text")


def test_one_student_may_not_fill_the_memory(handed, monkeypatch):
    monkeypatch.setattr(room, "LARGEST", 1000)
    found = handed({f"t{i}.txt": "x" * 900 for i in range(4)})
    assert [bool(paper.text) for paper in found.papers] == [True, True, False, False]
    assert "there are more than" in found.papers[-1].note


def test_text_that_is_none(handed):
    found = handed({"report.md": b"\x00\x01\x02", "a.txt": "가".encode("utf-16"), "b.txt": b"\xff\xfe\xfd"[1:], "c.txt": "a\r\nb\ud7ff"})
    told = {paper.name: paper.text or paper.note for paper in found.papers}
    assert told == {"report.md": "is no text", "a.txt": "가", "b.txt": "\ufffd\ufffd", "c.txt": "a\nb\ud7ff"}


def png_of(width, height):
    """A PNG that says it is as large as that, in a few bytes."""

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"", "neither a PNG nor a JPEG"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", "neither a PNG nor a JPEG"),
        (b"GIF89a" + bytes(50), "neither a PNG nor a JPEG"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(/etc/passwd) run", "neither a PNG nor a JPEG"),
        (b"\x89PNG\r\n\x1a\n" + bytes(50), "is damaged"),
        (b"\xff\xd8\xff" + bytes(500), "is damaged"),
        (picture()[:60], "is damaged"),
        (png_of(40, 30), "is damaged"),
        (png_of(60_000, 60_000), "3600 million pixels|is damaged"),
        (png_of(8000, 8000), "64 million pixels"),
    ],
    ids=["empty", "svg", "gif", "postscript", "head only", "jpeg head", "cut", "short", "bomb", "large"],
)
def test_pictures_that_are_none(raw, why):
    with pytest.raises(Unreadable, match=why):
        shrunk(raw)


def test_only_pixels_go_on():
    hidden = PngImagePlugin.PngInfo()
    hidden.add_text("Comment", "<script>alert(1)</script>", zip=False)
    for raw in (picture(1600, 800, pnginfo=hidden), picture(1600, 800, "JPEG", comment=b"<script>alert(1)</script>")):
        packed = shrunk(raw + b"<script>alert(2)</script>")
        assert b"script" not in packed
        with Image.open(io.BytesIO(packed)) as again:
            assert (again.format, again.size, again.getpixel((5, 5))) == ("PNG", (1000, 500), (200, 200, 200))
            assert again.info == {}


# --- the page


@pytest.fixture
def marked(handed, tmp_path):
    def lay_out(files, rubric=RUBRIC, scorer=None):
        book = Gradebook(tmp_path / "gradebook.sqlite")
        return desk(SimpleNamespace(name="project", rubrics=(rubric,)), [handed(files, scorer)], book, marker="me")

    return lay_out


def stays_here(reader):
    """As `pages.stays_here`, where pictures of our own server are fetched."""
    policy = next(a["content"] for tag, a in reader.elements if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert policy.endswith("; img-src 'self'")
    sources = [attributes["src"] for tag, attributes in reader.elements if "src" in attributes]
    assert all(source.startswith("/t/1/picture/") for source in sources)
    pages.stays_here(
        SimpleNamespace(tags=reader.tags, elements=[(t, {k: v for k, v in a.items() if k != "src"}) for t, a in reader.elements])
    )
    return sources


def test_each_part_shows_its_section_and_its_pictures(marked):
    laid = marked({"report.md": REPORT, "pr.png": picture(), "other.png": picture()})
    reader = pages.read(student_page(laid, 0, "/t"))
    assert len(stays_here(reader)) == 4  # both in the list, and one that the results and the whole report show
    results = laid.answers["ana"]["results"]
    assert [piece.kind for piece in results] == ["markdown"]
    assert results[0].text.startswith("## Results (결과)")
    assert [laid.papers["ana"][i].name for i in results[0].pictures] == ["pr.png"]
    assert laid.answers["ana"]["whole"][0].text == REPORT.strip() or laid.answers["ana"]["whole"][0].text == REPORT


def test_what_a_machine_noticed_is_no_mark(marked):
    laid = marked({"report.md": REPORT, "submission.csv": "image_id\n"}, scorer=lambda raw, name: f"{name}: {len(raw)} bytes <b>")
    text = pages.read(student_page(laid, 0, "/t")).text
    assert "What a machine noticed (a help, no mark)" in text
    assert "Question 4. Against overfitting: has no answer." in text
    assert "submission.csv: 9 bytes <b>" in text
    assert laid.progress() == (0, len(RUBRIC["parts"]))
    assert laid.book.manual("project") == []


def test_nothing_handed_in_is_said(marked):
    laid = marked({"notes.txt": "a", "b.txt": "b"})
    assert laid.helps["ana", "data"] == ("No report was handed in that can be read.",)
    assert laid.helps["ana", "submission"] == ("No submission.csv was handed in.",)


@pytest.mark.parametrize("payload", [p for p in pages.PAYLOADS if len(p) < 5000], ids=lambda p: ascii(p[:24]))
def test_a_payload_stays_text(marked, payload):
    words = f"# {payload}\n\n## Results\n\n{payload}\n\n![{payload}]({payload})\n\n| {payload} |\n|---|\n| {payload} |\n"
    laid = marked({"report.md": words.encode("utf-8", "replace"), "args.yaml": payload.encode("utf-8", "replace"), "p.png": picture()})
    laid.papers["ana"] = (*laid.papers["ana"], Paper(payload, "text", payload, note=payload), Paper(payload, "picture", picture=b"x"))
    made = student_page(laid, 0, "/t")
    made.encode()
    stays_here(pages.read(made))


def test_pictures_come_from_our_own_server_only_with_the_token(marked):
    laid = marked({"report.md": REPORT, "pr.png": picture()})
    server = MarkingServer(laid)
    import threading

    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:

        def ask(path):
            connection = http.client.HTTPConnection("127.0.0.1", server.server_address[1], timeout=10)
            connection.request("GET", path)
            answer = connection.getresponse()
            body = answer.read()
            connection.close()
            return answer, body

        answer, body = ask(f"{server.home}/1/picture/1")
        assert (answer.status, answer.headers["Content-Type"], answer.headers["X-Content-Type-Options"]) == (200, "image/png", "nosniff")
        assert body == laid.papers["ana"][1].picture
        for path in (
            "/1/picture/0",
            "/1/picture/2",
            "/2/picture/1",
            "/1/picture/-1",
            "/1/picture/../1",
            "/1/picture/",
            "/1/other/1",
            "/1/picture/1/1",
        ):
            assert ask(server.home + path)[0].status == 404, path
        assert ask("/wrong/1/picture/1")[0].status == 403
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


# --- the rubric


def test_the_courses_rubric_asks_for_every_section_once():
    assert [part["report"] for part in RUBRIC["parts"]] == [*TOPICS, "submission", "all"]
    assert RUBRIC["notebook"] == "24"
    assert all(part["levels"][0]["points"] == part["points"] and part["levels"][-1]["points"] == 0 for part in RUBRIC["parts"])


def test_another_section_is_refused():
    with pytest.raises(ValueError, match=r"part 1, report must be one of data, optimiser, .* submission, got 'limit'"):
        checked({"parts": [{"id": "a", "points": 1, "report": "limit"}]})


def test_a_scorer_tells_scores_and_faults(tmp_path):
    from coursekit.cli.mark import _scorer

    made = make_competition(SignCrops(12, seed=0, size=16, classes=["stop", "yield"]), tmp_path / "c", public=0.5, seed=1)
    said = _scorer(tmp_path / "c" / "keep")
    sample = (tmp_path / "c" / "participants" / "sample_submission.csv").read_bytes()
    assert f"on {len(made.public)} pictures; private" in said(sample, "submission.csv")
    assert said(b"nothing", "submission.csv").startswith("Cannot be scored: submission.csv:1: the first line must be image_id,class, got")
