"""What came back from a class, in every layout that people have, and in every one that somebody makes to harm."""

import io
import json
import os
import stat
import struct
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coursekit.grading import handed_in
from coursekit.grading.assignment import Assignment, Kit, Task, source_hash
from coursekit.grading.intake import Intake, Submission, submissions_in
from coursekit.grading.names import natural, safe_name

KIT = Kit((), {}, (), (), "f", None, None, (), False, (), ())
STUB = "def {0}(a):\n    raise NotImplementedError\n\n\n{0} = check('{1}.{0}', {0})"
STUBS = {name: STUB.format(name[3:], name[:2]) for name in ("13.box_iou", "13.nms", "20.rank")}


def task(name, notebook):
    kit = Kit((), {}, (), (), name[3:], None, None, (), False, (), ())
    return Task(name, 1.0, notebook, "", None, kit, "")


ASSIGNMENT = Assignment(
    "hw",
    "course",
    b"secret",
    (task("13.box_iou", "13_boxes"), task("13.nms", "13_boxes"), task("20.rank", "20_map")),
    (),
    {"13_boxes": tuple(source_hash(STUBS[n]) for n in ("13.box_iou", "13.nms")), "20_map": (source_hash(STUBS["20.rank"]),)},
    {},
)


def notebook(*sources, pad=""):
    cells = [{"cell_type": "code", "metadata": {}, "source": source, "outputs": []} for source in sources]
    return json.dumps({"cells": cells, "metadata": {"pad": pad}, "nbformat": 4, "nbformat_minor": 5}).encode()


def answer(name, value="a"):
    return f"def {name[3:]}(a):\n    return {value}"


BOXES, MAP = notebook(answer("13.box_iou"), answer("13.nms")), notebook(answer("20.rank"))


def lay(folder, files):
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def zipped(files, method=zipfile.ZIP_DEFLATED, when=(2026, 3, 1, 18, 0, 0)):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name, when), content, method)
    return out.getvalue()


def read(path, **options):
    return {s.student: s for s in submissions_in(path, ASSIGNMENT, **options)}


def held(submission):
    """Which exercises it answers, by notebook."""
    return {stem: [c.exercise for c in cells if c.exercise] for stem, cells in submission.notebooks.items()}


BOTH = {"13_boxes": ["13.box_iou", "13.nms"], "20_map": ["20.rank"]}
FIRST = {"13_boxes": ["13.box_iou", "13.nms"]}

LAYOUTS = {
    "folders": ({"alice/13_boxes.ipynb": BOXES, "alice/20_map.ipynb": MAP, "bob/13_boxes.ipynb": BOXES}, {"alice": BOTH, "bob": FIRST}),
    "deeper": ({"alice/hw/deep/13_boxes.ipynb": BOXES, "alice/20_map.ipynb": MAP, "bob/x.ipynb": BOXES}, {"alice": BOTH, "bob": FIRST}),
    "flat": ({"alice--13_boxes.ipynb": BOXES, "alice--20_map.ipynb": MAP, "bob--13_boxes.ipynb": BOXES}, {"alice": BOTH, "bob": FIRST}),
    "underscore": ({"alice_13_boxes.ipynb": BOXES, "alice_20_map.ipynb": MAP, "bob-13_boxes.ipynb": BOXES}, {"alice": BOTH, "bob": FIRST}),
    "names only": ({"alice.ipynb": BOXES, "bob.ipynb": BOXES}, {"alice": FIRST, "bob": FIRST}),
    "canvas": (
        {"kimdana_12345_67890_13_boxes.ipynb": BOXES, "kimdana_12345_67891_20_map-2.ipynb": MAP, "lee_LATE_222_333_13_boxes.ipynb": BOXES},
        {"kimdana_12345": BOTH, "lee_222": FIRST},
    ),
    "moodle": (
        {"Dana Kim_1234_assignsubmission_file_/13_boxes.ipynb": BOXES, "Dana Kim_99_assignsubmission_file_/a.ipynb": BOXES},
        {"Dana Kim_1234": FIRST, "Dana Kim_99": FIRST},
    ),
    "moodle flat": (
        {"Dana Kim_1234_assignsubmission_file_13_boxes.ipynb": BOXES, "Dana Kim_1234_assignsubmission_file_20_map.ipynb": MAP},
        {"Dana Kim_1234": BOTH},
    ),
    "zips": (
        {"alice.zip": zipped({"hw/13_boxes.ipynb": BOXES}), "bob.zip": zipped({"13_boxes.ipynb": BOXES})},
        {"alice": FIRST, "bob": FIRST},
    ),
    "a zip in a folder": (
        {"alice/hw.zip": zipped({"13_boxes.ipynb": BOXES, "20_map.ipynb": MAP}), "bob/13_boxes.ipynb": BOXES},
        {"alice": BOTH, "bob": FIRST},
    ),
    "mac": ({"alice/13_boxes.ipynb": BOXES, "__MACOSX/alice/._13_boxes.ipynb": b"x", "alice/.DS_Store": b"x"}, {"alice": FIRST}),
    "checkpoints": ({"alice/13_boxes.ipynb": BOXES, "alice/.ipynb_checkpoints/13_boxes-checkpoint.ipynb": MAP}, {"alice": FIRST}),
    "renamed": (
        {"alice/my homework FINAL(2).ipynb": BOXES, "alice/Untitled.ipynb.txt": MAP, "bob/x.ipynb": BOXES},
        {"alice": BOTH, "bob": FIRST},
    ),
    "one script": ({"alice/13_boxes.py": b"# %%\ndef box_iou(a):\n    return a\n# %%\ndef nms(a):\n    return a\n"}, {"alice": FIRST}),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("packed", [False, True], ids=["folder", "zip"])
def test_every_layout_gives_the_students_and_their_notebooks(tmp_path, layout, packed):
    files, expected = LAYOUTS[layout]
    if packed:
        path = tmp_path / "class.zip"
        path.write_bytes(zipped(files))
    else:
        path = lay(tmp_path / "class", files)
    got = read(path)
    assert {name: held(s) for name, s in got.items()} == expected
    assert all(s.problem is None for s in got.values())


def test_a_folder_around_a_class_is_left_out_only_of_what_the_teacher_names(tmp_path):
    class_of_two = {"alice/13_boxes.ipynb": BOXES, "bob/13_boxes.ipynb": BOXES}
    around = {f"all/{name}": raw for name, raw in class_of_two.items()}
    (tmp_path / "class.zip").write_bytes(zipped(around))
    assert set(read(tmp_path / "class.zip")) == {"alice", "bob"}
    lay(tmp_path / "one", around)
    with pytest.raises(
        ValueError, match="holds one folder, all, with several submissions in it: if they are the class's, give the folder all"
    ):
        read(tmp_path / "one")
    assert set(read(tmp_path / "one" / "all")) == {"alice", "bob"}


def test_the_only_student_does_not_hand_in_for_others(tmp_path):
    lay(tmp_path, {"eve.zip": zipped({"alice/13_boxes.ipynb": BOXES, "bob/13_boxes.ipynb": BOXES})})
    assert set(read(tmp_path)) == {"eve"}


def test_a_folder_of_one_students_notebooks_is_that_student(tmp_path):
    assert {n: held(s) for n, s in read(lay(tmp_path / "alice", {"13_boxes.ipynb": BOXES, "20_map.ipynb": MAP})).items()} == {"alice": BOTH}


def test_a_notebook_that_lies_beside_the_students_is_nobodys(tmp_path):
    intake = Intake(lay(tmp_path, {"13_boxes.ipynb": BOXES, "alice/13_boxes.ipynb": BOXES, "bob.ipynb": BOXES}), ASSIGNMENT)
    assert (list(intake.owners), intake.ignored) == (["alice", "bob"], ["13_boxes.ipynb"])


def test_one_notebook_alone(tmp_path):
    lay(tmp_path, {"alice.ipynb": BOXES, "bob.ipynb": BOXES})
    assert list(read(tmp_path / "alice.ipynb")) == ["alice"]


def test_a_submission_survives_json(tmp_path):
    for submission in read(lay(tmp_path, LAYOUTS["folders"][0])).values():
        assert Submission.from_json(json.loads(json.dumps(submission.to_json()))) == submission


# files that are odd

PROBLEMS = {
    "empty folder": ({}, "Nothing was handed in: the folder is empty."),
    "a pdf": ({"report.pdf": b"%PDF"}, "There is no notebook among what was handed in: report.pdf."),
    "empty file": ({"13_boxes.ipynb": b""}, "13_boxes.ipynb is empty."),
    "half a file": ({"13_boxes.ipynb": BOXES[:-20]}, "13_boxes.ipynb is damaged in line 1: it is no JSON, which a notebook is."),
    "deep": ({"13_boxes.ipynb": b"[" * 99_999}, "13_boxes.ipynb is nested deeper than any notebook is."),
    "another notebook": ({"13_boxes_2.ipynb": notebook("x = 1"), "y.ipynb": notebook("y")}, None),
    "unknown": ({"y.ipynb": notebook("y = 1")}, "y.ipynb holds no exercise of this assignment."),
    "broken zip": ({"hw.zip": b"PK\x03\x04 and then nothing"}, "hw.zip is no zip that can be read (BadZipFile)."),
    "zip in zip": (
        {"a.zip": zipped({"b.zip": zipped({"13_boxes.ipynb": BOXES})})},
        "b.zip is a zip inside a zip, which is not opened.",
    ),
}


@pytest.mark.parametrize("which", PROBLEMS)
def test_what_cannot_be_graded_says_why_in_one_sentence(tmp_path, which):
    files, sentence = PROBLEMS[which]
    (tmp_path / "class" / "alice").mkdir(parents=True)
    lay(tmp_path / "class" / "alice", files)
    lay(tmp_path / "class", {"bob/13_boxes.ipynb": BOXES})
    got = read(tmp_path / "class")
    assert got["alice"].problem == sentence
    assert held(got["bob"]) == FIRST


def test_one_damaged_notebook_does_not_take_the_other_with_it(tmp_path):
    alice = read(lay(tmp_path, {"alice/13_boxes.ipynb": BOXES, "alice/20_map.ipynb": b"{", "bob/20_map.ipynb": MAP}))["alice"]
    assert (held(alice), alice.problem) == (FIRST, None)
    assert alice.notes == ("20_map.ipynb is damaged in line 1: it is no JSON, which a notebook is",)


@pytest.fixture
def secret_file(tmp_path):
    path = tmp_path / "solutions.ipynb"
    path.write_bytes(notebook(answer("13.box_iou", "'the answer'")))
    return path


@pytest.mark.parametrize("how", ["file", "folder", "student", "pipe"])
def test_links_and_pipes_are_not_followed(tmp_path, secret_file, how):
    folder = lay(tmp_path / "class", {"bob/13_boxes.ipynb": BOXES, "carol/13_boxes.ipynb": BOXES})
    alice = folder / "alice"
    if how == "student":
        alice.symlink_to(secret_file.parent)
    else:
        alice.mkdir()
        {"file": lambda p: p.symlink_to(secret_file), "folder": lambda p: p.symlink_to(secret_file.parent), "pipe": os.mkfifo}[how](
            alice / "13_boxes.ipynb"
        )
    got = read(folder)
    assert got["alice"].notebooks == {}
    assert (
        got["alice"].problem
        == {
            "file": "13_boxes.ipynb is a link to another place, which is not followed.",
            "folder": "13_boxes.ipynb is a link to another place, which is not followed.",
            "student": "alice is a link to another place, which is not followed.",
            "pipe": "13_boxes.ipynb is a pipe, socket or device and no file.",
        }[how]
    )
    assert held(got["bob"]) == held(got["carol"]) == FIRST


def test_a_file_that_becomes_a_link_after_it_was_listed_is_not_followed(tmp_path, secret_file):
    folder = lay(tmp_path / "class", {"alice/13_boxes.ipynb": BOXES})
    (node,) = [n for _, n in handed_in.files_below([handed_in.tree_at(folder)], 10)]
    (folder / "alice" / "13_boxes.ipynb").unlink()
    (folder / "alice" / "13_boxes.ipynb").symlink_to(secret_file)
    with pytest.raises(handed_in.Unreadable, match="cannot be opened"):
        node.read(1000)
    (folder / "alice").rename(folder / "elsewhere")
    (folder / "alice").symlink_to(secret_file.parent)
    with pytest.raises(handed_in.Unreadable, match="cannot be opened"):
        node.read(1000)


def test_a_link_in_a_zip_is_no_file(tmp_path):
    link = zipfile.ZipInfo("13_boxes.ipynb")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(link, "/etc/passwd")
    got = read(lay(tmp_path, {"alice/a.zip": out.getvalue(), "bob/13_boxes.ipynb": BOXES}))
    assert got["alice"].problem == "13_boxes.ipynb is a link or device inside a zip and no file."


def test_names_that_climb_stay_names(tmp_path):
    evil = {"../../../bob/13_boxes.ipynb": BOXES, "/etc/cron.d/20_map.ipynb": MAP, "..\\..\\x.ipynb": MAP}
    before = sorted(tmp_path.parent.rglob("*"))
    got = read(lay(tmp_path, {"alice/a.zip": zipped(evil), "bob/20_map.ipynb": MAP}))
    assert held(got["bob"]) == {"20_map": ["20.rank"]}
    assert held(got["alice"]) == BOTH
    made = {p.name for p in set(tmp_path.parent.rglob("*")) - set(before)}
    assert made == {"alice", "bob", "a.zip", "20_map.ipynb"}


def test_a_bomb_is_not_unpacked(tmp_path):
    got = read(lay(tmp_path, {"alice/a.zip": zipped({"13_boxes.ipynb": b" " * 300_000_000}), "bob/13_boxes.ipynb": BOXES}))
    assert got["alice"].problem == "13_boxes.ipynb packs smaller than any notebook can: it may be a bomb, and is not unpacked."


def test_a_bomb_that_lies_about_its_size_is_stopped_while_it_unpacks(tmp_path, monkeypatch):
    monkeypatch.setattr("coursekit.grading.submission.LARGEST_FILE", 2 * handed_in.MEGABYTE)
    raw = bytearray(zipped({"13_boxes.ipynb": b" " * 40_000_000}))
    at = raw.rindex(b"PK\x01\x02")
    raw[at + 24 : at + 28] = struct.pack("<I", 30_000_000)  # uncompressed size in the table of contents
    raw[at + 20 : at + 24] = struct.pack("<I", 20_000_000)
    got = read(lay(tmp_path, {"alice/a.zip": bytes(raw), "bob/13_boxes.ipynb": BOXES}))
    assert got["alice"].problem
    assert got["alice"].notebooks == {}


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_what_cannot_be_unpacked_piece_by_piece_is_not_unpacked(tmp_path, method):
    got = read(lay(tmp_path, {"alice/a.zip": zipped({"13_boxes.ipynb": b" " * 1000}, method), "bob/13_boxes.ipynb": BOXES}))
    assert "packed in a way that is not read" in got["alice"].problem


def test_a_table_of_contents_without_end_is_refused(tmp_path):
    many = io.BytesIO()
    with zipfile.ZipFile(many, "w") as archive:
        for i in range(40_000):
            archive.writestr(zipfile.ZipInfo(f"{i:05d}.txt"), b"")
    got = read(lay(tmp_path, {"alice/a.zip": many.getvalue(), "bob/13_boxes.ipynb": BOXES}))
    assert got["alice"].problem == "a.zip is a zip with far too long a table of contents."


def test_large_files_are_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr("coursekit.grading.submission.LARGEST_FILE", handed_in.MEGABYTE)
    big = notebook(answer("13.nms"), pad="x" * handed_in.MEGABYTE)
    got = read(lay(tmp_path, {"alice/13_boxes.ipynb": big, "bob/13_boxes.ipynb": BOXES}))
    assert got["alice"].problem == "13_boxes.ipynb is larger than the 1 MB that are read; saved without outputs it is small."


def test_a_zip_with_a_password_says_so(tmp_path):
    raw = bytearray(zipped({"13_boxes.ipynb": BOXES}))
    raw[raw.rindex(b"PK\x01\x02") + 8] |= 1
    got = read(lay(tmp_path, {"alice/a.zip": bytes(raw), "bob/13_boxes.ipynb": BOXES}))
    assert got["alice"].problem == "13_boxes.ipynb needs a password."


@given(st.data())
def test_a_zip_with_any_byte_changed_gives_a_submission(tmp_path_factory, data):
    raw = bytearray(zipped({"13_boxes.ipynb": BOXES, "d/20_map.ipynb": MAP}))
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    folder = tmp_path_factory.mktemp("flip")
    got = read(lay(folder, {"alice/a.zip": bytes(raw), "bob/13_boxes.ipynb": BOXES}))
    assert set(got) == {"alice", "bob"}
    assert got["alice"].problem or got["alice"].notebooks


# which file counts


def test_the_newest_of_two_files_counts(tmp_path):
    files = {"alice/13_boxes.ipynb": BOXES, "alice/13_boxes-Copy1.ipynb": notebook(answer("13.nms", "'new'"), answer("13.box_iou"))}
    folder = lay(tmp_path, files)
    os.utime(folder / "alice/13_boxes.ipynb", (1_000_000, 1_000_000))
    os.utime(folder / "alice/13_boxes-Copy1.ipynb", (2_000_000, 2_000_000))
    alice = read(folder)["alice"]
    assert "'new'" in alice.notebooks["13_boxes"][0].source
    assert alice.notes == ("2 files hold 13_boxes: 13_boxes-Copy1.ipynb, the newest, counts, and not 13_boxes.ipynb",)
    os.utime(folder / "alice/13_boxes.ipynb", (3_000_000, 3_000_000))
    again = read(folder)["alice"]
    assert "'new'" not in again.notebooks["13_boxes"][0].source
    assert again.sha256 == alice.sha256  # the same bytes


def test_an_untouched_original_beside_the_answers_does_not_count(tmp_path):
    folder = lay(tmp_path, {"alice/a.ipynb": BOXES, "alice/b.ipynb": notebook(STUBS["13.box_iou"], STUBS["13.nms"]), "bob/a.ipynb": BOXES})
    os.utime(folder / "alice/a.ipynb", (1_000_000, 1_000_000))
    assert "return a" in read(folder)["alice"].notebooks["13_boxes"][0].source


def test_a_notebook_cut_in_two_files_is_read_as_one(tmp_path):
    alice = read(
        lay(tmp_path, {"alice/p1.ipynb": notebook(answer("13.box_iou")), "alice/p2.ipynb": notebook(answer("13.nms")), "b/x.ipynb": BOXES})
    )
    assert held(alice["alice"]) == FIRST
    assert alice["alice"].notes == ("13_boxes was handed in as 2 files, read one after the other",)


def test_two_notebooks_in_one_file(tmp_path):
    both = notebook(answer("13.box_iou"), answer("13.nms"), answer("20.rank"))
    assert held(read(lay(tmp_path, {"alice/x.ipynb": both, "bob/x.ipynb": BOXES}))["alice"]) == BOTH


def test_a_name_that_two_notebooks_ask_for_counts_where_the_rest_of_the_file_belongs(tmp_path):
    tasks = (task("16.cell_of", "16_grid"), task("16.decode", "16_grid"), task("19.decode", "19_yolo"), task("19.assign", "19_yolo"))
    assignment = Assignment("hw", "course", b"secret", tasks, (), {"16_grid": (), "19_yolo": ()}, {})
    grid, yolo = notebook(answer("16.cell_of"), answer("16.decode", "16")), notebook(answer("19.decode", "19"), answer("19.assign"))
    lay(tmp_path, {"alice/a.ipynb": grid, "alice/b.ipynb": yolo, "bob/19_yolo.ipynb": notebook(answer("19.decode"))})
    alice, bob = submissions_in(tmp_path, assignment)
    assert held(alice) == {"16_grid": ["16.cell_of", "16.decode"], "19_yolo": ["19.decode", "19.assign"]}
    assert "return 19" in alice.notebooks["19_yolo"][0].source
    assert alice.notes == ()
    assert held(bob) == {"19_yolo": ["19.decode"]}


def test_a_module_beside_the_notebook_is_noted(tmp_path):
    alice = read(lay(tmp_path, {"alice/13_boxes.ipynb": BOXES, "alice/helpers.py": b"x = 1", "bob/13_boxes.ipynb": BOXES}))["alice"]
    assert alice.notes == ("helpers.py lies beside the notebook, which cannot import it here",)


def test_the_hash_is_of_the_bytes_alone(tmp_path):
    one = read(lay(tmp_path / "1", {"alice/13_boxes.ipynb": BOXES, "alice/20_map.ipynb": MAP, "z/q.ipynb": BOXES}))["alice"]
    other = read(lay(tmp_path / "2", {"alice.zip": zipped({"x/b.ipynb": MAP, "a.ipynb": BOXES}), "z.zip": zipped({"x.ipynb": BOXES})}))[
        "alice"
    ]
    changed = read(lay(tmp_path / "3", {"alice/13_boxes.ipynb": BOXES, "alice/20_map.ipynb": MAP + b" ", "z/q.ipynb": BOXES}))["alice"]
    assert one.sha256 == other.sha256 != changed.sha256


# names

ODD = {
    "김하늘": "김하늘",
    "María José": "María José",
    "O'Brien": "O'Brien",
    "a\nb": "a_b~",
    "a\u202ecod.exe": "a_cod.exe~",
    "CON": "_CON~",
    "lpt1.x": "_lpt1.x~",
    "<script>": "_script_~",
    "-rf": "_rf~",
    "x" * 300: "x" * 91 + "~",
    "a\udce9": "a_~",
    "Ａ:b": "Ａ_b~",
    "end.": "end~",
}


@pytest.mark.parametrize("raw", ODD)
def test_names_are_made_safe(raw):
    assert safe_name(raw).startswith(ODD[raw])
    assert (safe_name(raw) == raw) == ("~" not in ODD[raw])


@given(st.text(st.characters(), min_size=1, max_size=60), st.text(st.characters(), min_size=1, max_size=60))
def test_two_names_never_fall_together(one, other):
    for name in (one, other):
        safe = safe_name(name)
        assert safe.encode()
        assert len(safe.encode()) <= 100
        assert "/" not in safe
        assert safe_name(safe) == safe
        assert not safe.startswith((".", "-"))
    import unicodedata

    if unicodedata.normalize("NFC", one) != unicodedata.normalize("NFC", other):
        assert safe_name(one) != safe_name(other)


def test_one_name_written_in_two_ways_stays_two_students(tmp_path):
    got = read(lay(tmp_path, {"Jose\u0301/x.ipynb": BOXES, "Jos\u00e9/x.ipynb": MAP}))
    assert [name.partition("~")[0] for name in got] == ["José", "José"]
    assert held(got["José"]) == {"20_map": ["20.rank"]}


def test_numbers_sort_as_numbers():
    assert sorted(["b-10", "b-2", "b", "b-" + "9" * 30], key=natural)[:3] == ["b", "b-2", "b-10"]


# when


def test_the_time_of_handing_in(tmp_path, monkeypatch):
    monkeypatch.setenv("TZ", "UTC")
    import time

    time.tzset()
    folder = lay(tmp_path / "class", {"alice/13_boxes.ipynb": BOXES, "kim_123_456_x.ipynb": BOXES})
    os.utime(folder / "alice/13_boxes.ipynb", (1_000_000_000, 1_000_000_000))
    assert read(folder)["alice"].submitted is None
    times = {"alice": "2026-03-01T18:00+01:00", "123": "2026-03-02T00:00:00Z"}
    assert read(folder, mtime=True)["alice"].submitted == "2001-09-09T01:46:40+00:00"
    assert read(folder, times=times)["alice"].submitted == "2026-03-01T17:00:00+00:00"
    assert read(folder, times=times)["kim_123"].submitted == "2026-03-02T00:00:00+00:00"
    (tmp_path / "class.zip").write_bytes(zipped({"alice/13_boxes.ipynb": BOXES, "bob/13_boxes.ipynb": BOXES}))
    assert read(tmp_path / "class.zip")["alice"].submitted == "2026-03-01T18:00:00+00:00"
    (tmp_path / "old.zip").write_bytes(zipped({"alice/13_boxes.ipynb": BOXES, "bob/x.ipynb": BOXES}, when=(1980, 1, 1, 0, 0, 0)))
    assert read(tmp_path / "old.zip")["alice"].submitted is None


def test_canvas_marks_what_is_late(tmp_path):
    (late,) = read(lay(tmp_path, {"lee_LATE_222_333_13_boxes.ipynb": BOXES})).values()
    assert late.notes == ("handed in late, says the learning platform",)


# what a teacher gets wrong


def test_wrong_places_are_sentences(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no folder or zip"):
        Intake(tmp_path / "nothing", ASSIGNMENT)
    with pytest.raises(ValueError, match=r"there is no submission in .*: expected folders or zips of students"):
        Intake(tmp_path, ASSIGNMENT)
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(ValueError, match=r"it holds notes\.txt"):
        Intake(tmp_path, ASSIGNMENT)
    (tmp_path / "a.zip").write_bytes(b"PK\x03\x04")
    with pytest.raises(ValueError, match=r"a\.zip is damaged"):
        Intake(tmp_path / "a.zip", ASSIGNMENT)
    with pytest.raises(ValueError, match="neither"):
        Intake(Path("/dev/null"), ASSIGNMENT)
    (tmp_path / "hw" / "grader").mkdir(parents=True)
    (tmp_path / "hw" / "grader" / "assignment.json").write_text("{}")
    for folder in ("hw", "hw/grader"):
        with pytest.raises(ValueError, match="is the assignment itself"):
            Intake(tmp_path / folder, ASSIGNMENT)


def test_what_is_no_submission_is_named(tmp_path):
    intake = Intake(lay(tmp_path, {"alice/x.ipynb": BOXES, "grades.csv": b"x", "readme.txt": b"x"}), ASSIGNMENT)
    assert (list(intake.owners), intake.ignored) == (["alice"], ["grades.csv", "readme.txt"])
