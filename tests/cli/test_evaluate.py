import json
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from coursekit.cli import app, main
from coursekit.metrics.detection import coco_evaluate


@pytest.fixture
def files(tmp_path, make_files):
    return make_files(tmp_path)


@pytest.fixture(scope="session")
def make_files():
    truth = {
        "images": [{"id": 1}],
        "categories": [{"id": 1, "name": "sign"}, {"id": 2, "name": "Ampel (신호등)"}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [0, 0, 40, 40], "area": 1600, "iscrowd": 0}],
    }
    found = [{"image_id": 1, "category_id": 1, "bbox": [0, 0, 40, 30], "score": 0.9}]

    def make(folder):
        paths = folder / "gt.json", folder / "dt.json"
        for path, data in zip(paths, (truth, found), strict=True):
            path.write_text(json.dumps(data), encoding="utf-8")
        return paths

    return make


def run(*arguments):
    return CliRunner().invoke(app, ["eval", *map(str, arguments)])


def test_writes_the_twelve_numbers(files, tmp_path):
    out = tmp_path / "new folder" / "out.json"
    result = run(*files, "--json", out)
    assert result.exit_code == 0, result.output
    written = json.loads(out.read_text(encoding="utf-8"))
    expected = coco_evaluate(*(json.loads(path.read_text()) for path in files)).summary
    assert {name: written[name] for name in expected} == expected
    assert expected["AP"] == pytest.approx(0.6)
    assert [row["name"] for row in written["per_class"]] == ["sign", "Ampel (신호등)"]
    assert [path.name for path in out.parent.iterdir()] == ["out.json"]  # no temporary file stays


def test_prints_each_number_and_each_class(files):
    output = run(*files, "--per-class").output
    for word in ("AP50", "APs", "ARl", "0.6000", "sign", "Ampel", "1 truths, 1 detections, 1 images"):
        assert word in output
    assert "Ampel" not in run(*files).output


def test_voc_protocols(files, tmp_path):
    out = tmp_path / "out.json"
    assert run(*files, "--protocol", "voc2007", "--iou", 0.75, "--json", out).exit_code == 0
    assert json.loads(out.read_text())["mAP"] == 1.0
    assert run(*files, "--protocol", "voc2010", "--iou", 0.8, "--json", out).exit_code == 0
    written = json.loads(out.read_text())
    assert (written["mAP"], written["per_class"][1]["AP"]) == (0.0, None)  # NaN is no JSON


def test_an_old_file_survives_a_failed_run(files, tmp_path):
    out = tmp_path / "out.json"
    out.write_text("old")
    files[1].write_text("[{]")
    assert run(*files, "--json", out).exit_code != 0
    assert out.read_text() == "old"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[{]", "dt.json is not JSON: Expecting property name enclosed in double quotes at line 1, column 3"),
        ("[" * 100_000, "dt.json is not COCO JSON: nested too deeply"),
        (
            '[{"image_id": 5, "category_id": 1, "bbox": [0, 0, 1, 1], "score": 1}]',
            "detections are of images that the ground truth does not list",
        ),
        ('[{"image_id": 1, "category_id": 1, "bbox": [0, 0, 1, 1], "score": NaN}]', "has score nan"),
        ("3", "detections must be a list of dicts"),
    ],
    ids=["broken", "deep", "unknown image", "NaN", "a number"],
)
def test_a_bad_file_is_one_sentence(files, text, message, monkeypatch, capsys):
    files[1].write_text(text)
    error = failure(monkeypatch, capsys, *files)
    assert message in error
    assert "dt.json" in error
    assert error.count("\n") == 1
    assert "Traceback" not in error


def test_missing_and_mixed_paths(files, tmp_path, monkeypatch, capsys):
    assert "nowhere.json does not exist" in failure(monkeypatch, capsys, files[0], tmp_path / "nowhere.json")
    assert "must be two JSON files or two folders" in failure(monkeypatch, capsys, files[0], tmp_path)
    files[1].write_bytes(b"\xff\xfe\x00")
    assert "dt.json is not text in UTF-8" in failure(monkeypatch, capsys, *files)


def failure(monkeypatch, capsys, *arguments) -> str:
    monkeypatch.setattr(sys, "argv", ["coursekit", "eval", *map(str, arguments)])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 2
    return capsys.readouterr().err


def test_imports_no_torch(files):
    code = (
        "import sys; from typer.testing import CliRunner; from coursekit.cli import app; "
        f"result = CliRunner().invoke(app, ['eval', {str(files[0])!r}, {str(files[1])!r}]); assert result.exit_code == 0, result.output; "
        "print([name for name in ('torch', 'matplotlib') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"
