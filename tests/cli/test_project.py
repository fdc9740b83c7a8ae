import sys

import pytest
import torch
from typer.testing import CliRunner

from coursekit.cli import app, main
from coursekit.data.image_folder import write_image_folder
from coursekit.data.signs import SignCrops, SignScenes
from coursekit.detections import Detections
from coursekit.project.competition import Competition, make_competition
from coursekit.project.folder import check_project, read_sample, start_project
from coursekit.project.steps import STEPS, save_step
from coursekit.project.submission import write_submission


def run(*arguments):
    return CliRunner().invoke(app, ["project", *map(str, arguments)])


def said_by_main(monkeypatch, capsys, *arguments):
    """What stands on stderr, with exit code 2."""
    monkeypatch.setattr(sys, "argv", ["coursekit", "project", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert "Traceback" not in error
    return error


@pytest.fixture(scope="module")
def competition(tmp_path_factory):
    out = tmp_path_factory.mktemp("competition") / "c"
    make_competition(SignScenes(16, seed=0, size=64, classes=("stop", "yield")), out, public=0.5, seed=2)
    return out


def test_start_lays_out_a_project_and_never_writes_over(tmp_path):
    folder = tmp_path / "mine"
    result = run("start", folder, "--kind", "classification")
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in folder.iterdir()) == ["README.md", "report.md", "steps"]
    assert "confusion matrix" in (folder / "report.md").read_text(encoding="utf-8")
    (folder / "report.md").write_text("mine")
    (folder / "README.md").unlink()
    assert "kept" in run("start", folder).output
    assert (folder / "report.md").read_text() == "mine"
    assert (folder / "README.md").is_file()


def test_start_fills_in_the_steps_that_are_there(tmp_path):
    save_step("ap_report", {"AP": 0.4321}, tmp_path)
    start_project(tmp_path)
    assert "| AP | 0.4321 |" in (tmp_path / "report.md").read_text(encoding="utf-8")


def test_a_link_in_place_of_a_file_is_not_written_through(tmp_path):
    folder, elsewhere = tmp_path / "mine", tmp_path / "elsewhere.md"
    folder.mkdir()
    (folder / "report.md").symlink_to(elsewhere)
    assert start_project(folder)["report.md"] == "kept"
    assert not elsewhere.exists()


def test_check_lists_what_is_missing(tmp_path, monkeypatch, capsys):
    assert run("check", tmp_path).exit_code == 1
    start_project(tmp_path)
    save_step("data_card", {"pictures": 3}, tmp_path)
    result = run("check", tmp_path)
    assert result.exit_code == 1
    assert "✓ step       data_card (begun in 04_data)" in result.output
    assert "○ step       ap_report (begun in 20_map)" in result.output
    assert "Question 4. Against overfitting: has no answer." in result.output
    assert "must be the folder of a project" in said_by_main(monkeypatch, capsys, "check", tmp_path / "none")


def test_check_is_content_in_the_end(tmp_path, competition, monkeypatch):
    for name in STEPS:
        save_step(name, {"done": True}, tmp_path)
    (tmp_path / "report.md").write_text("whatever it says")
    monkeypatch.setattr("coursekit.project.folder.report_gaps", lambda text, kind: [])
    sample = competition / "participants"
    (tmp_path / "submission.csv").write_bytes((sample / "sample_submission.csv").read_bytes())
    result = run("check", tmp_path, "--sample", sample)
    assert result.exit_code == 0, result.output
    assert "can be scored" in result.output
    assert "Nothing is missing that a machine can see." in result.output


def test_check_looks_into_the_submission(tmp_path, competition):
    sample = competition / "participants" / "sample_submission.csv"
    kind, sizes, classes = read_sample(sample)
    assert (kind, set(sizes.values()), classes) == ("detection", {(64, 64)}, ("stop", "yield"))

    def finding():
        return next(finding for finding in check_project(tmp_path, sample) if finding.about == "submission")

    assert "submission.csv is missing" in finding().text
    found = dict.fromkeys(sizes, Detections.empty())
    found[next(iter(sizes))] = Detections(torch.tensor([[70.0, 0.0, 90.0, 9.0]]), torch.tensor([0.5]), torch.tensor([1]))
    write_submission(tmp_path / "submission.csv", found, classes)
    assert "outside its picture of 64 x 64" in finding().text
    assert not finding().done


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (None, "is missing; `coursekit project start` lays it out"),
        (b"\xff\xfea", "must be text in UTF-8"),
        (b" " * 1_000_001, "more than 1 MB"),
    ],
    ids=["none", "bytes", "large"],
)
def test_a_report_that_cannot_be_read_is_a_finding(tmp_path, content, text):
    if content is not None:
        (tmp_path / "report.md").write_bytes(content)
    (report,) = [finding for finding in check_project(tmp_path) if finding.about == "report"]
    assert text in report.text
    assert not report.done


def test_a_sample_that_is_none(tmp_path):
    with pytest.raises(ValueError, match=r"sample must be a competition's sample_submission\.csv"):
        read_sample(tmp_path)
    (tmp_path / "classes.txt").write_text("stop\n")
    for text in ("", "a,b\n"):
        (tmp_path / "sample_submission.csv").write_text(text)
        with pytest.raises(ValueError, match=r"csv:1: the first line must be"):
            read_sample(tmp_path)
    (tmp_path / "sample_submission.csv").write_text("image_id,class\n../../etc/passwd,stop\n\n")
    assert read_sample(tmp_path) == ("classification", {"../../etc/passwd": None}, ("stop",))


def test_a_competition_from_a_folder_to_the_final_board(tmp_path, monkeypatch, capsys):
    samples = SignCrops(20, seed=0, size=16, classes=["stop", "yield"])
    write_image_folder([samples[i] for i in range(20)], samples.classes, tmp_path / "data")
    made = run("compete", "make", tmp_path / "data", "--out", tmp_path / "c", "--public", 0.5, "--metric", "accuracy", "--seed", 1)
    assert made.exit_code == 0, made.output
    assert "20 pictures, 2 classes, classification, scored by accuracy." in made.output
    keep, sample = tmp_path / "c" / "keep", tmp_path / "c" / "participants" / "sample_submission.csv"
    assert "Nothing was handed in yet." in run("compete", "board", keep).output
    scored = run("compete", "score", keep, sample, "--name", "Ana [bold]")
    assert "name must begin with" in str(scored.exception)
    scored = run("compete", "score", keep, sample, "--name", "Ana")
    assert f"on {len(Competition.read(keep).public)} pictures" in scored.output
    assert "private" not in scored.output
    assert "private" not in run("compete", "board", keep).output
    final = run("compete", "board", keep, "--final")
    assert "private" in final.output
    assert "Ana" in final.output
    (tmp_path / "bad.csv").write_text("image_id,class\nx,stop\n")
    error = said_by_main(monkeypatch, capsys, "compete", "score", keep, tmp_path / "bad.csv", "--name", "Ben")
    assert "bad.csv:2: column image_id must be a picture that was handed out, got 'x'" in error
    assert "holds a competition already" in said_by_main(monkeypatch, capsys, "compete", "make", tmp_path / "data", "--out", tmp_path / "c")
