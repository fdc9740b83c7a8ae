"""`coursekit train`, `val` and `predict` on a folder so small that all of it takes seconds."""

import json

import pytest
from typer.testing import CliRunner

from coursekit.cli import app


def coursekit(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    from coursekit.data.signs import write_signs

    path = tmp_path_factory.mktemp("data") / "signs voc"
    for seed, (split, length) in enumerate([("train", 4), ("val", 2)]):
        write_signs(path, length, seed=seed, format="voc", split=split, size=64)
    return path


@pytest.fixture(scope="module")
def project(folder, tmp_path_factory):
    """A project with one finished run."""
    path = tmp_path_factory.mktemp("runs") / "detect"
    options = ["--imgsz", 64, "--epochs", 1, "--batch", 2, "--device", "cpu", "--precision", "float32", "--threads", 1]
    result = coursekit("train", "--data", folder, *options, "--project", path)
    assert result.exit_code == 0, result.output
    assert "imgsz=64" in result.output  # every resolved setting is said
    assert "epoch   1" in result.output
    return path


def test_a_run_folder_holds_what_people_look_for(project):
    names = {path.relative_to(project / "train").as_posix() for path in (project / "train").rglob("*") if path.is_file()}
    assert names >= {"args.yaml", "results.csv", "results.png", "curves.json", "weights/best.pt", "weights/last.pt", "checkpoint.pt"}
    assert names >= {
        "pr_curve.png",
        "p_curve.png",
        "r_curve.png",
        "f1_curve.png",
        "errors.png",
        "confusion_matrix.png",
        "train_batch0.jpg",
        "val_batch0_labels.jpg",
        "val_batch0_pred.jpg",
    }


def test_val_writes_the_twelve_numbers(project, tmp_path):
    result = coursekit("val", "--project", project, "--split", "val", "--interval", "--voc", "--json", tmp_path / "new" / "val.json")
    assert result.exit_code == 0, result.output
    numbers = json.loads((tmp_path / "new" / "val.json").read_text())
    twelve = {"AP", "AP50", "AP75", "APs", "APm", "APl", "AR1", "AR10", "AR100", "ARs", "ARm", "ARl"}
    assert set(numbers) == twelve | {"weights", "split", "images", "errors", "intervals", "voc"}
    assert set(numbers["errors"]) == {"classification", "localisation", "both", "duplicate", "background", "missed"}
    assert {"AP", "AP50", "AP75"} <= set(numbers["intervals"])
    assert "1000 draws of 2 images" in result.output
    assert set(numbers["voc"]) == {"voc2007", "voc2010"}
    assert (numbers["split"], numbers["images"]) == ("val", 2)
    assert all(-1 <= numbers[name] <= 1 for name in twelve)


def test_predict_writes_pictures_and_json(project, folder, tmp_path):
    from PIL import Image

    pictures = sorted((folder / "JPEGImages").iterdir())
    Image.open(pictures[0]).save(tmp_path / "one.png")
    Image.open(pictures[1]).convert("L").save(tmp_path / "one.jpg")  # the same stem, and grey
    (tmp_path / "notes.txt").write_text("no picture")
    result = coursekit("predict", tmp_path, "--project", project, "--conf", 0.0, "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    rows = json.loads((tmp_path / "out" / "predictions.json").read_text())
    assert [row["file"].rsplit("/", 1)[-1] for row in rows] == ["one.jpg", "one.png"]
    assert (rows[0]["width"], rows[0]["height"]) == (64, 64)
    assert set(rows[1]["detections"][0]) == {"label", "score", "box"}
    assert len(list((tmp_path / "out").glob("*.jpg"))) == 2
    with Image.open(tmp_path / "out" / "one.jpg") as drawn:
        assert drawn.size == (64, 64)


def test_resume_goes_on_and_refuses_contradictions(project, monkeypatch):
    result = coursekit("train", "--resume", "--project", project, "--epochs", 5)
    assert "--epochs 5 contradicts" in str(result.exception)
    result = coursekit("train", "--resume", "--project", project, "--epochs", 1)
    assert result.exit_code == 0, result.output


def test_ctrl_c_leaves_a_run_that_can_be_resumed(folder, tmp_path, monkeypatch):
    from coursekit.training.progress import Progress

    steps = []

    def interrupt(self):
        steps.append(1)
        if len(steps) == 3:  # the first step of the second epoch is done
            raise KeyboardInterrupt

    monkeypatch.setattr(Progress, "step", interrupt)
    options = [
        "--imgsz",
        64,
        "--epochs",
        2,
        "--batch",
        2,
        "--precision",
        "float32",
        "--threads",
        1,
        "--val-split",
        "none",
        "--project",
        tmp_path,
    ]
    result = coursekit("train", "--data", folder, *options, "--device", "cpu")
    assert result.exit_code == 130
    assert "stopped in epoch 2 of 2; go on with: coursekit train --resume --project" in result.output
    monkeypatch.undo()
    result = coursekit("train", "--resume", "--project", tmp_path)
    assert result.exit_code == 0, result.output
    assert (tmp_path / "train" / "results.csv").read_text().count("\n") == 3  # the head and two epochs
    assert not (tmp_path / "train2").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "--data", "/nowhere/at/all"], "/nowhere/at/all"),
        (["train", "--model", "huge"], "model must be one of n, s, m, got 'huge'"),
        (["train", "--epochs", "-3"], "epochs must be at least 0, got -3"),
        (["train", "--data", "signs", "--device", "tpu"], "device must be auto, cpu, cuda, cuda:N or mps, got 'tpu'"),
        (["train", "--resume", "--project", "/nowhere"], "there is no run in /nowhere"),
        (["val", "--project", "/nowhere"], "there is no run in /nowhere"),
        (["val", "--weights", "/nowhere/last.pt"], "there is no checkpoint /nowhere/last.pt"),
        (["predict", "/nowhere/*.jpg"], "there is no image at"),
        (["predict", ".", "--conf", "2"], r"conf must lie in 0..1, got 2.0"),
    ],
)
def test_what_the_user_got_wrong_is_one_sentence(arguments, message):
    result = coursekit(*arguments)
    assert result.exit_code != 0
    assert isinstance(result.exception, (ValueError, OSError)), result.exception
    assert message in str(result.exception)
    assert "\n" not in str(result.exception)
