import json
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from typer.testing import CliRunner

from coursekit.cli import app, main
from coursekit.cli.evaluate import print_voc
from coursekit.data.records import ImageRecord
from coursekit.metrics.bootstrap import bootstrap
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


@pytest.fixture
def several(tmp_path):
    """Three images: found, found under another name, missed."""
    images = [{"id": n} for n in (1, 2, 3)]
    categories = [{"id": 1, "name": "sign"}, {"id": 2, "name": "car"}]
    box = {"category_id": 1, "bbox": [0, 0, 40, 40], "area": 1600, "iscrowd": 0}
    truth = {"images": images, "categories": categories, "annotations": [{"id": n, "image_id": n, **box} for n in (1, 2, 3)]}
    found = [{"image_id": n, "category_id": n, "bbox": [0, 0, 40, 40], "score": 0.9} for n in (1, 2)]
    paths = tmp_path / "gt.json", tmp_path / "dt.json"
    for path, data in zip(paths, (truth, found), strict=True):
        path.write_text(json.dumps(data), encoding="utf-8")
    return paths


def test_intervals_errors_and_pictures(several, tmp_path):
    out, folder = tmp_path / "out.json", tmp_path / "pictures"
    result = run(*several, "--interval", "--draws", 50, "--errors", "--pictures", folder, "--json", out)
    assert result.exit_code == 0, result.output
    written = json.loads(out.read_text(encoding="utf-8"))
    expected = bootstrap(coco_evaluate(*(json.loads(path.read_text()) for path in several)), ["AP"], 50)["AP"]
    assert written["intervals"] == written["intervals"] | {"level": 0.95, "draws": 50, "AP": {"low": expected.low, "high": expected.high}}
    assert expected.low < written["AP"] < expected.high
    assert f"AP {expected}" in result.output
    assert written["errors"]["classification"]["count"] == 1
    assert written["errors"]["missed"]["count"] == 1
    assert "classification +" in result.output
    assert {path.name for path in folder.iterdir()} >= {"errors.png", "pr_curve.png", "confusion_matrix.png"}


def test_what_goes_with_coco_only_and_needs_images(files, monkeypatch, capsys):
    assert "go with --protocol coco, got voc2007" in failure(monkeypatch, capsys, *files, "--interval", "--protocol", "voc2007")
    assert "--interval needs at least 2 images to draw from, got 1" in failure(monkeypatch, capsys, *files, "--interval")


def test_voc_of_a_data_folder_need_not_find_what_is_difficult(capsys):
    """As `coursekit val --voc`: one box is found, a second one is missed, and difficult or not."""
    boxes = np.array([[0.0, 0, 40, 40], [100, 100, 140, 140]])
    target = {"boxes": boxes, "labels": [0, 0]}
    said = {"boxes": boxes[:1], "labels": [0], "scores": [0.9]}
    record = ImageRecord("a.jpg", 1, 200, 200, boxes, [0, 0], difficult=[0, 1])
    folder = SimpleNamespace(classes=("sign",), annotations=SimpleNamespace(images=[record]))
    assert print_voc([target], [said], folder) == {"voc2007": 1.0, "voc2010": 1.0}
    assert print_voc([target], [said], SimpleNamespace(classes=("sign",))) == {"voc2007": pytest.approx(6 / 11), "voc2010": 0.5}
    assert "voc2007 mAP 1.000  voc2010 mAP 1.000  (1 difficult)" in capsys.readouterr().out


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
