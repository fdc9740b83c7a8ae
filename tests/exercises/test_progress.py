"""The small file that keeps progress, and predictions."""

import json
import multiprocessing
import os
import time

import pytest

from coursekit.exercises import display, progress, questions
from coursekit.exercises.progress import as_table, load, note_attempt, note_help, progress_file, progress_rows
from coursekit.exercises.questions import predict, reveal


def test_nothing_yet():
    assert load() == {"exercises": {}, "predictions": {}}
    assert progress_rows() == []
    assert as_table().row_count == 0


def test_attempts_are_counted_and_a_pass_stays(own_progress):
    note_attempt("13.box_iou", "not attempted")
    note_attempt("13.box_iou", "wrong", "no-clamp")
    note_attempt("13.box_iou", "passed")
    note_attempt("13.box_iou", "error")
    note_help("13.box_iou", hints=2)
    row = progress_rows()[0]
    assert (row["name"], row["state"], row["attempts"], row["hints"], row["last"]) == ("13.box_iou", "passed", 3, 2, "error")
    assert json.loads(own_progress.read_text())["exercises"]["13.box_iou"]["misconceptions"] == {"no-clamp": 1}


def test_a_stub_that_was_run_through_is_no_attempt():
    note_attempt("13.nms", "not attempted")
    assert (progress_rows()[0]["state"], progress_rows()[0]["attempts"]) == ("not attempted", None)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"exercises": 3}', '{"exercises": {"13.nms": 4}}', "\x00\xff", "[" * 5000])
def test_a_damaged_file_is_no_error(own_progress, text):
    own_progress.parent.mkdir(parents=True)
    own_progress.write_text(text)
    assert load() == {"exercises": {}, "predictions": {}}
    note_attempt("13.box_iou", "passed")
    assert [r["name"] for r in progress_rows()] == ["13.box_iou"]


def test_a_damaged_file_is_kept_aside(own_progress):
    own_progress.parent.mkdir(parents=True)
    own_progress.write_text("{ half")
    note_attempt("13.box_iou", "passed")
    assert [p.read_text() for p in own_progress.parent.glob("*damaged*")] == ["{ half"]


def test_where_it_cannot_be_written_learning_goes_on(tmp_path, monkeypatch, capsys):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("COURSEKIT_PROGRESS", str(tmp_path / "file" / "progress.json"))
    monkeypatch.setattr(progress, "_told", False)
    note_attempt("13.box_iou", "passed")
    note_attempt("13.box_iou", "passed")
    assert capsys.readouterr().out.count("Progress cannot be kept in") == 1


def _write(args):
    file, first = args
    os.environ["COURSEKIT_PROGRESS"] = file
    for i in range(10):
        note_attempt(f"13.n{first}_{i}", "passed")


def test_two_notebooks_may_write_at_once(own_progress):
    with multiprocessing.get_context("fork").Pool(3) as pool:
        pool.map(_write, [(str(own_progress), n) for n in range(3)])
    assert len(progress_rows()) == 30
    assert [p.name for p in own_progress.parent.iterdir()] == ["progress.json"]


def test_a_lock_left_by_a_crash_is_taken_over(own_progress):
    own_progress.parent.mkdir(parents=True)
    lock = own_progress.with_suffix(".lock")
    lock.write_text("")
    os.utime(lock, (time.time() - 60, time.time() - 60))
    note_attempt("13.box_iou", "passed")
    assert len(progress_rows()) == 1


@pytest.mark.parametrize("platform", ["linux", "win32"])
def test_the_file_lies_in_the_users_data_folder(monkeypatch, tmp_path, platform):
    monkeypatch.delenv("COURSEKIT_PROGRESS")
    monkeypatch.setattr(progress.sys, "platform", platform)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setenv("APPDATA", str(tmp_path))
    assert progress_file() == tmp_path / "coursekit" / "progress.json"


def test_the_table_names_what_was_done(capsys):
    note_attempt("13.box_iou", "passed")
    note_attempt("13.nms", "wrong")
    progress.progress_table()
    out = capsys.readouterr().out
    assert "✓ passed" in out
    assert "✗ tried" in out
    assert "1 of 2 passed" in out


# predictions


@pytest.fixture(autouse=True)
def no_predictions(monkeypatch):
    monkeypatch.setattr(questions, "_asked", {})
    monkeypatch.setattr(questions, "_chosen", {})


@pytest.mark.parametrize(
    ("choice", "begins"),
    [
        (None, "○ You made no guess. It is: half"),
        (1, "✓ As you predicted: half"),
        (0, "✗ You predicted: all. It is: half"),
    ],
)
def test_a_prediction_is_answered(capsys, choice, begins):
    predict("13.q1", "How much?", ["all", "half"], choice=choice)
    assert "→ Your prediction: How much?" in capsys.readouterr().out
    reveal("13.q1", answer=1, because="Measured 0.5.")
    out = capsys.readouterr().out
    assert out.startswith(begins)
    assert "Measured 0.5." in out


def test_a_prediction_is_kept(capsys):
    predict("13.q1", "How much?", ["all", "half"], choice=1)
    reveal("13.q1", answer=1)
    kept = load()["predictions"]["13.q1"]
    assert (kept["choice"], kept["right"]) == ("half", True)
    assert "predictions: 1 of 1 right" in as_table().caption


def test_reveal_without_its_question_says_so(capsys):
    reveal("13.q9", answer=0, because="Measured.")
    assert "The prediction's cell was not run." in capsys.readouterr().out


def test_with_a_notebook_there_are_buttons(monkeypatch):
    shown = []
    monkeypatch.setattr(display, "in_notebook", lambda: True)
    monkeypatch.setattr("IPython.display.display", shown.append)
    monkeypatch.setattr(display, "show", shown.append)
    predict("13.q1", "How <b>much</b>?", ["all", "half"])
    title, buttons = shown[0].box.children
    assert "&lt;b&gt;" in title.value
    assert buttons.value is None
    buttons.value = 1
    reveal("13.q1", answer=1)
    assert shown[1].title == "As you predicted: half"
    bundle = shown[0]._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert bundle["text/plain"] == "→ Your prediction: How <b>much</b>?\n  0. all\n  1. half"  # where widgets cannot be shown


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: predict("q", "?", ["one"]), "at least two"),
        (lambda: predict("q", "?", ["a", "b"], choice=2), "choice must be 0 to 1"),
        (lambda: (predict("q", "?", ["a", "b"]), reveal("q", 2)), "answer of q must be 0 to 1"),
    ],
)
def test_an_authors_mistake_is_one_sentence(call, words):
    with pytest.raises(ValueError, match=words):
        call()
