import sys

import pytest
from typer.testing import CliRunner

from coursekit.cli import app


def coursekit(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def asked(monkeypatch):
    """What the command asks of `export_onnx`, which here writes two bytes."""
    calls = []

    def export_onnx(model, path, preprocess, nms, **numbers):
        calls.append((model, path, preprocess, nms, numbers))
        path.write_bytes(b"42")
        return {"scores": 1e-7, "boxes": 2e-6}

    import coursekit.yolo.export  # noqa: F401  so that there is something to replace

    monkeypatch.setattr(sys.modules["coursekit.yolo.export"], "export_onnx", export_onnx)
    return calls


def test_the_options_arrive_and_the_differences_are_said(asked, tmp_path):
    out = tmp_path / "signs.onnx"
    result = coursekit("export", "--weights", "signs_n", "--preprocess", "--nms", "--conf", 0.1, "--limit", 7, "--out", out)
    assert result.exit_code == 0, result.output
    [(model, path, preprocess, nms, numbers)] = asked
    assert (len(model.classes), path, preprocess, nms, numbers) == (16, out, True, True, {"confidence": 0.1, "limit": 7})
    assert "scores 1.0e-07, boxes 2.0e-06 strides" in result.output
    assert "replaced" not in result.output
    assert "(replaced)" in coursekit("export", "--weights", "signs_n", "--out", out).output  # never in silence


def test_shipped_weights_are_written_here_and_a_runs_beside_it(asked, tmp_path, monkeypatch):
    from coursekit.training.checkpoint import save_checkpoint
    from coursekit.yolo import YOLO
    from coursekit.yolo.predict import describe

    monkeypatch.chdir(tmp_path)
    save_checkpoint(tmp_path / "runs/detect/train/weights/last.pt", describe(YOLO(1)))
    save_checkpoint(tmp_path / "runs/detect/train/checkpoint.pt", {})
    assert coursekit("export", "--weights", "signs_n").exit_code == 0
    assert coursekit("export").exit_code == 0
    assert [path.as_posix() for _, path, *_ in asked] == ["signs_n.onnx", "runs/detect/train/weights/last.onnx"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--weights", "nowhere.pt"], "there is no checkpoint nowhere.pt"),
        (["--project", "/nowhere"], "there is no run in /nowhere"),
        (["--weights", "signs_n", "--conf", "0.5"], "--conf belongs to --nms, which was not given; add it, or leave --conf out"),
        (["--weights", "signs_n", "--nms", "--conf", "2"], "confidence must lie in 0..1, got 2.0"),
    ],
)
def test_what_the_user_got_wrong_is_one_sentence(arguments, message):
    pytest.importorskip("onnxscript")
    result = coursekit("export", *arguments)
    assert isinstance(result.exception, (ValueError, OSError)), result.output
    assert message in str(result.exception)
