"""Bad files, bad folders and bad settings at the command line: one sentence and exit code 2, never a traceback, nothing in silence."""

import shutil
import sys

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from coursekit.cli import main

SMALL = ["--imgsz", 64, "--epochs", 1, "--batch", 2, "--device", "cpu", "--precision", "float32", "--threads", 1]


@pytest.fixture
def say(monkeypatch, capsys):
    """``say(*arguments)`` runs the command as the shell would and gives the exit code, standard output and standard error."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["coursekit", *map(str, arguments)])
        code = 0
        try:
            main()
        except SystemExit as end:
            code = end.code
        return code, *capsys.readouterr()

    return run


def write_folder(path, labels="0 0.5 0.5 0.4 0.4\n", val_labels="0 0.5 0.5 0.4 0.4\n", pictures=4):
    """A YOLO folder of noise."""
    rng = np.random.default_rng(0)
    for split, text, count in (("train", labels, pictures), ("val", val_labels, 2 if pictures else 0)):
        for kind in ("images", "labels"):
            (path / kind / split).mkdir(parents=True)
        for number in range(count):
            Image.fromarray(rng.integers(0, 255, (48, 64, 3), dtype=np.uint8)).save(path / "images" / split / f"p{number}.png")
            (path / "labels" / split / f"p{number}.txt").write_text(text)
    (path / "data.yaml").write_text("train: images/train\nval: images/val\nnames: [cup]\n")
    return path


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    return write_folder(tmp_path_factory.mktemp("hostile") / "good")


@pytest.fixture(scope="module")
def finished(good, tmp_path_factory):
    """The project of a finished run called train."""
    from typer.testing import CliRunner

    from coursekit.cli import app

    project = tmp_path_factory.mktemp("runs")
    arguments = ["train", "--data", good, *SMALL, "--project", project]
    assert CliRunner().invoke(app, [str(argument) for argument in arguments]).exit_code == 0
    return project


DAMAGED = {
    "text.pt": lambda path: path.write_text("hello"),
    "classes.pt": lambda path: torch.save({"kind": "coursekit-yolo"}, path),
    "size.pt": lambda path: torch.save({"kind": "coursekit-yolo", "size": "q", "classes": ["a"], "imgsz": 64, "weights": {}}, path),
    "weights.pt": lambda path: torch.save({"kind": "coursekit-yolo", "size": "n", "classes": ["a"], "imgsz": 64, "weights": {}}, path),
    "words.safetensors": lambda path: write_safetensors(path, "no json"),
    "list.safetensors": lambda path: write_safetensors(path, "[1]"),
}


def write_safetensors(path, facts):
    from safetensors.torch import save_file

    save_file({"a": torch.zeros(2)}, path, metadata={"model": facts})


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_weights_file_is_named(name, good, tmp_path, say):
    DAMAGED[name](tmp_path / name)
    code, _, error = say("val", "--weights", tmp_path / name, "--data", good)
    assert code == 2
    assert str(tmp_path / name) in error


def test_a_batch_larger_than_the_data_names_the_option(good, tmp_path, say):
    code, _, error = say("train", "--data", good, *SMALL, "--project", tmp_path / "runs", "--batch", 64)
    assert code == 2
    assert "batch must be at most the 4 pictures to train on, got 64; lower --batch" in error
    assert not (tmp_path / "runs").exists()


def test_minutes_of_a_run_that_goes_on_are_refused_with_its_epochs(finished, say):
    code, _, error = say("train", "--resume", "--project", finished, "--minutes", 3)
    assert code == 2
    assert "--minutes 3 contradicts" in error
    assert "which was started with 1 epochs; leave it out" in error


def test_a_pickle_that_runs_something_is_refused_in_a_clear_sentence(good, tmp_path, say):
    class Bomb:
        def __reduce__(self):
            return (open, (str(tmp_path / "ran"), "w"))

    torch.save(Bomb(), tmp_path / "bomb.pt")
    code, _, error = say("val", "--weights", tmp_path / "bomb.pt", "--data", good)
    assert (code, (tmp_path / "ran").exists()) == (2, False)
    assert f"{tmp_path / 'bomb.pt'} is not a checkpoint that can be read" in error
    assert "PyTorch 2.6" not in error


def break_checkpoint(path, kind):
    if kind == "short":
        path.write_bytes(path.read_bytes()[:5000])
        return
    saved = torch.load(path, weights_only=True)
    if kind == "key":
        saved["settings"]["unheard_of"] = 1
    elif kind == "weight":
        saved["state"]["model"].popitem()
    torch.save([1] if kind == "list" else {"a": 1} if kind == "other" else saved, path)


def test_weights_decide_the_size_and_another_one_given_is_refused(good, finished, tmp_path, say):
    from coursekit.yolo import YOLO
    from coursekit.yolo.predict import describe

    model = YOLO(1, "s")
    model.classes = ("cup",)
    torch.save(describe(model), tmp_path / "s.pt")
    more = ["--data", good, *SMALL, "--project", tmp_path / "runs", "--weights", tmp_path / "s.pt"]
    code, _, error = say("train", *more, "--model", "n")
    assert code == 2
    assert "--model n contradicts" in error
    assert not (tmp_path / "runs").exists()
    assert say("train", *more)[0] == 0
    assert yaml.safe_load((tmp_path / "runs" / "train" / "args.yaml").read_text())["model"] == "s"


@pytest.mark.parametrize(
    ("option", "value", "word"),
    [("minutes", "nan", "minutes"), ("minutes", "inf", "minutes"), ("lr", "inf", "lr"), ("seed", 2**64, "seed")]
    + [("name", name, "name") for name in ("", "..", "a/b")],
)
def test_impossible_settings_are_named(option, value, word, good, tmp_path, say):
    settings = SMALL if option != "minutes" else [*SMALL[:2], *SMALL[4:]]
    code, _, error = say("train", "--data", good, *settings, "--project", tmp_path / "runs", f"--{option}", value)
    assert code == 2
    assert error.startswith(f"coursekit: {word} must")
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("place", ["data.yaml", "data.yaml/runs"])
def test_a_project_that_is_a_file_is_named(place, good, say):
    code, _, error = say("train", "--data", good, *SMALL, "--project", good / place)
    assert code == 2
    assert error.startswith(f"coursekit: project must be a folder, got {good / place}")


def test_a_dataset_without_a_picture_is_no_good_dataset(tmp_path, say):
    code, output, _ = say("data", "check", write_folder(tmp_path / "none", pictures=0))
    assert code == 1
    assert "no-pictures" in output


@pytest.mark.filterwarnings("error")
def test_a_picture_one_pixel_wide_can_be_written_to(tmp_path):
    from coursekit.data.images import load_image

    Image.new("RGB", (1, 50)).save(tmp_path / "thin.png")
    picture = torch.from_numpy(load_image(tmp_path / "thin.png"))
    picture[:] = 7
    assert picture.unique().tolist() == [7]


def test_prediction_names_the_size_that_cannot_be(good, finished, tmp_path, say):
    weights = finished / "train" / "weights" / "last.pt"
    for size, words in ((-3, "imgsz must"), (10_000_000, "memory ran out")):
        code, _, error = say("predict", good / "images" / "val", "--weights", weights, "--imgsz", size, "--out", tmp_path)
        assert code == 2
        assert error.startswith(f"coursekit: {words}")


def test_a_full_disk_leaves_the_checkpoint_before(tmp_path):
    resource = pytest.importorskip("resource")
    from coursekit.training.checkpoint import load_checkpoint, save_checkpoint

    path, before = tmp_path / "checkpoint.pt", resource.getrlimit(resource.RLIMIT_FSIZE)
    save_checkpoint(path, {"step": 1})
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        with pytest.raises(OSError, match=r"checkpoint\.pt could not be written"):
            save_checkpoint(path, {"step": 2, "weights": torch.zeros(100_000)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert load_checkpoint(path) == {"step": 1}
    assert [file.name for file in tmp_path.iterdir()] == ["checkpoint.pt"]


def test_a_number_too_large_for_a_score_is_named(tmp_path, say):
    box = '"image_id": 1, "category_id": 1, "bbox": [1, 1, 3, 3]'
    (tmp_path / "gt.json").write_text(
        '{"images": [{"id": 1}], "categories": [{"id": 1, "name": "a"}], "annotations": [{"id": 1, "area": 9, "iscrowd": 0, ' + box + "}]}"
    )
    (tmp_path / "dt.json").write_text("[{" + box + ', "score": 1' + "0" * 400 + "}]")
    code, _, error = say("eval", tmp_path / "gt.json", tmp_path / "dt.json")
    assert code == 2
    assert "detection number 1" in error


def test_text_that_is_none_is_named(tmp_path, say):
    for kind, content in (("gt", b"a 1 1 3 3\n"), ("dt", b"\xff\x81")):
        (tmp_path / kind).mkdir()
        (tmp_path / kind / "1.txt").write_bytes(content)
    code, _, error = say("eval", tmp_path / "gt", tmp_path / "dt")
    assert code == 2
    assert str(tmp_path / "dt" / "1.txt") in error


def test_what_is_not_done_quite_as_said_is_noted(good, tmp_path, say, monkeypatch):
    monkeypatch.setattr("coursekit.training.device.cpu_flags", set)
    settings = ["--imgsz", 70, *SMALL[2:6], "--device", "cpu", "--precision", "bfloat16", "--threads", 1]
    code, output, _ = say("train", "--data", good, *settings, "--project", tmp_path)
    assert code == 0
    assert "imgsz 70 becomes 96" in output
    assert "bfloat16" in output.split("bfloat16", 2)[2]
    assert yaml.safe_load((tmp_path / "train" / "args.yaml").read_text())["precision"] == "bfloat16"


def test_pictures_without_any_object_are_nothing_to_learn_from(tmp_path, say):
    folder = write_folder(tmp_path / "background", labels="")
    code, _, error = say("train", "--data", folder, *SMALL, "--project", tmp_path / "runs")
    assert code == 2
    assert "no object in its 4 pictures" in error
    assert not (tmp_path / "runs").exists()


def test_validation_without_any_object_is_noted(tmp_path, say):
    folder = write_folder(tmp_path / "data", val_labels="")
    code, output, _ = say("train", "--data", folder, *SMALL, "--project", tmp_path / "runs")
    assert code == 0
    assert "no object in the 2 validation pictures" in output
    assert not (tmp_path / "runs" / "train" / "weights" / "best.pt").exists()


@pytest.mark.parametrize("text", ["a: [b", "", "- a", "x: 1"])
def test_damaged_settings_are_named(text, finished, tmp_path, say):
    shutil.copytree(finished / "train", tmp_path / "train")
    (tmp_path / "train" / "args.yaml").write_text(text)
    code, _, error = say("val", "--project", tmp_path)
    assert code == 2
    assert str(tmp_path / "train" / "args.yaml") in error


@pytest.mark.parametrize("place", ["_draw_train_batches", "_draw_validation_of"])
def test_ctrl_c_outside_the_steps_says_how_to_go_on(place, good, tmp_path, say, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(f"coursekit.cli.engine.{place}", interrupt)
    code, output, error = say("train", "--data", good, *SMALL, "--project", tmp_path / "runs")
    assert code == 130
    assert ("before the first step" if place == "_draw_train_batches" else "coursekit val --project") in output + error
